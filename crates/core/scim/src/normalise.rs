//! From what IdPs send to what the schema says: the enumerated tolerances of the service, and no
//! others. Every path that writes a document passes through [`resource`]: there is one validator.
//!
//! Tolerated: names in any case; `"True"`/`"False"` for booleans; an array of one for a singular
//! attribute; a single value for a multi-valued one; a plain string for a complex attribute that
//! has `value`; null, `[]` and `""` for absent; unknown attributes and schemas (dropped);
//! readOnly attributes (ignored, RFC 7644 section 3.3); missing `schemas`.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use chancery_json::{Object, Value};

use crate::error::Error;
use crate::limits::{ID_BYTES_MAX, REFERENCE_BYTES_MAX, TEXT_BYTES_MAX, VALUES_MAX};
use crate::name::fold;
use crate::schema::{
    Attribute, Comparison, Kind, Mutability, Resource, ResourceType, Schema, external_id, find,
};

mod checks;

pub(crate) use checks::check_immutable;
use checks::{check_required, check_size};

/// Attributes in schema order: the position, the member.
type Sorted = Vec<(usize, String, Value)>;

/// Parses a body into an object.
pub(crate) fn body(text: &[u8]) -> Result<Object, Error> {
    match Value::parse(text, &crate::limits::BODY)? {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Error::syntax("send a JSON object"))
        }
    }
}

