//! Signing keys of the tenant's OpenID provider: seen by the runtime, trusted after a while or by an admin.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_directory::EntryType;
use chancery_json::{Fields, Object, Value};

use super::admin::{Desk, tenant_handle};
use super::booking::{Booking, Document, Warrant};
use crate::act::{Answer, Refusal};
use crate::event::Event;
use crate::governance::{ISSUER_KEY_WAIT_MS, IssuerKey};
use crate::prepare::Draws;
use crate::records::ActRecord;
use crate::tenant::Tenant;

type Outcome = Result<(Option<ActRecord>, Answer), Refusal>;

/// Most keys of an issuer that are remembered.
const ISSUER_KEYS_MAX: usize = 64;

/// Takes in what the issuer publishes now. A key that is new waits; one that is not published any more is
/// forgotten, and would wait again.
pub(super) fn published(
    head: &mut Tenant,
    now_ms: u64,
    published: Vec<([u8; 32], Vec<u8>)>,
    draws: Draws,
) -> Outcome {
    if published.len() > ISSUER_KEYS_MAX {
        return Err(Refusal::TooLarge {
            what: "keys of the identity provider",
            limit: ISSUER_KEYS_MAX,
        });
    }
    let known = head.registry.issuer_keys();
    let next: Vec<IssuerKey> = published
        .into_iter()
        .map(|(thumbprint, jwk)| {
            let before = known.iter().find(|key| key.thumbprint == thumbprint);
            before.cloned().unwrap_or_else(|| IssuerKey {
                thumbprint,
                jwk: jwk.into_boxed_slice(),
                seen_ms: now_ms,
                trusted_from_ms: now_ms.saturating_add(ISSUER_KEY_WAIT_MS),
                approved: false,
            })
        })
        .collect();
    if next == known {
        return Ok((None, Answer::Noted));
    }
    let warrant = Warrant::instance(head.chronicle.log().instance().0);
    put(head, now_ms, &warrant, draws, next, &[])
}

fn put(
    head: &mut Tenant,
    now_ms: u64,
    warrant: &Warrant,
    draws: Draws,
    keys: Vec<IssuerKey>,
    spent: &[Event],
) -> Outcome {
    let listed = |keys: &[IssuerKey]| -> Vec<Value> {
        keys.iter()
            .map(|key| Value::from(hex::encode(key.thumbprint)))
            .collect()
    };
    let waits: Vec<Value> = keys
        .iter()
        .map(|key| Value::from(key.trusted_from_ms))
        .collect();
    let document = Object::new()
        .with("thumbprints", listed(&keys))
        .with("trusted_from_ms", waits)
        .to_bytes();
    let subject = tenant_handle(&head.secrets.id());
    let mut booking = Booking::begin(
        head,
        now_ms,
        warrant,
        draws,
        Document::Kept(&document),
        Vec::new(),
    )?;
    booking.with_document(EntryType::PolicyChanged, subject)?;
    booking.event(Event::IssuerKeys(Arc::from(keys)));
    for event in spent {
        booking.event(event.clone());
    }
    let index = booking.last();
    Ok((Some(booking.finish()), Answer::Done { subject, index }))
}

impl Desk<'_> {
    /// Lets keys of the issuer count at once.
    pub(super) fn trust_issuer(
        &self,
        head: &mut Tenant,
        draws: Draws,
        mut fields: Fields,
    ) -> Outcome {
        let named = fields.take_strings("thumbprints")?;
        fields.finish()?;
        let thumbprints: Option<Vec<[u8; 32]>> =
            named.iter().map(|text| thumbprint(text)).collect();
        let thumbprints =
            thumbprints
                .filter(|list| !list.is_empty())
                .ok_or(Refusal::Malformed {
                    member: "thumbprints",
                })?;
        let mut keys = head.registry.issuer_keys().to_vec();
        for wanted in thumbprints {
            let key = keys
                .iter_mut()
                .find(|key| key.thumbprint == wanted)
                .ok_or(Refusal::NotFound)?;
            key.approved = true;
            key.trusted_from_ms = key.trusted_from_ms.min(self.now_ms);
        }
        let warrant = self.warrant(head);
        let spent: Vec<Event> = self.verified.spent().collect();
        put(head, self.now_ms, &warrant, draws, keys, &spent)
    }

    /// The issuer's keys as the runtime knows them.
    pub(super) fn read_issuer(head: &Tenant, fields: Fields) -> Outcome {
        fields.finish()?;
        let idp = head.registry.idp().ok_or(Refusal::NotFound)?;
        let keys: Vec<Value> = head
            .registry
            .issuer_keys()
            .iter()
            .map(|key| shown(key).into())
            .collect();
        let document = Object::new()
            .with("issuer", idp.issuer.as_str())
            .with("client_id", idp.client_id.as_str())
            .with("keys", keys);
        Ok((None, Answer::Document(alloc::boxed::Box::new(document))))
    }
}

fn shown(key: &IssuerKey) -> Object {
    let parsed = chancery_claim::Jwk::parse(&key.jwk).ok();
    let text = |value: Option<String>| value.map_or(Value::Null, Value::from);
    let (kid, algorithm) = parsed.map_or((None, None), |jwk| {
        (
            jwk.key_id().map(String::from),
            jwk.algorithm()
                .map(|algorithm| String::from(algorithm.name())),
        )
    });
    Object::new()
        .with("thumbprint", hex::encode(key.thumbprint))
        .with("kid", text(kid))
        .with("alg", text(algorithm))
        .with("seen_ms", key.seen_ms)
        .with("trusted_from_ms", key.trusted_from_ms)
        .with("approved", key.approved)
        .with("published", true)
}

fn thumbprint(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}
