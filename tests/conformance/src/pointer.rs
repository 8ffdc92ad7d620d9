//! JSON pointers (RFC 6901) with two additions: `*` stands for every member, and `[name=text]` for the
//! members of a list whose `name` is this text.

use serde_json::Value;

/// Every value that a pointer leads to.
pub(crate) fn select<'v>(root: &'v Value, pointer: &str) -> Vec<&'v Value> {
    let mut found = vec![root];
    for segment in pointer.split('/').skip(1) {
        found = found
            .into_iter()
            .flat_map(|value| step(value, segment))
            .collect();
    }
    found
}

fn step<'v>(value: &'v Value, segment: &str) -> Vec<&'v Value> {
    let by_text = segment
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .and_then(|inner| inner.split_once('='));
    match value {
        Value::Array(items) if segment == "*" => items.iter().collect(),
        Value::Array(items) => match by_text {
            Some((name, text)) => items
                .iter()
                .filter(|item| item.get(name).and_then(Value::as_str) == Some(text))
                .collect(),
            None => {
                let index = segment.parse::<usize>().ok();
                index
                    .and_then(|index| items.get(index))
                    .into_iter()
                    .collect()
            }
        },
        Value::Object(members) if segment == "*" => members.values().collect(),
        Value::Object(members) => {
            let name = segment.replace("~1", "/").replace("~0", "~");
            members.get(&name).into_iter().collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// Whether a value holds another: a text its part, a list an element that includes it.
pub(crate) fn holds(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (Value::Array(items), wanted) => items.iter().any(|item| includes(item, wanted)),
        (value, wanted) => includes(value, wanted),
    }
}

/// Whether a value is the wanted one, other members of objects apart.
fn includes(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Object(members), Value::Object(wanted)) => wanted.iter().all(|(name, wanted)| {
            members
                .get(name)
                .is_some_and(|value| includes(value, wanted))
        }),
        _ => value == wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn leads_to_members_by_name_number_text_and_all() {
        let root = json!({"a/b": 1, "list": [{"name": "x", "n": 1}, {"name": "y", "n": 2}]});
        let numbers =
            |pointer: &str| -> Vec<Value> { select(&root, pointer).into_iter().cloned().collect() };
        assert_eq!(numbers(""), vec![root.clone()]);
        assert_eq!(numbers("/a~1b"), [json!(1)]);
        assert_eq!(numbers("/list/1/n"), [json!(2)]);
        assert_eq!(numbers("/list/*/n"), [json!(1), json!(2)]);
        assert_eq!(numbers("/list/[name=y]/n"), [json!(2)]);
        for nothing in ["/list/2", "/list/[name=z]", "/b", "/a~1b/c", "/list/n"] {
            assert_eq!(numbers(nothing), Vec::<Value>::new(), "{nothing}");
        }
    }

    #[test]
    fn holds_parts_of_texts_and_of_members() {
        let list = json!([{"a": 1, "b": {"c": 2, "d": 3}}]);
        assert!(holds(&json!("some text"), &json!("me te")));
        assert!(holds(&list, &json!({"b": {"c": 2}})));
        assert!(!holds(&list, &json!({"b": {"c": 3}})));
        assert!(!holds(&json!(["text"]), &json!("tex")));
        assert!(!holds(&json!([]), &json!({})));
    }
}
