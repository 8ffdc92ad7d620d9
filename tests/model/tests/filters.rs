//! Random filters over random resources: the engine and a naive evaluator agree.
//!
//! A failure prints its seed; `CHANCERY_MODEL_SEED=n cargo test -p chancery-model --test filters` tries
//! that one again. `CHANCERY_FULL=1` tries a million.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail by panicking, and a run tells what it tried"
)]

use chancery_model::filter::Tree;
use chancery_model::generate::{group_body, tree, user_body};
use chancery_model::random::{Dice, Reach};
use chancery_model::schema::Kind;
use chancery_model::spelling::Speller;
use chancery_scim::{
    Catalogue, Error, Filter, GroupDocument, GroupRef, MemberView, Meta, Probe, Projection,
    ResourceKind, ResourceView, UserDocument, render_group, render_user,
};
use serde_json::{Map, Value};

/// Filters tried on one resource: a document is parsed once for all of them.
const FILTERS_PER_RESOURCE: u64 = 20;
/// When the resources were made and changed, in milliseconds since the Unix epoch.
const TIMES_MS: (u64, u64) = (1_800_000_000_000, 1_800_000_000_001);
/// Ids that a relation may name.
const RELATED: &[&str] = &["r1", "r2", "R1", "r3"];
const ID: &str = "2b1d3c4e-0000-4000-8000-0123456789ab";

enum Document {
    User(UserDocument),
    Group(GroupDocument),
}

/// A resource as the engine holds it and as a client sees it.
struct Sample {
    kind: Kind,
    document: Document,
    related: Vec<&'static str>,
    shown: Value,
}

impl Sample {
    fn of(dice: &mut Dice) -> Self {
        let related = RELATED
            .iter()
            .copied()
            .filter(|_| dice.chance(30))
            .collect();
        if dice.chance(80) {
            Self::user(user_body(dice, 45), related)
        } else {
            Self::group(group_body(dice), related)
        }
    }

    fn user(body: Map<String, Value>, related: Vec<&'static str>) -> Self {
        let document = UserDocument::parse_create(
            Value::Object(body).to_string().as_bytes(),
            Catalogue::STANDARD,
        )
        .unwrap();
        let groups: Vec<GroupRef<'_>> = related
            .iter()
            .map(|value| GroupRef {
                value,
                display: "Ops",
                reference: "https://service.example/Groups/g",
            })
            .collect();
        let bytes = render_user(
            &document.to_canonical(),
            &meta(),
            &groups,
            &Projection::all(ResourceKind::User),
        );
        Self {
            kind: Kind::User,
            document: Document::User(document),
            shown: serde_json::from_slice(&bytes.unwrap()).unwrap(),
            related,
        }
    }

    fn group(body: Map<String, Value>, related: Vec<&'static str>) -> Self {
        let (document, _) = GroupDocument::parse_create(
            Value::Object(body).to_string().as_bytes(),
            Catalogue::STANDARD,
        )
        .unwrap();
        let members = related.iter().map(|value| MemberView {
            value,
            kind: ResourceKind::User,
            display: Some("Ada"),
            reference: "https://service.example/Users/u",
        });
        let bytes = render_group(
            &document.to_canonical(),
            &meta(),
            members,
            &Projection::all(ResourceKind::Group),
        );
        Self {
            kind: Kind::Group,
            document: Document::Group(document),
            shown: serde_json::from_slice(&bytes.unwrap()).unwrap(),
            related,
        }
    }

    fn matches(&self, filter: &Filter) -> bool {
        let related = |id: &str| self.related.contains(&id);
        let count = u64::try_from(self.related.len()).unwrap();
        let view = match &self.document {
            Document::User(user) => ResourceView::user(user, ID, TIMES_MS, &related, count),
            Document::Group(group) => ResourceView::group(group, ID, TIMES_MS, &related, count),
        };
        filter.matches(&view)
    }

    /// Whether an index finds the resource under the key.
    fn is_under(&self, probe: &Probe) -> bool {
        match (probe, &self.document) {
            (Probe::Scan, _) => true,
            (Probe::Any(probes), _) => probes.iter().any(|probe| self.is_under(probe)),
            (Probe::IdEq(id), _) => id == ID,
            (Probe::UserNameEq(name), Document::User(user)) => *name == user.keys().user_name,
            (Probe::EmailEq(name), Document::User(user)) => user.keys().emails.contains(name),
            (Probe::ExternalIdEq(id), Document::User(user)) => {
                user.keys().external_id.as_ref() == Some(id)
            }
            (Probe::ExternalIdEq(id), Document::Group(group)) => {
                group.keys().external_id.as_ref() == Some(id)
            }
            (Probe::DisplayNameEq(name), Document::User(user)) => {
                user.keys().display_name.as_ref() == Some(name)
            }
            (Probe::DisplayNameEq(name), Document::Group(group)) => {
                *name == group.keys().display_name
            }
            (Probe::GroupEq(id), Document::User(_)) | (Probe::MemberEq(id), Document::Group(_)) => {
                self.related.contains(&id.as_str())
            }
            _ => false,
        }
    }
}

