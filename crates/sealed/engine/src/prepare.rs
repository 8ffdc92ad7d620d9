//! The part of an act that needs no state: keys, labels, commitments.
//!
//! It costs far more than the decision itself, so request handlers make it on their own cores, and
//! the one thread that decides only checks and books.

use alloc::vec::Vec;

use chancery_directory::record::NameKind;
use chancery_directory::{ActSecret, Digest, Handle, KeySource, Opens};
use chancery_keyset::Keyset;
use chancery_scim::{GroupDocument, MemberRef, UserDocument};
use chancery_sealing::{Entropy, ExpandedEntropy, Key};

use crate::act::Refusal;
use crate::custody::PendingKeyset;
use crate::id::ResourceId;
use crate::key_record::KeyOf;
use crate::records::OpeningSecret;
use crate::tenant::TenantSecrets;

/// Everything that one act draws at random, from one fresh key.
#[derive(Debug)]
pub(crate) struct Draws {
    /// Kept in the journal: openings of commitments derive from it.
    pub(crate) secret: OpeningSecret,
    /// For everything that the journal must not be able to give again.
    pub(crate) entropy: ExpandedEntropy,
}

impl Draws {
    pub(crate) fn new(fresh: &Key) -> Self {
        Self {
            secret: OpeningSecret(fresh.tag("chancery/act/secret/v1", b"")),
            entropy: ExpandedEntropy::new(fresh.derive("chancery/act/entropy/v1", b"")),
        }
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let mut out = [0; N];
        self.entropy
            .fill(&mut out)
            .map_err(|_entropy| Refusal::Internal)?;
        Ok(out)
    }
}

/// A new pending keyset with its commitment.
#[derive(Debug)]
pub(crate) struct NewKeyset {
    /// The keyset as it is stored.
    pub keyset: PendingKeyset,
    /// Commitment of its public halves in the trust log.
    pub key_commit: Digest,
}

/// Makes a pending keyset for `handle`.
///
/// # Errors
/// [`Refusal::Internal`] if randomness or the key pair fails.
fn keyset(
    secrets: &TenantSecrets,
    handle: [u8; 32],
    now_ms: u64,
    draws: &mut Draws,
) -> Result<NewKeyset, Refusal> {
    let keyset = Keyset::generate(&mut draws.entropy).map_err(|_keyset| Refusal::Internal)?;
    let (seed, public) = keyset.into_parts();
    let sealed = secrets
        .key()
        .seal_keyset(&handle, seed.expose(), &mut draws.entropy)
        .map_err(|_seal| Refusal::Internal)?;
    let key = KeyOf {
        handle,
        version: 1,
        source: KeySource::Enclave,
        public: &public,
        not_before_ms: now_ms,
    };
    let key_commit = key
        .record(secrets)
        .commit(&ActSecret(draws.secret.0).opening(Opens::Key(&Handle(handle))))
        .map_err(|_encoding| Refusal::Internal)?;
    let keyset = PendingKeyset {
        fingerprint: *public.fingerprint().as_bytes(),
        sealed_seed: sealed.into_boxed_slice(),
    };
    Ok(NewKeyset { keyset, key_commit })
}

/// A user to provision, with everything made but the decision.
#[derive(Debug)]
pub struct NewUser {
    pub(crate) draws: Draws,
    pub(crate) made_ms: u64,
    pub(crate) id: ResourceId,
    pub(crate) handle: [u8; 32],
    pub(crate) label: [u8; 32],
    pub(crate) document: UserDocument,
    pub(crate) canonical: Vec<u8>,
    pub(crate) keyset: NewKeyset,
}

impl NewUser {
    /// The id that a resource made from this fresh key will have, be it a user or a group.
    #[must_use]
    pub fn id_of(fresh: &Key) -> ResourceId {
        let tag = fresh.tag("chancery/act/id/v1", b"");
        let [bytes @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = tag;
        ResourceId::from_random(bytes)
    }

    /// Prepares a user from the parsed body of a POST.
    ///
    /// # Errors
    /// [`Refusal::Internal`] if randomness or the key pair fails.
    pub fn prepare(
        secrets: &TenantSecrets,
        document: UserDocument,
        now_ms: u64,
        fresh: &Key,
    ) -> Result<Self, Refusal> {
        let mut draws = Draws::new(fresh);
        let handle = draws.bytes()?;
        let keyset = keyset(secrets, handle, now_ms, &mut draws)?;
        Ok(Self {
            draws,
            made_ms: now_ms,
            id: Self::id_of(fresh),
            handle,
            label: secrets.label(NameKind::UserName, document.keys().user_name.as_str()),
            canonical: document.to_canonical(),
            document,
            keyset,
        })
    }
}

/// A group to create, with everything made but the decision.
#[derive(Debug)]
pub struct NewGroup {
    pub(crate) draws: Draws,
    pub(crate) id: ResourceId,
    pub(crate) handle: [u8; 32],
    pub(crate) document: GroupDocument,
    pub(crate) canonical: Vec<u8>,
    pub(crate) members: Vec<MemberRef>,
}

impl NewGroup {
    /// Prepares a group from the parsed body of a POST.
    ///
    /// # Errors
    /// [`Refusal::Internal`] if randomness fails.
    pub fn prepare(
        document: GroupDocument,
        members: Vec<MemberRef>,
        fresh: &Key,
    ) -> Result<Self, Refusal> {
        let mut draws = Draws::new(fresh);
        let handle = draws.bytes()?;
        Ok(Self {
            draws,
            handle,
            id: NewUser::id_of(fresh),
            canonical: document.to_canonical(),
            document,
            members,
        })
    }
}
