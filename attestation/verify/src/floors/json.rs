//! The floors' JSON, both ways. Unknown, missing and duplicate members are refused with their place.

use alloc::string::String;
use alloc::vec::Vec;

use chancery_evidence::FirmwareVersion;
use chancery_evidence::TcbComponents;
use chancery_json::Element;
use chancery_json::Fields;
use chancery_json::Limits;
use chancery_json::Object;
use chancery_json::Value;

use super::CrlNumbers;
use super::Floor;
use super::FloorRule;
use super::Processors;
use super::TcbFloors;
use crate::policy::PolicyError;
use crate::policy::json::list;
use crate::policy::json::read_hex;
use crate::policy::json::read_line;
use crate::policy::json::read_u8;
use crate::policy::json::value_error;

impl TcbFloors {
    /// Reads a document and checks its own rules.
    ///
    /// # Errors
    /// The first rule that is broken, with its place.
    pub fn from_json(text: &[u8]) -> Result<Self, PolicyError> {
        let mut fields = Fields::parse(text, &Limits::DOCUMENT)?;
        let floors = Self {
            version: fields.take_u64("version")?,
            issued_ms: fields.take_u64("issued_ms")?,
            expires_ms: fields.take_u64("expires_ms")?,
            crl_numbers_min: read_crl_numbers(fields.take_object("crl_numbers_min")?)?,
            rules: list(&mut fields, "floors", read_rule)?,
        };
        fields.finish()?;
        floors.check()?;
        Ok(floors)
    }

    /// Writes the document; [`Self::from_json`] reads it back.
    ///
    /// # Errors
    /// A rule of [`Self::check`] is broken.
    pub fn to_json(&self) -> Result<Vec<u8>, PolicyError> {
        self.check()?;
        let rules: Vec<Value> = self.rules.iter().map(write_rule).collect();
        let object = Object::new()
            .with("version", self.version)
            .with("issued_ms", self.issued_ms)
            .with("expires_ms", self.expires_ms)
            .with(
                "crl_numbers_min",
                Object::new()
                    .with("milan", self.crl_numbers_min.milan)
                    .with("genoa", self.crl_numbers_min.genoa)
                    .with("turin", self.crl_numbers_min.turin),
            )
            .with("floors", rules);
        Ok(object.to_bytes())
    }
}

fn read_crl_numbers(mut fields: Fields) -> Result<CrlNumbers, PolicyError> {
    let numbers = CrlNumbers {
        milan: fields.take_u64("milan")?,
        genoa: fields.take_u64("genoa")?,
        turin: fields.take_u64("turin")?,
    };
    fields.finish()?;
    Ok(numbers)
}

fn read_rule(element: Element) -> Result<FloorRule, PolicyError> {
    let mut fields = element.into_fields()?;
    let rule = FloorRule {
        name: fields.take_str("name")?,
        line: read_line(fields.take("line")?)?,
        processors: read_processors(fields.take_object("cpuid")?)?,
        floor: Floor {
            tcb: read_tcb(fields.take_object("tcb_floor")?)?,
            firmware: read_firmware(fields.take_object("firmware_floor")?)?,
            mitigation_required: u64::from_be_bytes(read_hex(fields.take("mitigation_required")?)?),
        },
        sources: fields.take_strings("sources")?,
    };
    fields.finish()?;
    Ok(rule)
}

fn read_processors(mut fields: Fields) -> Result<Processors, PolicyError> {
    let [family] = read_hex(fields.take("family")?)?;
    let processors = Processors {
        family,
        models: read_range(fields.take("models")?)?,
        steppings: read_range(fields.take("steppings")?)?,
    };
    fields.finish()?;
    Ok(processors)
}

/// Two bytes in hexadecimal.
fn read_range(element: Element) -> Result<[u8; 2], PolicyError> {
    let error = value_error(element.pointer());
    let mut ends = element.into_array()?.into_iter();
    let (Some(first), Some(last), None) = (ends.next(), ends.next(), ends.next()) else {
        return Err(error);
    };
    let ([first], [last]) = (read_hex(first)?, read_hex(last)?);
    Ok([first, last])
}

fn read_tcb(mut fields: Fields) -> Result<TcbComponents, PolicyError> {
    let tcb = TcbComponents {
        fmc: read_u8(fields.take("fmc")?)?,
        bootloader: read_u8(fields.take("bootloader")?)?,
        tee: read_u8(fields.take("tee")?)?,
        snp: read_u8(fields.take("snp")?)?,
        microcode: read_u8(fields.take("microcode")?)?,
    };
    fields.finish()?;
    Ok(tcb)
}

fn read_firmware(mut fields: Fields) -> Result<FirmwareVersion, PolicyError> {
    let firmware = FirmwareVersion {
        major: read_u8(fields.take("major")?)?,
        minor: read_u8(fields.take("minor")?)?,
        build: read_u8(fields.take("build")?)?,
    };
    fields.finish()?;
    Ok(firmware)
}

fn write_rule(rule: &FloorRule) -> Value {
    let tcb = rule.floor.tcb;
    let firmware = rule.floor.firmware;
    let range = |ends: [u8; 2]| -> Vec<Value> {
        let text = |end: u8| Value::from(hex::encode([end]));
        ends.into_iter().map(text).collect()
    };
    Object::new()
        .with("name", rule.name.as_str())
        .with("line", rule.line.word())
        .with(
            "cpuid",
            Object::new()
                .with("family", hex::encode([rule.processors.family]))
                .with("models", range(rule.processors.models))
                .with("steppings", range(rule.processors.steppings)),
        )
        .with(
            "tcb_floor",
            Object::new()
                .with("fmc", u64::from(tcb.fmc))
                .with("bootloader", u64::from(tcb.bootloader))
                .with("tee", u64::from(tcb.tee))
                .with("snp", u64::from(tcb.snp))
                .with("microcode", u64::from(tcb.microcode)),
        )
        .with(
            "firmware_floor",
            Object::new()
                .with("major", u64::from(firmware.major))
                .with("minor", u64::from(firmware.minor))
                .with("build", u64::from(firmware.build)),
        )
        .with(
            "mitigation_required",
            hex::encode(rule.floor.mitigation_required.to_be_bytes()),
        )
        .with(
            "sources",
            rule.sources
                .iter()
                .map(String::as_str)
                .map(Value::from)
                .collect::<Vec<Value>>(),
        )
        .into()
}
