//! `sortBy` and `sortOrder` (RFC 7644 section 3.4.2.3).

use alloc::string::{String, ToString};
use core::cmp::Ordering;

use chancery_json::Value;

use crate::error::Error;
use crate::filter::ResourceView;
use crate::instant::{self, nanos_of_ms};
use crate::name::{FoldedName, fold};
use crate::normalise::is_primary;
use crate::schema::{Catalogue, Comparison, Kind, Named, Place, ResourceType};

/// An order of resources by one attribute. Without a value a resource comes last ascending, first
/// descending.
#[derive(Clone, Debug)]
pub struct Sort {
    /// None of this resource type's: then every resource is without a value.
    place: Option<Place>,
    descending: bool,
}

/// What [`Sort::compare`] compares; taken from each resource once.
#[derive(Clone, Debug, PartialEq)]
pub struct SortKey(Option<Key>);

#[derive(Clone, Debug, PartialEq)]
enum Key {
    Text(String),
    Whole(i128),
    Real(f64),
    Instant(i128),
}

impl Sort {
    pub(crate) fn parse(
        by: Option<&str>,
        order: Option<&str>,
        of: ResourceType,
        all: Option<Catalogue>,
    ) -> Result<Option<Self>, Error> {
        let Some(by) = by else { return Ok(None) };
        let wrong = || Error::Query {
            parameter: "sortBy",
            expected: "name a sortable attribute",
        };
        let attribute = |of: ResourceType| match of.resolve(by.trim()) {
            Some(Named::Attribute(place)) => Some(place),
            Some(Named::Extension(_)) | None => None,
        };
        let mut others = all.into_iter().flat_map(Catalogue::all);
        let (place, is_ours) = match attribute(of) {
            Some(place) => (place, true),
            None => (others.find_map(attribute).ok_or_else(wrong)?, false),
        };
        let place = match place.innermost() {
            complex if complex.kind == Kind::Complex => Place {
                sub: Some(complex.value_sub().ok_or_else(wrong)?),
                ..place
            },
            _ => place,
        };
        let sub = place.sub.map(|sub| sub.name);
        let is_unsorted = matches!(place.attribute.name, "members" | "groups" | "password")
            || matches!(sub, Some("version" | "location" | "resourceType"))
                && place.attribute.name == "meta";
        let is_hidden = place.extension.is_some() && place.is_never_shown();
        if is_hidden || (place.extension.is_none() && is_unsorted) {
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
        Ok(Some(Self {
            place: is_ours.then_some(place),
            descending,
        }))
    }

    /// The key of a resource: the primary value of a multi-valued attribute, else its first.
    #[must_use]
    pub fn key(&self, view: &ResourceView<'_>) -> SortKey {
        let Some(place) = self.place else {
            return SortKey(None);
        };
        SortKey(
            match (
                place.extension,
                place.attribute.name,
                place.sub.map(|sub| sub.name),
            ) {
                (None, "id", _) => Some(Key::Text(view.id.to_string())),
                (None, "meta", Some("created")) => Some(Key::Instant(nanos_of_ms(view.created_ms))),
                (None, "meta", Some("lastModified")) => {
                    Some(Key::Instant(nanos_of_ms(view.last_modified_ms)))
                }
                _ => Self::stored(place, view),
            },
        )
    }

    fn stored(place: Place, view: &ResourceView<'_>) -> Option<Key> {
        let value = view.container(place)?.get(place.attribute.name)?;
        let value = match value.as_array() {
            Some(items) => items
                .iter()
                .find(|item| is_primary(item))
                .or_else(|| items.first())?,
            None => value,
        };
        let value = match place.sub {
            Some(sub) => value.as_object()?.get(sub.name)?,
            None => value,
        };
        let attribute = place.innermost();
        match (value, attribute.comparison) {
            // All values of a decimal are compared as binary64: a mixture would be no order.
            (Value::Number(number), _) if attribute.kind == Kind::Integer => {
                number.as_i128().map(Key::Whole)
            }
            (Value::Number(number), _) => number.as_f64().map(Key::Real),
            (Value::String(text), _) if attribute.kind == Kind::DateTime => {
                instant::parse(text).map(Key::Instant)
            }
            (Value::Bool(value), _) => Some(Key::Text(value.to_string())),
            (Value::String(text), Comparison::Exact) => Some(Key::Text(text.clone())),
            (Value::String(text), Comparison::Folded) => Some(Key::Text(fold(text).into_owned())),
            (Value::String(text), Comparison::Identifier) => {
                Some(Key::Text(FoldedName::lookup(text).into_string()))
            }
            _ => None,
        }
    }

    /// Compares two keys in the order wanted.
    #[must_use]
    pub fn compare(&self, left: &SortKey, right: &SortKey) -> Ordering {
        let ascending = match (&left.0, &right.0) {
            (Some(left), Some(right)) => left.order(right),
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

impl Key {
    /// Values of one attribute are of one type; of two types none comes first.
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::Whole(left), Self::Whole(right)) => left.cmp(right),
            (Self::Real(left), Self::Real(right)) => left.total_cmp(right),
            (Self::Instant(left), Self::Instant(right)) => left.cmp(right),
            _ => Ordering::Equal,
        }
    }
}
