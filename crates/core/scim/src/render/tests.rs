//! Representations and projections.

use super::*;
use crate::group::GroupDocument;
use crate::schema::Catalogue;
use crate::user::UserDocument;
use std::string::{String, ToString};

const META: Meta<'_> = Meta {
    id: "u1",
    created_ms: 0,
    last_modified_ms: 1_795_641_720_123,
    version: "7",
    location: "https://h/Users/u1",
};
const META_JSON: &str = r#""meta":{"resourceType":"User","created":"1970-01-01T00:00:00.000Z","lastModified":"2026-11-25T21:22:00.123Z","version":"W/\"7\"","location":"https://h/Users/u1"}"#;
const GROUPS: [GroupRef<'_>; 1] = [GroupRef {
    value: "g1",
    display: "G \"1\"",
    reference: "https://h/Groups/g1",
}];

fn user() -> Vec<u8> {
    let body = r#"{"userName":"a","title":"T","name":{"givenName":"G","familyName":"F"},"emails":[{"value":"a@d.example","type":"work"},{"type":"home"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","manager":{"value":"m"}}}"#;
    UserDocument::parse_create(body.as_bytes(), Catalogue::STANDARD)
        .unwrap()
        .to_canonical()
}

fn shown(attributes: Option<&str>, excluded: Option<&str>) -> String {
    let projection = Projection::parse(attributes, excluded, ResourceKind::User).unwrap();
    String::from_utf8(render_user(&user(), &META, &GROUPS, &projection).unwrap()).unwrap()
}

const SCHEMAS: &str = r#""schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]"#;

#[test]
fn splices_everything_without_projection() {
    let text = shown(None, None);
    let canonical = String::from_utf8(user()).unwrap();
    let groups = r#""groups":[{"value":"g1","$ref":"https://h/Groups/g1","display":"G \"1\"","type":"direct"}]"#;
    assert_eq!(
        text,
        std::format!(
            "{},\"id\":\"u1\",{META_JSON},{groups}}}",
            canonical.strip_suffix('}').unwrap()
        )
    );
    let value = Value::parse(text.as_bytes(), &crate::limits::BODY).unwrap();
    assert_eq!(value.to_bytes(), text.as_bytes());
    // What is shown can be PUT back unchanged (RFC 7644 section 3.5.1).
    let current = UserDocument::from_canonical(&user()).unwrap();
    assert_eq!(
        UserDocument::parse_replace(text.as_bytes(), &current, Catalogue::STANDARD),
        Ok(current)
    );
    let alone = render_user(&user(), &META, &[], &Projection::all(ResourceKind::User)).unwrap();
    assert!(!String::from_utf8(alone).unwrap().contains("groups"));
}

