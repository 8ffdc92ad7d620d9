//! Discovery documents.

use super::*;
use crate::limits::BODY;
use std::string::ToString;

const BASE: &str = "https://h/t/demo/scim/v2";

fn object(bytes: &[u8]) -> Object {
    Value::parse(bytes, &BODY)
        .unwrap()
        .as_object()
        .unwrap()
        .clone()
}

fn at<'v>(object: &'v Object, path: &str) -> &'v Value {
    let mut names = path.split('/');
    let mut value = object.get(names.next().unwrap()).unwrap();
    for name in names {
        value = match value.as_array() {
            Some(items) => &items[name.parse::<usize>().unwrap()],
            None => value
                .as_object()
                .unwrap()
                .get(name)
                .unwrap_or_else(|| panic!("{path}")),
        };
    }
    value
}

#[test]
fn advertises_only_what_is_true() {
    let config = object(&service_provider_config(BASE));
    for (path, supported) in [
        ("patch/supported", true),
        ("bulk/supported", true),
        ("filter/supported", true),
        ("changePassword/supported", false),
        ("sort/supported", true),
        ("etag/supported", true),
    ] {
        assert_eq!(at(&config, path).as_bool(), Some(supported), "{path}");
    }
    assert_eq!(
        at(&config, "filter/maxResults").as_u64(),
        Some(PAGE_SIZE_MAX)
    );
    for (place, kind) in [(0, "oauthbearertoken"), (1, "oauth2")] {
        assert_eq!(
            at(&config, &format!("authenticationSchemes/{place}/type")).as_str(),
            Some(kind)
        );
    }
    assert_eq!(
        at(&config, "meta/location").as_str(),
        Some("https://h/t/demo/scim/v2/ServiceProviderConfig")
    );
    assert_eq!(
        at(&config, "bulk/maxOperations").as_u64(),
        u64::try_from(BULK_OPERATIONS_MAX).ok()
    );
    assert_eq!(at(&config, "pagination/cursor").as_bool(), Some(true));
    assert_eq!(
        at(&config, "pagination/defaultPaginationMethod").as_str(),
        Some("index")
    );
}

#[test]
fn lists_types_and_schemas_and_shows_each_alone() {
    let types = object(&resource_types(BASE, Catalogue::STANDARD));
    assert_eq!(at(&types, "totalResults").as_u64(), Some(2));
    assert_eq!(
        at(&types, "Resources/0/schemaExtensions/0/schema").as_str(),
        Some(urn::ENTERPRISE_USER)
    );
    assert_eq!(at(&types, "Resources/1/endpoint").as_str(), Some("/Groups"));
    let schemas = object(&schemas(BASE, Catalogue::STANDARD));
    assert_eq!(at(&schemas, "totalResults").as_u64(), Some(6));
    for index in 0..6 {
        let listed = at(&schemas, &format!("Resources/{index}"));
        let urn = listed
            .as_object()
            .unwrap()
            .get("id")
            .unwrap()
            .as_str()
            .unwrap()
            .to_string();
        assert_eq!(
            schema(BASE, &urn, Catalogue::STANDARD).unwrap(),
            listed.to_bytes()
        );
    }
    assert_eq!(
        resource_type(BASE, "User", Catalogue::STANDARD).unwrap(),
        at(&types, "Resources/0").to_bytes()
    );
    assert_eq!(resource_type(BASE, "Device", Catalogue::STANDARD), None);
    assert_eq!(schema(BASE, "urn:nope", Catalogue::STANDARD), None);
}

#[test]
fn publishes_every_characteristic_of_every_attribute() {
    // RFC 7643 section 8.7.1, in the parts that clients rely on.
    let user = object(&schema(BASE, urn::USER, Catalogue::STANDARD).unwrap());
    let find = |name: &str| {
        let attributes = at(&user, "attributes").as_array().unwrap();
        let found = attributes
            .iter()
            .find(|a| a.as_object().unwrap().get("name").unwrap().as_str() == Some(name));
        String::from_utf8(found.unwrap_or_else(|| panic!("{name}")).to_bytes()).unwrap()
    };
    let user_name = find("userName");
    for part in [
        r#""required":true"#,
        r#""caseExact":false"#,
        r#""uniqueness":"server""#,
        r#""mutability":"readWrite""#,
        r#""multiValued":false"#,
    ] {
        assert!(user_name.contains(part), "{user_name}");
    }
    assert!(find("password").contains(r#""mutability":"writeOnly","returned":"never""#));
    assert!(find("groups").contains(r#""mutability":"readOnly""#));
    assert!(find("emails").contains(r#""canonicalValues":["work","home","other"]"#));
    assert!(find("profileUrl").contains(r#""referenceTypes":["external"]"#));
    assert_eq!(at(&user, "attributes").as_array().unwrap().len(), 21);
    let text = String::from_utf8(schemas(BASE, Catalogue::STANDARD)).unwrap();
    assert!(!text.contains("null"));
    for name in [
        "name",
        "type",
        "multiValued",
        "description",
        "required",
        "caseExact",
        "mutability",
        "returned",
        "uniqueness",
    ] {
        let attributes = text.matches("\"multiValued\":").count();
        assert!(
            text.matches(&format!("\"{name}\":")).count() >= attributes,
            "{name}"
        );
    }
}
