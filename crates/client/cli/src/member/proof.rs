//! The proof of a person's key, checked from the pinned log down; the only place that knows its form.

use chancery_claim::ClaimId;
use chancery_client::{ClientError, Deployment, HeadStore, RememberedTenant, Row, now_ms};
use chancery_directory::bundle::{
    BundleError, Continuity, Freshness, Proved, Question, Remembered, Trust, UserKey, Verified,
    verify,
};
use chancery_directory::{Digest, KeyRecord, SubjectState, TenantId};
use chancery_keyset::PublicKeyset;
use chancery_scim::FoldedName;
use chancery_session::limits::{CHECKPOINT_AGE_MS_MAX, CLOCK_SKEW_MS_MAX};
use chancery_verify::Outcome as CheckOutcome;

use super::answers::FoundUser;
use super::error::MemberError;
use crate::error::CliError;

/// How old the witnesses' word may be: as old as a runtime without witnesses may still serve.
const AGE_MS_MAX: u64 = CHECKPOINT_AGE_MS_MAX + CLOCK_SKEW_MS_MAX;

/// The steps of `chancery_directory::bundle::verify`, in its order: check, what is required.
const STEPS: [(&str, &str); 6] = [
    ("proof_form", "one proof with its bundle, nothing else"),
    (
        "root_log_leaf",
        "newest leaf of the pinned log, cosigned by a quorum of the pinned witnesses",
    ),
    (
        "proof_age",
        "at most 20 minutes by the word of an honest witness",
    ),
    (
        "tenant_head",
        "the tenant's own, committed by that leaf, not behind the remembered one",
    ),
    ("state_root", "last entry of that head"),
    (
        "name_state_and_key",
        "the name's owner, their state and key in the directory",
    ),
];

/// What a proof proved.
#[derive(Clone, Debug)]
pub(crate) struct Proven {
    /// Whose key it is.
    pub(crate) handle: [u8; 32],
    /// Their state.
    pub(crate) state: SubjectState,
    /// Which key of theirs it is.
    pub(crate) key_version: u32,
    /// The key.
    pub(crate) keyset: PublicKeyset,
    /// Index of the newest entry about them.
    pub(crate) index: u64,
    /// A time that has passed by the witnesses' word, in milliseconds since the Unix epoch.
    pub(crate) time_ms: u64,
    /// Every check, passed.
    pub(crate) rows: Vec<Row>,
    /// What was not checked.
    pub(crate) not_checked: Vec<String>,
}

impl Proven {
    /// Whether somebody may encrypt to the key: only its owner has the private half.
    pub(crate) fn is_usable(&self) -> bool {
        self.state == SubjectState::Confirmed
    }
}

/// What is pinned and remembered of a tenant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pinned<'a> {
    /// The deployment.
    pub(crate) deployment: &'a Deployment,
    /// The tenant's id.
    pub(crate) tenant: [u8; 16],
    /// Where heads are remembered, if they are.
    pub(crate) heads: Option<&'a HeadStore>,
}

/// Verifies what a lookup of `user` brought, and remembers the tenant's head.
pub(crate) fn verify_lookup(
    found: &FoundUser,
    user: &str,
    pinned: Pinned<'_>,
) -> Result<Proven, CliError> {
    let name = asked_name(found, user)?;
    let verified = pinned.verify(&found.proof, Question::User(&name))?;
    let Proved::User(key) = verified.proved() else {
        return Err(refused(
            "name_state_and_key",
            "the proof is of something else",
        ));
    };
    let proven = proven(&verified, key, pinned.heads.is_some())?;
    if proven.handle != found.handle {
        return Err(MemberError::KeysDiffer { what: "handle" }.into());
    }
    Ok(proven)
}

/// Verifies that nobody has the name `user`; gives the time that has passed by the witnesses' word, in
/// milliseconds since the Unix epoch. Whether somebody has an id cannot be proved.
pub(crate) fn verify_absence(proof: &str, user: &str, pinned: Pinned<'_>) -> Result<u64, CliError> {
    if ClaimId::parse(user).is_ok() {
        return Err(MemberError::AccessRefused {
            what: "the lookup: nobody has this id, as the service tells it",
        }
        .into());
    }
    let name = FoldedName::lookup(user);
    let verified = pinned.verify(proof, Question::Absent(name.as_str()))?;
    Ok(verified.time_floor_ms())
}

/// The userName to be proved: the one that was asked for. Of an id, only the service says whose it is.
fn asked_name(found: &FoundUser, user: &str) -> Result<String, CliError> {
    let told = FoldedName::lookup(&found.user_name);
    if ClaimId::parse(user).is_ok() {
        return if found.id == user {
            Ok(told.into_string())
        } else {
            Err(CliError::AnswerUnexpected {
                what: "another user than was asked for",
            })
        };
    }
    let asked = FoldedName::lookup(user);
    if asked == told {
        Ok(asked.into_string())
    } else {
        Err(CliError::AnswerUnexpected {
            what: "another user than was asked for",
        })
    }
}

