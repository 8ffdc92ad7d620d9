//! Filters as trees, and what they mean over plain JSON (RFC 7644 section 3.4.2.2).
//!
//! <https://www.rfc-editor.org/rfc/rfc7644#section-3.4.2.2>

use serde_json::Value;

use crate::schema::{Attribute, Case, ENTERPRISE, Place, Type};
use crate::text::{fold, fold_name, instant};

/// A filter.
#[derive(Clone, Debug)]
pub enum Tree {
    /// All of them hold.
    And(Vec<Self>),
    /// One of them holds.
    Or(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// A test of an attribute's values, each on its own.
    Test(Place, Test),
    /// One value of a complex attribute satisfies the whole tree; its places name sub-attributes.
    Within(Place, Box<Self>),
    /// As before, and a test of the same value behind the bracket, as Entra ID sends it.
    WithinThen(Place, Box<Self>, &'static Attribute, Test),
}

/// What is asked of a value.
#[derive(Clone, Debug)]
pub enum Test {
    /// There is one.
    Present,
    /// It compares so.
    Compare(Operator, Literal),
}

/// The comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// eq
    Equal,
    /// ne
    NotEqual,
    /// co
    Contains,
    /// sw
    StartsWith,
    /// ew
    EndsWith,
    /// gt
    Greater,
    /// ge
    GreaterOrEqual,
    /// lt
    Less,
    /// le
    LessOrEqual,
}

/// What is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// A string.
    Text(String),
    /// True or false.
    Flag(bool),
    /// True or false as a string: Entra ID writes `primary eq "True"`.
    FlagText(bool),
    /// Null: no value.
    Null,
}

impl Operator {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Equal => "eq",
            Self::NotEqual => "ne",
            Self::Contains => "co",
            Self::StartsWith => "sw",
            Self::EndsWith => "ew",
            Self::Greater => "gt",
            Self::GreaterOrEqual => "ge",
            Self::Less => "lt",
            Self::LessOrEqual => "le",
        }
    }
}

impl Tree {
    /// Whether a resource, or one value of a complex attribute, satisfies the filter.
    #[must_use]
    pub fn holds(&self, object: &Value) -> bool {
        match self {
            Self::And(trees) => trees.iter().all(|tree| tree.holds(object)),
            Self::Or(trees) => trees.iter().any(|tree| tree.holds(object)),
            Self::Not(tree) => !tree.holds(object),
            Self::Test(place, test) => test.holds(object, *place),
            Self::Within(place, tree) => {
                values(object, *place).iter().any(|value| tree.holds(value))
            }
            Self::WithinThen(place, tree, sub, test) => {
                let of_value = Place {
                    extension: false,
                    attribute: sub,
                    sub: None,
                };
                let both = |value: &&Value| tree.holds(value) && test.holds(value, of_value);
                values(object, *place).iter().any(both)
            }
        }
    }

    /// How many tests it has.
    #[must_use]
    pub fn tests(&self) -> usize {
        match self {
            Self::And(trees) | Self::Or(trees) => trees.iter().map(Self::tests).sum(),
            Self::Not(tree) | Self::Within(_, tree) => tree.tests(),
            Self::WithinThen(_, tree, _, _) => tree.tests() + 1,
            Self::Test(..) => 1,
        }
    }

    /// What a value must be in order to match, if the filter says so: `eq` joined by `and`.
    #[must_use]
    pub fn wanted(&self) -> Option<Vec<(&'static str, Value)>> {
        match self {
            Self::Test(place, Test::Compare(Operator::Equal, literal)) => {
                let value = match literal {
                    Literal::Text(text) => Value::from(text.as_str()),
                    Literal::Flag(flag) | Literal::FlagText(flag) => Value::from(*flag),
                    Literal::Null => return None,
                };
                Some(vec![(place.attribute.name, value)])
            }
            Self::And(trees) => {
                let parts = trees.iter().map(Self::wanted);
                parts
                    .collect::<Option<Vec<_>>>()
                    .map(|parts| parts.concat())
            }
            _ => None,
        }
    }
}

impl Test {
    fn holds(&self, object: &Value, place: Place) -> bool {
        let Self::Compare(operator, literal) = self else {
            return !values(object, place).is_empty();
        };
        let place = place.compared();
        let found = values(object, place);
        match (operator, literal) {
            // Null, empty and absent are one state (RFC 7643 section 2.5).
            (Operator::Equal, Literal::Null) => found.is_empty(),
            (Operator::NotEqual, Literal::Null) => !found.is_empty(),
            (Operator::NotEqual, literal) => !found
                .iter()
                .any(|value| compares(place.innermost(), value, Operator::Equal, literal)),
            (operator, literal) => found
                .iter()
                .any(|value| compares(place.innermost(), value, *operator, literal)),
        }
    }
}

/// The values at a place; none if they are null, empty or absent.
#[must_use]
pub fn values(object: &Value, place: Place) -> Vec<&Value> {
    let holder = if place.extension {
        object.get(ENTERPRISE)
    } else {
        Some(object)
    };
    let all = each(holder.and_then(|holder| holder.get(place.attribute.name)));
    match place.sub {
        None => all,
        Some(sub) => {
            let subs = all.into_iter().map(|value| each(value.get(sub.name)));
            subs.flatten().collect()
        }
    }
}

fn each(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.iter().filter(|item| !item.is_null()).collect(),
        Some(single) => vec![single],
    }
}

fn compares(attribute: &Attribute, value: &Value, operator: Operator, literal: &Literal) -> bool {
    match (value, literal) {
        (Value::Bool(value), Literal::Flag(flag) | Literal::FlagText(flag)) => {
            operator == Operator::Equal && value == flag
        }
        (Value::String(value), Literal::Text(literal)) => {
            if attribute.kind == Type::Instant {
                return ordered(operator, &instant(value), &instant(literal));
            }
            let form = |text: &str| match attribute.case {
                Case::Exact => text.to_owned(),
                Case::Name if operator == Operator::Equal => fold_name(text),
                Case::Folded | Case::Name => fold(text),
            };
            let (value, literal) = (form(value), form(literal));
            match operator {
                Operator::Contains => value.contains(&literal),
                Operator::StartsWith => value.starts_with(&literal),
                Operator::EndsWith => value.ends_with(&literal),
                _ => ordered(operator, &value, &literal),
            }
        }
        _ => false,
    }
}

fn ordered<T: Ord>(operator: Operator, left: &T, right: &T) -> bool {
    match operator {
        Operator::Equal => left == right,
        Operator::Greater => left > right,
        Operator::GreaterOrEqual => left >= right,
        Operator::Less => left < right,
        Operator::LessOrEqual => left <= right,
        Operator::NotEqual | Operator::Contains | Operator::StartsWith | Operator::EndsWith => {
            false
        }
    }
}
