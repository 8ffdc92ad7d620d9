//! Identifiers: deployment, tenant, slug, domain.

use alloc::string::{String, ToString as _};
use core::borrow::Borrow;
use core::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Names a deployment: the SHA-256 of its own genesis, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeploymentId([u8; 32]);

/// Names a tenant: the first 16 bytes of the SHA-256 of its genesis payload, written as 32 lower-case
/// hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TenantId([u8; 16]);

impl DeploymentId {
    /// Takes over the 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TenantId {
    /// Takes over the 16 bytes of an id that was stored before.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The id that follows from a genesis payload.
    #[must_use]
    pub fn of_genesis(payload: &[u8]) -> Self {
        let hash: [u8; 32] = Sha256::digest(payload).into();
        let mut id = [0; 16];
        id.iter_mut().zip(hash).for_each(|(to, byte)| *to = byte);
        Self(id)
    }
}

macro_rules! written_in_hex {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0
                    .iter()
                    .try_for_each(|byte| write!(formatter, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({self})", stringify!($name))
            }
        }
    };
}
pub(crate) use written_in_hex;

written_in_hex!(DeploymentId);
written_in_hex!(TenantId);

/// A tenant's name in paths and commands: `[a-z0-9-]{3,40}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TenantSlug(String);

impl TenantSlug {
    /// Reads a slug; nothing is folded or trimmed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let valid = (3..=40).contains(&text.len()) && text.bytes().all(allowed);
        valid.then(|| Self(text.to_string()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantSlug {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A domain in its one form: two or more lower-case A-labels (RFC 5890), no trailing dot.
///
/// Two domains are equal if their texts are. `sub.example.com` is not `example.com`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Domain(String);

impl Domain {
    /// Reads a domain that is already in its one form; nothing is folded, since the caller has to
    /// compare exactly what it stores.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // 253 characters and 63 per label: RFC 1035 section 2.3.4.
        let mut labels = 0_usize;
        let mut last_is_numeric = false;
        for label in text.split('.') {
            if !is_label(label) {
                return None;
            }
            labels = labels.saturating_add(1);
            last_is_numeric = label.bytes().all(|byte| byte.is_ascii_digit());
        }
        // An all-numeric last label is an address (RFC 3696 section 2), not a name.
        let valid = text.len() <= 253 && labels >= 2 && !last_is_numeric;
        valid.then(|| Self(text.to_string()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    // Two hyphens in places 3 and 4 are reserved for A-labels (RFC 5891 section 4.2.3.1).
    let reserved = label.bytes().skip(2).take(2).eq(*b"--");
    (1..=63).contains(&label.len())
        && label.bytes().all(allowed)
        && !label.starts_with('-')
        && !label.ends_with('-')
        && (!reserved || label.starts_with("xn--"))
}

/// Lets a set of domains be asked for a text; both compare byte by byte.
impl Borrow<str> for Domain {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_slugs_of_the_given_form_alone() {
        for good in ["abc", "demo", "a-b-9", "---", &"a".repeat(40)] {
            assert_eq!(TenantSlug::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "ab",
            "Demo",
            "de mo",
            "dé-mo",
            "a_b",
            "a.b",
            "a/b",
            &"a".repeat(41),
        ] {
            assert_eq!(TenantSlug::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn accepts_domains_in_their_one_form_alone() {
        let long = alloc::format!("{}.example", "a".repeat(63));
        for good in [
            "example.com",
            "a.b.c",
            "xn--bcher-kva.example",
            "9.example",
            &long,
        ] {
            assert_eq!(Domain::parse(good).unwrap().as_str(), good);
        }
        let label = alloc::format!("{}.example", "a".repeat(64));
        let whole = alloc::format!("{}example", "a.".repeat(124));
        for bad in [
            "",
            "com",
            ".",
            "example.com.",
            ".example.com",
            "a..b",
            "Example.com",
            "exämple.com",
            "-a.example",
            "a-.example",
            "ab--cd.example",
            "a_b.example",
            "a b.example",
            "1.2.3.4",
            "example.1",
            "@example.com",
            "*.example.com",
            &label,
            &whole,
        ] {
            assert_eq!(Domain::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn tenant_id_is_the_head_of_the_hash() {
        // SHA-256 of the empty string.
        assert_eq!(
            TenantId::of_genesis(b"").to_string(),
            "e3b0c44298fc1c149afbf4c8996fb924"
        );
    }
}
