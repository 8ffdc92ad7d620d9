use std::vec;

use super::*;
use crate::testing::{check_strict, vector_hex};

fn record() -> KeyRecord {
    KeyRecord {
        tenant: TenantId([9; 16]),
        handle: Handle([2; 32]),
        key_version: 1,
        source: KeySource::Enclave,
        enc_pk: vec![10; 5],
        sig_pk: vec![11; 3],
        not_before_ms: 1_700_000_000_000,
        activation_commit: Digest([12; 32]),
    }
}

fn dir_state() -> DirState {
    DirState {
        handle: Handle([2; 32]),
        kind: SubjectKind::User,
        state: SubjectState::Provisioned,
        key_version: 1,
        key_commit: Digest([3; 32]),
        first: 7,
        last: 7,
        seq: 1,
        chain: Digest([14; 32]),
    }
}

#[test]
fn records_have_the_bytes_of_the_second_implementation() {
    assert_eq!(record().encode().unwrap(), vector_hex("key_record"));
    let committed = record().commit(&Opening([13; 32])).unwrap();
    assert_eq!(committed.0.to_vec(), vector_hex("key_commit"));
    assert_eq!(dir_state().encode().to_vec(), vector_hex("dir_state"));
    assert_eq!(
        dir_state().value().0.to_vec(),
        vector_hex("dir_state_value")
    );
    assert_eq!(
        handle_key(&Handle([2; 32])).to_vec(),
        vector_hex("handle_key")
    );
    let name = DirName {
        handle: Handle([2; 32]),
        binding: 1,
        since: 7,
    };
    assert_eq!(name.encode().to_vec(), vector_hex("dir_name"));
    assert_eq!(
        name.value(&Opening([15; 32])).0.to_vec(),
        vector_hex("dir_name_value")
    );
    let group = group_commit(&Digest([16; 32]), &Digest([17; 32]));
    assert_eq!(group.0.to_vec(), vector_hex("group_commit"));
    let (key, value) = member_leaf(&Handle([2; 32]));
    assert_eq!(key.to_vec(), vector_hex("member_key"));
    assert_eq!(value.0.to_vec(), vector_hex("member_value"));
}

#[test]
fn records_have_one_encoding() {
    check_strict(&record().encode().unwrap(), KeyRecord::decode, |value| {
        value.encode().unwrap()
    });
    check_strict(&dir_state().encode(), DirState::decode, |value| {
        value.encode().to_vec()
    });
    let name = DirName {
        handle: Handle([2; 32]),
        binding: 1,
        since: 7,
    };
    check_strict(&name.encode(), DirName::decode, |value| {
        value.encode().to_vec()
    });
}

#[test]
fn refuses_keys_that_are_empty_or_too_long() {
    let empty = KeyRecord {
        enc_pk: vec![],
        ..record()
    };
    let refusal = DecodeError::LengthOutOfRange {
        field: "enc_pk",
        length: 0,
    };
    assert_eq!(empty.encode(), Err(refusal));
    let long = KeyRecord {
        sig_pk: vec![0; PUBLIC_KEY_SIZE_MAX + 1],
        ..record()
    };
    let refusal = DecodeError::LengthOutOfRange {
        field: "sig_pk",
        length: PUBLIC_KEY_SIZE_MAX + 1,
    };
    assert_eq!(long.encode(), Err(refusal));
    let longest = KeyRecord {
        sig_pk: vec![0; PUBLIC_KEY_SIZE_MAX],
        ..record()
    };
    assert_eq!(KeyRecord::decode(&longest.encode().unwrap()), Ok(longest));
    let mut bytes = record().encode().unwrap();
    bytes[53..55].copy_from_slice(&0xffff_u16.to_be_bytes());
    let refusal = DecodeError::LengthOutOfRange {
        field: "enc_pk",
        length: 0xffff,
    };
    assert_eq!(KeyRecord::decode(&bytes), Err(refusal));
}

#[test]
fn refuses_an_unknown_key_source() {
    let mut bytes = record().encode().unwrap();
    bytes[52] = 2;
    let refusal = DecodeError::UnknownCode {
        field: "key source",
        code: 2,
    };
    assert_eq!(KeyRecord::decode(&bytes), Err(refusal));
}

#[test]
fn names_of_different_kinds_have_different_inputs() {
    let kinds = [
        NameKind::UserName,
        NameKind::Email,
        NameKind::ExternalId,
        NameKind::GroupName,
    ];
    for (code, kind) in (1..).zip(kinds) {
        assert_eq!(name_input(kind, "a@b"), [&[code][..], b"a@b"].concat());
    }
}

#[test]
fn label_is_the_front_of_the_output() {
    let mut output = [7; 64];
    output[32..].fill(9);
    assert_eq!(name_label(&output), [7; 32]);
}
