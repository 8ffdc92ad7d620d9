//! Host and port of an issuer that a tenant chose.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::AUTHORITY_SIZE_MAX;
use crate::octets;

/// Longest host, in bytes (RFC 1035 section 2.3.4).
const HOST_SIZE_MAX: usize = 253;

/// Longest label of a host, in bytes.
const LABEL_SIZE_MAX: usize = 63;

/// Host and port, `host:port`: labels of `a-z`, `0-9` and `-`, joined by dots, then a port from 1 to 65535
/// without leading zeros. An IPv4 address has this form; an IPv6 address does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "RawAuthority")]
pub struct Authority(String);

#[derive(Deserialize)]
struct RawAuthority(#[serde(deserialize_with = "octets::name::<_, AUTHORITY_SIZE_MAX>")] String);

/// The text is not a host and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "there is nothing to say beside it"
)]
pub struct InvalidAuthority;

impl fmt::Display for InvalidAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a host name in lower case, a colon and a port")
    }
}

impl core::error::Error for InvalidAuthority {}

impl TryFrom<RawAuthority> for Authority {
    type Error = InvalidAuthority;

    fn try_from(raw: RawAuthority) -> Result<Self, InvalidAuthority> {
        Self::new(&raw.0)
    }
}

impl Authority {
    /// Checks and keeps a host and port.
    ///
    /// # Errors
    ///
    /// [`InvalidAuthority`] for anything else.
    pub fn new(text: &str) -> Result<Self, InvalidAuthority> {
        let (host, port) = text.split_once(':').ok_or(InvalidAuthority)?;
        if is_host(host) && is_port(port) {
            Ok(Self(String::from(text)))
        } else {
            Err(InvalidAuthority)
        }
    }

    /// The text, `host:port`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_host(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_SIZE_MAX
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= HOST_SIZE_MAX && text.split('.').all(is_label)
}

fn is_port(text: &str) -> bool {
    let is_digits = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    is_digits && text.parse::<u16>().is_ok()
}
