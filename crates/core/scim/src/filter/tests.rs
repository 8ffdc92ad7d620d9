//! Grammar, meaning and index keys of filters.

use super::*;
use crate::error::ScimType;
use crate::group::GroupDocument;
use crate::name::FoldedName;
use crate::schema::Catalogue;
use crate::user::UserDocument;
use std::format;
use std::string::ToString;

const ADA: &str = r#"{"userName":"Ada@demo.example","externalId":"X-1","displayName":"Ada L","title":"Eng",
    "name":{"familyName":"Lovelace","givenName":"Ada"},"active":true,
    "emails":[{"value":"Ada@demo.example","type":"work","primary":true},{"value":"ada@home.example","type":"home"}],
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R and D","manager":{"value":"m1"}}}"#;

fn matches(filter: &str) -> bool {
    let user = UserDocument::parse_create(ADA.as_bytes(), Catalogue::STANDARD).unwrap();
    let in_group = |id: &str| id == "g1";
    let view = ResourceView::user(&user, "id-1", (1_000, 2_000), &in_group, 1);
    Filter::parse(filter, ResourceKind::User)
        .unwrap_or_else(|e| panic!("{filter}: {e}"))
        .matches(&view)
}

fn offset(filter: &str) -> usize {
    let error = Filter::parse(filter, ResourceKind::User)
        .map(|_| panic!("{filter}"))
        .unwrap_err();
    assert_eq!(
        error.to_scim().scim_type,
        Some(ScimType::InvalidFilter),
        "{filter}"
    );
    assert_eq!(error.to_scim().status, 400);
    let Error::Filter { offset, .. } = error else {
        panic!("{error:?}")
    };
    offset
}

#[test]
fn means_what_the_rfc_says() {
    for filter in [
        r#"userName eq "ADA@DEMO.EXAMPLE""#,
        r#"USERNAME Eq "ada@demo.example""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ADA""#,
        r#"name.familyName co "velace""#,
        r#"title pr and not (nickName pr)"#,
        r#"nickName ne "x" and nickName eq null"#,
        r#"active eq true and active eq "True""#,
        r#"displayName gt "ada" and displayName lt "adb" and displayName ge "ada l" and displayName le "ada l""#,
        r#"id eq "id-1" and externalId eq "X-1""#,
        r#"emails eq "ADA@HOME.example""#,
        r#"emails.type eq "work" and emails.value ew "home.example""#,
        r#"emails[type eq "work" and value co "demo"]"#,
        r#"emails[type eq "home"].value eq "ada@home.example""#,
        r#"emails[not (type eq "work")]"#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "r AND d""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "m1""#,
        r#"id eq "id-1" and manager eq "m1""#,
        r#"groups.value eq "g1" and groups pr and groups eq "g1" and groups[value eq "g9" or value eq "g1"]"#,
        r#"meta.lastModified gt "1970-01-01T00:00:01.5Z""#,
        r#"meta.lastModified eq "1970-01-01T02:00:02.000+02:00""#,
        r#"meta.resourceType eq "User" and meta pr"#,
        r#"title eq "E\u006eg""#,
        r#"schemas eq "urn:ietf:params:scim:schemas:core:2.0:User""#,
        r#"not(title eq "x")"#,
        r#"  ( title  pr )  "#,
    ] {
        assert!(matches(filter), "{filter}");
    }
    for filter in [
        r#"externalId eq "x-1""#,
        r#"id eq "ID-1""#,
        r#"title eq "] or (true) and \"""#,
        // Brackets bind their terms to one value, dots do not (RFC 7644 section 3.4.2.2).
        r#"emails[type eq "work" and value co "home"]"#,
        r#"emails[type eq "work"].value eq "ada@home.example""#,
        r#"emails.type ne "work""#,
        r#"groups eq "g2""#,
        r#"active ne true"#,
        r#"meta.created gt "1970-01-01T00:00:01Z""#,
        r#"nickName gt "a""#,
        r#"userName eq "аda@demo.example""#,
    ] {
        assert!(!matches(filter), "{filter}");
    }
}

