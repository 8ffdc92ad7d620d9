use super::*;
use alloc::string::String;

use crate::delegation::Delegation;
use crate::sample::{self, admins, authority, delegation, edited, field_fault, key};

fn change() -> AdminChange {
    AdminChange {
        tenant: sample::tenant(),
        serial: 1,
        admins: admins(&[2, 3, 4], 2),
    }
}

fn refusal(change: &AdminChange, seeds: &[u8]) -> Error {
    let keys: Vec<SigningKey> = seeds.iter().map(|seed| key(*seed)).collect();
    let envelope = change.sign(&keys.iter().collect::<Vec<_>>()).unwrap();
    AdminChange::verify(&envelope, &authority()).unwrap_err()
}

fn below(valid: usize, threshold: usize) -> Error {
    Error::Envelope(chancery_dsse::Error::BelowThreshold { valid, threshold })
}

#[test]
fn hands_over_from_the_present_admins_to_the_next() {
    let envelope = change().sign(&[&key(1), &key(2), &key(4)]).unwrap();
    let verified = AdminChange::verify(&envelope, &authority()).unwrap();
    assert_eq!(verified.signers().len(), 2);
    let hash: [u8; 32] = Sha256::digest(change().to_payload()).into();
    assert_eq!(verified.hash(), &hash);
    let next = verified.authority();
    assert_eq!(next.admins(), &admins(&[2, 3, 4], 2));
    assert_eq!(next.domains(), authority().domains());
    let by_former = delegation().sign(&[&key(1), &key(2)]).unwrap();
    assert_eq!(
        Delegation::verify(&by_former, next).unwrap_err(),
        below(1, 2)
    );
    let by_next = delegation().sign(&[&key(3), &key(4)]).unwrap();
    assert!(Delegation::verify(&by_next, next).is_ok());
    assert!(Delegation::verify(&by_next, &authority()).is_err());
}

#[test]
fn refuses_a_replayed_or_skipped_change() {
    let envelope = change().sign(&[&key(1), &key(2), &key(4)]).unwrap();
    let verified = AdminChange::verify(&envelope, &authority()).unwrap();
    let again = change().sign(&[&key(2), &key(3)]).unwrap();
    let stale = field_fault("/serial", FieldFault::OutOfRange);
    assert_eq!(
        AdminChange::verify(&again, verified.authority()).unwrap_err(),
        stale
    );
    let skipped = AdminChange {
        serial: 2,
        ..change()
    };
    assert_eq!(refusal(&skipped, &[1, 2, 4]), stale);
    let back = AdminChange {
        serial: 2,
        admins: admins(&[1, 2], 1),
        ..change()
    };
    let signed = back.sign(&[&key(2), &key(3), &key(1)]).unwrap();
    assert!(AdminChange::verify(&signed, verified.authority()).is_ok());
}

#[test]
fn refuses_too_few_present_admins_and_new_ones_who_did_not_sign() {
    assert_eq!(refusal(&change(), &[1, 4]), below(1, 2));
    assert_eq!(refusal(&change(), &[4, 5]), below(0, 2));
    assert_eq!(refusal(&change(), &[1, 2]), below(0, 1));
    let two_new = AdminChange {
        admins: admins(&[1, 4, 5], 1),
        ..change()
    };
    assert_eq!(refusal(&two_new, &[1, 2, 4]), below(1, 2));
    let fewer = AdminChange {
        admins: admins(&[3], 1),
        ..change()
    };
    let envelope = fewer.sign(&[&key(1), &key(2)]).unwrap();
    assert!(AdminChange::verify(&envelope, &authority()).is_ok());
}

#[test]
fn refuses_foreign_tenants_types_and_encodings() {
    let foreign = AdminChange {
        tenant: TenantId::from_bytes([1; 16]),
        ..change()
    };
    assert_eq!(refusal(&foreign, &[1, 2, 4]), Error::ForeignTenant);
    let payload = change().to_payload();
    let signers = [&key(1), &key(2), &key(4)];
    let other = Envelope::sign("application/other+json", &payload, &signers).unwrap();
    assert_eq!(
        AdminChange::verify(&other, &authority()).unwrap_err(),
        Error::Envelope(chancery_dsse::Error::WrongPayloadType)
    );
    let spaced = edited(&payload, "\"serial\":1", "\"serial\": 1");
    let spaced = Envelope::sign(ADMINS_PAYLOAD_TYPE, spaced.as_bytes(), &signers).unwrap();
    assert_eq!(
        AdminChange::verify(&spaced, &authority()).unwrap_err(),
        Error::NotCanonical
    );
}

#[test]
fn reads_what_it_writes_and_nothing_else() {
    let payload = change().to_payload();
    let text = String::from_utf8(payload.clone()).unwrap();
    assert!(text.starts_with(&alloc::format!(
        "{{\"version\":1,\"tenant\":\"{}\",\"serial\":1,\"admins\":[{{\"name\":\"admin ",
        sample::tenant()
    )));
    assert!(text.ends_with("}],\"admin_threshold\":2}"));
    sample::assert_strict(&payload, |bytes| AdminChange::from_json(bytes).err());
    let envelope = change().sign(&[&key(1), &key(2), &key(4)]).unwrap();
    let authority = authority();
    sample::assert_every_signature_bit_counts(&envelope, |envelope| {
        AdminChange::verify(envelope, &authority).err()
    });
}
