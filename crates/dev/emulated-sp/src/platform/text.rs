//! A platform as JSON, for its file and for people.
//!
//! ```json
//! { "purpose": "chancery-EMULATED/platform/v1", "product": "genoa", "firmware": "1.55.49", "report_version": 5,
//!   "mitigation_vector": "0xb", "platform_info": "0x64", "current_tcb": "10.0.27.88", "committed_tcb": "10.0.27.88",
//!   "committed_firmware": "1.55.49", "reported_tcb": "10.0.27.88", "leaf_trailer": "omitted", "certificate_form": "der",
//!   "table_contents": "all",
//!   "crl_number": 20717, "crl_issued_ms": 1790000000000, "revoked": [{ "serial": "020002", "revoked_ms": 1790000000000 }],
//!   "throttled": false, "channel_failures": 0 }
//! ```
//! Every member is required and no other is allowed.

use chancery_evidence::{FirmwareVersion, PlatformInfo, ProductLine, TcbComponents};
use chancery_json::{Fields, Limits, Object, Value};

use crate::certificate_table::{CertificateForm, TableContents};
use crate::crl::{CrlSchedule, REVOKED_MAX, Revocation};
use crate::pki::TrailerEncoding;
use crate::platform::{HostState, PlatformState};
use crate::product::{EmulatedProduct, PlatformLevel, ReportLayout};

const PURPOSE: &str = "chancery-EMULATED/platform/v1";

impl PlatformState {
    /// As one JSON object, whose members stand in `docs/spec/emulated-processor.md`.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let line = self.product.line();
        let bits = |value: u64| format!("{value:#x}");
        let tcb = |tcb| tcb_text(tcb, line);
        let host = &self.host;
        let revoked = host.crl.revoked.iter().map(|entry| {
            let entry = Object::new()
                .with("serial", hex::encode(entry.serial))
                .with("revoked_ms", entry.revoked_ms);
            Value::Object(entry)
        });
        Object::new()
            .with("purpose", PURPOSE)
            .with("product", self.product.word())
            .with("firmware", self.current.firmware.to_string())
            .with(
                "report_version",
                u64::from(self.current.report_layout.number()),
            )
            .with("mitigation_vector", bits(self.current.mitigation_vector))
            .with("platform_info", bits(self.current.platform_info.bits()))
            .with("current_tcb", tcb(self.current.tcb))
            .with("committed_tcb", tcb(self.committed_tcb))
            .with("committed_firmware", self.committed_firmware.to_string())
            .with("reported_tcb", tcb(self.reported_tcb))
            .with("leaf_trailer", host.leaf_trailer.word())
            .with("certificate_form", host.certificate_form.word())
            .with("table_contents", host.table_contents.word())
            .with("crl_number", host.crl.number)
            .with("crl_issued_ms", host.crl.issued_ms)
            .with("revoked", Value::Array(revoked.collect()))
            .with("throttled", host.throttled)
            .with("channel_failures", host.channel_failures)
            .to_bytes()
    }

    /// Reads what [`Self::to_json`] wrote.
    ///
    /// # Errors
    /// What is wrong, with its place.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut fields =
            Fields::parse(bytes, &Limits::DOCUMENT).map_err(|error| error.describe())?;
        if text(&mut fields, "purpose")? != PURPOSE {
            return Err("it was not written by this program".to_owned());
        }
        let product = word(&mut fields, "product", EmulatedProduct::from_word)?;
        let line = product.line();
        let tcb = |text: &str| parse_tcb(text, line);
        let state = Self {
            product,
            current: PlatformLevel {
                tcb: word(&mut fields, "current_tcb", tcb)?,
                firmware: word(&mut fields, "firmware", parse_firmware)?,
                report_layout: report_layout(&mut fields)?,
                mitigation_vector: word(&mut fields, "mitigation_vector", parse_bits)?,
                platform_info: PlatformInfo::from_bits(word(
                    &mut fields,
                    "platform_info",
                    parse_bits,
                )?),
            },
            committed_tcb: word(&mut fields, "committed_tcb", tcb)?,
            committed_firmware: word(&mut fields, "committed_firmware", parse_firmware)?,
            reported_tcb: word(&mut fields, "reported_tcb", tcb)?,
            host: parse_host(&mut fields)?,
        };
        fields.finish().map_err(|error| error.describe())?;
        if state.is_ordered() {
            Ok(state)
        } else {
            Err("not reported <= committed <= current".to_owned())
        }
    }
}

