//! One lie in each log, and the finding that names it.

use chancery_audit::{ActFault, Breach, Fault, KeyFault, Roster, Verdict};
use chancery_authority::{ActName, Mode, Pilot, Scope};
use chancery_claim::{ClaimProof, Error as ClaimError, SignedBy};
use chancery_directory::{
    Details, Digest, EntryType, Exhibit, Handle, KeySource, Origin, StepError, SubjectState,
    Validity,
};
use chancery_dsse::{Envelope, SigningKey};

use crate::honest::{
    ADA, BOB, CAROL, DORA, approve, assert_clean, change_admins, first_device, held, import,
    intent, populated, windowed,
};
use crate::runtime::{
    DAY_MS, Key, Move, Object_, Runtime, Script, admin, group_document, names, scopes, terms,
    user_document,
};

const EVE: &str = "eve@demo.example";

/// The faults of an audit.
fn faults(verdict: &Verdict) -> Vec<Fault> {
    verdict
        .findings()
        .iter()
        .map(|one| one.fault.clone())
        .collect()
}

/// Closes the batch and asserts that the audit finds exactly this.
#[track_caller]
fn finds(runtime: &mut Runtime, expected: &[Fault]) {
    if runtime.log.batch_entries() > 0 {
        runtime.close();
    }
    assert_eq!(faults(&runtime.audit()), expected);
}

/// The user `EVE` made by an act that `lie` changed; and what is found besides the ghost.
#[track_caller]
fn ghost(mut runtime: Runtime, lie: impl Fn(&mut Script), expected: &[Fault]) {
    let mut script = runtime.provisioning(EVE);
    lie(&mut script);
    runtime.perform(script);
    let user = runtime.handle(EVE);
    let mut all = expected.to_vec();
    all.push(Fault::GhostUser { user });
    finds(&mut runtime, &all);
}

fn outside(breach: Breach) -> Fault {
    Fault::OutsideDelegation(breach)
}

// --- ghost users and acts outside their delegation

#[test]
fn finds_a_ghost_user_behind_a_credential_that_nobody_issued() {
    ghost(
        populated(),
        |script| script.details.credential = Handle([0x99; 32]),
        &[Fault::CredentialUnknown],
    );
}

#[test]
fn finds_a_ghost_user_of_whom_nothing_is_shown() {
    let mut runtime = populated();
    let index = runtime.create(EVE);
    runtime.exhibits.pop();
    runtime.close();
    let user = runtime.handle(EVE);
    let verdict = runtime.audit();
    let found = faults(&verdict);
    assert_eq!(
        found[..2],
        [Fault::ExhibitMissing, Fault::GhostUser { user }]
    );
    assert_eq!(verdict.findings()[0].index, Some(index));
    // Her name leaf stands in no private part either.
    assert_eq!(found[2], Fault::LogBroken(StepError::DirUpdateMismatch));
}

#[test]
fn finds_a_ghost_user_whom_the_identity_provider_does_not_know() {
    let runtime = populated();
    let roster = Roster::new([ADA, BOB, DORA]);
    let verdict = runtime.audit_with(Some(&roster), None);
    let expected = Fault::NotInRoster {
        user_name: CAROL.into(),
    };
    assert_eq!(faults(&verdict), [expected]);
    let sentence = format!("{}", verdict.findings()[0]);
    assert!(sentence.starts_with("ghost user:") && sentence.contains(CAROL));
}

#[test]
fn finds_a_ghost_user_whom_only_the_service_shows() {
    let runtime = populated();
    let mut shown = runtime.shown();
    let user = Handle([0x99; 32]);
    shown.users[0].handle = user;
    let hidden = runtime.handle(ADA);
    assert_eq!(
        faults(&runtime.audit_with(None, Some(&shown))),
        [
            Fault::ShownUserWithoutEntry { user },
            Fault::UserNotShown { user: hidden }
        ]
    );
}

#[test]
fn finds_a_user_made_with_an_expired_credential() {
    let mut runtime = populated();
    runtime.now_ms += 60 * DAY_MS;
    ghost(runtime, |_| {}, &[Fault::CredentialExpired]);
}

