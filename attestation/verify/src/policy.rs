//! The release policy: what evidence must say. Every field is required and every bit has a rule.

pub(crate) mod json;
#[cfg(test)]
mod tests;

use core::fmt;

use alloc::string::String;
use alloc::vec::Vec;

use chancery_evidence::GuestPolicy;
use chancery_evidence::PlatformInfo;
use chancery_evidence::ProductLine;

/// The most releases in force at once.
pub(crate) const RELEASES_MAX: usize = 64;
/// The most chips of one deployment.
pub(crate) const CHIPS_MAX: usize = 1024;
/// The most configuration digests, ID keys, author keys and provider ids.
pub(crate) const DIGESTS_MAX: usize = 64;
/// The longest release id and version in bytes.
pub(crate) const NAME_SIZE_MAX: usize = 64;

/// Guest policy bits that are forbidden unless `dangerous_guest_policy_allowed` names them.
pub(crate) const GUEST_POLICY_FORBIDDEN_ALWAYS: u64 =
    GuestPolicy::DEBUG | GuestPolicy::MIGRATE_MA | GuestPolicy::CXL_ALLOW;

/// One release: an image that may run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a policy names each member")]
pub struct Release {
    /// Its id, visible ASCII.
    pub id: String,
    /// Its version, visible ASCII.
    pub version: String,
    /// Its launch digest.
    pub measurement: [u8; 48],
}

/// A rule for every bit of a field: required, forbidden, or, where it is in neither, either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a policy names each member")]
pub struct BitRule {
    /// Bits that must be set.
    pub required: u64,
    /// Bits that must be clear.
    pub forbidden: u64,
}

/// A firmware ABI version; it orders as major, minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "a policy names each member")]
pub struct AbiVersion {
    /// Major.
    pub major: u8,
    /// Minor.
    pub minor: u8,
}

/// What the ID block must be. Anyone can sign one, so `GUEST_SVN` means something only under a pinned key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a new rule must break every match")]
pub enum IdBlockRule {
    /// Any or none; nothing is concluded from it.
    Unpinned,
    /// The ID key is listed, or an enabled author key is.
    Pinned {
        /// Digests of ID keys.
        id_key_digests: Vec<[u8; 48]>,
        /// Digests of author keys.
        author_key_digests: Vec<[u8; 48]>,
        /// The floor of `GUEST_SVN`.
        guest_svn_min: u32,
        /// What `FAMILY_ID` must be; none for any.
        family_id: Option<[u8; 16]>,
        /// What `IMAGE_ID` must be; none for any.
        image_id: Option<[u8; 16]>,
    },
}

