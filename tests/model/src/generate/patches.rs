//! Random PATCH operations in the forms of the RFC and of identity providers.

use serde_json::{Map, Value, json};

use super::bodies::value;
use super::filters::inner_filter;
use super::words::LABELS;
use crate::filter::{Literal, Operator, Test, Tree};
use crate::patch::{Operation, Path, Verb};
use crate::random::Dice;
use crate::schema::{Attribute, ENTERPRISE, Kind, Place, Type};

/// Attributes that identity providers change most.
const FAVOURITES: &[&str] = &[
    "active",
    "userName",
    "displayName",
    "externalId",
    "emails",
    "emails",
    "name",
    "roles",
    "manager",
    "members",
    "members",
];

const BROKEN_USER_PATHS: &[&str] = &[
    "nope",
    "name.nope",
    "emails[type eq \"work\"",
    "emails[type eq]",
    "emails[nope eq \"x\"].value",
    "emails[type eq \"work\"].nope",
    "userName[value pr]",
    "emails[primary gt true]",
    "urn:ietf:params:scim:schemas:core:2.0:Nope:title",
    "emails[type eq \"work\"]value",
    "emails..value",
    "members",
];

const BROKEN_GROUP_PATHS: &[&str] = &[
    "nope",
    "displayName.value",
    "members[value eq \"x\"",
    "members[value]",
    "members[nope eq \"x\"]",
    "userName",
];

/// An operation on a resource like `sample`. Members are drawn from `ids`.
pub fn operation(dice: &mut Dice, kind: Kind, sample: &Value, ids: &[&str]) -> Operation {
    let verb = *dice.pick(&[Verb::Add, Verb::Replace, Verb::Replace, Verb::Remove]);
    if dice.chance(4) {
        let paths = match kind {
            Kind::User => BROKEN_USER_PATHS,
            Kind::Group => BROKEN_GROUP_PATHS,
        };
        return Operation {
            verb,
            path: Path::Broken(dice.pick::<&str>(paths)),
            value: Some(Value::from("x")),
        };
    }
    if dice.chance(25) {
        return without_path(dice, kind, verb, ids);
    }
    if kind == Kind::User && dice.chance(5) {
        return Operation {
            verb,
            path: Path::Extension,
            value: sent(dice, verb, extension),
        };
    }
    let place = target(dice, kind);
    if place.attribute.name == "members" {
        return members(dice, verb, place, ids);
    }
    let filter = (place.attribute.kind == Type::Complex && place.attribute.subs.len() > 2)
        .then(|| dice.chance(if place.attribute.many { 45 } else { 4 }))
        .filter(|filtered| *filtered)
        .map(|_| filter(dice, place.attribute, sample));
    let value = if verb == Verb::Remove {
        removed(dice, place, filter.is_some(), sample)
    } else {
        let whole_of_one = filter.is_some() && place.sub.is_none();
        sent(dice, verb, |dice| operand(dice, place, whole_of_one))
    };
    Operation {
        verb,
        path: Path::Attribute(place, filter),
        value,
    }
}

fn target(dice: &mut Dice, kind: Kind) -> Place {
    let places: Vec<Place> = kind.places().collect();
    let place = match kind.place(dice.pick::<&str>(FAVOURITES)) {
        Some(place) if dice.chance(60) => place,
        _ => *dice.pick(&places),
    };
    let subs = place.attribute.subs;
    let with_sub = if place.attribute.name == "members" {
        4
    } else {
        45
    };
    if subs.is_empty() || !dice.chance(with_sub) {
        return place;
    }
    Place {
        sub: Some(&subs[dice.below(subs.len())]),
        ..place
    }
}

/// A filter in brackets: mostly of the kind that identity providers send.
fn filter(dice: &mut Dice, attribute: &'static Attribute, sample: &Value) -> Tree {
    let of_value = |attribute| Place {
        extension: false,
        attribute,
        sub: None,
    };
    match (attribute.sub("type"), attribute.sub("primary")) {
        (Some(label), _) if dice.chance(55) => {
            let label_is = Literal::Text((*dice.pick(LABELS)).to_owned());
            Tree::Test(of_value(label), Test::Compare(Operator::Equal, label_is))
        }
        (_, Some(primary)) if dice.chance(20) => {
            let literal = Literal::FlagText(dice.chance(80));
            Tree::Test(of_value(primary), Test::Compare(Operator::Equal, literal))
        }
        _ => inner_filter(dice, attribute, sample),
    }
}

