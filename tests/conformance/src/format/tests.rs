use serde_json::json;

use super::*;

fn whole() -> Value {
    json!({"area": "An area", "cases": [{
        "name": "something holds", "rfc": 7644, "section": "3.4.2.4", "quote": "It MUST hold.",
        "users": {"ada": {"title": "x"}},
        "steps": [{"send": "GET /Users", "status": 200, "equals": {"/totalResults": 1}}],
    }]})
}

/// What is said of a file with one place changed; nothing if it is accepted.
fn said(pointer: &str, value: Value) -> String {
    let mut file = whole();
    match file.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            file.pointer_mut(parent).unwrap()[name] = value;
        }
    }
    CaseFile::parse(&file.to_string()).err().unwrap_or_default()
}

#[test]
fn accepts_a_case_with_everything_that_it_needs() {
    assert_eq!(said("/area", json!("Another area")), "");
}

#[test]
fn refuses_a_member_that_it_does_not_know() {
    for place in ["/x", "/cases/0/x", "/cases/0/steps/0/equal"] {
        assert!(said(place, json!({})).contains("unknown field"), "{place}");
    }
}

#[test]
fn refuses_a_case_that_expects_nothing() {
    assert!(said("/cases/0/steps", json!([])).contains("no step"));
    let without = json!([{"send": "GET /Users"}]);
    assert!(said("/cases/0/steps", without).contains("missing field `status`"));
    assert!(said("/cases", json!([])).contains("no case"));
}

#[test]
fn refuses_a_case_without_quotation_or_section() {
    for (place, value) in [
        ("/cases/0/quote", json!("")),
        ("/cases/0/name", json!("name")),
        ("/cases/0/rfc", json!(2616)),
        ("/cases/0/section", json!("")),
        ("/cases/0/section", json!("3.x")),
        ("/cases/0/section", json!("3.")),
    ] {
        assert_ne!(said(place, value.clone()), "", "{place} {value}");
    }
    let mut file = whole();
    file["cases"][0].as_object_mut().unwrap().remove("quote");
    assert!(CaseFile::parse(&file.to_string()).is_err());
}

#[test]
fn refuses_a_step_that_cannot_be_meant() {
    for step in [
        json!({"send": "/Users", "status": 200}),
        json!({"send": "get /Users", "status": 200}),
        json!({"send": "GET Users", "status": 200}),
        json!({"send": "GET /Users", "status": 99}),
        json!({"send": "POST /Users", "status": 201, "body": {}, "raw": "{}"}),
        json!({"send": "POST /Users", "status": 201, "hex": "7b7d", "raw": "{}"}),
        json!({"send": "GET /Users", "status": 200, "scimType": "invalidValue"}),
        json!({"send": "GET /Users", "status": 200, "operation": "connect"}),
        json!({"send": "GET /Users", "status": 200, "as": "stranger"}),
    ] {
        assert_ne!(said("/cases/0/steps/0", step.clone()), "", "{step}");
    }
}

#[test]
fn refuses_a_providers_step_without_operation() {
    let provider = |step: Value| {
        let file = json!({"provider": "P", "sources": "its documentation", "confidence": "modelled",
            "tls": "1.2", "headers": {}, "steps": [step]});
        Provider::parse(&file.to_string())
    };
    let step = json!({"send": "GET /Users", "status": 200});
    assert!(provider(step).is_err());
    let step = json!({"send": "GET /Users", "status": 200, "operation": "connect"});
    assert!(provider(step).is_ok());
}
