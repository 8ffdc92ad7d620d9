//! Whether an answer is what a step expects, and what every answer of the service must be.

use chancery_e2e::Answer;
use serde_json::{Value, json};

use crate::format::Step;
use crate::pointer::{holds, select};
use crate::variables::Variables;

const MEDIA_TYPE: &str = "application/scim+json";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Everything that is wrong with an answer.
pub(crate) fn faults(
    step: &Step,
    answer: &Answer,
    variables: &Variables,
) -> Result<Vec<String>, String> {
    let mut faults = Vec::new();
    if answer.status != step.status {
        faults.push(format!(
            "the status is {} instead of {}",
            answer.status, step.status
        ));
        return Ok(faults);
    }
    let body = body(answer, &mut faults);
    always(answer, &body, &mut faults);
    if answer.status >= 400 {
        error(step, answer, &body, &mut faults);
    }
    for part in &step.detail {
        let part = variables.text(part)?;
        let detail = body.get("detail").and_then(Value::as_str).unwrap_or("");
        if !detail.contains(&part) {
            faults.push(format!("detail does not say `{part}`"));
        }
    }
    headers(step, answer, variables, &mut faults)?;
    values(step, &body, variables, &mut faults)?;
    Ok(faults)
}

/// The body as JSON; null if there is none.
pub(crate) fn body(answer: &Answer, faults: &mut Vec<String>) -> Value {
    if answer.body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| {
        faults.push(format!("the body is no JSON: {error}"));
        Value::Null
    })
}

/// What holds for every answer, whatever it is about.
fn always(answer: &Answer, body: &Value, faults: &mut Vec<String>) {
    let media_type = answer.header("content-type").unwrap_or_default();
    if !answer.body.is_empty() && !media_type.starts_with(MEDIA_TYPE) {
        faults.push(format!("the body is {media_type}"));
    }
    if [204, 304].contains(&answer.status) && !answer.body.is_empty() {
        faults.push("there is a body".to_owned());
    }
    let text = String::from_utf8_lossy(&answer.body);
    if text.contains("1mz050nq") {
        faults.push("a password is shown".to_owned());
    }
    let meta = |name: &str| select(body, &format!("/meta/{name}")).first().copied();
    if let (Some(location), Some(header)) = (meta("location"), answer.header("location"))
        && location != header
    {
        faults.push(format!("meta.location is {location}, Location {header}"));
    }
    if let (Some(version), Some(header)) = (meta("version"), answer.header("etag"))
        && version != header
    {
        faults.push(format!("meta.version is {version}, ETag {header}"));
    }
    if answer.status == 201 && answer.header("location").is_none() {
        faults.push("201 without Location".to_owned());
    }
}

/// RFC 7644 section 3.12.
fn error(step: &Step, answer: &Answer, body: &Value, faults: &mut Vec<String>) {
    let schemas = body.get("schemas");
    if schemas != Some(&json!([ERROR])) {
        faults.push("an error that is none of SCIM's".to_owned());
    }
    let status = body.get("status").and_then(Value::as_str);
    if status != Some(answer.status.to_string().as_str()) {
        faults.push("`status` is not the status, as a string".to_owned());
    }
    let scim_type = body.get("scimType").and_then(Value::as_str);
    if scim_type != step.scim_type.as_deref() {
        faults.push(format!(
            "scimType is {scim_type:?} instead of {:?}",
            step.scim_type
        ));
    }
    let detail = body.get("detail").and_then(Value::as_str);
    if detail.unwrap_or_default().is_empty() {
        faults.push("an error without detail".to_owned());
    }
    if answer.status == 401 && answer.header("www-authenticate").is_none() {
        faults.push("401 without WWW-Authenticate".to_owned());
    }
    if answer.status == 405 && answer.header("allow").is_none() {
        faults.push("405 without Allow".to_owned());
    }
}

fn headers(
    step: &Step,
    answer: &Answer,
    variables: &Variables,
    faults: &mut Vec<String>,
) -> Result<(), String> {
    for (name, wanted) in &step.answer_headers {
        let wanted = variables.text(wanted)?;
        let value = answer.header(name);
        let is_right = match wanted.as_str() {
            "*" => value.is_some(),
            "-" => value.is_none(),
            wanted => match wanted.strip_prefix('~') {
                Some(part) => value.is_some_and(|value| value.contains(part)),
                None => value == Some(wanted),
            },
        };
        if !is_right {
            faults.push(format!("header {name} is {value:?} instead of `{wanted}`"));
        }
    }
    Ok(())
}

fn values(
    step: &Step,
    body: &Value,
    variables: &Variables,
    faults: &mut Vec<String>,
) -> Result<(), String> {
    let found = |pointer: &str| -> Result<Vec<&Value>, String> {
        Ok(select(body, &variables.text(pointer)?))
    };
    for (pointer, wanted) in &step.equals {
        let (values, wanted) = (found(pointer)?, variables.json(wanted)?);
        if values.is_empty() || values.iter().any(|value| **value != wanted) {
            faults.push(format!(
                "{pointer} is {} instead of {wanted}",
                list(&values)
            ));
        }
    }
    for (pointer, other) in &step.differs {
        let (values, other) = (found(pointer)?, variables.json(other)?);
        if values.is_empty() || values.iter().any(|value| **value == other) {
            faults.push(format!("{pointer} is {} still", list(&values)));
        }
    }
    for (pointer, wanted) in &step.contains {
        let (values, wanted) = (found(pointer)?, variables.json(wanted)?);
        if !values.iter().any(|value| holds(value, &wanted)) {
            faults.push(format!("{pointer} is {} without {wanted}", list(&values)));
        }
    }
    for (pointer, unwanted) in &step.lacks {
        let (values, unwanted) = (found(pointer)?, variables.json(unwanted)?);
        if values.iter().any(|value| holds(value, &unwanted)) {
            faults.push(format!("{pointer} is {} with {unwanted}", list(&values)));
        }
    }
    for pointer in &step.present {
        if found(pointer)?.is_empty() {
            faults.push(format!("nothing stands under {pointer}"));
        }
    }
    for pointer in &step.absent {
        let values = found(pointer)?;
        if !values.is_empty() {
            faults.push(format!("{} stands under {pointer}", list(&values)));
        }
    }
    for (pointer, wanted) in &step.length {
        let values = found(pointer)?;
        let lengths: Vec<Option<usize>> = values
            .iter()
            .map(|value| value.as_array().map(Vec::len))
            .collect();
        if lengths != [Some(*wanted)] {
            faults.push(format!("{pointer} has {lengths:?} instead of {wanted}"));
        }
    }
    Ok(())
}

fn list(values: &[&Value]) -> String {
    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    match texts.as_slice() {
        [] => "not there".to_owned(),
        [one] => one.clone(),
        more => more.join(", "),
    }
}

#[cfg(test)]
mod tests;
