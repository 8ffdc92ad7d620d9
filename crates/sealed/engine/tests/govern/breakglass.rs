//! What admins do without a delegation and an identity provider.

use chancery_authority::ActName;
use chancery_directory::EntryType;
use chancery_engine::{Answer, Refusal, ResourceId};
use chancery_testkit::{World, user_json};

use super::{SUSPEND, add, group, hex, kinds, log, registry, restarted, signed, tenant, user};

/// A tenant with the protected account chief in the group Staff, and no delegation in force.
fn bare(seed: u64) -> (World, ResourceId, ResourceId) {
    let mut world = tenant(seed, |_| ());
    let chief = user(&mut world, "chief");
    let staff = group(&mut world, "Staff", &[chief]);
    let hash = hex(registry(&world).delegations()[0].delegation.hash());
    let body = format!(r#"{{"delegation_hash":"{hash}"}}"#);
    signed(&mut world, ActName::DelegationRevoke, &body).unwrap();
    (world, chief, staff)
}

fn act(world: &mut World, name: ActName, user: &str) -> Result<Answer, Refusal> {
    signed(world, name, &format!(r#"{{"user":"{user}"}}"#))
}

fn regroup(world: &mut World, name: ActName, group: &str, user: &str) -> Result<Answer, Refusal> {
    signed(
        world,
        name,
        &format!(r#"{{"group":"{group}","user":"{user}"}}"#),
    )
}

fn is_stale(outcome: &Result<Answer, Refusal>) -> bool {
    matches!(outcome, Err(Refusal::Stale { .. }))
}

#[test]
fn an_admin_suspends_without_a_delegation_and_the_groups_get_other_keys() {
    let (mut world, chief, staff) = bare(301);
    let before = log(&mut world).len();
    let epochs = registry(&world).epochs(staff).len();
    act(&mut world, ActName::UserSuspend, "CHIEF@demo.example").unwrap();
    assert!(!registry(&world).users().get(chief).unwrap().active);
    assert!(registry(&world).is_member(staff, chief));
    assert!(!registry(&world).holds_keys(staff, chief));
    assert_eq!(registry(&world).epochs(staff).len(), epochs + 1);
    assert_eq!(
        kinds(&mut world, before),
        [
            EntryType::Suspended,
            EntryType::GroupMemberChanged,
            EntryType::GroupEpochStarted
        ]
    );
    let entries = log(&mut world);
    // The admins act by the tenant's own handle, the subject of the first entry.
    assert!(
        entries[before..]
            .iter()
            .all(|entry| entry.actor == entries[0].subject)
    );
    assert!(is_stale(&act(
        &mut world,
        ActName::UserSuspend,
        "chief@demo.example"
    )));
    let again = restarted(&world);
    assert!(!registry(&again).users().get(chief).unwrap().active);
}

#[test]
fn what_gives_happens_in_a_window_that_is_closed_at_once() {
    let (mut world, chief, staff) = bare(302);
    let id = chief.text();
    assert!(is_stale(&act(&mut world, ActName::UserRestore, &id)));
    act(&mut world, ActName::UserSuspend, &id).unwrap();
    let before = log(&mut world).len();
    act(&mut world, ActName::UserRestore, &id).unwrap();
    assert!(registry(&world).users().get(chief).unwrap().active);
    // What the suspension took stays taken (I15).
    assert!(!registry(&world).holds_keys(staff, chief));
    let window = [
        EntryType::BreakGlassOpened,
        EntryType::Reactivated,
        EntryType::BreakGlassClosed,
    ];
    assert_eq!(kinds(&mut world, before), window);
    regroup(&mut world, ActName::GroupAdd, "staff", &id).unwrap();
    assert!(registry(&world).holds_keys(staff, chief));
    let entries = log(&mut world);
    for opened in [before, before + 3] {
        assert_eq!(entries[opened + 1].actor, entries[opened].subject);
        assert_eq!(entries[opened + 2].actor, entries[0].subject);
    }
    assert_ne!(entries[before].subject, entries[before + 3].subject);
    assert!(is_stale(&regroup(
        &mut world,
        ActName::GroupAdd,
        "staff",
        &id
    )));
    let mut again = restarted(&world);
    assert!(registry(&again).holds_keys(staff, chief));
    regroup(&mut again, ActName::GroupRemove, "staff", &id).unwrap();
}

#[test]
fn an_admin_reaches_what_is_protected_from_automation() {
    let mut world = tenant(303, |terms| {
        terms.managed_groups = chancery_authority::ManagedGroups::Listed(
            [String::from("Staff")].into_iter().collect(),
        );
    });
    let chief = user(&mut world, "chief");
    let staff = group(&mut world, "Staff", &[]);
    world
        .delegate_with(2, |terms| {
            terms
                .protected_accounts
                .insert(String::from("chief@demo.example"));
            terms.protected_groups.insert(String::from("Staff"));
        })
        .unwrap();
    let hash = hex(registry(&world).delegations()[0].delegation.hash());
    let body = format!(r#"{{"delegation_hash":"{hash}"}}"#);
    signed(&mut world, ActName::DelegationRevoke, &body).unwrap();
    assert!(matches!(
        world.patch_user(chief, SUSPEND),
        Err(Refusal::Protected { .. })
    ));
    assert!(matches!(
        world.patch_group(staff, &add(&[chief])),
        Err(Refusal::Protected { .. })
    ));
    regroup(&mut world, ActName::GroupAdd, &staff.text(), &chief.text()).unwrap();
    act(&mut world, ActName::UserSuspend, &chief.text()).unwrap();
    act(&mut world, ActName::UserErase, &chief.text()).unwrap();
}

#[test]
fn removing_a_member_starts_an_epoch_by_the_admins_alone() {
    let (mut world, chief, staff) = bare(304);
    let before = log(&mut world).len();
    regroup(&mut world, ActName::GroupRemove, "Staff", &chief.text()).unwrap();
    assert!(!registry(&world).is_member(staff, chief));
    let entries = log(&mut world);
    let made = &entries[before..];
    assert!(made.iter().all(|entry| entry.actor == entries[0].subject));
    assert_eq!(made[1].kind, EntryType::GroupEpochStarted);
    assert!(is_stale(&regroup(
        &mut world,
        ActName::GroupRemove,
        "Staff",
        &chief.text()
    )));
}

#[test]
fn a_parked_membership_can_be_ended_too() {
    let (mut world, chief, staff) = bare(305);
    act(&mut world, ActName::UserSuspend, &chief.text()).unwrap();
    regroup(&mut world, ActName::GroupRemove, "Staff", &chief.text()).unwrap();
    assert!(!registry(&world).is_member(staff, chief));
    assert!(is_stale(&regroup(
        &mut world,
        ActName::GroupAdd,
        "Staff",
        &chief.text()
    )));
    restarted(&world);
}

#[test]
fn only_the_suspended_and_the_deleted_are_erased() {
    let (mut world, chief, staff) = bare(306);
    let refused = act(&mut world, ActName::UserErase, &chief.text()).unwrap_err();
    assert!(
        refused.to_string().contains("suspend the user first"),
        "{refused}"
    );
    act(&mut world, ActName::UserSuspend, &chief.text()).unwrap();
    let handle = registry(&world).users().get(chief).unwrap().handle;
    let before = log(&mut world).len();
    act(&mut world, ActName::UserErase, "chief@demo.example").unwrap();
    assert_eq!(kinds(&mut world, before), [EntryType::Erased]);
    assert!(registry(&world).users().get(chief).is_none());
    assert!(!registry(&world).is_member(staff, chief));
    assert!(registry(&world).is_erased_handle(&handle));
    assert_eq!(
        act(&mut world, ActName::UserErase, &chief.text()).unwrap_err(),
        Refusal::NotFound
    );
    // The name is free for somebody else, also after a restart.
    let mut again = restarted(&world);
    again.delegate_with(2, |_| ()).unwrap();
    let other = again.create_user(&user_json("chief")).unwrap();
    assert_ne!(other, chief);
    restarted(&again);
}

#[test]
fn a_deleted_user_is_erased_by_id_or_by_a_name_that_only_one_had() {
    let mut world = tenant(307, |_| ());
    let first = user(&mut world, "ada");
    world.delete_user(first).unwrap();
    let second = user(&mut world, "ada");
    world.delete_user(second).unwrap();
    let name = "ada@demo.example";
    assert!(is_stale(&act(&mut world, ActName::UserErase, name)));
    act(&mut world, ActName::UserErase, &first.text()).unwrap();
    act(&mut world, ActName::UserErase, name).unwrap();
    assert_eq!(registry(&world).departed_count(), 0);
    assert_eq!(
        act(&mut world, ActName::UserErase, name).unwrap_err(),
        Refusal::NotFound
    );
    assert_eq!(registry(&restarted(&world)).departed_count(), 0);
}

#[test]
fn what_is_not_there_is_not_found() {
    let (mut world, chief, _) = bare(308);
    for name in [
        ActName::UserSuspend,
        ActName::UserRestore,
        ActName::UserErase,
    ] {
        let refused = act(&mut world, name, "nobody@demo.example").unwrap_err();
        assert_eq!(refused, Refusal::NotFound, "{name}");
    }
    for name in [ActName::GroupAdd, ActName::GroupRemove] {
        let nobody = regroup(&mut world, name, "Staff", "nobody@demo.example");
        assert_eq!(nobody.unwrap_err(), Refusal::NotFound, "{name}");
        let nowhere = regroup(&mut world, name, "Nowhere", &chief.text());
        assert_eq!(nowhere.unwrap_err(), Refusal::NotFound, "{name}");
    }
}
