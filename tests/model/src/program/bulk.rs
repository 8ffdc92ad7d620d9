//! Bulk requests whose operations refer to one another.

use serde_json::{Value, json};

use super::Maker;
use crate::listing::Shown;
use crate::schema::{ENTERPRISE, Kind};
use crate::step::{Operated, Step, Tags};

impl Maker {
    /// Operations that refer to one another, forwards and backwards, and now and then in a circle.
    pub(super) fn bulk(&mut self) -> Step {
        let count = 1 + self.dice.below(5);
        let mut made: Vec<Operated> = Vec::new();
        for index in 0..count {
            let step = match self.dice.below(7) {
                0..=2 => Step::Create(Kind::User, Value::Object(self.user()), Shown::default()),
                3 => Step::Create(Kind::Group, Value::Object(self.group()), Shown::default()),
                4 => self.put(),
                5 => self.patch(),
                _ => Step::Delete(self.kind(), self.who(), Tags::Absent),
            };
            let needs_name = matches!(step, Step::Create(..));
            let bulk_id = (needs_name || self.dice.chance(20)).then(|| format!("op {index}"));
            made.push(Operated { bulk_id, step });
        }
        self.refer(&mut made);
        if self.dice.chance(12) {
            made.extend(self.circle());
        }
        let fail_on_errors = self.dice.chance(25).then(|| 1 + self.dice.below(2));
        Step::Bulk(made, fail_on_errors)
    }

    /// Has groups refer to users of the same request.
    fn refer(&mut self, operations: &mut [Operated]) {
        let users: Vec<String> = operations
            .iter()
            .filter(|one| matches!(one.step, Step::Create(Kind::User, ..)))
            .filter_map(|one| one.bulk_id.clone())
            .collect();
        if users.is_empty() {
            return;
        }
        for one in operations {
            let reference = json!({"value": format!("bulkId:{}", self.dice.pick(&users))});
            if let Step::Create(Kind::Group, body, _) | Step::Put(Kind::Group, _, body, ..) =
                &mut one.step
                && self.dice.chance(60)
            {
                body["members"] = json!([reference]);
            }
        }
    }

    /// Two users, each the other's manager.
    fn circle(&mut self) -> [Operated; 2] {
        let number = self.dice.roll();
        let user = |own: &str, other: &str| {
            let body = json!({
                "userName": format!("{own}.{number}@demo.example"),
                ENTERPRISE: {"manager": {"value": format!("bulkId:{other} {number}")}},
            });
            Operated {
                bulk_id: Some(format!("{own} {number}")),
                step: Step::Create(Kind::User, body, Shown::default()),
            }
        };
        [user("first", "second"), user("second", "first")]
    }
}
