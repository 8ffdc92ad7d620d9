//! Who signs for a tenant, and who reads its log.

use base64ct::{Base64, Encoding as _};
use chancery_authority::{ActName, Admin, AdminChange, AdminSet};
use chancery_directory::EntryType;
use chancery_dsse::SigningKey;
use chancery_engine::{Answer, Refusal};
use chancery_testkit::{World, user_json};

use super::{hex, kinds, log, read, registry, restarted, signed, tenant};

const NEXT: [u8; 32] = [0x77; 32];
const AUDITOR: [u8; 32] = [0x88; 32];

fn change(world: &World, serial: u64, signers: &[&SigningKey]) -> String {
    let admin = Admin {
        name: String::from("next"),
        key: SigningKey::from_seed(NEXT).public_key(),
    };
    let change = AdminChange {
        tenant: world.tenant,
        serial,
        admins: AdminSet::new(vec![admin], 1).unwrap(),
    };
    let paper = change.sign(signers).unwrap().to_json();
    format!(r#"{{"change":{}}}"#, String::from_utf8(paper).unwrap())
}

#[test]
fn the_next_admins_sign_from_their_entry_on_and_old_delegations_end() {
    let mut world = tenant(501, |_| ());
    let before = log(&mut world).len();
    let (old, new) = (world.admin_key(), SigningKey::from_seed(NEXT));
    let body = change(&world, 1, &[&old, &new]);
    signed(&mut world, ActName::AdminsPut, &body).unwrap();
    assert!(matches!(
        signed(&mut world, ActName::TokenList, "{}"),
        Err(Refusal::Paper(_))
    ));
    world.sign_as(NEXT);
    assert_eq!(
        kinds(&mut world, before),
        [EntryType::DelegationRevoked, EntryType::PolicyChanged]
    );
    assert_eq!(
        world.create_user(&user_json("ada")),
        Err(Refusal::NoDelegation)
    );
    assert_eq!(registry(&world).admin_changes().len(), 1);
    let mut again = restarted(&world);
    assert_eq!(
        again.create_user(&user_json("ada")),
        Err(Refusal::NoDelegation)
    );
    again.delegate_with(2, |_| ()).unwrap();
    again.create_user(&user_json("ada")).unwrap();
}

#[test]
fn a_change_of_admins_needs_the_present_and_every_new_one_in_its_turn() {
    let mut world = tenant(502, |_| ());
    let (old, new) = (world.admin_key(), SigningKey::from_seed(NEXT));
    for body in [
        change(&world, 1, &[&old]),
        change(&world, 1, &[&new]),
        change(&world, 2, &[&old, &new]),
    ] {
        assert!(matches!(
            signed(&mut world, ActName::AdminsPut, &body),
            Err(Refusal::Paper(_))
        ));
    }
    assert!(registry(&world).admin_changes().is_empty());
}

#[test]
fn an_auditor_reads_and_changes_nothing_until_the_access_ends() {
    let mut world = tenant(503, |_| ());
    let auditor = SigningKey::from_seed(AUDITOR);
    let encoded = Base64::encode_string(&auditor.public_key().to_bytes());
    let enrol = format!(r#"{{"name":"Audit Ltd","key":"{encoded}"}}"#);
    let attempt = |world: &mut World, name, body: &[u8], sequence| {
        let envelope = world.sign_with(&auditor, name, body, sequence);
        world.send_signed(name, envelope, body.to_vec())
    };
    assert!(attempt(&mut world, ActName::DelegationList, b"{}", 1).is_err());
    let before = log(&mut world).len();
    let Ok(Answer::Done { subject, .. }) = signed(&mut world, ActName::AuditorEnrol, &enrol) else {
        panic!("not enrolled")
    };
    assert_eq!(kinds(&mut world, before), [EntryType::PolicyChanged]);
    assert_eq!(
        signed(&mut world, ActName::AuditorEnrol, &enrol).unwrap_err(),
        Refusal::Taken { what: "this key" }
    );
    let mut world = restarted(&world);
    attempt(&mut world, ActName::DelegationList, b"{}", 2).unwrap();
    attempt(&mut world, ActName::LogRead, br#"{"from":0,"count":1}"#, 3).unwrap();
    for name in [ActName::TokenList, ActName::ActHeld, ActName::UserSuspend] {
        assert!(attempt(&mut world, name, b"{}", 4).is_err(), "{name}");
    }
    let end = format!(r#"{{"id":"{}"}}"#, hex(&subject));
    signed(&mut world, ActName::AuditorRevoke, &end).unwrap();
    assert!(attempt(&mut world, ActName::DelegationList, b"{}", 5).is_err());
    assert_eq!(
        signed(&mut world, ActName::AuditorRevoke, &end).unwrap_err(),
        Refusal::NotFound
    );
    assert_eq!(registry(&restarted(&world)).auditors().count(), 0);
}

#[test]
fn an_auditor_has_a_name_and_a_key_and_there_are_not_too_many() {
    let mut world = tenant(504, |_| ());
    let key = |byte: u8| {
        let key = SigningKey::from_seed([byte; 32]).public_key();
        Base64::encode_string(&key.to_bytes())
    };
    let enrol = |name: &str, key: &str| format!(r#"{{"name":"{name}","key":"{key}"}}"#);
    let nameless = enrol("", &key(1));
    let long = enrol(&"n".repeat(129), &key(1));
    for body in [nameless, long] {
        assert!(matches!(
            signed(&mut world, ActName::AuditorEnrol, &body),
            Err(Refusal::Value { member: "name", .. })
        ));
    }
    for bad in ["", "AAAA", &Base64::encode_string(&[0; 32])] {
        assert_eq!(
            signed(&mut world, ActName::AuditorEnrol, &enrol("a", bad)).unwrap_err(),
            Refusal::Malformed { member: "key" }
        );
    }
    for byte in 0..64 {
        signed(&mut world, ActName::AuditorEnrol, &enrol("a", &key(byte))).unwrap();
    }
    assert!(matches!(
        signed(&mut world, ActName::AuditorEnrol, &enrol("a", &key(64))),
        Err(Refusal::TooLarge { .. })
    ));
    let shown = read(&mut world, ActName::ActHeld, "{}");
    assert!(shown.get("held").is_some());
}
