//! An issuer in a folder of its own, and a native client of it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use chancery_issuer::{Account, Browser, Config, Form, Issuer, Reply, encode_form, login, start};
use chancery_json::{Limits, Object, Value};
use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use tempfile::TempDir;

pub(crate) const BACK: &str = "http://127.0.0.1:9/back";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// An issuer whose clock the test moves.
pub(crate) struct World {
    pub(crate) issuer: Issuer,
    /// The clock at the start.
    pub(crate) start_s: u64,
    clock: Arc<AtomicU64>,
    folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start_s = now_s();
        let clock = Arc::new(AtomicU64::new(start_s));
        let issuer = start(config(folder.path(), &clock)).await.unwrap();
        Self {
            issuer,
            start_s,
            clock,
            folder,
        }
    }

    /// The same folder and clock with another process's life.
    pub(crate) async fn restart(self) -> Self {
        self.issuer.stop().await;
        let issuer = start(config(self.folder.path(), &self.clock)).await;
        Self {
            issuer: issuer.unwrap(),
            ..self
        }
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.issuer.ca_pem()).unwrap()
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.issuer.url())
    }

    /// A good authorization address, with one parameter replaced.
    pub(crate) fn authorization_with(&self, name: &str, value: &str) -> String {
        let challenge = digest(&SHA256, VERIFIER.as_bytes());
        let challenge = Base64UrlUnpadded::encode_string(challenge.as_ref());
        let mut fields = vec![
            ("client_id", "chancery-member"),
            ("redirect_uri", BACK),
            ("response_type", "code"),
            ("scope", "openid email"),
            ("state", "s1"),
            ("nonce", "n1"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value));
        self.at(&format!("/authorize?{}", encode_form(&fields)))
    }

    pub(crate) fn authorization(&self) -> String {
        self.authorization_with("ui_locales", "en")
    }

    /// Logs somebody in and gives the code.
    pub(crate) async fn code(&self, user: &str, password: &str) -> String {
        let url = self.authorization();
        let back = login(self.issuer.ca_pem(), &url, user, password).await;
        let form = query(&back.unwrap());
        assert_eq!(form.value("state"), Some("s1"));
        assert_eq!(form.value("iss"), Some(self.issuer.url()));
        form.value("code").unwrap().to_owned()
    }

    /// Asks for tokens with one parameter replaced.
    pub(crate) async fn exchange_with(&self, code: &str, name: &str, value: &str) -> Reply {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", BACK),
            ("client_id", "chancery-member"),
            ("code_verifier", VERIFIER),
        ];
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value));
        let mut browser = self.browser();
        browser.post(&self.at("/token"), &fields).await.unwrap()
    }

    pub(crate) async fn exchange(&self, code: &str) -> Reply {
        self.exchange_with(code, "unknown", "ignored").await
    }

    /// An ID token of somebody.
    pub(crate) async fn id_token(&self, user: &str, password: &str) -> String {
        let reply = self.exchange(&self.code(user, password).await).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        text(&object(&reply), "id_token")
    }

    /// Verifies a token as a client does, with the published keys, and gives its claims.
    pub(crate) async fn verified(&self, token: &str) -> Option<Object> {
        let jwks = self.browser().get(&self.at("/jwks.json")).await.unwrap();
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header = decoded(header);
        assert_eq!(text(&header, "alg"), "ES256");
        let keys = object(&jwks);
        let mut keys = keys.get("keys")?.as_array()?.iter();
        let key = keys.find(|key| key.as_object().unwrap().get("kid") == header.get("kid"))?;
        let key = key.as_object()?;
        let part = |name| Base64UrlUnpadded::decode_vec(&text(key, name)).unwrap();
        let point = [vec![4], part("x"), part("y")].concat();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        let signature = Base64UrlUnpadded::decode_vec(signature).ok()?;
        key.verify(signed.as_bytes(), &signature).ok()?;
        Some(decoded(claims))
    }
}

/// The true time: clients check the certificate by their own clock.
#[expect(clippy::disallowed_methods, reason = "the one look at the clock")]
fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

fn config(folder: &Path, clock: &Arc<AtomicU64>) -> Config {
    let clock = Arc::clone(clock);
    let mut config = Config::new(folder, Arc::new(move || clock.load(Ordering::Relaxed)));
    config.accounts = vec![Account {
        user_name: "ada".into(),
        password: "engine".into(),
        sub: "00u1ada".into(),
        email: "ada@demo.example".into(),
        oid: "0a21f0f2".into(),
    }];
    config.any_user_password = Some("open".into());
    config
}

/// The parameters of an address.
pub(crate) fn query(url: &str) -> Form {
    let (_, query) = url.split_once('?').unwrap();
    Form::parse(query.as_bytes()).unwrap()
}

/// The object in an answer.
pub(crate) fn object(reply: &Reply) -> Object {
    let value = Value::parse(&reply.body, &Limits::DOCUMENT).unwrap();
    value.as_object().unwrap().clone()
}

fn decoded(part: &str) -> Object {
    let bytes = Base64UrlUnpadded::decode_vec(part).unwrap();
    let value = Value::parse(&bytes, &Limits::DOCUMENT).unwrap();
    value.as_object().unwrap().clone()
}

/// A text member.
pub(crate) fn text(object: &Object, name: &str) -> String {
    let value = object.get(name).and_then(Value::as_str);
    value.unwrap().to_owned()
}
