//! The witness protocol, by [c2sp.org/tlog-witness](https://c2sp.org/tlog-witness): messages of
//! both sides, and the pure decision of a witness.
//!
//! A witness is an atomic compare-and-swap on the size of a log: it cosigns only what extends the
//! one head that it remembers. [`decide`] says what to do with a request; a head that advances
//! must be durable before its cosignature can be made, which [`Pending::written`] stands for.

use alloc::format;
use alloc::string::String;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::fmt;

use crate::Error;
use crate::Hash;
use crate::PROOF_HASHES_MAX;
use crate::checkpoint::UnverifiedCheckpoint;
use crate::cosign::CosignerKey;
use crate::cosign::verify_cosignature;
use crate::merkle::verify_consistency;
use crate::note::NOTE_BYTES_MAX;
use crate::note::NoteSignature;
use crate::note::SignedNote;
use crate::note::VerifierKey;
use crate::note::parse_signature_lines;
use crate::text::parse_decimal;

/// Path of the submission call under a witness's submission prefix.
pub const ADD_CHECKPOINT_PATH: &str = "/add-checkpoint";

/// Media type of the body of a 409 that tells a size.
pub const SIZE_MEDIA_TYPE: &str = "text/x.tlog.size";

/// Largest request in bytes: a note, 63 proof lines of 45 bytes and the first line.
pub const REQUEST_BYTES_MAX: usize = NOTE_BYTES_MAX + 4096;

/// Largest answer in bytes that a client reads: as many signature lines as a note may have.
pub const RESPONSE_BYTES_MAX: usize = NOTE_BYTES_MAX;

/// Path of the monitoring call under a witness's monitoring prefix: `/<origin hash>/checkpoint`
/// with the lower-case hexadecimal SHA-256 of the origin.
#[must_use]
pub fn monitoring_path(origin: &str) -> String {
    use sha2::Digest as _;
    let digest: [u8; 32] = sha2::Sha256::digest(origin.as_bytes()).into();
    let hex = digest
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    format!("/{hex}/checkpoint")
}

/// An `add-checkpoint` request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    old_size: u64,
    proof: Vec<Hash>,
    checkpoint: UnverifiedCheckpoint,
}

impl AddCheckpoint {
    /// Makes a request: `proof` leads from `old_size` to the size of the checkpoint.
    ///
    /// # Errors
    /// [`Error::ProofLength`] above [`PROOF_HASHES_MAX`].
    pub fn new(
        old_size: u64,
        proof: Vec<Hash>,
        checkpoint: UnverifiedCheckpoint,
    ) -> Result<Self, Error> {
        if proof.len() > PROOF_HASHES_MAX {
            return Err(Error::ProofLength);
        }
        Ok(Self {
            old_size,
            proof,
            checkpoint,
        })
    }

    /// Reads a request body strictly.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Encoding`], [`Error::Line`], [`Error::Number`],
    /// [`Error::Base64`], [`Error::ProofLength`], or what [`UnverifiedCheckpoint::parse`] says.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        if body.len() > REQUEST_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let Ok(text) = core::str::from_utf8(body) else {
            return Err(Error::Encoding);
        };
        let (old, mut rest) = text.split_once('\n').ok_or(Error::Line)?;
        let old_size = parse_decimal(old.strip_prefix("old ").ok_or(Error::Line)?)?;
        let mut proof = Vec::new();
        loop {
            let (line, after) = rest.split_once('\n').ok_or(Error::Line)?;
            rest = after;
            if line.is_empty() {
                break;
            }
            if proof.len() >= PROOF_HASHES_MAX {
                return Err(Error::ProofLength);
            }
            proof.push(Hash::from_base64(line)?);
        }
        let checkpoint = UnverifiedCheckpoint::parse(rest.as_bytes())?;
        Ok(Self {
            old_size,
            proof,
            checkpoint,
        })
    }

    /// The size that the client believes the witness to have.
    #[must_use]
    pub const fn old_size(&self) -> u64 {
        self.old_size
    }

    /// The consistency proof.
    #[must_use]
    pub fn proof(&self) -> &[Hash] {
        &self.proof
    }

    /// The checkpoint to cosign.
    #[must_use]
    pub const fn checkpoint(&self) -> &UnverifiedCheckpoint {
        &self.checkpoint
    }

    /// The request body.
    #[must_use]
    pub fn encode(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        for hash in &self.proof {
            writeln!(f, "{}", hash.to_base64())?;
        }
        write!(f, "\n{}", self.checkpoint.note())
    }
}

