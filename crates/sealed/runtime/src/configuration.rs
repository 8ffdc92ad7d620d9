//! The runtime's configuration: strict JSON whose digest is attested (I6).

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding as _};
use chancery_dsse::PublicKey;
use chancery_json::{Element, Fields, Limits};
use chancery_scim::{Catalogue, ResourceKind, SchemaFault};
use chancery_tlog::Policy;
use chancery_wire::EgressName;

/// Largest configuration in bytes.
const CONFIGURATION_BYTES_MAX: usize = 256 * 1024;
/// Deepest nesting of a configuration.
const CONFIGURATION_DEPTH_MAX: usize = 12;
/// Most values in a configuration.
const CONFIGURATION_VALUES_MAX: usize = 4096;
/// Most names that the service may be reached by.
const HOST_NAMES_MAX: usize = 16;
/// Most release or admission keys.
const KEYS_MAX: usize = 32;
/// Longest service name in bytes, so that origins stay within their limit.
const SERVICE_BYTES_MAX: usize = 200;

/// What the operator settles before launch. Nothing in it can weaken what clients check, because
/// they check it too.
#[derive(Debug)]
pub struct Configuration {
    /// Name of the service; the first part of its log's origin.
    pub service: String,
    /// DNS names and addresses of the certificate.
    pub host_names: Vec<String>,
    /// The witness policy, as text and parsed.
    pub witness_policy_text: String,
    /// The same, parsed.
    pub witness_policy: Policy,
    /// Egress name of each witness, in the policy's order.
    pub witness_egress: Vec<EgressName>,
    /// Keys that sign release policies.
    pub release_keys: Vec<PublicKey>,
    /// How many of them must.
    pub release_threshold: usize,
    /// Keys that sign admissions of new tenants.
    pub admission_keys: Vec<PublicKey>,
    /// Whether addresses outside the trusted domains are taken. For public conformance suites; every
    /// verifying client sees it in the attested configuration digest.
    pub dangerous_any_domain: bool,
    /// The resource types that are offered: those of RFC 7643 with the vendor's extensions.
    pub catalogue: Catalogue,
    /// Egress name of AMD's key distribution service, if it may be asked for what the host does not have.
    pub kds_egress: Option<EgressName>,
}

/// Why a configuration was refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// It is no strict JSON of the right shape; the text names the member.
    Json(chancery_json::Error),
    /// A member has a value that cannot be used.
    Member(&'static str),
    /// A schema of a vendor's extension cannot be used.
    Schema(SchemaFault),
}

impl std::fmt::Display for ConfigurationError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json(error) => write!(formatter, "the configuration is refused: {error}"),
            Self::Schema(fault) => {
                write!(formatter, "the configuration's schema_extensions: {fault}")
            }
            Self::Member(name) => write!(formatter, "the configuration's {name} cannot be used"),
        }
    }
}

impl std::error::Error for ConfigurationError {}

impl From<chancery_json::Error> for ConfigurationError {
    fn from(error: chancery_json::Error) -> Self {
        Self::Json(error)
    }
}

impl Configuration {
    /// Reads a configuration; every member is required and none else is known. Version 1 has no
    /// `schema_extensions`, and only version 3 has `kds_egress`.
    ///
    /// # Errors
    /// [`ConfigurationError`] names the member.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigurationError> {
        let limits = Limits {
            bytes_max: CONFIGURATION_BYTES_MAX,
            depth_max: CONFIGURATION_DEPTH_MAX,
            values_max: CONFIGURATION_VALUES_MAX,
        };
        let mut fields = Fields::parse(bytes, &limits)?;
        let version = fields.take_u64("version")?;
        if !matches!(version, 1..=3) {
            return Err(ConfigurationError::Member("version"));
        }
        let service = fields.take_str("service")?;
        if !is_service_name(&service) {
            return Err(ConfigurationError::Member("service"));
        }
        let host_names = fields.take_strings("host_names")?;
        if host_names.is_empty() || host_names.len() > HOST_NAMES_MAX {
            return Err(ConfigurationError::Member("host_names"));
        }
        let witness_policy_text = fields.take_str("witness_policy")?;
        let witness_policy = Policy::parse(&witness_policy_text)
            .map_err(|_policy| ConfigurationError::Member("witness_policy"))?;
        let witness_egress = egress(fields.take_object("witness_egress")?, &witness_policy)?;
        let release_keys = keys(&fields.take_strings("release_keys")?, "release_keys")?;
        let release_threshold = usize::try_from(fields.take_u64("release_threshold")?)
            .map_err(|_large| ConfigurationError::Member("release_threshold"))?;
        if release_threshold == 0 || release_threshold > release_keys.len() {
            return Err(ConfigurationError::Member("release_threshold"));
        }
        let admission_keys = keys(&fields.take_strings("admission_keys")?, "admission_keys")?;
        let dangerous_any_domain = fields.take_bool("dangerous_any_domain")?;
        let catalogue = if version == 1 {
            Catalogue::STANDARD
        } else {
            extended(fields.take_array("schema_extensions")?)?
        };
        let kds_egress = if version < 3 {
            None
        } else {
            optional_egress(&fields.take_str("kds_egress")?)?
        };
        fields.finish()?;
        Ok(Self {
            service,
            host_names,
            witness_policy_text,
            witness_policy,
            witness_egress,
            release_keys,
            release_threshold,
            admission_keys,
            dangerous_any_domain,
            catalogue,
            kds_egress,
        })
    }
}

