//! OVMF's GUIDed table and SEV metadata: edk2 `OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm` and
//! `OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm`.

use alloc::vec::Vec;

use crate::MeasurementError;
use crate::chain::{DigestChain, LaunchDigest, PAGE_SIZE};

/// The largest firmware image that is measured: no OVMF build comes near, and it fits below 4 GiB with room to spare.
pub const FIRMWARE_SIZE_MAX: usize = 64 * 1024 * 1024;

/// Most metadata sections that are read; OVMF has 7.
const SECTIONS_MAX: u32 = 64;

/// Most pages that the sections may cover together (256 MiB), which bounds the time of a measurement.
const SECTION_PAGES_MAX: u64 = 65_536;

/// Firmware ends where the first 4 GiB of guest memory end.
const FIRMWARE_END: u64 = 1 << 32;

/// The table ends this many bytes before the end of the image.
const FOOTER_DISTANCE: usize = 32;

/// An entry of the table, from its end: GUID (16), total size (2), data.
const ENTRY_HEADER_SIZE: usize = 18;

/// 96b582de-1fb2-45f7-baea-a366c55a082d in its little-endian form, as are the others.
const GUID_FOOTER: [u8; 16] = [
    0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45, 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d,
];
/// 7255371f-3a3b-4b04-927b-1da6efa8d454: where the kernel-hash table lies.
const GUID_HASH_TABLE: [u8; 16] = [
    0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b, 0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54,
];
/// 00f771de-1a7e-4fcb-890e-68c77e2fb44e: where application processors begin.
const GUID_RESET_BLOCK: [u8; 16] = [
    0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f, 0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e,
];
/// dc886566-984a-4798-a75e-5585a7bf67cc: how far before the end the SEV metadata begins.
const GUID_METADATA: [u8; 16] = [
    0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47, 0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc,
];

/// What a metadata section asks the hypervisor to put there.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectionKind {
    /// Memory that must be validated before the firmware runs (zeros).
    SecMem,
    /// The secrets page.
    Secrets,
    /// The CPUID page.
    Cpuid,
    /// The calling area of an SVSM (zeros when there is none).
    SvsmCaa,
    /// The page of kernel hashes.
    KernelHashes,
}

impl SectionKind {
    /// Reads the type number of a metadata section.
    ///
    /// # Errors
    /// [`MeasurementError::UnknownSection`] for a number without a rule.
    pub const fn from_code(kind: u32) -> Result<Self, MeasurementError> {
        match kind {
            1 => Ok(Self::SecMem),
            2 => Ok(Self::Secrets),
            3 => Ok(Self::Cpuid),
            4 => Ok(Self::SvsmCaa),
            0x10 => Ok(Self::KernelHashes),
            _ => Err(MeasurementError::UnknownSection { kind }),
        }
    }
}

/// One section of the SEV metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    kind: SectionKind,
    gpa: u64,
    pages: u64,
}

impl Section {
    /// A section of `size` bytes at guest-physical address `gpa`.
    ///
    /// # Errors
    /// [`MeasurementError::SectionRange`] if either is not page aligned or the size is zero.
    pub fn new(kind: SectionKind, gpa: u32, size: u32) -> Result<Self, MeasurementError> {
        if size == 0 || (gpa | size) & 0xfff != 0 {
            return Err(MeasurementError::SectionRange);
        }
        Ok(Self {
            kind,
            gpa: u64::from(gpa),
            pages: u64::from(size >> 12),
        })
    }

    /// What belongs there.
    #[must_use]
    pub const fn kind(&self) -> SectionKind {
        self.kind
    }

    /// Its guest-physical address.
    #[must_use]
    pub const fn gpa(&self) -> u64 {
        self.gpa
    }

    /// Its size in pages of 4096 bytes.
    #[must_use]
    pub const fn pages(&self) -> u64 {
        self.pages
    }
}

