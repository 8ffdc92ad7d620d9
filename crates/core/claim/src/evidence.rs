//! What is kept of a claim, so that an auditor can check it again. Runtime and auditor share this module.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding as _};
use chancery_dsse::Envelope;
use chancery_json::{Element, Fields, Limits, Object, Value};
use chancery_keyset::PublicKeyset;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, SignedBy};
use crate::jwk::Jwk;
use crate::statement::{ClaimBinding, ClaimId, ClaimNonce, Succession};
use crate::token::{Expected, IdToken, TOKEN_SIZE_MAX};

/// Largest evidence, in bytes: a token, two keysets and a key, or a signed act with its body.
pub const EVIDENCE_SIZE_MAX: usize = 64 * 1024;

const LIMITS: Limits = Limits {
    bytes_max: EVIDENCE_SIZE_MAX,
    depth_max: 6,
    values_max: 128,
};

const PENDING_SIGNATURE: &str = "pending_signature";

/// What a member sends: the keys, and the new account key's signature over the claim statement.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the stored format names every member"
)]
pub struct ClaimRequest {
    /// The runtime's challenge.
    pub challenge: Vec<u8>,
    /// Whose account is claimed.
    pub claim: ClaimId,
    /// The member's new account keyset.
    pub account: PublicKeyset,
    /// The keyset of the member's device.
    pub device: PublicKeyset,
    /// The account key's signature over [`ClaimNonce::statement`].
    pub signature: [u8; 64],
}

/// Where and to whom a claim belongs; everything else of its nonce is in the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the hashed format names every member"
)]
pub struct ClaimContext {
    /// The deployment.
    pub deployment: [u8; 32],
    /// The tenant.
    pub tenant: [u8; 16],
    /// Hash of the tenant's genesis.
    pub genesis: [u8; 32],
}

impl ClaimRequest {
    /// The nonce that an ID token for this claim must carry.
    ///
    /// # Errors
    /// [`Error::ChallengeSize`].
    pub fn nonce(&self, context: &ClaimContext) -> Result<ClaimNonce, Error> {
        let binding = ClaimBinding {
            challenge: &self.challenge,
            claim: self.claim,
            deployment: context.deployment,
            tenant: context.tenant,
            genesis: context.genesis,
            account: self.account.fingerprint(),
            device: self.device.fingerprint(),
        };
        binding.nonce()
    }

    /// Checks that the holder of the new account key made this claim, and gives its nonce.
    ///
    /// # Errors
    /// [`Error::ChallengeSize`], or [`Error::Signature`] with [`SignedBy::Account`].
    pub fn check(&self, context: &ClaimContext) -> Result<ClaimNonce, Error> {
        let nonce = self.nonce(context)?;
        if is_signed(&self.account, &nonce.statement(), &self.signature) {
            Ok(nonce)
        } else {
            Err(Error::Signature(SignedBy::Account))
        }
    }
}

/// Who confirmed that the claim is of the right person.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the stored format has these two forms"
)]
pub enum ClaimProof {
    /// The tenant's identity provider.
    IdToken {
        /// The token as it was received.
        token: String,
        /// The issuer's key that signed it; of `kid` and `alg` nothing is kept.
        key: Box<Jwk>,
    },
    /// The tenant's admins, after comparing a short code.
    Confirmation {
        /// Their signed act.
        act: Envelope,
        /// The body of the request that the act signs.
        body: Vec<u8>,
    },
}

/// Evidence before the pending key has signed the succession, whose statement holds this evidence's digest.
#[derive(Debug)]
pub struct UnsignedEvidence {
    request: ClaimRequest,
    proof: ClaimProof,
}

/// The evidence of a claim: the member's request, its proof, and the pending key's signature over the succession.
///
/// Nothing in it is believed because it could be read.
#[derive(Debug)]
pub struct ClaimEvidence {
    content: UnsignedEvidence,
    pending_signature: [u8; 64],
}

impl UnsignedEvidence {
    /// Joins a request and its proof.
    #[must_use]
    pub const fn new(request: ClaimRequest, proof: ClaimProof) -> Self {
        Self { request, proof }
    }

    /// SHA-256 of the encoding without `pending_signature`: what [`Succession::evidence`] is.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.object().to_bytes()).into()
    }

    /// Adds the pending key's signature over the succession.
    #[must_use]
    pub const fn signed(self, pending_signature: [u8; 64]) -> ClaimEvidence {
        ClaimEvidence {
            content: self,
            pending_signature,
        }
    }

    fn object(&self) -> Object {
        let request = &self.request;
        let object = Object::new()
            .with("challenge", Base64::encode_string(&request.challenge))
            .with("claim", alloc::format!("{}", request.claim))
            .with("account", Base64::encode_string(&request.account.encode()))
            .with("device", Base64::encode_string(&request.device.encode()))
            .with("signature", Base64::encode_string(&request.signature));
        match &self.proof {
            ClaimProof::IdToken { token, key } => object
                .with("id_token", token.as_str())
                .with("jwk", embedded(key.canonical().as_bytes())),
            ClaimProof::Confirmation { act, body } => object
                .with("confirmation", embedded(&act.to_json()))
                .with("confirmation_body", Base64::encode_string(body)),
        }
    }
}

/// A JSON text of ours as a value in another one; both writers put members in one order without space.
fn embedded(text: &[u8]) -> Value {
    Value::parse(text, &LIMITS).unwrap_or(Value::Null)
}

