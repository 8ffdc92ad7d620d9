//! The steps from a pinned root log to one fact.

use chancery_tlog::proof::UnverifiedProof;
use chancery_tlog::{Policy, VerifierKey, verify_inclusion};

use super::{
    BundleError, BundleExtra, Shown, ShownAbsence, ShownReceipt, ShownUser, ShownVrf, hash,
};
use crate::digest::{Digest, TenantId, commit};
use crate::entry::{Entry, StateRoot, SubjectKind, SubjectState};
use crate::head::{TenantHead, head_chain, map_key};
use crate::prefix::Lookup;
use crate::record::{
    DirName, DirState, KeyRecord, NameKind, handle_key, name_input, name_label, tenant_handle,
};
use crate::vrf::{Proof, PublicKey};

/// What a client has pinned. None of it comes from the service.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// The root log's origin.
    pub origin: &'a str,
    /// The root log's key.
    pub log_key: &'a VerifierKey,
    /// Which witnesses suffice.
    pub policy: &'a Policy,
    /// The tenant.
    pub tenant: TenantId,
}

/// How old the witnesses' word may be for the use at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// The client's clock, milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The greatest age, milliseconds.
    pub age_ms_max: u64,
}

/// The newest head that a client has seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// Its version.
    pub version: u64,
    /// Its chain.
    pub chain: Digest,
}

/// What a client asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question<'a> {
    /// The user of this userName, in its normalised form.
    User(&'a str),
    /// The entry of this index.
    Receipt(u64),
    /// Whether this userName, in its normalised form, is free.
    Absent(&'a str),
}

/// How the head relates to the remembered one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuity {
    /// Nothing was remembered.
    First,
    /// The remembered head itself.
    Same,
    /// The very next head: its chain extends the remembered one.
    Next,
    /// A later head; the heads between decide, and a bundle does not hold them.
    Undecided {
        /// How many heads lie between.
        between: u64,
    },
}

/// A user's state and key, as proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserKey {
    name: DirName,
    state: DirState,
    record: KeyRecord,
}

impl UserKey {
    /// Whom the name belongs to, and since when.
    #[must_use]
    pub const fn name(&self) -> &DirName {
        &self.name
    }

    /// The user's state.
    #[must_use]
    pub const fn state(&self) -> &DirState {
        &self.state
    }

    /// The user's current key, whoever holds its private half.
    #[must_use]
    pub const fn record(&self) -> &KeyRecord {
        &self.record
    }

    /// The key, if the user has confirmed it: the only one that a client wraps to.
    ///
    /// # Errors
    /// [`BundleError::NotConfirmed`].
    pub fn confirmed(&self) -> Result<&KeyRecord, BundleError> {
        if self.state.state == SubjectState::Confirmed {
            Ok(&self.record)
        } else {
            Err(BundleError::NotConfirmed)
        }
    }
}

/// The answer to a [`Question`], as proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proved {
    /// The user.
    User(UserKey),
    /// The entry.
    Receipt(Entry),
    /// The name belongs to nobody.
    Absent,
}

/// What a bundle proves. Only [`verify`] makes one.
///
/// ```compile_fail
/// use chancery_directory::bundle::{Proved, Verified};
/// fn forge(epoch: u64) -> Verified {
///     Verified { epoch, proved: Proved::Absent }
/// }
/// ```
///
/// The same by the only way in compiles:
///
/// ```
/// use chancery_directory::bundle::{BundleError, Freshness, Question, Trust, Verified, verify};
/// fn check(trust: &Trust<'_>, bundle: &[u8], at: Freshness) -> Result<Verified, BundleError> {
///     verify(trust, bundle, at, None, Question::Absent("ada@demo.example"))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    epoch: u64,
    time_floor_ms: u64,
    head: TenantHead,
    state_root: StateRoot,
    continuity: Continuity,
    proved: Proved,
}

impl Verified {
    /// Index of the root log's newest leaf, which the bundle shows.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A time that has passed by an honest witness's word, milliseconds since the Unix epoch.
    #[must_use]
    pub const fn time_floor_ms(&self) -> u64 {
        self.time_floor_ms
    }

    /// The tenant's newest head: its version and chain are what a client remembers.
    #[must_use]
    pub const fn head(&self) -> &TenantHead {
        &self.head
    }

    /// The state root of that head.
    #[must_use]
    pub const fn state_root(&self) -> &StateRoot {
        &self.state_root
    }

