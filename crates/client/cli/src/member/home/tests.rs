use super::*;
use crate::files::tests::Folder;
use crate::member::OsEntropy;

fn home(folder: &Folder) -> Home {
    Home::open(&folder.path("home")).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

pub(crate) fn membership() -> Membership {
    Membership {
        deployment: [1; 32],
        tenant: [2; 16],
        genesis: [0xab; 32],
        member: ClaimId::from_bytes([4; 16]),
        handle: None,
    }
}

#[test]
fn keeps_keys_for_their_owner_alone_and_finds_the_same_ones_again() {
    let folder = Folder::new();
    let first = home(&folder);
    let device = first.device_or_new(&mut OsEntropy).unwrap();
    let account = first.account_or_new(&mut OsEntropy).unwrap();
    assert_ne!(device.public(), account.public());
    assert_eq!(mode(&folder.path("home")), 0o700);
    for name in ["device.key", "account.key", "lock"] {
        assert_eq!(mode(&folder.path("home").join(name)), 0o600, "{name}");
    }
    drop(first);
    let again = home(&folder);
    assert_eq!(again.device().unwrap().public(), device.public());
    assert_eq!(
        again.account_or_new(&mut OsEntropy).unwrap().public(),
        account.public()
    );
}

#[test]
fn is_used_by_one_command_at_a_time() {
    let folder = Folder::new();
    let held = home(&folder);
    let second = Home::open(&folder.path("home"));
    assert!(matches!(
        second,
        Err(CliError::Member(error)) if matches!(*error, MemberError::HomeBusy { .. })
    ));
    drop(held);
    assert!(Home::open(&folder.path("home")).is_ok());
}

#[test]
fn refuses_a_folder_that_is_open_to_others() {
    let folder = Folder::new();
    drop(home(&folder));
    let path = folder.path("home");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(
        Home::open(&path),
        Err(CliError::Member(error)) if matches!(*error, MemberError::HomeExposed { .. })
    ));
}

#[test]
fn says_that_a_home_is_empty_and_makes_none() {
    let folder = Folder::new();
    let path = folder.path("home");
    assert!(matches!(
        Home::open_existing(&path),
        Err(CliError::Member(error)) if matches!(*error, MemberError::HomeEmpty { .. })
    ));
    assert!(!path.exists());
    let made = home(&folder);
    for missing in [
        made.device().err(),
        made.account().err(),
        made.member().err(),
    ] {
        assert!(matches!(
            missing,
            Some(CliError::Member(error)) if matches!(*error, MemberError::HomeEmpty { .. })
        ));
    }
}

#[test]
fn reads_back_whose_keys_they_are_and_refuses_anything_else() {
    let folder = Folder::new();
    let home = home(&folder);
    assert_eq!(home.membership().unwrap(), None);
    for handle in [None, Some([7; 32])] {
        let membership = Membership {
            handle,
            ..membership()
        };
        home.store_membership(&membership).unwrap();
        assert_eq!(home.membership().unwrap(), Some(membership));
    }
    let path = folder.path("home").join("member.json");
    let good = fs::read_to_string(&path).unwrap();
    for bad in [
        good.replace("\"version\":1", "\"version\":2"),
        good.replace("\"version\":1,", ""),
        good.replace("\"version\":1,", "\"version\":1,\"x\":1,"),
        good.replace("abab", "ABAB"),
        good.replace("04040404-", "0404-"),
    ] {
        assert_ne!(bad, good);
        fs::write(&path, &bad).unwrap();
        assert!(matches!(
            home.membership(),
            Err(CliError::Member(error)) if matches!(*error, MemberError::HomeBroken { .. })
        ));
    }
}

