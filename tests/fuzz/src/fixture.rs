//! Genuine evidence, each with the policy under which exactly it is in order.

use std::sync::LazyLock;

use chancery_evidence::Certificate;
use chancery_evidence::CpuId;
use chancery_evidence::Crl;
use chancery_evidence::FirmwareVersion;
use chancery_evidence::GuestPolicy;
use chancery_evidence::ProductLine;
use chancery_evidence::Report;
use chancery_evidence::ReportFields;
use chancery_evidence::VekIdentity;
use chancery_evidence::VekKind;
use chancery_verify::BitRule;
use chancery_verify::Evidence;
use chancery_verify::Floor;
use chancery_verify::FloorRule;
use chancery_verify::Processors;
use chancery_verify::Release;
use chancery_verify::ReleasePolicy;
use chancery_verify::TcbFloors;
use chancery_verify::amd_chain;

macro_rules! vector {
    ($($path:literal),+) => {
        include_bytes!(concat!("../../../attestation/vectors/", $($path),+)).as_slice()
    };
}

macro_rules! genuine {
    ($id:literal) => {
        Files {
            report: vector!("reports/", $id, "/report.bin"),
            vek: vector!("reports/", $id, "/vek.der"),
        }
    };
}

/// 2026-07-01T00:00:00Z, when Milan's list was current.
const JULY_2026_MS: u64 = 1_782_864_000_000;

/// Where `s` of the signature stands, little-endian.
const S: std::ops::Range<usize> = 0x2e8..0x318;

struct Files {
    report: &'static [u8],
    vek: &'static [u8],
}

/// How many genuine reports there are to appraise.
pub const CASES: usize = 7;

const FILES: [Files; CASES] = [
    genuine!("turin-v5-vcek-02"),
    genuine!("genoa-v5-vcek-01-oak"),
    genuine!("milan-v5-vcek-01-gcp"),
    genuine!("turin-v5-vcek-01-aci"),
    genuine!("genoa-v3-vcek-01-tsm"),
    genuine!("milan-v2-vcek-01"),
    genuine!("milan-v3-vlek-01-aws"),
];

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
    list: Option<(&'static [u8], Window)>,
}

