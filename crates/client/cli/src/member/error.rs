//! Why a member's command did not do what was asked.

use core::error::Error as StdError;
use core::fmt;
use std::path::PathBuf;

/// Why a claim, a lookup, a device or a group key was not had.
#[derive(Debug)]
#[non_exhaustive]
pub enum MemberError {
    // The caller's fault.
    /// Nothing says which genesis is the customer's.
    GenesisUnknown,
    /// The home holds no claimed account.
    HomeEmpty {
        /// The home.
        path: PathBuf,
    },
    /// The home belongs to another account, tenant or deployment.
    HomeOfAnother {
        /// The home.
        path: PathBuf,
    },
    /// Another command uses the home.
    HomeBusy {
        /// The home.
        path: PathBuf,
    },
    /// A folder with keys that others than its owner can list or change.
    HomeExposed {
        /// The home.
        path: PathBuf,
    },
    /// A file of the home is not what was written there.
    HomeBroken {
        /// The file.
        path: PathBuf,
    },
    /// There is no folder for the member's keys, and none was named.
    HomeUnknown,
    /// Devices of the account whose keys this home does not know by itself.
    DevicesUnknown {
        /// Name and fingerprint of each.
        devices: Vec<String>,
    },
    /// A request or an introduction that is for something else.
    PaperOfAnother {
        /// What does not agree.
        what: &'static str,
    },

    // The peer's fault: the service.
    /// The tenant's genesis is not the pinned one.
    GenesisDiffers {
        /// The pinned hash.
        pinned: [u8; 32],
        /// The hash of what the service shows.
        shown: [u8; 32],
    },
    /// The service names another identity provider than the genesis.
    ProviderDiffers,
    /// The claim is refused.
    ClaimRefused {
        /// The service's words, which are the same whatever is wrong with the account or the sign-in.
        problem: String,
    },
    /// The proof of a key does not verify.
    ProofRefused {
        /// The check that failed.
        check: &'static str,
        /// What was found.
        reason: String,
    },
    /// The proved key, handle or state is not the one that it must be.
    KeysDiffer {
        /// What differs.
        what: &'static str,
    },
    /// A key that must not be used yet or no longer.
    KeyNotUsable {
        /// The account's state.
        state: &'static str,
    },
    /// The service refuses to hand out what was asked for.
    AccessRefused {
        /// What was asked for.
        what: &'static str,
    },
    /// A wrapped secret does not open, or is another one than it must be.
    WrapRefused {
        /// What was found.
        what: &'static str,
    },

    // The peer's fault: the identity provider.
    /// The identity provider cannot be reached or its answer cannot be used.
    Provider {
        /// Which step.
        step: &'static str,
        /// What happened.
        reason: String,
    },
    /// The identity provider did not let the person in.
    SignInRefused {
        /// The provider's code (RFC 6749 section 4.1.2.1).
        code: String,
    },
    /// What came back does not belong to this sign-in.
    RedirectForeign {
        /// Which member of it.
        what: &'static str,
    },
    /// The ID token was not made for this claim.
    TokenForeign {
        /// Which claim of it.
        what: &'static str,
    },

    // The environment's fault.
    /// The person could not be led to the identity provider.
    SignIn {
        /// What happened.
        reason: String,
    },
    /// Nobody signed in or confirmed in time.
    WaitedTooLong {
        /// How long.
        seconds: u64,
    },
    /// A key could not be made or used.
    Keyset(chancery_keyset::Error),
}

