//! Reports of any content, signed under the test PKI and held against the strict policy.

use std::sync::LazyLock;

use chancery_evidence::CpuId;
use chancery_evidence::FirmwareVersion;
use chancery_evidence::GuestPolicy;
use chancery_evidence::MitigationVectors;
use chancery_evidence::PlatformInfo;
use chancery_evidence::ProductLine;
use chancery_evidence::ReportFields;
use chancery_evidence::ReportVersion;
use chancery_evidence::SIGNED_SIZE;
use chancery_evidence::SignerInfo;
use chancery_evidence::TcbComponents;
use chancery_evidence::encode_report;
use chancery_verify::Anchor;
use chancery_verify::CrlNumbers;
use chancery_verify::Evidence;
use chancery_verify::Floor;
use chancery_verify::FloorRule;
use chancery_verify::Mode;
use chancery_verify::Processors;
use chancery_verify::Release;
use chancery_verify::ReleasePolicy;
use chancery_verify::RootKey;
use chancery_verify::TcbFloors;
use chancery_verify::appraise;
use ring::rand::SystemRandom;
use ring::signature::ECDSA_P384_SHA384_FIXED_SIGNING;
use ring::signature::EcdsaKeyPair;
use sha2::Digest;
use sha2::Sha256;

use crate::accepted;
use crate::appraise::assert_names_checks;
use crate::report::number;
use crate::report::obeys;
use crate::report::part;

macro_rules! pki {
    ($name:literal) => {
        include_bytes!(concat!(
            "../../../attestation/vectors/test-pki/",
            $name,
            ".der"
        ))
        .as_slice()
    };
}

/// 2026-07-01T00:00:00Z.
const NOW_MS: u64 = 1_782_864_000_000;

/// A signed report is accepted exactly if a second reading of the strict policy, by offset, finds nothing.
///
/// The input is what the signature covers; anything else than 672 bytes is not signed.
pub fn signed_report(bytes: &[u8]) -> bool {
    let Ok(signed) = bytes.try_into() else {
        return false;
    };
    let line = match part(bytes, 0x188..0x189) {
        [0x1a] => ProductLine::Turin,
        _ => ProductLine::Genoa,
    };
    let Some(report) = sign(signed) else {
        return false;
    };
    let wanted = fields(line).encode_signed();
    let strict = obeys(&report) && meets(&report, &wanted);
    let (policy, floors) = rules(line);
    let evidence = evidence(line, report);
    let anchor = &*ANCHOR;
    let result = appraise(anchor, &evidence, &policy, &floors, &[0x11; 64], NOW_MS);
    if let Err(refusal) = &result {
        assert_names_checks(refusal);
    }
    let shown = result.as_ref().err().map(ToString::to_string);
    let accepted = accepted(result, |verdict| assert_eq!(verdict.line(), line));
    assert_eq!(accepted, strict, "{shown:?}");
    accepted
}

/// The first inputs: what the strict policy of each line accepts.
#[must_use]
pub fn signed_report_seeds() -> [[u8; SIGNED_SIZE]; 2] {
    [ProductLine::Turin, ProductLine::Genoa].map(|line| fields(line).encode_signed())
}

/// The strict policy, by offset. `wanted` is what it pins.
fn meets(report: &[u8], wanted: &[u8]) -> bool {
    let same = |range: std::ops::Range<usize>| part(report, range.clone()) == part(wanted, range);
    let guest = number(report, 0x08..0x10);
    let platform = number(report, 0x40..0x48);
    let bit = |bits: u64, at: u32| bits >> at & 1 == 1;
    // SMT, migration, debug, CXL.
    let guest_clear = [16, 18, 19, 21].iter().all(|at| !bit(guest, *at));
    // ECC and the alias check on; SMT off as the guest forbids it; TIO off; nothing unknown.
    let platform_fits = bit(platform, 2)
        && bit(platform, 5)
        && !bit(platform, 0)
        && !bit(platform, 7)
        && platform >> 8 == 0;
    let demands_met =
        (!bit(guest, 23) || bit(platform, 3)) && (!bit(guest, 24) || bit(platform, 4));
    let signer = number(report, 0x48..0x4c);
    let mitigated = |at: usize| number(report, at..at.saturating_add(8)) & 0x3f == 0x3f;
    number(report, 0..4) == 5
        && number(report, 0x30..0x34) == 0
        && signer & !1 == 0
        // An author key that is not enabled has no digest.
        && (bit(signer, 0) || is_zero(report, 0x110..0x140))
        && guest_clear
        && platform_fits
        && demands_met
        // Report data, measurement, host data; no migration agent; chip; processor.
        && same(0x50..0xe0)
        && same(0x160..0x180)
        && same(0x1a0..0x1e0)
        && same(0x188..0x18b)
        // The leaf pins the reported level, which the floors repeat; the launch may not be above the present one.
        && same(0x180..0x188)
        && levels_fit(report, wanted)
        && mitigated(0x1f8)
        && mitigated(0x200)
}

