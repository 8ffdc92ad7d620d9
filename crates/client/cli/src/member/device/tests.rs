use super::*;
use crate::files::tests::Folder;
use crate::member::answers::{AccountKeys, Device};
use chancery_claim::ClaimId;
use chancery_directory::SubjectState;
use chancery_keyset::PublicKeyset;
use clap::Parser as _;

fn keyset() -> Keyset {
    Keyset::generate(&mut OsEntropy).unwrap()
}

fn membership() -> Membership {
    Membership {
        deployment: [1; 32],
        tenant: [2; 16],
        genesis: [3; 32],
        member: ClaimId::from_bytes([4; 16]),
        handle: Some([5; 32]),
    }
}

/// An account whose `seed` was wrapped to `device` under the name of `public`.
fn shown(public: &PublicKeyset, device: &PublicKeyset, seed: &[u8]) -> Account {
    let bound = member_secret([2; 16], [5; 32], public.fingerprint());
    Account {
        id: membership().member.to_string(),
        handle: [5; 32],
        user_name: "ada".to_owned(),
        state: "confirmed".to_owned(),
        keys: Some(AccountKeys {
            public: public.clone(),
            key_version: 2,
        }),
        devices: vec![Device {
            id: device.fingerprint(),
            name: "laptop".to_owned(),
            added_ms: 0,
            wrap: Some(wrap(device, &bound, seed, &mut OsEntropy).unwrap()),
            public: device.clone(),
        }],
        groups: Vec::new(),
    }
}

fn member_error(error: CliError) -> MemberError {
    match error {
        CliError::Member(error) => *error,
        other => panic!("{other:?}"),
    }
}

