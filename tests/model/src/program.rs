//! Random programs of requests over few names, ids and values, so that they meet.

mod bulk;
mod refused;

use serde_json::{Map, Value, json};

use crate::generate::{EMAILS, NAMES, group_body, member_list, operation, tree, user_body};
use crate::listing::{Name, Query, Shown, Wanted};
use crate::patch::Operation;
use crate::random::Dice;
use crate::run::Program;
use crate::schema::{Kind, Place, Type};
use crate::step::{Asked, Paging, Step, Tags, Who};
use crate::text::{email, fold_name};
use refused::{BAD, BROKEN_FILTERS};

/// Ids as programs write them.
const IDS: &[&str] = &[
    "{user 0}",
    "{user 1}",
    "{user 2}",
    "{user 3}",
    "{user 0}",
    "{user 1}",
    "{user 2}",
    "{user 3}",
    "{user 4}",
    "{user 5}",
    "{user 0}",
    "{user 1}",
    "{user 2}",
    "{user 3}",
    "{gone 0}",
    "{group 0}",
    "{unknown}",
];

/// Most of the time members are to be users.
const USERS: &[&str] = &["{user 0}", "{user 1}", "{user 2}", "{user 3}", "{user 4}"];

/// What of the service is tried.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// `.search`.
    pub search: bool,
    /// Cursors.
    pub cursors: bool,
    /// Lists at the root.
    pub root: bool,
    /// Bulk requests.
    pub bulk: bool,
}

/// The program of a seed: 5 to 40 steps.
#[must_use]
pub fn program(seed: u64, scope: Scope) -> Program {
    let mut dice = Dice::new(seed);
    let rare = dice.chance(15);
    let length = 5 + dice.below(if rare { 36 } else { 12 });
    let mut maker = Maker {
        dice,
        scope,
        samples: vec![Value::Object(Map::new())],
    };
    let mut made: Program = Vec::with_capacity(length);
    for index in 0..length {
        let spelling = maker.dice.roll();
        // Without anything there is little to try: programs begin with creations.
        let step = if index < 2 {
            maker.create_user()
        } else {
            maker.step()
        };
        made.push((spelling, step));
    }
    made
}

struct Maker {
    dice: Dice,
    scope: Scope,
    /// Bodies that were sent, to aim filters and paths at.
    samples: Vec<Value>,
}

impl Maker {
    fn step(&mut self) -> Step {
        match self.dice.below(100) {
            0..=12 => self.create_user(),
            13..=20 => self.create_group(),
            21..=30 => {
                let kind = self.kind();
                Step::Get(kind, self.who(), self.shown(kind, 35), self.tags(30))
            }
            31..=46 => self.list(),
            47..=55 => self.put(),
            56..=80 => self.patch(),
            81..=87 => {
                let kind = self.kind();
                Step::Delete(kind, self.who(), self.tags(25))
            }
            88..=91 => self.pages(),
            92 | 93 if self.scope.bulk => self.bulk(),
            94 if self.scope.root => self.root(),
            _ => Step::Bad(self.dice.pick(BAD)),
        }
    }

    fn kind(&mut self) -> Kind {
        if self.dice.chance(60) {
            Kind::User
        } else {
            Kind::Group
        }
    }

    fn who(&mut self) -> Who {
        let at = self.dice.below(6);
        match self.dice.below(20) {
            0 => Who::Gone(at),
            1 => Who::Other(at),
            2 => Who::Unknown,
            3 => Who::Garbage,
            _ => Who::Live(at),
        }
    }

    fn tags(&mut self, percent: usize) -> Tags {
        if !self.dice.chance(percent) {
            return Tags::Absent;
        }
        match self.dice.below(10) {
            0 => Tags::Any,
            1 => Tags::Foreign,
            2 => Tags::Broken,
            3 => Tags::List,
            4 | 5 => Tags::Former(self.dice.below(5)),
            _ => Tags::Current,
        }
    }

    fn user(&mut self) -> Map<String, Value> {
        let percent = *self.dice.pick(&[8, 20, 45]);
        let body = Value::Object(user_body(&mut self.dice, percent));
        let Value::Object(mut body) = trusting(&mut self.dice, &body) else {
            return Map::new();
        };
        if self.dice.chance(10) {
            body.insert("id".to_owned(), json!("{user 0}"));
            body.insert("groups".to_owned(), json!([{"value": "{group 0}"}]));
            body.insert("unknown".to_owned(), json!({"a": [1]}));
            body.insert("password".to_owned(), json!("secret"));
        }
        self.samples.push(Value::Object(body.clone()));
        body
    }

    fn create_user(&mut self) -> Step {
        let body = Value::Object(self.user());
        Step::Create(Kind::User, body, self.shown(Kind::User, 10))
    }

    fn group(&mut self) -> Map<String, Value> {
        let mut body = group_body(&mut self.dice);
        if self.dice.chance(70) {
            let ids = if self.dice.chance(85) { USERS } else { IDS };
            body.insert("members".to_owned(), member_list(&mut self.dice, ids));
        }
        self.samples.push(Value::Object(body.clone()));
        body
    }

    fn create_group(&mut self) -> Step {
        let body = Value::Object(self.group());
        Step::Create(Kind::Group, body, self.shown(Kind::Group, 10))
    }

    fn put(&mut self) -> Step {
        let kind = self.kind();
        // Now and then what is there already is sent again.
        let again = self.dice.chance(15);
        let body = match kind {
            _ if again => without_schemas(self.sample()),
            Kind::User => Value::Object(self.user()),
            Kind::Group => Value::Object(self.group()),
        };
        Step::Put(kind, self.who(), body, self.shown(kind, 10), self.tags(20))
    }

