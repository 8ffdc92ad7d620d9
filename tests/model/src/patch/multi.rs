//! Operations on multi-valued attributes.

use serde_json::{Map, Value};

use super::{Verb, put};
use crate::document::{is_same, many, one};
use crate::fault::Fault;
use crate::filter::Tree;
use crate::schema::{Attribute, Place};

/// The values, each with whether the operation has written it.
type Values = Vec<(Map<String, Value>, bool)>;

pub(super) fn change(
    holder: &mut Map<String, Value>,
    verb: Verb,
    target: (Place, Option<&Tree>),
    value: Option<&Value>,
) -> Result<(), Fault> {
    let name = target.0.attribute.name;
    let mut values: Values = match holder.remove(name) {
        Some(Value::Array(items)) => items
            .into_iter()
            .filter_map(|item| Some((item.as_object()?.clone(), false)))
            .collect(),
        _ => Vec::new(),
    };
    match verb {
        Verb::Remove => remove(&mut values, target, value)?,
        Verb::Add | Verb::Replace => write(&mut values, verb, target, value.ok_or(Fault::Value)?)?,
    }
    values.retain(|(value, _)| !value.is_empty());
    settle_primary(&mut values)?;
    let values: Vec<Value> = values
        .into_iter()
        .map(|(value, _)| Value::Object(value))
        .collect();
    if !values.is_empty() {
        holder.insert(name.to_owned(), Value::Array(values));
    }
    Ok(())
}

fn selects(filter: Option<&Tree>, value: &Map<String, Value>) -> bool {
    filter.is_none_or(|filter| filter.holds(&Value::Object(value.clone())))
}

fn write(
    values: &mut Values,
    verb: Verb,
    (place, filter): (Place, Option<&Tree>),
    value: &Value,
) -> Result<(), Fault> {
    let attribute = place.attribute;
    if filter.is_none() && place.sub.is_none() {
        let new = many(attribute, value)?;
        if verb == Verb::Replace {
            values.clear();
        }
        for value in new {
            if let Value::Object(value) = value {
                add(attribute, values, value);
            }
        }
        return Ok(());
    }
    let new = New::of(place, value)?;
    let wanted = filter.map_or_else(|| Some(Vec::new()), Tree::wanted);
    let seed: Map<String, Value> = wanted
        .iter()
        .flatten()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let mut matched = false;
    for (value, written) in values
        .iter_mut()
        .filter(|(value, _)| selects(filter, value))
    {
        matched = true;
        *written = true;
        new.write(value, verb, &seed, attribute);
    }
    if matched {
        return Ok(());
    }
    // A replacement without a match has no target (section 3.5.2.3); an addition makes the value that
    // its filter describes, if the filter describes one.
    if wanted.is_none() || (verb == Verb::Replace && filter.is_some()) {
        return Err(Fault::NoTarget);
    }
    if !new.is_nothing() {
        let mut made = seed.clone();
        new.write(&mut made, Verb::Add, &seed, attribute);
        values.push((made, true));
    }
    Ok(())
}

/// What is to be written into the selected values.
enum New {
    Sub(&'static Attribute, Option<Value>),
    Whole(Option<Map<String, Value>>),
}

impl New {
    fn of(place: Place, value: &Value) -> Result<Self, Fault> {
        match place.sub {
            Some(sub) => Ok(Self::Sub(sub, one(sub, value)?)),
            None => Ok(Self::Whole(match one(place.attribute, value)? {
                Some(Value::Object(object)) => Some(object),
                _ => None,
            })),
        }
    }

    const fn is_nothing(&self) -> bool {
        matches!(self, Self::Sub(_, None) | Self::Whole(None))
    }

    fn write(
        &self,
        value: &mut Map<String, Value>,
        verb: Verb,
        seed: &Map<String, Value>,
        attribute: &Attribute,
    ) {
        match self {
            // A value that loses what it says is gone.
            Self::Sub(sub, None) if sub.name == "value" => value.clear(),
            Self::Whole(None) => value.clear(),
            Self::Sub(sub, new) => put(value, sub, new.clone()),
            Self::Whole(Some(new)) => {
                if verb == Verb::Replace {
                    value.clone_from(seed);
                }
                for sub in attribute.subs {
                    if let Some(new) = new.get(sub.name) {
                        put(value, sub, Some(new.clone()));
                    }
                }
            }
        }
    }
}

/// One value more, unless there is one of the same type and value: that one is completed.
fn add(attribute: &Attribute, values: &mut Values, new: Map<String, Value>) {
    let value = Value::Object(new.clone());
    for (old, written) in values.iter_mut() {
        if *old == new {
            return;
        }
        if is_same(attribute, &Value::Object(old.clone()), &value) {
            *written = true;
            old.extend(new);
            return;
        }
    }
    values.push((new, true));
}

fn remove(
    values: &mut Values,
    (place, filter): (Place, Option<&Tree>),
    value: Option<&Value>,
) -> Result<(), Fault> {
    let mut listed = None;
    if filter.is_none()
        && place.sub.is_none()
        && let Some(value) = value.filter(|value| !value.is_null())
    {
        let list = many(place.attribute, value)?;
        if list.is_empty() {
            return Err(Fault::Value);
        }
        listed = Some(list);
    }
    for (value, _) in values.iter_mut() {
        let selected = match &listed {
            Some(listed) => listed.iter().any(|wanted| includes(value, wanted)),
            None => selects(filter, value),
        };
        match place.sub {
            _ if !selected => {}
            Some(sub) if sub.name != "value" => put(value, sub, None),
            _ => value.clear(),
        }
    }
    Ok(())
}

/// Whether a value has everything that a listed one names.
fn includes(value: &Map<String, Value>, wanted: &Value) -> bool {
    let wanted = wanted.as_object().into_iter().flatten();
    wanted
        .into_iter()
        .all(|(name, wanted)| value.get(name) == Some(wanted))
}

/// A new primary value takes the mark from the others (section 3.5.2).
fn settle_primary(values: &mut Values) -> Result<(), Fault> {
    let is_primary = |value: &Map<String, Value>| value.get("primary") == Some(&Value::from(true));
    match values
        .iter()
        .filter(|(value, written)| *written && is_primary(value))
        .count()
    {
        0 => Ok(()),
        1 => {
            for (value, _) in values.iter_mut().filter(|(_, written)| !*written) {
                if let Some(primary) = value.get_mut("primary") {
                    *primary = Value::from(false);
                }
            }
            Ok(())
        }
        _ => Err(Fault::Value),
    }
}
