//! A vendor's schema in use, and the files that are none.

use super::*;
use crate::error::{Error, ScimType};
use crate::filter::{Filter, ResourceView};
use crate::patch::PatchRequest;
use crate::projection::Projection;
use crate::render::{Meta, render_user};
use crate::user::UserDocument;
use chancery_json::Limits;
use std::format;
use std::string::ToString;

const URN: &str = "urn:example:params:scim:schemas:vault:2.0:User";
const SCHEMA: &str = r#"{"id":"urn:example:params:scim:schemas:vault:2.0:User","name":"Vault","attributes":[
    {"name":"seat","type":"string","multiValued":false,"required":true,"caseExact":true},
    {"name":"quota","type":"integer","multiValued":false},
    {"name":"since","type":"dateTime","multiValued":false},
    {"name":"contract","type":"string","multiValued":false,"mutability":"immutable"},
    {"name":"note","type":"string","multiValued":false,"returned":"request"},
    {"name":"secret","type":"string","multiValued":false,"returned":"never"},
    {"name":"labels","type":"string","multiValued":true},
    {"name":"home","type":"complex","multiValued":false,"subAttributes":[
        {"name":"site","type":"string","multiValued":false}]}]}"#;

fn value(text: &str) -> Value {
    Value::parse(text.as_bytes(), &Limits::DOCUMENT).unwrap()
}

fn catalogue() -> Catalogue {
    Catalogue::STANDARD
        .with_extension(ResourceKind::User, &value(SCHEMA))
        .unwrap()
}

