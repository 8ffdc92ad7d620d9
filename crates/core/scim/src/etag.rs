//! Weak entity tags and their preconditions (RFC 7644 section 3.14, RFC 9110 section 13.1).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Error;
use crate::limits::ENTITY_TAGS_MAX;

/// The weak entity tag of a version: equal in the `ETag` header and in `meta.version`.
#[must_use]
pub fn weak_etag(version: &str) -> String {
    format!("W/\"{version}\"")
}

/// A parsed `If-Match` or `If-None-Match` header.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntityTags {
    /// `*`: whatever version there is.
    Any,
    /// One of these opaque tags, compared weakly.
    List(Vec<String>),
}

impl EntityTags {
    /// Parses the header's value.
    ///
    /// # Errors
    ///
    /// [`Error::EntityTag`].
    pub fn parse(header: &str) -> Result<Self, Error> {
        let mut rest = header.trim();
        if rest == "*" {
            return Ok(Self::Any);
        }
        let mut tags = Vec::new();
        loop {
            let opaque = rest.strip_prefix("W/").unwrap_or(rest);
            let opaque = opaque.strip_prefix('"').ok_or(Error::EntityTag)?;
            let (tag, after) = opaque.split_once('"').ok_or(Error::EntityTag)?;
            if tag.bytes().any(|byte| byte <= b' ' || byte == 0x7f) || tags.len() >= ENTITY_TAGS_MAX
            {
                return Err(Error::EntityTag);
            }
            tags.push(tag.into());
            rest = after.trim_start();
            if rest.is_empty() {
                return Ok(Self::List(tags));
            }
            rest = rest.strip_prefix(',').ok_or(Error::EntityTag)?.trim_start();
        }
    }

    /// Whether the current version is among the tags (weak comparison).
    #[must_use]
    pub fn matches(&self, version: &str) -> bool {
        match self {
            Self::Any => true,
            Self::List(tags) => tags.iter().any(|tag| tag == version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_weakly_and_in_lists() {
        for header in [
            "*",
            " * ",
            "W/\"7\"",
            "\"7\"",
            "\"a\", W/\"7\"",
            "\"a\",\"7\" , \"b,c\"",
        ] {
            assert!(EntityTags::parse(header).unwrap().matches("7"), "{header}");
        }
        assert!(!EntityTags::parse("W/\"6\", \"77\"").unwrap().matches("7"));
        assert!(EntityTags::parse(&weak_etag("x")).unwrap().matches("x"));
    }

    #[test]
    fn refuses_what_is_no_list_of_tags() {
        let long = std::vec!["\"a\""; ENTITY_TAGS_MAX + 1].join(",");
        for header in [
            "",
            "7",
            "W/7",
            "\"7",
            "\"7\" \"8\"",
            "\"7\",",
            ",\"7\"",
            "w/\"7\"",
            "\"a b\"",
            &long,
        ] {
            assert_eq!(EntityTags::parse(header), Err(Error::EntityTag), "{header}");
        }
    }
}
