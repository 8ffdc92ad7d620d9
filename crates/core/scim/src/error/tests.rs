//! The mapping to statuses and keywords, row by row.

use super::*;
use std::vec::Vec;

fn json_error(kind: ErrorKind) -> Error {
    Error::Json(chancery_json::Error::new(kind, String::new()))
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row per error")]
fn maps_every_error_to_status_and_keyword() {
    let p = || String::from("/a");
    let rows: Vec<(Error, u16, Option<&str>)> = std::vec![
        (json_error(ErrorKind::Syntax), 400, Some("invalidSyntax")),
        (
            json_error(ErrorKind::DuplicateMember),
            400,
            Some("invalidSyntax")
        ),
        (
            json_error(ErrorKind::TooDeep { depth_max: 1 }),
            400,
            Some("invalidSyntax")
        ),
        (json_error(ErrorKind::TooLarge { bytes_max: 1 }), 413, None),
        (
            json_error(ErrorKind::TooManyValues { values_max: 1 }),
            413,
            None
        ),
        (
            Error::Syntax {
                pointer: p(),
                expected: "x"
            },
            400,
            Some("invalidSyntax")
        ),
        (
            Error::Value {
                pointer: p(),
                expected: "x"
            },
            400,
            Some("invalidValue")
        ),
        (Error::Missing { pointer: p() }, 400, Some("invalidValue")),
        (
            Error::Name {
                pointer: p(),
                fault: NameFault::Space
            },
            400,
            Some("invalidValue")
        ),
        (
            Error::Path {
                pointer: p(),
                expected: "x"
            },
            400,
            Some("invalidPath")
        ),
        (
            Error::NoTarget {
                pointer: p(),
                expected: "x"
            },
            400,
            Some("noTarget")
        ),
        (
            Error::Mutability {
                pointer: p(),
                reason: "x"
            },
            400,
            Some("mutability")
        ),
        (
            Error::Filter {
                offset: 1,
                expected: "x"
            },
            400,
            Some("invalidFilter")
        ),
        (
            Error::TooMuch {
                pointer: p(),
                what: "x",
                limit: 1
            },
            413,
            None
        ),
        (
            Error::Query {
                parameter: "count",
                expected: "x"
            },
            400,
            Some("invalidValue")
        ),
        (Error::EntityTag, 400, None),
        (
            Error::Uniqueness {
                attribute: "userName"
            },
            409,
            Some("uniqueness")
        ),
        (Error::NotFound, 404, None),
        (Error::Precondition, 412, None),
        (Error::DiscoveryFilter, 403, None),
        (Error::Stored, 500, None),
    ];
    for (error, status, keyword) in rows {
        let scim = error.to_scim();
        assert_eq!(
            (scim.status, scim.scim_type.map(ScimType::as_str)),
            (status, keyword),
            "{error:?}"
        );
        assert!(!scim.detail.is_empty());
        assert_eq!(ScimError::from(&error), scim);
    }
}

#[test]
fn writes_the_body_of_the_rfc() {
    // RFC 7644 section 3.12: "status" is "The HTTP status code ... expressed as a JSON string".
    let error = Error::Missing {
        pointer: "/userName".into(),
    }
    .to_scim();
    assert_eq!(
        String::from_utf8(error.to_json()).unwrap(),
        r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidValue","detail":"required attribute is missing at /userName"}"#
    );
    let error = ScimError::new(401, None, "no \"token\"");
    assert_eq!(
        String::from_utf8(error.to_json()).unwrap(),
        r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"401","detail":"no \"token\""}"#
    );
}

#[test]
fn says_what_the_peer_chose_to_the_peer_alone() {
    let error = Error::Value {
        pointer: "/secret".into(),
        expected: "a string is wanted",
    };
    assert!(error.to_scim().detail.contains("/secret"));
    assert!(!error.to_string().contains("secret"));
    let long = Error::Missing {
        pointer: "x".repeat(POINTER_BYTES_MAX + 1),
    };
    assert!(long.to_scim().detail.len() < 100);
    let built = Error::value("x").within("a/b").within("0").within("c~d");
    assert_eq!(
        built,
        Error::Value {
            pointer: "/c~0d/0/a~1b".into(),
            expected: "x"
        }
    );
}
