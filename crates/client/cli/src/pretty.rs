//! Documents as an editor wants them: one member per line, indented. What is signed is always the one
//! encoding; this layout is for reading and editing before.

use chancery_json::{Limits, Value};

/// The columns of one level.
const INDENT: &str = "  ";

/// Lays out a document that this program made, with a line end.
pub(crate) fn pretty(document: &[u8]) -> String {
    let mut out = String::new();
    match Value::parse(document, &Limits::DOCUMENT) {
        Ok(value) => lay_out(&value, 0, &mut out),
        // A document of ours always parses; were it not to, its bytes are still the document.
        Err(_) => out.push_str(&String::from_utf8_lossy(document)),
    }
    out.push('\n');
    out
}

fn lay_out(value: &Value, level: usize, out: &mut String) {
    match value {
        Value::Object(object) if !object.is_empty() => {
            let members = object.iter().map(|(name, value)| (Some(name), value));
            lay_out_all(('{', '}'), members, level, out);
        }
        Value::Array(items) if !items.is_empty() => {
            let items = items.iter().map(|value| (None, value));
            lay_out_all(('[', ']'), items, level, out);
        }
        other => out.push_str(&String::from_utf8_lossy(&other.to_bytes())),
    }
}

fn lay_out_all<'a>(
    (open, close): (char, char),
    parts: impl Iterator<Item = (Option<&'a str>, &'a Value)>,
    level: usize,
    out: &mut String,
) {
    out.push(open);
    for (place, (name, value)) in parts.enumerate() {
        out.push_str(if place == 0 { "\n" } else { ",\n" });
        out.push_str(&INDENT.repeat(level.saturating_add(1)));
        if let Some(name) = name {
            out.push_str(&String::from_utf8_lossy(&Value::from(name).to_bytes()));
            out.push_str(": ");
        }
        lay_out(value, level.saturating_add(1), out);
    }
    out.push('\n');
    out.push_str(&INDENT.repeat(level));
    out.push(close);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lays_out_one_member_per_line_and_loses_nothing() {
        let document = br#"{"a":1,"b":["x\"y",{"c":null}],"d":[],"e":{}}"#;
        let text = pretty(document);
        assert_eq!(
            text,
            "{\n  \"a\": 1,\n  \"b\": [\n    \"x\\\"y\",\n    {\n      \"c\": null\n    }\n  ],\n  \"d\": [],\n  \"e\": {}\n}\n"
        );
        let again = Value::parse(text.as_bytes(), &Limits::DOCUMENT).unwrap();
        assert_eq!(again.to_bytes(), document);
    }
}