fn meta() -> Meta<'static> {
    Meta {
        id: ID,
        created_ms: TIMES_MS.0,
        last_modified_ms: TIMES_MS.1,
        version: "1",
        location: "https://service.example/Users/1",
    }
}

const fn resource_kind(kind: Kind) -> ResourceKind {
    match kind {
        Kind::User => ResourceKind::User,
        Kind::Group => ResourceKind::Group,
    }
}

/// A filter and one of its texts within the limits of both.
fn filter_of(dice: &mut Dice, sample: &Sample) -> (Tree, String) {
    loop {
        let tree = tree(dice, sample.kind, &sample.shown, RELATED);
        let text = Speller::filter(dice, sample.kind, &tree);
        if tree.tests() <= 32 && text.len() <= 4096 {
            return (tree, text);
        }
    }
}

#[test]
fn random_filters_mean_what_a_naive_evaluator_says() {
    let reach = Reach::of(
        20_000 / FILTERS_PER_RESOURCE,
        1_000_000 / FILTERS_PER_RESOURCE,
    );
    let (mut hits, mut misses, mut probed, mut probed_hits) = (0_u64, 0_u64, 0_u64, 0_u64);
    for seed in reach.seeds() {
        let mut dice = Dice::new(seed);
        let sample = Sample::of(&mut dice);
        for _ in 0..FILTERS_PER_RESOURCE {
            let (tree, text) = filter_of(&mut dice, &sample);
            let shown = || {
                format!(
                    "seed {seed}\nfilter {text}\ntree {tree:?}\nresource {}",
                    sample.shown
                )
            };
            let filter = Filter::parse(&text, resource_kind(sample.kind))
                .unwrap_or_else(|error| panic!("a legal filter is refused: {error}\n{}", shown()));
            let (expected, found) = (tree.holds(&sample.shown), sample.matches(&filter));
            assert_eq!(found, expected, "the engine says {found}\n{}", shown());
            let probe = filter.probe();
            assert!(
                !found || sample.is_under(&probe),
                "the index misses a match: {probe:?}\n{}",
                shown()
            );
            *(if found { &mut hits } else { &mut misses }) += 1;
            if probe != Probe::Scan {
                probed += 1;
                probed_hits += u64::from(found);
            }
        }
    }
    println!(
        "{hits} matched, {misses} did not; {probed} had an index key, {probed_hits} of these matched"
    );
    if reach.cases > 100 {
        let all = hits + misses;
        assert!(
            hits > all / 5 && misses > all / 5,
            "{hits} of {all} match: the test says little"
        );
        assert!(
            probed_hits > all / 50,
            "{probed_hits} of {all}: the index was hardly tried"
        );
    }
}

/// Changes a text a little: bytes dropped, doubled, replaced, parts exchanged.
fn mutate(dice: &mut Dice, text: &str) -> String {
    const INSERTED: &[char] = &[
        '(',
        ')',
        '[',
        ']',
        '"',
        '\\',
        ' ',
        '.',
        ':',
        '\u{0}',
        'e',
        '\u{e9}',
        '\u{1f600}',
        '\t',
        '$',
        '-',
        '1',
    ];
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..=dice.below(3) {
        let at = dice.below(characters.len());
        match dice.below(6) {
            0 if !characters.is_empty() => {
                characters.remove(at);
            }
            1 if !characters.is_empty() => characters[at] = *dice.pick(INSERTED),
            2 => characters.truncate(at),
            3 => {
                let tail = characters.split_off(at);
                characters.extend(tail.iter().rev());
            }
            4 => {
                let again: Vec<char> = characters.iter().skip(at).take(12).copied().collect();
                characters.extend(again);
            }
            _ => characters.insert(at, *dice.pick(INSERTED)),
        }
    }
    characters.into_iter().collect()
}

#[test]
fn mutated_filters_are_understood_or_refused_at_a_place_inside_them() {
    let reach = Reach::of(
        20_000 / FILTERS_PER_RESOURCE,
        1_000_000 / FILTERS_PER_RESOURCE,
    );
    let (mut understood, mut refused) = (0_u64, 0_u64);
    for seed in reach.seeds() {
        let mut dice = Dice::new(seed ^ 0x5eed);
        let sample = Sample::of(&mut dice);
        for _ in 0..FILTERS_PER_RESOURCE {
            let (_, text) = filter_of(&mut dice, &sample);
            let mutated = mutate(&mut dice, &text);
            match Filter::parse(&mutated, resource_kind(sample.kind)) {
                Ok(filter) => {
                    understood += 1;
                    let found = sample.matches(&filter);
                    assert!(
                        !found || sample.is_under(&filter.probe()),
                        "seed {seed}: {mutated}"
                    );
                }
                Err(Error::Filter { offset, .. }) => {
                    refused += 1;
                    assert!(
                        offset <= mutated.len(),
                        "seed {seed}: {offset} in {mutated:?}"
                    );
                    assert!(
                        mutated.is_char_boundary(offset),
                        "seed {seed}: {offset} in {mutated:?}"
                    );
                }
                Err(other) => panic!("seed {seed}: {other:?} for {mutated:?}"),
            }
        }
    }
    println!("{understood} understood, {refused} refused");
    if reach.cases > 100 {
        assert!(
            understood > 0 && refused > understood,
            "{understood} against {refused}"
        );
    }
}
