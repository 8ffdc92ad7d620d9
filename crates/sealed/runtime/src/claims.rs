//! Members' claims: challenges, ID tokens, short codes, and the one answer to everything that does not fit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64ct::{Base64, Encoding as _};
use chancery_authority::{IdMapping, IdentityProvider, TenantId};
use chancery_claim::{
    ClaimContext, ClaimId, ClaimNonce, ClaimProof, ClaimRequest, Expected, IdToken, Jwk, ShortCode,
    SubjectClaim,
};
use chancery_dsse::Envelope;
use chancery_engine::{
    Act, Answer as Outcome, Authority, DEVICE_NAME_BYTES_MAX, NewClaim, Refusal, ResourceId,
    TenantAct, TenantView, User,
};
use chancery_json::{Element, Fields, Limits, Object, Value};
use chancery_keyset::PublicKeyset;
use chancery_scim::{FoldedName, UserDocument};
use chancery_sealing::{Key, same_bytes};
use hyper::StatusCode;

use crate::attested::failed;
use crate::http::{Answer, Call, json, problem};
use crate::issuer::{Freshness, IssuerError, Published};
use crate::service::{ActFailure, Service};

/// How long a challenge can be answered, in milliseconds.
const CHALLENGE_LIFE_MS: u64 = 10 * 60 * 1000;
/// How long a claim waits for an admin's word, in milliseconds.
const WAITING_LIFE_MS: u64 = 60 * 60 * 1000;
/// Most claims of one account that wait for an admin's word: anybody can make one.
const WAITING_USER_MAX: usize = 8;
/// Most claims of all tenants that wait.
const WAITING_MAX: usize = 4096;
/// Bytes of a challenge: a nonce, its end, a tag.
const CHALLENGE_LENGTH: usize = 16 + 8 + 32;

/// What this instance remembers of claims. A restart forgets it, and members repeat.
#[derive(Debug)]
pub struct Claims {
    key: Key,
    /// Challenges that led to an act, until they end.
    used: Mutex<BTreeMap<[u8; CHALLENGE_LENGTH], u64>>,
    waiting: Mutex<BTreeMap<(TenantId, ResourceId), Vec<Waiting>>>,
}

/// A claim that waits for an admin's word.
#[derive(Clone, Debug)]
struct Waiting {
    request: ClaimRequest,
    device_name: String,
    expires_ms: u64,
}

impl Claims {
    /// Begins with a key that no other instance has.
    #[must_use]
    pub const fn new(key: Key) -> Self {
        Self {
            key,
            used: Mutex::new(BTreeMap::new()),
            waiting: Mutex::new(BTreeMap::new()),
        }
    }

    fn tag(&self, tenant: &TenantId, nonce: &[u8], expires_ms: u64) -> [u8; 32] {
        let context = [tenant.as_bytes(), nonce, &expires_ms.to_be_bytes()].concat();
        self.key.tag("chancery/claim/challenge/v1", &context)
    }

    fn challenge(&self, tenant: &TenantId, fresh: &Key, expires_ms: u64) -> Vec<u8> {
        let nonce: Vec<u8> = fresh.expose().iter().copied().take(16).collect();
        let tag = self.tag(tenant, &nonce, expires_ms);
        [nonce.as_slice(), &expires_ms.to_be_bytes(), &tag].concat()
    }

    /// Whether a challenge is one of ours for this tenant and not over; single use is another question.
    fn is_ours(&self, tenant: &TenantId, challenge: &[u8], now_ms: u64) -> Option<[u8; 56]> {
        let whole: [u8; CHALLENGE_LENGTH] = challenge.try_into().ok()?;
        let (nonce, rest) = whole.split_first_chunk::<16>()?;
        let (end, tag) = rest.split_first_chunk::<8>()?;
        let expires_ms = u64::from_be_bytes(*end);
        let expected = self.tag(tenant, nonce, expires_ms);
        (same_bytes(tag, &expected) && now_ms < expires_ms).then_some(whole)
    }

