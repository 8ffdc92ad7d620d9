//! The statement in its DSSE envelope.

use alloc::vec::Vec;

use chancery_dsse::{Envelope, KeyId, PublicKey, SigningKey};

use crate::error::Error;
use crate::statement::ReleaseStatement;

/// The payload type of an in-toto statement.
pub const STATEMENT_PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A statement that enough release keys signed. Only [`open_release_statement`] makes one.
///
/// ```compile_fail
/// fn forge(statement: chancery_release::ReleaseStatement) -> chancery_release::VerifiedStatement {
///     chancery_release::VerifiedStatement { statement, signers: Vec::new() }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedStatement {
    statement: ReleaseStatement,
    signers: Vec<KeyId>,
}

impl VerifiedStatement {
    /// The statement.
    #[must_use]
    pub const fn statement(&self) -> &ReleaseStatement {
        &self.statement
    }

    /// The distinct given keys that signed it, in the order of their ids.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        &self.signers
    }
}

impl ReleaseStatement {
    /// Signs the statement with each of `keys`, at least one.
    ///
    /// # Errors
    /// A rule of [`ReleaseStatement::check`] is broken, or [`Error::Envelope`].
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<Envelope, Error> {
        let payload = self.to_json()?;
        Ok(Envelope::sign(STATEMENT_PAYLOAD_TYPE, &payload, keys)?)
    }
}

/// Opens an envelope that `threshold` distinct keys of `release_keys` must have signed. Whether the statement is in
/// force and follows the one before is for [`ReleaseStatement::is_in_force`] and [`ReleaseStatement::check_follows`].
///
/// # Errors
/// The envelope, a signature, the threshold or the payload is wrong.
pub fn open_release_statement(
    envelope: &[u8],
    release_keys: &[PublicKey],
    threshold: usize,
) -> Result<VerifiedStatement, Error> {
    let verified =
        Envelope::parse(envelope)?.verify(STATEMENT_PAYLOAD_TYPE, release_keys, threshold)?;
    Ok(VerifiedStatement {
        statement: ReleaseStatement::from_json(verified.payload())?,
        signers: verified.signers().to_vec(),
    })
}
