//! The extensions of VCEK and VLEK certificates ("Versioned Chip Endorsement Key (VCEK) Certificate and KDS
//! Interface Specification", AMD publication 57230).

use alloc::string::String;

use crate::certificate::AMD_ARC;
use crate::certificate::Certificate;
use crate::certificate::CertificateError;
use crate::certificate::Extension;
use crate::der::Der;
use crate::der::IA5_STRING;
use crate::product::ProductLine;
use crate::product::TcbComponents;

/// The longest product name or provider id in bytes; the longest one seen has 29.
const TEXT_SIZE_MAX: usize = 128;

/// Which kind of key a leaf certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new kind of leaf must break every match"
)]
pub enum VekKind {
    /// The key of one chip.
    Vcek,
    /// A key of a cloud provider.
    Vlek,
}

/// Whose key it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new kind of leaf must break every match"
)]
pub enum VekIdentity {
    /// The chip's id as `CHIP_ID` shows it: 64 bytes, or 8 bytes and 56 zeros for Turin.
    Chip([u8; 64]),
    /// The provider's id.
    Provider(String),
}

impl VekIdentity {
    /// The kind of leaf that has such an identity.
    #[must_use]
    pub const fn kind(&self) -> VekKind {
        match self {
            Self::Chip(_) => VekKind::Vcek,
            Self::Provider(_) => VekKind::Vlek,
        }
    }
}

/// What AMD's extensions say. Each must be there exactly once and none may be critical.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VekExtensions {
    /// `productName`. It is unreliable for steppings; only its line counts.
    pub product_name: String,
    /// The firmware levels that the key was derived from.
    pub tcb: TcbComponents,
    /// The chip or the provider.
    pub identity: VekIdentity,
}

/// The part of an object identifier after AMD's arc.
const STRUCT_VERSION: &[u8] = &[1];
const PRODUCT_NAME: &[u8] = &[2];
const SPL_BOOTLOADER: &[u8] = &[3, 1];
const SPL_TEE: &[u8] = &[3, 2];
const SPL_SNP: &[u8] = &[3, 3];
const SPL_4: &[u8] = &[3, 4];
const SPL_5: &[u8] = &[3, 5];
const SPL_6: &[u8] = &[3, 6];
const SPL_7: &[u8] = &[3, 7];
const SPL_MICROCODE: &[u8] = &[3, 8];
const SPL_FMC: &[u8] = &[3, 9];
const HARDWARE_ID: &[u8] = &[4];
const PROVIDER_ID: &[u8] = &[5];

impl Certificate<'_> {
    /// The extensions of a leaf of `line`: exactly those of its line and kind.
    ///
    /// # Errors
    /// An extension is missing, unknown, critical, or breaks its rule.
    pub fn vek(&self, line: ProductLine) -> Result<VekExtensions, CertificateError> {
        let extensions = self.extensions();
        if extensions.iter().any(|extension| extension.critical) {
            return Err(CertificateError::ExtensionValue);
        }
        let mut leaf = Leaf {
            extensions,
            read: 0,
        };
        if leaf.small(STRUCT_VERSION)? != line.struct_version() {
            return Err(CertificateError::ExtensionValue);
        }
        let product_name = leaf.text(PRODUCT_NAME)?;
        if !names_line(&product_name, line) {
            return Err(CertificateError::ExtensionValue);
        }
        let turin = line == ProductLine::Turin;
        let fmc = if turin { leaf.small(SPL_FMC)? } else { 0 };
        let tcb = TcbComponents {
            fmc,
            bootloader: leaf.small(SPL_BOOTLOADER)?,
            tee: leaf.small(SPL_TEE)?,
            snp: leaf.small(SPL_SNP)?,
            microcode: leaf.small(SPL_MICROCODE)?,
        };
        if !turin {
            leaf.zero(SPL_4)?;
        }
        leaf.zero(SPL_5)?;
        leaf.zero(SPL_6)?;
        leaf.zero(SPL_7)?;
        let identity = leaf.identity(line)?;
        if leaf.read != extensions.len() {
            return Err(CertificateError::UnknownExtension);
        }
        Ok(VekExtensions {
            product_name,
            tcb,
            identity,
        })
    }
}

