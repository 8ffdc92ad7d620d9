//! Logs in which nothing is wrong, and the audit must find nothing.

use chancery_audit::{Roster, Verdict};
use chancery_authority::{ActName, AdminChange, Mode, ScopeSet};
use chancery_directory::{Details, EntryType, Handle, KeySource, Origin, Validity};
use sha2::{Digest as _, Sha256};

use crate::runtime::{
    DAY_MS, Key, Move, Object_, Runtime, Script, admin, admin_set, group_document, terms,
    user_document,
};

pub(crate) const ADA: &str = "ada@demo.example";
pub(crate) const BOB: &str = "bob@demo.example";
pub(crate) const CAROL: &str = "carol@demo.example";
pub(crate) const DORA: &str = "dora@demo.example";

pub(crate) fn assert_clean(verdict: &Verdict) {
    let findings: Vec<String> = verdict
        .findings()
        .iter()
        .map(|one| format!("{one}"))
        .collect();
    assert!(findings.is_empty(), "{findings:#?}");
    assert!(verdict.is_clean());
    assert_eq!(verdict.sentences().last().unwrap(), "Everything adds up.");
}

/// Four users, of whom two have claimed, and a group of three.
pub(crate) fn populated() -> Runtime {
    let mut runtime = Runtime::new();
    for name in [ADA, BOB, CAROL, DORA] {
        runtime.create(name);
    }
    runtime.create_group("Engineers");
    runtime.create_group("Finance");
    let later = terms(runtime.tenant, 2);
    runtime.delegate(&later);
    runtime.close();
    runtime.claim(ADA);
    runtime.claim_confirmed(BOB);
    runtime.regroup("Engineers", &[ADA, BOB, CAROL], &[]);
    runtime.close();
    runtime
}

/// What an admin opens for one act: the window, and the entry that opens it.
pub(crate) fn windowed(runtime: &mut Runtime, name: ActName, body: &str) -> (Script, Handle) {
    let window = Handle(runtime.fresh());
    let validity = Validity {
        not_before_ms: runtime.now_ms,
        not_after_ms: runtime.now_ms + 60_000,
    };
    let signed = runtime.signed(name, body);
    let details = Details {
        approval: window,
        ..Details::new(Origin::Admins)
    };
    let script = Script::new(details)
        .step(EntryType::BreakGlassOpened, runtime.admins(), window)
        .object(Object_::Clear(validity.to_object_commit()))
        .signed(signed);
    (script, window)
}

