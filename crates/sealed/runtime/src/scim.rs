//! SCIM over HTTP (RFC 7644): who asks, and the way to the engine.

use std::ops::Deref;
use std::sync::Arc;

use chancery_engine::{Act, Answer as Outcome, View, live_credential};
use chancery_scim::Catalogue;
use chancery_scim_service::{ActFailure, Directory, Request};
use chancery_sealing::{EntropyError, Key};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AGE, AUTHORIZATION, HOST, HeaderValue};
use hyper::{Method, StatusCode};

use crate::http::{Answer, Call, retry_later, unauthorized};
use crate::oauth;
use crate::service::Service;

pub use chancery_scim_service::Caller;

/// Age of a quorum up to which what is read counts as current: two heartbeats, in microseconds.
const FRESH_US_MAX: u64 = 60 * 1_000_000;

/// An error of this layer, in SCIM's form.
#[must_use]
pub(crate) fn error(status: StatusCode, detail: &str) -> Answer {
    sent(chancery_scim_service::error(status, detail))
}

/// A body over the limit.
#[must_use]
pub(crate) fn too_long(path: &str, detail: &str) -> Answer {
    sent(chancery_scim_service::too_long(path, detail))
}

fn sent(answer: chancery_scim_service::Answer) -> Answer {
    answer.map(|body| Full::new(Bytes::from(body)))
}

impl Directory for Service {
    fn read(&self) -> impl Deref<Target = View> + '_ {
        Self::read(self)
    }

    fn now_ms(&self) -> u64 {
        Self::now_ms(self)
    }

    fn fresh(&self) -> Result<Key, EntropyError> {
        Self::fresh(self)
    }

    fn act(&self, act: Act) -> impl Future<Output = Result<Outcome, ActFailure>> + Send {
        Self::act(self, act)
    }

    fn at_length<T>(&self, work: impl FnOnce() -> T) -> T {
        tokio::task::block_in_place(work)
    }

    fn catalogue(&self) -> Catalogue {
        self.catalogue
    }

    fn cursor_key(&self) -> &Key {
        &self.token_key
    }

    fn note_keyset(&self) {
        self.metrics.keysets_made.add(1);
    }
}

/// Finds out by its head alone who makes a SCIM request.
///
/// # Errors
/// The answer, if nobody is served now or the credential is not valid.
pub(crate) fn admit(service: &Service, call: &Call) -> Result<Caller, Box<Answer>> {
    if !service.may_read() {
        return Err(Box::new(retry_later(error(
            StatusCode::SERVICE_UNAVAILABLE,
            "the log's witnesses cannot be reached; try again later",
        ))));
    }
    authenticate(service, call).map_err(|Unauthorized| {
        service.metrics.auth_failures.add(1);
        Box::new(unauthorized(error(
            StatusCode::UNAUTHORIZED,
            "the credential is not valid",
        )))
    })
}

/// Answers a SCIM request whose body is here.
pub(crate) async fn answer(service: &Arc<Service>, call: &Call, caller: &Caller) -> Answer {
    let Some(path) = below_base(&call.path) else {
        return error(StatusCode::NOT_FOUND, "there is no such endpoint");
    };
    let request = Request {
        method: &call.method,
        path,
        query: call.query.as_deref().unwrap_or_default(),
        headers: &call.headers,
        body: call.body(),
    };
    let answer = chancery_scim_service::answer(service.as_ref(), request, caller).await;
    let mut answer = sent(answer);
    if call.method == Method::GET {
        show_age(&mut answer, service.quorum_age_us());
    }
    answer
}

/// What follows `/t/{slug}/scim/v2`.
fn below_base(path: &str) -> Option<&str> {
    let (at, _) = path.match_indices('/').nth(3)?;
    let below = path.get(at..)?.strip_prefix("/v2")?;
    (below.is_empty() || below.starts_with('/')).then_some(below)
}

/// Without a fresh quorum reads still answer, and say how old what they show may be (RFC 9111
/// section 5.1).
fn show_age(answer: &mut Answer, age_us: u64) {
    if age_us > FRESH_US_MAX {
        answer
            .headers_mut()
            .insert(AGE, HeaderValue::from(age_us / 1_000_000));
    }
}

struct Unauthorized;

/// The tenant comes from the credential alone; a path that disagrees is no better than no credential
/// (I12, I17).
fn authenticate(service: &Service, call: &Call) -> Result<Caller, Unauthorized> {
    let header = call.header(&AUTHORIZATION).ok_or(Unauthorized)?;
    let (scheme, text) = header.split_once(' ').ok_or(Unauthorized)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Unauthorized);
    }
    let view = service.read();
    let (tenant, credential) =
        oauth::presented(service, &view, text.trim_start()).ok_or(Unauthorized)?;
    let owner = view.tenant(&tenant).ok_or(Unauthorized)?;
    live_credential(&owner.registry, service.now_ms(), &credential)
        .map_err(|_refusal| Unauthorized)?;
    let slug = call.path.split('/').nth(2).ok_or(Unauthorized)?;
    if view.tenant_of_slug(slug).map(|named| named.secrets.id()) != Some(tenant) {
        return Err(Unauthorized);
    }
    service.note_use(credential);
    let host = service.node.host_of(call.header(&HOST));
    Ok(Caller {
        tenant,
        credential,
        base: format!("https://{host}/t/{slug}/scim/v2"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_in_the_path_is_the_one_that_is_served() {
        assert_eq!(below_base("/t/demo/scim/v2/Users/1"), Some("/Users/1"));
        assert_eq!(below_base("/t/demo/scim/v2/"), Some("/"));
        assert_eq!(below_base("/t/demo/scim/v2"), Some(""));
        for path in [
            "/t/demo/scim",
            "/t/demo/scim/v1/Users",
            "/t/demo/scim/v22/Users",
        ] {
            assert_eq!(below_base(path), None, "{path}");
        }
    }
}
