//! Identity providers that are OAuth clients: access tokens for secrets and for signed assertions, against
//! the real processes, and everything that must get none.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use chancery_dsse::SigningKey;
use chancery_e2e::{Answer, Client, Customer, SHORT, Service, Tls, eventually, run, signal};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Nothing here does damage, so all but one share a service; each test has its own clients and names.
static SERVICE: LazyLock<Service> = LazyLock::new(Service::lasting);

const GRANT: &str = "grant_type=client_credentials";
const ASSERTS: &str = "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=";

/// A private key of an identity provider.
enum Key {
    Ed25519(SigningKey),
    P256(Box<EcdsaKeyPair>),
}

impl Key {
    fn ed25519(seed: u8) -> Self {
        Self::Ed25519(SigningKey::from_seed([seed; 32]))
    }

    fn p256() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).unwrap();
        Self::P256(Box::new(pair))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "EdDSA",
            Self::P256(_) => "ES256",
        }
    }

    fn jwk(&self) -> Value {
        match self {
            Self::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(&key.public_key().to_bytes())})
            }
            Self::P256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": "k1", "x": encoded(x), "y": encoded(y)})
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.sign(message).to_vec(),
            Self::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).unwrap();
                signature.as_ref().to_vec()
            }
        }
    }

    fn token(&self, claims: &Value) -> String {
        let header = json!({"typ": "JWT", "alg": self.algorithm()});
        let signed = unsigned(&header, claims);
        let signature = encoded(&self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

fn encoded(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let (header, claims) = (header.to_string(), claims.to_string());
    format!(
        "{}.{}",
        encoded(header.as_bytes()),
        encoded(claims.as_bytes())
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "an identity provider has a clock of its own"
)]
fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// An OAuth client as its admin was told of it.
struct Issued {
    id: String,
    secret: String,
    endpoint: String,
}

impl Issued {
    /// A client of the demo tenant.
    fn on(service: &Service, label: &str, options: &[&str]) -> Self {
        let issue = ["token", "issue", "--label", label, "--json"];
        let ready = ["--ready-file", service.ready_file()];
        let finished = run("chancery-dev", &[&issue[..], options, &ready].concat());
        assert_eq!(finished.code, Some(0), "{finished:?}");
        Self::read(&finished.json())
    }

    fn read(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Self {
            id: text("client_id"),
            secret: text("client_secret"),
            endpoint: text("token_endpoint"),
        }
    }

    fn with_key(service: &Service, label: &str, key: &Key) -> Self {
        let folder = TempDir::with_prefix("chancery-e2e-").unwrap();
        let file = folder.path().join("jwk.json");
        fs::write(&file, key.jwk().to_string()).unwrap();
        Self::on(service, label, &["--oauth-jwk", file.to_str().unwrap()])
    }

    /// Claims of a good assertion.
    fn claims(&self) -> Value {
        static NAMES: AtomicU64 = AtomicU64::new(0);
        let name = NAMES.fetch_add(1, Ordering::Relaxed);
        json!({
            "iss": self.id, "sub": self.id, "aud": self.endpoint, "jti": format!("{}-{name}", self.id),
            "iat": now_s(), "exp": now_s() + 120,
        })
    }

    fn basic(&self) -> String {
        let both = format!("{}:{}", self.id, self.secret);
        format!("Basic {}", Base64::encode_string(both.as_bytes()))
    }
}

/// A token request to the demo tenant.
fn ask(service: &Service, tls: Tls, headers: &[(&str, &str)], form: &str) -> Answer {
    ask_at(service, tls, "/t/demo/oauth2/token", headers, form)
}

fn ask_at(service: &Service, tls: Tls, path: &str, headers: &[(&str, &str)], form: &str) -> Answer {
    let mut client = service.client_over(tls).with_prefix("").without_token();
    let form_type = ("content-type", "application/x-www-form-urlencoded");
    let headers = [headers, &[form_type]].concat();
    let answer = client.request("POST", path, &headers, form.as_bytes());
    if answer.status != 503 {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("pragma"), Some("no-cache"));
    }
    answer
}

/// Presents an assertion; the answer, as soon as the service takes assertions at all after its start.
fn assert_with(service: &Service, tls: Tls, mut assertion: impl FnMut() -> String) -> Answer {
    eventually("a service that takes assertions", SHORT, || {
        let answer = ask(
            service,
            tls,
            &[],
            &format!("{GRANT}{ASSERTS}{}", assertion()),
        );
        (answer.status != 503).then_some(answer)
    })
}

/// The access token of an answer that has all of RFC 6749 section 5.1.
fn token(answer: Answer) -> String {
    let body = answer.expect(200).json();
    assert_eq!(body["token_type"], "Bearer");
    assert!(body["expires_in"].as_u64().unwrap() <= 3600);
    assert!(body["scope"].as_str().unwrap().contains("users.create"));
    let token = body["access_token"].as_str().unwrap();
    assert!(token.starts_with("cho_"), "{token}");
    token.to_owned()
}

/// Sees that an answer says no more than that the client is not known.
fn unknown(answer: Answer) {
    let answer = answer.expect(401);
    let challenge = answer.header("www-authenticate");
    assert_eq!(challenge, Some("Basic realm=\"chancery\""));
    assert_eq!(
        answer.text(),
        r#"401 {"error":"invalid_client","error_description":"the client is not known by what it sent"}"#
    );
}

fn scim(service: &Service, tls: Tls, token: &str) -> Client {
    service.client_over(tls).with_token(token)
}

fn create(client: &mut Client, name: &str) -> Answer {
    let user = json!({"userName": format!("{name}@demo.example"), "externalId": name});
    client.post("/Users", &user)
}

#[test]
fn a_token_fetched_with_private_key_jwt_creates_a_user() {
    for (key, tls) in [(Key::p256(), Tls::V12), (Key::ed25519(1), Tls::V13)] {
        let name = key.algorithm();
        let client = Issued::with_key(&SERVICE, name, &key);
        assert!(client.secret.is_empty());
        assert_eq!(
            client.endpoint,
            format!("{}/t/demo/oauth2/token", SERVICE.ready().text("base"))
        );
        let granted = assert_with(&SERVICE, tls, || key.token(&client.claims()));
        let mut scim = scim(&SERVICE, tls, &token(granted));
        let made = create(&mut scim, name).expect(201);
        assert!(made.header("chancery-receipt").is_some());
        let filter = format!("userName eq \"{name}@demo.example\"");
        assert_eq!(scim.find("Users", &filter).len(), 1);
    }
}

#[test]
fn an_expired_wrong_audience_foreign_or_replayed_assertion_gets_nothing() {
    let key = Key::ed25519(2);
    let client = Issued::with_key(&SERVICE, "wrong", &key);
    let good = key.token(&client.claims());
    // A service that has just begun takes none: the same one until it does.
    token(assert_with(&SERVICE, Tls::V13, || good.clone()));
    unknown(assert_with(&SERVICE, Tls::V13, || good.clone()));
    let base = SERVICE.ready().text("base").to_owned();
    let elsewhere = client.endpoint.replace("demo", "other");
    for (member, value) in [
        ("exp", json!(now_s())),
        ("exp", json!(now_s() + 3700)),
        ("exp", json!("soon")),
        ("iat", json!(now_s() + 60)),
        ("iat", json!(now_s() - 3600)),
        ("iat", Value::Null),
        ("nbf", json!(now_s() + 60)),
        ("aud", json!(base)),
        ("aud", json!(elsewhere)),
        ("aud", json!([client.endpoint, "https://elsewhere.example"])),
        ("iss", json!("someone")),
        ("sub", json!("0".repeat(64))),
        ("jti", json!("")),
        ("jti", json!("j".repeat(129))),
    ] {
        let mut claims = client.claims();
        claims[member] = value;
        unknown(assert_with(&SERVICE, Tls::V13, || key.token(&claims)));
    }
    unknown(assert_with(&SERVICE, Tls::V13, || {
        Key::ed25519(3).token(&client.claims())
    }));
    let header = json!({"typ": "JWT", "alg": "none"});
    let bare = unsigned(&header, &client.claims());
    unknown(assert_with(&SERVICE, Tls::V13, || format!("{bare}.")));
    let header = json!({"typ": "JWT", "alg": "HS256"});
    let signed = unsigned(&header, &client.claims());
    let secret = hmac::Key::new(hmac::HMAC_SHA256, key.jwk().to_string().as_bytes());
    let tag = encoded(hmac::sign(&secret, signed.as_bytes()).as_ref());
    unknown(assert_with(&SERVICE, Tls::V13, || {
        format!("{signed}.{tag}")
    }));
    // It was none of these that the service waited for.
    token(assert_with(&SERVICE, Tls::V13, || {
        key.token(&client.claims())
    }));
}

#[test]
fn a_secret_gets_a_token_in_two_ways_and_in_no_third() {
    let client = Issued::on(&SERVICE, "secret", &["--oauth-secret"]);
    let (id, secret) = (client.id.as_str(), client.secret.as_str());
    assert!(secret.starts_with("chs_"));
    let basic = client.basic();
    let basic = [("authorization", basic.as_str())];
    let form = format!("{GRANT}&client_id={id}&client_secret={secret}");
    let first = token(ask(&SERVICE, Tls::V12, &basic, GRANT));
    let second = token(ask(&SERVICE, Tls::V13, &[], &form));
    assert_ne!(first, second);
    for (name, token) in [("basic", &first), ("post", &second)] {
        create(&mut scim(&SERVICE, Tls::V12, token), name).expect(201);
    }
    let error = |answer: Answer| answer.expect(400).json()["error"].clone();
    let asked = |form: &str| ask(&SERVICE, Tls::V13, &basic, form);
    assert_eq!(error(asked(&form)), "invalid_request");
    assert_eq!(error(asked("")), "invalid_request");
    assert_eq!(error(asked(&format!("{GRANT}&{GRANT}"))), "invalid_request");
    assert_eq!(
        error(asked("grant_type=password")),
        "unsupported_grant_type"
    );
    assert_eq!(error(asked(&format!("{GRANT}&scope=all"))), "invalid_scope");
    // The secret is no bearer token, and a bearer token no secret.
    create(&mut scim(&SERVICE, Tls::V13, secret), "eve").scim_error(401, None);
    let bearer = SERVICE.ready().text("scim_token").to_owned();
    for (id, secret) in [
        (id, bearer.as_str()),
        (id, &first),
        (&"0".repeat(64), secret),
    ] {
        let form = format!("{GRANT}&client_id={id}&client_secret={secret}");
        unknown(ask(&SERVICE, Tls::V13, &[], &form));
    }
    unknown(ask(&SERVICE, Tls::V13, &[], GRANT));
    unknown(ask_at(
        &SERVICE,
        Tls::V13,
        "/t/nobody/oauth2/token",
        &[],
        &form,
    ));
}

#[test]
fn a_token_request_has_one_form() {
    let client = Issued::on(&SERVICE, "form", &["--oauth-secret"]);
    let basic = client.basic();
    let path = "/t/demo/oauth2/token";
    let mut connection = SERVICE.client().with_prefix("").without_token();
    let refused = connection.get(path).expect(405);
    assert_eq!(refused.header("allow"), Some("POST"));
    let authorization = ("authorization", basic.as_str());
    let form_type = ("content-type", "application/x-www-form-urlencoded");
    for (path, content_type) in [
        (path, ("content-type", "application/json")),
        (
            "/t/demo/oauth2/token?grant_type=client_credentials",
            form_type,
        ),
    ] {
        let headers = [authorization, content_type];
        let answer = connection.request("POST", path, &headers, GRANT.as_bytes());
        assert_eq!(answer.expect(400).json()["error"], "invalid_request");
    }
    let charset = (
        "content-type",
        "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
    );
    let answer = connection.request("POST", path, &[authorization, charset], GRANT.as_bytes());
    token(answer);
    let long = "a".repeat(32 * 1024 + 1);
    let answer = connection.request("POST", path, &[form_type], long.as_bytes());
    answer.expect(413);
    for path in [
        "/t/demo/oauth2",
        "/t/demo/oauth2/token/",
        "/t/demo/oauth2/x",
    ] {
        connection.get(path).expect(404);
    }
    let config = SERVICE.client().get("/ServiceProviderConfig").expect(200);
    let schemes = config.json()["authenticationSchemes"].clone();
    let kinds: Vec<&Value> = schemes
        .as_array()
        .unwrap()
        .iter()
        .map(|scheme| &scheme["type"])
        .collect();
    assert_eq!(kinds, ["oauthbearertoken", "oauth2"]);
}

#[test]
fn a_revoked_client_gets_no_token_and_those_that_it_has_end_at_once() {
    let key = Key::ed25519(4);
    let client = Issued::with_key(&SERVICE, "ending", &key);
    let granted = assert_with(&SERVICE, Tls::V13, || key.token(&client.claims()));
    let mut scim = scim(&SERVICE, Tls::V13, &token(granted));
    create(&mut scim, "before").expect(201);
    let ready = ["--ready-file", SERVICE.ready_file()];
    let list = run("chancery-dev", &[&["token", "list"][..], &ready].concat());
    let line = list.stdout.lines().find(|line| line.contains(&client.id));
    let line = line.unwrap();
    assert!(line.contains("1 key") && line.contains("live"), "{line}");
    let revoke = ["token", "revoke", &client.id];
    let finished = run("chancery-dev", &[&revoke[..], &ready].concat());
    assert_eq!(finished.code, Some(0), "{finished:?}");
    create(&mut scim, "after").scim_error(401, None);
    scim.get("/Users?count=1").scim_error(401, None);
    unknown(assert_with(&SERVICE, Tls::V13, || {
        key.token(&client.claims())
    }));
}

#[test]
fn a_rotated_client_has_another_id_and_the_old_one_works_beside_it() {
    let client = Issued::on(&SERVICE, "rotated", &["--oauth-secret"]);
    let rotate = ["token", "rotate", &client.id, "--json"];
    let ready = ["--ready-file", SERVICE.ready_file()];
    let finished = run("chancery-dev", &[&rotate[..], &ready].concat());
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let next = Issued::read(&finished.json());
    assert_ne!((&next.id, &next.secret), (&client.id, &client.secret));
    for one in [&client, &next] {
        let basic = one.basic();
        token(ask(&SERVICE, Tls::V13, &[("authorization", &basic)], GRANT));
    }
}

#[test]
fn private_keys_stay_with_the_identity_provider() {
    let folder = TempDir::with_prefix("chancery-e2e-").unwrap();
    let file = folder.path().join("jwk.json");
    let mut jwk = Key::ed25519(5).jwk();
    jwk["d"] = json!(encoded(&[5; 32]));
    fs::write(&file, jwk.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let issue = ["token", "issue", "--label", "private", "--oauth-jwk", file];
    let ready = ["--ready-file", SERVICE.ready_file()];
    let finished = run("chancery-dev", &[&issue[..], &ready].concat());
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("private key"), "{finished:?}");
}

#[test]
fn an_access_token_is_good_in_its_own_tenant_alone() {
    let other = Customer::new(&SERVICE, "oauth-other", "other.example", &[]);
    other.delegate(1, &[]);
    let issue = ["token", "issue", "--label", "o", "--oauth-secret", "--json"];
    let client = Issued::read(&other.signs(&issue).json());
    let basic = client.basic();
    let basic = [("authorization", basic.as_str())];
    let path = "/t/oauth-other/oauth2/token";
    let theirs = token(ask_at(&SERVICE, Tls::V13, path, &basic, GRANT));
    let mut at_home = scim(&SERVICE, Tls::V13, &theirs).with_prefix("/t/oauth-other/scim/v2");
    at_home.get("/Users").expect(200);
    let mut abroad = scim(&SERVICE, Tls::V13, &theirs);
    abroad.get("/Users").scim_error(401, None);
    unknown(ask(&SERVICE, Tls::V13, &basic, GRANT));
}

#[test]
fn a_restart_leaves_access_tokens_alive_and_no_assertion_that_is_older() {
    let folder = Arc::new(TempDir::with_prefix("chancery-e2e-").unwrap());
    let service = Service::start(&folder, &[]);
    let key = Key::ed25519(6);
    let client = Issued::with_key(&service, "restart", &key);
    let mut used = String::new();
    let granted = assert_with(&service, Tls::V13, || {
        used = key.token(&client.claims());
        used.clone()
    });
    let access = token(granted);
    let mut claims = client.claims();
    claims["exp"] = json!(now_s() + 290);
    let unused = key.token(&claims);
    let before = service.ready().pids();
    signal(before.runtime, Signal::KILL);
    service.await_recovery(&before);
    let mut provider = scim(&service, Tls::V12, &access);
    create(&mut provider, "afterwards").expect(201);
    for old in [&used, &unused] {
        unknown(assert_with(&service, Tls::V13, || old.clone()));
    }
    token(assert_with(&service, Tls::V13, || {
        key.token(&client.claims())
    }));
    audited(&service, folder.path());
    assert!(service.end().success());
}

/// Replays the log, in which clients stand beside tokens.
fn audited(service: &Service, folder: &Path) {
    let state = folder.join("heads.json");
    let audit = ["log", "audit", "--state", state.to_str().unwrap()];
    let ready = ["--ready-file", service.ready_file()];
    let finished = run("chancery-dev", &[&audit[..], &ready].concat());
    assert_eq!(finished.code, Some(0), "{finished:?}");
}
