//! The two requests of a claim, and the claim that an admin's word confirms.

use std::sync::Arc;

use base64ct::{Base64, Encoding as _};
use chancery_authority::TenantId;
use chancery_claim::{ClaimContext, ClaimProof, ClaimRequest, ShortCode};
use chancery_dsse::Envelope;
use chancery_engine::{
    Act, Answer as Outcome, Authority, ClaimOf, NewClaim, Refusal, ResourceId, TenantAct, User,
};
use chancery_json::{Fields, Limits, Object, Value};
use chancery_scim::FoldedName;
use hyper::StatusCode;

use super::person::{Denied, check_token, person};
use super::sent::{Sent, read};
use super::{CHALLENGE_LIFE_MS, WAITING_LIFE_MS, Waiting};
use crate::attested::failed;
use crate::http::{Answer, Call, json, problem};
use crate::service::{ActFailure, Service};

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
        let claim = ClaimOf {
            user,
            request: sent.request,
            proof: ClaimProof::IdToken {
                token,
                key: Box::new(key),
            },
            device_name: &sent.device_name,
        };
        NewClaim::prepare(&owner.secrets, claim, now_ms, &fresh)
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
    let claim = ClaimOf {
        user,
        request: waiting.request,
        proof,
        device_name: &waiting.device_name,
    };
    NewClaim::prepare(&owner.secrets, claim, now_ms, &fresh)
        .ok()
        .map(Box::new)
}
