//! What a request can be refused for (RFC 7644 section 3.12).

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A value does not fit its attribute, a required one is missing, or a parameter is wrong.
    Value,
    /// The message has the wrong form.
    Syntax,
    /// A PATCH path names no attribute.
    Path,
    /// A PATCH operation has no target.
    NoTarget,
    /// An attribute may not be changed so.
    Mutability,
    /// The filter is not understood.
    Filter,
    /// The userName is taken.
    Uniqueness,
    /// There is no such resource.
    NotFound,
    /// `If-Match` names another version.
    Precondition,
    /// `If-Match` or `If-None-Match` is not understood.
    Tags,
    /// A name lies outside the trusted domains.
    Domain,
    /// The cursor led on once (RFC 9865 section 2.1).
    ExpiredCursor,
}

impl Fault {
    /// The status and the `scimType`.
    #[must_use]
    pub const fn answer(self) -> (u16, Option<&'static str>) {
        match self {
            Self::Value => (400, Some("invalidValue")),
            Self::Syntax => (400, Some("invalidSyntax")),
            Self::Path => (400, Some("invalidPath")),
            Self::NoTarget => (400, Some("noTarget")),
            Self::Mutability => (400, Some("mutability")),
            Self::Filter => (400, Some("invalidFilter")),
            Self::Uniqueness => (409, Some("uniqueness")),
            Self::NotFound => (404, None),
            Self::Precondition => (412, None),
            Self::Tags => (400, None),
            Self::Domain => (403, None),
            Self::ExpiredCursor => (400, Some("expiredCursor")),
        }
    }
}
