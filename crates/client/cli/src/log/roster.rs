//! The roster of an audit: whom the identity provider knows, from a file.

use std::path::Path;

use csv::ReaderBuilder;

use crate::error::CliError;
use crate::import::without_mark;

/// The column that a CSV roster must have.
const COLUMN: &str = "user_name";

/// The userNames of a file: the column `user_name` of CSV if its first line names it, else a name per
/// line. Empty lines say nothing.
pub(super) fn read_roster(text: &[u8], path: &Path) -> Result<Vec<String>, CliError> {
    let text = str::from_utf8(without_mark(text)).map_err(|_binary| CliError::TableInvalid {
        path: path.to_owned(),
        faults: vec!["not UTF-8".to_owned()],
    })?;
    let first = text.lines().next().unwrap_or_default();
    let mut heading = first.split(',').map(|cell| cell.trim().trim_matches('"'));
    if let Some(place) = heading.position(|cell| cell == COLUMN) {
        return read_column(text, place, path);
    }
    let names = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(names.map(str::to_owned).collect())
}

fn read_column(text: &str, place: usize, path: &Path) -> Result<Vec<String>, CliError> {
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut names = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            CliError::TableInvalid {
                path: path.to_owned(),
                faults: vec![format!("line {line}: not CSV")],
            }
        })?;
        let name = record.get(place).unwrap_or_default().trim();
        if !name.is_empty() {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_name_per_line_or_the_column_of_a_table() {
        let path = Path::new("roster");
        for text in [
            "ann@demo.example\n\n  bob \r\n",
            "\u{feff}ann@demo.example\nbob",
            "mail,user_name\nx,ann@demo.example\n\"a,b\",bob\n,\n",
            "\"user_name\",\"mail\"\n\"ann@demo.example\",x\nbob\n",
        ] {
            assert_eq!(
                read_roster(text.as_bytes(), path).unwrap(),
                ["ann@demo.example", "bob"],
                "{text}"
            );
        }
        assert!(read_roster(b"", path).unwrap().is_empty());
        assert!(read_roster(b"\xff", path).is_err());
    }
}
