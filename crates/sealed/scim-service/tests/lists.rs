//! Searches, pages and Bulk requests over a world in memory.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use chancery_testkit::{InMemory, Sent, World};
use http::{HeaderMap, Method};
use serde_json::{Value, json};

struct Service(InMemory);

impl Service {
    fn new(seed: u64) -> Self {
        Self(InMemory::new(World::with_tenant(seed)))
    }

    fn send(&self, method: Method, target: &str, body: &Value) -> (u16, Value) {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let answer = self.0.answer(&Sent {
            method,
            target,
            headers: HeaderMap::new(),
            body: body.as_bytes(),
        });
        let status = answer.status().as_u16();
        let body = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
        (status, body)
    }

    fn get(&self, target: &str) -> Value {
        let (status, body) = self.send(Method::GET, target, &Value::Null);
        assert_eq!(status, 200, "{target}: {body}");
        body
    }

    fn user(&self, name: &str) -> String {
        let user = json!({"userName": format!("{name}@demo.example"), "title": name});
        let (status, body) = self.send(Method::POST, "/Users", &user);
        assert_eq!(status, 201, "{body}");
        String::from(body["id"].as_str().unwrap())
    }

    fn group(&self, name: &str) -> String {
        let (status, body) = self.send(Method::POST, "/Groups", &json!({"displayName": name}));
        assert_eq!(status, 201, "{body}");
        String::from(body["id"].as_str().unwrap())
    }

    fn bulk(&self, request: &Value) -> Vec<Value> {
        let (status, body) = self.send(Method::POST, "/Bulk", request);
        assert_eq!(status, 200, "{body}");
        body["Operations"].as_array().unwrap().clone()
    }

    /// Follows `nextCursor` from the first page to the last.
    fn walk(&self, query: &str) -> Vec<String> {
        let mut ids = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{query}&cursor={cursor}"));
            assert_eq!(page.get("previousCursor").is_some(), !cursor.is_empty());
            assert!(page.get("startIndex").is_none());
            ids.extend(shown(&page));
            match page.get("nextCursor").and_then(Value::as_str) {
                Some(next) => next.clone_into(&mut cursor),
                None => return ids,
            }
        }
    }
}

fn shown(page: &Value) -> Vec<String> {
    let resources = page["Resources"].as_array().unwrap().iter();
    let id = |resource: &Value| String::from(resource["id"].as_str().unwrap());
    resources.map(id).collect()
}

fn statuses(operations: &[Value]) -> Vec<&str> {
    let status = |operation: &'_ Value| operation["status"].as_str().map(|_| ());
    assert!(operations.iter().all(|one| status(one).is_some()));
    operations
        .iter()
        .filter_map(|operation| operation["status"].as_str())
        .collect()
}

#[test]
fn every_walk_by_cursor_shows_each_resource_once() {
    let service = Service::new(1);
    let ids: Vec<String> = (0..7)
        .map(|number| service.user(&format!("u{number}")))
        .collect();
    assert_eq!(service.walk("/Users?count=3"), ids);
    assert_eq!(service.walk("/Users?count=7"), ids);
    assert_eq!(service.walk("/Users?count=2&filter=title+sw+%22u%22"), ids);
    let mut reversed = ids.clone();
    reversed.reverse();
    let sorted = "/Users?count=2&sortBy=title&sortOrder=descending";
    assert_eq!(service.walk(sorted), reversed);
    // Back from the last page.
    let last = service.get(&format!(
        "/Users?count=3&cursor={}",
        service.get("/Users?count=6&cursor")["nextCursor"]
            .as_str()
            .unwrap()
    ));
    let back = last["previousCursor"].as_str().unwrap();
    let page = service.get(&format!("/Users?count=3&cursor={back}"));
    assert_eq!(shown(&page), ids[3..6]);
    assert!(page.get("nextCursor").is_some() && page.get("previousCursor").is_some());
}

