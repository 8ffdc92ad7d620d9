//! From stored documents to answers. Without a projection the canonical bytes are spliced, not
//! parsed again.

use alloc::string::String;
use alloc::vec::Vec;

use chancery_json::{Object, Value, write_string, write_u64};

use crate::error::Error;
use crate::etag::weak_etag;
use crate::instant::format_ms;
use crate::projection::Projection;
use crate::schema::{COMMON, Resource, ResourceKind, Schema, external_id, find, urn};

/// What the service knows of a resource beside its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the engine fills every field")]
pub struct Meta<'a> {
    /// The id that the service gave the resource.
    pub id: &'a str,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// When it was changed last, in milliseconds since the Unix epoch.
    pub last_modified_ms: u64,
    /// Its version, without quotes; shown as a weak entity tag.
    pub version: &'a str,
    /// Its absolute URI, equal to the Location header.
    pub location: &'a str,
}

/// A group that a user belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the engine fills every field")]
pub struct GroupRef<'a> {
    /// The id of the group.
    pub value: &'a str,
    /// Its displayName; some clients match groups by it.
    pub display: &'a str,
    /// Its absolute URI.
    pub reference: &'a str,
}

/// A member of a group, as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the engine fills every field")]
pub struct MemberView<'a> {
    /// The id of the member.
    pub value: &'a str,
    /// Its resource type.
    pub kind: ResourceKind,
    /// Its displayName, if it has one.
    pub display: Option<&'a str>,
    /// Its absolute URI.
    pub reference: &'a str,
}

/// The representation of a user. `groups` are shown if there are any.
///
/// # Errors
///
/// [`Error::Stored`] if `canonical` is no canonical document.
pub fn render_user(
    canonical: &[u8],
    meta: &Meta<'_>,
    groups: &[GroupRef<'_>],
    projection: &Projection,
) -> Result<Vec<u8>, Error> {
    let definition = projection.definition();
    let mut out = start(definition, canonical, meta, projection)?;
    if !groups.is_empty() && projection.shows("groups") {
        let entries = groups.iter().map(|group| {
            [
                ("value", group.value),
                ("$ref", group.reference),
                ("display", group.display),
                ("type", "direct"),
            ]
        });
        relation(&mut out, definition, "groups", entries, projection);
    }
    Ok(finish(out))
}

/// The representation of a group. `members` is shown even if empty, unless the projection hides
/// it: some clients take its absence for an unreadable group.
///
/// # Errors
///
/// [`Error::Stored`] if `canonical` is no canonical document.
pub fn render_group<'m>(
    canonical: &[u8],
    meta: &Meta<'_>,
    members: impl Iterator<Item = MemberView<'m>>,
    projection: &Projection,
) -> Result<Vec<u8>, Error> {
    let definition = projection.definition();
    let mut out = start(definition, canonical, meta, projection)?;
    if projection.shows("members") {
        let entries = members.map(|member| {
            [
                ("value", member.value),
                ("$ref", member.reference),
                ("type", member.kind.name()),
                ("display", member.display.unwrap_or_default()),
            ]
        });
        relation(&mut out, definition, "members", entries, projection);
    }
    Ok(finish(out))
}

/// Where a page stands in its list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Position {
    /// The 1-based index of its first resource (RFC 7644 section 3.4.2.4).
    Index(u64),
    /// Between these cursors (RFC 9865 section 2).
    Cursor {
        /// Leads to the page before; none on the first.
        previous: Option<String>,
        /// Leads to the page after; none on the last.
        next: Option<String>,
    },
}

/// A ListResponse (RFC 7644 section 3.4.2) of rendered resources.
#[must_use]
pub fn render_list(total: u64, position: &Position, resources: &[Vec<u8>]) -> Vec<u8> {
    let body: usize = resources
        .iter()
        .map(|resource| resource.len().saturating_add(1))
        .sum();
    let mut out = Vec::with_capacity(body.saturating_add(256));
    out.extend_from_slice(b"{\"schemas\":[");
    write_string(&mut out, urn::LIST_RESPONSE);
    out.extend_from_slice(b"],\"totalResults\":");
    write_u64(&mut out, total);
    match position {
        Position::Index(start_index) => {
            out.extend_from_slice(b",\"startIndex\":");
            write_u64(&mut out, *start_index);
        }
        Position::Cursor { previous, next } => {
            for (name, cursor) in [("previousCursor", previous), ("nextCursor", next)] {
                if let Some(cursor) = cursor {
                    member(&mut out, name, cursor);
                }
            }
        }
    }
    out.extend_from_slice(b",\"itemsPerPage\":");
    write_u64(&mut out, u64::try_from(resources.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(b",\"Resources\":[");
    for (index, resource) in resources.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(resource);
    }
    out.extend_from_slice(b"]}");
    out
}

/// Everything but the closing brace and the relation.
fn start(
    definition: &'static Resource,
    canonical: &[u8],
    meta: &Meta<'_>,
    projection: &Projection,
) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(canonical.len().saturating_add(512));
    if projection.is_verbatim() {
        let inner = canonical
            .strip_prefix(b"{")
            .and_then(|rest| rest.strip_suffix(b"}"));
        let inner = inner
            .filter(|inner| !inner.is_empty())
            .ok_or(Error::Stored)?;
        out.push(b'{');
        out.extend_from_slice(inner);
        member(&mut out, "id", meta.id);
        out.extend_from_slice(b",\"meta\":");
        write_meta(&mut out, definition, meta);
        return Ok(out);
    }
    let mut shown = projected(definition, canonical, projection)?;
    shown.insert("id", Value::from(meta.id));
    if let [_, _, _, attribute] = &COMMON
        && let Some(value) = projection.cut(None, attribute, meta_value(definition, meta)?)
    {
        shown.insert(attribute.name, value);
    }
    shown.write(&mut out);
    // The relation and the closing brace follow.
    out.pop();
    Ok(out)
}

