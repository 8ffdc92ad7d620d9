//! The host's configuration: strict JSON, every member required, none unknown, none twice.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::destination::{Addresses, Destinations, RawIssuers};

/// Largest configuration file, in bytes.
const CONFIG_SIZE_MAX: u64 = 256 * 1024;

/// The one version of the configuration's format.
const CONFIG_VERSION: u32 = 1;

/// Most connections that may be configured: two open files each.
const CONNECTIONS_MAX: u32 = 100_000;

/// What the host is told. Paths are relative to its current folder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The public TCP address.
    pub listen: SocketAddr,
    /// The address of `/healthz` and `/metrics`.
    pub status_listen: SocketAddr,
    /// The runtime's socket, which takes each inbound connection.
    pub runtime_ingress: PathBuf,
    /// The host's socket, to which the runtime connects.
    pub host_socket: PathBuf,
    /// The store's file.
    pub store: PathBuf,
    /// Outbound destinations.
    pub destinations: Destinations,
    /// Files that the runtime may ask for.
    pub blobs: Blobs,
    /// Where the public deployment document is written.
    pub published_deployment: PathBuf,
    /// Most inbound connections at a time; further ones wait in the kernel's queue.
    pub connections_max: u32,
}

/// Files that the runtime may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Blobs {
    /// The runtime's configuration.
    pub configuration: PathBuf,
    /// The signed release policy.
    pub release_policy: PathBuf,
    /// The signed firmware floors.
    pub tcb_floors: PathBuf,
    /// Certificates and revocation list of the chip, PEM: what an operator put there, and what the runtime gathered last.
    #[serde(default)]
    pub collateral: Option<PathBuf>,
}

