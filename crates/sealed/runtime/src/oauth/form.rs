//! `application/x-www-form-urlencoded` (<https://url.spec.whatwg.org/#urlencoded-parsing>), read strictly.

use std::collections::BTreeMap;

/// Most parameters of one request: five are known, and those that are not are ignored.
const PARAMETERS_MAX: usize = 32;

/// Reads a form; none if a parameter is there twice (RFC 6749 section 3.2), or something is not of its
/// form. A parameter without a value counts as left out.
pub(super) fn parse(body: &[u8]) -> Option<BTreeMap<String, String>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut parameters = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let before = parameters.insert(decoded(name)?, decoded(value)?);
        if before.is_some() || parameters.len() > PARAMETERS_MAX {
            return None;
        }
    }
    parameters.retain(|_, value| !value.is_empty());
    Some(parameters)
}

/// Undoes the encoding of a name, a value, or one part of a Basic credential (RFC 6749 appendix B).
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut one = [0];
                hex::decode_to_slice([rest.next()?, rest.next()?], &mut one).ok()?;
                bytes.extend(one);
            }
            plain => bytes.push(plain),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_parameter_once_and_ignores_those_without_a_value() {
        let read = parse(b"a=1&b=x%20y+z&&c=&d&e=%C3%A9%3D&").unwrap();
        let pairs: Vec<(&str, &str)> = read
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(pairs, [("a", "1"), ("b", "x y z"), ("e", "é=")]);
        assert!(parse(b"").unwrap().is_empty());
    }

    #[test]
    fn refuses_a_parameter_that_is_there_twice_however_it_is_spelt() {
        for body in ["a=1&a=1", "a=1&%61=2", "a=1&a=", "a&a", "a+b=1&a%20b=2"] {
            assert!(parse(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn refuses_what_is_not_of_its_form() {
        for body in ["a=%", "a=%4", "a=%zz", "a=%+4", "a=%ff", "%=1"] {
            assert!(parse(body.as_bytes()).is_none(), "{body}");
        }
        assert!(parse(b"a=\xff").is_none());
        let many: Vec<String> = (0..=PARAMETERS_MAX).map(|n| format!("p{n}=1")).collect();
        assert!(parse(many[1..].join("&").as_bytes()).is_some());
        assert!(parse(many.join("&").as_bytes()).is_none());
    }
}
