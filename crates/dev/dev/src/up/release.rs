//! Release policy and firmware floors: what the emulated processor will say, signed by the release key.

use std::path::Path;
use std::process::Output;

use base64ct::{Base64, Encoding as _};
use chancery_dsse::{Envelope, SigningKey};
use chancery_emulated_sp::{EMULATED_ROOTS_PURPOSE, EmulatedProduct, EmulatedRoots};
use chancery_evidence::{FirmwareVersion, TcbComponents};
use chancery_json::{Fields, Limits, Object};
use chancery_verify::{
    CrlNumbers, Floor, FloorRule, Processors, RELEASE_POLICY_TYPE, Release, ReleasePolicy,
    TCB_FLOORS_TYPE, TcbFloors, open_release_policy, open_tcb_floors,
};
use tokio::process::Command;

use crate::error::DevError;
use crate::files;
use crate::up::layout::Layout;
use crate::up::programs::Programs;

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How long a policy is in force.
const LIFE_MS: u64 = 365 * DAY_MS;
/// A policy with less life than this is renewed.
const RENEWAL_MS: u64 = 60 * DAY_MS;
/// How far before now a policy begins, for a clock that is set back a little.
const BACKDATE_MS: u64 = 60 * 60 * 1000;

/// What the emulated processor says of a program and its configuration.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    measurement: [u8; 48],
    host_data: [u8; 32],
    chip_id: [u8; 64],
    product: EmulatedProduct,
    tcb: TcbComponents,
    firmware: FirmwareVersion,
    mitigation_vector: u64,
    report_version: u32,
    /// The processor's root.
    pub(crate) roots: EmulatedRoots,
}

impl Identity {
    /// Asks the emulated processor, which makes its chip the first time.
    pub(crate) async fn ask(programs: &Programs, layout: &Layout) -> Result<Self, DevError> {
        let output = Command::new(&programs.processor)
            .arg("identity")
            .arg("--state")
            .arg(layout.processor())
            .arg("--runtime")
            .arg(&programs.runtime)
            .arg("--configuration")
            .arg(layout.host_file("configuration.json"))
            .kill_on_drop(true)
            .output()
            .await
            .map_err(DevError::System)?;
        Self::from_output(&output)
    }

    fn from_output(output: &Output) -> Result<Self, DevError> {
        let name = || "emulated-sp".to_owned();
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(DevError::ChildFailed {
                name: name(),
                status: super::child::ending(output.status),
                last_line: text.lines().last().unwrap_or_default().to_owned(),
            });
        }
        Self::parse(&output.stdout).ok_or_else(|| DevError::ChildLine { name: name() })
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = Fields::parse(line, &Limits::DOCUMENT).ok()?;
        let mut text = |name: &str| fields.take_str(name).ok();
        let measurement = hex_bytes(&text("measurement")?)?;
        let host_data = hex_bytes(&text("host_data")?)?;
        let chip_id = hex_bytes(&text("chip_id")?)?;
        let product = EmulatedProduct::from_word(&text("product")?)?;
        let firmware = firmware(&text("firmware")?)?;
        let mitigation = text("mitigation_vector")?;
        let (ark, ask) = (text("ark_der")?, text("ask_der")?);
        let report_version = u32::try_from(fields.take_u64("report_version").ok()?).ok()?;
        let mut tcb = fields.take_object("reported_tcb").ok()?;
        let mut component = |name: &str| u8::try_from(tcb.take_u64(name).ok()?).ok();
        Some(Self {
            measurement,
            host_data,
            chip_id,
            product,
            tcb: TcbComponents {
                fmc: component("fmc")?,
                bootloader: component("bootloader")?,
                tee: component("tee")?,
                snp: component("snp")?,
                microcode: component("microcode")?,
            },
            firmware,
            mitigation_vector: u64::from_str_radix(mitigation.strip_prefix("0x")?, 16).ok()?,
            report_version,
            roots: roots(product, &ark, &ask)?,
        })
    }

    /// The policy that this identity passes and no other does.
    fn policy(&self, version: u64, now_ms: u64) -> ReleasePolicy {
        let issued_ms = now_ms.saturating_sub(BACKDATE_MS);
        let expires_ms = issued_ms.saturating_add(LIFE_MS);
        let measurement = hex::encode(self.measurement);
        let mut policy = ReleasePolicy::baseline(version, issued_ms, expires_ms);
        policy.releases = vec![Release {
            id: format!("dev-{}", measurement.get(..16).unwrap_or_default()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            measurement: self.measurement,
        }];
        policy.host_data = vec![self.host_data];
        policy.chip_ids = vec![self.chip_id];
        policy.products = vec![self.product.line()];
        policy.report_version_min = self.report_version;
        policy
    }

    /// Floors at exactly the level of this processor. It protects nothing, so no bulletin of AMD is about it.
    fn floors(&self, version: u64, issued_ms: u64) -> TcbFloors {
        TcbFloors {
            version,
            issued_ms,
            expires_ms: issued_ms.saturating_add(LIFE_MS),
            crl_numbers_min: CrlNumbers::ANY,
            rules: vec![FloorRule {
                name: "emulated".to_owned(),
                line: self.product.line(),
                processors: Processors::only(self.product.cpuid()),
                floor: Floor {
                    tcb: self.tcb,
                    firmware: self.firmware,
                    mitigation_required: self.mitigation_vector,
                },
                sources: vec!["the level of this emulated processor".to_owned()],
            }],
        }
    }
}

