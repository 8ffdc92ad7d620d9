//! From discovery to a verified token, and everything that is refused on the way.

use chancery_issuer::{Browser, Error, Spoil, login};
use chancery_json::Value;

use crate::harness::{BACK, World, object, query, text};

#[tokio::test]
async fn a_client_finds_everything_by_discovery_and_verifies_what_it_gets() {
    let world = World::new().await;
    let well_known = world.at("/.well-known/openid-configuration");
    let reply = world.browser().get(&well_known).await.unwrap();
    assert_eq!(reply.status, 200);
    let metadata = object(&reply);
    assert_eq!(text(&metadata, "issuer"), world.issuer.url());
    for (name, path) in [
        ("authorization_endpoint", "/authorize"),
        ("token_endpoint", "/token"),
        ("jwks_uri", "/jwks.json"),
    ] {
        assert_eq!(text(&metadata, name), world.at(path));
    }
    let reply = world.exchange(&world.code("ada", "engine").await).await;
    assert_eq!(reply.headers["cache-control"], "no-store");
    let tokens = object(&reply);
    assert_eq!(text(&tokens, "token_type"), "Bearer");
    let claims = world.verified(&text(&tokens, "id_token")).await.unwrap();
    for (name, value) in [
        ("iss", world.issuer.url()),
        ("sub", "00u1ada"),
        ("oid", "0a21f0f2"),
        ("aud", "chancery-member"),
        ("nonce", "n1"),
        ("email", "ada@demo.example"),
        ("preferred_username", "ada"),
    ] {
        assert_eq!(text(&claims, name), value);
    }
    let number = |name| claims.get(name).and_then(Value::as_u64).unwrap();
    assert_eq!(
        (number("iat"), number("exp"), number("auth_time")),
        (world.start_s, world.start_s + 600, world.start_s)
    );
}

#[tokio::test]
async fn anybody_is_who_they_say_if_that_was_asked_for() {
    let world = World::new().await;
    let token = world.id_token("00u2bob", "open").await;
    let claims = world.verified(&token).await.unwrap();
    assert_eq!(text(&claims, "sub"), "00u2bob");
    assert_eq!(text(&claims, "oid"), "00u2bob");
}

#[tokio::test]
async fn a_code_is_good_once_and_for_a_minute() {
    let world = World::new().await;
    let code = world.code("ada", "engine").await;
    assert_eq!(world.exchange(&code).await.status, 200);
    let again = world.exchange(&code).await;
    assert_eq!(again.status, 400);
    assert_eq!(text(&object(&again), "error"), "invalid_grant");
    let old = world.code("ada", "engine").await;
    world.pass(59);
    let young = world.code("ada", "engine").await;
    world.pass(1);
    assert_eq!(world.exchange(&old).await.status, 400);
    assert_eq!(world.exchange(&young).await.status, 200);
}

#[tokio::test]
async fn a_code_is_bound_to_client_address_and_verifier_and_used_up_by_a_failure() {
    let world = World::new().await;
    let other = "a".repeat(43);
    for (name, value, error) in [
        ("redirect_uri", "http://127.0.0.1:8/back", "invalid_grant"),
        ("redirect_uri", "", "invalid_grant"),
        ("code_verifier", other.as_str(), "invalid_grant"),
        ("code_verifier", "", "invalid_grant"),
        ("code", "unknown", "invalid_grant"),
    ] {
        let code = world.code("ada", "engine").await;
        let refused = world.exchange_with(&code, name, value).await;
        assert_eq!(refused.status, 400, "{name}");
        assert_eq!(text(&object(&refused), "error"), error, "{name}");
        let then = world.exchange(&code).await.status;
        assert_eq!(then == 200, name == "code", "{name}");
    }
    let code = world.code("ada", "engine").await;
    for (name, value, error) in [
        ("client_id", "another", "invalid_client"),
        ("grant_type", "password", "unsupported_grant_type"),
    ] {
        let refused = world.exchange_with(&code, name, value).await;
        assert_eq!(text(&object(&refused), "error"), error, "{name}");
    }
    assert_eq!(world.exchange(&code).await.status, 200);
}

