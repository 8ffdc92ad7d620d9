//! The policy's JSON, both ways. Unknown, missing and duplicate members are refused with their place.

use alloc::string::String;
use alloc::string::ToString;
use alloc::vec::Vec;

use chancery_evidence::GuestPolicy;
use chancery_evidence::PlatformInfo;
use chancery_evidence::ProductLine;
use chancery_json::Element;
use chancery_json::Fields;
use chancery_json::Limits;
use chancery_json::Object;
use chancery_json::Value;

use super::AbiVersion;
use super::BitRule;
use super::IdBlockRule;
use super::PolicyError;
use super::Release;
use super::ReleasePolicy;

/// The word for an id that may be any.
const ANY: &str = "any";

/// Bit names of the guest policy.
const GUEST_POLICY_BITS: &[(&str, u64)] = &[
    ("smt", GuestPolicy::SMT),
    ("migrate_ma", GuestPolicy::MIGRATE_MA),
    ("debug", GuestPolicy::DEBUG),
    ("single_socket", GuestPolicy::SINGLE_SOCKET),
    ("cxl_allow", GuestPolicy::CXL_ALLOW),
    ("mem_aes_256_xts", GuestPolicy::MEM_AES_256_XTS),
    ("rapl_dis", GuestPolicy::RAPL_DIS),
    (
        "ciphertext_hiding_dram",
        GuestPolicy::CIPHERTEXT_HIDING_DRAM,
    ),
    ("page_swap_disable", GuestPolicy::PAGE_SWAP_DISABLE),
];

/// Bit names of the platform info.
const PLATFORM_INFO_BITS: &[(&str, u64)] = &[
    ("smt", PlatformInfo::SMT),
    ("tsme", PlatformInfo::TSME),
    ("ecc", PlatformInfo::ECC),
    ("rapl_dis", PlatformInfo::RAPL_DIS),
    (
        "ciphertext_hiding_dram",
        PlatformInfo::CIPHERTEXT_HIDING_DRAM,
    ),
    ("alias_check_complete", PlatformInfo::ALIAS_CHECK_COMPLETE),
    ("iommu_write_safe", PlatformInfo::IOMMU_WRITE_SAFE),
    ("tio", PlatformInfo::TIO),
];

impl ReleasePolicy {
    /// Reads a policy and checks its own rules.
    ///
    /// # Errors
    /// The first rule that is broken, with its place.
    pub fn from_json(text: &[u8]) -> Result<Self, PolicyError> {
        let mut fields = Fields::parse(text, &Limits::DOCUMENT)?;
        let policy = Self {
            version: fields.take_u64("version")?,
            issued_ms: fields.take_u64("issued_ms")?,
            expires_ms: fields.take_u64("expires_ms")?,
            releases: list(&mut fields, "releases", read_release)?,
            host_data: list(&mut fields, "host_data", read_hex)?,
            chip_ids: list(&mut fields, "chip_ids", read_hex)?,
            products: list(&mut fields, "products", read_line)?,
            floors_version_min: fields.take_u64("floors_version_min")?,
            guest_policy: read_bit_rule(&mut fields, "guest_policy", GUEST_POLICY_BITS)?,
            guest_abi_min: read_abi(fields.take_object("guest_abi_min")?)?,
            platform_info: read_bit_rule(&mut fields, "platform_info", PLATFORM_INFO_BITS)?,
            report_version_min: read_u32(fields.take("report_version_min")?)?,
            id_block: read_id_block(fields.take("id_block")?)?,
            dangerous_vmpl_max: read_u32(fields.take("dangerous_vmpl_max")?)?,
            dangerous_guest_policy_allowed: read_bits(
                fields.take("dangerous_guest_policy_allowed")?,
                GUEST_POLICY_BITS,
            )?,
            dangerous_allow_milan: fields.take_bool("dangerous_allow_milan")?,
            dangerous_allow_vlek_of: fields.take_strings("dangerous_allow_vlek_of")?,
            dangerous_allow_any_chip: fields.take_bool("dangerous_allow_any_chip")?,
            dangerous_allow_provisional_firmware: fields
                .take_bool("dangerous_allow_provisional_firmware")?,
            dangerous_allow_unchecked_revocation: fields
                .take_bool("dangerous_allow_unchecked_revocation")?,
            dangerous_allow_unchecked_aliases: fields
                .take_bool("dangerous_allow_unchecked_aliases")?,
        };
        fields.finish()?;
        policy.check()?;
        Ok(policy)
    }

