//! Why a command did not do what was asked, and what a person can do about it.

use core::error::Error as StdError;
use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

use chancery_client::{ClientError, HeadsError};

use crate::member::MemberError;
use crate::release::ReleaseError;
use chancery_directory::BundleError;

/// Most faults of a table that one message shows: enough to see what is wrong with it.
const FAULTS_SHOWN_MAX: usize = 20;

/// Why a command failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum CliError {
    /// A file cannot be read.
    FileRead {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file cannot be written.
    FileWrite {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file to be written exists already.
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// A private key would be written where a file exists already.
    KeyExists {
        /// The file.
        path: PathBuf,
    },
    /// A file that `--force` does not replace.
    OutputProtected {
        /// The file.
        path: PathBuf,
        /// Why not, in words.
        reason: &'static str,
    },
    /// A file is over its limit.
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        size_max: u64,
    },
    /// A key file that somebody else than its owner can read.
    KeyExposed {
        /// The file.
        path: PathBuf,
    },
    /// A file that is not a private key for signing.
    KeyUnreadable {
        /// The file.
        path: PathBuf,
    },
    /// A document that does not have the form of its kind.
    DocumentInvalid {
        /// The file.
        path: PathBuf,
        /// Which rule it breaks.
        reason: String,
    },
    /// A document that somebody edits by hand has a mistake.
    EditInvalid {
        /// The file.
        path: PathBuf,
        /// The mistake, its place, and what would be right.
        reason: String,
    },
    /// The command line leaves out something that the command needs.
    ContextMissing {
        /// The missing option.
        option: &'static str,
    },
    /// A value on the command line is out of its range.
    ValueInvalid {
        /// The option.
        option: &'static str,
        /// What it may be.
        allowed: &'static str,
    },
    /// The anchor of the appraisal cannot be had.
    AnchorUnavailable {
        /// Why, in words.
        reason: String,
    },
    /// The operating system's random source failed.
    Entropy,
    /// The asynchronous runtime cannot start.
    RuntimeUnavailable(io::Error),
    /// No usable connection, or the connection failed.
    Client(Box<ClientError>),
    /// The service understood and refused.
    Refused {
        /// HTTP status.
        status: u16,
        /// The problem's title and detail (RFC 9457), in the service's words.
        problem: String,
        /// Seconds to wait before another try.
        retry_after_s: Option<u64>,
    },
    /// The service's answer does not have the form that this command knows.
    AnswerUnexpected {
        /// Which part.
        what: &'static str,
    },
    /// The runtime knows the tenant under another genesis than the admin keeps.
    OtherGenesis {
        /// The kept genesis.
        path: PathBuf,
    },
    /// There is nothing that the command could be about.
    Nothing {
        /// What is missing, in words.
        what: &'static str,
    },
    /// The plan is not the one that was reviewed.
    PlanChanged {
        /// The present plan's hash.
        hash: String,
    },
    /// A signed plan makes no progress.
    PlanUnfinished {
        /// Intents that are not carried out.
        remaining: u64,
    },
    /// Lines of a table of people that cannot be taken in.
    TableInvalid {
        /// The file.
        path: PathBuf,
        /// Line, column and reason of each fault.
        faults: Vec<String>,
    },
    /// A proof does not hold.
    ProofInvalid {
        /// The proof's file.
        path: PathBuf,
        /// The step that failed.
        source: Box<BundleError>,
    },
    /// An import stopped; what came before is in.
    ImportBroken {
        /// Members that are in.
        done: u64,
        /// Members of the table.
        of: u64,
        /// Why it stopped.
        source: Box<Self>,
    },
    /// What was to be signed breaks a rule of its own kind.
    Authority(chancery_authority::Error),
    /// An envelope cannot be signed or read.
    Envelope(chancery_dsse::Error),
    /// A member's command failed.
    Member(Box<MemberError>),
    /// A release cannot be measured or signed.
    Release(Box<ReleaseError>),
}

