//! Random filter trees, aimed at a resource.

use serde_json::Value;

use super::bodies::value;
use super::words::INSTANTS;
use crate::filter::{Literal, Operator, Test, Tree, values};
use crate::random::Dice;
use crate::schema::{Attribute, Kind, Place, Type};

const TEXT_OPERATORS: &[Operator] = &[
    Operator::Equal,
    Operator::Equal,
    Operator::Equal,
    Operator::NotEqual,
    Operator::Contains,
    Operator::StartsWith,
    Operator::EndsWith,
    Operator::Greater,
    Operator::GreaterOrEqual,
    Operator::Less,
    Operator::LessOrEqual,
];

const INSTANT_OPERATORS: &[Operator] = &[
    Operator::Equal,
    Operator::NotEqual,
    Operator::Greater,
    Operator::GreaterOrEqual,
    Operator::Less,
    Operator::LessOrEqual,
];

const EQUALITY: &[Operator] = &[Operator::Equal, Operator::NotEqual];

/// A filter of resources like `sample`. `related` are ids that relations may name.
pub fn tree(dice: &mut Dice, kind: Kind, sample: &Value, related: &[&str]) -> Tree {
    let mut maker = Maker {
        dice,
        kind,
        sample,
        related,
    };
    maker.tree(3)
}

/// A filter of the values of one attribute, as it stands in brackets.
pub fn inner_filter(dice: &mut Dice, attribute: &'static Attribute, sample: &Value) -> Tree {
    let mut maker = Maker {
        dice,
        kind: Kind::User,
        sample,
        related: &[],
    };
    let place = Place {
        extension: false,
        attribute,
        sub: None,
    };
    maker.inner(place, 1)
}

struct Maker<'a> {
    dice: &'a mut Dice,
    kind: Kind,
    sample: &'a Value,
    related: &'a [&'a str],
}