#[test]
fn refuses_a_key_file_that_is_no_keyset_or_open_to_others() {
    let folder = Folder::new();
    let home = home(&folder);
    let path = folder.path("home").join("device.key");
    write(&path, b"no key", Privacy::Private, Existing::Keep).unwrap();
    assert!(matches!(
        home.device_or_new(&mut OsEntropy),
        Err(CliError::Member(error)) if matches!(*error, MemberError::HomeBroken { .. })
    ));
    fs::remove_file(&path).unwrap();
    home.device_or_new(&mut OsEntropy).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(home.device(), Err(CliError::KeyExposed { .. })));
}

#[test]
fn keeps_replaced_account_keys_and_can_be_stopped_between_any_two_steps() {
    let folder = Folder::new();
    let home = home(&folder);
    let old = home.account_or_new(&mut OsEntropy).unwrap();
    let next = home.next_account_or_new(&mut OsEntropy).unwrap();
    assert_eq!(
        home.next_account_or_new(&mut OsEntropy).unwrap().public(),
        next.public()
    );
    // As if the run ended before the last step: the next key is in place and still beside.
    let next_path = folder.path("home").join(NEXT_ACCOUNT_FILE);
    let kept = fs::read(&next_path).unwrap();
    home.replace_account(&next).unwrap();
    assert!(!next_path.exists());
    write(&next_path, &kept, Privacy::Private, Existing::Keep).unwrap();
    home.replace_account(&next).unwrap();
    assert!(home.next_account().unwrap().is_none());
    assert_eq!(home.account().unwrap().public(), next.public());
    let retired = folder
        .path("home")
        .join(format!("retired/{}.key", old.public().fingerprint()));
    let retired = KeyFile::from_json(&read_secret(&retired).unwrap()).unwrap();
    assert_eq!(retired.into_keyset().unwrap().public(), old.public());
}

#[test]
fn remembers_the_devices_that_it_let_in() {
    let folder = Folder::new();
    let home = home(&folder);
    let keyset = Keyset::generate(&mut OsEntropy).unwrap();
    let device = |name: &str| KnownDevice {
        name: name.to_owned(),
        keyset: keyset.public().clone(),
    };
    home.remember_device(device("laptop")).unwrap();
    home.remember_device(device("old laptop")).unwrap();
    assert_eq!(home.known_devices().unwrap(), [device("old laptop")]);
    home.forget_device(&keyset.public().fingerprint()).unwrap();
    assert_eq!(home.known_devices().unwrap(), []);
    fs::write(folder.path("home").join("devices.json"), "{}").unwrap();
    assert!(matches!(
        home.known_devices(),
        Err(CliError::Member(error)) if matches!(*error, MemberError::HomeBroken { .. })
    ));
}

#[test]
fn stores_group_keys_by_group_and_epoch() {
    let folder = Folder::new();
    let home = home(&folder);
    let key = Keyset::generate(&mut OsEntropy).unwrap();
    let path = home.store_group_key(&[9; 32], 3, &key).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert!(path.ends_with(format!("groups/{}-3.key", "09".repeat(32))));
    assert_eq!(home.store_group_key(&[9; 32], 3, &key).unwrap(), path);
}

#[test]
fn takes_an_accounts_keys_that_were_made_elsewhere_once() {
    let folder = Folder::new();
    let home = home(&folder);
    let elsewhere = [folder.path("one.key"), folder.path("two.key")];
    for path in &elsewhere {
        crate::create_recovery_key(path).unwrap();
    }
    home.take_account(&elsewhere[0]).unwrap();
    home.take_account(&elsewhere[0]).unwrap();
    let taken = read_keyset(&elsewhere[0]).unwrap();
    assert_eq!(home.account().unwrap().public(), taken.public());
    assert!(matches!(
        home.take_account(&elsewhere[1]),
        Err(CliError::Member(error)) if matches!(*error, MemberError::HomeOfAnother { .. })
    ));
    let signing = folder.path("signing.key");
    crate::create_signing_key(&signing).unwrap();
    assert!(matches!(
        home.take_account(&signing),
        Err(CliError::Member(error)) if matches!(*error, MemberError::HomeBroken { .. })
    ));
}