    /// Takes a challenge out of use.
    ///
    /// # Errors
    /// If it was used before.
    fn spend(&self, challenge: [u8; CHALLENGE_LENGTH], now_ms: u64) -> Result<(), ()> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, expires_ms| *expires_ms > now_ms);
        let expires_ms = now_ms.saturating_add(CHALLENGE_LIFE_MS);
        match used.insert(challenge, expires_ms) {
            None => Ok(()),
            Some(_) => Err(()),
        }
    }

    /// The code that a member reads to an admin. It depends on a key that nobody else has, so that nobody
    /// can look for keys that give a certain code.
    fn code(&self, tenant: &TenantId, request: &ClaimRequest) -> ShortCode {
        let context = [
            tenant.as_bytes().as_slice(),
            request.claim.as_bytes(),
            request.account.fingerprint().as_bytes(),
            request.device.fingerprint().as_bytes(),
        ]
        .concat();
        ShortCode::from_digest(&self.key.tag("chancery/claim/code/v1", &context))
    }

    fn wait(&self, tenant: TenantId, user: ResourceId, claim: Waiting, now_ms: u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for claims in waiting.values_mut() {
            claims.retain(|claim| claim.expires_ms > now_ms);
        }
        waiting.retain(|_, claims| !claims.is_empty());
        if waiting.len() >= WAITING_MAX && !waiting.contains_key(&(tenant, user)) {
            return;
        }
        let claims = waiting.entry((tenant, user)).or_default();
        let same = |known: &Waiting| {
            known.request.account == claim.request.account
                && known.request.device == claim.request.device
        };
        claims.retain(|known| !same(known));
        if claims.len() >= WAITING_USER_MAX {
            claims.remove(0);
        }
        claims.push(claim);
    }

    fn with_code(
        &self,
        tenant: &TenantId,
        user: ResourceId,
        code: &ShortCode,
        now_ms: u64,
    ) -> Option<Waiting> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting
            .get(&(*tenant, user))?
            .iter()
            .find(|claim| {
                claim.expires_ms > now_ms && self.code(tenant, &claim.request).matches(code)
            })
            .cloned()
    }
}

/// Answers `POST /v1/tenants/{slug}/claim/challenge`.
pub(crate) fn challenge(service: &Service, slug: &str) -> Answer {
    let Ok(fresh) = service.fresh() else {
        return failed(&Refusal::Internal.into());
    };
    let view = service.read();
    let Some(tenant) = view.tenant_of_slug(slug) else {
        return problem(StatusCode::NOT_FOUND, "there is no such tenant");
    };
    let expires_ms = service.now_ms().saturating_add(CHALLENGE_LIFE_MS);
    let challenge = service
        .claims
        .challenge(&tenant.secrets.id(), &fresh, expires_ms);
    let idp = tenant.registry.idp().map_or(Value::Null, |idp| {
        Object::new()
            .with("issuer", idp.issuer.as_str())
            .with("client_id", idp.client_id.as_str())
            .with("mapping", idp.mapping.name())
            .into()
    });
    let body = Object::new()
        .with("challenge", Base64::encode_string(&challenge))
        .with("expires_ms", expires_ms)
        .with("idp", idp);
    json(StatusCode::OK, &body)
}

/// What a member sent.
struct Sent {
    request: ClaimRequest,
    device_name: String,
    id_token: Option<String>,
}

/// Why a claim did not succeed.
enum Denied {
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

/// Answers `POST /v1/tenants/{slug}/claim`.
pub(crate) async fn claim(service: &Arc<Service>, call: &Call, slug: &str) -> Answer {
    let sent = match read(call.body()) {
        Ok(sent) => sent,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error),
    };
    let tenant = {
        let view = service.read();
        view.tenant_of_slug(slug).map(|tenant| tenant.secrets.id())
    };
    let Some(tenant) = tenant else {
        return problem(StatusCode::NOT_FOUND, "there is no such tenant");
    };
    let id = ResourceId::from_bytes(*sent.request.claim.as_bytes());
    match decide(service, tenant, id, sent).await {
        Ok(answer) => answer,
        Err(Denied::Told(answer)) => *answer,
        Err(Denied::Refused(reason)) => {
            service.metrics.claims_refused.add(1);
            note(service, tenant, id, reason);
            failed(&Refusal::ClaimRefused.into())
        }
    }
}

