//! `sortBy` and `sortOrder` (RFC 7644 section 3.4.2.3).

use alloc::string::{String, ToString};
use core::cmp::Ordering;

use chancery_json::Value;

use crate::error::Error;
use crate::filter::ResourceView;
use crate::name::{FoldedName, fold};
use crate::normalise::is_primary;
use crate::schema::{Comparison, Kind, Named, Place, ResourceKind};

/// An order of resources by one attribute. Without a value a resource comes last ascending, first
/// descending.
#[derive(Clone, Debug)]
pub struct Sort {
    place: Place,
    descending: bool,
}

/// What [`Sort::compare`] compares; taken from each resource once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey(Option<String>);

impl Sort {
    pub(crate) fn parse(
        by: Option<&str>,
        order: Option<&str>,
        kind: ResourceKind,
    ) -> Result<Option<Self>, Error> {
        let Some(by) = by else { return Ok(None) };
        let wrong = || Error::Query {
            parameter: "sortBy",
            expected: "name a sortable attribute",
        };
        let Some(Named::Attribute(place)) = kind.resolve(by.trim()) else {
            return Err(wrong());
        };
        let place = match place.innermost() {
            complex if complex.kind == Kind::Complex => Place {
                sub: Some(complex.value_sub().ok_or_else(wrong)?),
                ..place
            },
            _ => place,
        };
        if matches!(place.attribute.name, "members" | "groups" | "password") {
            return Err(wrong());
        }
        let descending = match order.map(str::trim) {
            None => false,
            Some(order) if order.eq_ignore_ascii_case("ascending") => false,
            Some(order) if order.eq_ignore_ascii_case("descending") => true,
            Some(_) => {
                let expected = "send ascending or descending";
                return Err(Error::Query {
                    parameter: "sortOrder",
                    expected,
                });
            }
        };
        Ok(Some(Self { place, descending }))
    }

    /// The key of a resource: the primary value of a multi-valued attribute, else its first.
    #[must_use]
    pub fn key(&self, view: &ResourceView<'_>) -> SortKey {
        let name = self.place.attribute.name;
        SortKey(
            match (
                self.place.extension,
                name,
                self.place.sub.map(|sub| sub.name),
            ) {
                (None, "id", _) => Some(view.id.to_string()),
                // Zero padding makes numbers compare as texts.
                (None, "meta", Some("created")) => Some(alloc::format!("{:020}", view.created_ms)),
                (None, "meta", Some("lastModified")) => {
                    Some(alloc::format!("{:020}", view.last_modified_ms))
                }
                _ => self.stored(view),
            },
        )
    }

    fn stored(&self, view: &ResourceView<'_>) -> Option<String> {
        let value = view.container(self.place)?.get(self.place.attribute.name)?;
        let value = match value.as_array() {
            Some(items) => items
                .iter()
                .find(|item| is_primary(item))
                .or_else(|| items.first())?,
            None => value,
        };
        let value = match self.place.sub {
            Some(sub) => value.as_object()?.get(sub.name)?,
            None => value,
        };
        match (value, self.place.innermost().comparison) {
            (Value::Bool(value), _) => Some(value.to_string()),
            (Value::String(text), Comparison::Exact) => Some(text.clone()),
            (Value::String(text), Comparison::Folded) => Some(fold(text).into_owned()),
            (Value::String(text), Comparison::Identifier) => {
                Some(FoldedName::lookup(text).into_string())
            }
            _ => None,
        }
    }

    /// Compares two keys in the order wanted.
    #[must_use]
    pub fn compare(&self, left: &SortKey, right: &SortKey) -> Ordering {
        let ascending = match (&left.0, &right.0) {
            (Some(left), Some(right)) => left.cmp(right),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        if self.descending {
            ascending.reverse()
        } else {
            ascending
        }
    }
}
