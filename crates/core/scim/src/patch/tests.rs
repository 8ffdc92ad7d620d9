//! PATCH: the rules of RFC 7644 section 3.5.2, and the shapes that known IdPs send.

use super::*;
use crate::error::ScimType;
use crate::group::{MemberChange, MemberRef};
use std::format;
use std::string::String;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const ADA: &str = r#"{"userName":"ada","displayName":"Ada","title":"Eng","name":{"givenName":"Ada","familyName":"L"},
    "emails":[{"value":"a@d.example","type":"work","primary":true},{"value":"h@d.example","type":"home"}]}"#;

fn user(body: &str) -> UserDocument {
    UserDocument::parse_create(body.as_bytes(), Catalogue::STANDARD).unwrap()
}

fn request(operations: &str) -> Result<PatchRequest, Error> {
    let body = format!(
        r#"{{"schemas":["{}"],"Operations":[{operations}]}}"#,
        urn::PATCH_OP
    );
    PatchRequest::parse(body.as_bytes())
}

fn apply(start: &str, operations: &str) -> Result<(UserDocument, Changed), Error> {
    request(operations)?.apply_user(&user(start), Catalogue::STANDARD)
}

/// The operations turn one user into another.
fn becomes(start: &str, operations: &str, end: &str) {
    let (document, changed) = apply(start, operations)
        .unwrap_or_else(|error| panic!("{operations}: {}", error.to_scim().detail));
    let wanted = String::from_utf8(user(end).to_canonical()).unwrap();
    assert_eq!(
        String::from_utf8(document.to_canonical()).unwrap(),
        wanted,
        "{operations}"
    );
    assert_eq!(
        changed == Changed::No,
        user(start) == user(end),
        "{operations}"
    );
}

fn refused(start: &str, operations: &str, scim_type: ScimType, place: &str) {
    let error = apply(start, operations)
        .map(|(document, _)| panic!("{operations}: {document:?}"))
        .unwrap_err()
        .to_scim();
    assert_eq!(
        (error.status, error.scim_type),
        (400, Some(scim_type)),
        "{operations}: {}",
        error.detail
    );
    assert!(
        error.detail.contains(place),
        "{operations}: {}",
        error.detail
    );
}

