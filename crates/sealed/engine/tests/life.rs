//! The life of a tenant through the engine, its store and its restarts.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test stops where its world is not as it must be"
)]

use std::collections::{BTreeMap, BTreeSet};

use chancery_authority::{ActName, Scope, ScopeSet};
use chancery_engine::{Answer, ROOT_STREAM, RecoveryError, Refusal, StreamBytes};
use chancery_scim::Error;
use chancery_testkit::{World, user_json};

const SUSPEND: &str = r#"{"Operations":[{"op":"Replace","path":"active","value":"False"}]}"#;

fn registry(world: &World) -> &chancery_engine::Registry {
    &world.view.tenant(&world.tenant).unwrap().registry
}

fn populated(seed: u64) -> World {
    let mut world = World::with_tenant(seed);
    let ada = world.create_user(&user_json("ada")).unwrap();
    let bob = world.create_user(&user_json("bob")).unwrap();
    let body = format!(r#"{{"displayName":"Engineers","members":[{{"value":"{ada}"}}]}}"#);
    let group = world.create_group(&body).unwrap();
    let add = format!(
        r#"{{"Operations":[{{"op":"add","path":"members","value":[{{"value":"{bob}"}}]}}]}}"#
    );
    world.patch_group(group, &add).unwrap();
    world.patch_user(bob, SUSPEND).unwrap();
    world
}

#[test]
fn a_restart_arrives_at_the_same_heads_and_the_same_view() {
    let mut world = populated(1);
    let carol = world.create_user(&user_json("carol")).unwrap();
    world.delete_user(carol).unwrap();
    let mut again = world.recover(&world.store).unwrap();
    assert_eq!(again.log.size(), world.log.size());
    for (left, right) in registry(&world)
        .users()
        .in_order()
        .zip(registry(&again).users().in_order())
    {
        assert_eq!(left, right);
    }
    assert_eq!(registry(&again).users().len(), 2);
    assert_eq!(registry(&again).departed_count(), 1);
    assert_eq!(registry(&again).groups().len(), 1);
    let group = registry(&again).groups().in_order().next().unwrap().id;
    assert_eq!(registry(&again).member_count(group), 2);
    // The restarted engine goes on where the other one stopped, and can be restarted again.
    again.create_user(&user_json("dora")).unwrap();
    let third = again.recover(&again.store).unwrap();
    assert!(registry(&third).user_named("dora@demo.example").is_some());
}

#[test]
fn one_seed_makes_the_same_bytes() {
    assert_eq!(populated(7).store, populated(7).store);
    assert_ne!(populated(7).store, populated(8).store);
}

#[test]
fn an_existing_name_is_refused_in_every_spelling_also_within_one_batch() {
    let mut world = World::with_tenant(2);
    world.create_user(&user_json("ada")).unwrap();
    let taken = Refusal::Scim(Error::Uniqueness {
        attribute: "userName",
    });
    assert_eq!(world.create_user(&user_json("ADA")), Err(taken.clone()));
    let first = world.user(&user_json("bob")).unwrap();
    let second = world.user(&user_json("Bob")).unwrap();
    let (first, second) = (world.submit(first), world.submit(second));
    let mut replies = world.commit();
    assert!(replies.remove(&first).unwrap().is_ok());
    assert_eq!(replies.remove(&second).unwrap().unwrap_err(), taken);
    assert_eq!(registry(&world).users().len(), 2);
}

#[test]
fn readers_see_nothing_before_the_batch_is_delivered() {
    let mut world = World::with_tenant(3);
    let act = world.user(&user_json("ada")).unwrap();
    let reply = world.submit(act);
    let batch = world.close();
    assert!(registry(&world).user_named("ada@demo.example").is_none());
    assert!(world.deliver(batch).remove(&reply).unwrap().is_ok());
    assert!(registry(&world).user_named("ada@demo.example").is_some());
}

#[test]
fn an_address_outside_the_trusted_domains_is_refused_on_every_path() {
    let mut world = World::with_tenant(4);
    let ada = world.create_user(&user_json("ada")).unwrap();
    let foreign = |refusal: Refusal| {
        matches!(
            refusal,
            Refusal::Delegation(chancery_authority::Refusal::DomainNotTrusted { ref domain })
                if domain == "evil.example"
        )
    };
    let create = r#"{"userName":"eve@evil.example"}"#;
    assert!(foreign(world.create_user(create).unwrap_err()));
    for patch in [
        r#"{"Operations":[{"op":"replace","path":"userName","value":"ada@evil.example"}]}"#,
        r#"{"Operations":[{"op":"replace","value":{"userName":"ada@evil.example"}}]}"#,
        r#"{"Operations":[{"op":"add","path":"emails[type eq \"home\"].value","value":"a@evil.example"}]}"#,
        r#"{"Operations":[{"op":"add","value":{"emails":[{"value":"a@evil.example"}]}}]}"#,
    ] {
        assert!(
            foreign(world.patch_user(ada, patch).unwrap_err()),
            "{patch}"
        );
    }
    let bare = r#"{"userName":"eve"}"#;
    assert_eq!(
        world.create_user(bare).unwrap_err(),
        Refusal::Delegation(chancery_authority::Refusal::UserNameWithoutDomain)
    );
}

#[test]
fn an_expired_or_revoked_delegation_stops_the_next_act() {
    let mut world = World::with_tenant(5);
    let (now, year_ms) = (world.now_ms, 365 * 86_400_000);
    world.issue_token(86_400 * 365).unwrap();
    world.now_ms = now + year_ms - 1;
    world.create_user(&user_json("late")).unwrap();
    world.now_ms = now + year_ms;
    // The credential ends with the delegation at the latest.
    assert_eq!(
        world.create_user(&user_json("over")),
        Err(Refusal::Unauthorized)
    );
    world.now_ms = now + 1000;

    let mut world = World::with_tenant(6);
    let hash = hex(registry(&world).delegations()[0].delegation.hash());
    let body = format!(r#"{{"delegation_hash":"{hash}"}}"#);
    world
        .signed(ActName::DelegationRevoke, body.into_bytes())
        .unwrap();
    assert_eq!(
        world.create_user(&user_json("late")),
        Err(Refusal::NoDelegation)
    );
    let again = world.recover(&world.store).unwrap();
    assert!(registry(&again).delegations()[0].revoked);
}

#[test]
fn each_act_needs_its_scope() {
    let mut world = World::found(9);
    world.admit("demo").unwrap();
    let scopes: ScopeSet = [Scope::UsersCreate, Scope::UsersRead].into_iter().collect();
    world.delegate(1, scopes, 86_400).unwrap();
    assert_eq!(
        world.issue_token(3600).unwrap_err(),
        Refusal::CredentialTerms
    );
    let body = br#"{"scopes":["users.create"],"life_s":3600,"label":"narrow"}"#.to_vec();
    let Ok(Answer::Credential { credential, .. }) = world.signed(ActName::TokenIssue, body) else {
        panic!("no credential")
    };
    world.credential = credential.handle;
    let ada = world.create_user(&user_json("ada")).unwrap();
    assert!(matches!(
        world.patch_user(ada, SUSPEND),
        Err(Refusal::CredentialScope { .. })
    ));
    assert!(matches!(
        world.delete_user(ada),
        Err(Refusal::CredentialScope { .. })
    ));
    assert!(matches!(
        world.create_group(r#"{"displayName":"x"}"#),
        Err(Refusal::CredentialScope { .. })
    ));
}

#[test]
fn a_revoked_or_expired_token_is_worth_nothing() {
    let mut world = World::with_tenant(10);
    let revoke = format!(r#"{{"id":"{}"}}"#, hex(&world.credential));
    world
        .signed(ActName::TokenRevoke, revoke.into_bytes())
        .unwrap();
    assert_eq!(
        world.create_user(&user_json("ada")),
        Err(Refusal::Unauthorized)
    );
    world.issue_token(60).unwrap();
    world.create_user(&user_json("ada")).unwrap();
    world.now_ms += 60_000;
    assert_eq!(
        world.create_user(&user_json("bob")),
        Err(Refusal::Unauthorized)
    );
}

#[test]
fn a_signed_act_works_once() {
    let mut world = World::with_tenant(11);
    let body = br#"{}"#.to_vec();
    let envelope = world.sign(ActName::TokenList, &body, 1);
    assert!(matches!(
        world.send_signed(ActName::TokenList, envelope, body.clone()),
        Err(Refusal::Paper(chancery_authority::Error::Replayed { .. }))
    ));
    let envelope = world.sign(ActName::TokenList, &body, 1000);
    assert!(
        world
            .send_signed(ActName::TokenList, envelope, b"{ }".to_vec())
            .is_err()
    );
}

#[test]
fn a_changed_address_gets_a_keyset_that_nobody_has() {
    let mut world = World::with_tenant(12);
    let ada = world.create_user(&user_json("ada")).unwrap();
    let before = registry(&world).users().get(ada).unwrap().custody.clone();
    let title = r#"{"Operations":[{"op":"replace","path":"title","value":"Lead"}]}"#;
    world.patch_user(ada, title).unwrap();
    assert_eq!(registry(&world).users().get(ada).unwrap().custody, before);
    let rename =
        r#"{"Operations":[{"op":"replace","path":"userName","value":"ada.l@demo.example"}]}"#;
    world.patch_user(ada, rename).unwrap();
    let user = registry(&world).users().get(ada).unwrap();
    assert_ne!(user.custody.fingerprint(), before.fingerprint());
    assert!(registry(&world).user_named("ada@demo.example").is_none());
    // The old name is free for somebody else, who is another subject.
    let other = world.create_user(&user_json("ada")).unwrap();
    assert_ne!(other, ada);
}

#[test]
fn a_deleted_user_is_gone_for_the_idp_and_its_name_is_free() {
    let mut world = populated(13);
    let ada = registry(&world).user_named("ada@demo.example").unwrap().id;
    let group = registry(&world).groups().in_order().next().unwrap().id;
    world.delete_user(ada).unwrap();
    assert_eq!(
        world.delete_user(ada).unwrap_err(),
        Refusal::Scim(Error::NotFound)
    );
    assert!(!registry(&world).is_member(group, ada));
    assert_eq!(registry(&world).departed_count(), 1);
    let again = world.create_user(&user_json("ada")).unwrap();
    assert_ne!(again, ada);
    assert_eq!(registry(&world).groups_of(again).count(), 0);
}

#[test]
fn a_protected_group_is_out_of_reach() {
    let mut world = World::with_tenant(14);
    let refused = world
        .create_group(r#"{"displayName":"owners"}"#)
        .unwrap_err();
    assert!(matches!(refused, Refusal::Protected { .. }));
    let group = world.create_group(r#"{"displayName":"Staff"}"#).unwrap();
    let rename = r#"{"Operations":[{"op":"replace","path":"displayName","value":"Owners"}]}"#;
    assert!(matches!(
        world.patch_group(group, rename),
        Err(Refusal::Protected { .. })
    ));
}

#[test]
fn a_change_that_changes_nothing_moves_no_version() {
    let mut world = populated(15);
    let ada = registry(&world)
        .user_named("ada@demo.example")
        .unwrap()
        .clone();
    let size = world.log.size();
    let same = r#"{"Operations":[{"op":"replace","path":"active","value":true}]}"#;
    let Ok(Answer::User { user, index }) = world.patch_user(ada.id, same) else {
        panic!("refused")
    };
    assert_eq!((user.version, index), (ada.version, None));
    assert_eq!(world.log.size(), size);
}

fn is_protected<T>(result: &Result<T, Refusal>) -> bool {
    matches!(result, Err(Refusal::Protected { .. }))
}

#[test]
fn the_delegation_that_grants_decides_what_is_protected() {
    let mut world = World::with_tenant(20);
    let chief = world.create_user(&user_json("chief")).unwrap();
    world
        .delegate_with(2, |terms| {
            terms.protected_accounts = BTreeSet::from([String::from("chief@demo.example")]);
        })
        .unwrap();
    // The first delegation still covers the act; only its end leaves the protecting one alone.
    let first = hex(registry(&world).delegations()[0].delegation.hash());
    let body = format!(r#"{{"delegation_hash":"{first}"}}"#);
    world
        .signed(ActName::DelegationRevoke, body.into_bytes())
        .unwrap();
    assert!(is_protected(&world.patch_user(chief, SUSPEND)));
    // One that is not yet in force protects nothing and grants nothing.
    world
        .delegate_with(3, |terms| terms.not_before_ms += 1_000_000)
        .unwrap();
    assert!(is_protected(&world.patch_user(chief, SUSPEND)));
}

#[test]
fn a_protected_name_is_protected_in_every_spelling() {
    let mut world = World::found(21);
    world.admit("demo").unwrap();
    world
        .delegate_with(1, |terms| {
            terms.protected_accounts = BTreeSet::from([String::from("Root@Demo.Example")]);
            terms.protected_groups = BTreeSet::from([String::from("admins")]);
        })
        .unwrap();
    world.issue_token(3600).unwrap();
    assert!(is_protected(&world.create_user(&user_json("ROOT"))));
    for name in ["admins", "ADMINS", "\u{ff21}dmins"] {
        let body = format!(r#"{{"displayName":"{name}"}}"#);
        assert!(is_protected(&world.create_group(&body)), "{name}");
    }
}

#[test]
fn one_delegation_must_bear_the_whole_act() {
    let mut world = World::found(22);
    world.admit("demo").unwrap();
    let only = |scope: Scope| -> ScopeSet { [scope, Scope::UsersCreate].into_iter().collect() };
    world
        .delegate_with(1, |terms| terms.scopes = only(Scope::UsersUpdate))
        .unwrap();
    world
        .delegate_with(2, |terms| terms.scopes = only(Scope::UsersSuspend))
        .unwrap();
    let mut token = |scopes: &str| {
        let body = format!(r#"{{"scopes":[{scopes}],"life_s":3600,"label":"x"}}"#);
        world.signed(ActName::TokenIssue, body.into_bytes())
    };
    // No single delegation allows both scopes to one credential either.
    assert_eq!(
        token(r#""users.update","users.suspend""#).unwrap_err(),
        Refusal::CredentialTerms
    );
    let Ok(Answer::Credential { credential, .. }) = token(r#""users.suspend","users.create""#)
    else {
        panic!("no credential")
    };
    world.credential = credential.handle;
    let ada = world.create_user(&user_json("ada")).unwrap();
    world.patch_user(ada, SUSPEND).unwrap();
    let both = r#"{"Operations":[{"op":"replace","value":{"active":true,"title":"x"}}]}"#;
    assert!(world.patch_user(ada, both).is_err());
}

#[test]
fn nobody_is_brought_back_in_a_domain_that_is_no_longer_trusted() {
    let mut world = World::with_tenant(23);
    let ada = world.create_user(&user_json("ada")).unwrap();
    world.patch_user(ada, SUSPEND).unwrap();
    world
        .delegate_with(2, |terms| terms.domains = BTreeSet::new())
        .unwrap();
    let first = hex(registry(&world).delegations()[0].delegation.hash());
    let body = format!(r#"{{"delegation_hash":"{first}"}}"#);
    world
        .signed(ActName::DelegationRevoke, body.into_bytes())
        .unwrap();
    let restore = r#"{"Operations":[{"op":"replace","path":"active","value":true}]}"#;
    assert!(matches!(
        world.patch_user(ada, restore),
        Err(Refusal::Delegation(
            chancery_authority::Refusal::DomainNotTrusted { .. }
        ))
    ));
}

#[test]
fn addresses_in_another_order_are_the_same_addresses() {
    let mut world = World::with_tenant(24);
    let ada = world
        .create_user(
            r#"{"userName":"ada@demo.example","emails":[{"value":"a@demo.example","type":"work"},
                {"value":"b@demo.example","type":"home"}]}"#,
        )
        .unwrap();
    let before = registry(&world).users().get(ada).unwrap().custody.clone();
    let reorder = r#"{"Operations":[{"op":"replace","path":"emails","value":[
        {"value":"b@demo.example","type":"home"},{"value":"a@demo.example","type":"work"}]}]}"#;
    world.patch_user(ada, reorder).unwrap();
    assert_eq!(registry(&world).users().get(ada).unwrap().custody, before);
}

#[test]
fn member_changes_in_one_request_take_effect_in_their_order() {
    let mut world = populated(25);
    let id = |name: &str| registry(&world).user_named(name).unwrap().id;
    let (ada, bob) = (id("ada@demo.example"), id("bob@demo.example"));
    let group = registry(&world).groups().in_order().next().unwrap().id;
    let patch = format!(
        r#"{{"Operations":[{{"op":"remove","path":"members"}},
            {{"op":"add","path":"members","value":[{{"value":"{ada}"}},{{"value":"{bob}"}}]}},
            {{"op":"remove","path":"members[value eq \"{bob}\"]"}}]}}"#
    );
    world.patch_group(group, &patch).unwrap();
    assert_eq!(registry(&world).members(group).collect::<Vec<_>>(), [ada]);
    let version = registry(&world).groups().get(group).unwrap().version;
    world.patch_group(group, &patch).unwrap();
    assert_eq!(
        registry(&world).groups().get(group).unwrap().version,
        version
    );
}

#[test]
fn a_clock_set_back_over_a_restart_does_not_stop_the_tenant() {
    let mut world = populated(26);
    let mut again = world.recover(&world.store).unwrap();
    again.now_ms -= 200_000;
    again.create_user(&user_json("late")).unwrap();
    world.now_ms += 5;
    let third = again.recover(&again.store).unwrap();
    assert!(registry(&third).user_named("late@demo.example").is_some());
}

type Store = BTreeMap<StreamBytes, Vec<Vec<u8>>>;

fn refused(world: &World, store: &Store) -> RecoveryError {
    world
        .recover(store)
        .expect_err("a spoilt store must be refused")
}

#[test]
fn changed_bytes_of_every_record_are_refused() {
    let world = populated(16);
    for (stream, records) in &world.store {
        // Record 0 of the root stream is sealed by the secure processor and checked by the shell.
        let first = usize::from(*stream == ROOT_STREAM);
        for (index, record) in records.iter().enumerate().skip(first) {
            for place in (0..record.len()).step_by(13) {
                let mut spoilt = world.store.clone();
                spoilt.get_mut(stream).unwrap()[index][place] ^= 0x40;
                refused(&world, &spoilt);
            }
        }
    }
}

#[test]
fn missing_moved_repeated_and_foreign_records_are_refused() {
    let world = populated(17);
    let other = populated(18);
    for (stream, records) in &world.store {
        for index in 1..records.len() {
            let spoil = |act: &dyn Fn(&mut Vec<Vec<u8>>)| {
                let mut spoilt = world.store.clone();
                act(spoilt.get_mut(stream).unwrap());
                refused(&world, &spoilt)
            };
            spoil(&|records| drop(records.remove(index)));
            spoil(&|records| records.swap(index - 1, index));
            spoil(&|records| records.insert(index, records[index].clone()));
            let last = index + 1 == records.len();
            // A root stream that merely ends earlier is an older state: the tenants' streams or the
            // witnesses tell.
            if *stream != ROOT_STREAM || !last {
                spoil(&|records| records.truncate(index));
            }
        }
    }
    let foreign = other.store.get(&ROOT_STREAM).unwrap().clone();
    let mut spoilt = world.store.clone();
    spoilt.insert(ROOT_STREAM, foreign);
    refused(&world, &spoilt);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
