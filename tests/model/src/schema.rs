//! The attributes of RFC 7643, written down a second time: the reference must not read the tables that
//! it is to check.
//!
//! <https://www.rfc-editor.org/rfc/rfc7643#section-8.7.1>

use core::fmt;

/// The schema of users.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The schema of groups.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The extension of users.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// What a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A user.
    User,
    /// A group.
    Group,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A string.
    Text,
    /// True or false.
    Flag,
    /// A point in time.
    Instant,
    /// A URI.
    Link,
    /// Base64.
    Bytes,
    /// An object.
    Complex,
}

/// How values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Character for character.
    Exact,
    /// Without regard to case.
    Folded,
    /// As names of people: without regard to case, and to how a domain is written.
    Name,
}

/// One attribute.
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// How it is compared.
    pub case: Case,
    /// Whether it has many values.
    pub many: bool,
    /// Whether only the service writes it.
    pub read_only: bool,
    /// What a complex value consists of.
    pub subs: &'static [Self],
}

/// An attribute or sub-attribute of a resource.
#[derive(Clone, Copy)]
pub struct Place {
    /// Whether it belongs to the enterprise extension.
    pub extension: bool,
    /// The attribute.
    pub attribute: &'static Attribute,
    /// The sub-attribute.
    pub sub: Option<&'static Attribute>,
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.extension {
            f.write_str("enterprise:")?;
        }
        f.write_str(self.attribute.name)?;
        self.sub.map_or(Ok(()), |sub| write!(f, ".{}", sub.name))
    }
}

impl Place {
    /// The attribute that holds the value.
    #[must_use]
    pub fn innermost(&self) -> &'static Attribute {
        self.sub.unwrap_or(self.attribute)
    }

    /// What a comparison is about: a bare complex attribute means its value.
    #[must_use]
    pub fn compared(&self) -> Self {
        match self.sub {
            None => Self {
                sub: self.attribute.sub("value"),
                ..*self
            },
            Some(_) => *self,
        }
    }
}

impl Attribute {
    const fn text(name: &'static str) -> Self {
        Self {
            name,
            kind: Type::Text,
            case: Case::Folded,
            many: false,
            read_only: false,
            subs: &[],
        }
    }

    const fn of(name: &'static str, kind: Type) -> Self {
        let mut made = Self::text(name);
        made.kind = kind;
        made
    }

    const fn link(name: &'static str) -> Self {
        Self::of(name, Type::Link).exact()
    }

    const fn complex(name: &'static str, subs: &'static [Self]) -> Self {
        let mut made = Self::of(name, Type::Complex);
        made.subs = subs;
        made
    }

    const fn values(name: &'static str, subs: &'static [Self]) -> Self {
        let mut made = Self::complex(name, subs);
        made.many = true;
        made
    }

    const fn exact(mut self) -> Self {
        self.case = Case::Exact;
        self
    }

    const fn name(mut self) -> Self {
        self.case = Case::Name;
        self
    }

    const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// The sub-attribute of exactly this name.
    #[must_use]
    pub fn sub(&self, name: &str) -> Option<&'static Self> {
        self.subs.iter().find(|sub| sub.name == name)
    }

    /// Whether a write of it has an effect.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        !self.read_only && self.name != "password"
    }

    /// Whether it cannot be removed: required ones, and whether an account may be used.
    #[must_use]
    pub fn is_kept(&self, kind: Kind) -> bool {
        match kind {
            Kind::User => matches!(self.name, "userName" | "active"),
            Kind::Group => self.name == "displayName",
        }
    }
}

impl Kind {
    /// Its schema.
    #[must_use]
    pub const fn urn(self) -> &'static str {
        match self {
            Self::User => USER,
            Self::Group => GROUP,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// Its endpoint.
    #[must_use]
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }

    /// The attribute that holds what it is related to: the groups of users, the members of groups.
    #[must_use]
    pub const fn relation(self) -> &'static str {
        match self {
            Self::User => "groups",
            Self::Group => "members",
        }
    }

    /// Its own attributes.
    #[must_use]
    pub const fn attributes(self) -> &'static [Attribute] {
        match self {
            Self::User => USER_ATTRIBUTES,
            Self::Group => GROUP_ATTRIBUTES,
        }
    }

    /// Every attribute at the top level, then those of the extension.
    pub fn places(self) -> impl Iterator<Item = Place> {
        let top = self.attributes().iter().chain(COMMON);
        let extended: &[Attribute] = match self {
            Self::User => ENTERPRISE_ATTRIBUTES,
            Self::Group => &[],
        };
        let place = |extension: bool| {
            move |attribute| Place {
                extension,
                attribute,
                sub: None,
            }
        };
        top.map(place(false))
            .chain(extended.iter().map(place(true)))
    }

    /// The attribute of exactly this name.
    #[must_use]
    pub fn place(self, name: &str) -> Option<Place> {
        self.places().find(|place| place.attribute.name == name)
    }

    /// The sub-attribute of exactly these names.
    #[must_use]
    pub fn sub_place(self, name: &str, sub: &str) -> Option<Place> {
        let place = self.place(name)?;
        let sub = Some(place.attribute.sub(sub)?);
        Some(Place { sub, ..place })
    }
}