fn hex_bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

fn firmware(text: &str) -> Option<FirmwareVersion> {
    let mut parts = text.split('.').map(str::parse);
    let version = FirmwareVersion {
        major: parts.next()?.ok()?,
        minor: parts.next()?.ok()?,
        build: parts.next()?.ok()?,
    };
    parts.next().is_none().then_some(version)
}

fn roots(product: EmulatedProduct, ark: &str, ask: &str) -> Option<EmulatedRoots> {
    let canonical = |text: &str| {
        let bytes = Base64::decode_vec(text).ok()?;
        Some(Base64::encode_string(&bytes))
    };
    let file = Object::new()
        .with("purpose", EMULATED_ROOTS_PURPOSE)
        .with("product", product.word())
        .with("ark", canonical(ark)?)
        .with("ask", canonical(ask)?);
    EmulatedRoots::parse(&file.to_bytes()).ok()
}

/// What became of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// The policy in force says all of this already.
    Kept,
    /// A policy of this version was signed.
    Signed(u64),
}

/// Signs a release policy if the one in `path` does not say the same, or not for much longer.
pub(crate) fn settle(
    path: &Path,
    identity: &Identity,
    key: &SigningKey,
    now_ms: u64,
) -> Result<Settled, DevError> {
    let document = |reason: String| document_error(path, reason);
    let mut version = 1;
    if let Some(envelope) = files::read_if_there(path)? {
        let old = open_release_policy(&envelope, &[key.public_key()], 1)
            .map_err(|error| document(error.to_string()))?;
        let old = old.policy();
        let same = ReleasePolicy {
            issued_ms: old.issued_ms,
            expires_ms: old.expires_ms,
            ..identity.policy(old.version, now_ms)
        };
        let lives = old.issued_ms <= now_ms && now_ms.saturating_add(RENEWAL_MS) < old.expires_ms;
        if *old == same && lives {
            return Ok(Settled::Kept);
        }
        version = old.version.saturating_add(1);
    }
    let payload = identity
        .policy(version, now_ms)
        .to_json()
        .map_err(|error| document(error.describe()))?;
    sign(path, RELEASE_POLICY_TYPE, &payload, key)?;
    Ok(Settled::Signed(version))
}

/// Signs firmware floors if those in `path` do not say the same.
pub(crate) fn settle_floors(
    path: &Path,
    identity: &Identity,
    key: &SigningKey,
    now_ms: u64,
) -> Result<Settled, DevError> {
    let mut version = 1;
    if let Some(envelope) = files::read_if_there(path)? {
        let old = open_tcb_floors(&envelope, &[key.public_key()], 1)
            .map_err(|error| document_error(path, error.to_string()))?;
        let old = old.floors();
        let lives = now_ms.saturating_add(RENEWAL_MS) < old.expires_ms;
        if *old == identity.floors(old.version, old.issued_ms) && lives {
            return Ok(Settled::Kept);
        }
        version = old.version.saturating_add(1);
    }
    let payload = identity
        .floors(version, now_ms.saturating_sub(BACKDATE_MS))
        .to_json()
        .map_err(|error| document_error(path, error.describe()))?;
    sign(path, TCB_FLOORS_TYPE, &payload, key)?;
    Ok(Settled::Signed(version))
}

fn document_error(path: &Path, reason: String) -> DevError {
    DevError::Document {
        path: path.to_owned(),
        reason,
    }
}

fn sign(path: &Path, kind: &str, payload: &[u8], key: &SigningKey) -> Result<(), DevError> {
    let envelope = Envelope::sign(kind, payload, &[key])
        .map_err(|error| document_error(path, error.to_string()))?;
    files::write(path, &envelope.to_json(), files::PUBLIC)
}