#[test]
fn a_walk_that_deletes_what_it_sees_misses_nobody() {
    let service = Service::new(2);
    let mut ids: Vec<String> = (0..6)
        .map(|number| service.user(&format!("u{number}")))
        .collect();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = service.get(&format!("/Users?count=2&cursor={cursor}"));
        for id in shown(&page) {
            let deleted = service.send(Method::DELETE, &format!("/Users/{id}"), &Value::Null);
            assert_eq!(deleted.0, 204);
            seen.push(id);
        }
        match page.get("nextCursor").and_then(Value::as_str) {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
}

#[test]
fn a_cursor_of_another_list_is_refused() {
    let service = Service::new(3);
    for number in 0..3 {
        service.user(&format!("u{number}"));
    }
    let page = service.get("/Users?count=1&cursor");
    let next = page["nextCursor"].as_str().unwrap();
    for target in [
        format!("/Groups?cursor={next}"),
        format!("/Users?cursor={next}&filter=title+pr"),
        format!("/Users?cursor={next}&sortBy=title"),
        format!("/?cursor={next}"),
        String::from("/Users?cursor=bm90aGluZw"),
    ] {
        let (status, body) = service.send(Method::GET, &target, &Value::Null);
        assert_eq!(
            (status, &body["scimType"]),
            (400, &json!("invalidCursor")),
            "{target}"
        );
    }
    // A search goes on where a query began.
    let search = json!({"cursor": next, "count": 5});
    let (status, body) = service.send(Method::POST, "/Users/.search", &search);
    assert_eq!((status, shown(&body).len()), (200, 2));
}

#[test]
fn a_search_at_the_root_finds_both_types() {
    let service = Service::new(4);
    let (ada, ops) = (service.user("ada"), service.group("Ops"));
    assert_eq!(shown(&service.get("/")), [ada.clone(), ops.clone()]);
    assert_eq!(
        shown(&service.get("?sortBy=displayName")),
        [ops.clone(), ada.clone()]
    );
    let search = |filter: &str| {
        let request = json!({"filter": filter, "attributes": ["displayName"]});
        service.send(Method::POST, "/.search", &request)
    };
    for (filter, wanted) in [
        ("userName eq \"ADA@demo.example\"", vec![&ada]),
        ("displayName eq \"ops\"", vec![&ops]),
        (
            "displayName eq \"ops\" or title eq \"ada\"",
            vec![&ada, &ops],
        ),
        ("userName ne \"ada@demo.example\"", vec![&ops]),
        ("not (members pr) and id pr", vec![&ada, &ops]),
        ("meta.resourceType eq \"Group\"", vec![&ops]),
        ("emails[type eq \"work\"]", vec![]),
    ] {
        let (status, body) = search(filter);
        assert_eq!(status, 200, "{body}");
        assert_eq!(shown(&body).iter().collect::<Vec<_>>(), wanted, "{filter}");
        assert_eq!(body["totalResults"], json!(wanted.len()));
    }
    assert_eq!(
        search("nobody eq \"x\"").1["scimType"],
        json!("invalidFilter")
    );
    assert_eq!(service.send(Method::GET, "/.search", &Value::Null).0, 405);
}

#[test]
fn bulk_resolves_references_forward_backward_and_in_a_circle() {
    let service = Service::new(5);
    let manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let user = |name: &str, boss: &str| {
        json!({"method": "POST", "path": "/Users", "bulkId": name, "data": {
            "userName": format!("{name}@demo.example"), manager: {"manager": {"value": format!("bulkId:{boss}")}}}})
    };
    let group = json!({"method": "POST", "path": "/Groups", "bulkId": "g", "data": {
        "displayName": "Both", "members": [{"value": "bulkId:a"}, {"value": "bulkId:b"}]}});
    let operations = service.bulk(&json!({"Operations": [
        group, user("a", "b"), user("b", "a"),
        {"method": "PATCH", "path": "/Groups/bulkId:g", "data": {"Operations": [
            {"op": "remove", "path": "members", "value": [{"value": "bulkId:b"}]}]}},
    ]}));
    assert_eq!(statuses(&operations), ["201", "201", "201", "200"]);
    let location = |at: usize| operations[at]["location"].as_str().unwrap();
    let id = |at: usize| location(at).rsplit('/').next().unwrap();
    let shown = service.get(&format!("/Groups/{}", id(0)));
    assert_eq!(shown["members"].as_array().unwrap().len(), 1);
    assert_eq!(shown["members"][0]["value"], json!(id(1)));
    assert_eq!(shown["meta"]["version"], operations[3]["version"]);
    let ada = service.get(&format!("/Users/{}", id(1)));
    assert_eq!(ada[manager]["manager"]["value"], json!(id(2)));
    assert_eq!(ada["meta"]["location"], json!(location(1)));
    assert_eq!(operations[0]["bulkId"], json!("g"));
}

#[test]
fn who_refers_to_what_failed_fails_and_the_rest_is_done() {
    let service = Service::new(6);
    service.user("taken");
    let user = |name: &str, id: &str| {
        json!({"method": "POST", "path": "/Users", "bulkId": id,
            "data": {"userName": format!("{name}@demo.example")}})
    };
    let group = |member: &str| {
        json!({"method": "POST", "path": "/Groups", "bulkId": member, "data": {
            "displayName": member, "members": [{"value": format!("bulkId:{member}-user")}]}})
    };
    let operations = service.bulk(&json!({"Operations": [
        group("x"), user("taken", "x-user"), group("y"), user("free", "y-user"), group("z"),
        {"method": "DELETE", "path": "/Users/nobody"}, {"method": "TRACE", "path": "/Users"},
    ]}));
    assert_eq!(
        statuses(&operations),
        ["400", "409", "201", "201", "400", "404", "400"]
    );
    assert_eq!(operations[1]["response"]["scimType"], json!("uniqueness"));
    assert!(operations[1].get("location").is_none());
    let detail = |at: usize| operations[at]["response"]["detail"].as_str().unwrap();
    assert!(
        detail(0).contains("failed") && detail(4).contains("bulkId"),
        "{operations:?}"
    );
    let location = operations[5]["location"].as_str().unwrap();
    assert!(location.ends_with("/Users/nobody"));
    assert_eq!(operations[6]["method"], json!("TRACE"));
}

#[test]
fn bulk_stops_after_as_many_errors_as_it_may_make() {
    let service = Service::new(7);
    let bad = || json!({"method": "DELETE", "path": "/Users/nobody"});
    let good = |number: usize| {
        json!({"method": "POST", "path": "/Groups", "bulkId": format!("g{number}"),
            "data": {"displayName": format!("g{number}")}})
    };
    let request =
        json!({"failOnErrors": 2, "Operations": [good(0), bad(), good(1), bad(), good(2), bad()]});
    let operations = service.bulk(&request);
    assert_eq!(statuses(&operations), ["201", "404", "201", "404"]);
    assert_eq!(service.get("/Groups")["totalResults"], json!(2));
}

#[test]
fn bulk_answers_with_the_method_that_was_sent() {
    let service = Service::new(8);
    let done = service.bulk(&json!({"Operations": [
        {"method": "GET", "path": "/Users/1"},
        {"path": "/Users/1"},
        {"method": "delete", "path": "/Users/1"},
    ]}));
    assert_eq!(statuses(&done), ["400", "400", "404"]);
    let methods: Vec<Option<&Value>> = done.iter().map(|each| each.get("method")).collect();
    let wanted = [Some(&json!("GET")), None, Some(&json!("delete"))];
    assert_eq!(methods, wanted);
}

#[test]
fn bulk_frees_a_name_and_takes_it_again_in_order() {
    let service = Service::new(8);
    let id = service.user("ada");
    let version = service.get(&format!("/Users/{id}"))["meta"]["version"].clone();
    let operations = service.bulk(&json!({"Operations": [
        {"method": "PATCH", "path": format!("/Users/{id}"), "version": "W/\"other\"",
            "data": {"Operations": [{"op": "replace", "path": "title", "value": "x"}]}},
        {"method": "DELETE", "path": format!("/Users/{id}"), "version": version},
        {"method": "POST", "path": "/Users", "bulkId": "new", "data": {"userName": "ada@demo.example"}},
    ]}));
    assert_eq!(statuses(&operations), ["412", "204", "201"]);
    assert!(!operations[2]["location"].as_str().unwrap().ends_with(&id));
    assert!(operations[1].get("version").is_none());
}

#[test]
fn a_member_that_is_gone_is_left_out_of_an_addition_and_a_group_is_refused() {
    let service = Service::new(9);
    let (ada, gone) = (service.user("ada"), service.user("gone"));
    let (ops, other) = (service.group("Ops"), service.group("Other"));
    service.send(Method::DELETE, &format!("/Users/{gone}"), &Value::Null);
    let target = format!("/Groups/{ops}");
    let add = |values: Value| {
        let body = json!({"Operations": [{"op": "add", "path": "members", "value": values}]});
        service.send(Method::PATCH, &target, &body)
    };
    let (status, body) = add(json!([{"value": gone}, {"value": ada}, {"value": "no-id"}]));
    assert_eq!(
        (status, body["members"].as_array().unwrap().len()),
        (200, 1)
    );
    for member in [
        json!([{"value": other}]),
        json!([{"value": ada, "type": "Group"}]),
    ] {
        let (status, body) = add(member);
        assert_eq!((status, &body["scimType"]), (400, &json!("invalidValue")));
        assert!(body["detail"].as_str().unwrap().contains("is a group"));
    }
    let put = json!({"displayName": "Ops", "members": [{"value": gone}]});
    assert_eq!(service.send(Method::PUT, &target, &put).0, 400);
}

#[test]
fn a_long_bulk_is_carried_out_in_order() {
    let service = Service::new(10);
    let operations: Vec<Value> = (0..600)
        .map(|number| {
            json!({"method": "POST", "path": "/Groups", "bulkId": format!("g{number}"),
                "data": {"displayName": format!("g{number}")}})
        })
        .collect();
    let done = service.bulk(&json!({"Operations": operations}));
    assert_eq!(statuses(&done), ["201"; 600]);
    let page = service.get("/Groups?startIndex=590&count=3");
    let name = |at: usize| page["Resources"][at]["displayName"].clone();
    assert_eq!([name(0), name(1), name(2)], ["g589", "g590", "g591"]);
}

#[test]
fn bulk_keeps_the_order_of_what_is_asked_of_one_resource() {
    let service = Service::new(11);
    let id = service.user("ada");
    let manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";
    let patch = |operation: Value| json!({"method": "PATCH", "path": format!("/Users/{id}"), "data": {"Operations": [operation]}});
    let done = service.bulk(&json!({"Operations": [
        patch(json!({"op": "replace", "value": {"active": true, manager: "bulkId:boss"}})),
        patch(json!({"op": "replace", "path": "active", "value": false})),
        {"method": "POST", "path": "/Users", "bulkId": "boss", "data": {"userName": "boss@demo.example"}},
    ]}));
    assert_eq!(statuses(&done), ["200", "200", "201"]);
    // What is referred to was created first; the suspension that was asked for last stands.
    assert_eq!(service.get(&format!("/Users/{id}"))["active"], json!(false));
    assert_eq!(
        done[1]["version"],
        service.get(&format!("/Users/{id}"))["meta"]["version"]
    );
}

#[test]
fn a_long_chain_of_references_is_resolved() {
    let service = Service::new(12);
    let manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let operations: Vec<Value> = (0..100)
        .map(|number| {
            json!({"method": "POST", "path": "/Users", "bulkId": format!("u{number}"), "data": {
                "userName": format!("u{number}@demo.example"),
                manager: {"manager": {"value": format!("bulkId:u{}", (number + 1) % 100)}}}})
        })
        .collect();
    let done = service.bulk(&json!({"Operations": operations}));
    assert_eq!(statuses(&done), ["201"; 100]);
}

#[test]
fn pages_that_lead_back_show_all_of_large_resources() {
    let service = Service::new(13);
    let photo = "x".repeat(60_000);
    for number in 0..60 {
        let photos: Vec<Value> = (0..3)
            .map(|at| json!({"value": format!("https://a.example/{at}/{photo}")}))
            .collect();
        let user = json!({"userName": format!("u{number}@demo.example"), "photos": photos});
        assert_eq!(service.send(Method::POST, "/Users", &user).0, 201);
    }
    let last = service.walk("/Users?count=7&attributes=userName");
    let mut cursor = String::new();
    loop {
        let page = service.get(&format!("/Users?count=7&attributes=id&cursor={cursor}"));
        match page["nextCursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => {
                cursor = String::from(page["previousCursor"].as_str().unwrap());
                break;
            }
        }
    }
    let mut back = Vec::new();
    loop {
        let page = service.get(&format!("/Users?count=200&cursor={cursor}"));
        back.splice(0..0, shown(&page));
        match page["previousCursor"].as_str() {
            Some(previous) => previous.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(back, last[..back.len()]);
    assert_eq!(back.len(), 60 - 60 % 7);
}
