//! What requests need of the world.

use std::ops::Deref;

use chancery_engine::{Act, Answer, Refusal, View};
use chancery_scim::Catalogue;
use chancery_sealing::{EntropyError, Key};

/// Why an act has no outcome that could be told.
#[derive(Debug)]
pub enum ActFailure {
    /// The act was refused; nothing of it took effect.
    Refused(Refusal),
    /// Too much waits, or nothing can be committed now: nothing of it took effect.
    Unavailable,
    /// The tenant's OpenID provider cannot be asked for its keys now: nothing took effect.
    IssuerUnreachable,
    /// It may or may not take effect.
    OutcomeUnknown,
}

impl From<Refusal> for ActFailure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<chancery_scim::Error> for ActFailure {
    fn from(error: chancery_scim::Error) -> Self {
        Self::Refused(error.into())
    }
}

/// The directory of all tenants, and the way to change it.
pub trait Directory {
    /// Lends what readers see. It is a lock: it is held for short moments, never while an act is waited
    /// for.
    fn read(&self) -> impl Deref<Target = View> + '_;

    /// Now, in milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;

    /// A fresh key for one act.
    ///
    /// # Errors
    /// [`EntropyError`].
    fn fresh(&self) -> Result<Key, EntropyError>;

    /// Has an act decided, and waits until its outcome is durable and cosigned. Acts are decided in the
    /// order of these calls, not of the waiting.
    fn act(&self, act: Act) -> impl Future<Output = Result<Answer, ActFailure>> + Send;

    /// The resource types that are offered.
    fn catalogue(&self) -> Catalogue;

    /// A key from which the key of cursors is derived.
    fn cursor_key(&self) -> &Key;

    /// Does work that takes long, where it does not hold up other requests.
    fn at_length<T>(&self, work: impl FnOnce() -> T) -> T;

    /// Notes that key pairs were made for a user who is to be.
    fn note_keyset(&self);
}
