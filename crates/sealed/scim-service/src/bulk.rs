//! Bulk (RFC 7644 section 3.7): many acts of one request, each with its own outcome.
//!
//! Operations are decided in the order of the request; only what one refers to is moved before it. Those that
//! do not wait for each other are committed together. Ids are known before anything is created, so that
//! references in a circle are resolved, too.

use std::collections::{BTreeMap, BTreeSet};

use chancery_engine::{Answer as Outcome, NewUser, Refusal, ResourceId};
use chancery_json::{Limits, Object, Value};
use chancery_scim::{
    BulkMethod, BulkOperation, BulkRequest, BulkTask, Error, ResourceKind, urn, weak_etag,
};
use chancery_sealing::Key;
use http::StatusCode;

use crate::answers::{RECEIPT, failure, set, with_body};
use crate::directory::{ActFailure, Directory};
use crate::route::{Answer, Caller, Request};
use crate::write::{Look, Verb, Write, act_as, may_create, own_versions};
use crate::{MEDIA_TYPE, rendered};

/// Most operations that are waited for at a time: a tenant has room for several requests like this one.
const RUN_MAX: usize = 64;
/// Most bytes of the bodies of these together: each of them is on its way to the store as well.
const RUN_BYTES_MAX: usize = 256 * 1024;

/// One operation under way.
struct Entry {
    method: String,
    bulk_id: Option<String>,
    task: Result<BulkTask, ActFailure>,
    fresh: Option<Key>,
    /// The resource that it is about, once that is known.
    about: Option<(ResourceKind, String)>,
    /// Positions of the operations that it refers to.
    waits_for: BTreeSet<usize>,
    /// Bytes of its body.
    size: usize,
    state: State,
}

/// How far an operation is.
enum State {
    Open,
    Done(Done),
    Failed(Answer),
}

/// What is told of an operation that was carried out.
enum Done {
    /// The resource is there, in this version.
    Kept {
        kind: ResourceKind,
        id: ResourceId,
        version: u64,
        index: Option<u64>,
    },
    Gone {
        index: u64,
    },
}

/// Answers a Bulk request.
pub(crate) async fn answer<D: Directory>(
    directory: &D,
    request: Request<'_>,
    caller: &Caller,
) -> Result<Answer, ActFailure> {
    let parsed = BulkRequest::parse(request.body)?;
    let mut entries = entries(directory, parsed.operations)?;
    let most = parsed.fail_on_errors.unwrap_or(u64::MAX);
    let mut errors = 0_u64;
    let order = order(&entries);
    let mut rest = order.as_slice();
    while !rest.is_empty() && errors < most {
        let (run, others) = run(rest, &entries, most.saturating_sub(errors));
        rest = others;
        // What is asked for first is decided first; nothing is waited for before all are asked for.
        let mut asked = Vec::with_capacity(run.len());
        directory.at_length(|| {
            for at in run {
                blame(&mut entries, *at);
                let acted = entries
                    .get_mut(*at)
                    .map(|entry| ask(directory, caller, entry));
                asked.push((*at, acted));
            }
        });
        for (at, acted) in asked {
            let outcome = match acted {
                Some(Ok(outcome)) => outcome.await.and_then(done),
                Some(Err(failed)) => Err(failed),
                None => continue,
            };
            errors = errors.saturating_add(u64::from(outcome.is_err()));
            if let Some(entry) = entries.get_mut(at) {
                entry.state = match outcome {
                    Ok(done) => State::Done(done),
                    Err(failed) => State::Failed(failure(&failed)),
                };
            }
        }
    }
    answered(directory, caller, &entries)
}

/// The order in which operations are decided: that of the request, but for what an operation refers to,
/// which comes before it. In a circle the one that was sent first comes last.
fn order(entries: &[Entry]) -> Vec<usize> {
    let mut order = Vec::with_capacity(entries.len());
    let mut seen = vec![false; entries.len()];
    // Each level is an operation and what it still waits for; a chain is as deep as the request is long.
    let mut path: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut enter = |at: usize, path: &mut Vec<(usize, Vec<usize>)>| {
        if let (Some(entry), Some(seen @ false)) = (entries.get(at), seen.get_mut(at)) {
            *seen = true;
            path.push((at, entry.waits_for.iter().rev().copied().collect()));
        }
    };
    for at in 0..entries.len() {
        enter(at, &mut path);
        while let Some((current, waits_for)) = path.last_mut() {
            match waits_for.pop() {
                Some(next) => enter(next, &mut path),
                None => {
                    order.push(*current);
                    path.pop();
                }
            }
        }
    }
    order
}

