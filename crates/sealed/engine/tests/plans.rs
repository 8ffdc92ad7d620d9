//! Automation on trial: pilots, and plans that an admin signs before anything happens.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where its world is not as it must be"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64ct::{Base64, Encoding as _};
use chancery_authority::{ActName, Mode, Pilot};
use chancery_directory::EntryType;
use chancery_directory::entry::TenantLeaf;
use chancery_engine::{Answer, ExhibitReader, Refusal, Registry, ResourceId, User};
use chancery_json::{Object, Value};
use chancery_scim::Error;
use chancery_testkit::{World, member_json, user_json};

const SUSPEND: &str = r#"{"Operations":[{"op":"Replace","path":"active","value":"False"}]}"#;
const RESTORE: &str = r#"{"Operations":[{"op":"Replace","path":"active","value":"True"}]}"#;
const TITLE: &str = r#"{"Operations":[{"op":"replace","path":"title","value":"Lead"}]}"#;

fn registry(world: &World) -> &Registry {
    &world.view.tenant(&world.tenant).unwrap().registry
}

fn planning(world: &mut World, serial: u64) {
    world
        .delegate_with(serial, |terms| terms.mode = Mode::Plan)
        .unwrap();
}

fn show(world: &mut World) -> Object {
    match world.signed(ActName::PlanShow, b"{}".to_vec()) {
        Ok(Answer::Document(document)) => *document,
        other => panic!("unexpected answer: {other:?}"),
    }
}

fn names(plan: &Object, list: &str) -> Vec<String> {
    plan.get(list)
        .and_then(Value::as_array)
        .unwrap()
        .iter()
        .map(|name| String::from(name.as_str().unwrap()))
        .collect()
}

fn text<'a>(plan: &'a Object, name: &str) -> &'a str {
    plan.get(name).and_then(Value::as_str).unwrap()
}

fn number(plan: &Object, name: &str) -> u64 {
    plan.get(name).and_then(Value::as_u64).unwrap()
}

fn flag(plan: &Object, name: &str) -> bool {
    plan.get(name).and_then(Value::as_bool).unwrap()
}

fn apply(world: &mut World, hash: &str, unmatched: &str) -> Result<Answer, Refusal> {
    let body = format!("{{\"hash\":\"{hash}\",\"unmatched\":\"{unmatched}\"}}");
    world.signed(ActName::PlanApply, body.into_bytes())
}

fn sign(world: &mut World, unmatched: &str) {
    let plan = show(world);
    apply(world, text(&plan, "hash"), unmatched).unwrap();
}

fn carry_out(world: &mut World) {
    while world.tick() {}
    world.tick();
    assert!(registry(world).plan().is_none());
}

fn import(world: &mut World, locals: &[String]) {
    for (act, chunk) in locals.chunks(100).enumerate() {
        let members: Vec<String> = chunk
            .iter()
            .enumerate()
            .map(|(index, local)| member_json(local, u64::try_from(act * 100 + index).unwrap()))
            .collect();
        let body = format!("{{\"members\":[{}]}}", members.join(","));
        world
            .signed(ActName::TenantImport, body.into_bytes())
            .unwrap();
    }
}

fn users(registry: &Registry) -> BTreeMap<ResourceId, Arc<User>> {
    registry
        .users()
        .in_order()
        .map(|user| (user.id, Arc::clone(user)))
        .collect()
}

fn id_of(world: &World, local: &str) -> ResourceId {
    let name = format!("{local}@demo.example");
    registry(world).effective().user_named(&name).unwrap().id
}

fn kinds(world: &mut World) -> Vec<EntryType> {
    let body = br#"{"from":0,"count":1000}"#.to_vec();
    let Ok(Answer::Document(document)) = world.signed(ActName::LogRead, body) else {
        panic!("the log was not read")
    };
    leaves_of(&document)
        .iter()
        .filter_map(|leaf| match leaf {
            TenantLeaf::Entry(entry) => Some(entry.kind),
            TenantLeaf::StateRoot(_) => None,
        })
        .collect()
}

