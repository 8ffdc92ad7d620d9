use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::Write as _;

use base64ct::{Base64, Encoding as _};
use chancery_json::{Element, Fields, Limits};

use crate::error::Error;
use crate::key::{KeyId, PublicKey, SigningKey};

/// Most bytes of an envelope in JSON: the largest payload in base64, all signatures, and the names.
pub const ENVELOPE_SIZE_MAX: usize = 384 * 1024;

/// Most bytes of a payload. The largest that is signed is a delegation that lists its groups.
pub const PAYLOAD_SIZE_MAX: usize = 256 * 1024;

/// Most signatures: a threshold of people, not of a crowd, so that checking an envelope stays cheap.
pub const SIGNATURES_MAX: usize = 16;

/// Most characters of a payload type, as for any media type that we name.
pub const PAYLOAD_TYPE_LENGTH_MAX: usize = 128;

/// An envelope has three levels and, with every signature, fewer than 64 values.
const LIMITS: Limits = Limits {
    bytes_max: ENVELOPE_SIZE_MAX,
    depth_max: 4,
    values_max: 64,
};

struct EnvelopeSignature {
    key: KeyId,
    bytes: [u8; 64],
}

/// A well-formed envelope of which nothing has been believed yet.
pub struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    signatures: Vec<EnvelopeSignature>,
}

/// A payload that a threshold of known keys signed, as the type that was asked for.
///
/// Only [`Envelope::verify`] makes one.
#[derive(Debug)]
pub struct Verified {
    payload: Vec<u8>,
    signers: Vec<KeyId>,
}

impl Verified {
    /// The exact bytes that were signed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The distinct known keys that signed, in the order of their ids.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        &self.signers
    }
}

impl Envelope {
    /// Signs `payload` as `payload_type` with each of `keys`, at least one.
    ///
    /// # Errors
    /// [`Error::PayloadTypeForm`], [`Error::PayloadTooLarge`], [`Error::NoSignature`],
    /// [`Error::TooManySignatures`] or [`Error::DuplicateSigner`].
    pub fn sign(payload_type: &str, payload: &[u8], keys: &[&SigningKey]) -> Result<Self, Error> {
        check_payload_type(payload_type)?;
        if payload.len() > PAYLOAD_SIZE_MAX {
            return Err(Error::PayloadTooLarge);
        }
        let mut envelope = Self {
            payload_type: payload_type.to_string(),
            payload: payload.to_vec(),
            signatures: Vec::new(),
        };
        for key in keys {
            envelope.add_signature(key)?;
        }
        if envelope.signatures.is_empty() {
            return Err(Error::NoSignature);
        }
        Ok(envelope)
    }

    /// Adds the signature of one more key over the same payload and type.
    ///
    /// The caller has shown the unverified payload to the person whose key this is.
    ///
    /// # Errors
    /// [`Error::DuplicateSigner`] or [`Error::TooManySignatures`]; the envelope is unchanged then.
    pub fn add_signature(&mut self, key: &SigningKey) -> Result<(), Error> {
        let id = key.id();
        if self.signatures.iter().any(|signature| signature.key == id) {
            return Err(Error::DuplicateSigner { key: id });
        }
        if self.signatures.len() >= SIGNATURES_MAX {
            return Err(Error::TooManySignatures);
        }
        let message = pre_authentication_encoding(&self.payload_type, &self.payload);
        self.signatures.push(EnvelopeSignature {
            key: id,
            bytes: key.sign(&message),
        });
        Ok(())
    }

