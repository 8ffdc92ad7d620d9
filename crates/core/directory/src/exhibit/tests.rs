use alloc::vec;

use super::*;
use crate::testing::{check_strict, vector_hex};

fn exhibit() -> Exhibit {
    Exhibit {
        withheld: false,
        first: 7,
        entries: 2,
        secret: ActSecret([41; 32]),
        body: vector_hex("details"),
        document: b"{}".to_vec(),
        evidence: b"act".to_vec(),
        request: b"body".to_vec(),
        records: vec![vector_hex("key_record")],
        names: vec![
            NameMove {
                label: [42; 32],
                value: Some(Digest([43; 32])),
            },
            NameMove {
                label: [44; 32],
                value: None,
            },
        ],
    }
}

fn withheld() -> Exhibit {
    let names = exhibit().names.into_iter().take(1).collect();
    Exhibit::withheld(7, 2, names)
}

#[test]
fn exhibits_have_the_bytes_of_the_second_implementation() {
    assert_eq!(exhibit().encode().unwrap(), vector_hex("exhibit"));
    assert_eq!(Exhibit::decode(&vector_hex("exhibit")), Ok(exhibit()));
    let bytes = vector_hex("exhibit_withheld");
    assert_eq!(withheld().encode().unwrap(), bytes);
    assert_eq!(Exhibit::decode(&bytes), Ok(withheld()));
}

#[test]
fn exhibits_have_one_encoding() {
    for value in [exhibit(), withheld()] {
        check_strict(&value.encode().unwrap(), Exhibit::decode, |value| {
            value.encode().unwrap()
        });
    }
}

#[test]
fn refuses_a_withheld_exhibit_that_holds_more_than_names() {
    let fault = Err(DecodeError::NotCanonical { field: "withheld" });
    let cases = [
        Exhibit {
            secret: ActSecret([1; 32]),
            ..withheld()
        },
        Exhibit {
            body: vec![1],
            ..withheld()
        },
        Exhibit {
            document: vec![1],
            ..withheld()
        },
        Exhibit {
            evidence: vec![1],
            ..withheld()
        },
        Exhibit {
            request: vec![1],
            ..withheld()
        },
        Exhibit {
            records: vec![vec![1]],
            ..withheld()
        },
    ];
    for case in cases {
        assert_eq!(case.encode(), fault);
    }
    let mut bytes = exhibit().encode().unwrap();
    bytes[1] = 1;
    assert_eq!(Exhibit::decode(&bytes).map(|_| Vec::new()), fault);
}

#[test]
fn refuses_an_act_without_entries_or_beyond_the_last_index() {
    let fault = Err(DecodeError::NotCanonical { field: "entries" });
    assert_eq!(
        Exhibit {
            entries: 0,
            ..exhibit()
        }
        .encode(),
        fault
    );
    assert_eq!(
        Exhibit {
            first: u64::MAX,
            ..exhibit()
        }
        .encode(),
        fault
    );
    let mut bytes = exhibit().encode().unwrap();
    bytes[13] = 0;
    assert_eq!(Exhibit::decode(&bytes).map(|_| Vec::new()), fault);
}

#[test]
fn refuses_a_name_that_is_bound_to_nothing_or_released_with_a_value() {
    let fault = DecodeError::NotCanonical { field: "name" };
    let bytes = exhibit().encode().unwrap();
    // The last name is released: label, flag, zero value.
    let flag = bytes.len() - 33;
    for (at, value) in [(flag, 1), (bytes.len() - 1, 1)] {
        let mut changed = bytes.clone();
        changed[at] = value;
        assert_eq!(Exhibit::decode(&changed), Err(fault));
    }
    let mut zero = exhibit();
    zero.names[0].value = Some(Digest::ZERO);
    assert_eq!(zero.encode(), Err(fault));
}

#[test]
fn refuses_parts_that_are_too_long() {
    let length = PART_SIZE_MAX + 1;
    let long = vec![b' '; length];
    let cases = [
        (
            "document",
            Exhibit {
                document: long.clone(),
                ..exhibit()
            },
        ),
        (
            "evidence",
            Exhibit {
                evidence: long.clone(),
                ..exhibit()
            },
        ),
        (
            "request",
            Exhibit {
                request: long,
                ..exhibit()
            },
        ),
    ];
    for (field, case) in cases {
        assert_eq!(
            case.encode(),
            Err(DecodeError::LengthOutOfRange { field, length })
        );
    }
}

#[test]
fn pages_are_exhibits_behind_their_lengths() {
    let page = vec![exhibit(), withheld(), exhibit()];
    let bytes = Exhibit::encode_page(&page).unwrap();
    assert_eq!(Exhibit::decode_page(&bytes), Ok(page));
    assert_eq!(Exhibit::decode_page(&[]), Ok(Vec::new()));
    let first = 4 + exhibit().encode().unwrap().len();
    for length in 1..bytes.len() {
        let whole = length == first || length == bytes.len() - first;
        assert_eq!(Exhibit::decode_page(&bytes[..length]).is_ok(), whole);
    }
    assert_eq!(
        Exhibit::decode_page(&[0; 4]),
        Err(DecodeError::LengthOutOfRange {
            field: "exhibit",
            length: 0
        })
    );
}
