use super::*;
use crate::member::answers::Device;
use base64ct::{Base64, Encoding as _};
use chancery_directory::SubjectState;
use chancery_keyset::Wrap;

use super::super::group::open_seed;

fn keyset() -> Keyset {
    Keyset::generate(&mut OsEntropy).unwrap()
}

fn text<'a>(object: &'a Object, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap()
}

fn decoded(object: &Object, name: &str) -> Vec<u8> {
    Base64::decode_vec(text(object, name)).unwrap()
}

fn device(keyset: &PublicKeyset, name: &str) -> Device {
    Device {
        id: keyset.fingerprint(),
        name: name.to_owned(),
        added_ms: 0,
        wrap: None,
        public: keyset.clone(),
    }
}

#[test]
fn both_keys_sign_the_succession_of_this_account() {
    let (old, next) = (keyset(), keyset());
    let body = rotation([2; 16], [5; 32], &old, &next);
    assert_eq!(decoded(&body, "account"), next.public().encode());
    let succession = Succession {
        tenant: [2; 16],
        subject: [5; 32],
        old: old.public().fingerprint(),
        new: next.public().fingerprint(),
        evidence: [0; 32],
    };
    for (keyset, name) in [(&old, "old_signature"), (&next, "new_signature")] {
        let signature: [u8; 64] = decoded(&body, name).try_into().unwrap();
        let key = keyset.public().verifying_key().unwrap();
        assert!(key.verifies(&succession.statement(), &signature), "{name}");
    }
}

#[test]
fn hands_the_new_seed_to_devices_whose_keys_are_known_here_or_were_compared() {
    let (own, known, strange) = (keyset(), keyset(), keyset());
    let account = Account {
        id: "i".to_owned(),
        handle: [5; 32],
        user_name: "ada".to_owned(),
        state: "confirmed".to_owned(),
        keys: None,
        devices: vec![
            device(own.public(), "this"),
            device(known.public(), "laptop"),
            device(strange.public(), "stranger"),
        ],
        groups: Vec::new(),
    };
    let remembered = [KnownDevice {
        name: "laptop".to_owned(),
        keyset: known.public().clone(),
    }];
    let fingerprint = own.public().fingerprint();
    let refused = recipients(&account, &fingerprint, &remembered, &[]).unwrap_err();
    let MemberError::DevicesUnknown { devices } = refused else {
        panic!("{refused:?}");
    };
    let stranger = strange.public().fingerprint();
    assert_eq!(devices, [format!("stranger ({stranger})")]);
    let got = recipients(&account, &fingerprint, &remembered, &[stranger]).unwrap();
    assert_eq!(got, [known.public(), strange.public()]);
    assert!(recipients(&account, &fingerprint, &[], &[stranger]).is_err());
}

#[test]
fn wraps_the_new_seed_so_that_each_device_opens_it() {
    let (next, one, other) = (keyset(), keyset(), keyset());
    let bound = member_secret([2; 16], [5; 32], next.public().fingerprint());
    let wraps = wraps(&next, &bound, &[one.public(), other.public()]).unwrap();
    for (wrapped, device) in wraps.iter().zip([&one, &other]) {
        let wrapped = wrapped.as_object().unwrap();
        let id = device.public().fingerprint().to_string();
        assert_eq!(text(wrapped, "device"), id);
        let wrap = Wrap::decode(&decoded(wrapped, "wrap")).unwrap();
        let seed = open_seed(device, &bound, &wrap).unwrap();
        assert_eq!(seed.public(), next.public());
    }
}

#[test]
fn refuses_fingerprints_that_are_none() {
    assert_eq!(
        compared(&["0a".repeat(32)]).unwrap(),
        [Fingerprint::from_bytes([0x0a; 32])]
    );
    for text in ["", "0a", &"0A".repeat(32)] {
        assert!(matches!(
            compared(&[text.to_owned()]),
            Err(CliError::ValueInvalid {
                option: "--device",
                ..
            })
        ));
    }
}

#[test]
fn rotates_nothing_but_the_present_confirmed_key() {
    let (own, other) = (keyset(), keyset());
    let proven = |keyset: &Keyset, state| Proven {
        handle: [5; 32],
        state,
        key_version: 2,
        keyset: keyset.public().clone(),
        index: 1,
        time_ms: 0,
        rows: Vec::new(),
        not_checked: Vec::new(),
    };
    assert!(check_present(&proven(&own, SubjectState::Confirmed), &own).is_ok());
    assert!(matches!(
        check_present(&proven(&other, SubjectState::Confirmed), &own),
        Err(MemberError::KeysDiffer { what: "key" })
    ));
    assert!(matches!(
        check_present(&proven(&own, SubjectState::SuspendedConfirmed), &own),
        Err(MemberError::KeyNotUsable { .. })
    ));
}