    /// Writes the policy; [`Self::from_json`] reads it back.
    ///
    /// # Errors
    /// A rule of [`Self::check`] is broken.
    pub fn to_json(&self) -> Result<Vec<u8>, PolicyError> {
        self.check()?;
        let releases = self.releases.iter().map(|release| {
            Object::new()
                .with("id", release.id.as_str())
                .with("version", release.version.as_str())
                .with("measurement", hex::encode(release.measurement))
                .into()
        });
        let lines = self.products.iter().map(|line| Value::from(line.word()));
        let lines: Vec<Value> = lines.collect();
        let allowed = bit_names(self.dangerous_guest_policy_allowed, GUEST_POLICY_BITS);
        let provisional = self.dangerous_allow_provisional_firmware;
        let object = Object::new()
            .with("version", self.version)
            .with("issued_ms", self.issued_ms)
            .with("expires_ms", self.expires_ms)
            .with("releases", releases.collect::<Vec<Value>>())
            .with("host_data", hex_list(&self.host_data))
            .with("chip_ids", hex_list(&self.chip_ids))
            .with("products", lines)
            .with("floors_version_min", self.floors_version_min)
            .with(
                "guest_policy",
                write_bit_rule(self.guest_policy, GUEST_POLICY_BITS),
            )
            .with(
                "guest_abi_min",
                Object::new()
                    .with("major", u64::from(self.guest_abi_min.major))
                    .with("minor", u64::from(self.guest_abi_min.minor)),
            )
            .with(
                "platform_info",
                write_bit_rule(self.platform_info, PLATFORM_INFO_BITS),
            )
            .with("report_version_min", u64::from(self.report_version_min))
            .with("id_block", write_id_block(&self.id_block))
            .with("dangerous_vmpl_max", u64::from(self.dangerous_vmpl_max))
            .with("dangerous_guest_policy_allowed", allowed)
            .with("dangerous_allow_milan", self.dangerous_allow_milan)
            .with(
                "dangerous_allow_vlek_of",
                strings(&self.dangerous_allow_vlek_of),
            )
            .with("dangerous_allow_any_chip", self.dangerous_allow_any_chip)
            .with("dangerous_allow_provisional_firmware", provisional)
            .with(
                "dangerous_allow_unchecked_revocation",
                self.dangerous_allow_unchecked_revocation,
            )
            .with(
                "dangerous_allow_unchecked_aliases",
                self.dangerous_allow_unchecked_aliases,
            );
        Ok(object.to_bytes())
    }
}

pub(crate) fn value_error(pointer: &str) -> PolicyError {
    PolicyError::Value {
        pointer: pointer.to_string(),
    }
}

pub(crate) fn list<T>(
    fields: &mut Fields,
    name: &str,
    read: fn(Element) -> Result<T, PolicyError>,
) -> Result<Vec<T>, PolicyError> {
    fields.take_array(name)?.into_iter().map(read).collect()
}

/// Lower-case hexadecimal of exactly `N` bytes.
pub(crate) fn read_hex<const N: usize>(element: Element) -> Result<[u8; N], PolicyError> {
    let error = value_error(element.pointer());
    decode_hex(&element.into_str()?).ok_or(error)
}

fn decode_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let lower_case = text.bytes().all(|byte| !byte.is_ascii_uppercase());
    let decoded = hex::decode_to_slice(text, &mut bytes).is_ok();
    (lower_case && decoded).then_some(bytes)
}

fn read_u32(element: Element) -> Result<u32, PolicyError> {
    let error = value_error(element.pointer());
    u32::try_from(element.into_u64()?).map_err(|_range| error)
}

pub(crate) fn read_u8(element: Element) -> Result<u8, PolicyError> {
    let error = value_error(element.pointer());
    u8::try_from(element.into_u64()?).map_err(|_range| error)
}

fn read_release(element: Element) -> Result<Release, PolicyError> {
    let mut fields = element.into_fields()?;
    let release = Release {
        id: fields.take_str("id")?,
        version: fields.take_str("version")?,
        measurement: read_hex(fields.take("measurement")?)?,
    };
    fields.finish()?;
    Ok(release)
}

pub(crate) fn read_line(element: Element) -> Result<ProductLine, PolicyError> {
    let error = value_error(element.pointer());
    ProductLine::from_word(&element.into_str()?).ok_or(error)
}

