//! Random bodies and random PATCH requests: the engine and a naive reference make the same documents.
//!
//! A failure prints its seed; `CHANCERY_MODEL_SEED=n cargo test -p chancery-model --test patches` tries that
//! one again.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail by panicking, and a run tells what it tried"
)]

use std::collections::{BTreeMap, BTreeSet};

use chancery_model::document::{Document, document};
use chancery_model::fault::Fault;
use chancery_model::generate::{group_body, operation, patch_body, user_body};
use chancery_model::patch::{Operation, Wish, apply};
use chancery_model::random::{Dice, Reach};
use chancery_model::schema::Kind;
use chancery_scim::{
    Catalogue, Changed, Error, GroupDocument, MemberChange, MemberRef, PatchRequest, ResourceKind,
    UserDocument,
};
use serde_json::{Map, Value};

const MEMBERS: &[&str] = &["u1", "u2", "u3", "u4"];

/// A canonical document without what the reference does not keep.
fn plain(canonical: &[u8]) -> Document {
    let mut document: Map<String, Value> = serde_json::from_slice(canonical).unwrap();
    document.remove("schemas").unwrap();
    document
}

fn kind_of(error: &Error) -> Option<&'static str> {
    error
        .to_scim()
        .scim_type
        .map(chancery_scim::ScimType::as_str)
}

/// The outcome of both, comparable.
type Outcome<T> = Result<T, (u16, Option<&'static str>)>;

fn refused<T>(result: Result<T, Error>) -> Outcome<T> {
    result.map_err(|error| (error.to_scim().status, kind_of(&error)))
}

/// Some users are refused for their names alone: bodies of these tests get one that is right.
fn body(dice: &mut Dice, kind: Kind) -> Map<String, Value> {
    match kind {
        Kind::User => user_body(dice, 40),
        Kind::Group => group_body(dice),
    }
}

/// The members that result from changes, applied in order.
fn members_after(before: &BTreeSet<String>, changes: Vec<MemberChange>) -> BTreeSet<String> {
    let ids = |members: Vec<MemberRef>| members.into_iter().map(|member| member.value);
    let mut members = before.clone();
    for change in changes {
        match change {
            MemberChange::Add(added) => members.extend(ids(added)),
            MemberChange::Remove(removed) => members.retain(|id| !removed.contains(id)),
            MemberChange::ReplaceAll(all) => members = ids(all).collect(),
            MemberChange::Clear => members.clear(),
            other => panic!("{other:?}"),
        }
    }
    members
}

fn names_group(change: &MemberChange) -> bool {
    match change {
        MemberChange::Add(members) | MemberChange::ReplaceAll(members) => members
            .iter()
            .any(|member| member.kind == Some(ResourceKind::Group)),
        _ => false,
    }
}

/// One PATCH by the engine: the document and the members.
fn by_engine(
    kind: Kind,
    canonical: &[u8],
    members: &BTreeSet<String>,
    body: &[u8],
) -> Outcome<(Document, BTreeSet<String>, bool)> {
    let request = refused(PatchRequest::parse(body))?;
    match kind {
        Kind::User => {
            let before = UserDocument::from_canonical(canonical).unwrap();
            let (after, changed) = refused(request.apply_user(&before, Catalogue::STANDARD))?;
            Ok((
                plain(&after.to_canonical()),
                members.clone(),
                changed == Changed::Yes,
            ))
        }
        Kind::Group => {
            let before = GroupDocument::from_canonical(canonical).unwrap();
            let changes = refused(request.group_changes(&before, Catalogue::STANDARD))?;
            // That groups are no members is the engine's rule.
            if changes.members.iter().any(names_group) {
                return Err(Fault::Value.answer());
            }
            let after = changes.document.as_ref().unwrap_or(&before);
            let moved = changes.document.is_some();
            Ok((
                plain(&after.to_canonical()),
                members_after(members, changes.members),
                moved,
            ))
        }
    }
}

fn by_reference(
    kind: Kind,
    before: &Document,
    members: &BTreeSet<String>,
    operations: &[Operation],
) -> Outcome<(Document, BTreeSet<String>, bool)> {
    let anybody = |_: &str| Some(Kind::User);
    let (after, wish): (Document, Wish) =
        apply(kind, before, operations, &anybody).map_err(Fault::answer)?;
    let changed = after != *before;
    Ok((after, wish.of(members), changed))
}

#[test]
fn random_patches_do_what_a_naive_reference_does() {
    let reach = Reach::of(20_000, 500_000);
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    for seed in reach.seeds() {
        let mut dice = Dice::new(seed);
        let kind = if dice.chance(75) {
            Kind::User
        } else {
            Kind::Group
        };
        let sent = body(&mut dice, kind);
        let text = Value::Object(sent.clone()).to_string();
        let canonical = match kind {
            Kind::User => UserDocument::parse_create(text.as_bytes(), Catalogue::STANDARD)
                .map(|made| made.to_canonical()),
            Kind::Group => GroupDocument::parse_create(text.as_bytes(), Catalogue::STANDARD)
                .map(|(made, _)| made.to_canonical()),
        };
        let canonical = canonical.unwrap_or_else(|error| panic!("seed {seed}: {error}: {text}"));
        let before = document(kind, &sent, true).unwrap();
        assert_eq!(plain(&canonical), before, "seed {seed}: body {text}");

        let members: BTreeSet<String> = MEMBERS
            .iter()
            .filter(|_| dice.chance(40))
            .map(|id| (*id).to_owned())
            .collect();
        let sample = Value::Object(before.clone());
        let count = 1 + dice.below(3);
        let operations: Vec<Operation> = (0..count)
            .map(|_| operation(&mut dice, kind, &sample, MEMBERS))
            .collect();
        let request = patch_body(&mut dice, kind, &operations).to_string();
        let found = by_engine(kind, &canonical, &members, request.as_bytes());
        let expected = by_reference(kind, &before, &members, &operations);
        assert_eq!(
            found, expected,
            "seed {seed}\npatch {request}\nof {sample} with {members:?}\noperations {operations:?}"
        );
        let outcome = match &found {
            Ok((_, _, true)) => "changed".to_owned(),
            Ok((_, _, false)) => "unchanged".to_owned(),
            Err((status, scim_type)) => format!("{status} {scim_type:?}"),
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    println!("{outcomes:?}");
    if reach.cases > 1_000 {
        assert!(
            outcomes.get("changed") > Some(&(reach.cases / 3)),
            "{outcomes:?}"
        );
        assert!(outcomes.len() >= 6, "{outcomes:?}");
    }
}