    /// How the head relates to the remembered one.
    #[must_use]
    pub const fn continuity(&self) -> Continuity {
        self.continuity
    }

    /// The answer.
    #[must_use]
    pub const fn proved(&self) -> &Proved {
        &self.proved
    }
}

/// Checks a bundle from the pinned root log down to the answer.
///
/// `remembered` is the newest head that the client saw before, `None` at its first contact.
///
/// # Errors
/// [`BundleError`], by the first step that fails.
pub fn verify(
    trust: &Trust<'_>,
    bundle: &[u8],
    freshness: Freshness,
    remembered: Option<Remembered>,
    question: Question<'_>,
) -> Result<Verified, BundleError> {
    // 1. Parse.
    let proof = UnverifiedProof::parse(bundle).map_err(BundleError::Proof)?;
    let extra = proof.unverified_extra().ok_or(BundleError::ExtraMissing)?;
    let extra = BundleExtra::decode(extra).map_err(BundleError::Extra)?;
    // 2. The leaf is the newest of a log that the witnesses cosigned.
    let leaf_hash = extra.leaf.leaf_hash().map_err(BundleError::Extra)?;
    let outer = proof
        .verify(&hash(&leaf_hash), trust.policy, trust.origin, trust.log_key)
        .map_err(BundleError::Checkpoint)?;
    if extra.leaf.epoch != outer.index() {
        return Err(BundleError::EpochMismatch);
    }
    if outer.checkpoint().size().checked_sub(1) != Some(outer.index()) {
        return Err(BundleError::NotNewest);
    }
    // 3. Recently.
    let time_floor_ms = outer.checkpoint().time_floor_s().saturating_mul(1000);
    let age_ms = freshness.now_ms.saturating_sub(time_floor_ms);
    if age_ms > freshness.age_ms_max {
        return Err(BundleError::Stale { age_ms });
    }
    // 4. The tenant's head.
    check_head(trust, &extra)?;
    let continuity = continuity(&extra.head, remembered)?;
    // 5. Its state root.
    check_state_root(&extra)?;
    // 6. The answer.
    let context = Context {
        tenant: trust.tenant,
        head: extra.head,
        dir_root: extra.state_root.dir_root,
    };
    let proved = match (&extra.shown, question) {
        (Shown::User(user), Question::User(name)) => Proved::User(context.user(user, name)?),
        (Shown::Receipt(receipt), Question::Receipt(index)) => {
            Proved::Receipt(context.receipt(receipt, index)?)
        }
        (Shown::Absent(absence), Question::Absent(name)) => {
            context.absence(absence, name)?;
            Proved::Absent
        }
        (Shown::User(_) | Shown::Receipt(_) | Shown::Absent(_), _) => {
            return Err(BundleError::OtherQuestion);
        }
    };
    Ok(Verified {
        epoch: outer.index(),
        time_floor_ms,
        head: extra.head,
        state_root: extra.state_root,
        continuity,
        proved,
    })
}

fn check_head(trust: &Trust<'_>, extra: &BundleExtra) -> Result<(), BundleError> {
    let head = &extra.head;
    if head.tenant != trust.tenant {
        return Err(BundleError::ForeignTenant);
    }
    let found = extra
        .map_path
        .verify(&extra.leaf.map_root, &map_key(&trust.tenant))
        .map_err(BundleError::MapPath)?;
    match found {
        Lookup::Absent => return Err(BundleError::TenantAbsent),
        Lookup::Present(value) if value != head.map_value(&extra.map_opening) => {
            return Err(BundleError::HeadMismatch);
        }
        Lookup::Present(_) => {}
    }
    let begins = head_chain(&Digest::ZERO, head.size, &head.root);
    if head.version == 0 || (head.version == 1 && head.chain != begins) {
        return Err(BundleError::ChainBroken);
    }
    Ok(())
}

fn continuity(
    head: &TenantHead,
    remembered: Option<Remembered>,
) -> Result<Continuity, BundleError> {
    let Some(remembered) = remembered else {
        return Ok(Continuity::First);
    };
    let ahead = head
        .version
        .checked_sub(remembered.version)
        .ok_or(BundleError::RolledBack)?;
    let expected = match ahead {
        0 => remembered.chain,
        1 => head_chain(&remembered.chain, head.size, &head.root),
        _ => {
            return Ok(Continuity::Undecided {
                between: ahead.saturating_sub(1),
            });
        }
    };
    if head.chain != expected {
        return Err(BundleError::Forked);
    }
    Ok(if ahead == 0 {
        Continuity::Same
    } else {
        Continuity::Next
    })
}

