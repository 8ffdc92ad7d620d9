//! What the service says of itself (RFC 7643 sections 5-7, RFC 7644 section 4). Only what is true.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use chancery_json::{Object, Value};

use crate::limits::{
    BODY_BYTES_MAX, BULK_OPERATIONS_MAX, CURSOR_LIFE_S, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX,
};
use crate::render::{Position, render_list};
use crate::schema::{
    Attribute, Catalogue, Comparison, Kind, Mutability, Resource, Returned, Schema, urn,
};

/// `/ServiceProviderConfig` (RFC 7643 section 5, RFC 9865 section 4). `base` is the SCIM base URI without a
/// final `/`.
#[must_use]
pub fn service_provider_config(base: &str) -> Vec<u8> {
    let supported = || Object::new().with("supported", true);
    let bytes_max = u64::try_from(BODY_BYTES_MAX).unwrap_or(u64::MAX);
    let operations_max = u64::try_from(BULK_OPERATIONS_MAX).unwrap_or(u64::MAX);
    let bulk = supported()
        .with("maxOperations", operations_max)
        .with("maxPayloadSize", bytes_max);
    let pagination = Object::new()
        .with("cursor", true)
        .with("index", true)
        .with("defaultPaginationMethod", "index")
        .with("defaultPageSize", PAGE_SIZE_DEFAULT)
        .with("maxPageSize", PAGE_SIZE_MAX)
        .with("cursorTimeout", CURSOR_LIFE_S);
    Object::new()
        .with(
            "schemas",
            alloc::vec![Value::from(urn::SERVICE_PROVIDER_CONFIG)],
        )
        .with("patch", supported())
        .with("bulk", bulk)
        .with("filter", supported().with("maxResults", PAGE_SIZE_MAX))
        .with("changePassword", Object::new().with("supported", false))
        .with("sort", supported())
        .with("etag", supported())
        .with("pagination", pagination)
        .with("authenticationSchemes", authentication_schemes())
        .with(
            "meta",
            meta(base, "ServiceProviderConfig", "/ServiceProviderConfig"),
        )
        .to_bytes()
}

fn authentication_schemes() -> Vec<Value> {
    let bearer = Object::new()
        .with("type", "oauthbearertoken")
        .with("name", "OAuth Bearer Token")
        .with(
            "description",
            "A token that the customer's admin issued, as in RFC 6750.",
        )
        .with("specUri", "https://www.rfc-editor.org/rfc/rfc6750")
        .with("primary", true);
    let client = Object::new()
        .with("type", "oauth2")
        .with("name", "OAuth 2.0 client credentials")
        .with(
            "description",
            "An access token from /t/{tenant}/oauth2/token, by a client secret or private_key_jwt.",
        )
        .with("specUri", "https://www.rfc-editor.org/rfc/rfc6749")
        .with("primary", false);
    alloc::vec![Value::Object(bearer), Value::Object(client)]
}

/// `/ResourceTypes`: a ListResponse.
#[must_use]
pub fn resource_types(base: &str, catalogue: Catalogue) -> Vec<u8> {
    let types: Vec<Vec<u8>> = catalogue
        .all()
        .map(|of| resource_type_object(base, of.definition()).to_bytes())
        .collect();
    whole_list(&types)
}

/// `/ResourceTypes/{name}`; `None` is 404.
#[must_use]
pub fn resource_type(base: &str, name: &str, catalogue: Catalogue) -> Option<Vec<u8>> {
    let of = catalogue.all().find(|of| of.definition().name == name)?;
    Some(resource_type_object(base, of.definition()).to_bytes())
}

/// `/Schemas`: a ListResponse.
#[must_use]
pub fn schemas(base: &str, catalogue: Catalogue) -> Vec<u8> {
    let schemas: Vec<Vec<u8>> = all_schemas(catalogue)
        .map(|schema| schema_object(base, schema).to_bytes())
        .collect();
    whole_list(&schemas)
}

fn whole_list(resources: &[Vec<u8>]) -> Vec<u8> {
    let total = u64::try_from(resources.len()).unwrap_or(u64::MAX);
    render_list(total, &Position::Index(1), resources)
}

