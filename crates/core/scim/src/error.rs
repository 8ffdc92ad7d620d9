//! Refusals, and the one place where they become RFC 7644 section 3.12 errors.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use chancery_json::{ErrorKind, Object, Value, push_pointer};

use crate::limits::PAGE_SIZE_MAX;
use crate::name::NameFault;
use crate::schema::urn;

/// The longest pointer that a detail repeats, in bytes.
const POINTER_BYTES_MAX: usize = 512;

/// Why a request was refused. `Display` never repeats what the peer sent; [`Error::to_scim`] does
/// repeat the place of the fault, to the peer alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The body is not one strict JSON text within the limits.
    Json(chancery_json::Error),
    /// The body has not the form of its message.
    Syntax {
        /// The place in the body.
        pointer: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A value is not what its attribute takes.
    Value {
        /// The place in the body.
        pointer: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A required attribute is absent, null or empty.
    Missing {
        /// The place in the body.
        pointer: String,
    },
    /// An identifier that I13 refuses.
    Name {
        /// The place in the body.
        pointer: String,
        /// Why.
        fault: NameFault,
    },
    /// A PATCH path that names no attribute.
    Path {
        /// The place in the body.
        pointer: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A PATCH operation without a target.
    NoTarget {
        /// The place in the body.
        pointer: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A PATCH operation on an attribute that it may not change.
    Mutability {
        /// The place in the body.
        pointer: String,
        /// Why.
        reason: &'static str,
    },
    /// A filter that cannot be understood.
    Filter {
        /// The byte at which it ceases to be understood.
        offset: usize,
        /// What would be right.
        expected: &'static str,
    },
    /// More of something than a limit allows.
    TooMuch {
        /// The place in the body.
        pointer: String,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A query parameter that cannot be understood.
    Query {
        /// Which one.
        parameter: &'static str,
        /// What would be right.
        expected: &'static str,
    },
    /// A cursor that no answer of this list gave (RFC 9865 section 2.1).
    InvalidCursor,
    /// A cursor that led on once.
    ExpiredCursor,
    /// A page size that is none, with a cursor.
    InvalidCount,
    /// A filter or order that would have to look at more resources than one request may.
    TooMany {
        /// How many at most.
        limit: usize,
    },
    /// A reference to another operation of a Bulk request that leads nowhere.
    BulkReference {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An `If-Match` or `If-None-Match` header that cannot be understood.
    EntityTag,
    /// The value of a unique attribute is taken.
    Uniqueness {
        /// The attribute.
        attribute: &'static str,
    },
    /// The endpoint does not take the method.
    Method,
    /// There is no such resource.
    NotFound,
    /// The resource has another version than `If-Match` names.
    Precondition,
    /// A filter on `/Schemas` or `/ResourceTypes` (RFC 7644 section 4).
    DiscoveryFilter,
    /// Stored bytes are not a canonical document: our bug or a damaged store.
    Stored,
}

/// The `scimType` values of RFC 7644 section 3.12, table 9, and of RFC 9865 section 2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScimType {
    /// The filter is wrong.
    InvalidFilter,
    /// The result is too large.
    TooMany,
    /// A unique value is taken.
    Uniqueness,
    /// The attribute cannot be changed so.
    Mutability,
    /// The body has the wrong form.
    InvalidSyntax,
    /// The PATCH path is wrong.
    InvalidPath,
    /// The PATCH target does not exist.
    NoTarget,
    /// The value does not fit.
    InvalidValue,
    /// The protocol version is unknown.
    InvalidVers,
    /// The request would put personal data into a URI.
    Sensitive,
    /// The cursor is not one of this list (RFC 9865 section 2.1).
    InvalidCursor,
    /// The cursor leads on no more.
    ExpiredCursor,
    /// The count cannot be that of a page.
    InvalidCount,
}

/// An error as the peer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the three members of RFC 7644 section 3.12"
)]
pub struct ScimError {
    /// The HTTP status.
    pub status: u16,
    /// The detail error keyword; only with status 400 and 409.
    pub scim_type: Option<ScimType>,
    /// What is wrong, where, and what would be right.
    pub detail: String,
}

impl ScimError {
    /// An error of another layer, such as 401 or 429.
    #[must_use]
    pub fn new(status: u16, scim_type: Option<ScimType>, detail: impl Into<String>) -> Self {
        Self {
            status,
            scim_type,
            detail: detail.into(),
        }
    }

    /// The body of RFC 7644 section 3.12; `status` is a JSON string there.
    #[must_use]
    pub fn to_json(&self) -> alloc::vec::Vec<u8> {
        let mut body = Object::with_capacity(4)
            .with("schemas", alloc::vec![Value::from(urn::ERROR)])
            .with("status", self.status.to_string());
        if let Some(scim_type) = self.scim_type {
            body.insert("scimType", scim_type.as_str().into());
        }
        body.with("detail", self.detail.as_str()).to_bytes()
    }
}

impl ScimType {
    /// The keyword.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

impl Error {
    pub(crate) fn value(expected: &'static str) -> Self {
        Self::Value {
            pointer: String::new(),
            expected,
        }
    }

    pub(crate) fn syntax(expected: &'static str) -> Self {
        Self::Syntax {
            pointer: String::new(),
            expected,
        }
    }

    pub(crate) fn mutability(reason: &'static str) -> Self {
        Self::Mutability {
            pointer: String::new(),
            reason,
        }
    }

    /// Puts the place of the fault below `segment`: called on the way out of each level.
    pub(crate) fn within(mut self, segment: &str) -> Self {
        if let Some(pointer) = self.pointer_mut() {
            let mut longer = String::with_capacity(pointer.len().saturating_add(segment.len()));
            push_pointer(&mut longer, segment);
            longer.push_str(pointer);
            *pointer = longer;
        }
        self
    }

    /// The same error without the place that it was found at.
    pub(crate) fn without_place(mut self) -> Self {
        if let Some(pointer) = self.pointer_mut() {
            pointer.clear();
        }
        self
    }

    const fn pointer_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Syntax { pointer, .. }
            | Self::Value { pointer, .. }
            | Self::Missing { pointer }
            | Self::Name { pointer, .. }
            | Self::Path { pointer, .. }
            | Self::NoTarget { pointer, .. }
            | Self::Mutability { pointer, .. }
            | Self::TooMuch { pointer, .. } => Some(pointer),
            Self::Json(_)
            | Self::Filter { .. }
            | Self::Query { .. }
            | Self::InvalidCursor
            | Self::ExpiredCursor
            | Self::InvalidCount
            | Self::TooMany { .. }
            | Self::BulkReference { .. }
            | Self::EntityTag
            | Self::Uniqueness { .. }
            | Self::Method
            | Self::NotFound
            | Self::Precondition
            | Self::DiscoveryFilter
            | Self::Stored => None,
        }
    }

    /// Status and keyword: the only mapping.
    const fn code(&self) -> (u16, Option<ScimType>) {
        match self {
            Self::Json(error) => {
                if let ErrorKind::TooLarge { .. } | ErrorKind::TooManyValues { .. } = error.kind() {
                    (413, None)
                } else {
                    (400, Some(ScimType::InvalidSyntax))
                }
            }
            Self::Syntax { .. } => (400, Some(ScimType::InvalidSyntax)),
            Self::Value { .. } | Self::Missing { .. } | Self::Name { .. } | Self::Query { .. } => {
                (400, Some(ScimType::InvalidValue))
            }
            Self::Path { .. } => (400, Some(ScimType::InvalidPath)),
            Self::NoTarget { .. } => (400, Some(ScimType::NoTarget)),
            Self::Mutability { .. } => (400, Some(ScimType::Mutability)),
            Self::Filter { .. } => (400, Some(ScimType::InvalidFilter)),
            Self::TooMuch { .. } => (413, None),
            Self::InvalidCursor => (400, Some(ScimType::InvalidCursor)),
            Self::ExpiredCursor => (400, Some(ScimType::ExpiredCursor)),
            Self::InvalidCount => (400, Some(ScimType::InvalidCount)),
            Self::TooMany { .. } => (400, Some(ScimType::TooMany)),
            Self::BulkReference { .. } => (400, Some(ScimType::InvalidValue)),
            Self::EntityTag => (400, None),
            Self::Uniqueness { .. } => (409, Some(ScimType::Uniqueness)),
            Self::Method => (405, None),
            Self::NotFound => (404, None),
            Self::Precondition => (412, None),
            Self::DiscoveryFilter => (403, None),
            Self::Stored => (500, None),
        }
    }

    /// The error for the peer who sent the request.
    #[must_use]
    pub fn to_scim(&self) -> ScimError {
        let (status, scim_type) = self.code();
        let place = |pointer: &str| match pointer {
            "" => String::from("the top level of the body"),
            long if long.len() > POINTER_BYTES_MAX => String::from("a deeply nested member"),
            short => short.to_string(),
        };
        let detail = match self {
            Self::Json(error) => error.describe(),
            Self::Syntax { pointer, expected }
            | Self::Value { pointer, expected }
            | Self::Path { pointer, expected }
            | Self::NoTarget { pointer, expected } => {
                format!("{self} at {}: {expected}", place(pointer))
            }
            Self::Mutability { pointer, reason } => {
                format!("{self} at {}: {reason}", place(pointer))
            }
            Self::Missing { pointer } => format!("{self} at {}", place(pointer)),
            Self::Name { pointer, fault } => format!("{self} at {}: {fault}", place(pointer)),
            Self::TooMuch { pointer, .. } => format!("{self} at {}", place(pointer)),
            Self::Filter { .. }
            | Self::Query { .. }
            | Self::InvalidCursor
            | Self::ExpiredCursor
            | Self::InvalidCount
            | Self::TooMany { .. }
            | Self::BulkReference { .. }
            | Self::EntityTag
            | Self::Uniqueness { .. }
            | Self::Method
            | Self::NotFound
            | Self::Precondition
            | Self::DiscoveryFilter
            | Self::Stored => self.to_string(),
        };
        ScimError {
            status,
            scim_type,
            detail,
        }
    }
}

impl From<chancery_json::Error> for Error {
    fn from(error: chancery_json::Error) -> Self {
        Self::Json(error)
    }
}

impl From<&Error> for ScimError {
    fn from(error: &Error) -> Self {
        error.to_scim()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => error.fmt(f),
            Self::Syntax { .. } => f.write_str("message of the wrong form"),
            Self::Value { .. } => f.write_str("value does not fit its attribute"),
            Self::Missing { .. } => f.write_str("required attribute is missing"),
            Self::Name { .. } => f.write_str("identifier refused"),
            Self::Path { .. } => f.write_str("path names no attribute"),
            Self::NoTarget { .. } => f.write_str("operation has no target"),
            Self::Mutability { .. } => f.write_str("attribute cannot be changed so"),
            Self::Filter { offset, expected } => {
                write!(f, "filter not understood at byte {offset}: {expected}")
            }
            Self::TooMuch { what, limit, .. } => write!(f, "more than {limit} {what}"),
            Self::Query {
                parameter,
                expected,
            } => {
                write!(f, "query parameter {parameter}: {expected}")
            }
            Self::InvalidCursor => {
                f.write_str("the cursor belongs to another list: begin again without it")
            }
            Self::ExpiredCursor => f.write_str("the cursor has expired: begin again without it"),
            Self::InvalidCount => write!(
                f,
                "count is the number of resources on a page, of which the largest has {PAGE_SIZE_MAX}"
            ),
            Self::TooMany { limit } => write!(
                f,
                "no index serves this filter or order, and there is too much to look at (at most {limit} resources, \
                 fewer large ones, and fewer with many comparisons): filter by id, userName, externalId, \
                 emails.value, displayName or members with eq"
            ),
            Self::BulkReference { reason } => f.write_str(reason),
            Self::EntityTag => f.write_str("precondition header is no list of entity tags"),
            Self::Uniqueness { attribute } => {
                write!(f, "a resource with this {attribute} exists already")
            }
            Self::Method => f.write_str("this endpoint does not take this method"),
            Self::NotFound => f.write_str("no such resource"),
            Self::Precondition => f.write_str("the resource has another version"),
            Self::DiscoveryFilter => f.write_str("discovery endpoints take no filter"),
            Self::Stored => f.write_str("stored document is damaged"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        if let Self::Json(error) = self {
            Some(error)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests;
