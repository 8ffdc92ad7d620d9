//! Resources as clients send them.

use serde_json::{Map, Value, json};

use super::words::{BYTES, EMAILS, IDS, LABELS, LINKS, NAMES, TEXTS};
use crate::random::Dice;
use crate::schema::{Attribute, Case, ENTERPRISE, Kind, Type, USER};

/// A singular value of an attribute, in the form of the schema.
pub fn value(dice: &mut Dice, attribute: &Attribute) -> Value {
    match (attribute.kind, attribute.case, attribute.name) {
        (Type::Flag, _, _) => Value::from(dice.chance(50)),
        (Type::Link | Type::Instant, _, _) => Value::from(*dice.pick(LINKS)),
        (Type::Bytes, _, _) => Value::from(*dice.pick(BYTES)),
        (Type::Complex, _, _) => entry(dice, attribute),
        (Type::Text, Case::Name, "userName") => Value::from(*dice.pick(NAMES)),
        (Type::Text, Case::Name, _) => Value::from(*dice.pick(EMAILS)),
        (Type::Text, Case::Exact, _) => Value::from(*dice.pick(IDS)),
        (Type::Text, Case::Folded, "type") => Value::from(*dice.pick(LABELS)),
        (Type::Text, Case::Folded, _) => Value::from(*dice.pick(TEXTS)),
    }
}

/// A value of a complex attribute, without `primary`.
pub fn entry(dice: &mut Dice, attribute: &Attribute) -> Value {
    let mut made = Map::new();
    for sub in attribute.subs {
        let likely = if sub.name == "value" { 90 } else { 45 };
        if sub.is_stored() && sub.name != "primary" && dice.chance(likely) {
            made.insert(sub.name.to_owned(), value(dice, sub));
        }
    }
    Value::Object(made)
}

/// Values of a multi-valued attribute: at most one is primary, and no two have the same type and value.
fn values(dice: &mut Dice, attribute: &Attribute) -> Value {
    let mut made: Vec<Value> = Vec::new();
    for _ in 0..dice.below(4) {
        let new = entry(dice, attribute);
        let same = |old: &Value| old["value"] == new["value"] && old["type"] == new["type"];
        if !made.iter().any(same) {
            made.push(new);
        }
    }
    let has_primary = attribute.sub("primary").is_some();
    if has_primary && !made.is_empty() && dice.chance(40) {
        let at = dice.below(made.len());
        for (index, value) in made.iter_mut().enumerate() {
            if index == at || dice.chance(30) {
                value["primary"] = Value::from(index == at);
            }
        }
    }
    Value::Array(made)
}

/// The spellings of no value (RFC 7643 section 2.5, and what identity providers send for it).
fn nothing(dice: &mut Dice) -> Value {
    dice.pick(&[Value::Null, json!([]), json!("")]).clone()
}

fn attributes(dice: &mut Dice, attributes: &[Attribute], percent: usize) -> Map<String, Value> {
    let mut made = Map::new();
    for attribute in attributes {
        if !attribute.is_stored() || !dice.chance(percent) {
            continue;
        }
        let sent = if dice.chance(8) {
            nothing(dice)
        } else if attribute.many {
            values(dice, attribute)
        } else {
            value(dice, attribute)
        };
        made.insert(attribute.name.to_owned(), sent);
    }
    made
}

/// The body of a user.
pub fn user_body(dice: &mut Dice, percent: usize) -> Map<String, Value> {
    let mut body = attributes(dice, Kind::User.attributes(), percent);
    body.insert("userName".to_owned(), Value::from(*dice.pick(NAMES)));
    if dice.chance(percent) {
        body.insert("externalId".to_owned(), Value::from(*dice.pick(IDS)));
    }
    if dice.chance(percent) {
        let extension: Vec<&Attribute> = Kind::User
            .places()
            .filter(|place| place.extension)
            .map(|place| place.attribute)
            .collect();
        let mut made = Map::new();
        for attribute in extension {
            if dice.chance(50) {
                made.insert(attribute.name.to_owned(), value(dice, attribute));
            }
        }
        body.insert(ENTERPRISE.to_owned(), Value::Object(made));
    }
    if dice.chance(60) {
        body.insert("schemas".to_owned(), json!([USER, ENTERPRISE]));
    }
    body
}

/// The body of a group, without members.
pub fn group_body(dice: &mut Dice) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("displayName".to_owned(), Value::from(*dice.pick(TEXTS)));
    if dice.chance(40) {
        body.insert("externalId".to_owned(), Value::from(*dice.pick(IDS)));
    }
    if dice.chance(60) {
        body.insert("schemas".to_owned(), json!([Kind::Group.urn()]));
    }
    body
}