fn is_zero(report: &[u8], range: std::ops::Range<usize>) -> bool {
    part(report, range).iter().all(|byte| *byte == 0)
}

/// Current at least the floor and committed; launch between floor and current; firmware at least 1.55.65.
fn levels_fit(report: &[u8], floor: &[u8]) -> bool {
    let tcb = |bytes: &[u8], at: usize| part(bytes, at..at.saturating_add(8)).to_vec();
    let at_least = |high: &[u8], low: &[u8]| high.iter().zip(low).all(|(high, low)| high >= low);
    let floor = tcb(floor, 0x180);
    let (current, committed) = (tcb(report, 0x38), tcb(report, 0x1e0));
    let launch = tcb(report, 0x1f0);
    let firmware = |at: usize| {
        let mut version = part(report, at..at.saturating_add(3)).to_vec();
        version.reverse();
        version
    };
    current == committed
        && at_least(&current, &floor)
        && at_least(&launch, &floor)
        && at_least(&current, &launch)
        && firmware(0x1e8) == firmware(0x1ec)
        && firmware(0x1e8) >= vec![1, 55, 65]
}

#[derive(Debug)]
struct TestAnchor([RootKey; 2]);

static ANCHOR: LazyLock<TestAnchor> = LazyLock::new(|| {
    let root = |line, der: &[u8]| RootKey::new(line, Sha256::digest(der).into());
    TestAnchor([
        root(ProductLine::Genoa, pki!("genoa-ark")),
        root(ProductLine::Turin, pki!("turin-ark")),
    ])
});

impl Anchor for TestAnchor {
    const NAME: &'static str = "test PKI";
    const MODE: Mode = Mode::Emulated;
    const REPORT_DATA_NODE: &'static str = "chancery-TEST/report-data/node/v1";
    const REPORT_DATA_SESSION: &'static str = "chancery-TEST/report-data/session/v1";
    const COMMON_NAME_INFIX: &'static str = "Test-";

    fn roots(&self) -> &[RootKey] {
        &self.0
    }
}

fn sign(signed: &[u8; SIGNED_SIZE]) -> Option<Vec<u8>> {
    static KEY: LazyLock<Option<EcdsaKeyPair>> = LazyLock::new(|| {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P384_SHA384_FIXED_SIGNING;
        EcdsaKeyPair::from_pkcs8(algorithm, pki!("vcek-key"), &random).ok()
    });
    let signature = KEY.as_ref()?.sign(&SystemRandom::new(), signed).ok()?;
    let signature = signature.as_ref().try_into().ok()?;
    Some(encode_report(signed, signature).to_vec())
}

fn evidence(line: ProductLine, report: Vec<u8>) -> Evidence {
    let [vcek, ask, ark, crl] = match line {
        ProductLine::Turin => [
            pki!("turin-vcek"),
            pki!("turin-ask"),
            pki!("turin-ark"),
            pki!("turin-crl"),
        ],
        ProductLine::Milan | ProductLine::Genoa => [
            pki!("genoa-vcek"),
            pki!("genoa-ask"),
            pki!("genoa-ark"),
            pki!("genoa-crl"),
        ],
    };
    Evidence {
        report,
        vcek: vcek.to_vec(),
        ask: ask.to_vec(),
        ark: ark.to_vec(),
        crl: crl.to_vec(),
    }
}

