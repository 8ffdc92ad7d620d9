//! What the entries of one act commit to privately: whose authority it used and what it changed
//! (trust-log page, section 9).

use alloc::vec::Vec;
use core::fmt;

use crate::codec::{DecodeError, Reader, put_count, within};
use crate::digest::{Digest, Handle, Opening, commit, domain, hmac_sha256, sha256};

/// Most groups that one act may change: the count takes two bytes.
pub const GROUPS_MAX: usize = 65_535;

/// Most handles that one act may add to a group, and most that it may take out of it.
pub const MEMBERS_MAX: usize = 1_000_000;

/// Longest encoding: far above what any runtime books in one act, a bound on what a reader takes in.
pub const DETAILS_SIZE_MAX: usize = 64 * 1024 * 1024;

const VERSION: u8 = 1;

/// On what an act rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A credential under a delegation.
    Credential,
    /// An act that admins signed.
    Admins,
    /// An act that a member's device signed.
    Member,
    /// A claim by an ID token.
    Claim,
    /// A claim that admins confirmed.
    ConfirmedClaim,
    /// The runtime itself: a timer, a start, a fault.
    Runtime,
}

impl Origin {
    /// Every origin, by ascending code.
    pub const ALL: &[Self] = &[
        Self::Credential,
        Self::Admins,
        Self::Member,
        Self::Claim,
        Self::ConfirmedClaim,
        Self::Runtime,
    ];

    /// The byte on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Credential => 1,
            Self::Admins => 2,
            Self::Member => 3,
            Self::Claim => 4,
            Self::ConfirmedClaim => 5,
            Self::Runtime => 6,
        }
    }

    /// The origin of a byte on the wire.
    ///
    /// # Errors
    /// [`DecodeError::UnknownCode`] for a byte without a meaning.
    pub const fn from_code(code: u8) -> Result<Self, DecodeError> {
        match code {
            1 => Ok(Self::Credential),
            2 => Ok(Self::Admins),
            3 => Ok(Self::Member),
            4 => Ok(Self::Claim),
            5 => Ok(Self::ConfirmedClaim),
            6 => Ok(Self::Runtime),
            _ => Err(DecodeError::UnknownCode {
                field: "origin",
                code,
            }),
        }
    }
}

/// Who joined and who left one group in an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDelta {
    /// The group.
    pub group: Handle,
    /// The members that were added, at most [`MEMBERS_MAX`].
    pub added: Vec<Handle>,
    /// The members that were taken out, at most [`MEMBERS_MAX`].
    pub removed: Vec<Handle>,
}

/// The private details of an act. Every entry of the act has the same `body_commit`:
/// `Commit("body", o, Details)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// On what the act rests.
    pub origin: Origin,
    /// SHA-256 of the delegation's payload; zero unless the origin is a credential.
    pub delegation: Digest,
    /// Handle of the credential; zero unless the origin is a credential.
    pub credential: Handle,
    /// SHA-256 of the exhibit's evidence; zero if there is none.
    pub evidence: Digest,
    /// SHA-256 of the exhibit's document; zero if there is none.
    pub document: Digest,
    /// The approval or the break-glass window that the act rests on; zero if none.
    pub approval: Handle,
    /// The groups whose members it changed, at most [`GROUPS_MAX`].
    pub groups: Vec<GroupDelta>,
}

impl Details {
    /// Details of an act that rests on nothing yet and changes no group.
    #[must_use]
    pub const fn new(origin: Origin) -> Self {
        Self {
            origin,
            delegation: Digest::ZERO,
            credential: Handle::ZERO,
            evidence: Digest::ZERO,
            document: Digest::ZERO,
            approval: Handle::ZERO,
            groups: Vec::new(),
        }
    }

