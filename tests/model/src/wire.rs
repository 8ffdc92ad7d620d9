//! Queries and searches as bytes.

use serde_json::{Map, Value, json};

use crate::listing::{Name, Query, Shown, Wanted};
use crate::random::Dice;
use crate::schema::{ENTERPRISE, Kind};
use crate::spelling::Speller;

/// What a list is over; it names attributes of the kind.
#[derive(Clone, Copy, Debug)]
pub enum Over {
    /// One kind.
    One(Kind),
    /// All kinds, at the root (RFC 7644 section 3.4.2.1).
    All(Kind),
}

impl Over {
    /// The kind whose attributes are named.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::One(kind) | Self::All(kind) => kind,
        }
    }

    /// Where it is asked for.
    #[must_use]
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::One(kind) => kind.endpoint(),
            Self::All(_) => "",
        }
    }
}

/// The parameters of a query by name; lists are joined by commas.
fn parameters(dice: &mut Dice, over: Over, query: &Query) -> Vec<(&'static str, String)> {
    let kind = over.kind();
    let mut made = Vec::new();
    match &query.filter {
        Some(Wanted::Tree(tree)) => {
            let text = match over {
                Over::One(_) => Speller::filter(dice, kind, tree),
                Over::All(_) => Speller::unqualified(dice, kind, tree),
            };
            made.push(("filter", text));
        }
        Some(Wanted::Broken(text)) => made.push(("filter", (*text).to_owned())),
        None => {}
    }
    if let Some((place, descending)) = query.sort {
        let name = match (over, place.sub) {
            (Over::One(_), _) => Speller::path(dice, kind, place, None),
            (Over::All(_), Some(sub)) => format!("{}.{}", place.attribute.name, sub.name),
            (Over::All(_), None) => place.attribute.name.to_owned(),
        };
        made.push(("sortBy", name));
        if descending {
            made.push(("sortOrder", "descending".to_owned()));
        } else if dice.chance(50) {
            made.push(("sortOrder", "ascending".to_owned()));
        }
    }
    made.extend(
        query
            .start_index
            .map(|start| ("startIndex", start.to_string())),
    );
    made.extend(query.count.map(|count| ("count", count.to_string())));
    made.extend(projection(dice, over, &query.shown));
    made
}

fn projection(dice: &mut Dice, over: Over, shown: &Shown) -> Vec<(&'static str, String)> {
    let mut made = Vec::new();
    if let Some(only) = &shown.only {
        made.push(("attributes", names(dice, over, only)));
    }
    if !shown.except.is_empty() {
        made.push(("excludedAttributes", names(dice, over, &shown.except)));
    }
    made
}

fn names(dice: &mut Dice, over: Over, names: &[Name]) -> String {
    let texts: Vec<String> = names
        .iter()
        .map(|name| match name {
            Name::Place(place) => match (over, place.sub) {
                (Over::One(kind), _) => Speller::path(dice, kind, *place, None),
                (Over::All(_), Some(sub)) => format!("{}.{}", place.attribute.name, sub.name),
                (Over::All(_), None) => place.attribute.name.to_owned(),
            },
            Name::Extension => ENTERPRISE.to_owned(),
            Name::Unknown => "nope.unknown".to_owned(),
        })
        .collect();
    texts.join(if dice.chance(20) { ", " } else { "," })
}

/// Path and query of a request about one resource, or of a creation.
#[must_use]
pub fn shown_target(dice: &mut Dice, kind: Kind, path: String, shown: &Shown) -> String {
    let parameters = projection(dice, Over::One(kind), shown);
    with_query(dice, path, parameters)
}

/// Path and query of a list request.
#[must_use]
pub fn list_target(
    dice: &mut Dice,
    over: Over,
    query: &Query,
    more: Vec<(&'static str, String)>,
) -> String {
    let mut parameters = parameters(dice, over, query);
    parameters.extend(more);
    with_query(dice, over.endpoint().to_owned(), parameters)
}

fn with_query(dice: &mut Dice, path: String, parameters: Vec<(&'static str, String)>) -> String {
    let mut target = path;
    for (index, (name, value)) in parameters.into_iter().enumerate() {
        target.push(if index == 0 { '?' } else { '&' });
        target.push_str(name);
        target.push('=');
        encode(dice, &mut target, &value);
    }
    target
}

/// Percent-encodes; a space may be a plus sign.
fn encode(dice: &mut Dice, out: &mut String, text: &str) {
    let plus = dice.chance(40);
    for byte in text.bytes() {
        match byte {
            b' ' if plus => out.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
}

/// A SearchRequest (RFC 7644 section 3.4.3).
#[must_use]
pub fn search_body(dice: &mut Dice, over: Over, query: &Query) -> Value {
    let mut made = Map::new();
    let schema = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
    made.insert("schemas".to_owned(), json!([schema]));
    for (name, value) in parameters(dice, over, query) {
        let value = match name {
            "startIndex" | "count" => value.parse::<i64>().map_or(Value::Null, Value::from),
            "attributes" | "excludedAttributes" => value
                .split(',')
                .map(|name| Value::from(name.trim()))
                .collect(),
            _ => Value::from(value),
        };
        made.insert(name.to_owned(), value);
    }
    Value::Object(made)
}
