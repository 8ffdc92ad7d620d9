use super::*;

use crate::Cli;
use crate::args::Command;
use crate::args::tenant::TenantCommand;
use crate::files::tests::Folder;
use base64ct::{Base64, Encoding as _};
use clap::Parser as _;

fn create_args(folder: &Folder, line: &str) -> TenantCreateArgs {
    let out = folder.path("keys");
    let line = format!(
        "chancery tenant create --slug demo --domain demo.example --out {} {line}",
        out.display()
    );
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    match cli.command {
        Command::Tenant(TenantCommand::Create(args)) => *args,
        other => panic!("{other:?}"),
    }
}

fn public_key(folder: &Folder, name: &str) -> (SigningKey, String) {
    let key = create_signing_key(&folder.path(name)).unwrap();
    let path = folder.path(&format!("{name}.pub"));
    let text = Base64::encode_string(&key.public_key().to_bytes());
    std::fs::write(&path, text).unwrap();
    (key, path.display().to_string())
}

fn context(folder: &Folder) -> Context {
    let deployment = crate::tests::deployment_file(folder, chancery_verify::Mode::Amd);
    let args = crate::ContextArgs {
        deployment: Some(deployment),
        ..crate::ContextArgs::default()
    };
    Context::load(&args, &Environment::default()).unwrap()
}

#[test]
fn a_genesis_of_two_admins_is_prepared_signed_and_whole() {
    let folder = Folder::new();
    let (bob, bob_public) = public_key(&folder, "bob.key");
    let args = create_args(
        &folder,
        &format!(
            "--admin-name ann --admin bob={bob_public} --threshold 2 --prepare \
             --protected-group Board --protected-account root@demo.example"
        ),
    );
    let wanted = Wanted::read(&args).unwrap();
    let (genesis, mut envelope) = wanted.make(&args, &context(&folder)).unwrap();
    assert_eq!(genesis.admins.threshold(), 2);
    let outcome = prepared(&genesis, &envelope, &folder.path("keys/genesis.json"));
    assert!(
        outcome
            .text
            .contains("1 of 2 needed signatures are on it; nothing was sent"),
        "{}",
        outcome.text
    );
    for part in ["Board", "root@demo.example", "2 of ", "an admin confirms"] {
        assert!(outcome.text.contains(part), "{part}: {}", outcome.text);
    }
    // One signature does not make a tenant of two.
    assert!(Genesis::verify(&envelope).is_err());
    envelope.add_signature(&bob).unwrap();
    let verified = Genesis::verify(&envelope).unwrap();
    assert_eq!(
        read_genesis(&envelope, Path::new("g.json")).unwrap(),
        *verified.genesis()
    );
    let answer = Object::new().with("tenant_id", verified.tenant().to_string());
    let made_of = made(&verified, &answer, None).unwrap();
    assert!(made_of.text.contains("v=chancery1; tenant=demo; genesis="));
    let other = Object::new().with("tenant_id", "00".repeat(16));
    assert!(made(&verified, &other, None).is_err());
}

#[test]
fn refuses_a_threshold_that_nobody_else_could_meet_in_time() {
    let folder = Folder::new();
    let refused = |line: &str| {
        let args = create_args(&folder, line);
        match Wanted::read(&args) {
            Err(CliError::ValueInvalid { option, .. }) => option,
            _ => "accepted",
        }
    };
    assert_eq!(refused("--threshold 2 --admission a.json"), "--threshold");
    assert_eq!(refused("--prepare --admission a.json"), "--admission");
    assert_eq!(refused("--threshold 2 --prepare"), "accepted");
    assert_eq!(refused("--admin bob --prepare"), "--admin");
}

#[test]
fn uses_a_key_that_is_there_already_and_makes_no_other() {
    let folder = Folder::new();
    let key = create_signing_key(&folder.path("mine.key")).unwrap();
    let args = create_args(
        &folder,
        &format!(
            "--prepare --admin-key-file {}",
            folder.path("mine.key").display()
        ),
    );
    let (genesis, _) = Wanted::read(&args)
        .unwrap()
        .make(&args, &context(&folder))
        .unwrap();
    assert!(genesis.admins.by_key(&key.id()).is_some());
    assert!(!folder.path("keys/admin.key").exists());
    assert!(folder.path("keys/recovery.key").exists());
}

