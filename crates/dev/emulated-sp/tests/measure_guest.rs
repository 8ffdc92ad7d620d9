//! Virtual machines: their launch digest beside that of `sev-snp-measure` (PyPI), their ID blocks, and reports as such a guest.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::fs;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use chancery_emulated_sp::{Chip, EmulatedProduct};
use chancery_evidence::{Certificate, ProductLine, PublicKey, Report};
use chancery_json::{Limits, Object, Value};
use chancery_platform_snp::parse_certificate_table;
use p384::ecdsa::signature::{Signer as _, Verifier as _};
use p384::ecdsa::{Signature, SigningKey, VerifyingKey};
use tempfile::TempDir;

const PROCESSOR: &str = env!("CARGO_BIN_EXE_chancery-emulated-sp");
const REQUIREMENTS: &str = include_str!("sev-snp-measure/requirements.txt");

/// The program `sev-snp-measure` in a virtual environment below the target folder, which is made the first time and when the
/// requirements change.
fn sev_snp_measure() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let target = Path::new(PROCESSOR).ancestors().nth(2).unwrap();
        let cache = target.join("sev-snp-measure");
        fs::create_dir_all(&cache).unwrap();
        // Test runs at the same time make it once.
        let lock = File::create(cache.join("lock")).unwrap();
        lock.lock().unwrap();
        let done = cache.join("done");
        if fs::read_to_string(&done).ok().as_deref() != Some(REQUIREMENTS) {
            let wanted = cache.join("requirements.txt");
            fs::write(&wanted, REQUIREMENTS).unwrap();
            let venv = cache.join("venv");
            let mut make = Command::new("python3");
            install(make.args(["-m", "venv", "--clear"]).arg(&venv));
            let mut pip = Command::new(venv.join("bin/python"));
            pip.args(["-m", "pip", "--disable-pip-version-check", "install"]);
            install(pip.args(["--quiet", "--requirement"]).arg(&wanted));
            fs::write(&done, REQUIREMENTS).unwrap();
        }
        cache.join("venv/bin/sev-snp-measure")
    })
}