/// The canonical document of a resource: schemas, externalId, core attributes, extensions, all in
/// the order of the schema. `members` of groups must have been taken out before.
pub(crate) fn resource(definition: &'static Resource, input: Object) -> Result<Object, Error> {
    let mut core = Sorted::with_capacity(input.len());
    let mut extensions: Vec<(usize, Object)> = Vec::new();
    for (name, value) in input {
        let known_extension = definition
            .extensions
            .iter()
            .enumerate()
            .find(|(_, schema)| schema.urn.eq_ignore_ascii_case(&name));
        if let Some((position, schema)) = known_extension {
            let object = extension(schema, value).map_err(|error| error.within(schema.urn))?;
            if extensions.iter().any(|(known, _)| *known == position) {
                return Err(twice(&name));
            }
            extensions.push((position, object));
        } else if let Some((position, attribute)) = top_level(definition, &name) {
            keep(&mut core, position, attribute, (name, value))?;
        } else if name.eq_ignore_ascii_case("schemas") {
            check_schemas(definition, &value).map_err(|error| error.within("schemas"))?;
        }
    }
    extensions.retain(|(_, object)| !object.is_empty());
    extensions.sort_unstable_by_key(|(position, _)| *position);
    let named = |(position, object): (usize, Object)| {
        definition
            .extensions
            .get(position)
            .map(|schema| (schema.urn, object))
    };
    let extensions: Vec<(&'static str, Object)> =
        extensions.into_iter().filter_map(named).collect();

    let mut document = Object::with_capacity(core.len().saturating_add(3));
    let mut urns = Vec::with_capacity(2);
    urns.push(Value::from(definition.core.urn));
    urns.extend(extensions.iter().map(|(urn, _)| Value::from(*urn)));
    document.insert("schemas", Value::Array(urns));
    fill(&mut document, core);
    for (urn, object) in extensions {
        document.insert(urn, Value::Object(object));
    }
    check_required(definition.core, &document)?;
    for schema in definition.extensions {
        if let Some(extension) = document.get(schema.urn).and_then(Value::as_object) {
            check_required(schema, extension).map_err(|error| error.within(schema.urn))?;
        }
    }
    check_size(&document)?;
    Ok(document)
}

/// RFC 7643 section 3.3: a resource names its base schema. None at all, and others beside it, are
/// tolerated; SCIM's own schemas of something else are not, since the body was meant for that.
fn check_schemas(definition: &'static Resource, schemas: &Value) -> Result<(), Error> {
    let named: Option<Vec<&str>> = match schemas {
        Value::Null => Some(Vec::new()),
        Value::String(text) => Some(alloc::vec![text.as_str()]),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    };
    let named = named.ok_or_else(|| Error::value("a list of schema URIs is wanted"))?;
    let mut own = core::iter::once(definition.core).chain(definition.extensions.iter().copied());
    let is_own = own.any(|schema| named.iter().any(|urn| urn.eq_ignore_ascii_case(schema.urn)));
    let prefix = "urn:ietf:params:scim:";
    let is_scim = |urn: &&str| {
        urn.get(..prefix.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    };
    if is_own || !named.iter().any(is_scim) {
        return Ok(());
    }
    Err(Error::value("name the schema of this resource type"))
}

fn top_level(definition: &'static Resource, name: &str) -> Option<(usize, &'static Attribute)> {
    let external_id = external_id();
    if name.eq_ignore_ascii_case(external_id.name) {
        return Some((0, external_id));
    }
    let position = position(definition.core.attributes, name)?;
    let attribute = definition.core.attributes.get(position)?;
    Some((position.saturating_add(1), attribute))
}

fn position(attributes: &'static [Attribute], name: &str) -> Option<usize> {
    attributes
        .iter()
        .position(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

fn extension(schema: &'static Schema, value: Value) -> Result<Object, Error> {
    match unwrapped(value)? {
        Value::Object(object) => members(schema.attributes, object),
        Value::Null => Ok(Object::new()),
        Value::String(text) if text.is_empty() => Ok(Object::new()),
        Value::String(_) | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            Err(Error::value("an extension is an object"))
        }
    }
}

/// The members of an object whose attributes are `attributes`, canonical and in their order.
pub(crate) fn members(attributes: &'static [Attribute], input: Object) -> Result<Object, Error> {
    let mut sorted = Sorted::with_capacity(input.len());
    for (name, value) in input {
        if let Some(position) = position(attributes, &name)
            && let Some(attribute) = attributes.get(position)
        {
            keep(&mut sorted, position, attribute, (name, value))?;
        }
    }
    let mut object = Object::with_capacity(sorted.len());
    fill(&mut object, sorted);
    Ok(object)
}

fn keep(
    sorted: &mut Sorted,
    position: usize,
    attribute: &'static Attribute,
    member: (String, Value),
) -> Result<(), Error> {
    if !is_stored(attribute) {
        return Ok(());
    }
    let (mut name, value) = member;
    if sorted.iter().any(|(known, _, _)| *known == position) {
        return Err(twice(&name));
    }
    if name != attribute.name {
        name.clear();
        name.push_str(attribute.name);
    }
    let value = attribute_value(attribute, value).map_err(|error| error.within(&name))?;
    // An absent value holds its position, so that a second spelling of the name is still refused.
    sorted.push((position, name, value.unwrap_or(Value::Null)));
    Ok(())
}

fn fill(object: &mut Object, mut sorted: Sorted) {
    sorted.sort_unstable_by_key(|(position, _, _)| *position);
    for (_, name, value) in sorted {
        if value != Value::Null {
            object.insert(name, value);
        }
    }
}

/// readOnly attributes come from the service; a password is never kept.
pub(crate) fn is_stored(attribute: &Attribute) -> bool {
    match attribute.mutability {
        Mutability::ReadWrite | Mutability::Immutable => true,
        Mutability::ReadOnly | Mutability::WriteOnly => false,
    }
}

fn twice(name: &str) -> Error {
    Error::syntax("name each attribute once; names ignore case").within(name)
}

/// The canonical value of an attribute; `None` is absent.
pub(crate) fn attribute_value(
    attribute: &'static Attribute,
    value: Value,
) -> Result<Option<Value>, Error> {
    if attribute.many {
        let values = many(attribute, value)?;
        return Ok(if values.is_empty() {
            None
        } else {
            Some(Value::Array(values))
        });
    }
    one(attribute, value)
}

/// The canonical values of a multi-valued attribute; the same value twice becomes one.
pub(crate) fn many(attribute: &'static Attribute, value: Value) -> Result<Vec<Value>, Error> {
    let items = match value {
        Value::Array(items) => items,
        Value::Null => return Ok(Vec::new()),
        Value::String(text) if text.is_empty() => return Ok(Vec::new()),
        single @ (Value::String(_) | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            alloc::vec![single]
        }
    };
    check_count(items.len())?;
    let mut kept = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let within = |error: Error| error.within(&index.to_string());
        if item.as_array().is_some() {
            return Err(within(Error::value("a single value is wanted")));
        }
        if let Some(item) = one(attribute, item).map_err(within)?
            && !merged(attribute, &mut kept, &item)
        {
            kept.push(item);
        }
    }
    if kept.iter().filter(|item| is_primary(item)).count() > 1 {
        return Err(Error::value("primary is true for at most one value"));
    }
    Ok(kept)
}

/// RFC 7643 section 2.4: no two values of one attribute have the same type and value. What a second one
/// says in addition is kept.
fn merged(attribute: &Attribute, kept: &mut [Value], item: &Value) -> bool {
    let Value::Object(new) = item else {
        return kept.contains(item);
    };
    for old in kept.iter_mut() {
        let Value::Object(old) = old else { continue };
        if old != new && !is_same_value(attribute, old, new) {
            continue;
        }
        for (name, value) in new.iter() {
            if old.get(name).is_none() || value.as_bool() == Some(true) {
                old.insert(name, value.clone());
            }
        }
        // In the order of the schema again: the same content is the same document.
        if let Ok(ordered) = members(attribute.subs, core::mem::take(old)) {
            *old = ordered;
        }
        return true;
    }
    false
}

/// Whether two values of an attribute have the same type and value, each compared as the schema says.
pub(crate) fn is_same_value(attribute: &Attribute, old: &Object, new: &Object) -> bool {
    let same = |name| {
        let exact = attribute
            .sub(name)
            .is_some_and(|sub| sub.comparison == Comparison::Exact);
        let text = |object: &Object| {
            let text = object.get(name).and_then(Value::as_str)?;
            Some(if exact {
                String::from(text)
            } else {
                fold(text).into_owned()
            })
        };
        text(old) == text(new)
    };
    new.get("value").is_some() && same("value") && same("type")
}

pub(crate) fn check_count(count: usize) -> Result<(), Error> {
    if count > VALUES_MAX {
        let what = "values of one attribute";
        return Err(Error::TooMuch {
            pointer: String::new(),
            what,
            limit: VALUES_MAX,
        });
    }
    Ok(())
}

pub(crate) fn is_primary(entry: &Value) -> bool {
    let primary = entry.as_object().and_then(|entry| entry.get("primary"));
    primary.and_then(Value::as_bool) == Some(true)
}

/// The canonical single value of an attribute; `None` is absent.
pub(crate) fn one(attribute: &'static Attribute, value: Value) -> Result<Option<Value>, Error> {
    let value = unwrapped(value)?;
    if value == Value::Null {
        return Ok(None);
    }
    match attribute.kind {
        Kind::Boolean => boolean(value),
        Kind::Complex => complex(attribute, value),
        Kind::Integer | Kind::Decimal => {
            let is_whole = |number: &chancery_json::Number| !number.is_f64();
            if let Value::Number(number) = &value
                && (attribute.kind == Kind::Decimal || is_whole(number))
            {
                Ok(Some(value))
            } else if attribute.kind == Kind::Integer {
                Err(Error::value("an integer is wanted"))
            } else {
                Err(Error::value("a number is wanted"))
            }
        }
        Kind::Text | Kind::Reference | Kind::Binary | Kind::DateTime => {
            let Value::String(text) = value else {
                return Err(Error::value("a string is wanted"));
            };
            if text.is_empty() {
                return Ok(None);
            }
            check_text(attribute, &text)?;
            if attribute.kind == Kind::DateTime && crate::instant::parse(&text).is_none() {
                return Err(Error::value("a date and time with an offset is wanted"));
            }
            Ok(Some(Value::String(text)))
        }
    }
}

/// An array of at most one value stands for that value.
fn unwrapped(value: Value) -> Result<Value, Error> {
    let Value::Array(items) = value else {
        return Ok(value);
    };
    let mut items = items.into_iter().filter(|item| *item != Value::Null);
    match (items.next(), items.next()) {
        (None, _) => Ok(Value::Null),
        (Some(item), None) => Ok(item),
        (Some(_), Some(_)) => Err(Error::value("a single value is wanted")),
    }
}

fn boolean(value: Value) -> Result<Option<Value>, Error> {
    if value.as_bool().is_some() {
        return Ok(Some(value));
    }
    match value.as_str() {
        Some("") => Ok(None),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(Value::Bool(true))),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(Value::Bool(false))),
        _ => Err(Error::value("true or false is wanted")),
    }
}

