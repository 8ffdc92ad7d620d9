//! Query strings, paging and sorting.

use super::*;
use crate::error::ScimType;
use crate::filter::{Probe, ResourceView};
use crate::name::FoldedName;
use crate::user::UserDocument;
use std::format;

fn parse(text: &str, kind: ResourceKind) -> Result<ListQuery, Error> {
    ListQuery::parse(text, Kinds::One(kind), Catalogue::STANDARD)
}

fn query(text: &str) -> Selection {
    let mut query = parse(text, ResourceKind::User).unwrap();
    query.selections.pop().unwrap()
}

fn page(text: &str) -> Page {
    parse(text, ResourceKind::User).unwrap().page
}

fn refusal(text: &str) -> (Option<ScimType>, String) {
    let error = parse(text, ResourceKind::User).unwrap_err().to_scim();
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
    let group = parse("excludedAttributes=members", ResourceKind::Group).unwrap();
    assert!(!group.selections[0].projection.shows("members"));
    assert!(
        !ListQuery::parse_projection("attributes=title", ResourceKind::User)
            .unwrap()
            .is_all()
    );
}

#[test]
fn pages_as_the_rfc_says() {
    // RFC 7644 section 3.4.2.4.
    let index = |start, count| Page::Index { start, count };
    assert_eq!(page(""), index(1, PAGE_SIZE_DEFAULT));
    assert_eq!(page("startIndex=0&count=0"), index(1, 0));
    assert_eq!(page("startIndex=-5&count=-1"), index(1, 0));
    assert_eq!(page("startIndex=7&count=3"), index(7, 3));
    assert_eq!(
        page("startIndex=99999999999999999999&count=1000000"),
        index(u64::MAX, PAGE_SIZE_MAX)
    );
}

#[test]
fn pages_by_cursor_if_one_is_named() {
    // RFC 9865 section 2: an empty cursor asks for the first page.
    let cursor = |cursor: Option<&str>, count| Page::Cursor {
        cursor: cursor.map(String::from),
        count,
    };
    assert_eq!(page("cursor"), cursor(None, PAGE_SIZE_DEFAULT));
    assert_eq!(page("cursor=&count=7"), cursor(None, 7));
    assert_eq!(
        page("cursor=abc&count=9999"),
        cursor(Some("abc"), PAGE_SIZE_MAX)
    );
    assert_eq!(
        page("cursor=abc&startIndex=1"),
        cursor(Some("abc"), PAGE_SIZE_DEFAULT)
    );
    assert_eq!(page("cursor&count=-1"), cursor(None, 0));
    assert_eq!(refusal("cursor&count=many").0, Some(ScimType::InvalidCount));
    assert!(refusal("cursor=abc&startIndex=2").1.contains("startIndex"));
    let binding = |text: &str| parse(text, ResourceKind::User).unwrap().binding;
    let filter = "filter=title+pr";
    assert_eq!(
        binding(&format!("{filter}&cursor=a&count=3")),
        binding(filter)
    );
    assert_ne!(binding(&format!("{filter}&sortBy=title")), binding(filter));
    assert_ne!(binding(""), binding(filter));
}

#[test]
fn a_search_says_the_same_in_a_body() {
    let search =
        |body: &str, kinds| ListQuery::parse_search(body.as_bytes(), kinds, Catalogue::STANDARD);
    let users = Kinds::One(ResourceKind::User);
    let body = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":
        "userName eq \"ada@demo.example\"","attributes":["title","emails"],"startIndex":2,"count":"5"}"#;
    let query = search(body, users).unwrap();
    assert_eq!(query.page, Page::Index { start: 2, count: 5 });
    let selection = &query.selections[0];
    assert!(selection.projection.shows("emails") && !selection.projection.shows("groups"));
    let probe = selection.filter.as_ref().unwrap().probe();
    assert_eq!(
        probe,
        Probe::UserNameEq(FoldedName::lookup("ada@demo.example"))
    );
    for (body, scim_type) in [
        ("[]", ScimType::InvalidSyntax),
        (r#"{"filter":"x","FILTER":"y"}"#, ScimType::InvalidSyntax),
        (r#"{"schemas":["urn:other"]}"#, ScimType::InvalidSyntax),
        (r#"{"filter":{}}"#, ScimType::InvalidValue),
        (r#"{"attributes":[1]}"#, ScimType::InvalidValue),
        (r#"{"count":1.5}"#, ScimType::InvalidValue),
        (r#"{"filter":"nope pr"}"#, ScimType::InvalidFilter),
        (r#"{"cursor":"","count":"few"}"#, ScimType::InvalidCount),
    ] {
        let error = search(body, users).unwrap_err().to_scim();
        assert_eq!(error.scim_type, Some(scim_type), "{body}");
    }
}

#[test]
fn over_all_types_an_attribute_of_another_type_is_without_a_value() {
    // RFC 7644 section 3.4.2.1.
    let probes = |filter: &str| -> Vec<Probe> {
        let query = format!("filter={}", filter.replace(' ', "+"));
        let query = ListQuery::parse(&query, Kinds::All, Catalogue::STANDARD).unwrap();
        let filters = query.selections.iter();
        filters
            .map(|one| one.filter.as_ref().unwrap().probe())
            .collect()
    };
    let name = Probe::UserNameEq(FoldedName::lookup("ada"));
    assert_eq!(
        probes(r#"userName eq "ada""#),
        [name.clone(), Probe::Nothing]
    );
    assert_eq!(
        probes(r#"userName eq "ada" and id pr"#),
        [name, Probe::Nothing]
    );
    assert_eq!(probes(r#"userName ne "ada""#), [Probe::Scan, Probe::Scan]);
    assert_eq!(
        probes(r#"members[value eq "1"]"#),
        [Probe::Nothing, Probe::MemberEq("1".into())]
    );
    let all = |query: &str| ListQuery::parse(query, Kinds::All, Catalogue::STANDARD);
    assert!(all("filter=nope+pr").is_err());
    assert!(all("filter=userName+eq+5").is_err());
    assert!(all("sortBy=userName").is_ok() && all("sortBy=nope").is_err());
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
        .map(|body| UserDocument::parse_create(body.as_bytes(), Catalogue::STANDARD).unwrap())
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
        if let Ok(query) = parse(text, kind) {
            let (Page::Index { count, .. } | Page::Cursor { count, .. }) = query.page;
            assert!(count <= PAGE_SIZE_MAX);
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