#[test]
fn suspends_in_every_dialect() {
    for operation in [
        r#"{"op":"replace","value":{"active":false}}"#,
        r#"{"op":"Replace","path":"active","value":"False"}"#,
        r#"{"OP":"REPLACE","Path":"Active","Value":false,"name":"x"}"#,
        r#"{"op":"replace","path":"active","value":["false"]}"#,
        r#"{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:User:active","value":"FALSE"}"#,
        r#"{"op":"replace","value":{"id":"1","schemas":[],"urn:ietf:params:scim:schemas:core:2.0:User:active":"false"}}"#,
        r#"{"op":"replace","path":null,"value":[{"active":false}]}"#,
    ] {
        becomes(
            r#"{"userName":"a"}"#,
            operation,
            r#"{"userName":"a","active":false}"#,
        );
    }
    // I15: what cannot be understood as a deprovisioning must fail.
    for (operation, scim_type) in [
        (
            r#"{"op":"replace","value":{"isActive":false}}"#,
            ScimType::InvalidValue,
        ),
        (
            r#"{"op":"replace","path":"isActive","value":false}"#,
            ScimType::InvalidPath,
        ),
        (
            r#"{"op":"replace","path":"active","value":"no"}"#,
            ScimType::InvalidValue,
        ),
        (
            r#"{"op":"replace","path":"active","value":""}"#,
            ScimType::InvalidValue,
        ),
        (
            r#"{"op":"replace","path":"active","value":null}"#,
            ScimType::InvalidValue,
        ),
        (
            r#"{"op":"replace","path":"active"}"#,
            ScimType::InvalidValue,
        ),
        (r#"{"op":"replace","value":false}"#, ScimType::InvalidValue),
        (r#"{"op":"replace"}"#, ScimType::InvalidValue),
        (r#"{"op":"remove","path":"active"}"#, ScimType::Mutability),
        (
            r#"{"op":"suspend","path":"active"}"#,
            ScimType::InvalidSyntax,
        ),
        (
            r#"{"path":"active","value":false}"#,
            ScimType::InvalidSyntax,
        ),
    ] {
        refused(r#"{"userName":"a"}"#, operation, scim_type, "/Operations/0");
    }
}

#[test]
fn adds_what_entra_adds_to_values_that_do_not_exist() {
    becomes(
        r#"{"userName":"a"}"#,
        r#"{"op":"Add","path":"emails[type eq \"work\"].value","value":"a@d.example"},
           {"op":"Add","path":"addresses[type eq \"work\"].streetAddress","value":"S"},
           {"op":"Add","path":"addresses[type eq \"work\"].locality","value":"L"},
           {"op":"Add","path":"roles[primary eq \"True\"].value","value":"{\"id\":1}"},
           {"op":"Add","path":"phoneNumbers[type eq \"mobile\"].value","value":"+1"},
           {"op":"Add","path":"name.givenName","value":"G"}"#,
        r#"{"userName":"a","emails":[{"value":"a@d.example","type":"work"}],
            "addresses":[{"streetAddress":"S","locality":"L","type":"work"}],
            "roles":[{"value":"{\"id\":1}","primary":true}],
            "phoneNumbers":[{"value":"+1","type":"mobile"}],"name":{"givenName":"G"}}"#,
    );
    // RFC 7644 section 3.5.2.3: replace "SHALL fail by returning 400 ... noTarget".
    refused(
        r#"{"userName":"a"}"#,
        r#"{"op":"replace","path":"emails[type eq \"work\"].value","value":"a@d.example"}"#,
        ScimType::NoTarget,
        "/Operations/0/path",
    );
    refused(
        r#"{"userName":"a"}"#,
        r#"{"op":"add","path":"emails[type ne \"work\"].value","value":"a@d.example"}"#,
        ScimType::NoTarget,
        "/Operations/0/path",
    );
}

#[test]
fn takes_dotted_and_urn_keys_without_path() {
    becomes(
        ADA,
        &format!(
            r#"{{"op":"replace","value":{{"name.givenName":"X","{ENTERPRISE}:employeeNumber":"7","{ENTERPRISE}":{{"department":"D"}},
            "emails[type eq \"home\"].value":"n@d.example","id":"own","meta":{{}},"groups":[],"unknown":1}}}}"#
        ),
        &ADA.replace("\"givenName\":\"Ada\"", "\"givenName\":\"X\"")
            .replace("h@d.example", "n@d.example")
            .replace(
                "{\"userName\"",
                &format!(
                    r#"{{"{ENTERPRISE}":{{"employeeNumber":"7","department":"D"}},"userName""#
                ),
            ),
    );
}

