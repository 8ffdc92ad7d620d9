//! The limits per window (I16).

use chancery_authority::ActName;
use chancery_engine::{BurstKind, Refusal};
use chancery_json::{Object, Value};
use chancery_testkit::World;

use super::{
    RESTORE, SUSPEND, add, group, read, registry, remove, restarted, signed, tenant, user,
};

/// A tenant whose delegation lets through 3 suspensions, 2 deletions, 4 grants and 1 emptied group in 100 s.
fn limited(seed: u64) -> World {
    tenant(seed, |terms| {
        terms.limits.window_s = 100;
        terms.limits.suspensions = 3;
        terms.limits.deletions = 2;
        terms.limits.grants = 4;
        terms.limits.emptied_groups = 1;
    })
}

fn burst(kind: BurstKind, limit: u64, retry_after_s: Option<u64>) -> Refusal {
    Refusal::Burst {
        kind,
        limit,
        window_s: 100,
        retry_after_s,
    }
}

fn shown(world: &mut World, kind: &str) -> Object {
    let held = read(world, ActName::ActHeld, "{}");
    let bursts = held.get("bursts").and_then(Value::as_array).unwrap();
    let found = bursts
        .iter()
        .filter_map(Value::as_object)
        .find(|burst| burst.get("kind").and_then(Value::as_str) == Some(kind));
    found.unwrap().clone()
}

fn number(object: &Object, name: &str) -> Option<u64> {
    object.get(name).and_then(Value::as_u64)
}

#[test]
fn suspensions_beyond_the_limit_are_told_to_come_back_when_the_window_has_room() {
    let mut world = limited(101);
    let users: Vec<_> = (0..5).map(|n| user(&mut world, &format!("u{n}"))).collect();
    for (counted, id) in (1_u64..).zip(&users[..3]) {
        world.now_ms += 1000;
        world.patch_user(*id, SUSPEND).unwrap();
        assert_eq!(
            number(&shown(&mut world, "suspensions"), "used"),
            Some(counted)
        );
    }
    world.now_ms += 500;
    let size = world.log.size();
    assert_eq!(
        world.patch_user(users[3], SUSPEND).unwrap_err(),
        burst(BurstKind::Suspensions, 3, Some(98))
    );
    assert_eq!(world.log.size(), size);
    assert!(registry(&world).users().get(users[3]).unwrap().active);
    // Whatever else the identity provider asks for goes through.
    let title = r#"{"Operations":[{"op":"replace","path":"title","value":"Lead"}]}"#;
    world.patch_user(users[3], title).unwrap();
    world.patch_user(users[0], RESTORE).unwrap();
    world.now_ms += 97_499;
    assert!(world.patch_user(users[3], SUSPEND).is_err());
    world.now_ms += 1;
    world.patch_user(users[3], SUSPEND).unwrap();
    assert_eq!(
        world.patch_user(users[4], SUSPEND).unwrap_err(),
        burst(BurstKind::Suspensions, 3, Some(1))
    );
}

#[test]
fn a_single_suspension_never_waits_however_full_the_window_is() {
    let mut world = tenant(111, |terms| {
        terms.limits.window_s = 36_000;
        terms.limits.suspensions = 1;
        terms.limits.deletions = 1;
    });
    let users: Vec<_> = (0..5).map(|n| user(&mut world, &format!("u{n}"))).collect();
    let full = |retry_after_s| Refusal::Burst {
        kind: BurstKind::Suspensions,
        limit: 1,
        window_s: 36_000,
        retry_after_s: Some(retry_after_s),
    };
    world.patch_user(users[0], SUSPEND).unwrap();
    world.now_ms += 1000;
    assert_eq!(world.patch_user(users[1], SUSPEND).unwrap_err(), full(299));
    world.now_ms += 298_999;
    assert_eq!(world.patch_user(users[1], SUSPEND).unwrap_err(), full(1));
    world.now_ms += 1;
    world.patch_user(users[1], SUSPEND).unwrap();
    // It was one; what follows at once is a burst again.
    assert_eq!(world.patch_user(users[2], SUSPEND).unwrap_err(), full(300));
    // Deletions wait for the window alone.
    world.delete_user(users[3]).unwrap();
    world.now_ms += 400_000;
    assert!(world.delete_user(users[4]).is_err());
}