impl CliError {
    /// What a person can do, if there is something.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::FileRead { .. } => "check the path and its permissions",
            Self::FileWrite { .. } => "check the path, its permissions and the free space",
            Self::FileExists { .. } => "choose another file, or pass --force to replace it",
            Self::KeyExists { .. } => "choose another file: a key is never replaced",
            Self::OutputProtected { .. } => {
                "choose another file; --force does not replace this one"
            }
            Self::KeyExposed { .. } => {
                "take the key from the others with chmod 600; if they may have read it, replace it"
            }
            Self::KeyUnreadable { .. } => {
                "pass an admin key as `tenant create` writes it, not the recovery key"
            }
            Self::ContextMissing { option } => match *option {
                "--deployment" => "pass --deployment FILE, or --ready-file FILE",
                "--tenant" => "pass --tenant SLUG, or --ready-file FILE",
                _ => "pass --key FILE, or --ready-file FILE",
            },
            Self::EditInvalid { .. } => "correct the file at that place and repeat",
            Self::DocumentInvalid { .. } => "get the document again from whoever made it",
            Self::AnchorUnavailable { .. } => {
                "point at the folder that `chancery-dev up` made for this deployment"
            }
            Self::Client(error) => return client_advice(error),
            Self::Member(error) => return error.advice(),
            Self::Release(error) => return error.advice(),
            Self::Refused {
                status: 401 | 403, ..
            } => {
                "check that the key is one of this tenant's admin keys and that the act is allowed"
            }
            Self::Refused { status: 404, .. } => {
                "check the tenant's name, and the name or id that you passed"
            }
            Self::Refused { status: 503, .. } => {
                "wait and look: a 503 means that the outcome is not known yet"
            }
            Self::OtherGenesis { .. } => {
                "do not go on: the tenant of this name was made by somebody else's signature"
            }
            Self::PlanChanged { .. } => "run `plan show`, review it again, and pass the new hash",
            Self::PlanUnfinished { .. } => {
                "run `plan show`: it tells how far the plan is and whether it has stopped"
            }
            Self::ProofInvalid { .. } => {
                "do not rely on it: it does not prove what it says under this deployment"
            }
            Self::ImportBroken { .. } => "repeat the same command: who is there already is skipped",
            Self::TableInvalid { .. } => "correct the lines and repeat; nothing was sent",
            Self::AnswerUnexpected { .. } => "use a command of the same version as the service",
            Self::Entropy
            | Self::RuntimeUnavailable(_)
            | Self::FileTooLarge { .. }
            | Self::ValueInvalid { .. }
            | Self::Nothing { .. }
            | Self::Refused { .. }
            | Self::Authority(_)
            | Self::Envelope(_) => return None,
        })
    }

    /// The exit code: 2 if the command line is at fault, otherwise 1.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::ContextMissing { .. } | Self::ValueInvalid { .. } => 2,
            _ => 1,
        }
    }

    /// The chain of causes below this error, nearest first.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = self.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes
    }
}

fn client_advice(error: &ClientError) -> Option<&'static str> {
    Some(match error {
        ClientError::BaseInvalid | ClientError::RootsInvalid(_) => {
            "get the deployment file again from whoever runs the service"
        }
        ClientError::Connect(_) | ClientError::TimedOut { .. } => {
            "check that the service runs and that this address reaches it"
        }
        ClientError::HandshakeBroken(_)
        | ClientError::Closed
        | ClientError::Http(_)
        | ClientError::AttestRefused { .. } => "try again later",
        ClientError::Tls(_) => {
            "do not go on: whoever answered does not hold a certificate of the pinned roots"
        }
        ClientError::Appraisal(_) => {
            "do not go on: run `verify` to see which check failed, and tell whoever runs the service"
        }
        ClientError::Heads(HeadsError::NotForward { .. } | HeadsError::TenantNotForward { .. }) => {
            "do not go on: the service shows another history than before; keep the heads file as \
             evidence"
        }
        ClientError::Heads(_) => "check the file, or pass another with --state",
        _ => return None,
    })
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        Self::Client(Box::new(error))
    }
}

impl From<ReleaseError> for CliError {
    fn from(error: ReleaseError) -> Self {
        Self::Release(Box::new(error))
    }
}

impl From<MemberError> for CliError {
    fn from(error: MemberError) -> Self {
        Self::Member(Box::new(error))
    }
}

impl From<chancery_authority::Error> for CliError {
    fn from(error: chancery_authority::Error) -> Self {
        Self::Authority(error)
    }
}

