//! The query of a list request (RFC 7644 sections 3.4.2 and 3.4.3, RFC 9865 section 2).

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use chancery_json::{Object, Value};

use crate::error::Error;
use crate::filter::Filter;
use crate::limits::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, QUERY_BYTES_MAX};
use crate::normalise::{self, take_member};
use crate::projection::Projection;
use crate::schema::{Catalogue, ResourceKind, ResourceType, urn};
use crate::sort::Sort;

/// A parsed query. Unknown parameters are ignored: Entra ID's feature flag may ride along.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListQuery {
    /// What to select of each resource type that is asked for.
    pub selections: Vec<Selection>,
    /// Which page.
    pub page: Page,
    /// What a cursor is good for: the filter and order as they were sent.
    pub binding: String,
}

/// What of one resource type is wanted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Selection {
    /// The resource type.
    pub kind: ResourceKind,
    /// What to select; everything if absent.
    pub filter: Option<Filter>,
    /// What to show of each.
    pub projection: Projection,
    /// The order wanted; ascending age if absent.
    pub sort: Option<Sort>,
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Page {
    /// By index (RFC 7644 section 3.4.2.4).
    Index {
        /// The 1-based index of the first resource.
        start: u64,
        /// How many at most; 0 asks for the total alone.
        count: u64,
    },
    /// By cursor (RFC 9865 section 2).
    Cursor {
        /// Where to go on; the first page if absent.
        cursor: Option<String>,
        /// How many at most; 0 asks for the total alone.
        count: u64,
    },
}

/// The resource types that a query is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "one or all")]
pub enum Kinds {
    /// One.
    One(ResourceKind),
    /// All of them: a query at the root (RFC 7644 section 3.4.2.1).
    All,
}

/// The parameters as sent, decoded.
#[derive(Default)]
struct Parameters {
    filter: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
    cursor: Option<String>,
    attributes: Option<String>,
    excluded: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
}

impl ListQuery {
    /// Parses the part of the URI after `?`.
    ///
    /// # Errors
    ///
    /// [`Error::Query`], [`Error::Filter`], [`Error::InvalidCount`].
    pub fn parse(query: &str, kinds: Kinds, catalogue: Catalogue) -> Result<Self, Error> {
        Parameters::parse(query)?.query(kinds, catalogue)
    }

    /// Parses the body of a search (RFC 7644 section 3.4.3).
    ///
    /// # Errors
    ///
    /// [`Error::Json`], [`Error::Syntax`], [`Error::Value`], and those of [`ListQuery::parse`].
    pub fn parse_search(body: &[u8], kinds: Kinds, catalogue: Catalogue) -> Result<Self, Error> {
        Parameters::of_search(normalise::body(body)?)?.query(kinds, catalogue)
    }

    /// Parses the projection alone: for requests about one resource (RFC 7644 section 3.9).
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub fn parse_projection(query: &str, of: impl Into<ResourceType>) -> Result<Projection, Error> {
        Parameters::parse(query)?.projection(of.into())
    }
}

