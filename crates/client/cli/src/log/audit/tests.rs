use super::*;
use crate::files::tests::Folder;
use crate::log::proof::tests::{TENANT, bundle, deployment, entry};

fn head() -> Verified {
    let bundle = bundle(true);
    let path = Path::new("proof");
    let receipt = check(&deployment(), bundle.as_bytes(), path, Some(TENANT)).unwrap();
    receipt.verified
}

fn audit() -> Audit {
    Audit::new(Audited {
        deployment: [7; 32],
        tenant: TENANT,
    })
}

fn text(object: &Object) -> String {
    String::from_utf8(object.to_bytes()).unwrap()
}

#[test]
fn a_log_that_is_not_the_witnessed_one_is_not_clean_and_fails() {
    // The witnesses cosigned two leaves, and the service gave none.
    let verdict = audit().finish(&head(), None, None);
    let outcome = told(&verdict, &Names::new(), &["the moon".to_owned()]);
    assert!(!outcome.holds);
    assert!(
        outcome
            .text
            .contains("the witnesses cosigned 2 leaves, the service gave 0"),
        "{}",
        outcome.text
    );
    assert!(outcome.text.contains("Not checked:\n  - the moon"));
    assert!(outcome.text.contains("\n\nNOT CLEAN"));
    let json = text(&outcome.json);
    assert!(
        json.starts_with(r#"{"verdict":"findings","sentences":["#),
        "{json}"
    );
    assert!(json.contains(r#""not_checked":["the moon"]"#));
}

#[test]
fn tells_the_entry_of_each_finding() {
    let mut audit = audit();
    // No log begins with a suspension.
    audit.leaf(&entry().encode());
    let verdict = audit.finish(&head(), None, None);
    let outcome = told(&verdict, &Names::new(), &[]);
    let line = outcome.text.lines().find(|line| line.starts_with('0'));
    assert!(
        line.unwrap().contains("the log breaks here"),
        "{}",
        outcome.text
    );
}

#[test]
fn names_whose_handles_stand_in_a_finding() {
    let names = Names::from([
        ("abababababab".to_owned(), "ann\u{1b}".to_owned()),
        ("cdcdcdcdcdcd".to_owned(), "Finance".to_owned()),
    ]);
    assert_eq!(
        who(
            "membership without entry: abababababab is shown in group cdcdcdcdcdcd",
            &names
        )
        .unwrap(),
        "ann\\u{1b}, Finance"
    );
    assert_eq!(who("the log breaks here", &names), None);
}

#[test]
fn an_auditor_who_keeps_a_genesis_is_shown_no_other_tenant() {
    let folder = Folder::new();
    let key = crate::create_signing_key(&folder.path("one.key")).unwrap();
    let recovery = crate::create_recovery_key(&folder.path("recovery.key")).unwrap();
    let genesis = crate::tests::sample_genesis(&key, recovery);
    let path = folder.path("genesis.json");
    std::fs::write(&path, &genesis).unwrap();
    let kept = Genesis::verify(&Envelope::parse(&genesis).unwrap()).unwrap();
    must_be_kept(kept.hash(), &path).unwrap();
    assert!(matches!(
        must_be_kept(&[0; 32], &path),
        Err(CliError::OtherGenesis { .. })
    ));
}