/// The policy, as the release keys sign it. Its JSON form is in `docs/spec/attestation.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a policy names each member")]
pub struct ReleasePolicy {
    /// Only grows from policy to policy.
    pub version: u64,
    /// In force from this time, milliseconds since the Unix epoch.
    pub issued_ms: u64,
    /// No longer in force at this time, milliseconds since the Unix epoch.
    pub expires_ms: u64,
    /// What may run.
    pub releases: Vec<Release>,
    /// Configuration digests that may be in `HOST_DATA`.
    pub host_data: Vec<[u8; 32]>,
    /// The deployment's chips, as `CHIP_ID` shows them.
    pub chip_ids: Vec<[u8; 64]>,
    /// The product lines allowed.
    pub products: Vec<ProductLine>,
    /// The least version of the firmware floors ([`crate::TcbFloors`]) that evidence must be held against.
    pub floors_version_min: u64,
    /// Bits of the guest policy.
    pub guest_policy: BitRule,
    /// The least firmware ABI that the guest must have asked for.
    pub guest_abi_min: AbiVersion,
    /// Bits of the platform info.
    pub platform_info: BitRule,
    /// The least report version.
    pub report_version_min: u32,
    /// The ID block.
    pub id_block: IdBlockRule,
    /// Above 0: software in the guest below the most privileged level may have asked for the report.
    pub dangerous_vmpl_max: u32,
    /// Bits out of debug, migration agent and CXL that are let through: the host may read or move the guest.
    pub dangerous_guest_policy_allowed: u64,
    /// Milan's attestation keys can be extracted by software.
    pub dangerous_allow_milan: bool,
    /// Providers whose VLEKs are believed, which say nothing about the chip.
    pub dangerous_allow_vlek_of: Vec<String>,
    /// Any chip in the world, leaked keys included.
    pub dangerous_allow_any_chip: bool,
    /// Firmware that may go back to an older version at any time.
    pub dangerous_allow_provisional_firmware: bool,
    /// No revocation list, or one that is not current.
    pub dangerous_allow_unchecked_revocation: bool,
    /// Memory that was not checked for aliases (`BadRAM`).
    pub dangerous_allow_unchecked_aliases: bool,
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyError {
    /// The JSON, with its place.
    Json(chancery_json::Error),
    /// A value breaks its rule; the place is a JSON pointer.
    Value {
        /// Where.
        pointer: String,
    },
    /// It is in force at no time.
    Window,
    /// A list is too long.
    TooMany {
        /// Which, as a JSON pointer.
        pointer: String,
    },
    /// A name is empty, too long, or not visible ASCII.
    Name,
    /// A product line is listed twice, or Milan without its `dangerous_` field.
    Products,
    /// A bit has two rules, an unknown bit has one, or a bit that must be ruled is not.
    Bits {
        /// Where, as a JSON pointer.
        pointer: String,
    },
    /// An ID block rule without a key.
    IdBlock,
    /// Two releases with one measurement: nobody could say which runs.
    Measurement,
    /// A privilege level or report version that does not exist, or floors of any version.
    Level,
    /// A floor's processors are of another line, in no order, or have two floors.
    Processors,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "{error}"),
            Self::Value { .. } => f.write_str("a value breaks its rule"),
            Self::Window => f.write_str("it is in force at no time"),
            Self::TooMany { .. } => f.write_str("a list is too long"),
            Self::Name => f.write_str("a name is empty, too long or not visible ascii"),
            Self::Products => f.write_str("a product line is listed twice or not allowed"),
            Self::Bits { .. } => f.write_str("a bit has no rule or two"),
            Self::IdBlock => f.write_str("an id block rule names no key"),
            Self::Measurement => f.write_str("two releases have one measurement"),
            Self::Level => f.write_str("a level or version does not exist"),
            Self::Processors => {
                f.write_str("a floor's processors are of another line, in no order or have two")
            }
        }
    }
}

impl core::error::Error for PolicyError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        if let Self::Json(error) = self {
            Some(error)
        } else {
            None
        }
    }
}

impl From<chancery_json::Error> for PolicyError {
    fn from(error: chancery_json::Error) -> Self {
        Self::Json(error)
    }
}

impl PolicyError {
    /// The error with its place in the document, for whoever wrote the document.
    #[must_use]
    pub fn describe(&self) -> String {
        let place = match self {
            Self::Json(error) => return error.describe(),
            Self::Value { pointer } | Self::TooMany { pointer } | Self::Bits { pointer } => pointer,
            Self::Window => "/expires_ms",
            Self::Name => "a name",
            Self::Products => "/products",
            Self::IdBlock => "/id_block",
            Self::Measurement => "/releases",
            Self::Level => "/dangerous_vmpl_max, /report_version_min or /floors_version_min",
            Self::Processors => "/floors",
        };
        alloc::format!("{self} at {place}")
    }
}

impl ReleasePolicy {
    /// The strictest policy that genuine hardware can meet, with empty lists: nothing passes until releases,
    /// configuration digests, chips and product lines are filled in.
    #[must_use]
    pub const fn baseline(version: u64, issued_ms: u64, expires_ms: u64) -> Self {
        Self {
            version,
            issued_ms,
            expires_ms,
            releases: Vec::new(),
            host_data: Vec::new(),
            chip_ids: Vec::new(),
            products: Vec::new(),
            floors_version_min: 1,
            guest_policy: BitRule {
                required: 0,
                forbidden: GUEST_POLICY_FORBIDDEN_ALWAYS | GuestPolicy::SMT,
            },
            guest_abi_min: AbiVersion { major: 0, minor: 0 },
            platform_info: BitRule {
                required: PlatformInfo::ALIAS_CHECK_COMPLETE | PlatformInfo::ECC,
                forbidden: PlatformInfo::TIO,
            },
            report_version_min: 3,
            id_block: IdBlockRule::Unpinned,
            dangerous_vmpl_max: 0,
            dangerous_guest_policy_allowed: 0,
            dangerous_allow_milan: false,
            dangerous_allow_vlek_of: Vec::new(),
            dangerous_allow_any_chip: false,
            dangerous_allow_provisional_firmware: false,
            dangerous_allow_unchecked_revocation: false,
            dangerous_allow_unchecked_aliases: false,
        }
    }

