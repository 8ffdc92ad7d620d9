//! The shape of a machine: what besides the image decides the launch digest.

use core::fmt;

use alloc::string::{String, ToString as _};

use chancery_measurement::{Hypervisor, LaunchShape, VCPUS_MAX, VcpuSignature};

use crate::error::Error;

/// The processor model that a guest is given, as the command line of the launch names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VcpuModel(Named);

/// Kept apart so that a name without a signature cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    Type(String),
    Signature(u32),
}

impl VcpuModel {
    /// A model of QEMU, such as `EPYC-Genoa`; none for a name that [`VcpuSignature::of_qemu_model`] does not know.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        VcpuSignature::of_qemu_model(name)?;
        Some(Self(Named::Type(name.to_string())))
    }

    /// The model with this CPUID signature (function 1, EAX).
    #[must_use]
    pub const fn with_signature(eax: u32) -> Self {
        Self(Named::Signature(eax))
    }

    /// QEMU's name, if the model is given by its name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Named::Type(name) => Some(name),
            Named::Signature(_) => None,
        }
    }

    /// The CPUID signature, if the model is given by its signature.
    #[must_use]
    pub const fn eax(&self) -> Option<u32> {
        match self.0 {
            Named::Type(_) => None,
            Named::Signature(eax) => Some(eax),
        }
    }

    /// What is measured of it.
    fn signature(&self) -> VcpuSignature {
        match &self.0 {
            // A name without a signature is never made, so zero stands for nothing here.
            Named::Type(name) => {
                VcpuSignature::of_qemu_model(name).unwrap_or(VcpuSignature::new(0))
            }
            Named::Signature(eax) => VcpuSignature::new(*eax),
        }
    }
}

impl fmt::Display for VcpuModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Named::Type(name) => f.write_str(name),
            Named::Signature(eax) => write!(f, "{eax:#x}"),
        }
    }
}

/// Hypervisor, number and model of processors, and SEV features: part of the identity of a launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    hypervisor: Hypervisor,
    vcpus: u32,
    model: Option<VcpuModel>,
    guest_features: u64,
}

impl Shape {
    /// A shape. Only QEMU lets the model into the measured registers: under EC2 and GCE every model has the same digest,
    /// so there it is left out, whatever is given.
    ///
    /// # Errors
    /// [`Error::Value`] if there is no processor or more than [`VCPUS_MAX`], or no model under QEMU.
    pub fn new(
        hypervisor: Hypervisor,
        vcpus: u32,
        model: Option<VcpuModel>,
        guest_features: u64,
    ) -> Result<Self, Error> {
        if vcpus == 0 || vcpus > VCPUS_MAX {
            return Err(Error::value("/vcpus", "a number from 1 to 4096"));
        }
        let model = match hypervisor {
            Hypervisor::Ec2 | Hypervisor::Gce => None,
            // A hypervisor that is not known here is taken to measure the model, as QEMU does.
            Hypervisor::Qemu | _ => Some(model.ok_or_else(|| {
                Error::value("/vcpu_type", "a model or a signature, which QEMU measures")
            })?),
        };
        Ok(Self {
            hypervisor,
            vcpus,
            model,
            guest_features,
        })
    }

    /// Who builds the guest.
    #[must_use]
    pub const fn hypervisor(&self) -> Hypervisor {
        self.hypervisor
    }

    /// The word for the hypervisor in files and on command lines.
    #[must_use]
    pub const fn vmm(&self) -> &'static str {
        match self.hypervisor {
            Hypervisor::Ec2 => "ec2",
            Hypervisor::Gce => "gce",
            Hypervisor::Qemu | _ => "qemu",
        }
    }

    /// How many processors.
    #[must_use]
    pub const fn vcpus(&self) -> u32 {
        self.vcpus
    }

    /// Their model; none where it is not measured.
    #[must_use]
    pub const fn model(&self) -> Option<&VcpuModel> {
        self.model.as_ref()
    }

    /// The model's name or signature, or `any` where it is not measured.
    #[must_use]
    pub fn model_text(&self) -> String {
        match &self.model {
            Some(model) => model.to_string(),
            None => "any".to_string(),
        }
    }

    /// SEV_FEATURES.
    #[must_use]
    pub const fn guest_features(&self) -> u64 {
        self.guest_features
    }

    /// What `chancery-measurement` takes.
    ///
    /// # Errors
    /// None for a shape of this type, which has checked its own rules; the callee's are passed on.
    pub fn launch_shape(&self) -> Result<LaunchShape, chancery_measurement::MeasurementError> {
        let signature = self.model.as_ref().map(VcpuModel::signature);
        LaunchShape::new(
            self.hypervisor,
            self.vcpus,
            signature.unwrap_or(VcpuSignature::new(0)),
            self.guest_features,
        )
    }

    /// The hypervisor that a word names.
    #[must_use]
    pub fn hypervisor_of(word: &str) -> Option<Hypervisor> {
        match word {
            "qemu" => Some(Hypervisor::Qemu),
            "ec2" => Some(Hypervisor::Ec2),
            "gce" => Some(Hypervisor::Gce),
            _ => None,
        }
    }
}

impl fmt::Display for Shape {
    /// `snp-launch-digest:VMM:VCPUS:MODEL:FEATURES`: the name of the subject whose digest this shape decides.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "snp-launch-digest:{}:{}:{}:{:#x}",
            self.vmm(),
            self.vcpus,
            self.model_text(),
            self.guest_features
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_named_by_everything_that_is_measured_of_it() {
        let model = VcpuModel::named("EPYC-Genoa");
        let qemu = Shape::new(Hypervisor::Qemu, 4, model.clone(), 1).unwrap();
        assert_eq!(qemu.to_string(), "snp-launch-digest:qemu:4:EPYC-Genoa:0x1");
        let signature = Some(VcpuModel::with_signature(0x00a1_0f10));
        let by_number = Shape::new(Hypervisor::Qemu, 4, signature, 0x21).unwrap();
        assert_eq!(
            by_number.to_string(),
            "snp-launch-digest:qemu:4:0xa10f10:0x21"
        );
        assert_eq!(
            by_number.launch_shape().unwrap(),
            Shape::new(Hypervisor::Qemu, 4, model.clone(), 0x21)
                .unwrap()
                .launch_shape()
                .unwrap()
        );
        for (hypervisor, word) in [(Hypervisor::Ec2, "ec2"), (Hypervisor::Gce, "gce")] {
            let shape = Shape::new(hypervisor, 1, model.clone(), 1).unwrap();
            assert_eq!(shape, Shape::new(hypervisor, 1, None, 1).unwrap());
            assert_eq!(
                shape.to_string(),
                alloc::format!("snp-launch-digest:{word}:1:any:0x1")
            );
            assert_eq!(Shape::hypervisor_of(word), Some(hypervisor));
        }
    }

    #[test]
    fn refuses_no_processor_too_many_and_qemu_without_a_model() {
        for vcpus in [0, 4097] {
            let shape = Shape::new(Hypervisor::Gce, vcpus, None, 1);
            assert!(matches!(shape, Err(Error::Value { pointer, .. }) if pointer == "/vcpus"));
        }
        let shape = Shape::new(Hypervisor::Qemu, 1, None, 1);
        assert!(matches!(shape, Err(Error::Value { pointer, .. }) if pointer == "/vcpu_type"));
        assert_eq!(VcpuModel::named("EPYC-Venice"), None);
        assert_eq!(Shape::hypervisor_of("QEMU"), None);
    }
}