impl From<chancery_dsse::Error> for CliError {
    fn from(error: chancery_dsse::Error) -> Self {
        Self::Envelope(error)
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileRead { path, .. } => write!(f, "cannot read {}", path.display()),
            Self::FileWrite { path, .. } => write!(f, "cannot write {}", path.display()),
            Self::FileExists { path } => write!(f, "{} exists already", path.display()),
            Self::KeyExists { path } => write!(f, "{} exists already", path.display()),
            Self::OutputProtected { path, reason } => {
                write!(f, "{} is not replaced: {reason}", path.display())
            }
            Self::FileTooLarge { path, size_max } => {
                write!(f, "{} is larger than {size_max} bytes", path.display())
            }
            Self::KeyExposed { path } => {
                write!(f, "{} can be read by others than its owner", path.display())
            }
            Self::KeyUnreadable { path } => {
                write!(f, "{} is not a private key for signing", path.display())
            }
            Self::DocumentInvalid { path, reason } | Self::EditInvalid { path, reason } => {
                write!(f, "{} is not valid: {reason}", path.display())
            }
            Self::ContextMissing { option } => write!(f, "this command needs {option}"),
            Self::ValueInvalid { option, allowed } => write!(f, "{option} must be {allowed}"),
            Self::AnchorUnavailable { reason } => {
                write!(f, "no root of trust for this deployment: {reason}")
            }
            Self::Entropy => f.write_str("the random source failed"),
            Self::RuntimeUnavailable(_) => f.write_str("cannot start"),
            Self::Client(error) => error.fmt(f),
            Self::Member(error) => error.fmt(f),
            Self::Release(error) => error.fmt(f),
            Self::Refused {
                status,
                problem,
                retry_after_s,
            } => {
                write!(f, "the service refused with status {status}: {problem}")?;
                match retry_after_s {
                    Some(seconds) => write!(f, " (try again in {seconds} s)"),
                    None => Ok(()),
                }
            }
            Self::AnswerUnexpected { what } => {
                write!(f, "the service's answer has an unknown form: {what}")
            }
            Self::OtherGenesis { path } => write!(
                f,
                "the service knows this tenant under another genesis than {}",
                path.display()
            ),
            Self::Nothing { what } => f.write_str(what),
            Self::PlanChanged { hash } => write!(
                f,
                "the plan has changed since it was reviewed: its hash is {hash}"
            ),
            Self::PlanUnfinished { remaining } => write!(
                f,
                "the plan is signed, and {remaining} intents are still not carried out"
            ),
            Self::ProofInvalid { path, .. } => {
                write!(f, "the proof in {} does not hold", path.display())
            }
            Self::ImportBroken { done, of, .. } => {
                write!(f, "the import stopped after {done} of {of} members")
            }
            Self::TableInvalid { path, faults } => write_faults(f, path, faults),
            Self::Authority(_) => f.write_str("what was to be signed is not valid"),
            Self::Envelope(_) => f.write_str("the signed envelope is not valid"),
        }
    }
}

/// The first faults of a table, and how many there are besides.
fn write_faults(f: &mut fmt::Formatter<'_>, path: &Path, faults: &[String]) -> fmt::Result {
    write!(f, "{} has faults", path.display())?;
    for (place, fault) in faults.iter().take(FAULTS_SHOWN_MAX).enumerate() {
        write!(f, "{} {fault}", if place == 0 { ":" } else { ";" })?;
    }
    match faults.len().saturating_sub(FAULTS_SHOWN_MAX) {
        0 => Ok(()),
        more => write!(f, "; and {more} more"),
    }
}

impl StdError for CliError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::FileRead { source, .. } | Self::FileWrite { source, .. } => Some(source),
            Self::RuntimeUnavailable(source) => Some(source),
            Self::Client(error) => error.source(),
            Self::Member(error) => error.source(),
            Self::Release(error) => error.source(),
            Self::ProofInvalid { source, .. } => Some(source),
            Self::ImportBroken { source, .. } => Some(source),
            Self::Authority(source) => Some(source),
            Self::Envelope(source) => Some(source),
            _ => None,
        }
    }
}
