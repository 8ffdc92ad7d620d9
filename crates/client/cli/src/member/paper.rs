//! The two papers between a member's devices: the request of the new one, and the introduction by
//! the one that is in already. Neither holds a secret; whoever changes one on its way is found out by
//! the fingerprints that both devices print.

use std::path::Path;

use base64ct::{Base64, Encoding as _};
use chancery_claim::ClaimId;
use chancery_json::{Fields, Limits, Object};
use chancery_keyset::{Fingerprint, PublicKeyset};

use super::code::{base64, is_device_name};
use super::home::{KnownDevice, Membership, devices_json, digits, read_devices};
use crate::error::CliError;
use crate::files::read_document;

/// The only version of both papers.
const VERSION: u64 = 1;

const REQUEST_KIND: &str = "chancery-device-request";
const INTRODUCTION_KIND: &str = "chancery-device-introduction";

/// What a new device asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceRequest {
    /// How the member calls it.
    pub(crate) name: String,
    /// Its public keyset.
    pub(crate) keyset: PublicKeyset,
}

/// What the new device has to know, from a device that the member trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Introduction {
    /// Whose account it is, under which genesis. The handle is known.
    pub(crate) membership: Membership,
    /// Fingerprint of the account's keyset.
    pub(crate) account: Fingerprint,
    /// Fingerprint of the new device's keyset.
    pub(crate) device: Fingerprint,
    /// The devices that are in, as far as the introducing one knows their keys itself; it is the first.
    pub(crate) devices: Vec<KnownDevice>,
}

impl DeviceRequest {
    /// The file's bytes.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let paper = Object::new()
            .with("version", VERSION)
            .with("kind", REQUEST_KIND)
            .with("name", self.name.as_str())
            .with("keyset", base64(&self.keyset.encode()));
        line(&paper)
    }

    /// Reads a request.
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        parsed(path, "it is no device request", Self::parse)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let mut fields = paper(text, REQUEST_KIND)?;
        let name = fields.take_str("name").ok()?;
        let keyset = Base64::decode_vec(&fields.take_str("keyset").ok()?).ok()?;
        let keyset = PublicKeyset::decode(&keyset).ok()?;
        fields.finish().ok()?;
        is_device_name(&name).then_some(Self { name, keyset })
    }
}

impl Introduction {
    /// The file's bytes; none if the account's handle is not known.
    pub(crate) fn to_json(&self) -> Option<Vec<u8>> {
        let member = &self.membership;
        let paper = Object::new()
            .with("version", VERSION)
            .with("kind", INTRODUCTION_KIND)
            .with("deployment", hex::encode(member.deployment))
            .with("tenant", hex::encode(member.tenant))
            .with("genesis", hex::encode(member.genesis))
            .with("member", member.member.to_string())
            .with("handle", hex::encode(member.handle?))
            .with("account", self.account.to_string())
            .with("device", self.device.to_string())
            .with("devices", devices_json(&self.devices));
        Some(line(&paper))
    }

    /// Reads an introduction.
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        parsed(path, "it is no device introduction", Self::parse)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let mut fields = paper(text, INTRODUCTION_KIND)?;
        let devices = read_devices(fields.take_array("devices").ok()?)?;
        let mut text = |name: &str| fields.take_str(name).ok();
        let introduction = Self {
            membership: Membership {
                deployment: digits(&text("deployment")?)?,
                tenant: digits(&text("tenant")?)?,
                genesis: digits(&text("genesis")?)?,
                member: ClaimId::parse(&text("member")?).ok()?,
                handle: Some(digits(&text("handle")?)?),
            },
            account: Fingerprint::from_bytes(digits(&text("account")?)?),
            device: Fingerprint::from_bytes(digits(&text("device")?)?),
            devices,
        };
        fields.finish().ok()?;
        Some(introduction)
    }
}

fn paper(text: &[u8], kind: &str) -> Option<Fields> {
    let mut fields = Fields::parse(text, &Limits::DOCUMENT).ok()?;
    let version = fields.take_u64("version").ok()?;
    let found = fields.take_str("kind").ok()?;
    (version == VERSION && found == kind).then_some(fields)
}

fn parsed<T>(
    path: &Path,
    reason: &str,
    parse: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<T, CliError> {
    parse(&read_document(path)?).ok_or_else(|| CliError::DocumentInvalid {
        path: path.to_owned(),
        reason: reason.to_owned(),
    })
}

fn line(paper: &Object) -> Vec<u8> {
    let mut text = paper.to_bytes();
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::Folder;
    use crate::member::OsEntropy;
    use chancery_keyset::Keyset;

    fn request() -> DeviceRequest {
        let keyset = Keyset::generate(&mut OsEntropy).unwrap();
        DeviceRequest {
            name: "laptop".to_owned(),
            keyset: keyset.public().clone(),
        }
    }

    fn introduction() -> Introduction {
        Introduction {
            membership: Membership {
                deployment: [1; 32],
                tenant: [2; 16],
                genesis: [3; 32],
                member: ClaimId::from_bytes([4; 16]),
                handle: Some([5; 32]),
            },
            account: Fingerprint::from_bytes([6; 32]),
            device: Fingerprint::from_bytes([0xab; 32]),
            devices: vec![KnownDevice {
                name: "first".to_owned(),
                keyset: request().keyset,
            }],
        }
    }

    #[test]
    fn reads_what_it_wrote() {
        let folder = Folder::new();
        let path = folder.path("paper");
        let request = request();
        std::fs::write(&path, request.to_json()).unwrap();
        assert_eq!(DeviceRequest::read(&path).unwrap(), request);
        assert!(matches!(
            Introduction::read(&path),
            Err(CliError::DocumentInvalid { .. })
        ));
        let introduction = introduction();
        std::fs::write(&path, introduction.to_json().unwrap()).unwrap();
        assert_eq!(Introduction::read(&path).unwrap(), introduction);
        assert!(matches!(
            DeviceRequest::read(&path),
            Err(CliError::DocumentInvalid { .. })
        ));
    }

    #[test]
    fn writes_no_introduction_of_an_account_that_the_log_has_not_proved() {
        let mut introduction = introduction();
        introduction.membership.handle = None;
        assert_eq!(introduction.to_json(), None);
    }

    #[test]
    fn refuses_other_members_versions_and_forms() {
        let text = String::from_utf8(introduction().to_json().unwrap()).unwrap();
        for (from, to) in [
            ("\"version\":1", "\"version\":2"),
            ("\"version\":1", "\"version\":1,\"x\":1"),
            ("\"account\":\"06", "\"account\":\""),
            ("abab", "ABAB"),
            ("04040404-", "04040404"),
            ("\"handle\"", "\"h\""),
            ("\"name\"", "\"n\""),
            ("\"devices\":[", "\"devices\":[1,"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            assert_eq!(Introduction::parse(changed.as_bytes()), None, "{to}");
        }
        let text = String::from_utf8(request().to_json()).unwrap();
        for (from, to) in [
            ("laptop", ""),
            ("laptop", "a\\n"),
            ("\"keyset\":\"AW", "\"keyset\":\"Ag"),
            ("\"keyset\":\"", "\"keyset\":\"*"),
            ("\"name\"", "\"n\""),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            assert_eq!(DeviceRequest::parse(changed.as_bytes()), None, "{to}");
        }
    }
}