/// Reads the body of a 200: the one cosignature of `key` over `text`, verified, and its time in
/// seconds. Lines of other keys are ignored.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::Encoding`], a line error, [`Error::SignatureMissing`], or what
/// [`verify_cosignature`] says.
pub fn parse_cosignatures(
    body: &[u8],
    text: &str,
    key: &VerifierKey,
) -> Result<(NoteSignature, u64), Error> {
    if body.len() > RESPONSE_BYTES_MAX {
        return Err(Error::TooLarge);
    }
    let Ok(lines) = core::str::from_utf8(body) else {
        return Err(Error::Encoding);
    };
    let mut latest: Option<(NoteSignature, u64)> = None;
    for signature in parse_signature_lines(lines)?
        .into_iter()
        .filter(|s| key.claims(s))
    {
        let time_s = verify_cosignature(text, &signature, key)?;
        if latest.as_ref().is_none_or(|(_, known)| *known < time_s) {
            latest = Some((signature, time_s));
        }
    }
    latest.ok_or(Error::SignatureMissing)
}

/// Reads the body of a 409: a size. Nobody signed it; confirm it with the witness's checkpoint
/// before acting on it.
///
/// # Errors
/// [`Error::Encoding`], [`Error::Line`] or [`Error::Number`].
pub fn parse_conflict(body: &[u8]) -> Result<u64, Error> {
    let Ok(text) = core::str::from_utf8(body) else {
        return Err(Error::Encoding);
    };
    parse_decimal(text.strip_suffix('\n').ok_or(Error::Line)?)
}

/// What a witness remembers of one log: the newest head that it committed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessedHead {
    size: u64,
    root: Hash,
    note: SignedNote,
}

impl WitnessedHead {
    /// Reads a stored note back. The store is the witness's own: the note was verified before it
    /// was written, and is verified again here, so that a damaged store is noticed.
    ///
    /// # Errors
    /// What [`UnverifiedCheckpoint::parse`] and [`UnverifiedCheckpoint::verify`] say.
    pub fn restore(note: &[u8], origin: &str, log_key: &VerifierKey) -> Result<Self, Error> {
        let checkpoint = UnverifiedCheckpoint::parse(note)?.verify(origin, log_key)?;
        let (size, root) = (checkpoint.size(), *checkpoint.root());
        Ok(Self {
            size,
            root,
            note: checkpoint.note().retaining(&[log_key]),
        })
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree.
    #[must_use]
    pub const fn root(&self) -> &Hash {
        &self.root
    }

    /// The checkpoint with the log's signature; this is what to store.
    #[must_use]
    pub const fn note(&self) -> &SignedNote {
        &self.note
    }

    /// Cosigns the head as of `now_s`. Call only while no larger head is being committed: the
    /// statement is that this is the largest tree seen.
    ///
    /// # Errors
    /// [`Error::Timestamp`].
    pub fn cosign(&self, key: &CosignerKey, now_s: u64) -> Result<NoteSignature, Error> {
        key.cosign(self.note.text(), now_s)
    }

    /// The checkpoint with the log's signature and a cosignature as of `now_s`: the answer of the
    /// monitoring call.
    ///
    /// # Errors
    /// [`Error::Timestamp`].
    pub fn cosigned_note(&self, key: &CosignerKey, now_s: u64) -> Result<SignedNote, Error> {
        let mut note = self.note.clone();
        note.push(self.cosign(key, now_s)?)?;
        Ok(note)
    }
}

/// A head that is accepted but not yet durable: it cannot be cosigned.
///
/// ```compile_fail
/// fn early(pending: chancery_tlog::witness::Pending, key: &chancery_tlog::CosignerKey) {
///     let _line = pending.cosign(key, 1_700_000_000);
/// }
/// ```
///
/// ```
/// fn durable(pending: chancery_tlog::witness::Pending, key: &chancery_tlog::CosignerKey) {
///     let _line = pending.written().cosign(key, 1_700_000_000);
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a pending head must be stored"]
pub struct Pending(WitnessedHead);

impl Pending {
    /// The note to store, as [`WitnessedHead::restore`] reads it.
    #[must_use]
    pub const fn note(&self) -> &SignedNote {
        &self.0.note
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.0.size
    }

