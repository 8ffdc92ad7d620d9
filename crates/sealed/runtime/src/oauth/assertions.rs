//! Which assertions were used: each is good once (RFC 7523 section 3, on `jti`).

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use chancery_claim::{ASSERTION_SKEW_S, ClientAssertion};
use sha2::{Digest as _, Sha256};

/// Most assertions of one client that are remembered. A token lives for an hour, so that a client needs one or
/// two at a time; one that signs for a minute each may fetch a token for every request.
const CLIENT_MAX: usize = 1024;

/// The assertions that this instance has seen, until they expire. A restart forgets them; so one that may have
/// been used before this instance served is never accepted.
#[derive(Debug, Default)]
pub struct Assertions {
    served_from_ms: OnceLock<u64>,
    used: Mutex<Used>,
}

/// An assertion: its client's handle, and SHA-256 of its `jti`.
type Name = ([u8; 32], [u8; 32]);

#[derive(Debug, Default)]
struct Used {
    names: BTreeSet<Name>,
    /// When to forget which.
    ends: BTreeSet<(u64, Name)>,
}

impl Assertions {
    /// The instance serves from now on; it does not take assertions before.
    pub fn begin(&self, now_ms: u64) {
        self.served_from_ms.get_or_init(|| now_ms);
    }

    /// The time up to which assertions may have been used without this instance knowing: an earlier one took
    /// them from clocks that were ahead. None while no assertion could be newer: `iat` counts whole seconds.
    pub(super) fn issued_after_ms(&self, now_ms: u64) -> Option<u64> {
        let after_ms = self
            .served_from_ms
            .get()?
            .saturating_add(ASSERTION_SKEW_S.saturating_mul(1000));
        (now_ms > after_ms.saturating_add(1000)).then_some(after_ms)
    }

    /// Takes an assertion of a client out of use; `false` if it was used before, or if there is no room to
    /// remember it. Nothing is forgotten early.
    pub(super) fn spend(&self, client: [u8; 32], assertion: &ClientAssertion, now_ms: u64) -> bool {
        let name = (client, Sha256::digest(assertion.id()).into());
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((_, ended)) = used
            .ends
            .first()
            .copied()
            .filter(|(expires_ms, _)| *expires_ms <= now_ms)
        {
            used.ends.pop_first();
            used.names.remove(&ended);
        }
        let all_of_client = (client, [0; 32])..=(client, [u8::MAX; 32]);
        if used.names.range(all_of_client).count() >= CLIENT_MAX || !used.names.insert(name) {
            return false;
        }
        used.ends.insert((assertion.expires_ms(), name));
        true
    }
}
