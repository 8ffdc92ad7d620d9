//! Users as the service stores them.

use alloc::string::String;
use alloc::vec::Vec;

use chancery_json::{Object, Value};

use crate::error::Error;
use crate::name::{FoldedName, Identifier};
use crate::normalise;
use crate::schema::{Catalogue, ResourceKind};

const ACTIVE: &str = "active";

/// A user's canonical document: everything that an IdP may write, nothing that the service adds
/// (id, meta, groups), no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserDocument {
    object: Object,
    keys: UserKeys,
}

/// The typed index keys of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a record that the engine takes apart"
)]
pub struct UserKeys {
    /// The canonical userName, unique in a tenant.
    pub user_name: FoldedName,
    /// The externalId, compared byte for byte.
    pub external_id: Option<String>,
    /// The canonical email addresses, each once.
    pub emails: Vec<FoldedName>,
    /// The folded displayName.
    pub display_name: Option<FoldedName>,
    /// The displayName as it was written.
    pub display: Option<String>,
    /// Whether the account may be used.
    pub active: bool,
}

/// Whether a request changes its document. Without change there is no new version, and
/// lastModified stays (RFC 7644 section 3.5.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a yes or no with a name")]
pub enum Changed {
    /// The document is another one now.
    Yes,
    /// The document is the same.
    No,
}

impl UserDocument {
    /// Parses the body of a POST (RFC 7644 section 3.3). `active` is true if absent.
    ///
    /// # Errors
    ///
    /// [`Error::Json`], [`Error::Syntax`], [`Error::Value`], [`Error::Missing`], [`Error::Name`],
    /// [`Error::TooMuch`].
    pub fn parse_create(body: &[u8], catalogue: Catalogue) -> Result<Self, Error> {
        Self::build(normalise::body(body)?, true, catalogue)
    }

    /// Parses the body of a PUT (RFC 7644 section 3.5.1). An absent `active` keeps its value: a
    /// client that never heard of a suspension must not lift it.
    ///
    /// # Errors
    ///
    /// As [`UserDocument::parse_create`], and [`Error::Mutability`].
    pub fn parse_replace(body: &[u8], current: &Self, catalogue: Catalogue) -> Result<Self, Error> {
        Self::build(normalise::body(body)?, current.keys.active, catalogue)?
            .after(current, catalogue)
    }

    /// Reads what [`UserDocument::to_canonical`] wrote.
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

    /// The same document with `active` as given.
    #[must_use]
    pub fn with_active(&self, active: bool) -> Self {
        let mut changed = self.clone();
        changed.object.insert("active", Value::Bool(active));
        changed.keys.active = active;
        changed
    }

    /// The index keys.
    #[must_use]
    pub const fn keys(&self) -> &UserKeys {
        &self.keys
    }

    /// The userName as it was written.
    #[must_use]
    pub fn user_name(&self) -> &str {
        self.object
            .get("userName")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Every userName and email, for the check against the trusted domains (I13).
    #[must_use]
    pub fn identifiers(&self) -> Vec<Identifier> {
        let identifier = |pointer: String, name: &FoldedName| Identifier {
            pointer,
            text: name.as_str().into(),
            domain: name.domain().map(String::from),
        };
        let mut found = Vec::with_capacity(self.keys.emails.len().saturating_add(1));
        found.push(identifier("/userName".into(), &self.keys.user_name));
        for (index, value) in email_values(&self.object) {
            if let Ok(name) = FoldedName::email(value) {
                found.push(identifier(alloc::format!("/emails/{index}/value"), &name));
            }
        }
        found
    }

    pub(crate) const fn object(&self) -> &Object {
        &self.object
    }

    /// Makes a document of a raw or edited object; every path that writes ends here.
    pub(crate) fn build(
        object: Object,
        active_if_absent: bool,
        catalogue: Catalogue,
    ) -> Result<Self, Error> {
        let user = catalogue.of(ResourceKind::User);
        let mut object = object;
        let active = match normalise::take_member(&mut object, ACTIVE)? {
            Some(value) => normalise::top_level_value(user, ACTIVE, value)?,
            None => None,
        };
        object.insert(ACTIVE, active.unwrap_or(Value::Bool(active_if_absent)));
        let object = normalise::resource(user.definition(), object)?;
        let keys = keys(&object)?;
        Ok(Self { object, keys })
    }

    /// The same document, if it may follow another one.
    pub(crate) fn after(self, before: &Self, catalogue: Catalogue) -> Result<Self, Error> {
        let definition = catalogue.of(ResourceKind::User).definition();
        normalise::check_immutable(definition, &before.object, &self.object)?;
        Ok(self)
    }
}

fn keys(object: &Object) -> Result<UserKeys, Error> {
    let text = |name| object.get(name).and_then(Value::as_str);
    let refused = |fault| Error::Name {
        pointer: String::new(),
        fault,
    };
    let missing = |name| {
        Error::Missing {
            pointer: String::new(),
        }
        .within(name)
    };
    let user_name = text("userName").ok_or_else(|| missing("userName"))?;
    let user_name =
        FoldedName::identifier(user_name).map_err(|fault| refused(fault).within("userName"))?;
    let mut emails = Vec::new();
    for (index, value) in email_values(object) {
        let email = FoldedName::email(value).map_err(|fault| {
            refused(fault)
                .within("value")
                .within(&alloc::format!("{index}"))
                .within("emails")
        })?;
        if !emails.contains(&email) {
            emails.push(email);
        }
    }
    let active = object.get("active").and_then(Value::as_bool);
    Ok(UserKeys {
        user_name,
        external_id: text("externalId").map(String::from),
        emails,
        display_name: text("displayName").map(FoldedName::text),
        display: text("displayName").map(String::from),
        active: active.ok_or_else(|| missing("active"))?,
    })
}

fn email_values(object: &Object) -> impl Iterator<Item = (usize, &str)> {
    let entries = object
        .get("emails")
        .and_then(Value::as_array)
        .unwrap_or_default();
    entries
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| Some((index, entry.as_object()?.get("value")?.as_str()?)))
}

#[cfg(test)]
mod tests;
