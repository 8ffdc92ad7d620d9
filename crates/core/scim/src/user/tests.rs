//! Bodies of POST and PUT, in the shapes that known IdPs send.

use super::*;
use crate::error::ScimType;
use crate::limits::{BODY_BYTES_MAX, VALUES_MAX};
use crate::name::NameFault;
use std::format;
use std::string::{String, ToString};

fn create(body: &str) -> UserDocument {
    UserDocument::parse_create(body.as_bytes(), Catalogue::STANDARD)
        .unwrap_or_else(|e| panic!("{}", e.to_scim().detail))
}

fn canonical(body: &str) -> String {
    String::from_utf8(create(body).to_canonical()).unwrap()
}

fn refusal(body: &str) -> (Option<ScimType>, String) {
    let error = UserDocument::parse_create(body.as_bytes(), Catalogue::STANDARD)
        .unwrap_err()
        .to_scim();
    (error.scim_type, error.detail)
}

const HEAD: &str = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"#;

#[test]
fn takes_the_body_that_okta_sends() {
    let body = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"Ada@demo.example",
        "name":{"givenName":"Ada","familyName":"L"},"emails":[{"primary":true,"value":"Ada@demo.example","type":"work"}],
        "displayName":"Ada L","locale":"en-US","externalId":"00ujl29u0le5T6Aj10h7","groups":[],
        "password":"1mz050nq","active":true}"#;
    let expected = format!(
        "{HEAD}{}",
        r#""externalId":"00ujl29u0le5T6Aj10h7","userName":"Ada@demo.example","name":{"familyName":"L","givenName":"Ada"},"displayName":"Ada L","locale":"en-US","active":true,"emails":[{"value":"Ada@demo.example","type":"work","primary":true}]}"#
    );
    assert_eq!(canonical(body), expected);
    let user = create(body);
    let keys = user.keys();
    assert_eq!(keys.user_name.as_str(), "ada@demo.example");
    assert_eq!(keys.external_id.as_deref(), Some("00ujl29u0le5T6Aj10h7"));
    assert_eq!(keys.emails[0].as_str(), "ada@demo.example");
    assert_eq!(keys.display_name.as_ref().unwrap().as_str(), "ada l");
    assert!(keys.active);
}

