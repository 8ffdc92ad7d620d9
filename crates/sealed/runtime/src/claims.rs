//! Members' claims: challenges, ID tokens, short codes, and the one answer to everything that does not fit.

mod endpoint;
mod person;
mod sent;

pub(crate) use endpoint::{challenge, claim, confirmed};
pub(crate) use person::refresh_issuer;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chancery_authority::TenantId;
use chancery_claim::{ClaimRequest, ShortCode};
use chancery_engine::ResourceId;
use chancery_sealing::{Key, same_bytes};

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
