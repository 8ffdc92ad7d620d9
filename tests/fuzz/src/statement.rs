//! Node and session statements: one encoding for each value.

use chancery_session::NODE_STATEMENT_SIZE_MAX;
use chancery_session::NodeStatement;
use chancery_session::SessionStatement;

use crate::accepted;

/// What decodes encodes to the same bytes, and no bytes are a statement of both kinds.
pub fn statements(bytes: &[u8]) -> bool {
    let node = accepted(NodeStatement::decode(bytes), |node| {
        assert_eq!(node.encode().as_deref(), Ok(bytes), "another encoding");
        assert!(bytes.len() <= NODE_STATEMENT_SIZE_MAX);
    });
    let session = accepted(SessionStatement::decode(bytes), |session| {
        assert_eq!(session.encode().as_deref(), Ok(bytes), "another encoding");
    });
    assert!(!(node && session), "one text, two meanings");
    node || session
}