impl Pinned<'_> {
    /// Verifies a proof under what is pinned and remembered, and remembers its head.
    fn verify(&self, proof: &str, question: Question<'_>) -> Result<Verified, CliError> {
        let mut locked = match self.heads {
            Some(store) => Some(store.lock().map_err(ClientError::Heads)?),
            None => None,
        };
        let remembered = locked.as_ref().and_then(|heads| heads.tenant(&self.tenant));
        let remembered = remembered.map(|seen| Remembered {
            version: seen.version,
            chain: Digest(seen.chain),
        });
        let trust = Trust {
            origin: self.deployment.log_origin(),
            log_key: self.deployment.log_key(),
            policy: self.deployment.witness_policy(),
            tenant: TenantId(self.tenant),
        };
        let freshness = Freshness {
            now_ms: now_ms(),
            age_ms_max: AGE_MS_MAX,
        };
        let verified = verify(&trust, proof.as_bytes(), freshness, remembered, question)
            .map_err(|error| refused(check_of(&error), &error.to_string()))?;
        if let Some(heads) = &mut locked {
            let newest = heads.remembered().map_or(0, |head| head.size);
            if verified.epoch().saturating_add(1) < newest {
                return Err(refused(
                    "root_log_leaf",
                    "the log is smaller than it was before",
                ));
            }
            let head = verified.head();
            let seen = RememberedTenant {
                version: head.version,
                size: head.size,
                chain: head.chain.0,
            };
            let advanced = heads.advance_tenant(self.tenant, seen);
            advanced.map_err(ClientError::Heads)?;
        }
        Ok(verified)
    }
}

/// The step that an error belongs to.
fn check_of(error: &BundleError) -> &'static str {
    match error {
        BundleError::Proof(_) | BundleError::ExtraMissing | BundleError::Extra(_) => "proof_form",
        BundleError::Checkpoint(_) | BundleError::EpochMismatch | BundleError::NotNewest => {
            "root_log_leaf"
        }
        BundleError::Stale { .. } => "proof_age",
        BundleError::ForeignTenant
        | BundleError::MapPath(_)
        | BundleError::TenantAbsent
        | BundleError::HeadMismatch
        | BundleError::ChainBroken
        | BundleError::RolledBack
        | BundleError::Forked => "tenant_head",
        BundleError::StateRootIndex | BundleError::StateRootPath(_) => "state_root",
        _ => "name_state_and_key",
    }
}

fn refused(check: &'static str, reason: &str) -> CliError {
    MemberError::ProofRefused {
        check,
        reason: reason.to_owned(),
    }
    .into()
}

fn proven(verified: &Verified, key: &UserKey, remembering: bool) -> Result<Proven, CliError> {
    let state = key.state();
    let mut not_checked = Vec::new();
    if let Continuity::Undecided { between } = verified.continuity() {
        not_checked.push(format!(
            "that the {between} heads between the remembered one and this one lead from one to the \
             other: `log audit` does"
        ));
    }
    if !remembering {
        not_checked.push("that the log extends what was seen before: no state folder".to_owned());
    }
    Ok(Proven {
        handle: state.handle.0,
        state: state.state,
        key_version: state.key_version,
        keyset: keyset(key.record())?,
        index: state.last,
        time_ms: verified.time_floor_ms(),
        rows: rows(verified, key),
        not_checked,
    })
}

fn keyset(record: &KeyRecord) -> Result<PublicKeyset, CliError> {
    let halves = (
        record.enc_pk.as_slice().try_into().ok(),
        record.sig_pk.as_slice().try_into().ok(),
    );
    let keyset = match halves {
        (Some(kem), Some(signing)) => PublicKeyset::new(kem, signing).ok(),
        _ => None,
    };
    keyset.ok_or_else(|| refused("name_state_and_key", "the record holds no keyset of ours"))
}

fn rows(verified: &Verified, key: &UserKey) -> Vec<Row> {
    let head = verified.head();
    let extends = match verified.continuity() {
        Continuity::First => "the first that is seen",
        Continuity::Same => "the remembered one",
        Continuity::Next => "the next after the remembered one",
        Continuity::Undecided { .. } => "later than the remembered one",
    };
    let found = [
        "well formed".to_owned(),
        format!("leaf {}", verified.epoch()),
        format!(
            "{} s",
            now_ms().saturating_sub(verified.time_floor_ms()) / 1000
        ),
        format!("head {} of size {}, {extends}", head.version, head.size),
        format!("entry {}", verified.state_root().index),
        format!(
            "{}, key version {}",
            state_word(key.state().state),
            key.state().key_version
        ),
    ];
    STEPS
        .into_iter()
        .zip(found)
        .map(|((check, expected), got)| Row {
            check,
            expected: expected.to_owned(),
            got,
            outcome: CheckOutcome::Passed,
        })
        .collect()
}

/// The word for a state.
pub(crate) const fn state_word(state: SubjectState) -> &'static str {
    match state {
        SubjectState::Provisioned => "provisioned and not claimed yet",
        SubjectState::Confirmed => "confirmed",
        SubjectState::SuspendedProvisioned | SubjectState::SuspendedConfirmed => "suspended",
        SubjectState::Deleted => "deleted",
        SubjectState::Erased => "erased",
        _ => "in a state that is no person's",
    }
}

#[cfg(test)]
mod tests;
