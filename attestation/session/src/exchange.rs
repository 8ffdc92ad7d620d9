//! The bodies of `POST /.well-known/chancery/v1/attest`, JSON both ways and strict both ways.

use core::fmt;

use alloc::string::String;
use alloc::vec::Vec;

use base64ct::Base64;
use base64ct::Encoding;
use chancery_json::Element;
use chancery_json::Fields;
use chancery_json::Limits;
use chancery_json::Object;
use chancery_json::Value;
use chancery_tlog::Hash;
use chancery_tlog::PROOF_HASHES_MAX;
use chancery_verify::Evidence;
use chancery_verify::EvidenceError;
use sha2::Digest;
use sha2::Sha256;

use crate::binding::exporter_context;

/// The version of both bodies.
const VERSION: u64 = 1;

/// The longest request body in bytes: it holds one nonce.
pub const ATTEST_REQUEST_SIZE_MAX: usize = 256;

/// The longest response body in bytes: two evidences, a release policy, two notes, three leaves.
pub const ATTEST_RESPONSE_SIZE_MAX: usize = 1024 * 1024;

const REQUEST_LIMITS: Limits = Limits {
    bytes_max: ATTEST_REQUEST_SIZE_MAX,
    depth_max: 2,
    values_max: 8,
};

const RESPONSE_LIMITS: Limits = Limits {
    bytes_max: ATTEST_RESPONSE_SIZE_MAX,
    depth_max: 4,
    values_max: 512,
};

/// Who signs the session statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a new mode must break every match")]
pub enum ProofMode {
    /// The epoch key of the node statement.
    Epoch,
    /// The secure processor itself; rate limited.
    Hardware,
}

impl ProofMode {
    /// The word in bodies.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::Hardware => "hardware",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Epoch, Self::Hardware]
            .into_iter()
            .find(|mode| mode.word() == word)
    }
}

/// What is wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The JSON, with its place.
    Json(chancery_json::Error),
    /// A version that is not 1.
    Version,
    /// A value breaks its rule; the place is a JSON pointer.
    Value {
        /// Where.
        pointer: String,
    },
    /// Encoded evidence.
    Evidence(EvidenceError),
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "{error}"),
            Self::Version => f.write_str("the version is not 1"),
            Self::Value { .. } => f.write_str("a value breaks its rule"),
            Self::Evidence(error) => write!(f, "evidence: {error}"),
        }
    }
}

impl core::error::Error for ExchangeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            Self::Evidence(error) => Some(error),
            Self::Version | Self::Value { .. } => None,
        }
    }
}

impl From<chancery_json::Error> for ExchangeError {
    fn from(error: chancery_json::Error) -> Self {
        Self::Json(error)
    }
}

impl From<EvidenceError> for ExchangeError {
    fn from(error: EvidenceError) -> Self {
        Self::Evidence(error)
    }
}

/// The request: a nonce and who shall sign. Nothing else of the caller's choice is ever signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the members of version 1")]
pub struct AttestRequest {
    /// Fresh randomness of the verifier.
    pub nonce: [u8; 32],
    /// Who signs.
    pub mode: ProofMode,
}

impl AttestRequest {
    /// Reads a request body.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn from_json(text: &[u8]) -> Result<Self, ExchangeError> {
        let mut fields = Fields::parse(text, &REQUEST_LIMITS)?;
        read_version(&mut fields)?;
        let nonce = read_array(fields.take("nonce")?)?;
        let mode = read_mode(fields.take("mode")?)?;
        fields.finish()?;
        Ok(Self { nonce, mode })
    }

    /// Writes the request body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        Object::new()
            .with("version", VERSION)
            .with("nonce", Base64::encode_string(&self.nonce))
            .with("mode", self.mode.word())
            .to_bytes()
    }
}

/// A leaf of the root log with its inclusion proof in the response's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the members of version 1")]
pub struct LoggedLeaf {
    /// Its index.
    pub index: u64,
    /// Its bytes.
    pub leaf: Vec<u8>,
    /// The inclusion path, from the leaf's sibling up.
    pub proof: Vec<Hash>,
}

/// How the session statement is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a new mode must break every match")]
pub enum SessionProof {
    /// By the epoch key (Ed25519).
    Epoch([u8; 64]),
    /// By the secure processor.
    Hardware(Evidence),
}

impl SessionProof {
    /// Who signed.
    #[must_use]
    pub const fn mode(&self) -> ProofMode {
        match self {
            Self::Epoch(_) => ProofMode::Epoch,
            Self::Hardware(_) => ProofMode::Hardware,
        }
    }
}

/// The response. Nothing in it is believed before [`crate::appraise_session`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the members of version 1")]
pub struct AttestResponse {
    /// The node statement's bytes.
    pub node_statement: Vec<u8>,
    /// The evidence of the node statement.
    pub node_evidence: Evidence,
    /// The session statement's bytes.
    pub session_statement: Vec<u8>,
    /// Its signature or evidence.
    pub session_proof: SessionProof,
    /// The release policy in its DSSE envelope.
    pub release_policy: Vec<u8>,
    /// The firmware floors in their DSSE envelope.
    pub tcb_floors: Vec<u8>,
    /// The newest cosigned checkpoint, a C2SP signed note.
    pub checkpoint: String,
    /// The cosigned checkpoint that the node statement's beacon names, a C2SP signed note.
    pub beacon: String,
    /// Leaf 0 of the root log.
    pub genesis: LoggedLeaf,
    /// The boot entry of this instance.
    pub boot: LoggedLeaf,
    /// The entry of the node statement.
    pub node: LoggedLeaf,
}

