//! One step of a run: a command, its time, and what its end means.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Place;

/// What `cargo test` counted, summed over all its programs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) programs: u64,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Tally {
    /// Takes in the counts of another run.
    pub(crate) fn add(&mut self, other: &Self) {
        self.programs = self.programs.saturating_add(other.programs);
        self.passed = self.passed.saturating_add(other.passed);
        self.failed = self.failed.saturating_add(other.failed);
        self.ignored = self.ignored.saturating_add(other.ignored);
    }

    /// Reads one line of output; anything but a result line changes nothing.
    pub(crate) fn read(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else {
            return;
        };
        self.programs = self.programs.saturating_add(1);
        for part in counts.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            let slot = match what {
                "passed" => &mut self.passed,
                "failed" => &mut self.failed,
                "ignored" => &mut self.ignored,
                _ => continue,
            };
            *slot = slot.saturating_add(number);
        }
    }
}

/// `cargo` in the repository, building where this program was built.
pub(crate) fn cargo(place: &Place) -> Command {
    let mut command = Command::new("cargo");
    command
        .current_dir(&place.repository)
        .env("CARGO_TARGET_DIR", &place.target)
        .stdin(Stdio::null());
    command
}

/// A command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// Runs a command whose output goes where ours goes.
///
/// # Errors
/// If it cannot be started or does not end with success.
pub(crate) fn run(mut command: Command) -> Result<(), String> {
    println!("$ {}", shown(&command));
    let status = command
        .status()
        .map_err(|error| format!("`{}` cannot be started: {error}", shown(&command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{}` ended with {status}", shown(&command)))
    }
}

/// Runs `cargo test`, passes its output on line by line, and counts.
///
/// # Errors
/// If it cannot be started, its output cannot be read, or it does not end with success.
pub(crate) fn run_tests(mut command: Command) -> Result<Tally, String> {
    println!("$ {}", shown(&command));
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{}` cannot be started: {error}", shown(&command)))?;
    let mut tally = Tally::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(|error| format!("output of `cargo test`: {error}"))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            tally.read(&line);
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("`cargo test` was lost: {error}"))?;
    if status.success() {
        Ok(tally)
    } else {
        Err(format!(
            "`{}` ended with {status}; {} tests failed of those that ran",
            shown(&command),
            tally.failed
        ))
    }
}

/// Whether a command can be run at all and succeeds; its output is dropped.
pub(crate) fn works(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// `ring` and the bundled `SQLite` are partly C.
///
/// # Errors
/// If there is no C compiler or no C library to compile against; names the Debian package.
pub(crate) fn require_compiler() -> Result<(), String> {
    if !works("cc", &["--version"]) {
        return Err(
            "there is no C compiler `cc`; on Debian: apt-get install gcc libc6-dev".to_owned(),
        );
    }
    if !works(
        "cc",
        &["-E", "-include", "stdlib.h", "-x", "c", "/dev/null"],
    ) {
        return Err(
            "the C library's headers are missing; on Debian: apt-get install libc6-dev".to_owned(),
        );
    }
    Ok(())
}

/// Programs that tests start: how to see that one is there, and its Debian package.
const TEST_TOOLS: [(&str, &[&str], &str); 2] = [
    ("curl", &["--version"], "curl"),
    ("kill", &["-l"], "procps"),
];

/// Tests are clients by `curl`, send signals by `kill`, and run an identity provider that is written in Python.
///
/// # Errors
/// If one is not there; names the Debian package.
pub(crate) fn require_test_tools() -> Result<(), String> {
    for (program, arguments, package) in TEST_TOOLS {
        if !works(program, arguments) {
            return Err(format!(
                "there is no program `{program}`; on Debian: apt-get install {package}"
            ));
        }
    }
    if !works("python3", &["-c", "import ensurepip, venv"]) {
        return Err(
            "Python 3 with its module `venv` is missing; on Debian: apt-get install python3 python3-venv"
                .to_owned(),
        );
    }
    Ok(())
}

/// A stopwatch for one step or a whole run.
#[derive(Debug)]
pub(crate) struct Watch(Instant);

impl Watch {
    #[expect(
        clippy::disallowed_methods,
        reason = "a build tool may look at the clock; nothing is decided by it"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start, as people say it.
    pub(crate) fn shown(&self) -> String {
        shown_time(self.0.elapsed())
    }
}

fn shown_time(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, 0) => format!("{} ms", time.as_millis()),
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_the_result_lines_of_many_programs() {
        let mut tally = Tally::default();
        tally.read("running 3 tests");
        tally.read("test refuses_99_passed ... ok");
        tally.read(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s",
        );
        tally.read(
            "test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
        );
        let expected = Tally {
            programs: 2,
            passed: 5,
            failed: 4,
            ignored: 1,
        };
        assert_eq!(tally, expected);
        let mut twice = Tally::default();
        twice.add(&tally);
        twice.add(&tally);
        assert_eq!(twice.passed, 10);
        assert_eq!((twice.programs, twice.failed, twice.ignored), (4, 8, 2));
    }

    #[test]
    fn says_which_command_failed() {
        let failure = run(Command::new("false")).unwrap_err();
        assert!(failure.contains("`false` ended with"), "{failure}");
        let missing = run(Command::new("no-such-program-anywhere")).unwrap_err();
        assert!(missing.contains("cannot be started"), "{missing}");
    }

    #[test]
    fn a_missing_tool_does_not_work() {
        assert!(!works("no-such-program-anywhere", &[]));
        assert!(!works("false", &[]));
        assert!(works("true", &[]));
    }

    #[test]
    fn times_are_said_in_their_unit() {
        assert_eq!(shown_time(Duration::from_millis(40)), "40 ms");
        assert_eq!(shown_time(Duration::from_secs(59)), "59 s");
        assert_eq!(shown_time(Duration::from_secs(125)), "2 min 5 s");
    }
}
