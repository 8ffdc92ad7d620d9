//! What admins govern: the brake, held acts, break-glass, credentials, and who signs and reads.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where its world is not as it must be"
)]

mod admins;
mod brake;
mod breakglass;
mod clients;
mod credentials;
mod held;

use chancery_authority::{ActName, Delegation};
use chancery_directory::EntryType;
use chancery_directory::entry::{Entry, TenantLeaf};
use chancery_engine::{Answer, Refusal, Registry, ResourceId};
use chancery_json::{Limits, Object, Value};
use chancery_testkit::{World, user_json};

const SUSPEND: &str = r#"{"Operations":[{"op":"Replace","path":"active","value":"False"}]}"#;
const RESTORE: &str = r#"{"Operations":[{"op":"Replace","path":"active","value":"True"}]}"#;

/// A tenant with one delegation of these terms and a token.
fn tenant(seed: u64, terms: impl FnOnce(&mut Delegation)) -> World {
    let mut world = World::found(seed);
    world.admit("demo").unwrap();
    world.delegate_with(1, terms).unwrap();
    world.issue_token(86_400).unwrap();
    world
}

fn registry(world: &World) -> &Registry {
    &world.view.tenant(&world.tenant).unwrap().registry
}

fn restarted(world: &World) -> World {
    world.recover(&world.store).unwrap()
}

fn user(world: &mut World, name: &str) -> ResourceId {
    world.create_user(&user_json(name)).unwrap()
}

fn group(world: &mut World, name: &str, members: &[ResourceId]) -> ResourceId {
    let body = format!(
        r#"{{"displayName":"{name}","members":[{}]}}"#,
        values(members)
    );
    world.create_group(&body).unwrap()
}

fn values(members: &[ResourceId]) -> String {
    let listed: Vec<String> = members
        .iter()
        .map(|id| format!(r#"{{"value":"{id}"}}"#))
        .collect();
    listed.join(",")
}

fn add(members: &[ResourceId]) -> String {
    format!(
        r#"{{"Operations":[{{"op":"add","path":"members","value":[{}]}}]}}"#,
        values(members)
    )
}

fn remove(member: ResourceId) -> String {
    format!(r#"{{"Operations":[{{"op":"remove","path":"members[value eq \"{member}\"]"}}]}}"#)
}

fn signed(world: &mut World, name: ActName, body: &str) -> Result<Answer, Refusal> {
    world.signed(name, body.as_bytes().to_vec())
}

/// What a signed read says.
fn read(world: &mut World, name: ActName, body: &str) -> Object {
    match signed(world, name, body).unwrap() {
        Answer::Document(document) => *document,
        other => panic!("no document: {other:?}"),
    }
}

/// The leaves of the tenant's log that are entries.
fn log(world: &mut World) -> Vec<Entry> {
    let read = read(world, ActName::LogRead, r#"{"from":0,"count":1000}"#);
    let leaves = read.get("entries").and_then(Value::as_array).unwrap();
    leaves
        .iter()
        .filter_map(|leaf| leaf.as_object()?.get("leaf")?.as_str())
        .map(|leaf| <base64ct::Base64 as base64ct::Encoding>::decode_vec(leaf).unwrap())
        .filter_map(|leaf| match TenantLeaf::decode(&leaf).unwrap() {
            TenantLeaf::Entry(entry) => Some(entry),
            TenantLeaf::StateRoot(_) => None,
        })
        .collect()
}

/// The types of the entries from number `from` on.
fn kinds(world: &mut World, from: usize) -> Vec<EntryType> {
    log(world)
        .iter()
        .skip(from)
        .map(|entry| entry.kind)
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The only element of a list in a document.
fn only<'a>(document: &'a Object, list: &str) -> &'a Object {
    let list = document.get(list).and_then(Value::as_array).unwrap();
    assert_eq!(list.len(), 1);
    list[0].as_object().unwrap()
}

fn parsed(bytes: &[u8]) -> Object {
    match Value::parse(bytes, &Limits::DOCUMENT).unwrap() {
        Value::Object(object) => object,
        other => panic!("no object: {other:?}"),
    }
}