/// An empty text means that there is none.
fn optional_egress(text: &str) -> Result<Option<EgressName>, ConfigurationError> {
    if text.is_empty() {
        return Ok(None);
    }
    EgressName::new(text)
        .map(Some)
        .map_err(|_name| ConfigurationError::Member("kds_egress"))
}

fn extended(extensions: Vec<Element>) -> Result<Catalogue, ConfigurationError> {
    let mut catalogue = Catalogue::STANDARD;
    for extension in extensions {
        let mut fields = extension.into_fields()?;
        let name = fields.take_str("resource_type")?;
        let kind = ResourceKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or(ConfigurationError::Member("schema_extensions"))?;
        let schema = fields.take("schema")?.into_value();
        fields.finish()?;
        catalogue = catalogue
            .with_extension(kind, &schema)
            .map_err(ConfigurationError::Schema)?;
    }
    Ok(catalogue)
}

fn is_service_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= SERVICE_BYTES_MAX
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
}

fn egress(fields: Fields, policy: &Policy) -> Result<Vec<EgressName>, ConfigurationError> {
    let refused = || ConfigurationError::Member("witness_egress");
    let mut names = BTreeMap::new();
    for (witness, element) in fields.take_rest() {
        let name = EgressName::new(&element.into_str()?).map_err(|_name| refused())?;
        names.insert(witness, name);
    }
    let ordered: Option<Vec<EgressName>> = policy.names().map(|name| names.remove(name)).collect();
    match ordered {
        Some(ordered) if names.is_empty() => Ok(ordered),
        Some(_) | None => Err(refused()),
    }
}

fn keys(texts: &[String], member: &'static str) -> Result<Vec<PublicKey>, ConfigurationError> {
    if texts.is_empty() || texts.len() > KEYS_MAX {
        return Err(ConfigurationError::Member(member));
    }
    texts
        .iter()
        .map(|text| {
            let mut bytes = [0_u8; 32];
            let decoded = Base64::decode(text, &mut bytes).is_ok_and(|found| found.len() == 32);
            decoded
                .then(|| PublicKey::from_bytes(&bytes).ok())
                .flatten()
                .ok_or(ConfigurationError::Member(member))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use chancery_dsse::SigningKey;
    use chancery_json::{Object, Value};
    use chancery_tlog::{KeyKind, VerifierKey};

    use super::*;

    /// A configuration of a version, with further members.
    fn text(version: u64, members: &[(&str, &str)]) -> Vec<u8> {
        let key = SigningKey::from_seed([1; 32]).public_key().to_bytes();
        let witness = VerifierKey::new("w.example/1", KeyKind::Cosignature, &key).unwrap();
        let keys = || -> Vec<Value> { vec![Base64::encode_string(&key).into()] };
        let mut object = Object::new()
            .with("version", version)
            .with("service", "chancery")
            .with("host_names", vec![Value::from("scim.example")])
            .with("witness_policy", format!("witness w {witness}\nquorum w\n"))
            .with("witness_egress", Object::new().with("w", "witness-1"))
            .with("release_keys", keys())
            .with("release_threshold", 1_u64)
            .with("admission_keys", keys())
            .with("dangerous_any_domain", false);
        if version > 1 {
            object = object.with("schema_extensions", Vec::<Value>::new());
        }
        for (name, value) in members {
            object = object.with(name, *value);
        }
        object.to_bytes()
    }

    #[test]
    fn only_version_3_may_name_a_way_to_amds_service() {
        let egress = |version, members: &[(&str, &str)]| {
            Configuration::parse(&text(version, members)).map(|read| read.kds_egress)
        };
        for version in [1, 2] {
            assert_eq!(egress(version, &[]).unwrap(), None);
            assert!(egress(version, &[("kds_egress", "amd-kds")]).is_err());
        }
        let named = egress(3, &[("kds_egress", "amd-kds")]).unwrap();
        assert_eq!(named, EgressName::new("amd-kds").ok());
        assert_eq!(egress(3, &[("kds_egress", "")]).unwrap(), None);
        assert!(egress(3, &[]).is_err(), "required");
        let address = egress(3, &[("kds_egress", "kdsintf.amd.com:443")]);
        assert!(matches!(
            address,
            Err(ConfigurationError::Member("kds_egress"))
        ));
        assert!(egress(4, &[("kds_egress", "")]).is_err());
    }
}
