//! What is settled before launch: the runtime's configuration, once and for all, and the host's.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use base64ct::{Base64, Encoding as _};
use chancery_dsse::PublicKey;
use chancery_json::{Element, Fields, Limits, Object, Value};

use crate::error::DevError;
use crate::files;
use crate::up::layout::WITNESSES;

/// Name of the service; the first part of its log's origin.
pub(crate) const SERVICE: &str = "demo.chancery.example";
/// How many witnesses must cosign: with four, one may be silent and one may lie.
const QUORUM: usize = 3;
/// Most inbound connections of the host.
const CONNECTIONS_MAX: u64 = 4096;

/// Key name of a witness, which is also its name in the policy.
pub(crate) fn witness_name(number: usize) -> String {
    format!("{SERVICE}/witness-{number}")
}

/// What the host calls the way to a witness.
pub(crate) fn witness_egress(number: usize) -> String {
    format!("witness-{number}")
}

/// The root log's origin.
pub(crate) fn log_origin() -> String {
    format!("{SERVICE}/atl/root/v1")
}

/// The policy (C2SP tlog-policy) over the witnesses' keys, the first one first.
pub(crate) fn witness_policy(keys: &[String]) -> String {
    let mut text = String::new();
    let mut names = Vec::new();
    for (number, key) in (1..).zip(keys) {
        let name = witness_name(number);
        text.push_str(&format!("witness {name} {key}\n"));
        names.push(name);
    }
    text.push_str(&format!(
        "group local {QUORUM} {}\nquorum local\n",
        names.join(" ")
    ));
    text
}

/// What the runtime's configuration is made of.
#[derive(Clone, Debug)]
pub(crate) struct Settlement<'a> {
    /// Where the service listens.
    pub(crate) listen: SocketAddr,
    /// The witness policy.
    pub(crate) witness_policy: &'a str,
    /// The key that signs release policies.
    pub(crate) release_key: PublicKey,
    /// The key that signs admissions.
    pub(crate) admission_key: PublicKey,
    /// Whether addresses outside the trusted domains are taken.
    pub(crate) dangerous_any_domain: bool,
    /// The vendor's schemas, each with its resource type.
    pub(crate) schema_extensions: Vec<Value>,
}

impl Settlement<'_> {
    /// The configuration's bytes, whose digest is attested.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut egress = Object::new();
        for number in 1..=WITNESSES {
            egress = egress.with(&witness_name(number), witness_egress(number));
        }
        let key =
            |key: &PublicKey| -> Vec<Value> { vec![Base64::encode_string(&key.to_bytes()).into()] };
        let names: Vec<Value> = host_names(self.listen.ip())
            .into_iter()
            .map(Value::from)
            .collect();
        Object::new()
            .with("version", 2_u64)
            .with("service", SERVICE)
            .with("host_names", names)
            .with("witness_policy", self.witness_policy)
            .with("witness_egress", egress)
            .with("release_keys", key(&self.release_key))
            .with("release_threshold", 1_u64)
            .with("admission_keys", key(&self.admission_key))
            .with("dangerous_any_domain", self.dangerous_any_domain)
            .with("schema_extensions", self.schema_extensions.clone())
            .to_bytes()
    }
}

/// The names and addresses of the certificate.
fn host_names(ip: IpAddr) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    if ip.is_ipv6() {
        names.push("::1".to_owned());
    }
    if !ip.is_loopback() && !ip.is_unspecified() {
        names.push(ip.to_string());
    }
    names
}

/// The address by which clients on this machine reach the service.
pub(crate) fn base(listen: SocketAddr) -> String {
    let ip = listen.ip();
    let port = listen.port();
    match ip {
        ip if ip.is_loopback() || ip.is_unspecified() => format!("https://localhost:{port}"),
        IpAddr::V4(ip) => format!("https://{ip}:{port}"),
        IpAddr::V6(ip) => format!("https://[{ip}]:{port}"),
    }
}

/// What an existing configuration says that the command line may contradict.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    /// The witness policy.
    pub(crate) witness_policy: String,
    /// Whether addresses outside the trusted domains are taken.
    pub(crate) dangerous_any_domain: bool,
    /// The names of the certificate.
    pub(crate) host_names: BTreeSet<String>,
    /// The vendor's schemas.
    pub(crate) schema_extensions: Vec<Value>,
}

