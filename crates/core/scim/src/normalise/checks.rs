//! What must hold of a document as a whole.

use alloc::string::String;

use chancery_json::{Object, Value};

use super::is_stored;
use crate::error::Error;
use crate::limits::DOCUMENT_BYTES_MAX;
use crate::schema::{Attribute, Mutability, Resource, Schema};

/// An extension's required attributes are wanted where the extension is used.
pub(super) fn check_required(schema: &'static Schema, holder: &Object) -> Result<(), Error> {
    let mut required = schema
        .attributes
        .iter()
        .filter(|attribute| attribute.required && is_stored(attribute));
    match required.find(|attribute| holder.get(attribute.name).is_none()) {
        None => Ok(()),
        Some(attribute) => Err(Error::Missing {
            pointer: String::new(),
        }
        .within(attribute.name)),
    }
}

/// Refuses the change of a value that may be set once (RFC 7644 section 3.5.1: "the input value MUST
/// match").
pub(crate) fn check_immutable(
    definition: &'static Resource,
    before: &Object,
    after: &Object,
) -> Result<(), Error> {
    check_kept(definition.core, Some(before), Some(after))?;
    for schema in definition.extensions {
        let before = before.get(schema.urn).and_then(Value::as_object);
        let after = after.get(schema.urn).and_then(Value::as_object);
        check_kept(schema, before, after).map_err(|error| error.within(schema.urn))?;
    }
    Ok(())
}

fn check_kept(
    schema: &'static Schema,
    before: Option<&Object>,
    after: Option<&Object>,
) -> Result<(), Error> {
    let immutable = |attribute: &&Attribute| attribute.mutability == Mutability::Immutable;
    for attribute in schema.attributes.iter().filter(immutable) {
        let kept = before.and_then(|object| object.get(attribute.name));
        if kept.is_some() && kept != after.and_then(|object| object.get(attribute.name)) {
            let reason = "this attribute is set once and then stays";
            return Err(Error::mutability(reason).within(attribute.name));
        }
    }
    Ok(())
}

/// PATCH after PATCH could make a document larger than any body.
pub(super) fn check_size(document: &Object) -> Result<(), Error> {
    let members = document.iter();
    let bytes: usize = members
        .map(|(name, value)| name.len().saturating_add(size(value)))
        .sum();
    if bytes > DOCUMENT_BYTES_MAX {
        let (what, limit) = ("bytes in one resource", DOCUMENT_BYTES_MAX);
        return Err(Error::TooMuch {
            pointer: String::new(),
            what,
            limit,
        });
    }
    Ok(())
}

/// Bytes of names and strings, and what stands between them. It recurses over a document, whose
/// depth the schema fixes.
fn size(value: &Value) -> usize {
    let inside: usize = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(object) => object
            .iter()
            .map(|(name, value)| name.len().saturating_add(size(value)))
            .sum(),
    };
    inside.saturating_add(8)
}
