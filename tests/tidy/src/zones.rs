//! Trust zones, and which way dependencies may go.

use crate::workspace::{Kind, Package, Use, Workspace};

/// What the untrusted host may use of the shared crates: how to frame bytes, and public log formats. It cannot parse SCIM, because it cannot name
/// the parser.
const HOST_MAY_USE: [&str; 2] = ["chancery-wire", "chancery-tlog"];

/// The packages whose programs are shipped.
pub const SHIPPED: [&str; 4] = [
    "chancery-cli",
    "chancery-forwarder",
    "chancery-runtime",
    "chancery-witness",
];

/// What must be out of the host's reach even through others: the parser, the keys, the runtime.
const NEVER_IN_HOST: [&str; 5] = [
    "chancery-scim",
    "chancery-sealing",
    "chancery-keyset",
    "chancery-engine",
    "chancery-runtime",
];

/// The zone that a folder stands for.
fn zone_of_folder(folder: &str) -> Option<&str> {
    let mut parts = folder.split('/');
    match (parts.next()?, parts.next()?, parts.next(), parts.next()) {
        (top @ ("attestation" | "tests"), _, None, None) => Some(top),
        ("crates", zone, Some(_), None) => Some(zone),
        _ => None,
    }
}

/// The zones that a zone's products may use, apart from the exceptions of the host.
fn may_use(zone: &str) -> &'static [&'static str] {
    match zone {
        "core" => &["core"],
        "attestation" => &["attestation", "core"],
        "sealed" => &["sealed", "attestation", "core"],
        "client" => &["client", "attestation", "core"],
        "host" => &["host"],
        "dev" => &["dev", "client", "host", "sealed", "attestation", "core"],
        "tests" => &[
            "tests",
            "dev",
            "client",
            "host",
            "sealed",
            "attestation",
            "core",
        ],
        _ => &[],
    }
}

fn arrow_is_allowed(from: &str, to_zone: &str, to: &str, when: Use) -> bool {
    may_use(from).contains(&to_zone)
        || (from == "host" && HOST_MAY_USE.contains(&to))
        || (when == Use::Test && to_zone == "dev")
}

/// Folder, manifest and crate documentation name the same zone.
///
/// `read` gives the text of a file of the repository.
#[must_use]
pub fn zones_agree(workspace: &Workspace, read: &dyn Fn(&str) -> String) -> Vec<String> {
    let mut breaches = Vec::new();
    for (name, package) in &workspace.packages {
        let Some(zone) = zone_of_folder(&package.folder) else {
            breaches.push(format!(
                "{name}: its folder {} is in no zone",
                package.folder
            ));
            continue;
        };
        if may_use(zone).is_empty() {
            breaches.push(format!("{name}: there is no zone `{zone}`"));
        }
        if package.zone.as_deref() != Some(zone) {
            breaches.push(format!(
                "{name}: the folder says zone `{zone}`, package.metadata says {:?}",
                package.zone
            ));
        }
        let line = format!("//! Zone: {zone}.");
        for root in documented_roots(package) {
            if !read(root).lines().any(|found| found == line) {
                breaches.push(format!(
                    "{root}: the crate's documentation lacks the line `{line}`"
                ));
            }
        }
    }
    breaches
}

/// The library, or the programs of a package without one.
fn documented_roots(package: &Package) -> Vec<&str> {
    let of = |kind| -> Vec<&str> {
        let roots = package.roots.iter().filter(|root| root.kind == kind);
        roots.map(|root| root.path.as_str()).collect()
    };
    let libraries = of(Kind::Library);
    if libraries.is_empty() {
        of(Kind::Program)
    } else {
        libraries
    }
}

/// Dependencies go from less trusted to more shared zones, never back, and nothing but tests and `dev` uses `dev`.
#[must_use]
pub fn arrows(workspace: &Workspace) -> Vec<String> {
    let mut breaches = Vec::new();
    for (name, package) in &workspace.packages {
        let from = zone_of_folder(&package.folder).unwrap_or("none");
        for (used, when) in &package.uses {
            let to = workspace
                .packages
                .get(used)
                .and_then(|used| zone_of_folder(&used.folder))
                .unwrap_or("none");
            if !arrow_is_allowed(from, to, used, *when) {
                breaches.push(format!("{name} ({from}) must not use {used} ({to})"));
            }
        }
    }
    breaches
}

