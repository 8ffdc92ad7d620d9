//! Why an entry does not step.

use core::fmt;

use crate::entry::{EntryType, SubjectKind, SubjectState};

/// The rule that an entry, a state root or a name change breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepError {
    /// The leaf's index is not the log's next one.
    IndexMismatch {
        /// The log's next index.
        expected: u64,
        /// The leaf's index.
        found: u64,
    },
    /// The leaf's time is before the time of the leaf before it.
    TimeDecreased,
    /// The log begins with something else than genesis.
    GenesisMissing,
    /// The actor is zero.
    ActorZero,
    /// The subject is zero.
    SubjectZero,
    /// The handle of a new subject or instance already names something else.
    HandleInUse,
    /// The subject was erased; its handle is never used again.
    SubjectErased,
    /// The type is not for subjects of this kind.
    SubjectKindMismatch {
        /// The entry's type.
        kind: EntryType,
        /// What the subject is.
        found: SubjectKind,
    },
    /// `prev_subject` is not the subject's last entry.
    PreviousMismatch {
        /// Index of the subject's last entry.
        expected: u64,
        /// What the entry says.
        found: u64,
    },
    /// `subject_seq` does not count on by one.
    SequenceMismatch {
        /// The subject's next number.
        expected: u32,
        /// What the entry says.
        found: u32,
    },
    /// The type is not legal in the subject's state.
    IllegalTransition {
        /// The entry's type.
        kind: EntryType,
        /// The subject's state; `None` if there is no such subject.
        from: Option<SubjectState>,
    },
    /// `new_state` is not what the type leads to.
    NewStateMismatch {
        /// Where the type leads.
        expected: SubjectState,
        /// What the entry says.
        found: SubjectState,
    },
    /// The actor is nobody whom the log knows.
    ActorUnknown,
    /// The actor may not do this.
    ActorNotAllowed {
        /// The entry's type.
        kind: EntryType,
    },
    /// The actor is a delegation that is revoked, not yet in force or expired.
    DelegationNotLive,
    /// The actor is a break-glass window that is closed, not yet in force or expired.
    BreakGlassNotOpen,
    /// A break-glass window has expired: only its closing (or a boot) may be logged.
    BreakGlassOverdue,
    /// The tenant is frozen for export.
    TenantFrozen,
    /// The type sets a key and the entry commits to none.
    KeyCommitMissing,
    /// The type sets no key and the entry commits to one.
    KeyCommitForbidden,
    /// The type is about an object and the entry commits to none.
    ObjectCommitMissing,
    /// `object_commit` is not a validity in clear.
    ValidityInvalid,
    /// The validity has ended before it was logged.
    AlreadyExpired,
    /// The entry names no evidence.
    EvidenceMissing,
    /// A counter has reached its end.
    CounterExhausted,
    /// Too many live delegations.
    TooManyDelegations,
    /// Too many open break-glass windows.
    TooManyBreakGlass,
    /// The directory is full.
    DirectoryFull,
    /// A batch without entries.
    EmptyBatch,
    /// The state root's batch number does not count on by one.
    BatchMismatch {
        /// The log's next batch.
        expected: u64,
        /// What the state root says.
        found: u64,
    },
    /// The state root counts other entries than the batch has.
    EntriesMismatch {
        /// Entries in the batch.
        expected: u32,
        /// What the state root says.
        found: u32,
    },
    /// The trusted lower bound of the time went back.
    FloorDecreased,
    /// The state root's time is below its own trusted lower bound.
    FloorAfterTime,
    /// The state root's directory is not the one that the entries make.
    DirRootMismatch,
    /// The state root's name changes are not the ones that were made.
    DirUpdateMismatch,
    /// Names changed in a batch without an entry that may move names.
    NameChangeWithoutEntry,
    /// The name is bound.
    NameTaken,
    /// The name is not bound.
    NameUnbound,
    /// The value of a name is zero, which the list of changes reads as "released".
    NameValueZero,
    /// The label is the directory key of a subject.
    LabelIsSubject,
    /// A list of name changes is not sorted or has a change that changes nothing.
    NameListNotCanonical,
    /// More name changes than a batch may have.
    TooManyNameChanges,
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IndexMismatch { expected, found } => {
                write!(f, "leaf index is {found}, the log's next is {expected}")
            }
            Self::SubjectKindMismatch { kind, found } => {
                write!(
                    f,
                    "entry type {kind:?} is not for a subject of kind {found:?}"
                )
            }
            Self::PreviousMismatch { expected, found } => {
                write!(
                    f,
                    "previous entry of the subject is {expected}, not {found}"
                )
            }
            Self::SequenceMismatch { expected, found } => {
                write!(f, "subject sequence is {found}, the next is {expected}")
            }
            Self::IllegalTransition {
                kind,
                from: Some(from),
            } => {
                write!(f, "entry type {kind:?} is not legal from state {from:?}")
            }
            Self::IllegalTransition { kind, from: None } => {
                write!(f, "entry type {kind:?} is not legal for an unknown subject")
            }
            Self::NewStateMismatch { expected, found } => {
                write!(f, "new state is {found:?}, the entry leads to {expected:?}")
            }
            Self::ActorNotAllowed { kind } => write!(f, "actor may not log entry type {kind:?}"),
            Self::BatchMismatch { expected, found } => {
                write!(f, "batch is {found}, the next is {expected}")
            }
            Self::EntriesMismatch { expected, found } => {
                write!(
                    f,
                    "state root counts {found} entries, the batch has {expected}"
                )
            }
            other => f.write_str(other.plain()),
        }
    }
}

