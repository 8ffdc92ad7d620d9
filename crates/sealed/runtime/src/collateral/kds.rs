//! AMD's key distribution service: what is asked, how its answers are read, and when it may be asked again.
//!
//! "Versioned Chip Endorsement Key (VCEK) Certificate and KDS Interface Specification", AMD publication 57230. The service limits the rate of
//! requests and says so with 429.

use chancery_evidence::ProductLine;
use chancery_platform::{COLLATERAL_SIZE_MAX, read_pem};
use chancery_sealing::Entropy;

use super::fit::Chip;
use super::pool::Pool;

/// The service's name, for TLS and in requests. Where it is reached is the host's business.
pub(crate) const KDS_HOST: &str = "kdsintf.amd.com";

/// Certificates of a chain: intermediate and root.
const CHAIN_SIZE: usize = 2;

/// Most requests in the life of one runtime. At the longest pause between failures they last for a month of nothing else.
pub(crate) const REQUESTS_MAX: u32 = 4096;

/// Pause after the first failure, in microseconds; each further one doubles it.
const PAUSE_US_MIN: u64 = 1_000_000;
/// The same if the service said that it was asked too often.
const LIMITED_PAUSE_US_MIN: u64 = 60 * 1_000_000;
/// Longest pause, in microseconds: a service that waits for its first certificate should not wait for long after the
/// network is back.
const PAUSE_US_MAX: u64 = 10 * 60 * 1_000_000;

/// What is asked of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KdsRequest {
    /// A chip's certificate for its firmware level.
    Vcek(Chip),
    /// Intermediate and root of a line.
    Chain(ProductLine),
    /// The revocation list of a line's root.
    RevocationList(ProductLine),
}

impl KdsRequest {
    /// Path and query.
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Vcek(chip) => vcek_target(chip),
            Self::Chain(line) => format!("/vcek/v1/{line}/cert_chain"),
            Self::RevocationList(line) => format!("/vcek/v1/{line}/crl"),
        }
    }

    /// Most bytes of the answer.
    pub(crate) const fn size_max(&self) -> usize {
        match self {
            Self::Vcek(_) | Self::RevocationList(_) => COLLATERAL_SIZE_MAX,
            // In base64.
            Self::Chain(_) => COLLATERAL_SIZE_MAX.saturating_mul(3),
        }
    }

    /// What an answer holds: certificates and lists come in DER, chains in PEM.
    pub(crate) fn read(&self, body: &[u8]) -> Result<Pool, KdsFailure> {
        let mut pool = Pool::default();
        match self {
            Self::Vcek(_) => pool.add_certificate(body),
            Self::RevocationList(_) => pool.add_list(body),
            Self::Chain(_) => {
                let blocks =
                    read_pem(body, CHAIN_SIZE).map_err(|_pem| KdsFailure::MalformedAnswer)?;
                for block in blocks {
                    pool.add_certificate(&block.der);
                }
            }
        }
        Ok(pool)
    }
}

/// Security levels have two decimal digits, or three if they need them. Turin's ids have 8 bytes: with 64 the service knows no
/// such chip.
fn vcek_target(chip: &Chip) -> String {
    let Chip { line, id, tcb } = chip;
    let id = id.get(..line.hardware_id_size()).unwrap_or(id);
    let fmc = match line {
        ProductLine::Milan | ProductLine::Genoa => String::new(),
        ProductLine::Turin => format!("fmcSPL={:02}&", tcb.fmc),
    };
    format!(
        "/vcek/v1/{line}/{}?{fmc}blSPL={:02}&teeSPL={:02}&snpSPL={:02}&ucodeSPL={:02}",
        hex::encode(id),
        tcb.bootloader,
        tcb.tee,
        tcb.snp,
        tcb.microcode
    )
}

/// Why nothing came from the service. The list is closed: it goes into the journal as a code and holds nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KdsFailure {
    /// The configuration names no way to the service.
    Off,
    /// The report names no chip of a known line that signed it with its own key.
    NoChip,
    /// It was not asked: the report was made for a client.
    NotAsked,
    /// The pause after the last failure is not over.
    Waiting,
    /// This runtime has asked as often as it may.
    Spent,
    /// The host has no such destination.
    NotAllowed,
    /// No connection, or one that broke.
    Unreachable,
    /// Another server than AMD's, or no time yet to judge its certificate by.
    Tls,
    /// No answer in time.
    TimedOut,
    /// The service does not know the chip or the firmware level: 404.
    Unknown,
    /// The service was asked too often: 429.
    Limited,
    /// An answer with another status than 200, such as a redirect, which is not followed.
    Status,
    /// An answer that is larger than such a document may be.
    TooLarge,
    /// An answer that is no certificate, chain or list.
    MalformedAnswer,
    /// An answer in good form that is of no use here: of another chip, firmware level or root, or out of date.
    Unfit,
}

impl KdsFailure {
    /// The stable code in the journal.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Off => "kds_off",
            Self::NoChip => "kds_no_chip",
            Self::NotAsked => "kds_not_asked",
            Self::Waiting => "kds_waiting",
            Self::Spent => "kds_spent",
            Self::NotAllowed => "kds_not_allowed",
            Self::Unreachable => "kds_unreachable",
            Self::Tls => "kds_tls",
            Self::TimedOut => "kds_timed_out",
            Self::Unknown => "kds_unknown_chip",
            Self::Limited => "kds_limited",
            Self::Status => "kds_status",
            Self::TooLarge => "kds_too_large",
            Self::MalformedAnswer => "kds_malformed",
            Self::Unfit => "kds_unfit",
        }
    }
}

