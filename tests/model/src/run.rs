//! Runs a program against a service and compares every answer with what should be.

mod bulk;
mod check;
mod lists;
mod writes;

use crate::fault::Fault;
use crate::listing::Shown;
use crate::random::Dice;
use crate::request::{Request, Response, Service};
use crate::schema::Kind;
use crate::state::State;
use crate::step::{Bad, Step, Tags, meant};
use crate::wire::{Over, shown_target};

/// A program: each step, and the seed of its spelling.
pub type Program = Vec<(u64, Step)>;

/// What differs, in words.
pub type Difference = String;

/// A service, and what it should hold.
#[derive(Debug)]
pub struct Run<'s, S> {
    service: &'s mut S,
    state: State,
    /// What was sent and answered, newest last.
    pub trace: Vec<String>,
    /// How many requests were answered with success and with an error.
    pub answered: (u64, u64),
}

impl<'s, S: Service> Run<'s, S> {
    /// Begins with a service that holds nothing.
    pub fn new(service: &'s mut S) -> Self {
        let state = State::new(service.base());
        Self {
            service,
            state,
            trace: Vec::new(),
            answered: (0, 0),
        }
    }

    /// Runs all steps, looks at everything, and removes what is left.
    ///
    /// # Errors
    /// The first difference.
    pub fn all(&mut self, program: &Program) -> Result<(), Difference> {
        for (index, (spelling, step)) in program.iter().enumerate() {
            self.trace.push(format!("step {index}: {}", told(step)));
            self.step(&mut Dice::new(*spelling), step)?;
        }
        self.trace.push("at the end".to_owned());
        self.look_at_everything()?;
        self.clear()
    }

    fn step(&mut self, dice: &mut Dice, step: &Step) -> Result<(), Difference> {
        match step {
            Step::Create(kind, body, shown) => self.create(dice, *kind, body, shown),
            Step::Get(kind, who, shown, tags) => {
                let id = who.id(&self.state, *kind);
                self.get(dice, *kind, &id, (shown, tags))
            }
            Step::List(kind, query, asked) => self.list(dice, Over::One(*kind), query, *asked),
            Step::Root(kind, query, asked) => self.list(dice, Over::All(*kind), query, *asked),
            Step::Bulk(operations, fail_on_errors) => self.bulk(dice, operations, *fail_on_errors),
            Step::Put(kind, who, body, shown, tags) => {
                let id = who.id(&self.state, *kind);
                self.put(dice, *kind, &id, body, (shown, tags))
            }
            Step::Patch(kind, who, operations, shown, tags) => {
                let id = who.id(&self.state, *kind);
                self.patch(dice, *kind, &id, operations, (shown, tags))
            }
            Step::Delete(kind, who, tags) => {
                let id = who.id(&self.state, *kind);
                self.delete(*kind, &id, tags)
            }
            Step::Pages(kind, query, paging) => self.pages(dice, *kind, query, *paging),
            Step::Bad(bad) => self.bad(bad),
        }
    }

    fn send(&mut self, request: &Request) -> Response {
        let response = self.service.send(request);
        self.trace.push(format!("  {request}\n  -> {response}"));
        if response.status < 400 {
            self.answered.0 += 1;
        } else {
            self.answered.1 += 1;
        }
        response
    }

    /// A request that must be refused whatever there is.
    fn bad(&mut self, bad: &Bad) -> Result<(), Difference> {
        let target: String = bad
            .target
            .split('/')
            .map(|segment| meant(&self.state, segment))
            .collect::<Vec<_>>()
            .join("/");
        let mut request = Request::of(bad.method, target);
        if bad.method != "GET" {
            request = request.with_header("content-type", Some("application/json".to_owned()));
        }
        request.body = bad.body.as_bytes().to_vec();
        let response = self.send(&request);
        check::error(&response, &[(bad.status, bad.scim_type)])
    }

