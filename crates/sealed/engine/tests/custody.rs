//! Whose hands keys are in: claims, devices, groups' epochs, and what proves all of it.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where its world is not as it must be"
)]

use std::sync::Arc;

use chancery_authority::ActName;
use chancery_directory::bundle::{BundleExtra, Shown};
use chancery_directory::{SubjectState, exhibit::Exhibit};
use chancery_engine::{
    Answer, Custody, ExhibitReader, GroupKey, Refusal, ResourceId, TenantAct, User,
};
use chancery_testkit::{Member, World, user_json};

const SUSPEND: &str = r#"{"Operations":[{"op":"replace","path":"active","value":false}]}"#;
const RESTORE: &str = r#"{"Operations":[{"op":"replace","path":"active","value":true}]}"#;

/// A world with a trusted issuer and the users named.
fn world(seed: u64, names: &[&str]) -> (World, Vec<ResourceId>) {
    let mut world = World::with_tenant(seed);
    let ids = names
        .iter()
        .map(|name| world.create_user(&user_json(name)).unwrap())
        .collect();
    world.publish_issuer_key().unwrap();
    world.now_ms += 86_400_000;
    world.issue_token(80_000).unwrap();
    (world, ids)
}

fn group(world: &mut World, members: &[ResourceId]) -> ResourceId {
    let list: Vec<String> = members
        .iter()
        .map(|id| format!(r#"{{"value":"{id}"}}"#))
        .collect();
    let body = format!(
        r#"{{"displayName":"Engineers","members":[{}]}}"#,
        list.join(",")
    );
    world.create_group(&body).unwrap()
}

fn claimed(world: &mut World, id: ResourceId) -> Member {
    let member = world.member(id);
    world.claim(&member).unwrap();
    member
}

fn key_of(world: &mut World, member: &Member, epoch: u64) -> Result<Box<GroupKey>, Refusal> {
    let body = format!(r#","group":"Engineers","epoch":{epoch}"#);
    match world.signed_by(member, ActName::GroupKey, &body)? {
        Answer::GroupKey(key) => Ok(key),
        other => panic!("{other:?}"),
    }
}

fn user(world: &World, id: ResourceId) -> Arc<User> {
    Arc::clone(world.registry().users().get(id).unwrap())
}

#[test]
fn a_claim_ends_the_runtimes_custody_and_can_be_made_once() {
    let (mut world, ids) = world(40, &["ada"]);
    let first = world.member(ids[0]);
    let second = world.member(ids[0]);
    let late = world.prepare_claim(&second).unwrap();
    let Answer::Confirmed { user: ada, .. } = world.claim(&first).unwrap() else {
        panic!("not confirmed");
    };
    let Custody::Claimed(account) = &ada.custody else {
        panic!("still pending");
    };
    assert_eq!(
        &account.fingerprint,
        first.account.public().fingerprint().as_bytes()
    );
    assert_eq!((ada.proof.key_version, account.devices.len()), (2, 1));
    // Whoever was a moment later is refused, also with a claim that was prepared before.
    assert_eq!(
        world
            .by_runtime(TenantAct::Claim(Box::new(late)))
            .unwrap_err(),
        Refusal::ClaimRefused
    );
    assert_eq!(world.claim(&second).unwrap_err(), Refusal::ClaimRefused);
    let again = world.recover(&world.store).unwrap();
    assert_eq!(user(&again, ids[0]), ada);
}

#[test]
fn a_claim_of_somebody_suspended_or_gone_is_refused_also_after_it_was_prepared() {
    let (mut world, ids) = world(41, &["ada", "bob"]);
    let (ada, bob) = (world.member(ids[0]), world.member(ids[1]));
    let prepared = world.prepare_claim(&ada).unwrap();
    world.patch_user(ids[0], SUSPEND).unwrap();
    world.delete_user(ids[1]).unwrap();
    assert_eq!(
        world
            .by_runtime(TenantAct::Claim(Box::new(prepared)))
            .unwrap_err(),
        Refusal::ClaimRefused
    );
    assert_eq!(world.claim(&ada).unwrap_err(), Refusal::ClaimRefused);
    assert_eq!(world.claim(&bob).unwrap_err(), Refusal::ClaimRefused);
    world.patch_user(ids[0], RESTORE).unwrap();
    assert!(world.claim(&ada).is_ok());
}

#[test]
fn a_new_issuer_key_counts_after_a_day_or_by_an_admins_signature() {
    let mut world = World::with_tenant(42);
    let ada = world.create_user(&user_json("ada")).unwrap();
    let member = world.member(ada);
    assert_eq!(world.claim(&member).unwrap_err(), Refusal::IssuerKey);
    world.publish_issuer_key().unwrap();
    assert_eq!(world.claim(&member).unwrap_err(), Refusal::IssuerKey);
    world.now_ms += 86_399_999;
    assert_eq!(world.claim(&member).unwrap_err(), Refusal::IssuerKey);
    let thumbprint = hex::encode(world.registry().issuer_keys()[0].thumbprint);
    let body = format!(r#"{{"thumbprints":["{thumbprint}"]}}"#);
    world
        .signed(ActName::IssuerTrust, body.into_bytes())
        .unwrap();
    let mut restarted = world.recover(&world.store).unwrap();
    assert!(restarted.claim(&member).is_ok());
    // What is not published any more is forgotten.
    let fresh = world.seeded.key();
    world
        .by_runtime(TenantAct::IssuerKeys {
            published: Vec::new(),
            fresh,
        })
        .unwrap();
    assert_eq!(world.claim(&member).unwrap_err(), Refusal::IssuerKey);
}

#[test]
fn who_leaves_a_group_cannot_have_its_next_key_and_who_stays_can() {
    let (mut world, ids) = world(43, &["ada", "bob", "eve"]);
    let engineers = group(&mut world, &ids[..2]);
    let (ada, bob) = (claimed(&mut world, ids[0]), claimed(&mut world, ids[1]));
    let eve = claimed(&mut world, ids[2]);
    let before = key_of(&mut world, &bob, 0).unwrap();
    assert_eq!(before.epoch.number, 1);
    assert_eq!(key_of(&mut world, &eve, 0).unwrap_err(), Refusal::NotFound);
    let remove = format!(
        r#"{{"Operations":[{{"op":"remove","path":"members[value eq \"{}\"]"}}]}}"#,
        ids[1]
    );
    world.patch_group(engineers, &remove).unwrap();
    assert_eq!(key_of(&mut world, &bob, 0).unwrap_err(), Refusal::NotFound);
    assert_eq!(key_of(&mut world, &bob, 1).unwrap_err(), Refusal::NotFound);
    let after = key_of(&mut world, &ada, 0).unwrap();
    assert_eq!(after.epoch.number, 2);
    assert_ne!(after.epoch.fingerprint, before.epoch.fingerprint);
    // What was written before stays readable for those who are in.
    let old = key_of(&mut world, &ada, 1).unwrap();
    assert_eq!(old.epoch.fingerprint, before.epoch.fingerprint);
    let mut again = world.recover(&world.store).unwrap();
    assert_eq!(key_of(&mut again, &ada, 0).unwrap().epoch, after.epoch);
}

#[test]
fn a_suspension_takes_the_keys_and_a_reactivation_does_not_give_them_back() {
    let (mut world, ids) = world(44, &["ada", "bob"]);
    let engineers = group(&mut world, &ids);
    let (ada, bob) = (claimed(&mut world, ids[0]), claimed(&mut world, ids[1]));
    world.patch_user(ids[1], SUSPEND).unwrap();
    // The identity provider still sees the member; nobody gets a key, not even by signing.
    assert_eq!(world.registry().member_count(engineers), 2);
    assert!(!world.registry().holds_keys(engineers, ids[1]));
    assert_eq!(
        key_of(&mut world, &bob, 0).unwrap_err(),
        Refusal::Unauthorized
    );
    assert_eq!(key_of(&mut world, &ada, 0).unwrap().epoch.number, 2);
    world.patch_user(ids[1], RESTORE).unwrap();
    assert_eq!(key_of(&mut world, &bob, 0).unwrap_err(), Refusal::NotFound);
    let mut again = world.recover(&world.store).unwrap();
    assert_eq!(key_of(&mut again, &bob, 0).unwrap_err(), Refusal::NotFound);
    // Naming the member again is the grant.
    let add = format!(
        r#"{{"Operations":[{{"op":"add","path":"members","value":[{{"value":"{}"}}]}}]}}"#,
        ids[1]
    );
    world.patch_group(engineers, &add).unwrap();
    assert_eq!(key_of(&mut world, &bob, 0).unwrap().epoch.number, 2);
    assert_eq!(world.registry().member_count(engineers), 2);
}

#[test]
fn naming_a_suspended_member_grants_nothing_once_they_are_back() {
    let (mut world, ids) = world(45, &["ada"]);
    let ada = claimed(&mut world, ids[0]);
    world.patch_user(ids[0], SUSPEND).unwrap();
    let engineers = group(&mut world, &ids);
    assert_eq!(world.registry().member_count(engineers), 1);
    world.patch_user(ids[0], RESTORE).unwrap();
    assert_eq!(key_of(&mut world, &ada, 0).unwrap_err(), Refusal::NotFound);
}

#[test]
fn only_a_device_of_the_member_signs_for_the_member() {
    let (mut world, ids) = world(46, &["ada", "bob"]);
    group(&mut world, &ids);
    let ada = claimed(&mut world, ids[0]);
    let stranger = world.member(ids[0]);
    let pending = world.member(ids[1]);
    for other in [&stranger, &pending] {
        assert!(matches!(
            key_of(&mut world, other, 0).unwrap_err(),
            Refusal::Paper(_) | Refusal::Unauthorized
        ));
    }
    // An admin is no member.
    let body = format!(r#"{{"member":"{}","group":"Engineers","epoch":0}}"#, ids[0]);
    assert!(matches!(
        world
            .signed(ActName::GroupKey, body.into_bytes())
            .unwrap_err(),
        Refusal::Paper(_)
    ));
    assert!(key_of(&mut world, &ada, 0).is_ok());
}

#[test]
fn a_second_device_joins_and_a_lost_one_is_out_with_new_group_keys() {
    use base64ct::{Base64, Encoding as _};
    use chancery_keyset::{WrapContext, WrapPurpose, wrap};
    let (mut world, ids) = world(47, &["ada"]);
    group(&mut world, &ids);
    let ada = claimed(&mut world, ids[0]);
    let second = Member {
        device: world.member(ids[0]).device,
        account: world.member(ids[0]).account,
        id: ids[0],
    };
    let context = WrapContext {
        purpose: WrapPurpose::MemberSecret,
        tenant: *world.tenant.as_bytes(),
        subject: user(&world, ids[0]).handle,
        sender: ada.account.public().fingerprint(),
        log_position: 0,
    };
    let wrapped = wrap(
        second.device.public(),
        &context,
        ada.account.seed().expose(),
        &mut world.seeded,
    )
    .unwrap();
    let add = format!(
        r#","device":"{}","name":"phone","wrap":"{}""#,
        Base64::encode_string(&second.device.public().encode()),
        Base64::encode_string(&wrapped.encode())
    );
    assert!(world.signed_by(&second, ActName::DeviceAdd, &add).is_err());
    world.signed_by(&ada, ActName::DeviceAdd, &add).unwrap();
    assert!(world.signed_by(&ada, ActName::DeviceAdd, &add).is_err());
    assert_eq!(key_of(&mut world, &second, 0).unwrap().epoch.number, 1);
    let revoke = format!(
        r#","device":"{}""#,
        hex::encode(ada.device.public().fingerprint().as_bytes())
    );
    world
        .signed_by(&second, ActName::DeviceRevoke, &revoke)
        .unwrap();
    assert!(key_of(&mut world, &ada, 0).is_err());
    assert_eq!(key_of(&mut world, &second, 0).unwrap().epoch.number, 2);
}

#[test]
fn a_keyset_is_rotated_by_both_signatures_or_reset_by_the_admins() {
    use base64ct::{Base64, Encoding as _};
    use chancery_claim::Succession;
    let (mut world, ids) = world(48, &["ada"]);
    group(&mut world, &ids);
    let ada = claimed(&mut world, ids[0]);
    let next = world.member(ids[0]).account;
    let statement = Succession {
        tenant: *world.tenant.as_bytes(),
        subject: user(&world, ids[0]).handle,
        old: ada.account.public().fingerprint(),
        new: next.public().fingerprint(),
        evidence: [0; 32],
    }
    .statement();
    let rotate = |old: [u8; 64], new: [u8; 64]| {
        format!(
            r#","account":"{}","old_signature":"{}","new_signature":"{}","wraps":[]"#,
            Base64::encode_string(&next.public().encode()),
            Base64::encode_string(&old),
            Base64::encode_string(&new)
        )
    };
    let (old, new) = (
        ada.account.signing_key().sign(&statement),
        next.signing_key().sign(&statement),
    );
    for wrong in [rotate(new, new), rotate(old, old)] {
        assert_eq!(
            world
                .signed_by(&ada, ActName::KeysetRotate, &wrong)
                .unwrap_err(),
            Refusal::Unauthorized
        );
    }
    world
        .signed_by(&ada, ActName::KeysetRotate, &rotate(old, new))
        .unwrap();
    let after = user(&world, ids[0]);
    assert_eq!(
        after.custody.fingerprint(),
        next.public().fingerprint().as_bytes()
    );
    assert_eq!(key_of(&mut world, &ada, 0).unwrap().epoch.number, 2);
    // The admins give nobody a key: the account is pending again, and has to be claimed.
    let body = format!(r#"{{"user":"{}"}}"#, ids[0]);
    world
        .signed(ActName::KeysetRotate, body.into_bytes())
        .unwrap();
    assert!(user(&world, ids[0]).custody.account().is_none());
    assert!(key_of(&mut world, &ada, 0).is_err());
    let other = world.member(ids[0]);
    world.claim(&other).unwrap();
    assert_eq!(key_of(&mut world, &other, 0).unwrap().epoch.number, 3);
}

#[test]
fn a_lookup_proves_the_key_and_an_unknown_name_its_absence() {
    let (mut world, ids) = world(49, &["ada"]);
    claimed(&mut world, ids[0]);
    let look = |world: &mut World, name: &str| {
        let body = format!(r#"{{"user":"{name}"}}"#);
        match world
            .signed(ActName::KeysLookup, body.into_bytes())
            .unwrap()
        {
            Answer::Proof(inner) => BundleExtra::decode(&inner.extra).unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let extra = look(&mut world, "ada@demo.example");
    assert_eq!(extra.leaf.epoch + 1, world.log.size());
    let Shown::User(shown) = &extra.shown else {
        panic!("{extra:?}");
    };
    assert_eq!(shown.state.state, SubjectState::Confirmed);
    assert_eq!(
        shown.record.commit(&shown.key_opening).unwrap(),
        shown.state.key_commit
    );
    assert!(matches!(
        look(&mut world, "nobody@demo.example").shown,
        Shown::Absent(_)
    ));
}

#[test]
fn every_act_has_an_exhibit_that_opens_its_commitments() {
    let (mut world, ids) = world(50, &["ada", "bob"]);
    let engineers = group(&mut world, &ids);
    claimed(&mut world, ids[0]);
    world.patch_user(ids[0], SUSPEND).unwrap();
    let body = format!(r#"{{"user":"{}"}}"#, ids[1]);
    world
        .signed(ActName::KeysetRotate, body.into_bytes())
        .unwrap();
    world.delete_user(ids[1]).unwrap();
    world.delete_group(engineers).unwrap();
    let exhibits = exhibits(&world);
    let mut next = 0;
    for exhibit in &exhibits {
        // State roots stand between acts and belong to none.
        assert!(exhibit.first >= next, "{} {next}", exhibit.first);
        next = exhibit.first + u64::from(exhibit.entries);
        assert!(!exhibit.withheld && !exhibit.secret.is_zero());
        assert_eq!(
            Exhibit::decode(&exhibit.encode().unwrap()).as_ref(),
            Ok(exhibit)
        );
    }
}

fn exhibits(world: &World) -> Vec<Exhibit> {
    let view = world.view.tenant(&world.tenant).unwrap();
    let (stream, records) = world
        .store
        .iter()
        .find(|(stream, _)| **stream != chancery_engine::ROOT_STREAM)
        .unwrap();
    // Begins in the middle as well as at the start: a page depends on the record before it alone.
    let read = |from: usize| -> Vec<Exhibit> {
        let before = from.checked_sub(1).map(|before| records[before].as_slice());
        let mut reader = ExhibitReader::new(
            Arc::clone(&view.secrets),
            world.store_tag(),
            *stream,
            u64::try_from(from).unwrap(),
            before,
        );
        records[from..]
            .iter()
            .flat_map(|record| reader.read(record, &|_| false).unwrap())
            .collect()
    };
    let all = read(0);
    assert!(all.ends_with(&read(3)));
    all
}
