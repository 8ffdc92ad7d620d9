//! PATCH over plain maps (RFC 7644 section 3.5.2).
//!
//! <https://www.rfc-editor.org/rfc/rfc7644#section-3.5.2>

mod members;
mod multi;

use serde_json::{Map, Value};

use crate::document::{Document, document, is_relation, member, one};
use crate::fault::Fault;
use crate::filter::Tree;
use crate::schema::{Attribute, ENTERPRISE, Kind, Place, Type};

pub use members::{Named, What, Wish, members_named};

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// add
    Add,
    /// replace
    Replace,
    /// remove
    Remove,
}

/// Where an operation does it.
#[derive(Clone, Debug)]
pub enum Path {
    /// Its value names the attributes.
    None,
    /// The extension as a whole.
    Extension,
    /// An attribute or sub-attribute, perhaps of selected values.
    Attribute(Place, Option<Tree>),
    /// A text that names nothing.
    Broken(&'static str),
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// What is done.
    pub verb: Verb,
    /// Where.
    pub path: Path,
    /// With what.
    pub value: Option<Value>,
}

/// Applies operations to a document: the new one, and what is wished of the members.
///
/// # Errors
/// The fault of the first operation that fails, or of the document that would result.
pub fn apply(
    kind: Kind,
    before: &Document,
    operations: &[Operation],
    what: What<'_>,
) -> Result<(Document, Wish), Fault> {
    let mut editor = Editor {
        kind,
        document: before.clone(),
        wish: Wish::default(),
    };
    operations
        .iter()
        .try_for_each(|operation| editor.operation(operation))?;
    let active = before.get("active").and_then(Value::as_bool);
    let after = document(kind, &editor.document, active.unwrap_or(true))?;
    // Whether the members exist is seen once the whole is understood.
    editor.wish.settle(what)?;
    Ok((after, editor.wish))
}

struct Editor {
    kind: Kind,
    document: Document,
    wish: Wish,
}

impl Editor {
    fn operation(&mut self, operation: &Operation) -> Result<(), Fault> {
        let Operation { verb, path, value } = operation;
        match path {
            Path::Broken(_) => Err(Fault::Path),
            Path::None => self.without_path(*verb, value.as_ref()),
            Path::Extension => self.extension(*verb, value.as_ref()),
            Path::Attribute(place, filter) => {
                if is_read_only(*place) {
                    return Err(Fault::Mutability);
                }
                self.attribute(*verb, *place, filter.as_ref(), value.as_ref())
            }
        }
    }

    fn without_path(&mut self, verb: Verb, value: Option<&Value>) -> Result<(), Fault> {
        if verb == Verb::Remove {
            return Err(Fault::NoTarget);
        }
        let object = value.and_then(single_object).ok_or(Fault::Value)?;
        check_spellings(object)?;
        let mut understood = object.is_empty();
        for (name, value) in object {
            if name.eq_ignore_ascii_case(ENTERPRISE) && self.kind == Kind::User {
                understood = true;
                self.extension(verb, Some(value))?;
            } else if let Some(place) = named(self.kind, name) {
                understood = true;
                if !is_read_only(place) {
                    self.attribute(verb, place, None, Some(value))?;
                }
            }
        }
        if understood {
            Ok(())
        } else {
            Err(Fault::Value)
        }
    }

    fn extension(&mut self, verb: Verb, value: Option<&Value>) -> Result<(), Fault> {
        if verb == Verb::Remove || (verb == Verb::Replace && value == Some(&Value::Null)) {
            self.document.remove(ENTERPRISE);
            return Ok(());
        }
        let object = value.and_then(single_object).ok_or(Fault::Value)?;
        check_spellings(object)?;
        let mut understood = object.is_empty();
        for (name, value) in object {
            let place = self
                .kind
                .places()
                .find(|place| place.extension && place.attribute.name.eq_ignore_ascii_case(name));
            if let Some(place) = place {
                understood = true;
                self.attribute(verb, place, None, Some(value))?;
            }
        }
        if understood {
            Ok(())
        } else {
            Err(Fault::Value)
        }
    }