#[cfg(test)]
mod tests {
    use chancery_evidence::ProductLine;

    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn line(microcode: u8) -> Vec<u8> {
        let tcb = Object::new()
            .with("fmc", 0_u64)
            .with("bootloader", 10_u64)
            .with("tee", 0_u64)
            .with("snp", 27_u64)
            .with("microcode", u64::from(microcode))
            .with("hex", "00");
        Object::new()
            .with("mode", "emulated")
            .with("measurement", hex::encode([1; 48]))
            .with("host_data", hex::encode([2; 32]))
            .with("chip_id", hex::encode([3; 64]))
            .with("product", "genoa")
            .with("report_version", 5_u64)
            .with("policy", "0x20000")
            .with("guest_svn", 0_u64)
            .with("platform_info", "0x22")
            .with("reported_tcb", tcb)
            .with("firmware", "1.55.49")
            .with("mitigation_vector", "0xb")
            .with("ark_der", "AQI=")
            .with("ask_der", "Aw==")
            .to_bytes()
    }

    fn identity(microcode: u8) -> Identity {
        Identity::parse(&line(microcode)).unwrap()
    }

    #[test]
    fn the_version_grows_when_the_contents_change_and_only_then() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("release-policy.json");
        let key = SigningKey::from_seed([7; 32]);
        let settle = |chip: u8, now_ms| {
            let identity = Identity {
                chip_id: [chip; 64],
                ..identity(88)
            };
            settle(&path, &identity, &key, now_ms).unwrap()
        };
        assert_eq!(settle(88, NOW_MS), Settled::Signed(1));
        assert_eq!(settle(88, NOW_MS + DAY_MS), Settled::Kept);
        assert_eq!(settle(89, NOW_MS + DAY_MS), Settled::Signed(2));
        assert_eq!(settle(89, NOW_MS + 2 * DAY_MS), Settled::Kept);
        assert_eq!(
            settle(89, NOW_MS + 320 * DAY_MS),
            Settled::Signed(3),
            "renewed"
        );
        let envelope = files::read(&path).unwrap();
        let policy = open_release_policy(&envelope, &[key.public_key()], 1).unwrap();
        let policy = policy.policy();
        assert_eq!(policy.version, 3);
        assert_eq!(policy.products, [ProductLine::Genoa]);
        assert_eq!(policy.chip_ids, [[89; 64]]);
        assert!(!policy.dangerous_allow_any_chip);
    }

    #[test]
    fn the_floors_follow_the_processor_and_move_forward() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tcb-floors.json");
        let key = SigningKey::from_seed([7; 32]);
        let settle =
            |microcode, now_ms| settle_floors(&path, &identity(microcode), &key, now_ms).unwrap();
        assert_eq!(settle(88, NOW_MS), Settled::Signed(1));
        assert_eq!(settle(88, NOW_MS + DAY_MS), Settled::Kept);
        assert_eq!(settle(89, NOW_MS + DAY_MS), Settled::Signed(2));
        assert_eq!(
            settle(89, NOW_MS + 310 * DAY_MS),
            Settled::Signed(3),
            "renewed"
        );
        let envelope = files::read(&path).unwrap();
        let floors = open_tcb_floors(&envelope, &[key.public_key()], 1).unwrap();
        let rule = &floors.floors().rules[0];
        assert_eq!(rule.floor.tcb.microcode, 89);
        assert_eq!(floors.floors().version, 3);
        let other = SigningKey::from_seed([8; 32]);
        let refused = settle_floors(&path, &identity(89), &other, NOW_MS);
        assert!(matches!(refused, Err(DevError::Document { .. })));
    }

    #[test]
    fn a_policy_of_another_key_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("release-policy.json");
        settle(
            &path,
            &identity(88),
            &SigningKey::from_seed([7; 32]),
            NOW_MS,
        )
        .unwrap();
        let other = settle(
            &path,
            &identity(88),
            &SigningKey::from_seed([8; 32]),
            NOW_MS,
        );
        assert!(matches!(other, Err(DevError::Document { .. })));
    }

    #[test]
    fn refuses_an_identity_with_a_member_missing_or_malformed() {
        let text = String::from_utf8(line(88)).unwrap();
        for (from, to) in [
            ("\"chip_id\"", "\"chip\""),
            ("1.55.49", "1.55"),
            ("1.55.49", "1.55.49.1"),
            ("0xb", "b"),
            ("genoa", "milan"),
            ("0101", "010"),
            ("\"microcode\":88", "\"microcode\":256"),
        ] {
            assert!(text.contains(from), "{from}");
            let spoiled = text.replacen(from, to, 1);
            assert!(Identity::parse(spoiled.as_bytes()).is_none(), "{to}");
        }
    }
}
