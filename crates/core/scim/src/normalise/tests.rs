//! One test for each tolerated shape: what it becomes, and its nearest neighbours, which are refused.

use std::string::String;
use std::{format, vec};

use crate::error::{Error, ScimType};
use crate::group::{GroupDocument, MemberChange};
use crate::patch::PatchRequest;
use crate::schema::ResourceKind;
use crate::user::UserDocument;
use crate::{Catalogue, Filter, Kinds, ListQuery};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const ADA: &str =
    r#"{"userName":"ada","title":"T","emails":[{"value":"w@d.example","type":"work"}]}"#;

fn create(body: &str) -> Result<UserDocument, Error> {
    UserDocument::parse_create(body.as_bytes(), Catalogue::STANDARD)
}

fn patch(start: &str, operations: &str) -> Result<UserDocument, Error> {
    let request = PatchRequest::parse(format!(r#"{{"Operations":[{operations}]}}"#).as_bytes())?;
    Ok(request.apply_user(&create(start)?, Catalogue::STANDARD)?.0)
}

fn change_group(operations: &str) -> Result<(String, vec::Vec<MemberChange>), Error> {
    let request = PatchRequest::parse(format!(r#"{{"Operations":[{operations}]}}"#).as_bytes())?;
    let (group, _) =
        GroupDocument::parse_create(br#"{"displayName":"team"}"#, Catalogue::STANDARD)?;
    let changes = request.group_changes(&group, Catalogue::STANDARD)?;
    let name = changes.document.as_ref().unwrap_or(&group).display_name();
    Ok((String::from(name), changes.members))
}

fn filter(text: &str) -> Result<Filter, Error> {
    Filter::parse(text, ResourceKind::User)
}

fn query(text: &str) -> Result<ListQuery, Error> {
    ListQuery::parse(text, Kinds::One(ResourceKind::User), Catalogue::STANDARD)
}

/// Both are accepted and mean the same.
#[track_caller]
fn same(left: Result<UserDocument, Error>, right: Result<UserDocument, Error>) {
    let text = |document: Result<UserDocument, Error>| match document {
        Ok(document) => String::from_utf8(document.to_canonical()).unwrap(),
        Err(error) => panic!("{}", error.to_scim().detail),
    };
    assert_eq!(text(left), text(right));
}

#[track_caller]
fn refused<T>(result: Result<T, Error>, scim_type: ScimType) {
    let error = result.map(|_| ()).unwrap_err().to_scim();
    assert_eq!(error.scim_type, Some(scim_type), "{}", error.detail);
}

#[track_caller]
fn invalid<T>(result: Result<T, Error>) {
    refused(result, ScimType::InvalidValue);
}

fn replace(path: &str, value: &str) -> String {
    format!(
        r#"{{"op":"replace","path":"{}","value":{value}}}"#,
        path.replace('"', "\\\"")
    )
}

#[test]
fn tolerates_op_in_any_case_but_refuses_other_words() {
    let wanted = create(r#"{"userName":"ada","title":"T"}"#);
    for op in ["add", "Add", "ADD", "Replace", "rEPLACE"] {
        let operation = format!(r#"{{"op":"{op}","path":"title","value":"T"}}"#);
        same(patch(r#"{"userName":"ada"}"#, &operation), wanted.clone());
    }
    for op in ["", "set", "add ", "replace,remove"] {
        let operation = format!(r#"{{"op":"{op}","path":"title","value":"T"}}"#);
        refused(patch(ADA, &operation), ScimType::InvalidSyntax);
    }
}

#[test]
fn tolerates_spelled_booleans_but_refuses_other_texts_and_numbers() {
    for spelled in [
        "false",
        r#""False""#,
        r#""false""#,
        r#""FALSE""#,
        r#"["False"]"#,
    ] {
        let wanted = create(r#"{"userName":"ada","active":false}"#);
        let body = format!(r#"{{"userName":"ada","active":{spelled}}}"#);
        same(create(&body), wanted.clone());
        same(
            patch(r#"{"userName":"ada"}"#, &replace("active", spelled)),
            wanted.clone(),
        );
        let pathless = format!(r#"{{"op":"replace","value":{{"active":{spelled}}}}}"#);
        same(patch(r#"{"userName":"ada"}"#, &pathless), wanted);
    }
    for other in [
        r#""no""#,
        r#""0""#,
        "0",
        r#"" false""#,
        r#"["true","false"]"#,
        "{}",
    ] {
        invalid(create(&format!(r#"{{"userName":"ada","active":{other}}}"#)));
        invalid(patch(ADA, &replace("active", other)));
    }
    // In the filter of a path, as Entra ID writes it.
    let role = r#"{"userName":"ada","roles":[{"value":"a","primary":true}]}"#;
    let changed = create(r#"{"userName":"ada","roles":[{"value":"b","primary":true}]}"#);
    same(
        patch(
            role,
            &replace(r#"roles[primary eq "True"].value"#, r#""b""#),
        ),
        changed,
    );
    let other = replace(r#"roles[primary eq "yes"].value"#, r#""b""#);
    refused(patch(role, &other), ScimType::InvalidPath);
}

#[test]
fn tolerates_an_array_of_one_for_a_single_value_but_refuses_two() {
    same(
        create(r#"{"userName":["ada"],"title":["T"]}"#),
        create(r#"{"userName":"ada","title":"T"}"#),
    );
    same(
        patch(r#"{"userName":"ada"}"#, &replace("title", r#"["T"]"#)),
        create(r#"{"userName":"ada","title":"T"}"#),
    );
    invalid(create(r#"{"userName":["ada","bob"]}"#));
    invalid(create(r#"{"userName":"ada","title":["T","U"]}"#));
    invalid(create(r#"{"userName":"ada","title":[["T"]]}"#));
    invalid(patch(ADA, &replace("title", r#"["T","U"]"#)));
}

#[test]
fn tolerates_a_single_value_for_a_list_but_refuses_what_is_no_value() {
    let wanted = create(r#"{"userName":"ada","emails":[{"value":"w@d.example"}]}"#);
    same(
        create(r#"{"userName":"ada","emails":{"value":"w@d.example"}}"#),
        wanted.clone(),
    );
    same(
        create(r#"{"userName":"ada","emails":"w@d.example"}"#),
        wanted.clone(),
    );
    same(
        create(r#"{"userName":"ada","emails":["w@d.example"]}"#),
        wanted,
    );
    for other in [
        "7",
        "true",
        r#"[["w@d.example"]]"#,
        "[7]",
        r#""no address""#,
    ] {
        invalid(create(&format!(r#"{{"userName":"ada","emails":{other}}}"#)));
    }
}

#[test]
fn tolerates_a_text_for_what_has_a_value_but_refuses_it_for_what_has_none() {
    let body = |manager: &str| {
        create(&format!(
            r#"{{"userName":"ada","{ENTERPRISE}":{{"manager":{manager}}}}}"#
        ))
    };
    let wanted = body(r#"{"value":"m"}"#);
    same(body(r#""m""#), wanted.clone());
    same(body(r#"[{"value":"m"}]"#), wanted.clone());
    let path = format!("{ENTERPRISE}:manager");
    for value in [r#""m""#, r#"{"value":"m"}"#, r#"[{"value":"m"}]"#] {
        same(
            patch(r#"{"userName":"ada"}"#, &replace(&path, value)),
            wanted.clone(),
        );
        same(
            patch(r#"{"userName":"ada"}"#, &replace("manager", value)),
            wanted.clone(),
        );
    }
    for other in ["7", "true", r#"["m","n"]"#] {
        invalid(body(other));
        invalid(patch(ADA, &replace(&path, other)));
    }
    invalid(create(r#"{"userName":"ada","name":"Ada"}"#));
    invalid(create(r#"{"userName":"ada","addresses":["London"]}"#));
    invalid(patch(ADA, &replace("name", r#""Ada""#)));
}

#[test]
fn tolerates_plain_ids_of_members_but_refuses_what_is_no_id() {
    let added = |value: &str| {
        change_group(&format!(
            r#"{{"op":"add","path":"members","value":{value}}}"#
        ))
    };
    let wanted = added(r#"[{"value":"1"}]"#).unwrap();
    for shape in [
        r#""1""#,
        r#"["1"]"#,
        r#"{"value":"1"}"#,
        r#"[{"$ref":null,"value":"1"}]"#,
        r#"[{"value":"1","$ref":"Users/1","display":"x","unknown":7}]"#,
    ] {
        assert_eq!(added(shape).unwrap(), wanted, "{shape}");
    }
    for other in [
        "7",
        "true",
        "[7]",
        r#"[["1"]]"#,
        r#"[{"display":"x"}]"#,
        r#"[{"value":7}]"#,
        r#"[""]"#,
    ] {
        invalid(added(other));
    }
}

#[test]
fn tolerates_empty_texts_and_nulls_for_absence_but_not_where_a_value_is_required() {
    let bare = create(r#"{"userName":"ada"}"#);
    for empty in ["null", r#""""#, "[]"] {
        same(
            create(&format!(
                r#"{{"userName":"ada","title":{empty},"emails":{empty}}}"#
            )),
            bare.clone(),
        );
        let both = [replace("title", empty), replace("emails", empty)].join(",");
        same(patch(ADA, &both), bare.clone());
        invalid(create(&format!(r#"{{"userName":{empty}}}"#)));
        invalid(patch(ADA, &replace("userName", empty)));
        invalid(change_group(&replace("displayName", empty)));
    }
    // Whether somebody may sign in is never left out.
    invalid(patch(ADA, &replace("active", "null")));
    invalid(patch(ADA, &replace("active", r#""""#)));
}

#[test]
fn tolerates_dotted_and_qualified_keys_but_refuses_a_value_of_which_nothing_is_known() {
    let keys = format!(
        r#"{{"op":"replace","value":{{"name.givenName":"A","{ENTERPRISE}:department":"D",
        "urn:ietf:params:scim:schemas:core:2.0:User:title":"U","unknown.part":1}}}}"#
    );
    let wanted = format!(
        r#"{{"userName":"ada","title":"U","name":{{"givenName":"A"}},
        "emails":[{{"value":"w@d.example","type":"work"}}],"{ENTERPRISE}":{{"department":"D"}}}}"#
    );
    same(patch(ADA, &keys), create(&wanted));
    for other in [
        r#"{"name.unknown":"A"}"#,
        r#"{"urn:example:title":"U"}"#,
        r#"{"unknown":1}"#,
        r#""title""#,
        "[]",
    ] {
        invalid(patch(
            ADA,
            &format!(r#"{{"op":"replace","value":{other}}}"#),
        ));
    }
    invalid(patch(
        ADA,
        r#"{"op":"replace","value":{"name.givenName":{}}}"#,
    ));
}

#[test]
fn tolerates_own_id_schemas_and_meta_without_path_but_refuses_them_in_a_path() {
    let operation = r#"{"op":"replace","value":{"id":"1","schemas":["x"],"meta":{"version":"v"},"displayName":"crew"}}"#;
    assert_eq!(change_group(operation).unwrap().0, "crew");
    for (path, value) in [
        ("id", r#""1""#),
        ("schemas", "[]"),
        ("meta.version", r#""v""#),
    ] {
        refused(change_group(&replace(path, value)), ScimType::Mutability);
    }
}

#[test]
fn tolerates_add_where_equalities_describe_the_value_but_refuses_other_filters_and_replace() {
    let start = r#"{"userName":"ada"}"#;
    let add = |path: &str| {
        let path = path.replace('"', "\\\"");
        patch(
            start,
            &format!(r#"{{"op":"add","path":"{path}","value":"w@d.example"}}"#),
        )
    };
    same(
        add(r#"emails[type eq "work"].value"#),
        create(r#"{"userName":"ada","emails":[{"value":"w@d.example","type":"work"}]}"#),
    );
    same(
        add(r#"emails[type eq "work" and primary eq "True"].value"#),
        create(
            r#"{"userName":"ada","emails":[{"value":"w@d.example","type":"work","primary":true}]}"#,
        ),
    );
    for path in [
        r#"emails[type ne "work"].value"#,
        r#"emails[type eq "work" or type eq "home"].value"#,
        r#"emails[not (type eq "work")].value"#,
        r#"emails[type sw "w"].value"#,
        "emails[type pr].value",
    ] {
        refused(add(path), ScimType::NoTarget);
    }
    let unmatched = replace(r#"emails[type eq "work"].value"#, r#""w@d.example""#);
    refused(patch(start, &unmatched), ScimType::NoTarget);
}

#[test]
fn tolerates_a_list_of_what_to_remove_but_refuses_an_empty_one() {
    let remove = |value: &str| {
        change_group(&format!(
            r#"{{"op":"Remove","path":"members","value":{value}}}"#
        ))
    };
    for shape in [
        r#"[{"value":"1"}]"#,
        r#"[{"$ref":null,"value":"1"}]"#,
        r#"["1"]"#,
        r#""1""#,
    ] {
        assert_eq!(
            remove(shape).unwrap().1,
            [MemberChange::Remove(vec!["1".into()])],
            "{shape}"
        );
    }
    assert_eq!(remove("null").unwrap().1, [MemberChange::Clear]);
    for other in ["[]", r#""""#, "7", r#"[{"display":"x"}]"#] {
        invalid(remove(other));
    }
    let two = r#"{"userName":"ada","emails":[{"value":"a@d.example","type":"work"},{"value":"b@d.example"}]}"#;
    let one = create(r#"{"userName":"ada","emails":[{"value":"b@d.example"}]}"#);
    same(
        patch(
            two,
            r#"{"op":"remove","path":"emails","value":[{"value":"a@d.example"}]}"#,
        ),
        one,
    );
    invalid(patch(two, r#"{"op":"remove","path":"emails","value":[]}"#));
}

#[test]
fn tolerates_further_members_of_an_operation_but_refuses_one_twice() {
    let wanted = create(r#"{"userName":"ada"}"#);
    same(
        patch(
            r#"{"userName":"ada","title":"T"}"#,
            r#"{"name":"x","op":"remove","path":"title","from":"y"}"#,
        ),
        wanted,
    );
    let twice = r#"{"op":"remove","Op":"add","path":"title"}"#;
    refused(patch(ADA, twice), ScimType::InvalidSyntax);
}

#[test]
fn tolerates_unknown_attributes_in_bodies_but_refuses_them_in_paths_and_filters() {
    let body = r#"{"schemas":["urn:example:x"],"userName":"ada","colour":"red","urn:example:x":{"a":1},"name":{"nick":"A"}}"#;
    same(create(body), create(r#"{"userName":"ada"}"#));
    for path in [
        "colour",
        "name.nick",
        "urn:example:x:a",
        r#"emails[colour eq "red"].value"#,
    ] {
        refused(
            patch(ADA, &replace(path, r#""red""#)),
            ScimType::InvalidPath,
        );
    }
    refused(filter(r#"colour eq "red""#), ScimType::InvalidFilter);
    // What is known is still held to its schema, unknown neighbours or not.
    invalid(create(r#"{"userName":"ada","colour":"red","title":7}"#));
}

#[test]
fn tolerates_a_term_behind_brackets_but_refuses_anything_else_there() {
    for text in [
        r#"emails[type eq "work"].value eq "w@d.example""#,
        r#"roles[primary eq "True"].value eq "a""#,
    ] {
        assert!(filter(text).is_ok(), "{text}");
    }
    for text in [
        r#"emails[type eq "work"].value"#,
        r#"emails[type eq "work"].colour eq "x""#,
        r#"emails[type eq "work"]value eq "x""#,
        r#"emails[type eq "work"].value.x eq "x""#,
        r#"title[value eq "x"].value eq "x""#,
    ] {
        refused(filter(text), ScimType::InvalidFilter);
    }
}

#[test]
fn tolerates_plus_for_space_and_any_parameter_but_refuses_broken_escapes_and_repetition() {
    for text in [
        "filter=userName+eq+%22a%2Bb%22",
        "aadOptscim062020&filter=title%20pr",
        "foo=%ZZ&bar&count=1",
        "",
    ] {
        assert!(query(text).is_ok(), "{text}");
    }
    for text in [
        "filter=title%2",
        "filter=%ff",
        "count=1&count=2",
        "count=1&COUNT=1",
        "startIndex=x",
    ] {
        invalid(query(text));
    }
}

#[test]
fn tolerates_missing_and_foreign_schemas_but_refuses_those_of_something_else() {
    const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
    let body = |schemas: &str| create(&format!(r#"{{"schemas":{schemas},"userName":"ada"}}"#));
    let named = |urns: &[&str]| body(&format!("[\"{}\"]", urns.join("\",\"")));
    let wanted = create(r#"{"userName":"ada"}"#);
    for schemas in [
        "null",
        "[]",
        r#"["urn:example:x"]"#,
        r#"["http://example.com/User"]"#,
    ] {
        same(body(schemas), wanted.clone());
    }
    for urns in [
        &[USER][..],
        &[ENTERPRISE],
        &[ENTERPRISE, USER],
        &[USER, "urn:example:x"],
    ] {
        same(named(urns), wanted.clone());
    }
    same(named(&[&USER.to_uppercase()]), wanted);
    for other in ["schemas:core:2.0:Group", "api:messages:2.0:PatchOp"] {
        invalid(named(&[&format!("urn:ietf:params:scim:{other}")]));
    }
    for other in ["7", "[7]", "{}", "true"] {
        invalid(body(other));
    }
    let message = |schemas: &str| {
        let body = format!(r#"{{{schemas}"Operations":[{{"op":"remove","path":"title"}}]}}"#);
        PatchRequest::parse(body.as_bytes())
    };
    let patch_op = r#""schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"#;
    for schemas in ["", r#""schemas":null,"#, r#""schemas":[],"#, patch_op] {
        assert!(message(schemas).is_ok(), "{schemas}");
    }
    let user = format!(r#""schemas":["{USER}"],"#);
    for schemas in [user.as_str(), r#""schemas":7,"#] {
        refused(message(schemas), ScimType::InvalidSyntax);
    }
}

#[test]
fn tolerates_names_in_any_case_but_refuses_two_spellings_of_one() {
    same(
        create(r#"{"USERNAME":"ada","Name":{"GIVENNAME":"A"}}"#),
        create(r#"{"userName":"ada","name":{"givenName":"A"}}"#),
    );
    refused(
        create(r#"{"userName":"ada","username":"bob"}"#),
        ScimType::InvalidSyntax,
    );
    refused(
        create(r#"{"userName":"ada","title":null,"TITLE":"T"}"#),
        ScimType::InvalidSyntax,
    );
    refused(
        create(r#"{"userName":"ada","name":{"givenName":"A","GivenName":"B"}}"#),
        ScimType::InvalidSyntax,
    );
}