fn level(line: ProductLine) -> TcbComponents {
    match line {
        ProductLine::Turin => TcbComponents {
            fmc: 1,
            bootloader: 1,
            tee: 1,
            snp: 4,
            microcode: 81,
        },
        ProductLine::Milan | ProductLine::Genoa => TcbComponents {
            fmc: 0,
            bootloader: 10,
            tee: 0,
            snp: 23,
            microcode: 84,
        },
    }
}

fn processor(line: ProductLine) -> CpuId {
    let (family, model) = match line {
        ProductLine::Turin => (0x1a, 0x02),
        ProductLine::Milan | ProductLine::Genoa => (0x19, 0x11),
    };
    CpuId {
        family,
        model,
        stepping: 1,
    }
}

const FIRMWARE: FirmwareVersion = FirmwareVersion {
    major: 1,
    minor: 55,
    build: 65,
};

/// A version 5 report of the test PKI's chip in which nothing is wrong.
fn fields(line: ProductLine) -> ReportFields {
    let level = level(line).encode(line);
    let mut chip_id = [0; 64];
    let (size, first) = match line {
        ProductLine::Turin => (8, 2_u8),
        ProductLine::Milan | ProductLine::Genoa => (64, 0xc0),
    };
    for (to, from) in chip_id.iter_mut().take(size).zip(first..=u8::MAX) {
        *to = from;
    }
    let vectors = MitigationVectors {
        launch: 0x3f,
        current: 0x3f,
    };
    ReportFields {
        version: ReportVersion::V5(processor(line), vectors),
        guest_svn: 3,
        policy: GuestPolicy::from_bits(GuestPolicy::RESERVED_ONE),
        family_id: [0; 16],
        image_id: [0; 16],
        vmpl: 0,
        current_tcb: level,
        platform_info: PlatformInfo::from_bits(
            PlatformInfo::ECC | PlatformInfo::ALIAS_CHECK_COMPLETE,
        ),
        signer_info: SignerInfo::from_bits(0),
        report_data: [0x11; 64],
        measurement: [0x22; 48],
        host_data: [0x33; 32],
        id_key_digest: [0x44; 48],
        author_key_digest: [0; 48],
        report_id: [0x55; 32],
        report_id_ma: [0xff; 32],
        reported_tcb: level,
        chip_id,
        committed_tcb: level,
        current_firmware: FIRMWARE,
        committed_firmware: FIRMWARE,
        launch_tcb: level,
    }
}

/// The strict policy that [`fields`] meets, with no `dangerous_` field, and floors at its level.
fn rules(line: ProductLine) -> (ReleasePolicy, TcbFloors) {
    let fields = fields(line);
    let mut policy = ReleasePolicy::baseline(1, NOW_MS, NOW_MS.saturating_add(1));
    policy.releases = vec![Release {
        id: "test".to_owned(),
        version: "1".to_owned(),
        measurement: fields.measurement,
    }];
    policy.host_data = vec![fields.host_data];
    policy.chip_ids = vec![fields.chip_id];
    policy.products = vec![line];
    let floors = TcbFloors {
        version: 1,
        issued_ms: NOW_MS,
        expires_ms: NOW_MS.saturating_add(1),
        crl_numbers_min: CrlNumbers::ANY,
        rules: vec![FloorRule {
            name: "test".to_owned(),
            line,
            processors: Processors::only(processor(line)),
            floor: Floor {
                tcb: level(line),
                firmware: FIRMWARE,
                mitigation_required: 0x3f,
            },
            sources: Vec::new(),
        }],
    };
    (policy, floors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_seeds_are_accepted_and_every_flipped_byte_agrees_with_the_table() {
        for seed in signed_report_seeds() {
            assert!(signed_report(&seed));
            for at in 0..SIGNED_SIZE {
                let mut changed = seed;
                changed[at] ^= 0x10;
                signed_report(&changed);
            }
        }
        assert!(!signed_report(&[0; 671]));
    }
}