    /// Checks the rules that a policy itself must obey.
    ///
    /// # Errors
    /// The first that is broken.
    pub fn check(&self) -> Result<(), PolicyError> {
        if self.issued_ms >= self.expires_ms {
            return Err(PolicyError::Window);
        }
        for (pointer, length, max) in [
            ("/releases", self.releases.len(), RELEASES_MAX),
            ("/host_data", self.host_data.len(), DIGESTS_MAX),
            ("/chip_ids", self.chip_ids.len(), CHIPS_MAX),
            (
                "/dangerous_allow_vlek_of",
                self.dangerous_allow_vlek_of.len(),
                DIGESTS_MAX,
            ),
        ] {
            check_length(pointer, length, max)?;
        }
        let mut names = self
            .releases
            .iter()
            .flat_map(|release| [&release.id, &release.version]);
        if !names.all(|name| is_name(name)) {
            return Err(PolicyError::Name);
        }
        let measurements = self.releases.iter().map(|release| release.measurement);
        let mut seen = Vec::new();
        for measurement in measurements {
            if seen.contains(&measurement) {
                return Err(PolicyError::Measurement);
            }
            seen.push(measurement);
        }
        self.check_products()?;
        self.check_bits()?;
        if self.dangerous_vmpl_max > 3
            || !(2..=5).contains(&self.report_version_min)
            || self.floors_version_min == 0
        {
            return Err(PolicyError::Level);
        }
        self.check_id_block()
    }

    fn check_products(&self) -> Result<(), PolicyError> {
        let mut seen: Vec<ProductLine> = Vec::new();
        for line in &self.products {
            let milan_closed = *line == ProductLine::Milan && !self.dangerous_allow_milan;
            if seen.contains(line) || milan_closed {
                return Err(PolicyError::Products);
            }
            seen.push(*line);
        }
        Ok(())
    }

    fn check_bits(&self) -> Result<(), PolicyError> {
        let BitRule {
            required,
            forbidden,
        } = self.guest_policy;
        let allowed = self.dangerous_guest_policy_allowed;
        let closed = GUEST_POLICY_FORBIDDEN_ALWAYS & !allowed;
        let guest = required & forbidden == 0
            && (required | forbidden) & !GuestPolicy::RULED == 0
            && allowed & !GUEST_POLICY_FORBIDDEN_ALWAYS == 0
            && forbidden & closed == closed;
        let BitRule {
            required,
            forbidden,
        } = self.platform_info;
        let aliases = required & PlatformInfo::ALIAS_CHECK_COMPLETE != 0
            || self.dangerous_allow_unchecked_aliases;
        let platform = required & forbidden == 0
            && (required | forbidden) & !PlatformInfo::RULED == 0
            && aliases;
        let pointer = match (guest, platform) {
            (true, true) => return Ok(()),
            (false, _) => "/guest_policy",
            (true, false) => "/platform_info",
        };
        Err(PolicyError::Bits {
            pointer: String::from(pointer),
        })
    }

    fn check_id_block(&self) -> Result<(), PolicyError> {
        match &self.id_block {
            IdBlockRule::Unpinned => Ok(()),
            IdBlockRule::Pinned {
                id_key_digests,
                author_key_digests,
                ..
            } => {
                let both = id_key_digests.iter().chain(author_key_digests);
                // An all-zero digest is what a guest without an ID block shows.
                let zero = both.clone().any(|digest| *digest == [0; 48]);
                match both.count() {
                    0 => Err(PolicyError::IdBlock),
                    _ if zero => Err(PolicyError::IdBlock),
                    count => check_length("/id_block", count, DIGESTS_MAX),
                }
            }
        }
    }
}

pub(crate) fn check_length(pointer: &str, length: usize, max: usize) -> Result<(), PolicyError> {
    if length <= max {
        Ok(())
    } else {
        Err(PolicyError::TooMany {
            pointer: String::from(pointer),
        })
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    let size = name.len();
    (1..=NAME_SIZE_MAX).contains(&size) && name.bytes().all(|byte| byte.is_ascii_graphic())
}
