//! The hashes and messages that bind statements to processor, key and connection.

use alloc::vec::Vec;

use chancery_verify::Anchor;
use sha2::Digest;
use sha2::Sha256;
use sha2::Sha512;

use crate::frame::StatementError;
use crate::node::NodeStatement;
use crate::statement::SessionStatement;

/// The label of the TLS exporter (RFC 8446 section 7.5).
pub const EXPORTER_LABEL: &str = "EXPORTER-chancery-attest-v1";

/// The exporter's length in bytes.
pub const EXPORTER_SIZE: usize = 32;

/// In front of what the epoch key signs.
const EPOCH_SIGNATURE_PURPOSE: &str = "chancery/epoch-signature/session/v1";

/// The exporter's context: `SHA-256(nonce || SHA-256(NodeStatement))`. Both have a fixed size.
#[must_use]
pub fn exporter_context(nonce: &[u8; 32], node_sha256: &[u8; 32]) -> [u8; 32] {
    Sha256::new()
        .chain_update(nonce)
        .chain_update(node_sha256)
        .finalize()
        .into()
}

/// `REPORT_DATA` of a node: `SHA-512(u8 length || purpose of the anchor || u32 length || statement)`.
///
/// # Errors
/// As [`NodeStatement::encode`].
pub fn report_data_node<A: Anchor>(statement: &NodeStatement) -> Result<[u8; 64], StatementError> {
    let framed = framed(A::REPORT_DATA_NODE, &statement.encode()?)?;
    Ok(Sha512::digest(framed).into())
}

/// `REPORT_DATA` of a session in hardware mode: as of a node, with the session's purpose.
///
/// # Errors
/// As [`SessionStatement::encode`].
pub fn report_data_session<A: Anchor>(
    statement: &SessionStatement,
) -> Result<[u8; 64], StatementError> {
    let framed = framed(A::REPORT_DATA_SESSION, &statement.encode()?)?;
    Ok(Sha512::digest(framed).into())
}

/// What the epoch key signs: `u8 length || purpose || u32 length || statement`. The statement names its mode.
///
/// # Errors
/// As [`SessionStatement::encode`].
pub fn epoch_signature_message(statement: &SessionStatement) -> Result<Vec<u8>, StatementError> {
    framed(EPOCH_SIGNATURE_PURPOSE, &statement.encode()?)
}

fn framed(purpose: &str, statement: &[u8]) -> Result<Vec<u8>, StatementError> {
    let purpose_length = u8::try_from(purpose.len()).map_err(|_range| StatementError::TooLong)?;
    let length = u32::try_from(statement.len()).map_err(|_range| StatementError::TooLong)?;
    let mut out = Vec::new();
    out.push(purpose_length);
    out.extend_from_slice(purpose.as_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(statement);
    Ok(out)
}
