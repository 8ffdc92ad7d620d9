//! `release measure`: the launch digest of an image for each shape of machine.

use std::path::Path;

use chancery_json::{Object, Value};
use chancery_measurement::{FIRMWARE_SIZE_MAX, Firmware, Hypervisor, LaunchDigest};
use chancery_release::{MeasuredInputs, MeasuredKernel, SUBJECTS_MAX, Shape, Subject, VcpuModel};
use sha2::{Digest as _, Sha256};

use super::error::ReleaseError;
use crate::args::release::{LaunchArgs, ReleaseMeasureArgs, Vmm};
use crate::error::CliError;
use crate::files::{read_part, sha256_of};
use crate::output::{Outcome, aligned, printable, table};

/// What was measured, and the digest of each shape.
pub(super) struct Measured {
    /// The inputs.
    pub(super) inputs: MeasuredInputs,
    /// The digests, by number of processors and then by model.
    pub(super) subjects: Vec<Subject>,
}

/// Runs `release measure`.
pub(super) fn run(args: &ReleaseMeasureArgs) -> Result<Outcome, CliError> {
    let measured = measure(&args.launch, args.snp_ovmf_hash)?;
    let text = format!(
        "{}\n\n{}",
        subjects_table(&measured.subjects),
        aligned(&inputs_rows(&measured.inputs))
    );
    let measurements: Vec<Value> = measured.subjects.iter().map(subject_json).collect();
    let json = Object::with_capacity(2)
        .with("measurements", measurements)
        .with("inputs", inputs_json(&measured.inputs));
    Ok(Outcome::done(text, json))
}

/// Reads the parts and computes the digest of every shape that the options name. `pages_digest` stands in for the
/// firmware's own pages.
pub(super) fn measure(
    args: &LaunchArgs,
    pages_digest: Option<[u8; 48]>,
) -> Result<Measured, CliError> {
    let shapes = shapes(args)?;
    let path = args.ovmf.as_deref().ok_or(CliError::ValueInvalid {
        option: "--ovmf",
        allowed: "given",
    })?;
    let (firmware, firmware_sha256) = read_firmware(path, pages_digest)?;
    let inputs = MeasuredInputs {
        firmware_sha256,
        kernel: read_kernel(args)?,
    };
    let subjects = shapes
        .into_iter()
        .map(|shape| {
            let mut subject = Subject {
                shape,
                launch_digest: LaunchDigest::new([0; 48]),
            };
            subject.launch_digest = subject
                .measured(&firmware, &inputs)
                .map_err(|source| unmeasurable(path, source))?;
            Ok(subject)
        })
        .collect::<Result<_, CliError>>()?;
    Ok(Measured { inputs, subjects })
}

/// Reads a firmware image, and its SHA-256.
pub(super) fn read_firmware(
    path: &Path,
    pages_digest: Option<[u8; 48]>,
) -> Result<(Firmware, [u8; 32]), CliError> {
    let size_max = u64::try_from(FIRMWARE_SIZE_MAX).unwrap_or(u64::MAX);
    let image = read_part(path, size_max)?;
    let mut firmware = Firmware::parse(&image).map_err(|source| unmeasurable(path, source))?;
    if let Some(digest) = pages_digest {
        firmware = Firmware::from_parts(
            LaunchDigest::new(digest),
            firmware.sections().to_vec(),
            firmware.hash_table_gpa(),
            firmware.reset_address(),
        )
        .map_err(|source| unmeasurable(path, source))?;
    }
    Ok((firmware, Sha256::digest(&image).into()))
}

/// The error of a firmware that cannot be measured so.
fn unmeasurable(path: &Path, source: chancery_measurement::MeasurementError) -> CliError {
    let path = path.to_owned();
    ReleaseError::Unmeasurable { path, source }.into()
}

fn read_kernel(args: &LaunchArgs) -> Result<Option<MeasuredKernel>, CliError> {
    let hash = |file: Option<&Path>, given: Option<[u8; 32]>| match (file, given) {
        (Some(path), _) => sha256_of(path).map(Some),
        (None, given) => Ok(given),
    };
    let Some(kernel_sha256) = hash(args.kernel.as_deref(), args.kernel_sha256)? else {
        return Ok(None);
    };
    Ok(Some(MeasuredKernel {
        kernel_sha256,
        initrd_sha256: hash(args.initrd.as_deref(), args.initrd_sha256)?,
        command_line: args.append.clone(),
    }))
}