/// When the service may be asked.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    asked: u32,
    failures: u32,
    not_before_us: u64,
}

impl Schedule {
    /// Counts a request that is about to be made.
    ///
    /// # Errors
    /// [`KdsFailure::Waiting`] or [`KdsFailure::Spent`].
    pub(crate) const fn begin(&mut self, now_us: u64) -> Result<(), KdsFailure> {
        if self.asked >= REQUESTS_MAX {
            return Err(KdsFailure::Spent);
        }
        if now_us < self.not_before_us {
            return Err(KdsFailure::Waiting);
        }
        self.asked = self.asked.saturating_add(1);
        Ok(())
    }

    /// The answer was of use.
    pub(crate) const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// It was not: the next request waits for a while between half of the pause and all of it, so that many machines that lost
    /// the service together do not come back together. Without randomness it waits for all of it.
    pub(crate) fn failed(&mut self, failure: KdsFailure, now_us: u64, entropy: &mut dyn Entropy) {
        let first_us = if failure == KdsFailure::Limited {
            LIMITED_PAUSE_US_MIN
        } else {
            PAUSE_US_MIN
        };
        let factor = 1_u64.checked_shl(self.failures).unwrap_or(u64::MAX);
        let pause_us = first_us.saturating_mul(factor).min(PAUSE_US_MAX);
        self.failures = self.failures.saturating_add(1);
        let half_us = pause_us / 2;
        let mut random = [0xff; 4];
        if entropy.fill(&mut random).is_err() {
            random = [0xff; 4];
        }
        let part = u64::from(u32::from_le_bytes(random));
        let spread_us = half_us.saturating_mul(part) >> 32;
        self.not_before_us = now_us.saturating_add(half_us).saturating_add(spread_us);
    }
}

#[cfg(test)]
mod tests {
    use chancery_evidence::TcbComponents;
    use chancery_testkit::Seeded;

    use super::*;

    const SECOND_US: u64 = 1_000_000;

    fn chip(line: ProductLine) -> Chip {
        let mut id = [0; 64];
        let size = line.hardware_id_size();
        for (number, byte) in (1..).zip(&mut id[..size]) {
            *byte = number;
        }
        let tcb = TcbComponents {
            fmc: 1,
            bootloader: 4,
            tee: 0,
            snp: 24,
            microcode: 219,
        };
        Chip { line, id, tcb }
    }

    #[test]
    fn asks_with_the_paths_of_the_specification() {
        let hex: String = (1..=64).map(|byte| format!("{byte:02x}")).collect();
        let genoa = KdsRequest::Vcek(chip(ProductLine::Genoa));
        assert_eq!(
            genoa.target(),
            format!("/vcek/v1/Genoa/{hex}?blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219")
        );
        let turin = KdsRequest::Vcek(chip(ProductLine::Turin));
        assert_eq!(
            turin.target(),
            "/vcek/v1/Turin/0102030405060708?fmcSPL=01&blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219"
        );
        assert_eq!(
            KdsRequest::Chain(ProductLine::Turin).target(),
            "/vcek/v1/Turin/cert_chain"
        );
        assert_eq!(
            KdsRequest::RevocationList(ProductLine::Milan).target(),
            "/vcek/v1/Milan/crl"
        );
    }

    #[test]
    fn pauses_grow_up_to_a_limit_and_spread() {
        let mut schedule = Schedule::default();
        let mut entropy = Seeded::new(7);
        let mut pauses = Vec::new();
        for _ in 0..40 {
            schedule.failed(KdsFailure::Unreachable, 0, &mut entropy);
            pauses.push(schedule.not_before_us);
        }
        assert!((SECOND_US / 2..=SECOND_US).contains(&pauses[0]));
        assert!((SECOND_US..=2 * SECOND_US).contains(&pauses[1]));
        for pause in &pauses[12..] {
            assert!((PAUSE_US_MAX / 2..=PAUSE_US_MAX).contains(pause));
        }
        let last: std::collections::BTreeSet<&u64> = pauses[12..].iter().collect();
        assert!(last.len() > 20, "they differ");
        schedule.succeeded();
        schedule.failed(KdsFailure::Unreachable, 0, &mut entropy);
        assert!(schedule.not_before_us <= SECOND_US);
        schedule.succeeded();
        schedule.failed(KdsFailure::Limited, 0, &mut entropy);
        assert!(schedule.not_before_us >= 30 * SECOND_US);
    }

    #[test]
    fn a_pause_is_kept_and_requests_are_counted() {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.begin(0), Ok(()));
        schedule.failed(KdsFailure::Unreachable, 0, &mut Seeded::new(1));
        assert_eq!(schedule.begin(SECOND_US / 2 - 1), Err(KdsFailure::Waiting));
        assert_eq!(schedule.begin(SECOND_US), Ok(()));
        for _ in 2..REQUESTS_MAX {
            assert_eq!(schedule.begin(SECOND_US), Ok(()));
        }
        assert_eq!(schedule.begin(u64::MAX), Err(KdsFailure::Spent));
    }

    #[test]
    fn a_chain_is_two_certificates_in_pem() {
        let request = KdsRequest::Chain(ProductLine::Milan);
        let block = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        let other = block.replace("MAA=", "MAE=");
        let read = request.read(format!("{block}{other}").as_bytes()).unwrap();
        assert_eq!(read.certificates().count(), 2);
        for body in ["text", &block.repeat(3)] {
            assert_eq!(
                request.read(body.as_bytes()),
                Err(KdsFailure::MalformedAnswer)
            );
        }
    }
}
