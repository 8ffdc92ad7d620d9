//! The files of the repository.

use std::fs;
use std::path::Path;

/// What was made and what was run, not what was written. `.git` is a file in a second working tree.
const SKIPPED: [&str; 3] = [".git", "target", "chancery-data"];

/// Larger files are data; the rules about text do not read them.
const TEXT_SIZE_MAX: u64 = 4 * 1024 * 1024;

/// All files below the root, relative to it, in order, with `/` between the parts.
///
/// # Errors
/// If a folder cannot be read or a name is not UTF-8.
pub fn files(root: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut waiting = vec![root.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        let place = |error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(place)? {
            let entry = entry.map_err(place)?;
            let path = entry.path();
            let name = entry.file_name();
            if SKIPPED.iter().any(|skipped| name == *skipped) {
                continue;
            }
            let kind = entry.file_type().map_err(place)?;
            if kind.is_dir() {
                waiting.push(path);
            } else if kind.is_file() {
                let inside = path.strip_prefix(root).ok().and_then(Path::to_str);
                let inside = inside.ok_or_else(|| format!("{}: its name", path.display()))?;
                found.push(inside.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A file's text, or nothing if it is no text, or too large to have been written by hand.
#[must_use]
pub fn text(root: &Path, file: &str) -> Option<String> {
    let path = root.join(file);
    let size = fs::metadata(&path).ok()?.len();
    if size > TEXT_SIZE_MAX {
        return None;
    }
    String::from_utf8(fs::read(path).ok()?).ok()
}

/// Every file of the repository that is text, with its text.
///
/// # Errors
/// As [`files`].
pub fn texts(root: &Path) -> Result<Vec<(String, String)>, String> {
    let all = files(root)?;
    let with_text = all.into_iter().filter_map(|file| {
        let text = text(root, &file)?;
        Some((file, text))
    });
    Ok(with_text.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::repository;

    #[test]
    fn sees_the_sources_and_not_what_was_built() {
        let all = files(&repository().unwrap()).unwrap();
        assert!(all.iter().any(|file| file == "tests/tidy/src/tree.rs"));
        assert!(!all.iter().any(|file| file.starts_with("target/")));
        assert!(
            !all.iter()
                .any(|file| file == ".git" || file.starts_with(".git/"))
        );
    }

    #[test]
    fn reports_a_folder_that_is_not_there() {
        assert!(files(Path::new("no/such/folder")).is_err());
    }
}