#[test]
fn sets_and_clears_the_manager_in_every_shape() {
    let with =
        |manager: &str| format!(r#"{{"userName":"a","{ENTERPRISE}":{{"manager":{manager}}}}}"#);
    let none = r#"{"userName":"a"}"#;
    let path = format!("{ENTERPRISE}:manager");
    for (path, value) in [
        (path.as_str(), r#""m1""#),
        (path.as_str(), r#"[{"$ref":null,"value":"m1"}]"#),
        ("manager", r#"{"value":"m1","displayName":"ignored"}"#),
        ("manager.value", r#""m1""#),
        (ENTERPRISE, r#"{"manager":"m1"}"#),
    ] {
        becomes(
            none,
            &format!(r#"{{"op":"Add","path":"{path}","value":{value}}}"#),
            &with(r#"{"value":"m1"}"#),
        );
    }
    // The old manager's $ref does not survive the old manager.
    let old = with(r#"{"value":"m0","$ref":"../Users/m0"}"#);
    becomes(
        &old,
        r#"{"op":"replace","path":"manager","value":"m1"}"#,
        &with(r#"{"value":"m1"}"#),
    );
    becomes(
        &old,
        r#"{"op":"replace","path":"manager","value":{"value":"m1"}}"#,
        &with(r#"{"value":"m1"}"#),
    );
    becomes(
        &old,
        r#"{"op":"replace","path":"manager","value":{"$ref":"../Users/m1","value":"m1"}}"#,
        &with(r#"{"value":"m1","$ref":"../Users/m1"}"#),
    );
    for clear in [
        r#"{"op":"Replace","path":"manager","value":""}"#,
        r#"{"op":"replace","path":"manager","value":null}"#,
        r#"{"op":"remove","path":"manager"}"#,
        r#"{"op":"remove","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"}"#,
    ] {
        becomes(&old, clear, none);
    }
    refused(
        none,
        r#"{"op":"replace","path":"manager.displayName","value":"x"}"#,
        ScimType::Mutability,
        "/Operations/0/path",
    );
}

#[test]
fn leaves_the_version_alone_if_nothing_changes() {
    // RFC 7644 section 3.5.2.1: "If the value already exists, no changes SHOULD be made".
    for operation in [
        r#"{"op":"add","path":"title","value":"Eng"}"#,
        r#"{"op":"add","path":"emails","value":[{"value":"h@d.example","type":"home"}]}"#,
        r#"{"op":"replace","value":{"active":"True","name":{"givenName":"Ada"}}}"#,
        r#"{"op":"remove","path":"nickName"}"#,
        r#"{"op":"remove","path":"phoneNumbers[type eq \"work\"]"}"#,
        r#"{"op":"remove","path":"emails","value":[{"value":"other@d.example"}]}"#,
        r#"{"op":"replace","path":"password","value":"secret"}"#,
        r#"{"op":"add","path":"emails","value":[]}"#,
        r#"{"op":"replace","value":{}}"#,
        r#"{"op":"remove","path":"title"},{"op":"add","path":"title","value":"Eng"}"#,
    ] {
        becomes(ADA, operation, ADA);
    }
}

#[test]
fn a_new_primary_clears_the_others() {
    let end = r#"{"userName":"ada","displayName":"Ada","title":"Eng","name":{"givenName":"Ada","familyName":"L"},"emails":"#;
    let end = |emails: &str| format!("{end}{emails}}}");
    becomes(
        ADA,
        r#"{"op":"add","path":"emails","value":{"value":"n@d.example","primary":true}}"#,
        &end(
            r#"[{"value":"a@d.example","type":"work","primary":false},{"value":"h@d.example","type":"home"},{"value":"n@d.example","primary":true}]"#,
        ),
    );
    becomes(
        ADA,
        r#"{"op":"replace","path":"emails[type eq \"home\"].primary","value":"True"}"#,
        &end(
            r#"[{"value":"a@d.example","type":"work","primary":false},{"value":"h@d.example","type":"home","primary":true}]"#,
        ),
    );
    // The same value and type again is the same value: what it adds is merged into it.
    becomes(
        ADA,
        r#"{"op":"add","value":{"emails":[{"value":"H@d.example","type":"HOME","primary":true}]}}"#,
        &end(
            r#"[{"value":"a@d.example","type":"work","primary":false},{"value":"H@d.example","type":"HOME","primary":true}]"#,
        ),
    );
    refused(
        ADA,
        r#"{"op":"replace","path":"emails.primary","value":true}"#,
        ScimType::InvalidValue,
        "/Operations/0/value",
    );
    refused(
        ADA,
        r#"{"op":"add","path":"emails","value":[{"value":"x@d.example","primary":true},{"value":"y@d.example","primary":true}]}"#,
        ScimType::InvalidValue,
        "/Operations/0/value",
    );
}

#[test]
fn replaces_as_the_rfc_says() {
    // RFC 7644 section 3.5.2.3: "Sub-attributes that are not specified SHALL be left unchanged".
    becomes(
        r#"{"userName":"a","name":{"givenName":"G","familyName":"F"}}"#,
        r#"{"op":"replace","path":"name","value":{"givenName":"H","middleName":null}}"#,
        r#"{"userName":"a","name":{"givenName":"H","familyName":"F"}}"#,
    );
    // "If the target location path specifies an attribute that does not exist, ... 'add'".
    becomes(
        r#"{"userName":"a"}"#,
        r#"{"op":"replace","path":"title","value":"T"}"#,
        r#"{"userName":"a","title":"T"}"#,
    );
    // "all matching record values SHALL be replaced".
    becomes(
        r#"{"userName":"a","addresses":[{"type":"work","locality":"L","region":"R"},{"type":"home","locality":"M"}]}"#,
        r#"{"op":"replace","path":"addresses[type eq \"WORK\"]","value":{"locality":"N"}}"#,
        r#"{"userName":"a","addresses":[{"locality":"N","type":"WORK"},{"type":"home","locality":"M"}]}"#,
    );
    becomes(
        r#"{"userName":"a","emails":[{"value":"x@d.example","type":"w"},{"value":"y@d.example","type":"w"}]}"#,
        r#"{"op":"replace","path":"emails[type eq \"w\"].display","value":"D"}"#,
        r#"{"userName":"a","emails":[{"value":"x@d.example","display":"D","type":"w"},{"value":"y@d.example","display":"D","type":"w"}]}"#,
    );
    becomes(
        ADA,
        r#"{"op":"replace","path":"emails","value":["z@d.example"]}"#,
        &ADA.replace(
            ADA.split_once("\"Ada\",\"familyName\":\"L\"},").unwrap().1,
            "\"emails\":[\"z@d.example\"]}",
        ),
    );
    becomes(
        r#"{"userName":"a","title":"T"}"#,
        r#"{"op":"replace","path":"title","value":""}"#,
        r#"{"userName":"a"}"#,
    );
    becomes(
        r#"{"userName":"a"}"#,
        r#"{"op":"replace","path":"userName","value":"B"}"#,
        r#"{"userName":"B"}"#,
    );
}

#[test]
fn removes_as_the_rfc_says() {
    let two = r#"{"userName":"a","emails":[{"value":"x@d.example","type":"work"},{"value":"y@d.example","type":"home"}]}"#;
    let one = r#"{"userName":"a","emails":[{"value":"y@d.example","type":"home"}]}"#;
    for operation in [
        r#"{"op":"remove","path":"emails[type eq \"work\"]"}"#,
        r#"{"op":"remove","path":"emails[type eq \"work\"].value"}"#,
        r#"{"op":"remove","path":"emails","value":[{"value":"x@d.example"}]}"#,
        r#"{"op":"replace","path":"emails[type eq \"work\"].value","value":""}"#,
    ] {
        becomes(two, operation, one);
    }
    becomes(
        two,
        r#"{"op":"remove","path":"emails"}"#,
        r#"{"userName":"a"}"#,
    );
    becomes(
        two,
        r#"{"op":"remove","path":"emails[not (type eq \"work\" and value pr)].type"}"#,
        r#"{"userName":"a","emails":[{"value":"x@d.example","type":"work"},{"value":"y@d.example"}]}"#,
    );
    becomes(
        r#"{"userName":"a","name":{"givenName":"G"}}"#,
        r#"{"op":"remove","path":"name.givenName"}"#,
        r#"{"userName":"a"}"#,
    );
    refused(
        two,
        r#"{"op":"remove"}"#,
        ScimType::NoTarget,
        "/Operations/0",
    );
    refused(
        two,
        r#"{"op":"remove","value":{"emails":[]}}"#,
        ScimType::NoTarget,
        "/Operations/0",
    );
    refused(
        two,
        r#"{"op":"remove","path":"userName"}"#,
        ScimType::Mutability,
        "/Operations/0/path",
    );
    refused(
        two,
        r#"{"op":"remove","path":"id"}"#,
        ScimType::Mutability,
        "/Operations/0/path",
    );
    refused(
        two,
        r#"{"op":"remove","path":"emails","value":[]}"#,
        ScimType::InvalidValue,
        "/Operations/0/value",
    );
}

#[test]
fn is_atomic_and_sequential() {
    becomes(
        r#"{"userName":"a"}"#,
        r#"{"op":"add","path":"title","value":"1"},{"op":"replace","path":"title","value":"2"}"#,
        r#"{"userName":"a","title":"2"}"#,
    );
    let before = user(ADA);
    let request = request(
        r#"{"op":"replace","path":"title","value":"X"},{"op":"replace","path":"nope","value":"X"}"#,
    )
    .unwrap();
    let error = request
        .apply_user(&before, Catalogue::STANDARD)
        .unwrap_err()
        .to_scim();
    assert_eq!(error.scim_type, Some(ScimType::InvalidPath));
    assert!(
        error.detail.contains("/Operations/1/path"),
        "{}",
        error.detail
    );
    assert_eq!(before, user(ADA));
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row per refusal")]
fn refuses_paths_values_and_identifiers_with_the_right_type() {
    for (operation, scim_type) in [
        (
            r#"{"op":"add","path":"nope","value":"x"}"#,
            ScimType::InvalidPath,
        ),
        (
            r#"{"op":"add","path":"name.nope","value":"x"}"#,
            ScimType::InvalidPath,
        ),
        (
            r#"{"op":"add","path":"urn:nope:title","value":"x"}"#,
            ScimType::InvalidPath,
        ),
        (
            r#"{"op":"add","path":"emails[type eq","value":"x"}"#,
            ScimType::InvalidPath,
        ),
        (
            r#"{"op":"add","path":"emails[nope eq \"x\"]","value":"x"}"#,
            ScimType::InvalidPath,
        ),
        (
            r#"{"op":"add","path":"emails.value.x","value":"x"}"#,
            ScimType::InvalidPath,
        ),
        (
            r#"{"op":"add","path":"name[givenName eq \"Ada\"].familyName","value":"x"}"#,
            ScimType::InvalidPath,
        ),
        (
            r#"{"op":"add","path":"members","value":[]}"#,
            ScimType::InvalidPath,
        ),
        (
            r#"{"op":"add","path":7,"value":"x"}"#,
            ScimType::InvalidSyntax,
        ),
        (
            r#"{"op":"add","value":{"active":true,"Active":false}}"#,
            ScimType::InvalidSyntax,
        ),
        (
            r#"{"op":"add","path":"name","value":{"givenName":"x","GivenName":null}}"#,
            ScimType::InvalidSyntax,
        ),
        (
            r#"{"op":"add","path":"id","value":"x"}"#,
            ScimType::Mutability,
        ),
        (
            r#"{"op":"add","path":"meta.version","value":"x"}"#,
            ScimType::Mutability,
        ),
        (
            r#"{"op":"add","path":"groups","value":[{"value":"g"}]}"#,
            ScimType::Mutability,
        ),
        (
            r#"{"op":"replace","path":"userName","value":""}"#,
            ScimType::InvalidValue,
        ),
        (
            r#"{"op":"replace","path":"userName","value":"аdmin"}"#,
            ScimType::InvalidValue,
        ),
        (
            r#"{"op":"replace","value":{"userName":"a@b@c.example"}}"#,
            ScimType::InvalidValue,
        ),
        (
            r#"{"op":"add","path":"emails[type eq \"x\"].value","value":"none"}"#,
            ScimType::InvalidValue,
        ),
        (
            r#"{"op":"replace","path":"title","value":{}}"#,
            ScimType::InvalidValue,
        ),
        (
            r#"{"op":"replace","path":"name","value":"text"}"#,
            ScimType::InvalidValue,
        ),
        (
            r#"{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","value":{"nope":1}}"#,
            ScimType::InvalidValue,
        ),
    ] {
        refused(ADA, operation, scim_type, "");
    }
}

#[test]
fn refuses_messages_of_another_form() {
    for body in [
        "{}",
        r#"{"Operations":[]}"#,
        r#"{"Operations":null}"#,
        r#"{"Operations":["add"]}"#,
        r#"{"schemas":["urn:x"],"Operations":[{"op":"remove","path":"title"}]}"#,
        r#"{"Operations":[{"op":"remove","path":"title"}],"operations":[]}"#,
        r#"{"Operations":[{"op":"remove","path":"title","Path":"name"}]}"#,
    ] {
        let error = PatchRequest::parse(body.as_bytes()).unwrap_err().to_scim();
        assert_eq!(
            (error.status, error.scim_type),
            (400, Some(ScimType::InvalidSyntax)),
            "{body}"
        );
    }
    let many = std::vec![r#"{"op":"remove","path":"title"}"#; OPERATIONS_MAX + 1].join(",");
    assert_eq!(request(&many).unwrap_err().to_scim().status, 413);
    assert!(PatchRequest::parse(br#"{"operations":{"op":"remove","path":"title"}}"#).is_ok());
}

fn group() -> GroupDocument {
    GroupDocument::parse_create(
        br#"{"displayName":"G","externalId":"x"}"#,
        Catalogue::STANDARD,
    )
    .unwrap()
    .0
}

fn member_changes(operations: &str) -> Result<Vec<MemberChange>, Error> {
    request(operations)?
        .group_changes(&group(), Catalogue::STANDARD)
        .map(|changes| {
            assert_eq!(changes.document, None, "{operations}");
            changes.members
        })
}

fn refs(ids: &[&str]) -> Vec<MemberRef> {
    ids.iter()
        .map(|id| MemberRef {
            value: String::from(*id),
            kind: None,
        })
        .collect()
}

#[test]
fn turns_member_operations_into_set_changes() {
    let remove =
        |ids: &[&str]| MemberChange::Remove(ids.iter().map(|id| String::from(*id)).collect());
    for (operations, expected) in [
        (
            r#"{"op":"Add","path":"members","value":[{"$ref":null,"value":"1"},{"value":"2"},{"value":"1"}]}"#,
            std::vec![MemberChange::Add(refs(&["1", "2"]))],
        ),
        (
            r#"{"op":"add","path":"members","value":"1"}"#,
            std::vec![MemberChange::Add(refs(&["1"]))],
        ),
        (
            r#"{"op":"add","value":{"members":[{"value":"1"}]}}"#,
            std::vec![MemberChange::Add(refs(&["1"]))],
        ),
        (r#"{"op":"add","path":"members","value":[]}"#, std::vec![]),
        // By RFC 7644 section 3.5.2.2 this removes all; Entra ID, authentik and rauthy mean one.
        (
            r#"{"op":"Remove","path":"members","value":[{"value":"1"}]}"#,
            std::vec![remove(&["1"])],
        ),
        (
            r#"{"op":"remove","path":"members","value":[{"value":"1","display":"x"},"2"]}"#,
            std::vec![remove(&["1", "2"])],
        ),
        (
            r#"{"op":"remove","path":"members[value eq \"1\"]"}"#,
            std::vec![remove(&["1"])],
        ),
        (
            r#"{"op":"remove","path":"members[value eq \"1\" or value eq \"2\"]"}"#,
            std::vec![remove(&["1", "2"])],
        ),
        (
            r#"{"op":"remove","path":"members"}"#,
            std::vec![MemberChange::Clear],
        ),
        (
            r#"{"op":"replace","path":"members","value":[{"value":"3"}]}"#,
            std::vec![MemberChange::ReplaceAll(refs(&["3"]))],
        ),
        (
            r#"{"op":"replace","path":"members","value":[]}"#,
            std::vec![MemberChange::Clear],
        ),
        // Okta sends both in one request; the order counts.
        (
            r#"{"op":"remove","path":"members[value eq \"1\"]"},{"op":"add","path":"members","value":[{"value":"2","display":"x"}]}"#,
            std::vec![remove(&["1"]), MemberChange::Add(refs(&["2"]))],
        ),
    ] {
        assert_eq!(member_changes(operations), Ok(expected), "{operations}");
    }
}

#[test]
fn refuses_member_operations_that_could_empty_a_group_by_accident() {
    for (operations, scim_type) in [
        (
            r#"{"op":"remove","path":"members","value":[]}"#,
            ScimType::InvalidValue,
        ),
        (
            r#"{"op":"remove","path":"members","value":[{"id":"1"}]}"#,
            ScimType::InvalidValue,
        ),
        (
            r#"{"op":"remove","path":"members","value":true}"#,
            ScimType::InvalidValue,
        ),
        (
            r#"{"op":"remove","path":"members[display eq \"x\"]"}"#,
            ScimType::InvalidPath,
        ),
        (
            r#"{"op":"remove","path":"members[type eq \"User\"]"}"#,
            ScimType::InvalidPath,
        ),
        (
            r#"{"op":"remove","path":"members[value ne \"1\"]"}"#,
            ScimType::InvalidPath,
        ),
        (
            r#"{"op":"remove","path":"members[value eq \"1\"].value"}"#,
            ScimType::Mutability,
        ),
        (
            r#"{"op":"replace","path":"members[value eq \"1\"].value","value":"2"}"#,
            ScimType::Mutability,
        ),
        (
            r#"{"op":"replace","path":"members[value eq \"1\"]","value":{"value":"2"}}"#,
            ScimType::Mutability,
        ),
        (
            r#"{"op":"replace","path":"members","value":[{"display":"x"}]}"#,
            ScimType::InvalidValue,
        ),
        (
            r#"{"op":"replace","path":"members"}"#,
            ScimType::InvalidValue,
        ),
        (r#"{"op":"remove"}"#, ScimType::NoTarget),
        (
            r#"{"op":"remove","path":"displayName"}"#,
            ScimType::Mutability,
        ),
        (
            r#"{"op":"replace","path":"displayName","value":""}"#,
            ScimType::InvalidValue,
        ),
    ] {
        let error = member_changes(operations).unwrap_err().to_scim();
        assert_eq!(
            (error.status, error.scim_type),
            (400, Some(scim_type)),
            "{operations}: {}",
            error.detail
        );
    }
}

#[test]
fn renames_groups_as_okta_authentik_and_rauthy_do() {
    let okta =
        request(r#"{"op":"replace","value":{"id":"own-id","schemas":["x"],"displayName":"H"}}"#)
            .unwrap()
            .group_changes(&group(), Catalogue::STANDARD)
            .unwrap();
    assert_eq!(okta.document.unwrap().display_name(), "H");
    assert_eq!(okta.members, []);
    let rauthy = request(r#"{"op":"replace","value":{"externalId":null,"displayName":"G"}}"#)
        .unwrap()
        .group_changes(&group(), Catalogue::STANDARD)
        .unwrap();
    assert_eq!(rauthy.document.unwrap().keys().external_id, None);
    let same = request(r#"{"op":"replace","path":"displayName","value":"G"}"#)
        .unwrap()
        .group_changes(&group(), Catalogue::STANDARD)
        .unwrap();
    assert_eq!(same.document, None);
}

/// The body of a fuzz target: whatever is accepted is a document that passes as a new one.
fn fuzz_patch(body: &[u8], current: &UserDocument) -> bool {
    let Ok(request) = PatchRequest::parse(body) else {
        return false;
    };
    if let Ok(changes) = request.group_changes(&group(), Catalogue::STANDARD) {
        drop(changes);
    }
    let Ok((document, changed)) = request.apply_user(current, Catalogue::STANDARD) else {
        return false;
    };
    let canonical = document.to_canonical();
    assert_eq!(
        UserDocument::parse_create(&canonical, Catalogue::STANDARD).as_ref(),
        Ok(&document)
    );
    assert_eq!(
        UserDocument::from_canonical(&canonical).as_ref(),
        Ok(&document)
    );
    assert_eq!(changed == Changed::No, document == *current);
    true
}

#[test]
fn survives_mutated_messages() {
    let corpus = [
        r#"{"Operations":[{"op":"add","path":"emails[type eq \"work\"].value","value":"a@d.example"},{"op":"replace","value":{"name.givenName":"x","active":"False"}}]}"#,
        r#"{"Operations":[{"op":"remove","path":"members","value":[{"value":"1"}]},{"op":"remove","path":"emails[value eq \"a@d.example\"]"}]}"#,
        r#"{"Operations":[{"op":"replace","path":"manager","value":[{"value":"1","$ref":null}]},{"op":"add","path":"emails","value":[{"value":"b@d.example","primary":true,"type":"home"}]}]}"#,
    ];
    let pieces = [
        "\"", "[", "]", "{", "}", "null", "true", "[]", "\"\"", "eq", ",", ":", "primary", "value",
        "\\u0041", "emails", "home", "active", "replace", "remove", "add",
    ];
    let current = user(ADA);
    let mut state = 23_u64;
    let mut next = move |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % bound
    };
    let mut accepted = 0;
    for round in 0..20_000 {
        let mut text = String::from(corpus[round % corpus.len()]);
        for _ in 0..=next(2) {
            let (from, to) = (pieces[next(pieces.len())], pieces[next(pieces.len())]);
            let found: Vec<usize> = text.match_indices(from).map(|(at, _)| at).collect();
            if !found.is_empty() {
                let at = found[next(found.len())];
                text.replace_range(at..at + from.len(), to);
            }
        }
        if fuzz_patch(text.as_bytes(), &current) {
            accepted += 1;
        }
    }
    assert!(accepted > 500, "{accepted}");
}

#[test]
fn adds_a_value_that_differs_where_case_counts() {
    becomes(
        r#"{"userName":"ada","photos":[{"value":"https://a.example/p"}]}"#,
        r#"{"op":"add","path":"photos","value":[{"value":"https://a.example/P"}]}"#,
        r#"{"userName":"ada","photos":[{"value":"https://a.example/p"},{"value":"https://a.example/P"}]}"#,
    );
}
