//! Documents are tested: what they link to and name is there.

use std::collections::BTreeSet;

use crate::workspace::{Kind, Workspace};

/// Longest README, in lines.
pub const README_LINES_MAX: usize = 120;

/// Everything that a rule about documents looks at: all files, and their texts where they are text.
#[derive(Debug)]
pub struct Library<'a> {
    /// Every file of the repository.
    pub files: &'a [String],
    /// The text files with their text.
    pub texts: &'a [(String, String)],
}

impl Library<'_> {
    fn documents(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.texts.iter();
        pairs
            .filter(|(file, _)| file.ends_with(".md"))
            .map(|(file, text)| (file.as_str(), text.as_str()))
    }

    fn text(&self, wanted: &str) -> Option<&str> {
        let mut pairs = self.texts.iter();
        let found = pairs.find(|(file, _)| file == wanted);
        found.map(|(_, text)| text.as_str())
    }

    /// Whether there is a file of this name, or a folder with files.
    fn holds(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        self.files
            .iter()
            .any(|file| file == path || file.starts_with(&folder))
    }
}

/// The lines of a document that are not in a fenced block, with their numbers.
fn prose(text: &str) -> Vec<(u32, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (line, number) in text.lines().zip(1_u32..) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((number, line));
        }
    }
    lines
}

/// The targets of the links `](target)` in a line.
fn links(line: &str) -> Vec<&str> {
    let rests = line.split("](").skip(1);
    rests
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target)
        .collect()
}

/// What stands between backticks in a line.
fn code(line: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = line.split('`').collect();
    if parts.len().is_multiple_of(2) {
        parts.pop();
    }
    parts.into_iter().skip(1).step_by(2).collect()
}

/// A path in the repository: `base` is a file, `target` relative to its folder.
fn resolve(base: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = base.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        letter if letter.is_alphanumeric() => Some(letter),
        _ => None,
    });
    kept.collect()
}

fn has_anchor(text: &str, wanted: &str) -> bool {
    let lines = prose(text);
    let mut headings = lines.iter().filter(|(_, line)| line.starts_with('#'));
    headings.any(|(_, line)| anchor(line) == wanted)
}

/// Each relative link leads to a file, and to a heading of it if it names one.
#[must_use]
pub fn links_resolve(library: &Library<'_>) -> Vec<String> {
    let mut breaches = Vec::new();
    for (file, text) in library.documents() {
        for (number, line) in prose(text) {
            for target in links(line) {
                if target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
                let resolved = if path.is_empty() {
                    Some(file.to_owned())
                } else {
                    resolve(file, path)
                };
                let Some(resolved) = resolved.filter(|path| library.holds(path)) else {
                    breaches.push(format!(
                        "{file}:{number}: link to {target}, which is not there"
                    ));
                    continue;
                };
                let text = library.text(&resolved);
                if !fragment.is_empty() && !text.is_some_and(|text| has_anchor(text, fragment)) {
                    breaches.push(format!(
                        "{file}:{number}: {resolved} has no heading #{fragment}"
                    ));
                }
            }
        }
    }
    breaches
}

/// Each page under `docs/` can be reached by links from the README.
#[must_use]
pub fn pages_are_linked(library: &Library<'_>) -> Vec<String> {
    let mut reached = BTreeSet::from(["README.md".to_owned()]);
    let mut waiting = vec!["README.md".to_owned()];
    while let Some(page) = waiting.pop() {
        let text = library.text(&page).unwrap_or_default();
        for (_, line) in prose(text) {
            for target in links(line) {
                let path = target.split('#').next().unwrap_or_default();
                let resolved = resolve(&page, path).filter(|path| path.ends_with(".md"));
                if let Some(next) = resolved
                    && library.text(&next).is_some()
                    && reached.insert(next.clone())
                {
                    waiting.push(next);
                }
            }
        }
    }
    library
        .documents()
        .filter(|(file, _)| file.starts_with("docs/") && !reached.contains(*file))
        .map(|(file, _)| format!("{file}: no page leads to it from the README"))
        .collect()
}

/// Each page under `docs/` that a comment in the code names exists.
#[must_use]
pub fn comments_name_pages(library: &Library<'_>) -> Vec<String> {
    let mut breaches = Vec::new();
    let sources = library.texts.iter();
    for (file, text) in sources.filter(|(file, _)| file.ends_with(".rs")) {
        for (line, number) in text.lines().zip(1_u32..) {
            if !line.trim_start().starts_with("//") {
                continue;
            }
            for token in code(line) {
                let is_page = token.starts_with("docs/") && token.ends_with(".md");
                if is_page && !library.holds(token) {
                    breaches.push(format!("{file}:{number}: {token} does not exist"));
                }
            }
        }
    }
    breaches
}