    /// The bytes that `body_commit` commits to.
    ///
    /// # Errors
    /// [`DecodeError::LengthOutOfRange`] for more groups or members than a reader accepts.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        let mut out = Vec::with_capacity(self.encoded_size());
        out.extend_from_slice(&[VERSION, self.origin.code()]);
        for field in [
            &self.delegation.0,
            &self.credential.0,
            &self.evidence.0,
            &self.document.0,
            &self.approval.0,
        ] {
            out.extend_from_slice(field);
        }
        let length = self.groups.len();
        within("groups", length, (0, GROUPS_MAX))?;
        let count = u16::try_from(length).map_err(|_large| DecodeError::LengthOutOfRange {
            field: "groups",
            length,
        })?;
        out.extend_from_slice(&count.to_be_bytes());
        for delta in &self.groups {
            out.extend_from_slice(&delta.group.0);
            put_handles(&mut out, "added", &delta.added)?;
            put_handles(&mut out, "removed", &delta.removed)?;
        }
        within("details", out.len(), (0, DETAILS_SIZE_MAX))?;
        Ok(out)
    }

    fn encoded_size(&self) -> usize {
        let handles = |delta: &GroupDelta| delta.added.len().saturating_add(delta.removed.len());
        self.groups
            .iter()
            .map(|delta| handles(delta).saturating_mul(32).saturating_add(40))
            .fold(164, usize::saturating_add)
    }

    /// Reads details.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are exactly one structure.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        within("details", bytes.len(), (0, DETAILS_SIZE_MAX))?;
        let mut reader = Reader::new(bytes);
        reader.version()?;
        let mut details = Self {
            origin: Origin::from_code(reader.u8()?)?,
            delegation: Digest(reader.array()?),
            credential: Handle(reader.array()?),
            evidence: Digest(reader.array()?),
            document: Digest(reader.array()?),
            approval: Handle(reader.array()?),
            groups: Vec::new(),
        };
        for _ in 0..reader.u16()? {
            details.groups.push(GroupDelta {
                group: Handle(reader.array()?),
                added: take_handles(&mut reader, "added")?,
                removed: take_handles(&mut reader, "removed")?,
            });
        }
        reader.finish()?;
        Ok(details)
    }

    /// `authz_hash` of each entry of the act:
    /// `H(0x27 || origin || delegation || credential || evidence)`.
    #[must_use]
    pub fn authz_hash(&self) -> Digest {
        sha256(&[
            &[domain::AUTHORIZATION, self.origin.code()],
            &self.delegation.0,
            &self.credential.0,
            &self.evidence.0,
        ])
    }

    /// `body_commit` of each entry of the act, under the act's secret.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn body_commit(&self, secret: &ActSecret) -> Result<Digest, DecodeError> {
        Ok(commit(
            "body",
            &secret.opening(Opens::Body),
            &self.encode()?,
        ))
    }
}

fn put_handles(
    out: &mut Vec<u8>,
    field: &'static str,
    handles: &[Handle],
) -> Result<(), DecodeError> {
    put_count(out, field, handles.len(), (0, MEMBERS_MAX))?;
    for handle in handles {
        out.extend_from_slice(&handle.0);
    }
    Ok(())
}

fn take_handles(reader: &mut Reader<'_>, field: &'static str) -> Result<Vec<Handle>, DecodeError> {
    let count = reader.count(field, (0, MEMBERS_MAX))?;
    // The bytes must be there before anything is reserved for them.
    let bytes = reader.slice(count.saturating_mul(32))?;
    let mut handles = Vec::with_capacity(count);
    let (whole, _) = bytes.as_chunks::<32>();
    handles.extend(whole.iter().copied().map(Handle));
    Ok(handles)
}

/// What an opening opens. Names, keys, members and objects are opened per subject, so that two of one act
/// have two openings; body and VRF key stand once in an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opens<'a> {
    /// The act's details.
    Body,
    /// A tenant's VRF public key, in Genesis and Rekey.
    Vrf,
    /// A key record of this subject.
    Key(&'a Handle),
    /// A name of this subject.
    Name(&'a Handle),
    /// The member set of this group.
    Members(&'a Handle),
    /// The object of an entry about this subject.
    Object(&'a Handle),
}

impl Opens<'_> {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Body => b"chancery/opening/body/v1",
            Self::Vrf => b"chancery/opening/vrf/v1",
            Self::Key(_) => b"chancery/opening/key/v1",
            Self::Name(_) => b"chancery/opening/name/v1",
            Self::Members(_) => b"chancery/opening/members/v1",
            Self::Object(_) => b"chancery/opening/object/v1",
        }
    }

    const fn subject(&self) -> &[u8] {
        match self {
            Self::Body | Self::Vrf => &[],
            Self::Key(subject)
            | Self::Name(subject)
            | Self::Members(subject)
            | Self::Object(subject) => subject.0.as_slice(),
        }
    }
}

/// The secret of one act, from which its openings derive. It opens commitments and nothing else;
/// whoever holds it may read the act. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ActSecret(pub [u8; 32]);

impl ActSecret {
    /// No secret: what a withheld exhibit has.
    pub const ZERO: Self = Self([0; 32]);

    /// Whether every byte is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// The opening of one commitment of the act:
    /// `HMAC-SHA256(secret, u8 length of label || label || "opening" || subject || 0x01)`, without the
    /// subject for [`Opens::Body`] and [`Opens::Vrf`].
    #[must_use]
    pub fn opening(&self, what: Opens<'_>) -> Opening {
        let label = what.label();
        // Labels are constants of this file, all below 255 bytes.
        let length = u8::try_from(label.len()).unwrap_or(u8::MAX);
        let parts = [&[length], label, b"opening", what.subject(), &[1]];
        Opening(hmac_sha256(&self.0, &parts).0)
    }
}

impl fmt::Debug for ActSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActSecret(redacted)")
    }
}

#[cfg(test)]
mod tests;
