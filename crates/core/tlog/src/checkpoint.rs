//! Log heads, by [c2sp.org/tlog-checkpoint](https://c2sp.org/tlog-checkpoint).

use alloc::string::String;
use alloc::string::ToString as _;
use core::fmt;

use crate::Error;
use crate::Hash;
use crate::TREE_SIZE_MAX;
use crate::note::SignedNote;
use crate::note::SignerKey;
use crate::note::VerifierKey;
use crate::text::parse_decimal;

/// Longest origin in bytes; its length must fit one byte in the newer cosignature type.
pub const ORIGIN_BYTES_MAX: usize = 255;

/// What a checkpoint says: the first three lines of its text. A claim, verified or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeHead {
    origin: String,
    size: u64,
    root: Hash,
}

impl TreeHead {
    /// Makes a head.
    ///
    /// # Errors
    /// [`Error::Origin`], [`Error::TreeTooLarge`], or [`Error::EmptyRootMismatch`] if the size is
    /// zero and the root is not the empty one.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, Error> {
        check_origin(origin)?;
        if size > TREE_SIZE_MAX {
            return Err(Error::TreeTooLarge);
        }
        if size == 0 && root != Hash::EMPTY_ROOT {
            return Err(Error::EmptyRootMismatch);
        }
        Ok(Self {
            origin: origin.to_string(),
            size,
            root,
        })
    }

    /// Reads a note text. Extension lines are allowed and ignored: nobody audits them.
    ///
    /// # Errors
    /// [`Error::Line`], [`Error::Origin`], [`Error::Number`] or [`Error::Base64`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut lines = text.strip_suffix('\n').ok_or(Error::Line)?.split('\n');
        let mut line = || lines.next().ok_or(Error::Line);
        let (origin, size, root) = (line()?, line()?, line()?);
        check_origin(origin)?;
        let (size, root) = (parse_decimal(size)?, Hash::from_base64(root)?);
        if lines.any(str::is_empty) {
            return Err(Error::Line);
        }
        Ok(Self {
            origin: origin.to_string(),
            size,
            root,
        })
    }

    /// The log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree of that size.
    #[must_use]
    pub const fn root(&self) -> &Hash {
        &self.root
    }
}

impl fmt::Display for TreeHead {
    /// The note text: three lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            self.root.to_base64()
        )
    }
}

fn check_origin(origin: &str) -> Result<(), Error> {
    let valid = !origin.is_empty()
        && origin.len() <= ORIGIN_BYTES_MAX
        && !origin.chars().any(char::is_control);
    if valid { Ok(()) } else { Err(Error::Origin) }
}

/// A checkpoint that was read but not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedCheckpoint {
    head: TreeHead,
    note: SignedNote,
}

impl UnverifiedCheckpoint {
    /// Reads a signed note whose text is a checkpoint.
    ///
    /// # Errors
    /// What [`SignedNote::parse`] and [`TreeHead::parse`] say.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        Self::from_note(SignedNote::parse(bytes)?)
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// What [`TreeHead::parse`] says.
    pub fn from_note(note: SignedNote) -> Result<Self, Error> {
        Ok(Self {
            head: TreeHead::parse(note.text())?,
            note,
        })
    }

    /// What it claims; good for choosing a key, and for nothing else.
    #[must_use]
    pub const fn unverified_head(&self) -> &TreeHead {
        &self.head
    }

    /// The note with all its signatures.
    #[must_use]
    pub const fn note(&self) -> &SignedNote {
        &self.note
    }

    /// Checks origin and log signature.
    ///
    /// # Errors
    /// [`Error::OriginMismatch`], [`Error::EmptyRootMismatch`], or what [`SignedNote::verify`]
    /// says.
    pub fn verify(&self, origin: &str, key: &VerifierKey) -> Result<Checkpoint, Error> {
        if self.head.origin != origin {
            return Err(Error::OriginMismatch);
        }
        if self.head.size == 0 && self.head.root != Hash::EMPTY_ROOT {
            return Err(Error::EmptyRootMismatch);
        }
        self.note.verify(key)?;
        Ok(Checkpoint {
            head: self.head.clone(),
            note: self.note.clone(),
        })
    }
}

/// A checkpoint that its log signed, as checked by [`UnverifiedCheckpoint::verify`] or signed
/// here. Whether witnesses have seen it is for [`Policy`](crate::policy::Policy) to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    head: TreeHead,
    note: SignedNote,
}

impl Checkpoint {
    /// Signs a head with the log's key.
    ///
    /// # Errors
    /// What [`SignerKey::sign`] says; a [`TreeHead`] always makes a valid text.
    pub fn sign(head: TreeHead, key: &SignerKey) -> Result<Self, Error> {
        let text = head.to_string();
        let note = SignedNote::new(&text, key.sign(&text)?)?;
        Ok(Self { head, note })
    }

    /// What the log signed.
    #[must_use]
    pub const fn head(&self) -> &TreeHead {
        &self.head
    }

    /// The log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.head.origin()
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.head.size()
    }

    /// Root of the tree.
    #[must_use]
    pub const fn root(&self) -> &Hash {
        self.head.root()
    }

    /// The note with all its signatures.
    #[must_use]
    pub const fn note(&self) -> &SignedNote {
        &self.note
    }

    /// The checkpoint as it goes to witnesses; verified again by whoever reads it.
    #[must_use]
    pub fn to_unverified(&self) -> UnverifiedCheckpoint {
        UnverifiedCheckpoint {
            head: self.head.clone(),
            note: self.note.clone(),
        }
    }
}