/// Has the refusal logged, without letting the caller wait for it.
fn note(service: &Arc<Service>, tenant: TenantId, claim: ResourceId, reason: &'static str) {
    let Ok(fresh) = service.fresh() else { return };
    let service = Arc::clone(service);
    tokio::spawn(async move {
        let act = Act::Tenant {
            tenant,
            authority: Authority::Runtime,
            act: Box::new(TenantAct::NoteRefusedClaim {
                reason,
                claim,
                fresh,
            }),
        };
        // A refusal that cannot be logged now is counted all the same.
        let _unlogged = service.act(act).await;
    });
}

async fn decide(
    service: &Arc<Service>,
    tenant: TenantId,
    id: ResourceId,
    sent: Sent,
) -> Result<Answer, Denied> {
    let now_ms = service.now_ms();
    let challenge = service
        .claims
        .is_ours(&tenant, &sent.request.challenge, now_ms)
        .ok_or(Denied::Refused("challenge"))?;
    let context = context(service, &tenant).ok_or(Denied::Refused("tenant"))?;
    let nonce = sent
        .request
        .check(&context)
        .map_err(|_signature| Denied::Refused("signature"))?;
    if let Some(done) = already(service, &tenant, id, &sent.request) {
        return Ok(done);
    }
    let Some(token) = sent.id_token else {
        return Ok(wait(service, tenant, id, sent.request, sent.device_name));
    };
    let (key, subject) = check_token(service, tenant, &token, &nonce).await?;
    let fresh = service
        .fresh()
        .map_err(|_entropy| ActFailure::from(Refusal::Internal))?;
    let claim = {
        let view = service.read();
        let owner = view.tenant(&tenant).ok_or(Denied::Refused("tenant"))?;
        let user = person(owner, id, &subject, service.dangerous_any_domain)?;
        NewClaim::prepare(
            &owner.secrets,
            user,
            sent.request,
            ClaimProof::IdToken {
                token,
                key: Box::new(key),
            },
            &sent.device_name,
            now_ms,
            &fresh,
        )
        .map_err(|refusal| Denied::from(ActFailure::from(refusal)))?
    };
    service
        .claims
        .spend(challenge, now_ms)
        .map_err(|()| Denied::Refused("challenge used"))?;
    let act = Act::Tenant {
        tenant,
        authority: Authority::Runtime,
        act: Box::new(TenantAct::Claim(Box::new(claim))),
    };
    match service.act(act).await? {
        Outcome::Confirmed { user, index } => {
            service.metrics.claims_confirmed.add(1);
            Ok(confirmed_answer(&user, index))
        }
        _ => Err(ActFailure::from(Refusal::Internal).into()),
    }
}

fn context(service: &Service, tenant: &TenantId) -> Option<ClaimContext> {
    let view = service.read();
    let owner = view.tenant(tenant)?;
    Some(ClaimContext {
        deployment: *owner.registry.authority()?.deployment().as_bytes(),
        tenant: *tenant.as_bytes(),
        genesis: *owner.registry.genesis_hash(),
    })
}

fn confirmed_answer(user: &User, index: u64) -> Answer {
    let body = Object::new()
        .with("state", "confirmed")
        .with("handle", hex::encode(user.handle))
        .with("key_version", u64::from(user.proof.key_version))
        .with("index", index);
    json(StatusCode::OK, &body)
}

/// The answer to whoever holds the keys that have claimed this account already: a reply was lost.
fn already(
    service: &Service,
    tenant: &TenantId,
    id: ResourceId,
    request: &ClaimRequest,
) -> Option<Answer> {
    let view = service.read();
    let user = view.tenant(tenant)?.registry.users().get(id)?;
    let account = user.custody.account().filter(|_| user.active)?;
    let same = account.fingerprint == *request.account.fingerprint().as_bytes()
        && account
            .device(request.device.fingerprint().as_bytes())
            .is_some();
    same.then(|| confirmed_answer(user, user.proof.key_index))
}

