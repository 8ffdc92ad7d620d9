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
        "chancery claim --claim 04040404-0404-0404-0404-040404040404 --genesis-hash 00 --deployment d.json --tenant demo --home h --open --wait-s 5",
        "chancery claim --claim x --ready-file r.json --dangerous-trust-first-use --device-name laptop",
        "chancery keys lookup ada@demo.example --ready-file r.json",
        "chancery keys lookup ada@demo.example --home h --deployment d.json --tenant demo",
        "chancery keys history ada@demo.example --ready-file r.json",
        "chancery keys rotate --home h --ready-file r.json",
        "chancery group key Board --epoch 2 --out k --home h --ready-file r.json",
        "chancery device request --home new --name laptop --out request.json",
        "chancery device add request.json --out introduction.json --home h --ready-file r.json",
        "chancery device accept introduction.json --home new --ready-file r.json",
        "chancery device accept --home new --ready-file r.json",
        "chancery device list --home h --ready-file r.json",
        "chancery device revoke 00 --home h --ready-file r.json",
        "chancery device revoke 00 --user ada@demo.example --ready-file r.json",
        "chancery member show --home h --ready-file r.json",
        "chancery report show report.bin --json",
        "chancery report show report.bin --line milan",
        "chancery tenant create --slug demo --domain a.example --prepare --admin bob=bob.pub --threshold 2 --out keys --deployment d.json",
        "chancery tenant create --slug demo --domain a.example --admission a --out k --idp-issuer https://i --idp-client-id c --idp-mapping dangerous-email",
        "chancery tenant sign g.json --key bob.key --out g2.json --submit --admission a.json --deployment d.json",
        "chancery tenant import members.csv --dry-run",
        "chancery admins show --ready-file r.json",
        "chancery admins key --out eve.key",
        "chancery admins propose --add eve=eve.key.pub --remove bob --threshold 2 --out change.json --ready-file r.json",
        "chancery admins sign change.json --out change.dsse --ready-file r.json",
        "chancery admins submit change.dsse --ready-file r.json",
        "chancery auditor enrol carl=carl.pub --ready-file r.json",
        "chancery auditor revoke 00 --ready-file r.json",
        "chancery token rotate t1 --overlap-hours 2 --days 30 --ready-file r.json",
        "chancery idp show --ready-file r.json",
        "chancery idp trust aa bb --ready-file r.json",
        "chancery idp trust --all --ready-file r.json",
        "chancery approve --ready-file r.json",
        "chancery approve 00 --ready-file r.json",
        "chancery approve --burst emptied-groups --count 3 --for 30m --ready-file r.json",
        "chancery user suspend ann --ready-file r.json",
        "chancery user restore ann --ready-file r.json",
        "chancery user erase ann --ready-file r.json",
        "chancery user reset ann --ready-file r.json",
        "chancery user confirm ann ABCD-EFGH --ready-file r.json",
        "chancery group add Finance ann --ready-file r.json",
        "chancery group remove Finance ann --ready-file r.json",
        "chancery plan show --ready-file r.json",
        "chancery plan apply --keep-unmatched --hash 00 --ready-file r.json",
        "chancery plan drop --ready-file r.json",
        "chancery log audit --roster people.csv --ready-file r.json",
        "chancery log receipt 7 --out proof --ready-file r.json",
        "chancery log verify proof --deployment d.json",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn every_command_about_evidence_and_releases_parses() {
    for line in [
        "chancery appraise --report r --vek v --policy p --at 2026-07-01T00:00:00Z",
        "chancery appraise --report r --vek v --ca c --crl l --policy p --at 2026-07-01T02:00:00+02:00 --floors f --deployment d --json",
        "chancery release measure --vmm ec2 --ovmf o --kernel k --initrd i --append x --vcpus 1 --guest-features 0x21",
        "chancery release measure --ovmf o --kernel-sha256 aa00000000000000000000000000000000000000000000000000000000000000 --vcpus 1,2 --vcpu-sig 0xa10f10",
        "chancery release keygen --out k",
        "chancery release sign s.json --kind tcb-floors --key k --key l --out o --force --previous p",
        "chancery release sign --id a --release-version 1 --serial 1 --expires 2027-01-01T00:00:00Z --ovmf o --vcpus 1 --vcpu-type EPYC --key k --out o",
        "chancery release verify s --release-key k.pub --threshold 1 --at 2026-07-01T00:00:00Z --previous p --policy q --ovmf o",
        "chancery release verify s --deployment d.json",
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
        (
            "chancery tenant create --slug demo --domain a --out k",
            MissingRequiredArgument,
        ),
        (
            "chancery tenant create --slug demo --domain a --prepare --out k --idp-issuer https://i",
            MissingRequiredArgument,
        ),
        (
            "chancery tenant sign g --out h --submit",
            MissingRequiredArgument,
        ),
        ("chancery idp trust", MissingRequiredArgument),
        ("chancery idp trust aa --all", ArgumentConflict),
        ("chancery approve --count 3", MissingRequiredArgument),
        (
            "chancery approve --burst grants --count 3",
            MissingRequiredArgument,
        ),
        (
            "chancery approve 00 --burst grants --count 3 --for 1h",
            ArgumentConflict,
        ),
        (
            "chancery approve --burst logins --count 3 --for 1h",
            clap::error::ErrorKind::InvalidValue,
        ),
        ("chancery user confirm ann", MissingRequiredArgument),
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
fn refuses_command_lines_about_evidence_that_leave_out_or_misspell_something() {
    use clap::error::ErrorKind::{InvalidValue, MissingRequiredArgument, ValueValidation};
    let appraise = "chancery appraise --report r --vek v --policy p";
    let data = format!("{appraise} --at 2026-07-01T00:00:00Z --report-data 00");
    let yesterday = format!("{appraise} --at yesterday");
    for (line, kind) in [
        (appraise, MissingRequiredArgument),
        (
            "chancery appraise --report r --vek v --at 2026-07-01T00:00:00Z",
            MissingRequiredArgument,
        ),
        (&yesterday, ValueValidation),
        (&data, ValueValidation),
        ("chancery report show r --line venice", InvalidValue),
    ] {
        assert_eq!(refused(line), kind, "{line}");
    }
}

#[test]
fn refuses_command_lines_about_releases_that_leave_out_or_contradict_something() {
    use clap::error::ErrorKind::{
        ArgumentConflict, InvalidValue, MissingRequiredArgument, ValueValidation,
    };
    for (line, kind) in [
        ("measure --vcpus 1", MissingRequiredArgument),
        ("measure --ovmf o", MissingRequiredArgument),
        ("measure --ovmf o --vcpus 0", ValueValidation),
        (
            "measure --ovmf o --vcpus 1 --vcpu-type Venice",
            ValueValidation,
        ),
        ("measure --ovmf o --vcpus 1 --vmm xen", InvalidValue),
        (
            "measure --ovmf o --vcpus 1 --initrd i",
            MissingRequiredArgument,
        ),
        (
            "measure --ovmf o --vcpus 1 --append x",
            MissingRequiredArgument,
        ),
        ("sign s --out o", MissingRequiredArgument),
        ("sign --key k --out o", MissingRequiredArgument),
        (
            "sign --ovmf o --vcpus 1 --key k --out o",
            MissingRequiredArgument,
        ),
        ("sign s --ovmf o --key k --out o", ArgumentConflict),
        ("sign s --serial 3 --key k --out o", ArgumentConflict),
        (
            "sign s --guest-features 0x1 --key k --out o",
            ArgumentConflict,
        ),
        ("sign s --append x --key k --out o", ArgumentConflict),
        ("verify s", MissingRequiredArgument),
        ("verify s --release-key k --deployment d", ArgumentConflict),
        ("verify s --deployment d --threshold 1", ArgumentConflict),
    ] {
        assert_eq!(refused(&format!("chancery release {line}")), kind, "{line}");
    }
}

#[test]
fn refuses_members_command_lines_that_leave_out_or_contradict_something() {
    use clap::error::ErrorKind::{
        ArgumentConflict, MissingRequiredArgument, UnknownArgument, ValueValidation,
    };
    for (line, kind) in [
        (
            "chancery claim --ready-file r.json",
            MissingRequiredArgument,
        ),
        (
            "chancery claim --claim x --genesis-hash 00 --dangerous-trust-first-use",
            ArgumentConflict,
        ),
        ("chancery claim --claim x --wait-s 0", ValueValidation),
        ("chancery claim --claim x --login-as ada", UnknownArgument),
        ("chancery group key Board --epoch 0", ValueValidation),
        (
            "chancery device revoke 00 --user ada --home h",
            ArgumentConflict,
        ),
        ("chancery device add request.json", MissingRequiredArgument),
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

/// A deployment file as a client pins it, of the given mode, at an address where nobody listens.
pub(crate) fn deployment_file(
    folder: &files::tests::Folder,
    mode: chancery_verify::Mode,
) -> PathBuf {
    let log = chancery_tlog::SignerKey::from_seed("demo.example/log", &[1; 32]).unwrap();
    let witness = chancery_tlog::CosignerKey::from_seed("w.example", &[2; 32]).unwrap();
    let release = chancery_dsse::SigningKey::from_seed([3; 32]);
    let deployment =
        chancery_client::Deployment::new(chancery_session::deployment::DeploymentParts {
            deployment_id: [7; 32],
            log_origin: "demo.example/log".to_owned(),
            log_key: log.verifier().to_string(),
            witness_policy: format!("witness w {}\nquorum w\n", witness.verifier()),
            release_keys: vec![release.public_key().to_bytes()],
            release_threshold: 1,
            tls_roots_pem: "no certificate".to_owned(),
            base: "https://localhost:1".to_owned(),
            mode,
        })
        .unwrap();
    let path = folder.path("deployment.json");
    std::fs::write(&path, deployment.to_json()).unwrap();
    path
}

async fn verified(args: &ContextArgs) -> Outcome {
    let command = Command::Verify(VerifyArgs {
        url: None,
        hardware: false,
        context: args.clone(),
    });
    dispatch(&command, &AmdSource, &ByBrowser).await.unwrap()
}

#[tokio::test]
async fn the_shipped_command_refuses_an_emulated_deployment_and_says_so_first() {
    let folder = files::tests::Folder::new();
    let args = ContextArgs {
        deployment: Some(deployment_file(&folder, chancery_verify::Mode::Emulated)),
        state: Some(folder.path("heads.json")),
        ..ContextArgs::default()
    };
    let outcome = verified(&args).await;
    assert!(!outcome.holds);
    assert!(outcome.text.starts_with("EMULATED"), "{}", outcome.text);
    assert!(
        outcome.text.contains("✗ deployment mode"),
        "{}",
        outcome.text
    );
    // Nothing was even looked up: the mode is refused before any connection or file.
    assert!(!folder.path("heads.json.lock").exists());
}

#[tokio::test]
async fn a_deployment_without_usable_roots_is_refused() {
    let folder = files::tests::Folder::new();
    let args = ContextArgs {
        deployment: Some(deployment_file(&folder, chancery_verify::Mode::Amd)),
        state: Some(folder.path("heads.json")),
        ..ContextArgs::default()
    };
    let outcome = verified(&args).await;
    assert!(!outcome.holds);
    assert!(
        outcome.text.contains("the pinned tls roots are unusable"),
        "{}",
        outcome.text
    );
}

#[tokio::test]
async fn a_verification_without_a_base_address_or_pins_blames_the_command_line() {
    let folder = files::tests::Folder::new();
    let context = ContextArgs {
        deployment: Some(deployment_file(&folder, chancery_verify::Mode::Amd)),
        ..ContextArgs::default()
    };
    let verify = |url: Option<&str>, context: &ContextArgs| {
        Command::Verify(VerifyArgs {
            url: url.map(str::to_owned),
            hardware: false,
            context: context.clone(),
        })
    };
    for url in [
        "http://localhost:1",
        "https://localhost:1/path",
        "localhost",
    ] {
        let command = verify(Some(url), &context);
        let error = dispatch(&command, &AmdSource, &ByBrowser)
            .await
            .unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(
            error.to_string().starts_with("URL must be https://"),
            "{error}"
        );
    }
    let command = verify(None, &ContextArgs::default());
    let error = dispatch(&command, &AmdSource, &ByBrowser)
        .await
        .unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert_eq!(
        error.advice(),
        Some("pass --deployment FILE, or --ready-file FILE")
    );
}

#[test]
fn a_ready_file_gives_deployment_tenant_and_key_and_options_win() {
    let folder = files::tests::Folder::new();
    deployment_file(&folder, chancery_verify::Mode::Amd);
    std::fs::create_dir(folder.path("admin")).unwrap();
    let key = create_signing_key(&folder.path("admin/admin.key")).unwrap();
    let ready = r#"{"base":"https://localhost:1","deployment_file":"deployment.json",
        "tenant":"demo","admin_dir":"admin","pids":{"up":1},"unknown":[1]}"#;
    std::fs::write(folder.path("r.json"), ready).unwrap();
    let args = ContextArgs {
        ready_file: Some(folder.path("r.json")),
        ..ContextArgs::default()
    };
    let context = context::Context::load(&args, &Environment::default()).unwrap();
    assert_eq!(context.tenant().unwrap().as_str(), "demo");
    assert_eq!(context.keys().unwrap()[0].id(), key.id());
    assert!(context.genesis_path().is_none());

    let args = ContextArgs {
        tenant: Some("other".to_owned()),
        ..args
    };
    let context = context::Context::load(&args, &Environment::default()).unwrap();
    assert_eq!(context.tenant().unwrap().as_str(), "other");

    let args = ContextArgs {
        tenant: Some("Not A Slug".to_owned()),
        ..args
    };
    let refused = context::Context::load(&args, &Environment::default());
    assert!(matches!(
        refused,
        Err(CliError::ValueInvalid {
            option: "--tenant",
            ..
        })
    ));
}

#[test]
fn a_broken_deployment_or_ready_file_is_refused_with_its_place() {
    let folder = files::tests::Folder::new();
    let path = deployment_file(&folder, chancery_verify::Mode::Amd);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        text.replace("{\"version\":1", "{\"extra\":0,\"version\":1"),
    )
    .unwrap();
    let args = ContextArgs {
        deployment: Some(path),
        ..ContextArgs::default()
    };
    let refused = context::Context::load(&args, &Environment::default());
    assert!(matches!(refused, Err(CliError::DocumentInvalid { .. })));
    std::fs::write(folder.path("r.json"), "{\"tenant\":1}").unwrap();
    let args = ContextArgs {
        ready_file: Some(folder.path("r.json")),
        ..ContextArgs::default()
    };
    let refused = context::Context::load(&args, &Environment::default()).unwrap_err();
    assert!(refused.to_string().contains("/tenant"), "{refused}");
}

#[tokio::test]
async fn a_delegation_is_written_signed_by_two_and_shown_without_any_connection() {
    let folder = files::tests::Folder::new();
    let deployment = deployment_file(&folder, chancery_verify::Mode::Amd);
    let one = create_signing_key(&folder.path("one.key")).unwrap();
    create_signing_key(&folder.path("two.key")).unwrap();
    let recovery = create_recovery_key(&folder.path("recovery.key")).unwrap();
    let genesis = sample_genesis(&one, recovery);
    std::fs::write(folder.path("genesis.json"), genesis).unwrap();
    let text = |name: &str| folder.path(name).display().to_string();
    let line = |line: String| Cli::try_parse_from(line.split(' ').map(str::to_owned)).unwrap();

    let new = format!(
        "chancery delegation new --out {} --genesis {} --serial 1 --scope users.create --days 30",
        text("d.json"),
        text("genesis.json")
    );
    let outcome = dispatch(&line(new).command, &AmdSource, &ByBrowser)
        .await
        .unwrap();
    assert!(
        outcome.text.contains("Automation may create users."),
        "{}",
        outcome.text
    );
    assert!(outcome.text.contains("Nothing is in force yet"));

    for (document, out, key) in [("d.json", "d1", "one.key"), ("d1", "d2", "two.key")] {
        let sign = format!(
            "chancery delegation sign {} --out {} --deployment {} --key {}",
            text(document),
            text(out),
            deployment.display(),
            text(key)
        );
        let outcome = dispatch(&line(sign).command, &AmdSource, &ByBrowser)
            .await
            .unwrap();
        assert!(outcome.text.contains("not in force"), "{}", outcome.text);
    }
    let envelope =
        chancery_dsse::Envelope::parse(&std::fs::read(folder.path("d2")).unwrap()).unwrap();
    assert_eq!(envelope.unverified_signers().count(), 2);

    let show = format!("chancery delegation show {}", text("d2"));
    let outcome = dispatch(&line(show).command, &AmdSource, &ByBrowser)
        .await
        .unwrap();
    assert!(
        outcome.text.contains("(not checked) of"),
        "{}",
        outcome.text
    );
    // The file is laid out for an editor; what was signed is the one encoding of it.
    let unsigned = std::fs::read(folder.path("d.json")).unwrap();
    let delegation = chancery_authority::Delegation::from_json(&unsigned).unwrap();
    assert_ne!(unsigned, delegation.to_payload());
    assert_eq!(envelope.unverified_payload(), delegation.to_payload());
}

pub(crate) fn sample_genesis(
    key: &chancery_dsse::SigningKey,
    recovery_key: chancery_keyset::PublicKeyset,
) -> Vec<u8> {
    use chancery_authority::{
        Admin, AdminSet, DeploymentId, Domain, Genesis, ReleaseRule, TenantSlug,
    };
    let admin = Admin {
        name: "one".to_owned(),
        key: key.public_key(),
    };
    let genesis = Genesis {
        deployment: DeploymentId::from_bytes([7; 32]),
        slug: TenantSlug::parse("demo").unwrap(),
        created_ms: 0,
        nonce: [1; 32],
        admins: AdminSet::new(vec![admin], 1).unwrap(),
        recovery_key,
        domains: [Domain::parse("demo.example").unwrap()].into(),
        idp: None,
        protected_groups: [].into(),
        protected_accounts: [].into(),
        release_rule: ReleaseRule::FollowDeployment,
        witness_policy_sha256: [2; 32],
    };
    genesis.sign(&[key]).unwrap().to_json()
}
