//! Requests that change something.

use serde_json::{Map, Value};

use super::check::{error, status};
use super::{Difference, Run};
use crate::document::{Document, addresses, document, member};
use crate::fault::Fault;
use crate::generate::patch_body;
use crate::listing::Shown;
use crate::patch::{Operation, Wish, apply, members_named};
use crate::random::Dice;
use crate::request::{Request, Response, Service};
use crate::schema::Kind;
use crate::step::{Tags, meant_in, meant_operations};
use crate::text::fold_name;
use crate::wire::shown_target;

/// The one domain that the tenant trusts.
const TRUSTED: &str = "demo.example";

/// What a write would make of a resource.
type Next = Result<(Document, Wish), Fault>;

/// What a write makes of a resource, or everything for which it may be refused, in whatever order the
/// service looks.
pub(super) type Outcome<T = (Document, Wish)> = Result<T, Vec<Fault>>;

impl<S: Service> Run<'_, S> {
    pub(super) fn create(
        &mut self,
        dice: &mut Dice,
        kind: Kind,
        body: &Value,
        shown: &Shown,
    ) -> Result<(), Difference> {
        let body = meant_in(&self.state, body);
        let target = shown_target(dice, kind, kind.endpoint().to_owned(), shown);
        let response = self.send(&Request::of("POST", target).with_body(&body));
        let (document, wish) = match self.created(kind, &body) {
            Ok(made) => made,
            Err(faults) => return refused(&response, &faults),
        };
        status(&response, 201)?;
        let id = response.json()["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let location = self.state.location(kind, &id);
        if response.header("location") != Some(location.as_str()) {
            return Err(format!("Location is not {location}"));
        }
        self.born(kind, &id, document, &wish)?;
        self.check_written(kind, &id, shown, &response)
    }

    /// Notes a new resource.
    pub(super) fn born(
        &mut self,
        kind: Kind,
        id: &str,
        document: Document,
        wish: &Wish,
    ) -> Result<(), Difference> {
        let again = self.state.gone(kind).contains(&id);
        if id.is_empty() || again || self.state.find_mut(id).is_some() {
            return Err(format!("the id {id:?} is not a new one"));
        }
        self.state.create(kind, id, document);
        self.state.regroup(id, wish);
        Ok(())
    }

    /// What a POST makes.
    pub(super) fn created(&self, kind: Kind, body: &Value) -> Outcome {
        let next = body
            .as_object()
            .ok_or(Fault::Syntax)
            .and_then(|body| self.sent(kind, body, true));
        self.passes(kind, None, next, Vec::new())
    }

    /// What a PUT makes.
    pub(super) fn replaced(&self, kind: Kind, id: &str, body: &Value, tags: &Tags) -> Outcome {
        let suspended = |old: &Document| old.get("active") == Some(&Value::from(false));
        let active = self
            .state
            .find(kind, id)
            .is_none_or(|old| !suspended(&old.document));
        let next = body
            .as_object()
            .ok_or(Fault::Syntax)
            .and_then(|body| self.sent(kind, body, active));
        self.passes(kind, Some(id), next, self.unreachable(kind, id, tags))
    }

    /// What a PATCH makes.
    pub(super) fn patched(
        &self,
        kind: Kind,
        id: &str,
        operations: &[Operation],
        tags: &Tags,
    ) -> Outcome {
        let next = match self.state.find(kind, id) {
            Some(old) => apply(kind, &old.document, operations, &|id| self.state.what(id)),
            None => Err(Fault::NotFound),
        };
        self.passes(kind, Some(id), next, self.unreachable(kind, id, tags))
    }

    /// What a DELETE does.
    pub(super) fn deleted(&self, kind: Kind, id: &str, tags: &Tags) -> Outcome<()> {
        let faults = self.unreachable(kind, id, tags);
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    /// Why a resource cannot be written to at all.
    fn unreachable(&self, kind: Kind, id: &str, tags: &Tags) -> Vec<Fault> {
        let mut faults: Vec<Fault> = self.precondition(kind, id, tags).into_iter().collect();
        if self.state.find(kind, id).is_none() {
            faults.push(Fault::NotFound);
            faults.extend((*tags == Tags::Broken).then_some(Fault::Tags));
        }
        faults
    }

    /// A body as a document and a set of members.
    fn sent(&self, kind: Kind, body: &Map<String, Value>, active: bool) -> Next {
        let mut wish = match kind {
            Kind::Group => match member(body, "members")? {
                Some(members) => Wish::exactly(members_named(members)?),
                None => Wish::default(),
            },
            Kind::User => Wish::default(),
        };
        let document = document(kind, body, active)?;
        wish.settle(&|id| self.state.what(id))?;
        Ok((document, wish))
    }

    fn passes(&self, kind: Kind, id: Option<&str>, next: Next, mut faults: Vec<Fault>) -> Outcome {
        let (document, wish) = match next {
            Ok(next) => next,
            Err(fault) => {
                faults.push(fault);
                return Err(faults);
            }
        };
        let before = id.and_then(|id| self.state.find(kind, id));
        let unchanged = before.is_some_and(|before| before.document == document);
        if kind == Kind::User && !unchanged {
            let name = document
                .get("userName")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let trusted = |name: &str| {
                let name = fold_name(name);
                name.rsplit_once('@')
                    .is_some_and(|(_, domain)| domain == TRUSTED)
            };
            if !trusted(name) || !addresses(&document).all(trusted) {
                faults.push(Fault::Domain);
            }
            if self.state.is_taken(name, id) {
                faults.push(Fault::Uniqueness);
            }
        }
        if faults.is_empty() {
            Ok((document, wish))
        } else {
            Err(faults)
        }
    }

    pub(super) fn put(
        &mut self,
        dice: &mut Dice,
        kind: Kind,
        id: &str,
        body: &Value,
        (shown, tags): (&Shown, &Tags),
    ) -> Result<(), Difference> {
        let body = meant_in(&self.state, body);
        let request = self
            .writing(dice, "PUT", kind, id, (shown, tags))
            .with_body(&body);
        let response = self.send(&request);
        let outcome = self.replaced(kind, id, &body, tags);
        self.updated(kind, id, outcome, shown, &response)
    }

    pub(super) fn patch(
        &mut self,
        dice: &mut Dice,
        kind: Kind,
        id: &str,
        operations: &[Operation],
        (shown, tags): (&Shown, &Tags),
    ) -> Result<(), Difference> {
        let operations = meant_operations(&self.state, operations);
        let body = patch_body(dice, kind, &operations);
        let request = self
            .writing(dice, "PATCH", kind, id, (shown, tags))
            .with_body(&body);
        let response = self.send(&request);
        let outcome = self.patched(kind, id, &operations, tags);
        self.updated(kind, id, outcome, shown, &response)
    }

    fn writing(
        &self,
        dice: &mut Dice,
        method: &'static str,
        kind: Kind,
        id: &str,
        (shown, tags): (&Shown, &Tags),
    ) -> Request {
        let target = shown_target(dice, kind, format!("{}/{id}", kind.endpoint()), shown);
        Request::of(method, target).with_header("if-match", self.header(kind, id, tags))
    }

    /// The answer to a PUT or a PATCH.
    fn updated(
        &mut self,
        kind: Kind,
        id: &str,
        outcome: Outcome,
        shown: &Shown,
        response: &Response,
    ) -> Result<(), Difference> {
        let (document, wish) = match outcome {
            Ok(made) => made,
            Err(faults) => return refused(response, &faults),
        };
        status(response, 200)?;
        self.state.update(id, document, &wish);
        self.check_written(kind, id, shown, response)
    }

    /// The answer shows what was written, and a look at it afterwards shows the same.
    fn check_written(
        &mut self,
        kind: Kind,
        id: &str,
        shown: &Shown,
        response: &Response,
    ) -> Result<(), Difference> {
        // Not every projection shows the times: then they are learnt first.
        let look = |run: &mut Self| {
            run.get(
                &mut Dice::new(0),
                kind,
                id,
                (&Shown::default(), &Tags::Absent),
            )
        };
        if !shown.is_all() {
            look(self)?;
            return self.check_resource(kind, id, shown, response);
        }
        let location = self.state.location(kind, id);
        if response
            .header("location")
            .is_some_and(|told| told != location)
        {
            return Err(format!("Location is not {location}"));
        }
        self.check_resource(kind, id, shown, response)?;
        look(self)
    }

    pub(super) fn delete(&mut self, kind: Kind, id: &str, tags: &Tags) -> Result<(), Difference> {
        let request = Request::of("DELETE", format!("{}/{id}", kind.endpoint()))
            .with_header("if-match", self.header(kind, id, tags));
        let response = self.send(&request);
        if let Err(faults) = self.deleted(kind, id, tags) {
            return refused(&response, &faults);
        }
        status(&response, 204)?;
        if !response.body.is_empty() {
            return Err("204 has no body".to_owned());
        }
        self.state.delete(id);
        Ok(())
    }
}

fn refused(response: &Response, faults: &[Fault]) -> Result<(), Difference> {
    let answers: Vec<_> = faults.iter().map(|fault| fault.answer()).collect();
    error(response, &answers)
}