/// No shipped program holds anything of `dev` or `tests`, by whatever way (I1).
#[must_use]
pub fn shipped_is_clean(workspace: &Workspace) -> Vec<String> {
    let mut breaches = Vec::new();
    for shipped in SHIPPED {
        let is_program = workspace
            .packages
            .get(shipped)
            .is_some_and(|package| package.roots.iter().any(|root| root.kind == Kind::Program));
        if !is_program {
            breaches.push(format!(
                "{shipped}: there is no such package with a program"
            ));
        }
        for used in workspace.product_closure(shipped) {
            let folder = workspace
                .packages
                .get(&used)
                .map_or("", |package| package.folder.as_str());
            if matches!(zone_of_folder(folder), Some("dev" | "tests") | None) {
                breaches.push(format!("{shipped} contains {used} of {folder}"));
            }
        }
    }
    breaches
}

/// The host holds neither the parser nor a key, by whatever way.
#[must_use]
pub fn host_is_blind(workspace: &Workspace) -> Vec<String> {
    let mut breaches = Vec::new();
    for (name, package) in &workspace.packages {
        if zone_of_folder(&package.folder) == Some("host") {
            let closure = workspace.product_closure(name);
            for never in NEVER_IN_HOST {
                if closure.iter().any(|used| used == never) {
                    breaches.push(format!("{name} contains {never}"));
                }
            }
        }
    }
    for never in NEVER_IN_HOST {
        if !workspace.packages.contains_key(never) {
            breaches.push(format!(
                "there is no package {never}: the rule has lost its object"
            ));
        }
    }
    breaches
}

