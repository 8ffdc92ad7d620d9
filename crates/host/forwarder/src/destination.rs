//! Where the host connects to for the runtime.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use chancery_wire::{Authority, EgressName};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use tokio::net::{TcpStream, lookup_host};

/// Most outbound destinations, and most issuers.
const DESTINATIONS_MAX: usize = 256;

/// Longest address of an outbound destination, in bytes: a DNS name and a port.
const ADDRESS_SIZE_MAX: usize = 260;

/// What the configuration says of outbound connections; read again on a signal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destinations {
    /// Name to `host:port`.
    pub egress: BTreeMap<EgressName, String>,
    /// Identity providers.
    pub issuers: Issuers,
}

/// The identity providers of tenants that the host connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Issuers {
    /// Every one that has a public address.
    Any,
    /// These alone, each at its `host:port`.
    Only(BTreeMap<Authority, String>),
}

impl Default for Issuers {
    fn default() -> Self {
        Self::Only(BTreeMap::new())
    }
}

/// Where one connection goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// What the operator wrote: believed.
    Configured(String),
    /// What a tenant chose: only to public addresses.
    Public(Authority),
}

impl Destinations {
    /// Where a named destination is.
    pub(crate) fn named(&self, name: &EgressName) -> Option<Target> {
        self.egress.get(name).cloned().map(Target::Configured)
    }

    /// Where an issuer is, if it is allowed.
    pub(crate) fn issuer(&self, authority: &Authority) -> Option<Target> {
        match &self.issuers {
            Issuers::Any => Some(Target::Public(authority.clone())),
            Issuers::Only(known) => known.get(authority).cloned().map(Target::Configured),
        }
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectError {
    /// The configuration does not allow it.
    NotAllowed,
    /// The name has no address, or nobody listens there.
    Failed,
}

impl From<io::Error> for ConnectError {
    fn from(_: io::Error) -> Self {
        Self::Failed
    }
}

impl Target {
    /// Connects.
    ///
    /// # Errors
    ///
    /// `NotAllowed` if a name of a tenant's choice has addresses and none of them is public, otherwise `Failed`.
    pub(crate) async fn connect(&self) -> Result<TcpStream, ConnectError> {
        let authority = match self {
            Self::Configured(address) => return Ok(TcpStream::connect(address).await?),
            Self::Public(authority) => authority,
        };
        let found: Vec<SocketAddr> = lookup_host(authority.as_str()).await?.collect();
        if found.is_empty() {
            return Err(ConnectError::Failed);
        }
        let public: Vec<SocketAddr> = found
            .into_iter()
            .filter(|address| is_public(address.ip()))
            .collect();
        if public.is_empty() {
            return Err(ConnectError::NotAllowed);
        }
        Ok(TcpStream::connect(public.as_slice()).await?)
    }
}

/// Whether an address can be somebody's on the public network, by the registries of RFC 6890.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        // 0.0.0.0/8 this network, 100.64.0.0/10 shared, 192.0.0.0/24 protocols, 198.18.0.0/15 benchmarks,
        // 224.0.0.0/4 multicast, 240.0.0.0/4 reserved and broadcast.
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
        || a >= 224;
    !is_special
}

/// Global unicast is 2000::/3. Inside it, 2001::/23 is for protocols, 2001:db8::/32 and 3fff::/20 for documentation, and 2002::/16
/// carries any IPv4 address.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let is_special =
        (a == 0x2001 && (b < 0x0200 || b == 0x0db8)) || a == 0x2002 || (a == 0x3fff && b < 0x1000);
    (0x2000..0x4000).contains(&a) && !is_special
}

/// An object whose members may not repeat; serde's own maps keep the last one silently.
pub(crate) struct Addresses(BTreeMap<String, String>);

/// `"any"`, or an object of authorities and addresses.
pub(crate) enum RawIssuers {
    Any,
    Only(Addresses),
}