/// Adds a member by an admin's signature.
pub(crate) fn add_by_admins(runtime: &mut Runtime, group: &str, user: &str) -> u64 {
    let body = format!(r#"{{"group":"{group}","user":"{user}"}}"#);
    let (mut script, window) = windowed(runtime, ActName::GroupAdd, &body);
    script.details.groups = vec![runtime.regrouped(group, &[user], &[])];
    let (handle, admins) = (runtime.group(group), runtime.admins());
    let script = script
        .step(EntryType::GroupMemberChanged, window, handle)
        .step(EntryType::BreakGlassClosed, admins, window);
    runtime.perform(script)
}

/// Imports a member with a key of the member's own: a window, the member, the end of the window.
pub(crate) fn import(runtime: &mut Runtime, name: &str) -> u64 {
    let mut script = runtime.provisioning(name);
    let (mut first, window) = windowed(runtime, ActName::TenantImport, "{}");
    // The list that the admins signed names a hundred people: it is not kept.
    first.request = Vec::new();
    let (evidence, admins) = (first.evidence.clone(), runtime.admins());
    runtime.perform(first);
    let account = runtime.keyset();
    let user = runtime.users.get_mut(name).unwrap();
    user.version = 2;
    let handle = user.handle;
    let mut records = [1, 2].map(|version| runtime.record(handle, version, &account));
    records
        .iter_mut()
        .for_each(|one| one.source = KeySource::UserDevice);
    let [provisioned, confirmed] = records;
    runtime.users.get_mut(name).unwrap().keyset = account;
    script.details = Details {
        approval: window,
        ..Details::new(Origin::Admins)
    };
    script.steps[0].actor = window;
    let script = script
        .key(Key::Record(provisioned))
        .step(EntryType::KeyConfirmed, admins, handle)
        .key(Key::Record(confirmed))
        .signed((evidence.clone(), Vec::new()));
    let details = script.details.clone();
    let index = runtime.perform(script);
    let last = Script::new(details)
        .step(EntryType::BreakGlassClosed, admins, window)
        .signed((evidence, Vec::new()));
    runtime.perform(last);
    index
}

/// The first device of an imported member: a claim by the key that is theirs already.
pub(crate) fn first_device(runtime: &mut Runtime, name: &str) -> Script {
    let (mut request, _, device) = runtime.claim_request(name);
    let user = &runtime.users[name];
    request.account = user.keyset.public().clone();
    let nonce = request.nonce(&runtime.context()).unwrap();
    request.signature = user.keyset.signing_key().sign(&nonce.statement());
    let person = format!("ext-{}", name.split('@').next().unwrap());
    let proof = runtime.id_token(&request, &person);
    let evidence = runtime.evidence(name, request, proof).to_bytes();
    let handle = runtime.handle(name);
    let script = Script::new(Details::new(Origin::Claim))
        .step(EntryType::DeviceChanged, handle, handle)
        .object(Object_::Document)
        .document(Runtime::device_list(&[&device]))
        .signed((evidence, Vec::new()));
    runtime.users.get_mut(name).unwrap().device = Some(device);
    script
}

/// An approval by the admins of what `document` says, about a subject of its own.
pub(crate) fn approve(runtime: &mut Runtime, name: ActName, document: &str) -> Handle {
    let handle = Handle(runtime.fresh());
    approve_subject(runtime, handle, name, document);
    handle
}

fn approve_subject(runtime: &mut Runtime, subject: Handle, name: ActName, document: &str) {
    let signed = runtime.signed(name, document);
    let script = Script::new(Details::new(Origin::Admins))
        .step(EntryType::ApprovalGiven, runtime.admins(), subject)
        .object(Object_::Document)
        .document(document)
        .signed(signed);
    runtime.perform(script);
}

/// A change of a group that was held and is approved: who may join.
pub(crate) fn held(runtime: &mut Runtime, group: &str, added: &[&str]) -> Handle {
    let handle = Handle(runtime.fresh());
    let users: Vec<String> = added
        .iter()
        .map(|name| format!("\"{}\"", runtime.handle(name)))
        .collect();
    let document = format!(
        r#"{{"held":"{handle}","group":"{}","added":[{}],"removed":[],"document":null}}"#,
        runtime.group(group),
        users.join(",")
    );
    let script = Script::new(runtime.automation())
        .step(EntryType::ActHeld, runtime.delegation, handle)
        .object(Object_::Document)
        .document(document);
    runtime.perform(script);
    let body = format!(r#"{{"held":"{handle}"}}"#);
    approve_subject(runtime, handle, ActName::ActApprove, &body);
    handle
}

/// Records an intent; gives the chain of the plan that consists of it alone.
pub(crate) fn intent(runtime: &mut Runtime, document: &str) -> String {
    let script = Script::new(runtime.automation())
        .step(
            EntryType::IntentRecorded,
            runtime.delegation,
            runtime.admins(),
        )
        .object(Object_::Document)
        .document(document);
    runtime.perform(script);
    let none = Sha256::new()
        .chain_update("chancery/plan/v1")
        .chain_update(runtime.tenant.0)
        .finalize();
    let chain = Sha256::new()
        .chain_update([0x28])
        .chain_update(none)
        .chain_update(Sha256::digest(document))
        .finalize();
    hex::encode(chain)
}

/// Another set of admins, from here on.
pub(crate) fn change_admins(runtime: &mut Runtime, seeds: &[u8]) -> u64 {
    let change = AdminChange {
        tenant: chancery_authority::TenantId::from_bytes(runtime.tenant.0),
        serial: 1,
        admins: admin_set(seeds, 2),
    };
    let keys: Vec<_> = [1, 2]
        .iter()
        .chain(seeds)
        .map(|seed| admin(*seed))
        .collect();
    let mut signers: Vec<_> = keys.iter().collect();
    signers.dedup_by_key(|key| key.id());
    let paper = change.sign(&signers).unwrap().to_json();
    let signed = runtime.signed(ActName::AdminsPut, "{}");
    let script = Script::new(Details::new(Origin::Admins))
        .step(EntryType::PolicyChanged, runtime.admins(), runtime.admins())
        .object(Object_::Document)
        .document(paper)
        .signed(signed);
    runtime.perform(script)
}

#[test]
fn an_honest_log_adds_up_and_is_counted() {
    let mut runtime = populated();
    runtime.suspend(CAROL);
    runtime.close();
    let roster = Roster::new(["ADA@demo.example", BOB, CAROL, DORA, "eve@demo.example"]);
    let verdict = runtime.audit_with(Some(&roster), Some(&runtime.shown()));
    assert_clean(&verdict);
    let counts = verdict.counts();
    assert_eq!(
        (counts.provisioned, counts.confirmed, counts.suspended),
        (1, 2, 1)
    );
    assert_eq!(
        (counts.groups, counts.memberships, counts.epochs),
        (2, 2, 3)
    );
    assert_eq!((counts.delegations, counts.credentials), (2, 1));
    assert_eq!((counts.confirmed_by_admins, counts.imported), (1, 0));
    assert_eq!((counts.batches, verdict.head().version), (4, 4));
    let sentences = verdict.sentences().join(" ");
    assert!(
        sentences.contains("1 of its users have no account"),
        "{sentences}"
    );
    assert!(sentences.contains("Users: 1 provisioned, 2 confirmed, 1 suspended, 0 deleted."));
}

#[test]
fn users_may_be_suspended_renamed_brought_back_deleted_and_erased() {
    let mut runtime = populated();
    runtime.suspend(ADA);
    runtime.close();
    runtime.reactivate(ADA);
    runtime.regroup("Engineers", &[ADA], &[]);
    runtime.rename(ADA, "ada.lovelace@demo.example");
    runtime.depart(BOB);
    runtime.close();
    assert_clean(&runtime.audit_with(None, None));
    runtime.now_ms += 30 * DAY_MS;
    runtime.erase(BOB);
    runtime.close();
    let verdict = runtime.audit();
    assert_clean(&verdict);
    assert_eq!(verdict.counts().withheld, 4);
    // The name is free, and its label's binding counts on.
    runtime.create(BOB);
    runtime.close();
    assert_clean(&runtime.audit());
}

#[test]
fn members_rotate_their_keys_and_change_their_devices() {
    let mut runtime = populated();
    let script = runtime.rotating(ADA);
    runtime.perform(script);
    let second = runtime.keyset();
    let ada = &runtime.users[ADA];
    let first = ada.device.as_ref().unwrap().signing_key();
    let handle = ada.handle;
    let mut devices = [ada.device.as_ref().unwrap(), &second];
    devices.sort_by_key(|device| *device.public().fingerprint().as_bytes());
    let document = Runtime::device_list(&devices);
    let signed = runtime.signed_by(ActName::DeviceAdd, "{}", &[&first]);
    let script = Script::new(Details::new(Origin::Member))
        .step(EntryType::DeviceChanged, handle, handle)
        .object(Object_::Document)
        .document(document)
        .signed(signed);
    runtime.perform(script);
    // The new device speaks for the member, and the admins may take the old one away.
    let document = Runtime::device_list(&[&second]);
    let body = format!(r#"{{"user":"{ADA}","device":"00"}}"#);
    let signed = runtime.signed(ActName::DeviceRevoke, &body);
    let script = Script::new(Details::new(Origin::Admins))
        .step(EntryType::DeviceChanged, runtime.admins(), handle)
        .object(Object_::Document)
        .document(document)
        .signed(signed);
    runtime.perform(script);
    runtime.users.get_mut(ADA).unwrap().device = Some(second);
    let script = runtime.rotating(ADA);
    runtime.perform(script);
    runtime.close();
    assert_clean(&runtime.audit_with(None, Some(&runtime.shown())));
}

#[test]
fn admins_act_by_signature_where_it_takes_away_and_in_a_window_where_it_gives() {
    let mut runtime = populated();
    add_by_admins(&mut runtime, "Engineers", DORA);
    import(&mut runtime, "finn@demo.example");
    let body = format!(r#"{{"group":"Engineers","user":"{DORA}"}}"#);
    let signed = runtime.signed(ActName::GroupRemove, &body);
    let admins = runtime.admins();
    let details = Details::new(Origin::Admins);
    let script = runtime
        .regrouping(details, admins, ("Engineers", &[], &[DORA]))
        .signed(signed);
    runtime.perform(script);
    let signed = runtime.signed(ActName::UserSuspend, &format!(r#"{{"user":"{ADA}"}}"#));
    let script = runtime
        .leaving(Details::new(Origin::Admins), admins, ADA)
        .signed(signed);
    runtime.perform(script);
    runtime.close();
    let verdict = runtime.audit_with(None, Some(&runtime.shown()));
    assert_clean(&verdict);
    assert_eq!(
        (verdict.counts().imported, verdict.counts().unnamed),
        (1, 3)
    );
}

#[test]
fn sensitive_groups_change_with_an_approval_and_plans_are_carried_out_after_one() {
    let mut runtime = populated();
    let approval = held(&mut runtime, "Finance", &[ADA, BOB]);
    let details = Details {
        approval,
        ..runtime.automation()
    };
    let actor = runtime.delegation;
    let script = runtime
        .regrouping(details, actor, ("Finance", &[ADA], &[]))
        .document(group_document("Finance"));
    runtime.perform(script);
    runtime.close();

    let mut plan = terms(runtime.tenant, 3);
    plan.mode = Mode::Plan;
    runtime.delegate(&plan);
    let hash = intent(&mut runtime, r#"{"create":"finn"}"#);
    let body = format!(r#"{{"hash":"{hash}","unmatched":"suspend"}}"#);
    let approval = approve(&mut runtime, ActName::PlanApply, &body);
    // Long after, when the credential that asked is gone.
    runtime.now_ms += 70 * DAY_MS;
    let mut script = runtime.provisioning("finn@demo.example");
    script.details.approval = approval;
    runtime.perform(script);
    let (details, actor) = (runtime.automation(), runtime.delegation);
    let mut script = runtime
        .leaving(details, actor, DORA)
        .document(user_document(DORA, false));
    script.details.approval = approval;
    runtime.perform(script);
    let details = Details {
        approval,
        ..runtime.automation()
    };
    let script = runtime
        .regrouping(details, actor, ("Finance", &[BOB], &[]))
        .document(group_document("Finance"));
    runtime.perform(script);
    let ended = Script::new(Details::new(Origin::Runtime))
        .step(EntryType::PolicyChanged, runtime.instance, runtime.admins())
        .object(Object_::Document)
        .document(format!(
            r#"{{"plan":"{hash}","carried_out":1,"skipped":0}}"#
        ));
    runtime.perform(ended);
    // Another plan, which comes to nothing, and a third.
    runtime.issue_token(ScopeSet::all(), 10);
    let dropped = intent(&mut runtime, r#"{"create":"gina"}"#);
    let body = format!(r#"{{"dropped":"{dropped}"}}"#);
    approve(&mut runtime, ActName::PlanDrop, &body);
    let hash = intent(&mut runtime, r#"{"create":"hal"}"#);
    let body = format!(r#"{{"hash":"{hash}","unmatched":"keep"}}"#);
    approve(&mut runtime, ActName::PlanApply, &body);
    runtime.close();
    assert_clean(&runtime.audit());
}

#[test]
fn an_imported_member_gains_a_first_device_by_a_claim() {
    let mut runtime = populated();
    let finn = "finn@demo.example";
    import(&mut runtime, finn);
    let script = first_device(&mut runtime, finn);
    runtime.perform(script);
    let script = runtime.rotating(finn);
    runtime.perform(script);
    runtime.close();
    assert_clean(&runtime.audit_with(None, Some(&runtime.shown())));
}

#[test]
fn another_set_of_admins_signs_what_follows() {
    let mut runtime = populated();
    change_admins(&mut runtime, &[2, 4, 5]);
    let mut next = terms(runtime.tenant, 3);
    next.not_after_ms += DAY_MS;
    let paper = next.sign(&[&admin(4), &admin(5)]).unwrap();
    let handle = Handle(runtime.fresh());
    let validity = Validity {
        not_before_ms: next.not_before_ms,
        not_after_ms: next.not_after_ms,
    };
    let signed = runtime.signed_by(ActName::DelegationPut, "{}", &[&admin(2), &admin(5)]);
    let script = Script::new(Details::new(Origin::Admins))
        .step(EntryType::DelegationGranted, runtime.admins(), handle)
        .object(Object_::Clear(validity.to_object_commit()))
        .document(paper.to_json())
        .signed(signed);
    runtime.perform(script);
    runtime.close();
    assert_clean(&runtime.audit());
}

#[test]
fn a_credential_may_be_revoked_and_another_issued() {
    let mut runtime = populated();
    let old = runtime.token;
    runtime.issue_token(ScopeSet::all(), 10);
    let signed = runtime.signed(ActName::TokenRevoke, &format!(r#"{{"id":"{old}"}}"#));
    let script = Script::new(Details::new(Origin::Admins))
        .step(EntryType::TokenRevoked, runtime.admins(), old)
        .signed(signed);
    runtime.perform(script);
    runtime.create("eve@demo.example");
    runtime.close();
    assert_clean(&runtime.audit());
}

#[test]
fn a_user_may_be_made_suspended() {
    let mut runtime = populated();
    let name = "grace@demo.example";
    let mut script = runtime.provisioning(name);
    let handle = runtime.handle(name);
    script.document = user_document(name, false);
    let actor = runtime.delegation;
    let script = script.step(EntryType::Suspended, actor, handle);
    runtime.perform(script);
    runtime.close();
    assert_clean(&runtime.audit_with(None, Some(&runtime.shown())));
}

#[test]
fn a_new_vrf_key_moves_every_name_to_another_label() {
    let mut runtime = populated();
    let mut script = Script::new(Details::new(Origin::Runtime))
        .step(EntryType::Rekey, runtime.instance, runtime.admins())
        .key(Key::Vrf);
    for name in [ADA, BOB, CAROL, DORA] {
        let user = runtime.users.get_mut(name).unwrap();
        let old = user.label;
        user.label[0] ^= 0xff;
        let (label, handle) = (user.label, user.handle);
        script = script
            .moves(Move::Release(old))
            .moves(Move::Bind(label, handle));
    }
    runtime.perform(script);
    runtime.close();
    assert_clean(&runtime.audit());
}

#[test]
fn a_large_tenant_adds_up() {
    let mut runtime = populated();
    let keyset = runtime.keyset();
    let names: Vec<String> = (0..2_000)
        .map(|n| format!("user{n}@demo.example"))
        .collect();
    for (name, number) in names.iter().zip(1_u32..) {
        // One key for all: making two thousand is not what is tried here.
        let script = runtime.provisioning_with(name, &keyset);
        runtime.perform(script);
        if number % 64 == 0 {
            runtime.close();
        }
    }
    let members: Vec<&str> = names.iter().map(String::as_str).collect();
    runtime.regroup("Engineers", &members, &[]);
    for name in &members[..64] {
        runtime.depart(name);
    }
    runtime.close();
    let verdict = runtime.audit();
    assert_clean(&verdict);
    let counts = verdict.counts();
    assert_eq!((counts.provisioned, counts.suspended), (1_938, 64));
    assert_eq!((counts.memberships, counts.epochs), (1_939, 66));
}