/// Why a configuration cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than a configuration may be.
    TooLarge,
    /// Not JSON, or a member is missing, unknown, twice there or of another type.
    Malformed(serde_json::Error),
    /// Another version of the format.
    Version {
        /// The version found.
        found: u32,
    },
    /// A member's value cannot be used.
    Value {
        /// Which member.
        member: &'static str,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, .. } => write!(f, "cannot read {}", path.display()),
            Self::TooLarge => write!(f, "larger than {CONFIG_SIZE_MAX} bytes"),
            Self::Malformed(_) => f.write_str("malformed"),
            Self::Version { found } => write!(f, "version {found}, expected {CONFIG_VERSION}"),
            Self::Value { member } => write!(f, "the value of `{member}` cannot be used"),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::Malformed(source) => Some(source),
            Self::TooLarge | Self::Version { .. } | Self::Value { .. } => None,
        }
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or see [`Config::parse`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable {
            path: path.to_path_buf(),
            source,
        };
        let mut text = Vec::new();
        let limit = CONFIG_SIZE_MAX.saturating_add(1);
        File::open(path)
            .and_then(|file| file.take(limit).read_to_end(&mut text))
            .map_err(unreadable)?;
        Self::parse(&text)
    }

    /// Parses a configuration.
    ///
    /// # Errors
    ///
    /// Anything that is not exactly a configuration of this version.
    pub fn parse(text: &[u8]) -> Result<Self, ConfigError> {
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > CONFIG_SIZE_MAX {
            return Err(ConfigError::TooLarge);
        }
        let raw: RawConfig = serde_json::from_slice(text).map_err(ConfigError::Malformed)?;
        if raw.version != CONFIG_VERSION {
            return Err(ConfigError::Version { found: raw.version });
        }
        if raw.connections_max == 0 || raw.connections_max > CONNECTIONS_MAX {
            return Err(ConfigError::Value {
                member: "connections_max",
            });
        }
        let destinations = Destinations::check(raw.egress, raw.issuers)
            .map_err(|member| ConfigError::Value { member })?;
        Ok(Self {
            listen: address(&raw.listen, "listen")?,
            status_listen: address(&raw.status_listen, "status_listen")?,
            runtime_ingress: raw.runtime_ingress,
            host_socket: raw.host_socket,
            store: raw.store,
            destinations,
            blobs: raw.blobs,
            published_deployment: raw.published_deployment,
            connections_max: raw.connections_max,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    version: u32,
    listen: String,
    status_listen: String,
    runtime_ingress: PathBuf,
    host_socket: PathBuf,
    store: PathBuf,
    egress: Addresses,
    issuers: RawIssuers,
    blobs: Blobs,
    published_deployment: PathBuf,
    connections_max: u32,
}

fn address(text: &str, member: &'static str) -> Result<SocketAddr, ConfigError> {
    text.parse().ok().ok_or(ConfigError::Value { member })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::Issuers;
    use chancery_wire::{Authority, EgressName};

    const GOOD: &str = r#"{"version":1,"listen":"127.0.0.1:8443","status_listen":"[::1]:0",
        "runtime_ingress":"ingress.sock","host_socket":"host.sock","store":"store.sqlite3",
        "egress":{"witness-1":"127.0.0.1:1234","crl":"crl.example:80"},
        "issuers":{"id.example:443":"127.0.0.1:8444"},
        "blobs":{"configuration":"configuration.json","release_policy":"release-policy.json","tcb_floors":"tcb-floors.json"},
        "published_deployment":"deployment.json","connections_max":4096}"#;

    fn changed(from: &str, to: &str) -> Result<Config, ConfigError> {
        assert!(GOOD.contains(from), "{from}");
        Config::parse(GOOD.replacen(from, to, 1).as_bytes())
    }

    #[test]
    fn reads_each_member() {
        let config = Config::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(config.listen, "127.0.0.1:8443".parse().unwrap());
        assert_eq!(config.status_listen.port(), 0);
        let Destinations { egress, issuers } = config.destinations;
        assert_eq!(egress.len(), 2);
        assert_eq!(egress[&EgressName::new("crl").unwrap()], "crl.example:80");
        let Issuers::Only(known) = issuers else {
            panic!("{issuers:?}")
        };
        assert_eq!(
            known[&Authority::new("id.example:443").unwrap()],
            "127.0.0.1:8444"
        );
        assert_eq!(config.blobs.collateral, None);
        let named = r#""release_policy":"release-policy.json","collateral":"collateral.pem""#;
        let with_file = changed(r#""release_policy":"release-policy.json""#, named).unwrap();
        assert_eq!(
            with_file.blobs.collateral,
            Some(PathBuf::from("collateral.pem"))
        );
        assert_eq!(config.connections_max, 4096);
    }

    #[test]
    fn refuses_members_unknown_missing_twice_or_of_another_type() {
        let malformed = |from, to| {
            let result = changed(from, to);
            assert!(
                matches!(result, Err(ConfigError::Malformed(_))),
                "{to}: {result:?}"
            );
        };
        malformed(r#""version":1,"#, r#""version":1,"extra":0,"#);
        malformed(r#""version":1,"#, r#""version":1,"version":1,"#);
        malformed(r#""store":"store.sqlite3","#, "");
        malformed(r#""crl":"#, r#""witness-1":"#);
        malformed(
            r#"{"id.example:443":"#,
            r#"{"id.example:443":"a:1","id.example:443":"#,
        );
        malformed(r#"{"id.example:443":"127.0.0.1:8444"}"#, r#""none""#);
        malformed(r#"{"id.example:443":"127.0.0.1:8444"}"#, "true");
        malformed(r#""issuers":{"id.example:443":"127.0.0.1:8444"},"#, "");
        malformed(r#""configuration":"#, r#""policy":"x","configuration":"#);
        malformed("4096}", "4096} x");
        malformed("4096", "\"4096\"");
        malformed("4096", "-1");
    }

    #[test]
    fn refuses_values_that_cannot_be_used() {
        let refused = |from, to, expected: &str| match changed(from, to) {
            Err(ConfigError::Value { member }) => assert_eq!(member, expected),
            other => panic!("{to}: {other:?}"),
        };
        refused("127.0.0.1:8443", "localhost", "listen");
        refused("[::1]:0", "::1", "status_listen");
        refused("4096", "0", "connections_max");
        refused("4096", "100001", "connections_max");
        refused("witness-1", "Witness 1", "egress");
        refused("127.0.0.1:1234", "127.0.0.1", "egress");
        refused("127.0.0.1:1234", "127.0.0.1:0", "egress");
        refused("127.0.0.1:1234", ":1234", "egress");
        refused("id.example:443", "id.example", "issuers");
        refused("id.example:443", "ID.example:443", "issuers");
        refused("127.0.0.1:8444", "127.0.0.1", "issuers");
    }

    #[test]
    fn bounds_the_number_of_destinations() {
        let of = |member: &str, name: &str, count: usize| {
            let all: Vec<String> = (0..count)
                .map(|number| format!(r#""{}":"a:1""#, name.replace('N', &number.to_string())))
                .collect();
            let mut config: serde_json::Value = serde_json::from_str(GOOD).unwrap();
            config[member] = serde_json::from_str(&format!("{{{}}}", all.join(","))).unwrap();
            Config::parse(config.to_string().as_bytes()).is_ok()
        };
        assert!(of("egress", "nN", 256) && !of("egress", "nN", 257));
        assert!(of("issuers", "nN:1", 256) && !of("issuers", "nN:1", 257));
    }

    #[test]
    fn any_issuer_may_be_allowed() {
        let any = changed(r#"{"id.example:443":"127.0.0.1:8444"}"#, r#""any""#).unwrap();
        assert_eq!(any.destinations.issuers, Issuers::Any);
    }

    #[test]
    fn refuses_another_version_and_a_file_that_is_too_large() {
        let version = changed(r#""version":1"#, r#""version":2"#);
        assert!(matches!(version, Err(ConfigError::Version { found: 2 })));
        let mut large = GOOD.as_bytes().to_vec();
        large.resize(256 * 1024 + 1, b' ');
        assert!(matches!(Config::parse(&large), Err(ConfigError::TooLarge)));
        large.pop();
        assert!(Config::parse(&large).is_ok());
    }

    #[test]
    fn names_the_file_that_cannot_be_read() {
        let error = Config::load(Path::new("absent/host.json")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read absent/host.json");
    }
}
