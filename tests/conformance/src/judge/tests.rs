use super::*;

fn answer(status: u16, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut all = vec![("content-type".to_owned(), MEDIA_TYPE.to_owned())];
    all.extend(
        headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned())),
    );
    let body = match body {
        Value::Null => Vec::new(),
        body => body.to_string().into_bytes(),
    };
    Answer {
        status,
        headers: all,
        body,
    }
}

/// What is said of an answer to a step with these expectations.
fn said(step: &Value, answer: &Answer) -> String {
    let mut whole = json!({"send": "GET /Users"});
    for (name, value) in step.as_object().unwrap() {
        whole[name] = value.clone();
    }
    let step: Step = serde_json::from_value(whole).unwrap();
    let mut variables = Variables::default();
    variables.set("id", "7");
    faults(&step, answer, &variables).unwrap().join("; ")
}

#[test]
fn each_expectation_holds_or_is_a_fault() {
    let shown = answer(
        200,
        &[("etag", "W/\"1\""), ("allow", "GET, POST")],
        &json!({"id": "7", "list": [{"a": 1}, {"a": 2}], "text": "some words"}),
    );
    for (expectation, right, wrong) in [
        ("equals", json!({"/id": "{{id}}"}), json!({"/id": "8"})),
        ("equals", json!({"/list/1/a": 2}), json!({"/none": null})),
        ("equals", json!({"/list/*/a": 1}), json!({"/list/*/a": 1})),
        ("differs", json!({"/id": "8"}), json!({"/id": "7"})),
        ("differs", json!({"/text": ""}), json!({"/none": ""})),
        (
            "contains",
            json!({"/text": "word"}),
            json!({"/text": "worse"}),
        ),
        (
            "contains",
            json!({"/list": {"a": 2}}),
            json!({"/list": {"a": 3}}),
        ),
        (
            "lacks",
            json!({"/list": {"a": 3}}),
            json!({"/list": {"a": 2}}),
        ),
        ("present", json!(["/list/0"]), json!(["/list/2"])),
        ("absent", json!(["/list/2"]), json!(["/list/*/a"])),
        ("length", json!({"/list": 2}), json!({"/list": 1})),
        ("length", json!({"/list": 2}), json!({"/text": 1})),
        (
            "answerHeaders",
            json!({"etag": "W/\"1\""}),
            json!({"etag": "W/\"2\""}),
        ),
        (
            "answerHeaders",
            json!({"etag": "*", "x": "-"}),
            json!({"etag": "-"}),
        ),
        (
            "answerHeaders",
            json!({"allow": "~POST"}),
            json!({"x": "*"}),
        ),
    ] {
        let step = |value: &Value| json!({"status": 200, expectation: value});
        // All members under `*` must be equal, so this one is wrong both times.
        if right != wrong {
            assert_eq!(said(&step(&right), &shown), "", "{expectation} {right}");
        }
        assert_ne!(said(&step(&wrong), &shown), "", "{expectation} {wrong}");
    }
    assert!(said(&json!({"status": 201}), &shown).contains("instead of 201"));
}

#[test]
fn an_error_must_be_one_of_scim() {
    let whole =
        json!({"schemas": [ERROR], "status": "400", "scimType": "invalidValue", "detail": "at /a"});
    let step = json!({"status": 400, "scimType": "invalidValue", "detail": ["/a"]});
    assert_eq!(said(&step, &answer(400, &[], &whole)), "");
    for (name, value) in [
        ("schemas", json!([])),
        ("status", json!(400)),
        ("scimType", json!("invalidSyntax")),
        ("scimType", Value::Null),
        ("detail", json!("at /b")),
    ] {
        let mut body = whole.clone();
        body[name] = value;
        assert_ne!(said(&step, &answer(400, &[], &body)), "", "{name}");
    }
    let unexpected = json!({"status": 400});
    assert_ne!(said(&unexpected, &answer(400, &[], &whole)), "");
}

#[test]
fn what_every_answer_must_be_is_seen_without_asking() {
    let step = json!({"status": 200});
    let location = json!({"meta": {"location": "here", "version": "W/\"1\""}});
    assert_eq!(said(&step, &answer(200, &[], &location)), "");
    for headers in [
        ("location", "there"),
        ("etag", "W/\"2\""),
        ("content-type", "x"),
    ] {
        let mut shown = answer(200, &[headers], &location);
        shown.headers.reverse();
        assert_ne!(said(&step, &shown), "", "{headers:?}");
    }
    assert_ne!(said(&step, &answer(200, &[], &json!("1mz050nq"))), "");
    assert_ne!(
        said(&json!({"status": 201}), &answer(201, &[], &json!({}))),
        ""
    );
    assert_ne!(
        said(&json!({"status": 204}), &answer(204, &[], &json!({}))),
        ""
    );
}