fn leaves_of(document: &Object) -> Vec<TenantLeaf> {
    let entries = document.get("entries").and_then(Value::as_array).unwrap();
    entries
        .iter()
        .map(|logged| {
            let leaf = logged.as_object().and_then(|logged| logged.get("leaf"));
            let bytes = Base64::decode_vec(leaf.and_then(Value::as_str).unwrap()).unwrap();
            TenantLeaf::decode(&bytes).unwrap()
        })
        .collect()
}

/// A tenant of imported members on trial, of whom the identity provider knows the first `known`.
fn adopting(seed: u64, members: usize, known: usize) -> (World, Vec<String>) {
    let mut world = World::with_tenant(seed);
    let locals: Vec<String> = (0..members).map(|index| format!("m{index:04}")).collect();
    import(&mut world, &locals);
    planning(&mut world, 2);
    let ids: Vec<ResourceId> = locals[..known]
        .iter()
        .map(|local| id_of(&world, local))
        .collect();
    for id in &ids {
        world.find(&[*id]).unwrap();
    }
    (world, locals)
}

#[test]
fn those_whom_the_identity_provider_does_not_know_are_listed_and_suspended_only_after_the_signature()
 {
    let (mut world, locals) = adopting(1, 1000, 900);
    let before = users(registry(&world));
    let plan = show(&mut world);
    assert!(flag(&plan, "open"));
    assert_eq!(number(&plan, "intents"), 900);
    assert_eq!(names(&plan, "matched").len(), 900);
    let unknown: Vec<String> = locals[900..]
        .iter()
        .map(|local| format!("{local}@demo.example"))
        .collect();
    assert_eq!(names(&plan, "unmatched"), unknown);
    for list in ["invited", "suspended", "deleted", "renamed", "regrouped"] {
        assert!(
            plan.get(list).unwrap().as_array().unwrap().is_empty(),
            "{list}"
        );
    }
    // Nothing has happened: every account is the very same, keys included.
    assert_eq!(before, users(registry(&world)));
    assert!(before.values().all(|user| user.active));
    assert_eq!(
        apply(&mut world, &"0".repeat(64), "suspend").unwrap_err(),
        Refusal::OtherPlan
    );
    let size = world.log.size();
    assert!(!world.tick());
    assert_eq!(world.log.size(), size);

    apply(&mut world, text(&plan, "hash"), "suspend").unwrap();
    assert_eq!(before, users(registry(&world)));
    let first = id_of(&world, &locals[0]);
    assert_eq!(
        world.patch_user(first, TITLE).unwrap_err(),
        Refusal::PlanUnderway
    );
    world.find(&[first]).unwrap();
    assert_eq!(number(&show(&mut world), "remaining"), 1000);
    carry_out(&mut world);
    let after = users(registry(&world));
    let suspended: BTreeSet<String> = after
        .values()
        .filter(|user| !user.active)
        .map(|user| user.keys.user_name.to_string())
        .collect();
    assert_eq!(suspended, unknown.into_iter().collect());
    for (id, user) in &after {
        assert_eq!(user.custody, before[id].custody, "{}", user.keys.user_name);
    }
    // A delegation that takes effect ends the trial.
    world.delegate_with(3, |_| {}).unwrap();
    world.patch_user(first, TITLE).unwrap();
    assert!(registry(&world).plan().is_none());
    assert_eq!(registry(&world).users().get(first).unwrap().version, 2);
}

#[test]
fn unmatched_members_stay_if_the_admin_keeps_them() {
    let (mut world, _) = adopting(2, 5, 3);
    sign(&mut world, "keep");
    carry_out(&mut world);
    assert!(users(registry(&world)).values().all(|user| user.active));
}