impl Genuine {
    /// Whether an input is this genuine one, as far as its policy asks for it.
    pub(crate) fn is(&self, input: &Input) -> bool {
        let (mine, got) = (&self.input.evidence, &input.evidence);
        let waived = self.policy.dangerous_allow_unchecked_revocation;
        let list = match self.list {
            _ if got.crl.is_empty() => waived,
            Some((list, (from, to))) => {
                got.crl == list && (waived || (from..=to).contains(&input.now_ms))
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

    fn of(files: &Files) -> Option<Self> {
        let report = Report::parse(files.report).ok()?;
        let leaf = Certificate::parse(files.vek).ok()?;
        let lines = [ProductLine::Milan, ProductLine::Genoa, ProductLine::Turin];
        let mut lines = lines.into_iter();
        let (line, extensions) =
            lines.find_map(|line| leaf.vek(line).ok().map(|extensions| (line, extensions)))?;
        let kind = extensions.identity.kind();
        let chain = amd_chain(line, kind);
        let list = list(line)?;
        let current = line == ProductLine::Milan && kind == VekKind::Vcek;
        let now_ms = if current && leaf.not_before_ms() < JULY_2026_MS {
            JULY_2026_MS
        } else {
            leaf.not_before_ms()
        };
        let certificates = [files.vek, chain.intermediate, chain.root]
            .iter()
            .map(|der| {
                let certificate = Certificate::parse(der).ok()?;
                Some((certificate.not_before_ms(), certificate.not_after_ms()))
            })
            .collect::<Option<Vec<Window>>>()?;
        let mut policy = policy(report.fields(), line, &extensions.identity);
        policy.dangerous_allow_unchecked_revocation = !current;
        let crl = match list {
            Some((list, _)) if current => list.to_vec(),
            _ => Vec::new(),
        };
        Some(Self {
            input: Input {
                evidence: Evidence {
                    report: files.report.to_vec(),
                    vcek: files.vek.to_vec(),
                    ask: chain.intermediate.to_vec(),
                    ark: chain.root.to_vec(),
                    crl,
                },
                report_data: report.fields().report_data,
                now_ms,
            },
            policy,
            floors: floors(report.fields(), line),
            twin: twin(files.report),
            certificates,
            list,
        })
    }
}

/// All of them, each line and kind of leaf at least once.
pub(crate) fn genuine() -> &'static [Genuine] {
    static GENUINE: LazyLock<Vec<Genuine>> =
        LazyLock::new(|| FILES.iter().filter_map(Genuine::of).collect());
    &GENUINE
}

/// The policy of one of them; none from [`CASES`].
#[must_use]
pub fn fixture_policy(case: usize) -> Option<ReleasePolicy> {
    genuine().get(case).map(|one| one.policy.clone())
}

type List = Option<(&'static [u8], Window)>;

fn list(line: ProductLine) -> Option<List> {
    let der = match line {
        ProductLine::Milan => vector!("crls/milan-2026-06-22.crl.der"),
        ProductLine::Genoa => vector!("crls/genoa-2022-10-31.crl.der"),
        ProductLine::Turin => return Some(None),
    };
    let crl = Crl::parse(der).ok()?;
    Some(Some((der, (crl.this_update_ms(), crl.next_update_ms()))))
}

/// The policy that the verifier's own tests use, built here once more from its public parts.
fn policy(fields: &ReportFields, line: ProductLine, identity: &VekIdentity) -> ReleasePolicy {
    let mut policy = ReleasePolicy::baseline(1, 0, u64::MAX);
    policy.releases = vec![Release {
        id: "fixture".to_owned(),
        version: "1".to_owned(),
        measurement: fields.measurement,
    }];
    policy.host_data = vec![fields.host_data];
    match identity {
        VekIdentity::Chip(chip) => policy.chip_ids = vec![*chip],
        VekIdentity::Provider(provider) => {
            policy.dangerous_allow_vlek_of = vec![provider.clone()];
            policy.dangerous_allow_any_chip = true;
        }
    }
    policy.products = vec![line];
    policy.guest_policy.forbidden &= !GuestPolicy::SMT;
    policy.platform_info = BitRule {
        required: 0,
        forbidden: 0,
    };
    policy.report_version_min = 2;
    policy.dangerous_vmpl_max = fields.vmpl;
    policy.dangerous_allow_milan = true;
    policy.dangerous_allow_provisional_firmware = true;
    policy.dangerous_allow_unchecked_aliases = true;
    policy
}

/// Floors at the level of exactly this report.
fn floors(fields: &ReportFields, line: ProductLine) -> TcbFloors {
    let cpu = fields.version.cpuid().unwrap_or(CpuId {
        family: 0x19,
        model: 0x01,
        stepping: 1,
    });
    let vectors = fields.version.mitigation();
    let rule = fields.reported_tcb.components(line).map(|tcb| FloorRule {
        name: "fixture".to_owned(),
        line,
        processors: Processors::only(cpu),
        floor: Floor {
            tcb,
            firmware: FirmwareVersion {
                major: 1,
                minor: 0,
                build: 0,
            },
            mitigation_required: vectors.map_or(0, |vectors| vectors.current),
        },
        sources: Vec::new(),
    });
    TcbFloors {
        version: 1,
        issued_ms: 0,
        rules: rule.into_iter().collect(),
    }
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
        assert_eq!(genuine().len(), FILES.len());
        for (at, one) in genuine().iter().enumerate() {
            for (other_at, other) in genuine().iter().enumerate() {
                assert_eq!(one.is(&other.input), at == other_at);
            }
            assert_ne!(one.twin, one.input.evidence.report);
            assert_eq!(
                one.twin[..SIGNED_SIZE],
                one.input.evidence.report[..SIGNED_SIZE]
            );
        }
    }
}
