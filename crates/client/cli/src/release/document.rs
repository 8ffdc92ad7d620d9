//! The documents that release keys sign, each with its payload type.

use std::path::Path;

use chancery_dsse::Envelope;
use chancery_json::{Fields, Limits, Object, Value};
use chancery_release::{ReleaseStatement, STATEMENT_PAYLOAD_TYPE};
use chancery_verify::{FloorRule, RELEASE_POLICY_TYPE, ReleasePolicy, TCB_FLOORS_TYPE, TcbFloors};

use super::measure::{inputs_json, inputs_rows, subject_json, subjects_table};
use crate::args::release::DocumentKind;
use crate::error::CliError;
use crate::files::read_document;
use crate::output::{aligned, printable, table};
use crate::time;

impl DocumentKind {
    /// The payload type of its envelopes.
    pub(super) const fn payload_type(self) -> &'static str {
        match self {
            Self::Release => STATEMENT_PAYLOAD_TYPE,
            Self::ReleasePolicy => RELEASE_POLICY_TYPE,
            Self::TcbFloors => TCB_FLOORS_TYPE,
        }
    }

    /// The word on command lines and in outputs.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::ReleasePolicy => "release-policy",
            Self::TcbFloors => "tcb-floors",
        }
    }

    /// The kind whose envelopes have this payload type.
    pub(super) fn of_payload_type(payload_type: &str) -> Option<Self> {
        [Self::Release, Self::ReleasePolicy, Self::TcbFloors]
            .into_iter()
            .find(|kind| kind.payload_type() == payload_type)
    }
}

/// A document that obeys the rules of its kind. Who signed it is another matter.
#[derive(Debug)]
pub(super) enum Document {
    /// Which launch digests a release has.
    Release(ReleaseStatement),
    /// What clients accept.
    Policy(Box<ReleasePolicy>),
    /// The oldest firmware that clients accept.
    Floors(TcbFloors),
}

impl Document {
    /// Reads a document of this kind; the fault is told with its place.
    pub(super) fn parse(kind: DocumentKind, text: &[u8]) -> Result<Self, String> {
        match kind {
            DocumentKind::Release => ReleaseStatement::from_json(text)
                .map(Self::Release)
                .map_err(|error| error.describe()),
            DocumentKind::ReleasePolicy => ReleasePolicy::from_json(text)
                .map(|policy| Self::Policy(Box::new(policy)))
                .map_err(|error| error.describe()),
            DocumentKind::TcbFloors => TcbFloors::from_json(text)
                .map(Self::Floors)
                .map_err(|error| error.describe()),
        }
    }

    /// Its kind.
    pub(super) const fn kind(&self) -> DocumentKind {
        match self {
            Self::Release(_) => DocumentKind::Release,
            Self::Policy(_) => DocumentKind::ReleasePolicy,
            Self::Floors(_) => DocumentKind::TcbFloors,
        }
    }

    /// The number that only grows.
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Release(statement) => statement.serial,
            Self::Policy(policy) => policy.version,
            Self::Floors(floors) => floors.version,
        }
    }

    /// From when on it holds, milliseconds since the Unix epoch.
    pub(super) fn issued_ms(&self) -> u64 {
        match self {
            Self::Release(statement) => statement.issued_ms,
            Self::Policy(policy) => policy.issued_ms,
            Self::Floors(floors) => floors.issued_ms,
        }
    }

    /// When it no longer holds, milliseconds since the Unix epoch.
    pub(super) fn expires_ms(&self) -> u64 {
        match self {
            Self::Release(statement) => statement.expires_ms,
            Self::Policy(policy) => policy.expires_ms,
            Self::Floors(floors) => floors.expires_ms,
        }
    }

    /// The one encoding that is signed.
    pub(super) fn payload(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Release(statement) => statement.to_json().map_err(|error| error.describe()),
            Self::Policy(policy) => policy.to_json().map_err(|error| error.describe()),
            Self::Floors(floors) => floors.to_json().map_err(|error| error.describe()),
        }
    }

    /// What it says, for whoever is asked to sign it or to believe it.
    pub(super) fn text(&self) -> String {
        let mut rows = match self {
            Self::Release(statement) => vec![
                (
                    "release",
                    printable(&format!("{} {}", statement.id, statement.version)),
                ),
                ("serial", statement.serial.to_string()),
            ],
            Self::Policy(policy) => vec![("policy", format!("version {}", policy.version))],
            Self::Floors(floors) => vec![("floors", format!("version {}", floors.version))],
        };
        rows.push(("in force from", time::utc(self.issued_ms())));
        rows.push(("until", time::utc(self.expires_ms())));
        match self {
            Self::Release(statement) => {
                rows.extend(inputs_rows(&statement.inputs));
                let subjects = subjects_table(&statement.subjects);
                format!("{}\n\n{subjects}", aligned(&rows))
            }
            Self::Policy(policy) => {
                rows.extend(policy_rows(policy));
                aligned(&rows)
            }
            Self::Floors(floors) => {
                let rules = floors.rules.iter().map(floor_cells).collect::<Vec<_>>();
                let headings = [
                    "processors",
                    "line",
                    "tcb at least",
                    "firmware",
                    "mitigations",
                ];
                format!("{}\n\n{}", aligned(&rows), table(&headings, &rules))
            }
        }
    }

    /// What it says, for a program.
    pub(super) fn json(&self) -> Object {
        match self {
            Self::Release(statement) => {
                let subjects: Vec<Value> = statement.subjects.iter().map(subject_json).collect();
                Object::with_capacity(7)
                    .with("id", statement.id.as_str())
                    .with("version", statement.version.as_str())
                    .with("serial", statement.serial)
                    .with("issued_ms", statement.issued_ms)
                    .with("expires_ms", statement.expires_ms)
                    .with("inputs", inputs_json(&statement.inputs))
                    .with("subjects", subjects)
            }
            Self::Policy(_) | Self::Floors(_) => self
                .payload()
                .ok()
                .and_then(|text| Value::parse(&text, &Limits::DOCUMENT).ok())
                .and_then(|value| value.as_object().cloned())
                .unwrap_or_default(),
        }
    }
}