/// The value of an operation; now and then none, where one is wanted.
fn sent(dice: &mut Dice, verb: Verb, value: impl FnOnce(&mut Dice) -> Value) -> Option<Value> {
    let rare = if verb == Verb::Remove { 80 } else { 2 };
    if dice.chance(rare) {
        return None;
    }
    Some(value(dice))
}

/// A value for a place: right, in a tolerated shape, empty, or wrong.
fn operand(dice: &mut Dice, place: Place, whole_of_one: bool) -> Value {
    let attribute = place.innermost();
    let many = attribute.many && !whole_of_one;
    let primary = many && attribute.sub("primary").is_some() && dice.chance(30);
    let mut right = value(dice, attribute);
    if primary && right.as_object().is_some_and(|object| !object.is_empty()) {
        right["primary"] = Value::from(true);
    }
    match dice.below(25) {
        0 => Value::Null,
        1 => Value::from(""),
        2 => json!([]),
        3 => wrong(dice, attribute),
        4 => json!([right]),
        5 => match (right.as_bool(), right.get("value")) {
            (Some(flag), _) => Value::from(if flag { "True" } else { "False" }),
            (None, Some(value)) => value.clone(),
            (None, None) => right,
        },
        6 => recased(dice, right),
        _ if many && dice.chance(80) => {
            let more = if dice.chance(50) {
                Some(value(dice, attribute))
            } else {
                None
            };
            let more = more.filter(|more| more["value"] != right["value"]);
            Value::Array([Some(right), more].into_iter().flatten().collect())
        }
        _ => right,
    }
}

/// A value that no tolerance makes right.
fn wrong(dice: &mut Dice, attribute: &Attribute) -> Value {
    match attribute.kind {
        Type::Flag => dice
            .pick(&[json!("perhaps"), json!(1), json!({}), json!([true, false])])
            .clone(),
        Type::Complex if attribute.sub("value").is_none() => {
            dice.pick(&[json!("text"), json!(true), json!(7)]).clone()
        }
        Type::Complex => dice
            .pick(&[json!(7), json!(true), json!({"value": {}}), json!([["x"]])])
            .clone(),
        Type::Bytes => json!("no base64!"),
        Type::Text | Type::Link | Type::Instant => dice
            .pick(&[
                json!(7),
                json!({}),
                json!(false),
                json!(["a", "b"]),
                json!("bell\u{7}"),
            ])
            .clone(),
    }
}

/// Names in another case.
fn recased(dice: &mut Dice, value: Value) -> Value {
    let Value::Object(object) = value else {
        return value;
    };
    let upper = dice.chance(50);
    let recase = |name: String| {
        if upper {
            name.to_ascii_uppercase()
        } else {
            name.to_ascii_lowercase()
        }
    };
    object
        .into_iter()
        .map(|(name, value)| (recase(name), value))
        .collect()
}

/// What a removal lists: nothing, or values that are there, in part.
fn removed(dice: &mut Dice, place: Place, filtered: bool, sample: &Value) -> Option<Value> {
    if !place.attribute.many || filtered || place.sub.is_some() || dice.chance(50) {
        return None;
    }
    let there = sample[place.attribute.name]
        .as_array()
        .cloned()
        .unwrap_or_default();
    match dice.below(4) {
        0 => Some(json!([])),
        1 => Some(json!([value(dice, place.attribute)])),
        _ if there.is_empty() => None,
        2 => Some(json!([dice.pick(&there)])),
        _ => {
            let one = dice.pick(&there);
            Some(json!([{"value": one["value"]}]))
        }
    }
}

fn extension(dice: &mut Dice) -> Value {
    let attributes: Vec<Place> = Kind::User
        .places()
        .filter(|place| place.extension)
        .collect();
    let mut made = Map::new();
    for _ in 0..1 + dice.below(2) {
        let place = *dice.pick(&attributes);
        made.insert(place.attribute.name.to_owned(), operand(dice, place, false));
    }
    if dice.chance(10) {
        made.insert("unknown".to_owned(), Value::from(1));
    }
    Value::Object(made)
}

