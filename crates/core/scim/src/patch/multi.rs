//! Operations on multi-valued attributes.

use alloc::string::String;
use alloc::vec::Vec;

use chancery_json::{Object, Value};

use super::edit::{Target, missing_value, put};
use super::{Fault, Part, Verb, in_value};
use crate::error::Error;
use crate::filter::{Node, entry_matches, seed};
use crate::normalise;
use crate::schema::Attribute;

/// A value of the attribute, and whether this operation has written it.
struct Entry {
    object: Object,
    written: bool,
}

pub(super) fn change(
    container: &mut Object,
    verb: Verb,
    target: Target,
    value: Option<Value>,
) -> Result<(), Fault> {
    let attribute = target.attribute;
    let mut entries = take(container, attribute);
    match verb {
        Verb::Remove => remove(&mut entries, target, value)?,
        Verb::Add | Verb::Replace => {
            let value = value.ok_or_else(|| in_value(missing_value()))?;
            write(&mut entries, verb, target, value)?;
        }
    }
    entries.retain(|entry| !entry.object.is_empty());
    settle_primary(&mut entries).map_err(in_value)?;
    normalise::check_count(entries.len()).map_err(in_value)?;
    if !entries.is_empty() {
        let values = entries
            .into_iter()
            .map(|entry| Value::Object(entry.object))
            .collect();
        container.insert(attribute.name, Value::Array(values));
    }
    Ok(())
}

