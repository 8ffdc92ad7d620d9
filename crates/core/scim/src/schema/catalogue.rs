//! The resource types that a service offers: those of RFC 7643, and a vendor's extensions of them.

use super::{COMMON, Named, Resource, ResourceKind, after_urn, group, place, urn, user};

/// A resource type with its schemas.
#[derive(Clone, Copy, Debug)]
pub struct ResourceType {
    kind: ResourceKind,
    definition: &'static Resource,
}

/// All resource types of a service. It is settled once, at start, and copied freely.
#[derive(Clone, Copy, Debug)]
pub struct Catalogue {
    user: &'static Resource,
    group: &'static Resource,
}

impl Catalogue {
    /// The resource types of RFC 7643 alone.
    pub const STANDARD: Self = Self {
        user: &user::RESOURCE,
        group: &group::RESOURCE,
    };

    pub(super) const fn new(user: &'static Resource, group: &'static Resource) -> Self {
        Self { user, group }
    }

    /// The resource type of a kind.
    #[must_use]
    pub const fn of(self, kind: ResourceKind) -> ResourceType {
        let definition = match kind {
            ResourceKind::User => self.user,
            ResourceKind::Group => self.group,
        };
        ResourceType { kind, definition }
    }

    pub(crate) fn all(self) -> impl Iterator<Item = ResourceType> {
        ResourceKind::ALL.into_iter().map(move |kind| self.of(kind))
    }
}

/// The resource type of RFC 7643, without extensions of a vendor.
impl From<ResourceKind> for ResourceType {
    fn from(kind: ResourceKind) -> Self {
        Catalogue::STANDARD.of(kind)
    }
}

impl ResourceKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// The name of the resource type.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => user::RESOURCE.name,
            Self::Group => group::RESOURCE.name,
        }
    }

    /// The path of its collection below the base URI.
    #[must_use]
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::User => user::RESOURCE.endpoint,
            Self::Group => group::RESOURCE.endpoint,
        }
    }
}

impl ResourceType {
    /// Which kind of resource it is.
    #[must_use]
    pub const fn kind(self) -> ResourceKind {
        self.kind
    }

    pub(crate) const fn definition(self) -> &'static Resource {
        self.definition
    }

    /// Resolves `attr`, `attr.sub`, `URN:attr`, `URN:attr.sub` or the URN of an extension.
    /// Attributes of the enterprise extension are found without the URN too, because Entra ID sends
    /// `manager`.
    pub(crate) fn resolve(self, name: &str) -> Option<Named> {
        let definition = self.definition;
        if let Some(rest) = after_urn(name, definition.core.urn) {
            // RFC 7643 section 3.1: the common attributes belong to every core schema.
            return place(None, definition.core.attributes, rest)
                .or_else(|| place(None, &COMMON, rest))
                .map(Named::Attribute);
        }
        for extension in definition.extensions {
            if name.eq_ignore_ascii_case(extension.urn) {
                return Some(Named::Extension(extension));
            }
            if let Some(rest) = after_urn(name, extension.urn) {
                return place(Some(extension), extension.attributes, rest).map(Named::Attribute);
            }
        }
        place(None, definition.core.attributes, name)
            .or_else(|| place(None, &COMMON, name))
            .or_else(|| {
                let mut extensions = definition.extensions.iter();
                let enterprise = extensions.find(|schema| schema.urn == urn::ENTERPRISE_USER)?;
                place(Some(enterprise), enterprise.attributes, name)
            })
            .map(Named::Attribute)
    }
}
