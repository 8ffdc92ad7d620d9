//! A vendor's schema extension as a file: a Schema resource (RFC 7643 section 7).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use chancery_json::{Element, Fields, Value};

use super::{
    Attribute, Catalogue, Comparison, Kind, Mutability, Resource, ResourceKind, Returned, Schema,
};

/// Most extensions of one resource type beyond the enterprise extension.
const EXTENSIONS_MAX: usize = 8;
/// Most attributes of one schema, and sub-attributes of one attribute.
const ATTRIBUTES_MAX: usize = 128;
/// Longest URN in bytes.
const URN_BYTES_MAX: usize = 256;
/// The namespace of the RFCs' own schemas and messages, and the part of it that extensions are named in.
const RESERVED: &str = "urn:ietf:params:scim";
const RESERVED_EXTENSIONS: &str = "urn:ietf:params:scim:schemas:extension";
/// Longest name of an attribute in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Why a schema file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaFault {
    /// It is not of the form of a Schema resource.
    Json(chancery_json::Error),
    /// A member has a value that cannot be used here.
    Member {
        /// The place in the file.
        pointer: String,
        /// What would be right.
        expected: &'static str,
    },
    /// There are too many extensions.
    TooMany,
}

impl fmt::Display for SchemaFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => formatter.write_str(&error.describe()),
            Self::Member { pointer, expected } => write!(formatter, "{pointer}: {expected}"),
            Self::TooMany => write!(
                formatter,
                "at most {EXTENSIONS_MAX} schemas may extend one resource type"
            ),
        }
    }
}

impl core::error::Error for SchemaFault {}

impl From<chancery_json::Error> for SchemaFault {
    fn from(error: chancery_json::Error) -> Self {
        Self::Json(error)
    }
}

type Read<T> = Result<T, SchemaFault>;

impl Catalogue {
    /// The same resource types with one more extension of a kind. The schema is kept for the life of
    /// the process: this is called while it starts, never for a request.
    ///
    /// # Errors
    ///
    /// [`SchemaFault`]: a member that is unknown, missing or of the wrong type; a URN or name that is
    /// taken or malformed; a uniqueness that would need an index of its own.
    pub fn with_extension(self, kind: ResourceKind, schema: &Value) -> Read<Self> {
        let schema = self.read_schema(&schema.to_bytes())?;
        let extended = self.of(kind).definition();
        let mut extensions = extended.extensions.to_vec();
        if extensions.len() > EXTENSIONS_MAX {
            return Err(SchemaFault::TooMany);
        }
        extensions.push(Box::leak(Box::new(schema)));
        let extended: &'static Resource = Box::leak(Box::new(Resource {
            name: extended.name,
            endpoint: extended.endpoint,
            description: extended.description,
            core: extended.core,
            extensions: extensions.leak(),
        }));
        let [user, group] = ResourceKind::ALL.map(|known| {
            if known == kind {
                extended
            } else {
                self.of(known).definition()
            }
        });
        Ok(Self::new(user, group))
    }

    fn read_schema(self, text: &[u8]) -> Read<Schema> {
        let mut fields = Fields::parse(text, &crate::limits::BODY)?;
        for ignored in ["schemas", "meta"] {
            let _known = fields.take_optional(ignored);
        }
        let urn = fields.take_str("id")?;
        self.check_urn(&urn)?;
        let name = optional_text(&mut fields, "name")?;
        let description = optional_text(&mut fields, "description")?;
        let attributes = attributes(fields.take_array("attributes")?, Level::Attribute)?;
        fields.finish()?;
        Ok(Schema {
            urn: urn.leak(),
            name: name.leak(),
            description: description.leak(),
            attributes: attributes.leak(),
        })
    }

    fn check_urn(self, urn: &str) -> Read<()> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":-._".contains(&byte);
        let named = urn.split(':').skip(1).filter(|part| !part.is_empty());
        if urn.len() > URN_BYTES_MAX
            || !urn.starts_with("urn:")
            || named.count() < 2
            || !urn.bytes().all(plain)
        {
            return Err(member(
                "/id",
                "a URN with a namespace and a name, of letters, digits, `:`, `-`, `.` and `_`",
            ));
        }
        let is_reserved = super::after_urn(urn, RESERVED).is_some()
            && super::after_urn(urn, RESERVED_EXTENSIONS).is_none();
        if is_reserved {
            return Err(member("/id", "a URN that the RFCs have not given away"));
        }
        let taken = self.all().any(|known| {
            let definition = known.definition();
            let mut schemas = definition.extensions.iter().chain([&definition.core]);
            // One that begins with another and a colon would make names ambiguous.
            schemas.any(|schema| is_prefix(schema.urn, urn) || is_prefix(urn, schema.urn))
        });
        if taken {
            return Err(member(
                "/id",
                "a URN that no other schema has or begins with",
            ));
        }
        Ok(())
    }
}

/// Whether `longer` is `shorter`, or begins with it and a colon; case does not matter.
fn is_prefix(shorter: &str, longer: &str) -> bool {
    longer.eq_ignore_ascii_case(shorter) || super::after_urn(longer, shorter).is_some()
}

fn member(pointer: &str, expected: &'static str) -> SchemaFault {
    SchemaFault::Member {
        pointer: String::from(pointer),
        expected,
    }
}

