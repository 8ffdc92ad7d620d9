//! A processor of our own: reports of any content, signed under the test PKI.

use chancery_evidence::CpuId;
use chancery_evidence::MitigationVectors;
use chancery_evidence::PlatformInfo;
use chancery_evidence::ReportVersion;
use chancery_evidence::SignerInfo;
use chancery_evidence::encode_report;
use ring::rand::SystemRandom;
use ring::signature::ECDSA_P384_SHA384_FIXED_SIGNING;
use ring::signature::EcdsaKeyPair;
use sha2::Digest;
use sha2::Sha256;

use super::*;
use crate::anchor::Mode;
use crate::anchor::RootKey;

/// 2026-07-01T00:00:00Z.
pub(super) const NOW_MS: u64 = 1_782_864_000_000;

/// The anchor of the test PKI. It is as far from AMD's as the emulated one.
#[derive(Debug)]
pub(super) struct TestAnchor([RootKey; 2]);

impl TestAnchor {
    pub(super) fn load() -> Self {
        let root = |line: ProductLine| {
            let der = read(&format!("test-pki/{}-ark.der", line.word()));
            RootKey::new(line, Sha256::digest(der).into())
        };
        Self([root(ProductLine::Genoa), root(ProductLine::Turin)])
    }
}

impl TestAnchor {
    /// Pins another root for Genoa, whatever it is.
    pub(super) fn pinning(root: &[u8]) -> Self {
        let Self([_, turin]) = Self::load();
        Self([
            RootKey::new(ProductLine::Genoa, Sha256::digest(root).into()),
            turin,
        ])
    }
}

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

pub(super) fn tcb(line: ProductLine) -> TcbComponents {
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

/// A version 5 report in which nothing is wrong under [`policy`].
pub(super) fn fields(line: ProductLine) -> ReportFields {
    let level = tcb(line).encode(line);
    let mut chip_id = [0; 64];
    let cpuid = match line {
        ProductLine::Turin => {
            chip_id[..8].copy_from_slice(&[2, 3, 4, 5, 6, 7, 8, 9]);
            CpuId {
                family: 0x1a,
                model: 0x02,
                stepping: 1,
            }
        }
        ProductLine::Milan | ProductLine::Genoa => {
            chip_id = core::array::from_fn(|index| 0xc0 + u8::try_from(index).unwrap());
            CpuId {
                family: 0x19,
                model: 0x11,
                stepping: 1,
            }
        }
    };
    let firmware = FirmwareVersion {
        major: 1,
        minor: 55,
        build: 65,
    };
    let vectors = MitigationVectors {
        launch: 0x3f,
        current: 0x3f,
    };
    ReportFields {
        version: ReportVersion::V5(cpuid, vectors),
        guest_svn: 3,
        policy: GuestPolicy::from_bits(GuestPolicy::RESERVED_ONE),
        family_id: [0; 16],
        image_id: [0; 16],
        vmpl: 0,
        current_tcb: level,
        platform_info: PlatformInfo::from_bits(0x64),
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
        current_firmware: firmware,
        committed_firmware: firmware,
        launch_tcb: level,
    }
}

/// The strict policy that [`fields`] meets: no `dangerous_` field is used.
pub(super) fn policy(line: ProductLine) -> ReleasePolicy {
    let fields = fields(line);
    let mut policy = ReleasePolicy::baseline(1, NOW_MS - 1, NOW_MS + 1);
    policy.releases = [Release {
        id: String::from("test"),
        version: String::from("1"),
        measurement: fields.measurement,
    }]
    .into();
    policy.host_data = [fields.host_data].into();
    policy.chip_ids = [fields.chip_id].into();
    policy.products = [line].into();
    policy
}

/// The floors that [`fields`] meets exactly.
pub(super) fn floors(line: ProductLine) -> TcbFloors {
    let fields = fields(line);
    let cpu = fields.version.cpuid().unwrap();
    TcbFloors {
        version: 1,
        issued_ms: NOW_MS - 1,
        expires_ms: NOW_MS + 1,
        crl_numbers_min: CrlNumbers::ANY,
        rules: [FloorRule {
            name: String::from("test"),
            line,
            processors: Processors::only(cpu),
            floor: Floor {
                tcb: tcb(line),
                firmware: fields.current_firmware,
                mitigation_required: 0x3f,
            },
            sources: Vec::new(),
        }]
        .into(),
    }
}

pub(super) fn sign(signed: &[u8; chancery_evidence::SIGNED_SIZE]) -> Vec<u8> {
    let random = SystemRandom::new();
    let key = read("test-pki/vcek-key.der");
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &key, &random).unwrap();
    let signature = key.sign(&random, signed).unwrap();
    encode_report(signed, signature.as_ref().try_into().unwrap()).to_vec()
}

pub(super) fn evidence(line: ProductLine, report: Vec<u8>) -> Evidence {
    let file = |name: &str| read(&format!("test-pki/{}-{name}.der", line.word()));
    Evidence {
        report,
        vcek: file("vcek"),
        ask: file("ask"),
        ark: file("ark"),
        crl: file("crl"),
    }
}
