//! `cargo xtask test`: everything that must hold before a change is taken.

use std::process::Command;

use crate::Place;
use crate::artefact;
use crate::step::{self, Tally, Watch};

/// How much to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// What every change runs. After the set-up step, nothing uses the network.
    Usual,
    /// In addition what takes long, or needs the network for its answer.
    Full,
}

/// One step: its name, and what it does.
type Step = (&'static str, fn(&Place, &mut Tally) -> Result<(), String>);

const USUAL: [Step; 8] = [
    ("set-up", set_up),
    ("format", format),
    ("lints", lints),
    ("documentation", documentation),
    ("programs and tests are built", programs),
    ("shipped programs are free of the emulation", shipped),
    ("tests pass", tests),
    ("dependencies", dependencies),
];

const FULL: [Step; 4] = [
    ("long property tests", properties),
    ("public SCIM suites for longer", public_suites),
    ("fifty kills under load", kills),
    ("dependencies against the advisory database", advisories),
];

/// Runs the steps in order and stops at the first that fails.
///
/// # Errors
/// Names the step, its command and its end.
pub(crate) fn run(place: &Place, reach: Reach) -> Result<(), String> {
    let steps = steps(reach);
    let whole = Watch::start();
    let mut tally = Tally::default();
    for (at, (name, act)) in steps.iter().enumerate() {
        let number = at.saturating_add(1);
        println!("\n== {number}/{} {name}", steps.len());
        let watch = Watch::start();
        act(place, &mut tally).map_err(|reason| {
            format!(
                "test FAILED in step {number} of {} ({name}) after {}: {reason}",
                steps.len(),
                whole.shown()
            )
        })?;
        println!("== {name}: passed in {}", watch.shown());
    }
    println!(
        "\nxtask: test passed: {} steps, {} tests in {} programs, {} failed, {} ignored, {}",
        steps.len(),
        tally.passed,
        tally.programs,
        tally.failed,
        tally.ignored,
        whole.shown()
    );
    Ok(())
}

fn steps(reach: Reach) -> Vec<Step> {
    match reach {
        Reach::Usual => USUAL.to_vec(),
        Reach::Full => USUAL.iter().chain(&FULL).copied().collect(),
    }
}

/// The one step that may use the network: sources of the locked dependencies, the toolchain's parts, and the packages of what others
/// wrote and tests run: an identity provider, and the public suites of SCIM.
fn set_up(place: &Place, _: &mut Tally) -> Result<(), String> {
    step::require_compiler()?;
    step::require_test_tools()?;
    for (component, arguments) in [
        ("rustfmt", ["fmt", "--version"]),
        ("clippy", ["clippy", "--version"]),
    ] {
        if !step::works("cargo", &arguments) {
            return Err(format!(
                "`cargo {}` does not work; with rustup: rustup component add {component}",
                arguments.join(" ")
            ));
        }
    }
    let mut fetch = step::cargo(place);
    fetch.args(["fetch", "--locked"]);
    step::run(fetch)?;
    for (script, cache) in [("canaille", "canaille"), ("public", "public-suites")] {
        let mut prepare = Command::new("python3");
        prepare
            .current_dir(&place.repository)
            .arg(format!("tests/conformance/{script}/run.py"))
            .arg("--cache")
            .arg(place.target.join(cache))
            .arg("prepare");
        step::run(prepare)?;
    }
    Ok(())
}

/// `cargo` that must do with what the set-up step has fetched.
fn offline(place: &Place, arguments: &[&str]) -> Command {
    let mut command = step::cargo(place);
    command.env("CARGO_NET_OFFLINE", "true").args(arguments);
    command
}

fn format(place: &Place, _: &mut Tally) -> Result<(), String> {
    step::run(offline(place, &["fmt", "--all", "--check"]))
}

fn lints(place: &Place, _: &mut Tally) -> Result<(), String> {
    step::run(offline(
        place,
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
    ))
}

fn documentation(place: &Place, _: &mut Tally) -> Result<(), String> {
    let mut command = offline(place, &["doc", "--workspace", "--no-deps", "--locked"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    step::run(command)
}

/// The end-to-end tests start the real programs, which `cargo test` alone would not all build. With all targets together the
/// dependencies get the features that the tests need, so that nothing is compiled twice.
fn programs(place: &Place, _: &mut Tally) -> Result<(), String> {
    step::run(offline(
        place,
        &["build", "--workspace", "--all-targets", "--locked"],
    ))
}

fn shipped(place: &Place, _: &mut Tally) -> Result<(), String> {
    artefact::scan(&place.target.join("debug"))
}

fn tests(place: &Place, tally: &mut Tally) -> Result<(), String> {
    tally.add(&step::run_tests(offline(
        place,
        &["test", "--workspace", "--locked"],
    ))?);
    if tally.passed == 0 {
        return Err("no test ran".to_owned());
    }
    Ok(())
}

/// Licences, banned crates and double versions are always checked by `tests/tidy`; `cargo-deny` is a second opinion where it is installed.
fn dependencies(place: &Place, _: &mut Tally) -> Result<(), String> {
    if !has_deny() {
        println!(
            "cargo-deny is not installed: licences, banned crates and double versions were checked by tests/tidy; \
             known advisories were NOT checked (`cargo xtask test --full` installs cargo-deny and checks them)"
        );
        return Ok(());
    }
    step::run(offline(
        place,
        &[
            "deny",
            "--offline",
            "check",
            "--hide-inclusion-graph",
            "bans",
            "licenses",
            "sources",
        ],
    ))
}

/// The usual run kills a few times; this is the long one.
fn kills(place: &Place, tally: &mut Tally) -> Result<(), String> {
    let mut command = offline(
        place,
        &[
            "test",
            "--locked",
            "--package",
            "chancery-e2e",
            "--test",
            "kill",
        ],
    );
    command.env("CHANCERY_KILL_CYCLES", "50");
    tally.add(&step::run_tests(command)?);
    Ok(())
}

/// The usual run tries some thousand filters, PATCH bodies and programs of requests; this is the long one.
fn properties(place: &Place, tally: &mut Tally) -> Result<(), String> {
    let mut command = offline(
        place,
        &[
            "test",
            "--locked",
            "--release",
            "--package",
            "chancery-model",
        ],
    );
    command.env("CHANCERY_FULL", "1");
    tally.add(&step::run_tests(command)?);
    Ok(())
}

/// Requests are generated for minutes, with all filter operators.
fn public_suites(place: &Place, tally: &mut Tally) -> Result<(), String> {
    let arguments = [
        "test",
        "--locked",
        "--package",
        "chancery-conformance",
        "--test",
        "public",
    ];
    let mut command = offline(place, &arguments);
    command.env("CHANCERY_FULL", "1");
    tally.add(&step::run_tests(command)?);
    Ok(())
}

fn advisories(place: &Place, _: &mut Tally) -> Result<(), String> {
    if !has_deny() {
        let mut install = step::cargo(place);
        install.args(["install", "cargo-deny", "--locked"]);
        step::run(install)?;
    }
    let mut check = step::cargo(place);
    check.args(["deny", "check", "--hide-inclusion-graph"]);
    step::run(check)
}

fn has_deny() -> bool {
    step::works("cargo", &["deny", "--version"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_run_contains_the_usual_one() {
        let names = |reach| -> Vec<&str> { steps(reach).iter().map(|(name, _)| *name).collect() };
        let usual = names(Reach::Usual);
        let full = names(Reach::Full);
        assert_eq!(full.get(..usual.len()), Some(usual.as_slice()));
        assert!(full.len() > usual.len());
    }
}