/// The next operations that can be asked for at once: until one waits for another of them.
fn run<'o>(rest: &'o [usize], entries: &[Entry], errors_left: u64) -> (&'o [usize], &'o [usize]) {
    let most = usize::try_from(errors_left).map_or(RUN_MAX, |left| left.min(RUN_MAX));
    let mut bytes = 0_usize;
    let mut taken = BTreeSet::new();
    for at in rest.iter().take(most) {
        let Some(entry) = entries.get(*at) else { break };
        bytes = bytes.saturating_add(entry.size);
        let waits = entry.waits_for.iter().any(|other| taken.contains(other));
        if !taken.is_empty() && (waits || bytes > RUN_BYTES_MAX) {
            break;
        }
        taken.insert(*at);
    }
    rest.split_at_checked(taken.len()).unwrap_or((rest, &[]))
}

/// Whoever refers to an operation that failed fails as well.
fn blame(entries: &mut [Entry], at: usize) {
    let failed = |other: &usize| {
        let other = entries.get(*other);
        other.is_some_and(|other| matches!(other.state, State::Failed(_)))
    };
    let is_in_vain = entries
        .get(at)
        .is_some_and(|entry| entry.waits_for.iter().any(failed));
    if let Some(entry) = entries.get_mut(at)
        && entry.task.is_ok()
        && is_in_vain
    {
        let reason = "the operation that this one refers to has failed";
        entry.task = Err(Error::BulkReference { reason }.into());
    }
}

/// Knows every id that the request will give, and who refers to whom.
fn entries<D: Directory>(
    directory: &D,
    operations: Vec<BulkOperation>,
) -> Result<Vec<Entry>, ActFailure> {
    let mut entries = Vec::with_capacity(operations.len());
    let mut made = BTreeMap::new();
    for (at, operation) in operations.into_iter().enumerate() {
        let mut entry = Entry {
            method: operation.method,
            bulk_id: operation.bulk_id,
            task: operation.task.map_err(ActFailure::from),
            fresh: Some(directory.fresh().map_err(|_entropy| Refusal::Internal)?),
            about: operation.named,
            waits_for: BTreeSet::new(),
            size: 0,
            state: State::Open,
        };
        if let (Ok(task), Some(name), Some(fresh)) = (&entry.task, &entry.bulk_id, &entry.fresh)
            && task.method == BulkMethod::Post
        {
            let id = NewUser::id_of(fresh);
            made.insert(name.clone(), (at, id));
            entry.about = Some((task.kind, id.text()));
        }
        entries.push(entry);
    }
    let id_of = |name: &str| made.get(name).map(|(_, id)| id.text());
    for (at, entry) in entries.iter_mut().enumerate() {
        let Ok(task) = &mut entry.task else { continue };
        let resolved = task.references().map(|names| {
            let positions = names.into_iter().filter_map(|name| made.get(name));
            positions
                .map(|(position, _)| *position)
                .filter(|position| *position != at)
                .collect::<BTreeSet<usize>>()
        });
        match resolved.and_then(|waits| task.resolve(&id_of).map(|()| waits)) {
            Ok(waits_for) => {
                entry.waits_for = waits_for;
                entry.size = task.data.to_bytes().len();
            }
            Err(error) => entry.task = Err(error.into()),
        }
    }
    Ok(entries)
}

/// Asks for one operation.
fn ask<'d, D: Directory>(
    directory: &'d D,
    caller: &Caller,
    entry: &mut Entry,
) -> Result<impl Future<Output = Result<Outcome, ActFailure>> + Send + use<'d, D>, ActFailure> {
    let task = std::mem::replace(&mut entry.task, Err(Refusal::Internal.into()))?;
    let fresh = entry.fresh.take().ok_or(Refusal::Internal)?;
    let id = match &task.id {
        None => None,
        Some(text) => Some(ResourceId::parse(text).ok_or(Error::NotFound)?),
    };
    if let Some(id) = id {
        entry.about = Some((task.kind, id.text()));
    }
    let verb = match (task.method, id) {
        (BulkMethod::Post, _) => {
            may_create(directory, caller, task.kind)?;
            Verb::Create
        }
        (BulkMethod::Put, Some(id)) => Verb::Replace(id),
        (BulkMethod::Patch, Some(id)) => Verb::Patch(id),
        (BulkMethod::Delete, Some(id)) => Verb::Delete(id),
        (_, None) => return Err(Error::NotFound.into()),
    };
    let write = Write {
        kind: task.kind,
        verb,
        if_match: task.if_match.map(own_versions),
        body: &task.data.to_bytes(),
        // An operation before this one may just be about to free the name.
        look: Look::AtCommit,
    };
    let act = write.into_act(directory, caller, fresh)?;
    Ok(act_as(directory, caller, act))
}

