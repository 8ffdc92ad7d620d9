//! Attestation and the attested API of admins (design section 3.3).

use std::sync::Arc;

use base64ct::{Base64, Encoding as _};
use chancery_authority::{ActName, TenantId};
use chancery_dsse::Envelope;
use chancery_engine::{
    Act, Admit, Answer as Outcome, Authority, Credential, CredentialForm, GroupKey, Refusal,
    TenantAct,
};
use chancery_json::{Fields, Limits, Object, Value};
use chancery_keyset::{
    Keyset, KeysetSeed, PublicKeyset, SEED_LENGTH, WrapContext, WrapPurpose, wrap,
};
use chancery_scim::GroupDocument;
use chancery_sealing::ExpandedEntropy;
use chancery_session::AttestRequest;
use chancery_tlog::tile::TileCoordinate;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use hyper::{Method, StatusCode};

use crate::audit;
use crate::claims;
use crate::http::{Answer, Call, allowing, json, problem, retry_later, with_body};
use crate::issuer::Freshness;
use crate::service::{ActFailure, Service};

/// TLS exporter label of the value that signed acts name; the context is empty.
const ACT_EXPORTER_LABEL: &[u8] = b"EXPORTER-chancery-act-v1";

/// Answers `/.well-known/chancery/v1/…`.
pub async fn attestation(service: &Arc<Service>, call: &Call) -> Answer {
    match (&call.method, call.path.as_str()) {
        (&Method::POST, "/.well-known/chancery/v1/attest") => attest(service, call).await,
        (&Method::GET, "/.well-known/chancery/v1/deployment") => with_body(
            StatusCode::OK,
            "application/json",
            service.node.document().to_vec(),
        ),
        (_, "/.well-known/chancery/v1/attest") => wrong_method("POST"),
        (_, "/.well-known/chancery/v1/deployment") => wrong_method("GET, HEAD"),
        _ => problem(StatusCode::NOT_FOUND, "there is nothing at this path"),
    }
}

fn wrong_method(methods: &'static str) -> Answer {
    let answer = problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path does not take this method",
    );
    allowing(answer, methods)
}

async fn attest(service: &Arc<Service>, call: &Call) -> Answer {
    let Ok(request) = AttestRequest::from_json(call.body()) else {
        return problem(
            StatusCode::BAD_REQUEST,
            "the body is no attestation request",
        );
    };
    match service
        .node
        .attest(service, &call.channel, &request)
        .await
        .map(|made| made.to_json())
    {
        Ok(Ok(body)) => with_body(StatusCode::OK, "application/json", body),
        Ok(Err(_)) | Err(_) => retry_later(problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "the runtime cannot prove itself now; try again later",
        )),
    }
}

/// Answers `/log/…`: the root log in C2SP tlog-tiles paths. It is public; a tile past the newest
/// cosigned head may be served early, which binds nobody.
#[must_use]
pub fn log(service: &Service, call: &Call) -> Answer {
    let absent = || problem(StatusCode::NOT_FOUND, "there is nothing at this path");
    let Some(path) = call.path.strip_prefix("/log/") else {
        return absent();
    };
    if call.method != Method::GET {
        return wrong_method("GET, HEAD");
    }
    if path == "checkpoint" {
        return service.commit.newest().map_or_else(
            || {
                problem(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "there is no cosigned checkpoint yet",
                )
            },
            |newest| {
                let note = newest.note().encode().into_bytes();
                with_body(StatusCode::OK, "text/plain; charset=utf-8", note)
            },
        );
    }
    TileCoordinate::parse(path)
        .ok()
        .and_then(|coordinate| service.node.tile(&coordinate))
        .map_or_else(absent, |tile| {
            with_body(StatusCode::OK, "application/octet-stream", tile)
        })
}

/// Answers `/v1/…`.
pub async fn api(service: &Arc<Service>, call: &Call) -> Answer {
    let mut segments = call.path.split('/').skip(2);
    let path = (
        segments.next(),
        segments.next(),
        segments.next(),
        segments.next(),
    );
    match (&call.method, path) {
        (&Method::POST, (Some("tenants"), None, None, None)) => create(service, call).await,
        (&Method::GET, (Some("tenants"), Some(slug), None, None)) => show(service, slug),
        (&Method::POST, (Some("tenants"), Some(slug), Some("acts"), None)) => {
            act(service, call, slug).await
        }
        (&Method::POST, (Some("tenants"), Some(slug), Some("claim"), None)) => {
            claims::claim(service, call, slug).await
        }
        (&Method::POST, (Some("tenants"), Some(slug), Some("claim"), Some("challenge"))) => {
            claims::challenge(service, slug)
        }
        (
            _,
            (Some("tenants"), None, None, None)
            | (Some("tenants"), Some(_), Some("acts" | "claim"), None)
            | (Some("tenants"), Some(_), Some("claim"), Some("challenge")),
        ) => wrong_method("POST"),
        (_, (Some("tenants"), Some(_), None, None)) => wrong_method("GET, HEAD"),
        _ => problem(StatusCode::NOT_FOUND, "there is nothing at this path"),
    }
}