fn finish(mut out: Vec<u8>) -> Vec<u8> {
    out.push(b'}');
    out
}

fn member(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b',');
    write_string(out, name);
    out.push(b':');
    write_string(out, value);
}

fn write_meta(out: &mut Vec<u8>, definition: &'static Resource, meta: &Meta<'_>) {
    out.extend_from_slice(b"{\"resourceType\":");
    write_string(out, definition.name);
    member(out, "created", &format_ms(meta.created_ms));
    member(out, "lastModified", &format_ms(meta.last_modified_ms));
    member(out, "version", &weak_etag(meta.version));
    member(out, "location", meta.location);
    out.push(b'}');
}

fn meta_value(definition: &'static Resource, meta: &Meta<'_>) -> Result<Value, Error> {
    let mut bytes = Vec::with_capacity(256);
    write_meta(&mut bytes, definition, meta);
    Ok(Value::parse(&bytes, &crate::limits::BODY)?)
}

fn projected(
    definition: &'static Resource,
    canonical: &[u8],
    projection: &Projection,
) -> Result<Object, Error> {
    let Ok(Value::Object(document)) = Value::parse(canonical, &crate::limits::BODY) else {
        return Err(Error::Stored);
    };
    let mut shown = Object::with_capacity(document.len());
    for (name, value) in document {
        let extension = definition
            .extensions
            .iter()
            .find(|schema| schema.urn == name);
        let value = match (extension, value) {
            (Some(schema), Value::Object(object)) => {
                projected_extension(schema, object, projection)
            }
            (_, value) if name == "schemas" => Some(value),
            (_, value) => top_level(definition, &name)
                .and_then(|attribute| projection.cut(None, attribute, value)),
        };
        if let Some(value) = value {
            shown.insert(name, value);
        }
    }
    Ok(shown)
}

fn top_level(
    definition: &'static Resource,
    name: &str,
) -> Option<&'static crate::schema::Attribute> {
    if name == external_id().name {
        return Some(external_id());
    }
    find(definition.core.attributes, name)
}

fn projected_extension(
    schema: &'static Schema,
    object: Object,
    projection: &Projection,
) -> Option<Value> {
    let mut kept = Object::new();
    for (name, value) in object {
        if let Some(attribute) = find(schema.attributes, &name)
            && let Some(value) = projection.cut(Some(schema), attribute, value)
        {
            kept.insert(name, value);
        }
    }
    if kept.is_empty() {
        None
    } else {
        Some(Value::Object(kept))
    }
}

/// Writes a list of objects of strings; empty strings are left out.
fn relation<'e, const N: usize>(
    out: &mut Vec<u8>,
    definition: &'static Resource,
    name: &'static str,
    entries: impl Iterator<Item = [(&'static str, &'e str); N]>,
    projection: &Projection,
) {
    let shows = |sub: &str| {
        projection.is_all()
            || find(definition.core.attributes, name)
                .is_some_and(|attribute| projection.shows_sub(None, attribute, sub))
    };
    let mut shown: Vec<&str> = Vec::new();
    out.push(b',');
    write_string(out, name);
    out.extend_from_slice(b":[");
    let begin = out.len();
    for (index, entry) in entries.enumerate() {
        if index == 0 {
            shown = entry
                .iter()
                .map(|(sub, _)| *sub)
                .filter(|sub| shows(sub))
                .collect();
        }
        let before = out.len();
        if before > begin {
            out.push(b',');
        }
        out.push(b'{');
        let mut first = true;
        for (sub, value) in entry {
            if value.is_empty() || !shown.contains(&sub) {
                continue;
            }
            if !core::mem::take(&mut first) {
                out.push(b',');
            }
            write_string(out, sub);
            out.push(b':');
            write_string(out, value);
        }
        if first {
            // Nothing of it is shown: an empty value is none (RFC 7643 section 2.5).
            out.truncate(before);
        } else {
            out.push(b'}');
        }
    }
    out.push(b']');
}

/// The URI of a resource under the SCIM base.
#[must_use]
pub fn location(base: &str, kind: ResourceKind, id: &str) -> String {
    alloc::format!("{base}{}/{id}", kind.endpoint())
}

#[cfg(test)]
mod tests;
