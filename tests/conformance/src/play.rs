//! Plays cases and sequences against a service, step by step.

use std::fmt;

use chancery_e2e::Answer;
use serde_json::{Map, Value, json};

use crate::format::{Case, Confidence, Operation, Provider, Speaker, Step, TlsVersion};
use crate::judge;
use crate::pointer::select;
use crate::stage::Voices;
use crate::variables::Variables;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// The longest text of a request or an answer in a report, in characters.
const SHOWN_MAX: usize = 1500;

/// A step that did not go as expected: everything that a reader needs to see why.
#[derive(Clone, Debug)]
pub struct Failure {
    step: String,
    request: String,
    answer: String,
    faults: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  at {}", self.step)?;
        for fault in &self.faults {
            writeln!(f, "    {fault}")?;
        }
        writeln!(f, "  request: {}", self.request)?;
        writeln!(f, "  answer:  {}", self.answer)
    }
}

/// Plays a case with names of its own.
///
/// # Errors
/// The first step that fails.
pub fn play_case(voices: &mut Voices<'_>, case: &Case, unique: &str) -> Result<(), Box<Failure>> {
    let mut play = Play::new(voices, TlsVersion::V13, Vec::new(), unique);
    for (name, own) in &case.users {
        let user = json!({"schemas": [USER], "userName": format!("{unique}.{name}@demo.example")});
        play.given("POST /Users", name, user, own)?;
    }
    for (name, own) in &case.groups {
        let group = json!({"schemas": [GROUP], "displayName": format!("{unique} {name}")});
        play.given("POST /Groups", name, group, own)?;
    }
    for (number, step) in case.steps.iter().enumerate() {
        play.step(step, number)?;
    }
    Ok(())
}

/// Plays a provider's sequence; the operations that it passed.
///
/// # Errors
/// The first step that fails.
pub fn play_provider(
    voices: &mut Voices<'_>,
    provider: &Provider,
    unique: &str,
) -> Result<Vec<(Operation, Confidence)>, Box<Failure>> {
    let headers = provider.headers.iter();
    let headers = headers.map(|(name, value)| (name.clone(), value.clone()));
    let mut play = Play::new(voices, provider.tls, headers.collect(), unique);
    let mut passed = Vec::new();
    for (number, step) in provider.steps.iter().enumerate() {
        play.step(step, number)?;
        if let Some(operation) = step.operation {
            passed.push((operation, step.confidence.unwrap_or(provider.confidence)));
        }
    }
    Ok(passed)
}

struct Play<'p, 's> {
    voices: &'p mut Voices<'s>,
    tls: TlsVersion,
    headers: Vec<(String, String)>,
    variables: Variables,
}

impl<'p, 's> Play<'p, 's> {
    fn new(
        voices: &'p mut Voices<'s>,
        tls: TlsVersion,
        headers: Vec<(String, String)>,
        unique: &str,
    ) -> Self {
        let mut variables = Variables::default();
        variables.set("unique", unique);
        variables.set("UNIQUE", unique.to_uppercase());
        variables.set("base", voices.stage().base());
        Self {
            voices,
            tls,
            headers,
            variables,
        }
    }

    /// Makes a resource and keeps its id, its version and its whole under its name.
    fn given(
        &mut self,
        send: &str,
        name: &str,
        mut body: Value,
        own: &Map<String, Value>,
    ) -> Result<(), Box<Failure>> {
        if let Value::Object(body) = &mut body {
            body.extend(own.clone());
        }
        let step = json!({"send": send, "body": body, "status": 201, "capture": {
            name: "/id", format!("{name}.version"): "header:etag", format!("{name}.whole"): "",
            format!("{name}.modified"): "/meta/lastModified",
        }});
        let step = serde_json::from_value(step)
            .map_err(|error| failure(send, &["the resource that is given"], &error.to_string()))?;
        self.step(&step, 0)
    }