fn floor_cells(rule: &FloorRule) -> Vec<String> {
    vec![
        printable(&rule.name),
        rule.line.word().to_owned(),
        rule.floor.tcb.to_string(),
        rule.floor.firmware.to_string(),
        format!("{:#x}", rule.floor.mitigation_required),
    ]
}

fn policy_rows(policy: &ReleasePolicy) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    for release in &policy.releases {
        rows.push((
            "allows",
            format!(
                "{} {}  {}",
                printable(&release.id),
                printable(&release.version),
                hex::encode(release.measurement)
            ),
        ));
    }
    if policy.releases.is_empty() {
        rows.push(("allows", "nothing".to_owned()));
    }
    let dangers = [
        ("dangerous_vmpl_max", policy.dangerous_vmpl_max > 0),
        (
            "dangerous_guest_policy_allowed",
            policy.dangerous_guest_policy_allowed != 0,
        ),
        ("dangerous_allow_milan", policy.dangerous_allow_milan),
        (
            "dangerous_allow_vlek_of",
            !policy.dangerous_allow_vlek_of.is_empty(),
        ),
        ("dangerous_allow_any_chip", policy.dangerous_allow_any_chip),
        (
            "dangerous_allow_provisional_firmware",
            policy.dangerous_allow_provisional_firmware,
        ),
        (
            "dangerous_allow_unchecked_revocation",
            policy.dangerous_allow_unchecked_revocation,
        ),
        (
            "dangerous_allow_unchecked_aliases",
            policy.dangerous_allow_unchecked_aliases,
        ),
    ];
    let open = dangers.into_iter().filter(|(_, is_open)| *is_open);
    rows.extend(open.map(|(name, _)| ("DANGER", name.to_owned())));
    rows
}

/// A document from a file, and its envelope if it has one.
pub(super) struct Loaded {
    /// The document.
    pub(super) document: Document,
    /// The envelope, of which nothing is believed.
    pub(super) envelope: Option<Envelope>,
}

/// Whether a file is meant to be an envelope: then its faults are those of an envelope.
pub(crate) fn is_envelope(text: &[u8]) -> bool {
    Fields::parse(text, &Limits::DOCUMENT).is_ok_and(|fields| fields.contains("payloadType"))
}

/// Reads a document, signed or not. Without an envelope nothing but `kind` says what it is.
pub(super) fn load(path: &Path, kind: Option<DocumentKind>) -> Result<Loaded, CliError> {
    let text = read_document(path)?;
    let invalid = |reason: String| CliError::EditInvalid {
        path: path.to_owned(),
        reason,
    };
    if !is_envelope(&text) {
        let document = Document::parse(kind.unwrap_or(DocumentKind::Release), &text);
        let document = document.map_err(|reason| match kind {
            Some(_) => invalid(reason),
            None => invalid(format!(
                "{reason} (read as a release statement; pass --kind if it is something else)"
            )),
        })?;
        return Ok(Loaded {
            document,
            envelope: None,
        });
    }
    let envelope = Envelope::parse(&text)?;
    let found = DocumentKind::of_payload_type(envelope.unverified_payload_type());
    let found = found.ok_or_else(|| {
        let payload_type = printable(envelope.unverified_payload_type());
        invalid(format!("release keys sign nothing of type {payload_type}"))
    })?;
    if let Some(kind) = kind.filter(|kind| *kind != found) {
        let (found, kind) = (found.word(), kind.word());
        return Err(invalid(format!("it is a {found}, not a {kind}")));
    }
    let document = Document::parse(found, envelope.unverified_payload()).map_err(invalid)?;
    Ok(Loaded {
        document,
        envelope: Some(envelope),
    })
}