    /// GET of one resource.
    fn get(
        &mut self,
        dice: &mut Dice,
        kind: Kind,
        id: &str,
        (shown, tags): (&Shown, &Tags),
    ) -> Result<(), Difference> {
        let target = shown_target(dice, kind, format!("{}/{id}", kind.endpoint()), shown);
        // Another projection may have another tag.
        let tags = if shown.is_all() { tags } else { &Tags::Absent };
        let request =
            Request::of("GET", target).with_header("if-none-match", self.header(kind, id, tags));
        let response = self.send(&request);
        let broken = *tags == Tags::Broken;
        let Some(resource) = self.state.find(kind, id) else {
            let mut faults = vec![Fault::NotFound.answer()];
            faults.extend(broken.then(|| Fault::Tags.answer()));
            return check::error(&response, &faults);
        };
        if broken {
            return check::error(&response, &[Fault::Tags.answer()]);
        }
        if self.names_current(kind, id, tags) {
            return check::not_modified(&response, &resource.tags, &self.state.stamp(resource));
        }
        check::status(&response, 200)?;
        self.check_resource(kind, id, shown, &response)
    }

    /// The text of a precondition.
    fn header(&self, kind: Kind, id: &str, tags: &Tags) -> Option<String> {
        let known = self
            .state
            .find(kind, id)
            .map(|resource| resource.tags.as_slice())
            .unwrap_or_default();
        let newest = known.last().map_or("W/\"none\"", |(tag, _)| tag.as_str());
        match tags {
            Tags::Absent => None,
            Tags::Current => Some(newest.to_owned()),
            Tags::Former(at) => {
                let at = at.checked_rem(known.len());
                Some(
                    at.map_or("W/\"none\"", |at| known[at].0.as_str())
                        .to_owned(),
                )
            }
            Tags::Any => Some("*".to_owned()),
            Tags::Foreign => Some("W/\"foreign\"".to_owned()),
            Tags::List => Some(format!("\"foreign\", {newest} ,W/\"b,c\"")),
            Tags::Broken => Some("foreign".to_owned()),
        }
    }

    /// Whether `If-None-Match` names what would be shown.
    fn names_current(&self, kind: Kind, id: &str, tags: &Tags) -> bool {
        let Some(resource) = self.state.find(kind, id) else {
            return false;
        };
        let now = self.state.stamp(resource);
        let is_now = |at: usize| {
            resource
                .tags
                .get(at)
                .is_some_and(|(_, stamp)| *stamp == now)
        };
        let last = resource.tags.len().wrapping_sub(1);
        match tags {
            Tags::Any => true,
            Tags::Current | Tags::List => is_now(last),
            Tags::Former(at) => at.checked_rem(resource.tags.len()).is_some_and(is_now),
            Tags::Absent | Tags::Foreign | Tags::Broken => false,
        }
    }

    /// What a precondition of a write refuses. It is about the resource's own version alone.
    fn precondition(&self, kind: Kind, id: &str, tags: &Tags) -> Option<Fault> {
        let resource = self.state.find(kind, id)?;
        let is_now = |at: usize| {
            resource
                .tags
                .get(at)
                .is_some_and(|(_, stamp)| stamp.0 == resource.version)
        };
        let last = resource.tags.len().wrapping_sub(1);
        let passes = match tags {
            Tags::Absent | Tags::Any => true,
            Tags::Broken => return Some(Fault::Tags),
            Tags::Current | Tags::List => is_now(last),
            Tags::Former(at) => at.checked_rem(resource.tags.len()).is_some_and(is_now),
            Tags::Foreign => false,
        };
        (!passes).then_some(Fault::Precondition)
    }

    /// Everything that is live is as it should be, what was deleted is gone.
    fn look_at_everything(&mut self) -> Result<(), Difference> {
        let mut dice = Dice::new(0);
        for kind in [Kind::User, Kind::Group] {
            let live: Vec<String> = self
                .state
                .live(kind)
                .iter()
                .map(|one| one.id.clone())
                .collect();
            let gone: Vec<String> = self
                .state
                .gone(kind)
                .into_iter()
                .map(str::to_owned)
                .collect();
            for id in live.iter().chain(&gone) {
                self.get(&mut dice, kind, id, (&Shown::default(), &Tags::Absent))?;
            }
            self.list_all(kind)?;
        }
        Ok(())
    }

    /// Leaves the service as it was found: programs may share one.
    fn clear(&mut self) -> Result<(), Difference> {
        for kind in [Kind::Group, Kind::User] {
            let live: Vec<String> = self
                .state
                .live(kind)
                .iter()
                .map(|one| one.id.clone())
                .collect();
            for id in live {
                self.delete(kind, &id, &Tags::Absent)?;
            }
        }
        Ok(())
    }
}

/// A step in a line.
fn told(step: &Step) -> String {
    let text = format!("{step:?}");
    text.chars().take(600).collect()
}
