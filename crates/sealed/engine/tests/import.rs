//! Importing members who exist already, with the keys that they have.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where its world is not as it must be"
)]

use base64ct::{Base64, Encoding as _};
use chancery_authority::ActName;
use chancery_directory::entry::TenantLeaf;
use chancery_directory::{EntryType, SubjectState};
use chancery_engine::{Answer, Refusal, Registry};
use chancery_json::{Object, Value};
use chancery_scim::Error;
use chancery_testkit::{World, member_json, user_json};

fn registry(world: &World) -> &Registry {
    &world.view.tenant(&world.tenant).unwrap().registry
}

fn import(world: &mut World, members: &[String]) -> Result<Object, Refusal> {
    let body = format!("{{\"members\":[{}]}}", members.join(","));
    match world.signed(ActName::TenantImport, body.into_bytes())? {
        Answer::Document(document) => Ok(*document),
        other => panic!("unexpected answer: {other:?}"),
    }
}

fn number(document: &Object, name: &str) -> u64 {
    document.get(name).and_then(Value::as_u64).unwrap()
}

fn cause(result: Result<Object, Refusal>) -> (usize, Refusal) {
    match result.unwrap_err() {
        Refusal::Member { index, cause } => (index, *cause),
        other => panic!("unexpected refusal: {other:?}"),
    }
}

fn leaves(world: &mut World) -> Vec<TenantLeaf> {
    let body = br#"{"from":0,"count":1000}"#.to_vec();
    let Ok(Answer::Document(document)) = world.signed(ActName::LogRead, body) else {
        panic!("the log was not read")
    };
    leaves_of(&document)
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

#[test]
fn an_imported_member_is_confirmed_with_the_keys_that_they_had_and_nothing_is_pending() {
    let mut world = World::with_tenant(1);
    let ada = member_json("ada", 1);
    let done = import(&mut world, &[ada.clone(), member_json("bob", 2)]).unwrap();
    assert_eq!(
        (number(&done, "imported"), number(&done, "skipped")),
        (2, 0)
    );
    let user = registry(&world)
        .user_named("ada@demo.example")
        .unwrap()
        .clone();
    let account = user.custody.account().expect("claimed");
    assert!(ada.contains(&base64(&account.public)));
    assert!(account.devices.is_empty());
    let kinds: Vec<(EntryType, SubjectState)> = leaves(&mut world)
        .iter()
        .filter_map(|leaf| match leaf {
            TenantLeaf::Entry(entry) => Some((entry.kind, entry.new_state)),
            TenantLeaf::StateRoot(_) => None,
        })
        .collect();
    let expected = [
        (EntryType::BreakGlassOpened, SubjectState::Open),
        (EntryType::UserProvisioned, SubjectState::Provisioned),
        (EntryType::KeyConfirmed, SubjectState::Confirmed),
        (EntryType::UserProvisioned, SubjectState::Provisioned),
        (EntryType::KeyConfirmed, SubjectState::Confirmed),
        (EntryType::BreakGlassClosed, SubjectState::Closed),
    ];
    assert!(kinds.ends_with(&expected), "{kinds:?}");
    assert_eq!(
        number(&done, "index"),
        leaves(&mut world)
            .iter()
            .filter_map(|leaf| match leaf {
                TenantLeaf::Entry(entry) => Some(entry.index),
                TenantLeaf::StateRoot(_) => None,
            })
            .max()
            .unwrap()
    );
    // The log commits to exactly this key, and the user carries what opens the commitment.
    let record = chancery_directory::KeyRecord {
        tenant: chancery_directory::TenantId(*world.tenant.as_bytes()),
        handle: chancery_directory::Handle(user.handle),
        key_version: user.proof.key_version,
        source: chancery_directory::KeySource::UserDevice,
        enc_pk: keyset(&account.public).kem().to_vec(),
        sig_pk: keyset(&account.public).signing().to_vec(),
        not_before_ms: user.proof.not_before_ms,
        activation_commit: chancery_directory::Digest::ZERO,
    };
    let commitment = record
        .commit(&chancery_directory::Opening(user.proof.key_opening))
        .unwrap();
    let confirmed = leaves(&mut world).into_iter().find_map(|leaf| match leaf {
        TenantLeaf::Entry(entry) if entry.index == user.proof.key_index => Some(entry.key_commit),
        _ => None,
    });
    assert_eq!(confirmed, Some(commitment));
    let again = world.recover(&world.store).unwrap();
    assert_eq!(
        registry(&again).user_named("ada@demo.example").unwrap(),
        registry(&world).user_named("ada@demo.example").unwrap()
    );
}

fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

fn keyset(bytes: &[u8]) -> chancery_keyset::PublicKeyset {
    chancery_keyset::PublicKeyset::decode(bytes).unwrap()
}

#[test]
fn importing_again_changes_nothing() {
    let mut world = World::with_tenant(2);
    let members = [member_json("ada", 1), member_json("bob", 2)];
    import(&mut world, &members).unwrap();
    let size = world.log.size();
    let done = import(&mut world, &members).unwrap();
    assert_eq!(
        (number(&done, "imported"), number(&done, "skipped")),
        (0, 2)
    );
    assert_eq!(done.get("index"), Some(&Value::Null));
    assert_eq!(world.log.size(), size);
    // Half known, half new, and one line twice.
    let carol = member_json("carol", 3);
    let done = import(&mut world, &[members[0].clone(), carol.clone(), carol]).unwrap();
    assert_eq!(
        (number(&done, "imported"), number(&done, "skipped")),
        (1, 2)
    );
    assert_eq!(registry(&world).users().len(), 3);
}

#[test]
fn an_identity_provider_finds_and_adopts_an_imported_member_without_a_new_key() {
    let mut world = World::with_tenant(3);
    import(&mut world, &[member_json("ada", 1)]).unwrap();
    assert_eq!(
        world.create_user(&user_json("ada")),
        Err(Refusal::Scim(Error::Uniqueness {
            attribute: "userName"
        }))
    );
    let before = registry(&world)
        .user_named("ada@demo.example")
        .unwrap()
        .clone();
    let adopt = r#"{"Operations":[{"op":"add","value":{"externalId":"00u1","title":"Lead",
        "emails":[{"value":"ada@demo.example","type":"work","primary":true}]}}]}"#;
    world.patch_user(before.id, adopt).unwrap();
    let after = registry(&world).users().get(before.id).unwrap().clone();
    assert!(after.version > before.version);
    assert_eq!(after.custody, before.custody);
    // Another address may be another person.
    let foreign = r#"{"Operations":[{"op":"replace","path":"emails","value":[
        {"value":"eve@demo.example","type":"work"}]}]}"#;
    world.patch_user(before.id, foreign).unwrap();
    let after = registry(&world).users().get(before.id).unwrap();
    assert!(after.custody.account().is_none());
}

