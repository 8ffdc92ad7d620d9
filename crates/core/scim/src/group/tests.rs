//! Bodies of groups.

use super::*;
use crate::error::ScimType;
use std::format;

fn ids(members: &[MemberRef]) -> Vec<&str> {
    members.iter().map(|member| member.value.as_str()).collect()
}

#[test]
fn separates_members_from_the_document() {
    let body = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group",
        "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "displayName":"Öps","externalId":"g-1","Members":[{"value":"1","$ref":null,"type":"User","display":"x"},
        "2",{"VALUE":"1"},null,{"value":"3","type":"group"}],"meta":{"resourceType":"Group"}}"#;
    let (group, members) =
        GroupDocument::parse_create(body.as_bytes(), Catalogue::STANDARD).unwrap();
    assert_eq!(
        group.to_canonical(),
        r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"externalId":"g-1","displayName":"Öps"}"#.as_bytes()
    );
    assert_eq!(ids(&members), ["1", "2", "3"]);
    assert_eq!(members[0].kind, Some(ResourceKind::User));
    assert_eq!(members[1].kind, None);
    assert_eq!(members[2].kind, Some(ResourceKind::Group));
    assert_eq!(group.keys().display_name, FoldedName::text("öPS"));
    assert_eq!(group.keys().external_id.as_deref(), Some("g-1"));
    assert_eq!(group.display_name(), "Öps");
    assert_eq!(
        GroupDocument::from_canonical(&group.to_canonical()),
        Ok(group)
    );
}

#[test]
fn put_tells_absent_members_from_none() {
    let all = Catalogue::STANDARD;
    let (before, _) = GroupDocument::parse_create(br#"{"displayName":"g"}"#, all).unwrap();
    let members = |body: &str| {
        GroupDocument::parse_replace(body.as_bytes(), &before, all)
            .unwrap()
            .1
    };
    assert_eq!(members(r#"{"displayName":"g"}"#), None);
    assert_eq!(
        members(r#"{"displayName":"g","members":[]}"#),
        Some(Vec::new())
    );
    assert_eq!(
        ids(&members(r#"{"displayName":"g","members":{"value":"1"}}"#).unwrap()),
        ["1"]
    );
}

#[test]
fn refuses_nameless_groups_and_members_without_id() {
    let refusal = |body: &str| {
        GroupDocument::parse_create(body.as_bytes(), Catalogue::STANDARD)
            .unwrap_err()
            .to_scim()
    };
    let nameless = refusal(r#"{"displayName":"","members":[]}"#);
    assert_eq!(nameless.scim_type, Some(ScimType::InvalidValue));
    assert_eq!(
        nameless.detail,
        "required attribute is missing at /displayName"
    );
    for (members, place) in [
        (r#"[{"value":"1"},{"$ref":"Users/2"}]"#, "/members/1/value"),
        (r#"[{"value":""}]"#, "/members/0/value"),
        (r#"[{"value":7}]"#, "/members/0/value"),
        (r#"[{"value":"a\nb"}]"#, "/members/0/value"),
        ("[[]]", "/members/0"),
        ("true", "/members"),
    ] {
        let error = refusal(&format!(r#"{{"displayName":"g","members":{members}}}"#));
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "{members}");
        assert!(
            error.detail.contains(&format!("at {place}:")),
            "{}",
            error.detail
        );
    }
    let twice = refusal(r#"{"displayName":"g","members":[],"Members":["1"]}"#);
    assert_eq!(twice.scim_type, Some(ScimType::InvalidSyntax));
    let many = format!(
        r#"{{"displayName":"g","members":[{}]}}"#,
        std::vec!["\"1\""; MEMBERS_PER_OPERATION_MAX + 1].join(",")
    );
    assert_eq!(refusal(&many).status, 413);
}