#[test]
fn takes_the_body_that_entra_sends() {
    let body = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","urn:example:unknown"],
        "externalId":"0a21f0f2","UserName":"a@demo.example","active":"True","displayName":"A",
        "emails":[{"Primary":"True","type":"work","value":"a@demo.example"}],
        "meta":{"resourceType":"User"},"name":{"formatted":"A B","FamilyName":"B","givenName":null},
        "roles":[],"title":"","misspelt":1,
        "URN:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"Department":"R&D","manager":"m1","bogus":[]}}"#;
    let text = canonical(body);
    assert!(text.starts_with(r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"externalId":"0a21f0f2","userName":"#), "{text}");
    assert!(
        text.contains(r#""name":{"formatted":"A B","familyName":"B"}"#),
        "{text}"
    );
    assert!(
        text.contains(r#""emails":[{"value":"a@demo.example","type":"work","primary":true}]"#),
        "{text}"
    );
    assert!(text.ends_with(r#""urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D","manager":{"value":"m1"}}}"#), "{text}");
    for gone in ["misspelt", "roles", "title", "meta", "unknown", "bogus"] {
        assert!(!text.contains(gone), "{gone}");
    }
}

#[test]
fn takes_the_tolerated_shapes() {
    let base = canonical(r#"{"userName":"a","emails":[{"value":"a@demo.example"}],"title":"T"}"#);
    for same in [
        // OneLogin: emails as an object; Keycloak: arrays of strings; plain strings; null members.
        r#"{"userName":"a","emails":{"value":"a@demo.example"},"title":"T"}"#,
        r#"{"userName":["a"],"emails":["a@demo.example"],"title":["T"]}"#,
        r#"{"userName":"a","emails":"a@demo.example","title":"T","active":null,"nickName":null}"#,
        r#"{"userName":"a","emails":[null,{"value":"a@demo.example","type":null}],"title":"T","name":{},"phoneNumbers":[{}]}"#,
        r#"{"USERNAME":"a","Emails":[{"VALUE":"a@demo.example"},{"value":"a@demo.example"}],"TITLE":"T","id":"x"}"#,
    ] {
        assert_eq!(canonical(same), base, "{same}");
    }
    // JumpCloud, RFC 7643 section 2.5: null, [] and absent are one state.
    for empty in ["null", "[]", "\"\"", "[null]"] {
        assert_eq!(
            canonical(&format!(
                r#"{{"userName":"a","emails":{empty},"title":{empty},"name":{empty}}}"#
            )),
            canonical(r#"{"userName":"a"}"#)
        );
    }
    let manager = r#"{"userName":"a","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":[{"$ref":"../Users/2","value":"2","displayName":"B"}]}}"#;
    assert!(
        canonical(manager).contains(r#""manager":{"value":"2","$ref":"../Users/2"}"#),
        "displayName is readOnly"
    );
}

#[test]
fn refuses_values_that_fit_no_tolerated_shape() {
    for (body, place) in [
        (r#"{"userName":"a","active":"perhaps"}"#, "/active"),
        (r#"{"userName":"a","active":1}"#, "/active"),
        (r#"{"userName":"a","name":"text"}"#, "/name"),
        (r#"{"userName":"a","title":{}}"#, "/title"),
        (r#"{"userName":"a","title":["a","b"]}"#, "/title"),
        (r#"{"userName":"a","title":7}"#, "/title"),
        (r#"{"userName":"a","title":"\u0000"}"#, "/title"),
        (
            r#"{"userName":"a","emails":[{"value":{"a":1}}]}"#,
            "/emails/0/value",
        ),
        (r#"{"userName":"a","emails":[true]}"#, "/emails/0"),
        (
            r#"{"userName":"a","addresses":["Main Street"]}"#,
            "/addresses/0",
        ),
        (
            r#"{"userName":"a","x509Certificates":[{"value":"**"}]}"#,
            "/x509Certificates/0/value",
        ),
        (
            r#"{"userName":"a","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":"x"}"#,
            "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        ),
        // RFC 7643 section 2.4: primary "MUST appear no more than once".
        (
            r#"{"userName":"a","emails":[{"value":"a@d.example","primary":true},{"value":"b@d.example","primary":"true"}]}"#,
            "/emails",
        ),
    ] {
        let (scim_type, detail) = refusal(body);
        assert_eq!(scim_type, Some(ScimType::InvalidValue), "{body}");
        assert!(detail.contains(&format!("at {place}:")), "{detail}");
    }
    for body in [
        "{}",
        r#"{"userName":null}"#,
        r#"{"userName":""}"#,
        r#"{"userName":[]}"#,
    ] {
        assert_eq!(
            refusal(body),
            (
                Some(ScimType::InvalidValue),
                "required attribute is missing at /userName".to_string()
            ),
            "{body}"
        );
    }
}

#[test]
fn refuses_bodies_with_two_meanings() {
    for body in [
        r#"{"userName":"a","userName":"b"}"#,
        r#"{"userName":"a","username":"b"}"#,
        r#"{"userName":"a","name":{"givenName":"x","GivenName":null}}"#,
        r#"{"userName":"a","active":true,"Active":false}"#,
        r#"{"userName":"a"} x"#,
        r#"[{"userName":"a"}]"#,
        r#""userName""#,
        "",
    ] {
        assert_eq!(refusal(body).0, Some(ScimType::InvalidSyntax), "{body}");
    }
    let big = format!(r#"{{"userName":"a","x":"{}"}}"#, "y".repeat(BODY_BYTES_MAX));
    assert_eq!(
        UserDocument::parse_create(big.as_bytes(), Catalogue::STANDARD)
            .unwrap_err()
            .to_scim()
            .status,
        413
    );
    let many = format!(
        r#"{{"userName":"a","emails":[{}]}}"#,
        std::vec!["\"a@d.example\""; VALUES_MAX + 1].join(",")
    );
    assert_eq!(
        UserDocument::parse_create(many.as_bytes(), Catalogue::STANDARD)
            .unwrap_err()
            .to_scim()
            .status,
        413
    );
}

#[test]
fn refuses_identifiers_on_every_path_that_sets_them() {
    let name = |pointer: &str, fault| {
        Err(Error::Name {
            pointer: pointer.into(),
            fault,
        })
    };
    let current = create(r#"{"userName":"a"}"#);
    for (body, expected) in [
        (
            r#"{"userName":"аdmin"}"#,
            name("/userName", NameFault::MixedScripts),
        ),
        (
            r#"{"userName":"a@b@c.example"}"#,
            name("/userName", NameFault::Address),
        ),
        (
            r#"{"userName":"a","emails":[{"value":"a@d.example"},{"value":"no-address"}]}"#,
            name("/emails/1/value", NameFault::Address),
        ),
        (
            r#"{"userName":"a","emails":["a\u200b@d.example"]}"#,
            name("/emails/0/value", NameFault::Invisible),
        ),
    ] {
        assert_eq!(
            UserDocument::parse_create(body.as_bytes(), Catalogue::STANDARD),
            expected,
            "{body}"
        );
        assert_eq!(
            UserDocument::parse_replace(body.as_bytes(), &current, Catalogue::STANDARD),
            expected,
            "{body}"
        );
    }
}

#[test]
fn names_every_identifier_with_its_domain() {
    let user = create(
        r#"{"userName":"Ada","emails":[{"type":"work"},{"value":"A@Demo.Example"},{"value":"b@bücher.example"}]}"#,
    );
    let found: Vec<_> = user
        .identifiers()
        .into_iter()
        .map(|i| (i.pointer, i.text, i.domain))
        .collect();
    let row =
        |p: &str, t: &str, d: Option<&str>| (p.to_string(), t.to_string(), d.map(String::from));
    assert_eq!(
        found,
        [
            row("/userName", "ada", None),
            row("/emails/1/value", "a@demo.example", Some("demo.example")),
            row(
                "/emails/2/value",
                "b@xn--bcher-kva.example",
                Some("xn--bcher-kva.example")
            ),
        ]
    );
}

#[test]
fn put_keeps_a_suspension_that_it_does_not_mention() {
    let suspended = create(r#"{"userName":"a","active":false,"title":"T"}"#);
    let replaced = |body: &str| {
        UserDocument::parse_replace(body.as_bytes(), &suspended, Catalogue::STANDARD).unwrap()
    };
    assert!(!replaced(r#"{"userName":"a"}"#).keys().active);
    assert!(!replaced(r#"{"userName":"a","active":null}"#).keys().active);
    assert!(
        replaced(r#"{"userName":"a","active":"true"}"#)
            .keys()
            .active
    );
    // RFC 7644 section 3.5.1: other absent attributes are cleared.
    assert_eq!(
        replaced(r#"{"userName":"a"}"#),
        create(r#"{"userName":"a","active":false}"#)
    );
    // What a GET shows can be PUT back unchanged.
    let shown = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a","title":"T","active":false,"id":"1","meta":{"version":"W/\"1\""},"groups":[{"value":"g"}]}"#;
    assert_eq!(replaced(shown), suspended);
}

#[test]
fn reads_back_what_it_wrote_and_nothing_damaged() {
    let user = create(
        r#"{"userName":"é\"\\\n","emails":["a@d.example"],"name":{"formatted":"x"}}"#
            .replace("\\n", "")
            .as_str(),
    );
    assert_eq!(UserDocument::from_canonical(&user.to_canonical()), Ok(user));
    for damaged in [
        "",
        "{}",
        "[]",
        r#"{"userName":"a"}"#,
        r#"{"userName":"a","active":"x"}"#,
        r#"{"userName":"a@","active":true}"#,
    ] {
        assert_eq!(
            UserDocument::from_canonical(damaged.as_bytes()),
            Err(Error::Stored),
            "{damaged}"
        );
    }
}

#[test]
fn holds_documents_to_their_size() {
    use crate::limits::DOCUMENT_BYTES_MAX;
    use crate::patch::PatchRequest;
    let add = |index: usize| {
        let photo = format!("data:{index}{}", "\\\"".repeat(32_000 / 2));
        let body =
            format!(r#"{{"Operations":[{{"op":"add","path":"photos","value":"{photo}"}}]}}"#);
        PatchRequest::parse(body.as_bytes()).unwrap()
    };
    let mut user = create(r#"{"userName":"a"}"#);
    for index in 0..30 {
        match add(index).apply_user(&user, Catalogue::STANDARD) {
            Ok((next, _)) => user = next,
            Err(error) => {
                assert_eq!(error.to_scim().status, 413);
                assert!(user.to_canonical().len() > DOCUMENT_BYTES_MAX);
                assert_eq!(UserDocument::from_canonical(&user.to_canonical()), Ok(user));
                return;
            }
        }
    }
    panic!("the document grew without limit");
}

/// The body of a fuzz target: what is accepted is canonical and reads back.
fn fuzz_body(body: &[u8]) -> bool {
    use crate::group::GroupDocument;
    if let Ok((group, _)) = GroupDocument::parse_create(body, Catalogue::STANDARD) {
        let again = GroupDocument::parse_create(&group.to_canonical(), Catalogue::STANDARD)
            .map(|(group, _)| group);
        assert_eq!(again.as_ref(), Ok(&group));
        assert_eq!(
            GroupDocument::from_canonical(&group.to_canonical()),
            Ok(group)
        );
    }
    let Ok(user) = UserDocument::parse_create(body, Catalogue::STANDARD) else {
        return false;
    };
    let canonical = user.to_canonical();
    assert_eq!(
        UserDocument::parse_create(&canonical, Catalogue::STANDARD).as_ref(),
        Ok(&user)
    );
    assert_eq!(UserDocument::from_canonical(&canonical).as_ref(), Ok(&user));
    assert_eq!(
        user.identifiers().len(),
        email_values(user.object()).count().saturating_add(1)
    );
    true
}

#[test]
fn survives_mutated_bodies() {
    let corpus = [
        r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a@d.example","active":"True","emails":[{"value":"a@d.example","primary":true}],"name":{"givenName":"x"}}"#,
        r#"{"userName":"é","displayName":"x","members":[{"value":"1"},"2"],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":["m"],"department":""}}"#,
        r#"{"displayName":"x","userName":["a"],"addresses":{"locality":"L"},"x509Certificates":[{"value":"AA=="}]}"#,
    ];
    let pieces = [
        "\"",
        "[",
        "]",
        "{",
        "}",
        "null",
        "true",
        "[]",
        "{}",
        "\"\"",
        "a",
        "@",
        ":",
        ",",
        "value",
        "userName",
        "\\u200b",
        "\\u0000",
        "emails",
        "primary",
        "displayName",
        "x",
        "1",
    ];
    let mut state = 5_u64;
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
        accepted += usize::from(fuzz_body(text.as_bytes()));
    }
    assert!(accepted > 500, "{accepted}");
}

#[test]
fn values_that_differ_where_case_counts_stay_apart() {
    // RFC 7643 sections 2.3.6 and 2.3.7: binary values and references are case exact.
    for body in [
        r#"{"userName":"a","photos":[{"value":"https://a.example/p"},{"value":"https://a.example/P"}]}"#,
        r#"{"userName":"a","x509Certificates":[{"value":"TWlzcw=="},{"value":"twlzcw=="}]}"#,
    ] {
        assert_eq!(canonical(body).matches("value").count(), 2, "{body}");
    }
    let body = r#"{"userName":"a","roles":[{"value":"Eng"},{"value":"ENG"}]}"#;
    assert_eq!(canonical(body).matches("value").count(), 1);
}

#[test]
fn what_two_values_became_is_in_the_order_of_the_schema() {
    // Else the next request that changes nothing would make a new document of it.
    let body =
        r#"{"userName":"a","ims":[{"value":"x","primary":true},{"value":"X","display":"d"}]}"#;
    let made = canonical(body);
    assert!(
        made.contains(r#""ims":[{"value":"x","display":"d","primary":true}]"#),
        "{made}"
    );
    let user = create(body);
    assert_eq!(
        UserDocument::parse_replace(made.as_bytes(), &user, Catalogue::STANDARD),
        Ok(user)
    );
}
