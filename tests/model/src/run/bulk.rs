//! Bulk requests (RFC 7644 section 3.7).
//!
//! <https://www.rfc-editor.org/rfc/rfc7644#section-3.7>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::check::{media_type, same, status};
use super::writes::Outcome;
use super::{Difference, Run};
use crate::document::Document;
use crate::fault::Fault;
use crate::generate::patch_body;
use crate::patch::{Operation, Wish};
use crate::random::Dice;
use crate::request::{Request, Response, Service};
use crate::schema::Kind;
use crate::step::{Operated, Step, Tags, meant_in, meant_operations, references, resolved};

const REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// An operation with what it means now, apart from references to others.
struct Meant {
    bulk_id: Option<String>,
    kind: Kind,
    act: Act,
    /// Positions of the operations that it refers to.
    waits_for: Vec<usize>,
}

enum Act {
    Post(Value),
    Put(String, Value, Tags),
    Patch(String, Vec<Operation>, Tags),
    Delete(String, Tags),
}

/// What became of an operation, or should.
enum Done {
    Made(Kind, String),
    Gone(Kind, String),
    Refused(Vec<Fault>),
}

impl<S: Service> Run<'_, S> {
    pub(super) fn bulk(
        &mut self,
        dice: &mut Dice,
        operations: &[Operated],
        fail_on_errors: Option<usize>,
    ) -> Result<(), Difference> {
        let meant = self.meant(operations);
        let sent: Vec<Value> = meant.iter().map(|one| self.written(dice, one)).collect();
        let mut body = Map::new();
        body.insert("schemas".to_owned(), json!([REQUEST]));
        body.insert("Operations".to_owned(), Value::Array(sent));
        if let Some(most) = fail_on_errors {
            body.insert("failOnErrors".to_owned(), json!(most));
        }
        let response = self.send(&Request::of("POST", "/Bulk").with_body(&Value::Object(body)));
        status(&response, 200)?;
        media_type(&response)?;
        let answers = answers(&response)?;
        let made = made(&meant, &answers);
        self.carry_out(&meant, &made, &answers, fail_on_errors)?;
        // Nothing of what was made has been looked at yet.
        self.look_at_everything()
    }

    /// The operations as they are meant now: all ids are those from before the request.
    fn meant(&self, operations: &[Operated]) -> Vec<Meant> {
        let state = &self.state;
        let acts: Vec<(Option<String>, Kind, Act)> = operations
            .iter()
            .filter_map(|one| {
                let (kind, act) = match &one.step {
                    Step::Create(kind, body, _) => (*kind, Act::Post(meant_in(state, body))),
                    Step::Put(kind, who, body, _, tags) => (
                        *kind,
                        Act::Put(who.id(state, *kind), meant_in(state, body), tags.clone()),
                    ),
                    Step::Patch(kind, who, operations, _, tags) => {
                        let operations = meant_operations(state, operations);
                        (
                            *kind,
                            Act::Patch(who.id(state, *kind), operations, tags.clone()),
                        )
                    }
                    Step::Delete(kind, who, tags) => {
                        (*kind, Act::Delete(who.id(state, *kind), tags.clone()))
                    }
                    _ => return None,
                };
                Some((one.bulk_id.clone(), kind, act))
            })
            .collect();
        let named = |name: &str| {
            acts.iter().position(|(bulk_id, _, act)| {
                matches!(act, Act::Post(_)) && bulk_id.as_deref() == Some(name)
            })
        };
        let waits = |at: usize, act: &Act| -> Vec<usize> {
            let names = match act {
                // What is wrong in itself waits for nothing.
                Act::Put(_, _, Tags::Broken) | Act::Patch(_, _, Tags::Broken) => Vec::new(),
                Act::Post(body) | Act::Put(_, body, _) => references(body),
                Act::Patch(_, operations, _) => {
                    let values = operations
                        .iter()
                        .filter_map(|operation| operation.value.as_ref());
                    values.flat_map(references).collect()
                }
                Act::Delete(..) => Vec::new(),
            };
            names
                .into_iter()
                .filter_map(named)
                .filter(|position| *position != at)
                .collect()
        };
        let waits_for: Vec<Vec<usize>> = acts
            .iter()
            .enumerate()
            .map(|(at, (_, _, act))| waits(at, act))
            .collect();
        acts.into_iter()
            .zip(waits_for)
            .map(|((bulk_id, kind, act), waits_for)| Meant {
                bulk_id,
                kind,
                act,
                waits_for,
            })
            .collect()
    }

    /// An operation in the request.
    fn written(&self, dice: &mut Dice, one: &Meant) -> Value {
        let mut made = Map::new();
        let endpoint = one.kind.endpoint();
        let (path, data, tags) = match &one.act {
            Act::Post(body) => (endpoint.to_owned(), Some(body.clone()), None),
            Act::Put(id, body, tags) => (
                format!("{endpoint}/{id}"),
                Some(body.clone()),
                Some((id, tags)),
            ),
            Act::Patch(id, operations, tags) => {
                let body = patch_body(dice, one.kind, operations);
                (format!("{endpoint}/{id}"), Some(body), Some((id, tags)))
            }
            Act::Delete(id, tags) => (format!("{endpoint}/{id}"), None, Some((id, tags))),
        };
        made.insert("method".to_owned(), Value::from(method(&one.act)));
        made.insert("path".to_owned(), Value::from(path));
        if let Some(name) = &one.bulk_id {
            made.insert("bulkId".to_owned(), Value::from(name.as_str()));
        }
        if let Some(data) = data {
            made.insert("data".to_owned(), data);
        }
        if let Some((id, tags)) = tags
            && let Some(version) = self.header(one.kind, id, tags)
        {
            made.insert("version".to_owned(), Value::from(version));
        }
        Value::Object(made)
    }

    /// Carries the operations out in the order of the request, but for what one refers to, which comes
    /// before it.
    fn carry_out(
        &mut self,
        meant: &[Meant],
        made: &BTreeMap<String, String>,
        answers: &[Value],
        fail_on_errors: Option<usize>,
    ) -> Result<(), Difference> {
        let mut order = Vec::new();
        for at in 0..meant.len() {
            enter(meant, at, &mut BTreeSet::new(), &mut order);
        }
        let mut done: BTreeMap<usize, Done> = BTreeMap::new();
        let mut errors = 0;
        for at in order {
            if errors >= fail_on_errors.unwrap_or(usize::MAX) {
                break;
            }
            let outcome = self.one(meant, at, made, &done)?;
            errors += usize::from(matches!(outcome, Done::Refused(_)));
            done.insert(at, outcome);
        }
        same(
            "the number of operations",
            &json!(answers.len()),
            &json!(done.len()),
        )?;
        for ((at, outcome), answer) in done.iter().zip(answers) {
            let one = meant.get(*at).ok_or("there is no such operation")?;
            self.check_operation(one, outcome, answer)
                .map_err(|difference| format!("operation {at}: {difference}"))?;
        }
        Ok(())
    }

    /// Carries one operation out in the reference.
    fn one(
        &mut self,
        meant: &[Meant],
        at: usize,
        made: &BTreeMap<String, String>,
        done: &BTreeMap<usize, Done>,
    ) -> Result<Done, Difference> {
        let one = meant.get(at).ok_or("there is no such operation")?;
        let failed = |position: &usize| matches!(done.get(position), Some(Done::Refused(_)));
        if one.waits_for.iter().any(failed) {
            return Ok(Done::Refused(vec![Fault::Value]));
        }
        let kind = one.kind;
        let write = |run: &mut Self, id: &str, outcome: Outcome<(Document, Wish)>| match outcome {
            Ok((document, wish)) => {
                run.state.update(id, document, &wish);
                Done::Made(kind, id.to_owned())
            }
            Err(faults) => Done::Refused(faults),
        };
        Ok(match &one.act {
            Act::Post(body) => match self.created(kind, &resolved(made, body)) {
                Ok((document, wish)) => {
                    let id = one
                        .bulk_id
                        .as_ref()
                        .and_then(|name| made.get(name))
                        .cloned()
                        .unwrap_or_default();
                    self.born(kind, &id, document, &wish)?;
                    Done::Made(kind, id)
                }
                Err(faults) => Done::Refused(faults),
            },
            Act::Put(id, body, tags) => {
                let outcome = self.replaced(kind, id, &resolved(made, body), tags);
                write(self, id, outcome)
            }
            Act::Patch(id, operations, tags) => {
                let operations: Vec<Operation> = operations
                    .iter()
                    .map(|operation| Operation {
                        value: operation.value.as_ref().map(|value| resolved(made, value)),
                        ..operation.clone()
                    })
                    .collect();
                let outcome = self.patched(kind, id, &operations, tags);
                write(self, id, outcome)
            }
            Act::Delete(id, tags) => match self.deleted(kind, id, tags) {
                Ok(()) => {
                    self.state.delete(id);
                    Done::Gone(kind, id.clone())
                }
                Err(faults) => Done::Refused(faults),
            },
        })
    }

    /// One operation of the answer.
    fn check_operation(
        &self,
        one: &Meant,
        outcome: &Done,
        answer: &Value,
    ) -> Result<(), Difference> {
        same("method", &answer["method"], &json!(method(&one.act)))?;
        same("bulkId", &answer["bulkId"], &json!(one.bulk_id))?;
        let location = |kind: Kind, id: &str| json!(self.state.location(kind, id));
        match outcome {
            Done::Made(kind, id) => {
                let wanted = if matches!(one.act, Act::Post(_)) {
                    "201"
                } else {
                    "200"
                };
                same("status", &answer["status"], &json!(wanted))?;
                same("location", &answer["location"], &location(*kind, id))?;
                if answer["version"].is_string() {
                    Ok(())
                } else {
                    Err("there is no version".to_owned())
                }
            }
            Done::Gone(kind, id) => {
                same("status", &answer["status"], &json!("204"))?;
                same("location", &answer["location"], &location(*kind, id))
            }
            Done::Refused(faults) => {
                let body = &answer["response"];
                let found = (answer["status"].as_str(), body["scimType"].as_str());
                let right = faults.iter().any(|fault| {
                    let (status, scim_type) = fault.answer();
                    found == (Some(status.to_string().as_str()), scim_type)
                });
                if !right {
                    return Err(format!("one of {faults:?} is expected, not {answer}"));
                }
                same("response.status", &body["status"], &answer["status"])?;
                same("response.schemas", &body["schemas"], &json!([ERROR]))?;
                // "The location ... MUST be included ... except in the event of a POST failure".
                let told = answer.get("location").is_some();
                if told && matches!(one.act, Act::Post(_)) {
                    return Err("a failed POST has no location".to_owned());
                }
                Ok(())
            }
        }
    }
}