/// A firmware image as far as the launch digest is concerned: the digest of its own pages and what its metadata says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firmware {
    pages_digest: LaunchDigest,
    sections: Vec<Section>,
    hash_table_gpa: Option<u32>,
    reset_address: Option<u32>,
}

impl Firmware {
    /// Measures an image and reads its metadata.
    ///
    /// # Errors
    /// A variant of [`MeasurementError`] that names what is wrong with the image.
    pub fn parse(image: &[u8]) -> Result<Self, MeasurementError> {
        if image.is_empty()
            || image.len() > FIRMWARE_SIZE_MAX
            || !image.len().is_multiple_of(PAGE_SIZE)
        {
            return Err(MeasurementError::FirmwareSize);
        }
        let table = Table::parse(image)?;
        let sections = match table.metadata_distance {
            Some(distance) => parse_metadata(image, distance)?,
            None => return Err(MeasurementError::MetadataMalformed),
        };
        let size = u64::try_from(image.len())
            .ok()
            .ok_or(MeasurementError::FirmwareSize)?;
        let base = FIRMWARE_END
            .checked_sub(size)
            .ok_or(MeasurementError::FirmwareSize)?;
        let mut chain = DigestChain::new();
        chain.normal_pages(base, image)?;
        Self::from_parts(
            chain.digest(),
            sections,
            table.hash_table_gpa,
            table.reset_address,
        )
    }

    /// Takes a published description of an image in place of the image: the digest over its pages, its sections in table
    /// order, the address of the kernel-hash table and the reset address of application processors.
    ///
    /// # Errors
    /// [`MeasurementError::SectionRange`] if the sections are too many or too large.
    pub fn from_parts(
        pages_digest: LaunchDigest,
        sections: Vec<Section>,
        hash_table_gpa: Option<u32>,
        reset_address: Option<u32>,
    ) -> Result<Self, MeasurementError> {
        let pages = sections
            .iter()
            .try_fold(0_u64, |sum, section| sum.checked_add(section.pages))
            .ok_or(MeasurementError::SectionRange)?;
        let count_max = usize::try_from(SECTIONS_MAX)
            .ok()
            .ok_or(MeasurementError::SectionRange)?;
        if pages > SECTION_PAGES_MAX || sections.len() > count_max {
            return Err(MeasurementError::SectionRange);
        }
        Ok(Self {
            pages_digest,
            sections,
            hash_table_gpa,
            reset_address,
        })
    }

    /// The chain after the image's own pages.
    #[must_use]
    pub const fn pages_digest(&self) -> LaunchDigest {
        self.pages_digest
    }

    /// The metadata sections in table order.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Guest-physical address of the kernel-hash table, if the image has one.
    #[must_use]
    pub const fn hash_table_gpa(&self) -> Option<u32> {
        self.hash_table_gpa
    }

    /// Where application processors begin, if the image says so.
    #[must_use]
    pub const fn reset_address(&self) -> Option<u32> {
        self.reset_address
    }
}

/// The three entries of the GUIDed table that matter here.
struct Table {
    hash_table_gpa: Option<u32>,
    reset_address: Option<u32>,
    metadata_distance: Option<u32>,
}

