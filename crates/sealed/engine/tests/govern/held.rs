//! Changes of sensitive groups wait for an admin's signature (I16).

use chancery_authority::ActName;
use chancery_directory::EntryType;
use chancery_engine::{Answer, Refusal, ResourceId};
use chancery_json::Value;
use chancery_testkit::{World, user_json};

use super::{
    add, group, hex, kinds, log, only, read, registry, remove, restarted, signed, tenant, user,
};

const WEEK_MS: u64 = 7 * 86_400_000;

/// A tenant with the sensitive group Finance, which has no member, and a user.
fn sensitive(seed: u64) -> (World, ResourceId, ResourceId) {
    let mut world = tenant(seed, |terms| {
        terms.credential_life_max_s = 30 * 86_400;
    });
    let finance = group(&mut world, "Finance", &[]);
    replace_delegation(&mut world, 2, |terms| {
        terms.sensitive_groups.insert(String::from("Finance"));
        terms.credential_life_max_s = 30 * 86_400;
    });
    world.issue_token(30 * 86_400).unwrap();
    let ada = user(&mut world, "ada");
    (world, finance, ada)
}

fn replace_delegation(
    world: &mut World,
    serial: u64,
    terms: impl FnOnce(&mut chancery_authority::Delegation),
) {
    world.delegate_with(serial, terms).unwrap();
    let count = registry(world).delegations().len();
    for n in 0..count - 1 {
        let granted = &registry(world).delegations()[n];
        if !granted.revoked {
            let body = format!(
                r#"{{"delegation_hash":"{}"}}"#,
                hex(granted.delegation.hash())
            );
            signed(world, ActName::DelegationRevoke, &body).unwrap();
        }
    }
}

fn held(outcome: Result<Answer, Refusal>) -> [u8; 32] {
    match outcome {
        Err(Refusal::Held { id }) => id,
        other => panic!("not held: {other:?}"),
    }
}