/// Each number of processors with each model, each shape once.
fn shapes(args: &LaunchArgs) -> Result<Vec<Shape>, CliError> {
    let hypervisor = match args.vmm {
        Vmm::Qemu => Hypervisor::Qemu,
        Vmm::Ec2 => Hypervisor::Ec2,
        Vmm::Gce => Hypervisor::Gce,
    };
    let given = args.vcpu_types.iter().chain(&args.vcpu_signatures);
    let mut models: Vec<Option<VcpuModel>> = given.cloned().map(Some).collect();
    if models.is_empty() {
        models.push(None);
    }
    let mut shapes: Vec<Shape> = Vec::new();
    for vcpus in &args.vcpus {
        for model in &models {
            let shape = Shape::new(hypervisor, *vcpus, model.clone(), args.guest_features)
                .map_err(|_no_model| CliError::ValueInvalid {
                    option: "--vcpu-type",
                    allowed: "given, or --vcpu-sig, because QEMU measures the processors' model",
                })?;
            if !shapes.contains(&shape) {
                shapes.push(shape);
            }
        }
    }
    if shapes.is_empty() || shapes.len() > SUBJECTS_MAX {
        return Err(CliError::ValueInvalid {
            option: "--vcpus",
            allowed: "given so that 1 to 64 shapes are measured, as many as a release can have",
        });
    }
    Ok(shapes)
}

/// One line for each digest.
pub(super) fn subjects_table(subjects: &[Subject]) -> String {
    let rows: Vec<Vec<String>> = subjects
        .iter()
        .map(|subject| {
            let shape = &subject.shape;
            vec![
                shape.vmm().to_owned(),
                shape.vcpus().to_string(),
                shape.model_text(),
                format!("{:#x}", shape.guest_features()),
                subject.launch_digest.to_string(),
            ]
        })
        .collect();
    table(
        &["vmm", "vcpus", "vcpu type", "features", "launch digest"],
        &rows,
    )
}

/// What was measured, for a person.
pub(super) fn inputs_rows(inputs: &MeasuredInputs) -> Vec<(&'static str, String)> {
    let mut rows = vec![("ovmf sha256", hex::encode(inputs.firmware_sha256))];
    if let Some(kernel) = &inputs.kernel {
        let initrd = kernel.initrd_sha256.map(hex::encode);
        let append = kernel.command_line.as_deref().map(printable);
        rows.extend([
            ("kernel sha256", hex::encode(kernel.kernel_sha256)),
            ("initrd sha256", initrd.unwrap_or_else(|| "none".to_owned())),
            ("append", append.unwrap_or_else(|| "none".to_owned())),
        ]);
    } else {
        rows.push((
            "kernel",
            "none: the firmware boots from the disk".to_owned(),
        ));
    }
    rows
}

/// One digest, for a program.
pub(super) fn subject_json(subject: &Subject) -> Value {
    let shape = &subject.shape;
    let name = shape.model().and_then(VcpuModel::name);
    let signature = shape.model().and_then(VcpuModel::eax);
    Object::with_capacity(7)
        .with("name", shape.to_string())
        .with("vmm", shape.vmm())
        .with("vcpus", u64::from(shape.vcpus()))
        .with("vcpu_type", name.map_or(Value::Null, Value::from))
        .with(
            "vcpu_sig",
            signature.map_or(Value::Null, |eax| format!("{eax:#x}").into()),
        )
        .with("guest_features", format!("{:#x}", shape.guest_features()))
        .with("launch_digest", subject.launch_digest.to_string())
        .into()
}

/// What was measured, for a program.
pub(super) fn inputs_json(inputs: &MeasuredInputs) -> Object {
    let kernel = inputs.kernel.as_ref();
    let hash =
        |sha256: Option<[u8; 32]>| sha256.map_or(Value::Null, |sha256| hex::encode(sha256).into());
    let append = kernel.and_then(|kernel| kernel.command_line.as_deref());
    Object::with_capacity(4)
        .with("ovmf_sha256", hex::encode(inputs.firmware_sha256))
        .with(
            "kernel_sha256",
            hash(kernel.map(|kernel| kernel.kernel_sha256)),
        )
        .with(
            "initrd_sha256",
            hash(kernel.and_then(|kernel| kernel.initrd_sha256)),
        )
        .with("append", append.map_or(Value::Null, Value::from))
}