#[test]
fn shows_what_attributes_name_and_always_id_and_schemas() {
    // RFC 7644 section 3.4.2.5: "attributes" names what to return beside the minimum set.
    assert_eq!(
        shown(Some("userName"), None),
        std::format!(r#"{{{SCHEMAS},"userName":"a","id":"u1"}}"#)
    );
    assert_eq!(
        shown(Some("USERNAME, nope"), None),
        shown(Some("userName"), None)
    );
    assert_eq!(
        shown(Some("nope"), None),
        std::format!(r#"{{{SCHEMAS},"id":"u1"}}"#)
    );
    assert_eq!(
        shown(Some("name.familyName,emails.value"), None),
        std::format!(
            r#"{{{SCHEMAS},"name":{{"familyName":"F"}},"emails":[{{"value":"a@d.example"}}],"id":"u1"}}"#
        )
    );
    assert_eq!(
        shown(
            Some("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"),
            None
        ),
        std::format!(
            r#"{{{SCHEMAS},"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{{"department":"D"}},"id":"u1"}}"#
        )
    );
    assert_eq!(
        shown(
            Some("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"),
            None
        ),
        std::format!(
            r#"{{{SCHEMAS},"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{{"department":"D","manager":{{"value":"m"}}}},"id":"u1"}}"#
        )
    );
    assert_eq!(
        shown(Some("groups.display"), None),
        std::format!(r#"{{{SCHEMAS},"id":"u1","groups":[{{"display":"G \"1\""}}]}}"#)
    );
    assert_eq!(
        shown(Some("meta.version"), None),
        std::format!(r#"{{{SCHEMAS},"id":"u1","meta":{{"version":"W/\"7\""}}}}"#)
    );
    assert_eq!(
        shown(Some("password"), None),
        std::format!(r#"{{{SCHEMAS},"id":"u1"}}"#)
    );
    assert_eq!(shown(Some(" "), None), shown(None, None));
}

#[test]
fn hides_what_excluded_attributes_name_but_never_id_and_schemas() {
    let text = shown(
        None,
        Some(
            "emails,name.givenName,groups,meta,id,schemas,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
        ),
    );
    assert_eq!(
        text,
        std::format!(
            r#"{{{SCHEMAS},"userName":"a","name":{{"familyName":"F"}},"title":"T","active":true,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{{"department":"D"}},"id":"u1"}}"#
        )
    );
    assert!(
        !shown(
            None,
            Some("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User")
        )
        .contains("department")
    );
    assert_eq!(
        shown(Some("userName,title"), Some("title")),
        shown(Some("userName"), None)
    );
    let many = std::vec!["title"; PROJECTION_NAMES_MAX + 1].join(",");
    assert!(matches!(
        Projection::parse(None, Some(&many), ResourceKind::User),
        Err(Error::Query {
            parameter: "excludedAttributes",
            ..
        })
    ));
    use crate::limits::PROJECTION_NAMES_MAX;
}

#[test]
fn shows_members_even_if_there_are_none() {
    let canonical = GroupDocument::parse_create(br#"{"displayName":"G"}"#, Catalogue::STANDARD)
        .unwrap()
        .0
        .to_canonical();
    let meta = Meta {
        location: "https://h/Groups/u1",
        ..META
    };
    let members = |ids: &[&'static str], projection: &Projection| {
        let members = ids.iter().map(|id| MemberView {
            value: id,
            kind: ResourceKind::User,
            display: if *id == "1" { Some("One") } else { None },
            reference: "r",
        });
        String::from_utf8(
            render_group(
                &canonical,
                &meta,
                members.collect::<Vec<_>>().into_iter(),
                projection,
            )
            .unwrap(),
        )
        .unwrap()
    };
    assert!(members(&[], &Projection::all(ResourceKind::Group)).ends_with(r#","members":[]}"#));
    assert!(members(&["1", "2"], &Projection::all(ResourceKind::Group)).ends_with(
        r#","members":[{"value":"1","$ref":"r","type":"User","display":"One"},{"value":"2","$ref":"r","type":"User"}]}"#
    ));
    let excluded = Projection::parse(None, Some("members"), ResourceKind::Group).unwrap();
    assert!(!excluded.shows("members") && Projection::all(ResourceKind::Group).shows("members"));
    assert!(!members(&["1"], &excluded).contains("members"));
    let ids = Projection::parse(Some("members.value"), None, ResourceKind::Group).unwrap();
    assert!(members(&["1"], &ids).ends_with(r#""id":"u1","members":[{"value":"1"}]}"#));
}

#[test]
fn lists_hold_every_member_that_strict_clients_need() {
    assert_eq!(
        String::from_utf8(render_list(0, &Position::Index(1), &[])).unwrap(),
        r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"startIndex":1,"itemsPerPage":0,"Resources":[]}"#
    );
    let list = render_list(
        12,
        &Position::Index(11),
        &[b"{}".to_vec(), b"{\"a\":1}".to_vec()],
    );
    assert!(String::from_utf8(list).unwrap().ends_with(
        r#""totalResults":12,"startIndex":11,"itemsPerPage":2,"Resources":[{},{"a":1}]}"#
    ));
    assert_eq!(
        location("https://h/scim/v2", ResourceKind::Group, "7").to_string(),
        "https://h/scim/v2/Groups/7"
    );
}

#[test]
fn refuses_damaged_documents() {
    let only = Projection::parse(Some("title"), None, ResourceKind::User).unwrap();
    for damaged in [&b""[..], b"{}", b"[1]", b"{\"a\":1"] {
        assert_eq!(
            render_user(damaged, &META, &[], &Projection::all(ResourceKind::User)),
            Err(Error::Stored)
        );
    }
    assert_eq!(render_user(b"{x}", &META, &[], &only), Err(Error::Stored));
}

#[test]
fn a_member_of_which_nothing_is_shown_is_left_out() {
    let (group, _) =
        GroupDocument::parse_create(br#"{"displayName":"G"}"#, Catalogue::STANDARD).unwrap();
    let member = |value, display| MemberView {
        value,
        kind: ResourceKind::User,
        display,
        reference: "https://h/Users/u",
    };
    let members = [
        member("1", None),
        member("2", Some("Bob")),
        member("3", None),
    ];
    let projection = Projection::parse(Some("members.display"), None, ResourceKind::Group).unwrap();
    let text = render_group(
        &group.to_canonical(),
        &META,
        members.into_iter(),
        &projection,
    );
    let text = String::from_utf8(text.unwrap()).unwrap();
    assert!(
        text.ends_with(r#""members":[{"display":"Bob"}]}"#),
        "{text}"
    );
}