#[test]
fn every_refusal_names_the_member_and_imports_nobody() {
    let mut world = World::with_tenant(4);
    import(&mut world, &[member_json("ada", 1)]).unwrap();
    let good = member_json("new", 9);
    let mut refused = |member: String| {
        let refused = cause(import(&mut world, &[good.clone(), member]));
        assert!(registry(&world).user_named("new@demo.example").is_none());
        assert_eq!(refused.0, 1);
        refused.1
    };
    assert!(matches!(
        refused(member_json("ada", 2)),
        Refusal::Taken { .. }
    ));
    assert!(matches!(
        refused(member_json("new", 2)),
        Refusal::Taken { .. }
    ));
    assert!(matches!(
        refused(member_json("bob", 2).replace("demo.example\",\"ext", "evil.example\",\"ext")),
        Refusal::Delegation(chancery_authority::Refusal::DomainNotTrusted { domain })
            if domain == "evil.example"
    ));
    assert!(matches!(
        refused(member_json("bob", 2).replace("[\"bob@demo.example", "[\"bob@evil.example")),
        Refusal::Delegation(chancery_authority::Refusal::DomainNotTrusted { .. })
    ));
    assert_eq!(
        refused(member_json("bob", 2).replace("bob@demo.example\",\"ext", "bob\",\"ext")),
        Refusal::Delegation(chancery_authority::Refusal::UserNameWithoutDomain)
    );
    assert!(matches!(
        refused(member_json("bob", 2).replace(
            "bob@demo.example\",\"ext",
            "b\u{200b}b@demo.example\",\"ext"
        )),
        Refusal::Scim(_)
    ));
    let broken = member_json("bob", 2).replace("public_keyset\":\"", "public_keyset\":\"AAAA");
    assert_eq!(refused(broken), Refusal::Keyset);
    let broken = member_json("bob", 2).replace("public_keyset\":\"", "public_keyset\":\"?");
    assert_eq!(refused(broken), Refusal::Keyset);
    let unknown = member_json("bob", 2).replace("\"emails\"", "\"role\":\"owner\",\"emails\"");
    assert!(matches!(refused(unknown), Refusal::Body(_)));
    let wrong = member_json("bob", 2).replace("null", "7");
    assert!(matches!(refused(wrong), Refusal::Body(_)));
    // A user whom the identity provider made has a pending keyset of the runtime's.
    world.create_user(&user_json("dora")).unwrap();
    let (index, refusal) = cause(import(&mut world, &[member_json("dora", 5)]));
    assert!(index == 0 && matches!(refusal, Refusal::Taken { .. }));
}

#[test]
fn more_than_a_hundred_members_take_two_acts() {
    let mut world = World::with_tenant(5);
    let member = member_json("ada", 1);
    let members = vec![member; 101];
    assert!(matches!(
        import(&mut world, &members).unwrap_err(),
        Refusal::TooLarge { limit: 100, .. }
    ));
    import(&mut world, &members[..100]).unwrap();
    assert_eq!(registry(&world).users().len(), 1);
}

#[test]
fn nobody_is_imported_under_an_open_plan() {
    let mut world = World::with_tenant(6);
    world
        .delegate_with(2, |terms| terms.mode = chancery_authority::Mode::Plan)
        .unwrap();
    import(&mut world, &[member_json("ada", 1)]).unwrap();
    world.create_user(&user_json("bob")).unwrap();
    assert_eq!(
        import(&mut world, &[member_json("carol", 1)]).unwrap_err(),
        Refusal::PlanOpen
    );
}
