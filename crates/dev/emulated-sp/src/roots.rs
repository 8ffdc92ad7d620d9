//! The file that names an emulated root: `emulated-roots.json`.
//!
//! ```json
//! { "purpose": "chancery-EMULATED/roots/v1", "product": "genoa",
//!   "ark": "<base64 of DER>", "ask": "<base64 of DER>" }
//! ```
//! Every member is required and no other is allowed. Development clients read it; shipped ones have no code for it.

use std::fs;
use std::path::Path;

use base64ct::{Base64, Encoding as _};
use chancery_json::{Fields, Limits, Object};

use crate::error::EmulationError;
use crate::product::EmulatedProduct;

/// The purpose string of the file.
pub const EMULATED_ROOTS_PURPOSE: &str = "chancery-EMULATED/roots/v1";

/// Root and intermediate certificate of one emulated processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmulatedRoots {
    ark: Vec<u8>,
    ask: Vec<u8>,
    product: EmulatedProduct,
}

impl EmulatedRoots {
    pub(crate) const fn new(ark: Vec<u8>, ask: Vec<u8>, product: EmulatedProduct) -> Self {
        Self { ark, ask, product }
    }

    /// Reads the file's bytes.
    ///
    /// # Errors
    /// What is wrong, with its place.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let describe = |error: chancery_json::Error| error.describe();
        let mut fields = Fields::parse(bytes, &Limits::DOCUMENT).map_err(describe)?;
        let purpose = fields.take_str("purpose").map_err(describe)?;
        let product = fields.take_str("product").map_err(describe)?;
        let ark = fields.take_str("ark").map_err(describe)?;
        let ask = fields.take_str("ask").map_err(describe)?;
        fields.finish().map_err(describe)?;
        if purpose != EMULATED_ROOTS_PURPOSE {
            return Err("not a file of emulated roots".to_owned());
        }
        let decode = |text: &str| {
            Base64::decode_vec(text)
                .ok()
                .ok_or_else(|| "a certificate is not base64".to_owned())
        };
        Ok(Self {
            ark: decode(&ark)?,
            ask: decode(&ask)?,
            product: EmulatedProduct::from_word(&product)
                .ok_or_else(|| "the product is unknown".to_owned())?,
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`EmulationError::File`] and [`EmulationError::State`].
    pub fn read(path: &Path) -> Result<Self, EmulationError> {
        let bytes = fs::read(path).map_err(|source| EmulationError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&bytes).map_err(|reason| EmulationError::State {
            path: path.to_owned(),
            reason,
        })
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        Object::new()
            .with("purpose", EMULATED_ROOTS_PURPOSE)
            .with("product", self.product.word())
            .with("ark", Base64::encode_string(&self.ark))
            .with("ask", Base64::encode_string(&self.ask))
            .to_bytes()
    }

    /// The root certificate, DER.
    #[must_use]
    pub fn ark(&self) -> &[u8] {
        &self.ark
    }

    /// The intermediate certificate, DER.
    #[must_use]
    pub fn ask(&self) -> &[u8] {
        &self.ask
    }

    /// The product whose certificates they are.
    #[must_use]
    pub const fn product(&self) -> EmulatedProduct {
        self.product
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots() -> EmulatedRoots {
        EmulatedRoots::new(vec![1, 2], vec![3], EmulatedProduct::Turin)
    }

    #[test]
    fn reads_what_it_wrote() {
        assert_eq!(EmulatedRoots::parse(&roots().to_json()), Ok(roots()));
    }

    #[test]
    fn refuses_another_purpose_and_missing_or_unknown_members() {
        let text = String::from_utf8(roots().to_json()).unwrap();
        for spoiled in [
            text.replace("EMULATED", "AMD"),
            text.replace("turin", "milan"),
            text.replace("\"ask\"", "\"asvk\""),
            text.replace('}', ",\"more\":0}"),
            text.replace("Aw==", "A"),
        ] {
            assert_ne!(spoiled, text);
            assert!(
                EmulatedRoots::parse(spoiled.as_bytes()).is_err(),
                "{spoiled}"
            );
        }
    }
}
