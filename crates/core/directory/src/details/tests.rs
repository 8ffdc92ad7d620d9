use alloc::vec;

use super::*;
use crate::testing::{check_strict, unhex, vector, vector_hex};

fn details() -> Details {
    Details {
        origin: Origin::Credential,
        delegation: Digest([35; 32]),
        credential: Handle([36; 32]),
        evidence: Digest([37; 32]),
        document: Digest([38; 32]),
        approval: Handle([39; 32]),
        groups: vec![
            GroupDelta {
                group: Handle([31; 32]),
                added: vec![Handle([32; 32]), Handle([33; 32])],
                removed: vec![Handle([34; 32])],
            },
            GroupDelta {
                group: Handle([40; 32]),
                added: Vec::new(),
                removed: Vec::new(),
            },
        ],
    }
}

#[test]
fn details_have_the_bytes_of_the_second_implementation() {
    assert_eq!(details().encode().unwrap(), vector_hex("details"));
    assert_eq!(Details::decode(&vector_hex("details")), Ok(details()));
    assert_eq!(details().authz_hash().0.to_vec(), vector_hex("authz_hash"));
    let commit = details().body_commit(&ActSecret([41; 32])).unwrap();
    assert_eq!(commit.0.to_vec(), vector_hex("body_commit"));
}

#[test]
fn openings_are_those_of_the_second_implementation() {
    let (secret, subject) = (ActSecret([41; 32]), Handle([2; 32]));
    let expected = vector("openings");
    for (name, what) in [
        ("body", Opens::Body),
        ("vrf", Opens::Vrf),
        ("key", Opens::Key(&subject)),
        ("name", Opens::Name(&subject)),
        ("members", Opens::Members(&subject)),
        ("object", Opens::Object(&subject)),
    ] {
        let text = expected[name].as_str().unwrap();
        assert_eq!(secret.opening(what).0.to_vec(), unhex(text), "{name}");
    }
}

#[test]
fn openings_differ_by_secret_kind_and_subject() {
    let (one, two) = (Handle([1; 32]), Handle([2; 32]));
    let secret = ActSecret([3; 32]);
    let base = secret.opening(Opens::Key(&one));
    assert_ne!(base, secret.opening(Opens::Key(&two)));
    assert_ne!(base, secret.opening(Opens::Name(&one)));
    assert_ne!(base, ActSecret([4; 32]).opening(Opens::Key(&one)));
}

#[test]
fn details_have_one_encoding() {
    check_strict(&details().encode().unwrap(), Details::decode, |value| {
        value.encode().unwrap()
    });
}

#[test]
fn origins_are_six_codes_and_no_other() {
    for code in 0..=u8::MAX {
        assert_eq!(Origin::from_code(code).is_ok(), (1..=6).contains(&code));
    }
    for origin in Origin::ALL {
        assert_eq!(Origin::from_code(origin.code()), Ok(*origin));
        let details = Details::new(*origin);
        assert_eq!(Details::decode(&details.encode().unwrap()), Ok(details));
    }
    let mut bytes = details().encode().unwrap();
    bytes[1] = 7;
    assert_eq!(
        Details::decode(&bytes),
        Err(DecodeError::UnknownCode {
            field: "origin",
            code: 7
        })
    );
}

#[test]
fn authorization_depends_on_each_of_its_parts_and_on_nothing_else() {
    let base = details().authz_hash();
    let changed = [
        Details {
            origin: Origin::Admins,
            ..details()
        },
        Details {
            delegation: Digest([1; 32]),
            ..details()
        },
        Details {
            credential: Handle([1; 32]),
            ..details()
        },
        Details {
            evidence: Digest([1; 32]),
            ..details()
        },
    ];
    for other in changed {
        assert_ne!(other.authz_hash(), base);
    }
    let other = Details {
        document: Digest([1; 32]),
        groups: Vec::new(),
        ..details()
    };
    assert_eq!(other.authz_hash(), base);
}

#[test]
fn refuses_counts_that_the_bytes_do_not_bear_out_or_that_are_too_large() {
    let mut bytes = details().encode().unwrap();
    // The count of added members of the first group stands after 164 + 32 bytes.
    bytes[196..200].copy_from_slice(&1_000_001_u32.to_be_bytes());
    assert_eq!(
        Details::decode(&bytes),
        Err(DecodeError::LengthOutOfRange {
            field: "added",
            length: 1_000_001
        })
    );
    bytes[196..200].copy_from_slice(&1_000_000_u32.to_be_bytes());
    assert_eq!(Details::decode(&bytes), Err(DecodeError::Truncated));
    let many = Details {
        groups: vec![details().groups.remove(1); GROUPS_MAX + 1],
        ..details()
    };
    assert_eq!(
        many.encode(),
        Err(DecodeError::LengthOutOfRange {
            field: "groups",
            length: GROUPS_MAX + 1
        })
    );
}

#[test]
fn secrets_are_not_printed() {
    let shown = std::format!("{:?}", ActSecret([5; 32]));
    assert_eq!(shown, "ActSecret(redacted)");
}
