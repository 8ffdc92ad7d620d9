//! Schemas as data (RFC 7643 sections 2, 3 and 8.7): every rule of the engine reads these tables.
//!
//! <https://www.rfc-editor.org/rfc/rfc7643>

mod catalogue;
mod file;
mod group;
pub(crate) mod service;
mod user;

pub use catalogue::{Catalogue, ResourceType};
pub use file::SchemaFault;

/// Schema and message URNs.
pub mod urn {
    /// RFC 7643 section 4.1.
    pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
    /// RFC 7643 section 4.3.
    pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    /// RFC 7643 section 4.2.
    pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
    /// RFC 7643 section 5.
    pub const SERVICE_PROVIDER_CONFIG: &str =
        "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
    /// RFC 7643 section 6.
    pub const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
    /// RFC 7643 section 7.
    pub const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
    /// RFC 7644 section 3.4.2.
    pub const LIST_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
    /// RFC 7644 section 3.5.2.
    pub const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
    /// RFC 7644 section 3.4.3.
    pub const SEARCH_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
    /// RFC 7644 section 3.7.
    pub const BULK_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
    /// RFC 7644 section 3.7.
    pub const BULK_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
    /// RFC 7644 section 3.12.
    pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
}

/// The resource types that an IdP manages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new kind must be handled everywhere"
)]
pub enum ResourceKind {
    /// RFC 7643 section 4.1 with the enterprise extension.
    User,
    /// RFC 7643 section 4.2.
    Group,
}

/// Data types of RFC 7643 section 2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Boolean,
    Integer,
    Decimal,
    DateTime,
    Binary,
    Reference,
    Complex,
}

/// RFC 7643 section 7, "mutability".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutability {
    ReadOnly,
    ReadWrite,
    Immutable,
    WriteOnly,
}

/// RFC 7643 section 7, "returned".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    Always,
    Never,
    Default,
    Request,
}

/// How values are compared, beyond "caseExact".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Byte for byte.
    Exact,
    /// Case folded and normalised.
    Folded,
    /// Folded as an identifier, domain part included.
    Identifier,
}

/// One attribute (RFC 7643 section 7).
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) kind: Kind,
    pub(crate) many: bool,
    pub(crate) required: bool,
    pub(crate) comparison: Comparison,
    pub(crate) mutability: Mutability,
    pub(crate) returned: Returned,
    pub(crate) unique: bool,
    pub(crate) canonical_values: &'static [&'static str],
    pub(crate) reference_types: &'static [&'static str],
    pub(crate) subs: &'static [Self],
}

/// One schema (RFC 7643 section 7).
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) urn: &'static str,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) attributes: &'static [Attribute],
}

/// One resource type (RFC 7643 section 6).
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) name: &'static str,
    pub(crate) endpoint: &'static str,
    pub(crate) description: &'static str,
    pub(crate) core: &'static Schema,
    pub(crate) extensions: &'static [&'static Schema],
}

/// An attribute found by name, and the schema that holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// `None` for the core schema and the common attributes, whose members stand at the top level.
    pub(crate) extension: Option<&'static Schema>,
    pub(crate) attribute: &'static Attribute,
    pub(crate) sub: Option<&'static Attribute>,
}

/// What an attribute name of RFC 7644 section 3.10 denotes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named {
    Attribute(Place),
    Extension(&'static Schema),
}

impl Attribute {
    const fn new(name: &'static str, kind: Kind, description: &'static str) -> Self {
        Self {
            name,
            description,
            kind,
            many: false,
            required: false,
            comparison: Comparison::Folded,
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            unique: false,
            canonical_values: &[],
            reference_types: &[],
            subs: &[],
        }
    }

