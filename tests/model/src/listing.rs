//! Lists: filter, order, page; and what of a resource is shown (RFC 7644 sections 3.4.2 and 3.9).

use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::filter::{Tree, values};
use crate::schema::{Attribute, Case, ENTERPRISE, Kind, Place};
use crate::text::{fold, fold_name, instant};

/// The most resources on a page.
const PAGE_SIZE_MAX: i64 = 200;
/// The resources on a page if nothing is asked for.
const PAGE_SIZE_DEFAULT: i64 = 100;

/// An attribute that a projection names.
#[derive(Clone, Debug)]
pub enum Name {
    /// An attribute or sub-attribute.
    Place(Place),
    /// The whole extension.
    Extension,
    /// Nothing that exists.
    Unknown,
}

/// What of a resource is to be shown.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// `attributes`
    pub only: Option<Vec<Name>>,
    /// `excludedAttributes`
    pub except: Vec<Name>,
}

/// What a list request asks for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Which resources.
    pub filter: Option<Wanted>,
    /// In which order, and whether descending.
    pub sort: Option<(Place, bool)>,
    /// From which place on.
    pub start_index: Option<i64>,
    /// How many.
    pub count: Option<i64>,
    /// What of each.
    pub shown: Shown,
}

/// A filter that is understood, or not.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// It is.
    Tree(Tree),
    /// It is not.
    Broken(&'static str),
}

/// A page as it should be.
#[derive(Clone, Debug)]
pub struct Page {
    /// How many resources there are in all.
    pub total: usize,
    /// Where the page begins.
    pub start_index: i64,
    /// What is on it.
    pub resources: Vec<Value>,
}

impl Query {
    /// All resources that are asked for, in order, wholly shown.
    #[must_use]
    pub fn select(&self, all: Vec<Value>) -> Vec<Value> {
        let mut found = all;
        if let Some(Wanted::Tree(tree)) = &self.filter {
            found.retain(|resource| tree.holds(resource));
        }
        if let Some((place, descending)) = self.sort {
            found.sort_by(|left, right| {
                let order = compare(&sort_key(left, place), &sort_key(right, place));
                if descending { order.reverse() } else { order }
            });
        }
        found
    }

    /// The page that is asked for.
    #[must_use]
    pub fn page(&self, all: Vec<Value>) -> Page {
        let found = self.select(all);
        let start_index = self.start_index.unwrap_or(1).max(1);
        let count = self
            .count
            .unwrap_or(PAGE_SIZE_DEFAULT)
            .clamp(0, PAGE_SIZE_MAX);
        let skipped = usize::try_from(start_index - 1).unwrap_or(usize::MAX);
        let count = usize::try_from(count).unwrap_or(0);
        Page {
            total: found.len(),
            start_index,
            resources: found
                .iter()
                .skip(skipped)
                .take(count)
                .map(|resource| self.shown.cut(kind_of(resource), resource))
                .collect(),
        }
    }
}

/// What a resource says that it is.
#[must_use]
pub fn kind_of(resource: &Value) -> Kind {
    if resource["meta"]["resourceType"] == Kind::Group.name() {
        Kind::Group
    } else {
        Kind::User
    }
}

/// Without a value a resource comes last ascending, first descending (section 3.4.2.3).
fn compare(left: &Option<String>, right: &Option<String>) -> Ordering {
    match (left, right) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(left), Some(right)) => left.cmp(right),
    }
}

/// The primary value, else the first.
fn sort_key(resource: &Value, place: Place) -> Option<String> {
    let place = place.compared();
    let whole = Place { sub: None, ..place };
    let all = values(resource, whole);
    let chosen = all
        .iter()
        .find(|value| value["primary"] == true)
        .or_else(|| all.first())?;
    let value = match place.sub {
        Some(sub) => chosen.get(sub.name)?,
        None => chosen,
    };
    match value {
        Value::Bool(flag) => Some(flag.to_string()),
        Value::String(text) => Some(match (instant(text), place.innermost().case) {
            (Some((seconds, nanos)), _) => format!("{seconds:020}{nanos:010}"),
            (None, Case::Exact) => text.clone(),
            (None, Case::Folded) => fold(text),
            (None, Case::Name) => fold_name(text),
        }),
        _ => None,
    }
}

impl Shown {
    /// Whether nothing is left out.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.only.is_none() && self.except.is_empty()
    }

    /// The shown part of a resource.
    #[must_use]
    pub fn cut(&self, kind: Kind, resource: &Value) -> Value {
        let mut kept = Map::new();
        for place in kind.places() {
            let holder = if place.extension {
                resource.get(ENTERPRISE)
            } else {
                Some(resource)
            };
            let Some(value) = holder.and_then(|holder| holder.get(place.attribute.name)) else {
                continue;
            };
            let name = place.attribute.name.to_owned();
            let value = if matches!(place.attribute.name, "id" | "schemas") {
                Some(value.clone())
            } else {
                self.cut_value(place, value)
            };
            if let Some(value) = value {
                if place.extension {
                    let extension = kept
                        .entry(ENTERPRISE)
                        .or_insert_with(|| Value::Object(Map::new()));
                    extension[name] = value;
                } else {
                    kept.insert(name, value);
                }
            }
        }
        Value::Object(kept)
    }

    fn cut_value(&self, place: Place, value: &Value) -> Option<Value> {
        match value {
            Value::Array(items) => {
                let kept: Vec<Value> = items
                    .iter()
                    .filter_map(|item| self.cut_value(place, item))
                    .collect();
                Some(Value::Array(kept))
            }
            Value::Object(object) => {
                let shows = |name: &str| {
                    let sub = place.attribute.sub(name);
                    sub.is_some_and(|sub| {
                        self.shows(Place {
                            sub: Some(sub),
                            ..place
                        })
                    })
                };
                let kept: Map<String, Value> = object
                    .iter()
                    .filter(|(name, _)| shows(name))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                (!kept.is_empty()).then_some(Value::Object(kept))
            }
            simple => self.shows(place).then(|| simple.clone()),
        }
    }

    fn shows(&self, place: Place) -> bool {
        let covers = |name: &Name| match name {
            Name::Extension => place.extension,
            Name::Unknown => false,
            Name::Place(named) => {
                let same = |left: &Attribute, right: &Attribute| left.name == right.name;
                let sub = match (named.sub, place.sub) {
                    (None, _) => true,
                    (Some(named), Some(sub)) => same(named, sub),
                    (Some(_), None) => false,
                };
                named.extension == place.extension && same(named.attribute, place.attribute) && sub
            }
        };
        let listed = self
            .only
            .as_ref()
            .is_none_or(|only| only.iter().any(covers));
        listed && !self.except.iter().any(covers)
    }
}
