//! `application/x-www-form-urlencoded`, as queries and forms use it: no parameter twice (RFC 6749 section 3.1).

use std::collections::BTreeMap;

/// Longest form or query, in bytes: a login hint, a nonce and a redirect address are far shorter.
pub(crate) const FORM_SIZE_MAX: usize = 8 * 1024;
/// Most parameters.
const PARAMETERS_MAX: usize = 32;

/// The parameters of a query or a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    fields: BTreeMap<String, String>,
}

impl Form {
    /// Reads one; nothing if it is too long, has too many parameters or one of them twice, or is not UTF-8 after decoding.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > FORM_SIZE_MAX {
            return None;
        }
        let mut fields = BTreeMap::new();
        for pair in text.split(|byte| *byte == b'&') {
            if pair.is_empty() {
                continue;
            }
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let name = decode(parts.next()?)?;
            let value = decode(parts.next().unwrap_or_default())?;
            if fields.insert(name, value).is_some() || fields.len() > PARAMETERS_MAX {
                return None;
            }
        }
        Some(Self { fields })
    }

    /// A parameter; an empty one counts as absent (RFC 6749 section 3.1).
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let value = self.fields.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }
}

/// Writes parameters as a query or a form.
#[must_use]
pub fn encode_form(fields: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        encode(&mut out, name);
        out.push('=');
        encode(&mut out, value);
    }
    out
}

fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

fn decode(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = hex(*rest.next()?)?;
                (high << 4) | hex(*rest.next()?)?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote() {
        let text = encode_form(&[("a", "1 & 2=3"), ("ü", "100%+\u{1f600}"), ("empty", "")]);
        let form = Form::parse(text.as_bytes()).unwrap();
        assert_eq!(form.value("a"), Some("1 & 2=3"));
        assert_eq!(form.value("ü"), Some("100%+\u{1f600}"));
        assert_eq!(form.value("empty"), None);
        assert_eq!(form.value("absent"), None);
        assert_eq!(
            Form::parse(b"a=b+c&d").unwrap().value("a"),
            Some("b c"),
            "a plus is a space"
        );
    }

    #[test]
    fn refuses_doubles_and_what_is_no_text_or_too_much() {
        for text in [
            b"a=1&a=1".as_slice(),
            b"a=1&%61=2",
            b"a=%",
            b"a=%4",
            b"a=%zz",
            b"a=%+1",
            b"a=%ff",
        ] {
            assert_eq!(Form::parse(text), None, "{text:?}");
        }
        let many: Vec<String> = (0..=PARAMETERS_MAX).map(|n| format!("p{n}=1")).collect();
        assert_eq!(Form::parse(many.join("&").as_bytes()), None);
        assert!(Form::parse(many[1..].join("&").as_bytes()).is_some());
        let long = format!("a={}", "x".repeat(FORM_SIZE_MAX));
        assert_eq!(Form::parse(long.as_bytes()), None);
        assert!(Form::parse(&long.as_bytes()[..FORM_SIZE_MAX]).is_some());
    }
}