/// `/Schemas/{urn}`; `None` is 404.
#[must_use]
pub fn schema(base: &str, urn: &str, catalogue: Catalogue) -> Option<Vec<u8>> {
    let found = all_schemas(catalogue).find(|schema| schema.urn.eq_ignore_ascii_case(urn))?;
    Some(schema_object(base, found).to_bytes())
}

fn all_schemas(catalogue: Catalogue) -> impl Iterator<Item = &'static Schema> {
    catalogue
        .all()
        .flat_map(|of| {
            let definition = of.definition();
            core::iter::once(definition.core).chain(definition.extensions.iter().copied())
        })
        .chain(crate::schema::service::SCHEMAS.iter())
}

fn meta(base: &str, resource_type: &str, path: &str) -> Object {
    let location: String = format!("{base}{path}");
    Object::new()
        .with("resourceType", resource_type)
        .with("location", location)
}

fn resource_type_object(base: &str, definition: &'static Resource) -> Object {
    let extensions: Vec<Value> = definition
        .extensions
        .iter()
        .map(|schema| {
            Value::Object(
                Object::new()
                    .with("schema", schema.urn)
                    .with("required", false),
            )
        })
        .collect();
    let mut object = Object::new()
        .with("schemas", alloc::vec![Value::from(urn::RESOURCE_TYPE)])
        .with("id", definition.name)
        .with("name", definition.name)
        .with("description", definition.description)
        .with("endpoint", definition.endpoint)
        .with("schema", definition.core.urn);
    if !extensions.is_empty() {
        object.insert("schemaExtensions", Value::Array(extensions));
    }
    let path = format!("/ResourceTypes/{}", definition.name);
    object.with("meta", meta(base, "ResourceType", &path))
}

fn schema_object(base: &str, schema: &'static Schema) -> Object {
    let path = format!("/Schemas/{}", schema.urn);
    Object::new()
        .with("schemas", alloc::vec![Value::from(urn::SCHEMA)])
        .with("id", schema.urn)
        .with("name", schema.name)
        .with("description", schema.description)
        .with("attributes", attribute_list(schema.attributes))
        .with("meta", meta(base, "Schema", &path))
}

/// One level of sub-attributes exists (RFC 7643 section 2.3.8), so the recursion ends there.
fn attribute_list(attributes: &'static [Attribute]) -> Vec<Value> {
    attributes
        .iter()
        .map(|attribute| Value::Object(attribute_object(attribute)))
        .collect()
}

fn attribute_object(attribute: &'static Attribute) -> Object {
    let strings = |texts: &[&'static str]| -> Vec<Value> {
        texts.iter().map(|text| Value::from(*text)).collect()
    };
    let mut object = Object::with_capacity(12)
        .with("name", attribute.name)
        .with("type", type_name(attribute.kind))
        .with("multiValued", attribute.many)
        .with("description", attribute.description)
        .with("required", attribute.required)
        .with("caseExact", attribute.comparison == Comparison::Exact)
        .with("mutability", mutability_name(attribute.mutability))
        .with("returned", returned_name(attribute.returned))
        .with(
            "uniqueness",
            if attribute.unique { "server" } else { "none" },
        );
    if !attribute.canonical_values.is_empty() {
        object.insert(
            "canonicalValues",
            Value::Array(strings(attribute.canonical_values)),
        );
    }
    if !attribute.reference_types.is_empty() {
        object.insert(
            "referenceTypes",
            Value::Array(strings(attribute.reference_types)),
        );
    }
    if !attribute.subs.is_empty() {
        object.insert(
            "subAttributes",
            Value::Array(attribute_list(attribute.subs)),
        );
    }
    object
}

const fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "string",
        Kind::Boolean => "boolean",
        Kind::Integer => "integer",
        Kind::Decimal => "decimal",
        Kind::DateTime => "dateTime",
        Kind::Binary => "binary",
        Kind::Reference => "reference",
        Kind::Complex => "complex",
    }
}

const fn mutability_name(mutability: Mutability) -> &'static str {
    match mutability {
        Mutability::ReadOnly => "readOnly",
        Mutability::ReadWrite => "readWrite",
        Mutability::Immutable => "immutable",
        Mutability::WriteOnly => "writeOnly",
    }
}

const fn returned_name(returned: Returned) -> &'static str {
    match returned {
        Returned::Always => "always",
        Returned::Never => "never",
        Returned::Default => "default",
        Returned::Request => "request",
    }
}

#[cfg(test)]
mod tests;