    /// Says that the head has reached durable storage. Saying so too early is how a witness
    /// comes to sign two histories.
    #[must_use]
    pub fn written(self) -> WitnessedHead {
        self.0
    }
}

/// What to do with an accepted request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a witness must handle each decision"
)]
pub enum Decision {
    /// The head is the stored one: cosign it afresh, nothing is to be written. (The text is the
    /// request's, whose extension lines may differ from those stored.)
    Unchanged(WitnessedHead),
    /// The head is larger: store it, then cosign it.
    Advance(Pending),
}

/// Why a request is refused; each is one answer of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the specification lists the refusals"
)]
pub enum Refusal {
    /// 400: the body is not a request.
    Malformed(Error),
    /// 404: the origin is not one that this witness follows.
    UnknownOrigin,
    /// 403: no signature of the log's key, or one that does not verify.
    BadSignature(Error),
    /// 400: the old size is larger than the checkpoint's.
    OldSizeTooLarge,
    /// 409: the old size is not the stored one, which is given.
    Conflict {
        /// Size that the witness has committed to; zero if it has seen nothing.
        size: u64,
    },
    /// 422: the proof does not verify, or one size would have two roots.
    Inconsistent(Error),
}

impl Refusal {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::OldSizeTooLarge => 400,
            Self::BadSignature(_) => 403,
            Self::UnknownOrigin => 404,
            Self::Conflict { .. } => 409,
            Self::Inconsistent(_) => 422,
        }
    }

    /// The body: the size for a conflict, else one plain line.
    #[must_use]
    pub fn body(&self) -> String {
        match self {
            Self::Conflict { size } => format!("{size}\n"),
            Self::Malformed(error) => format!("malformed request: {error}\n"),
            Self::BadSignature(error) => format!("log signature refused: {error}\n"),
            Self::Inconsistent(error) => format!("not consistent: {error}\n"),
            Self::UnknownOrigin => "unknown origin\n".to_string(),
            Self::OldSizeTooLarge => "old size larger than the checkpoint\n".to_string(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.body().trim_end())
    }
}

impl core::error::Error for Refusal {}

/// Decides a request by the order of the specification. `log_key` is the key that the witness
/// trusts for the request's origin, if it follows that log; `stored` the head that it has
/// committed to for it, if any. The caller holds the log's lock from reading `stored` until the
/// decision is carried out.
///
/// # Errors
/// A [`Refusal`], after which nothing has changed.
pub fn decide(
    request: &AddCheckpoint,
    stored: Option<&WitnessedHead>,
    log_key: Option<&VerifierKey>,
) -> Result<Decision, Refusal> {
    let Some(log_key) = log_key else {
        return Err(Refusal::UnknownOrigin);
    };
    let head = request.checkpoint.unverified_head();
    request
        .checkpoint
        .note()
        .verify(log_key)
        .map_err(Refusal::BadSignature)?;
    if request.old_size > head.size() {
        return Err(Refusal::OldSizeTooLarge);
    }
    let (size, root) = stored.map_or((0, &Hash::EMPTY_ROOT), |s| (s.size, &s.root));
    if request.old_size != size {
        return Err(Refusal::Conflict { size });
    }
    verify_consistency(size, root, head.size(), head.root(), &request.proof)
        .map_err(Refusal::Inconsistent)?;
    let accepted = WitnessedHead {
        size: head.size(),
        root: *head.root(),
        note: request.checkpoint.note().retaining(&[log_key]),
    };
    if stored.is_some() && head.size() == size {
        return Ok(Decision::Unchanged(accepted));
    }
    Ok(Decision::Advance(Pending(accepted)))
}