fn complex(attribute: &'static Attribute, value: Value) -> Result<Option<Value>, Error> {
    let object = match value {
        Value::Object(object) => object,
        Value::String(text) if text.is_empty() => return Ok(None),
        Value::String(text) if attribute.value_sub().is_some() => {
            Object::new().with("value", Value::String(text))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err(Error::value("an object is wanted"));
        }
    };
    let object = members(attribute.subs, object)?;
    Ok(if object.is_empty() {
        None
    } else {
        Some(Value::Object(object))
    })
}

fn check_text(attribute: &Attribute, text: &str) -> Result<(), Error> {
    let limit = if matches!(attribute.kind, Kind::Reference | Kind::Binary) {
        REFERENCE_BYTES_MAX
    } else if attribute.name == "externalId" {
        ID_BYTES_MAX
    } else {
        TEXT_BYTES_MAX
    };
    if text.len() > limit {
        return Err(Error::value("the string is too long"));
    }
    // Without early exit this is a few vector instructions.
    if text
        .bytes()
        .fold(false, |found, byte| found | is_refused_control(byte))
    {
        return Err(Error::value("control characters are not allowed"));
    }
    if attribute.kind == Kind::Binary && !text.bytes().all(is_base64) {
        return Err(Error::value("base64 is wanted"));
    }
    Ok(())
}