impl MemberError {
    /// What a person can do, if there is something.
    #[must_use]
    pub const fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::GenesisUnknown => {
                "look up the TXT record _chancery.<the domain of your mail address>, and pass what \
                 stands behind `genesis=` with --genesis-hash; the invitation cannot say it"
            }
            Self::GenesisDiffers { .. } => {
                "do not go on: this is another tenant of the same name; ask your admin for the hash"
            }
            Self::HomeEmpty { .. } => "run `claim` first, or pass the right folder with --home",
            Self::HomeOfAnother { .. } => "pass another folder with --home",
            Self::HomeBusy { .. } => "wait until the other command has ended",
            Self::HomeExposed { .. } => {
                "take the folder from the others with chmod 700; if they may have read the keys, \
                 replace them"
            }
            Self::HomeBroken { .. } => "restore the file from a copy, or begin with another --home",
            Self::HomeUnknown => "pass --home DIR",
            Self::DevicesUnknown { .. } => {
                "compare the fingerprint on that device and pass it with --device, or take the device \
                 out with `device revoke`"
            }
            Self::ClaimRefused { .. } => {
                "ask your admin: the account may be unknown, suspended or claimed already, or you \
                 signed in as somebody else"
            }
            Self::ProofRefused { .. } | Self::KeysDiffer { .. } => {
                "do not go on: keep the output as evidence and tell your admin"
            }
            Self::KeyNotUsable { .. } => "encrypt nothing to this person",
            Self::RedirectForeign { .. } | Self::TokenForeign { .. } => {
                "do not go on: somebody mixed another sign-in into this one; begin again"
            }
            Self::ProviderDiffers => {
                "do not go on: sign in nowhere; the service and the customer's genesis disagree"
            }
            Self::WaitedTooLong { .. } => {
                "run the same command again: it goes on with the same keys"
            }
            Self::SignInRefused { .. } | Self::SignIn { .. } | Self::Provider { .. } => {
                "run the same command again; nothing was claimed"
            }
            Self::AccessRefused { .. } => {
                "ask your admin whether you are a member, your account is claimed and active, and this \
                 device is still in"
            }
            Self::PaperOfAnother { .. } | Self::WrapRefused { .. } | Self::Keyset(_) => {
                return None;
            }
        })
    }
}

impl fmt::Display for MemberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GenesisUnknown => f.write_str("nothing says which genesis is your tenant's"),
            Self::HomeEmpty { path } => write!(f, "{} holds no claimed account", path.display()),
            Self::HomeOfAnother { path } => {
                write!(f, "{} belongs to another account", path.display())
            }
            Self::HomeBusy { path } => write!(f, "{} is used by another command", path.display()),
            Self::HomeExposed { path } => {
                write!(f, "{} is open to others than its owner", path.display())
            }
            Self::HomeBroken { path } => write!(f, "{} is damaged", path.display()),
            Self::HomeUnknown => f.write_str("there is no folder for the member's keys"),
            Self::DevicesUnknown { devices } => write!(
                f,
                "only the service says whose these devices are: {}",
                devices.join(", ")
            ),
            Self::PaperOfAnother { what } => write!(f, "the file is for another {what}"),
            Self::GenesisDiffers { pinned, shown } => write!(
                f,
                "the service shows the genesis {} where {} is pinned",
                hex::encode(shown),
                hex::encode(pinned)
            ),
            Self::ProviderDiffers => {
                f.write_str("the service names another identity provider than the genesis")
            }
            Self::ClaimRefused { problem } => write!(f, "the claim is refused: {problem}"),
            Self::ProofRefused { check, reason } => {
                write!(f, "the proof of the key does not hold: {check}: {reason}")
            }
            Self::KeysDiffer { what } => {
                write!(
                    f,
                    "the log proves another {what} than the one that was expected"
                )
            }
            Self::KeyNotUsable { state } => {
                write!(f, "the key must not be used: the account is {state}")
            }
            Self::AccessRefused { what } => write!(f, "the service refuses {what}"),
            Self::WrapRefused { what } => write!(f, "the wrapped key cannot be believed: {what}"),
            Self::Provider { step, reason } => {
                write!(f, "the identity provider failed at {step}: {reason}")
            }
            Self::SignInRefused { code } => {
                write!(f, "the identity provider did not let you in: {code}")
            }
            Self::RedirectForeign { what } => {
                write!(f, "what came back is of another sign-in: {what}")
            }
            Self::TokenForeign { what } => {
                write!(f, "the ID token was not made for this claim: {what}")
            }
            Self::SignIn { reason } => write!(f, "signing in failed: {reason}"),
            Self::WaitedTooLong { seconds } => write!(f, "nothing came within {seconds} s"),
            Self::Keyset(_) => f.write_str("a key could not be made or used"),
        }
    }
}

impl StdError for MemberError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Keyset(source) => Some(source),
            _ => None,
        }
    }
}
