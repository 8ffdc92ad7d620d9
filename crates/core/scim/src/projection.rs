//! `attributes` and `excludedAttributes` (RFC 7644 sections 3.4.2.5 and 3.9).

use alloc::vec::Vec;

use chancery_json::{Object, Value};

use crate::error::Error;
use crate::limits::PROJECTION_NAMES_MAX;
use crate::normalise::is_stored;
use crate::schema::{Attribute, Named, Place, Resource, ResourceType, Returned, Schema, find};

/// Which attributes an answer shows. `schemas` and `id` are always shown.
#[derive(Clone, Debug)]
pub struct Projection {
    of: ResourceType,
    only: Option<Vec<Chosen>>,
    except: Vec<Chosen>,
}

#[derive(Clone, Copy, Debug)]
enum Chosen {
    Extension(&'static Schema),
    Attribute(Place),
}

/// What of one attribute is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Whole,
    Part,
    Nothing,
}

impl Projection {
    /// The default: everything that is not returned on request alone, or never.
    #[must_use]
    pub fn all(of: impl Into<ResourceType>) -> Self {
        Self {
            of: of.into(),
            only: None,
            except: Vec::new(),
        }
    }

    /// Parses the two lists of names; unknown names choose nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Query`] if there are too many names.
    pub fn parse(
        attributes: Option<&str>,
        excluded: Option<&str>,
        of: impl Into<ResourceType>,
    ) -> Result<Self, Error> {
        let of = of.into();
        let attributes = attributes.filter(|names| !names.trim().is_empty());
        Ok(Self {
            of,
            only: attributes
                .map(|names| chosen(names, of, "attributes"))
                .transpose()?,
            except: chosen(excluded.unwrap_or_default(), of, "excludedAttributes")?,
        })
    }

    pub(crate) const fn definition(&self) -> &'static Resource {
        self.of.definition()
    }

    /// Whether a stored document can be shown as it is.
    pub(crate) fn is_verbatim(&self) -> bool {
        let hidden = |attribute: &Attribute| {
            is_stored(attribute)
                && matches!(attribute.returned, Returned::Never | Returned::Request)
        };
        let mut extensions = self.of.definition().extensions.iter();
        self.is_all()
            && !extensions.any(|schema| {
                schema
                    .attributes
                    .iter()
                    .any(|attribute| hidden(attribute) || attribute.subs.iter().any(hidden))
            })
    }

    /// Whether the caller made no choice.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.only.is_none() && self.except.is_empty()
    }

    /// Whether the members of groups, or the groups of users, are shown: if not, they need not be
    /// gathered.
    #[must_use]
    pub fn shows(&self, name: &str) -> bool {
        match find(self.of.definition().core.attributes, name) {
            Some(attribute) => self.shown(None, attribute) != Shown::Nothing,
            None => false,
        }
    }

    fn shown(&self, extension: Option<&'static Schema>, attribute: &'static Attribute) -> Shown {
        let hides = |sub: &Attribute| matches!(sub.returned, Returned::Never | Returned::Request);
        if attribute.returned == Returned::Always {
            return if attribute.subs.iter().any(hides) {
                Shown::Part
            } else {
                Shown::Whole
            };
        }
        if attribute.returned == Returned::Never {
            return Shown::Nothing;
        }
        let whole = |chosen: &Chosen| chosen.covers(extension, attribute, None);
        if self.except.iter().any(whole) {
            return Shown::Nothing;
        }
        let touched = |chosen: &Chosen| chosen.touches(extension, attribute);
        let cut = self.except.iter().any(touched) || attribute.subs.iter().any(hides);
        match &self.only {
            None if attribute.returned == Returned::Request => Shown::Nothing,
            None if cut => Shown::Part,
            None => Shown::Whole,
            Some(only) if only.iter().any(whole) && !cut => Shown::Whole,
            Some(only) if only.iter().any(|chosen| whole(chosen) || touched(chosen)) => Shown::Part,
            Some(_) => Shown::Nothing,
        }
    }

    /// Whether a sub-attribute of a partly shown attribute is shown.
    pub(crate) fn shows_sub(
        &self,
        extension: Option<&'static Schema>,
        attribute: &'static Attribute,
        sub: &str,
    ) -> bool {
        let covers = |chosen: &Chosen| chosen.covers(extension, attribute, Some(sub));
        let returned = attribute.sub(sub).map(|sub| sub.returned);
        if returned == Some(Returned::Never)
            || (returned == Some(Returned::Request) && self.only.is_none())
        {
            return false;
        }
        if attribute.returned == Returned::Always && returned != Some(Returned::Request) {
            return true;
        }
        let listed = self
            .only
            .as_ref()
            .is_none_or(|only| only.iter().any(covers));
        listed && !self.except.iter().any(covers)
    }

    /// The shown part of one attribute's value.
    pub(crate) fn cut(
        &self,
        extension: Option<&'static Schema>,
        attribute: &'static Attribute,
        value: Value,
    ) -> Option<Value> {
        match self.shown(extension, attribute) {
            Shown::Whole => Some(value),
            Shown::Nothing => None,
            Shown::Part => {
                let Value::Array(items) = value else {
                    return self.cut_one(extension, attribute, value);
                };
                let items = items.into_iter();
                let kept: Vec<Value> = items
                    .filter_map(|item| self.cut_one(extension, attribute, item))
                    .collect();
                Some(Value::Array(kept))
            }
        }
    }

    fn cut_one(
        &self,
        extension: Option<&'static Schema>,
        attribute: &'static Attribute,
        value: Value,
    ) -> Option<Value> {
        let Value::Object(object) = value else {
            return Some(value);
        };
        let mut kept = Object::new();
        for (name, value) in object {
            if self.shows_sub(extension, attribute, &name) {
                kept.insert(name, value);
            }
        }
        if kept.is_empty() {
            None
        } else {
            Some(Value::Object(kept))
        }
    }
}

impl Chosen {
    /// Whether the choice names the attribute, or this sub-attribute of it, or what holds it.
    fn covers(
        self,
        extension: Option<&'static Schema>,
        attribute: &'static Attribute,
        sub: Option<&str>,
    ) -> bool {
        match self {
            Self::Extension(schema) => extension.is_some_and(|found| found.urn == schema.urn),
            Self::Attribute(place) => {
                same(place, extension, attribute)
                    && place.sub.is_none_or(|chosen| sub == Some(chosen.name))
            }
        }
    }

    /// Whether the choice names a sub-attribute of the attribute.
    fn touches(self, extension: Option<&'static Schema>, attribute: &'static Attribute) -> bool {
        match self {
            Self::Extension(_) => false,
            Self::Attribute(place) => same(place, extension, attribute) && place.sub.is_some(),
        }
    }
}

fn same(place: Place, extension: Option<&'static Schema>, attribute: &'static Attribute) -> bool {
    place.extension.map(|schema| schema.urn) == extension.map(|schema| schema.urn)
        && place.attribute.name == attribute.name
}

fn chosen(names: &str, of: ResourceType, parameter: &'static str) -> Result<Vec<Chosen>, Error> {
    let names = names
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let mut found = Vec::new();
    for (count, name) in names.enumerate() {
        if count >= PROJECTION_NAMES_MAX {
            return Err(Error::Query {
                parameter,
                expected: "list fewer names",
            });
        }
        match of.resolve(name) {
            Some(Named::Extension(schema)) => found.push(Chosen::Extension(schema)),
            Some(Named::Attribute(place)) => found.push(Chosen::Attribute(place)),
            None => {}
        }
    }
    Ok(found)
}
