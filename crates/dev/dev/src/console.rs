//! The one place that prints. A reader that has gone away is no reason to stop.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use chancery_json::{Object, Value};
use indicatif::{ProgressBar, ProgressStyle};

use crate::error::DevError;

/// How often the spinner turns.
const SPINNER_TICK: Duration = Duration::from_millis(120);

/// Where a person or a program reads what happens.
#[derive(Debug)]
pub(crate) struct Console {
    json: bool,
    progress: ProgressBar,
}

impl Console {
    /// JSON lines, or words with a spinner if a terminal shows them.
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            progress: ProgressBar::hidden(),
        }
    }

    fn shows_progress(&self) -> bool {
        !self.json && std::io::stderr().is_terminal()
    }

    /// A console that turns a spinner while it waits.
    pub(crate) fn with_spinner(&self) -> Self {
        let progress = if self.shows_progress() {
            let spinner = ProgressBar::new_spinner();
            spinner.enable_steady_tick(SPINNER_TICK);
            spinner
        } else {
            ProgressBar::hidden()
        };
        Self {
            json: self.json,
            progress,
        }
    }

    /// A bar of `length` steps; hidden for programs.
    pub(crate) fn bar(&self, length: u64) -> ProgressBar {
        if !self.shows_progress() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(length);
        let template = "{msg:22} {bar:32} {pos}/{len} {per_sec} {eta}";
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }

    /// What is being waited for.
    pub(crate) fn waiting(&self, what: &str) {
        self.progress.set_message(what.to_owned());
    }

    /// Nothing is waited for any more.
    pub(crate) fn done_waiting(&self) {
        self.progress.finish_and_clear();
    }

    /// One thing that happened: a line of words, or of JSON with `event`, `message` and `members`.
    pub(crate) fn event(&self, event: &str, message: &str, members: &Object) {
        if !self.json {
            self.text(message);
            return;
        }
        let mut line = Object::new().with("event", event).with("message", message);
        for (name, value) in members.iter() {
            line = line.with(name, value.clone());
        }
        self.document(&line);
    }

    /// One thing that happened, with nothing more to say of it.
    pub(crate) fn say(&self, event: &str, message: &str) {
        self.event(event, message, &Object::new());
    }

    /// Words, for a person alone.
    pub(crate) fn text(&self, text: &str) {
        if !self.json {
            self.progress.suspend(|| print(text.as_bytes()));
        }
    }

    /// One line of JSON, for a program alone.
    pub(crate) fn document(&self, object: &Object) {
        if self.json {
            print(&object.to_bytes());
        }
    }

    /// Why the command failed: standard error for a person, a line of JSON for a program.
    pub(crate) fn error(&self, error: &DevError) {
        self.done_waiting();
        if self.json {
            print(&error_json(error).to_bytes());
        } else {
            let text = error_text(error);
            drop(writeln!(std::io::stderr(), "{text}"));
        }
    }
}

fn print(line: &[u8]) {
    let mut out = std::io::stdout().lock();
    drop(
        out.write_all(line)
            .and_then(|()| out.write_all(b"\n"))
            .and_then(|()| out.flush()),
    );
}

fn error_text(error: &DevError) -> String {
    let mut text = format!("error: {error}");
    for cause in error.causes() {
        text.push_str("\n  because ");
        text.push_str(&cause);
    }
    if let Some(advice) = error.advice() {
        text.push_str("\n  what to do: ");
        text.push_str(advice);
    }
    text
}

fn error_json(error: &DevError) -> Object {
    let causes: Vec<Value> = error.causes().into_iter().map(Value::from).collect();
    let mut body = Object::new()
        .with("message", error.to_string())
        .with("causes", causes);
    if let Some(advice) = error.advice() {
        body = body.with("advice", advice);
    }
    Object::new().with("event", "error").with("error", body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_an_error_with_cause_and_advice_in_both_forms() {
        let error = DevError::Locked {
            folder: "data".into(),
            pid: Some(7),
        };
        assert_eq!(
            error_text(&error),
            "error: process 7 holds the data folder data\n  what to do: stop that process, or pass \
             another folder with --data"
        );
        let error = DevError::System(std::io::ErrorKind::NotFound.into());
        assert_eq!(
            String::from_utf8(error_json(&error).to_bytes()).unwrap(),
            r#"{"event":"error","error":{"message":"the operating system refused","causes":["entity not found"]}}"#
        );
    }
}
