//! Looks into built programs for what must not be in them.
//!
//! That shipped programs do not depend on the emulation is checked on the dependency graph by `tests/tidy`. This is the second, independent
//! look at the same promise (I1): the bytes of the programs themselves.

use std::fs;
use std::io::BufRead as _;
use std::path::Path;

/// Strings that stand in the emulated processor, its anchor and the test issuer, and nowhere else, each with a development program that must contain
/// it, or else the search for it would prove nothing. (The names of emulated *statements* are known to every client, which must be
/// able to say what it refuses.)
const MARKERS: [(&str, &str); 5] = [
    ("chancery-EMULATED/report-data", "chancery-runtime-dev"),
    ("chancery-EMULATED/roots", "chancery-dev"),
    ("chancery-EMULATED/sp-request", "chancery-runtime-dev"),
    ("chancery-EMULATED/processor", "chancery-emulated-sp"),
    ("chancery test issuer authority", "chancery-issuer"),
];

/// What is shipped. Each must be there and clean.
const SHIPPED: [&str; 4] = [
    "chancery",
    "chancery-runtime",
    "chancery-host",
    "chancery-witness",
];

/// Searches the programs in one folder of built artefacts.
///
/// # Errors
/// If a program is missing, a shipped one contains a marker, or a development program lacks its own.
pub(crate) fn scan(folder: &Path) -> Result<(), String> {
    for (marker, program) in MARKERS {
        if !contains(&read(folder, program)?, marker) {
            return Err(format!(
                "{program} does not contain {marker:?}: the search for it proves nothing"
            ));
        }
    }
    for program in SHIPPED {
        let bytes = read(folder, program)?;
        for (marker, _) in MARKERS {
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

    /// A folder with development programs that hold all markers, and clean shipped ones.
    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for program in SHIPPED {
            fs::write(folder.join(program), b"\x7fELF clean").unwrap();
        }
        let marked: String = MARKERS
            .iter()
            .map(|(marker, _)| format!("..{marker}/v1"))
            .collect();
        for (_, program) in MARKERS {
            fs::write(folder.join(program), &marked).unwrap();
        }
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
            for (marker, _) in MARKERS {
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
        for (_, program) in MARKERS {
            let marked = fs::read(folder.join(program)).unwrap();
            fs::write(folder.join(program), b"\x7fELF").unwrap();
            assert!(scan(&folder).unwrap_err().contains("proves nothing"));
            fs::write(folder.join(program), marked).unwrap();
        }
        fs::remove_dir_all(&folder).unwrap();
        assert!(scan(&folder).is_err());
    }
}