/// The folders that hold what documents speak of.
const PLACES: [&str; 5] = ["crates/", "attestation/", "tests/", "docs/", ".ci/"];

/// Each path in backticks exists, and each `path.rs#name` is a function in that file. The pages beside test vectors are left out:
/// they speak of the repositories that the vectors come from.
#[must_use]
pub fn paths_exist(library: &Library<'_>) -> Vec<String> {
    let mut breaches = Vec::new();
    let own = library
        .documents()
        .filter(|(file, _)| !file.contains("/vectors/"));
    for (file, text) in own {
        for (number, line) in prose(text) {
            for token in code(line) {
                let is_path = PLACES.iter().any(|place| token.starts_with(place))
                    && !token.contains([' ', '*', '<', '{', '…']);
                if !is_path {
                    continue;
                }
                let (path, function) = token.split_once('#').unwrap_or((token, ""));
                if !library.holds(path) {
                    breaches.push(format!("{file}:{number}: {path} does not exist"));
                } else if !function.is_empty() {
                    let declaration = format!("fn {function}(");
                    let text = library.text(path).unwrap_or_default();
                    if !text.contains(&declaration) {
                        breaches.push(format!("{file}:{number}: {path} has no `{function}`"));
                    }
                }
            }
        }
    }
    breaches
}

/// Each package of the workspace is named in the architecture page, and each name there is a package or a program.
#[must_use]
pub fn architecture_is_complete(page: &str, workspace: &Workspace) -> Vec<String> {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    let mut breaches = Vec::new();
    let lines = prose(page);
    let named: BTreeSet<&str> = lines.iter().flat_map(|(_, line)| code(line)).collect();
    for (name, package) in &workspace.packages {
        known.insert(name);
        let programs = package
            .roots
            .iter()
            .filter(|root| root.kind == Kind::Program);
        known.extend(programs.map(|root| root.name.as_str()));
        if !named.contains(name.as_str()) {
            breaches.push(format!("docs/architecture.md says nothing of {name}"));
        }
    }
    let ours = named
        .iter()
        .filter(|name| name.starts_with("chancery-") && !name.contains([' ', '/', '.']));
    for name in ours {
        if !known.contains(name) {
            breaches.push(format!(
                "docs/architecture.md names {name}, which does not exist"
            ));
        }
    }
    breaches
}

/// How many invariants the threat model has.
const INVARIANTS: u32 = 34;

/// Each invariant has its heading in order, and says what tries to break it or that nothing does.
#[must_use]
pub fn invariants_are_tried(page: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut sections: Vec<(String, bool)> = Vec::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("### I") {
            let number = heading.split(' ').next().unwrap_or_default();
            sections.push((number.to_owned(), false));
        } else if line.starts_with('#') {
            continue;
        } else if let Some((_, tried)) = sections.last_mut() {
            let names_test = line.contains(".rs#") || line.contains("none yet: issue");
            *tried |= line.starts_with("Tried by:") && names_test;
        }
    }
    let expected: Vec<String> = (1..=INVARIANTS).map(|number| number.to_string()).collect();
    let found: Vec<String> = sections.iter().map(|(number, _)| number.clone()).collect();
    if found != expected {
        breaches.push(format!(
            "invariants {found:?} instead of I1 to I{INVARIANTS}"
        ));
    }
    for (number, tried) in sections {
        if !tried {
            breaches.push(format!(
                "I{number}: no line `Tried by:` with a test or `none yet: issue`"
            ));
        }
    }
    breaches
}

/// Each trusted dependency is justified in a line of its own of the page about the trusted base, and each justified one is used.
#[must_use]
pub fn dependencies_are_justified(page: &str, used: &BTreeSet<&str>) -> Vec<String> {
    let mut justified = BTreeSet::new();
    for (_, line) in prose(page) {
        let Some(row) = line.strip_prefix("| `") else {
            continue;
        };
        let first = row.split('|').next().unwrap_or_default();
        let names = format!("`{first}");
        justified.extend(code(&names).into_iter().map(str::to_owned));
    }
    let mut breaches = Vec::new();
    for name in used {
        if !justified.contains(*name) {
            breaches.push(format!("docs/tcb.md does not say why {name} is trusted"));
        }
    }
    for name in &justified {
        if !used.contains(name.as_str()) && !name.contains('/') {
            breaches.push(format!("docs/tcb.md justifies {name}, which is not used"));
        }
    }
    breaches
}

#[cfg(test)]
mod tests;