/// A trial in which everything is asked for once; returns the users' ids by name.
fn eventful(seed: u64) -> (World, BTreeMap<&'static str, ResourceId>) {
    let mut world = World::with_tenant(seed);
    let mut ids = BTreeMap::new();
    for name in ["ada", "bob", "carol", "dora", "eve"] {
        ids.insert(name, world.create_user(&user_json(name)).unwrap());
    }
    world.patch_user(ids["dora"], SUSPEND).unwrap();
    let body = format!(
        r#"{{"displayName":"Old","members":[{{"value":"{}"}},{{"value":"{}"}}]}}"#,
        ids["ada"], ids["bob"]
    );
    let old = world.create_group(&body).unwrap();
    let gone = world.create_group(r#"{"displayName":"Gone"}"#).unwrap();
    world
        .delegate_with(2, |terms| {
            terms.mode = Mode::Plan;
            terms.sensitive_groups = BTreeSet::from([String::from("Finance")]);
        })
        .unwrap();
    let frank = world.create_user(&user_json("frank")).unwrap();
    ids.insert("frank", frank);
    world.patch_user(frank, TITLE).unwrap();
    world.patch_user(ids["ada"], SUSPEND).unwrap();
    world.patch_user(ids["dora"], RESTORE).unwrap();
    world.delete_user(ids["bob"]).unwrap();
    let rename =
        r#"{"Operations":[{"op":"replace","path":"userName","value":"carola@demo.example"}]}"#;
    world.patch_user(ids["carol"], rename).unwrap();
    let body = format!(
        r#"{{"displayName":"Finance","members":[{{"value":"{frank}"}},{{"value":"{}"}}]}}"#,
        ids["dora"]
    );
    world.create_group(&body).unwrap();
    let rename = r#"{"Operations":[{"op":"replace","path":"displayName","value":"New"}]}"#;
    world.patch_group(old, rename).unwrap();
    world.delete_group(gone).unwrap();
    (world, ids)
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one story: what is asked for, shown, signed and true"
)]
fn what_was_answered_is_seen_at_once_by_the_identity_provider_alone_and_is_true_after_the_signature()
 {
    let (mut world, ids) = eventful(3);
    let frank = ids["frank"];
    let real = registry(&world);
    assert!(real.users().get(frank).is_none());
    assert!(real.users().get(ids["ada"]).unwrap().active);
    assert!(real.user_named("carol@demo.example").is_some());
    assert_eq!(real.groups().len(), 2);
    let seen = real.effective();
    assert_eq!(seen.users().get(frank).unwrap().version, 2);
    assert!(seen.users().get(ids["bob"]).is_none());
    assert_eq!(
        world.create_user(&user_json("frank")),
        Err(Refusal::Scim(Error::Uniqueness {
            attribute: "userName"
        }))
    );
    assert_eq!(
        world.delete_user(ids["bob"]).unwrap_err(),
        Refusal::Scim(Error::NotFound)
    );
    let promised = users(registry(&world).effective());

    let plan = show(&mut world);
    let mail = |names: &[&str]| -> Vec<String> {
        names
            .iter()
            .map(|name| format!("{name}@demo.example"))
            .collect()
    };
    assert_eq!(names(&plan, "invited"), mail(&["frank"]));
    assert_eq!(
        names(&plan, "matched"),
        mail(&["ada", "bob", "carol", "dora"])
    );
    assert_eq!(names(&plan, "suspended"), mail(&["ada"]));
    assert_eq!(names(&plan, "restored"), mail(&["dora"]));
    assert_eq!(names(&plan, "deleted"), mail(&["bob"]));
    assert_eq!(names(&plan, "unmatched"), mail(&["eve"]));
    assert_eq!(names(&plan, "changed"), mail(&["carol"]));
    let renamed = plan.get("renamed").unwrap().clone();
    assert_eq!(
        Value::Object(Object::new().with("renamed", renamed)).to_bytes(),
        br#"{"renamed":[["Old","New"],["carol@demo.example","carola@demo.example"]]}"#
    );
    let regrouped = plan.get("regrouped").unwrap().clone();
    let expected = r#"{"regrouped":[{"group":"Finance","added":["dora@demo.example","frank@demo.example"],"removed":[]},{"group":"Gone","added":[],"removed":[]},{"group":"New","added":[],"removed":["ada@demo.example","bob@demo.example"]}]}"#;
    assert_eq!(
        String::from_utf8(Value::Object(Object::new().with("regrouped", regrouped)).to_bytes())
            .unwrap(),
        expected
    );

    sign(&mut world, "suspend");
    carry_out(&mut world);
    let real = registry(&world);
    for (id, user) in &promised {
        let now = real.users().get(*id).unwrap();
        if *id == ids["eve"] {
            assert!(!now.active && user.active);
            continue;
        }
        assert_eq!(
            (now.version, now.active, &now.document, now.sequence),
            (user.version, user.active, &user.document, user.sequence)
        );
    }
    assert_eq!(real.users().len(), promised.len());
    let finance: Vec<_> = real
        .groups()
        .in_order()
        .filter(|group| group.keys.display_name.as_deref() == Some("finance"))
        .collect();
    assert!(real.is_member(finance[0].id, frank));
    assert!(real.holds_keys(finance[0].id, ids["dora"]));
    assert_eq!(real.epochs(finance[0].id).len(), 1);
    assert!(real.user_named("carola@demo.example").is_some());
    assert_eq!(real.departed_count(), 1);
    assert_eq!(real.groups().len(), 2);
    // The keyset is the one that was made when it was asked for: its commitment opens.
    let user = real.users().get(frank).unwrap().clone();
    opens(&mut world, &user);
    let again = world.recover(&world.store).unwrap();
    assert_eq!(users(registry(&world)), users(registry(&again)));
    let last = *kinds(&mut world).last().unwrap();
    assert_eq!(last, EntryType::PolicyChanged);
}

