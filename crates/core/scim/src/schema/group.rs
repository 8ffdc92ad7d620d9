//! Group (RFC 7643 section 4.2).

use super::{Attribute, Resource, Schema, urn};

pub(super) static RESOURCE: Resource = Resource {
    name: "Group",
    endpoint: "/Groups",
    description: "Group of users",
    core: &GROUP,
    extensions: &[],
};

static GROUP: Schema = Schema {
    urn: urn::GROUP,
    name: "Group",
    description: "Group of users",
    attributes: &[
        Attribute::text("displayName", "The name of the group.").required(),
        Attribute::values("members", MEMBERS, "The members of the group."),
    ],
};

const MEMBERS: &[Attribute] = &[
    Attribute::text("value", "The id of the member.")
        .exact()
        .immutable(),
    Attribute::reference("$ref", &["User", "Group"], "The URI of the member.").immutable(),
    Attribute::text("type", "The resource type of the member.")
        .canonical(&["User", "Group"])
        .immutable(),
    Attribute::text("display", "The member's name, to be shown.").read_only(),
];