impl ClaimEvidence {
    /// The one encoding, whose SHA-256 the log entry commits to.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let signature = Base64::encode_string(&self.pending_signature);
        self.content
            .object()
            .with(PENDING_SIGNATURE, signature)
            .to_bytes()
    }

    /// Reads evidence. Only the one encoding is accepted.
    ///
    /// # Errors
    /// [`Error::EvidenceTooLarge`], [`Error::Json`], [`Error::EvidenceForm`], [`Error::ClaimIdForm`], the
    /// errors of [`Jwk::parse`], or [`Error::NotCanonical`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > EVIDENCE_SIZE_MAX {
            return Err(Error::EvidenceTooLarge);
        }
        let mut fields = Fields::parse(bytes, &LIMITS)?;
        let request = ClaimRequest {
            challenge: base64(&mut fields, "challenge")?,
            claim: ClaimId::parse(&fields.take_str("claim")?)?,
            account: keyset(&mut fields, "account")?,
            device: keyset(&mut fields, "device")?,
            signature: signature(&mut fields, "signature")?,
        };
        let proof = match fields.take_optional("confirmation") {
            Some(act) => read_confirmation(act, &mut fields)?,
            None => read_token(&mut fields)?,
        };
        let pending_signature = signature(&mut fields, PENDING_SIGNATURE)?;
        fields.finish()?;
        let evidence = Self {
            content: UnsignedEvidence { request, proof },
            pending_signature,
        };
        if evidence.to_bytes() == bytes {
            Ok(evidence)
        } else {
            Err(Error::NotCanonical)
        }
    }

    /// The member's request.
    #[must_use]
    pub const fn request(&self) -> &ClaimRequest {
        &self.content.request
    }

    /// Who confirmed it.
    #[must_use]
    pub const fn proof(&self) -> &ClaimProof {
        &self.content.proof
    }

    /// SHA-256 of the encoding without `pending_signature`: what [`Succession::evidence`] is.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.content.digest()
    }

    /// Checks the member's signature and the ID token with the key that the evidence names.
    ///
    /// Whether that key was trusted at the time is for the caller to compare: [`IdToken::key`]. `now_ms` is the time of the entry, in
    /// milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// As [`ClaimRequest::check`] and [`IdToken::verify`], or [`Error::NoIdToken`].
    pub fn check_token(
        &self,
        context: &ClaimContext,
        issuer: &str,
        client_id: &str,
        now_ms: u64,
    ) -> Result<IdToken, Error> {
        let nonce = self.request().check(context)?;
        let ClaimProof::IdToken { token, key } = self.proof() else {
            return Err(Error::NoIdToken);
        };
        let expected = Expected {
            issuer,
            client_id,
            nonce: &nonce,
            keys: core::slice::from_ref(key),
            now_ms,
        };
        IdToken::verify(token.as_bytes(), &expected)
    }

    /// Checks that `pending`, the keyset that was logged for `subject` before, signed the succession to the new account keyset.
    ///
    /// # Errors
    /// [`Error::Signature`] with [`SignedBy::Pending`].
    pub fn check_succession(
        &self,
        context: &ClaimContext,
        subject: [u8; 32],
        pending: &PublicKeyset,
    ) -> Result<(), Error> {
        let succession = Succession {
            tenant: context.tenant,
            subject,
            old: pending.fingerprint(),
            new: self.request().account.fingerprint(),
            evidence: self.digest(),
        };
        if is_signed(pending, &succession.statement(), &self.pending_signature) {
            Ok(())
        } else {
            Err(Error::Signature(SignedBy::Pending))
        }
    }
}

fn is_signed(keyset: &PublicKeyset, message: &[u8], signature: &[u8; 64]) -> bool {
    keyset
        .verifying_key()
        .is_ok_and(|key| key.verifies(message, signature))
}

fn read_token(fields: &mut Fields) -> Result<ClaimProof, Error> {
    let token = fields.take_str("id_token")?;
    if token.len() > TOKEN_SIZE_MAX {
        return Err(Error::TokenTooLarge);
    }
    let key = Jwk::parse(&fields.take("jwk")?.into_value().to_bytes())?;
    Ok(ClaimProof::IdToken {
        token,
        key: Box::new(key),
    })
}

fn read_confirmation(act: Element, fields: &mut Fields) -> Result<ClaimProof, Error> {
    let act = Envelope::parse(&act.into_value().to_bytes());
    let act = act.ok().ok_or(Error::EvidenceForm {
        member: "confirmation",
    })?;
    let body = base64(fields, "confirmation_body")?;
    Ok(ClaimProof::Confirmation { act, body })
}

fn base64(fields: &mut Fields, member: &'static str) -> Result<Vec<u8>, Error> {
    let text = fields.take_str(member)?;
    Base64::decode_vec(&text)
        .ok()
        .ok_or(Error::EvidenceForm { member })
}

fn keyset(fields: &mut Fields, member: &'static str) -> Result<PublicKeyset, Error> {
    let keyset = PublicKeyset::decode(&base64(fields, member)?);
    keyset.ok().ok_or(Error::EvidenceForm { member })
}

fn signature(fields: &mut Fields, member: &'static str) -> Result<[u8; 64], Error> {
    let bytes = base64(fields, member)?;
    bytes.try_into().ok().ok_or(Error::EvidenceForm { member })
}

#[cfg(test)]
mod tests;
