//! The one error type of this crate: a variant per check, no text chosen by a peer.

use core::fmt;

/// Why a tree operation, a note, a checkpoint, a policy or a proof was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    // trees
    /// A size exceeds [`TREE_SIZE_MAX`](crate::TREE_SIZE_MAX).
    TreeTooLarge,
    /// An index is not below its tree size.
    IndexOutOfRange,
    /// A size is larger than the tree that it should be part of.
    SizeOutOfRange,
    /// A proof has another number of hashes than its sizes demand.
    ProofLength,
    /// The proof does not lead to the expected root.
    RootMismatch,
    /// A tree of size zero has another root than the empty one.
    EmptyRootMismatch,
    // text
    /// A text is larger than its limit.
    TooLarge,
    /// A text is not UTF-8, or holds a control character.
    Encoding,
    /// A line is missing, misplaced, or not ended by a newline.
    Line,
    /// A number is not canonical decimal, or too large.
    Number,
    /// A value is not canonical padded base64, or has the wrong length.
    Base64,
    // keys and signatures
    /// A key name is empty, too long, or holds a space or a plus sign.
    KeyName,
    /// A verifier key is not `name+id+base64`.
    KeyFormat,
    /// The key id is not the one that name, type and key give.
    KeyIdMismatch,
    /// The signature type is not one that this use accepts.
    KeyType,
    /// The public key is not canonical, not on the curve, or of small order.
    KeyWeak,
    /// A note has more than [`SIGNATURES_MAX`](crate::note::SIGNATURES_MAX) signatures, or none.
    SignatureCount,
    /// A signature has the wrong length for its type.
    SignatureLength,
    /// A signature of a known key does not verify.
    SignatureInvalid,
    /// No signature is by the expected key.
    SignatureMissing,
    /// A cosignature's time is zero or above 2^63 - 1.
    Timestamp,
    // checkpoints
    /// The origin is empty or has a line break.
    Origin,
    /// The checkpoint is of another log.
    OriginMismatch,
    // policy
    /// A policy line is of an unknown kind or has the wrong number of words.
    PolicyLine,
    /// A name is defined twice, or is reserved.
    PolicyName,
    /// A group or the quorum uses a name that no line before it defines.
    PolicyUnknownName,
    /// A name is a member of two groups, or twice of one.
    PolicyMemberTwice,
    /// A threshold is not between one and the number of members.
    PolicyThreshold,
    /// One public key, or one name and key id, stands in two lines.
    PolicyDuplicateKey,
    /// A policy has more lines of a kind than [`policy::ENTRIES_MAX`](crate::policy::ENTRIES_MAX).
    PolicyTooLarge,
    /// The quorum line is missing, or there are two.
    PolicyQuorum,
    /// Two quorums need not share a witness, so that two histories could both be accepted.
    PolicyDisjoint,
    /// The policy lists logs, and this log is not among them.
    PolicyLog,
    /// Too few known witnesses have cosigned.
    QuorumMissing,
    // tiles
    /// A tile path or width is not one that the specification allows.
    Tile,
    /// An entry does not fit its 16-bit length, or a bundle is cut.
    Entry,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TreeTooLarge => "tree size above 2^63 - 1",
            Self::IndexOutOfRange => "leaf index not below the tree size",
            Self::SizeOutOfRange => "size larger than the tree",
            Self::ProofLength => "proof has the wrong number of hashes",
            Self::RootMismatch => "proof does not lead to the root",
            Self::EmptyRootMismatch => "empty tree with another root",
            Self::TooLarge => "text larger than its limit",
            Self::Encoding => "text is not UTF-8 or holds a control character",
            Self::Line => "line missing, misplaced or not terminated",
            Self::Number => "number not canonical or too large",
            Self::Base64 => "value not canonical base64 of the right length",
            Self::KeyName => "key name invalid",
            Self::KeyFormat => "verifier key malformed",
            Self::KeyIdMismatch => "key id does not match the key",
            Self::KeyType => "signature type not accepted here",
            Self::KeyWeak => "public key not canonical or weak",
            Self::SignatureCount => "number of signatures out of range",
            Self::SignatureLength => "signature has the wrong length",
            Self::SignatureInvalid => "signature of a known key does not verify",
            Self::SignatureMissing => "no signature by the expected key",
            Self::Timestamp => "cosignature time out of range",
            Self::Origin => "origin invalid",
            Self::OriginMismatch => "checkpoint of another log",
            Self::PolicyLine => "policy line malformed",
            Self::PolicyName => "policy name reserved or defined twice",
            Self::PolicyUnknownName => "policy name not defined before its use",
            Self::PolicyMemberTwice => "policy name is a member twice",
            Self::PolicyThreshold => "policy threshold out of range",
            Self::PolicyDuplicateKey => "policy names one key twice",
            Self::PolicyTooLarge => "policy has too many entries",
            Self::PolicyQuorum => "policy needs exactly one quorum line",
            Self::PolicyDisjoint => "two quorums of the policy need not share a witness",
            Self::PolicyLog => "log not listed in the policy",
            Self::QuorumMissing => "too few known witnesses have cosigned",
            Self::Tile => "tile path or width invalid",
            Self::Entry => "entry too long or bundle cut",
        })
    }
}

impl core::error::Error for Error {}