/// Nothing is served now.
pub(crate) fn unavailable() -> Answer {
    retry_later(problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "the log's witnesses cannot be reached; try again later",
    ))
}

async fn create(service: &Arc<Service>, call: &Call) -> Answer {
    let papers = Fields::parse(call.body(), &Limits::DOCUMENT).and_then(|mut fields| {
        let admission = fields.take("admission")?.into_value().to_bytes();
        let genesis = fields.take("genesis")?.into_value().to_bytes();
        fields.finish()?;
        Ok((admission, genesis))
    });
    let (admission, genesis) = match papers {
        Ok(papers) => papers,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.describe()),
    };
    let (Ok(admission), Ok(genesis)) = (Envelope::parse(&admission), Envelope::parse(&genesis))
    else {
        return problem(
            StatusCode::BAD_REQUEST,
            "admission and genesis must be DSSE envelopes",
        );
    };
    let Ok(fresh) = service.fresh() else {
        return problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the runtime has no randomness",
        );
    };
    match service
        .act(Act::Admit(Box::new(Admit {
            admission,
            genesis,
            fresh,
        })))
        .await
    {
        Ok(Outcome::Admitted { tenant, index }) => {
            let body = Object::new()
                .with("tenant_id", tenant.to_string())
                .with("index", index);
            json(StatusCode::CREATED, &body)
        }
        Ok(_) => failed(&Refusal::Internal.into()),
        Err(failure) => failed(&failure),
    }
}

/// What anybody who knows a tenant's name may know of it: its genesis, which clients pin, who has become
/// admin since, and the sequence numbers that the admins have used.
fn show(service: &Service, slug: &str) -> Answer {
    let view = service.read();
    let Some(tenant) = view.tenant_of_slug(slug) else {
        return problem(StatusCode::NOT_FOUND, "there is no such tenant");
    };
    let registry = &tenant.registry;
    let parse = |bytes: &[u8]| Value::parse(bytes, &Limits::DOCUMENT).ok();
    let Some(genesis) = registry.genesis().and_then(|bytes| parse(bytes)) else {
        return problem(StatusCode::NOT_FOUND, "there is no such tenant");
    };
    let admin_changes: Vec<Value> = registry
        .admin_changes()
        .iter()
        .filter_map(|bytes| parse(bytes))
        .collect();
    let mut sequences = Object::new();
    for key in registry
        .authority()
        .map(|authority| authority.admins().keys())
        .unwrap_or_default()
    {
        let id = key.id();
        let sequence = registry.admin_sequence(id.as_bytes());
        if sequence > 0 {
            sequences.insert(id.to_hex(), Value::from(sequence));
        }
    }
    let body = Object::new()
        .with("slug", slug)
        .with("tenant_id", tenant.secrets.id().to_string())
        .with("genesis", genesis)
        .with("admin_changes", admin_changes)
        .with("sequences", Value::Object(sequences))
        .with("log_size", tenant.log_size);
    let mut answer = json(StatusCode::OK, &body);
    // The admins may change at any time.
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

async fn act(service: &Arc<Service>, call: &Call, slug: &str) -> Answer {
    let (envelope, body) = match signed_act(call.body()) {
        Ok(parts) => parts,
        Err(answer) => return *answer,
    };
    let Some(name) = act_name(&envelope) else {
        return problem(
            StatusCode::BAD_REQUEST,
            "the signed payload names no known act",
        );
    };
    let tenant = {
        let view = service.read();
        view.tenant_of_slug(slug).map(|tenant| tenant.secrets.id())
    };
    let Some(tenant) = tenant else {
        return problem(StatusCode::NOT_FOUND, "there is no such tenant");
    };
    let (Ok(exporter), Ok(fresh)) = (
        call.channel.export(ACT_EXPORTER_LABEL, b""),
        service.fresh(),
    ) else {
        return problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the act could not be taken in",
        );
    };
    if name == ActName::IssuerRead
        && let Err(failure) = claims::refresh_issuer(service, tenant, Freshness::Newest).await
    {
        return failed(&failure);
    }
    let claim = if name == ActName::ClaimConfirm {
        claims::confirmed(service, tenant, &envelope, &body)
    } else {
        None
    };
    let act = Act::Tenant {
        tenant,
        authority: Authority::Signed {
            envelope: Box::new(envelope),
            exporter,
            body,
        },
        act: Box::new(TenantAct::Signed { name, fresh, claim }),
    };
    match service.act(act).await {
        Ok(Outcome::Audit(page)) => audit::page(service, tenant, page).await,
        Ok(outcome) => outcome_of(service, &tenant, &outcome),
        Err(failure) => failed(&failure),
    }
}