/// Checks that what a user carries opens what the log committed to.
fn opens(world: &mut World, user: &User) {
    let chancery_engine::Custody::Pending(pending) = &user.custody else {
        panic!("claimed")
    };
    let secrets = Arc::clone(&world.view.tenant(&world.tenant).unwrap().secrets);
    let seed = secrets
        .key()
        .open_keyset(&user.handle, &pending.sealed_seed)
        .unwrap();
    let seed: [u8; 64] = seed.as_slice().try_into().unwrap();
    let keyset = chancery_keyset::Keyset::from_seed(chancery_keyset::KeysetSeed::from_bytes(seed));
    let public = keyset.unwrap().public().clone();
    let record = chancery_directory::KeyRecord {
        tenant: chancery_directory::TenantId(*world.tenant.as_bytes()),
        handle: chancery_directory::Handle(user.handle),
        key_version: user.proof.key_version,
        source: chancery_directory::KeySource::Enclave,
        enc_pk: public.kem().to_vec(),
        sig_pk: public.signing().to_vec(),
        not_before_ms: user.proof.not_before_ms,
        activation_commit: chancery_directory::Digest::ZERO,
    };
    let opening = chancery_directory::Opening(user.proof.key_opening);
    let commitment = record.commit(&opening).unwrap();
    let body = format!("{{\"from\":{},\"count\":1}}", user.proof.key_index);
    let Ok(Answer::Document(document)) = world.signed(ActName::LogRead, body.into_bytes()) else {
        panic!("the log was not read")
    };
    let TenantLeaf::Entry(entry) = leaves_of(&document)[0] else {
        panic!("no entry")
    };
    assert_eq!(entry.key_commit, commitment);
}

#[test]
fn a_restart_in_the_middle_loses_and_repeats_nothing() {
    let (mut world, _) = adopting(4, 150, 20);
    world.create_user(&user_json("frank")).unwrap();
    let open = world.recover(&world.store).unwrap();
    assert_eq!(
        registry(&open).plan().unwrap().hash(),
        registry(&world).plan().unwrap().hash()
    );
    assert!(
        registry(&open)
            .effective()
            .user_named("frank@demo.example")
            .is_some()
    );
    sign(&mut world, "suspend");
    assert!(world.tick());
    let suspended = |world: &World| {
        let users = users(registry(world));
        users.values().filter(|user| !user.active).count()
    };
    // One invitation and 99 suspensions.
    assert_eq!(suspended(&world), 99);
    let mut again = world.recover(&world.store).unwrap();
    assert_eq!(suspended(&again), 99);
    assert_eq!(
        again.create_user(&user_json("late")),
        Err(Refusal::PlanUnderway)
    );
    carry_out(&mut again);
    assert_eq!(suspended(&again), 130);
    assert_eq!(registry(&again).users().len(), 151);
    let suspensions = kinds(&mut again)
        .iter()
        .filter(|kind| **kind == EntryType::Suspended)
        .count();
    assert_eq!(suspensions, 130);
    again.recover(&again.store).unwrap();
}