#[test]
fn reads_the_identity_provider_with_its_certificates() {
    let folder = Folder::new();
    let pem = format!(
        "comment\n{begin}\n{}\n{end}\n{begin}\nAQID\n{end}\n",
        "BAUG\nBwgJ",
        begin = "-----BEGIN CERTIFICATE-----",
        end = "-----END CERTIFICATE-----"
    );
    std::fs::write(folder.path("ca.pem"), &pem).unwrap();
    let args = create_args(
        &folder,
        &format!(
            "--prepare --idp-issuer https://login.example --idp-client-id chancery --idp-mapping oid \
             --idp-ca {ca} --idp-ca {ca}",
            ca = folder.path("ca.pem").display()
        ),
    );
    let idp = provider(&args.idp).unwrap().unwrap();
    assert_eq!(idp.mapping, IdMapping::OidToExternalId);
    // Sorted, and each once.
    assert_eq!(idp.tls_roots, [vec![1, 2, 3], vec![4, 5, 6, 7, 8, 9]]);
    assert!(claims(&idp).contains("its oid is the externalId"));
    let dangerous = IdentityProvider {
        mapping: IdMapping::DangerousEmailToUserName,
        ..idp
    };
    assert!(claims(&dangerous).contains("DANGER"));
}

#[test]
fn refuses_a_file_without_certificates() {
    for pem in [
        "",
        "-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----",
        "-----BEGIN CERTIFICATE-----\nAQID",
        "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----",
    ] {
        assert!(
            certificates(pem.as_bytes(), Path::new("ca.pem")).is_err(),
            "{pem}"
        );
    }
}

#[tokio::test]
async fn signs_for_this_deployment_and_as_a_named_admin_alone() {
    let folder = Folder::new();
    let args = create_args(&folder, "--prepare");
    let (_, envelope) = Wanted::read(&args)
        .unwrap()
        .make(&args, &context(&folder))
        .unwrap();
    std::fs::write(folder.path("g.json"), envelope.to_json()).unwrap();
    create_signing_key(&folder.path("eve.key")).unwrap();
    let sign_args = |key: &str| TenantSignArgs {
        document: folder.path("g.json"),
        out: folder.path("signed.json"),
        force: true,
        submit: false,
        admission: None,
        context: crate::ContextArgs {
            deployment: Some(folder.path("deployment.json")),
            keys: vec![folder.path(key)],
            ..crate::ContextArgs::default()
        },
    };
    let environment = Environment::default();
    let eve = sign(&sign_args("eve.key"), &environment, &crate::AmdSource).await;
    assert!(matches!(
        eve,
        Err(CliError::ValueInvalid {
            option: "--key",
            ..
        })
    ));
    assert!(!folder.path("signed.json").exists());
    // To sign twice changes nothing.
    let own = sign(
        &sign_args("keys/admin.key"),
        &environment,
        &crate::AmdSource,
    )
    .await
    .unwrap();
    assert!(own.text.contains("1 of 1"), "{}", own.text);

    let mut foreign = Genesis::from_json(envelope.unverified_payload()).unwrap();
    foreign.deployment = chancery_authority::DeploymentId::from_bytes([8; 32]);
    let key = read_signing_key(&folder.path("keys/admin.key")).unwrap();
    let foreign = foreign.sign(&[&key]).unwrap();
    std::fs::write(folder.path("g.json"), foreign.to_json()).unwrap();
    let refused = sign(
        &sign_args("keys/admin.key"),
        &environment,
        &crate::AmdSource,
    )
    .await;
    assert!(matches!(
        refused,
        Err(CliError::Authority(
            chancery_authority::Error::ForeignDeployment
        ))
    ));
}