const fn is_refused_control(byte: u8) -> bool {
    (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) || byte == 0x7f
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

/// The canonical value of a top-level attribute, known by its schema name.
pub(crate) fn top_level_value(
    of: ResourceType,
    name: &str,
    value: Value,
) -> Result<Option<Value>, Error> {
    match top_level(of.definition(), name) {
        Some((_, attribute)) => {
            attribute_value(attribute, value).map_err(|error| error.within(name))
        }
        None => Ok(None),
    }
}

/// Refuses a message of another kind than is meant for its endpoint (RFC 7644 section 3.5.2 for PATCH); one
/// without `schemas` is taken for what it is sent as.
pub(crate) fn check_message(schemas: Option<&Value>, wanted: &'static str) -> Result<(), Error> {
    let is_wanted = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| text.eq_ignore_ascii_case(wanted))
    };
    let right = match schemas {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty() || items.iter().any(is_wanted),
        Some(other) => is_wanted(other),
    };
    if right {
        Ok(())
    } else {
        Err(Error::syntax("name the schema of this message").within("schemas"))
    }
}

/// Finds the member of an unknown-case name in a message, and refuses two spellings of one name.
pub(crate) fn take_member(object: &mut Object, name: &str) -> Result<Option<Value>, Error> {
    let spelling = {
        let mut spellings = object
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let Some((spelling, _)) = spellings.next() else {
            return Ok(None);
        };
        if spellings.next().is_some() {
            return Err(twice(name));
        }
        spelling.to_string()
    };
    Ok(object.remove(&spelling))
}

/// Refuses an object in which two names differ in case alone.
pub(crate) fn check_spellings(object: &Object) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for (name, _) in object.iter() {
        if !seen.insert(name.to_ascii_lowercase()) {
            return Err(twice(name));
        }
    }
    Ok(())
}

/// The sub-attributes of an object as sent: known ones, with their raw values.
pub(crate) fn known_members(
    attributes: &'static [Attribute],
    object: Object,
) -> impl Iterator<Item = (&'static Attribute, Value)> {
    object
        .into_iter()
        .filter_map(move |(name, value)| Some((find(attributes, &name)?, value)))
}

#[cfg(test)]
mod tests;
