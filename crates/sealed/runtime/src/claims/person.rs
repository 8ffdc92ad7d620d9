//! Who stands behind an ID token, and with which of the issuer's keys it may be signed.

use std::sync::Arc;

use chancery_authority::{IdMapping, IdentityProvider, TenantId};
use chancery_claim::{ClaimNonce, Expected, IdToken, Jwk, SubjectClaim};
use chancery_engine::{Act, Authority, Refusal, ResourceId, TenantAct, TenantView, User};
use chancery_scim::{FoldedName, UserDocument};

use crate::attested::failed;
use crate::http::Answer;
use crate::issuer::{Freshness, IssuerError, Published};
use crate::service::{ActFailure, Service};

/// Why a claim did not succeed.
pub(super) enum Denied {
    /// Refused: one answer for all of it, a word for the tenant's own log.
    Refused(&'static str),
    /// Told as it is: it says nothing about any account.
    Told(Box<Answer>),
}

impl From<ActFailure> for Denied {
    fn from(failure: ActFailure) -> Self {
        match failure {
            ActFailure::Refused(Refusal::ClaimRefused) => Self::Refused("not claimable"),
            other => Self::Told(Box::new(failed(&other))),
        }
    }
}

/// Who the token says the person is.
pub(super) enum Person {
    ExternalId(String),
    DangerousEmail(String),
}

pub(super) async fn check_token(
    service: &Arc<Service>,
    tenant: TenantId,
    token: &str,
    nonce: &ClaimNonce,
) -> Result<(Jwk, Person), Denied> {
    let idp = idp_of(service, &tenant).ok_or(Denied::Refused("no identity provider"))?;
    let mut freshness = Freshness::Fresh;
    loop {
        refresh_issuer(service, tenant, freshness).await?;
        let (trusted, waiting) = issuer_keys(service, &tenant);
        let now_ms = service.now_ms();
        let expected = |keys| Expected {
            issuer: &idp.issuer,
            client_id: &idp.client_id,
            nonce,
            keys,
            now_ms,
        };
        match IdToken::verify(token.as_bytes(), &expected(&trusted)) {
            Ok(checked) => {
                let key = trusted
                    .into_iter()
                    .find(|key| key.thumbprint() == *checked.key())
                    .ok_or(Denied::Refused("key"))?;
                return Ok((key, person_of(&idp, &checked)?));
            }
            // The log keeps keys without their ids, so that a token by a key which does not count yet can
            // look like one with a wrong signature of a key that does.
            Err(
                error @ (chancery_claim::Error::UnknownKey | chancery_claim::Error::TokenSignature),
            ) => {
                if IdToken::verify(token.as_bytes(), &expected(&waiting)).is_ok() {
                    return Err(ActFailure::from(Refusal::IssuerKey).into());
                }
                if freshness == Freshness::Newest {
                    return Err(Denied::Refused(reason(&error)));
                }
                freshness = Freshness::Newest;
            }
            Err(error) => return Err(Denied::Refused(reason(&error))),
        }
    }
}

/// A word for the tenant's log; nothing of the token itself.
const fn reason(error: &chancery_claim::Error) -> &'static str {
    use chancery_claim::Error as E;
    match error {
        E::AlgorithmRefused => "algorithm",
        E::UnknownKey => "unknown key",
        E::TokenSignature => "token signature",
        E::OtherIssuer => "issuer",
        E::OtherAudience | E::OtherAuthorizedParty => "audience",
        E::Expired { .. } | E::IssuedInFuture | E::NotYetValid => "time",
        E::OtherNonce => "nonce",
        _ => "token",
    }
}

fn person_of(idp: &IdentityProvider, token: &IdToken) -> Result<Person, Denied> {
    let subject = |claim| {
        token
            .subject(claim)
            .map(String::from)
            .map_err(|_claim| Denied::Refused("subject"))
    };
    match idp.mapping {
        IdMapping::SubToExternalId => subject(SubjectClaim::Sub).map(Person::ExternalId),
        IdMapping::OidToExternalId => {
            subject(SubjectClaim::TenantAndObject).map(Person::ExternalId)
        }
        IdMapping::DangerousEmailToUserName => {
            subject(SubjectClaim::DangerousEmail).map(Person::DangerousEmail)
        }
        _ => Err(Denied::Refused("mapping")),
    }
}

