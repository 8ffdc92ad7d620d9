//! The launch digest chain: SEV-SNP firmware ABI (AMD 56860) section 8.17.2, table PAGE_INFO.

use core::fmt;

use sha2::{Digest, Sha384};

use crate::MeasurementError;
use crate::vmsa::Vmsa;

/// Bytes of a guest page.
pub const PAGE_SIZE: usize = 4096;

/// The page-frame mask of a guest-physical address.
const PAGE_OFFSET_MASK: u64 = 0xfff;

/// Length that PAGE_INFO states of itself.
const PAGE_INFO_SIZE: u16 = 0x70;

/// The address under which every VMSA page is recorded: all ones, page aligned, cut to 48 bits.
const VMSA_GPA: u64 = 0xffff_ffff_f000;

/// Page types of PAGE_INFO.
#[derive(Debug, Clone, Copy)]
enum PageType {
    Normal,
    Vmsa,
    Zero,
    Unmeasured,
    Secrets,
    Cpuid,
}

impl PageType {
    const fn code(self) -> u8 {
        match self {
            Self::Normal => 1,
            Self::Vmsa => 2,
            Self::Zero => 3,
            Self::Unmeasured => 4,
            Self::Secrets => 5,
            Self::Cpuid => 6,
        }
    }
}

/// A launch digest: what a report states as MEASUREMENT.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaunchDigest([u8; 48]);

impl LaunchDigest {
    /// Takes bytes for a launch digest, such as those of a report or of a published value.
    #[must_use]
    pub const fn new(bytes: [u8; 48]) -> Self {
        Self(bytes)
    }

    /// The 48 bytes, in the order in which a report holds them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 48] {
        &self.0
    }
}

impl fmt::Display for LaunchDigest {
    /// Lower-case hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LaunchDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LaunchDigest({self})")
    }
}

/// The running digest of a guest that is being launched. Order matters: it is the order in which the hypervisor adds pages.
///
/// `digest = SHA-384(digest ‖ contents ‖ le16 0x70 ‖ type ‖ imi ‖ vmpl3, vmpl2, vmpl1 permissions ‖ 0 ‖ le64 gpa)`, where
/// `contents` is the SHA-384 of the page for pages whose content is measured and zero for the others. IMI and the
/// permissions of the lower VMPLs are zero here: no launch that this crate describes sets them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestChain {
    digest: [u8; 48],
}

impl Default for DigestChain {
    fn default() -> Self {
        Self::new()
    }
}

impl DigestChain {
    /// The chain of a guest without pages: 48 zero bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self { digest: [0; 48] }
    }

    /// Continues a chain whose first pages are known by their digest alone.
    #[must_use]
    pub const fn resume(after: LaunchDigest) -> Self {
        Self { digest: after.0 }
    }

    /// The digest over the pages so far.
    #[must_use]
    pub const fn digest(&self) -> LaunchDigest {
        LaunchDigest(self.digest)
    }

    /// Adds consecutive pages with measured content.
    ///
    /// # Errors
    /// [`MeasurementError::PageShape`] if `contents` is not a whole number of pages, `gpa` is not aligned or the range wraps.
    pub fn normal_pages(&mut self, gpa: u64, contents: &[u8]) -> Result<(), MeasurementError> {
        let (pages, []) = contents.as_chunks::<PAGE_SIZE>() else {
            return Err(MeasurementError::PageShape);
        };
        let mut at = Address::new(gpa)?;
        for page in pages {
            self.normal_page(at.next()?, page);
        }
        Ok(())
    }

    /// Adds one page with measured content at an address that is known to be aligned.
    pub(crate) fn normal_page(&mut self, gpa: u64, page: &[u8; PAGE_SIZE]) {
        self.update(PageType::Normal, gpa, Sha384::digest(page).into());
    }

    /// Adds the initial register state of one processor.
    pub fn vmsa(&mut self, vmsa: &Vmsa) {
        self.update(PageType::Vmsa, VMSA_GPA, Sha384::digest(vmsa.page()).into());
    }

    /// Adds `count` consecutive pages of zeros.
    ///
    /// # Errors
    /// [`MeasurementError::PageShape`] if `gpa` is not aligned or the range wraps.
    pub fn zero_pages(&mut self, gpa: u64, count: u64) -> Result<(), MeasurementError> {
        self.without_contents(PageType::Zero, gpa, count)
    }

    /// Adds `count` consecutive pages whose content the hypervisor chose and nobody measured.
    ///
    /// # Errors
    /// [`MeasurementError::PageShape`] if `gpa` is not aligned or the range wraps.
    pub fn unmeasured_pages(&mut self, gpa: u64, count: u64) -> Result<(), MeasurementError> {
        self.without_contents(PageType::Unmeasured, gpa, count)
    }

    /// Adds `count` consecutive pages that the secure processor fills with the guest's secrets.
    ///
    /// # Errors
    /// [`MeasurementError::PageShape`] if `gpa` is not aligned or the range wraps.
    pub fn secrets_pages(&mut self, gpa: u64, count: u64) -> Result<(), MeasurementError> {
        self.without_contents(PageType::Secrets, gpa, count)
    }

    /// Adds `count` consecutive pages of CPUID values that the secure processor checks.
    ///
    /// # Errors
    /// [`MeasurementError::PageShape`] if `gpa` is not aligned or the range wraps.
    pub fn cpuid_pages(&mut self, gpa: u64, count: u64) -> Result<(), MeasurementError> {
        self.without_contents(PageType::Cpuid, gpa, count)
    }

    fn without_contents(
        &mut self,
        page_type: PageType,
        gpa: u64,
        count: u64,
    ) -> Result<(), MeasurementError> {
        let mut at = Address::new(gpa)?;
        for _ in 0..count {
            self.update(page_type, at.next()?, [0; 48]);
        }
        Ok(())
    }

    fn update(&mut self, page_type: PageType, gpa: u64, contents: [u8; 48]) {
        let imi_and_permissions_and_reserved = [0_u8; 5];
        self.digest = Sha384::new()
            .chain_update(self.digest)
            .chain_update(contents)
            .chain_update(PAGE_INFO_SIZE.to_le_bytes())
            .chain_update([page_type.code()])
            .chain_update(imi_and_permissions_and_reserved)
            .chain_update(gpa.to_le_bytes())
            .finalize()
            .into();
    }
}

