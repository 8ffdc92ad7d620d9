//! Show 1: what an identity provider's connector does in its usual life, against the real processes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::process::Command;
use std::sync::LazyLock;

use chancery_e2e::{Answer, Client, Service, Tls};
use serde_json::{Value, json};

/// Nothing here does damage, so all share one service; each test has its own names.
static SERVICE: LazyLock<Service> = LazyLock::new(Service::lasting);

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Bodies that are no user, each with the type of its error.
const BAD_BODIES: [(&str, &str); 11] = [
    ("{\"userName\":", "invalidSyntax"),
    ("", "invalidSyntax"),
    ("[]", "invalidSyntax"),
    (
        "{\"userName\":\"a@demo.example\",\"userName\":\"b@demo.example\"}",
        "invalidSyntax",
    ),
    (
        "{\"userName\":\"a@demo.example\",\"name\":{\"givenName\":\"a\",\"givenName\":\"b\"}}",
        "invalidSyntax",
    ),
    (
        "{\"userName\":\"a@demo.example\"} trailing",
        "invalidSyntax",
    ),
    ("{\"displayName\":\"nobody\"}", "invalidValue"),
    (
        "{\"userName\":\"a@demo.example\",\"active\":\"perhaps\"}",
        "invalidValue",
    ),
    (
        "{\"userName\":\"a@demo.example\",\"name\":\"text\"}",
        "invalidValue",
    ),
    (
        "{\"userName\":\"a@demo.example\",\"title\":{}}",
        "invalidValue",
    ),
    ("{\"userName\":\"\\ud800@demo.example\"}", "invalidSyntax"),
];

/// A user as Okta's SPEC test sends it.
fn okta_user(name: &str) -> Value {
    json!({
        "schemas": [USER], "userName": format!("{name}@demo.example"),
        "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"primary": true, "value": format!("{name}@demo.example"), "type": "work"}],
        "displayName": "Test User", "locale": "en-US", "externalId": format!("00u-{name}"),
        "groups": [], "password": "1mz050nq", "active": true,
    })
}

/// A user as Entra ID's provisioning service sends it.
fn entra_user(name: &str) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE], "externalId": format!("entra-{name}"),
        "userName": format!("{name}@demo.example"), "active": true, "addresses": [],
        "displayName": "Lennay", "meta": {"resourceType": "User"}, "title": "Engineer",
        "emails": [{"primary": true, "type": "work", "value": format!("{name}@demo.example")}],
        "name": {"formatted": "Adrian Lennay", "familyName": "Lennay", "givenName": "Adrian"},
        "roles": [], ENTERPRISE: {"department": "Research", "employeeNumber": "42"},
    })
}

fn minimal(name: &str) -> Value {
    json!({"schemas": [USER], "userName": format!("{name}@demo.example")})
}

fn patch(operations: &Value) -> Value {
    json!({"schemas": [PATCH], "Operations": operations})
}

/// Operations that cannot be carried out, each with the type of its error.
fn bad_operations() -> [(Value, &'static str); 9] {
    [
        (
            json!({"op": "replace", "path": "favouriteColour", "value": "red"}),
            "invalidPath",
        ),
        (
            json!({"op": "replace", "path": "name.nickname", "value": "x"}),
            "invalidPath",
        ),
        (
            json!({"op": "replace", "path": "emails[type eq", "value": "x"}),
            "invalidPath",
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"fax\"].value", "value": "x@demo.example"}),
            "noTarget",
        ),
        (json!({"op": "remove"}), "noTarget"),
        (json!({"op": "remove", "path": "userName"}), "mutability"),
        (
            json!({"op": "replace", "path": "id", "value": "1"}),
            "mutability",
        ),
        (
            json!({"op": "replace", "path": "active", "value": "perhaps"}),
            "invalidValue",
        ),
        (
            json!({"op": "move", "path": "active", "value": true}),
            "invalidSyntax",
        ),
    ]
}

fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn user_path(answer: &Answer) -> String {
    format!("/Users/{}", id(answer))
}