#[tokio::test]
async fn a_request_without_pkce_or_for_another_address_gets_no_login_page() {
    let world = World::new().await;
    let mut browser = world.browser();
    for (name, value) in [
        ("redirect_uri", "http://127.0.0.2:9/back"),
        ("redirect_uri", "https://evil.example/back"),
        ("client_id", "another"),
    ] {
        let url = world.authorization_with(name, value);
        let reply = browser.get(&url).await.unwrap();
        assert_eq!((reply.status, reply.location()), (400, None), "{name}");
        assert!(!reply.text().contains("<form"), "{name}");
    }
    for (name, value) in [("code_challenge", ""), ("code_challenge_method", "plain")] {
        let url = world.authorization_with(name, value);
        let reply = browser.get(&url).await.unwrap();
        let back = reply.location().unwrap();
        assert!(back.starts_with(BACK), "{back}");
        assert_eq!(query(back).value("error"), Some("invalid_request"));
        let back = login(world.issuer.ca_pem(), &url, "ada", "engine").await;
        assert_eq!(query(&back.unwrap()).value("code"), None);
    }
}

#[tokio::test]
async fn the_login_page_is_plain_and_guarded() {
    let world = World::new().await;
    let reply = world.browser().get(&world.authorization()).await.unwrap();
    assert_eq!(reply.status, 200);
    let policy = reply.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'"));
    assert!(policy.contains("form-action 'self' http://127.0.0.1:9"));
    assert_eq!(reply.headers["cache-control"], "no-store");
    assert_eq!(reply.headers["x-frame-options"], "DENY");
    let cookie = reply.headers["set-cookie"].to_str().unwrap();
    for part in ["__Host-login=", "Secure", "HttpOnly", "SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!reply.text().contains("<script"));
}

#[tokio::test]
async fn a_wrong_password_is_said_and_a_few_end_the_page() {
    let world = World::new().await;
    let refused = login(world.issuer.ca_pem(), &world.authorization(), "ada", "open").await;
    assert!(matches!(refused, Err(Error::Login)));
    let mut browser = world.browser();
    let request = open_page(&world, &mut browser).await;
    for attempt in 1..=5 {
        let reply = send(&world, &mut browser, &request, "wrong").await;
        assert_eq!(reply.status, 403);
        assert!(reply.text().contains("role=\"alert\""));
        assert_eq!(reply.text().contains("<form"), attempt < 5, "{attempt}");
    }
    assert_eq!(
        send(&world, &mut browser, &request, "engine").await.status,
        400
    );
}

#[tokio::test]
async fn a_login_page_works_once_in_its_own_browser_and_for_ten_minutes() {
    let world = World::new().await;
    let mut browser = world.browser();
    let request = open_page(&world, &mut browser).await;
    let mut stranger = world.browser();
    assert_eq!(
        send(&world, &mut stranger, &request, "engine").await.status,
        400
    );
    open_page(&world, &mut stranger).await;
    assert_eq!(
        send(&world, &mut stranger, &request, "engine").await.status,
        400
    );
    // A second page in the same browser does not end the first.
    let second = open_page(&world, &mut browser).await;
    assert_eq!(
        send(&world, &mut browser, &request, "engine").await.status,
        303
    );
    assert_eq!(
        send(&world, &mut browser, &request, "engine").await.status,
        400
    );
    world.pass(600);
    assert_eq!(
        send(&world, &mut browser, &second, "engine").await.status,
        400
    );
}

async fn open_page(world: &World, browser: &mut Browser) -> String {
    let page = browser.get(&world.authorization()).await.unwrap().text();
    let (_, rest) = page.split_once("name=\"request\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

async fn send(
    world: &World,
    browser: &mut Browser,
    request: &str,
    password: &str,
) -> chancery_issuer::Reply {
    let fields = [
        ("request", request),
        ("username", "ada"),
        ("password", password),
    ];
    browser.post(&world.at("/login"), &fields).await.unwrap()
}

#[tokio::test]
async fn a_restart_keeps_name_keys_authority_and_tenant() {
    let world = World::new().await;
    let before = world.id_token("ada", "engine").await;
    let claims = world.verified(&before).await.unwrap();
    let (url, ca) = (
        world.issuer.url().to_owned(),
        world.issuer.ca_der().to_vec(),
    );
    let keys = world.issuer.keys().unwrap();
    let world = world.restart().await;
    assert_eq!(world.issuer.url(), url);
    assert_eq!(world.issuer.ca_der(), ca);
    assert_eq!(world.issuer.keys().unwrap(), keys);
    assert_eq!(world.verified(&before).await, Some(claims.clone()));
    let after = world.id_token("ada", "engine").await;
    let after = world.verified(&after).await.unwrap();
    assert_eq!(text(&after, "tid"), text(&claims, "tid"));
}

#[tokio::test]
async fn keys_are_published_before_they_sign_and_until_they_are_dropped() {
    let world = World::new().await;
    let first = world.issuer.keys().unwrap().active;
    let before = world.id_token("ada", "engine").await;
    let second = world.issuer.add_key().unwrap();
    assert_eq!(world.issuer.keys().unwrap().active, first);
    world.issuer.activate_key(&second).unwrap();
    let after = world.id_token("ada", "engine").await;
    for token in [&before, &after] {
        assert!(world.verified(token).await.is_some());
    }
    world.issuer.drop_old_keys().unwrap();
    assert_eq!(world.verified(&before).await, None);
    assert!(world.verified(&after).await.is_some());
}

#[tokio::test]
async fn a_spoiled_token_comes_as_often_as_told() {
    let world = World::new().await;
    world.issuer.spoil(Spoil::SwappedKey, 1);
    let spoiled = world.id_token("ada", "engine").await;
    assert_eq!(world.verified(&spoiled).await, None);
    let good = world.id_token("ada", "engine").await;
    assert!(world.verified(&good).await.is_some());
    world.issuer.spoil(Spoil::SwappedKey, 5);
    world.issuer.spoil(Spoil::SwappedKey, 0);
    let good = world.id_token("ada", "engine").await;
    assert!(world.verified(&good).await.is_some());
}

#[tokio::test]
async fn paths_methods_and_bodies_have_their_answers() {
    let world = World::new().await;
    let mut browser = world.browser();
    for (path, status) in [
        ("/", 404),
        ("/token", 405),
        ("/login", 405),
        ("/jwks.json/", 404),
    ] {
        let reply = browser.get(&world.at(path)).await.unwrap();
        assert_eq!(reply.status, status, "{path}");
    }
    for (path, status) in [
        ("/jwks.json", 405),
        ("/.well-known/openid-configuration", 405),
    ] {
        let reply = browser.post(&world.at(path), &[]).await.unwrap();
        assert_eq!(reply.status, status, "{path}");
    }
    let long = "x".repeat(9000);
    let reply = browser.post(&world.at("/token"), &[("code", &long)]).await;
    assert_eq!(reply.unwrap().status, 400);
    // An authorization request may also be posted (OpenID Connect Core 1.0 section 3.1.2.1).
    let url = world.authorization();
    let form = query(&url);
    let names = [
        "client_id",
        "redirect_uri",
        "response_type",
        "scope",
        "code_challenge",
        "code_challenge_method",
    ];
    let fields: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (*name, form.value(name).unwrap()))
        .collect();
    let reply = browser.post(&world.at("/authorize"), &fields).await;
    assert_eq!(reply.unwrap().status, 200);
}

#[tokio::test]
async fn who_trusts_another_authority_does_not_log_in() {
    let (world, other) = (World::new().await, World::new().await);
    let result = login(
        other.issuer.ca_pem(),
        &world.authorization(),
        "ada",
        "engine",
    )
    .await;
    assert!(matches!(result, Err(Error::Connect(_))));
    let plain = world.authorization().replace("https:", "http:");
    let result = login(world.issuer.ca_pem(), &plain, "ada", "engine").await;
    assert!(matches!(result, Err(Error::Address)));
}