/// Each root forbids unsafe code, and each manifest takes the workspace's lints.
#[must_use]
pub fn roots_are_strict(workspace: &Workspace, read: &dyn Fn(&str) -> String) -> Vec<String> {
    let mut breaches = Vec::new();
    for (name, package) in &workspace.packages {
        let compiled = package.roots.iter().filter(|root| root.kind != Kind::Other);
        for root in compiled {
            let text = read(&root.path);
            if !text.lines().any(|line| line == "#![forbid(unsafe_code)]") {
                breaches.push(format!("{}: lacks #![forbid(unsafe_code)]", root.path));
            }
        }
        let manifest = read(&format!("{}/Cargo.toml", package.folder));
        if !manifest.contains("\n[lints]\nworkspace = true\n") {
            breaches.push(format!("{name}: lacks `[lints] workspace = true`"));
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::workspace::Root;

    fn package(folder: &str, kind: Kind, uses: &[(&str, Use)]) -> Package {
        Package {
            folder: folder.to_owned(),
            zone: zone_of_folder(folder).map(str::to_owned),
            roots: vec![Root {
                kind,
                name: "root".to_owned(),
                path: format!("{folder}/src/lib.rs"),
            }],
            uses: uses
                .iter()
                .map(|(name, when)| ((*name).to_owned(), *when))
                .collect(),
        }
    }

    /// Every package that a rule names, all of them clean.
    fn clean() -> Workspace {
        let mut packages = BTreeMap::new();
        for (name, folder, kind) in [
            ("chancery-wire", "crates/core/wire", Kind::Library),
            ("chancery-scim", "crates/core/scim", Kind::Library),
            ("chancery-sealing", "crates/core/sealing", Kind::Library),
            ("chancery-keyset", "crates/core/keyset", Kind::Library),
            ("chancery-engine", "crates/sealed/engine", Kind::Library),
            ("chancery-verify", "attestation/verify", Kind::Library),
            ("chancery-runtime", "crates/sealed/runtime", Kind::Program),
            ("chancery-forwarder", "crates/host/forwarder", Kind::Program),
            ("chancery-cli", "crates/client/cli", Kind::Program),
            ("chancery-witness", "crates/client/witness", Kind::Program),
            ("chancery-dev", "crates/dev/dev", Kind::Program),
            ("chancery-e2e", "tests/e2e", Kind::Library),
        ] {
            packages.insert(name.to_owned(), package(folder, kind, &[]));
        }
        Workspace {
            packages,
            foreign: Vec::new(),
        }
    }

    fn with_arrow(from: &str, to: &str, when: Use) -> Workspace {
        let mut workspace = clean();
        let package = workspace.packages.get_mut(from).unwrap();
        package.uses.push((to.to_owned(), when));
        workspace
    }

    #[test]
    fn accepts_the_arrows_of_the_design() {
        for (from, to) in [
            ("chancery-runtime", "chancery-verify"),
            ("chancery-cli", "chancery-verify"),
            ("chancery-verify", "chancery-sealing"),
            ("chancery-forwarder", "chancery-wire"),
            ("chancery-dev", "chancery-runtime"),
            ("chancery-e2e", "chancery-dev"),
        ] {
            let workspace = with_arrow(from, to, Use::Product);
            assert_eq!(arrows(&workspace), Vec::<String>::new(), "{from} {to}");
        }
        let tested = with_arrow("chancery-wire", "chancery-dev", Use::Test);
        assert_eq!(arrows(&tested), Vec::<String>::new());
    }

    #[test]
    fn refuses_arrows_from_trusted_to_untrusted_and_sideways() {
        for (from, to) in [
            ("chancery-runtime", "chancery-forwarder"),
            ("chancery-runtime", "chancery-cli"),
            ("chancery-runtime", "chancery-dev"),
            ("chancery-forwarder", "chancery-scim"),
            ("chancery-forwarder", "chancery-verify"),
            ("chancery-scim", "chancery-verify"),
            ("chancery-verify", "chancery-runtime"),
            ("chancery-cli", "chancery-runtime"),
            ("chancery-dev", "chancery-e2e"),
        ] {
            let workspace = with_arrow(from, to, Use::Product);
            assert_eq!(arrows(&workspace).len(), 1, "{from} {to}");
        }
        let tested = with_arrow("chancery-forwarder", "chancery-scim", Use::Test);
        assert_eq!(arrows(&tested).len(), 1);
    }

    #[test]
    fn finds_the_emulation_in_a_shipped_program_through_others() {
        assert_eq!(shipped_is_clean(&clean()), Vec::<String>::new());
        let mut workspace = with_arrow("chancery-verify", "chancery-dev", Use::Product);
        let cli = workspace.packages.get_mut("chancery-cli").unwrap();
        cli.uses.push(("chancery-verify".to_owned(), Use::Product));
        let breaches = shipped_is_clean(&workspace);
        assert_eq!(
            breaches,
            ["chancery-cli contains chancery-dev of crates/dev/dev"]
        );
    }

    #[test]
    fn notices_that_a_shipped_program_is_gone() {
        let mut workspace = clean();
        workspace.packages.remove("chancery-witness");
        assert!(!shipped_is_clean(&workspace).is_empty());
    }

    #[test]
    fn finds_the_parser_in_the_host_through_others() {
        assert_eq!(host_is_blind(&clean()), Vec::<String>::new());
        let mut workspace = with_arrow("chancery-wire", "chancery-scim", Use::Product);
        let host = workspace.packages.get_mut("chancery-forwarder").unwrap();
        host.uses.push(("chancery-wire".to_owned(), Use::Product));
        assert_eq!(
            host_is_blind(&workspace),
            ["chancery-forwarder contains chancery-scim"]
        );
        workspace.packages.remove("chancery-scim");
        assert!(!host_is_blind(&workspace).is_empty());
    }

    #[test]
    fn finds_zones_that_disagree() {
        let good = |path: &str| {
            format!(
                "//! Zone: {}.\n",
                zone_of_folder(path.trim_end_matches("/src/lib.rs")).unwrap()
            )
        };
        assert_eq!(zones_agree(&clean(), &good), Vec::<String>::new());
        assert_eq!(
            zones_agree(&clean(), &|_| String::new()).len(),
            clean().packages.len()
        );
        let mut workspace = clean();
        workspace.packages.get_mut("chancery-scim").unwrap().zone = Some("host".to_owned());
        workspace.packages.get_mut("chancery-wire").unwrap().zone = None;
        assert_eq!(zones_agree(&workspace, &good).len(), 2);
        let mut workspace = clean();
        workspace.packages.get_mut("chancery-wire").unwrap().folder = "elsewhere/wire".to_owned();
        assert_eq!(zones_agree(&workspace, &good).len(), 1);
    }

    #[test]
    fn finds_roots_that_allow_unsafe_code_and_manifests_without_lints() {
        let strict = |_: &str| "#![forbid(unsafe_code)]\n\n[lints]\nworkspace = true\n".to_owned();
        assert_eq!(roots_are_strict(&clean(), &strict), Vec::<String>::new());
        let lax = roots_are_strict(&clean(), &|_| String::new());
        assert_eq!(lax.len(), 2 * clean().packages.len());
    }
}
