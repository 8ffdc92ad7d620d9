use super::*;
use crate::files::tests::Folder;
use chancery_authority::IdMapping;
use chancery_client::Row;
use chancery_directory::SubjectState;
use clap::Parser as _;

fn args(line: &str) -> ClaimArgs {
    let line = format!("chancery claim --claim {} {line}", "0".repeat(36));
    let words = line.split_whitespace().map(str::to_owned);
    match crate::Cli::try_parse_from(words).unwrap().command {
        crate::Command::Claim(args) => args,
        other => panic!("{other:?}"),
    }
}

fn kept() -> Membership {
    Membership {
        deployment: [7; 32],
        tenant: [2; 16],
        genesis: [3; 32],
        member: ClaimId::from_bytes([4; 16]),
        handle: Some([5; 32]),
    }
}

fn genesis() -> (Vec<u8>, VerifiedGenesis) {
    let folder = Folder::new();
    let key = crate::create_signing_key(&folder.path("a")).unwrap();
    let recovery = crate::create_recovery_key(&folder.path("r")).unwrap();
    let text = crate::tests::sample_genesis(&key, recovery);
    let envelope = Envelope::parse(&text).unwrap();
    (
        text,
        chancery_authority::Genesis::verify(&envelope).unwrap(),
    )
}

