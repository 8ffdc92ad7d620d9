use std::vec;

use super::*;
use crate::testing::{check_strict, vector_hex};

const TENANT: TenantId = TenantId([9; 16]);

fn second() -> TenantHead {
    TenantHead::first(TENANT, 5, Digest([18; 32])).next(9, Digest([19; 32]))
}

fn leaf() -> EpochLeaf {
    EpochLeaf {
        kind: EpochKind::Boot,
        epoch: 4,
        time_ms: 1_700_000_000_300,
        map_root: Digest([23; 32]),
        updates: Digest([24; 32]),
        n_updates: 2,
        instance_key: Digest([25; 32]),
        policy_hash: Digest([26; 32]),
        detail: b"abc".to_vec(),
    }
}

#[test]
fn heads_have_the_bytes_of_the_second_implementation() {
    assert_eq!(second().encode().to_vec(), vector_hex("tenant_head"));
    assert_eq!(map_key(&TENANT).to_vec(), vector_hex("map_key"));
    let value = second().map_value(&head_opening(&[20; 32], 2));
    assert_eq!(value.0.to_vec(), vector_hex("map_value"));
    let changed = [([2; 32], Digest([22; 32])), ([1; 32], Digest([21; 32]))];
    let (digest, count) = updates_digest(&changed);
    assert_eq!((digest.0.to_vec(), count), (vector_hex("updates"), 2));
    assert_eq!(leaf().encode().unwrap(), vector_hex("epoch_leaf"));
    assert_eq!(
        leaf().leaf_hash().unwrap().0.to_vec(),
        vector_hex("epoch_leaf_hash")
    );
}

#[test]
fn heads_and_leaves_have_one_encoding() {
    check_strict(&second().encode(), TenantHead::decode, |value| {
        value.encode().to_vec()
    });
    check_strict(&leaf().encode().unwrap(), EpochLeaf::decode, |value| {
        value.encode().unwrap()
    });
    for &kind in EpochKind::ALL {
        let value = EpochLeaf { kind, ..leaf() };
        assert_eq!(EpochLeaf::decode(&value.encode().unwrap()), Ok(value));
    }
    for code in 0..=u8::MAX {
        assert_eq!(EpochKind::from_code(code).is_ok(), code <= 8);
    }
}

#[test]
fn head_accepts_only_its_successor() {
    let first = TenantHead::first(TENANT, 5, Digest([18; 32]));
    assert!(first.is_followed_by(&second()));
    assert!(!first.is_followed_by(&first));
    assert!(!first.is_followed_by(&TenantHead {
        version: 3,
        ..second()
    }));
    assert!(!first.is_followed_by(&TenantHead {
        chain: Digest([1; 32]),
        ..second()
    }));
    assert!(!first.is_followed_by(&TenantHead {
        root: Digest([1; 32]),
        ..second()
    }));
    assert!(!first.is_followed_by(&TenantHead {
        tenant: TenantId([1; 16]),
        ..second()
    }));
    assert!(
        !first.is_followed_by(&first.next(5, Digest([19; 32]))),
        "a head that did not grow"
    );
    assert!(
        !first.is_followed_by(&first.next(4, Digest([19; 32]))),
        "a head that shrank"
    );
}

#[test]
fn refuses_malformed_leaves_by_name() {
    let long = EpochLeaf {
        detail: vec![0; DETAIL_SIZE_MAX + 1],
        ..leaf()
    };
    let refusal = DecodeError::LengthOutOfRange {
        field: "detail",
        length: 4096,
    };
    assert_eq!(long.encode(), Err(refusal));
    let longest = EpochLeaf {
        detail: vec![0; DETAIL_SIZE_MAX],
        ..leaf()
    };
    assert_eq!(EpochLeaf::decode(&longest.encode().unwrap()), Ok(longest));
    let mut bytes = leaf().encode().unwrap();
    bytes[1] = 9;
    let refusal = DecodeError::UnknownCode {
        field: "epoch kind",
        code: 9,
    };
    assert_eq!(EpochLeaf::decode(&bytes), Err(refusal));
    let mut bytes = leaf().encode().unwrap();
    bytes[0] = 0;
    assert_eq!(
        EpochLeaf::decode(&bytes),
        Err(DecodeError::UnknownVersion(0))
    );
    let mut bytes = leaf().encode().unwrap();
    bytes[EPOCH_LEAF_SIZE_MIN - 2..EPOCH_LEAF_SIZE_MIN].copy_from_slice(&4096_u16.to_be_bytes());
    assert_eq!(EpochLeaf::decode(&bytes), Err(refusal_of_length(4096)));
}

fn refusal_of_length(length: usize) -> DecodeError {
    DecodeError::LengthOutOfRange {
        field: "detail",
        length,
    }
}
