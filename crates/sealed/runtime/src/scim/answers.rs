//! SCIM answers, and the one mapping from refusals to statuses.

use chancery_engine::{Answer as Outcome, Refusal, version_text};
use chancery_scim::{Error, Projection, ResourceKind, ScimError, ScimType, weak_etag};
use hyper::StatusCode;
use hyper::header::{ETAG, HeaderName, HeaderValue, LOCATION};

use super::{Caller, MEDIA_TYPE, scim_problem};
use crate::http::{Answer, retry_later, unauthorized, with_body};
use crate::service::{ActFailure, Service};

/// Index of the act's last entry in the tenant's log (design section 3.3).
const RECEIPT: HeaderName = HeaderName::from_static("chancery-receipt");

/// An error with a text of this program's own.
#[must_use]
pub fn error(status: StatusCode, detail: &str) -> Answer {
    body(&scim_problem(status, detail))
}

/// A body over the limit. RFC 7644 section 3.12 has no type for size; 413 belongs to Bulk alone there.
#[must_use]
pub fn too_long(detail: &str) -> Answer {
    body(&ScimError::new(400, Some(ScimType::InvalidSyntax), detail))
}

pub(super) fn scim_error(refused: &Error) -> Answer {
    body(&refused.to_scim())
}

fn body(error: &ScimError) -> Answer {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    with_body(status, MEDIA_TYPE, error.to_json())
}

/// The answer to an act without an outcome of its own.
pub(super) fn failure(failed: &ActFailure) -> Answer {
    match failed {
        ActFailure::Refused(refused) => refusal(refused),
        ActFailure::Unavailable => retry_later(error(
            StatusCode::SERVICE_UNAVAILABLE,
            "nothing can be committed now; nothing was changed; try again later",
        )),
        ActFailure::OutcomeUnknown => retry_later(error(
            StatusCode::SERVICE_UNAVAILABLE,
            "the outcome is not known yet; the change may still take effect; read before you repeat",
        )),
    }
}

/// Each refusal has one answer.
pub(super) fn refusal(refused: &Refusal) -> Answer {
    match refused {
        Refusal::Unauthorized => unauthorized(error(
            StatusCode::UNAUTHORIZED,
            "the credential is not valid",
        )),
        Refusal::Scim(scim) => scim_error(scim),
        Refusal::UnknownMember { value } => body(&ScimError::new(
            400,
            Some(ScimType::InvalidValue),
            format!("members: {value} is no user of this tenant; add users by their SCIM id"),
        )),
        Refusal::Delegation(chancery_authority::Refusal::DomainNotTrusted { domain }) => error(
            StatusCode::FORBIDDEN,
            &format!("the domain {domain} is not among the trusted domains of the delegation"),
        ),
        Refusal::Delegation(_)
        | Refusal::CredentialScope { .. }
        | Refusal::NoDelegation
        | Refusal::Protected { .. } => error(StatusCode::FORBIDDEN, &refused.to_string()),
        Refusal::Paper(_)
        | Refusal::Body(_)
        | Refusal::NotFound
        | Refusal::Taken { .. }
        | Refusal::CredentialTerms
        | Refusal::Unsupported
        | Refusal::Internal => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the request could not be carried out",
        ),
        // A refusal that this shell does not know yet is never an answer of success.
        _ => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the request could not be carried out",
        ),
    }
}

/// A 304 with the version that is current.
pub(super) fn not_modified(version: &str) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    set(&mut answer, ETAG, &weak_etag(version));
    answer
}

/// A resource with its entity tag, and its URI if the answer is about a write.
pub(super) fn resource(
    status: StatusCode,
    version: &str,
    location: Option<&str>,
    bytes: Vec<u8>,
) -> Answer {
    let mut answer = with_body(status, MEDIA_TYPE, bytes);
    set(&mut answer, ETAG, &weak_etag(version));
    if let Some(location) = location {
        set(&mut answer, LOCATION, location);
    }
    answer
}

fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// The answer to a write: the resource as the act left it.
pub(super) fn written(
    service: &Service,
    caller: &Caller,
    projection: &Projection,
    status: StatusCode,
    outcome: &Outcome,
) -> Result<Answer, ActFailure> {
    let view = service.read();
    let registry = &view
        .tenant(&caller.tenant)
        .ok_or(Refusal::Unauthorized)?
        .registry;
    let (mut answer, index) = match outcome {
        Outcome::User { user, index } => {
            let bytes = rendered::user(&caller.base, registry, user, projection);
            let location = rendered::location(&caller.base, ResourceKind::User, user.id);
            let version = version_text(user.version);
            let bytes = bytes.map_err(Refusal::from)?;
            (resource(status, &version, Some(&location), bytes), *index)
        }
        Outcome::Group { group, index } => {
            let bytes = rendered::group(&caller.base, registry, group, projection);
            let location = rendered::location(&caller.base, ResourceKind::Group, group.id);
            let version = version_text(group.version);
            let bytes = bytes.map_err(Refusal::from)?;
            (resource(status, &version, Some(&location), bytes), *index)
        }
        Outcome::Gone { index } => {
            let mut answer = Answer::default();
            *answer.status_mut() = StatusCode::NO_CONTENT;
            (answer, Some(*index))
        }
        _ => return Err(Refusal::Internal.into()),
    };
    if let Some(index) = index {
        set(&mut answer, RECEIPT, &index.to_string());
    }
    Ok(answer)
}

/// Resources as an identity provider sees them.
pub(super) mod rendered {
    use std::sync::Arc;

    use chancery_engine::{Group, Registry, ResourceId, User, version_text};
    use chancery_scim::{
        Error, GroupDocument, GroupRef, MemberView, Meta, Projection, ResourceKind, render_group,
        render_user,
    };

    pub(in crate::scim) fn location(base: &str, kind: ResourceKind, id: ResourceId) -> String {
        chancery_scim::location(base, kind, &id.text())
    }

    pub(in crate::scim) fn user(
        base: &str,
        registry: &Registry,
        user: &User,
        projection: &Projection,
    ) -> Result<Vec<u8>, Error> {
        let groups: Vec<(String, String, String)> = if projection.shows("groups") {
            registry
                .groups_of(user.id)
                .map(|group| {
                    let name = GroupDocument::from_canonical(&group.document)
                        .map(|document| String::from(document.display_name()));
                    let uri = location(base, ResourceKind::Group, group.id);
                    name.map(|name| (group.id.text(), name, uri))
                })
                .collect::<Result<_, _>>()?
        } else {
            Vec::new()
        };
        let groups: Vec<GroupRef<'_>> = groups
            .iter()
            .map(|(value, display, reference)| GroupRef {
                value,
                display,
                reference,
            })
            .collect();
        let meta = Meta {
            id: &user.id.text(),
            created_ms: user.created_ms,
            last_modified_ms: user.modified_ms,
            version: &version_text(user.version),
            location: &location(base, ResourceKind::User, user.id),
        };
        render_user(&user.document, &meta, &groups, projection)
    }

    pub(in crate::scim) fn group(
        base: &str,
        registry: &Registry,
        group: &Group,
        projection: &Projection,
    ) -> Result<Vec<u8>, Error> {
        let members: Vec<(String, Arc<User>, String)> = if projection.shows("members") {
            registry
                .members(group.id)
                .filter_map(|id| registry.users().get(id))
                .map(|user| {
                    let uri = location(base, ResourceKind::User, user.id);
                    (user.id.text(), Arc::clone(user), uri)
                })
                .collect()
        } else {
            Vec::new()
        };
        let members = members.iter().map(|(value, user, reference)| MemberView {
            value,
            kind: ResourceKind::User,
            display: Some(&user.keys.user_name),
            reference,
        });
        let meta = Meta {
            id: &group.id.text(),
            created_ms: group.created_ms,
            last_modified_ms: group.modified_ms,
            version: &version_text(group.version),
            location: &location(base, ResourceKind::Group, group.id),
        };
        render_group(&group.document, &meta, members, projection)
    }
}