#[test]
fn binds_not_over_and_over_or() {
    for (a, b, c) in (0..8).map(|bits| (bits & 1 == 1, bits & 2 == 2, bits & 4 == 4)) {
        let term = |value: bool| if value { "title pr" } else { "nickName pr" };
        let (x, y, z) = (term(a), term(b), term(c));
        assert_eq!(matches(&format!("{x} or {y} and {z}")), a || (b && c));
        assert_eq!(matches(&format!("{x} and {y} or {z}")), (a && b) || c);
        assert_eq!(matches(&format!("({x} or {y}) and {z}")), (a || b) && c);
        assert_eq!(
            matches(&format!("not ({x}) and {y} or {z}")),
            (!a && b) || c
        );
        assert_eq!(
            matches(&format!("NOT ({x} OR {y}) AND {z}")),
            !(a || b) && c
        );
    }
}

#[test]
fn refuses_what_it_cannot_understand_with_the_place() {
    for (filter, place) in [
        ("", 0),
        ("username", 8),
        ("email Co \"x\"", 0),
        ("userName xx \"a\"", 9),
        ("userName eq", 11),
        ("userName eq ", 12),
        ("userName eq a", 12),
        ("userName eq 'a'", 12),
        ("userName eq \"a", 12),
        ("userName eq \"a\\\"", 12),
        ("userName eq \"\\ud800\"", 12),
        ("userName eq {}", 12),
        ("userName eq [1]", 12),
        ("userName eq 1", 12),
        ("userName eq true", 12),
        // RFC 7644 section 3.4.2.2: booleans have no order.
        ("active gt true", 10),
        ("active co \"t\"", 10),
        ("active eq \"x\"", 10),
        ("name eq \"x\"", 8),
        ("meta.created eq \"yesterday\"", 16),
        ("meta.created co \"2020-01-01T00:00:00Z\"", 16),
        ("meta.version eq \"W/1\"", 16),
        ("meta.location pr and meta.location sw \"h\"", 38),
        ("x509Certificates.value co \"a\"", 26),
        ("title pr and", 9),
        ("title pr title pr", 9),
        ("(title pr", 9),
        ("title pr)", 8),
        ("not title pr", 0),
        ("emails[type eq \"a\"", 18),
        ("emails[type eq \"a\"]x", 19),
        ("emails[type eq \"a\"].nope eq \"b\"", 24),
        ("emails[emails[type pr]]", 7),
        ("userName[value pr]", 9),
        ("emails[title pr]", 7),
        ("groups.display eq \"x\"", 21),
        ("groups[not (value eq \"x\")]", 26),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User eq \"x\"",
            0,
        ),
        ("tité pr", 0),
    ] {
        assert_eq!(offset(filter), place, "{filter}");
    }
}