/// The user that the claim names, if the token is about the very same person and everything about it is in
/// order (I13, I15).
pub(super) fn person<'v>(
    owner: &'v TenantView,
    id: ResourceId,
    person: &Person,
    any_domain: bool,
) -> Result<&'v User, Denied> {
    let registry = &owner.registry;
    let user = registry
        .users()
        .get(id)
        .filter(|user| user.active)
        .ok_or(Denied::Refused("person"))?;
    let is_same = match person {
        Person::ExternalId(subject) => {
            // Two users with one externalId are nobody's certainty.
            let mut found = registry.users().with_external_id(subject);
            found.next().is_some_and(|found| found.id == id) && found.next().is_none()
        }
        Person::DangerousEmail(email) => {
            FoldedName::email(email).is_ok_and(|email| email.as_str() == &*user.keys.user_name)
        }
    };
    if !is_same {
        return Err(Denied::Refused("person"));
    }
    let domains = registry
        .authority()
        .ok_or(Denied::Refused("tenant"))?
        .domains();
    let document = UserDocument::from_canonical(&user.document)
        .map_err(|_form| ActFailure::from(Refusal::Internal))?;
    let trusted = any_domain
        || document
            .identifiers()
            .iter()
            .filter_map(|identifier| identifier.domain.as_deref())
            .all(|domain| domains.iter().any(|known| known.as_str() == domain));
    if trusted {
        Ok(user)
    } else {
        Err(Denied::Refused("domain"))
    }
}

fn idp_of(service: &Service, tenant: &TenantId) -> Option<IdentityProvider> {
    let view = service.read();
    view.tenant(tenant)?.registry.idp().cloned()
}

/// The issuer's keys that count now, and those that do not yet.
fn issuer_keys(service: &Service, tenant: &TenantId) -> (Vec<Jwk>, Vec<Jwk>) {
    let view = service.read();
    let now_ms = service.now_ms();
    let known = view
        .tenant(tenant)
        .map(|owner| owner.registry.issuer_keys())
        .unwrap_or_default();
    let parse = |key: &chancery_engine::IssuerKey| Jwk::parse(&key.jwk).ok();
    let (trusted, waiting): (Vec<_>, Vec<_>) =
        known.iter().partition(|key| key.trusted_from_ms <= now_ms);
    (
        trusted.into_iter().filter_map(parse).collect(),
        waiting.into_iter().filter_map(parse).collect(),
    )
}

/// Fetches what the tenant's issuer publishes and has it logged if it is something else than before.
///
/// # Errors
/// [`ActFailure`]; a tenant without issuer is refused as something that does not exist.
pub(crate) async fn refresh_issuer(
    service: &Arc<Service>,
    tenant: TenantId,
    freshness: Freshness,
) -> Result<(), ActFailure> {
    let idp = idp_of(service, &tenant).ok_or(Refusal::NotFound)?;
    let published = service
        .issuers
        .published(&idp.issuer, &idp.tls_roots, freshness)
        .await
        .map_err(|error| {
            crate::journal_line(unreachable_line(&error));
            ActFailure::IssuerUnreachable
        })?;
    if is_known(service, &tenant, &published) {
        return Ok(());
    }
    let keys = published
        .keys
        .keys()
        .iter()
        .map(|key| {
            let canonical = key.canonical().into_bytes();
            (*key.thumbprint().as_bytes(), canonical)
        })
        .collect();
    let fresh = service.fresh().map_err(|_entropy| Refusal::Internal)?;
    service
        .act(Act::Tenant {
            tenant,
            authority: Authority::Runtime,
            act: Box::new(TenantAct::IssuerKeys {
                published: keys,
                fresh,
            }),
        })
        .await
        .map(|_noted| ())
}

/// One line for the operator; which tenant's issuer it is stays inside (I7).
const fn unreachable_line(error: &IssuerError) -> &'static str {
    match error {
        IssuerError::NotAllowed => {
            "an identity provider cannot be asked: the host's configuration does not allow its address"
        }
        _ => "an identity provider cannot be asked for its keys",
    }
}

fn is_known(service: &Service, tenant: &TenantId, published: &Published) -> bool {
    let view = service.read();
    let known = view
        .tenant(tenant)
        .map(|owner| owner.registry.issuer_keys())
        .unwrap_or_default();
    known.len() == published.keys.keys().len()
        && published
            .keys
            .keys()
            .iter()
            .zip(known)
            .all(|(key, known)| key.thumbprint().as_bytes() == &known.thumbprint)
}
