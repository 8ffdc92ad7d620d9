//! `cargo xtask up`: build in release what the service needs, then become `chancery-dev up`.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::Place;
use crate::step;

/// The programs that `chancery-dev up` starts, and itself: the package of each and the name of its binary.
pub(crate) const PROGRAMS: [(&str, &str); 6] = [
    ("chancery-dev", "chancery-dev"),
    ("chancery-runtime-dev", "chancery-runtime-dev"),
    ("chancery-emulated-sp", "chancery-emulated-sp"),
    ("chancery-forwarder", "chancery-host"),
    ("chancery-witness", "chancery-witness"),
    ("chancery-issuer", "chancery-issuer"),
];

/// Builds, then replaces this process, so that signals and the exit status are those of `chancery-dev`.
///
/// # Errors
/// If a tool is missing, the build fails or the built program cannot be started.
pub(crate) fn run(place: &Place, arguments: &[String]) -> Result<(), String> {
    step::require_compiler()?;
    println!(
        "xtask: building the service in release (the first time takes some minutes on two cores)"
    );
    let mut build = step::cargo(place);
    build.args(["build", "--release", "--locked"]);
    for (package, binary) in PROGRAMS {
        build.args(["--package", package, "--bin", binary]);
    }
    let status = build
        .status()
        .map_err(|error| format!("`cargo` cannot be started: {error}"))?;
    if !status.success() {
        return Err(format!(
            "the build failed ({status}): {}",
            step::shown(&build)
        ));
    }
    let program = place.target.join("release").join("chancery-dev");
    let error = Command::new(&program).arg("up").args(arguments).exec();
    Err(format!("{} cannot be started: {error}", program.display()))
}
