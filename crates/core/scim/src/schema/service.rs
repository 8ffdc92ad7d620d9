//! The schemas of the discovery documents (RFC 7643 sections 5, 6, 7 and 8.7.2).

use super::{Attribute, Kind, Schema, urn};

pub(crate) static SCHEMAS: [Schema; 3] = [
    Schema {
        urn: urn::SERVICE_PROVIDER_CONFIG,
        name: "Service Provider Configuration",
        description: "What the service offers",
        attributes: &[
            Attribute::reference("documentationUri", &["external"], "Help for people.").read_only(),
            Attribute::complex("patch", SUPPORTED, "PATCH.")
                .required()
                .read_only(),
            Attribute::complex("bulk", BULK, "Bulk operations.")
                .required()
                .read_only(),
            Attribute::complex("filter", FILTER, "Filters.")
                .required()
                .read_only(),
            Attribute::complex("changePassword", SUPPORTED, "Changes of passwords.")
                .required()
                .read_only(),
            Attribute::complex("sort", SUPPORTED, "Sorting.")
                .required()
                .read_only(),
            Attribute::complex("etag", SUPPORTED, "Entity tags.")
                .required()
                .read_only(),
            Attribute::complex("pagination", PAGINATION, "Paging (RFC 9865).").read_only(),
            Attribute::values(
                "authenticationSchemes",
                SCHEMES,
                "How clients authenticate.",
            )
            .required()
            .read_only(),
        ],
    },
    Schema {
        urn: urn::RESOURCE_TYPE,
        name: "ResourceType",
        description: "A type of resource",
        attributes: &[
            Attribute::text("id", "The name of the resource type.")
                .exact()
                .read_only(),
            Attribute::text("name", "The name of the resource type.")
                .required()
                .read_only(),
            Attribute::text("description", "What it is.").read_only(),
            Attribute::reference("endpoint", &["uri"], "Its path below the base URI.")
                .required()
                .read_only(),
            Attribute::reference("schema", &["uri"], "Its core schema.")
                .required()
                .read_only(),
            Attribute::values("schemaExtensions", EXTENSIONS, "Its extensions.").read_only(),
        ],
    },
    Schema {
        urn: urn::SCHEMA,
        name: "Schema",
        description: "A schema",
        attributes: &[
            Attribute::text("id", "The URN of the schema.")
                .exact()
                .required()
                .read_only(),
            Attribute::text("name", "Its name.").read_only(),
            Attribute::text("description", "What it describes.").read_only(),
            Attribute::values("attributes", ATTRIBUTES, "Its attributes.")
                .required()
                .read_only(),
        ],
    },
];

const SUPPORTED: &[Attribute] = &[Attribute::boolean("supported", "Whether it is offered.")
    .required()
    .read_only()];

const BULK: &[Attribute] = &[
    Attribute::boolean("supported", "Whether it is offered.")
        .required()
        .read_only(),
    Attribute::new(
        "maxOperations",
        Kind::Integer,
        "The most operations in one request.",
    )
    .required()
    .read_only(),
    Attribute::new(
        "maxPayloadSize",
        Kind::Integer,
        "The longest body, in bytes.",
    )
    .required()
    .read_only(),
];

const FILTER: &[Attribute] = &[
    Attribute::boolean("supported", "Whether it is offered.")
        .required()
        .read_only(),
    Attribute::new("maxResults", Kind::Integer, "The most resources on a page.")
        .required()
        .read_only(),
];

const PAGINATION: &[Attribute] = &[
    Attribute::boolean("cursor", "Whether paging by cursor is offered.")
        .required()
        .read_only(),
    Attribute::boolean("index", "Whether paging by index is offered.")
        .required()
        .read_only(),
    Attribute::text(
        "defaultPaginationMethod",
        "What is used if the client names none.",
    )
    .canonical(&["cursor", "index"])
    .read_only(),
    Attribute::new(
        "defaultPageSize",
        Kind::Integer,
        "The resources on a page if the client names no count.",
    )
    .read_only(),
    Attribute::new(
        "maxPageSize",
        Kind::Integer,
        "The most resources on a page.",
    )
    .read_only(),
    Attribute::new(
        "cursorTimeout",
        Kind::Integer,
        "How long a cursor leads on, in seconds.",
    )
    .read_only(),
];