    fn step(&mut self, step: &Step, number: usize) -> Result<(), Box<Failure>> {
        let place = format!("step {} ({})", number.saturating_add(1), step.send);
        let unready = |fault: String| failure(&place, &[&fault], "");
        let request = Request::new(self, step).map_err(unready)?;
        let headers: Vec<(&str, &str)> = request
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let answer = self.voices.ask(
            (step.speaker, self.tls),
            (step.method(), &request.path),
            &headers,
            &request.body,
        );
        let answer = answer.map_err(|error| {
            let said = format!("no answer: {error}");
            failure(&place, &[&said], &request.text(step))
        })?;
        let mut faults = judge::faults(step, &answer, &self.variables).map_err(unready)?;
        if faults.is_empty() {
            self.capture(step, &answer, &mut faults);
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(Box::new(Failure {
            step: place,
            request: request.text(step),
            answer: shown(&format!("{} {:?}", answer.text(), answer.headers)),
            faults,
        }))
    }

    fn capture(&mut self, step: &Step, answer: &Answer, faults: &mut Vec<String>) {
        let body = judge::body(answer, faults);
        for (name, place) in &step.capture {
            let value = match place.strip_prefix("header:") {
                Some(header) => answer.header(header).map(Value::from),
                None => select(&body, place).first().map(|value| (*value).clone()),
            };
            match value {
                Some(value) => self.variables.set(name.as_str(), value),
                None => faults.push(format!("nothing to capture under {place}")),
            }
        }
    }
}

fn failure(step: &str, faults: &[&str], request: &str) -> Box<Failure> {
    Box::new(Failure {
        step: step.to_owned(),
        request: request.to_owned(),
        answer: String::new(),
        faults: faults.iter().map(|fault| (*fault).to_owned()).collect(),
    })
}

/// A request with every variable replaced.
struct Request {
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn new(play: &Play<'_, '_>, step: &Step) -> Result<Self, String> {
        let variables = &play.variables;
        let mut path = variables.text(step.path())?;
        for (name, value) in &step.query {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(&encoded(name));
            path.push('=');
            path.push_str(&encoded(&variables.text(value)?));
        }
        let body = match (&step.body, &step.raw, &step.hex) {
            (Some(body), _, _) => variables.json(body)?.to_string().into_bytes(),
            (None, Some(raw), _) => variables.text(raw)?.into_bytes(),
            (None, None, Some(digits)) => bytes(digits)?,
            (None, None, None) => Vec::new(),
        };
        let mut headers: Vec<(String, String)> = play
            .headers
            .iter()
            .filter(|(name, _)| !step.headers.contains_key(name))
            .cloned()
            .collect();
        for (name, value) in &step.headers {
            headers.push((name.clone(), variables.text(value)?));
        }
        Ok(Self {
            path,
            headers,
            body,
        })
    }

    fn text(&self, step: &Step) -> String {
        let speaker = match step.speaker {
            Speaker::Owner => String::new(),
            other => format!(" as {other:?}"),
        };
        let (method, path) = (step.method(), shown(&self.path));
        let body = shown(&String::from_utf8_lossy(&self.body));
        format!("{method} {path}{speaker} {:?} {body}", self.headers)
    }
}

fn bytes(digits: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("`{digits}` are no bytes");
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return Err(wrong());
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| {
            let pair = digits.get(at..).and_then(|rest| rest.get(..2));
            pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .ok_or_else(wrong)
        })
        .collect()
}

/// Percent-encoding of everything that is not unreserved (RFC 3986 section 2.3).
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_bytes_or_refused() {
        assert_eq!(bytes("7bff00"), Ok(vec![0x7b, 0xff, 0]));
        for wrong in ["7", "7x", "é"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_unreserved_characters_are_sent_as_they_are() {
        assert_eq!(encoded("aZ0-._~ \"é+&"), "aZ0-._~%20%22%C3%A9%2B%26");
    }
}