fn user(extension: &str) -> Result<UserDocument, Error> {
    let body = format!(r#"{{"userName":"ada@demo.example","{URN}":{extension}}}"#);
    UserDocument::parse_create(body.as_bytes(), catalogue())
}

fn patched(user: &UserDocument, operation: &str) -> Result<String, Error> {
    let body = format!(r#"{{"Operations":[{operation}]}}"#);
    let request = PatchRequest::parse(body.as_bytes()).unwrap();
    let (next, _) = request.apply_user(user, catalogue())?;
    Ok(String::from_utf8(next.to_canonical()).unwrap())
}

#[test]
fn an_extension_is_kept_with_its_types_and_dropped_without_its_schema() {
    let body = r#"{"SEAT":"A1","quota":-3,"since":"2026-11-26T07:00:00+01:00","labels":["x","x","y"],"other":1}"#;
    let canonical = user(body).unwrap().to_canonical();
    let canonical = String::from_utf8(canonical).unwrap();
    let kept = r#"{"seat":"A1","quota":-3,"since":"2026-11-26T07:00:00+01:00","labels":["x","y"]}"#;
    assert!(canonical.contains(kept), "{canonical}");
    assert!(canonical.starts_with(&format!(
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","{URN}"]"#
    )));
    let body = format!(r#"{{"userName":"ada@demo.example","{URN}":{body}}}"#);
    let standard = UserDocument::parse_create(body.as_bytes(), Catalogue::STANDARD).unwrap();
    assert!(
        !standard
            .to_canonical()
            .windows(4)
            .any(|part| part == b"SEAT")
    );
}

#[test]
fn an_extension_is_held_to_its_schema() {
    for (extension, scim_type, place) in [
        (r#"{"quota":1}"#, ScimType::InvalidValue, "/seat"),
        (
            r#"{"seat":"A","quota":1.5}"#,
            ScimType::InvalidValue,
            "/quota",
        ),
        (
            r#"{"seat":"A","quota":"1"}"#,
            ScimType::InvalidValue,
            "/quota",
        ),
        (
            r#"{"seat":"A","since":"soon"}"#,
            ScimType::InvalidValue,
            "/since",
        ),
        (
            r#"{"seat":"A","labels":[1]}"#,
            ScimType::InvalidValue,
            "/labels/0",
        ),
        (
            r#"{"seat":"A","home":"here"}"#,
            ScimType::InvalidValue,
            "/home",
        ),
        (
            r#"{"seat":"A","Seat":"B"}"#,
            ScimType::InvalidSyntax,
            "/Seat",
        ),
    ] {
        let error = user(extension).unwrap_err().to_scim();
        assert_eq!(error.scim_type, Some(scim_type), "{extension}");
        assert!(error.detail.contains(place), "{}", error.detail);
    }
}

#[test]
fn what_is_set_once_stays() {
    let before = user(r#"{"seat":"A","contract":"7"}"#).unwrap();
    let path = |name: &str| format!("{URN}:{name}");
    for operation in [
        format!(
            r#"{{"op":"replace","path":"{}","value":"8"}}"#,
            path("contract")
        ),
        format!(r#"{{"op":"remove","path":"{}"}}"#, path("contract")),
        format!(r#"{{"op":"remove","path":"{URN}"}}"#),
        format!(r#"{{"op":"remove","path":"{}"}}"#, path("seat")),
    ] {
        let error = patched(&before, &operation).unwrap_err().to_scim();
        assert_eq!(error.scim_type, Some(ScimType::Mutability), "{operation}");
    }
    let put = format!(r#"{{"userName":"ada@demo.example","{URN}":{{"seat":"A"}}}}"#);
    let error = UserDocument::parse_replace(put.as_bytes(), &before, catalogue()).unwrap_err();
    assert_eq!(error.to_scim().scim_type, Some(ScimType::Mutability));
    let first = format!(
        r#"{{"op":"add","path":"{}","value":"8"}}"#,
        path("contract")
    );
    let unset = user(r#"{"seat":"A"}"#).unwrap();
    assert!(
        patched(&unset, &first)
            .unwrap()
            .contains(r#""contract":"8""#)
    );
}

#[test]
fn values_that_are_no_objects_are_a_set() {
    let before = user(r#"{"seat":"A","labels":["x","y"]}"#).unwrap();
    for (operation, labels) in [
        (
            r#"{"op":"add","path":"P","value":["y","z"]}"#,
            r#"["x","y","z"]"#,
        ),
        (r#"{"op":"replace","path":"P","value":"z"}"#, r#"["z"]"#),
        (r#"{"op":"remove","path":"P","value":["x"]}"#, r#"["y"]"#),
    ] {
        let operation = operation.replace('P', &format!("{URN}:labels"));
        let after = patched(&before, &operation).unwrap();
        assert!(after.contains(&format!(r#""labels":{labels}"#)), "{after}");
    }
    let all = format!(r#"{{"op":"remove","path":"{URN}:labels"}}"#);
    assert!(!patched(&before, &all).unwrap().contains("labels"));
    let filtered = format!(r#"{{"op":"remove","path":"{URN}:labels[value eq \"x\"]"}}"#);
    let error = patched(&before, &filtered).unwrap_err().to_scim();
    assert_eq!(error.scim_type, Some(ScimType::InvalidPath));
}

#[test]
fn filters_compare_numbers_and_instants_of_an_extension() {
    let body = r#"{"seat":"a1","quota":10,"since":"2026-11-26T07:00:00+01:00","labels":["x","y"]}"#;
    let user = user(body).unwrap();
    let none = |_: &str| false;
    let view = ResourceView::user(&user, "1", (0, 0), &none, 0);
    let of = catalogue().of(ResourceKind::User);
    for (filter, wanted) in [
        ("quota eq 10", true),
        ("quota ge 9.5", true),
        ("quota lt 9", false),
        ("quota ne 11", true),
        ("since eq \"2026-11-26T06:00:00Z\"", true),
        ("since gt \"2026-11-26T06:00:00.001Z\"", false),
        ("seat eq \"A1\"", false),
        ("labels eq \"y\"", true),
        ("labels eq \"z\"", false),
    ] {
        let filter = format!("{URN}:{filter}");
        assert_eq!(
            Filter::parse(&filter, of).unwrap().matches(&view),
            wanted,
            "{filter}"
        );
    }
    for filter in [
        "quota eq \"10\"",
        "quota co 1",
        "since co \"2026\"",
        "since eq 1",
    ] {
        assert!(
            Filter::parse(&format!("{URN}:{filter}"), of).is_err(),
            "{filter}"
        );
    }
    // Only the enterprise extension's names stand alone.
    assert!(Filter::parse("quota eq 10", of).is_err());
}

#[test]
fn what_is_returned_on_request_or_never_is_not_shown_unasked() {
    let user = user(r#"{"seat":"A","note":"n1","secret":"s1"}"#).unwrap();
    let of = catalogue().of(ResourceKind::User);
    let shown = |attributes: Option<&str>| {
        let projection = Projection::parse(attributes, None, of).unwrap();
        let meta = Meta {
            id: "1",
            created_ms: 0,
            last_modified_ms: 0,
            version: "1",
            location: "l",
        };
        let bytes = render_user(&user.to_canonical(), &meta, &[], &projection).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let unasked = shown(None);
    assert!(
        unasked.contains("\"seat\":\"A\"") && !unasked.contains("n1"),
        "{unasked}"
    );
    assert!(!unasked.contains("s1") && unasked.contains("ada@demo.example"));
    assert!(shown(Some(&format!("{URN}:note"))).contains("n1"));
    assert!(!shown(Some(&format!("{URN}:secret"))).contains("s1"));
}

#[test]
fn a_mixture_of_numbers_is_sorted_as_one_kind() {
    // Compared exactly with each other and as binary64 with fractions, these would be no order.
    let schema = SCHEMA.replace("\"integer\"", "\"decimal\"");
    let catalogue = Catalogue::STANDARD
        .with_extension(ResourceKind::User, &value(&schema))
        .unwrap();
    let kinds = crate::query::Kinds::One(ResourceKind::User);
    let query = format!("sortBy={URN}:quota");
    let query = crate::query::ListQuery::parse(&query, kinds, catalogue).unwrap();
    let sort = query.selections[0].sort.as_ref().unwrap();
    let none = |_: &str| false;
    let mut keys: Vec<_> = (0..3000_u64)
        .map(|number| {
            let fraction = if number % 2 == 0 { ".0" } else { "" };
            let quota = 9_007_199_254_740_992 + number * 7919 % 3001;
            let body =
                format!(r#"{{"userName":"a","{URN}":{{"seat":"A","quota":{quota}{fraction}}}}}"#);
            let user = UserDocument::parse_create(body.as_bytes(), catalogue).unwrap();
            sort.key(&ResourceView::user(&user, "1", (0, 0), &none, 0))
        })
        .collect();
    keys.sort_by(|left, right| sort.compare(left, right));
    assert!(keys.is_sorted_by(|left, right| sort.compare(left, right).is_le()));
}

#[test]
fn a_members_attribute_of_an_extension_is_no_membership() {
    let schema = format!(
        r#"{{"id":"{URN}","attributes":[{{"name":"members","type":"string","multiValued":true}}]}}"#
    );
    let catalogue = Catalogue::STANDARD
        .with_extension(ResourceKind::Group, &value(&schema))
        .unwrap();
    let (group, _) =
        crate::group::GroupDocument::parse_create(br#"{"displayName":"g"}"#, catalogue).unwrap();
    let body = format!(r#"{{"Operations":[{{"op":"add","path":"{URN}:members","value":["x"]}}]}}"#);
    let changes = PatchRequest::parse(body.as_bytes())
        .unwrap()
        .group_changes(&group, catalogue)
        .unwrap();
    assert!(changes.members.is_empty() && changes.document.is_some());
}

#[test]
fn what_is_never_shown_is_not_shown_inside_what_always_is_and_not_found_by() {
    let schema = format!(
        r#"{{"id":"{URN}","attributes":[{{"name":"box","type":"complex","multiValued":false,"returned":"always",
        "subAttributes":[{{"name":"open","type":"string","multiValued":false}},
        {{"name":"secret","type":"string","multiValued":false,"returned":"never"}}]}}]}}"#
    );
    let catalogue = Catalogue::STANDARD
        .with_extension(ResourceKind::User, &value(&schema))
        .unwrap();
    let of = catalogue.of(ResourceKind::User);
    let body = format!(r#"{{"userName":"a","{URN}":{{"box":{{"open":"o","secret":"s1"}}}}}}"#);
    let user = UserDocument::parse_create(body.as_bytes(), catalogue).unwrap();
    let meta = Meta {
        id: "1",
        created_ms: 0,
        last_modified_ms: 0,
        version: "1",
        location: "l",
    };
    for attributes in [None, Some("userName")] {
        let projection = Projection::parse(attributes, None, of).unwrap();
        let bytes = render_user(&user.to_canonical(), &meta, &[], &projection).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(r#""box":{"open":"o"}"#), "{text}");
    }
    for filter in ["box.secret eq \"s1\"", "box[secret sw \"s\"]"] {
        assert!(
            Filter::parse(&format!("{URN}:{filter}"), of).is_err(),
            "{filter}"
        );
    }
}

#[test]
fn refuses_files_that_are_no_schema() {
    let attribute = r#"{"name":"a","type":"string","multiValued":false}"#;
    let file =
        |id: &str, attributes: &str| format!(r#"{{"id":"{id}","attributes":[{attributes}]}}"#);
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    for (text, reason) in [
        (file("urn:x:y", ""), "/attributes"),
        (file("x:y", attribute), "/id"),
        (file(enterprise, attribute), "/id"),
        (
            file("urn:ietf:params:scim:schemas:core:2.0:User:more", attribute),
            "/id",
        ),
        (
            file(
                "urn:x:y",
                &format!("{attribute},{}", attribute.replace("\"a\"", "\"A\"")),
            ),
            "/attributes/1",
        ),
        (
            file("urn:x:y", &attribute.replace("\"a\"", "\"1a\"")),
            "/attributes/0/name",
        ),
        (
            file("urn:x:y", &attribute.replace("string", "text")),
            "/attributes/0/type",
        ),
        (
            file("urn:x:y", &attribute.replace("string", "complex")),
            "/attributes/0",
        ),
        (
            file(
                "urn:x:y",
                &attribute.replace('}', ",\"uniqueness\":\"server\"}"),
            ),
            "/attributes/0/uniqueness",
        ),
        (
            file(
                "urn:x:y",
                &attribute.replace('}', ",\"returned\":\"often\"}"),
            ),
            "/attributes/0/returned",
        ),
        (
            file("urn:x:y", &attribute.replace('}', ",\"mutability\":\"x\"}")),
            "/attributes/0/mutability",
        ),
        (
            file("urn:x:y", &attribute.replace('}', ",\"extra\":1}")),
            "/attributes/0/extra",
        ),
        (
            file("urn:x:y", &attribute.replace("false", "0")),
            "/attributes/0/multiValued",
        ),
    ] {
        let fault = Catalogue::STANDARD.with_extension(ResourceKind::User, &value(&text));
        let shown = fault.unwrap_err().to_string();
        assert!(shown.contains(reason), "{text}: {shown}");
    }
    let mut many = Catalogue::STANDARD;
    for number in 0..8 {
        let schema = value(&file(&format!("urn:x:{number}"), attribute));
        many = many.with_extension(ResourceKind::Group, &schema).unwrap();
    }
}

#[test]
fn refuses_names_of_the_rfcs_and_lists_within_lists() {
    let attribute = r#"{"name":"a","type":"string","multiValued":false}"#;
    let list = r#"{"name":"a","type":"complex","multiValued":true,"subAttributes":[
        {"name":"b","type":"string","multiValued":true}]}"#;
    for (id, attribute, reason) in [
        ("urn:", attribute, "/id"),
        ("urn:example", attribute, "/id"),
        (
            "urn:ietf:params:scim:schemas:core:2.0:Schema",
            attribute,
            "/id",
        ),
        (
            "urn:ietf:params:scim:api:messages:2.0:Error",
            attribute,
            "/id",
        ),
        ("urn:x:y", list, "/attributes/0/subAttributes/0/multiValued"),
    ] {
        let text = format!(r#"{{"id":"{id}","attributes":[{attribute}]}}"#);
        let fault = Catalogue::STANDARD.with_extension(ResourceKind::User, &value(&text));
        let shown = fault.unwrap_err().to_string();
        assert!(shown.contains(reason), "{text}: {shown}");
    }
    let given_away = "urn:ietf:params:scim:schemas:extension:vault:2.0:User";
    let text = format!(r#"{{"id":"{given_away}","attributes":[{attribute}]}}"#);
    let taken = Catalogue::STANDARD.with_extension(ResourceKind::User, &value(&text));
    assert!(taken.is_ok());
}
