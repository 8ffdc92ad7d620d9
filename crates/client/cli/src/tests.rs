use super::*;
use clap::CommandFactory as _;
use std::path::PathBuf;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

fn refused(line: &str) -> clap::error::ErrorKind {
    parse(line).unwrap_err().kind()
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_of_the_first_cut_parses() {
    for line in [
        "chancery verify --ready-file r.json",
        "chancery verify https://localhost:8443 --deployment d.json --hardware --json",
        "chancery tenant create --slug demo --domain a.example --domain b.example --admission a.json --out keys --deployment d.json",
        "chancery tenant show --ready-file r.json",
        "chancery tenant admit --slug demo --days 3 --out a.json --deployment d.json --key operator.key",
        "chancery delegation new --out d.json --ready-file r.json",
        "chancery delegation new --out d.json --genesis g.json --serial 2 --scope users.read --domain a.example --days 30",
        "chancery delegation sign d.json --out d.dsse --submit --ready-file r.json",
        "chancery delegation show",
        "chancery delegation show d.dsse",
        "chancery delegation revoke --hash 00 --ready-file r.json",
        "chancery delegation revoke d.dsse --ready-file r.json",
        "chancery token issue --label okta --ready-file r.json",
        "chancery token list --deployment d.json --tenant demo --key a.key --key b.key",
        "chancery token revoke t1 --ready-file r.json",
        "chancery log tail -n 5 --from 0 --ready-file r.json",
        "chancery report show report.bin --json",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn json_can_stand_anywhere() {
    for line in [
        "chancery --json report show f",
        "chancery report --json show f",
        "chancery report show f --json",
    ] {
        assert!(parse(line).unwrap().global.json, "{line}");
    }
    assert!(!parse("chancery report show f").unwrap().global.json);
}

#[test]
fn refuses_command_lines_that_leave_out_or_double_what_they_need() {
    use clap::error::ErrorKind::{
        ArgumentConflict, InvalidSubcommand, MissingRequiredArgument, UnknownArgument,
        ValueValidation,
    };
    for (line, kind) in [
        (
            "chancery tenant create --slug demo --admission a --out k",
            MissingRequiredArgument,
        ),
        (
            "chancery token issue --ready-file r.json",
            MissingRequiredArgument,
        ),
        (
            "chancery delegation revoke --ready-file r.json",
            MissingRequiredArgument,
        ),
        (
            "chancery delegation revoke --hash 00 d.dsse",
            ArgumentConflict,
        ),
        (
            "chancery delegation new --out d --genesis g",
            MissingRequiredArgument,
        ),
        ("chancery log tail -n many", ValueValidation),
        ("chancery verify --insecure", UnknownArgument),
        ("chancery verify --emulated", UnknownArgument),
        ("chancery up", InvalidSubcommand),
        ("chancery bench", InvalidSubcommand),
    ] {
        assert_eq!(refused(line), kind, "{line}");
    }
}

#[test]
fn a_context_needs_a_deployment_and_says_which_option() {
    let args = ContextArgs::default();
    let error = context::Context::load(&args, &Environment::default()).unwrap_err();
    assert_eq!(error.to_string(), "this command needs --deployment");
    assert!(error.advice().unwrap().contains("--ready-file"));
}

#[test]
fn the_shipped_anchor_is_amds_whatever_the_file_says() {
    let anchor = AmdSource
        .anchor(&PathBuf::from("/nonexistent/emulated-roots.json"))
        .unwrap();
    assert_eq!(anchor.roots().len(), 3);
    assert_eq!(Amd::MODE, chancery_verify::Mode::Amd);
}