fn check_state_root(extra: &BundleExtra) -> Result<(), BundleError> {
    let (head, root) = (&extra.head, &extra.state_root);
    if head.size.checked_sub(1) != Some(root.index) {
        return Err(BundleError::StateRootIndex);
    }
    verify_inclusion(
        &hash(&root.leaf_hash()),
        root.index,
        head.size,
        &extra.state_root_path,
        &hash(&head.root),
    )
    .map_err(BundleError::StateRootPath)
}

/// What steps 1 to 5 have proved.
struct Context {
    tenant: TenantId,
    head: TenantHead,
    dir_root: Digest,
}

impl Context {
    fn receipt(&self, receipt: &ShownReceipt, index: u64) -> Result<Entry, BundleError> {
        if receipt.index != index || receipt.entry.index != index {
            return Err(BundleError::OtherEntry);
        }
        verify_inclusion(
            &hash(&receipt.entry.leaf_hash()),
            index,
            self.head.size,
            &receipt.path,
            &hash(&self.head.root),
        )
        .map_err(BundleError::EntryPath)?;
        Ok(receipt.entry)
    }

    fn absence(&self, absence: &ShownAbsence, name: &str) -> Result<(), BundleError> {
        let label = self.label(&absence.vrf, &absence.vrf_proof, name)?;
        match absence.name_path.verify(&self.dir_root, &label) {
            Ok(Lookup::Absent) => Ok(()),
            Ok(Lookup::Present(_)) => Err(BundleError::NamePresent),
            Err(error) => Err(BundleError::NamePath(error)),
        }
    }

    fn user(&self, user: &ShownUser, name: &str) -> Result<UserKey, BundleError> {
        let label = self.label(&user.vrf, &user.vrf_proof, name)?;
        match user.name_path.verify(&self.dir_root, &label) {
            Ok(Lookup::Present(value)) if value == user.name.value(&user.name_opening) => {}
            Ok(Lookup::Present(_)) => return Err(BundleError::NameMismatch),
            Ok(Lookup::Absent) => return Err(BundleError::NameAbsent),
            Err(error) => return Err(BundleError::NamePath(error)),
        }
        if user.state.handle != user.name.handle {
            return Err(BundleError::OtherSubject);
        }
        if user.state.kind != SubjectKind::User {
            return Err(BundleError::NotUser);
        }
        let key = handle_key(&user.state.handle);
        match user.state_path.verify(&self.dir_root, &key) {
            Ok(Lookup::Present(value)) if value == user.state.value() => {}
            Ok(Lookup::Present(_)) => return Err(BundleError::StateMismatch),
            Ok(Lookup::Absent) => return Err(BundleError::StateAbsent),
            Err(error) => return Err(BundleError::StatePath(error)),
        }
        let record = &user.record;
        let committed = record.commit(&user.key_opening);
        if committed.map_err(BundleError::Extra)? != user.state.key_commit {
            return Err(BundleError::KeyMismatch);
        }
        if record.tenant != self.tenant
            || record.handle != user.state.handle
            || record.key_version != user.state.key_version
        {
            return Err(BundleError::KeyForeign);
        }
        Ok(UserKey {
            name: user.name,
            state: user.state,
            record: record.clone(),
        })
    }

    /// The label that the tenant's VRF key gives the name.
    fn label(&self, vrf: &ShownVrf, proof: &Proof, name: &str) -> Result<[u8; 32], BundleError> {
        let handle = tenant_handle(&self.tenant);
        if vrf.tenant.handle != handle {
            return Err(BundleError::TenantStateMismatch);
        }
        match vrf.path.verify(&self.dir_root, &handle_key(&handle)) {
            Ok(Lookup::Present(value)) if value == vrf.tenant.value() => {}
            Ok(Lookup::Present(_) | Lookup::Absent) => {
                return Err(BundleError::TenantStateMismatch);
            }
            Err(error) => return Err(BundleError::TenantStatePath(error)),
        }
        if commit("vrf", &vrf.opening, &vrf.public) != vrf.tenant.key_commit {
            return Err(BundleError::VrfKeyMismatch);
        }
        let key = PublicKey::from_bytes(&vrf.public).map_err(BundleError::VrfKey)?;
        let output = key
            .verify(&name_input(NameKind::UserName, name), proof)
            .map_err(BundleError::VrfProof)?;
        Ok(name_label(&output))
    }
}
