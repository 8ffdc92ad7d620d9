//! One operation on the working copy of a document.

use alloc::string::String;
use alloc::vec::Vec;

use chancery_json::{Object, Value};

use super::{Fault, Part, Verb, in_value, members, multi, single_object};
use crate::error::Error;
use crate::filter::{Node, PatchPath, parse_path};
use crate::group::MemberChange;
use crate::normalise::{self, is_stored, known_members};
use crate::schema::{Attribute, Kind, Mutability, Place, ResourceKind, ResourceType, Schema};

/// The working copy. Its members may stand in any order until the document is built again.
pub(super) struct Editor {
    of: ResourceType,
    object: Object,
    members: Vec<MemberChange>,
}

/// What an operation changes.
pub(super) struct Target {
    pub(super) attribute: &'static Attribute,
    pub(super) sub: Option<&'static Attribute>,
    pub(super) filter: Option<Node>,
}

impl Editor {
    pub(super) const fn new(of: ResourceType, object: Object) -> Self {
        Self {
            of,
            object,
            members: Vec::new(),
        }
    }

    pub(super) fn into_parts(self) -> (Object, Vec<MemberChange>) {
        (self.object, self.members)
    }

    pub(super) fn at_path(
        &mut self,
        verb: Verb,
        path: &str,
        value: Option<Value>,
    ) -> Result<(), Fault> {
        let in_path = |error| (error, Some(Part::Path));
        let path = parse_path(path, self.of).map_err(|error| in_path(path_error(error)))?;
        if let PatchPath::Attribute { place, .. } = &path
            && (place.attribute.is_read_only() || place.sub.is_some_and(Attribute::is_read_only))
        {
            return Err(in_path(Error::mutability(
                "only the service sets this attribute",
            )));
        }
        self.change(verb, path, value)
    }

    /// The value names its attributes itself: plainly, dotted or with URN.
    pub(super) fn without_path(&mut self, verb: Verb, value: Option<Value>) -> Result<(), Fault> {
        if verb == Verb::Remove {
            // RFC 7644 section 3.5.2.2: "If 'path' is unspecified, the operation fails".
            let expected = "name what to remove in path";
            return Err((
                Error::NoTarget {
                    pointer: String::new(),
                    expected,
                },
                None,
            ));
        }
        let Some(object) = value.and_then(single_object) else {
            return Err(in_value(Error::value(
                "without path, send an object of attributes",
            )));
        };
        normalise::check_spellings(&object).map_err(in_value)?;
        let mut understood = object.is_empty();
        for (name, value) in object {
            let Ok(path) = parse_path(&name, self.of) else {
                continue;
            };
            understood = true;
            let ignored = match &path {
                PatchPath::Extension(_) => false,
                PatchPath::Attribute { place, .. } => {
                    place.attribute.is_read_only() || place.sub.is_some_and(Attribute::is_read_only)
                }
            };
            if !ignored {
                self.change(verb, path, Some(value))
                    .map_err(|(error, _)| in_value(error.within(&name)))?;
            }
        }
        if understood {
            Ok(())
        } else {
            Err(in_value(Error::value(
                "no member is an attribute of this resource",
            )))
        }
    }

    fn change(&mut self, verb: Verb, path: PatchPath, value: Option<Value>) -> Result<(), Fault> {
        let (place, filter) = match path {
            PatchPath::Extension(schema) => return self.change_extension(verb, schema, value),
            PatchPath::Attribute { place, filter } => (place, filter),
        };
        let target = Target {
            attribute: place.attribute,
            sub: place.sub,
            filter,
        };
        let is_members =
            place.extension.is_none() && target.attribute.name == crate::group::MEMBERS;
        if self.of.kind() == ResourceKind::Group && is_members {
            return members::change(&mut self.members, verb, &target, value);
        }
        if place.attribute.mutability == Mutability::WriteOnly {
            return Ok(());
        }
        self.change_attribute(verb, place, target, value)
    }

    fn change_attribute(
        &mut self,
        verb: Verb,
        place: Place,
        target: Target,
        value: Option<Value>,
    ) -> Result<(), Fault> {
        let Some(schema) = place.extension else {
            return change_in(&mut self.object, verb, target, value);
        };
        let mut object = take_object(&mut self.object, schema.urn);
        change_in(&mut object, verb, target, value)?;
        put_object(&mut self.object, schema.urn, object);
        Ok(())
    }