    fn sample(&mut self) -> Value {
        self.dice.pick(&self.samples).clone()
    }

    fn patch(&mut self) -> Step {
        let kind = self.kind();
        let count = *self.dice.pick(&[1, 1, 1, 2, 3]);
        let operations: Vec<Operation> = (0..count).map(|_| self.operation(kind)).collect();
        Step::Patch(
            kind,
            self.who(),
            operations,
            self.shown(kind, 10),
            self.tags(15),
        )
    }

    fn operation(&mut self, kind: Kind) -> Operation {
        let sample = self.sample();
        let ids = if self.dice.chance(90) { USERS } else { IDS };
        let mut operation = operation(&mut self.dice, kind, &sample, ids);
        operation.value = operation
            .value
            .map(|value| trusting(&mut self.dice, &value));
        operation
    }

    fn list(&mut self) -> Step {
        let kind = self.kind();
        let asked = if self.scope.search && self.dice.chance(30) {
            Asked::Search
        } else {
            Asked::Get
        };
        let query = self.query(kind);
        Step::List(kind, Box::new(query), asked)
    }

    fn pages(&mut self) -> Step {
        let kind = self.kind();
        let mut query = self.query(kind);
        query.count = Some(1 + i64::try_from(self.dice.below(3)).unwrap_or(0));
        let paging = match self.dice.below(10) {
            0..=3 if self.scope.cursors => Paging::Cursor,
            4..=6 if self.scope.cursors => Paging::Disturbed(self.dice.below(6)),
            _ => Paging::Index,
        };
        Step::Pages(kind, Box::new(query), paging)
    }

    /// A list over both kinds, by attributes of one of them.
    fn root(&mut self) -> Step {
        let kind = self.kind();
        let asked = if self.dice.chance(50) {
            Asked::Search
        } else {
            Asked::Get
        };
        let mut query = self.query(kind);
        if matches!(query.filter, Some(Wanted::Broken(_))) {
            query.filter = None;
        }
        Step::Root(kind, Box::new(query), asked)
    }

    fn query(&mut self, kind: Kind) -> Query {
        let mut query = Query {
            shown: self.shown(kind, 25),
            ..Query::default()
        };
        if self.dice.chance(75) {
            query.filter = Some(self.filter(kind));
        }
        if self.dice.chance(35) {
            query.sort = self.sort(kind);
        }
        if self.dice.chance(30) {
            query.start_index = Some(*self.dice.pick(&[-3, 0, 1, 1, 2, 3, 100]));
        }
        if self.dice.chance(40) {
            query.count = Some(*self.dice.pick(&[-1, 0, 1, 2, 3, 10, 100_000]));
        }
        query
    }

    fn filter(&mut self, kind: Kind) -> Wanted {
        if self.dice.chance(6) {
            return Wanted::Broken(self.dice.pick::<&str>(BROKEN_FILTERS));
        }
        let sample = self.sample();
        loop {
            let tree = tree(&mut self.dice, kind, &sample, IDS);
            if tree.tests() <= 8 {
                return Wanted::Tree(tree);
            }
        }
    }

    fn sort(&mut self, kind: Kind) -> Option<(Place, bool)> {
        let place = self.place(kind);
        let refused = [kind.relation(), "password"].contains(&place.attribute.name);
        let comparable = place.compared().innermost().kind != Type::Complex;
        // Where a resource lies and which version it has is made when it is shown.
        let made = matches!(
            place.innermost().name,
            "location" | "version" | "resourceType"
        );
        (!refused && comparable && !made).then(|| (place, self.dice.chance(50)))
    }

    fn place(&mut self, kind: Kind) -> Place {
        let places: Vec<Place> = kind.places().collect();
        let place = *self.dice.pick(&places);
        let subs = place.attribute.subs;
        if subs.is_empty() || self.dice.chance(50) {
            return place;
        }
        Place {
            sub: Some(&subs[self.dice.below(subs.len())]),
            ..place
        }
    }

    fn shown(&mut self, kind: Kind, percent: usize) -> Shown {
        if !self.dice.chance(percent) {
            return Shown::default();
        }
        let only = self.dice.chance(60).then(|| self.names(kind));
        let except = if only.is_none() || self.dice.chance(10) {
            self.names(kind)
        } else {
            Vec::new()
        };
        Shown { only, except }
    }

    fn names(&mut self, kind: Kind) -> Vec<Name> {
        let count = 1 + self.dice.below(3);
        let name = |maker: &mut Self| match maker.dice.below(12) {
            0 if kind == Kind::User => Name::Extension,
            1 => Name::Unknown,
            2 => kind
                .place(kind.relation())
                .map_or(Name::Unknown, Name::Place),
            _ => Name::Place(maker.place(kind)),
        };
        (0..count).map(|_| name(self)).collect()
    }
}

/// A body may be sent to a resource of another type: then it must not name its own.
fn without_schemas(mut body: Value) -> Value {
    if let Some(body) = body.as_object_mut() {
        body.remove("schemas");
    }
    body
}

/// Most addresses outside the trusted domain become others inside it.
fn trusting(dice: &mut Dice, value: &Value) -> Value {
    match value {
        Value::String(text) if EMAILS.contains(&text.as_str()) && email(text).is_some() => {
            let outside = !fold_name(text).ends_with("@demo.example");
            if outside && dice.chance(95) {
                Value::from(*dice.pick(NAMES))
            } else {
                value.clone()
            }
        }
        Value::Array(items) => items.iter().map(|item| trusting(dice, item)).collect(),
        Value::Object(object) => {
            let members = object
                .iter()
                .map(|(name, value)| (name.clone(), trusting(dice, value)));
            members.collect()
        }
        other => other.clone(),
    }
}
