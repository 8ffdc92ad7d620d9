//! How the real runtime reads requests, byte for byte, and what it answers beside their content.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::sync::LazyLock;

use chancery_e2e::{Answer, Client, Service};
use serde_json::{Value, json};

/// Nothing here does damage, so all share one service; each test has its own names.
static SERVICE: LazyLock<Service> = LazyLock::new(Service::lasting);

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

fn user(name: &str) -> Value {
    json!({"schemas": [USER], "userName": format!("{name}@demo.example")})
}

/// A POST of a user with these lines in its head, and its body as it stands.
fn post(client: &mut Client, lines: &str, body: &str) -> Answer {
    let token = SERVICE.ready().text("scim_token").to_owned();
    let head = format!(
        "POST /t/demo/scim/v2/Users HTTP/1.1\r\nauthorization: Bearer {token}\r\n{lines}\r\n"
    );
    client
        .exchange(
            false,
            [head.as_bytes(), body.as_bytes()].concat().as_slice(),
        )
        .unwrap()
}

fn chunked(body: &str) -> String {
    let (first, second) = body.split_at(7);
    format!(
        "{:x}\r\n{first}\r\n{:X};a=b\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    )
}

#[test]
fn a_framing_header_that_the_parser_would_drop_is_counted() {
    let body = user("dropped").to_string();
    let length = format!("content-length: {}\r\n", body.len());
    let coding = "transfer-encoding: chunked\r\n";
    for (lines, body) in [
        (format!("host: h\r\n{length}{length}"), body.clone()),
        (format!("host: h\r\n{length}{coding}"), chunked(&body)),
        (format!("host: h\r\n{coding}{length}"), chunked(&body)),
    ] {
        // Also as the third request of a connection.
        for before in [0, 1] {
            let mut client = SERVICE.client();
            for number in 0..before {
                let sound = user(&format!("sound{number}.{}", lines.len())).to_string();
                let answer = post(
                    &mut client,
                    "host: h\r\ntransfer-encoding: chunked\r\n",
                    &chunked(&sound),
                );
                assert!(matches!(answer.status, 201 | 409), "{}", answer.text());
                client.get("/Users?count=0").expect(200);
            }
            let answer = post(&mut client, &lines, &body).expect(400);
            assert_eq!(answer.header("connection"), Some("close"), "{lines}");
        }
    }
    let mut client = SERVICE.client();
    assert!(
        client
            .find("Users", r#"userName eq "dropped@demo.example""#)
            .is_empty()
    );
}

#[test]
fn a_request_names_a_host_that_can_be_read() {
    let body = user("hostless").to_string();
    let length = format!("content-length: {}\r\n", body.len());
    for host in ["", "host: \r\n", "host: a b\r\n", "host: localhost:+1\r\n"] {
        let mut client = SERVICE.client();
        let answer = post(&mut client, &format!("{host}{length}"), &body).expect(400);
        assert_eq!(answer.header("connection"), Some("close"), "{host}");
    }
    let mut client = SERVICE.client();
    let answer = post(
        &mut client,
        &format!("host: elsewhere:4711\r\n{length}"),
        &body,
    );
    let location = answer.expect(201).header("location").unwrap().to_owned();
    assert!(
        location.starts_with("https://localhost:4711/"),
        "{location}"
    );
}

#[test]
fn a_credential_is_looked_at_before_the_body() {
    let mut client = SERVICE.client().with_token("chy_wrong");
    // The body never comes: the answer does not wait for it.
    let head = "POST /t/demo/scim/v2/Users HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\n\
        authorization: Bearer wrong\r\ncontent-length: 1000000\r\n\r\n";
    let answer = client.exchange(false, head.as_bytes()).unwrap().expect(401);
    assert_eq!(answer.header("connection"), Some("close"));
    // One that writes all the same hears it.
    let body = vec![b' '; 1_000_000];
    let answer = client.request("POST", "/Users", &[], &body).expect(401);
    assert_eq!(answer.header("connection"), Some("close"));
    // A request without a body costs no connection.
    let answer = client.get("/Users").expect(401);
    assert_eq!(answer.header("connection"), None);
    let mut anybody = SERVICE.client().with_prefix("");
    let long = vec![b' '; 257];
    let path = "/.well-known/chancery/v1/attest";
    anybody.request("POST", path, &[], &long).expect(413);
    anybody.request("POST", path, &[], &long[..256]).expect(400);
}

#[test]
fn head_is_get_without_the_body_and_405_says_what_is_allowed() {
    let mut client = SERVICE.client();
    let made = client.post("/Users", &user("head")).expect(201).json();
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    for path in ["/Users", &path, "/Schemas"] {
        let got = client.get(path).expect(200);
        let head = client.request("HEAD", path, &[], b"").expect(200);
        assert_eq!(head.header("content-length"), got.header("content-length"));
        assert_eq!(head.header("etag"), got.header("etag"));
    }
    for (method, path, allowed) in [
        ("DELETE", "/Users", "GET, HEAD, POST"),
        ("POST", path.as_str(), "GET, HEAD, PUT, PATCH, DELETE"),
        ("PUT", "/Schemas", "GET, HEAD"),
    ] {
        let answer = client.request(method, path, &[], b"").expect(405);
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
    }
    let mut anybody = SERVICE.client().with_prefix("");
    for (method, path, allowed) in [
        ("POST", "/log/checkpoint", "GET, HEAD"),
        ("GET", "/.well-known/chancery/v1/attest", "POST"),
        ("PUT", "/v1/tenants/demo", "GET, HEAD"),
        ("GET", "/v1/tenants/demo/acts", "POST"),
    ] {
        let answer = anybody.request(method, path, &[], b"").expect(405);
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
    }
    let shown = anybody.get("/v1/tenants/demo").expect(200);
    assert_eq!(shown.header("cache-control"), Some("no-store"));
}

#[test]
fn a_query_or_a_precondition_that_is_refused_changes_nothing() {
    let mut client = SERVICE.client();
    client
        .post("/Users?attributes=id&attributes=id", &user("unborn"))
        .expect(400);
    assert!(
        client
            .find("Users", r#"userName eq "unborn@demo.example""#)
            .is_empty()
    );
    let made = client.post("/Users", &user("kept")).expect(201).json();
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    for tag in ["\u{e4}", "W/\"1", "1"] {
        client
            .request("DELETE", &path, &[("if-match", tag)], b"")
            .expect(400);
    }
    client.get(&path).expect(200);
}

#[test]
fn a_304_never_stands_for_memberships_that_have_changed() {
    let mut client = SERVICE.client();
    let made = client.post("/Users", &user("tagged")).expect(201).json();
    let id = made["id"].as_str().unwrap();
    let path = format!("/Users/{id}");
    let first = client
        .get(&path)
        .expect(200)
        .header("etag")
        .unwrap()
        .to_owned();
    let group = json!({"schemas": [GROUP], "displayName": "Tagged", "members": [{"value": id}]});
    let group = client.post("/Groups", &group).expect(201).json();
    let group_path = format!("/Groups/{}", group["id"].as_str().unwrap());
    let since = |client: &mut Client, path: &str, tag: &str| {
        client.request("GET", path, &[("if-none-match", tag)], b"")
    };
    let joined = since(&mut client, &path, &first).expect(200);
    let second = joined.header("etag").unwrap().to_owned();
    assert_eq!(joined.json()["meta"]["version"], second.as_str());
    assert_eq!(joined.json()["groups"][0]["display"], "Tagged");
    since(&mut client, &path, &second).expect(304);
    // The user's own version has not moved: a write on the condition of either goes through.
    let change = json!({"schemas": [PATCH], "Operations": [
        {"op": "replace", "path": "title", "value": "Smith"}]});
    let change = change.to_string();
    let patched = client
        .request("PATCH", &path, &[("if-match", &first)], change.as_bytes())
        .expect(200);
    let third = patched.header("etag").unwrap().to_owned();
    client
        .request("PATCH", &path, &[("if-match", &second)], change.as_bytes())
        .expect(412);
    since(&mut client, &path, &third).expect(304);

    let full = client.get(&group_path).expect(200);
    let full = full.header("etag").unwrap().to_owned();
    since(&mut client, &group_path, &full).expect(304);
    client
        .request("DELETE", &path, &[("if-match", &third)], b"")
        .expect(204);
    let left = since(&mut client, &group_path, &full).expect(200);
    assert_eq!(left.json()["members"], json!([]));
}
