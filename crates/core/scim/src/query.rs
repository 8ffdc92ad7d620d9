//! The query of a list request (RFC 7644 section 3.4.2).

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Error;
use crate::filter::Filter;
use crate::limits::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, QUERY_BYTES_MAX};
use crate::projection::Projection;
use crate::schema::ResourceKind;
use crate::sort::Sort;

/// A parsed query. Unknown parameters are ignored: Entra ID's feature flag may ride along.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a record that the engine takes apart"
)]
pub struct ListQuery {
    /// What to select; everything if absent.
    pub filter: Option<Filter>,
    /// The 1-based index of the first resource wanted.
    pub start_index: u64,
    /// How many resources are wanted at most; 0 asks for the total alone.
    pub count: u64,
    /// What to show of each.
    pub projection: Projection,
    /// The order wanted; ascending age if absent.
    pub sort: Option<Sort>,
}

/// The parameters as sent, decoded.
#[derive(Default)]
struct Parameters {
    filter: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
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
    /// [`Error::Query`], [`Error::Filter`].
    pub fn parse(query: &str, kind: ResourceKind) -> Result<Self, Error> {
        let parameters = Parameters::parse(query)?;
        let text =
            |parameter: &Option<String>| parameter.clone().filter(|value| !value.trim().is_empty());
        let filter = text(&parameters.filter);
        Ok(Self {
            filter: filter
                .map(|filter| Filter::parse(&filter, kind))
                .transpose()?,
            start_index: number("startIndex", text(&parameters.start_index))?
                .unwrap_or(1)
                .max(1),
            count: number("count", text(&parameters.count))?
                .unwrap_or(PAGE_SIZE_DEFAULT)
                .min(PAGE_SIZE_MAX),
            projection: parameters.projection(kind)?,
            sort: Sort::parse(
                text(&parameters.sort_by).as_deref(),
                text(&parameters.sort_order).as_deref(),
                kind,
            )?,
        })
    }

    /// Parses the projection alone: for requests about one resource (RFC 7644 section 3.9).
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub fn parse_projection(query: &str, kind: ResourceKind) -> Result<Projection, Error> {
        Parameters::parse(query)?.projection(kind)
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

    fn slot(&mut self, name: &str) -> Option<(&'static str, &mut Option<String>)> {
        Some(match name {
            _ if name.eq_ignore_ascii_case("filter") => ("filter", &mut self.filter),
            _ if name.eq_ignore_ascii_case("startIndex") => ("startIndex", &mut self.start_index),
            _ if name.eq_ignore_ascii_case("count") => ("count", &mut self.count),
            _ if name.eq_ignore_ascii_case("attributes") => ("attributes", &mut self.attributes),
            _ if name.eq_ignore_ascii_case("excludedAttributes") => {
                ("excludedAttributes", &mut self.excluded)
            }
            _ if name.eq_ignore_ascii_case("sortBy") => ("sortBy", &mut self.sort_by),
            _ if name.eq_ignore_ascii_case("sortOrder") => ("sortOrder", &mut self.sort_order),
            _ => return None,
        })
    }

    fn projection(&self, kind: ResourceKind) -> Result<Projection, Error> {
        Projection::parse(self.attributes.as_deref(), self.excluded.as_deref(), kind)
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
