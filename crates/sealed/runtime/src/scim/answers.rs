//! SCIM answers, and the one mapping from refusals to statuses.

use chancery_engine::{Answer as Outcome, Refusal};
use chancery_scim::{Error, Projection, ResourceKind, ScimError, ScimType, weak_etag};
use hyper::StatusCode;
use hyper::header::{ETAG, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};

use super::{Caller, MEDIA_TYPE, scim_problem};
use crate::http::{Answer, retry_later, unauthorized, with_body};
use crate::service::{ActFailure, Service};

/// Index of the act's last entry in the tenant's log (design section 3.3).
const RECEIPT: HeaderName = HeaderName::from_static("chancery-receipt");

/// Most members that the answer to a write shows without being asked.
const MEMBERS_SHOWN_MAX: usize = 1000;

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
        // No SCIM request asks a provider for its keys.
        ActFailure::Unavailable | ActFailure::IssuerUnreachable => retry_later(error(
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
        Refusal::TooLarge { .. } => body(&ScimError::new(
            400,
            Some(ScimType::InvalidValue),
            refused.to_string(),
        )),
        Refusal::Delegation(chancery_authority::Refusal::DomainNotTrusted { domain }) => error(
            StatusCode::FORBIDDEN,
            &format!("the domain {domain} is not among the trusted domains of the delegation"),
        ),
        Refusal::Burst {
            retry_after_s: Some(seconds),
            ..
        } => {
            let mut answer = body(&ScimError::new(
                429,
                Some(ScimType::TooMany),
                refused.to_string(),
            ));
            set(&mut answer, RETRY_AFTER, &seconds.to_string());
            answer
        }
        // No waiting makes room for it.
        Refusal::Burst { .. } => body(&ScimError::new(
            403,
            Some(ScimType::TooMany),
            refused.to_string(),
        )),
        Refusal::Delegation(_)
        | Refusal::CredentialScope { .. }
        | Refusal::NoDelegation
        | Refusal::Protected { .. }
        | Refusal::Held { .. } => error(StatusCode::FORBIDDEN, &refused.to_string()),
        Refusal::PlanUnderway => {
            let mut answer =
                retry_later(error(StatusCode::SERVICE_UNAVAILABLE, &refused.to_string()));
            set(&mut answer, RETRY_AFTER, "5");
            answer
        }
        Refusal::OtherSlug
        | Refusal::Paper(_)
        | Refusal::Body(_)
        | Refusal::NotFound
        | Refusal::Taken { .. }
        | Refusal::CredentialTerms
        | Refusal::Stale { .. }
        | Refusal::Value { .. }
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
    let registry = view
        .tenant(&caller.tenant)
        .ok_or(Refusal::Unauthorized)?
        .registry
        .effective();
    let (mut answer, index) = match outcome {
        Outcome::User { user, index } => {
            let version = rendered::user_version(registry, user, projection);
            let bytes = rendered::user(&caller.base, registry, user, projection, &version)
                .map_err(Refusal::from)?;
            let location = rendered::location(&caller.base, ResourceKind::User, user.id);
            (resource(status, &version, Some(&location), bytes), *index)
        }
        Outcome::Group { group, index } => {
            let brief = without_members(projection, registry.member_count(group.id))?;
            let projection = brief.as_ref().unwrap_or(projection);
            let version = rendered::group_version(registry, group, projection);
            let bytes = rendered::group(&caller.base, registry, group, projection, &version)
                .map_err(Refusal::from)?;
            let location = rendered::location(&caller.base, ResourceKind::Group, group.id);
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

/// What the answer to a write shows of a large group if the caller did not say: a change of one member
/// is not to be answered with all the others.
fn without_members(projection: &Projection, members: usize) -> Result<Option<Projection>, Refusal> {
    if members <= MEMBERS_SHOWN_MAX || !projection.is_all() {
        return Ok(None);
    }
    Projection::parse(None, Some("members"), ResourceKind::Group)
        .map(Some)
        .map_err(Refusal::from)
}

/// Resources as an identity provider sees them.
pub(super) mod rendered {
    use std::sync::Arc;

    use chancery_engine::{Group, Registry, ResourceId, User, version_text};
    use chancery_scim::{
        Error, GroupDocument, GroupRef, MemberView, Meta, Projection, ResourceKind, render_group,
        render_user,
    };
    use ring::digest::{Context, SHA256};

    /// Bytes of the digest in an entity tag.
    const TAG_DIGEST_BYTES: usize = 8;

    /// A version, and what is shown beside the resource's own content: other resources may change it
    /// without changing the version. `If-Match` looks at the version alone.
    pub(super) fn with_related(
        version: u64,
        related: impl Iterator<Item = (ResourceId, u64)>,
    ) -> String {
        let mut digest = Context::new(&SHA256);
        let mut is_alone = true;
        for (id, version) in related {
            is_alone = false;
            digest.update(id.as_bytes());
            digest.update(&version.to_be_bytes());
        }
        let version = version_text(version);
        if is_alone {
            return version;
        }
        let digest = digest.finish();
        let short = digest.as_ref().get(..TAG_DIGEST_BYTES).unwrap_or_default();
        format!("{version}.{}", hex::encode(short))
    }

    /// The part of a tag that writes are made conditional on.
    pub(in crate::scim) fn own_version(tag: &str) -> &str {
        tag.split_once('.').map_or(tag, |(version, _)| version)
    }

    /// The entity tag's content for what is shown of a user: it changes when its groups do.
    pub(in crate::scim) fn user_version(
        registry: &Registry,
        user: &User,
        projection: &Projection,
    ) -> String {
        let groups = projection
            .shows("groups")
            .then(|| registry.groups_of(user.id))
            .into_iter()
            .flatten();
        with_related(user.version, groups.map(|group| (group.id, group.version)))
    }

    /// The entity tag's content for what is shown of a group: it changes when its members do.
    pub(in crate::scim) fn group_version(
        registry: &Registry,
        group: &Group,
        projection: &Projection,
    ) -> String {
        let members = projection
            .shows("members")
            .then(|| registry.members(group.id))
            .into_iter()
            .flatten()
            .filter_map(|id| registry.users().get(id));
        with_related(group.version, members.map(|user| (user.id, user.version)))
    }

    pub(in crate::scim) fn location(base: &str, kind: ResourceKind, id: ResourceId) -> String {
        chancery_scim::location(base, kind, &id.text())
    }

    pub(in crate::scim) fn user(
        base: &str,
        registry: &Registry,
        user: &User,
        projection: &Projection,
        version: &str,
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
            version,
            location: &location(base, ResourceKind::User, user.id),
        };
        render_user(&user.document, &meta, &groups, projection)
    }

    pub(in crate::scim) fn group(
        base: &str,
        registry: &Registry,
        group: &Group,
        projection: &Projection,
        version: &str,
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
            version,
            location: &location(base, ResourceKind::Group, group.id),
        };
        render_group(&group.document, &meta, members, projection)
    }
}

#[cfg(test)]
mod tests {
    use chancery_engine::BurstKind;

    use super::*;

    fn braked(retry_after_s: Option<u64>) -> Answer {
        refusal(&Refusal::Burst {
            kind: BurstKind::Suspensions,
            limit: 50,
            window_s: 3600,
            retry_after_s,
        })
    }

    #[test]
    fn a_burst_is_told_when_to_come_back_if_that_helps() {
        let answer = braked(Some(17));
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers().get(RETRY_AFTER).unwrap(), "17");
        let answer = braked(None);
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert!(answer.headers().get(RETRY_AFTER).is_none());
    }

    #[test]
    fn a_held_change_is_forbidden_and_not_an_error_of_ours() {
        let answer = refusal(&Refusal::Held { id: [0xab; 32] });
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        let text = Refusal::Held { id: [0xab; 32] }.to_string();
        assert!(text.ends_with("held as abababababababab"), "{text}");
    }

    #[test]
    fn a_large_group_is_answered_without_members_unless_they_are_asked_for() {
        let all = Projection::ALL;
        let asked = Projection::parse(Some("members"), None, ResourceKind::Group).unwrap();
        let shows = |projection: &Projection, members| {
            let brief = without_members(projection, members).unwrap();
            brief.as_ref().unwrap_or(projection).shows("members")
        };
        assert!(shows(&all, MEMBERS_SHOWN_MAX));
        assert!(!shows(&all, MEMBERS_SHOWN_MAX + 1));
        assert!(shows(&asked, MEMBERS_SHOWN_MAX + 1));
    }

    #[test]
    fn a_tag_moves_with_what_is_shown_beside_and_writes_look_at_the_version_alone() {
        let id = |byte| chancery_engine::ResourceId::from_random([byte; 16]);
        let tag = |related: &[(u8, u64)]| {
            let related = related.iter().map(|(byte, version)| (id(*byte), *version));
            rendered::with_related(7, related)
        };
        let tags = [
            tag(&[]),
            tag(&[(1, 1)]),
            tag(&[(1, 2)]),
            tag(&[(2, 1)]),
            tag(&[(1, 1), (2, 1)]),
        ];
        for (index, one) in tags.iter().enumerate() {
            assert_eq!(rendered::own_version(one), "7");
            assert!(!tags.iter().skip(index + 1).any(|other| one == other));
        }
        assert_eq!(tags[0], "7");
        assert_eq!(tag(&[(1, 1)]), tags[1]);
    }
}