    const fn text(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Kind::Text, description)
    }

    const fn boolean(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Kind::Boolean, description)
    }

    const fn reference(
        name: &'static str,
        types: &'static [&'static str],
        description: &'static str,
    ) -> Self {
        let mut made = Self::new(name, Kind::Reference, description).exact();
        made.reference_types = types;
        made
    }

    const fn complex(name: &'static str, subs: &'static [Self], description: &'static str) -> Self {
        let mut made = Self::new(name, Kind::Complex, description);
        made.subs = subs;
        made
    }

    const fn values(name: &'static str, subs: &'static [Self], description: &'static str) -> Self {
        let mut made = Self::complex(name, subs, description);
        made.many = true;
        made
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn exact(mut self) -> Self {
        self.comparison = Comparison::Exact;
        self
    }

    const fn identifier(mut self) -> Self {
        self.comparison = Comparison::Identifier;
        self
    }

    const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    const fn read_only(mut self) -> Self {
        self.mutability = Mutability::ReadOnly;
        self
    }

    const fn immutable(mut self) -> Self {
        self.mutability = Mutability::Immutable;
        self
    }

    const fn returned(mut self, returned: Returned) -> Self {
        self.returned = returned;
        self
    }

    const fn canonical(mut self, values: &'static [&'static str]) -> Self {
        self.canonical_values = values;
        self
    }

    /// The sub-attribute of this name; case does not matter (RFC 7643 section 2.1).
    pub(crate) fn sub(&self, name: &str) -> Option<&'static Self> {
        find(self.subs, name)
    }

    /// The sub-attribute that a bare complex attribute means in a filter.
    pub(crate) fn value_sub(&self) -> Option<&'static Self> {
        self.sub("value")
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }
}

impl Place {
    /// Whether the value is in no answer.
    pub(crate) fn is_never_shown(&self) -> bool {
        let never = |attribute: &Attribute| attribute.returned == Returned::Never;
        never(self.attribute) || self.sub.is_some_and(never)
    }

    /// The attribute that a comparison reads.
    pub(crate) fn innermost(&self) -> &'static Attribute {
        self.sub.unwrap_or(self.attribute)
    }
}

pub(crate) fn place(
    extension: Option<&'static Schema>,
    attributes: &'static [Attribute],
    name: &str,
) -> Option<Place> {
    let Some((name, sub)) = name.split_once('.') else {
        return Some(Place {
            extension,
            attribute: find(attributes, name)?,
            sub: None,
        });
    };
    let attribute = find(attributes, name)?;
    Some(Place {
        extension,
        attribute,
        sub: Some(attribute.sub(sub)?),
    })
}

/// What follows `urn:` and a colon, if `name` starts with this URN in any case.
pub(crate) fn after_urn<'n>(name: &'n str, urn: &str) -> Option<&'n str> {
    let (head, tail) = name.split_at_checked(urn.len())?;
    if head.eq_ignore_ascii_case(urn) {
        tail.strip_prefix(':')
    } else {
        None
    }
}

/// The attribute of this name; case does not matter (RFC 7643 section 2.1).
pub(crate) fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    find_in(attributes, name)
}

/// The same among attributes of any lifetime.
pub(crate) fn find_in<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// The common attributes of RFC 7643 section 3.1, and `schemas`.
pub(crate) static COMMON: [Attribute; 4] = [
    Attribute::reference("schemas", &["uri"], "The schemas of the resource.")
        .read_only()
        .returned(Returned::Always),
    Attribute::text("id", "The identifier that the service gave the resource.")
        .exact()
        .read_only()
        .unique()
        .returned(Returned::Always),
    Attribute::text(
        "externalId",
        "The identifier that the provisioning client gave the resource.",
    )
    .exact(),
    Attribute::complex("meta", META, "Metadata of the resource.").read_only(),
];

const META: &[Attribute] = &[
    Attribute::text("resourceType", "The name of the resource type.")
        .exact()
        .read_only(),
    Attribute::new("created", Kind::DateTime, "When the resource was made.").read_only(),
    Attribute::new("lastModified", Kind::DateTime, "When it was changed last.").read_only(),
    Attribute::reference("location", &["uri"], "Its URI.").read_only(),
    Attribute::text("version", "Its weak entity tag.")
        .exact()
        .read_only(),
];

/// `externalId` stands in every document, before the core attributes.
pub(crate) fn external_id() -> &'static Attribute {
    let [_, _, external_id, _] = &COMMON;
    external_id
}