    fn attribute(
        &mut self,
        verb: Verb,
        place: Place,
        filter: Option<&Tree>,
        value: Option<&Value>,
    ) -> Result<(), Fault> {
        if is_relation(self.kind, place.attribute) {
            return members::change(&mut self.wish, verb, (place, filter), value);
        }
        if place.attribute.name == "password" {
            return Ok(());
        }
        if !place.extension {
            return change(&mut self.document, self.kind, verb, (place, filter), value);
        }
        let mut holder = match self.document.remove(ENTERPRISE) {
            Some(Value::Object(holder)) => holder,
            _ => Map::new(),
        };
        change(&mut holder, self.kind, verb, (place, filter), value)?;
        if !holder.is_empty() {
            self.document
                .insert(ENTERPRISE.to_owned(), Value::Object(holder));
        }
        Ok(())
    }
}

fn is_read_only(place: Place) -> bool {
    place.attribute.read_only || place.sub.is_some_and(|sub| sub.read_only)
}

/// The attribute that a member of a value without path names: plainly, dotted, or with URN.
fn named(kind: Kind, name: &str) -> Option<Place> {
    let after = |urn: &str| {
        let (head, tail) = name.split_at_checked(urn.len())?;
        head.eq_ignore_ascii_case(urn)
            .then(|| tail.strip_prefix(':'))?
    };
    let rest = after(kind.urn())
        .or_else(|| after(ENTERPRISE))
        .unwrap_or(name);
    let (outer, sub) = match rest.split_once('.') {
        Some((outer, sub)) => (outer, Some(sub)),
        None => (rest, None),
    };
    let place = kind
        .places()
        .find(|place| place.attribute.name.eq_ignore_ascii_case(outer))?;
    let Some(sub) = sub else { return Some(place) };
    let sub = place
        .attribute
        .subs
        .iter()
        .find(|known| known.name.eq_ignore_ascii_case(sub))?;
    Some(Place {
        sub: Some(sub),
        ..place
    })
}

fn single_object(value: &Value) -> Option<&Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object),
        Value::Array(items) => match items.as_slice() {
            [Value::Object(object)] => Some(object),
            _ => None,
        },
        _ => None,
    }
}

fn check_spellings(object: &Map<String, Value>) -> Result<(), Fault> {
    object
        .keys()
        .try_for_each(|name| member(object, name).map(|_| ()))
}

/// Changes an attribute in the object that holds it.
fn change(
    holder: &mut Map<String, Value>,
    kind: Kind,
    verb: Verb,
    (place, filter): (Place, Option<&Tree>),
    value: Option<&Value>,
) -> Result<(), Fault> {
    let attribute = place.attribute;
    if attribute.many {
        return multi::change(holder, verb, (place, filter), value);
    }
    if filter.is_some() {
        return Err(Fault::Path);
    }
    match (verb, place.sub) {
        (Verb::Remove, None) if attribute.is_kept(kind) => Err(Fault::Mutability),
        (Verb::Remove, None) => {
            holder.remove(attribute.name);
            Ok(())
        }
        (Verb::Remove, Some(sub)) => {
            put_sub(holder, attribute, sub, None);
            Ok(())
        }
        (_, None) => set(holder, kind, attribute, value.ok_or(Fault::Value)?),
        (_, Some(sub)) => {
            let value = one(sub, value.ok_or(Fault::Value)?)?;
            put_sub(holder, attribute, sub, value);
            Ok(())
        }
    }
}

fn set(
    holder: &mut Map<String, Value>,
    kind: Kind,
    attribute: &Attribute,
    value: &Value,
) -> Result<(), Fault> {
    if attribute.kind == Type::Complex
        && let Some(object) = single_object(value)
    {
        // "Sub-attributes that are not specified SHALL be left unchanged" (section 3.5.2.3).
        check_spellings(object)?;
        let before = holder
            .get(attribute.name)
            .and_then(|old| old.get("value"))
            .cloned();
        for sub in attribute.subs.iter().filter(|sub| sub.is_stored()) {
            if let Some(sent) = member(object, sub.name)? {
                let value = one(sub, sent)?;
                put_sub(holder, attribute, sub, value);
            }
        }
        // A reference belongs to the value that it came with.
        let after = holder
            .get(attribute.name)
            .and_then(|new| new.get("value"))
            .cloned();
        if before != after
            && member(object, "$ref")?.is_none()
            && let Some(Value::Object(new)) = holder.get_mut(attribute.name)
        {
            new.remove("$ref");
        }
        return Ok(());
    }
    match one(attribute, value)? {
        Some(value) => {
            holder.insert(attribute.name.to_owned(), value);
            Ok(())
        }
        None if attribute.is_kept(kind) => Err(Fault::Value),
        None => {
            holder.remove(attribute.name);
            Ok(())
        }
    }
}

/// Sets or clears a sub-attribute of a singular attribute.
fn put_sub(
    holder: &mut Map<String, Value>,
    attribute: &Attribute,
    sub: &Attribute,
    value: Option<Value>,
) {
    let mut object = match holder.remove(attribute.name) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    };
    put(&mut object, sub, value);
    if !object.is_empty() {
        holder.insert(attribute.name.to_owned(), Value::Object(object));
    }
}

/// Sets or clears a member. A reference belongs to the value that it came with.
fn put(object: &mut Map<String, Value>, sub: &Attribute, value: Option<Value>) {
    if sub.name == "value" && object.get("value") != value.as_ref() {
        object.remove("$ref");
    }
    match value {
        Some(value) => object.insert(sub.name.to_owned(), value),
        None => object.remove(sub.name),
    };
}
