use std::collections::BTreeSet;
use std::vec::Vec;

use super::*;
use crate::testing::{check_strict, vector_hex};

fn entry() -> Entry {
    Entry {
        kind: EntryType::UserProvisioned,
        index: 7,
        time_ms: 1_700_000_000_123,
        actor: Handle([1; 32]),
        subject: Handle([2; 32]),
        prev_subject: NO_PREVIOUS,
        subject_seq: 1,
        new_state: SubjectState::Provisioned,
        key_commit: Digest([3; 32]),
        object_commit: Digest([4; 32]),
        body_commit: Digest([5; 32]),
        authz_hash: Digest([6; 32]),
    }
}

fn state_root() -> StateRoot {
    StateRoot {
        index: 8,
        time_ms: 1_700_000_000_200,
        batch: 3,
        entries: 1,
        time_floor_ms: 1_699_999_999_000,
        dir_root: Digest([7; 32]),
        dir_update: Digest([8; 32]),
    }
}

#[test]
fn entry_has_the_bytes_of_the_second_implementation() {
    assert_eq!(entry().encode().to_vec(), vector_hex("entry"));
    assert_eq!(
        entry().leaf_hash().0.to_vec(),
        vector_hex("entry_leaf_hash")
    );
    assert_eq!(Entry::decode(&vector_hex("entry")), Ok(entry()));
}

#[test]
fn state_root_has_the_bytes_of_the_second_implementation() {
    assert_eq!(state_root().encode().to_vec(), vector_hex("state_root"));
    assert_eq!(
        StateRoot::decode(&vector_hex("state_root")),
        Ok(state_root())
    );
}

#[test]
fn entries_and_state_roots_have_one_encoding() {
    check_strict(&entry().encode(), Entry::decode, |value| {
        value.encode().to_vec()
    });
    check_strict(&state_root().encode(), StateRoot::decode, |value| {
        value.encode().to_vec()
    });
}

#[test]
fn every_type_and_state_round_trips() {
    for &kind in EntryType::ALL {
        for &new_state in SubjectState::ALL {
            let value = Entry {
                kind,
                new_state,
                ..entry()
            };
            assert_eq!(Entry::decode(&value.encode()), Ok(value));
        }
    }
}

#[test]
fn codes_are_distinct_and_unknown_ones_are_refused() {
    let types: BTreeSet<u8> = EntryType::ALL.iter().map(|kind| kind.code()).collect();
    assert_eq!(types.len(), EntryType::ALL.len());
    assert!(!types.contains(&STATE_ROOT_TYPE));
    for code in 0..=u8::MAX {
        assert_eq!(EntryType::from_code(code).is_ok(), types.contains(&code));
        assert_eq!(
            SubjectKind::from_code(code).is_ok(),
            (1..=7).contains(&code)
        );
        assert_eq!(
            SubjectState::from_code(code).is_ok(),
            (1..=12).contains(&code)
        );
    }
}

fn refused(bytes: &[u8]) -> DecodeError {
    Entry::decode(bytes).unwrap_err()
}

#[test]
fn refuses_each_malformed_field_of_an_entry_by_name() {
    let good = entry().encode();
    let with = |at: usize, byte: u8| {
        let mut bytes = good;
        bytes[at] = byte;
        bytes
    };
    assert_eq!(refused(&with(0, 2)), DecodeError::UnknownVersion(2));
    assert_eq!(
        refused(&with(1, 0)),
        DecodeError::UnknownCode {
            field: "type",
            code: 0
        }
    );
    assert_eq!(
        refused(&with(1, 0xff)),
        DecodeError::UnknownCode {
            field: "type",
            code: 0xff
        }
    );
    assert_eq!(refused(&with(2, 1)), DecodeError::FlagsSet(0x0100));
    assert_eq!(refused(&with(3, 1)), DecodeError::FlagsSet(1));
    assert_eq!(
        refused(&with(96, 0)),
        DecodeError::UnknownCode {
            field: "subject state",
            code: 0
        }
    );
    assert_eq!(refused(&good[..ENTRY_SIZE - 1]), DecodeError::Truncated);
    let mut longer = good.to_vec();
    longer.push(0);
    assert_eq!(refused(&longer), DecodeError::TrailingBytes);
}

#[test]
fn refuses_an_entry_as_state_root_and_the_reverse() {
    let root = state_root().encode();
    assert_eq!(
        Entry::decode(&root),
        Err(DecodeError::UnknownCode {
            field: "type",
            code: 0xff
        })
    );
    assert_eq!(
        StateRoot::decode(&entry().encode()),
        Err(DecodeError::UnknownCode {
            field: "type",
            code: 6
        })
    );
    assert_eq!(
        TenantLeaf::decode(&root),
        Ok(TenantLeaf::StateRoot(state_root()))
    );
    assert_eq!(
        TenantLeaf::decode(&entry().encode()),
        Ok(TenantLeaf::Entry(entry()))
    );
    assert_eq!(TenantLeaf::decode(&[1]), Err(DecodeError::Truncated));
}

#[test]
fn validity_stands_in_clear_and_only_in_one_form() {
    let validity = Validity {
        not_before_ms: 1000,
        not_after_ms: 2000,
    };
    let field = validity.to_object_commit();
    assert_eq!(field.0.to_vec(), vector_hex("validity"));
    assert_eq!(Validity::from_object_commit(&field), Ok(validity));
    for at in 16..32 {
        let mut padded = field;
        padded.0[at] = 1;
        assert_eq!(
            Validity::from_object_commit(&padded),
            Err(DecodeError::NotCanonical { field: "validity" })
        );
    }
    let held: Vec<bool> = [999, 1000, 1999, 2000]
        .iter()
        .map(|time| validity.holds_at(*time))
        .collect();
    assert_eq!(held, [false, true, true, false]);
}

#[test]
fn refuses_an_empty_validity() {
    for (not_before_ms, not_after_ms) in [(5, 5), (6, 5), (0, 0)] {
        let field = Validity {
            not_before_ms,
            not_after_ms,
        }
        .to_object_commit();
        assert!(Validity::from_object_commit(&field).is_err());
    }
}
