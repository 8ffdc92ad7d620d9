//! What becomes of a body: the reference's second look at the tolerated shapes.
//!
//! A document is a map of a resource's own attributes in the names of the schema, without `id`, `meta`,
//! `schemas` and what it is related to.

use serde_json::{Map, Value};

use crate::fault::Fault;
use crate::schema::{Attribute, Case, ENTERPRISE, Kind, Type};
use crate::text::{email, fold, user_name};

/// The longest text.
const TEXT_BYTES_MAX: usize = 4096;
/// The longest externalId.
const ID_BYTES_MAX: usize = 256;

/// A resource's own attributes.
pub type Document = Map<String, Value>;

/// The document of a body. Unknown and read-only attributes are dropped; `active` is as told if the body
/// does not say.
///
/// # Errors
/// The fault of the first attribute that does not fit.
pub fn document(kind: Kind, body: &Map<String, Value>, active: bool) -> Result<Document, Fault> {
    let mut made = Document::new();
    let mut extension = Document::new();
    for place in kind.places() {
        if place.extension || !place.attribute.is_stored() || is_relation(kind, place.attribute) {
            continue;
        }
        if let Some(sent) = member(body, place.attribute.name)?
            && let Some(value) = attribute(place.attribute, sent)?
        {
            made.insert(place.attribute.name.to_owned(), value);
        }
    }
    if kind == Kind::User
        && let Some(sent) = member(body, ENTERPRISE)?
    {
        let sent = match single(sent)? {
            None => Map::new(),
            Some(Value::Object(sent)) => sent,
            Some(Value::String(text)) if text.is_empty() => Map::new(),
            Some(_) => return Err(Fault::Value),
        };
        for place in kind.places().filter(|place| place.extension) {
            if let Some(sent) = member(&sent, place.attribute.name)?
                && let Some(value) = attribute(place.attribute, sent)?
            {
                extension.insert(place.attribute.name.to_owned(), value);
            }
        }
    }
    if !extension.is_empty() {
        made.insert(ENTERPRISE.to_owned(), Value::Object(extension));
    }
    if kind == Kind::User && !made.contains_key("active") {
        made.insert("active".to_owned(), Value::from(active));
    }
    check(kind, &made)?;
    Ok(made)
}

/// Whether an attribute is kept beside the document.
#[must_use]
pub fn is_relation(kind: Kind, attribute: &Attribute) -> bool {
    attribute.name == kind.relation()
}

/// The member of a name; case does not count, and there must not be two.
///
/// # Errors
/// [`Fault::Syntax`] for two spellings.
pub fn member<'m>(object: &'m Map<String, Value>, name: &str) -> Result<Option<&'m Value>, Fault> {
    let mut found = object
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(Fault::Syntax),
        (first, None) => Ok(first.map(|(_, value)| value)),
    }
}

/// What every stored document fulfils.
fn check(kind: Kind, document: &Document) -> Result<(), Fault> {
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    if kind == Kind::Group {
        return text("displayName").map(|_| ()).ok_or(Fault::Value);
    }
    text("userName").and_then(user_name).ok_or(Fault::Value)?;
    for address in addresses(document) {
        email(address).ok_or(Fault::Value)?;
    }
    Ok(())
}

/// The email addresses of a document.
pub fn addresses(document: &Document) -> impl Iterator<Item = &str> {
    let emails = document.get("emails").and_then(Value::as_array);
    emails
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["value"].as_str())
}

/// The value of an attribute as it is kept; nothing if it is empty.
///
/// # Errors
/// [`Fault::Value`], or [`Fault::Syntax`] for two spellings of one name.
pub fn attribute(attribute: &Attribute, sent: &Value) -> Result<Option<Value>, Fault> {
    if !attribute.many {
        return one(attribute, sent);
    }
    let values = many(attribute, sent)?;
    Ok((!values.is_empty()).then_some(Value::Array(values)))
}

/// The values of a multi-valued attribute.
///
/// # Errors
/// As [`attribute`].
pub fn many(attribute: &Attribute, sent: &Value) -> Result<Vec<Value>, Fault> {
    let items: Vec<&Value> = match sent {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        Value::String(text) if text.is_empty() => Vec::new(),
        single => vec![single],
    };
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        if item.is_array() {
            return Err(Fault::Value);
        }
        if let Some(value) = one(attribute, item)? {
            keep(attribute, &mut kept, value);
        }
    }
    check_primary(&kept)?;
    Ok(kept)
}