fn signed_act(body: &[u8]) -> Result<(Envelope, Vec<u8>), Box<Answer>> {
    let refuse = |text: &str| Box::new(problem(StatusCode::BAD_REQUEST, text));
    let parts = Fields::parse(body, &Limits::DOCUMENT).and_then(|mut fields| {
        let act = fields.take("act")?.into_value().to_bytes();
        let body = fields.take_str("body")?;
        fields.finish()?;
        Ok((act, body))
    });
    let (act, body) = parts.map_err(|error| refuse(&error.describe()))?;
    let envelope = Envelope::parse(&act).map_err(|_form| refuse("act must be a DSSE envelope"))?;
    let body = Base64::decode_vec(&body).map_err(|_form| refuse("body must be base64"))?;
    Ok((envelope, body))
}

/// The name that the payload claims; believed only once the signature over it has been checked.
fn act_name(envelope: &Envelope) -> Option<ActName> {
    let mut fields = Fields::parse(envelope.unverified_payload(), &Limits::DOCUMENT).ok()?;
    ActName::parse(&fields.take_str("act").ok()?)
}

fn outcome_of(service: &Service, tenant: &TenantId, outcome: &Outcome) -> Answer {
    let body = match outcome {
        Outcome::Done { subject, index } => Object::new()
            .with("id", hex::encode(subject))
            .with("index", *index),
        Outcome::Confirmed { user, index } => {
            service.metrics.claims_confirmed.add(1);
            Object::new()
                .with("id", hex::encode(user.handle))
                .with("index", *index)
        }
        Outcome::Credential {
            credential,
            secret,
            replaces,
            index,
        } => {
            let mut body = described(credential).with("index", *index);
            if let Some(secret) = secret {
                let name = match credential.form {
                    CredentialForm::Bearer => "token",
                    CredentialForm::Secret | CredentialForm::Keys(_) => "client_secret",
                };
                body = body.with(name, secret.0.as_str());
            }
            if let Some(ending) = replaces {
                body = body
                    .with("replaces", hex::encode(ending.handle))
                    .with("replaced_until_ms", ending.not_after_ms);
            }
            body
        }
        Outcome::Credentials(credentials) => {
            let list: Vec<Value> = credentials
                .iter()
                .map(|known| {
                    let used = service.last_used_ms(&known.credential.handle);
                    let used = used
                        .max(known.last_used_ms)
                        .map_or(Value::Null, Value::from);
                    Value::Object(described(&known.credential).with("last_used_ms", used))
                })
                .collect();
            Object::new().with("tokens", list)
        }
        Outcome::Proved(document) => return json(StatusCode::OK, document),
        Outcome::GroupKey(key) => return group_key(service, tenant, key),
        Outcome::Document(document) => return json(StatusCode::OK, document),
        _ => return failed(&Refusal::Internal.into()),
    };
    json(StatusCode::OK, &body)
}

fn described(credential: &Credential) -> Object {
    let scopes: Vec<Value> = credential
        .scopes
        .iter()
        .map(|scope| Value::from(&**scope))
        .collect();
    let described = Object::new()
        .with("id", hex::encode(credential.handle))
        .with("label", &*credential.label)
        .with("scopes", scopes)
        .with("issued_ms", credential.issued_ms)
        .with("not_after_ms", credential.not_after_ms)
        .with("revoked", credential.revoked);
    match credential.form.described() {
        Some(client) => described.with("client", client),
        None => described,
    }
}

