//! Looking for secrets in bytes: raw, hex, base64, whatever stands before and after them.

use std::collections::{BTreeMap, BTreeSet};

use base64ct::{Base64Unpadded, Base64UrlUnpadded};

/// Shortest secret that is looked for, in bytes: its core in base64 must be long enough not to be met by
/// chance.
const SIZE_MIN: usize = 8;

/// Bytes by which the forms are sorted for the search.
const START: usize = 2;

/// A secret and the forms in which it could lie somewhere.
#[derive(Clone, Debug)]
pub struct Needle {
    name: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Needle {
    /// A secret under a name for messages.
    #[must_use]
    pub fn new(name: &str, secret: &[u8]) -> Self {
        assert!(
            secret.len() >= SIZE_MIN,
            "{name} is too short to be looked for"
        );
        let mut forms = vec![
            ("raw", secret.to_vec()),
            ("hex", hex::encode(secret).into_bytes()),
            ("HEX", hex::encode_upper(secret).into_bytes()),
        ];
        for shift in 0..3 {
            for (form, text) in [
                ("base64", core_of::<Base64Unpadded>(secret, shift)),
                ("base64url", core_of::<Base64UrlUnpadded>(secret, shift)),
            ] {
                forms.push((form, text));
            }
        }
        Self {
            name: name.to_owned(),
            forms,
        }
    }

    /// Text in the cases that it could be folded to, and as UTF-16.
    #[must_use]
    pub fn text(name: &str, secret: &str) -> Vec<Self> {
        let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
        vec![
            Self::new(name, secret.as_bytes()),
            Self::new(name, secret.to_lowercase().as_bytes()),
            Self::new(name, secret.to_uppercase().as_bytes()),
            Self::new(name, &wide),
        ]
    }
}

/// The characters of base64 that depend on the secret alone when `shift` bytes stand before it.
fn core_of<E: base64ct::Encoding>(secret: &[u8], shift: usize) -> Vec<u8> {
    let mut bytes = vec![0; shift];
    bytes.extend_from_slice(secret);
    let text = E::encode_string(&bytes).into_bytes();
    // `shift` bytes and what shares a character with them: 0, 2 or 3 characters.
    let first = (shift * 8).div_ceil(6);
    // The last character holds bits of what follows, unless it ends with the secret.
    let last = bytes.len() * 8 / 6;
    text.get(first..last).unwrap().to_vec()
}

/// A needle, the name of one of its forms, and that form.
type Form<'a> = (&'a Needle, &'a str, &'a [u8]);

/// Where in `hay` which needle lies, in words.
#[must_use]
pub fn found(needles: &[Needle], place: &str, hay: &[u8]) -> Vec<String> {
    // One pass over the hay, however many needles there are.
    let mut by_start: BTreeMap<[u8; START], Vec<Form<'_>>> = BTreeMap::new();
    let mut is_start = vec![false; 1 << 16];
    for needle in needles {
        for (form, bytes) in &needle.forms {
            let start = *bytes.first_chunk().unwrap();
            by_start
                .entry(start)
                .or_default()
                .push((needle, form, bytes));
            *is_start
                .get_mut(usize::from(u16::from_le_bytes(start)))
                .unwrap() = true;
        }
    }
    let mut all = BTreeSet::new();
    for (at, start) in hay.windows(START).enumerate() {
        let start: [u8; START] = start.try_into().unwrap();
        if !is_start
            .get(usize::from(u16::from_le_bytes(start)))
            .unwrap()
        {
            continue;
        }
        let rest = hay.get(at..).unwrap();
        for (needle, form, bytes) in by_start.get(&start).unwrap() {
            if rest.starts_with(bytes) {
                all.insert(format!("{} ({form}) in {place}", needle.name));
            }
        }
    }
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64ct::{Base64, Base64Url, Encoding as _};

    const SECRET: &[u8] = b"Ursula.Quicksilver@demo.example";

    #[test]
    fn finds_a_secret_in_every_form_and_at_every_alignment() {
        let needles = [Needle::new("canary", SECRET)];
        for before in 0..7_usize {
            for after in 0..4_usize {
                let raw = [&vec![0xfb; before], SECRET, &vec![0xef; after]].concat();
                for hay in [
                    raw.clone(),
                    hex::encode(&raw).into_bytes(),
                    hex::encode_upper(&raw).into_bytes(),
                    Base64::encode_string(&raw).into_bytes(),
                    Base64Url::encode_string(&raw).into_bytes(),
                ] {
                    assert!(!found(&needles, "hay", &hay).is_empty(), "{before} {after}");
                }
            }
        }
    }

    #[test]
    fn finds_folded_and_wide_text() {
        let needles = Needle::text("canary", "Ursula.Quicksilver");
        for hay in ["ursula.quicksilver", "URSULA.QUICKSILVER"] {
            assert!(!found(&needles, "hay", hay.as_bytes()).is_empty());
        }
        let wide: Vec<u8> = "xUrsula.Quicksilver"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert!(!found(&needles, "hay", &wide).is_empty());
    }

    #[test]
    fn finds_nothing_in_what_only_resembles_it() {
        let needles = [Needle::new("canary", SECRET)];
        let mut near = SECRET.to_vec();
        *near.last_mut().unwrap() ^= 1;
        for hay in [near.clone(), hex::encode(&near).into_bytes(), Vec::new()] {
            assert!(found(&needles, "hay", &hay).is_empty());
        }
    }
}