    /// Reads an envelope from JSON. Nothing in it is believed by that.
    ///
    /// # Errors
    /// The first departure from the form: see [`Error`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > ENVELOPE_SIZE_MAX {
            return Err(Error::EnvelopeTooLarge);
        }
        let mut fields = Fields::parse(bytes, &LIMITS)?;
        let payload_type = fields.take_str("payloadType")?;
        let payload = fields.take_str("payload")?;
        let list = fields.take_array("signatures")?;
        fields.finish()?;
        check_payload_type(&payload_type)?;
        let payload = Base64::decode_vec(&payload)
            .ok()
            .ok_or(Error::PayloadBase64)?;
        if payload.len() > PAYLOAD_SIZE_MAX {
            return Err(Error::PayloadTooLarge);
        }
        if list.len() > SIGNATURES_MAX {
            return Err(Error::TooManySignatures);
        }
        let mut signatures: Vec<EnvelopeSignature> = Vec::with_capacity(list.len());
        for (index, item) in list.into_iter().enumerate() {
            let signature = read_signature(index, item)?;
            if signatures.iter().any(|seen| seen.key == signature.key) {
                return Err(Error::DuplicateSigner { key: signature.key });
            }
            signatures.push(signature);
        }
        if signatures.is_empty() {
            return Err(Error::NoSignature);
        }
        Ok(Self {
            payload_type,
            payload,
            signatures,
        })
    }

    /// Writes the envelope as one line of JSON that [`Envelope::parse`] reads.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // No member needs escaping: the type's alphabet, base64 and hexadecimal digits have neither
        // quotes nor backslashes nor control characters.
        let mut text = String::new();
        text.push_str("{\"payloadType\":\"");
        text.push_str(&self.payload_type);
        text.push_str("\",\"payload\":\"");
        text.push_str(&Base64::encode_string(&self.payload));
        text.push_str("\",\"signatures\":[");
        for (index, signature) in self.signatures.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str("{\"keyid\":\"");
            text.push_str(&signature.key.to_hex());
            text.push_str("\",\"sig\":\"");
            text.push_str(&Base64::encode_string(&signature.bytes));
            text.push_str("\"}");
        }
        text.push_str("]}");
        text.into_bytes()
    }

    /// Believes the payload if it has the wanted type and `threshold` distinct keys of `keys` signed it.
    ///
    /// The type is compared before anything else. A key that stands twice in `keys` counts once.
    ///
    /// # Errors
    /// [`Error::ThresholdZero`] and [`Error::ThresholdOutOfReach`] are the caller's fault;
    /// [`Error::WrongPayloadType`], [`Error::BadSignature`] and [`Error::BelowThreshold`] the signer's.
    pub fn verify(
        &self,
        payload_type: &str,
        keys: &[PublicKey],
        threshold: usize,
    ) -> Result<Verified, Error> {
        if self.payload_type != payload_type {
            return Err(Error::WrongPayloadType);
        }
        if threshold == 0 {
            return Err(Error::ThresholdZero);
        }
        let known: alloc::collections::BTreeMap<KeyId, &PublicKey> =
            keys.iter().map(|key| (key.id(), key)).collect();
        if threshold > known.len() {
            return Err(Error::ThresholdOutOfReach);
        }
        let message = pre_authentication_encoding(&self.payload_type, &self.payload);
        let mut signers = Vec::new();
        for signature in &self.signatures {
            let Some(key) = known.get(&signature.key) else {
                continue;
            };
            if !key.verifies(&message, &signature.bytes) {
                return Err(Error::BadSignature { key: signature.key });
            }
            signers.push(signature.key);
        }
        signers.sort_unstable();
        signers.dedup();
        if signers.len() < threshold {
            return Err(Error::BelowThreshold {
                valid: signers.len(),
                threshold,
            });
        }
        Ok(Verified {
            payload: self.payload.clone(),
            signers,
        })
    }

    /// The type that the envelope claims; use it to choose what to say, never what to believe.
    #[must_use]
    pub fn unverified_payload_type(&self) -> &str {
        &self.payload_type
    }

    /// The payload before any check: to show it to a person who is asked to sign it, or to read from
    /// it, as a genesis does, the keys that must have signed it.
    #[must_use]
    pub fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// The keys that claim to have signed, in the envelope's order.
    pub fn unverified_signers(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.signatures.iter().map(|signature| signature.key)
    }
}

impl core::fmt::Debug for Envelope {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Envelope")
            .field("payload_type", &self.payload_type)
            .field("payload_length", &self.payload.len())
            .field("signatures", &self.signatures.len())
            .finish()
    }
}

/// What is signed: `"DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload`, lengths in ASCII decimal.
#[must_use]
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut head = String::new();
    // Writing to a string cannot fail.
    let written = write!(
        head,
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    debug_assert!(written.is_ok());
    let mut message = head.into_bytes();
    message.extend_from_slice(payload);
    message
}

fn check_payload_type(payload_type: &str) -> Result<(), Error> {
    let length_fits = (1..=PAYLOAD_TYPE_LENGTH_MAX).contains(&payload_type.len());
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"./+-".contains(&byte);
    if length_fits && payload_type.bytes().all(allowed) {
        Ok(())
    } else {
        Err(Error::PayloadTypeForm)
    }
}

fn read_signature(index: usize, item: Element) -> Result<EnvelopeSignature, Error> {
    let mut fields = item.into_fields()?;
    let key = fields.take_str("keyid")?;
    let signature = fields.take_str("sig")?;
    fields.finish()?;
    let key = KeyId::parse(&key).ok_or(Error::KeyIdEncoding { index })?;
    // The buffer has exactly the length that is allowed, so a longer text fails to decode.
    let mut bytes = [0_u8; 64];
    match Base64::decode(&signature, &mut bytes) {
        Ok(decoded) if decoded.len() == 64 => Ok(EnvelopeSignature { key, bytes }),
        Ok(_) | Err(_) => Err(Error::SignatureEncoding { index }),
    }
}

#[cfg(test)]
mod tests;