fn answered<D: Directory>(
    directory: &D,
    caller: &Caller,
    entries: &[Entry],
) -> Result<Answer, ActFailure> {
    let mut tags = Tags {
        directory,
        caller,
        related: BTreeMap::new(),
    };
    let mut receipt = None;
    let mut operations = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut shown = Object::with_capacity(6);
        // Of what was sent: an operation without method has none in the answer.
        if !entry.method.is_empty() {
            shown = shown.with("method", entry.method.as_str());
        }
        if let Some(name) = &entry.bulk_id {
            shown = shown.with("bulkId", name.as_str());
        }
        let about = entry.about.as_ref();
        let location = about.map(|(kind, id)| chancery_scim::location(&caller.base, *kind, id));
        let shown = match &entry.state {
            // It was left undone after too many errors.
            State::Open => continue,
            State::Done(Done::Gone { index }) => {
                receipt = Some(*index);
                with_location(shown, location).with("status", StatusCode::NO_CONTENT.as_str())
            }
            State::Done(Done::Kept {
                kind,
                id,
                version,
                index,
            }) => {
                receipt = index.or(receipt);
                let tag = tags.tag(*kind, *id, *version)?;
                let status = if entry.method.eq_ignore_ascii_case("POST") {
                    StatusCode::CREATED
                } else {
                    StatusCode::OK
                };
                with_location(shown.with("version", weak_etag(&tag)), location)
                    .with("status", status.as_str())
            }
            State::Failed(answer) => {
                // RFC 7644 section 3.7: a POST that failed has no location.
                let location = location.filter(|_| !entry.method.eq_ignore_ascii_case("POST"));
                let response = Value::parse(answer.body(), &Limits::DOCUMENT)
                    .map_err(|_json| Refusal::Internal)?;
                with_location(shown, location)
                    .with("response", response)
                    .with("status", answer.status().as_str())
            }
        };
        operations.push(Value::Object(shown));
    }
    let body = Object::new()
        .with("schemas", vec![Value::from(urn::BULK_RESPONSE)])
        .with("Operations", operations);
    let mut answer = with_body(StatusCode::OK, MEDIA_TYPE, body.to_bytes());
    if let Some(index) = receipt {
        set(&mut answer, RECEIPT, &index.to_string());
    }
    Ok(answer)
}

fn with_location(shown: Object, location: Option<String>) -> Object {
    match location {
        Some(location) => shown.with("location", location),
        None => shown,
    }
}

fn done(outcome: Outcome) -> Result<Done, ActFailure> {
    match outcome {
        Outcome::User { user, index } => Ok(Done::Kept {
            kind: ResourceKind::User,
            id: user.id,
            version: user.version,
            index,
        }),
        Outcome::Group { group, index } => Ok(Done::Kept {
            kind: ResourceKind::Group,
            id: group.id,
            version: group.version,
            index,
        }),
        Outcome::Gone { index } => Ok(Done::Gone { index }),
        _ => Err(Refusal::Internal.into()),
    }
}

/// The entity tags of what was written. What is shown beside a resource is looked at once for each.
struct Tags<'a, D> {
    directory: &'a D,
    caller: &'a Caller,
    related: BTreeMap<ResourceId, String>,
}

impl<D: Directory> Tags<'_, D> {
    fn tag(&mut self, kind: ResourceKind, id: ResourceId, version: u64) -> Result<String, Refusal> {
        if !self.related.contains_key(&id) {
            let view = self.directory.read();
            let tenant = view
                .tenant(&self.caller.tenant)
                .ok_or(Refusal::Unauthorized)?;
            let related = rendered::related(tenant.registry.effective(), kind, id);
            self.related.insert(id, related);
        }
        let related = self.related.get(&id).map_or("", String::as_str);
        Ok(rendered::tag(version, related))
    }
}