/// Without path the value names its attributes: plainly, dotted, or with URN.
fn without_path(dice: &mut Dice, kind: Kind, verb: Verb, ids: &[&str]) -> Operation {
    let mut object = Map::new();
    let mut used: Vec<&str> = Vec::new();
    for _ in 0..1 + dice.below(3) {
        let place = target(dice, kind);
        if used.contains(&place.attribute.name) || place.attribute.name == "groups" {
            continue;
        }
        used.push(place.attribute.name);
        let (name, value) = if place.attribute.name == "members" {
            ("members".to_owned(), member_list(dice, ids))
        } else {
            (qualified(dice, kind, place), operand(dice, place, false))
        };
        object.insert(name, value);
    }
    if kind == Kind::User && dice.chance(8) && used.iter().all(|name| !is_extended(name)) {
        object.insert(ENTERPRISE.to_owned(), extension(dice));
    }
    if dice.chance(10) {
        object.insert("custom".to_owned(), Value::from(1));
    }
    let object = Value::Object(object);
    let value = match dice.below(30) {
        0 => json!([object]),
        1 => Value::from("text"),
        _ => object,
    };
    Operation {
        verb: if verb == Verb::Remove && dice.chance(85) {
            Verb::Replace
        } else {
            verb
        },
        path: Path::None,
        value: Some(value),
    }
}

fn is_extended(name: &str) -> bool {
    Kind::User
        .places()
        .any(|place| place.extension && place.attribute.name == name)
}

fn qualified(dice: &mut Dice, kind: Kind, place: Place) -> String {
    let mut name = place.attribute.name.to_owned();
    if let Some(sub) = place.sub {
        name = format!("{name}.{}", sub.name);
    }
    if place.extension && dice.chance(80) {
        name = format!("{ENTERPRISE}:{name}");
    } else if !place.extension && dice.chance(10) {
        name = format!("{}:{name}", kind.urn());
    }
    match dice.below(8) {
        0 => name.to_ascii_uppercase(),
        1 => name.to_ascii_lowercase(),
        _ => name,
    }
}

/// Members as they are listed: objects, with what else clients send, or plain ids.
pub fn member_list(dice: &mut Dice, ids: &[&str]) -> Value {
    let mut made = Vec::new();
    for _ in 0..dice.below(4) {
        if ids.is_empty() {
            break;
        }
        let id = *dice.pick(ids);
        made.push(match dice.below(30) {
            5 => json!({"value": id, "type": "Group"}),
            0..=4 => json!(id),
            6..=11 => json!({"value": id, "$ref": null}),
            12..=17 => json!({"value": id, "display": "Ada", "type": "User"}),
            _ => json!({"value": id}),
        });
    }
    match made.pop() {
        Some(only) if made.is_empty() && dice.chance(20) => only,
        last => Value::Array(made.into_iter().chain(last).collect()),
    }
}

fn members(dice: &mut Dice, verb: Verb, place: Place, ids: &[&str]) -> Operation {
    let id = if ids.is_empty() {
        "nobody"
    } else {
        *dice.pick(ids)
    };
    let of_value = |attribute| Place {
        extension: false,
        attribute,
        sub: None,
    };
    let selected = place
        .attribute
        .sub("value")
        .map(of_value)
        .filter(|_| dice.chance(30))
        .map(|value| {
            let literal = Literal::Text(id.to_owned());
            Tree::Test(value, Test::Compare(Operator::Equal, literal))
        });
    let value = match (verb, &selected) {
        (Verb::Remove, Some(_)) => None,
        (Verb::Remove, None) if dice.chance(25) => None,
        _ => sent(dice, Verb::Add, |dice| member_list(dice, ids)),
    };
    Operation {
        verb,
        path: Path::Attribute(place, selected),
        value,
    }
}

/// The body of a PATCH, in some spelling.
pub fn patch_body(dice: &mut Dice, kind: Kind, operations: &[Operation]) -> Value {
    let sent = operations.iter().map(|operation| {
        let mut made = Map::new();
        let verb = match operation.verb {
            Verb::Add => ["add", "Add"],
            Verb::Replace => ["replace", "Replace"],
            Verb::Remove => ["remove", "Remove"],
        };
        made.insert("op".to_owned(), Value::from(*dice.pick(&verb)));
        let path = match &operation.path {
            Path::None => None,
            Path::Extension => Some(crate::spelling::Speller::extension(dice)),
            Path::Attribute(place, filter) => Some(crate::spelling::Speller::path(
                dice,
                kind,
                *place,
                filter.as_ref(),
            )),
            Path::Broken(path) => Some((*path).to_owned()),
        };
        if let Some(path) = path {
            made.insert("path".to_owned(), Value::from(path));
        }
        if let Some(value) = &operation.value {
            made.insert("value".to_owned(), value.clone());
        }
        Value::Object(made)
    });
    let operations: Vec<Value> = sent.collect();
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
}