const SCHEMES: &[Attribute] = &[
    Attribute::text("type", "The kind of scheme.")
        .required()
        .canonical(&[
            "oauth",
            "oauth2",
            "oauthbearertoken",
            "httpbasic",
            "httpdigest",
        ])
        .read_only(),
    Attribute::text("name", "The name of the scheme.")
        .required()
        .read_only(),
    Attribute::text("description", "What it is.")
        .required()
        .read_only(),
    Attribute::reference("specUri", &["external"], "Its specification.").read_only(),
    Attribute::reference("documentationUri", &["external"], "Help for people.").read_only(),
    Attribute::boolean("primary", "Whether it is the preferred one.").read_only(),
];

const EXTENSIONS: &[Attribute] = &[
    Attribute::reference("schema", &["uri"], "The URN of the extension.")
        .required()
        .read_only(),
    Attribute::boolean("required", "Whether resources must have it.")
        .required()
        .read_only(),
];

const ATTRIBUTES: &[Attribute] = &[
    Attribute::text("name", "The name.")
        .exact()
        .required()
        .read_only(),
    Attribute::text("type", "The data type.")
        .exact()
        .required()
        .canonical(&[
            "string",
            "complex",
            "boolean",
            "decimal",
            "integer",
            "dateTime",
            "reference",
            "binary",
        ])
        .read_only(),
    Attribute::boolean("multiValued", "Whether it has many values.")
        .required()
        .read_only(),
    Attribute::text("description", "What it means.").read_only(),
    Attribute::boolean("required", "Whether it must be there.").read_only(),
    many_texts("canonicalValues", "Values that are usual."),
    Attribute::boolean("caseExact", "Whether case matters.").read_only(),
    Attribute::text("mutability", "Who may change it, and when.")
        .exact()
        .canonical(&["readOnly", "readWrite", "immutable", "writeOnly"])
        .read_only(),
    Attribute::text("returned", "When it is shown.")
        .exact()
        .canonical(&["always", "never", "default", "request"])
        .read_only(),
    Attribute::text("uniqueness", "How unique its values are.")
        .exact()
        .canonical(&["none", "server", "global"])
        .read_only(),
    many_texts(
        "referenceTypes",
        "The types of resource that it may point to.",
    ),
    // Sub-attributes have the same characteristics; the RFC lists one level, and so do we.
    Attribute::values("subAttributes", SUB_ATTRIBUTES, "Its sub-attributes.").read_only(),
];

const SUB_ATTRIBUTES: &[Attribute] = &[
    Attribute::text("name", "The name.")
        .exact()
        .required()
        .read_only(),
    Attribute::text("type", "The data type.")
        .exact()
        .required()
        .read_only(),
    Attribute::boolean("multiValued", "Whether it has many values.")
        .required()
        .read_only(),
    Attribute::text("description", "What it means.").read_only(),
    Attribute::boolean("required", "Whether it must be there.").read_only(),
    many_texts("canonicalValues", "Values that are usual."),
    Attribute::boolean("caseExact", "Whether case matters.").read_only(),
    Attribute::text("mutability", "Who may change it, and when.")
        .exact()
        .read_only(),
    Attribute::text("returned", "When it is shown.")
        .exact()
        .read_only(),
    Attribute::text("uniqueness", "How unique its values are.")
        .exact()
        .read_only(),
    many_texts(
        "referenceTypes",
        "The types of resource that it may point to.",
    ),
];

const fn many_texts(name: &'static str, description: &'static str) -> Attribute {
    let mut made = Attribute::text(name, description).exact().read_only();
    made.many = true;
    made
}