fn refusal(result: Result<Keyset, CliError>) -> &'static str {
    match member_error(result.unwrap_err()) {
        MemberError::WrapRefused { what } | MemberError::KeysDiffer { what } => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn takes_the_accounts_keys_out_of_the_wrap_for_this_device() {
    let (account, device) = (keyset(), keyset());
    let shown = shown(account.public(), device.public(), account.seed().expose());
    for expected in [None, Some(account.public().fingerprint())] {
        let got = account_of(&shown, [2; 16], &device, expected).unwrap();
        assert_eq!(got.seed().expose(), account.seed().expose());
    }
}

#[test]
fn refuses_keys_that_are_not_the_introduced_ones() {
    let (account, device, other) = (keyset(), keyset(), keyset());
    let shown = shown(account.public(), device.public(), account.seed().expose());
    let expected = Some(other.public().fingerprint());
    assert_eq!(
        refusal(account_of(&shown, [2; 16], &device, expected)),
        "key"
    );
}

#[test]
fn refuses_wraps_for_another_device_account_tenant_or_seed() {
    let (account, device, other) = (keyset(), keyset(), keyset());
    let seed = account.seed().expose();
    let good = || shown(account.public(), device.public(), seed);
    let foreign = "it was made for another key or purpose";

    assert_eq!(
        refusal(account_of(&good(), [3; 16], &device, None)),
        foreign
    );
    let mut changed = good();
    changed.handle = [6; 32];
    assert_eq!(
        refusal(account_of(&changed, [2; 16], &device, None)),
        foreign
    );
    let mut changed = shown(account.public(), other.public(), seed);
    changed.devices[0].id = device.public().fingerprint();
    assert_eq!(
        refusal(account_of(&changed, [2; 16], &device, None)),
        foreign
    );
    let mut changed = good();
    changed.keys.as_mut().unwrap().public = other.public().clone();
    assert_eq!(
        refusal(account_of(&changed, [2; 16], &device, None)),
        foreign
    );
    let swapped = shown(account.public(), device.public(), other.seed().expose());
    assert_eq!(
        refusal(account_of(&swapped, [2; 16], &device, None)),
        "it is another key than its public half says"
    );
}

#[test]
fn says_when_there_is_nothing_for_this_device() {
    let (account, device) = (keyset(), keyset());
    let good = || shown(account.public(), device.public(), account.seed().expose());
    let mut without = good();
    without.keys = None;
    assert_eq!(
        refusal(account_of(&without, [2; 16], &device, None)),
        "the account has no keys"
    );
    assert_eq!(
        refusal(account_of(&good(), [2; 16], &keyset(), None)),
        "this device is not in"
    );
    let mut without = good();
    without.devices[0].wrap = None;
    assert_eq!(
        refusal(account_of(&without, [2; 16], &device, None)),
        "there is none for this device: add it again"
    );
}

#[test]
fn believes_the_keys_that_the_log_proves_and_no_others() {
    let (account, device) = (keyset(), keyset());
    let shown = shown(account.public(), device.public(), account.seed().expose());
    let good = Proven {
        handle: [5; 32],
        state: SubjectState::Confirmed,
        key_version: 2,
        keyset: account.public().clone(),
        index: 1,
        time_ms: 0,
        rows: Vec::new(),
        not_checked: Vec::new(),
    };
    assert!(check_account(&good, &account, &shown).is_ok());
    let other = Proven {
        keyset: keyset().public().clone(),
        ..good.clone()
    };
    assert!(matches!(
        check_account(&other, &account, &shown),
        Err(MemberError::KeysDiffer { what: "key" })
    ));
    let other = Proven {
        handle: [6; 32],
        ..good.clone()
    };
    assert!(matches!(
        check_account(&other, &account, &shown),
        Err(MemberError::KeysDiffer { what: "handle" })
    ));
    let suspended = Proven {
        state: SubjectState::SuspendedConfirmed,
        ..good
    };
    assert!(matches!(
        check_account(&suspended, &account, &shown),
        Err(MemberError::KeyNotUsable { .. })
    ));
}

#[test]
fn joins_only_the_account_that_it_was_introduced_to() {
    let folder = Folder::new();
    let home = Home::open(&folder.path("home")).unwrap();
    let device = home.device_or_new(&mut OsEntropy).unwrap();
    let introduction = Introduction {
        membership: membership(),
        account: Fingerprint::from_bytes([6; 32]),
        device: device.public().fingerprint(),
        devices: Vec::new(),
    };
    assert!(matches!(
        member_error(introduced(&home, None, &device).unwrap_err()),
        MemberError::HomeEmpty { .. }
    ));
    let joined = introduced(&home, Some(&introduction), &device).unwrap();
    assert_eq!(joined, membership());
    assert!(matches!(
        member_error(introduced(&home, Some(&introduction), &keyset()).unwrap_err()),
        MemberError::PaperOfAnother { what: "device" }
    ));
    home.store_membership(&membership()).unwrap();
    assert_eq!(introduced(&home, None, &device).unwrap(), membership());
    for kept in [
        Membership {
            member: ClaimId::from_bytes([9; 16]),
            ..membership()
        },
        Membership {
            genesis: [9; 32],
            ..membership()
        },
    ] {
        home.store_membership(&kept).unwrap();
        assert!(matches!(
            member_error(introduced(&home, Some(&introduction), &device).unwrap_err()),
            MemberError::HomeOfAnother { .. }
        ));
    }
}

#[test]
fn introduces_only_a_device_that_is_in() {
    let (account, device) = (keyset(), keyset());
    let id = device.public().fingerprint();
    let answer = Object::new()
        .with("id", id.to_string())
        .with("index", 9_u64);
    assert_eq!(let_in(&answer, &id).unwrap(), 9);
    let other = account.public().fingerprint();
    assert!(matches!(
        let_in(&answer, &other),
        Err(CliError::AnswerUnexpected {
            what: "another device than was sent"
        })
    ));
    let shown = shown(account.public(), device.public(), account.seed().expose());
    assert!(is_in(&shown, &id).is_ok());
    assert!(matches!(
        is_in(&shown, &other),
        Err(MemberError::AccessRefused { what: "the device" })
    ));
}

#[test]
fn introduces_itself_and_the_devices_that_it_knows() {
    let folder = Folder::new();
    let home = Home::open(&folder.path("home")).unwrap();
    let device = home.device_or_new(&mut OsEntropy).unwrap();
    let known = KnownDevice {
        name: "tablet".to_owned(),
        keyset: keyset().public().clone(),
    };
    home.remember_device(known.clone()).unwrap();
    let introduced = introduced_devices(&home, &device).unwrap();
    assert_eq!(introduced.len(), 2);
    assert_eq!(introduced[0].keyset, *device.public());
    assert_eq!(introduced[1], known);
}

async fn run(line: &str) -> Result<Outcome, CliError> {
    let cli = crate::Cli::try_parse_from(line.split(' ')).unwrap();
    crate::dispatch(&cli.command, &crate::AmdSource, &crate::ByBrowser).await
}

#[tokio::test]
async fn a_new_device_makes_its_keys_and_asks_without_any_connection() {
    let folder = Folder::new();
    let (home, out) = (folder.path("new"), folder.path("request.json"));
    let line = format!(
        "chancery device request --home {} --name laptop --out {}",
        home.display(),
        out.display()
    );
    let outcome = run(&line).await.unwrap();
    let request = DeviceRequest::read(&out).unwrap();
    assert_eq!(request.name, "laptop");
    let fingerprint = request.keyset.fingerprint().to_string();
    assert!(outcome.text.contains(&fingerprint), "{}", outcome.text);
    let kept = Home::open(&home).unwrap();
    assert_eq!(*kept.device().unwrap().public(), request.keyset);
    drop(kept);
    assert!(matches!(run(&line).await, Err(CliError::FileExists { .. })));
    // The same keys ask again.
    run(&format!("{line} --force")).await.unwrap();
    assert_eq!(DeviceRequest::read(&out).unwrap(), request);
}

#[tokio::test]
async fn nothing_is_added_that_could_not_be_introduced_or_is_no_request() {
    let folder = Folder::new();
    let (request, out) = (folder.path("request.json"), folder.path("out"));
    let line = format!(
        "chancery device add {} --out {}",
        request.display(),
        out.display()
    );
    std::fs::write(&request, "{}").unwrap();
    assert!(matches!(
        run(&line).await,
        Err(CliError::DocumentInvalid { .. })
    ));
    let asked = DeviceRequest {
        name: "laptop".to_owned(),
        keyset: keyset().public().clone(),
    };
    std::fs::write(&request, asked.to_json()).unwrap();
    std::fs::write(&out, "").unwrap();
    assert!(matches!(run(&line).await, Err(CliError::FileExists { .. })));
    let refused = run("chancery device revoke 0A").await;
    assert!(matches!(
        refused,
        Err(CliError::ValueInvalid {
            option: "FINGERPRINT",
            ..
        })
    ));
}