#[test]
fn an_open_plan_must_be_decided_before_automation_takes_effect() {
    let (mut world, _) = adopting(5, 3, 1);
    assert_eq!(
        world.delegate_with(3, |_| {}).unwrap_err(),
        Refusal::PlanOpen
    );
    // Another trial may follow.
    planning(&mut world, 3);
    let before = users(registry(&world));
    world.signed(ActName::PlanDrop, b"{}".to_vec()).unwrap();
    assert!(registry(&world).plan().is_none());
    assert_eq!(before, users(registry(&world)));
    assert!(!flag(&show(&mut world), "open"));
    assert_eq!(
        world.signed(ActName::PlanDrop, b"{}".to_vec()).unwrap_err(),
        Refusal::NoPlan
    );
    assert_eq!(
        apply(&mut world, &"0".repeat(64), "keep").unwrap_err(),
        Refusal::NoPlan
    );
    world.delegate_with(4, |_| {}).unwrap();
    let member = id_of(&world, "m0000");
    world.patch_user(member, SUSPEND).unwrap();
    assert!(!registry(&world).users().get(member).unwrap().active);
}

#[test]
fn what_was_asked_for_after_it_was_shown_needs_another_signature() {
    let (mut world, _) = adopting(6, 3, 1);
    let plan = show(&mut world);
    let other = id_of(&world, "m0001");
    world.patch_user(other, SUSPEND).unwrap();
    assert_eq!(
        apply(&mut world, text(&plan, "hash"), "keep").unwrap_err(),
        Refusal::OtherPlan
    );
    let plan = show(&mut world);
    assert!(matches!(
        apply(&mut world, text(&plan, "hash"), "delete").unwrap_err(),
        Refusal::Value { .. }
    ));
    sign(&mut world, "keep");
    let plan = show(&mut world);
    assert_eq!(
        apply(&mut world, text(&plan, "hash"), "keep").unwrap_err(),
        Refusal::PlanUnderway
    );
}

#[test]
fn a_plan_whose_delegation_ends_stops_and_goes_on_under_the_next_one() {
    let (mut world, _) = adopting(7, 4, 1);
    let known = id_of(&world, "m0000");
    world.patch_user(known, TITLE).unwrap();
    sign(&mut world, "suspend");
    for granted in registry(&world).delegations().to_vec() {
        let hash: String = granted
            .delegation
            .hash()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let body = format!("{{\"delegation_hash\":\"{hash}\"}}");
        world
            .signed(ActName::DelegationRevoke, body.into_bytes())
            .unwrap();
    }
    let size = world.log.size();
    assert!(!world.tick());
    assert_eq!(world.log.size(), size);
    let plan = show(&mut world);
    assert!(flag(&plan, "stopped"));
    assert_eq!(number(&plan, "remaining"), 5);
    world.delegate_with(3, |_| {}).unwrap();
    assert!(!flag(&show(&mut world), "stopped"));
    carry_out(&mut world);
    assert_eq!(registry(&world).users().get(known).unwrap().version, 2);
    let users = users(registry(&world));
    assert_eq!(users.values().filter(|user| !user.active).count(), 3);
}

