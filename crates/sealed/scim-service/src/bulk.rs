//! Bulk (RFC 7644 section 3.7): many acts of one request, each with its own outcome.
//!
//! Operations that do not wait for each other are decided one after the other and committed together.
//! One that refers to another waits for its outcome. Ids are known before anything is created, so that
//! references in a circle are resolved, too.

use std::collections::{BTreeMap, BTreeSet};

use chancery_engine::{Answer as Outcome, NewUser, Refusal, ResourceId};
use chancery_json::{Limits, Object, Value};
use chancery_scim::{
    BulkMethod, BulkOperation, BulkRequest, BulkTask, Error, Projection, ResourceKind, urn,
    weak_etag,
};
use chancery_sealing::Key;
use http::StatusCode;

use crate::answers::{RECEIPT, failure, set, with_body};
use crate::directory::{ActFailure, Directory};
use crate::route::{Answer, Caller, Request};
use crate::write::{Look, Verb, Write, act_as, may_create, own_versions};
use crate::{MEDIA_TYPE, rendered};

/// Most operations that are waited for at a time: a tenant has room for several requests like this one.
const WAVE_MAX: usize = 256;

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
    state: State,
}

/// How far an operation is.
enum State {
    Open,
    Done(Outcome),
    Failed(Answer),
}

/// Answers a Bulk request.
pub(crate) async fn answer<D: Directory>(
    directory: &D,
    request: Request<'_>,
    caller: &Caller,
) -> Result<Answer, ActFailure> {
    let parsed = BulkRequest::parse(request.body)?;
    let mut entries = entries(directory, parsed.operations)?;
    let mut errors = 0_u64;
    loop {
        let left = parsed
            .fail_on_errors
            .map(|most| most.saturating_sub(errors));
        let ready = ready(&mut entries, left);
        if ready.is_empty() {
            break;
        }
        // What is asked for first is decided first; nothing is waited for before all are asked for.
        let mut asked = Vec::with_capacity(ready.len());
        directory.at_length(|| {
            for at in ready {
                let acted = entries
                    .get_mut(at)
                    .map(|entry| ask(directory, caller, entry));
                asked.push((at, acted));
            }
        });
        for (at, acted) in asked {
            let outcome = match acted {
                Some(Ok(outcome)) => outcome.await,
                Some(Err(failed)) => Err(failed),
                None => continue,
            };
            errors = errors.saturating_add(u64::from(outcome.is_err()));
            if let Some(entry) = entries.get_mut(at) {
                entry.state = match outcome {
                    Ok(outcome) => State::Done(outcome),
                    Err(failed) => State::Failed(failure(&failed)),
                };
            }
        }
    }
    answered(directory, caller, &entries)
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
            Ok(waits_for) => entry.waits_for = waits_for,
            Err(error) => entry.task = Err(error.into()),
        }
    }
    Ok(entries)
}

/// The operations to ask for next: those that wait for none that is open, or, where all that are left wait,
/// one of a circle. Whoever waited for one that failed fails as well.
fn ready(entries: &mut [Entry], most: Option<u64>) -> Vec<usize> {
    let most = most.and_then(|most| usize::try_from(most).ok());
    let most = most.map_or(WAVE_MAX, |most| most.min(WAVE_MAX));
    let open = |entry: &Entry| matches!(entry.state, State::Open);
    let states: Vec<(bool, bool)> = entries
        .iter()
        .map(|entry| (open(entry), matches!(entry.state, State::Failed(_))))
        .collect();
    let is = |at: &usize, open: bool| {
        let state = states.get(*at);
        state.is_some_and(|(is_open, failed)| if open { *is_open } else { *failed })
    };
    for entry in entries.iter_mut().filter(|entry| open(entry)) {
        if entry.task.is_ok() && entry.waits_for.iter().any(|at| is(at, false)) {
            let reason = "the operation that this one refers to has failed";
            entry.task = Err(Error::BulkReference { reason }.into());
        }
    }
    let can = |entry: &Entry| {
        open(entry) && (entry.task.is_err() || !entry.waits_for.iter().any(|at| is(at, true)))
    };
    let numbered = || entries.iter().enumerate();
    let free: Vec<usize> = numbered()
        .filter(|(_, entry)| can(entry))
        .map(|(at, _)| at)
        .take(most)
        .collect();
    if !free.is_empty() {
        return free;
    }
    // Whoever is left waits: to follow who waits for whom leads into a circle after as many steps as there
    // are operations.
    let mut at = numbered().find(|(_, entry)| open(entry)).map(|(at, _)| at);
    for _ in entries.iter() {
        let entry = at.and_then(|at| entries.get(at));
        let next = entry.and_then(|entry| entry.waits_for.iter().find(|at| is(at, true)));
        at = next.copied().or(at);
    }
    at.into_iter().take(most).collect()
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
            State::Done(outcome) => {
                let done = done(directory, caller, outcome)?;
                receipt = done.index.or(receipt);
                if let Some(version) = &done.version {
                    shown = shown.with("version", weak_etag(version));
                }
                let status = match done.version {
                    None => StatusCode::NO_CONTENT,
                    Some(_) if entry.method.eq_ignore_ascii_case("POST") => StatusCode::CREATED,
                    Some(_) => StatusCode::OK,
                };
                with_location(shown, location).with("status", status.as_str())
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

/// What is told of an operation that was carried out.
struct Done {
    version: Option<String>,
    index: Option<u64>,
}

fn done<D: Directory>(
    directory: &D,
    caller: &Caller,
    outcome: &Outcome,
) -> Result<Done, ActFailure> {
    let view = directory.read();
    let tenant = view.tenant(&caller.tenant).ok_or(Refusal::Unauthorized)?;
    let registry = tenant.registry.effective();
    let all = |kind| Projection::all(directory.catalogue().of(kind));
    match outcome {
        Outcome::User { user, index } => Ok(Done {
            version: Some(rendered::user_version(
                registry,
                user,
                &all(ResourceKind::User),
            )),
            index: *index,
        }),
        Outcome::Group { group, index } => Ok(Done {
            version: Some(rendered::group_version(
                registry,
                group,
                &all(ResourceKind::Group),
            )),
            index: *index,
        }),
        Outcome::Gone { index } => Ok(Done {
            version: None,
            index: Some(*index),
        }),
        _ => Err(Refusal::Internal.into()),
    }
}
