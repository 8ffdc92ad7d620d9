//! Cursors (RFC 9865): where a list goes on, bound to the list, the tenant and whoever asked.
//!
//! A cursor is no secret and keeps no state here. It names the last resource that was shown, so that
//! whatever is created or deleted meanwhile makes no other resource appear twice or not at all, and it
//! is authenticated, so that nobody else's list can be entered by it. In a sorted list the resource itself
//! marks the place: once it is gone the cursor has expired.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use chancery_scim::Error;
use chancery_scim::limits::{CURSOR_BYTES_MAX, CURSOR_LIFE_S};
use chancery_sealing::{Key, same_bytes};

use crate::route::Caller;

/// Derivation label of the authentication tag.
const LABEL: &str = "chancery/scim/cursor/v1";
/// Version, direction, number, expiry in seconds since the Unix epoch.
const BODY_BYTES: usize = 1 + 1 + 8 + 8;
/// Bytes of the tag that are kept.
const TAG_BYTES: usize = 16;
const VERSION: u8 = 1;

/// Which way a cursor leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To what comes after the resource.
    After,
    /// To what comes before it.
    Before,
}

/// A place in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) direction: Direction,
    /// Number of the resource beside which the place is.
    pub(crate) sequence: u64,
}

/// What cursors of one list are bound to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding<'a> {
    pub(crate) key: &'a Key,
    pub(crate) caller: &'a Caller,
    /// The path that was asked.
    pub(crate) list: &'a str,
    /// Filter and order as they were sent.
    pub(crate) query: &'a str,
    pub(crate) now_ms: u64,
}

impl Binding<'_> {
    /// The text of a cursor: unreserved characters of RFC 3986 alone.
    pub(crate) fn seal(&self, place: Place) -> String {
        let expires_s = (self.now_ms / 1000).saturating_add(CURSOR_LIFE_S);
        let mut bytes = Vec::with_capacity(BODY_BYTES + TAG_BYTES);
        bytes.push(VERSION);
        bytes.push(match place.direction {
            Direction::After => 0,
            Direction::Before => 1,
        });
        for number in [place.sequence, expires_s] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        let tag = self.tag(&bytes);
        bytes.extend_from_slice(tag.get(..TAG_BYTES).unwrap_or_default());
        Base64UrlUnpadded::encode_string(&bytes)
    }

    /// Reads a cursor that [`Binding::seal`] made for the same list.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCursor`], [`Error::ExpiredCursor`].
    pub(crate) fn open(&self, text: &str) -> Result<Place, Error> {
        if text.len() > CURSOR_BYTES_MAX {
            return Err(Error::InvalidCursor);
        }
        let bytes = Base64UrlUnpadded::decode_vec(text).map_err(|_base64| Error::InvalidCursor)?;
        let (body, tag) = bytes
            .split_at_checked(BODY_BYTES)
            .ok_or(Error::InvalidCursor)?;
        let expected = self.tag(body);
        if !same_bytes(tag, expected.get(..TAG_BYTES).unwrap_or_default()) {
            return Err(Error::InvalidCursor);
        }
        let ([VERSION, direction], numbers) =
            body.split_first_chunk::<2>().ok_or(Error::InvalidCursor)?
        else {
            return Err(Error::InvalidCursor);
        };
        let number = |index: usize| {
            let bytes = numbers.chunks_exact(8).nth(index)?;
            Some(u64::from_be_bytes(bytes.try_into().ok()?))
        };
        let (Some(sequence), Some(expires_s)) = (number(0), number(1)) else {
            return Err(Error::InvalidCursor);
        };
        if self.now_ms / 1000 >= expires_s {
            return Err(Error::ExpiredCursor);
        }
        Ok(Place {
            direction: match direction {
                0 => Direction::After,
                _ => Direction::Before,
            },
            sequence,
        })
    }

    fn tag(&self, body: &[u8]) -> [u8; 32] {
        let mut bound = Vec::with_capacity(256);
        bound.extend_from_slice(self.caller.tenant.as_bytes());
        bound.extend_from_slice(&self.caller.credential);
        // Each part is preceded by its length, so that no two lists are bound alike.
        for part in [self.list.as_bytes(), self.query.as_bytes(), body] {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            bound.extend_from_slice(&length.to_be_bytes());
            bound.extend_from_slice(part);
        }
        self.key.tag(LABEL, &bound)
    }
}

#[cfg(test)]
mod tests {
    use chancery_authority::TenantId;

    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;
    const PLACE: Place = Place {
        direction: Direction::Before,
        sequence: 77,
    };

    fn caller(tenant: u8, credential: u8) -> Caller {
        Caller {
            tenant: TenantId::from_bytes([tenant; 16]),
            credential: [credential; 32],
            base: String::new(),
        }
    }

    fn binding<'a>(key: &'a Key, caller: &'a Caller) -> Binding<'a> {
        Binding {
            key,
            caller,
            list: "/Users",
            query: "title pr",
            now_ms: NOW_MS,
        }
    }

    #[test]
    fn a_cursor_leads_back_to_its_place_while_it_lives() {
        let (key, caller) = (Key::from_bytes([7; 32]), caller(1, 2));
        let bound = binding(&key, &caller);
        let text = bound.seal(PLACE);
        let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        assert!(text.chars().all(unreserved) && text.len() < CURSOR_BYTES_MAX);
        assert_eq!(bound.open(&text), Ok(PLACE));
        let at = |later_s: u64| Binding {
            now_ms: NOW_MS + later_s * 1000,
            ..bound
        };
        assert_eq!(at(CURSOR_LIFE_S - 1).open(&text), Ok(PLACE));
        assert_eq!(at(CURSOR_LIFE_S).open(&text), Err(Error::ExpiredCursor));
    }

    #[test]
    fn a_cursor_is_good_for_nothing_else() {
        let (key, caller_1) = (Key::from_bytes([7; 32]), caller(1, 2));
        let bound = binding(&key, &caller_1);
        let text = bound.seal(PLACE);
        let other_key = Key::from_bytes([8; 32]);
        let (other_tenant, other_credential) = (caller(3, 2), caller(1, 3));
        for other in [
            binding(&other_key, &caller_1),
            binding(&key, &other_tenant),
            binding(&key, &other_credential),
            Binding {
                list: "/Groups",
                ..bound
            },
            Binding {
                query: "title p",
                ..bound
            },
            Binding {
                list: "/Userst",
                query: "itle pr",
                ..bound
            },
        ] {
            assert_eq!(other.open(&text), Err(Error::InvalidCursor));
        }
    }

    #[test]
    fn a_cursor_that_was_touched_is_refused() {
        let (key, caller) = (Key::from_bytes([7; 32]), caller(1, 2));
        let bound = binding(&key, &caller);
        let text = bound.seal(PLACE);
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let touched = String::from_utf8(bytes).unwrap();
            assert_eq!(bound.open(&touched), Err(Error::InvalidCursor), "{at}");
            let cut = text.get(..at).unwrap();
            assert_eq!(bound.open(cut), Err(Error::InvalidCursor), "{at}");
        }
        for text in [
            "",
            "x",
            "é",
            "AAAA====",
            &"A".repeat(300),
            &format!("{text}A"),
        ] {
            assert_eq!(bound.open(text), Err(Error::InvalidCursor), "{text}");
        }
    }
}