#[test]
fn a_request_that_changes_nothing_still_names_its_users() {
    let (mut world, _) = adopting(8, 4, 0);
    let (first, second) = (id_of(&world, "m0000"), id_of(&world, "m0001"));
    world.patch_user(first, RESTORE).unwrap();
    let body = format!(r#"{{"displayName":"Staff","members":[{{"value":"{second}"}}]}}"#);
    world.create_group(&body).unwrap();
    let plan = show(&mut world);
    assert_eq!(
        names(&plan, "matched"),
        ["m0000@demo.example", "m0001@demo.example"]
    );
    // Once is enough.
    let intents = number(&plan, "intents");
    world.patch_user(first, RESTORE).unwrap();
    world.find(&[first, second]).unwrap();
    assert_eq!(number(&show(&mut world), "intents"), intents);
}

#[test]
fn finding_somebody_is_noted_only_while_automation_is_on_trial() {
    let mut world = World::with_tenant(9);
    let ada = world.create_user(&user_json("ada")).unwrap();
    let size = world.log.size();
    world.find(&[ada]).unwrap();
    assert_eq!(world.log.size(), size);
    assert!(registry(&world).plan().is_none());
}

#[test]
fn what_really_happens_meanwhile_is_seen_in_the_plan() {
    let (world, _) = adopting(10, 3, 2);
    let mut registry = registry(&world).clone();
    let (touched, untouched) = (id_of(&world, "m0000"), id_of(&world, "m0002"));
    let suspended = |registry: &Registry, id: ResourceId| {
        let mut user = User::clone(registry.users().get(id).unwrap());
        user.active = false;
        user.version += 1;
        Arc::new(user)
    };
    let event = chancery_engine::Event::UserPut(suspended(&registry, untouched));
    registry.apply(&event);
    assert!(!registry.effective().users().get(untouched).unwrap().active);
    let event = chancery_engine::Event::UserPut(suspended(&registry, touched));
    registry.apply(&event);
    assert!(!registry.effective().users().get(touched).unwrap().active);
    registry.apply(&chancery_engine::Event::UserErased { id: touched });
    assert!(registry.effective().users().get(touched).is_none());
}

#[test]
fn nobody_beyond_the_reach_of_automation_is_suspended_by_a_plan() {
    let mut world = World::with_tenant(12);
    let locals = ["inside", "chief", "outside"].map(String::from);
    import(&mut world, &locals);
    world
        .delegate_with(2, |terms| {
            terms.mode = Mode::Plan;
            terms.protected_accounts = [String::from("chief@demo.example")].into();
            terms.pilot = Some(Pilot {
                users: [
                    "inside@demo.example",
                    "chief@demo.example",
                    "new@demo.example",
                ]
                .map(String::from)
                .into(),
                groups: BTreeSet::new(),
            });
        })
        .unwrap();
    revoke_first(&mut world);
    world.create_user(&user_json("new")).unwrap();
    assert_eq!(
        names(&show(&mut world), "unmatched"),
        ["inside@demo.example"]
    );
    sign(&mut world, "suspend");
    carry_out(&mut world);
    let active = |local: &str| {
        let id = id_of(&world, local);
        registry(&world).users().get(id).unwrap().active
    };
    assert!(!active("inside") && active("chief") && active("outside") && active("new"));
}

#[test]
fn an_intent_names_nobody_so_that_it_can_stay_when_somebody_is_erased() {
    let (mut world, ids) = eventful(13);
    sign(&mut world, "suspend");
    carry_out(&mut world);
    let view = world.view.tenant(&world.tenant).unwrap();
    let (stream, records) = world
        .store
        .iter()
        .find(|(stream, _)| **stream != chancery_engine::ROOT_STREAM)
        .unwrap();
    let mut reader = ExhibitReader::new(
        Arc::clone(&view.secrets),
        world.store_tag(),
        *stream,
        0,
        None,
    );
    let frank = registry(&world).users().get(ids["frank"]).unwrap().handle;
    let exhibits: Vec<_> = records
        .iter()
        .flat_map(|record| reader.read(record, &|handle| *handle == frank).unwrap())
        .collect();
    let name = b"frank";
    // Once frank is erased, nothing that is still shown names them: not even the intent that made them.
    for exhibit in exhibits.iter().filter(|exhibit| !exhibit.withheld) {
        let shown = exhibit.encode().unwrap();
        assert!(!shown.windows(name.len()).any(|window| window == name));
    }
    assert!(exhibits.iter().any(|exhibit| exhibit.withheld));
}

#[test]
fn what_admins_do_meanwhile_outlasts_the_plan() {
    let (mut world, _) = adopting(14, 3, 0);
    let (first, second) = (id_of(&world, "m0000"), id_of(&world, "m0001"));
    for id in [first, second] {
        world.patch_user(id, TITLE).unwrap();
        let body = format!("{{\"user\":\"{id}\"}}");
        world
            .signed(ActName::UserSuspend, body.into_bytes())
            .unwrap();
    }
    let seen = registry(&world).effective().users().get(first).unwrap();
    assert!(!seen.active);
    let body = format!("{{\"user\":\"{second}\"}}");
    world.signed(ActName::UserErase, body.into_bytes()).unwrap();
    sign(&mut world, "keep");
    carry_out(&mut world);
    let user = registry(&world).users().get(first).unwrap();
    let document = String::from_utf8_lossy(&user.document);
    assert!(!user.active && document.contains("Lead"), "{document}");
    assert!(registry(&world).users().get(second).is_none());
}

fn revoke_first(world: &mut World) {
    let first = registry(world).delegations()[0].clone();
    let hash: String = first
        .delegation
        .hash()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let body = format!("{{\"delegation_hash\":\"{hash}\"}}");
    world
        .signed(ActName::DelegationRevoke, body.into_bytes())
        .unwrap();
}

fn pilot(seed: u64, mode: Mode) -> (World, ResourceId, ResourceId) {
    let mut world = World::with_tenant(seed);
    let ada = world.create_user(&user_json("ada")).unwrap();
    let bob = world.create_user(&user_json("bob")).unwrap();
    world.create_group(r#"{"displayName":"Others"}"#).unwrap();
    world
        .delegate_with(2, |terms| {
            terms.mode = mode;
            terms.pilot = Some(Pilot {
                users: ["Ada@demo.example", "new@demo.example"]
                    .map(String::from)
                    .into(),
                groups: [String::from("First Group")].into(),
            });
        })
        .unwrap();
    revoke_first(&mut world);
    (world, ada, bob)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it reads better around the act that is refused"
)]
fn outside<T: std::fmt::Debug>(result: Result<T, Refusal>) -> bool {
    matches!(result, Err(Refusal::Protected { reason }) if reason.contains("pilot"))
}

#[test]
fn a_pilot_reaches_the_accounts_and_groups_that_it_names_and_no_others() {
    for mode in [Mode::Apply, Mode::Plan] {
        let (mut world, ada, bob) = pilot(11, mode);
        world.create_user(&user_json("NEW")).unwrap();
        assert!(outside(world.create_user(&user_json("other"))));
        world.patch_user(ada, TITLE).unwrap();
        assert!(outside(world.patch_user(bob, TITLE)));
        assert!(outside(world.patch_user(bob, SUSPEND)));
        assert!(outside(world.delete_user(bob)));
        let rename =
            r#"{"Operations":[{"op":"replace","path":"userName","value":"zoe@demo.example"}]}"#;
        assert!(outside(world.patch_user(ada, rename)));
        assert!(outside(world.create_group(r#"{"displayName":"Second"}"#)));
        let group = world
            .create_group(r#"{"displayName":"first group"}"#)
            .unwrap();
        let add = |id: ResourceId| {
            format!(
                r#"{{"Operations":[{{"op":"add","path":"members","value":[{{"value":"{id}"}}]}}]}}"#
            )
        };
        world.patch_group(group, &add(ada)).unwrap();
        assert!(outside(world.patch_group(group, &add(bob))));
        let body = format!(r#"{{"displayName":"First group","members":[{{"value":"{bob}"}}]}}"#);
        assert!(outside(world.create_group(&body)));
        let others = registry(&world).groups().in_order().next().unwrap().id;
        assert!(outside(world.patch_group(others, &add(ada))));
        assert!(outside(world.delete_group(others)));
        let rename = r#"{"Operations":[{"op":"replace","path":"displayName","value":"Second"}]}"#;
        assert!(outside(world.patch_group(group, rename)));
    }
}
