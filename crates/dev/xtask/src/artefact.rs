//! Looks into built programs for what must not be in them.
//!
//! That shipped programs do not depend on the emulation is checked on the dependency graph by `tests/tidy`. This is the second, independent
//! look at the same promise (I1): the bytes of the programs themselves.

use std::fs;
use std::io::BufRead as _;
use std::path::Path;

/// Strings that stand in the emulated processor and its anchor, and nowhere else. (The names of emulated *statements* are known to
/// every client, which must be able to say what it refuses.)
const MARKERS: [&str; 4] = [
    "chancery-EMULATED/report-data",
    "chancery-EMULATED/roots",
    "chancery-EMULATED/sp-request",
    "chancery-EMULATED/processor",
];

/// What is shipped. Each must be there and clean.
const SHIPPED: [&str; 4] = [
    "chancery",
    "chancery-runtime",
    "chancery-host",
    "chancery-witness",
];

/// A program that must contain the markers, or else the search could not find them.
const CONTROL: (&str, &str) = ("chancery-emulated-sp", "chancery-EMULATED/processor");

/// Searches the programs in one folder of built artefacts.
///
/// # Errors
/// If a shipped program is missing or contains a marker, or the control program does not.
pub(crate) fn scan(folder: &Path) -> Result<(), String> {
    let (program, marker) = CONTROL;
    if !contains(&read(folder, program)?, marker) {
        return Err(format!(
            "{program} does not contain {marker:?}: the search for it proves nothing"
        ));
    }
    for program in SHIPPED {
        let bytes = read(folder, program)?;
        for marker in MARKERS {
            if contains(&bytes, marker) {
                return Err(format!(
                    "{program} contains {marker:?}: it was built with the emulation (I1)"
                ));
            }
        }
        println!("{program}: {} bytes, none of the emulation", bytes.len());
    }
    Ok(())
}

fn read(folder: &Path, program: &str) -> Result<Vec<u8>, String> {
    let path = folder.join(program);
    fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Jumps from one occurrence of the first byte to the next by the standard library's search, which is optimised in every build of
/// this program; unoptimised programs are large.
fn contains(bytes: &[u8], marker: &str) -> bool {
    let Some((first, others)) = marker.as_bytes().split_first() else {
        return true;
    };
    let mut rest = bytes;
    while !rest.is_empty() {
        if rest.skip_until(*first).is_err() {
            return false;
        }
        if rest.starts_with(others) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a control program and clean shipped ones.
    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for program in SHIPPED {
            fs::write(folder.join(program), b"\x7fELF clean").unwrap();
        }
        let control = format!("\x7fELF..{}/v1..", CONTROL.1);
        fs::write(folder.join(CONTROL.0), control).unwrap();
        folder
    }

    #[test]
    fn finds_a_marker_at_each_place_and_no_part_of_one() {
        for text in ["abcd", "ababcd", "aabcdx", "xabcd", "abcabcd"] {
            assert!(contains(text.as_bytes(), "abcd"), "{text}");
        }
        for text in ["", "a", "abc", "abcxd", "bcd", "abdabc"] {
            assert!(!contains(text.as_bytes(), "abcd"), "{text}");
        }
    }

    #[test]
    fn accepts_clean_programs() {
        let folder = folder("clean");
        assert_eq!(scan(&folder), Ok(()));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn finds_each_marker_in_each_shipped_program() {
        let folder = folder("marked");
        for program in SHIPPED {
            for marker in MARKERS {
                fs::write(folder.join(program), format!("\x7fELF..{marker}/v1..")).unwrap();
                let reason = scan(&folder).unwrap_err();
                assert!(
                    reason.contains(program) && reason.contains(marker),
                    "{reason}"
                );
            }
            fs::write(folder.join(program), b"\x7fELF clean").unwrap();
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn refuses_to_conclude_from_a_missing_program_or_control() {
        let folder = folder("missing");
        fs::write(folder.join(CONTROL.0), b"\x7fELF").unwrap();
        assert!(scan(&folder).unwrap_err().contains("proves nothing"));
        fs::remove_dir_all(&folder).unwrap();
        assert!(scan(&folder).is_err());
    }
}