#[test]
fn what_was_counted_survives_a_restart() {
    let mut world = limited(102);
    let users: Vec<_> = (0..4).map(|n| user(&mut world, &format!("u{n}"))).collect();
    for id in &users[..3] {
        world.patch_user(*id, SUSPEND).unwrap();
    }
    let approve = r#"{"burst":"suspensions","count":1,"life_s":60}"#;
    let mut again = restarted(&world);
    assert!(again.patch_user(users[3], SUSPEND).is_err());
    signed(&mut world, ActName::ActApprove, approve).unwrap();
    let mut again = restarted(&world);
    again.patch_user(users[3], SUSPEND).unwrap();
    let last = user(&mut again, "last");
    assert!(restarted(&again).patch_user(last, SUSPEND).is_err());
}

#[test]
fn deletions_are_counted_apart_from_suspensions() {
    let mut world = limited(103);
    let users: Vec<_> = (0..4).map(|n| user(&mut world, &format!("u{n}"))).collect();
    world.delete_user(users[0]).unwrap();
    world.delete_user(users[1]).unwrap();
    assert_eq!(
        world.delete_user(users[2]).unwrap_err(),
        burst(BurstKind::Deletions, 2, Some(100))
    );
    assert!(registry(&world).users().get(users[2]).is_some());
    world.patch_user(users[2], SUSPEND).unwrap();
}

#[test]
fn a_request_that_grants_more_than_the_whole_limit_is_told_to_split() {
    let mut world = limited(104);
    let users: Vec<_> = (0..6).map(|n| user(&mut world, &format!("u{n}"))).collect();
    let staff = group(&mut world, "Staff", &[]);
    let refusal = world.patch_group(staff, &add(&users[..5])).unwrap_err();
    assert_eq!(refusal, burst(BurstKind::Grants, 4, None));
    let text = refusal.to_string();
    assert!(
        text.contains("split it") && text.contains("approve"),
        "{text}"
    );
    assert_eq!(registry(&world).member_count(staff), 0);
    world.patch_group(staff, &add(&users[..3])).unwrap();
    assert_eq!(
        world.patch_group(staff, &add(&users[3..5])).unwrap_err(),
        burst(BurstKind::Grants, 4, Some(100))
    );
    // A group that is made with members grants as well.
    let body = format!(
        r#"{{"displayName":"New","members":[{}]}}"#,
        super::values(&users[..2])
    );
    assert!(matches!(
        world.create_group(&body),
        Err(Refusal::Burst { .. })
    ));
    world.patch_group(staff, &add(&users[3..4])).unwrap();
}

#[test]
fn a_suspended_member_is_no_grant_and_a_parked_membership_that_counts_again_is() {
    let mut world = limited(105);
    let ada = user(&mut world, "ada");
    let staff = group(&mut world, "Staff", &[ada]);
    world.patch_user(ada, SUSPEND).unwrap();
    let other = group(&mut world, "Other", &[ada]);
    assert_eq!(number(&shown(&mut world, "grants"), "used"), Some(1));
    world.patch_user(ada, RESTORE).unwrap();
    world.patch_group(other, &add(&[ada])).unwrap();
    world.patch_group(staff, &add(&[ada])).unwrap();
    assert_eq!(number(&shown(&mut world, "grants"), "used"), Some(3));
}

#[test]
fn groups_that_are_emptied_or_deleted_with_members_are_counted() {
    let mut world = limited(106);
    let (ada, bob) = (user(&mut world, "ada"), user(&mut world, "bob"));
    let staff = group(&mut world, "Staff", &[ada, bob]);
    let other = group(&mut world, "Other", &[ada]);
    let empty = group(&mut world, "Empty", &[]);
    world.patch_group(staff, &remove(bob)).unwrap();
    world.delete_group(empty).unwrap();
    assert_eq!(
        number(&shown(&mut world, "emptied_groups"), "used"),
        Some(0)
    );
    let swap = format!(
        r#"{{"Operations":[{{"op":"replace","path":"members","value":[{}]}}]}}"#,
        super::values(&[bob])
    );
    world.patch_group(staff, &swap).unwrap();
    world.patch_group(staff, &remove(bob)).unwrap();
    let refused = burst(BurstKind::EmptiedGroups, 1, Some(100));
    assert_eq!(world.patch_group(other, &remove(ada)).unwrap_err(), refused);
    assert_eq!(world.delete_group(other).unwrap_err(), refused);
    assert_eq!(registry(&world).member_count(other), 1);
}