impl StepError {
    /// The sentence of a variant without fields.
    const fn plain(&self) -> &'static str {
        match self {
            Self::TimeDecreased => "time is before that of the leaf before",
            Self::GenesisMissing => "log does not begin with genesis",
            Self::ActorZero => "actor is zero",
            Self::SubjectZero => "subject is zero",
            Self::HandleInUse => "handle already names something else",
            Self::SubjectErased => "subject was erased",
            Self::ActorUnknown => "actor is not known to the log",
            Self::DelegationNotLive => "delegation is not live",
            Self::BreakGlassNotOpen => "break-glass window is not open",
            Self::BreakGlassOverdue => "break-glass window has expired and is not closed",
            Self::TenantFrozen => "tenant is frozen",
            Self::KeyCommitMissing => "entry must commit to a key",
            Self::KeyCommitForbidden => "entry must not commit to a key",
            Self::ObjectCommitMissing => "entry must commit to an object",
            Self::ValidityInvalid => "object is not a validity in clear",
            Self::AlreadyExpired => "validity has already ended",
            Self::EvidenceMissing => "entry names no evidence",
            Self::CounterExhausted => "counter has reached its end",
            Self::TooManyDelegations => "too many live delegations",
            Self::TooManyBreakGlass => "too many open break-glass windows",
            Self::DirectoryFull => "directory is full",
            Self::EmptyBatch => "batch has no entries",
            Self::FloorDecreased => "trusted lower bound of the time went back",
            Self::FloorAfterTime => "time is below its own trusted lower bound",
            Self::DirRootMismatch => "directory root is not the one the entries make",
            Self::DirUpdateMismatch => "name changes are not the ones that were made",
            Self::NameChangeWithoutEntry => "names changed without an entry that may move names",
            Self::NameTaken => "name is bound",
            Self::NameUnbound => "name is not bound",
            Self::NameValueZero => "value of a name is zero",
            Self::LabelIsSubject => "label is the directory key of a subject",
            Self::NameListNotCanonical => "list of name changes is not canonical",
            Self::TooManyNameChanges => "batch has too many name changes",
            Self::IndexMismatch { .. }
            | Self::SubjectKindMismatch { .. }
            | Self::PreviousMismatch { .. }
            | Self::SequenceMismatch { .. }
            | Self::IllegalTransition { .. }
            | Self::NewStateMismatch { .. }
            | Self::ActorNotAllowed { .. }
            | Self::BatchMismatch { .. }
            | Self::EntriesMismatch { .. } => "entry does not step",
        }
    }
}

impl core::error::Error for StepError {}