fn install(command: &mut Command) {
    let done = command.output();
    let told = match &done {
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    assert!(
        done.is_ok_and(|output| output.status.success()),
        "this test compares with sev-snp-measure, which cannot be installed from PyPI (it takes `apt-get install python3 \
         python3-venv` and a way to the package index): {command:?}: {told}"
    );
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../attestation/vectors/launch-digest")
}

/// A folder with a chip and with what is launched.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        /// One chip for all tests: its RSA keys take seconds to make.
        static STATE: OnceLock<Vec<u8>> = OnceLock::new();
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let state = place.path("state");
        fs::create_dir(&state).unwrap();
        let chip = STATE.get_or_init(|| {
            Chip::open(&state, Some(EmulatedProduct::Genoa), 1_790_000_000_000).unwrap();
            fs::read(state.join("processor.json")).unwrap()
        });
        fs::write(state.join("processor.json"), chip).unwrap();
        for name in ["AmdSev", "OvmfX64"] {
            let image = vectors().join(format!("ovmf/ovmf_{name}_suffix.bin"));
            fs::copy(image, place.path(name)).unwrap();
        }
        for name in ["kernel-a.bin", "initrd-a.bin"] {
            fs::copy(vectors().join("input").join(name), place.path(name)).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Debian's firmware for confidential guests, 4 MiB.
    fn unpack_debian(&self) {
        let packed = vectors().join("ovmf/debian-ovmf-amdsev-2026.08+ds-2.fd.xz");
        let mut image = Vec::new();
        lzma_rs::xz_decompress(&mut fs::read(packed).unwrap().as_slice(), &mut image).unwrap();
        fs::write(self.path("Debian"), image).unwrap();
    }

    fn measure(&self, words: &[String]) -> Output {
        let mut command = Command::new(PROCESSOR);
        command.arg("measure-guest");
        command.arg("--state").arg(self.path("state"));
        command.args(words).output().unwrap()
    }

    fn measured(&self, words: &[String]) -> Object {
        let output = self.measure(words);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {told}");
        object(&output.stdout)
    }

    fn refused(&self, words: &[String]) -> String {
        let output = self.measure(words);
        assert!(!output.status.success() && output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    }

    /// The words of a shape, which both programs understand.
    fn words(&self, shape: &Shape) -> Vec<String> {
        let mut words = Vec::new();
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        let path = |name: &str| self.path(name).to_str().unwrap().to_owned();
        option("--ovmf", path(shape.firmware));
        if shape.kernel {
            option("--kernel", path("kernel-a.bin"));
        }
        if shape.initrd {
            option("--initrd", path("initrd-a.bin"));
        }
        if let Some(append) = shape.append {
            option("--append", append.to_owned());
        }
        option("--vcpus", shape.vcpus.to_string());
        option("--vcpu-type", shape.vcpu_type.to_owned());
        option("--guest-features", shape.guest_features.to_owned());
        words
    }
}

fn object(text: &[u8]) -> Object {
    match Value::parse(text.trim_ascii(), &Limits::DOCUMENT).unwrap() {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

fn text(object: &Object, name: &str) -> String {
    object.get(name).and_then(Value::as_str).unwrap().to_owned()
}

/// A guest as QEMU launches it.
#[derive(Clone, Copy)]
struct Shape {
    firmware: &'static str,
    kernel: bool,
    initrd: bool,
    append: Option<&'static str>,
    vcpus: u32,
    vcpu_type: &'static str,
    guest_features: &'static str,
}

/// A measured direct boot under the smallest firmware.
const DIRECT_BOOT: Shape = Shape {
    firmware: "AmdSev",
    kernel: true,
    initrd: true,
    append: Some("console=ttyS0 ro"),
    vcpus: 1,
    vcpu_type: "EPYC-v4",
    guest_features: "0x1",
};

/// Every processor model that both know.
const MODELS: [&str; 16] = [
    "EPYC",
    "EPYC-v1",
    "EPYC-v2",
    "EPYC-IBPB",
    "EPYC-v3",
    "EPYC-v4",
    "EPYC-Rome",
    "EPYC-Rome-v1",
    "EPYC-Rome-v2",
    "EPYC-Rome-v3",
    "EPYC-Milan",
    "EPYC-Milan-v1",
    "EPYC-Milan-v2",
    "EPYC-Genoa",
    "EPYC-Genoa-v1",
    "EPYC-Turin",
];

fn shapes() -> Vec<Shape> {
    let base = DIRECT_BOOT;
    let debian = Shape {
        firmware: "Debian",
        ..base
    };
    let bare = Shape {
        kernel: false,
        initrd: false,
        append: None,
        ..base
    };
    let mut shapes = vec![
        Shape {
            initrd: false,
            ..base
        },
        Shape {
            append: None,
            ..base
        },
        Shape {
            append: Some(""),
            ..base
        },
        Shape {
            append: Some("--dash first"),
            ..base
        },
        Shape {
            guest_features: "0x21",
            ..base
        },
        Shape { vcpus: 255, ..base },
        bare,
        Shape {
            firmware: "OvmfX64",
            vcpus: 3,
            ..bare
        },
        debian,
        Shape {
            vcpus: 4,
            vcpu_type: "EPYC-Genoa",
            ..debian
        },
        Shape {
            vcpus: 2,
            vcpu_type: "EPYC-Turin",
            guest_features: "0x21",
            ..debian
        },
        Shape {
            firmware: "Debian",
            ..bare
        },
    ];
    shapes.extend(MODELS.map(|vcpu_type| Shape {
        vcpus: 2,
        vcpu_type,
        ..base
    }));
    shapes
}

#[test]
fn launch_digests_are_those_of_sev_snp_measure() {
    let place = Place::new();
    place.unpack_debian();
    let mut digests = Vec::new();
    for shape in shapes() {
        let words = place.words(&shape);
        let mut command = Command::new(sev_snp_measure());
        let output = command
            .args(["--mode", "snp"])
            .args(&words)
            .output()
            .unwrap();
        let theirs = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{words:?}");
        let ours = text(&place.measured(&words), "measurement");
        assert_eq!(ours, theirs.trim(), "{words:?}");
        assert_eq!(ours.len(), 96);
        digests.push(ours);
    }
    digests.sort();
    digests.dedup();
    // Models of one signature share a digest: 5 signatures among 16 models. An empty command line is none.
    assert_eq!(digests.len(), 11 + 5);
}

#[test]
fn a_kernel_that_the_firmware_would_not_measure_is_refused() {
    let place = Place::new();
    let unmeasured = Shape {
        firmware: "OvmfX64",
        ..DIRECT_BOOT
    };
    let told = place.refused(&place.words(&unmeasured));
    assert!(told.contains("measures no kernel hashes"), "{told}");
    let none = Shape {
        vcpus: 0,
        ..DIRECT_BOOT
    };
    let told = place.refused(&place.words(&none));
    assert!(told.contains("number of processors"), "{told}");
}

/// A P-384 key as ID structures hold it: curve, x and y in little-endian slots of 72 bytes.
fn id_key(key: &SigningKey) -> Vec<u8> {
    let point = key.verifying_key().to_sec1_point(false);
    let coordinates = &point.as_bytes()[1..];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    bytes.extend(slots(coordinates));
    bytes.resize(1028, 0);
    bytes
}

fn id_signature(key: &SigningKey, message: &[u8]) -> Vec<u8> {
    let signature: Signature = key.sign(message);
    let mut bytes = slots(&signature.to_bytes());
    bytes.resize(512, 0);
    bytes
}

/// Two big-endian numbers of 48 bytes as little-endian slots of 72.
fn slots(pair: &[u8]) -> Vec<u8> {
    let slot = |number: &[u8]| -> Vec<u8> {
        let digits = number.iter().rev().copied();
        digits.chain([0; 24]).collect()
    };
    [slot(&pair[..48]), slot(&pair[48..])].concat()
}

/// An ID block for a digest and policy, and its authentication by an ID key that an author key signed.
fn id_files(digest: &str, policy: u64) -> (Vec<u8>, Vec<u8>) {
    let id = SigningKey::from_slice(&[7; 48]).unwrap();
    let author = SigningKey::from_slice(&[9; 48]).unwrap();
    let mut block = hex::decode(digest).unwrap();
    block.extend([0xfa; 16]); // FAMILY_ID
    block.extend([0x1a; 16]); // IMAGE_ID
    block.extend(1_u32.to_le_bytes()); // version
    block.extend(5_u32.to_le_bytes()); // GUEST_SVN
    block.extend(policy.to_le_bytes());
    let mut auth = [1_u32.to_le_bytes(), 1_u32.to_le_bytes()].concat();
    auth.resize(0x40, 0);
    auth.extend(id_signature(&id, &block));
    auth.extend(id_key(&id));
    auth.resize(0x680, 0);
    auth.extend(id_signature(&author, &id_key(&id)));
    auth.extend(id_key(&author));
    auth.resize(4096, 0);
    (block, auth)
}

#[test]
fn an_id_block_is_enforced_for_a_virtual_machine() {
    let place = Place::new();
    let words = |shape: &Shape, policy: &str| {
        let option = |name: &str, value: &str| [name.to_owned(), value.to_owned()];
        let path = |name: &str| place.path(name).to_str().unwrap().to_owned();
        let mut words = place.words(shape);
        words.extend(option("--policy", policy));
        words.extend(option("--id-block", &path("id-block")));
        words.extend(option("--id-auth", &path("id-auth")));
        words
    };
    let measured = place.measured(&place.words(&DIRECT_BOOT));
    let (block, auth) = id_files(&text(&measured, "measurement"), 0x3_0000);
    fs::write(place.path("id-block"), &block).unwrap();
    fs::write(place.path("id-auth"), &auth).unwrap();
    let identity = place.measured(&words(&DIRECT_BOOT, "0x30000"));
    assert_eq!(identity.get("guest_svn").and_then(Value::as_u64), Some(5));
    let other_shape = Shape {
        vcpus: 2,
        ..DIRECT_BOOT
    };
    for (shape, policy) in [(&DIRECT_BOOT, "0x20000"), (&other_shape, "0x30000")] {
        let told = place.refused(&words(shape, policy));
        assert!(told.contains("refuses the id block"), "{told}");
    }
    let mut spoiled = auth;
    spoiled[0x40] ^= 1;
    fs::write(place.path("id-auth"), spoiled).unwrap();
    let told = place.refused(&words(&DIRECT_BOOT, "0x30000"));
    assert!(told.contains("refuses the id block"), "{told}");
}

#[test]
fn a_launched_machine_reports_itself() {
    let place = Place::new();
    let mut words = place.words(&DIRECT_BOOT);
    let identity = place.measured(&words);
    fs::write(place.path("configuration"), b"{}").unwrap();
    let data = "5a".repeat(64);
    let path = |name: &str| place.path(name).to_str().unwrap().to_owned();
    for (name, value) in [
        ("--report-data", data.clone()),
        ("--report", path("report")),
        ("--certificates", path("certificates")),
        ("--configuration", path("configuration")),
    ] {
        words.extend([name.to_owned(), value]);
    }
    let launched = place.measured(&words);
    assert_eq!(
        text(&launched, "measurement"),
        text(&identity, "measurement")
    );
    assert_eq!(text(&identity, "host_data"), "0".repeat(64));
    let report = Report::parse(&fs::read(place.path("report")).unwrap()).unwrap();
    let fields = report.fields();
    assert_eq!(
        hex::encode(fields.measurement),
        text(&identity, "measurement")
    );
    assert_eq!(hex::encode(fields.host_data), text(&launched, "host_data"));
    assert_eq!(hex::encode(fields.report_data), data);
    let table = parse_certificate_table(&fs::read(place.path("certificates")).unwrap()).unwrap();
    let vcek = table.vcek.unwrap();
    let vcek = Certificate::parse(&vcek).unwrap();
    let certified = vcek.vek(ProductLine::Genoa).unwrap().tcb;
    assert_eq!(fields.reported_tcb, certified.encode(ProductLine::Genoa));
    let PublicKey::P384(point) = vcek.key() else {
        panic!("a VCEK is of P-384");
    };
    let key = VerifyingKey::from_sec1_bytes(point).unwrap();
    let signature = Signature::from_slice(report.signature()).unwrap();
    assert!(key.verify(report.signed(), &signature).is_ok());
}
