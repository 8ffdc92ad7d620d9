//! The bodies of sealed records. Their encoding is postcard behind a version byte (`journal`).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use crate::chronicle::NameMove;
use crate::event::Event;

/// First record of the root stream: the root key, sealed by the secure processor's key. It stands in
/// clear, because nothing can be opened before it; what it says is checked against the processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootAnchor {
    /// Layout version; 1.
    pub version: u8,
    /// Launch measurement of the image that sealed it, 48 bytes.
    pub measurement: Vec<u8>,
    /// SHA-256 of the configuration it was launched with, 32 bytes; the seal covers it.
    pub configuration: Vec<u8>,
    /// Guest SVN that the sealing key was derived with.
    pub guest_svn: u32,
    /// TCB version that the sealing key was derived with.
    pub tcb_version: u64,
    /// The sealed 32-byte root.
    pub sealed_root: Vec<u8>,
}

impl RootAnchor {
    /// The record's bytes.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        postcard::to_allocvec(self).ok()
    }

    /// Reads the record; none if it has another version, shape or trailing bytes.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (anchor, rest) = postcard::take_from_bytes::<Self>(bytes).ok()?;
        (rest.is_empty() && anchor.version == 1).then_some(anchor)
    }
}

/// Purpose of the sealed root key.
pub const ROOT_PURPOSE: &str = "chancery/deployment-root/v1";

/// One record of the root stream: leaves of the root log and what the deployment must remember.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RootRecord {
    /// Encoded leaves that this record appends to the root log.
    pub leaves: Vec<Vec<u8>>,
    /// What else changed.
    pub items: Vec<RootItem>,
    /// Changed leaves of the map of tenant heads: key and value.
    pub map: Vec<([u8; 32], [u8; 32])>,
}

/// Bytes of a private key in a record: zeroized on drop, never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretBytes(Box<[u8]>);

impl SecretBytes {
    /// Takes over the bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Box::from(bytes))
    }

    /// Lends the bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretBytes(redacted)")
    }
}

/// From what the openings of an act's commitments derive: zeroized on drop, never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpeningSecret(pub(crate) [u8; 32]);

impl Drop for OpeningSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for OpeningSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OpeningSecret(redacted)")
    }
}

/// Something that the deployment remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RootItem {
    /// Keys of the TLS certificates: made once.
    Tls {
        /// PKCS#8 of the authority's key.
        authority_key: SecretBytes,
        /// DER of the authority's certificate.
        authority_certificate: Vec<u8>,
        /// PKCS#8 of the leaf's key.
        leaf_key: SecretBytes,
    },
    /// A runtime started in this epoch.
    Boot {
        /// The fencing epoch, from 1.
        epoch: u64,
    },
    /// A tenant was admitted.
    Tenant {
        /// Tenant id.
        id: [u8; 16],
        /// Its slug.
        slug: String,
        /// Its storage key, wrapped under the root.
        wrapped_key: Vec<u8>,
    },
    /// A tenant's stream grew to this length, and its newest head is this.
    TenantHead {
        /// Tenant id.
        id: [u8; 16],
        /// Length of its stream in the store.
        length: u64,
        /// The encoded head.
        head: Vec<u8>,
    },
    /// Nonce of an admission that was used.
    AdmissionUsed {
        /// The nonce.
        nonce: [u8; 32],
        /// When the admission expires and the nonce may be forgotten, in milliseconds.
        expires_ms: u64,
    },
}

/// One record of a tenant's stream: one batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TenantRecord {
    /// The acts in order.
    pub acts: Vec<ActRecord>,
    /// The encoded state root that ends the batch.
    pub state_root: Vec<u8>,
}

/// One act as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ActRecord {
    /// Secret from which the openings of the act's commitments derive.
    pub secret: OpeningSecret,
    /// The private details that the entries commit to.
    pub body: Vec<u8>,
    /// What the act rests on, if it is no credential: a signed act, or a claim's evidence.
    pub evidence: Vec<u8>,
    /// The body of the signed act in the evidence, where it names somebody.
    pub request: Vec<u8>,
    /// The document that the entries commit to, if no event holds it.
    pub document: Vec<u8>,
    /// The encoded log entries.
    pub entries: Vec<Vec<u8>>,
    /// Names that moved.
    pub names: Vec<NameMove>,
    /// What changed.
    pub events: Vec<Event>,
}

impl ActRecord {
    /// About how many bytes this act adds to its batch's record.
    #[must_use]
    pub(crate) fn weight(&self) -> usize {
        let events: usize = self.events.iter().map(Event::weight).sum();
        let entries: usize = self.entries.iter().map(Vec::len).sum();
        events
            .saturating_add(entries)
            .saturating_add(self.names.len().saturating_mul(65))
            .saturating_add(self.body.len())
            .saturating_add(self.evidence.len())
            .saturating_add(self.request.len())
            .saturating_add(self.document.len())
            .saturating_add(64)
    }
}
