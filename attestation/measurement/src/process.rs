//! The page layout of an emulated launch of one program: docs/spec/process-mode-launch.md.

use crate::MeasurementError;
use crate::chain::{DigestChain, LaunchDigest, PAGE_SIZE};
use crate::launch::Hypervisor;
use crate::vmsa::{VcpuSignature, Vmsa};

/// The largest program that is measured. An unoptimised build with debug information has a few hundred megabytes.
pub const PROCESS_IMAGE_SIZE_MAX: usize = 2 * 1024 * 1024 * 1024 - PAGE_SIZE;

/// SEV_FEATURES of the layout's one processor: SNP active and nothing else.
const GUEST_FEATURES: u64 = 0x1;

/// The processor model of the layout: QEMU's EPYC-v4, on every product line.
const SIGNATURE: VcpuSignature = VcpuSignature::new(0x0080_0f12);

/// The launch digest of one program in process mode: its bytes as NORMAL pages from address 0, the last one padded with
/// zeros, then the VMSA of QEMU's boot processor with RSI holding the length of the program in bytes.
///
/// No guest launched with firmware has the same digest: its first page lies just below 4 GiB, never at 0.
///
/// # Errors
/// [`MeasurementError::ImageEmpty`] and [`MeasurementError::ImageTooLarge`].
pub fn process_mode_digest(image: &[u8]) -> Result<LaunchDigest, MeasurementError> {
    let too_large = MeasurementError::ImageTooLarge {
        bytes_max: PROCESS_IMAGE_SIZE_MAX,
    };
    if image.is_empty() {
        return Err(MeasurementError::ImageEmpty);
    }
    if image.len() > PROCESS_IMAGE_SIZE_MAX {
        return Err(too_large);
    }
    let size = u64::try_from(image.len()).ok().ok_or(too_large)?;
    let mut chain = DigestChain::new();
    let (pages, tail) = image.as_chunks::<PAGE_SIZE>();
    let mut gpa = 0_u64;
    for page in pages {
        chain.normal_page(gpa, page);
        gpa = gpa.checked_add(0x1000).ok_or(too_large)?;
    }
    if !tail.is_empty() {
        let mut page = [0_u8; PAGE_SIZE];
        for (slot, byte) in page.iter_mut().zip(tail) {
            *slot = *byte;
        }
        chain.normal_page(gpa, &page);
    }
    chain.vmsa(&Vmsa::boot_processor(Hypervisor::Qemu, SIGNATURE, GUEST_FEATURES).with_rsi(size));
    Ok(chain.digest())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn refuses_an_empty_image() {
        assert_eq!(process_mode_digest(b""), Err(MeasurementError::ImageEmpty));
    }

    #[test]
    fn every_byte_counts() {
        let image: Vec<u8> = (0..9000_u32).map(|i| i.to_le_bytes()[0]).collect();
        let digest = process_mode_digest(&image).unwrap();
        for at in [0, 4095, 4096, 8191, 8192, 8999] {
            let mut other = image.clone();
            other[at] ^= 1;
            assert_ne!(process_mode_digest(&other).unwrap(), digest, "byte {at}");
        }
    }

    #[test]
    fn trailing_zeros_are_not_padding() {
        let digests: Vec<_> = [&b"x"[..], b"x\0", b"x\0\0"]
            .iter()
            .map(|image| process_mode_digest(image).unwrap())
            .collect();
        assert_ne!(digests[0], digests[1]);
        assert_ne!(digests[1], digests[2]);
        assert_ne!(
            process_mode_digest(&[0; 4096]).unwrap(),
            process_mode_digest(&[0; 8192]).unwrap()
        );
    }
}