/// Where an attribute stands: sub-attributes have none of their own (RFC 7643 section 2.3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Attribute,
    Sub,
}

fn attributes(elements: Vec<Element>, level: Level) -> Read<Vec<Attribute>> {
    let mut found: Vec<Attribute> = Vec::with_capacity(elements.len());
    for element in elements {
        let pointer = String::from(element.pointer());
        let made = attribute(element.into_fields()?, &pointer, level)?;
        if super::find_in(&found, made.name).is_some() || found.len() >= ATTRIBUTES_MAX {
            return Err(member(&pointer, "each name once, and at most 128 of them"));
        }
        found.push(made);
    }
    if found.is_empty() {
        return Err(member("/attributes", "at least one attribute"));
    }
    Ok(found)
}

fn attribute(mut fields: Fields, pointer: &str, level: Level) -> Read<Attribute> {
    let within = |name: &str| alloc::format!("{pointer}/{name}");
    let name = fields.take_str("name")?;
    if !is_name(&name) {
        return Err(member(
            &within("name"),
            "a letter, then letters, digits, `-` and `_`",
        ));
    }
    let kind = kind(&fields.take_str("type")?)
        .filter(|kind| *kind != Kind::Complex || level == Level::Attribute)
        .ok_or_else(|| member(&within("type"), "a type of RFC 7643 section 2.3"))?;
    let description = optional_text(&mut fields, "description")?;
    let mut made = Attribute::new(name.leak(), kind, description.leak());
    made.many = fields.take_bool("multiValued")?;
    if made.many && level == Level::Sub {
        return Err(member(&within("multiValued"), "false, in a sub-attribute"));
    }
    made.required = optional_bool(&mut fields, "required")?;
    if optional_bool(&mut fields, "caseExact")?
        || matches!(kind, Kind::Reference | Kind::Binary | Kind::DateTime)
    {
        made.comparison = Comparison::Exact;
    }
    let (mutability, returned) = (
        optional_text(&mut fields, "mutability")?,
        optional_text(&mut fields, "returned")?,
    );
    made.mutability = mutability_of(&mutability).ok_or_else(|| {
        member(
            &within("mutability"),
            "readOnly, readWrite, immutable or writeOnly",
        )
    })?;
    made.returned = returned_of(&returned)
        .ok_or_else(|| member(&within("returned"), "always, never, default or request"))?;
    if !matches!(&*optional_text(&mut fields, "uniqueness")?, "" | "none") {
        return Err(member(
            &within("uniqueness"),
            "none: no index would enforce another",
        ));
    }
    made.canonical_values = optional_texts(&mut fields, "canonicalValues")?;
    made.reference_types = optional_texts(&mut fields, "referenceTypes")?;
    let subs = fields.take_optional("subAttributes");
    made.subs = match (kind, subs) {
        (Kind::Complex, Some(subs)) => attributes(subs.into_array()?, Level::Sub)?.leak(),
        (Kind::Complex, None) => {
            return Err(member(
                pointer,
                "subAttributes, because the type is complex",
            ));
        }
        (_, Some(_)) => {
            return Err(member(
                &within("subAttributes"),
                "nothing: the type is simple",
            ));
        }
        (_, None) => &[],
    };
    fields.finish()?;
    Ok(made)
}

/// RFC 7643 section 2.1; `$ref` is the one name that begins otherwise.
fn is_name(name: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    name == "$ref"
        || (name.len() <= NAME_BYTES_MAX
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(rest))
}

fn kind(text: &str) -> Option<Kind> {
    Some(match text {
        "string" => Kind::Text,
        "boolean" => Kind::Boolean,
        "integer" => Kind::Integer,
        "decimal" => Kind::Decimal,
        "dateTime" => Kind::DateTime,
        "reference" => Kind::Reference,
        "binary" => Kind::Binary,
        "complex" => Kind::Complex,
        _ => return None,
    })
}

fn mutability_of(text: &str) -> Option<Mutability> {
    Some(match text {
        "" | "readWrite" => Mutability::ReadWrite,
        "readOnly" => Mutability::ReadOnly,
        "immutable" => Mutability::Immutable,
        "writeOnly" => Mutability::WriteOnly,
        _ => return None,
    })
}

fn returned_of(text: &str) -> Option<Returned> {
    Some(match text {
        "" | "default" => Returned::Default,
        "always" => Returned::Always,
        "never" => Returned::Never,
        "request" => Returned::Request,
        _ => return None,
    })
}

fn optional_text(fields: &mut Fields, name: &str) -> Read<String> {
    let element = fields.take_optional(name);
    Ok(element
        .map(Element::into_str)
        .transpose()?
        .unwrap_or_default())
}

fn optional_bool(fields: &mut Fields, name: &str) -> Read<bool> {
    let element = fields.take_optional(name);
    Ok(element
        .map(Element::into_bool)
        .transpose()?
        .unwrap_or_default())
}

fn optional_texts(fields: &mut Fields, name: &str) -> Read<&'static [&'static str]> {
    let Some(element) = fields.take_optional(name) else {
        return Ok(&[]);
    };
    let mut texts: Vec<&'static str> = Vec::new();
    for element in element.into_array()? {
        texts.push(element.into_str()?.leak());
    }
    Ok(texts.leak())
}

#[cfg(test)]
mod tests;
