//! Variables: `{{name}}` in texts. A text that is one variable alone becomes its value, whatever that is;
//! `{{repeat:text:number}}` is the text so many times.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What is known under which name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables(BTreeMap<String, Value>);

impl Variables {
    pub(crate) fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    fn value(&self, name: &str) -> Result<Value, String> {
        if let Some((text, number)) = name
            .strip_prefix("repeat:")
            .and_then(|rest| rest.rsplit_once(':'))
        {
            let number: usize = number
                .parse()
                .map_err(|error| format!("{{{{{name}}}}}: {error}"))?;
            return Ok(Value::String(text.repeat(number)));
        }
        let found = self.0.get(name).cloned();
        found.ok_or_else(|| format!("{{{{{name}}}}} was never captured"))
    }

    /// A text with every variable replaced.
    pub(crate) fn text(&self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, behind) = after
                .split_once("}}")
                .ok_or_else(|| format!("`{text}`: a variable has no end"))?;
            out.push_str(before);
            match self.value(name)? {
                Value::String(text) => out.push_str(&text),
                other => out.push_str(&other.to_string()),
            }
            rest = behind;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// A value with every variable replaced, in names too.
    pub(crate) fn json(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => match sole(text) {
                Some(name) => self.value(name)?,
                None => Value::String(self.text(text)?),
            },
            Value::Array(items) => Value::Array(
                items
                    .iter()
                    .map(|item| self.json(item))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Object(members) => Value::Object(self.object(members)?),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    pub(crate) fn object(
        &self,
        members: &Map<String, Value>,
    ) -> Result<Map<String, Value>, String> {
        members
            .iter()
            .map(|(name, value)| Ok((self.text(name)?, self.json(value)?)))
            .collect()
    }
}

/// The name of the variable that a text consists of.
fn sole(text: &str) -> Option<&str> {
    let name = text.strip_prefix("{{")?.strip_suffix("}}")?;
    (!name.contains("}}")).then_some(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn replaces_variables_in_texts_names_and_whole_values() {
        let mut variables = Variables::default();
        variables.set("id", "7");
        variables.set("read", json!({"a": [1]}));
        let value = variables.json(&json!({"{{id}}": ["x{{id}}y{{id}}", "{{read}}", null]}));
        assert_eq!(value, Ok(json!({"7": ["x7y7", {"a": [1]}, null]})));
        assert_eq!(variables.text("{{repeat:ab:3}}!"), Ok("ababab!".to_owned()));
    }

    #[test]
    fn refuses_what_is_not_known() {
        let variables = Variables::default();
        assert!(variables.text("{{id}}").is_err());
        assert!(variables.text("{{id").is_err());
        assert!(variables.json(&json!(["{{id}}"])).is_err());
        assert!(variables.text("{{repeat:x:y}}").is_err());
    }
}