fn receipt(answer: &Answer) -> u64 {
    answer.header("chancery-receipt").unwrap().parse().unwrap()
}

fn client() -> Client {
    SERVICE.client()
}

fn create(client: &mut Client, name: &str) -> String {
    id(&client.post("/Users", &minimal(name)).expect(201))
}

/// The values of a group's members, in order.
fn members(client: &mut Client, group: &str) -> Vec<String> {
    let group = client.get(&format!("/Groups/{group}")).expect(200).json();
    let members = group["members"].as_array().unwrap().iter();
    let mut values: Vec<String> = members
        .map(|member| member["value"].as_str().unwrap().to_owned())
        .collect();
    values.sort();
    values
}

fn nobody_is_named(client: &mut Client, name: &str) {
    let found = client.find("Users", &format!("userName eq \"{name}\""));
    assert_eq!(found, Vec::<Value>::new());
}

fn sorted(ids: &[&String]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
    ids.sort();
    ids
}

#[test]
fn users_of_both_dialects_are_created_with_location_version_and_receipt() {
    let mut client = client();
    let mut last = 0;
    for sent in [okta_user("create.okta"), entra_user("create.entra")] {
        let answer = client.post("/Users", &sent).expect(201);
        let shown = answer.json();
        let location = answer.header("location").unwrap();
        assert_eq!(shown["meta"]["location"], location);
        assert_eq!(shown["meta"]["version"], answer.header("etag").unwrap());
        assert_eq!(shown["meta"]["resourceType"], "User");
        assert!(receipt(&answer) > last, "receipts grow");
        last = receipt(&answer);
        for name in [
            "userName",
            "externalId",
            "displayName",
            "name",
            "emails",
            "active",
        ] {
            assert_eq!(shown[name], sent[name], "{name}");
        }
        assert_eq!(shown.get(ENTERPRISE), sent.get(ENTERPRISE));
        assert_eq!(shown.get("password"), None, "a password is never returned");
        let base = SERVICE.ready().text("scim_base").to_owned();
        let path = location.strip_prefix(&base).unwrap();
        let read = client.get(path).expect(200);
        assert_eq!(read.json(), shown);
        assert_eq!(read.header("etag"), answer.header("etag"));
    }
}