#[test]
fn finds_a_user_made_with_a_revoked_credential() {
    let mut runtime = populated();
    let token = runtime.token;
    let signed = runtime.signed(ActName::TokenRevoke, &format!(r#"{{"id":"{token}"}}"#));
    let script = Script::new(Details::new(Origin::Admins))
        .step(EntryType::TokenRevoked, runtime.admins(), token)
        .signed(signed);
    runtime.perform(script);
    ghost(runtime, |_| {}, &[Fault::CredentialRevoked]);
}

#[test]
fn finds_a_user_made_beyond_the_scopes_of_the_credential() {
    let mut runtime = populated();
    runtime.issue_token(scopes(&[Scope::UsersUpdate]), 10);
    ghost(
        runtime,
        |_| {},
        &[Fault::CredentialScope(Scope::UsersCreate)],
    );
}

#[test]
fn finds_a_user_made_beyond_the_scopes_of_the_delegation() {
    let mut runtime = populated();
    let mut next = terms(runtime.tenant, 3);
    next.scopes = scopes(&[Scope::UsersUpdate]);
    let token = runtime.token;
    runtime.delegate(&next);
    runtime.token = token;
    ghost(
        runtime,
        |_| {},
        &[outside(Breach::Scope(Scope::UsersCreate))],
    );
}

#[test]
fn finds_a_user_in_a_domain_that_the_delegation_does_not_include() {
    ghost(
        populated(),
        |script| script.document = user_document("eve@demo.test", true),
        &[outside(Breach::Domain)],
    );
}

#[test]
fn finds_a_user_in_a_domain_that_is_not_the_tenants() {
    ghost(
        populated(),
        |script| script.document = user_document("eve@evil.example", true),
        &[outside(Breach::Domain), Fault::OutsideDomains],
    );
}

#[test]
fn finds_a_user_without_a_domain_where_one_is_wanted() {
    let mut runtime = populated();
    let mut script = runtime.provisioning(EVE);
    let body = br#"{"userName":"eve","active":true}"#;
    let document =
        chancery_scim::UserDocument::parse_create(body, chancery_scim::Catalogue::STANDARD)
            .unwrap();
    script.document = document.to_canonical();
    runtime.perform(script);
    let user = runtime.handle(EVE);
    let expected = [
        outside(Breach::UserNameWithoutDomain),
        Fault::GhostUser { user },
    ];
    finds(&mut runtime, &expected);
}

#[test]
fn finds_a_protected_account_and_one_outside_the_pilot() {
    for (name, breach) in [
        ("ceo@demo.example", Breach::ProtectedAccount),
        ("root@demo.example", Breach::ProtectedAccount),
        (EVE, Breach::Pilot),
    ] {
        let mut runtime = populated();
        if breach == Breach::Pilot {
            let mut next = terms(runtime.tenant, 3);
            next.pilot = Some(Pilot {
                users: names(&[ADA]),
                groups: names(&["Engineers"]),
            });
            let token = runtime.token;
            runtime.delegate(&next);
            runtime.token = token;
        }
        runtime.create(name);
        let user = runtime.handle(name);
        finds(&mut runtime, &[outside(breach), Fault::GhostUser { user }]);
    }
}

#[test]
fn finds_memberships_of_somebody_outside_the_pilot() {
    for (group, user, outside_pilot) in [
        ("Engineers", DORA, true),
        ("Sales", ADA, true),
        ("Engineers", ADA, false),
    ] {
        let mut runtime = populated();
        runtime.create_group("Sales");
        let mut next = terms(runtime.tenant, 3);
        next.pilot = Some(Pilot {
            users: names(&[ADA]),
            groups: names(&["Engineers"]),
        });
        runtime.delegate(&next);
        let joins = user == DORA || group == "Sales";
        if joins {
            runtime.regroup(group, &[user], &[]);
        } else {
            runtime.regroup(group, &[], &[user]);
        }
        let expected = vec![outside(Breach::Pilot); usize::from(outside_pilot)];
        finds(&mut runtime, &expected);
    }
}

#[test]
fn finds_an_act_under_another_delegation_than_its_actor() {
    ghost(
        populated(),
        |script| script.details.delegation = Digest([1; 32]),
        &[Fault::OtherDelegation],
    );
}

#[test]
fn finds_an_act_under_a_delegation_whose_admins_are_gone() {
    let mut runtime = populated();
    change_admins(&mut runtime, &[4, 5, 6]);
    ghost(runtime, |_| {}, &[Fault::DelegationEnded]);
}

#[test]
fn finds_an_act_where_the_delegation_only_plans() {
    let mut runtime = populated();
    let mut plan = terms(runtime.tenant, 3);
    plan.mode = Mode::Plan;
    let token = runtime.token;
    runtime.delegate(&plan);
    runtime.token = token;
    let held = held(&mut runtime, "Finance", &[ADA]);
    // An approval of something else is none of a plan.
    ghost(
        runtime,
        |script| script.details.approval = held,
        &[outside(Breach::OnlyPlans)],
    );
}

#[test]
fn finds_an_approval_that_is_not_there_or_was_used_before() {
    ghost(
        populated(),
        |script| script.details.approval = Handle([1; 32]),
        &[Fault::ApprovalUnknown],
    );
    let mut runtime = populated();
    let held = held(&mut runtime, "Finance", &[ADA, BOB]);
    for user in [ADA, BOB] {
        let details = Details {
            approval: held,
            ..runtime.automation()
        };
        let actor = runtime.delegation;
        let script = runtime
            .regrouping(details, actor, ("Finance", &[user], &[]))
            .document(group_document("Finance"));
        runtime.perform(script);
    }
    finds(&mut runtime, &[Fault::ApprovalSpent]);
}

#[test]
fn finds_changes_of_groups_that_automation_may_not_touch() {
    let cases = [
        ("Finance", Breach::SensitiveGroup),
        ("Board", Breach::ProtectedGroup),
        ("Owners", Breach::ProtectedGroup),
    ];
    for (group, breach) in cases {
        let mut runtime = populated();
        if group != "Finance" {
            runtime.create_group(group);
        }
        runtime.regroup(group, &[ADA], &[]);
        let mut expected = vec![outside(breach.clone()); 2];
        if group == "Finance" {
            expected.truncate(1);
        }
        finds(&mut runtime, &expected);
    }
    let mut runtime = populated();
    let mut next = terms(runtime.tenant, 3);
    next.managed_groups = chancery_authority::ManagedGroups::Listed(names(&["Sales"]));
    let token = runtime.token;
    runtime.delegate(&next);
    runtime.token = token;
    runtime.regroup("Engineers", &[DORA], &[]);
    finds(&mut runtime, &[outside(Breach::UnmanagedGroup)]);
}

#[test]
fn finds_memberships_changed_without_the_scope_for_them() {
    let mut runtime = populated();
    runtime.issue_token(scopes(&[Scope::GroupsManage]), 10);
    runtime.regroup("Engineers", &[DORA], &[]);
    let expected = [Fault::CredentialScope(Scope::GroupsMembership)];
    finds(&mut runtime, &expected);
    // A suspension ends memberships without it.
    let mut runtime = populated();
    runtime.issue_token(scopes(&[Scope::UsersSuspend]), 10);
    runtime.suspend(ADA);
    finds(&mut runtime, &[]);
    // Describing a group takes either of the two scopes.
    let mut runtime = populated();
    runtime.issue_token(scopes(&[Scope::UsersSuspend]), 10);
    let script = Script::new(runtime.automation())
        .step(
            EntryType::ProfileChanged,
            runtime.delegation,
            runtime.group("Engineers"),
        )
        .document(group_document("Engineers"));
    runtime.perform(script);
    finds(&mut runtime, &[Fault::CredentialScope(Scope::GroupsManage)]);
}

#[test]
fn finds_each_act_on_users_without_its_scope() {
    type Deed = fn(&mut Runtime) -> u64;
    let deeds: [(Deed, Scope); 4] = [
        (|runtime| runtime.suspend(DORA), Scope::UsersSuspend),
        (|runtime| runtime.depart(DORA), Scope::UsersDelete),
        (|runtime| runtime.rename(DORA, EVE), Scope::UsersUpdate),
        (|runtime| runtime.create_group("Sales"), Scope::GroupsManage),
    ];
    for (deed, scope) in deeds {
        let mut runtime = populated();
        runtime.issue_token(scopes(&[Scope::UsersRead]), 10);
        deed(&mut runtime);
        finds(&mut runtime, &[Fault::CredentialScope(scope)]);
    }
    let mut runtime = populated();
    runtime.suspend(DORA);
    runtime.issue_token(scopes(&[Scope::UsersRead]), 10);
    runtime.reactivate(DORA);
    finds(&mut runtime, &[Fault::CredentialScope(Scope::UsersSuspend)]);
}

#[test]
fn finds_actors_that_do_not_go_with_what_the_act_rests_on() {
    ghost(
        populated(),
        |script| script.details = Details::new(Origin::Runtime),
        &[Fault::OriginMismatch],
    );
    ghost(
        populated(),
        |script| script.details = Details::new(Origin::Claim),
        &[Fault::OriginMismatch, Fault::OriginMismatch],
    );
    ghost(
        populated(),
        |script| script.evidence = b"{}".to_vec(),
        &[Fault::EvidenceUnexpected],
    );
}

// --- papers and signatures

#[test]
fn finds_delegations_that_were_not_signed_so() {
    let mut runtime = populated();
    let next = terms(runtime.tenant, 3);
    let paper = next.sign(&[&admin(1), &admin(9)]).unwrap();
    runtime.delegate_paper(&next, &paper);
    finds(&mut runtime, &[Fault::DelegationInvalid]);

    let mut runtime = populated();
    let mut longer = terms(runtime.tenant, 3);
    let paper = longer.sign(&[&admin(1), &admin(2)]).unwrap();
    longer.not_after_ms += DAY_MS;
    runtime.delegate_paper(&longer, &paper);
    finds(&mut runtime, &[Fault::ValidityMismatch]);

    let mut runtime = populated();
    let mut again = terms(runtime.tenant, 1);
    again.not_after_ms += DAY_MS;
    runtime.delegate(&again);
    finds(&mut runtime, &[Fault::DelegationSerial]);
}

#[test]
fn finds_an_act_after_the_end_that_was_signed() {
    let mut runtime = populated();
    let mut longer = terms(runtime.tenant, 3);
    longer.not_after_ms = runtime.now_ms + DAY_MS;
    let paper = longer.sign(&[&admin(1), &admin(2)]).unwrap();
    longer.not_after_ms += DAY_MS;
    runtime.delegate_paper(&longer, &paper);
    runtime.now_ms += DAY_MS;
    runtime.create(EVE);
    let user = runtime.handle(EVE);
    let expected = [
        Fault::ValidityMismatch,
        outside(Breach::Time),
        Fault::GhostUser { user },
    ];
    finds(&mut runtime, &expected);
}

#[test]
fn finds_a_credential_beyond_its_delegation() {
    let mut runtime = populated();
    runtime.issue_token(scopes(&[Scope::UsersCreate]), 91);
    finds(&mut runtime, &[Fault::CredentialTerms]);
    let mut runtime = populated();
    let mut next = terms(runtime.tenant, 3);
    next.scopes = scopes(&[Scope::UsersUpdate]);
    runtime.delegate(&next);
    runtime.issue_token(scopes(&[Scope::UsersCreate]), 10);
    finds(&mut runtime, &[Fault::CredentialTerms]);
}

#[test]
fn finds_a_genesis_that_is_not_the_tenants() {
    let runtime = Runtime::new();
    let mut audit = chancery_audit::Audit::new(chancery_audit::Audited {
        deployment: [0; 32],
        tenant: runtime.tenant,
    });
    runtime
        .exhibits
        .iter()
        .for_each(|one| audit.exhibit(one.clone()));
    runtime.leaves.iter().for_each(|leaf| audit.leaf(leaf));
    let found = faults(&audit.finish(&runtime.head(), None, None));
    assert_eq!(found[0], Fault::GenesisInvalid);
    assert!(found.contains(&Fault::SignedAct(ActFault::Foreign)));
}

#[test]
fn finds_a_change_of_admins_that_those_in_force_did_not_sign() {
    let mut runtime = populated();
    change_admins(&mut runtime, &[4, 5, 6]);
    let change = chancery_authority::AdminChange {
        tenant: chancery_authority::TenantId::from_bytes(runtime.tenant.0),
        serial: 2,
        admins: crate::runtime::admin_set(&[1, 7], 1),
    };
    // The old admins, who have no say any more, take the tenant back.
    let paper = change.sign(&[&admin(1), &admin(2), &admin(7)]).unwrap();
    let signed = runtime.signed(ActName::AdminsPut, "{}");
    let script = Script::new(Details::new(Origin::Admins))
        .step(EntryType::PolicyChanged, runtime.admins(), runtime.admins())
        .object(Object_::Document)
        .document(paper.to_json())
        .signed(signed);
    runtime.perform(script);
    let expected = [
        Fault::AdminChangeInvalid,
        Fault::SignedAct(ActFault::Admins),
    ];
    finds(&mut runtime, &expected);
}

/// An admins' suspension of `ADA` by this signed act, and what is found.
#[track_caller]
fn suspension(
    mut runtime: Runtime,
    (evidence, request): (Vec<u8>, Vec<u8>),
    expected: &[ActFault],
) {
    let admins = runtime.admins();
    let script = runtime
        .leaving(Details::new(Origin::Admins), admins, ADA)
        .signed((evidence, request));
    runtime.perform(script);
    let expected: Vec<Fault> = expected.iter().cloned().map(Fault::SignedAct).collect();
    finds(&mut runtime, &expected);
}

#[test]
fn finds_acts_that_admins_did_not_sign_so() {
    let body = format!(r#"{{"user":"{ADA}"}}"#);
    let mut runtime = populated();
    let signed = runtime.signed_by(ActName::UserSuspend, &body, &[&admin(1)]);
    suspension(runtime, signed, &[ActFault::Admins]);

    suspension(
        populated(),
        (b"{}".to_vec(), Vec::new()),
        &[ActFault::Malformed],
    );

    let mut runtime = populated();
    let signed = runtime.signed(ActName::UserRestore, &body);
    let kind = EntryType::Suspended;
    let act = ActName::UserRestore;
    suspension(runtime, signed, &[ActFault::OtherAct { act, kind }]);

    let mut runtime = populated();
    let signed = runtime.signed(ActName::UserSuspend, &format!(r#"{{"user":"{BOB}"}}"#));
    suspension(runtime, signed, &[ActFault::OtherSubject]);

    let mut runtime = populated();
    let mut signed = runtime.signed(ActName::UserSuspend, &format!(r#"{{"user":"{BOB}"}}"#));
    signed.1 = body.clone().into_bytes();
    suspension(runtime, signed, &[ActFault::OtherRequest]);

    let mut runtime = populated();
    let signed = runtime.signed(ActName::UserSuspend, &body);
    runtime.now_ms += 120_001;
    suspension(runtime, signed, &[ActFault::Stale]);

    // The id that a claim told names another user.
    let mut runtime = populated();
    let other = format!(r#"{{"user":"{}"}}"#, runtime.users[BOB].id);
    let signed = runtime.signed(ActName::UserSuspend, &other);
    suspension(runtime, signed, &[ActFault::OtherSubject]);
}

#[test]
fn finds_a_sequence_number_that_was_used_before() {
    use chancery_authority::{Act, DeploymentId, TenantId};
    let runtime = populated();
    let body = format!(r#"{{"user":"{ADA}"}}"#);
    let act = Act {
        deployment: DeploymentId::from_bytes(crate::runtime::DEPLOYMENT),
        tenant: TenantId::from_bytes(runtime.tenant.0),
        act: ActName::UserSuspend,
        sequence: 1,
        expires_ms: runtime.now_ms + 60_000,
        body_sha256: chancery_digest(body.as_bytes()),
        exporter: [2; 32],
    };
    let signed = act.sign(&[&admin(1), &admin(2)]).unwrap().to_json();
    suspension(runtime, (signed, body.into_bytes()), &[ActFault::Replayed]);
}

fn chancery_digest(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

#[test]
fn finds_admins_who_add_members_without_a_window() {
    let mut runtime = populated();
    let body = format!(r#"{{"group":"Engineers","user":"{DORA}"}}"#);
    let signed = runtime.signed(ActName::GroupAdd, &body);
    let admins = runtime.admins();
    let script = runtime
        .regrouping(
            Details::new(Origin::Admins),
            admins,
            ("Engineers", &[DORA], &[]),
        )
        .signed(signed);
    runtime.perform(script);
    finds(&mut runtime, &[Fault::AdminsAdded]);
}

#[test]
fn finds_a_group_that_the_signed_request_does_not_name() {
    let mut runtime = populated();
    let body = format!(r#"{{"group":"Finance","user":"{DORA}"}}"#);
    let (mut script, window) = windowed(&mut runtime, ActName::GroupAdd, &body);
    script.details.groups = vec![runtime.regrouped("Engineers", &[DORA], &[])];
    let (handle, admins) = (runtime.group("Engineers"), runtime.admins());
    let script = script
        .step(EntryType::GroupMemberChanged, window, handle)
        .step(EntryType::BreakGlassClosed, admins, window);
    runtime.perform(script);
    finds(&mut runtime, &[Fault::SignedAct(ActFault::OtherSubject)]);
}

#[test]
fn finds_a_credential_and_a_paper_that_the_signed_request_does_not_name() {
    let mut runtime = populated();
    let token = runtime.token;
    let signed = runtime.signed(
        ActName::TokenRevoke,
        &format!(r#"{{"id":"{}"}}"#, Handle([1; 32])),
    );
    let script = Script::new(Details::new(Origin::Admins))
        .step(EntryType::TokenRevoked, runtime.admins(), token)
        .signed(signed);
    runtime.perform(script);
    finds(&mut runtime, &[Fault::SignedAct(ActFault::OtherSubject)]);

    let mut runtime = populated();
    let terms = terms(runtime.tenant, 3);
    runtime.delegate(&terms);
    let exhibit = runtime.exhibits.pop().unwrap();
    runtime.close();
    let mut other = exhibit.clone();
    other.request = br#"{"delegation":{}}"#.to_vec();
    runtime.exhibits.push(other);
    let found = faults(&runtime.audit());
    let of = |fault| Fault::SignedAct(fault);
    assert_eq!(
        found,
        [of(ActFault::OtherRequest), of(ActFault::OtherSubject)]
    );
}

#[test]
fn finds_approvals_of_what_had_not_waited_and_changes_that_were_not_approved() {
    // A held change that nobody asked for.
    let mut runtime = populated();
    approve(&mut runtime, ActName::ActApprove, r#"{"held":"00"}"#);
    finds(&mut runtime, &[Fault::ApprovalOther]);
    // A plan of other intents.
    let mut runtime = populated();
    intent(&mut runtime, r#"{"create":"finn"}"#);
    let body = format!(r#"{{"hash":"{}","unmatched":"keep"}}"#, "00".repeat(32));
    approve(&mut runtime, ActName::PlanApply, &body);
    finds(&mut runtime, &[Fault::ApprovalOther]);
    // Somebody else joins than the admins approved.
    let mut runtime = populated();
    let approval = held(&mut runtime, "Finance", &[ADA]);
    let details = Details {
        approval,
        ..runtime.automation()
    };
    let actor = runtime.delegation;
    let script = runtime
        .regrouping(details, actor, ("Finance", &[BOB], &[]))
        .document(group_document("Finance"));
    runtime.perform(script);
    finds(&mut runtime, &[Fault::ApprovalOther]);
}

#[test]
fn finds_a_credential_used_after_another_has_replaced_it() {
    let mut runtime = populated();
    let old = runtime.token;
    let until_ms = runtime.now_ms + DAY_MS;
    let more = format!(r#","replaces":"{old}","replaced_until_ms":{until_ms}"#);
    runtime.issue_token_with(chancery_authority::ScopeSet::all(), 10, &more);
    runtime.token = old;
    runtime.now_ms = until_ms - 1;
    runtime.create("finn@demo.example");
    finds(&mut runtime, &[]);
    runtime.now_ms += 1;
    ghost(runtime, |_| {}, &[Fault::CredentialExpired]);
}

#[test]
fn finds_an_oauth_client_that_is_known_otherwise_than_admins_signed() {
    let jwk = populated().jwk();
    let print = jwk.thumbprint();
    let keys = format!(r#"{{"client":{{"keys":[{}]}}}}"#, jwk.canonical());
    let rotated = format!(r#"{{"id":"{print}"}}"#);
    let listed = format!(r#","client":["{print}"]"#);
    let two = format!(r#","client":["{print}","{print}"]"#);
    let (secret, word) = (r#"{"client":"secret"}"#, r#","client":"secret""#);
    let (issue, rotate) = (ActName::TokenIssue, ActName::TokenRotate);
    for (name, request, more, is_found) in [
        (issue, secret, word, false),
        (issue, &keys, &listed, false),
        (rotate, &rotated, &listed, false),
        (issue, secret, "", true),
        (issue, "{}", word, true),
        (issue, "{}", &listed, true),
        (issue, secret, &listed, true),
        (issue, &keys, word, true),
        (issue, &keys, &two, true),
        (issue, r#"{"client":{"keys":[]}}"#, &listed, true),
        (issue, r#"{"client":{"keys":1}}"#, &listed, true),
    ] {
        let mut runtime = populated();
        let asked = (name, request);
        runtime.issue_token_asked(asked, chancery_authority::ScopeSet::all(), 10, more);
        let lie = Fault::SignedAct(ActFault::OtherSubject);
        let expected = if is_found { vec![lie] } else { Vec::new() };
        finds(&mut runtime, &expected);
    }
}

#[test]
fn finds_a_first_device_that_the_imported_key_did_not_ask_for() {
    let finn = "finn@demo.example";
    let mut runtime = populated();
    import(&mut runtime, finn);
    let mut script = first_device(&mut runtime, finn);
    script.document = Runtime::device_list(&[&runtime.keyset()]);
    runtime.perform(script);
    finds(&mut runtime, &[Fault::DeviceUnbound]);

    let mut runtime = populated();
    import(&mut runtime, finn);
    let (request, _, device) = runtime.claim_request(finn);
    let proof = runtime.id_token(&request, "ext-finn");
    let evidence = runtime.evidence(finn, request, proof).to_bytes();
    let mut script = first_device(&mut runtime, finn);
    script.document = Runtime::device_list(&[&device]);
    script.evidence = evidence;
    runtime.perform(script);
    finds(&mut runtime, &[Fault::DeviceUnbound]);
}

#[test]
fn finds_a_member_act_that_no_device_of_the_member_signed() {
    let mut runtime = populated();
    let mut script = runtime.rotating(ADA);
    let stranger = SigningKey::from_seed([0x55; 32]);
    let request = String::from_utf8(script.request.clone()).unwrap();
    script.evidence = runtime
        .signed_by(ActName::KeysetRotate, &request, &[&stranger])
        .0;
    runtime.perform(script);
    finds(&mut runtime, &[Fault::SignedAct(ActFault::Device)]);
}

// --- swapped keys

#[track_caller]
fn swapped(mut runtime: Runtime, name: &str, script: Script, why: KeyFault) {
    runtime.perform(script);
    let user = runtime.handle(name);
    finds(&mut runtime, &[Fault::SwappedKey { user, why }]);
}

#[test]
fn finds_a_key_that_the_evidence_is_not_for() {
    let mut runtime = populated();
    let (request, account, device) = runtime.claim_request(CAROL);
    let proof = runtime.id_token(&request, "ext-carol");
    let evidence = runtime.evidence(CAROL, request, proof).to_bytes();
    let handle = runtime.handle(CAROL);
    drop(account);
    let other = runtime.keyset();
    let script = runtime
        .confirming(CAROL, (Origin::Claim, handle), other, Some(device))
        .signed((evidence, Vec::new()));
    swapped(runtime, CAROL, script, KeyFault::OtherKey);
}

/// A claim of `CAROL` whose request, proof or signature `lie` changed.
#[track_caller]
fn claim_lie(
    lie: impl Fn(&mut Runtime, &mut chancery_claim::ClaimRequest) -> ClaimProof,
    why: KeyFault,
) {
    let mut runtime = populated();
    let (mut request, account, device) = runtime.claim_request(CAROL);
    let proof = lie(&mut runtime, &mut request);
    let evidence = runtime.evidence(CAROL, request, proof).to_bytes();
    let handle = runtime.handle(CAROL);
    let script = runtime
        .confirming(CAROL, (Origin::Claim, handle), account, Some(device))
        .signed((evidence, Vec::new()));
    swapped(runtime, CAROL, script, why);
}

#[test]
fn finds_claims_whose_token_does_not_bind_the_key() {
    // The token of another person.
    claim_lie(
        |runtime, request| runtime.id_token(request, "ext-eve"),
        KeyFault::OtherPerson,
    );
    // A token for other keys: its nonce is another one.
    claim_lie(
        |runtime, _| {
            let (other, _, _) = runtime.claim_request(CAROL);
            runtime.id_token(&other, "ext-carol")
        },
        KeyFault::Claim(ClaimError::OtherNonce),
    );
    // An issuer key that was never logged.
    claim_lie(
        |runtime, request| {
            runtime.issuer = SigningKey::from_seed([0x78; 32]);
            runtime.id_token(request, "ext-carol")
        },
        KeyFault::IssuerKey,
    );
    // A claim statement that the new key did not sign.
    claim_lie(
        |runtime, request| {
            let proof = runtime.id_token(request, "ext-carol");
            request.signature[0] ^= 1;
            proof
        },
        KeyFault::Claim(ClaimError::Signature(SignedBy::Account)),
    );
}

#[test]
fn finds_an_issuer_key_that_counts_before_its_time() {
    let other = || {
        let mut runtime = populated();
        runtime.issuer = SigningKey::from_seed([0x78; 32]);
        runtime
    };
    let mut runtime = other();
    runtime.see_issuer_key(runtime.now_ms);
    finds(&mut runtime, &[Fault::IssuerKeyHastened]);
    // One that waits, and is used at once.
    let mut runtime = other();
    runtime.see_issuer_key(runtime.now_ms + DAY_MS);
    let user = runtime.handle(CAROL);
    runtime.claim(CAROL);
    let why = KeyFault::IssuerKey;
    finds(&mut runtime, &[Fault::SwappedKey { user, why }]);
    // One that has waited, and one whose time the runtime then moves forward.
    let mut runtime = other();
    runtime.see_issuer_key(runtime.now_ms + DAY_MS);
    runtime.see_issuer_key(runtime.now_ms + DAY_MS - 1);
    runtime.now_ms += DAY_MS;
    runtime.claim(CAROL);
    finds(&mut runtime, &[Fault::IssuerKeyHastened]);
}

#[test]
fn finds_a_claim_by_token_where_the_tenant_has_no_provider() {
    let mut runtime = Runtime::without_provider();
    runtime.create(CAROL);
    runtime.claim(CAROL);
    let user = runtime.handle(CAROL);
    let why = KeyFault::NoProvider;
    finds(&mut runtime, &[Fault::SwappedKey { user, why }]);
}

#[test]
fn finds_a_claim_that_the_pending_key_did_not_sign() {
    let mut runtime = populated();
    let (request, account, device) = runtime.claim_request(CAROL);
    let proof = runtime.id_token(&request, "ext-carol");
    // Dora's pending key signs for Carol.
    let evidence = runtime.evidence(DORA, request, proof).to_bytes();
    let handle = runtime.handle(CAROL);
    let script = runtime
        .confirming(CAROL, (Origin::Claim, handle), account, Some(device))
        .signed((evidence, Vec::new()));
    let why = KeyFault::Claim(ClaimError::Signature(SignedBy::Pending));
    swapped(runtime, CAROL, script, why);
}

#[test]
fn finds_a_confirmed_key_without_any_evidence() {
    let mut runtime = populated();
    let (account, handle) = (runtime.keyset(), runtime.handle(CAROL));
    let device = runtime.keyset().signing_key();
    let signed = runtime.signed_by(ActName::KeysetRotate, "{}", &[&device]);
    let script = runtime
        .confirming(CAROL, (Origin::Member, handle), account, None)
        .signed(signed);
    runtime.perform(script);
    let expected = [
        Fault::SignedAct(ActFault::Device),
        Fault::SwappedKey {
            user: handle,
            why: KeyFault::NoEvidence,
        },
    ];
    finds(&mut runtime, &expected);
}

#[test]
fn finds_a_claim_of_another_account_than_before() {
    let mut runtime = populated();
    // Ada claimed once; her address changes, and somebody claims by another id.
    runtime.rename(ADA, EVE);
    let id = runtime.users[DORA].id;
    runtime.users.get_mut(EVE).unwrap().id = id;
    let (request, account, device) = runtime.claim_request(EVE);
    let proof = runtime.id_token(&request, "ext-eve");
    let evidence = runtime.evidence(EVE, request, proof).to_bytes();
    let handle = runtime.handle(EVE);
    let script = runtime
        .confirming(EVE, (Origin::Claim, handle), account, Some(device))
        .signed((evidence, Vec::new()));
    swapped(runtime, EVE, script, KeyFault::OtherClaim);
}

#[test]
fn finds_confirmations_that_admins_did_not_give() {
    let confirmed = |body: &str, act: ActName, keys: &[&SigningKey], expected: &[Fault]| {
        let mut runtime = populated();
        let (request, account, device) = runtime.claim_request(CAROL);
        let (paper, body) = runtime.signed_by(act, body, keys);
        let act = Envelope::parse(&paper).unwrap();
        let proof = ClaimProof::Confirmation { act, body };
        let evidence = runtime.evidence(CAROL, request, proof).to_bytes();
        let admins = runtime.admins();
        let script = runtime
            .confirming(
                CAROL,
                (Origin::ConfirmedClaim, admins),
                account,
                Some(device),
            )
            .signed((evidence, Vec::new()));
        runtime.perform(script);
        finds(&mut runtime, expected);
    };
    let (one, two) = (admin(1), admin(2));
    let both = [&one, &two];
    let body = format!(r#"{{"user":"{CAROL}","code":"0000-0000"}}"#);
    confirmed(&body, ActName::ClaimConfirm, &both, &[]);
    confirmed(
        &body,
        ActName::ClaimConfirm,
        &[&one],
        &[Fault::SignedAct(ActFault::Admins)],
    );
    let kind = EntryType::KeyConfirmed;
    let act = ActName::UserRestore;
    confirmed(
        &body,
        act,
        &both,
        &[Fault::SignedAct(ActFault::OtherAct { act, kind })],
    );
    let other = format!(r#"{{"user":"{DORA}","code":"0000-0000"}}"#);
    confirmed(
        &other,
        ActName::ClaimConfirm,
        &both,
        &[Fault::SignedAct(ActFault::OtherSubject)],
    );
}

#[test]
fn finds_a_rotation_that_the_old_key_did_not_sign_or_for_another_key() {
    let mut runtime = populated();
    let mut script = runtime.rotating(ADA);
    let again = runtime.rotating(ADA);
    // The signatures of a second rotation, from a key that is not Ada's yet.
    script.request = again.request;
    script.evidence = again.evidence;
    swapped(runtime, ADA, script, KeyFault::OtherKey);

    let mut runtime = populated();
    let mut script = runtime.rotating(ADA);
    let text = String::from_utf8(script.request.clone()).unwrap();
    let (head, tail) = text.split_once("\"old_signature\":\"").unwrap();
    let rest: String = tail.chars().skip(4).collect();
    let changed = format!("{head}\"old_signature\":\"AAAA{rest}");
    let device = runtime.users[ADA].device.as_ref().unwrap().signing_key();
    let signed = runtime.signed_by(ActName::KeysetRotate, &changed, &[&device]);
    (script.evidence, script.request) = signed;
    swapped(runtime, ADA, script, KeyFault::Succession);

    let mut runtime = populated();
    let mut script = runtime.rotating(ADA);
    script.request = Vec::new();
    swapped(runtime, ADA, script, KeyFault::NoEvidence);
}

#[test]
fn finds_a_key_that_the_runtime_replaced_by_itself() {
    let mut runtime = populated();
    let handle = runtime.handle(ADA);
    let keyset = runtime.keyset();
    let record = runtime.record(handle, 3, &keyset);
    let script = Script::new(Details::new(Origin::Runtime))
        .step(EntryType::KeyRotated, runtime.instance, handle)
        .key(Key::Record(record));
    runtime.perform(script);
    finds(&mut runtime, &[Fault::KeyReplacedUnasked { user: handle }]);
}

#[test]
fn finds_key_records_that_are_not_what_the_entry_commits_to() {
    let mut runtime = populated();
    let (_, exhibit) = (runtime.create(EVE), runtime.exhibits.len() - 1);
    let ghost_free = runtime.exhibits.clone();
    runtime.close();
    runtime.exhibits[exhibit].records[0][60] ^= 1;
    finds(&mut runtime, &[Fault::KeyMismatch]);
    runtime.exhibits = ghost_free.clone();
    runtime.exhibits[exhibit].records[0] = vec![1, 2, 3];
    finds(&mut runtime, &[Fault::KeyMismatch]);
    runtime.exhibits = ghost_free.clone();
    runtime.exhibits[exhibit].records.clear();
    finds(&mut runtime, &[Fault::RecordsCount]);
    runtime.exhibits = ghost_free;
    runtime.exhibits[exhibit].records.push(vec![1]);
    finds(&mut runtime, &[Fault::RecordsCount]);
}

#[test]
fn finds_key_records_of_another_tenant_subject_version_or_source() {
    type Lie = fn(&mut chancery_directory::KeyRecord);
    let lies: [Lie; 4] = [
        |record| record.tenant.0[0] ^= 1,
        |record| record.handle.0[0] ^= 1,
        |record| record.key_version = 7,
        |record| record.source = KeySource::UserDevice,
    ];
    for lie in lies {
        let mut runtime = populated();
        let mut script = runtime.provisioning(EVE);
        if let Key::Record(record) = &mut script.steps[0].key {
            lie(record);
        }
        runtime.perform(script);
        finds(&mut runtime, &[Fault::KeyForeign]);
    }
}

#[test]
fn finds_a_vrf_key_that_genesis_does_not_commit_to() {
    let mut runtime = Runtime::new();
    runtime.exhibits[0].records[0][0] ^= 1;
    finds(&mut runtime, &[Fault::VrfMismatch]);
}

#[test]
fn finds_an_imported_key_that_the_list_does_not_have() {
    let mut runtime = populated();
    import(&mut runtime, EVE);
    let at = runtime.exhibits.len() - 2;
    runtime.close();
    assert_clean(&runtime.audit());
    runtime.exhibits[at].request = br#"{"members":[]}"#.to_vec();
    let user = runtime.handle(EVE);
    let found = faults(&runtime.audit());
    assert!(found.contains(&Fault::SignedAct(ActFault::OtherRequest)));
    assert!(found.contains(&Fault::SwappedKey {
        user,
        why: KeyFault::OtherKey
    }));
}

#[test]
fn finds_a_device_list_with_a_wrong_fingerprint() {
    let mut runtime = populated();
    let device = runtime.keyset();
    let document = Runtime::device_list(&[&device]);
    let id = hex::encode(device.public().fingerprint().as_bytes());
    let text = String::from_utf8(document).unwrap();
    let text = text.replace(&id, &"00".repeat(32));
    let signed = runtime.signed(ActName::DeviceRevoke, &format!(r#"{{"user":"{ADA}"}}"#));
    let script = Script::new(Details::new(Origin::Admins))
        .step(
            EntryType::DeviceChanged,
            runtime.admins(),
            runtime.handle(ADA),
        )
        .object(Object_::Document)
        .document(text)
        .signed(signed);
    runtime.perform(script);
    finds(&mut runtime, &[Fault::DeviceMismatch]);
}

// --- groups

#[test]
fn finds_a_membership_without_entry_in_the_member_root() {
    let mut runtime = populated();
    // Dora stands in the set that the log commits to, and no act put her there.
    let (group, dora) = (runtime.group("Engineers"), runtime.handle(DORA));
    runtime.members.get_mut(&group).unwrap().insert(dora);
    let details = Details {
        groups: Vec::new(),
        ..runtime.automation()
    };
    let script = Script::new(details)
        .step(EntryType::GroupMemberChanged, runtime.delegation, group)
        .document(group_document("Engineers"));
    runtime.perform(script);
    finds(&mut runtime, &[Fault::MembersMismatch { group }]);
}

#[test]
fn finds_a_membership_without_entry_in_what_the_service_shows() {
    let runtime = populated();
    let mut shown = runtime.shown();
    let (group, member) = (runtime.group("Engineers"), runtime.handle(DORA));
    let hidden = runtime.handle(ADA);
    let at = shown
        .groups
        .iter()
        .position(|one| one.handle == group)
        .unwrap();
    shown.groups[at].members.push(member);
    shown.groups[at].members.retain(|one| *one != hidden);
    let verdict = runtime.audit_with(None, Some(&shown));
    assert_eq!(
        faults(&verdict),
        [
            Fault::ShownMemberWithoutEntry { group, member },
            Fault::MemberNotShown {
                group,
                member: hidden
            }
        ]
    );
    let sentence = format!("{}", verdict.findings()[0]);
    assert!(
        sentence.starts_with("membership without entry:"),
        "{sentence}"
    );
}

#[test]
fn finds_members_who_changed_without_an_entry_or_could_not_change() {
    let mut runtime = populated();
    let group = runtime.group("Engineers");
    let dora = runtime.handle(DORA);
    let mut script = Script::new(runtime.automation())
        .step(EntryType::ProfileChanged, runtime.delegation, group)
        .document(group_document("Engineers"));
    script.details.groups = vec![chancery_directory::GroupDelta {
        group,
        added: vec![dora],
        removed: Vec::new(),
    }];
    runtime.perform(script);
    finds(&mut runtime, &[Fault::DeltaWithoutEntry { group }]);

    // A member who joins again, somebody who left who was none, a suspended user.
    let mut runtime = populated();
    runtime.regroup("Engineers", &[ADA], &[]);
    finds(&mut runtime, &[Fault::DeltaImpossible { group }]);
    let mut runtime = populated();
    runtime.regroup("Engineers", &[], &[DORA]);
    finds(&mut runtime, &[Fault::DeltaImpossible { group }]);
    let mut runtime = populated();
    runtime.suspend(DORA);
    runtime.regroup("Engineers", &[DORA], &[]);
    finds(&mut runtime, &[Fault::DeltaImpossible { group }]);
}

#[test]
fn finds_a_group_that_kept_its_key_and_a_user_who_kept_a_membership() {
    let mut runtime = populated();
    let (details, actor) = (runtime.automation(), runtime.delegation);
    let mut script = runtime.regrouping(details, actor, ("Engineers", &[], &[ADA]));
    script.steps.pop();
    runtime.perform(script);
    let group = runtime.group("Engineers");
    finds(&mut runtime, &[Fault::EpochMissing { group }]);

    let mut runtime = populated();
    let user = runtime.handle(ADA);
    let script = Script::new(runtime.automation())
        .step(EntryType::Suspended, runtime.delegation, user)
        .document(user_document(ADA, false));
    runtime.perform(script);
    finds(&mut runtime, &[Fault::MembershipKept { user }]);
}

// --- names

#[test]
fn finds_a_name_that_is_bound_to_nobody_of_the_act() {
    let mut runtime = populated();
    let mut script = runtime.provisioning(EVE);
    let dora = runtime.handle(DORA);
    script.names = vec![Move::Bind(runtime.label(EVE), dora)];
    runtime.perform(script);
    finds(&mut runtime, &[Fault::NameMismatch, Fault::NameMissing]);
}

#[test]
fn finds_a_user_without_a_name_and_one_with_anothers() {
    let mut runtime = populated();
    let mut script = runtime.provisioning(EVE);
    script.names.clear();
    runtime.perform(script);
    finds(&mut runtime, &[Fault::NameMissing]);
    // Two subjects of one name, at two labels.
    let mut runtime = populated();
    let mut script = runtime.provisioning(EVE);
    script.document = user_document(ADA, true);
    runtime.perform(script);
    finds(&mut runtime, &[Fault::NameTaken, Fault::LabelMoved]);
}

#[test]
fn finds_a_name_at_another_label_than_before() {
    let mut runtime = populated();
    runtime.depart(DORA);
    let mut script = runtime.provisioning(DORA);
    let handle = runtime.handle(DORA);
    script.names = vec![Move::Bind([0x66; 32], handle)];
    runtime.perform(script);
    finds(&mut runtime, &[Fault::LabelMoved]);
}

#[test]
fn finds_a_document_that_names_a_user_differently_than_the_log() {
    let mut runtime = populated();
    let script = Script::new(runtime.automation())
        .step(
            EntryType::ProfileChanged,
            runtime.delegation,
            runtime.handle(DORA),
        )
        .document(user_document(EVE, true));
    runtime.perform(script);
    finds(&mut runtime, &[Fault::NameMissing]);
}

#[test]
fn finds_a_name_that_an_act_about_somebody_else_releases_and_one_bound_twice() {
    let mut runtime = populated();
    let label = runtime.users[DORA].label;
    let script = Script::new(runtime.automation())
        .step(
            EntryType::NameChanged,
            runtime.delegation,
            runtime.handle(ADA),
        )
        .document(user_document(ADA, true))
        .moves(Move::Release(label));
    runtime.perform(script);
    finds(&mut runtime, &[Fault::NameMismatch]);

    let mut runtime = populated();
    let exhibit = runtime
        .exhibits
        .iter()
        .position(|one| !one.names.is_empty());
    let names = &mut runtime.exhibits[exhibit.unwrap()].names;
    names.push(names[0]);
    finds(&mut runtime, &[Fault::NameTaken]);

    let mut runtime = populated();
    let exhibit = runtime
        .exhibits
        .iter()
        .position(|one| !one.names.is_empty());
    let names = &mut runtime.exhibits[exhibit.unwrap()].names;
    let stray = chancery_directory::NameMove {
        label: [0x67; 32],
        value: None,
    };
    names.push(stray);
    finds(&mut runtime, &[Fault::NameMismatch]);
}

// --- private parts

#[test]
fn finds_a_changed_document_evidence_detail_and_authorisation() {
    let whole = || {
        let mut runtime = populated();
        runtime.create(EVE);
        runtime.close();
        let at = runtime.exhibits.len() - 1;
        (runtime, at)
    };
    let (mut runtime, at) = whole();
    let user = runtime.handle(EVE);
    let ghost = Fault::GhostUser { user };
    let document = &mut runtime.exhibits[at].document;
    *document = String::from_utf8(document.clone())
        .unwrap()
        .replace("ext-eve", "ext-bob")
        .into_bytes();
    finds(&mut runtime, &[Fault::DocumentMismatch, ghost.clone()]);

    let (mut runtime, at) = whole();
    runtime.exhibits[at].document = b"no document".to_vec();
    let found = faults(&{ runtime.audit() });
    assert_eq!(
        found[..3],
        [
            Fault::DocumentMismatch,
            Fault::DocumentMalformed,
            ghost.clone()
        ]
    );

    let (mut runtime, at) = whole();
    runtime.exhibits[at].evidence = b"{}".to_vec();
    let expected = [
        Fault::EvidenceMismatch,
        Fault::EvidenceUnexpected,
        ghost.clone(),
    ];
    finds(&mut runtime, &expected);

    let (mut runtime, at) = whole();
    let mut details = Details::decode(&runtime.exhibits[at].body).unwrap();
    details.approval = Handle([1; 32]);
    runtime.exhibits[at].body = details.encode().unwrap();
    let expected = [
        Fault::DetailsMismatch,
        Fault::ApprovalUnknown,
        ghost.clone(),
    ];
    finds(&mut runtime, &expected);

    let (mut runtime, at) = whole();
    details.approval = Handle::ZERO;
    details.credential = Handle([1; 32]);
    runtime.exhibits[at].body = details.encode().unwrap();
    let expected = [
        Fault::DetailsMismatch,
        Fault::AuthorizationMismatch,
        Fault::CredentialUnknown,
        ghost.clone(),
    ];
    finds(&mut runtime, &expected);

    let (mut runtime, at) = whole();
    runtime.exhibits[at].body.pop();
    let found = faults(&runtime.audit());
    assert!(matches!(found[0], Fault::DetailsMalformed(_)));
    assert_eq!(found[1], ghost);
}

#[test]
fn finds_an_object_that_is_not_the_document_and_documents_that_are_missing() {
    let mut runtime = populated();
    let signed = runtime.signed(ActName::ActApprove, "{}");
    let script = Script::new(Details::new(Origin::Admins))
        .step(
            EntryType::ApprovalGiven,
            runtime.admins(),
            Handle([0x31; 32]),
        )
        .object(Object_::Clear(Digest([1; 32])))
        .document("{}")
        .signed(signed);
    runtime.perform(script);
    finds(&mut runtime, &[Fault::ObjectMismatch]);

    let mut runtime = populated();
    let signed = runtime.signed(ActName::ActApprove, "{}");
    let script = Script::new(Details::new(Origin::Admins))
        .step(
            EntryType::ApprovalGiven,
            runtime.admins(),
            Handle([0x31; 32]),
        )
        .object(Object_::Document)
        .signed(signed);
    runtime.perform(script);
    finds(&mut runtime, &[Fault::DocumentMissing]);

    ghost_without_document();
}

fn ghost_without_document() {
    let mut runtime = populated();
    let mut script = runtime.provisioning(EVE);
    script.document = Vec::new();
    runtime.perform(script);
    finds(&mut runtime, &[Fault::DocumentMissing]);
}

#[test]
fn finds_a_private_part_that_is_withheld_without_an_erasure() {
    let mut runtime = populated();
    runtime.create(EVE);
    runtime.close();
    let handle = runtime.handle(EVE);
    runtime.withhold(&handle);
    finds(&mut runtime, &[Fault::WithheldWithoutErasure]);
}

#[test]
fn finds_private_parts_too_many_and_acts_that_are_cut() {
    let mut runtime = populated();
    let stray = Exhibit::withheld(10_000, 1, Vec::new());
    runtime.exhibits.push(stray);
    finds(&mut runtime, &[Fault::ExhibitUnexpected]);

    let mut runtime = populated();
    runtime.exhibits.last_mut().unwrap().entries += 1;
    let found = faults(&runtime.audit());
    assert_eq!(found[0], Fault::ActCut);
}

#[test]
fn finds_an_erasure_before_the_retention_ends() {
    let mut runtime = populated();
    runtime.depart(DORA);
    runtime.now_ms += 30 * DAY_MS - 1;
    runtime.erase(DORA);
    finds(&mut runtime, &[Fault::ErasedTooEarly]);
    // One that was never deleted is not erased by a timer at all.
    let mut runtime = populated();
    runtime.suspend(DORA);
    runtime.now_ms += 59 * DAY_MS;
    let handle = runtime.handle(DORA);
    let label = runtime.users[DORA].label;
    let script = Script::new(Details::new(Origin::Runtime))
        .step(EntryType::Erased, runtime.instance, handle)
        .moves(Move::Release(label));
    runtime.perform(script);
    finds(&mut runtime, &[Fault::ErasedTooEarly]);
}

// --- the log itself

#[test]
fn finds_a_log_that_breaks_or_is_not_the_witnessed_one() {
    let mut runtime = populated();
    runtime.leaves[1][1] = 0x7f;
    let found = faults(&runtime.audit());
    assert!(matches!(found[0], Fault::LeafMalformed(_)));
    assert_eq!(found[1], Fault::RootMismatch);

    let mut runtime = populated();
    let last = runtime.leaves.len() - 1;
    runtime.leaves[last][45] ^= 1;
    assert_eq!(
        faults(&runtime.audit()),
        [
            Fault::LogBroken(StepError::DirRootMismatch),
            Fault::RootMismatch
        ]
    );

    let mut runtime = populated();
    let head = runtime.head();
    runtime.create(EVE);
    runtime.close();
    let mut audit = chancery_audit::Audit::new(runtime.audited());
    runtime
        .exhibits
        .iter()
        .for_each(|one| audit.exhibit(one.clone()));
    runtime.leaves.iter().for_each(|leaf| audit.leaf(leaf));
    let witnessed = head.head().size;
    let given = witnessed + 2;
    assert_eq!(
        faults(&audit.finish(&head, None, None)),
        [Fault::SizeMismatch { witnessed, given }]
    );

    let runtime = populated();
    let audited = chancery_audit::Audited {
        tenant: chancery_directory::TenantId([1; 16]),
        ..runtime.audited()
    };
    let audit = chancery_audit::Audit::new(audited);
    let found = faults(&audit.finish(&runtime.head(), None, None));
    assert_eq!(found[0], Fault::HeadForeign);
}

#[test]
fn finds_a_window_that_was_left_open() {
    let mut runtime = populated();
    let window = Handle([0x32; 32]);
    let validity = Validity {
        not_before_ms: runtime.now_ms,
        not_after_ms: runtime.now_ms + 60_000,
    };
    let signed = runtime.signed(ActName::GroupAdd, "{}");
    let script = Script::new(Details::new(Origin::Admins))
        .step(EntryType::BreakGlassOpened, runtime.admins(), window)
        .object(Object_::Clear(validity.to_object_commit()))
        .signed(signed);
    runtime.perform(script);
    finds(&mut runtime, &[]);
    runtime.now_ms += 11 * 60_000;
    finds(&mut runtime, &[Fault::WindowLeftOpen]);
}

// --- what the service says now

#[test]
fn finds_what_the_service_shows_differently() {
    let runtime = populated();
    let user = runtime.handle(ADA);
    let group = runtime.group("Engineers");
    let honest = runtime.shown();
    let at = honest
        .groups
        .iter()
        .position(|one| one.handle == group)
        .unwrap();
    let check = |change: &dyn Fn(&mut chancery_audit::Shown), expected: Fault| {
        let mut shown = honest.clone();
        change(&mut shown);
        assert_eq!(faults(&runtime.audit_with(None, Some(&shown))), [expected]);
    };
    check(
        &|shown| shown.users[0].state = SubjectState::Provisioned,
        Fault::ShownState { user },
    );
    check(
        &|shown| shown.users[0].user_name = EVE.into(),
        Fault::ShownName { user },
    );
    check(
        &|shown| shown.users[0].fingerprint[0] ^= 1,
        Fault::ShownKey { subject: user },
    );
    check(
        &|shown| shown.groups[at].epoch += 1,
        Fault::ShownEpoch { group },
    );
    check(
        &|shown| shown.groups[at].fingerprint[0] ^= 1,
        Fault::ShownKey { subject: group },
    );
    check(
        &|shown| {
            shown.groups.remove(at);
        },
        Fault::GroupNotShown { group },
    );
    let stranger = Handle([0x44; 32]);
    check(
        &|shown| {
            let mut copy = shown.groups[at].clone();
            copy.handle = stranger;
            shown.groups.push(copy);
        },
        Fault::ShownGroupWithoutEntry { group: stranger },
    );
}

#[test]
fn findings_say_where_and_what_in_sentences() {
    let mut runtime = populated();
    runtime.now_ms += 60 * DAY_MS;
    let index = runtime.create(EVE);
    runtime.close();
    let verdict = runtime.audit();
    let sentences: Vec<String> = verdict
        .findings()
        .iter()
        .map(|one| format!("{one}"))
        .collect();
    assert_eq!(
        sentences[0],
        format!("entry {index}: the credential had expired")
    );
    assert!(sentences[1].contains("ghost user"), "{}", sentences[1]);
    assert_eq!(
        verdict.sentences().last().unwrap(),
        "2 things do not add up."
    );
}
