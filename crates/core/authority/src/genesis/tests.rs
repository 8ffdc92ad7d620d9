use super::*;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec;

use chancery_json::ErrorKind;
use chancery_json::Expected;

use crate::admin::{ADMINS_MAX, Admin};
use crate::sample::{self, admins, edited, field_fault, genesis, json_fault, key, names};

fn refusal(text: &str) -> Error {
    Genesis::from_json(text.as_bytes()).unwrap_err()
}

#[test]
fn verifies_a_genesis_signed_by_its_own_admins() {
    let genesis = genesis();
    let envelope = genesis.sign(&[&key(3), &key(1)]).unwrap();
    let verified = Genesis::verify(&envelope).unwrap();
    assert_eq!(verified.genesis(), &genesis);
    let hash: [u8; 32] = Sha256::digest(genesis.to_payload()).into();
    assert_eq!(verified.hash(), &hash);
    assert_eq!(verified.tenant().as_bytes(), &hash[..16]);
    let authority = verified.authority();
    assert_eq!(authority.tenant(), verified.tenant());
    assert_eq!(authority.deployment(), genesis.deployment);
    assert_eq!(authority.admins(), &genesis.admins);
    assert_eq!(authority.domains(), &genesis.domains);
}

#[test]
fn has_one_encoding_that_is_written_in_the_specification() {
    let text = String::from_utf8(genesis().to_payload()).unwrap();
    let start = "{\"version\":1,\"deployment\":\"d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0\",\"slug\":\"demo\",\"created_ms\":1700000000000,\"nonce\":\"0707070707070707070707070707070707070707070707070707070707070707\",\"admins\":[{\"name\":\"admin ";
    assert!(text.starts_with(start), "{text}");
    let end = "\",\"domains\":[\"demo.example\",\"demo.test\"],\"idp\":{\"issuer\":\"https://id.demo.example/realm\",\"client_id\":\"chancery\",\"mapping\":\"sub_to_external_id\",\"tls_roots\":[\"AQID\"]},\"protected_groups\":[\"Owners\"],\"protected_accounts\":[\"root@demo.example\"],\"release_rule\":\"follow_deployment\",\"witness_policy_sha256\":\"0505050505050505050505050505050505050505050505050505050505050505\"}";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn reads_every_variant_that_it_writes() {
    let mut all = vec![genesis()];
    for rule in [ReleaseRule::AdminApproval, ReleaseRule::Wait { days: 14 }] {
        all.push(Genesis {
            release_rule: rule,
            ..genesis()
        });
    }
    all.push(Genesis {
        idp: None,
        ..genesis()
    });
    for mapping in [
        IdMapping::OidToExternalId,
        IdMapping::DangerousEmailToUserName,
    ] {
        let idp = genesis().idp.map(|idp| IdentityProvider { mapping, ..idp });
        all.push(Genesis { idp, ..genesis() });
    }
    for genesis in all {
        assert_eq!(Genesis::from_json(&genesis.to_payload()).unwrap(), genesis);
    }
}

#[test]
fn refuses_missing_unknown_and_duplicate_members_with_their_place() {
    sample::assert_strict(&genesis().to_payload(), |bytes| {
        Genesis::from_json(bytes).err()
    });
    let waiting = Genesis {
        release_rule: ReleaseRule::Wait { days: 1 },
        ..genesis()
    };
    sample::assert_strict(&waiting.to_payload(), |bytes| {
        Genesis::from_json(bytes).err()
    });
}

#[test]
fn refuses_every_flipped_bit_of_a_signature() {
    let envelope = genesis().sign(&[&key(1), &key(2)]).unwrap();
    sample::assert_every_signature_bit_counts(&envelope, |envelope| {
        Genesis::verify(envelope).err()
    });
}

#[test]
fn refuses_too_few_signatures_and_foreign_keys() {
    let too_few = |keys: &[&SigningKey], valid| {
        let envelope = genesis().sign(keys).unwrap();
        assert_eq!(
            Genesis::verify(&envelope).unwrap_err(),
            Error::Envelope(chancery_dsse::Error::BelowThreshold {
                valid,
                threshold: 2
            })
        );
    };
    too_few(&[&key(1)], 1);
    too_few(&[&key(1), &key(8), &key(9)], 1);
    too_few(&[&key(8), &key(9)], 0);
}

#[test]
fn refuses_another_payload_type() {
    let payload = genesis().to_payload();
    let envelope = Envelope::sign("application/other+json", &payload, &[&key(1), &key(2)]).unwrap();
    assert_eq!(
        Genesis::verify(&envelope).unwrap_err(),
        Error::Envelope(chancery_dsse::Error::WrongPayloadType)
    );
}

#[test]
fn refuses_signed_bytes_that_are_not_the_one_encoding() {
    let payload = genesis().to_payload();
    let spaced = edited(&payload, "\"slug\":", "\"slug\": ");
    let reordered = edited(
        &payload,
        "[\"demo.example\",\"demo.test\"]",
        "[\"demo.test\",\"demo.example\"]",
    );
    let escaped = edited(&payload, "\"Owners\"", "\"\\u004fwners\"");
    for text in [spaced, reordered, escaped] {
        assert_eq!(Genesis::from_json(text.as_bytes()).unwrap(), genesis());
        let envelope =
            Envelope::sign(GENESIS_PAYLOAD_TYPE, text.as_bytes(), &[&key(1), &key(2)]).unwrap();
        assert_eq!(Genesis::verify(&envelope).unwrap_err(), Error::NotCanonical);
    }
}

#[test]
fn a_changed_member_changes_the_tenant() {
    let id = |genesis: &Genesis| TenantId::of_genesis(&genesis.to_payload());
    let changed = [
        Genesis {
            nonce: [8; 32],
            ..genesis()
        },
        Genesis {
            created_ms: 1,
            ..genesis()
        },
        Genesis {
            admins: admins(&[1, 2, 3], 1),
            ..genesis()
        },
        Genesis {
            protected_accounts: BTreeSet::new(),
            ..genesis()
        },
    ];
    for other in &changed {
        assert_ne!(id(other), id(&genesis()));
    }
}

/// A piece of the payload, what replaces it, and the place and the fault that must be named.
const FAULTS: &[(&str, &str, &str, FieldFault)] = &[
    (
        "\"version\":1",
        "\"version\":2",
        "/version",
        FieldFault::UnknownVersion,
    ),
    (
        "\"slug\":\"demo\"",
        "\"slug\":\"Demo\"",
        "/slug",
        FieldFault::SlugForm,
    ),
    (
        "\"nonce\":\"07",
        "\"nonce\":\"0A",
        "/nonce",
        FieldFault::Hex,
    ),
    ("\"nonce\":\"07", "\"nonce\":\"", "/nonce", FieldFault::Hex),
    (
        "\"admin_threshold\":2",
        "\"admin_threshold\":0",
        "/admin_threshold",
        FieldFault::OutOfRange,
    ),
    (
        "\"admin_threshold\":2",
        "\"admin_threshold\":4",
        "/admin_threshold",
        FieldFault::OutOfRange,
    ),
    (
        "\"created_ms\":1700000000000",
        "\"created_ms\":9007199254740992",
        "/created_ms",
        FieldFault::OutOfRange,
    ),
    (
        "\"demo.test\"",
        "\"Demo.test\"",
        "/domains/1",
        FieldFault::DomainForm,
    ),
    (
        "\"demo.test\"",
        "\"demo.example\"",
        "/domains/1",
        FieldFault::Duplicate,
    ),
    (
        "[\"demo.example\",\"demo.test\"]",
        "[]",
        "/domains",
        FieldFault::Empty,
    ),
    (
        "https://id",
        "http://id",
        "/idp/issuer",
        FieldFault::IssuerForm,
    ),
    (
        "example/realm",
        "example/realm?x",
        "/idp/issuer",
        FieldFault::IssuerForm,
    ),
    (
        "example/realm",
        "example/re alm",
        "/idp/issuer",
        FieldFault::IssuerForm,
    ),
    (
        "\"chancery\"",
        "\"\"",
        "/idp/client_id",
        FieldFault::TextForm,
    ),
    (
        "\"sub_to_external_id\"",
        "\"email_to_user_name\"",
        "/idp/mapping",
        FieldFault::UnknownWord,
    ),
    (
        "\"Owners\"",
        "\" Owners\"",
        "/protected_groups/0",
        FieldFault::TextForm,
    ),
    (
        "\"Owners\"",
        "\"Own\\u0000ers\"",
        "/protected_groups/0",
        FieldFault::TextForm,
    ),
    (
        "\"follow_deployment\"",
        "\"follow\"",
        "/release_rule",
        FieldFault::UnknownWord,
    ),
    (
        "\"follow_deployment\"",
        "{\"wait_days\":0}",
        "/release_rule/wait_days",
        FieldFault::OutOfRange,
    ),
    (
        "\"recovery_key\":\"A",
        "\"recovery_key\":\"B",
        "/recovery_key",
        FieldFault::Key,
    ),
    (
        "\"recovery_key\":\"A",
        "\"recovery_key\":\"",
        "/recovery_key",
        FieldFault::Base64,
    ),
];

#[test]
fn refuses_values_outside_their_form_with_their_place() {
    let payload = genesis().to_payload();
    for (from, to, pointer, fault) in FAULTS {
        assert_eq!(
            refusal(&edited(&payload, from, to)),
            field_fault(pointer, *fault),
            "{to}"
        );
    }
    let issuer = edited(
        &payload,
        "https://id.demo.example/realm",
        &format!("https://{}", "a".repeat(300)),
    );
    assert_eq!(
        refusal(&issuer),
        field_fault("/idp/issuer", FieldFault::IssuerForm)
    );
}

#[test]
fn refuses_values_of_another_type_with_their_place() {
    let payload = genesis().to_payload();
    for (from, to, pointer, expected) in [
        (
            "\"admin_threshold\":2",
            "\"admin_threshold\":\"2\"",
            "/admin_threshold",
            Expected::Unsigned,
        ),
        (
            "\"admin_threshold\":2",
            "\"admin_threshold\":2.0",
            "/admin_threshold",
            Expected::Unsigned,
        ),
        (
            "[\"Owners\"]",
            "\"Owners\"",
            "/protected_groups",
            Expected::Array,
        ),
        (
            "[\"Owners\"]",
            "[1]",
            "/protected_groups/0",
            Expected::String,
        ),
        (
            "\"follow_deployment\"",
            "null",
            "/release_rule",
            Expected::Object,
        ),
    ] {
        assert_eq!(
            json_fault(refusal(&edited(&payload, from, to))),
            (ErrorKind::WrongType { expected }, pointer.to_string())
        );
    }
    let text = String::from_utf8(payload).unwrap();
    let start = text.find("\"idp\":{").unwrap() + 6;
    let end = text.find(",\"protected_groups\"").unwrap();
    let idp = text.get(start..end).unwrap();
    assert_eq!(
        json_fault(refusal(&text.replace(idp, "false"))),
        (
            ErrorKind::WrongType {
                expected: Expected::Object
            },
            "/idp".to_string()
        )
    );
}

#[test]
fn refuses_admin_sets_without_sense() {
    let admin = |seed: u8, name: &str| Admin {
        name: name.to_string(),
        key: key(seed).public_key(),
    };
    let refusal = |admins, threshold| AdminSet::new(admins, threshold).unwrap_err();
    assert_eq!(
        refusal(vec![], 1),
        field_fault("/admins", FieldFault::Empty)
    );
    assert_eq!(
        refusal(vec![admin(1, "a"), admin(1, "b")], 1),
        field_fault("/admins", FieldFault::Duplicate)
    );
    assert_eq!(
        refusal(vec![admin(1, "a"), admin(2, "a")], 1),
        field_fault("/admins", FieldFault::Duplicate)
    );
    assert_eq!(
        refusal(vec![admin(1, "")], 1),
        field_fault("/admins", FieldFault::TextForm)
    );
    let many = |count: u8| {
        (1..=count)
            .map(|seed| admin(seed, &format!("{seed}")))
            .collect::<Vec<_>>()
    };
    let most = u8::try_from(ADMINS_MAX).unwrap();
    assert!(AdminSet::new(many(most), ADMINS_MAX).is_ok());
    assert_eq!(
        refusal(many(most + 1), 1),
        field_fault("/admins", FieldFault::TooMany)
    );
    assert_eq!(
        refusal(many(2), 3),
        field_fault("/admin_threshold", FieldFault::OutOfRange)
    );
    assert_eq!(
        refusal(many(2), 0),
        field_fault("/admin_threshold", FieldFault::OutOfRange)
    );
}

#[test]
fn finds_admins_by_key_and_orders_them_by_id() {
    let set = admins(&[3, 1, 2], 2);
    assert_eq!(set, admins(&[1, 2, 3], 2));
    assert_eq!(set.by_key(&key(2).id()).unwrap().name, "admin 2");
    assert_eq!(set.by_key(&key(9).id()), None);
}

#[test]
fn does_not_sign_what_it_would_not_read() {
    let empty = Genesis {
        domains: BTreeSet::new(),
        ..genesis()
    };
    assert_eq!(
        empty.sign(&[&key(1)]).unwrap_err(),
        field_fault("/domains", FieldFault::Empty)
    );
    let long = Genesis {
        protected_groups: names(&[&"x".repeat(257)]),
        ..genesis()
    };
    assert_eq!(
        long.sign(&[&key(1)]).unwrap_err(),
        field_fault("/protected_groups/0", FieldFault::TextForm)
    );
}

#[test]
fn refuses_lists_beyond_their_limit() {
    let many: Vec<String> = (0..=read::NAMES_MAX)
        .map(|index| format!("g{index}"))
        .collect();
    let genesis = Genesis {
        protected_groups: many.into_iter().collect(),
        ..genesis()
    };
    assert_eq!(
        Genesis::from_json(&genesis.to_payload()).unwrap_err(),
        field_fault("/protected_groups", FieldFault::TooMany)
    );
}

#[test]
fn publishes_slug_and_hash() {
    let verified = Genesis::verify(&genesis().sign(&[&key(1), &key(2)]).unwrap()).unwrap();
    assert_eq!(
        verified.txt_record(),
        format!(
            "v=chancery1; tenant=demo; genesis={}",
            hex::encode(verified.hash())
        )
    );
}

#[test]
fn refuses_tls_roots_that_repeat_are_empty_or_too_many() {
    let with = |list: &str| {
        let payload = edited(&genesis().to_payload(), "[\"AQID\"]", list);
        Genesis::from_json(payload.as_bytes()).unwrap_err()
    };
    assert_eq!(
        with("[\"AQID\",\"AQID\"]"),
        field_fault("/idp/tls_roots/1", FieldFault::Duplicate)
    );
    assert_eq!(
        with("[\"\"]"),
        field_fault("/idp/tls_roots/0", FieldFault::Base64)
    );
    let many: Vec<&str> = [
        "\"AA==\"", "\"AQ==\"", "\"Ag==\"", "\"Aw==\"", "\"BA==\"", "\"BQ==\"", "\"Bg==\"",
        "\"Bw==\"", "\"CA==\"",
    ]
    .to_vec();
    assert_eq!(
        with(&alloc::format!("[{}]", many.join(","))),
        field_fault("/idp/tls_roots", FieldFault::TooMany)
    );
}