    fn change_extension(
        &mut self,
        verb: Verb,
        schema: &'static Schema,
        value: Option<Value>,
    ) -> Result<(), Fault> {
        let object = match (verb, value) {
            (Verb::Remove, _) | (Verb::Replace, Some(Value::Null)) => {
                self.object.remove(schema.urn);
                return Ok(());
            }
            (_, None) => return Err(in_value(missing_value())),
            (_, Some(value)) => single_object(value)
                .ok_or_else(|| in_value(Error::value("an extension is an object")))?,
        };
        normalise::check_spellings(&object).map_err(in_value)?;
        let mut understood = object.is_empty();
        for (attribute, value) in known_members(schema.attributes, object) {
            understood = true;
            let place = Place {
                extension: Some(schema),
                attribute,
                sub: None,
            };
            let target = Target {
                attribute,
                sub: None,
                filter: None,
            };
            self.change_attribute(verb, place, target, Some(value))
                .map_err(|(error, _)| in_value(error.within(attribute.name)))?;
        }
        if understood {
            Ok(())
        } else {
            Err(in_value(Error::value(
                "no member is an attribute of the extension",
            )))
        }
    }
}

pub(super) fn missing_value() -> Error {
    Error::value("add and replace need a value")
}

fn path_error(error: Error) -> Error {
    if let Error::Filter { expected, .. } = error {
        return Error::Path {
            pointer: String::new(),
            expected,
        };
    }
    error
}

/// Changes an attribute of the object that holds the attributes of its schema.
fn change_in(
    container: &mut Object,
    verb: Verb,
    target: Target,
    value: Option<Value>,
) -> Result<(), Fault> {
    if target.attribute.many && target.attribute.kind != Kind::Complex {
        return multi::change_plain(container, verb, &target, value);
    }
    if target.attribute.many {
        return multi::change(container, verb, target, value);
    }
    if target.filter.is_some() {
        let expected = "a filter selects values of a multi-valued attribute";
        let error = Error::Path {
            pointer: String::new(),
            expected,
        };
        return Err((error, Some(Part::Path)));
    }
    match (verb, target.sub) {
        (Verb::Remove, None) => clear(container, target.attribute),
        (Verb::Remove, Some(sub)) => {
            let mut object = take_object(container, target.attribute.name);
            put(&mut object, sub, None);
            put_object(container, target.attribute.name, object);
            Ok(())
        }
        (Verb::Add | Verb::Replace, sub) => {
            let value = value.ok_or_else(|| in_value(missing_value()))?;
            match sub {
                None => set(container, target.attribute, value),
                Some(sub) => set_sub(container, target.attribute, sub, value),
            }
            .map_err(in_value)
        }
    }
}

/// Takes the object under a name out; an empty one if there is none.
fn take_object(container: &mut Object, name: &str) -> Object {
    match container.remove(name) {
        Some(Value::Object(object)) => object,
        _ => Object::new(),
    }
}

/// Puts an object back, unless nothing is left of it.
fn put_object(container: &mut Object, name: &str, object: Object) {
    if !object.is_empty() {
        container.insert(name, Value::Object(object));
    }
}

/// Sets a singular attribute; absent values clear it.
fn set(container: &mut Object, attribute: &'static Attribute, value: Value) -> Result<(), Error> {
    if attribute.kind == Kind::Complex
        && let Value::Object(_) | Value::Array(_) = &value
        && let Some(object) = single_object(value.clone())
    {
        // RFC 7644 section 3.5.2.3: "Sub-attributes that are not specified SHALL be left unchanged".
        normalise::check_spellings(&object)?;
        let mut members: Vec<_> = known_members(attribute.subs, object).collect();
        // `value` first: it may drop the old `$ref`, which must not take the new one along.
        members.sort_by_key(|(sub, _)| sub.name != "value");
        for (sub, value) in members {
            if is_stored(sub) {
                set_sub(container, attribute, sub, value)
                    .map_err(|error| error.within(sub.name))?;
            }
        }
        return Ok(());
    }
    match normalise::one(attribute, value)? {
        Some(value) => {
            container.insert(attribute.name, value);
            Ok(())
        }
        None if is_kept(attribute) => Err(Error::value("this attribute cannot be empty")),
        None => {
            container.remove(attribute.name);
            Ok(())
        }
    }
}

fn set_sub(
    container: &mut Object,
    attribute: &'static Attribute,
    sub: &'static Attribute,
    value: Value,
) -> Result<(), Error> {
    let value = normalise::one(sub, value)?;
    let mut object = take_object(container, attribute.name);
    put(&mut object, sub, value);
    put_object(container, attribute.name, object);
    Ok(())
}

/// Sets or clears a sub-attribute. A `$ref` belongs to the value that it came with.
pub(super) fn put(object: &mut Object, sub: &'static Attribute, value: Option<Value>) {
    if sub.name == "value" && object.get("value") != value.as_ref() {
        object.remove("$ref");
    }
    match value {
        Some(value) => {
            object.insert(sub.name, value);
        }
        None => {
            object.remove(sub.name);
        }
    }
}

fn clear(container: &mut Object, attribute: &'static Attribute) -> Result<(), Fault> {
    if is_kept(attribute) {
        let reason = "this attribute cannot be removed, only replaced";
        return Err((Error::mutability(reason), Some(Part::Path)));
    }
    container.remove(attribute.name);
    Ok(())
}

/// Required attributes, `active` among them: whether an account may be used must be said, not left out.
const fn is_kept(attribute: &Attribute) -> bool {
    attribute.required
}
