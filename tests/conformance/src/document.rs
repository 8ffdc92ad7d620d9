//! The part of a document that tests write: what stands between two marks.

use std::collections::BTreeMap;

use crate::format::{Confidence, Operation};

/// A table of operations by identity provider.
#[must_use]
pub fn operations_table(passed: &[(String, Vec<(Operation, Confidence)>)]) -> String {
    let names: Vec<&str> = passed.iter().map(|(name, _)| name.as_str()).collect();
    let mut lines = vec![
        format!("| | {} |", names.join(" | ")),
        format!("| --- |{}", " :-: |".repeat(names.len())),
    ];
    for operation in Operation::SENT {
        let cells: Vec<&str> = passed
            .iter()
            .map(|(_, operations)| cell(operations, operation))
            .collect();
        lines.push(format!("| {} | {} |", operation.title(), cells.join(" | ")));
    }
    lines.join("\n")
}

fn cell(passed: &[(Operation, Confidence)], wanted: Operation) -> &'static str {
    let sent: Vec<Confidence> = passed
        .iter()
        .filter(|(operation, _)| *operation == wanted)
        .map(|(_, confidence)| *confidence)
        .collect();
    if sent.is_empty() {
        "–"
    } else if sent.contains(&Confidence::Modelled) {
        "m"
    } else {
        "✓"
    }
}

/// The document with another text between the marks of this name; `None` if it has no such marks.
#[must_use]
pub fn renewed(document: &str, name: &str, text: &str) -> Option<String> {
    let marks: BTreeMap<&str, String> = ["begin", "end"]
        .into_iter()
        .map(|word| (word, format!("<!-- {word} {name} -->")))
        .collect();
    let (before, rest) = document.split_once(marks.get("begin")?.as_str())?;
    let (_, after) = rest.split_once(marks.get("end")?.as_str())?;
    let (begin, end) = (marks.get("begin")?, marks.get("end")?);
    Some(format!("{before}{begin}\n\n{text}\n\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_tells_what_is_sent_from_what_is_not() {
        let passed = [
            (
                "One".to_owned(),
                vec![
                    (Operation::Connect, Confidence::Documented),
                    (Operation::Deactivate, Confidence::Source),
                    (Operation::Deactivate, Confidence::Modelled),
                    (Operation::Check, Confidence::Source),
                ],
            ),
            ("Two".to_owned(), Vec::new()),
        ];
        let table = operations_table(&passed);
        assert!(table.starts_with("| | One | Two |\n| --- | :-: | :-: |\n"));
        assert!(table.contains("| test connection | ✓ | – |"));
        assert!(table.contains("| deactivate | m | – |"));
        assert!(!table.contains("check"));
    }

    #[test]
    fn only_what_stands_between_the_marks_is_renewed() {
        let old = "a\n<!-- begin t -->\nold\n<!-- end t -->\nb\n";
        let new = "a\n<!-- begin t -->\n\nnew\n\n<!-- end t -->\nb\n";
        assert_eq!(renewed(old, "t", "new").as_deref(), Some(new));
        assert_eq!(renewed(new, "t", "new").as_deref(), Some(new));
        assert_eq!(renewed(old, "u", "new"), None);
    }
}
