//! Token requests over a world in memory: how a client is known, and every way in which it is not.

use std::cell::Cell;
use std::sync::RwLock;

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use chancery_authority::{ActName, ClientSecret};
use chancery_dsse::SigningKey;
use chancery_engine::{Answer as Outcome, View};
use chancery_sealing::Key;
use chancery_testkit::World;
use http_body_util::BodyExt as _;

use super::*;
use crate::oauth::grant::Granted;

const ENDPOINT: &str = "https://scim.example/t/demo/oauth2/token";
const ASSERTS: &str = "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=";
const GRANT: &str = "grant_type=client_credentials";
const HOUR_MS: u64 = 3_600_000;

/// A tenant and its token endpoint.
struct Site {
    world: World,
    view: RwLock<View>,
    key: Key,
    used: Assertions,
    now_ms: u64,
    drawn: Cell<u64>,
    slug: &'static str,
    endpoint: &'static str,
}

impl Site {
    /// Of a tenant with OAuth clients; their ids and secrets.
    fn with(clients: &[&str]) -> (Self, Vec<(String, String)>) {
        let mut world = World::with_tenant(1);
        let made = clients.iter().map(|client| issue(&mut world, client, 3600));
        let made = made.collect();
        let used = Assertions::default();
        used.begin(world.now_ms - 60_000);
        let site = Self {
            key: world.token_key(),
            now_ms: world.now_ms,
            view: RwLock::new(std::mem::take(&mut world.view)),
            world,
            used,
            drawn: Cell::new(0),
            slug: "demo",
            endpoint: ENDPOINT,
        };
        (site, made)
    }

    fn ask(&self, authorization: Option<&str>, form: &str) -> Result<Granted, Fault> {
        let desk = Desk {
            slug: self.slug,
            endpoint: self.endpoint.to_owned(),
            now_ms: self.now_ms,
            token_key: &self.key,
            used: &self.used,
        };
        let sent = Sent {
            authorization,
            form: form.as_bytes(),
        };
        self.drawn.set(self.drawn.get() + 1);
        let drawn = Key::from_bytes([0; 32]).derive("test", &self.drawn.get().to_be_bytes());
        let mut entropy = ExpandedEntropy::new(drawn);
        desk.grant(&self.view, &sent, &mut entropy)
    }

    fn basic(&self, id: &str, secret: &str) -> Result<Granted, Fault> {
        self.ask(Some(&header(id, secret)), GRANT)
    }

    fn post(&self, id: &str, secret: &str) -> Result<Granted, Fault> {
        self.ask(None, &posted(id, secret))
    }

    fn asserted(&self, assertion: &str) -> Result<Granted, Fault> {
        self.ask(None, &format!("{GRANT}{ASSERTS}{assertion}"))
    }

    /// A good assertion's claims.
    fn claims(&self, id: &str, jti: &str) -> Object {
        let now_s = self.now_ms / 1000;
        Object::new()
            .with("iss", id)
            .with("sub", id)
            .with("aud", ENDPOINT)
            .with("iat", now_s)
            .with("exp", now_s + 60)
            .with("jti", jti)
    }
}

fn issue(world: &mut World, client: &str, life_s: u64) -> (String, String) {
    let body = format!(
        r#"{{"scopes":["users.read","users.create"],"life_s":{life_s},"label":"idp","client":{client}}}"#
    );
    match world.signed(ActName::TokenIssue, body.into_bytes()) {
        Ok(Outcome::Credential {
            credential, secret, ..
        }) => {
            let secret = secret.map_or_else(String::new, |secret| secret.0.as_str().to_owned());
            (hex::encode(credential.handle), secret)
        }
        other => panic!("{other:?}"),
    }
}

fn header(id: &str, secret: &str) -> String {
    format!(
        "Basic {}",
        Base64::encode_string(format!("{id}:{secret}").as_bytes())
    )
}

fn posted(id: &str, secret: &str) -> String {
    format!("{GRANT}&client_id={id}&client_secret={secret}")
}

fn signer() -> SigningKey {
    SigningKey::from_seed([7; 32])
}

fn jwks(key: &SigningKey) -> String {
    let x = Base64UrlUnpadded::encode_string(&key.public_key().to_bytes());
    format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}]}}"#)
}

