//! What automation asks for: steps that can be carried out at once, or kept as an intent while the
//! delegation is on trial.

use alloc::boxed::Box;
use alloc::vec::Vec;

use chancery_json::{Object, Value};
use chancery_sealing::Key;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::id::ResourceId;
use crate::records::OpeningSecret;
use crate::resource::{Group, User};

/// One step of an act. It says what is to become true of a resource; entries, keys and commitments are
/// made when it is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// A user comes into being; its custody is pending.
    Provision {
        /// The user.
        user: Box<User>,
        /// Commitment to its first key.
        key_commit: [u8; 32],
    },
    /// A user changes.
    Update {
        /// The user as it is to be; its custody and proof are those of before.
        user: Box<User>,
        /// What changes.
        parts: Parts,
    },
    /// A user is gone for the identity provider.
    Depart {
        /// The user.
        user: ResourceId,
        /// When it is to be erased, in milliseconds since the Unix epoch.
        erase_at_ms: Option<u64>,
    },
    /// A group comes into being, without members.
    CreateGroup {
        /// The group.
        group: Box<Group>,
    },
    /// A group's document changes.
    UpdateGroup {
        /// The group as it is to be.
        group: Box<Group>,
        /// Whether its document changes.
        profile: bool,
        /// Whether its name does.
        renamed: bool,
    },
    /// Members of a group change.
    Regroup {
        /// The group.
        group: ResourceId,
        /// Users who join, or whose parked membership is to count again.
        added: Vec<ResourceId>,
        /// Users who leave.
        removed: Vec<ResourceId>,
    },
    /// A group is deleted.
    RemoveGroup {
        /// The group.
        group: ResourceId,
    },
}

/// What an update of a user changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts, each with its own entry"
)]
pub struct Parts {
    /// Anything beside `active`.
    pub profile: bool,
    /// The userName.
    pub renamed: bool,
    /// The userName or an e-mail address: another person may stand behind it (I14).
    pub readdressed: bool,
    /// `active`.
    pub activity: bool,
}

impl Step {
    /// The word that documents use.
    const fn name(&self) -> &'static str {
        match self {
            Self::Provision { .. } => "provision",
            Self::Update { .. } => "update",
            Self::Depart { .. } => "depart",
            Self::CreateGroup { .. } => "create_group",
            Self::UpdateGroup { .. } => "update_group",
            Self::Regroup { .. } => "regroup",
            Self::RemoveGroup { .. } => "remove_group",
        }
    }

    /// The user or group that it is about.
    #[must_use]
    pub const fn subject(&self) -> ResourceId {
        match self {
            Self::Provision { user, .. } | Self::Update { user, .. } => user.id,
            Self::CreateGroup { group } | Self::UpdateGroup { group, .. } => group.id,
            Self::Depart { user, .. } => *user,
            Self::Regroup { group, .. } | Self::RemoveGroup { group } => *group,
        }
    }

    /// About how many bytes this step takes in a record.
    pub(crate) fn weight(&self) -> usize {
        let variable = match self {
            Self::Provision { user, .. } | Self::Update { user, .. } => {
                user.document.len().saturating_add(user.custody.weight())
            }
            Self::CreateGroup { group } | Self::UpdateGroup { group, .. } => group.document.len(),
            Self::Regroup { added, removed, .. } => {
                added.len().saturating_add(removed.len()).saturating_mul(16)
            }
            Self::Depart { .. } | Self::RemoveGroup { .. } => 0,
        };
        variable.saturating_add(192)
    }
}

/// One act that was answered as if it had taken effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The credential that asked.
    pub credential: [u8; 32],
    /// The delegation that covered it: SHA-256 of its payload.
    pub delegation: [u8; 32],
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Users that it found or named, for the difference that an admin reads.
    pub matched: Vec<ResourceId>,
    /// Secret of the openings that its commitments use once it is carried out.
    pub(crate) secret: OpeningSecret,
    /// What it asks for.
    pub steps: Vec<Step>,
}

impl Intent {
    pub(crate) fn weight(&self) -> usize {
        self.steps
            .iter()
            .map(Step::weight)
            .fold(self.matched.len().saturating_mul(16), usize::saturating_add)
            .saturating_add(128)
    }

    /// The document to which the intent's log entry commits: which resources it is about, in clear, and
    /// a commitment to the rest under the secret of the act that it is to become. It holds nothing of a
    /// person, so that it can stay when somebody is erased.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|step| {
                Value::Object(
                    Object::new()
                        .with("step", step.name())
                        .with("subject", step.subject().text()),
                )
            })
            .collect();
        Object::new()
            .with("credential", hex::encode(self.credential))
            .with("delegation", hex::encode(self.delegation))
            .with("at_ms", self.at_ms)
            .with(
                "matched",
                u64::try_from(self.matched.len()).unwrap_or(u64::MAX),
            )
            .with("steps", steps)
            .with("content", hex::encode(self.content()))
            .to_bytes()
    }

    /// The keyed digest of what the intent asks for.
    fn content(&self) -> [u8; 32] {
        // The encoding of these types cannot fail; an empty one would be no intent.
        let bytes = postcard::to_allocvec(&(&self.matched, &self.steps)).unwrap_or_default();
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        Key::from_bytes(self.secret.0).tag("chancery/intent/content/v1", &digest)
    }

    /// SHA-256 of [`Intent::encode`].
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.encode()).into()
    }
}
