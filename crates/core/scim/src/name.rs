//! Identifiers in the one form in which they are compared (I13).
//!
//! The local part follows `UsernameCaseMapped` (RFC 8265 section 3.3) closely: width and
//! compatibility mapping and normalisation (NFKC), lower case, no controls, spaces only singly and
//! inside. Beyond ASCII only characters that UTS #39 allows in identifiers may stand, of one
//! script (or Latin with Han, kana, hangul or bopomofo), and the whole must not look like an ASCII
//! name. The part after `@` becomes its ASCII form (UTS #46, non-transitional, STD3).

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;
use unicode_security::{
    GeneralSecurityProfile, RestrictionLevel, RestrictionLevelDetection, skeleton,
};

use crate::limits::NAME_BYTES_MAX;

/// A name in canonical form: two names are one exactly if their folded forms are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoldedName(String);

/// An identifier that a document sets, for the check against the trusted domains.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a record for the engine's domain check"
)]
pub struct Identifier {
    /// Where it stands in the document, as a JSON pointer.
    pub pointer: String,
    /// Its canonical text.
    pub text: String,
    /// The canonical ASCII domain, if the text holds `@`.
    pub domain: Option<String>,
}

/// Why an identifier is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameFault {
    /// Empty, or nothing before `@`.
    Empty,
    /// Longer than [`NAME_BYTES_MAX`].
    TooLong,
    /// A control, format or otherwise invisible character, or one that turns the writing direction.
    Invisible,
    /// White space other than single spaces inside.
    Space,
    /// A character that identifiers may not hold (UTS #39).
    Character,
    /// Characters of scripts that are easily mistaken for each other.
    MixedScripts,
    /// The whole name looks like another one written in ASCII.
    LookAlike,
    /// Two `@`, or a character that addresses may not hold.
    Address,
    /// What follows `@` is no domain name.
    Domain,
}

impl FoldedName {
    /// Canonicalises a userName.
    ///
    /// # Errors
    ///
    /// Every [`NameFault`].
    pub fn identifier(text: &str) -> Result<Self, NameFault> {
        if text.len() > NAME_BYTES_MAX {
            return Err(NameFault::TooLong);
        }
        let invisible = if text.is_ascii() {
            text.bytes().any(|byte| byte.is_ascii_control())
        } else {
            text.chars().any(is_invisible)
        };
        if invisible {
            return Err(NameFault::Invisible);
        }
        let folded = fold(text);
        let Some((local, domain)) = folded.rsplit_once('@') else {
            check_local(&folded)?;
            return Ok(Self(folded.into_owned()));
        };
        check_local(local)?;
        if !local.chars().all(is_address_character) {
            return Err(NameFault::Address);
        }
        let canonical = canonical_domain(domain)?;
        if *canonical == *domain {
            return Ok(Self(folded.into_owned()));
        }
        let mut name = String::with_capacity(folded.len());
        name.push_str(local);
        name.push('@');
        name.push_str(&canonical);
        Ok(Self(name))
    }

    /// Canonicalises an email address: as [`FoldedName::identifier`], and `@` must be there.
    ///
    /// # Errors
    ///
    /// Every [`NameFault`].
    pub fn email(text: &str) -> Result<Self, NameFault> {
        let name = Self::identifier(text)?;
        if name.domain().is_some() {
            Ok(name)
        } else {
            Err(NameFault::Address)
        }
    }

    /// Folds a text that is no identifier, such as a displayName, for comparison alone.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self(fold(text).into_owned())
    }

    /// The form of a searched identifier. One that could not be stored is folded as text, and
    /// so equals no stored one.
    #[must_use]
    pub fn lookup(text: &str) -> Self {
        Self::identifier(text).unwrap_or_else(|_| Self::text(text))
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The canonical text.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }

    /// The canonical ASCII domain after `@`.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.0.rsplit_once('@').map(|(_, domain)| domain)
    }
}

/// The form in which texts whose `caseExact` is false are compared: NFKC, lower case, final sigma
/// as sigma.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Cow::Owned(text.to_ascii_lowercase());
        }
        return Cow::Borrowed(text);
    }
    let lower = |c: char| c.to_lowercase().map(|c| if c == 'ς' { 'σ' } else { c });
    Cow::Owned(text.nfkc().flat_map(lower).nfkc().collect())
}