/// Reads distinct names and addresses.
fn members<'de, A: MapAccess<'de>>(mut map: A) -> Result<Addresses, A::Error> {
    let mut members = BTreeMap::new();
    while let Some((name, address)) = map.next_entry::<String, String>()? {
        if members.insert(name, address).is_some() {
            return Err(A::Error::custom("a destination is there twice"));
        }
    }
    Ok(Addresses(members))
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Addresses;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of distinct names and addresses")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Addresses, A::Error> {
                members(map)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl<'de> Deserialize<'de> for RawIssuers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyOrObject;

        impl<'de> Visitor<'de> for AnyOrObject {
            type Value = RawIssuers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"any\", or an object of distinct authorities and addresses")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawIssuers, E> {
                if text == "any" {
                    Ok(RawIssuers::Any)
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawIssuers, A::Error> {
                members(map).map(RawIssuers::Only)
            }
        }

        deserializer.deserialize_any(AnyOrObject)
    }
}

impl Destinations {
    /// Checks what a configuration says. The error is the member's name.
    pub(crate) fn check(egress: Addresses, issuers: RawIssuers) -> Result<Self, &'static str> {
        let egress = checked(egress, |name| EgressName::new(name).ok()).ok_or("egress")?;
        let issuers = match issuers {
            RawIssuers::Any => Issuers::Any,
            RawIssuers::Only(raw) => {
                let known = checked(raw, |name| Authority::new(name).ok());
                Issuers::Only(known.ok_or("issuers")?)
            }
        };
        Ok(Self { egress, issuers })
    }
}

fn checked<K: Ord>(raw: Addresses, key: impl Fn(&str) -> Option<K>) -> Option<BTreeMap<K, String>> {
    if raw.0.len() > DESTINATIONS_MAX {
        return None;
    }
    let mut checked = BTreeMap::new();
    for (name, address) in raw.0 {
        let (host, port) = address.rsplit_once(':')?;
        let port_is_one = port.parse::<u16>().is_ok_and(|port| port != 0);
        if host.is_empty() || !port_is_one || address.len() > ADDRESS_SIZE_MAX {
            return None;
        }
        checked.insert(key(&name)?, address);
    }
    Some(checked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(text: &str) -> Authority {
        Authority::new(text).unwrap()
    }

    #[test]
    fn only_listed_issuers_are_reached_and_only_where_the_list_says() {
        let known = BTreeMap::from([(authority("id.example:443"), "127.0.0.1:1".to_owned())]);
        let mut destinations = Destinations {
            egress: BTreeMap::new(),
            issuers: Issuers::Only(known),
        };
        assert_eq!(
            destinations.issuer(&authority("id.example:443")),
            Some(Target::Configured("127.0.0.1:1".to_owned()))
        );
        for other in ["id.example:444", "x.id.example:443", "127.0.0.1:1"] {
            assert_eq!(destinations.issuer(&authority(other)), None, "{other}");
        }
        destinations.issuers = Issuers::Any;
        let any = authority("other.example:443");
        assert_eq!(destinations.issuer(&any), Some(Target::Public(any)));
        assert_eq!(
            Destinations::default().issuer(&authority("id.example:443")),
            None
        );
    }

    #[tokio::test]
    async fn a_name_of_a_tenants_choice_leads_to_public_addresses_alone() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let refused = Target::Public(authority(&address)).connect().await;
        assert_eq!(refused.unwrap_err(), ConnectError::NotAllowed);
        let configured = Target::Configured(address);
        assert!(configured.connect().await.is_ok());
        drop(listener);
        let failed = configured.connect().await;
        assert_eq!(failed.unwrap_err(), ConnectError::Failed);
    }

    #[test]
    fn knows_which_addresses_are_public() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "100::1",
            "2001::1",
            "2001:1ff:ffff::",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "3fff:fff::",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "126.1.1.1",
            "128.0.0.1",
            "169.253.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.1.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2606:4700::1",
            "3fff:1000::1",
            "3ffe::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}
