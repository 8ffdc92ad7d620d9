//! The statement's JSON, both ways. Unknown, missing and duplicate members are refused with their place; in-toto would
//! have unknown ones ignored, but what nobody reads nobody should sign.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use chancery_json::{Element, Fields, Limits, Object, Value};
use chancery_measurement::LaunchDigest;

use super::{
    MeasuredInputs, MeasuredKernel, PREDICATE_TYPE, ReleaseStatement, STATEMENT_TYPE, SUBJECTS_MAX,
    Subject, item,
};
use crate::error::Error;
use crate::shape::{Shape, VcpuModel};

/// What every SHA-256 must look like.
const SHA256_RIGHT: &str = "64 lower-case hexadecimal digits";

impl ReleaseStatement {
    /// Reads a statement and checks its own rules.
    ///
    /// # Errors
    /// The first rule that is broken, with its place.
    pub fn from_json(text: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::parse(text, &Limits::DOCUMENT)?;
        literal(
            fields.take("_type")?,
            STATEMENT_TYPE,
            "\"https://in-toto.io/Statement/v1\"",
        )?;
        literal(
            fields.take("predicateType")?,
            PREDICATE_TYPE,
            "\"urn:chancery:release:v1\"",
        )?;
        let subjects = fields.take_array("subject")?;
        let mut predicate = fields.take_object("predicate")?;
        fields.finish()?;
        if subjects.len() > SUBJECTS_MAX {
            return Err(Error::value("/subject", "at most 64 subjects"));
        }
        let id = predicate.take_str("id")?;
        let version = predicate.take_str("version")?;
        let serial = predicate.take_u64("serial")?;
        let issued_ms = predicate.take_u64("issued_ms")?;
        let expires_ms = predicate.take_u64("expires_ms")?;
        let inputs = read_inputs(predicate.take_object("inputs")?)?;
        let shapes = predicate.take_array("shapes")?;
        predicate.finish()?;
        if shapes.len() != subjects.len() {
            return Err(Error::value(
                "/predicate/shapes",
                "one shape for each subject",
            ));
        }
        let statement = Self {
            id,
            version,
            serial,
            issued_ms,
            expires_ms,
            inputs,
            subjects: subjects
                .into_iter()
                .zip(shapes)
                .enumerate()
                .map(|(index, (subject, shape))| read_subject(index, subject, shape))
                .collect::<Result<_, _>>()?,
        };
        statement.check()?;
        Ok(statement)
    }

    /// Writes the statement; [`Self::from_json`] reads it back.
    ///
    /// # Errors
    /// A rule of [`Self::check`] is broken.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        self.check()?;
        let subjects: Vec<Value> = self.subjects.iter().map(write_subject).collect();
        let shapes: Vec<Value> = self.subjects.iter().map(write_shape).collect();
        let predicate = Object::with_capacity(7)
            .with("id", self.id.as_str())
            .with("version", self.version.as_str())
            .with("serial", self.serial)
            .with("issued_ms", self.issued_ms)
            .with("expires_ms", self.expires_ms)
            .with("inputs", write_inputs(&self.inputs))
            .with("shapes", shapes);
        let statement = Object::with_capacity(4)
            .with("_type", STATEMENT_TYPE)
            .with("subject", subjects)
            .with("predicateType", PREDICATE_TYPE)
            .with("predicate", predicate);
        Ok(statement.to_bytes())
    }
}

fn literal(element: Element, wanted: &str, right: &'static str) -> Result<(), Error> {
    let error = Error::value(element.pointer(), right);
    if element.into_str()? == wanted {
        Ok(())
    } else {
        Err(error)
    }
}

/// Lower-case hexadecimal of exactly `N` bytes.
fn read_hex<const N: usize>(text: &Text, right: &'static str) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let decoded = hex::decode_to_slice(&text.value, &mut bytes).is_ok();
    if decoded && text.value.bytes().all(|byte| !byte.is_ascii_uppercase()) {
        Ok(bytes)
    } else {
        Err(Error::value(&text.pointer, right))
    }
}

/// A number as `0x` and lower-case hexadecimal digits without leading zeros.
fn read_number(text: &Text) -> Result<u64, Error> {
    let digits = text.value.strip_prefix("0x").unwrap_or_default();
    match u64::from_str_radix(digits, 16) {
        Ok(number) if format!("{number:#x}") == text.value => Ok(number),
        Ok(_) | Err(_) => Err(Error::value(
            &text.pointer,
            "0x and lower-case hexadecimal digits",
        )),
    }
}

/// A text of the document with its place.
struct Text {
    pointer: String,
    value: String,
}

impl Text {
    fn take(fields: &mut Fields, name: &str) -> Result<Self, Error> {
        let element = fields.take(name)?;
        Ok(Self {
            pointer: element.pointer().to_string(),
            value: element.into_str()?,
        })
    }

    /// A member that is a text or `null`.
    fn take_nullable(fields: &mut Fields, name: &str) -> Result<Option<Self>, Error> {
        let element = fields.take(name)?;
        let pointer = element.pointer().to_string();
        let value = element.into_value();
        if value == Value::Null {
            return Ok(None);
        }
        match value.as_str() {
            Some(text) => Ok(Some(Self {
                value: text.to_string(),
                pointer,
            })),
            None => Err(Error::value(&pointer, "a string or null")),
        }
    }
}

