//! Why `up` or `bench` did not do what was asked, and what a person can do about it.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use chancery_cli::CliError;
use chancery_client::ClientError;

/// Why `up` or `bench` failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum DevError {
    // What was asked for cannot be had.
    /// `--tee qemu`.
    NoImage,
    /// A value on the command line cannot be used.
    Value {
        /// The option.
        option: &'static str,
        /// What it may be.
        allowed: &'static str,
    },
    /// Another `up` uses the data folder.
    Locked {
        /// The folder.
        folder: PathBuf,
        /// The process, if it has written its id yet.
        pid: Option<u32>,
    },
    /// Another process listens where the service is to listen.
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A program that belongs to this one is not beside it.
    ProgramMissing {
        /// Where it should be.
        path: PathBuf,
    },

    // The data folder.
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
    /// A file does not have the form of its kind.
    Document {
        /// The file.
        path: PathBuf,
        /// Which rule it breaks.
        reason: String,
    },
    /// The witnesses' keys are not the ones that the configuration names.
    WitnessKeys,
    /// The runtime serves another deployment than the one that was pinned here.
    OtherDeployment {
        /// The file with the pins.
        path: PathBuf,
    },
    /// The service knows the tenant under another genesis than the one kept here.
    OtherGenesis {
        /// The file with the genesis.
        path: PathBuf,
    },

    // The processes.
    /// A child ended instead of starting.
    ChildFailed {
        /// Which.
        name: String,
        /// How it ended.
        status: String,
        /// The last line of its log.
        last_line: String,
    },
    /// A child did not say in time that it serves.
    ChildSilent {
        /// Which.
        name: String,
    },
    /// A line of a child that is not what it should be.
    ChildLine {
        /// Which.
        name: String,
    },
    /// The runtime refuses to serve.
    Refused {
        /// Stable name of the reason.
        code: String,
        /// The reason in one sentence.
        sentence: String,
    },
    /// The runtime does not serve in time.
    NotServing {
        /// Its state.
        code: String,
    },
    /// The operating system refused a process, a signal handler or a thread.
    System(io::Error),

    // The service.
    /// The attested client.
    Client(Box<ClientError>),
    /// A shared part of the command.
    Cli(Box<CliError>),
    /// The attested API refused.
    ApiRefused {
        /// Which step.
        step: &'static str,
        /// The HTTP status.
        status: u16,
        /// The reason given.
        problem: String,
    },
    /// The attested API answered in an unknown form.
    ApiAnswer {
        /// Which step.
        step: &'static str,
    },
    /// What was to be signed is not valid.
    Authority(chancery_authority::Error),

    // Whoever is to be signed in.
    /// No user has this userName or externalId.
    NoUser {
        /// The name.
        name: String,
    },
    /// The user has no externalId, which the demo's identity provider would have to confirm.
    NoExternalId {
        /// The userName.
        user: String,
    },

    // The load.
    /// The tenant's brake stopped the load.
    Braked {
        /// The reason given.
        problem: String,
    },
    /// The load generator cannot connect, or the connection broke.
    Load(String),
    /// Operations failed.
    OperationsFailed {
        /// How many.
        count: u64,
        /// The first of them.
        first: String,
    },
    /// A primitive failed while it was measured.
    Primitive,
}

impl DevError {
    /// What a person can do about it.
    pub(crate) const fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoImage => "leave out --tee, or pass --tee process",
            Self::Locked { .. } => "stop that process, or pass another folder with --data",
            Self::AddressInUse { .. } => "stop the other process, or pass another --listen",
            Self::ProgramMissing { .. } => {
                "build it: cargo xtask up builds everything that is needed"
            }
            Self::WitnessKeys => {
                "put the witnesses' folders back, or begin anew with another --data"
            }
            Self::OtherDeployment { .. } => {
                "put the newest copy of the store back, or begin anew with another --data"
            }
            Self::Refused { .. } => {
                "the store is as it was found; one of another build or chip needs that build or chip, \
                 one that is altered or old needs its newest copy put back"
            }
            Self::ChildFailed { .. } | Self::ChildSilent { .. } | Self::NotServing { .. } => {
                "look into the folder `logs` of the data folder"
            }
            Self::OtherGenesis { .. } => "put the tenant's admin folder back",
            Self::NoUser { .. } => "create the user over SCIM first, or pass --claim",
            Self::NoExternalId { .. } => {
                "have an admin confirm it: `claim --claim ID` without --login-as says a code, which \
                 `user confirm` takes; or let the identity provider set the externalId"
            }
            Self::Braked { .. } => {
                "let an admin approve so many (`approve --burst`), or sign a delegation with wider limits"
            }
            Self::Value { .. }
            | Self::Listen { .. }
            | Self::FileRead { .. }
            | Self::FileWrite { .. }
            | Self::Document { .. }
            | Self::ChildLine { .. }
            | Self::System(_)
            | Self::Client(_)
            | Self::Cli(_)
            | Self::ApiRefused { .. }
            | Self::ApiAnswer { .. }
            | Self::Authority(_)
            | Self::Load(_)
            | Self::OperationsFailed { .. }
            | Self::Primitive => return None,
        })
    }

    /// The chain of causes below this error, nearest first.
    pub(crate) fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = self.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes
    }
}