impl Maker<'_> {
    fn tree(&mut self, depth: usize) -> Tree {
        if depth > 0 && self.dice.chance(55) {
            if self.dice.chance(22) {
                return Tree::Not(Box::new(self.tree(depth - 1)));
            }
            let parts = (0..2 + self.dice.below(2))
                .map(|_| self.tree(depth - 1))
                .collect();
            return self.join(parts);
        }
        self.leaf()
    }

    fn join(&mut self, parts: Vec<Tree>) -> Tree {
        if self.dice.chance(50) {
            Tree::And(parts)
        } else {
            Tree::Or(parts)
        }
    }

    fn leaf(&mut self) -> Tree {
        let places: Vec<Place> = self.kind.places().collect();
        // The attributes that are indexed come more often than the others.
        let favourites = [
            "userName",
            "externalId",
            "emails",
            "displayName",
            "id",
            "groups",
            "members",
        ];
        let favourite = *self.dice.pick(&favourites);
        let place = match self.kind.place(favourite) {
            Some(place) if self.dice.chance(45) => place,
            _ => *self.dice.pick(&places),
        };
        if place.attribute.name == self.kind.relation() {
            return self.relation(place);
        }
        if place.attribute.kind != Type::Complex {
            let test = self.test(place);
            return Tree::Test(place, test);
        }
        if place.attribute.name != "meta" && self.dice.chance(45) {
            let inner = Box::new(self.inner(place, 2));
            if self.dice.chance(30) {
                let sub: &'static Attribute = self.dice.pick(place.attribute.subs);
                let test = self.test(Place {
                    sub: Some(sub),
                    ..place
                });
                return Tree::WithinThen(place, inner, sub, test);
            }
            return Tree::Within(place, inner);
        }
        let place = if self.dice.chance(75) {
            let sub: &'static Attribute = self.dice.pick(place.attribute.subs);
            Place {
                sub: Some(sub),
                ..place
            }
        } else {
            place
        };
        let test = self.test(place);
        Tree::Test(place, test)
    }

    /// Members of groups and groups of users are selected by `value eq` and by presence.
    fn relation(&mut self, place: Place) -> Tree {
        let value = place.compared();
        let id = |dice: &mut Dice, ids: &[&str]| {
            let id = if ids.is_empty() {
                "nobody"
            } else {
                *dice.pick(ids)
            };
            Test::Compare(Operator::Equal, Literal::Text(id.to_owned()))
        };
        match self.dice.below(4) {
            0 => Tree::Test(place, Test::Present),
            1 => Tree::Test(place, id(self.dice, self.related)),
            2 => Tree::Test(value, id(self.dice, self.related)),
            _ => {
                let inner = value.sub.map_or(place, |attribute| Place {
                    extension: false,
                    attribute,
                    sub: None,
                });
                let count = 1 + self.dice.below(3);
                let mut ids: Vec<Tree> = (0..count)
                    .map(|_| Tree::Test(inner, id(self.dice, self.related)))
                    .collect();
                let ids = match ids.pop() {
                    Some(one) if ids.is_empty() => one,
                    last => Tree::Or(ids.into_iter().chain(last).collect()),
                };
                Tree::Within(place, Box::new(ids))
            }
        }
    }

    /// A filter of the values at `place`.
    fn inner(&mut self, place: Place, depth: usize) -> Tree {
        if depth > 0 && self.dice.chance(45) {
            if self.dice.chance(20) {
                return Tree::Not(Box::new(self.inner(place, depth - 1)));
            }
            let parts = (0..2).map(|_| self.inner(place, depth - 1)).collect();
            return self.join(parts);
        }
        let sub: &'static Attribute = self.dice.pick(place.attribute.subs);
        let test = self.test(Place {
            sub: Some(sub),
            ..place
        });
        let of_value = Place {
            extension: false,
            attribute: sub,
            sub: None,
        };
        Tree::Test(of_value, test)
    }

    /// A test that fits the place: with one of its own values, something near it, or any other.
    fn test(&mut self, place: Place) -> Test {
        let compared = place.compared();
        let attribute = compared.innermost();
        if self.dice.chance(15) || attribute.kind == Type::Complex {
            return Test::Present;
        }
        // Where a resource lies and which version it has is made when it is shown.
        if matches!(attribute.name, "location" | "version") {
            return Test::Present;
        }
        let equality = *self.dice.pick(EQUALITY);
        if self.dice.chance(6) {
            return Test::Compare(equality, Literal::Null);
        }
        match attribute.kind {
            Type::Flag => {
                let flag = self.dice.chance(50);
                let literal = if self.dice.chance(20) {
                    Literal::FlagText(flag)
                } else {
                    Literal::Flag(flag)
                };
                Test::Compare(equality, literal)
            }
            Type::Instant => {
                let literal = self
                    .near(compared)
                    .unwrap_or_else(|| (*self.dice.pick(INSTANTS)).to_owned());
                Test::Compare(*self.dice.pick(INSTANT_OPERATORS), Literal::Text(literal))
            }
            Type::Bytes => {
                let literal = self.literal(compared);
                Test::Compare(equality, Literal::Text(literal))
            }
            Type::Text | Type::Link | Type::Complex => {
                let literal = self.literal(compared);
                Test::Compare(*self.dice.pick(TEXT_OPERATORS), Literal::Text(literal))
            }
        }
    }

    /// One of the sample's own values at the place.
    fn near(&mut self, place: Place) -> Option<String> {
        let own: Vec<&str> = values(self.sample, place)
            .into_iter()
            .filter_map(Value::as_str)
            .collect();
        if own.is_empty() || self.dice.chance(40) {
            return None;
        }
        Some((*self.dice.pick(&own)).to_owned())
    }

    fn literal(&mut self, place: Place) -> String {
        let Some(own) = self.near(place) else {
            let other = value(self.dice, place.innermost());
            return other.as_str().unwrap_or_default().to_owned();
        };
        match self.dice.below(6) {
            0 => own.to_uppercase(),
            1 => own.to_lowercase(),
            2 => {
                let count = own.chars().count();
                let start = self.dice.below(count);
                own.chars()
                    .skip(start)
                    .take(1 + self.dice.below(count))
                    .collect()
            }
            3 => own + "x",
            _ => own,
        }
    }
}