const fn method(act: &Act) -> &'static str {
    match act {
        Act::Post(_) => "POST",
        Act::Put(..) => "PUT",
        Act::Patch(..) => "PATCH",
        Act::Delete(..) => "DELETE",
    }
}

/// Puts an operation into the order, after those that it refers to and that are not on the way to it.
fn enter(meant: &[Meant], at: usize, above: &mut BTreeSet<usize>, order: &mut Vec<usize>) {
    if order.contains(&at) || !above.insert(at) {
        return;
    }
    let mut waits_for = meant
        .get(at)
        .map_or_else(Vec::new, |one| one.waits_for.clone());
    waits_for.sort_unstable();
    for next in waits_for {
        enter(meant, next, above, order);
    }
    order.push(at);
}

fn answers(response: &Response) -> Result<Vec<Value>, Difference> {
    let body = response.json();
    same("schemas", &body["schemas"], &json!([RESPONSE]))?;
    Ok(body["Operations"]
        .as_array()
        .ok_or("there are no Operations")?
        .clone())
}

/// The ids that the answer tells of what was made, by bulkId.
fn made(meant: &[Meant], answers: &[Value]) -> BTreeMap<String, String> {
    let mut made = BTreeMap::new();
    for one in meant.iter().filter(|one| matches!(one.act, Act::Post(_))) {
        let Some(name) = &one.bulk_id else { continue };
        let answer = answers
            .iter()
            .find(|answer| answer["bulkId"] == name.as_str());
        let location = answer.and_then(|answer| answer["location"].as_str());
        if let Some((_, id)) = location.and_then(|location| location.rsplit_once('/')) {
            made.insert(name.clone(), id.to_owned());
        }
    }
    made
}