/// "Milan-B0" and "Milan" name Milan; a stepping is not believed.
fn names_line(product_name: &str, line: ProductLine) -> bool {
    match product_name.strip_prefix(line.name()) {
        Some(rest) => rest.is_empty() || rest.starts_with('-'),
        None => false,
    }
}

/// The extensions, with a count of those that were read, so that a left-over is noticed.
struct Leaf<'e, 'a> {
    extensions: &'e [Extension<'a>],
    read: usize,
}

impl<'a> Leaf<'_, 'a> {
    fn find(&mut self, suffix: &[u8]) -> Option<&'a [u8]> {
        let found = self
            .extensions
            .iter()
            .find(|extension| extension.oid.strip_prefix(AMD_ARC) == Some(suffix))?;
        self.read = self.read.saturating_add(1);
        Some(found.value)
    }

    fn require(&mut self, suffix: &[u8]) -> Result<&'a [u8], CertificateError> {
        self.find(suffix).ok_or(CertificateError::MissingExtension)
    }

    fn small(&mut self, suffix: &[u8]) -> Result<u8, CertificateError> {
        let mut der = Der::new(self.require(suffix)?);
        let value = der.small()?;
        der.finish()?;
        Ok(value)
    }

    /// These security levels stand for reserved bytes of the TCB.
    fn zero(&mut self, suffix: &[u8]) -> Result<(), CertificateError> {
        if self.small(suffix)? == 0 {
            Ok(())
        } else {
            Err(CertificateError::ExtensionValue)
        }
    }

    fn text(&mut self, suffix: &[u8]) -> Result<String, CertificateError> {
        read_text(self.require(suffix)?)
    }

    /// The hardware id is raw bytes, without any DER of its own: an id may begin with any byte.
    fn identity(&mut self, line: ProductLine) -> Result<VekIdentity, CertificateError> {
        match (self.find(HARDWARE_ID), self.find(PROVIDER_ID)) {
            (Some(id), None) if id.len() == line.hardware_id_size() => {
                let mut chip = [0; 64];
                for (to, from) in chip.iter_mut().zip(id) {
                    *to = *from;
                }
                Ok(VekIdentity::Chip(chip))
            }
            (None, Some(provider)) => Ok(VekIdentity::Provider(read_text(provider)?)),
            (None, None) => Err(CertificateError::MissingExtension),
            (Some(_), _) => Err(CertificateError::ExtensionValue),
        }
    }
}

fn read_text(value: &[u8]) -> Result<String, CertificateError> {
    let mut der = Der::new(value);
    let text = der.expect(IA5_STRING)?.contents;
    der.finish()?;
    let printable = text.iter().all(|byte| (0x20..0x7f).contains(byte));
    if text.is_empty() || text.len() > TEXT_SIZE_MAX || !printable {
        return Err(CertificateError::ExtensionValue);
    }
    Ok(text.iter().map(|byte| char::from(*byte)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::write::element;

    #[test]
    fn reads_visible_text_within_its_bound() {
        let text = |contents: &[u8]| read_text(&element(IA5_STRING, contents));
        assert_eq!(text(b" Milan-B0~"), Ok(String::from(" Milan-B0~")));
        assert!(text(&[b'a'; TEXT_SIZE_MAX]).is_ok());
        let broken = Err(CertificateError::ExtensionValue);
        assert_eq!(text(&[b'a'; 129]), broken);
        for bad in [&b""[..], b"a\x1fb", b"a\x7fb", b"\x80"] {
            assert_eq!(text(bad), broken, "{bad:?}");
        }
        let mut followed = element(IA5_STRING, b"Turin");
        followed.push(0);
        assert!(matches!(
            read_text(&followed),
            Err(CertificateError::Der(_))
        ));
        assert!(read_text(&element(0x0c, b"Turin")).is_err());
    }

    #[test]
    fn a_product_name_is_its_line_alone_or_with_a_stepping() {
        for (name, fits) in [
            ("Milan", true),
            ("Milan-B0", true),
            ("Milano", false),
            ("MilanB0", false),
            ("milan", false),
            ("Genoa", false),
            ("", false),
        ] {
            assert_eq!(names_line(name, ProductLine::Milan), fits, "{name}");
        }
    }
}
