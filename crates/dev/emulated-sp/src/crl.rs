//! Which revocation list the emulated key distribution hands out at which time (RFC 5280, section 5).

use crate::pki;

/// A list is issued anew after this time: one day in milliseconds. It would be good for [`pki::CRL_VALID_MS`].
pub(crate) const RENEWAL_MS: u64 = 86_400_000;

/// Most certificates that a list names: there is one intermediate.
pub(crate) const REVOKED_MAX: usize = 1;

/// A certificate that was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Revocation {
    /// Its serial number, big-endian.
    pub(crate) serial: [u8; 3],
    /// When, in milliseconds since the Unix epoch.
    pub(crate) revoked_ms: u64,
}

/// The lists of one root. Nobody writes down each of them: list and time follow from the last change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CrlSchedule {
    /// The number of the list that the last change made.
    pub(crate) number: u64,
    /// When that was, in milliseconds since the Unix epoch.
    pub(crate) issued_ms: u64,
    /// What every list since then names.
    pub(crate) revoked: Vec<Revocation>,
}

/// One list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CrlIssue {
    /// CRLNumber: later lists have higher ones.
    pub(crate) number: u64,
    /// When it was made, in milliseconds since the Unix epoch.
    pub(crate) made_ms: u64,
}

impl CrlSchedule {
    /// Lists that revoke nothing. The first has the number of its day.
    pub(crate) const fn new(now_ms: u64) -> Self {
        Self {
            number: now_ms / RENEWAL_MS,
            issued_ms: now_ms,
            revoked: Vec::new(),
        }
    }

    /// The newest list at a time.
    pub(crate) const fn newest(&self, now_ms: u64) -> CrlIssue {
        let renewals = now_ms.saturating_sub(self.issued_ms) / RENEWAL_MS;
        CrlIssue {
            number: self.number.saturating_add(renewals),
            made_ms: self
                .issued_ms
                .saturating_add(renewals.saturating_mul(RENEWAL_MS)),
        }
    }

    /// Issues a list that names one certificate more, at once and with the next number.
    pub(crate) fn revoke(&mut self, serial: [u8; 3], now_ms: u64) {
        if self.revoked.iter().any(|known| known.serial == serial) {
            return;
        }
        let before = self.newest(now_ms);
        self.number = before.number.saturating_add(1);
        self.issued_ms = now_ms.max(before.made_ms);
        self.revoked.push(Revocation {
            serial,
            revoked_ms: now_ms,
        });
    }
}

// A list is replaced long before it ends.
const _: () = assert!(RENEWAL_MS * 7 < pki::CRL_VALID_MS);

#[cfg(test)]
mod tests {
    use super::*;

    const MADE_MS: u64 = 20_000 * RENEWAL_MS + 5;

    #[test]
    fn a_list_is_renewed_each_day_under_the_next_number() {
        let schedule = CrlSchedule::new(MADE_MS);
        let first = CrlIssue {
            number: 20_000,
            made_ms: MADE_MS,
        };
        assert_eq!(schedule.newest(MADE_MS), first);
        assert_eq!(schedule.newest(MADE_MS + RENEWAL_MS - 1), first);
        assert_eq!(schedule.newest(0), first, "a clock that went back");
        let third = CrlIssue {
            number: 20_002,
            made_ms: MADE_MS + 2 * RENEWAL_MS,
        };
        assert_eq!(schedule.newest(MADE_MS + 2 * RENEWAL_MS + 7), third);
    }

    #[test]
    fn a_revocation_is_published_at_once_and_stays() {
        let mut schedule = CrlSchedule::new(MADE_MS);
        let now_ms = MADE_MS + 3 * RENEWAL_MS + 100;
        let before = schedule.newest(now_ms);
        schedule.revoke([2, 0, 2], now_ms);
        let after = schedule.newest(now_ms);
        assert_eq!(after.number, before.number + 1);
        assert_eq!(after.made_ms, now_ms);
        schedule.revoke([2, 0, 2], now_ms + 1);
        assert_eq!(schedule.newest(now_ms + 1), after, "it is revoked already");
        assert_eq!(schedule.revoked.len(), REVOKED_MAX);
        let later = schedule.newest(now_ms + RENEWAL_MS);
        assert_eq!(later.number, after.number + 1);
    }
}