/// Walks page addresses without wrapping.
struct Address(Option<u64>);

impl Address {
    const fn new(gpa: u64) -> Result<Self, MeasurementError> {
        if gpa & PAGE_OFFSET_MASK == 0 {
            Ok(Self(Some(gpa)))
        } else {
            Err(MeasurementError::PageShape)
        }
    }

    /// The address of this page; steps to the next one.
    fn next(&mut self) -> Result<u64, MeasurementError> {
        let gpa = self.0.ok_or(MeasurementError::PageShape)?;
        self.0 = gpa.checked_add(0x1000);
        Ok(gpa)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins_with_zeros() {
        assert_eq!(DigestChain::new().digest().as_bytes(), &[0; 48]);
    }

    #[test]
    fn refuses_partial_pages_unaligned_addresses_and_wrapping_ranges() {
        let mut chain = DigestChain::new();
        assert_eq!(
            chain.normal_pages(0, &[0; 4095]),
            Err(MeasurementError::PageShape)
        );
        assert_eq!(chain.zero_pages(1, 1), Err(MeasurementError::PageShape));
        assert_eq!(
            chain.zero_pages(0xffff_ffff_ffff_f000, 2),
            Err(MeasurementError::PageShape)
        );
    }

    #[test]
    fn address_type_content_and_order_each_change_the_digest() {
        let one = |build: &dyn Fn(&mut DigestChain)| {
            let mut chain = DigestChain::new();
            build(&mut chain);
            chain.digest()
        };
        let page = [7_u8; PAGE_SIZE];
        let mut other = page;
        other[4095] ^= 1;
        let digests = [
            one(&|c| c.normal_pages(0, &page).unwrap()),
            one(&|c| c.normal_pages(0x1000, &page).unwrap()),
            one(&|c| c.normal_pages(0, &other).unwrap()),
            one(&|c| c.zero_pages(0, 1).unwrap()),
            one(&|c| c.unmeasured_pages(0, 1).unwrap()),
            one(&|c| c.secrets_pages(0, 1).unwrap()),
            one(&|c| c.cpuid_pages(0, 1).unwrap()),
            one(&|c| {
                c.zero_pages(0, 1).unwrap();
                c.secrets_pages(0x1000, 1).unwrap();
            }),
            one(&|c| {
                c.secrets_pages(0x1000, 1).unwrap();
                c.zero_pages(0, 1).unwrap();
            }),
        ];
        for (i, a) in digests.iter().enumerate() {
            for b in digests.iter().skip(i + 1) {
                assert_ne!(a, b);
            }
        }
    }

    #[test]
    fn resumes_where_it_stopped() {
        let page = [7_u8; 2 * PAGE_SIZE];
        let mut whole = DigestChain::new();
        whole.normal_pages(0, &page).unwrap();
        whole.zero_pages(0x5000, 3).unwrap();
        let mut first = DigestChain::new();
        first.normal_pages(0, &page).unwrap();
        let mut second = DigestChain::resume(first.digest());
        second.zero_pages(0x5000, 3).unwrap();
        assert_eq!(whole, second);
    }
}