fn parse_host(fields: &mut Fields) -> Result<HostState, String> {
    Ok(HostState {
        crl: CrlSchedule {
            number: fields
                .take_u64("crl_number")
                .map_err(|error| error.describe())?,
            issued_ms: fields
                .take_u64("crl_issued_ms")
                .map_err(|error| error.describe())?,
            revoked: parse_revoked(fields)?,
        },
        leaf_trailer: word(fields, "leaf_trailer", TrailerEncoding::from_word)?,
        certificate_form: word(fields, "certificate_form", CertificateForm::from_word)?,
        table_contents: word(fields, "table_contents", TableContents::from_word)?,
        throttled: fields
            .take_bool("throttled")
            .map_err(|error| error.describe())?,
        channel_failures: fields
            .take_u64("channel_failures")
            .map_err(|error| error.describe())?,
    })
}

fn parse_revoked(fields: &mut Fields) -> Result<Vec<Revocation>, String> {
    let entries = fields
        .take_array("revoked")
        .map_err(|error| error.describe())?;
    if entries.len() > REVOKED_MAX {
        return Err("more is revoked than there is".to_owned());
    }
    let mut revoked = Vec::new();
    for entry in entries {
        let mut entry = entry.into_fields().map_err(|error| error.describe())?;
        let serial = |text: &str| {
            let mut serial = [0; 3];
            hex::decode_to_slice(text, &mut serial).ok()?;
            Some(serial)
        };
        revoked.push(Revocation {
            serial: word(&mut entry, "serial", serial)?,
            revoked_ms: entry
                .take_u64("revoked_ms")
                .map_err(|error| error.describe())?,
        });
        entry.finish().map_err(|error| error.describe())?;
    }
    Ok(revoked)
}

fn report_layout(fields: &mut Fields) -> Result<ReportLayout, String> {
    let number = fields
        .take_u64("report_version")
        .map_err(|error| error.describe())?;
    u32::try_from(number)
        .ok()
        .and_then(ReportLayout::from_number)
        .ok_or_else(|| "no firmware writes this report version".to_owned())
}

fn text(fields: &mut Fields, name: &str) -> Result<String, String> {
    fields.take_str(name).map_err(|error| error.describe())
}

/// A member whose text must have a meaning.
fn word<T>(fields: &mut Fields, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    let text = text(fields, name)?;
    read(&text).ok_or_else(|| format!("{name} has no such value"))
}

/// A number in hexadecimal with `0x`.
fn parse_bits(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// A TCB as people write it: its components in the order of TCB_VERSION, such as `10.0.27.88` (boot loader, TEE, SNP, microcode)
/// on Genoa and `1.3.2.5.97` (FMC first) on Turin.
pub(crate) fn tcb_text(tcb: TcbComponents, line: ProductLine) -> String {
    let TcbComponents {
        fmc,
        bootloader,
        tee,
        snp,
        microcode,
    } = tcb;
    match line {
        ProductLine::Milan | ProductLine::Genoa => format!("{bootloader}.{tee}.{snp}.{microcode}"),
        ProductLine::Turin => format!("{fmc}.{bootloader}.{tee}.{snp}.{microcode}"),
    }
}

/// Reads a TCB of a product line: `10.0.27.88` (boot loader, TEE, SNP, microcode), on Turin `1.3.2.5.97` (FMC first). `None` if it is
/// not of this form.
#[must_use]
pub fn parse_tcb(text: &str, line: ProductLine) -> Option<TcbComponents> {
    let numbers = parse_numbers(text)?;
    let (fmc, [bootloader, tee, snp, microcode]) = match (line, numbers.as_slice()) {
        (ProductLine::Milan | ProductLine::Genoa, rest) => (0, <[u8; 4]>::try_from(rest).ok()?),
        (ProductLine::Turin, [fmc, rest @ ..]) => (*fmc, <[u8; 4]>::try_from(rest).ok()?),
        (ProductLine::Turin, []) => return None,
    };
    Some(TcbComponents {
        fmc,
        bootloader,
        tee,
        snp,
        microcode,
    })
}

/// Reads a firmware version such as `1.55.49`; `None` if it is not of this form.
#[must_use]
pub fn parse_firmware(text: &str) -> Option<FirmwareVersion> {
    let [major, minor, build] = <[u8; 3]>::try_from(parse_numbers(text)?).ok()?;
    Some(FirmwareVersion {
        major,
        minor,
        build,
    })
}

/// Numbers of 0 to 255 in decimal without leading zeros or signs, between full stops.
fn parse_numbers(text: &str) -> Option<Vec<u8>> {
    text.split('.')
        .map(|part| {
            let number: u8 = part.parse().ok()?;
            (number.to_string() == part).then_some(number)
        })
        .collect()
}
