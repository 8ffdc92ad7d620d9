//! Credentials: rotation, use and end.

use chancery_authority::ActName;
use chancery_engine::{Answer, ListedCredential, Refusal};
use chancery_json::Value;
use chancery_testkit::{World, user_json};

use super::{hex, read, registry, restarted, signed, tenant, user};

const DAY_S: u64 = 86_400;

fn long_lived(seed: u64) -> World {
    let mut world = tenant(seed, |terms| terms.credential_life_max_s = 60 * DAY_S);
    world.issue_token(50 * DAY_S).unwrap();
    world
}

fn rotate(world: &mut World, life_s: u64, overlap_s: u64) -> Result<Answer, Refusal> {
    let body = format!(
        r#"{{"id":"{}","life_s":{life_s},"overlap_s":{overlap_s}}}"#,
        hex(&world.credential)
    );
    signed(world, ActName::TokenRotate, &body)
}

fn listed(world: &mut World, handle: &[u8; 32]) -> ListedCredential {
    let Answer::Credentials(all) = signed(world, ActName::TokenList, "{}").unwrap() else {
        panic!("no list")
    };
    let found = all.into_iter().find(|one| one.credential.handle == *handle);
    found.unwrap()
}

#[test]
fn a_rotated_token_has_the_same_scopes_and_the_old_one_ends_with_the_overlap() {
    let mut world = long_lived(401);
    let old = world.credential;
    let before = registry(&world).credential(&old).unwrap().clone();
    let Ok(Answer::Credential {
        credential,
        replaces: Some(ending),
        ..
    }) = rotate(&mut world, 40 * DAY_S, 3600)
    else {
        panic!("not rotated")
    };
    assert_ne!(credential.handle, old);
    assert_eq!(
        (&credential.scopes, &credential.label),
        (&before.scopes, &before.label)
    );
    assert_eq!(ending.handle, old);
    assert_eq!(ending.not_after_ms, world.now_ms + 3_600_000);
    let mut world = restarted(&world);
    world.now_ms += 3_599_999;
    user(&mut world, "ada");
    world.now_ms += 1;
    assert_eq!(
        world.create_user(&user_json("bob")),
        Err(Refusal::Unauthorized)
    );
    world.credential = credential.handle;
    user(&mut world, "bob");
}

#[test]
fn a_rotation_without_overlap_ends_the_old_one_at_once() {
    let mut world = long_lived(402);
    rotate(&mut world, DAY_S, 0).unwrap();
    assert_eq!(
        world.create_user(&user_json("ada")),
        Err(Refusal::Unauthorized)
    );
}

#[test]
fn a_rotation_never_lengthens_a_life() {
    let mut world = long_lived(403);
    world.issue_token(600).unwrap();
    let end = world.now_ms + 600_000;
    rotate(&mut world, DAY_S, DAY_S).unwrap();
    let old = world.credential;
    assert_eq!(registry(&world).credential(&old).unwrap().not_after_ms, end);
}

#[test]
fn a_rotation_has_its_bounds() {
    let mut world = long_lived(404);
    let too_long = rotate(&mut world, DAY_S, 30 * DAY_S + 1).unwrap_err();
    assert!(matches!(
        too_long,
        Refusal::Value {
            member: "overlap_s",
            ..
        }
    ));
    assert_eq!(
        rotate(&mut world, 60 * DAY_S + 1, 0).unwrap_err(),
        Refusal::CredentialTerms
    );
    let revoke = format!(r#"{{"id":"{}"}}"#, hex(&world.credential));
    signed(&mut world, ActName::TokenRevoke, &revoke).unwrap();
    assert_eq!(rotate(&mut world, DAY_S, 0).unwrap_err(), Refusal::NotFound);
    world.issue_token(60).unwrap();
    world.now_ms += 60_000;
    assert_eq!(rotate(&mut world, DAY_S, 0).unwrap_err(), Refusal::NotFound);
    let mut short = tenant(405, |terms| terms.credential_life_max_s = DAY_S);
    assert!(matches!(
        rotate(&mut short, DAY_S, DAY_S + 1),
        Err(Refusal::Value {
            member: "overlap_s",
            ..
        })
    ));
}

#[test]
fn a_rotation_makes_no_more_credentials_than_there_may_be() {
    let mut world = long_lived(408);
    let live = |world: &World| {
        let alive = |end: u64| world.now_ms < end;
        let all = registry(world).credentials();
        all.filter(|one| alive(one.not_after_ms)).count()
    };
    while live(&world) < 64 {
        world.issue_token(DAY_S).unwrap();
    }
    assert_eq!(
        rotate(&mut world, DAY_S, 60).unwrap_err(),
        Refusal::CredentialTerms
    );
}

#[test]
fn the_last_change_by_a_token_is_shown_to_the_minute_and_survives_a_restart() {
    let mut world = long_lived(406);
    let handle = world.credential;
    assert_eq!(listed(&mut world, &handle).last_used_ms, None);
    let ada = user(&mut world, "ada");
    let first = world.now_ms;
    world.now_ms += 59_999;
    world.patch_user(ada, super::SUSPEND).unwrap();
    assert_eq!(listed(&mut world, &handle).last_used_ms, Some(first));
    world.now_ms += 1;
    world.patch_user(ada, super::RESTORE).unwrap();
    let later = world.now_ms;
    assert_eq!(listed(&mut world, &handle).last_used_ms, Some(later));
    assert_eq!(
        listed(&mut restarted(&world), &handle).last_used_ms,
        Some(later)
    );
}

#[test]
fn delegations_in_force_are_listed_as_they_were_signed() {
    let mut world = long_lived(407);
    world.delegate_with(2, |_| ()).unwrap();
    let first = hex(registry(&world).delegations()[0].delegation.hash());
    let body = format!(r#"{{"delegation_hash":"{first}"}}"#);
    signed(&mut world, ActName::DelegationRevoke, &body).unwrap();
    let shown = read(&mut world, ActName::DelegationList, "{}");
    let papers = shown.get("delegations").and_then(Value::as_array).unwrap();
    let kept = &registry(&world).delegations()[1].envelope;
    assert_eq!(papers, [Value::Object(super::parsed(kept))]);
}