impl AttestResponse {
    /// The context for the connection's exporter: the verifier computes it from what it received, then the exporter.
    #[must_use]
    pub fn exporter_context(&self, nonce: &[u8; 32]) -> [u8; 32] {
        exporter_context(nonce, &Sha256::digest(&self.node_statement).into())
    }

    /// Reads a response body.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn from_json(text: &[u8]) -> Result<Self, ExchangeError> {
        let mut fields = Fields::parse(text, &RESPONSE_LIMITS)?;
        read_version(&mut fields)?;
        let response = Self {
            node_statement: read_bytes(fields.take("node_statement")?)?,
            node_evidence: Evidence::decode(&read_bytes(fields.take("node_evidence")?)?)?,
            session_statement: read_bytes(fields.take("session_statement")?)?,
            session_proof: read_proof(fields.take_object("session_proof")?)?,
            release_policy: read_bytes(fields.take("release_policy")?)?,
            tcb_floors: read_bytes(fields.take("tcb_floors")?)?,
            checkpoint: fields.take_str("checkpoint")?,
            beacon: fields.take_str("beacon")?,
            genesis: read_leaf(fields.take_object("genesis")?)?,
            boot: read_leaf(fields.take_object("boot")?)?,
            node: read_leaf(fields.take_object("node")?)?,
        };
        fields.finish()?;
        Ok(response)
    }

    /// Writes the response body.
    ///
    /// # Errors
    /// Evidence with a part that is too long.
    pub fn to_json(&self) -> Result<Vec<u8>, ExchangeError> {
        let proof = match &self.session_proof {
            SessionProof::Epoch(signature) => Object::new()
                .with("mode", ProofMode::Epoch.word())
                .with("signature", Base64::encode_string(signature)),
            SessionProof::Hardware(evidence) => Object::new()
                .with("mode", ProofMode::Hardware.word())
                .with("evidence", Base64::encode_string(&evidence.encode()?)),
        };
        let object = Object::new()
            .with("version", VERSION)
            .with(
                "node_statement",
                Base64::encode_string(&self.node_statement),
            )
            .with(
                "node_evidence",
                Base64::encode_string(&self.node_evidence.encode()?),
            )
            .with(
                "session_statement",
                Base64::encode_string(&self.session_statement),
            )
            .with("session_proof", proof)
            .with(
                "release_policy",
                Base64::encode_string(&self.release_policy),
            )
            .with("tcb_floors", Base64::encode_string(&self.tcb_floors))
            .with("checkpoint", self.checkpoint.as_str())
            .with("beacon", self.beacon.as_str())
            .with("genesis", write_leaf(&self.genesis))
            .with("boot", write_leaf(&self.boot))
            .with("node", write_leaf(&self.node));
        Ok(object.to_bytes())
    }
}

fn read_version(fields: &mut Fields) -> Result<(), ExchangeError> {
    if fields.take_u64("version")? == VERSION {
        Ok(())
    } else {
        Err(ExchangeError::Version)
    }
}

fn value_error(element: &Element) -> ExchangeError {
    ExchangeError::Value {
        pointer: String::from(element.pointer()),
    }
}

fn read_bytes(element: Element) -> Result<Vec<u8>, ExchangeError> {
    let error = value_error(&element);
    Base64::decode_vec(&element.into_str()?).map_err(|_base64| error)
}

fn read_array<const N: usize>(element: Element) -> Result<[u8; N], ExchangeError> {
    let error = value_error(&element);
    read_bytes(element)?.try_into().map_err(|_length| error)
}

fn read_mode(element: Element) -> Result<ProofMode, ExchangeError> {
    let error = value_error(&element);
    ProofMode::from_word(&element.into_str()?).ok_or(error)
}

fn read_proof(mut fields: Fields) -> Result<SessionProof, ExchangeError> {
    let proof = match read_mode(fields.take("mode")?)? {
        ProofMode::Epoch => SessionProof::Epoch(read_array(fields.take("signature")?)?),
        ProofMode::Hardware => {
            SessionProof::Hardware(Evidence::decode(&read_bytes(fields.take("evidence")?)?)?)
        }
    };
    fields.finish()?;
    Ok(proof)
}

fn read_leaf(mut fields: Fields) -> Result<LoggedLeaf, ExchangeError> {
    let index = fields.take_u64("index")?;
    let leaf = read_bytes(fields.take("leaf")?)?;
    let proof = fields.take("proof")?;
    let error = value_error(&proof);
    let hashes = proof.into_array()?;
    fields.finish()?;
    if hashes.len() > PROOF_HASHES_MAX {
        return Err(error);
    }
    let hash = |element| read_array(element).map(Hash);
    Ok(LoggedLeaf {
        index,
        leaf,
        proof: hashes.into_iter().map(hash).collect::<Result<_, _>>()?,
    })
}

fn write_leaf(leaf: &LoggedLeaf) -> Object {
    let proof: Vec<Value> = leaf
        .proof
        .iter()
        .map(|hash| Base64::encode_string(hash.as_bytes()).into())
        .collect();
    Object::new()
        .with("index", leaf.index)
        .with("leaf", Base64::encode_string(&leaf.leaf))
        .with("proof", proof)
}

#[cfg(test)]
mod tests;
