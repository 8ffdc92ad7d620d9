//! Genuine evidence, each with the policy under which exactly it is in order.

use std::sync::LazyLock;

use chancery_evidence::Certificate;
use chancery_evidence::Crl;
use chancery_evidence::ProductLine;
use chancery_vectors::read;
use chancery_verify::Evidence;
use chancery_verify::ReleasePolicy;
use chancery_verify::TcbFloors;

/// 2026-07-01T00:00:00Z, when Milan's list was current.
const JULY_2026_MS: u64 = 1_782_864_000_000;

/// Where `s` of the signature stands, little-endian.
const S: std::ops::Range<usize> = 0x2e8..0x318;

/// How many genuine reports there are to appraise.
pub const CASES: usize = 7;

/// Each line, each kind of leaf, versions 2, 3 and 5; the third is held against its revocation list.
const IDS: [&str; CASES] = [
    "turin-v5-vcek-02",
    "genoa-v5-vcek-01-oak",
    "milan-v5-vcek-01-gcp",
    "turin-v5-vcek-01-aci",
    "genoa-v3-vcek-01-tsm",
    "milan-v2-vcek-01",
    "milan-v3-vlek-01-aws",
];

/// Which of them has a list that is current and required.
const WITH_LIST: &str = "milan-v5-vcek-01-gcp";

/// What an appraisal is about, apart from policy and floors.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) evidence: Evidence,
    pub(crate) report_data: [u8; 64],
    pub(crate) now_ms: u64,
}

/// First and last millisecond.
type Window = (u64, u64);

/// One genuine report.
#[derive(Debug)]
pub(crate) struct Genuine {
    pub(crate) input: Input,
    pub(crate) policy: ReleasePolicy,
    pub(crate) floors: TcbFloors,
    /// The same report with `n - s` for `s`, which verifies too.
    pub(crate) twin: Vec<u8>,
    /// When all three certificates are valid.
    certificates: Vec<Window>,
    /// A genuine list of this line's root that revokes nothing of this chain, and when it is current.
    list: Option<(Vec<u8>, Window)>,
}

impl Genuine {
    /// Whether an input is this genuine one, as far as its policy asks for it.
    pub(crate) fn is(&self, input: &Input) -> bool {
        let (mine, got) = (&self.input.evidence, &input.evidence);
        let waived = self.policy.dangerous_allow_unchecked_revocation;
        let list = match &self.list {
            _ if got.crl.is_empty() => waived,
            Some((list, (from, to))) => {
                got.crl == *list && (waived || (*from..=*to).contains(&input.now_ms))
            }
            None => false,
        };
        (got.report == mine.report || got.report == self.twin)
            && got.vcek == mine.vcek
            && got.ask == mine.ask
            && got.ark == mine.ark
            && list
            && input.report_data == self.input.report_data
            && self
                .certificates
                .iter()
                .all(|(from, to)| (*from..=*to).contains(&input.now_ms))
    }

    fn load(id: &str) -> Self {
        let chancery_vectors::Genuine {
            line,
            mut evidence,
            mut policy,
            floors,
            report_data,
            mut now_ms,
            ..
        } = chancery_vectors::Genuine::load(id);
        let list = list(line);
        if let Some((der, _)) = &list
            && id == WITH_LIST
        {
            evidence.crl.clone_from(der);
            policy.dangerous_allow_unchecked_revocation = false;
            now_ms = JULY_2026_MS;
        }
        let chain = [&evidence.vcek, &evidence.ask, &evidence.ark];
        Self {
            twin: twin(&evidence.report),
            certificates: chain.into_iter().filter_map(|der| validity(der)).collect(),
            list,
            input: Input {
                evidence,
                report_data,
                now_ms,
            },
            policy,
            floors,
        }
    }
}

fn validity(der: &[u8]) -> Option<Window> {
    let certificate = Certificate::parse(der).ok()?;
    Some((certificate.not_before_ms(), certificate.not_after_ms()))
}

fn list(line: ProductLine) -> Option<(Vec<u8>, Window)> {
    let der = match line {
        ProductLine::Milan => read("crls/milan-2026-06-22.crl.der"),
        ProductLine::Genoa => read("crls/genoa-2022-10-31.crl.der"),
        ProductLine::Turin => return None,
    };
    let crl = Crl::parse(&der).ok()?;
    let window = (crl.this_update_ms(), crl.next_update_ms());
    Some((der, window))
}

/// All of them, each line and kind of leaf at least once.
pub(crate) fn genuine() -> &'static [Genuine] {
    static GENUINE: LazyLock<Vec<Genuine>> =
        LazyLock::new(|| IDS.iter().map(|id| Genuine::load(id)).collect());
    &GENUINE
}

/// The policy of one of them; none from [`CASES`].
#[must_use]
pub fn fixture_policy(case: usize) -> Option<ReleasePolicy> {
    genuine().get(case).map(|one| one.policy.clone())
}

/// The report with `n - s`: ECDSA has two signatures for one `r`.
fn twin(report: &[u8]) -> Vec<u8> {
    let mut twin = report.to_vec();
    let mut borrow = false;
    if let Some(s) = twin.get_mut(S) {
        for (digit, order) in s.iter_mut().zip(crate::report::ORDER_LE) {
            let (difference, first) = order.overflowing_sub(*digit);
            let (difference, second) = difference.overflowing_sub(u8::from(borrow));
            *digit = difference;
            borrow = first || second;
        }
    }
    twin
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_evidence::SIGNED_SIZE;

    #[test]
    fn every_file_is_there_and_is_itself_and_no_other() {
        assert_eq!(genuine().len(), CASES);
        for (at, one) in genuine().iter().enumerate() {
            for (other_at, other) in genuine().iter().enumerate() {
                assert_eq!(one.is(&other.input), at == other_at);
            }
            assert_eq!(one.certificates.len(), 3);
            assert_ne!(one.twin, one.input.evidence.report);
            assert_eq!(
                one.twin[..SIGNED_SIZE],
                one.input.evidence.report[..SIGNED_SIZE]
            );
        }
    }
}
