//! SCIM answers, and the one mapping from refusals to statuses.

use chancery_engine::{Answer as Outcome, Refusal};
use chancery_scim::{
    Error, Projection, ResourceKind, ResourceType, ScimError, ScimType, weak_etag,
};
use http::header::{
    ALLOW, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};

use crate::directory::{ActFailure, Directory};
use crate::route::{Answer, Caller};
use crate::{MEDIA_TYPE, rendered};

/// Index of the act's last entry in the tenant's log (design section 3.3).
pub(crate) const RECEIPT: HeaderName = HeaderName::from_static("chancery-receipt");

/// Most members that the answer to a write shows without being asked.
const MEMBERS_SHOWN_MAX: usize = 1000;

/// Seconds after which a client may try again.
const RETRY_AFTER_S: u64 = 2;

/// An error with a text of this program's own.
#[must_use]
pub fn error(status: StatusCode, detail: &str) -> Answer {
    body(&ScimError::new(status.as_u16(), None, detail))
}

/// A body over the limit of `path`. RFC 7644 section 3.12 has no type for size; 413 belongs to Bulk alone
/// there (section 3.7.4).
#[must_use]
pub fn too_long(path: &str, detail: &str) -> Answer {
    if path.ends_with("/Bulk") {
        return body(&ScimError::new(413, None, detail));
    }
    body(&ScimError::new(400, Some(ScimType::InvalidSyntax), detail))
}

pub(crate) fn scim_error(refused: &Error) -> Answer {
    body(&refused.to_scim())
}

fn body(error: &ScimError) -> Answer {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    with_body(status, MEDIA_TYPE, error.to_json())
}

/// The answer to an act without an outcome of its own.
pub(crate) fn failure(failed: &ActFailure) -> Answer {
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

fn invalid_value(detail: &str) -> Answer {
    body(&ScimError::new(400, Some(ScimType::InvalidValue), detail))
}

/// Each refusal has one answer.
pub(crate) fn refusal(refused: &Refusal) -> Answer {
    match refused {
        Refusal::Unauthorized => unauthorized(error(
            StatusCode::UNAUTHORIZED,
            "the credential is not valid",
        )),
        Refusal::Scim(scim) => scim_error(scim),
        Refusal::UnknownMember { value } => invalid_value(&format!(
            "members: {value} is no user of this tenant; add users by their SCIM id"
        )),
        Refusal::GroupMember { value } => invalid_value(&format!(
            "members: {value} is a group, and groups are no members here; add the users of that group instead"
        )),
        Refusal::TooLarge { .. } => invalid_value(&refused.to_string()),
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
pub(crate) fn not_modified(version: &str) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    set(&mut answer, ETAG, &weak_etag(version));
    answer
}

/// A resource with its entity tag, and its URI if the answer is about a write.
pub(crate) fn resource(
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

/// An answer with a body of `media_type`.
pub(crate) fn with_body(status: StatusCode, media_type: &'static str, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

/// A 405 answer that says which methods there are (RFC 9110 section 15.5.6).
#[must_use]
pub fn allowing<B>(mut answer: Response<B>, methods: &'static str) -> Response<B> {
    answer
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(methods));
    answer
}

/// The same answer with a time after which the client may try again.
#[must_use]
pub fn retry_later<B>(mut answer: Response<B>) -> Response<B> {
    answer
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
    answer
}

/// The same answer with what a 401 must say (RFC 6750 section 3); it gives no hint of the reason.
#[must_use]
pub fn unauthorized<B>(mut answer: Response<B>) -> Response<B> {
    answer.headers_mut().insert(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"chancery\""),
    );
    answer
}

pub(crate) fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// The answer to a write: the resource as the act left it.
pub(crate) fn written<D: Directory>(
    directory: &D,
    caller: &Caller,
    projection: &Projection,
    status: StatusCode,
    outcome: &Outcome,
) -> Result<Answer, ActFailure> {
    let view = directory.read();
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
            let of = directory.catalogue().of(ResourceKind::Group);
            let brief = without_members(projection, of, registry.member_count(group.id))?;
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
fn without_members(
    projection: &Projection,
    of: ResourceType,
    members: usize,
) -> Result<Option<Projection>, Refusal> {
    if members <= MEMBERS_SHOWN_MAX || !projection.is_all() {
        return Ok(None);
    }
    Projection::parse(None, Some("members"), of)
        .map(Some)
        .map_err(Refusal::from)
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
        let all = Projection::all(ResourceKind::Group);
        let asked = Projection::parse(Some("members"), None, ResourceKind::Group).unwrap();
        let shows = |projection: &Projection, members| {
            let of = ResourceType::from(ResourceKind::Group);
            let brief = without_members(projection, of, members).unwrap();
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
            rendered::tag(7, &rendered::digest(related))
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
