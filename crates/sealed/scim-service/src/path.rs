//! Paths as clients write them: with some octets percent-encoded (RFC 3986 section 2.1).

use std::borrow::Cow;

/// The path with every octet as itself; none if an escape is broken or the octets are no text.
///
/// A `/` that was encoded divides segments as any other: no identifier of ours has one.
pub(crate) fn decoded(path: &str) -> Option<Cow<'_, str>> {
    if !path.contains('%') {
        return Some(Cow::Borrowed(path));
    }
    let mut octets = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let mut value = [0];
                hex::decode_to_slice(digits, &mut value).ok()?;
                let [value] = value;
                value
            }
            other => other,
        });
    }
    String::from_utf8(octets).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_octets_mean_what_they_encode() {
        for (path, meant) in [
            ("/Users", "/Users"),
            ("/%55sers", "/Users"),
            (
                "/Schemas/urn%3Aietf%3aparams:scim",
                "/Schemas/urn:ietf:params:scim",
            ),
            ("/Users/%C3%A9", "/Users/é"),
            ("/Users/a+b", "/Users/a+b"),
            ("/Users/a%2Fb", "/Users/a/b"),
            ("/Users/%2541", "/Users/%41"),
        ] {
            assert_eq!(decoded(path).as_deref(), Some(meant), "{path}");
        }
    }

    #[test]
    fn broken_escapes_and_octets_that_are_no_text_mean_nothing() {
        for path in ["/%", "/%4", "/%zz", "/%+1", "/Users/%C3", "/Users/%ff"] {
            assert_eq!(decoded(path), None, "{path}");
        }
    }
}