impl Table {
    /// Reads the table from its end backwards. Each step removes at least an entry header, so it ends.
    fn parse(image: &[u8]) -> Result<Self, MeasurementError> {
        let end = image
            .len()
            .checked_sub(FOOTER_DISTANCE)
            .ok_or(MeasurementError::FooterMissing)?;
        let image = image.get(..end).ok_or(MeasurementError::FooterMissing)?;
        let (guid, size) = entry_header(image).ok_or(MeasurementError::FooterMissing)?;
        if guid != GUID_FOOTER {
            return Err(MeasurementError::FooterMissing);
        }
        // The footer's size counts the whole table, its own header included.
        let start = end
            .checked_sub(size)
            .ok_or(MeasurementError::FooterMalformed)?;
        let entries_end = end
            .checked_sub(ENTRY_HEADER_SIZE)
            .ok_or(MeasurementError::FooterMalformed)?;
        let mut rest = image
            .get(start..entries_end)
            .ok_or(MeasurementError::FooterMalformed)?;
        let mut table = Self {
            hash_table_gpa: None,
            reset_address: None,
            metadata_distance: None,
        };
        while !rest.is_empty() {
            let (guid, size) = entry_header(rest).ok_or(MeasurementError::FooterMalformed)?;
            let data_size = size
                .checked_sub(ENTRY_HEADER_SIZE)
                .ok_or(MeasurementError::FooterMalformed)?;
            let (before, entry) = rest
                .len()
                .checked_sub(size)
                .and_then(|at| rest.split_at_checked(at))
                .ok_or(MeasurementError::FooterMalformed)?;
            let data = entry
                .get(..data_size)
                .ok_or(MeasurementError::FooterMalformed)?;
            table.take(guid, data)?;
            rest = before;
        }
        Ok(table)
    }

    fn take(&mut self, guid: [u8; 16], data: &[u8]) -> Result<(), MeasurementError> {
        let slot = match guid {
            GUID_HASH_TABLE => &mut self.hash_table_gpa,
            GUID_RESET_BLOCK => &mut self.reset_address,
            GUID_METADATA => &mut self.metadata_distance,
            _ => return Ok(()), // other entries are not measured by their own rule: they lie in the firmware's pages
        };
        let value = *data
            .first_chunk::<4>()
            .ok_or(MeasurementError::FooterMalformed)?;
        if slot.replace(u32::from_le_bytes(value)).is_some() {
            return Err(MeasurementError::FooterMalformed);
        }
        Ok(())
    }
}

/// The GUID and total size of the entry that ends where `bytes` end.
fn entry_header(bytes: &[u8]) -> Option<([u8; 16], usize)> {
    let (rest, guid) = bytes.split_last_chunk::<16>()?;
    let (_, size) = rest.split_last_chunk::<2>()?;
    Some((*guid, usize::from(u16::from_le_bytes(*size))))
}

/// Reads the metadata that begins `distance` bytes before the end of the image: "ASEV", size, version 1, count, entries.
fn parse_metadata(image: &[u8], distance: u32) -> Result<Vec<Section>, MeasurementError> {
    let bad = MeasurementError::MetadataMalformed;
    let start = usize::try_from(distance)
        .ok()
        .and_then(|distance| image.len().checked_sub(distance))
        .ok_or(bad)?;
    let bytes = image.get(start..).ok_or(bad)?;
    let (signature, bytes) = bytes.split_first_chunk::<4>().ok_or(bad)?;
    let (header, _) = bytes.split_first_chunk::<12>().ok_or(bad)?;
    let [size, version, count] = words(header);
    let size_expected = count
        .checked_mul(12)
        .and_then(|entries| entries.checked_add(16));
    if signature != b"ASEV" || version != 1 || count > SECTIONS_MAX || size_expected != Some(size) {
        return Err(bad);
    }
    let entries = usize::try_from(size)
        .ok()
        .and_then(|size| bytes.get(12..size.checked_sub(4)?))
        .ok_or(bad)?;
    let (entries, rest) = entries.as_chunks::<12>();
    if !rest.is_empty() {
        return Err(bad);
    }
    entries
        .iter()
        .map(|entry| {
            let [gpa, size, kind] = words(entry);
            Section::new(SectionKind::from_code(kind)?, gpa, size)
        })
        .collect()
}

/// Three little-endian words.
fn words(bytes: &[u8; 12]) -> [u32; 3] {
    let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3] = *bytes;
    [
        u32::from_le_bytes([a0, a1, a2, a3]),
        u32::from_le_bytes([b0, b1, b2, b3]),
        u32::from_le_bytes([c0, c1, c2, c3]),
    ]
}