fn approve(world: &mut World, id: [u8; 32]) -> Result<Answer, Refusal> {
    signed(
        world,
        ActName::ActApprove,
        &format!(r#"{{"held":"{}"}}"#, hex(&id)),
    )
}

fn is_stale(outcome: &Result<Answer, Refusal>) -> bool {
    matches!(outcome, Err(Refusal::Stale { .. }))
}

#[test]
fn a_change_of_a_sensitive_group_waits_over_a_restart_until_it_is_signed() {
    let (mut world, finance, ada) = sensitive(201);
    let before = log(&mut world).len();
    let id = held(world.patch_group(finance, &add(&[ada])));
    assert!(!registry(&world).is_member(finance, ada));
    assert_eq!(kinds(&mut world, before), [EntryType::ActHeld]);
    let mut world = restarted(&world);
    let shown = read(&mut world, ActName::ActHeld, "{}");
    let waiting = only(&shown, "held");
    let text = |name| waiting.get(name).and_then(Value::as_str).unwrap();
    assert_eq!((text("id"), text("group")), (hex(&id).as_str(), "Finance"));
    assert_eq!(
        waiting.get("added"),
        Some(&Value::from(vec![Value::from("ada@demo.example")]))
    );
    assert_eq!(
        waiting.get("expires_ms").and_then(Value::as_u64),
        Some(world.now_ms + WEEK_MS)
    );
    approve(&mut world, id).unwrap();
    assert!(registry(&world).holds_keys(finance, ada));
    assert_eq!(
        kinds(&mut world, before + 1),
        [EntryType::ApprovalGiven, EntryType::GroupMemberChanged]
    );
    let entries = log(&mut world);
    let delegation = registry(&world).delegations().last().unwrap().handle;
    assert_eq!(entries[before].subject.0, id);
    assert_eq!(entries[before + 1].subject.0, id);
    assert_eq!(entries[before + 2].actor.0, delegation);
    // One signature, one act.
    assert_eq!(approve(&mut world, id).unwrap_err(), Refusal::NotFound);
    let again = restarted(&world);
    assert!(registry(&again).holds_keys(finance, ada));
    assert_eq!(registry(&again).held().count(), 0);
}

#[test]
fn the_same_change_asked_again_is_the_same_held_act() {
    let (mut world, finance, ada) = sensitive(202);
    let bob = user(&mut world, "bob");
    let id = held(world.patch_group(finance, &add(&[ada])));
    let size = world.log.size();
    assert_eq!(held(world.patch_group(finance, &add(&[ada]))), id);
    assert_eq!(world.log.size(), size);
    let other = held(world.patch_group(finance, &add(&[bob])));
    let rename = r#"{"Operations":[{"op":"replace","path":"displayName","value":"Money"}]}"#;
    let renamed = held(world.patch_group(finance, rename));
    assert!(id != other && id != renamed && other != renamed);
    assert_eq!(registry(&world).held().count(), 3);
}

#[test]
fn nothing_is_held_for_ever() {
    let (mut world, finance, ada) = sensitive(203);
    let id = held(world.patch_group(finance, &add(&[ada])));
    world.now_ms += WEEK_MS;
    assert_eq!(approve(&mut world, id).unwrap_err(), Refusal::NotFound);
    let shown = read(&mut world, ActName::ActHeld, "{}");
    assert_eq!(shown.get("held"), Some(&Value::from(Vec::<Value>::new())));
    let next = held(world.patch_group(finance, &add(&[ada])));
    assert_ne!(next, id);
    assert_eq!(registry(&world).held().count(), 1);
}

#[test]
fn no_more_is_held_than_admins_can_read() {
    let (mut world, finance, _) = sensitive(204);
    for n in 0..256 {
        let name =
            format!(r#"{{"Operations":[{{"op":"replace","path":"displayName","value":"F{n}"}}]}}"#);
        held(world.patch_group(finance, &name));
    }
    let name = r#"{"Operations":[{"op":"replace","path":"displayName","value":"More"}]}"#;
    assert!(matches!(
        world.patch_group(finance, name),
        Err(Refusal::Protected { .. })
    ));
    world.now_ms += WEEK_MS;
    held(world.patch_group(finance, name));
}

#[test]
fn a_change_of_more_members_than_an_admin_can_read_is_not_held() {
    let (mut world, finance, ada) = sensitive(211);
    let mut users = vec![ada];
    let replies: Vec<u64> = (0..1000)
        .map(|n| {
            let act = world.user(&user_json(&format!("u{n}"))).unwrap();
            world.submit(act)
        })
        .collect();
    let mut outcomes = world.commit();
    for reply in replies {
        match outcomes.remove(&reply) {
            Some(Ok(Answer::User { user, .. })) => users.push(user.id),
            other => panic!("no user: {other:?}"),
        }
    }
    assert!(matches!(
        world.patch_group(finance, &add(&users)),
        Err(Refusal::TooLarge { limit: 1000, .. })
    ));
    held(world.patch_group(finance, &add(&users[1..])));
}

#[test]
fn an_approved_change_meets_the_group_as_it_is_now() {
    let (mut world, finance, ada) = sensitive(205);
    let bob = user(&mut world, "bob");
    let both = held(world.patch_group(finance, &add(&[ada, bob])));
    let alone = held(world.patch_group(finance, &add(&[bob])));
    world.delete_user(bob).unwrap();
    // Who is gone is left out; what leaves nothing to do is refused.
    assert!(is_stale(&approve(&mut world, alone)));
    approve(&mut world, both).unwrap();
    assert_eq!(registry(&world).members(finance).collect::<Vec<_>>(), [ada]);
    let name = |name: &str| {
        format!(r#"{{"Operations":[{{"op":"replace","path":"displayName","value":"{name}"}}]}}"#)
    };
    let first = held(world.patch_group(finance, &name("Money")));
    let second = held(world.patch_group(finance, &name("Gold")));
    approve(&mut world, first).unwrap();
    assert!(is_stale(&approve(&mut world, second)));
    // Money is not sensitive, so its end needs no signature.
    world.delete_group(finance).unwrap();
}

#[test]
fn the_group_must_still_be_there() {
    let (mut world, finance, ada) = sensitive(206);
    let id = held(world.patch_group(finance, &add(&[ada])));
    replace_delegation(&mut world, 3, |_| ());
    world.delete_group(finance).unwrap();
    assert!(is_stale(&approve(&mut world, id)));
}

#[test]
fn an_approved_change_needs_a_live_delegation_and_no_protection() {
    let (mut world, finance, ada) = sensitive(207);
    let id = held(world.patch_group(finance, &add(&[ada])));
    replace_delegation(&mut world, 3, |terms| {
        terms.protected_groups.insert(String::from("finance"));
    });
    assert!(matches!(
        approve(&mut world, id),
        Err(Refusal::Protected { .. })
    ));
    let last = hex(registry(&world).delegations()[2].delegation.hash());
    let body = format!(r#"{{"delegation_hash":"{last}"}}"#);
    signed(&mut world, ActName::DelegationRevoke, &body).unwrap();
    assert_eq!(approve(&mut world, id).unwrap_err(), Refusal::NoDelegation);
    assert!(!registry(&world).is_member(finance, ada));
}

#[test]
fn a_revoked_credential_takes_what_it_asked_for_with_it_and_an_expired_one_does_not() {
    let (mut world, finance, ada) = sensitive(208);
    let bob = user(&mut world, "bob");
    world.issue_token(60).unwrap();
    let id = held(world.patch_group(finance, &add(&[ada])));
    world.now_ms += 60_000;
    approve(&mut world, id).unwrap();
    world.issue_token(3600).unwrap();
    let id = held(world.patch_group(finance, &add(&[bob])));
    let revoke = format!(r#"{{"id":"{}"}}"#, hex(&world.credential));
    signed(&mut world, ActName::TokenRevoke, &revoke).unwrap();
    assert!(is_stale(&approve(&mut world, id)));
}

#[test]
fn automation_neither_makes_nor_ends_a_sensitive_group() {
    let (mut world, finance, _) = sensitive(209);
    let ended = world.delete_group(finance).unwrap_err();
    assert!(ended.to_string().contains("an admin must"), "{ended}");
    assert!(matches!(
        world.create_group(r#"{"displayName":"FINANCE"}"#),
        Err(Refusal::Protected { .. })
    ));
    // Becoming one by a new name waits.
    let staff = group(&mut world, "Staff", &[]);
    let rename = r#"{"Operations":[{"op":"replace","path":"displayName","value":"Finance"}]}"#;
    held(world.patch_group(staff, rename));
}

#[test]
fn a_held_change_leaves_the_members_it_removes_in_until_it_is_signed() {
    let (mut world, finance, ada) = sensitive(210);
    let body = format!(r#"{{"group":"Finance","user":"{ada}"}}"#);
    signed(&mut world, ActName::GroupAdd, &body).unwrap();
    let epochs = registry(&world).epochs(finance).len();
    let id = held(world.patch_group(finance, &remove(ada)));
    assert!(registry(&world).holds_keys(finance, ada));
    approve(&mut world, id).unwrap();
    assert!(!registry(&world).is_member(finance, ada));
    assert_eq!(registry(&world).epochs(finance).len(), epochs + 1);
}
