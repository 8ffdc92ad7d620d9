//! The workspace as `cargo metadata` describes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The platform that shipped programs are built for; dependencies of others do not count.
pub const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// When a dependency is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Linked into the package, or run while it is built.
    Product,
    /// Used by the package's tests alone.
    Test,
}

/// What one target of a package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The library.
    Library,
    /// A program.
    Program,
    /// A test, bench or example.
    Other,
}

/// A compiled root file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// What it becomes.
    pub kind: Kind,
    /// The target's name: of a program, the binary's.
    pub name: String,
    /// Relative to the repository.
    pub path: String,
}

/// One package of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Relative to the repository, as `crates/core/wire`.
    pub folder: String,
    /// `package.metadata.zone`.
    pub zone: Option<String>,
    /// Its libraries, programs and tests.
    pub roots: Vec<Root>,
    /// The other packages of the workspace that it names.
    pub uses: Vec<(String, Use)>,
}

/// A package from the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// The package's name.
    pub name: String,
    /// The locked version.
    pub version: String,
    /// The SPDX expression, if it declares one.
    pub licence: Option<String>,
}

/// Everything that `cargo metadata` says and the rules need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Ours, by name.
    pub packages: BTreeMap<String, Package>,
    /// Everybody else's.
    pub foreign: Vec<Foreign>,
}

/// The root of the repository.
///
/// # Errors
/// If the folder of this crate is not there any more.
pub fn repository() -> Result<PathBuf, String> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .map_err(|error| format!("repository: {error}"))
}

/// Runs `cargo` without network and with the lock file as it is, and returns what it prints.
///
/// # Errors
/// If it cannot be started or fails; holds what it said.
pub fn cargo(repository: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("cargo")
        .current_dir(repository)
        .args(arguments)
        .args(["--offline", "--locked"])
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo {}: {said}", arguments.join(" ")));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("cargo's output: {error}"))
}

impl Workspace {
    /// Asks `cargo metadata`.
    ///
    /// # Errors
    /// If cargo fails, or answers in another form than this expects.
    pub fn load(repository: &Path) -> Result<Self, String> {
        let text = cargo(
            repository,
            &[
                "metadata",
                "--format-version=1",
                "--filter-platform",
                PLATFORM,
            ],
        )?;
        let value: Value =
            serde_json::from_str(&text).map_err(|error| format!("metadata: {error}"))?;
        Self::read(repository, &value).ok_or_else(|| "metadata has an unknown form".to_owned())
    }

    fn read(repository: &Path, metadata: &Value) -> Option<Self> {
        let mut packages = BTreeMap::new();
        let mut foreign = Vec::new();
        for package in metadata.get("packages")?.as_array()? {
            let name = package.get("name")?.as_str()?.to_owned();
            if package.get("source")?.is_null() {
                packages.insert(name, read_ours(repository, package)?);
            } else {
                foreign.push(Foreign {
                    name,
                    version: package.get("version")?.as_str()?.to_owned(),
                    licence: package.get("license")?.as_str().map(str::to_owned),
                });
            }
        }
        Some(Self { packages, foreign })
    }

    /// The names of everything of ours that ends up in a package's product, itself included.
    #[must_use]
    pub fn product_closure(&self, package: &str) -> Vec<String> {
        let mut seen = Vec::new();
        let mut waiting = vec![package.to_owned()];
        while let Some(name) = waiting.pop() {
            if seen.contains(&name) {
                continue;
            }
            if let Some(package) = self.packages.get(&name) {
                let products = package
                    .uses
                    .iter()
                    .filter(|(_, when)| *when == Use::Product);
                waiting.extend(products.map(|(used, _)| used.clone()));
            }
            seen.push(name);
        }
        seen.sort();
        seen
    }
}

fn relative(repository: &Path, path: &str) -> Option<String> {
    let inside = Path::new(path).strip_prefix(repository).ok()?;
    inside.to_str().map(str::to_owned)
}

fn read_ours(repository: &Path, package: &Value) -> Option<Package> {
    let manifest = relative(repository, package.get("manifest_path")?.as_str()?)?;
    let mut roots = Vec::new();
    for target in package.get("targets")?.as_array()? {
        let kind = match target.get("kind")?.get(0)?.as_str()? {
            "lib" | "proc-macro" => Kind::Library,
            "bin" => Kind::Program,
            _ => Kind::Other,
        };
        roots.push(Root {
            kind,
            name: target.get("name")?.as_str()?.to_owned(),
            path: relative(repository, target.get("src_path")?.as_str()?)?,
        });
    }
    let mut uses = Vec::new();
    for dependency in package.get("dependencies")?.as_array()? {
        if dependency.get("path").is_none() {
            continue;
        }
        let when = match dependency.get("kind")?.as_str() {
            Some("dev") => Use::Test,
            _ => Use::Product,
        };
        uses.push((dependency.get("name")?.as_str()?.to_owned(), when));
    }
    let zone = package.get("metadata").and_then(|all| all.get("zone"));
    Some(Package {
        folder: manifest.strip_suffix("/Cargo.toml")?.to_owned(),
        zone: zone.and_then(Value::as_str).map(str::to_owned),
        roots,
        uses,
    })
}