/// Without an ID token an admin decides. The answer is the same whoever is asked for.
fn wait(
    service: &Service,
    tenant: TenantId,
    id: ResourceId,
    request: ClaimRequest,
    device_name: String,
) -> Answer {
    let code = service.claims.code(&tenant, &request);
    let now_ms = service.now_ms();
    let exists = {
        let view = service.read();
        view.tenant(&tenant)
            .is_some_and(|owner| owner.registry.users().get(id).is_some())
    };
    if exists {
        let claim = Waiting {
            request,
            device_name,
            expires_ms: now_ms.saturating_add(WAITING_LIFE_MS),
        };
        service.claims.wait(tenant, id, claim, now_ms);
    }
    let body = Object::new()
        .with("state", "waiting")
        .with("code", code.to_string());
    json(StatusCode::ACCEPTED, &body)
}

/// The claim that an admin's act confirms, if its code is one that waits. The act itself is verified where
/// it is decided.
pub(crate) fn confirmed(
    service: &Service,
    tenant: TenantId,
    act: &Envelope,
    body: &[u8],
) -> Option<Box<NewClaim>> {
    let mut fields = Fields::parse(body, &Limits::DOCUMENT).ok()?;
    let named = fields.take_str("user").ok()?;
    let code = ShortCode::parse(&fields.take_str("code").ok()?).ok()?;
    let view = service.read();
    let owner = view.tenant(&tenant)?;
    let registry = &owner.registry;
    let user = ResourceId::parse(&named)
        .and_then(|id| registry.users().get(id))
        .or_else(|| registry.user_named(FoldedName::lookup(&named).as_str()))?;
    let now_ms = service.now_ms();
    let waiting = service.claims.with_code(&tenant, user.id, &code, now_ms)?;
    let proof = ClaimProof::Confirmation {
        act: Envelope::parse(&act.to_json()).ok()?,
        body: body.to_vec(),
    };
    let fresh = service.fresh().ok()?;
    NewClaim::prepare(
        &owner.secrets,
        user,
        waiting.request,
        proof,
        &waiting.device_name,
        now_ms,
        &fresh,
    )
    .ok()
    .map(Box::new)
}

/// Who the token says the person is.
enum Person {
    ExternalId(String),
    DangerousEmail(String),
}

async fn check_token(
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
            Err(chancery_claim::Error::UnknownKey) => {
                if IdToken::verify(token.as_bytes(), &expected(&waiting)).is_ok() {
                    return Err(ActFailure::from(Refusal::IssuerKey).into());
                }
                if freshness == Freshness::Newest {
                    return Err(Denied::Refused("unknown key"));
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
fn person<'v>(
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
            ActFailure::Unavailable
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

fn read(body: &[u8]) -> Result<Sent, String> {
    let mut fields = Fields::parse(body, &Limits::DOCUMENT).map_err(|error| error.describe())?;
    let mut take = |name: &'static str| fields.take(name).map_err(|error| error.describe());
    let claim = take("claim")?;
    let challenge = bytes(take("challenge")?, "challenge")?;
    let account = keyset(take("account")?, "account")?;
    let device = keyset(take("device")?, "device")?;
    let device_name = take("device_name")?
        .into_str()
        .map_err(|error| error.describe())?;
    let signature = bytes(take("signature")?, "signature")?
        .try_into()
        .map_err(|_length| String::from("signature must be 64 bytes in base64"))?;
    let id_token = match take("id_token")?.into_value() {
        Value::Null => None,
        Value::String(text) => Some(text),
        _ => return Err(String::from("id_token must be a text or null")),
    };
    fields.finish().map_err(|error| error.describe())?;
    if device_name.len() > DEVICE_NAME_BYTES_MAX {
        return Err(format!(
            "device_name is longer than {DEVICE_NAME_BYTES_MAX} bytes"
        ));
    }
    let claim = claim.into_str().map_err(|error| error.describe())?;
    let claim = ClaimId::parse(&claim)
        .map_err(|_form| String::from("claim must be a UUID in lower case"))?;
    Ok(Sent {
        request: ClaimRequest {
            challenge,
            claim,
            account,
            device,
            signature,
        },
        device_name,
        id_token,
    })
}

fn bytes(element: Element, name: &str) -> Result<Vec<u8>, String> {
    let text = element.into_str().map_err(|error| error.describe())?;
    Base64::decode_vec(&text).map_err(|_form| format!("{name} must be base64"))
}

fn keyset(element: Element, name: &str) -> Result<PublicKeyset, String> {
    PublicKeyset::decode(&bytes(element, name)?)
        .map_err(|_keyset| format!("{name} is no public keyset"))
}