/// No two values have the same type and value (RFC 7643 section 2.4): the second completes the first.
fn keep(attribute: &Attribute, kept: &mut Vec<Value>, new: Value) {
    let same = |old: &&mut Value| **old == new || is_same(attribute, old, &new);
    let Some(Value::Object(old)) = kept.iter_mut().find(same) else {
        kept.push(new);
        return;
    };
    for (name, value) in new.as_object().into_iter().flatten() {
        if !old.contains_key(name) || value.as_bool() == Some(true) {
            old.insert(name.clone(), value.clone());
        }
    }
}

/// Whether two values of an attribute are one: they have the same type and value, compared as these are.
#[must_use]
pub fn is_same(attribute: &Attribute, left: &Value, right: &Value) -> bool {
    let form = |value: &Value, name: &str| {
        let text = value[name].as_str()?;
        let exact = attribute
            .sub(name)
            .is_some_and(|sub| sub.case == Case::Exact);
        Some(if exact { text.to_owned() } else { fold(text) })
    };
    let same = |name: &str| form(left, name) == form(right, name);
    right.get("value").is_some() && same("value") && same("type")
}

/// At most one value is primary (RFC 7643 section 2.4).
///
/// # Errors
/// [`Fault::Value`].
pub fn check_primary(values: &[Value]) -> Result<(), Fault> {
    let primary = values
        .iter()
        .filter(|value| value["primary"] == true)
        .count();
    if primary > 1 {
        Err(Fault::Value)
    } else {
        Ok(())
    }
}

/// A single value as it is kept; nothing if it is empty.
///
/// # Errors
/// As [`attribute`].
pub fn one(attribute: &Attribute, sent: &Value) -> Result<Option<Value>, Fault> {
    let Some(value) = single(sent)? else {
        return Ok(None);
    };
    match (attribute.kind, value) {
        (_, Value::Null) => Ok(None),
        (_, Value::String(text)) if text.is_empty() => Ok(None),
        (Type::Flag, value) => flag(&value).map(|flag| Some(Value::from(flag))),
        (Type::Complex, Value::Object(sent)) => complex(attribute, &sent),
        (Type::Complex, Value::String(text)) if attribute.sub("value").is_some() => {
            let mut sent = Map::new();
            sent.insert("value".to_owned(), Value::from(text));
            complex(attribute, &sent)
        }
        (Type::Text | Type::Link | Type::Bytes | Type::Instant, Value::String(text)) => {
            fits(attribute, &text)
                .then_some(Some(Value::from(text)))
                .ok_or(Fault::Value)
        }
        _ => Err(Fault::Value),
    }
}

/// An array of at most one value stands for that value.
fn single(sent: &Value) -> Result<Option<Value>, Fault> {
    let Value::Array(items) = sent else {
        return Ok(Some(sent.clone()));
    };
    let mut items = items.iter().filter(|item| !item.is_null());
    match (items.next(), items.next()) {
        (_, Some(_)) => Err(Fault::Value),
        (first, None) => Ok(first.cloned()),
    }
}

fn flag(value: &Value) -> Result<bool, Fault> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(Fault::Value),
    }
}

fn complex(attribute: &Attribute, sent: &Map<String, Value>) -> Result<Option<Value>, Fault> {
    let mut made = Map::new();
    for sub in attribute.subs.iter().filter(|sub| sub.is_stored()) {
        if let Some(sent) = member(sent, sub.name)?
            && let Some(value) = one(sub, sent)?
        {
            made.insert(sub.name.to_owned(), value);
        }
    }
    Ok((!made.is_empty()).then_some(Value::Object(made)))
}

fn fits(attribute: &Attribute, text: &str) -> bool {
    let limit = if attribute.name == "externalId" {
        ID_BYTES_MAX
    } else {
        TEXT_BYTES_MAX
    };
    let control = |c: char| c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r');
    let base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/=-_".contains(&b);
    let right_bytes = attribute.kind != Type::Bytes || text.bytes().all(base64);
    (attribute.kind == Type::Link || text.len() <= limit) && !text.contains(control) && right_bytes
}
