//! User and its enterprise extension (RFC 7643 sections 4.1 and 4.3).

use super::{Attribute, Resource, Returned, Schema, urn};

pub(super) static RESOURCE: Resource = Resource {
    name: "User",
    endpoint: "/Users",
    description: "User account",
    core: &USER,
    extensions: &[&ENTERPRISE],
};

static USER: Schema = Schema {
    urn: urn::USER,
    name: "User",
    description: "User account",
    attributes: &[
        Attribute::text(
            "userName",
            "The name by which the person is known, unique in the tenant.",
        )
        .required()
        .identifier()
        .unique(),
        Attribute::complex("name", NAME, "The components of the person's name."),
        Attribute::text("displayName", "The name to be shown."),
        Attribute::text("nickName", "The casual way to address the person."),
        Attribute::reference("profileUrl", &["external"], "A page about the person."),
        Attribute::text("title", "The person's title, such as Vice President."),
        Attribute::text("userType", "The relation between organisation and person."),
        Attribute::text(
            "preferredLanguage",
            "The preferred language, as in Accept-Language.",
        ),
        Attribute::text("locale", "The locale for dates and numbers, such as en-US."),
        Attribute::text(
            "timezone",
            "The time zone, in the form of the IANA database.",
        ),
        Attribute::boolean(
            "active",
            "Whether the account may be used. A user always has it; true if never set.",
        )
        .required(),
        password(),
        Attribute::values("emails", EMAILS, "Email addresses, all in trusted domains."),
        Attribute::values("phoneNumbers", PHONE_NUMBERS, "Phone numbers."),
        Attribute::values("ims", IMS, "Instant messaging addresses."),
        Attribute::values("photos", PHOTOS, "URLs of photos."),
        Attribute::values("addresses", ADDRESSES, "Physical mailing addresses."),
        Attribute::values("groups", GROUPS, "The groups that the person belongs to.").read_only(),
        Attribute::values("entitlements", LABELLED, "Things that the person has."),
        Attribute::values(
            "roles",
            LABELLED,
            "Roles that together say who the person is.",
        ),
        Attribute::values(
            "x509Certificates",
            CERTIFICATES,
            "Certificates of the person.",
        ),
    ],
};

static ENTERPRISE: Schema = Schema {
    urn: urn::ENTERPRISE_USER,
    name: "EnterpriseUser",
    description: "Enterprise user",
    attributes: &[
        Attribute::text(
            "employeeNumber",
            "The number that the organisation gave the person.",
        ),
        Attribute::text("costCenter", "The name of a cost center."),
        Attribute::text("organization", "The name of an organization."),
        Attribute::text("division", "The name of a division."),
        Attribute::text("department", "The name of a department."),
        Attribute::complex("manager", MANAGER, "The person's manager."),
    ],
};

/// Known so that it can be dropped: a password is never stored and never made into a login.
const fn password() -> Attribute {
    let mut password = Attribute::text("password", "Accepted and ignored: nothing is stored.")
        .exact()
        .returned(Returned::Never);
    password.mutability = super::Mutability::WriteOnly;
    password
}

const NAME: &[Attribute] = &[
    Attribute::text("formatted", "The full name, formatted for display."),
    Attribute::text("familyName", "The family name."),
    Attribute::text("givenName", "The given name."),
    Attribute::text("middleName", "The middle names."),
    Attribute::text("honorificPrefix", "The title before the name."),
    Attribute::text("honorificSuffix", "The suffix after the name."),
];

const DISPLAY: Attribute = Attribute::text("display", "A name of the value, to be shown.");
const TYPE: Attribute = Attribute::text("type", "A label of the value's function.");
const PRIMARY: Attribute = Attribute::boolean(
    "primary",
    "Whether the value is the preferred one; true at most once.",
);

const EMAILS: &[Attribute] = &[
    Attribute::text("value", "An email address.").identifier(),
    DISPLAY,
    TYPE.canonical(&["work", "home", "other"]),
    PRIMARY,
];

const PHONE_NUMBERS: &[Attribute] = &[
    Attribute::text("value", "A phone number."),
    DISPLAY,
    TYPE.canonical(&["work", "home", "mobile", "fax", "pager", "other"]),
    PRIMARY,
];

const IMS: &[Attribute] = &[
    Attribute::text("value", "An instant messaging address."),
    DISPLAY,
    TYPE.canonical(&["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"]),
    PRIMARY,
];

const PHOTOS: &[Attribute] = &[
    Attribute::reference("value", &["external"], "The URL of a photo."),
    DISPLAY,
    TYPE.canonical(&["photo", "thumbnail"]),
    PRIMARY,
];

const ADDRESSES: &[Attribute] = &[
    Attribute::text("formatted", "The full address, formatted for display."),
    Attribute::text("streetAddress", "The street with number, apartment or box."),
    Attribute::text("locality", "The city."),
    Attribute::text("region", "The state or region."),
    Attribute::text("postalCode", "The postal code."),
    Attribute::text("country", "The country, as in ISO 3166-1 alpha-2."),
    TYPE.canonical(&["work", "home", "other"]),
    PRIMARY,
];

const GROUPS: &[Attribute] = &[
    Attribute::text("value", "The id of the group.")
        .exact()
        .read_only(),
    Attribute::reference("$ref", &["Group"], "The URI of the group.").read_only(),
    Attribute::text("display", "The displayName of the group.").read_only(),
    Attribute::text("type", "Whether the membership is direct.")
        .canonical(&["direct"])
        .read_only(),
];

const LABELLED: &[Attribute] = &[
    Attribute::text("value", "The value."),
    DISPLAY,
    TYPE,
    PRIMARY,
];

const CERTIFICATES: &[Attribute] = &[
    Attribute::new(
        "value",
        super::Kind::Binary,
        "A DER certificate, in base64.",
    )
    .exact(),
    DISPLAY,
    TYPE,
    PRIMARY,
];

const MANAGER: &[Attribute] = &[
    Attribute::text("value", "The id of the manager's resource.").exact(),
    Attribute::reference("$ref", &["User"], "The URI of the manager's resource."),
    Attribute::text("displayName", "The manager's displayName.").read_only(),
];