/// RFC 7643 section 3.1.
const COMMON: &[Attribute] = &[
    Attribute::link("schemas").read_only(),
    Attribute::text("id").exact().read_only(),
    Attribute::text("externalId").exact(),
    Attribute::complex(
        "meta",
        &[
            Attribute::text("resourceType").exact().read_only(),
            Attribute::of("created", Type::Instant).read_only(),
            Attribute::of("lastModified", Type::Instant).read_only(),
            Attribute::link("location").read_only(),
            Attribute::text("version").exact().read_only(),
        ],
    )
    .read_only(),
];

/// RFC 7643 section 4.1.
const USER_ATTRIBUTES: &[Attribute] = &[
    Attribute::text("userName").name(),
    Attribute::complex(
        "name",
        &[
            Attribute::text("formatted"),
            Attribute::text("familyName"),
            Attribute::text("givenName"),
            Attribute::text("middleName"),
            Attribute::text("honorificPrefix"),
            Attribute::text("honorificSuffix"),
        ],
    ),
    Attribute::text("displayName"),
    Attribute::text("nickName"),
    Attribute::link("profileUrl"),
    Attribute::text("title"),
    Attribute::text("userType"),
    Attribute::text("preferredLanguage"),
    Attribute::text("locale"),
    Attribute::text("timezone"),
    Attribute::of("active", Type::Flag),
    Attribute::text("password").exact(),
    Attribute::values("emails", EMAIL),
    Attribute::values("phoneNumbers", LABELLED),
    Attribute::values("ims", LABELLED),
    Attribute::values("photos", PHOTO),
    Attribute::values("addresses", ADDRESS),
    Attribute::values(
        "groups",
        &[
            Attribute::text("value").exact().read_only(),
            Attribute::link("$ref").read_only(),
            Attribute::text("display").read_only(),
            Attribute::text("type").read_only(),
        ],
    )
    .read_only(),
    Attribute::values("entitlements", LABELLED),
    Attribute::values("roles", LABELLED),
    Attribute::values("x509Certificates", CERTIFICATE),
];

const DISPLAY: Attribute = Attribute::text("display");
const TYPE: Attribute = Attribute::text("type");
const PRIMARY: Attribute = Attribute::of("primary", Type::Flag);
const LABELLED: &[Attribute] = &[Attribute::text("value"), DISPLAY, TYPE, PRIMARY];
const EMAIL: &[Attribute] = &[Attribute::text("value").name(), DISPLAY, TYPE, PRIMARY];
const PHOTO: &[Attribute] = &[Attribute::link("value"), DISPLAY, TYPE, PRIMARY];
const CERTIFICATE: &[Attribute] = &[
    Attribute::of("value", Type::Bytes).exact(),
    DISPLAY,
    TYPE,
    PRIMARY,
];
const ADDRESS: &[Attribute] = &[
    Attribute::text("formatted"),
    Attribute::text("streetAddress"),
    Attribute::text("locality"),
    Attribute::text("region"),
    Attribute::text("postalCode"),
    Attribute::text("country"),
    TYPE,
    PRIMARY,
];

/// RFC 7643 section 4.3.
const ENTERPRISE_ATTRIBUTES: &[Attribute] = &[
    Attribute::text("employeeNumber"),
    Attribute::text("costCenter"),
    Attribute::text("organization"),
    Attribute::text("division"),
    Attribute::text("department"),
    Attribute::complex(
        "manager",
        &[
            Attribute::text("value").exact(),
            Attribute::link("$ref"),
            Attribute::text("displayName").read_only(),
        ],
    ),
];

/// RFC 7643 section 4.2.
const GROUP_ATTRIBUTES: &[Attribute] = &[
    Attribute::text("displayName"),
    Attribute::values(
        "members",
        &[
            Attribute::text("value").exact(),
            Attribute::link("$ref"),
            Attribute::text("type"),
            Attribute::text("display").read_only(),
        ],
    ),
];