fn read_inputs(mut fields: Fields) -> Result<MeasuredInputs, Error> {
    let sha256 = |text: &Text| read_hex(text, SHA256_RIGHT);
    let firmware_sha256 = sha256(&Text::take(&mut fields, "ovmf_sha256")?)?;
    let kernel = Text::take_nullable(&mut fields, "kernel_sha256")?;
    let initrd = Text::take_nullable(&mut fields, "initrd_sha256")?;
    let append = Text::take_nullable(&mut fields, "append")?;
    fields.finish()?;
    let kernel = match (kernel, initrd, append) {
        (Some(kernel), initrd, append) => Some(MeasuredKernel {
            kernel_sha256: sha256(&kernel)?,
            initrd_sha256: initrd.as_ref().map(sha256).transpose()?,
            command_line: append.map(|text| text.value),
        }),
        (None, None, None) => None,
        (None, Some(text), _) | (None, None, Some(text)) => {
            return Err(Error::value(&text.pointer, "null, as there is no kernel"));
        }
    };
    Ok(MeasuredInputs {
        firmware_sha256,
        kernel,
    })
}

fn read_subject(index: usize, subject: Element, shape: Element) -> Result<Subject, Error> {
    let mut fields = subject.into_fields()?;
    let name = fields.take_str("name")?;
    let mut digest = fields.take_object("digest")?;
    let launch_digest = Text::take(&mut digest, "sha384")?;
    let launch_digest = read_hex(&launch_digest, "96 lower-case hexadecimal digits")?;
    digest.finish()?;
    fields.finish()?;
    let (shape, named) = read_shape(index, shape)?;
    if named != shape.to_string() {
        let pointer = item("/predicate/shapes", index, "/subject");
        return Err(Error::value(&pointer, "the name that the shape has"));
    }
    if name != named {
        let pointer = item("/subject", index, "/name");
        return Err(Error::value(
            &pointer,
            "the name of the shape at the same place",
        ));
    }
    Ok(Subject {
        shape,
        launch_digest: LaunchDigest::new(launch_digest),
    })
}

/// A shape, and the name of the subject that it says to belong to.
fn read_shape(index: usize, element: Element) -> Result<(Shape, String), Error> {
    let place = |member: &str| item("/predicate/shapes", index, member);
    let mut fields = element.into_fields()?;
    let subject = fields.take_str("subject")?;
    let hypervisor = Shape::hypervisor_of(&fields.take_str("vmm")?)
        .ok_or_else(|| Error::value(&place("/vmm"), "qemu, ec2 or gce"))?;
    let vcpus = u32::try_from(fields.take_u64("vcpus")?).unwrap_or(u32::MAX);
    let name = Text::take_nullable(&mut fields, "vcpu_type")?;
    let signature = Text::take_nullable(&mut fields, "vcpu_sig")?;
    let guest_features = read_number(&Text::take(&mut fields, "guest_features")?)?;
    fields.finish()?;
    let model = match (name, signature) {
        (Some(name), None) => {
            Some(VcpuModel::named(&name.value).ok_or_else(|| {
                Error::value(&name.pointer, "a model of QEMU, such as EPYC-Genoa")
            })?)
        }
        (None, Some(signature)) => {
            let eax = u32::try_from(read_number(&signature)?).ok();
            let eax = eax.ok_or_else(|| Error::value(&signature.pointer, "a number of 32 bits"))?;
            Some(VcpuModel::with_signature(eax))
        }
        (None, None) => None,
        (Some(_), Some(signature)) => {
            return Err(Error::value(&signature.pointer, "null beside a vcpu_type"));
        }
    };
    let modelled = model.is_some();
    let shape =
        Shape::new(hypervisor, vcpus, model, guest_features).map_err(|error| match error {
            Error::Value { pointer, right } => Error::value(&place(&pointer), right),
            other @ (Error::Json(_)
            | Error::NoSubject
            | Error::ShapeTwice { .. }
            | Error::Envelope(_)
            | Error::SerialNotAbove { .. }) => other,
        })?;
    if modelled && shape.model().is_none() {
        return Err(Error::value(
            &place("/vcpu_type"),
            "null, as this hypervisor does not let the model into the measurement",
        ));
    }
    Ok((shape, subject))
}

fn write_inputs(inputs: &MeasuredInputs) -> Object {
    let kernel = inputs.kernel.as_ref();
    let text =
        |sha256: Option<&[u8; 32]>| sha256.map_or(Value::Null, |sha256| hex::encode(sha256).into());
    let initrd = kernel.and_then(|kernel| kernel.initrd_sha256.as_ref());
    let append = kernel.and_then(|kernel| kernel.command_line.as_deref());
    Object::with_capacity(4)
        .with("ovmf_sha256", text(Some(&inputs.firmware_sha256)))
        .with(
            "kernel_sha256",
            text(kernel.map(|kernel| &kernel.kernel_sha256)),
        )
        .with("initrd_sha256", text(initrd))
        .with("append", append.map_or(Value::Null, Value::from))
}

fn write_subject(subject: &Subject) -> Value {
    let digest = Object::with_capacity(1).with("sha384", subject.launch_digest.to_string());
    Object::with_capacity(2)
        .with("name", subject.shape.to_string())
        .with("digest", digest)
        .into()
}

fn write_shape(subject: &Subject) -> Value {
    let shape = &subject.shape;
    let name = shape.model().and_then(VcpuModel::name);
    let signature = shape.model().and_then(VcpuModel::eax);
    Object::with_capacity(6)
        .with("subject", shape.to_string())
        .with("vmm", shape.vmm())
        .with("vcpus", u64::from(shape.vcpus()))
        .with("vcpu_type", name.map_or(Value::Null, Value::from))
        .with(
            "vcpu_sig",
            signature.map_or(Value::Null, |eax| format!("{eax:#x}").into()),
        )
        .with("guest_features", format!("{:#x}", shape.guest_features()))
        .into()
}
