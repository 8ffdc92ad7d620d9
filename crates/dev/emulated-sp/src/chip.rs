//! One emulated processor: its secrets and its certificates, made once per state folder.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use base64ct::{Base64, Encoding as _};
use chancery_evidence::TcbComponents;
use chancery_json::{Fields, Limits, Object};
use chancery_sealing::Key;
use p384::ecdsa::SigningKey;
use zeroize::Zeroizing;

use crate::crl::{CrlIssue, CrlSchedule};
use crate::error::EmulationError;
use crate::pki;
use crate::pki::{AuthorityKey, Leaf, TrailerEncoding};
use crate::product::EmulatedProduct;
use crate::random::random;
use crate::roots::EmulatedRoots;
use crate::state_file::{file_error, make_folder, write_new};

/// The chip's file in the state folder. It is never replaced.
pub(crate) const STATE_FILE: &str = "processor.json";
/// What is written beside it for development clients.
const ROOTS_FILE: &str = "emulated-roots.json";

const PURPOSE: &str = "chancery-EMULATED/processor/v1";

/// An emulated processor. Its secrets lie unprotected in its state file.
pub struct Chip {
    product: EmulatedProduct,
    seed: Key,
    ark: AuthorityKey,
    ask: AuthorityKey,
    roots: EmulatedRoots,
}

impl fmt::Debug for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chip")
            .field("product", &self.product)
            .finish_non_exhaustive()
    }
}

impl Chip {
    /// Makes a processor with fresh secrets, in memory alone. Takes a few seconds for two RSA-4096 keys.
    ///
    /// # Errors
    /// [`EmulationError::Crypto`] if the system gives no randomness.
    pub fn generate(product: EmulatedProduct, now_ms: u64) -> Result<Self, EmulationError> {
        let ark = AuthorityKey::generate()?;
        let ask = AuthorityKey::generate()?;
        let line = product.line();
        let roots = EmulatedRoots::new(
            pki::ark_certificate(&ark, line, now_ms)?,
            pki::ask_certificate(&ark, &ask, line, now_ms)?,
            product,
        );
        Ok(Self {
            product,
            seed: Key::from_bytes(random()?),
            ark,
            ask,
            roots,
        })
    }

    /// Opens the processor of a state folder; makes it the first time.
    ///
    /// # Errors
    /// [`EmulationError::File`], [`EmulationError::State`]; [`EmulationError::OtherProduct`] if `product` is given and the folder holds another
    /// one.
    pub fn open(
        folder: &Path,
        product: Option<EmulatedProduct>,
        now_ms: u64,
    ) -> Result<Self, EmulationError> {
        let path = folder.join(STATE_FILE);
        let chip = match fs::read(&path) {
            Ok(bytes) => Self::parse(&Zeroizing::new(bytes), &path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = Self::generate(product.unwrap_or(EmulatedProduct::Genoa), now_ms)?;
                made.store(folder, &path)?;
                // Another process may have been first: what lies there counts.
                let bytes = fs::read(&path).map_err(file_error(&path))?;
                Self::parse(&Zeroizing::new(bytes), &path)?
            }
            Err(error) => return Err(file_error(&path)(error)),
        };
        if product.is_some_and(|product| product != chip.product) {
            return Err(EmulationError::OtherProduct);
        }
        let roots_path = folder.join(ROOTS_FILE);
        if !roots_path.exists() {
            write_new(folder, &roots_path, &chip.roots.to_json())?;
        }
        Ok(chip)
    }

