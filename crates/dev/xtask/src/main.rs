//! The project's own commands: `cargo xtask up` and `cargo xtask test`.
//!
//! Zone: dev.
//!
//! It has no dependencies, so that a fresh clone compiles it in a second, and no rule of its own about the code: those are
//! lints, or tests in `tests/tidy`. It only calls `cargo` in the right order and says what happened.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command that prints"
)]

mod artefact;
mod step;
mod suite;
mod up;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask up [-- ARGUMENTS]   build the service in release, then run `chancery-dev up ARGUMENTS`
       cargo xtask test [--full]       formatting, lints, documentation, every test; --full adds what takes long (fifty
                                       kills under load) or needs the network (cargo-deny with the advisory database)
       cargo xtask help                this text";

/// The folders that the commands work in.
#[derive(Debug)]
pub(crate) struct Place {
    /// The root of the repository.
    pub(crate) repository: PathBuf,
    /// Cargo's target folder: where this very program was built.
    pub(crate) target: PathBuf,
}

impl Place {
    /// The repository is known from compilation; the target folder from where this program lies.
    fn find() -> Result<Self, String> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(3)
            .ok_or("xtask does not lie in crates/dev/xtask")?
            .to_path_buf();
        let program = std::env::current_exe().map_err(|error| format!("own path: {error}"))?;
        let target = program
            .ancestors()
            .nth(2)
            .ok_or("xtask was not started from cargo's target folder")?
            .to_path_buf();
        Ok(Self { repository, target })
    }
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    Up(Vec<String>),
    Test { reach: suite::Reach },
    Help,
}

fn understand(arguments: &[String]) -> Result<Request, String> {
    let (command, rest) = arguments
        .split_first()
        .ok_or_else(|| "say what to do".to_owned())?;
    match command.as_str() {
        "up" => match rest.split_first() {
            None => Ok(Request::Up(Vec::new())),
            Some((dashes, rest)) if dashes == "--" => Ok(Request::Up(rest.to_vec())),
            Some((other, _)) => Err(format!(
                "put `--` before the arguments of `up`: `-- {other}`"
            )),
        },
        "test" => match rest {
            [] => Ok(Request::Test {
                reach: suite::Reach::Usual,
            }),
            [full] if full == "--full" => Ok(Request::Test {
                reach: suite::Reach::Full,
            }),
            _ => Err(format!("`test` takes `--full` or nothing, not {rest:?}")),
        },
        "help" | "--help" | "-h" => Ok(Request::Help),
        other => Err(format!("there is no command `{other}`")),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let request = match understand(&arguments) {
        Ok(request) => request,
        Err(reason) => {
            eprintln!("xtask: {reason}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let outcome = Place::find().and_then(|place| match request {
        Request::Up(arguments) => up::run(&place, &arguments),
        Request::Test { reach } => suite::run(&place, reach),
        Request::Help => {
            println!("{USAGE}");
            Ok(())
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("\nxtask: {reason}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &[&str]) -> Result<Request, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        understand(&words)
    }

    #[test]
    fn passes_on_what_follows_the_dashes() {
        let expected = Request::Up(vec!["--ready-file".to_owned(), "r.json".to_owned()]);
        assert_eq!(asked(&["up", "--", "--ready-file", "r.json"]), Ok(expected));
        assert_eq!(asked(&["up"]), Ok(Request::Up(Vec::new())));
    }

    #[test]
    fn refuses_arguments_of_up_without_the_dashes() {
        assert!(asked(&["up", "--ready-file"]).is_err());
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert!(asked(&[]).is_err());
        assert!(asked(&["tset"]).is_err());
        assert!(asked(&["test", "--ful"]).is_err());
        assert!(asked(&["test", "--full", "twice"]).is_err());
    }
}