/// A group's key, wrapped for the member who asked. The quorum that released it is the newest.
fn group_key(service: &Service, tenant: &TenantId, key: &GroupKey) -> Answer {
    let wrapped = (|| {
        let secrets = {
            let view = service.read();
            Arc::clone(&view.tenant(tenant)?.secrets)
        };
        let seed = secrets
            .key()
            .open_keyset(&key.group, &key.epoch.sealed_seed)
            .ok()?;
        let bytes: [u8; SEED_LENGTH] = seed.as_slice().try_into().ok()?;
        let keyset = Keyset::from_seed(KeysetSeed::from_bytes(bytes)).ok()?;
        let recipient = PublicKeyset::decode(&key.recipient).ok()?;
        let context = WrapContext {
            purpose: WrapPurpose::GroupEpochKey,
            tenant: *tenant.as_bytes(),
            subject: key.group,
            sender: keyset.public().fingerprint(),
            log_position: key.epoch.index,
        };
        let mut entropy = ExpandedEntropy::new(service.fresh().ok()?);
        let wrap = wrap(&recipient, &context, keyset.seed().expose(), &mut entropy).ok()?;
        let document = GroupDocument::from_canonical(&key.document).ok()?;
        Some(
            Object::new()
                .with("group", key.id.text())
                .with("name", document.display_name())
                .with("handle", hex::encode(key.group))
                .with("epoch", u64::from(key.epoch.number))
                .with("index", key.epoch.index)
                .with("public", Base64::encode_string(&keyset.public().encode()))
                .with("wrap", Base64::encode_string(&wrap.encode())),
        )
    })();
    wrapped.map_or_else(
        || failed(&Refusal::Internal.into()),
        |body| json(StatusCode::OK, &body),
    )
}

/// What is wrong with one of several members, with the place or the domain that the admin must look at.
fn member_fault(cause: &Refusal) -> String {
    match cause {
        Refusal::Body(error) => error.describe(),
        Refusal::Delegation(chancery_authority::Refusal::DomainNotTrusted { domain }) => {
            format!("the domain {domain} is not among the domains of the tenant")
        }
        other => other.to_string(),
    }
}

/// Each failure has one answer.
pub(crate) fn failed(failure: &ActFailure) -> Answer {
    let refusal = match failure {
        ActFailure::Refused(refusal) => refusal,
        ActFailure::Unavailable => return unavailable(),
        ActFailure::IssuerUnreachable => {
            return retry_later(problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "the identity provider's keys cannot be fetched now; nothing was changed; try again later",
            ));
        }
        ActFailure::OutcomeUnknown => {
            return retry_later(problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "the outcome is not known yet; the act may still take effect",
            ));
        }
    };
    let status = status_of(refusal);
    let detail = match refusal {
        Refusal::Paper(error) => error.describe(),
        Refusal::Body(error) => error.describe(),
        Refusal::Member { index, cause } => format!("member {index}: {}", member_fault(cause)),
        other => other.to_string(),
    };
    problem(status, &detail)
}

fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Unauthorized | Refusal::Paper(_) | Refusal::ClaimRefused | Refusal::IssuerKey => {
            StatusCode::FORBIDDEN
        }
        Refusal::CredentialScope { .. }
        | Refusal::NoDelegation
        | Refusal::Delegation(_)
        | Refusal::Protected { .. }
        | Refusal::Held { .. }
        | Refusal::CredentialTerms => StatusCode::FORBIDDEN,
        Refusal::Body(_)
        | Refusal::Value { .. }
        | Refusal::Scim(_)
        | Refusal::UnknownMember { .. }
        | Refusal::Malformed { .. }
        | Refusal::Keyset
        | Refusal::Member { .. }
        | Refusal::TooLarge { .. } => StatusCode::BAD_REQUEST,
        Refusal::NotFound | Refusal::NoPlan => StatusCode::NOT_FOUND,
        Refusal::Taken { .. }
        | Refusal::OtherSlug
        | Refusal::Stale { .. }
        | Refusal::PlanOpen
        | Refusal::PlanUnderway
        | Refusal::OtherPlan => StatusCode::CONFLICT,
        Refusal::Burst { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Unsupported => StatusCode::NOT_IMPLEMENTED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_admins_cannot_do_now_is_a_conflict_and_what_they_cannot_say_a_bad_request() {
        let stale = Refusal::Stale { what: "it is gone" };
        let value = Refusal::Value {
            member: "count",
            allowed: "from 1 to 2",
        };
        assert_eq!(failed(&stale.into()).status(), StatusCode::CONFLICT);
        assert_eq!(failed(&value.into()).status(), StatusCode::BAD_REQUEST);
        let missing = failed(&Refusal::NotFound.into());
        assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    }
}
