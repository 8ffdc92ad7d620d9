//! Groups as the service stores them. Members are a set of their own, outside the document: it
//! may hold hundreds of thousands, and changes to it travel as deltas.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use chancery_json::{Object, Value};

use crate::error::Error;
use crate::limits::{ID_BYTES_MAX, MEMBERS_PER_OPERATION_MAX};
use crate::name::FoldedName;
use crate::normalise::{self, take_member};
use crate::schema::{Catalogue, ResourceKind};

pub(crate) const MEMBERS: &str = "members";

/// A group's canonical document, without its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDocument {
    object: Object,
    keys: GroupKeys,
}

/// The typed index keys of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a record that the engine takes apart"
)]
pub struct GroupKeys {
    /// The folded displayName.
    pub display_name: FoldedName,
    /// The externalId, compared byte for byte.
    pub external_id: Option<String>,
}

/// A member as a request names it. Its name and URI are the service's to tell, so they are not
/// read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a record that the engine takes apart"
)]
pub struct MemberRef {
    /// The id, opaque here.
    pub value: String,
    /// The resource type, if the request tells it.
    pub kind: Option<ResourceKind>,
}

/// One change to the set of members. Apply them in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemberChange {
    /// Add these; those already there are no change (RFC 7644 section 3.5.2.1).
    Add(Vec<MemberRef>),
    /// Remove the members of these ids; one that is not a member is no error.
    Remove(Vec<String>),
    /// The set is exactly this now.
    ReplaceAll(Vec<MemberRef>),
    /// The set is empty now.
    Clear,
}

/// What a PATCH does to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a record that the engine takes apart"
)]
pub struct GroupChanges {
    /// The new document, if it differs from the old one.
    pub document: Option<GroupDocument>,
    /// The changes to the set of members, in order.
    pub members: Vec<MemberChange>,
}

impl GroupDocument {
    /// Parses the body of a POST (RFC 7644 section 3.3): the document and its members.
    ///
    /// # Errors
    ///
    /// [`Error::Json`], [`Error::Syntax`], [`Error::Value`], [`Error::Missing`],
    /// [`Error::TooMuch`].
    pub fn parse_create(
        body: &[u8],
        catalogue: Catalogue,
    ) -> Result<(Self, Vec<MemberRef>), Error> {
        let mut object = normalise::body(body)?;
        let members = match take_member(&mut object, MEMBERS)? {
            Some(value) => member_refs(value).map_err(|error| error.within(MEMBERS))?,
            None => Vec::new(),
        };
        Ok((Self::build(object, catalogue)?, members))
    }

    /// Parses the body of a PUT (RFC 7644 section 3.5.1): the new document and the complete new
    /// set of members. Absent `members` are `None`: the set then stays, because some clients PUT
    /// the name alone, and an accident must not empty a group.
    ///
    /// # Errors
    ///
    /// As [`GroupDocument::parse_create`], and [`Error::Mutability`].
    pub fn parse_replace(
        body: &[u8],
        current: &Self,
        catalogue: Catalogue,
    ) -> Result<(Self, Option<Vec<MemberRef>>), Error> {
        let mut object = normalise::body(body)?;
        let members = match take_member(&mut object, MEMBERS)? {
            Some(value) => Some(member_refs(value).map_err(|error| error.within(MEMBERS))?),
            None => None,
        };
        let document = Self::build(object, catalogue)?.after(current, catalogue)?;
        Ok((document, members))
    }

    /// Reads what [`GroupDocument::to_canonical`] wrote.
    ///
    /// # Errors
    ///
    /// [`Error::Stored`].
    pub fn from_canonical(canonical: &[u8]) -> Result<Self, Error> {
        let Ok(Value::Object(object)) = Value::parse(canonical, &crate::limits::BODY) else {
            return Err(Error::Stored);
        };
        let keys = keys(&object).map_err(|_fault| Error::Stored)?;
        Ok(Self { object, keys })
    }

    /// The document as canonical JSON: `schemas` first, members in schema order, no white space.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        self.object.to_bytes()
    }

    /// The index keys.
    #[must_use]
    pub const fn keys(&self) -> &GroupKeys {
        &self.keys
    }

    /// The displayName as it was written.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.object
            .get("displayName")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub(crate) const fn object(&self) -> &Object {
        &self.object
    }

    /// Makes a document of a raw or edited object; every path that writes ends here.
    pub(crate) fn build(object: Object, catalogue: Catalogue) -> Result<Self, Error> {
        let definition = catalogue.of(ResourceKind::Group).definition();
        let object = normalise::resource(definition, object)?;
        let keys = keys(&object)?;
        Ok(Self { object, keys })
    }

    /// The same document, if it may follow another one.
    pub(crate) fn after(self, before: &Self, catalogue: Catalogue) -> Result<Self, Error> {
        let definition = catalogue.of(ResourceKind::Group).definition();
        normalise::check_immutable(definition, &before.object, &self.object)?;
        Ok(self)
    }
}

fn keys(object: &Object) -> Result<GroupKeys, Error> {
    let text = |name| object.get(name).and_then(Value::as_str);
    let Some(display_name) = text("displayName") else {
        return Err(Error::Missing {
            pointer: String::new(),
        }
        .within("displayName"));
    };
    Ok(GroupKeys {
        display_name: FoldedName::text(display_name),
        external_id: text("externalId").map(String::from),
    })
}

/// Reads a list of members: objects with `value`, or plain ids; each id once.
pub(crate) fn member_refs(value: Value) -> Result<Vec<MemberRef>, Error> {
    let items = match value {
        Value::Array(items) => items,
        Value::Null => return Ok(Vec::new()),
        Value::String(text) if text.is_empty() => return Ok(Vec::new()),
        single @ (Value::String(_) | Value::Object(_)) => alloc::vec![single],
        Value::Bool(_) | Value::Number(_) => {
            return Err(Error::value("a list of members is wanted"));
        }
    };
    if items.len() > MEMBERS_PER_OPERATION_MAX {
        let what = "members in one operation";
        let limit = MEMBERS_PER_OPERATION_MAX;
        return Err(Error::TooMuch {
            pointer: String::new(),
            what,
            limit,
        });
    }
    let mut seen = BTreeSet::new();
    let mut members = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        if item == Value::Null {
            continue;
        }
        let member = member_ref(item).map_err(|error| error.within(&index.to_string()))?;
        if seen.insert(member.value.clone()) {
            members.push(member);
        }
    }
    Ok(members)
}

fn member_ref(item: Value) -> Result<MemberRef, Error> {
    let (value, kind) = match item {
        Value::String(text) => (Some(Value::String(text)), None),
        Value::Object(mut object) => (
            take_member(&mut object, "value")?,
            take_member(&mut object, "type")?,
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            return Err(Error::value("a member is an object with value"));
        }
    };
    let Some(Value::String(value)) = value else {
        return Err(Error::value("the id of the member is wanted").within("value"));
    };
    check_id(&value).map_err(|error| error.within("value"))?;
    let kind = match kind.as_ref().and_then(Value::as_str) {
        Some(kind) if kind.eq_ignore_ascii_case("User") => Some(ResourceKind::User),
        Some(kind) if kind.eq_ignore_ascii_case("Group") => Some(ResourceKind::Group),
        _ => None,
    };
    Ok(MemberRef { value, kind })
}

fn check_id(id: &str) -> Result<(), Error> {
    let plain = !id.is_empty() && id.len() <= ID_BYTES_MAX && !id.chars().any(char::is_control);
    if plain {
        Ok(())
    } else {
        Err(Error::value("the id of a resource is wanted"))
    }
}

#[cfg(test)]
mod tests;
