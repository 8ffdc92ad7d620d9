//! The page of kernel hashes: QEMU `target/i386/sev.c`, `sev_add_kernel_loader_hashes`.

use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use crate::MeasurementError;
use crate::chain::PAGE_SIZE;

/// 9438d606-4f22-4cc9-b479-a793d411fd21 in its little-endian form, as are the others.
const GUID_TABLE: [u8; 16] = [
    0x06, 0xd6, 0x38, 0x94, 0x22, 0x4f, 0xc9, 0x4c, 0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21,
];
/// 97d02dd8-bd20-4c94-aa78-e7714d36ab2a
const GUID_COMMAND_LINE: [u8; 16] = [
    0xd8, 0x2d, 0xd0, 0x97, 0x20, 0xbd, 0x94, 0x4c, 0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a,
];
/// 44baf731-3a2f-4bd7-9af1-41e29169781d
const GUID_INITRD: [u8; 16] = [
    0x31, 0xf7, 0xba, 0x44, 0x2f, 0x3a, 0xd7, 0x4b, 0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d,
];
/// 4de79437-abd2-427f-b835-d5b172d2045b
const GUID_KERNEL: [u8; 16] = [
    0x37, 0x94, 0xe7, 0x4d, 0xd2, 0xab, 0x7f, 0x42, 0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b,
];

/// Length that the table states of itself: header and three entries.
const TABLE_SIZE: u16 = 168;
/// Length that each entry states of itself.
const ENTRY_SIZE: u16 = 50;
/// Zeros after the table, up to a multiple of 16.
const TABLE_PADDING: usize = 8;

/// SHA-256 of the kernel, initial filesystem and command line of a measured direct boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelHashes {
    kernel: [u8; 32],
    initrd: [u8; 32],
    command_line: [u8; 32],
}

impl KernelHashes {
    /// Hashes the parts. An absent initial filesystem counts as empty; the command line is hashed with the NUL that ends it.
    #[must_use]
    pub fn of(kernel: &[u8], initrd: Option<&[u8]>, command_line: Option<&str>) -> Self {
        Self {
            kernel: Sha256::digest(kernel).into(),
            initrd: Sha256::digest(initrd.unwrap_or_default()).into(),
            command_line: command_line_hash(command_line),
        }
    }

    /// Takes published hashes of kernel and initial filesystem in place of the files.
    #[must_use]
    pub fn from_hashes(kernel: [u8; 32], initrd: [u8; 32], command_line: Option<&str>) -> Self {
        Self {
            kernel,
            initrd,
            command_line: command_line_hash(command_line),
        }
    }

    /// The page with the table at `offset`.
    pub(crate) fn page(&self, offset: usize) -> Result<[u8; PAGE_SIZE], MeasurementError> {
        let mut bytes = Vec::with_capacity(PAGE_SIZE);
        bytes.resize(offset, 0);
        bytes.extend_from_slice(&GUID_TABLE);
        bytes.extend_from_slice(&TABLE_SIZE.to_le_bytes());
        for (guid, hash) in [
            (&GUID_COMMAND_LINE, &self.command_line),
            (&GUID_INITRD, &self.initrd),
            (&GUID_KERNEL, &self.kernel),
        ] {
            bytes.extend_from_slice(guid);
            bytes.extend_from_slice(&ENTRY_SIZE.to_le_bytes());
            bytes.extend_from_slice(hash);
        }
        bytes.extend_from_slice(&[0; TABLE_PADDING]);
        if bytes.len() > PAGE_SIZE {
            return Err(MeasurementError::KernelHashesRange);
        }
        bytes.resize(PAGE_SIZE, 0);
        <[u8; PAGE_SIZE]>::try_from(bytes)
            .ok()
            .ok_or(MeasurementError::KernelHashesRange)
    }
}

fn command_line_hash(command_line: Option<&str>) -> [u8; 32] {
    Sha256::new()
        .chain_update(command_line.unwrap_or_default())
        .chain_update([0])
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_table_that_crosses_its_page() {
        let hashes = KernelHashes::of(b"kernel", None, None);
        assert!(hashes.page(4096 - 176).is_ok());
        assert_eq!(
            hashes.page(4096 - 175).err(),
            Some(MeasurementError::KernelHashesRange)
        );
    }

    #[test]
    fn an_absent_part_hashes_as_an_empty_one() {
        assert_eq!(
            KernelHashes::of(b"k", None, None),
            KernelHashes::of(b"k", Some(b""), Some(""))
        );
    }
}