fn member_error(error: CliError) -> MemberError {
    match error {
        CliError::Member(error) => *error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn believes_no_genesis_that_nobody_pinned() {
    let refused = pinned(&args(""), None, None).unwrap_err();
    assert!(matches!(member_error(refused), MemberError::GenesisUnknown));
    let danger = args("--dangerous-trust-first-use");
    assert_eq!(pinned(&danger, None, None).unwrap(), Vec::<[u8; 32]>::new());
}

#[test]
fn takes_every_pin_that_there_is() {
    let folder = Folder::new();
    let (text, genesis) = genesis();
    let path = folder.path("genesis.json");
    std::fs::write(&path, text).unwrap();
    let given = args(&format!("--genesis-hash {}", "0a".repeat(32)));
    assert_eq!(pinned(&given, None, None).unwrap(), [[0x0a; 32]]);
    assert_eq!(
        pinned(&given, Some(&path), Some(&kept())).unwrap(),
        [[0x0a; 32], *genesis.hash(), [3; 32]]
    );
    // What was trusted on first use once is pinned from then on.
    let danger = args("--dangerous-trust-first-use");
    assert_eq!(pinned(&danger, None, Some(&kept())).unwrap(), [[3; 32]]);
}

#[test]
fn refuses_a_hash_that_is_none() {
    for text in ["0a", &"0A".repeat(32), &"0g".repeat(32)] {
        assert!(matches!(
            pinned(&args(&format!("--genesis-hash {text}")), None, None),
            Err(CliError::ValueInvalid {
                option: "--genesis-hash",
                ..
            })
        ));
    }
}

#[test]
fn uses_a_home_for_one_account_alone() {
    let folder = Folder::new();
    let home = Home::open(&folder.path("home")).unwrap();
    let (_, genesis) = genesis();
    let claim = ClaimId::from_bytes([4; 16]);
    let mut first = membership(&genesis, claim, None, &home).unwrap();
    assert_eq!(first.genesis, *genesis.hash());
    first.handle = Some([9; 32]);
    let again = membership(&genesis, claim, Some(first.clone()), &home).unwrap();
    assert_eq!(again, first);
    let other = ClaimId::from_bytes([5; 16]);
    for (claim, kept) in [
        (other, first.clone()),
        (
            claim,
            Membership {
                deployment: [1; 32],
                ..first.clone()
            },
        ),
        (
            claim,
            Membership {
                tenant: [1; 16],
                ..first.clone()
            },
        ),
        (
            claim,
            Membership {
                genesis: [1; 32],
                ..first
            },
        ),
    ] {
        let refused = membership(&genesis, claim, Some(kept), &home).unwrap_err();
        assert!(matches!(
            member_error(refused),
            MemberError::HomeOfAnother { .. }
        ));
    }
}

fn idp() -> IdentityProvider {
    IdentityProvider {
        issuer: "https://id.example".to_owned(),
        client_id: "c".to_owned(),
        mapping: IdMapping::SubToExternalId,
        tls_roots: Vec::new(),
    }
}

fn challenge() -> Object {
    let named = Object::new()
        .with("issuer", "https://id.example")
        .with("client_id", "c")
        .with("mapping", "sub_to_external_id");
    Object::new().with("idp", named)
}

#[test]
fn leads_a_person_only_to_the_provider_of_the_genesis() {
    let idp = idp();
    assert_eq!(provider(&challenge(), Some(&idp)).unwrap(), Some(&idp));
    let none = Object::new().with("idp", Value::Null);
    assert_eq!(provider(&none, Some(&idp)).unwrap(), None);
    assert_eq!(provider(&none, None).unwrap(), None);
    let differs = |idp: Option<&IdentityProvider>| {
        let refused = provider(&challenge(), idp).unwrap_err();
        assert!(matches!(
            member_error(refused),
            MemberError::ProviderDiffers
        ));
    };
    differs(None);
    for changed in [
        IdentityProvider {
            issuer: "https://id.example/".to_owned(),
            ..idp.clone()
        },
        IdentityProvider {
            client_id: "d".to_owned(),
            ..idp.clone()
        },
        IdentityProvider {
            mapping: IdMapping::OidToExternalId,
            ..idp.clone()
        },
    ] {
        differs(Some(&changed));
    }
    assert!(matches!(
        provider(&Object::new(), Some(&idp)),
        Err(CliError::AnswerUnexpected { what: "idp" })
    ));
}

fn proven(keyset: &Keyset, state: SubjectState) -> Proven {
    Proven {
        handle: [5; 32],
        state,
        key_version: 2,
        keyset: keyset.public().clone(),
        index: 7,
        time_ms: 0,
        rows: Vec::<Row>::new(),
        not_checked: Vec::new(),
    }
}

#[test]
fn says_claimed_only_for_the_keys_of_this_home() {
    let (own, other) = (
        Keyset::generate(&mut OsEntropy).unwrap(),
        Keyset::generate(&mut OsEntropy).unwrap(),
    );
    let answered = Confirmation {
        handle: [5; 32],
        key_version: 2,
        index: 7,
    };
    let good = proven(&own, SubjectState::Confirmed);
    assert!(check_own(&good, own.public(), Some(&answered)).is_ok());
    assert!(check_own(&good, own.public(), None).is_ok());
    let differs = |proven: &Proven, answered: &Confirmation| match check_own(
        proven,
        own.public(),
        Some(answered),
    )
    .unwrap_err()
    {
        MemberError::KeysDiffer { what } => what,
        error => panic!("{error:?}"),
    };
    let foreign = proven(&other, SubjectState::Confirmed);
    assert_eq!(differs(&foreign, &answered), "key");
    assert_eq!(
        differs(
            &good,
            &Confirmation {
                handle: [6; 32],
                ..answered
            }
        ),
        "handle"
    );
    assert_eq!(
        differs(
            &good,
            &Confirmation {
                key_version: 3,
                ..answered
            }
        ),
        "key version"
    );
    for state in [SubjectState::Provisioned, SubjectState::SuspendedConfirmed] {
        assert!(matches!(
            check_own(&proven(&own, state), own.public(), Some(&answered)),
            Err(MemberError::KeyNotUsable { .. })
        ));
    }
}

#[test]
fn signs_the_statement_of_the_very_claim_that_it_sends() {
    let keyset = || Keyset::generate(&mut OsEntropy).unwrap();
    let request = signed_request(
        b"challenge".to_vec(),
        &kept(),
        &Keys {
            account: keyset(),
            device: keyset(),
        },
    )
    .unwrap();
    let context = claim_context(&kept());
    assert!(request.check(&context).is_ok());
    let elsewhere = ClaimContext {
        genesis: [9; 32],
        ..context
    };
    assert!(request.check(&elsewhere).is_err());
    let body = claim_body(&request, "laptop", None);
    assert_eq!(body.get("id_token"), Some(&Value::Null));
    assert_eq!(
        body.get("claim").and_then(Value::as_str),
        Some("04040404-0404-0404-0404-040404040404")
    );
    let body = claim_body(&request, "laptop", Some("t"));
    assert_eq!(body.get("id_token").and_then(Value::as_str), Some("t"));
    assert!(matches!(
        signed_request(
            Vec::new(),
            &kept(),
            &Keys {
                account: keyset(),
                device: keyset()
            }
        ),
        Err(CliError::AnswerUnexpected { what: "challenge" })
    ));
}

#[tokio::test]
async fn refuses_what_is_no_claim_before_it_touches_anything() {
    let folder = Folder::new();
    let home = folder.path("home");
    for id in ["x", "04040404-0404-0404-0404-04040404040", "{0}"] {
        let line = format!("chancery claim --claim {id} --home {}", home.display());
        let cli = crate::Cli::try_parse_from(line.split(' ')).unwrap();
        let refused = crate::dispatch(&cli.command, &crate::AmdSource, &crate::ByBrowser).await;
        assert!(matches!(
            refused,
            Err(CliError::ValueInvalid {
                option: "--claim",
                ..
            })
        ));
    }
    assert!(!home.exists());
}
