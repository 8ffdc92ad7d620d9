//! Query strings, paging and sorting.

use super::*;
use crate::error::ScimType;
use crate::filter::{Probe, ResourceView};
use crate::name::FoldedName;
use crate::user::UserDocument;
use std::format;

fn query(text: &str) -> ListQuery {
    ListQuery::parse(text, ResourceKind::User).unwrap()
}

fn refusal(text: &str) -> (Option<ScimType>, String) {
    let error = ListQuery::parse(text, ResourceKind::User)
        .unwrap_err()
        .to_scim();
    (error.scim_type, error.detail)
}

#[test]
fn decodes_what_clients_send() {
    for text in [
        "filter=userName%20eq%20%22Ada%40demo.example%22&startIndex=1&count=100",
        "filter=userName+eq+%22ada%40demo.example%22",
        "aadOptscim062020&Filter=userName%20eq%20%22ada@demo.example%22&x=%zz",
    ] {
        let probe = query(text).filter.unwrap().probe();
        assert_eq!(
            probe,
            Probe::UserNameEq(FoldedName::lookup("ada@demo.example")),
            "{text}"
        );
    }
    let empty = query("");
    assert!(empty.filter.is_none() && empty.sort.is_none() && empty.projection.is_all());
    assert!(query("filter=&attributes=&count=&sortBy=").filter.is_none());
    let group = ListQuery::parse("excludedAttributes=members", ResourceKind::Group).unwrap();
    assert!(!group.projection.shows("members"));
    assert!(
        !ListQuery::parse_projection("attributes=title", ResourceKind::User)
            .unwrap()
            .is_all()
    );
}

#[test]
fn pages_as_the_rfc_says() {
    // RFC 7644 section 3.4.2.4.
    let page = |text: &str| (query(text).start_index, query(text).count);
    assert_eq!(page(""), (1, PAGE_SIZE_DEFAULT));
    assert_eq!(page("startIndex=0&count=0"), (1, 0));
    assert_eq!(page("startIndex=-5&count=-1"), (1, 0));
    assert_eq!(page("startIndex=7&count=3"), (7, 3));
    assert_eq!(
        page("startIndex=99999999999999999999&count=1000000"),
        (u64::MAX, PAGE_SIZE_MAX)
    );
}

#[test]
fn refuses_what_has_no_meaning_or_two() {
    for (text, place) in [
        ("count=ten", "count"),
        ("startIndex=1.5", "startIndex"),
        ("startIndex=-", "startIndex"),
        ("count=1&count=1", "count"),
        ("filter=title+pr&FILTER=title+pr", "filter"),
        ("filter=%ff", "filter"),
        ("filter=%2", "filter"),
        ("filter=%+1", "filter"),
        ("sortBy=nope", "sortBy"),
        ("sortBy=name", "sortBy"),
        ("sortBy=groups", "sortBy"),
        ("sortBy=title&sortOrder=up", "sortOrder"),
    ] {
        let (scim_type, detail) = refusal(text);
        assert_eq!(scim_type, Some(ScimType::InvalidValue), "{text}");
        assert!(
            detail.starts_with(&format!("query parameter {place}:")),
            "{detail}"
        );
    }
    assert_eq!(refusal("filter=nope+pr").0, Some(ScimType::InvalidFilter));
    let long = "x".repeat(QUERY_BYTES_MAX + 1);
    assert!(refusal(&long).1.contains("too long"));
    assert_eq!(refuse_discovery_filter("count=1"), Ok(()));
    assert_eq!(
        refuse_discovery_filter("filter=x")
            .unwrap_err()
            .to_scim()
            .status,
        403
    );
}

fn order(by: &str, bodies: &[&str]) -> Vec<usize> {
    let sort = query(by).sort.unwrap();
    let users: Vec<UserDocument> = bodies
        .iter()
        .map(|body| UserDocument::parse_create(body.as_bytes()).unwrap())
        .collect();
    let none = |_: &str| false;
    let mut keys: Vec<_> = users
        .iter()
        .enumerate()
        .map(|(index, user)| {
            let index_ms = u64::try_from(index).unwrap();
            (
                sort.key(&ResourceView::user(
                    user,
                    "x",
                    (9_u64.saturating_sub(index_ms), index_ms),
                    &none,
                    0,
                )),
                index,
            )
        })
        .collect();
    keys.sort_by(|left, right| sort.compare(&left.0, &right.0));
    keys.into_iter().map(|(_, index)| index).collect()
}

#[test]
fn sorts_as_the_rfc_says() {
    let users = [
        r#"{"userName":"c","title":"b","emails":[{"value":"z@d.example"},{"value":"a@d.example","primary":true}]}"#,
        r#"{"userName":"A","emails":["b@d.example","a@d.example"]}"#,
        r#"{"userName":"b","title":"A","externalId":"Z"}"#,
        r#"{"userName":"d","title":"a","externalId":"a"}"#,
    ];
    assert_eq!(order("sortBy=userName", &users), [1, 2, 0, 3]);
    assert_eq!(
        order("sortBy=userName&sortOrder=descending", &users),
        [3, 0, 2, 1]
    );
    // Section 3.4.2.3: without value last ascending, first descending; ties keep their order.
    assert_eq!(
        order("sortBy=title&sortOrder=ascending", &users),
        [2, 3, 0, 1]
    );
    assert_eq!(
        order("sortBy=title&sortOrder=descending", &users),
        [1, 0, 2, 3]
    );
    // By the primary value, else the first.
    assert_eq!(order("sortBy=emails", &users), [0, 1, 2, 3]);
    assert_eq!(order("sortBy=externalId", &users), [2, 3, 0, 1]);
    assert_eq!(order("sortBy=meta.created", &users), [3, 2, 1, 0]);
}

/// The body of a fuzz target: no query and no header makes the parsers panic or exceed a limit.
fn fuzz_query(text: &str) {
    use crate::etag::EntityTags;
    for kind in [ResourceKind::User, ResourceKind::Group] {
        if let Ok(query) = ListQuery::parse(text, kind) {
            assert!(query.start_index >= 1 && query.count <= PAGE_SIZE_MAX);
        }
    }
    if let Ok(EntityTags::List(tags)) = EntityTags::parse(text) {
        assert!(!tags.is_empty() && tags.iter().all(|tag| !tag.contains('"')));
    }
}

#[test]
fn survives_mutated_queries() {
    let corpus = [
        "filter=userName+eq+%22a%22&startIndex=1&count=10&sortBy=name.familyName&sortOrder=descending",
        "attributes=emails.value,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager&excludedAttributes=groups",
        "W/\"1\", \"2\"",
    ];
    let pieces = [
        "%",
        "%2",
        "+",
        "&",
        "=",
        "-",
        ",",
        "\"",
        "W/",
        "é",
        "\u{0}",
        "filter",
        "9999999999999999999999",
        ":",
    ];
    let mut state = 17_u64;
    let mut next = move |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % bound
    };
    for round in 0..20_000 {
        let mut text: Vec<char> = corpus[round % corpus.len()].chars().collect();
        for _ in 0..=next(3) {
            let at = next(text.len() + 1);
            match next(3) {
                0 if at < text.len() => drop(text.remove(at)),
                1 => text.truncate(at),
                _ => drop(text.splice(at..at, pieces[next(pieces.len())].chars())),
            }
        }
        fuzz_query(&text.into_iter().collect::<String>());
    }
}