#[test]
fn a_name_that_is_taken_is_a_conflict_in_any_case_and_form() {
    let mut client = client();
    client.post("/Users", &okta_user("taken")).expect(201);
    for again in ["taken", "TAKEN", "Taken"] {
        let answer = client.post("/Users", &entra_user(again));
        let detail = answer.scim_error(409, Some("uniqueness"));
        assert!(detail.contains("userName"), "{detail}");
    }
    let other = create(&mut client, "taken.other");
    let rename =
        patch(&json!([{"op": "replace", "path": "userName", "value": "taken@demo.example"}]));
    let refused = client.patch(&format!("/Users/{other}"), &rename);
    refused.scim_error(409, Some("uniqueness"));
    assert_eq!(
        client
            .find("Users", r#"userName eq "TAKEN@demo.example""#)
            .len(),
        1
    );
}

#[test]
fn users_are_found_by_each_attribute_that_providers_match_by() {
    let mut client = client();
    let made = id(&client.post("/Users", &okta_user("find.me")).expect(201));
    for filter in [
        r#"userName eq "find.me@demo.example""#,
        r#"USERNAME Eq "FIND.ME@demo.example""#,
        r#"externalId eq "00u-find.me""#,
        r#"emails.value eq "find.me@demo.example""#,
        r#"emails[type eq "work"].value eq "find.me@demo.example""#,
        r#"emails[type eq "work" and value eq "find.me@demo.example"]"#,
        r#"userName eq "find.me@demo.example" and externalId eq "00u-find.me""#,
    ] {
        let found = client.find("Users", filter);
        assert_eq!(found.len(), 1, "{filter}");
        assert_eq!(found[0]["id"], made, "{filter}");
    }
    // Entra ID's connection test: nobody has this name, and that is no error.
    let none = client.get("/Users?filter=userName+eq+%22dc1c4f8a-8a5f-4d9c-a9f4-0ad8c8e6c1f6%22");
    let none = none.expect(200).json();
    assert_eq!(none["totalResults"], 0);
    assert_eq!(none["Resources"], json!([]));
    assert_eq!(none["itemsPerPage"], 0);
}

#[test]
fn users_are_deactivated_and_reactivated_in_both_dialects_and_stay_readable() {
    let mut client = client();
    let okta = user_path(&client.post("/Users", &okta_user("active.okta")).expect(201));
    let entra = user_path(
        &client
            .post("/Users", &entra_user("active.entra"))
            .expect(201),
    );
    for (path, off, on) in [
        (
            &okta,
            json!([{"op": "replace", "value": {"active": false}}]),
            json!([{"op": "replace", "value": {"active": true}}]),
        ),
        (
            &entra,
            json!([{"op": "Replace", "path": "active", "value": "False"}]),
            json!([{"op": "Replace", "path": "active", "value": "True"}]),
        ),
    ] {
        let before = client.get(path).expect(200);
        let answer = client.patch(path, &patch(&off)).expect(200);
        assert_eq!(answer.json()["active"], false);
        assert_ne!(answer.header("etag"), before.header("etag"));
        assert!(receipt(&answer) > 0);
        assert_eq!(client.get(path).expect(200).json()["active"], false);
        let answer = client.patch(path, &patch(&on)).expect(200);
        assert_eq!(answer.json()["active"], true);
    }
}

#[test]
fn profiles_change_by_every_form_of_patch_that_providers_send() {
    let mut client = client();
    let path = user_path(&client.post("/Users", &minimal("profile")).expect(201));
    let entra = patch(&json!([
        {"op": "Add", "path": "name.givenName", "value": "Ada"},
        {"op": "Add", "path": "emails[type eq \"work\"].value", "value": "profile@demo.example"},
        {"op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "London"},
        {"op": "Add", "path": "addresses[type eq \"work\"].country", "value": "GB"},
        {"op": "Replace", "path": format!("{ENTERPRISE}:department"), "value": "Engines"},
    ]));
    let shown = client.patch(&path, &entra).expect(200).json();
    assert_eq!(shown["name"]["givenName"], "Ada");
    assert_eq!(
        shown["emails"],
        json!([{"type": "work", "value": "profile@demo.example"}])
    );
    let address = json!([{"type": "work", "locality": "London", "country": "GB"}]);
    assert_eq!(shown["addresses"], address, "every part lands in one entry");
    assert_eq!(shown[ENTERPRISE]["department"], "Engines");
    let rfc = patch(&json!([{"op": "replace", "value": {
        "name.familyName": "Byron", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber": "7",
    }}]));
    let shown = client.patch(&path, &rfc).expect(200).json();
    assert_eq!(
        shown["name"],
        json!({"givenName": "Ada", "familyName": "Byron"})
    );
    assert_eq!(shown[ENTERPRISE]["employeeNumber"], "7");
    let same = client.get(&path).expect(200);
    let again = client.patch(&path, &rfc).expect(200);
    assert_eq!(
        again.header("etag"),
        same.header("etag"),
        "nothing has changed"
    );
}

#[test]
fn a_whole_user_is_replaced_and_its_old_name_is_free_again() {
    let mut client = client();
    let made = client.post("/Users", &okta_user("put.before")).expect(201);
    let path = user_path(&made);
    let mut whole = okta_user("put.after");
    whole["id"] = json!("another, which is ignored");
    whole["displayName"] = json!("Renamed");
    let answer = client.put(&path, &whole).expect(200);
    let shown = answer.json();
    assert_eq!(shown["id"], made.json()["id"]);
    assert_eq!(shown["userName"], "put.after@demo.example");
    assert_eq!(shown["displayName"], "Renamed");
    assert!(receipt(&answer) > receipt(&made));
    nobody_is_named(&mut client, "put.before@demo.example");
    let as_read = client.get(&path).expect(200).json();
    let back = client.put(&path, &as_read).expect(200).json();
    assert_eq!(
        back["userName"], as_read["userName"],
        "what was read can be put back"
    );
    create(&mut client, "put.before");
    client
        .put("/Users/4048c2a0-ff8e-4904-a0e0-64472e34164a", &whole)
        .scim_error(404, None);
}

#[test]
fn a_deleted_user_is_gone_and_so_is_its_place_in_groups() {
    let mut client = client();
    let user = create(&mut client, "deleted");
    let group = json!({"schemas": [GROUP], "displayName": "of the deleted",
        "members": [{"value": user}]});
    let group = id(&client.post("/Groups", &group).expect(201));
    let path = format!("/Users/{user}");
    let gone = client.delete(&path).expect(204);
    assert!(gone.body.is_empty());
    assert!(receipt(&gone) > 0);
    for answer in [
        client.get(&path),
        client.delete(&path),
        client.patch(&path, &patch(&json!([]))),
    ] {
        assert!(matches!(answer.status, 404 | 400), "{}", answer.text());
    }
    client.get(&path).scim_error(404, None);
    nobody_is_named(&mut client, "deleted@demo.example");
    assert!(members(&mut client, &group).is_empty());
    create(&mut client, "deleted");
}

#[test]
fn a_group_is_kept_in_entras_dialect() {
    let mut client = client();
    let (a, b, c) = (
        create(&mut client, "entra.a"),
        create(&mut client, "entra.b"),
        create(&mut client, "entra.c"),
    );
    let sent = json!({
        "schemas": [GROUP, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "externalId": "entra-group", "displayName": "Entra group", "meta": {"resourceType": "Group"},
    });
    let made = client.post("/Groups", &sent).expect(201);
    assert_eq!(
        made.json()["members"],
        json!([]),
        "an empty group has an empty list"
    );
    assert!(made.header("location").is_some() && made.header("etag").is_some());
    let group = id(&made);
    let path = format!("/Groups/{group}");
    let add = patch(&json!([{"op": "Add", "path": "members", "value": [
        {"$ref": null, "value": a}, {"$ref": null, "value": b}, {"$ref": null, "value": c}]}]));
    let added = client.patch(&path, &add).expect(200);
    assert!(receipt(&added) > receipt(&made));
    assert_eq!(members(&mut client, &group), sorted(&[&a, &b, &c]));
    let remove =
        patch(&json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": b}]}]));
    client.patch(&path, &remove).expect(200);
    assert_eq!(
        members(&mut client, &group),
        sorted(&[&a, &c]),
        "one is removed, not all"
    );
    client.patch(&path, &remove).expect(200);
    assert_eq!(
        members(&mut client, &group),
        sorted(&[&a, &c]),
        "removing a non-member succeeds"
    );
    let rename =
        patch(&json!([{"op": "Replace", "path": "displayName", "value": "Renamed group"}]));
    assert_eq!(
        client.patch(&path, &rename).expect(200).json()["displayName"],
        "Renamed group"
    );
    let user = client.get(&format!("/Users/{a}")).expect(200).json();
    assert_eq!(user["groups"][0]["value"], group);
    assert_eq!(user["groups"][0]["display"], "Renamed group");
    let slim = client
        .get(&format!("{path}?excludedAttributes=members"))
        .expect(200)
        .json();
    assert_eq!(slim.get("members"), None);
    let found = client.find("Groups", r#"displayName eq "renamed GROUP""#);
    assert_eq!(found.len(), 1);
    let clear = patch(&json!([{"op": "Remove", "path": "members"}]));
    client.patch(&path, &clear).expect(200);
    assert!(members(&mut client, &group).is_empty());
    client.delete(&path).expect(204);
    client.get(&path).scim_error(404, None);
}

#[test]
fn a_group_is_kept_in_oktas_dialect() {
    let mut client = client();
    let (a, b, c) = (
        create(&mut client, "okta.a"),
        create(&mut client, "okta.b"),
        create(&mut client, "okta.c"),
    );
    let sent = json!({"schemas": [GROUP], "displayName": "Okta group",
        "members": [{"value": a, "display": "okta.a@demo.example"}]});
    let group = id(&client.post("/Groups", &sent).expect(201));
    let path = format!("/Groups/{group}");
    let push = patch(&json!([
        {"op": "remove", "path": format!("members[value eq \"{a}\"]")},
        {"op": "add", "path": "members", "value": [{"value": b, "display": "b"}, {"value": c, "display": "c"}]},
    ]));
    client.patch(&path, &push).expect(200);
    assert_eq!(members(&mut client, &group), sorted(&[&b, &c]));
    let rename =
        patch(&json!([{"op": "replace", "value": {"id": group, "displayName": "Okta renamed"}}]));
    let shown = client.patch(&path, &rename).expect(200).json();
    assert_eq!(
        (&shown["id"], &shown["displayName"]),
        (&json!(group), &json!("Okta renamed"))
    );
    let replace = patch(&json!([{"op": "replace", "path": "members", "value": [{"value": a}]}]));
    client.patch(&path, &replace).expect(200);
    assert_eq!(members(&mut client, &group), sorted(&[&a]));
    let put = json!({"schemas": [GROUP], "id": group, "displayName": "Okta renamed",
        "members": [{"value": b}, {"value": a}]});
    client.put(&path, &put).expect(200);
    assert_eq!(members(&mut client, &group), sorted(&[&a, &b]));
    let unknown = patch(&json!([{"op": "add", "path": "members", "value": [
        {"value": c}, {"value": "4048c2a0-ff8e-4904-a0e0-64472e34164a"}]}]));
    client.patch(&path, &unknown).expect(200);
    assert_eq!(
        members(&mut client, &group),
        sorted(&[&a, &b, &c]),
        "whoever is gone is left out of an addition"
    );
    let unknown = patch(&json!([{"op": "replace", "path": "members", "value": [
        {"value": c}, {"value": "4048c2a0-ff8e-4904-a0e0-64472e34164a"}]}]));
    client
        .patch(&path, &unknown)
        .scim_error(400, Some("invalidValue"));
    assert_eq!(
        members(&mut client, &group),
        sorted(&[&a, &b, &c]),
        "all of it or nothing"
    );
    client.delete(&path).expect(204);
}

#[test]
fn versions_keep_two_writers_apart_and_spare_a_reader_the_body() {
    let mut client = client();
    let made = client.post("/Users", &okta_user("etag")).expect(201);
    let path = user_path(&made);
    let old = made.header("etag").unwrap().to_owned();
    let change =
        |text: &str| patch(&json!([{"op": "replace", "path": "title", "value": text}])).to_string();
    let send = |client: &mut Client, method: &str, name: &str, tag: &str, body: &str| {
        client.request(method, &path, &[(name, tag)], body.as_bytes())
    };
    let current = send(&mut client, "PATCH", "if-match", &old, &change("First")).expect(200);
    let new = current.header("etag").unwrap().to_owned();
    assert_ne!(old, new);
    let put = okta_user("etag").to_string();
    for (method, body) in [
        ("PATCH", change("Second")),
        ("PUT", put),
        ("DELETE", String::new()),
    ] {
        let stale = send(&mut client, method, "if-match", &old, &body);
        stale.scim_error(412, None);
    }
    assert_eq!(client.get(&path).expect(200).json()["title"], "First");
    let unchanged = send(&mut client, "GET", "if-none-match", &new, "").expect(304);
    assert_eq!(unchanged.header("etag"), Some(new.as_str()));
    assert!(unchanged.body.is_empty());
    send(&mut client, "GET", "if-none-match", &old, "").expect(200);
    send(&mut client, "DELETE", "if-match", "*", "").expect(204);
}

#[test]
fn a_list_is_read_in_pages_that_cover_it_once() {
    let mut client = client();
    let names: Vec<String> = (0..7).map(|number| format!("page.{number}")).collect();
    for name in &names {
        create(&mut client, name);
    }
    let filter = "filter=userName+sw+%22page.%22";
    let mut seen = Vec::new();
    for (start, count) in [(1, 3), (4, 3), (7, 1)] {
        let page = client.get(&format!("/Users?{filter}&startIndex={start}&count=3"));
        let page = page.expect(200).json();
        assert_eq!(page["totalResults"], 7);
        assert_eq!(page["itemsPerPage"], count);
        assert_eq!(page["startIndex"], start);
        seen.extend(
            page["Resources"]
                .as_array()
                .unwrap()
                .iter()
                .map(|user| user["userName"].clone()),
        );
    }
    seen.sort_by_key(ToString::to_string);
    let expected: Vec<Value> = names
        .iter()
        .map(|name| json!(format!("{name}@demo.example")))
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn the_service_says_what_it_can_do() {
    let mut client = client();
    let config = client.get("/ServiceProviderConfig").expect(200).json();
    assert_eq!(config["patch"]["supported"], true);
    assert_eq!(config["etag"]["supported"], true);
    for list in ["/Schemas", "/ResourceTypes"] {
        let list = client.get(list).expect(200).json();
        let found = list["Resources"].as_array().unwrap();
        assert_eq!(
            list["totalResults"].as_u64(),
            u64::try_from(found.len()).ok()
        );
        assert!(found.len() >= 2);
    }
    client.get(&format!("/Schemas/{ENTERPRISE}")).expect(200);
    let encoded = ENTERPRISE.replace(':', "%3A");
    client.get(&format!("/Schemas/{encoded}")).expect(200);
    client.get("/Users/%zz").scim_error(400, None);
    client.get("/Me").scim_error(501, None);
}

#[test]
fn a_credential_that_is_not_valid_gets_no_hint() {
    let ready = SERVICE.ready();
    let token = ready.text("scim_token");
    let mut spoiled = token.to_owned();
    let last = spoiled.pop().unwrap();
    spoiled.push(if last == 'A' { 'B' } else { 'A' });
    let mut bodies = Vec::new();
    for authorization in [
        None,
        Some("non-token".to_owned()),
        Some(format!("Bearer {spoiled}")),
        Some("Bearer chy_".to_owned()),
        Some(format!("Basic {token}")),
        Some(format!("Bearer {token}x")),
    ] {
        let pem = std::fs::read(ready.text("ca_file")).unwrap();
        let mut client =
            Client::new(ready.address(), &pem, Tls::V13).with_prefix("/t/demo/scim/v2");
        let headers: Vec<(&str, &str)> = authorization
            .iter()
            .map(|value| ("authorization", value.as_str()))
            .collect();
        for (method, path) in [
            ("GET", "/Users"),
            ("POST", "/Users"),
            ("GET", "/Users/1"),
            ("GET", "/Schemas"),
        ] {
            let answer = client.request(method, path, &headers, b"");
            assert!(
                answer
                    .header("www-authenticate")
                    .unwrap()
                    .starts_with("Bearer")
            );
            bodies.push(answer.body.clone());
            answer.scim_error(401, None);
        }
    }
    // The right token at the path of another tenant, be there one of that name or not.
    for slug in ["other", "dem0", "demo2", ".."] {
        let mut client = SERVICE.client().with_prefix(&format!("/t/{slug}/scim/v2"));
        let answer = client.get("/Users");
        bodies.push(answer.body.clone());
        answer.scim_error(401, None);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "one answer for every reason");
}

#[test]
fn an_address_outside_the_trusted_domains_is_refused_by_name_on_every_path() {
    let mut client = client();
    let id = create(&mut client, "domain");
    let path = format!("/Users/{id}");
    let foreign = "mallory@elsewhere.example";
    let mut foreign_name = okta_user("domain.one");
    foreign_name["userName"] = json!(foreign);
    let mut foreign_mail = okta_user("domain.two");
    foreign_mail["emails"][0]["value"] = json!(foreign);
    let patches = [
        json!([{"op": "replace", "path": "userName", "value": foreign}]),
        json!([{"op": "Add", "path": "emails[type eq \"work\"].value", "value": foreign}]),
        json!([{"op": "replace", "value": {"emails": [{"type": "work", "value": foreign}]}}]),
    ];
    let mut answers = vec![
        client.post("/Users", &foreign_name),
        client.post("/Users", &foreign_mail),
        client.put(&path, &foreign_name),
        client.put(&path, &foreign_mail),
    ];
    answers.extend(patches.map(|operations| client.patch(&path, &patch(&operations))));
    for answer in answers {
        let detail = answer.scim_error(403, None);
        assert!(detail.contains("elsewhere.example"), "{detail}");
        assert!(!detail.contains("mallory"), "{detail}");
    }
    assert_eq!(
        client.get(&path).expect(200).json()["userName"],
        "domain@demo.example"
    );
    nobody_is_named(&mut client, "domain.two@demo.example");
}

#[test]
fn bodies_that_cannot_be_read_are_refused_with_the_right_type() {
    let mut client = client();
    let id = create(&mut client, "bad.input");
    let deep = format!(
        "{{\"userName\":\"deep@demo.example\",\"x\":{}1{}}}",
        "[".repeat(200),
        "]".repeat(200)
    );
    let deep = (deep.as_str(), "invalidSyntax");
    for (body, scim_type) in BAD_BODIES.into_iter().chain([deep]) {
        for (method, path) in [
            ("POST", "/Users".to_owned()),
            ("PUT", format!("/Users/{id}")),
        ] {
            let answer = client.request(
                method,
                &path,
                &[("content-type", "application/scim+json")],
                body.as_bytes(),
            );
            let shown = body.get(..body.len().min(80)).unwrap();
            assert_eq!(answer.status, 400, "{method} {shown}: {}", answer.text());
            assert_eq!(
                answer.json()["scimType"],
                scim_type,
                "{method} {shown}: {}",
                answer.text()
            );
            answer.scim_error(400, Some(scim_type));
        }
    }
}

#[test]
fn bodies_that_are_too_long_are_refused_and_the_sender_hears_it() {
    let mut client = client();
    let name = "x".repeat(100_000);
    let long_name = json!({"schemas": [USER], "userName": format!("{name}@demo.example")});
    client
        .post("/Users", &long_name)
        .scim_error(400, Some("invalidValue"));
    let whole =
        json!({"schemas": [USER], "userName": "a@demo.example", "title": "x".repeat(3_000_000)});
    client
        .post("/Users", &whole)
        .scim_error(400, Some("invalidSyntax"));
    nobody_is_named(&mut client, "a@demo.example");
}

#[test]
fn patches_that_name_nothing_are_refused_with_the_right_type_and_change_nothing() {
    let mut client = client();
    let path = user_path(&client.post("/Users", &okta_user("bad.patch")).expect(201));
    let before = client.get(&path).expect(200);
    for (operation, scim_type) in bad_operations() {
        // What comes before the mistake must not stay either.
        let body = patch(&json!([{"op": "replace", "path": "title", "value": "half"}, operation]));
        let answer = client.patch(&path, &body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert_eq!(
            answer.json()["scimType"],
            scim_type,
            "{body}: {}",
            answer.text()
        );
        answer.scim_error(400, Some(scim_type));
    }
    let after = client.get(&path).expect(200);
    assert_eq!(after.json(), before.json());
    for filter in [
        "userName",
        "userName xx \"a\"",
        "userName eq",
        "active gt true",
        "(userName eq \"a\"",
    ] {
        let path = format!(
            "/Users?filter={}",
            filter.replace(' ', "%20").replace('"', "%22")
        );
        client.get(&path).scim_error(400, Some("invalidFilter"));
    }
}

#[test]
fn methods_and_paths_that_are_not_there_are_told_apart() {
    let mut client = client();
    client.get("/Nothing").scim_error(404, None);
    client.delete("/Users").scim_error(405, None);
    client
        .get("/Users/4048c2a0-ff8e-4904-a0e0-64472e34164a")
        .scim_error(404, None);
    client.get("/Users/not-an-id").scim_error(404, None);
}

#[test]
fn framing_that_two_readers_could_read_apart_is_refused() {
    let mut client = client();
    let token = SERVICE.ready().text("scim_token").to_owned();
    let start = format!(
        "POST /t/demo/scim/v2/Users HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n"
    );
    let body = minimal("smuggled").to_string();
    for headers in [
        format!(
            "content-length: {}\r\ntransfer-encoding: chunked\r\n",
            body.len()
        ),
        format!("content-length: {}\r\ncontent-length: 3\r\n", body.len()),
        format!(
            "authorization: Bearer x\r\ncontent-length: {}\r\n",
            body.len()
        ),
    ] {
        let answer = client.exchange(false, format!("{start}{headers}\r\n{body}").as_bytes());
        // hyper itself may refuse first, by a plain 400.
        assert_eq!(answer.unwrap().status, 400, "{headers}");
    }
    nobody_is_named(&mut client, "smuggled@demo.example");
}

#[test]
fn tls_1_2_carries_scim_and_nothing_else() {
    let mut client = SERVICE.client_over(Tls::V12);
    let made = client.post("/Users", &entra_user("over.tls12")).expect(201);
    assert_eq!(
        client.get(&user_path(&made)).expect(200).json(),
        made.json()
    );
    for (method, path) in [
        ("POST", "/.well-known/chancery/v1/attest"),
        ("GET", "/.well-known/chancery/v1/deployment"),
        ("GET", "/v1/tenants/demo"),
        ("POST", "/v1/tenants/demo/acts"),
        ("GET", "/log/checkpoint"),
        ("GET", "/t/demo/log/checkpoint"),
        ("GET", "/"),
    ] {
        let mut client = SERVICE.client_over(Tls::V12).with_prefix("");
        let answer = client.request(method, path, &[], b"{}").expect(403);
        assert_eq!(answer.header("connection"), Some("close"), "{path}");
    }
    let mut client = SERVICE.client().with_prefix("");
    client
        .get("/.well-known/chancery/v1/deployment")
        .expect(200);
    client.get("/v1/tenants/demo").expect(200);
    client.get("/log/checkpoint").expect(200);
}

/// Runs curl as a person would; none if there is no curl here.
fn curl(arguments: &[&str]) -> Option<(u16, String)> {
    let ready = SERVICE.ready();
    let authorization = format!("Authorization: Bearer {}", ready.text("scim_token"));
    let output = Command::new("curl")
        .args([
            "-sS",
            "-i",
            "--cacert",
            ready.text("ca_file"),
            "-H",
            &authorization,
        ])
        .args(["-H", "Content-Type: application/scim+json"])
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    Some((status, text.to_ascii_lowercase()))
}

#[test]
fn curl_with_the_values_of_the_ready_file_does_it_too() {
    let base = SERVICE.ready().text("scim_base").to_owned();
    let users = format!("{base}/Users");
    let (okta, entra) = (
        okta_user("curl.okta").to_string(),
        entra_user("curl.entra").to_string(),
    );
    for (body, version) in [(&okta, "--tlsv1.3"), (&entra, "--tls-max")] {
        let mut arguments = vec![version];
        if version == "--tls-max" {
            arguments.push("1.2");
        }
        arguments.extend(["-d", body.as_str(), users.as_str()]);
        let Some((status, text)) = curl(&arguments) else {
            return;
        };
        assert_eq!(status, 201, "{text}");
        for header in ["\r\nlocation: ", "\r\netag: ", "\r\nchancery-receipt: "] {
            assert!(text.contains(header), "{text}");
        }
        let (status, text) = curl(&arguments).unwrap();
        assert_eq!(status, 409, "{text}");
        assert!(text.contains("uniqueness"), "{text}");
    }
    let filter = r#"filter=userName eq "curl.entra@demo.example""#;
    let (status, text) = curl(&["-G", "--data-urlencode", filter, &users]).unwrap();
    assert_eq!(status, 200);
    assert!(text.contains(r#""totalresults":1"#), "{text}");
}