/// The canonical ASCII form of a domain name.
///
/// # Errors
///
/// [`NameFault::Domain`], [`NameFault::MixedScripts`].
pub fn canonical_domain(domain: &str) -> Result<Cow<'_, str>, NameFault> {
    if is_plain_domain(domain) {
        return Ok(Cow::Borrowed(domain));
    }
    if domain.is_ascii() {
        // UTS #46 validates what hides behind "xn--", and folds case.
        return to_ascii(domain);
    }
    for label in domain.split(['.', '。']) {
        if !label.is_ascii() && !label.check_restriction_level(RestrictionLevel::HighlyRestrictive)
        {
            return Err(NameFault::MixedScripts);
        }
    }
    to_ascii(domain)
}

fn to_ascii(domain: &str) -> Result<Cow<'_, str>, NameFault> {
    Uts46::new()
        .to_ascii(
            domain.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::Check,
            DnsLength::Verify,
        )
        .map_err(|_refused| NameFault::Domain)
}

/// A lower-case ASCII name of plain labels: what nearly every address has.
fn is_plain_domain(domain: &str) -> bool {
    domain.len() <= 253
        && domain.split('.').all(|label| {
            let bytes = label.as_bytes();
            !bytes.is_empty()
                && bytes.len() <= 63
                && bytes.first() != Some(&b'-')
                && bytes.last() != Some(&b'-')
                && bytes.get(2..4) != Some(b"--")
                && bytes
                    .iter()
                    .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        })
}

fn check_local(local: &str) -> Result<(), NameFault> {
    if local.is_empty() {
        return Err(NameFault::Empty);
    }
    if local.starts_with(' ') || local.ends_with(' ') || local.contains("  ") {
        return Err(NameFault::Space);
    }
    if local.is_ascii() {
        return Ok(());
    }
    // Normalisation may have produced what the raw text did not show.
    for character in local.chars() {
        if is_invisible(character) {
            return Err(NameFault::Invisible);
        }
        if character != ' ' && character.is_whitespace() {
            return Err(NameFault::Space);
        }
        if !character.is_ascii() && !character.identifier_allowed() {
            return Err(NameFault::Character);
        }
    }
    let plain = local
        .chars()
        .filter(|c| !c.is_ascii_punctuation() && *c != ' ');
    let letters: String = plain.collect();
    if !letters
        .as_str()
        .check_restriction_level(RestrictionLevel::HighlyRestrictive)
    {
        return Err(NameFault::MixedScripts);
    }
    if skeleton(local).all(|c| c.is_ascii()) {
        return Err(NameFault::LookAlike);
    }
    Ok(())
}

/// `atext` and dot of RFC 5322, and beyond ASCII as RFC 6531 allows.
const fn is_address_character(character: char) -> bool {
    !character.is_ascii()
        || character.is_ascii_alphanumeric()
        || matches!(
            character,
            '!' | '#'
                | '$'
                | '%'
                | '&'
                | '\''
                | '*'
                | '+'
                | '-'
                | '/'
                | '='
                | '?'
                | '^'
                | '_'
                | '`'
                | '{'
                | '|'
                | '}'
                | '~'
                | '.'
        )
}

/// Controls, and the default-ignorable and direction-changing code points of Unicode.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it must not be empty"),
            Self::TooLong => write!(f, "at most {NAME_BYTES_MAX} bytes are allowed"),
            Self::Invisible => f.write_str("invisible and control characters are not allowed"),
            Self::Space => f.write_str("only single spaces inside are allowed"),
            Self::Character => f.write_str("it holds a character that identifiers may not hold"),
            Self::MixedScripts => f.write_str("it mixes scripts that are easily confused"),
            Self::LookAlike => f.write_str("it looks like another name written in ASCII"),
            Self::Address => f.write_str("it must be one address: local-part@domain"),
            Self::Domain => f.write_str("the part after @ must be a domain name"),
        }
    }
}

#[cfg(test)]
mod tests;