/// The same for an attribute whose values are no objects: a set of them.
pub(super) fn change_plain(
    container: &mut Object,
    verb: Verb,
    target: &Target,
    value: Option<Value>,
) -> Result<(), Fault> {
    let attribute = target.attribute;
    if target.filter.is_some() {
        let expected = "a filter selects values that are objects";
        return Err((
            Error::Path {
                pointer: String::new(),
                expected,
            },
            Some(Part::Path),
        ));
    }
    let listed = match (verb, value) {
        (Verb::Remove, None | Some(Value::Null)) => None,
        (_, None) => return Err(in_value(missing_value())),
        (_, Some(value)) => Some(normalise::many(attribute, value).map_err(in_value)?),
    };
    let mut values = match container.remove(attribute.name) {
        Some(Value::Array(values)) if verb != Verb::Replace => values,
        _ => Vec::new(),
    };
    match (verb, listed) {
        (Verb::Remove, None) => values.clear(),
        (Verb::Remove, Some(listed)) => values.retain(|value| !listed.contains(value)),
        (Verb::Add | Verb::Replace, listed) => {
            for value in listed.unwrap_or_default() {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
        }
    }
    normalise::check_count(values.len()).map_err(in_value)?;
    if !values.is_empty() {
        container.insert(attribute.name, Value::Array(values));
    }
    Ok(())
}

fn take(container: &mut Object, attribute: &'static Attribute) -> Vec<Entry> {
    let Some(Value::Array(items)) = container.remove(attribute.name) else {
        return Vec::new();
    };
    let entry = |item| match item {
        Value::Object(object) => Some(Entry {
            object,
            written: false,
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            None
        }
    };
    items.into_iter().filter_map(entry).collect()
}

fn write(entries: &mut Vec<Entry>, verb: Verb, target: Target, value: Value) -> Result<(), Fault> {
    let Target {
        attribute,
        sub,
        filter,
    } = target;
    if filter.is_none() && sub.is_none() {
        let values = normalise::many(attribute, value).map_err(in_value)?;
        if verb == Verb::Replace {
            entries.clear();
        }
        for value in values {
            if let Value::Object(object) = value {
                add(attribute, entries, object);
            }
        }
        return Ok(());
    }
    let new = New::parse(attribute, sub, value).map_err(in_value)?;
    let mut matched = false;
    let seeds = filter.as_ref().map_or_else(|| Some(Vec::new()), seed);
    for entry in entries.iter_mut() {
        if selects(filter.as_ref(), &mut entry.object) {
            matched = true;
            entry.written = true;
            new.write(
                &mut entry.object,
                verb,
                seeds.as_deref().unwrap_or_default(),
            );
        }
    }
    if matched {
        return Ok(());
    }
    // RFC 7644 section 3.5.2.3: replace without a match is noTarget. For add, Entra ID relies on
    // the value being made from the filter.
    let (Some(seeds), false) = (seeds, verb == Verb::Replace && filter.is_some()) else {
        let expected = "no value matches the filter in path";
        return Err((
            Error::NoTarget {
                pointer: String::new(),
                expected,
            },
            Some(Part::Path),
        ));
    };
    if new.is_absent() {
        return Ok(());
    }
    let mut object = Object::new();
    new.write(&mut object, Verb::Replace, &seeds);
    entries.push(Entry {
        object,
        written: true,
    });
    Ok(())
}

/// What is to be written to the selected values.
enum New {
    Sub(&'static Attribute, Option<Value>),
    Whole(Option<Object>, &'static Attribute),
}

impl New {
    fn parse(
        attribute: &'static Attribute,
        sub: Option<&'static Attribute>,
        value: Value,
    ) -> Result<Self, Error> {
        match sub {
            Some(sub) => Ok(Self::Sub(sub, normalise::one(sub, value)?)),
            None => match normalise::one(attribute, value)? {
                Some(Value::Object(object)) => Ok(Self::Whole(Some(object), attribute)),
                _ => Ok(Self::Whole(None, attribute)),
            },
        }
    }

    const fn is_absent(&self) -> bool {
        matches!(self, Self::Sub(_, None) | Self::Whole(None, _))
    }

    /// Writes into a selected value; one that loses what it says is left empty.
    fn write(&self, entry: &mut Object, verb: Verb, seeds: &[(&'static Attribute, Value)]) {
        match self {
            Self::Sub(sub, None) if sub.name == "value" => *entry = Object::new(),
            Self::Sub(sub, value) => {
                if entry.is_empty() {
                    fill(entry, seeds);
                }
                put(entry, sub, value.clone());
            }
            Self::Whole(None, _) => *entry = Object::new(),
            Self::Whole(Some(object), attribute) => {
                if verb == Verb::Replace {
                    *entry = Object::new();
                    fill(entry, seeds);
                }
                overlay(entry, object, attribute);
            }
        }
    }
}

fn fill(entry: &mut Object, seeds: &[(&'static Attribute, Value)]) {
    for (sub, value) in seeds {
        entry.insert(sub.name, value.clone());
    }
}

fn overlay(entry: &mut Object, with: &Object, attribute: &'static Attribute) {
    // `value` first: it may drop the old `$ref`, which must not take the new one along.
    let subs = attribute.subs.iter().filter(|sub| sub.name == "value");
    for sub in subs.chain(attribute.subs.iter().filter(|sub| sub.name != "value")) {
        if let Some(value) = with.get(sub.name) {
            put(entry, sub, Some(value.clone()));
        }
    }
}

/// Adds one value: into the one of the same value and type, else at the end. One that is there
/// already is no change (RFC 7644 section 3.5.2.1).
fn add(attribute: &Attribute, entries: &mut Vec<Entry>, object: Object) {
    for entry in entries.iter_mut() {
        if entry.object == object {
            return;
        }
        if normalise::is_same_value(attribute, &entry.object, &object) {
            entry.written = true;
            for (name, value) in object {
                entry.object.insert(name, value);
            }
            return;
        }
    }
    entries.push(Entry {
        object,
        written: true,
    });
}

fn remove(entries: &mut [Entry], target: Target, value: Option<Value>) -> Result<(), Fault> {
    let Target {
        attribute,
        sub,
        filter,
    } = target;
    let listed = match value {
        _ if filter.is_some() || sub.is_some() => None,
        None | Some(Value::Null) => None,
        Some(value) => {
            let listed = normalise::many(attribute, value).map_err(in_value)?;
            if listed.is_empty() {
                let expected = "an empty list removes nothing; leave value out to remove all";
                return Err(in_value(Error::value(expected)));
            }
            Some(listed)
        }
    };
    for entry in entries.iter_mut() {
        let selected = match &listed {
            Some(listed) => listed.iter().any(|wanted| includes(&entry.object, wanted)),
            None => selects(filter.as_ref(), &mut entry.object),
        };
        if selected {
            match sub {
                Some(sub) if sub.name != "value" => put(&mut entry.object, sub, None),
                _ => entry.object = Object::new(),
            }
        }
    }
    Ok(())
}

/// Whether an entry has every sub-attribute that the listed value names.
fn includes(entry: &Object, wanted: &Value) -> bool {
    wanted.as_object().is_some_and(|wanted| {
        wanted
            .iter()
            .all(|(name, value)| entry.get(name) == Some(value))
    })
}

fn selects(filter: Option<&Node>, object: &mut Object) -> bool {
    let Some(node) = filter else { return true };
    let value = Value::Object(core::mem::take(object));
    let selected = entry_matches(node, &value);
    if let Value::Object(back) = value {
        *object = back;
    }
    selected
}

/// RFC 7644 section 3.5.2: a new primary value sets the others' `primary` to false.
fn settle_primary(entries: &mut [Entry]) -> Result<(), Error> {
    let primary =
        |entry: &Entry| entry.object.get("primary").and_then(Value::as_bool) == Some(true);
    match entries
        .iter()
        .filter(|entry| entry.written && primary(entry))
        .count()
    {
        0 => Ok(()),
        1 => {
            for entry in entries.iter_mut().filter(|entry| !entry.written) {
                if let Some(value) = entry.object.get_mut("primary") {
                    *value = Value::Bool(false);
                }
            }
            Ok(())
        }
        _ => Err(Error::value("primary is true for at most one value")),
    }
}
