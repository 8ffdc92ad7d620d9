//! What each hypervisor adds to a guest, in its order.

use crate::MeasurementError;
use crate::chain::{DigestChain, LaunchDigest};
use crate::firmware::{Firmware, Section, SectionKind};
use crate::kernel_hashes::KernelHashes;
use crate::vmsa::{VcpuSignature, Vmsa};

/// Most processors of one guest; KVM allows 4096.
pub const VCPUS_MAX: u32 = 4096;

/// Who builds the guest. Each fills registers and orders pages its own way.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hypervisor {
    /// QEMU with KVM.
    Qemu,
    /// Amazon EC2.
    Ec2,
    /// Google Compute Engine.
    Gce,
}

/// The processors of a guest: part of its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaunchShape {
    hypervisor: Hypervisor,
    vcpus: u32,
    signature: VcpuSignature,
    guest_features: u64,
}

impl LaunchShape {
    /// A guest with `vcpus` processors whose model has `signature`, under SEV_FEATURES `guest_features` (0x1 with QEMU on Linux
    /// 6.8 and later). EC2 and GCE do not let the model into the registers; the signature is then without effect.
    ///
    /// # Errors
    /// [`MeasurementError::VcpuCount`] if there is no processor or more than [`VCPUS_MAX`].
    pub const fn new(
        hypervisor: Hypervisor,
        vcpus: u32,
        signature: VcpuSignature,
        guest_features: u64,
    ) -> Result<Self, MeasurementError> {
        if vcpus == 0 || vcpus > VCPUS_MAX {
            return Err(MeasurementError::VcpuCount);
        }
        Ok(Self {
            hypervisor,
            vcpus,
            signature,
            guest_features,
        })
    }
}

/// The launch digest of a guest with this firmware, measured kernel and shape.
///
/// # Errors
/// [`MeasurementError::KernelHashesUnsupported`] if a kernel is given that this firmware would not measure,
/// [`MeasurementError::ResetAddressMissing`] if it cannot start a second processor.
pub fn launch_digest(
    firmware: &Firmware,
    kernel: Option<&KernelHashes>,
    shape: &LaunchShape,
) -> Result<LaunchDigest, MeasurementError> {
    let mut chain = DigestChain::resume(firmware.pages_digest());
    let mut kernel_measured = false;
    for section in firmware.sections() {
        kernel_measured |= section.kind() == SectionKind::KernelHashes;
        if !(is_cpuid(section) && shape.hypervisor == Hypervisor::Ec2) {
            add_section(&mut chain, section, firmware, kernel, shape.hypervisor)?;
        }
    }
    if kernel.is_some() && !kernel_measured {
        return Err(MeasurementError::KernelHashesUnsupported);
    }
    if shape.hypervisor == Hypervisor::Ec2 {
        for section in firmware.sections().iter().filter(|s| is_cpuid(s)) {
            chain.cpuid_pages(section.gpa(), section.pages())?;
        }
    }
    add_processors(&mut chain, firmware, shape)?;
    Ok(chain.digest())
}

fn is_cpuid(section: &Section) -> bool {
    section.kind() == SectionKind::Cpuid
}

fn add_section(
    chain: &mut DigestChain,
    section: &Section,
    firmware: &Firmware,
    kernel: Option<&KernelHashes>,
    hypervisor: Hypervisor,
) -> Result<(), MeasurementError> {
    let (gpa, pages) = (section.gpa(), section.pages());
    match (section.kind(), kernel) {
        (SectionKind::SecMem, _) if hypervisor == Hypervisor::Gce => {
            chain.unmeasured_pages(gpa, pages)
        }
        (SectionKind::SecMem | SectionKind::SvsmCaa, _) | (SectionKind::KernelHashes, None) => {
            chain.zero_pages(gpa, pages)
        }
        (SectionKind::Secrets, _) => chain.secrets_pages(gpa, pages),
        (SectionKind::Cpuid, _) => chain.cpuid_pages(gpa, pages),
        (SectionKind::KernelHashes, Some(hashes)) => {
            let table = firmware
                .hash_table_gpa()
                .ok_or(MeasurementError::KernelHashesUnsupported)?;
            // A table outside its section would leave the kernel unmeasured while the digest looks right.
            if pages != 1 || u64::from(table) & !0xfff != gpa {
                return Err(MeasurementError::KernelHashesRange);
            }
            let offset = usize::try_from(table & 0xfff)
                .ok()
                .ok_or(MeasurementError::KernelHashesRange)?;
            chain.normal_page(gpa, &hashes.page(offset)?);
            Ok(())
        }
    }
}

fn add_processors(
    chain: &mut DigestChain,
    firmware: &Firmware,
    shape: &LaunchShape,
) -> Result<(), MeasurementError> {
    let &LaunchShape {
        hypervisor,
        vcpus,
        signature,
        guest_features,
    } = shape;
    chain.vmsa(&Vmsa::boot_processor(hypervisor, signature, guest_features));
    if vcpus > 1 {
        let reset_address = firmware
            .reset_address()
            .ok_or(MeasurementError::ResetAddressMissing)?;
        let further =
            Vmsa::application_processor(reset_address, hypervisor, signature, guest_features);
        for _ in 1..vcpus {
            chain.vmsa(&further);
        }
    }
    Ok(())
}
