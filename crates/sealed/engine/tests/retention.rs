//! The end of those whom the identity provider has deleted.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where its world is not as it must be"
)]

use chancery_authority::OnDelete;
use chancery_engine::Registry;
use chancery_testkit::{World, user_json};

const DAY_MS: u64 = 86_400_000;

fn registry(world: &World) -> &Registry {
    &world.view.tenant(&world.tenant).unwrap().registry
}

fn erasing(seed: u64) -> World {
    let mut world = World::found(seed);
    world.admit("demo").unwrap();
    world
        .delegate_with(1, |terms| {
            terms.on_delete = OnDelete::EraseAfterDays(30);
            terms.limits.deletions = 1000;
        })
        .unwrap();
    world.issue_token(86_400).unwrap();
    world
}

#[test]
fn a_deleted_user_is_erased_when_the_retention_ends_and_not_before() {
    let mut world = erasing(1);
    let ada = world.create_user(&user_json("ada")).unwrap();
    let handle = registry(&world).users().get(ada).unwrap().handle;
    world.delete_user(ada).unwrap();
    let deleted_ms = world.now_ms;
    // Somebody else has the name by then.
    let other = world.create_user(&user_json("ada")).unwrap();
    let size = world.log.size();
    world.now_ms = deleted_ms + 30 * DAY_MS - 1;
    assert!(!world.tick());
    assert_eq!(world.log.size(), size);
    assert!(registry(&world).departed(ada).is_some());
    assert!(!registry(&world).is_erased_handle(&handle));
    // A restart forgets neither the subject nor its time.
    let mut world = world.recover(&world.store).unwrap();
    world.now_ms = deleted_ms + 30 * DAY_MS;
    assert!(!world.tick());
    assert!(registry(&world).departed(ada).is_none());
    assert!(registry(&world).is_erased_handle(&handle));
    assert_eq!(
        registry(&world).user_named("ada@demo.example").unwrap().id,
        other
    );
    let again = world.recover(&world.store).unwrap();
    assert!(registry(&again).is_erased_handle(&handle));
    assert_eq!(registry(&again).departed_count(), 0);
    assert_eq!(
        registry(&again).user_named("ada@demo.example").unwrap().id,
        other
    );
}

#[test]
fn a_delegation_that_only_suspends_erases_nobody() {
    let mut world = World::with_tenant(2);
    let ada = world.create_user(&user_json("ada")).unwrap();
    world.delete_user(ada).unwrap();
    world.now_ms += 3650 * DAY_MS;
    assert!(!world.tick());
    assert!(registry(&world).departed(ada).is_some());
}

#[test]
fn a_suspended_user_who_is_deleted_is_erased_as_well() {
    let mut world = erasing(3);
    let ada = world.create_user(&user_json("ada")).unwrap();
    let suspend = r#"{"Operations":[{"op":"Replace","path":"active","value":"False"}]}"#;
    world.patch_user(ada, suspend).unwrap();
    world.delete_user(ada).unwrap();
    world.now_ms += 30 * DAY_MS;
    world.tick();
    assert_eq!(registry(&world).departed_count(), 0);
}

#[test]
fn many_who_are_due_at_once_are_erased_in_bounded_steps() {
    let mut world = erasing(4);
    for number in 0..130 {
        let id = world
            .create_user(&user_json(&format!("u{number}")))
            .unwrap();
        world.delete_user(id).unwrap();
    }
    world.now_ms += 30 * DAY_MS;
    assert!(world.tick());
    assert_eq!(registry(&world).departed_count(), 30);
    assert!(!world.tick());
    assert_eq!(registry(&world).departed_count(), 0);
}