    fn store(&self, folder: &Path, path: &Path) -> Result<(), EmulationError> {
        make_folder(folder)?;
        let encode = |bytes: &[u8]| Base64::encode_string(bytes);
        let json = Object::new()
            .with("purpose", PURPOSE)
            .with("product", self.product.word())
            .with("seed", encode(self.seed.expose()))
            .with("ark_key", encode(&self.ark.to_pkcs8()?))
            .with("ask_key", encode(&self.ask.to_pkcs8()?))
            .with("ark", encode(self.roots.ark()))
            .with("ask", encode(self.roots.ask()))
            .to_bytes();
        write_new(folder, path, &json)
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self, EmulationError> {
        let bad = |reason: String| EmulationError::State {
            path: path.to_owned(),
            reason,
        };
        let json = |error: chancery_json::Error| bad(error.describe());
        let mut fields = Fields::parse(bytes, &Limits::DOCUMENT).map_err(json)?;
        let mut take = |name: &str| fields.take_str(name).map_err(json);
        let purpose = take("purpose")?;
        let product = take("product")?;
        let texts = [
            take("seed")?,
            take("ark_key")?,
            take("ask_key")?,
            take("ark")?,
            take("ask")?,
        ];
        fields.finish().map_err(json)?;
        let decode = |text: &String| {
            Base64::decode_vec(text)
                .ok()
                .ok_or_else(|| bad("a member is not base64".to_owned()))
        };
        let [seed, ark_key, ask_key, ark, ask] = &texts;
        let product = EmulatedProduct::from_word(&product)
            .filter(|_| purpose == PURPOSE)
            .ok_or_else(|| bad("it was not written by this program".to_owned()))?;
        let seed = <[u8; 32]>::try_from(decode(seed)?)
            .ok()
            .ok_or_else(|| bad("the seed has another length".to_owned()))?;
        Ok(Self {
            product,
            seed: Key::from_bytes(seed),
            ark: AuthorityKey::from_pkcs8(&decode(ark_key)?)?,
            ask: AuthorityKey::from_pkcs8(&decode(ask_key)?)?,
            roots: EmulatedRoots::new(decode(ark)?, decode(ask)?, product),
        })
    }

    /// What it is.
    #[must_use]
    pub const fn product(&self) -> EmulatedProduct {
        self.product
    }

    /// Its root and intermediate certificates.
    #[must_use]
    pub const fn roots(&self) -> &EmulatedRoots {
        &self.roots
    }

    /// CHIP_ID of its reports: 64 bytes, on Turin 8 and zeros.
    #[must_use]
    pub fn chip_id(&self) -> [u8; 64] {
        let first = self.seed.tag("chancery-EMULATED/chip-id/v1", &[0]);
        let second = self.seed.tag("chancery-EMULATED/chip-id/v1", &[1]);
        let mut id = [0; 64];
        let size = self.product.line().hardware_id_size();
        for (to, from) in id.iter_mut().take(size).zip(first.iter().chain(&second)) {
            *to = *from;
        }
        id
    }

    /// The attestation key of a firmware level. Each part's security version walks a one-way chain downwards, so that a level gives the
    /// keys of lower ones and never of higher ones, as on hardware.
    pub(crate) fn vcek(&self, tcb: TcbComponents) -> Result<SigningKey, EmulationError> {
        let TcbComponents {
            fmc,
            bootloader,
            tee,
            snp,
            microcode,
        } = tcb;
        let mut secret = Zeroizing::new(Vec::new());
        for (part, level) in [
            (b"fmc", fmc),
            (b"blr", bootloader),
            (b"tee", tee),
            (b"snp", snp),
            (b"ucd", microcode),
        ] {
            let mut link = self.seed.derive("chancery-EMULATED/vcek-part/v1", part);
            for _ in level..u8::MAX {
                link = link.derive("chancery-EMULATED/vcek-step/v1", part);
            }
            secret.extend_from_slice(link.expose());
        }
        let level = self.seed.derive("chancery-EMULATED/vcek/v1", &secret);
        // A P-384 scalar is 48 bytes; all but one in 2^190 strings of that length are one.
        for attempt in 0..=u8::MAX {
            let high = level.derive("chancery-EMULATED/vcek-scalar/v1", &[attempt, 0]);
            let low = level.derive("chancery-EMULATED/vcek-scalar/v1", &[attempt, 1]);
            let scalar: Zeroizing<Vec<u8>> = Zeroizing::new(
                high.expose()
                    .iter()
                    .chain(low.expose())
                    .take(48)
                    .copied()
                    .collect(),
            );
            if let Ok(key) = SigningKey::from_slice(&scalar) {
                return Ok(key);
            }
        }
        Err(EmulationError::Crypto)
    }

    /// The certificate of the attestation key of a firmware level.
    pub(crate) fn vcek_certificate(
        &self,
        tcb: TcbComponents,
        now_ms: u64,
        trailer: TrailerEncoding,
    ) -> Result<Vec<u8>, EmulationError> {
        let key = self.vcek(tcb)?;
        let point = key.verifying_key().to_sec1_point(false);
        let chip_id = self.chip_id();
        let line = self.product.line();
        let hardware_id = chip_id
            .get(..line.hardware_id_size())
            .ok_or(EmulationError::Crypto)?;
        let leaf = Leaf {
            line,
            tcb,
            hardware_id,
            public: point.as_bytes(),
        };
        pki::vcek_certificate(&self.ask, &leaf, now_ms, trailer)
    }

    /// A revocation list.
    pub(crate) fn revocation_list(
        &self,
        schedule: &CrlSchedule,
        issue: CrlIssue,
    ) -> Result<Vec<u8>, EmulationError> {
        pki::revocation_list(&self.ark, self.product.line(), schedule, issue)
    }

    /// The chip secret of derived keys.
    pub(crate) fn derivation_root(&self) -> Key {
        self.seed
            .derive("chancery-EMULATED/derived-key-root/v1", &[])
    }
}

#[cfg(test)]
mod tests;