#[test]
fn holds_filters_to_their_limits() {
    use crate::limits::{FILTER_BYTES_MAX, FILTER_DEPTH_MAX, FILTER_TERMS_MAX};
    let nested = |depth: usize| format!("{}title pr{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&nested(FILTER_DEPTH_MAX - 1), ResourceKind::User).is_ok());
    for text in [
        nested(FILTER_DEPTH_MAX),
        nested(2_000),
        "not (".repeat(800),
        "(".repeat(4096),
    ] {
        offset(&text);
    }
    let chain = |terms: usize| std::vec!["title pr"; terms].join(" or ");
    assert!(Filter::parse(&chain(FILTER_TERMS_MAX), ResourceKind::User).is_ok());
    offset(&chain(FILTER_TERMS_MAX + 1));
    offset(&format!("title eq \"{}\"", "x".repeat(FILTER_BYTES_MAX)));
}

#[test]
fn any_of_several_keys_is_a_key() {
    let probe = |text: &str| Filter::parse(text, ResourceKind::User).unwrap().probe();
    let group = |id: &str| Probe::GroupEq(id.into());
    assert_eq!(
        probe(r#"userName eq "u" or id eq "i""#),
        Probe::Any(std::vec![
            Probe::UserNameEq(FoldedName::lookup("u")),
            Probe::IdEq("i".into()),
        ])
    );
    assert_eq!(
        probe(r#"groups[value eq "g" or value eq "h"]"#),
        Probe::Any(std::vec![group("g"), group("h")])
    );
    assert_eq!(probe(r#"userName eq "u" or title pr"#), Probe::Scan);
}

#[test]
fn implies_the_best_index_key() {
    let probe = |text: &str| Filter::parse(text, ResourceKind::User).unwrap().probe();
    let name = |text: &str| FoldedName::lookup(text);
    use crate::name::FoldedName;
    for (text, expected) in [
        (r#"userName eq "ADA""#, Probe::UserNameEq(name("ada"))),
        (r#"externalId eq "X""#, Probe::ExternalIdEq("X".into())),
        (r#"id eq "X""#, Probe::IdEq("X".into())),
        (
            r#"emails eq "A@D.example""#,
            Probe::EmailEq(name("a@d.example")),
        ),
        (
            r#"emails.value eq "a@d.example""#,
            Probe::EmailEq(name("a@d.example")),
        ),
        (
            r#"emails[type eq "work"].value eq "a@d.example""#,
            Probe::EmailEq(name("a@d.example")),
        ),
        (
            r#"emails[type eq "work" and value eq "a@d.example"]"#,
            Probe::EmailEq(name("a@d.example")),
        ),
        (
            r#"displayName eq "Ops""#,
            Probe::DisplayNameEq(FoldedName::text("ops")),
        ),
        (r#"groups.value eq "g""#, Probe::GroupEq("g".into())),
        (
            r#"title pr and (displayName eq "x" and userName eq "u")"#,
            Probe::UserNameEq(name("u")),
        ),
        (r#"userName eq "u" and id eq "i""#, Probe::IdEq("i".into())),
        (r#"not (userName eq "u")"#, Probe::Scan),
        (r#"userName ne "u""#, Probe::Scan),
        (r#"userName sw "u""#, Probe::Scan),
        (r#"emails[not (value eq "a@d.example")]"#, Probe::Scan),
        (r#"emails.type eq "work""#, Probe::Scan),
        (r#"name.givenName eq "x""#, Probe::Scan),
    ] {
        assert_eq!(probe(text), expected, "{text}");
    }
    let probe = |text: &str| Filter::parse(text, ResourceKind::Group).unwrap().probe();
    assert_eq!(probe(r#"members eq "u""#), Probe::MemberEq("u".into()));
    assert_eq!(
        probe(r#"members.value eq "u" and displayName eq "x""#),
        Probe::MemberEq("u".into())
    );
    assert_eq!(
        probe(r#"members[value eq "u"]"#),
        Probe::MemberEq("u".into())
    );
}

#[test]
fn every_match_has_the_key_that_the_filter_implies() {
    // Random conjunctions and disjunctions: whenever the user matches, the probe names a key of hers.
    let terms = [
        r#"userName eq "ada@DEMO.example""#,
        r#"userName eq "bob""#,
        r#"externalId eq "X-1""#,
        r#"emails.value eq "ada@home.example""#,
        r#"emails[type eq "work"].value eq "ada@demo.example""#,
        r#"displayName eq "ADA L""#,
        "title pr",
        "nickName pr",
        r#"groups.value eq "g1""#,
        r#"id eq "id-1""#,
    ];
    let user = UserDocument::parse_create(ADA.as_bytes(), Catalogue::STANDARD).unwrap();
    let in_group = |id: &str| id == "g1";
    let view = ResourceView::user(&user, "id-1", (0, 0), &in_group, 1);
    let mut state = 3_usize;
    let mut hits = 0;
    for _ in 0..5_000 {
        let mut text = String::new();
        for index in 0..4 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let random = state >> 33;
            if index > 0 {
                text.push_str(if random.is_multiple_of(3) {
                    " or "
                } else {
                    " and "
                });
            }
            let term = terms[random / 3 % terms.len()];
            text.push_str(&if random.is_multiple_of(7) {
                format!("not ({term})")
            } else {
                term.to_string()
            });
        }
        let filter = Filter::parse(&text, ResourceKind::User).unwrap();
        if filter.matches(&view) {
            hits += 1;
            assert!(leads_to(&filter.probe(), user.keys()), "{text}");
        }
    }
    assert!(hits > 1_000, "{hits}");
}

fn leads_to(probe: &Probe, keys: &crate::user::UserKeys) -> bool {
    match probe {
        Probe::IdEq(id) => id == "id-1",
        Probe::UserNameEq(name) => *name == keys.user_name,
        Probe::ExternalIdEq(id) => Some(id) == keys.external_id.as_ref(),
        Probe::EmailEq(name) => keys.emails.contains(name),
        Probe::GroupEq(id) => id == "g1",
        Probe::DisplayNameEq(name) => Some(name) == keys.display_name.as_ref(),
        Probe::Any(probes) => probes.iter().any(|probe| leads_to(probe, keys)),
        Probe::Scan => true,
        Probe::Nothing | Probe::MemberEq(_) => false,
    }
}

#[test]
fn filters_groups_by_members() {
    let (group, _) =
        GroupDocument::parse_create(br#"{"displayName":"Ops"}"#, Catalogue::STANDARD).unwrap();
    let has = |id: &str| id == "u1";
    let check = |text: &str, count: u64| {
        let view = ResourceView::group(&group, "g", (0, 0), &has, count);
        Filter::parse(text, ResourceKind::Group)
            .unwrap()
            .matches(&view)
    };
    assert!(check(r#"displayName eq "OPS" and members eq "u1""#, 1));
    assert!(check(r#"members[value eq "u1"] and members pr"#, 1));
    assert!(!check(r#"members[value eq "u2"]"#, 1));
    assert!(!check("members pr", 0));
    assert!(Filter::parse("userName pr", ResourceKind::Group).is_err());
}

/// The body of a fuzz target: no text makes the parser or the evaluation panic.
fn fuzz_filter(text: &str) {
    for kind in [ResourceKind::User, ResourceKind::Group] {
        let path = parse_path(text, kind.into());
        if let Ok(filter) = Filter::parse(text, kind) {
            let user = UserDocument::parse_create(ADA.as_bytes(), Catalogue::STANDARD).unwrap();
            let none = |_: &str| false;
            let matched = filter.matches(&ResourceView::user(&user, "", (0, 0), &none, 0));
            assert!(matched || filter.probe() != Probe::IdEq(String::new()) || text.contains("id"));
        }
        drop(path);
    }
}

#[test]
fn survives_mutated_filters() {
    let corpus = [
        r#"userName eq "a" and (emails[type eq "work"].value co "x" or not (title pr))"#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "\u00e9""#,
        r#"emails[type eq "work"].value"#,
        r#"meta.lastModified gt "2011-05-13T04:42:34Z""#,
    ];
    let mut state = 11_u64;
    let mut next = move |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % bound
    };
    let pieces = [
        "(", ")", "[", "]", "\"", "\\", " ", "not", "and", "or", "eq", "pr", ".", "é", "\u{0}",
        "value", ":",
    ];
    for round in 0..30_000 {
        let mut text: Vec<char> = corpus[round % corpus.len()].chars().collect();
        for _ in 0..=next(4) {
            let at = next(text.len() + 1);
            match next(3) {
                0 if at < text.len() => drop(text.remove(at)),
                1 => text.truncate(at),
                _ => drop(text.splice(at..at, pieces[next(pieces.len())].chars())),
            }
        }
        fuzz_filter(&text.into_iter().collect::<String>());
    }
}