fn read_abi(mut fields: Fields) -> Result<AbiVersion, PolicyError> {
    let abi = AbiVersion {
        major: read_u8(fields.take("major")?)?,
        minor: read_u8(fields.take("minor")?)?,
    };
    fields.finish()?;
    Ok(abi)
}

/// Three lists that together name every bit exactly once.
fn read_bit_rule(
    fields: &mut Fields,
    name: &str,
    names: &[(&str, u64)],
) -> Result<BitRule, PolicyError> {
    let pointer = alloc::format!("/{name}");
    let mut object = fields.take_object(name)?;
    let required = read_bits(object.take("required")?, names)?;
    let forbidden = read_bits(object.take("forbidden")?, names)?;
    let either = read_bits(object.take("either")?, names)?;
    object.finish()?;
    let ruled = names.iter().fold(0, |bits, (_, bit)| bits | bit);
    let disjoint = required & forbidden == 0 && (required | forbidden) & either == 0;
    if disjoint && required | forbidden | either == ruled {
        Ok(BitRule {
            required,
            forbidden,
        })
    } else {
        Err(PolicyError::Bits {
            pointer: pointer.clone(),
        })
    }
}

fn read_bits(element: Element, names: &[(&str, u64)]) -> Result<u64, PolicyError> {
    let mut bits = 0;
    for item in element.into_array()? {
        let error = value_error(item.pointer());
        let text = item.into_str()?;
        let bit = names
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, bit)| *bit);
        match bit {
            Some(bit) if bits & bit == 0 => bits |= bit,
            Some(_) | None => return Err(error),
        }
    }
    Ok(bits)
}

fn read_id_block(element: Element) -> Result<IdBlockRule, PolicyError> {
    let mut fields = element.into_fields()?;
    let rule = fields.take("rule")?;
    let error = value_error(rule.pointer());
    let rule = match rule.into_str()?.as_str() {
        "unpinned" => IdBlockRule::Unpinned,
        "pinned" => IdBlockRule::Pinned {
            id_key_digests: list(&mut fields, "id_key_digests", read_hex)?,
            author_key_digests: list(&mut fields, "author_key_digests", read_hex)?,
            guest_svn_min: read_u32(fields.take("guest_svn_min")?)?,
            family_id: read_id(fields.take("family_id")?)?,
            image_id: read_id(fields.take("image_id")?)?,
        },
        _ => return Err(error),
    };
    fields.finish()?;
    Ok(rule)
}

/// `any`, or 16 bytes in hexadecimal.
fn read_id(element: Element) -> Result<Option<[u8; 16]>, PolicyError> {
    let error = value_error(element.pointer());
    let text = element.into_str()?;
    if text == ANY {
        Ok(None)
    } else {
        decode_hex(&text).map(Some).ok_or(error)
    }
}

fn write_id(id: Option<[u8; 16]>) -> String {
    id.map_or_else(|| String::from(ANY), hex::encode)
}

fn hex_list<const N: usize>(list: &[[u8; N]]) -> Vec<Value> {
    list.iter()
        .map(|bytes| Value::from(hex::encode(bytes)))
        .collect()
}

fn strings(list: &[String]) -> Vec<Value> {
    list.iter().map(|text| Value::from(text.as_str())).collect()
}

fn bit_names(bits: u64, names: &[(&str, u64)]) -> Vec<Value> {
    let set = names.iter().filter(|(_, bit)| bits & bit != 0);
    set.map(|(name, _)| Value::from(*name)).collect()
}

fn write_bit_rule(rule: BitRule, names: &[(&str, u64)]) -> Object {
    let either = !(rule.required | rule.forbidden);
    Object::new()
        .with("required", bit_names(rule.required, names))
        .with("forbidden", bit_names(rule.forbidden, names))
        .with("either", bit_names(either, names))
}

fn write_id_block(rule: &IdBlockRule) -> Object {
    match rule {
        IdBlockRule::Unpinned => Object::new().with("rule", "unpinned"),
        IdBlockRule::Pinned {
            id_key_digests,
            author_key_digests,
            guest_svn_min,
            family_id,
            image_id,
        } => Object::new()
            .with("rule", "pinned")
            .with("id_key_digests", hex_list(id_key_digests))
            .with("author_key_digests", hex_list(author_key_digests))
            .with("guest_svn_min", u64::from(*guest_svn_min))
            .with("family_id", write_id(*family_id))
            .with("image_id", write_id(*image_id)),
    }
}