#[test]
fn an_approval_lets_as_many_through_as_were_signed_and_until_then() {
    let mut world = limited(107);
    let users: Vec<_> = (0..8).map(|n| user(&mut world, &format!("u{n}"))).collect();
    for id in &users[..3] {
        world.patch_user(*id, SUSPEND).unwrap();
    }
    let approve = r#"{"burst":"suspensions","count":3,"life_s":60}"#;
    signed(&mut world, ActName::ActApprove, approve).unwrap();
    let deleted = world.delete_user(users[7]);
    deleted.unwrap();
    world.patch_user(users[3], SUSPEND).unwrap();
    world.patch_user(users[4], SUSPEND).unwrap();
    let seen = shown(&mut world, "suspensions");
    assert_eq!(
        (number(&seen, "used"), number(&seen, "approved")),
        (Some(3), Some(1))
    );
    assert_eq!(
        number(&seen, "approved_until_ms"),
        Some(world.now_ms + 60_000)
    );
    let begun = world.now_ms;
    world.now_ms = begun + 60_000;
    assert!(world.patch_user(users[5], SUSPEND).is_err());
    assert_eq!(
        shown(&mut world, "suspensions").get("approved_until_ms"),
        Some(&Value::Null)
    );
    world.now_ms = begun + 59_999;
    world.patch_user(users[5], SUSPEND).unwrap();
    assert!(world.patch_user(users[6], SUSPEND).is_err());
}

#[test]
fn an_approval_of_the_whole_request_lets_it_through_at_once() {
    let mut world = limited(108);
    let users: Vec<_> = (0..6).map(|n| user(&mut world, &format!("u{n}"))).collect();
    let staff = group(&mut world, "Staff", &[]);
    let approve = |count| format!(r#"{{"burst":"grants","count":{count},"life_s":60}}"#);
    signed(&mut world, ActName::ActApprove, &approve(1)).unwrap();
    assert!(world.patch_group(staff, &add(&users)).is_err());
    signed(&mut world, ActName::ActApprove, &approve(2)).unwrap();
    world.patch_group(staff, &add(&users)).unwrap();
    assert_eq!(number(&shown(&mut world, "grants"), "approved"), Some(0));
}

#[test]
fn an_approval_has_its_bounds() {
    let mut world = limited(109);
    for body in [
        r#"{"burst":"logins","count":1,"life_s":60}"#,
        r#"{"burst":"grants","count":0,"life_s":60}"#,
        r#"{"burst":"grants","count":10000001,"life_s":60}"#,
        r#"{"burst":"grants","count":1,"life_s":59}"#,
        r#"{"burst":"grants","count":1,"life_s":604801}"#,
    ] {
        let refused = signed(&mut world, ActName::ActApprove, body).unwrap_err();
        assert!(matches!(refused, Refusal::Value { .. }), "{body}");
    }
    let more = r#"{"burst":"grants","count":1,"life_s":60,"more":1}"#;
    assert!(matches!(
        signed(&mut world, ActName::ActApprove, more),
        Err(Refusal::Body(_))
    ));
}

#[test]
fn a_suspension_is_never_held_also_not_of_a_member_of_a_sensitive_group() {
    let mut world = tenant(110, |terms| {
        terms.sensitive_groups.insert(String::from("Finance"));
        terms.limits.suspensions = 1;
    });
    let ada = user(&mut world, "ada");
    let staff = group(&mut world, "Staff", &[ada]);
    let rename = r#"{"Operations":[{"op":"replace","path":"displayName","value":"Finance"}]}"#;
    let Err(Refusal::Held { id }) = world.patch_group(staff, rename) else {
        panic!("not held")
    };
    let body = format!(r#"{{"held":"{}"}}"#, super::hex(&id));
    signed(&mut world, ActName::ActApprove, &body).unwrap();
    world.patch_user(ada, SUSPEND).unwrap();
    assert!(!registry(&world).holds_keys(staff, ada));
}