impl Settled {
    /// Reads a configuration that an earlier `up` made.
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, DevError> {
        let read = || -> Result<Self, chancery_json::Error> {
            let mut fields = Fields::parse(bytes, &Limits::DOCUMENT)?;
            Ok(Self {
                witness_policy: fields.take_str("witness_policy")?,
                dangerous_any_domain: fields.take_bool("dangerous_any_domain")?,
                host_names: fields.take_strings("host_names")?.into_iter().collect(),
                // Version 1 had none.
                schema_extensions: fields
                    .take_optional("schema_extensions")
                    .map(Element::into_array)
                    .transpose()?
                    .unwrap_or_default()
                    .into_iter()
                    .map(Element::into_value)
                    .collect(),
            })
        };
        read().map_err(|error| DevError::Document {
            path: path.to_owned(),
            reason: error.describe(),
        })
    }

    /// What the command line asks for and cannot have, because it was settled the first time.
    pub(crate) fn contradictions(&self, wanted: &Settlement<'_>) -> Vec<&'static str> {
        let (listen, any_domain) = (wanted.listen, wanted.dangerous_any_domain);
        let mut found = Vec::new();
        if self.dangerous_any_domain && !any_domain {
            found.push(
                "this data folder was made with --dangerous-any-domain, which stays in force",
            );
        }
        if any_domain && !self.dangerous_any_domain {
            found
                .push("--dangerous-any-domain has no effect: this data folder was made without it");
        }
        if self.schema_extensions != wanted.schema_extensions {
            found.push("--user-schema and --group-schema: this data folder was made with other schemas, which stay in force");
        }
        let named = |name: &String| self.host_names.contains(name);
        if !host_names(listen.ip()).iter().all(named) {
            found.push(
                "the certificate does not name the --listen address: it was made for another one",
            );
        }
        found
    }
}

/// The host's configuration. `witnesses` are their addresses, the first one first; `issuer` is that of
/// the only identity provider that the host connects to, which is named by its port alone.
pub(crate) fn host_json(
    listen: SocketAddr,
    witnesses: &[SocketAddr],
    issuer: Option<SocketAddr>,
) -> Vec<u8> {
    let mut egress = Object::new();
    for (number, address) in (1..).zip(witnesses) {
        egress = egress.with(&witness_egress(number), address.to_string());
    }
    let mut issuers = Object::new();
    if let Some(address) = issuer {
        let authority = format!("localhost:{}", address.port());
        issuers = issuers.with(&authority, address.to_string());
    }
    Object::new()
        .with("version", 1_u64)
        .with("listen", listen.to_string())
        .with("status_listen", "127.0.0.1:0")
        .with("runtime_ingress", "ingress.sock")
        .with("host_socket", "host.sock")
        .with("store", "store.sqlite3")
        .with("egress", egress)
        .with("issuers", issuers)
        .with(
            "blobs",
            Object::new()
                .with("configuration", "configuration.json")
                .with("release_policy", "release-policy.json")
                .with("tcb_floors", "tcb-floors.json"),
        )
        .with("published_deployment", "deployment.json")
        .with("connections_max", CONNECTIONS_MAX)
        .to_bytes()
}

/// The file of the logs that the witnesses follow.
pub(crate) fn witness_logs(log: Option<(&str, &str)>) -> Vec<u8> {
    let logs: Vec<Value> = log
        .into_iter()
        .map(|(origin, vkey)| {
            Object::new()
                .with("origin", origin)
                .with("vkey", vkey)
                .into()
        })
        .collect();
    Object::new()
        .with("version", 1_u64)
        .with("logs", logs)
        .to_bytes()
}

/// Writes the configuration the first time, and says ever after whether the command line contradicts
/// it.
pub(crate) fn settle(path: &Path, wanted: &Settlement<'_>) -> Result<Vec<&'static str>, DevError> {
    let Some(bytes) = files::read_if_there(path)? else {
        files::write(path, &wanted.to_json(), files::PUBLIC)?;
        return Ok(Vec::new());
    };
    let settled = Settled::parse(path, &bytes)?;
    if settled.witness_policy != wanted.witness_policy {
        return Err(DevError::WitnessKeys);
    }
    Ok(settled.contradictions(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_dsse::SigningKey;
    use chancery_tlog::{CosignerKey, Policy};

    fn keys() -> Vec<String> {
        (1..=4_u8)
            .map(|number| {
                let name = witness_name(usize::from(number));
                let key = CosignerKey::from_seed(&name, &[number; 32]).unwrap();
                key.verifier().to_string()
            })
            .collect()
    }

    fn settlement(policy: &str, any: bool) -> Settlement<'_> {
        Settlement {
            listen: "127.0.0.1:8443".parse().unwrap(),
            witness_policy: policy,
            release_key: SigningKey::from_seed([1; 32]).public_key(),
            admission_key: SigningKey::from_seed([2; 32]).public_key(),
            dangerous_any_domain: any,
            schema_extensions: Vec::new(),
        }
    }

    #[test]
    fn three_of_four_witnesses_are_a_quorum_that_tolerates_one_fault() {
        let policy = Policy::parse(&witness_policy(&keys())).unwrap();
        assert_eq!(policy.names().count(), 4);
        assert_eq!(policy.faults_tolerated(), 1);
    }

    #[test]
    fn the_configuration_is_written_once_and_contradictions_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("configuration.json");
        let policy = witness_policy(&keys());
        assert!(
            settle(&path, &settlement(&policy, false))
                .unwrap()
                .is_empty()
        );
        let made = std::fs::read(&path).unwrap();
        assert!(
            settle(&path, &settlement(&policy, false))
                .unwrap()
                .is_empty()
        );
        let told = settle(&path, &settlement(&policy, true)).unwrap();
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("no effect"));
        let elsewhere = Settlement {
            listen: "192.0.2.1:8443".parse().unwrap(),
            ..settlement(&policy, false)
        };
        assert_eq!(settle(&path, &elsewhere).unwrap().len(), 1);
        assert_eq!(std::fs::read(&path).unwrap(), made);
        let other = settle(&path, &settlement("other", false));
        assert!(matches!(other, Err(DevError::WitnessKeys)));
    }

    #[test]
    fn the_runtime_reads_the_configuration() {
        let policy = witness_policy(&keys());
        let bytes = settlement(&policy, true).to_json();
        let text = String::from_utf8(bytes).unwrap();
        for part in [
            r#""service":"demo.chancery.example","host_names":["localhost","127.0.0.1"]"#,
            r#""demo.chancery.example/witness-4":"witness-4""#,
            r#""release_threshold":1"#,
            r#""dangerous_any_domain":true,"schema_extensions":[]}"#,
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn the_base_is_what_the_certificate_names() {
        let base = |listen: &str| base(listen.parse().unwrap());
        assert_eq!(base("127.0.0.1:8443"), "https://localhost:8443");
        assert_eq!(base("0.0.0.0:1"), "https://localhost:1");
        assert_eq!(base("[::1]:1"), "https://localhost:1");
        assert_eq!(base("192.0.2.1:1"), "https://192.0.2.1:1");
        assert_eq!(base("[2001:db8::1]:1"), "https://[2001:db8::1]:1");
        assert_eq!(
            host_names("2001:db8::1".parse().unwrap()),
            ["localhost", "127.0.0.1", "::1", "2001:db8::1"]
        );
    }

    #[test]
    fn the_host_reaches_the_witnesses_and_the_one_issuer() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let listen = address("127.0.0.1:8443");
        let witnesses = [address("127.0.0.1:1")];
        let bytes = host_json(listen, &witnesses, Some(address("127.0.0.1:20001")));
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(r#""egress":{"witness-1":"127.0.0.1:1"}"#));
        assert!(text.contains(r#""issuers":{"localhost:20001":"127.0.0.1:20001"}"#));
        let text = String::from_utf8(host_json(listen, &[], None)).unwrap();
        assert!(text.contains(r#""issuers":{}"#));
    }

    #[test]
    fn the_logs_file_is_empty_until_there_is_a_log() {
        assert_eq!(witness_logs(None), br#"{"version":1,"logs":[]}"#);
        assert_eq!(
            witness_logs(Some(("o", "o+1+k"))),
            br#"{"version":1,"logs":[{"origin":"o","vkey":"o+1+k"}]}"#
        );
    }
}