/// Whether a query holds a filter: the discovery lists answer 403 then (RFC 7644 section 4).
///
/// # Errors
///
/// [`Error::DiscoveryFilter`] if it does, [`Error::Query`] if it cannot be understood.
pub fn refuse_discovery_filter(query: &str) -> Result<(), Error> {
    match Parameters::parse(query)?.filter {
        Some(_) => Err(Error::DiscoveryFilter),
        None => Ok(()),
    }
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, Error> {
        if query.len() > QUERY_BYTES_MAX {
            return Err(Error::Query {
                parameter: "query",
                expected: "the query is too long",
            });
        }
        let mut found = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(name) = decode(name) else { continue };
            let Some((parameter, slot)) = found.slot(&name) else {
                continue;
            };
            let expected = "percent-encode it as UTF-8";
            let value = decode(value).ok_or(Error::Query {
                parameter,
                expected,
            })?;
            if slot.replace(value).is_some() {
                return Err(Error::Query {
                    parameter,
                    expected: "send it once",
                });
            }
        }
        Ok(found)
    }

    fn of_search(mut body: Object) -> Result<Self, Error> {
        normalise::check_message(
            take_member(&mut body, "schemas")?.as_ref(),
            urn::SEARCH_REQUEST,
        )?;
        normalise::check_spellings(&body)?;
        let mut found = Self::default();
        for (name, value) in body {
            let Some((_, slot)) = found.slot(&name) else {
                continue;
            };
            *slot = search_member(value).map_err(|error| error.within(&name))?;
        }
        Ok(found)
    }

    fn slot(&mut self, name: &str) -> Option<(&'static str, &mut Option<String>)> {
        Some(match name {
            _ if name.eq_ignore_ascii_case("filter") => ("filter", &mut self.filter),
            _ if name.eq_ignore_ascii_case("startIndex") => ("startIndex", &mut self.start_index),
            _ if name.eq_ignore_ascii_case("count") => ("count", &mut self.count),
            _ if name.eq_ignore_ascii_case("cursor") => ("cursor", &mut self.cursor),
            _ if name.eq_ignore_ascii_case("attributes") => ("attributes", &mut self.attributes),
            _ if name.eq_ignore_ascii_case("excludedAttributes") => {
                ("excludedAttributes", &mut self.excluded)
            }
            _ if name.eq_ignore_ascii_case("sortBy") => ("sortBy", &mut self.sort_by),
            _ if name.eq_ignore_ascii_case("sortOrder") => ("sortOrder", &mut self.sort_order),
            _ => return None,
        })
    }

    fn query(&self, kinds: Kinds, catalogue: Catalogue) -> Result<ListQuery, Error> {
        let kinds: Vec<ResourceKind> = match kinds {
            Kinds::One(kind) => alloc::vec![kind],
            Kinds::All => ResourceKind::ALL.to_vec(),
        };
        let page = self.page()?;
        let alone = kinds.len() == 1;
        let selections = kinds
            .iter()
            .map(|kind| self.selection(*kind, catalogue, alone));
        let text = |parameter: &Option<String>| parameter.clone().unwrap_or_default();
        let binding = [
            text(&self.filter),
            text(&self.sort_by),
            text(&self.sort_order),
        ];
        Ok(ListQuery {
            selections: selections.collect::<Result<_, _>>()?,
            page,
            // No parameter holds a control character that would not be a fault in it.
            binding: binding.join("\u{0}"),
        })
    }

    fn selection(
        &self,
        kind: ResourceKind,
        catalogue: Catalogue,
        alone: bool,
    ) -> Result<Selection, Error> {
        let text =
            |parameter: &Option<String>| parameter.clone().filter(|value| !value.trim().is_empty());
        let of = catalogue.of(kind);
        let parse = |filter: String| {
            if alone {
                Filter::parse(&filter, of)
            } else {
                Filter::parse_among(&filter, kind, catalogue)
            }
        };
        let others = if alone { None } else { Some(catalogue) };
        Ok(Selection {
            kind,
            filter: text(&self.filter).map(parse).transpose()?,
            projection: self.projection(of)?,
            sort: Sort::parse(
                text(&self.sort_by).as_deref(),
                text(&self.sort_order).as_deref(),
                of,
                others,
            )?,
        })
    }

    fn page(&self) -> Result<Page, Error> {
        let text =
            |parameter: &Option<String>| parameter.clone().filter(|value| !value.trim().is_empty());
        let start = number("startIndex", text(&self.start_index))?;
        let Some(cursor) = &self.cursor else {
            return Ok(Page::Index {
                start: start.unwrap_or(1).max(1),
                count: number("count", text(&self.count))?
                    .unwrap_or(PAGE_SIZE_DEFAULT)
                    .min(PAGE_SIZE_MAX),
            });
        };
        if start.is_some_and(|start| start > 1) {
            return Err(Error::Query {
                parameter: "startIndex",
                expected: "send either startIndex or cursor",
            });
        }
        let count = number("count", text(&self.count)).map_err(|_query| Error::InvalidCount)?;
        Ok(Page::Cursor {
            cursor: Some(cursor.clone()).filter(|cursor| !cursor.is_empty()),
            count: count.unwrap_or(PAGE_SIZE_DEFAULT).min(PAGE_SIZE_MAX),
        })
    }

    fn projection(&self, of: ResourceType) -> Result<Projection, Error> {
        Projection::parse(self.attributes.as_deref(), self.excluded.as_deref(), of)
    }
}

/// A member of a search as the query parameter of the same name would have it.
fn search_member(value: Value) -> Result<Option<String>, Error> {
    let text = |value: Value| match value {
        Value::String(text) => Ok(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(Error::value("a list of strings is wanted"))
        }
    };
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Array(items) => {
            let names: Vec<String> = items.into_iter().map(text).collect::<Result<_, _>>()?;
            Ok(Some(names.join(",")))
        }
        Value::Bool(_) | Value::Object(_) => Err(Error::value(
            "a string, a number or a list of strings is wanted",
        )),
    }
}

/// RFC 7644 section 3.4.2.4: a startIndex below 1 is 1, a negative count is 0.
fn number(parameter: &'static str, text: Option<String>) -> Result<Option<u64>, Error> {
    let Some(text) = text else { return Ok(None) };
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::Query {
            parameter,
            expected: "send an integer",
        });
    }
    // Digits alone fail to parse only if there are too many of them.
    Ok(Some(if negative {
        0
    } else {
        digits.parse().unwrap_or(u64::MAX)
    }))
}

/// Percent decoding with `+` for space; `None` if it is broken or no UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = nibble(rest.next()?)?;
                (high << 4) | nibble(rest.next()?)?
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests;
