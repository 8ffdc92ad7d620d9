use super::*;
use alloc::vec;

use chancery_dsse::Envelope;

use crate::permit::{ActClass, GroupStanding, Refusal, UserNameForm};
use crate::sample::{
    self, admins, authority, delegation, domains, edited, field_fault, genesis, key, names,
};

fn verified(delegation: &Delegation) -> VerifiedDelegation {
    let envelope = delegation.sign(&[&key(1), &key(2)]).unwrap();
    Delegation::verify(&envelope, &authority()).unwrap()
}

fn refusal(delegation: &Delegation) -> Error {
    let envelope = delegation.sign(&[&key(1), &key(2)]).unwrap();
    Delegation::verify(&envelope, &authority()).unwrap_err()
}

fn act<'a>(scope: Scope, domains: &'a [&'a str]) -> ActClass<'a> {
    ActClass {
        scope,
        domains,
        user_name: UserNameForm::InDomain,
    }
}

const LIVE_MS: u64 = 1_705_000_000_000;

#[test]
fn verifies_what_the_admins_signed() {
    let verified = verified(&delegation());
    assert_eq!(verified.delegation(), &delegation());
    let hash: [u8; 32] = Sha256::digest(delegation().to_payload()).into();
    assert_eq!(verified.hash(), &hash);
    assert_eq!(verified.signers().len(), 2);
}

#[test]
fn has_one_encoding_that_is_written_in_the_specification() {
    let text = String::from_utf8(delegation().to_payload()).unwrap();
    let expected = alloc::format!(
        "{{\"version\":1,\"tenant\":\"{}\",\"serial\":1,\"not_before_ms\":1700000000000,\"not_after_ms\":1710000000000,\"scopes\":[\"users.read\",\"users.create\"],\"domains\":[\"demo.example\"],\"allow_user_names_without_domain\":false,\"managed_groups\":[\"Finance\",\"Sales\"],\"sensitive_groups\":[\"Finance\"],\"protected_groups\":[\"Board\"],\"protected_accounts\":[\"ceo@demo.example\"],\"limits\":{{\"window_s\":3600,\"suspensions\":50,\"deletions\":20,\"grants\":1000,\"emptied_groups\":1}},\"credential_life_max_s\":7776000,\"on_delete\":{{\"erase_after_days\":30}},\"idp_mapping\":\"sub_to_external_id\",\"mode\":\"apply\",\"pilot\":{{\"users\":[\"ada@demo.example\"],\"groups\":[\"Sales\"]}}}}",
        sample::tenant()
    );
    assert_eq!(text, expected);
}

#[test]
fn reads_every_variant_that_it_writes() {
    for delegation in [
        Delegation {
            managed_groups: ManagedGroups::All,
            ..delegation()
        },
        Delegation {
            managed_groups: ManagedGroups::Listed(BTreeSet::new()),
            ..delegation()
        },
        Delegation {
            on_delete: OnDelete::Suspend,
            id_mapping: None,
            ..delegation()
        },
        Delegation {
            scopes: ScopeSet::all(),
            domains: BTreeSet::new(),
            ..delegation()
        },
        Delegation {
            scopes: ScopeSet::EMPTY,
            allow_user_names_without_domain: true,
            ..delegation()
        },
    ] {
        assert_eq!(
            Delegation::from_json(&delegation.to_payload()).unwrap(),
            delegation
        );
    }
}

#[test]
fn refuses_missing_unknown_and_duplicate_members_with_their_place() {
    sample::assert_strict(&delegation().to_payload(), |bytes| {
        Delegation::from_json(bytes).err()
    });
}

#[test]
fn refuses_every_flipped_bit_of_a_signature() {
    let envelope = delegation().sign(&[&key(1), &key(2)]).unwrap();
    let authority = authority();
    sample::assert_every_signature_bit_counts(&envelope, |envelope| {
        Delegation::verify(envelope, &authority).err()
    });
}

#[test]
fn refuses_too_few_foreign_and_doubled_signers() {
    for keys in [vec![key(1)], vec![key(1), key(7)], vec![key(7), key(8)]] {
        let envelope = delegation().sign(&keys.iter().collect::<Vec<_>>()).unwrap();
        assert!(matches!(
            Delegation::verify(&envelope, &authority()).unwrap_err(),
            Error::Envelope(chancery_dsse::Error::BelowThreshold { threshold: 2, .. })
        ));
    }
    assert!(delegation().sign(&[&key(1), &key(1)]).is_err());
}

#[test]
fn refuses_a_genesis_or_an_act_in_place_of_a_delegation() {
    let envelope = genesis().sign(&[&key(1), &key(2)]).unwrap();
    assert_eq!(
        Delegation::verify(&envelope, &authority()).unwrap_err(),
        Error::Envelope(chancery_dsse::Error::WrongPayloadType)
    );
}

#[test]
fn refuses_another_tenants_delegation() {
    let foreign = Delegation {
        tenant: TenantId::from_bytes([1; 16]),
        ..delegation()
    };
    assert_eq!(refusal(&foreign), Error::ForeignTenant);
}

#[test]
fn refuses_domains_and_mappings_beyond_the_genesis() {
    let wider = Delegation {
        domains: domains(&["demo.example", "evil.example"]),
        ..delegation()
    };
    assert_eq!(
        refusal(&wider),
        field_fault("/domains", FieldFault::BeyondGenesis)
    );
    let below = Delegation {
        domains: domains(&["sub.demo.example"]),
        ..delegation()
    };
    assert_eq!(
        refusal(&below),
        field_fault("/domains", FieldFault::BeyondGenesis)
    );
    for mapping in [
        IdMapping::OidToExternalId,
        IdMapping::DangerousEmailToUserName,
    ] {
        let other = Delegation {
            id_mapping: Some(mapping),
            ..delegation()
        };
        assert_eq!(
            refusal(&other),
            field_fault("/idp_mapping", FieldFault::BeyondGenesis)
        );
    }
    let none = Delegation {
        id_mapping: None,
        ..delegation()
    };
    assert_eq!(verified(&none).delegation().id_mapping, None);
}

#[test]
fn refuses_signed_bytes_that_are_not_the_one_encoding() {
    let payload = delegation().to_payload();
    let reordered = edited(
        &payload,
        "\"users.read\",\"users.create\"",
        "\"users.create\",\"users.read\"",
    );
    let spaced = edited(&payload, "\"serial\":1", "\"serial\": 1");
    for text in [reordered, spaced] {
        assert_eq!(
            Delegation::from_json(text.as_bytes()).unwrap(),
            delegation()
        );
        let envelope = Envelope::sign(
            DELEGATION_PAYLOAD_TYPE,
            text.as_bytes(),
            &[&key(1), &key(2)],
        )
        .unwrap();
        assert_eq!(
            Delegation::verify(&envelope, &authority()).unwrap_err(),
            Error::NotCanonical
        );
    }
}

/// A piece of the payload, what replaces it, and the place and the fault that must be named.
const FAULTS: &[(&str, &str, &str, FieldFault)] = &[
    (
        "\"version\":1",
        "\"version\":0",
        "/version",
        FieldFault::UnknownVersion,
    ),
    (
        "\"serial\":1",
        "\"serial\":0",
        "/serial",
        FieldFault::OutOfRange,
    ),
    (
        "\"not_after_ms\":1710000000000",
        "\"not_after_ms\":1700000000000",
        "/not_after_ms",
        FieldFault::EndBeforeBeginning,
    ),
    (
        "\"not_after_ms\":1710000000000",
        "\"not_after_ms\":1763158400001",
        "/not_after_ms",
        FieldFault::OutOfRange,
    ),
    (
        "\"users.read\"",
        "\"users.*\"",
        "/scopes/0",
        FieldFault::UnknownWord,
    ),
    (
        "\"users.read\"",
        "\"users.create\"",
        "/scopes/1",
        FieldFault::Duplicate,
    ),
    (
        "[\"demo.example\"]",
        "[\"*.example\"]",
        "/domains/0",
        FieldFault::DomainForm,
    ),
    (
        "[\"Finance\",\"Sales\"]",
        "\"none\"",
        "/managed_groups",
        FieldFault::UnknownWord,
    ),
    (
        "[\"Finance\",\"Sales\"]",
        "[\"\"]",
        "/managed_groups/0",
        FieldFault::TextForm,
    ),
    (
        "[\"Finance\",\"Sales\"]",
        "[\"a\",\"a\"]",
        "/managed_groups/1",
        FieldFault::Duplicate,
    ),
    (
        "\"window_s\":3600",
        "\"window_s\":59",
        "/limits/window_s",
        FieldFault::OutOfRange,
    ),
    (
        "\"window_s\":3600",
        "\"window_s\":604801",
        "/limits/window_s",
        FieldFault::OutOfRange,
    ),
    (
        "\"suspensions\":50",
        "\"suspensions\":0",
        "/limits/suspensions",
        FieldFault::OutOfRange,
    ),
    (
        "\"grants\":1000",
        "\"grants\":10000001",
        "/limits/grants",
        FieldFault::OutOfRange,
    ),
    (
        "\"credential_life_max_s\":7776000",
        "\"credential_life_max_s\":0",
        "/credential_life_max_s",
        FieldFault::OutOfRange,
    ),
    (
        "\"credential_life_max_s\":7776000",
        "\"credential_life_max_s\":31622401",
        "/credential_life_max_s",
        FieldFault::OutOfRange,
    ),
    (
        "{\"erase_after_days\":30}",
        "\"erase\"",
        "/on_delete",
        FieldFault::UnknownWord,
    ),
    (
        "\"erase_after_days\":30",
        "\"erase_after_days\":0",
        "/on_delete/erase_after_days",
        FieldFault::OutOfRange,
    ),
    (
        "\"sub_to_external_id\"",
        "\"email\"",
        "/idp_mapping",
        FieldFault::UnknownWord,
    ),
];

#[test]
fn refuses_values_outside_their_limits_with_their_place() {
    let payload = delegation().to_payload();
    for (from, to, pointer, fault) in FAULTS {
        let error = Delegation::from_json(edited(&payload, from, to).as_bytes()).unwrap_err();
        assert_eq!(error, field_fault(pointer, *fault), "{to}");
    }
    let longest = edited(
        &payload,
        "\"not_after_ms\":1710000000000",
        "\"not_after_ms\":1763158400000",
    );
    assert!(Delegation::from_json(longest.as_bytes()).is_ok());
}

#[test]
fn permits_exactly_within_the_window() {
    let verified = verified(&delegation());
    let (first, end) = (1_700_000_000_000, 1_710_000_000_000);
    let act = act(Scope::UsersRead, &[]);
    assert_eq!(
        verified.permits(first - 1, &act),
        Err(Refusal::NotYetValid {
            not_before_ms: first
        })
    );
    assert_eq!(verified.permits(first, &act), Ok(()));
    assert_eq!(verified.permits(end - 1, &act), Ok(()));
    for late in [end, u64::MAX] {
        assert_eq!(
            verified.permits(late, &act),
            Err(Refusal::Expired { not_after_ms: end })
        );
    }
}

#[test]
fn permits_named_scopes_alone_and_empty_means_nothing() {
    for granted in Scope::ALL {
        let only = verified(&Delegation {
            scopes: [granted].into_iter().collect(),
            ..delegation()
        });
        let none = verified(&Delegation {
            scopes: ScopeSet::EMPTY,
            ..delegation()
        });
        for scope in Scope::ALL {
            let expected = if scope == granted {
                Ok(())
            } else {
                Err(Refusal::ScopeMissing { scope })
            };
            assert_eq!(only.permits(LIVE_MS, &act(scope, &[])), expected);
            assert_eq!(
                none.permits(LIVE_MS, &act(scope, &[])),
                Err(Refusal::ScopeMissing { scope })
            );
        }
    }
}

#[test]
fn permits_named_domains_alone() {
    let verified = verified(&delegation());
    let create = |domains: &[&str]| {
        verified.permits(
            LIVE_MS,
            &ActClass {
                scope: Scope::UsersCreate,
                domains,
                user_name: UserNameForm::InDomain,
            },
        )
    };
    assert_eq!(create(&["demo.example", "demo.example"]), Ok(()));
    for bad in [
        "demo.test",
        "evil.example",
        "sub.demo.example",
        "example",
        "xdemo.example",
        "demo.example.",
        "Demo.example",
        "demo.example ",
        "",
        "demo.example.evil.test",
        "dem\u{43e}.example",
    ] {
        let refusal = Err(Refusal::DomainNotTrusted {
            domain: bad.to_string(),
        });
        assert_eq!(create(&["demo.example", bad]), refusal, "{bad}");
    }
    let nowhere = self::verified(&Delegation {
        domains: BTreeSet::new(),
        ..delegation()
    });
    assert_eq!(
        nowhere.permits(LIVE_MS, &act(Scope::UsersCreate, &["demo.example"])),
        Err(Refusal::DomainNotTrusted {
            domain: "demo.example".to_string()
        })
    );
}

#[test]
fn permits_user_names_without_domain_only_if_signed() {
    let plain = ActClass {
        scope: Scope::UsersCreate,
        domains: &[],
        user_name: UserNameForm::WithoutDomain,
    };
    let strict = verified(&delegation());
    assert_eq!(
        strict.permits(LIVE_MS, &plain),
        Err(Refusal::UserNameWithoutDomain)
    );
    let lax = verified(&Delegation {
        allow_user_names_without_domain: true,
        ..delegation()
    });
    assert_eq!(lax.permits(LIVE_MS, &plain), Ok(()));
}

#[test]
fn places_groups_by_the_strictest_list() {
    let listed = verified(&delegation());
    for (name, standing) in [
        ("Sales", GroupStanding::Managed),
        ("sales", GroupStanding::Managed),
        ("Finance", GroupStanding::Sensitive),
        (" FINANCE", GroupStanding::Sensitive),
        ("Board", GroupStanding::Protected),
        ("Owners", GroupStanding::Protected),
        ("OWNERS", GroupStanding::Protected),
        ("Marketing", GroupStanding::Unmanaged),
        ("", GroupStanding::Unmanaged),
    ] {
        assert_eq!(listed.group_standing(name), standing, "{name}");
    }
    let all = verified(&Delegation {
        managed_groups: ManagedGroups::All,
        sensitive_groups: names(&["Finance", "Board"]),
        ..delegation()
    });
    assert_eq!(all.group_standing("Marketing"), GroupStanding::Managed);
    assert_eq!(all.group_standing("finance"), GroupStanding::Sensitive);
    assert_eq!(all.group_standing("board"), GroupStanding::Protected);
    let none = verified(&Delegation {
        managed_groups: ManagedGroups::Listed(BTreeSet::new()),
        ..delegation()
    });
    assert_eq!(none.group_standing("Sales"), GroupStanding::Unmanaged);
    assert_eq!(none.group_standing("Finance"), GroupStanding::Unmanaged);
}

#[test]
fn protects_accounts_of_genesis_and_delegation() {
    let verified = verified(&delegation());
    for name in ["root@demo.example", "ROOT@demo.example", "ceo@demo.example"] {
        assert!(verified.is_protected_account(name));
    }
    assert!(!verified.is_protected_account("anna@demo.example"));
}

#[test]
fn allows_credentials_within_scopes_and_life() {
    let verified = verified(&delegation());
    let reads = ScopeSet::from_iter([Scope::UsersRead]);
    let life_ms = 7_776_000_000;
    assert!(verified.allows_credential(LIVE_MS, reads, LIVE_MS + life_ms));
    assert!(!verified.allows_credential(LIVE_MS, reads, LIVE_MS + life_ms + 1));
    assert!(!verified.allows_credential(LIVE_MS, reads, LIVE_MS));
    assert!(!verified.allows_credential(LIVE_MS, reads, LIVE_MS - 1));
    assert!(!verified.allows_credential(LIVE_MS, ScopeSet::EMPTY, LIVE_MS + 1));
    assert!(!verified.allows_credential(LIVE_MS, ScopeSet::all(), LIVE_MS + 1));
    let before = delegation().not_before_ms - 1;
    assert!(!verified.allows_credential(before, reads, before + 1));
    let end = delegation().not_after_ms;
    assert!(!verified.allows_credential(end, reads, end + 1));
}

#[test]
fn does_not_sign_what_it_would_not_read() {
    let backwards = Delegation {
        not_after_ms: 1,
        ..delegation()
    };
    assert_eq!(
        backwards.sign(&[&key(1)]).unwrap_err(),
        field_fault("/not_after_ms", FieldFault::EndBeforeBeginning)
    );
}

#[test]
fn ends_when_its_signers_are_no_longer_enough() {
    let verified = verified(&delegation());
    for (seeds, threshold, expected) in [
        (&[1, 2, 3][..], 2, true),
        (&[1, 2], 2, true),
        (&[1, 3, 4], 1, true),
        (&[1, 3, 4], 2, false),
        (&[3, 4], 1, false),
        (&[1, 2, 3], 3, false),
    ] {
        assert_eq!(
            verified.is_signed_by(&admins(seeds, threshold)),
            expected,
            "{seeds:?}"
        );
    }
}

#[test]
fn a_pilot_has_its_own_accounts_and_groups_alone_and_none_has_all() {
    let signed = |delegation: Delegation| {
        let envelope = delegation.sign(&[&key(1), &key(2)]).unwrap();
        Delegation::verify(&envelope, &authority()).unwrap()
    };
    let pilot = signed(delegation());
    assert!(pilot.pilot_has_account(" ADA@demo.example "));
    assert!(!pilot.pilot_has_account("bob@demo.example"));
    assert!(pilot.pilot_has_group("sales") && !pilot.pilot_has_group("Finance"));
    let empty = signed(Delegation {
        pilot: Some(Pilot {
            users: names(&[]),
            groups: names(&[]),
        }),
        ..delegation()
    });
    assert!(!empty.pilot_has_account("ada@demo.example") && !empty.pilot_has_group("Sales"));
    let all = signed(Delegation {
        pilot: None,
        ..delegation()
    });
    assert!(all.pilot_has_account("bob@demo.example") && all.pilot_has_group("Finance"));
}

#[test]
fn a_mode_is_one_of_two_words() {
    for mode in [Mode::Apply, Mode::Plan] {
        assert_eq!(Mode::parse(mode.name()), Some(mode));
    }
    assert_eq!(Mode::parse("Apply"), None);
    let payload = edited(&delegation().to_payload(), "\"apply\"", "\"dry\"");
    assert_eq!(
        Delegation::from_json(payload.as_bytes()),
        Err(field_fault("/mode", FieldFault::UnknownWord))
    );
}

#[test]
fn every_number_has_the_bounds_that_the_specification_names() {
    let read = |from: &str, to: &str| {
        let payload = edited(&delegation().to_payload(), from, to);
        Delegation::from_json(payload.as_bytes())
    };
    // 731 days after the beginning, to the millisecond.
    let end = "\"not_after_ms\":1710000000000";
    assert!(read(end, "\"not_after_ms\":1763158400000").is_ok());
    assert_eq!(
        read(end, "\"not_after_ms\":1763158400001"),
        Err(field_fault("/not_after_ms", FieldFault::OutOfRange))
    );
    for (member, pointer, least, most) in [
        ("\"window_s\":3600", "/limits/window_s", 60, 604_800),
        ("\"suspensions\":50", "/limits/suspensions", 1, 10_000_000),
        ("\"deletions\":20", "/limits/deletions", 0, 10_000_000),
        (
            "\"credential_life_max_s\":7776000",
            "/credential_life_max_s",
            60,
            31_622_400,
        ),
        (
            "\"erase_after_days\":30",
            "/on_delete/erase_after_days",
            1,
            3653,
        ),
    ] {
        let (name, _) = member.split_once(':').unwrap();
        let with = |value: u64| read(member, &alloc::format!("{name}:{value}"));
        assert!(with(least).is_ok() && with(most).is_ok(), "{member}");
        let outside = Err(field_fault(pointer, FieldFault::OutOfRange));
        assert_eq!(with(most + 1), outside, "{member}");
        if let Some(less) = least.checked_sub(1) {
            assert_eq!(with(less), outside, "{member}");
        }
    }
}

#[test]
fn every_refusal_says_something_of_its_own() {
    let refusals = [
        Refusal::NotYetValid { not_before_ms: 1 },
        Refusal::Expired { not_after_ms: 1 },
        Refusal::ScopeMissing {
            scope: Scope::UsersCreate,
        },
        Refusal::DomainNotTrusted {
            domain: "demo.test".into(),
        },
        Refusal::UserNameWithoutDomain,
    ];
    let texts: BTreeSet<String> = refusals
        .iter()
        .map(|refusal| alloc::format!("{refusal}"))
        .collect();
    assert_eq!(texts.len(), refusals.len());
    assert!(texts.iter().all(|text| text.contains("delegation")));
}