fn signed(claims: &Object) -> String {
    signed_with(r#"{"alg":"EdDSA"}"#, claims, &signer())
}

fn signed_with(header: &str, claims: &Object, key: &SigningKey) -> String {
    let text = Base64UrlUnpadded::encode_string;
    let head = format!("{}.{}", text(header.as_bytes()), text(&claims.to_bytes()));
    let signature = text(&key.sign(head.as_bytes()));
    format!("{head}.{signature}")
}

#[test]
fn a_secret_gets_a_token_as_basic_and_as_parameters() {
    let (site, clients) = Site::with(&[r#""secret""#]);
    let (id, secret) = &clients[0];
    for granted in [site.basic(id, secret), site.post(id, secret)] {
        let granted = granted.unwrap();
        assert_eq!(hex::encode(granted.credential), *id);
        assert_eq!(granted.scope, "users.read users.create");
        assert_eq!(granted.expires_in_s, 3600);
        let token = AccessToken::verify(&granted.token, site.now_ms, &site.key).unwrap();
        assert_eq!(*token.tenant(), site.world.tenant);
        assert_eq!(*token.credential(), granted.credential);
        assert_eq!(token.expires_ms(), site.now_ms + HOUR_MS);
    }
    // OAuth encodes both parts of Basic once more.
    let encoded = secret.replace('_', "%5F");
    assert!(site.basic(id, &encoded).is_ok());
    let first = site.basic(id, secret).unwrap().token;
    assert_ne!(*first, *site.basic(id, secret).unwrap().token);
}

#[test]
fn whatever_is_wrong_with_a_client_is_the_same_refusal() {
    let (mut site, clients) = Site::with(&[r#""secret""#, r#""secret""#, &jwks(&signer())]);
    let [(id, secret), (other_id, other_secret), (keyed, _)] = &clients[..] else {
        panic!("clients");
    };
    let unknown = "0".repeat(64);
    let foreign = Key::from_bytes([1; 32]);
    let mut entropy = ExpandedEntropy::new(foreign);
    let stranger = ClientSecret::generate(&mut entropy).unwrap().expose();
    let bearer = hex::encode(site.world.credential);
    for (id, secret) in [
        (id.as_str(), stranger.as_str()),
        (id, other_secret),
        (other_id, secret),
        (&unknown, secret),
        (&id.to_uppercase(), secret),
        (id.get(..62).unwrap(), secret),
        ("", secret),
        (id, "x"),
        (id, &secret.replacen("chs_", "chy_", 1)),
        (keyed, secret),
        (&bearer, secret),
    ] {
        assert_eq!(site.basic(id, secret).unwrap_err(), Fault::Client, "{id}");
        if !id.is_empty() {
            assert_eq!(site.post(id, secret).unwrap_err(), Fault::Client, "{id}");
        }
    }
    for header in [
        "",
        "Basic",
        "Basic !",
        "Basic YQ==",
        "Bearer x",
        "Basic /w==",
    ] {
        let asked = site.ask(Some(header), GRANT);
        assert_eq!(asked.unwrap_err(), Fault::Client, "{header}");
    }
    assert_eq!(site.ask(None, GRANT).unwrap_err(), Fault::Client);
    let named = format!("{GRANT}&client_id={other_id}");
    assert_eq!(
        site.ask(Some(&header(id, secret)), &named).unwrap_err(),
        Fault::Client
    );
    for slug in ["other", ""] {
        site.slug = slug;
        assert_eq!(site.basic(id, secret).unwrap_err(), Fault::Client);
    }
}

#[test]
fn a_client_that_is_revoked_or_expired_gets_nothing() {
    let (mut site, clients) = Site::with(&[r#""secret""#, r#""secret""#]);
    let [(revoked, first), (expires, second)] = &clients[..] else {
        panic!("clients");
    };
    site.world.view = site.view.into_inner().unwrap();
    let body = format!(r#"{{"id":"{revoked}"}}"#);
    site.world
        .signed(ActName::TokenRevoke, body.into_bytes())
        .unwrap();
    site.view = RwLock::new(std::mem::take(&mut site.world.view));
    assert_eq!(site.basic(revoked, first).unwrap_err(), Fault::Client);
    site.now_ms += HOUR_MS - 5000;
    // An access token ends with its client.
    assert_eq!(site.basic(expires, second).unwrap().expires_in_s, 5);
    site.now_ms += 5000;
    assert_eq!(site.basic(expires, second).unwrap_err(), Fault::Client);
}

#[test]
fn a_request_that_is_not_of_its_form_is_told_what_is_wrong() {
    let (site, clients) = Site::with(&[r#""secret""#]);
    let (id, secret) = &clients[0];
    let basic = header(id, secret);
    let good = posted(id, secret);
    for (authorization, form) in [
        (Some(&basic), String::new()),
        (Some(&basic), String::from("grant_type=")),
        (Some(&basic), format!("{GRANT}&{GRANT}")),
        (Some(&basic), format!("{GRANT}&scope=%zz")),
        (None, format!("{good}&client_id={id}")),
        (None, format!("{good}&client_secret=x")),
        (None, format!("{GRANT}&client_secret={secret}")),
        // Two ways at once.
        (Some(&basic), good.clone()),
        (Some(&basic), format!("{GRANT}{ASSERTS}a.b.c")),
        (None, format!("{good}{ASSERTS}a.b.c")),
        // Half a way.
        (None, format!("{GRANT}&client_assertion=a.b.c")),
        (None, format!("{GRANT}{ASSERTS}")),
    ] {
        let asked = site.ask(authorization.map(String::as_str), &form);
        assert!(matches!(asked, Err(Fault::Request(_))), "{form}: {asked:?}");
    }
    for grant in ["password", "authorization_code", "Client_Credentials"] {
        let asked = site.ask(Some(&basic), &format!("grant_type={grant}"));
        assert_eq!(asked.unwrap_err(), Fault::GrantType, "{grant}");
    }
    // What is not known is ignored (RFC 6749 section 3.2).
    assert!(
        site.ask(Some(&basic), &format!("{GRANT}&resource=x&audience=y"))
            .is_ok()
    );
}

#[test]
fn a_scope_is_what_the_client_has_or_refused() {
    let (site, clients) = Site::with(&[r#""secret""#]);
    let basic = header(&clients[0].0, &clients[0].1);
    let asked = |scope: &str| site.ask(Some(&basic), &format!("{GRANT}&scope={scope}"));
    assert!(asked("users.create+users.read").is_ok());
    for scope in [
        "users.read",
        "users.read+users.create+users.delete",
        "users.read++users.create",
        "openid",
        "USERS.READ+USERS.CREATE",
    ] {
        let offered = Fault::Scope(String::from("users.read users.create"));
        assert_eq!(asked(scope).unwrap_err(), offered, "{scope}");
    }
}

#[test]
fn an_assertion_gets_a_token_once() {
    let (site, clients) = Site::with(&[&jwks(&signer())]);
    let id = &clients[0].0;
    let assertion = signed(&site.claims(id, "one"));
    let granted = site.asserted(&assertion).unwrap();
    assert_eq!(hex::encode(granted.credential), *id);
    assert_eq!(site.asserted(&assertion).unwrap_err(), Fault::Client);
    // The same name in another assertion is the same assertion.
    let again = signed(&site.claims(id, "one").with("nbf", 1_u64));
    assert_eq!(site.asserted(&again).unwrap_err(), Fault::Client);
    assert!(site.asserted(&signed(&site.claims(id, "two"))).is_ok());
    let named = format!("{GRANT}&client_id={id}{ASSERTS}");
    let third = signed(&site.claims(id, "three"));
    assert!(site.ask(None, &format!("{named}{third}")).is_ok());
}

#[test]
fn an_assertion_that_is_not_this_clients_for_this_endpoint_and_time_gets_nothing() {
    let (mut site, clients) = Site::with(&[&jwks(&signer()), r#""secret""#]);
    let (id, other) = (&clients[0].0, &clients[1].0);
    let now_s = site.now_ms / 1000;
    let good = |jti: &str| site.claims(id, jti);
    let stranger = SigningKey::from_seed([8; 32]);
    for (what, assertion) in [
        ("expired", signed(&good("a").with("exp", now_s))),
        ("too long", signed(&good("b").with("exp", now_s + 3611))),
        ("future", signed(&good("c").with("iat", now_s + 11))),
        (
            "before the start",
            signed(&good("d").with("iat", now_s - 50)),
        ),
        (
            "audience",
            signed(&good("e").with("aud", "https://scim.example/t/demo")),
        ),
        ("issuer", signed(&good("f").with("iss", other.as_str()))),
        ("subject", signed(&good("g").with("sub", other.as_str()))),
        ("other client", signed(&site.claims(other, "h"))),
        ("unknown client", signed(&site.claims(&"0".repeat(64), "i"))),
        (
            "key",
            signed_with(r#"{"alg":"EdDSA"}"#, &good("j"), &stranger),
        ),
        (
            "none",
            signed_with(r#"{"alg":"none"}"#, &good("k"), &signer()),
        ),
        (
            "confusion",
            signed_with(r#"{"alg":"ES256"}"#, &good("l"), &signer()),
        ),
        (
            "critical",
            signed_with(r#"{"alg":"EdDSA","crit":["b64"]}"#, &good("m"), &signer()),
        ),
        ("no form", String::from("a.b.c")),
    ] {
        assert_eq!(
            site.asserted(&assertion).unwrap_err(),
            Fault::Client,
            "{what}"
        );
    }
    let other_type = format!("{GRANT}&client_assertion_type=saml2&client_assertion=");
    let assertion = signed(&good("n"));
    let asked = site.ask(None, &format!("{other_type}{assertion}"));
    assert_eq!(asked.unwrap_err(), Fault::Client);
    let named = format!("{GRANT}&client_id={other}{ASSERTS}{assertion}");
    assert_eq!(site.ask(None, &named).unwrap_err(), Fault::Client);
    site.endpoint = "https://elsewhere.example/t/demo/oauth2/token";
    assert_eq!(site.asserted(&assertion).unwrap_err(), Fault::Client);
    site.endpoint = ENDPOINT;
    // Nothing of all that used it up.
    assert!(site.asserted(&assertion).is_ok());
}

#[test]
fn an_assertion_from_before_the_start_is_never_taken() {
    let (mut site, clients) = Site::with(&[&jwks(&signer())]);
    let id = &clients[0].0;
    // Taken by the instance before, from a client whose clock is ahead by as much as may be.
    let ahead_s = site.now_ms / 1000 + 10;
    let old = signed(&site.claims(id, "old").with("iat", ahead_s));
    assert!(site.asserted(&old).is_ok());
    site.used = Assertions::default();
    assert_eq!(site.asserted(&old).unwrap_err(), Fault::Busy);
    site.used.begin(site.now_ms);
    for _ in 0..30 {
        let taken = site.asserted(&old).unwrap_err();
        assert!(matches!(taken, Fault::Busy | Fault::Client), "{taken:?}");
        site.now_ms += 1000;
    }
    assert_eq!(site.asserted(&old).unwrap_err(), Fault::Client);
    // Who signs now is served as soon as anybody can be.
    site.now_ms -= 30_000;
    let first = (0..20).find(|second| {
        let fresh = signed(&site.claims(id, &second.to_string()));
        let asked = site.asserted(&fresh);
        site.now_ms += 1000;
        asked.is_ok()
    });
    assert_eq!(first, Some(12));
    // A second start of the same instance changes nothing.
    site.used.begin(site.now_ms);
    assert!(site.asserted(&signed(&site.claims(id, "new"))).is_ok());
}

#[test]
fn as_many_assertions_are_remembered_as_there_is_room_for_and_none_is_forgotten_early() {
    let (mut site, clients) = Site::with(&[&jwks(&signer()), &jwks(&signer())]);
    let (id, other) = (&clients[0].0, &clients[1].0);
    let first = signed(&site.claims(id, "0"));
    assert!(site.asserted(&first).is_ok());
    for jti in 1..1024 {
        assert!(
            site.asserted(&signed(&site.claims(id, &jti.to_string())))
                .is_ok()
        );
    }
    let more = site.claims(id, "more");
    assert_eq!(site.asserted(&signed(&more)).unwrap_err(), Fault::Client);
    assert_eq!(site.asserted(&first).unwrap_err(), Fault::Client);
    assert!(site.asserted(&signed(&site.claims(other, "0"))).is_ok());
    site.now_ms += 59_999;
    assert_eq!(site.asserted(&signed(&more)).unwrap_err(), Fault::Client);
    site.now_ms += 1;
    assert!(site.asserted(&signed(&site.claims(id, "later"))).is_ok());
}

#[test]
fn each_fault_has_its_status_and_its_error_of_the_rfc() {
    for (fault, status, error) in [
        (Fault::Request("wrong"), 400, "invalid_request"),
        (Fault::GrantType, 400, "unsupported_grant_type"),
        (
            Fault::Scope(String::from("users.read")),
            400,
            "invalid_scope",
        ),
        (Fault::Client, 401, "invalid_client"),
    ] {
        let answer = refused(fault);
        assert_eq!(answer.status().as_u16(), status, "{error}");
        let asks = answer.headers().get(WWW_AUTHENTICATE).is_some();
        assert_eq!(asks, status == 401, "{error}");
        let body = text_of(answer);
        let start = format!(r#"{{"error":"{error}","error_description":""#);
        assert!(body.starts_with(&start), "{body}");
    }
    let busy = refused(Fault::Busy);
    assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(busy.headers().contains_key("retry-after"));
}

fn text_of(answer: Answer) -> String {
    let body = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(answer.into_body().collect());
    String::from_utf8(body.unwrap().to_bytes().to_vec()).unwrap()
}
