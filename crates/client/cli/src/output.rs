//! The one place that prints. Everything else returns what is to be said.

use std::io::{self, Write};

use chancery_json::{Object, Value};

use crate::error::CliError;

/// Whether a person or a program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Words and tables.
    Text,
    /// One JSON document on standard output, errors included.
    Json,
}

/// What a command has to say, in both forms, and whether everything asked for holds.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// For a person, without the last line end.
    pub(crate) text: String,
    /// For a program.
    pub(crate) json: Object,
    /// False turns the exit status into a failure.
    pub(crate) holds: bool,
}

impl Outcome {
    /// The outcome of a command that did what was asked.
    pub(crate) fn done(text: String, json: Object) -> Self {
        Self {
            text,
            json,
            holds: true,
        }
    }
}

/// Prints an outcome to standard output.
///
/// # Errors
///
/// What was to be said cannot be written. A reader that has seen enough and gone is none.
pub(crate) fn print_outcome(format: Format, outcome: &Outcome) -> io::Result<()> {
    match format {
        Format::Text => say(io::stdout().lock(), &outcome.text),
        Format::Json => say(io::stdout().lock(), &json_text(&outcome.json)),
    }
}

/// Prints an error: to standard error for a person, to standard output as JSON for a program.
///
/// # Errors
///
/// As [`print_outcome`].
pub(crate) fn print_error(format: Format, error: &CliError) -> io::Result<()> {
    match format {
        Format::Text => say(io::stderr().lock(), &error_text(error)),
        Format::Json => say(io::stdout().lock(), &json_text(&error_json(error))),
    }
}

/// Writes one text and a line end.
fn say(mut out: impl Write, text: &str) -> io::Result<()> {
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// One line for the person who waits, on standard error: what is about to happen, or how far it is.
#[expect(clippy::print_stderr, reason = "the one output module")]
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

fn error_text(error: &CliError) -> String {
    let mut text = format!("error: {}", printable(&error.to_string()));
    for cause in error.causes() {
        text.push_str("\n  because ");
        text.push_str(&printable(&cause));
    }
    if let Some(advice) = error.advice() {
        text.push_str("\n  what to do: ");
        text.push_str(advice);
    }
    text
}

fn error_json(error: &CliError) -> Object {
    let causes = error
        .causes()
        .into_iter()
        .map(Value::from)
        .collect::<Vec<_>>();
    let mut body = Object::with_capacity(3)
        .with("message", error.to_string())
        .with("causes", causes);
    if let Some(advice) = error.advice() {
        body = body.with("advice", advice);
    }
    Object::with_capacity(1).with("error", body)
}

fn json_text(object: &Object) -> String {
    String::from_utf8_lossy(&object.to_bytes()).into_owned()
}

/// Text from elsewhere with every control and direction-changing character made visible, so that
/// it cannot rewrite what stands on a terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let hidden = character.is_control()
            || matches!(character,
                '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if hidden {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// Lines of a label and a value, the values in one column.
pub(crate) fn aligned(rows: &[(&str, String)]) -> String {
    let width = rows
        .iter()
        .map(|(label, _)| label.chars().count())
        .max()
        .unwrap_or(0);
    let lines: Vec<String> = rows
        .iter()
        .map(|(label, value)| format!("{label:width$}  {value}"))
        .collect();
    lines.join("\n")
}

/// A table: a line of headings, then the rows, the columns aligned; numbers should come as text.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        let heading = headings.get(column).map_or(0, |text| text.chars().count());
        widest.max(heading)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&mut headings.iter().copied())];
    lines.extend(
        rows.iter()
            .map(|row| line(&mut row.iter().map(String::as_str))),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_terminal_control_visible() {
        assert_eq!(
            printable("a\u{1b}[2Jb\nc\u{202e}d é"),
            "a\\u{1b}[2Jb\\u{a}c\\u{202e}d é"
        );
    }

    /// A reader that fails in one way.
    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure_and_a_full_disk_is_one() {
        let mut said = Vec::new();
        say(&mut said, "text").unwrap();
        assert_eq!(said, b"text\n");
        assert!(say(Failing(io::ErrorKind::BrokenPipe), "text").is_ok());
        assert!(say(Failing(io::ErrorKind::StorageFull), "text").is_err());
    }

    #[test]
    fn aligns_values() {
        let rows = [("id", "1".to_owned()), ("label", "2".to_owned())];
        assert_eq!(aligned(&rows), "id     1\nlabel  2");
    }

    #[test]
    fn aligns_the_columns_of_a_table_with_their_headings() {
        let rows = [
            vec!["1".to_owned(), "é".to_owned(), "x".to_owned()],
            vec!["1000".to_owned(), String::new(), "y".to_owned()],
        ];
        assert_eq!(
            table(&["used", "by", "for"], &rows),
            "used  by  for\n1     é   x\n1000      y"
        );
        assert_eq!(table(&["used"], &[]), "used");
    }

    #[test]
    fn says_an_error_with_its_advice_in_both_forms() {
        let error = CliError::FileExists { path: "k\n".into() };
        assert_eq!(
            error_text(&error),
            "error: k\\u{a} exists already\n  what to do: choose another file, or pass --force to replace it"
        );
        assert_eq!(
            json_text(&error_json(&error)),
            r#"{"error":{"message":"k\n exists already","causes":[],"advice":"choose another file, or pass --force to replace it"}}"#
        );
    }
}
