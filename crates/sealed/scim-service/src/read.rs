//! Reading one resource (RFC 7644 section 3.4.1).

use chancery_engine::{Refusal, ResourceId, TenantAct};
use chancery_scim::{EntityTags, Error, ResourceKind};
use http::HeaderName;
use http::StatusCode;
use http::header::IF_NONE_MATCH;

use crate::answers::{self, not_modified};
use crate::directory::{ActFailure, Directory};
use crate::rendered;
use crate::route::{Answer, Caller, Request, permitted, projection, read_scope};
use crate::write::act_as;

pub(crate) fn read<D: Directory>(
    directory: &D,
    request: Request<'_>,
    caller: &Caller,
    kind: ResourceKind,
    id: &str,
) -> Result<(Answer, Option<ResourceId>), ActFailure> {
    let projection = projection(directory, request, kind)?;
    let if_none_match = tags(request, &IF_NONE_MATCH)?;
    let view = directory.read();
    let tenant = permitted(directory.now_ms(), &view, caller, read_scope(kind))?;
    let id = ResourceId::parse(id).ok_or(Error::NotFound)?;
    let registry = tenant.registry.effective();
    let found = (kind == ResourceKind::User).then_some(id);
    let unchanged = |version: &str| {
        if_none_match
            .as_ref()
            .is_some_and(|tags| tags.matches(version))
    };
    let (version, body) = match kind {
        ResourceKind::User => {
            let user = registry.users().get(id).ok_or(Error::NotFound)?;
            let version = rendered::user_version(registry, user, &projection);
            if unchanged(&version) {
                return Ok((not_modified(&version), found));
            }
            let body = rendered::user(&caller.base, registry, user, &projection, &version);
            (version, body)
        }
        ResourceKind::Group => {
            let group = registry.groups().get(id).ok_or(Error::NotFound)?;
            let version = rendered::group_version(registry, group, &projection);
            if unchanged(&version) {
                return Ok((not_modified(&version), found));
            }
            let body = rendered::group(&caller.base, registry, group, &projection, &version);
            (version, body)
        }
    };
    let answer = answers::resource(StatusCode::OK, &version, None, body?);
    Ok((answer, found))
}

/// While automation is on trial, whoever it finds is somebody whom it knows. That is noted before the
/// answer, or there is none: an account that seems unknown would be suspended by the plan.
pub(crate) async fn note_found<D: Directory>(
    directory: &D,
    caller: &Caller,
    found: Vec<ResourceId>,
) -> Result<(), ActFailure> {
    let ids = {
        let view = directory.read();
        let registry = view.tenant(&caller.tenant).map(|tenant| &tenant.registry);
        registry
            .filter(|registry| registry.takes_intents(directory.now_ms()))
            .map(|registry| registry.unmatched(&found))
            .unwrap_or_default()
    };
    if ids.is_empty() {
        return Ok(());
    }
    let fresh = directory.fresh().map_err(|_entropy| Refusal::Internal)?;
    act_as(directory, caller, TenantAct::Matched { ids, fresh })
        .await
        .map(|_noted| ())
}

/// The entity tags of a precondition header.
pub(crate) fn tags(request: Request<'_>, name: &HeaderName) -> Result<Option<EntityTags>, Refusal> {
    // A tag that cannot be read is no missing one: the precondition would be passed over.
    request
        .headers
        .get(name)
        .map(|value| EntityTags::parse(value.to_str().map_err(|_bytes| Error::EntityTag)?))
        .transpose()
        .map_err(Refusal::from)
}