impl fmt::Display for DevError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoImage => f.write_str("the virtual machine's image does not exist yet"),
            Self::Value { option, allowed } => write!(f, "{option} must be {allowed}"),
            Self::Locked { folder, pid } => {
                let holder = pid.map_or_else(
                    || "another process".to_owned(),
                    |pid| format!("process {pid}"),
                );
                write!(f, "{holder} holds the data folder {}", folder.display())
            }
            Self::AddressInUse { address } => {
                write!(f, "address in use: another process listens on {address}")
            }
            Self::Listen { address, .. } => write!(f, "cannot listen on {address}"),
            Self::ProgramMissing { path } => write!(f, "{} does not exist", path.display()),
            Self::FileRead { path, .. } => write!(f, "cannot read {}", path.display()),
            Self::FileWrite { path, .. } => write!(f, "cannot write {}", path.display()),
            Self::Document { path, reason } => {
                write!(f, "{} is not valid: {reason}", path.display())
            }
            Self::WitnessKeys => {
                f.write_str("the witnesses have other keys than the configuration names")
            }
            Self::OtherDeployment { path } => write!(
                f,
                "the runtime serves another deployment than the one pinned in {}",
                path.display()
            ),
            Self::OtherGenesis { path } => write!(
                f,
                "the service knows the tenant under another genesis than {}",
                path.display()
            ),
            Self::ChildFailed {
                name,
                status,
                last_line,
            } => write!(f, "{name} ended with {status}: {last_line}"),
            Self::ChildSilent { name } => write!(f, "{name} does not say that it serves"),
            Self::ChildLine { name } => write!(f, "{name} said something that is not understood"),
            Self::Refused { code, sentence } => {
                write!(f, "the runtime refuses to serve: {code}: {sentence}")
            }
            Self::NotServing { code } => write!(f, "the runtime does not serve: {code}"),
            Self::System(_) => f.write_str("the operating system refused"),
            Self::Client(error) => error.fmt(f),
            Self::Cli(error) => error.fmt(f),
            Self::ApiRefused {
                step,
                status,
                problem,
            } => write!(f, "{step} was refused with status {status}: {problem}"),
            Self::ApiAnswer { step } => write!(f, "the answer to {step} has an unknown form"),
            Self::Authority(_) => f.write_str("what was to be signed is not valid"),
            Self::NoUser { name } => write!(f, "no user has the userName or externalId {name:?}"),
            Self::NoExternalId { user } => write!(
                f,
                "{user:?} has no externalId, so that no sign-in can tell whose account it is"
            ),
            Self::Braked { problem } => write!(
                f,
                "the brake of the tenant's delegation stopped the load: {problem}"
            ),
            Self::Load(reason) => f.write_str(reason),
            Self::OperationsFailed { count, first } => {
                write!(f, "{count} operations failed; the first: {first}")
            }
            Self::Primitive => f.write_str("a primitive failed while it was measured"),
        }
    }
}

impl StdError for DevError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Listen { source, .. }
            | Self::FileRead { source, .. }
            | Self::FileWrite { source, .. }
            | Self::System(source) => Some(source),
            Self::Client(error) => error.source(),
            Self::Cli(error) => error.source(),
            Self::Authority(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ClientError> for DevError {
    fn from(error: ClientError) -> Self {
        Self::Client(Box::new(error))
    }
}

impl From<CliError> for DevError {
    fn from(error: CliError) -> Self {
        Self::Cli(Box::new(error))
    }
}

impl From<chancery_authority::Error> for DevError {
    fn from(error: chancery_authority::Error) -> Self {
        Self::Authority(error)
    }
}
