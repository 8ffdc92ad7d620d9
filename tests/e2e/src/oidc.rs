//! The identity provider of `up`, as a person's browser and a native application use it, and as a test
//! makes it lie.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};

use crate::client::{Answer, Client, Tls, encoded, plain};
use crate::programs::{Finished, Running, program};
use crate::service::Service;
use crate::wait::{LONG, eventually};

/// Verifier and challenge of RFC 7636 appendix B: the codes of a test are of no use to anybody.
const PKCE: [&str; 2] = [
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
];
/// Where its codes lead when no program waits for them.
const REDIRECT: &str = "http://127.0.0.1:9/signed-in";

/// An issuer that runs.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Its name and address: `https://localhost:port`.
    pub url: String,
    /// Its one client.
    pub client_id: String,
    /// The file with its authority.
    pub ca_file: String,
    password: String,
    control: String,
}

impl Issuer {
    /// The one that runs beside a service.
    #[must_use]
    pub fn of(service: &Service) -> Self {
        let ready = service.ready();
        Self {
            url: ready.text("oidc_issuer").to_owned(),
            client_id: ready.text("oidc_client_id").to_owned(),
            ca_file: ready.text("oidc_ca_file").to_owned(),
            password: ready.text("oidc_password").to_owned(),
            control: ready.text("oidc_control").to_owned(),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        address(self.url.strip_prefix("https://localhost:").unwrap())
    }

    fn browser(&self) -> Client {
        let pem = std::fs::read(&self.ca_file).unwrap();
        Client::new(self.address(), &pem, Tls::V13)
    }

    /// Follows an authorization request through the login page, and gives the address that the browser
    /// is led back to.
    #[must_use]
    pub fn sign_in(&self, authorization_url: &str, user: &str) -> String {
        let path = authorization_url.strip_prefix(self.url.as_str()).unwrap();
        let mut browser = self.browser();
        let page = browser.get(path).expect(200);
        let cookie = page.header("set-cookie").unwrap().to_owned();
        let cookie = cookie.split(';').next().unwrap();
        let page = page.text();
        let (_, request) = page.split_once("name=\"request\" value=\"").unwrap();
        let request = request.split('"').next().unwrap();
        let form = [
            ("request", request),
            ("username", user),
            ("password", &self.password),
        ];
        let answer = post_form(&mut browser, "/login", &form, &[("cookie", cookie)]);
        let back = answer.header("location");
        back.unwrap_or_else(|| panic!("{}", answer.text()))
            .to_owned()
    }

    /// An ID token for a person, with a nonce.
    #[must_use]
    pub fn token(&self, user: &str, nonce: &str) -> String {
        let [verifier, challenge] = PKCE;
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", REDIRECT),
            ("scope", "openid email"),
            ("nonce", nonce),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ]);
        let back = self.sign_in(&format!("{}/authorize?{query}", self.url), user);
        let (_, code) = back.split_once("code=").unwrap();
        let code = code.split('&').next().unwrap();
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("client_id", &self.client_id),
            ("code_verifier", verifier),
        ];
        let answer = post_form(&mut self.browser(), "/token", &fields, &[]);
        let token = answer.expect(200).json();
        token
            .get("id_token")
            .and_then(Value::as_str)
            .unwrap()
            .to_owned()
    }

    /// Makes the next tokens wrong in one way.
    pub fn spoil(&self, how: &str, count: u32) {
        self.control("POST", "spoil", &json!({"how": how, "count": count}));
    }

    /// A call of the control port; all answer with the keys.
    pub fn control(&self, method: &str, call: &str, body: &Value) -> Value {
        let control = self.control.strip_prefix("http://").unwrap();
        let (address, prefix) = control.split_once('/').unwrap();
        let body = if method == "GET" {
            String::new()
        } else {
            body.to_string()
        };
        let path = format!("/{prefix}/{call}");
        let (status, text) = plain(address.parse().unwrap(), method, &path, &body);
        assert_eq!(status, 200, "{call}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Publishes a new key, which signs nothing yet; its id.
    #[must_use]
    pub fn add_key(&self) -> String {
        let before = self.control("GET", "keys", &Value::Null);
        let after = self.control("POST", "keys/add", &json!({}));
        let published = |keys: &Value| {
            let list = keys.get("published").and_then(Value::as_array).unwrap();
            list.clone()
        };
        let before = published(&before);
        let added = published(&after);
        let added = added.iter().find(|kid| !before.contains(kid)).unwrap();
        added.as_str().unwrap().to_owned()
    }

    /// Signs with a published key from now on.
    pub fn activate_key(&self, kid: &str) {
        self.control("POST", "keys/activate", &json!({"kid": kid}));
    }
}

/// An issuer of one's own, as a host could run it. Dropped, it ends.
#[derive(Debug)]
pub struct ForeignIssuer {
    child: Child,
    input: Option<ChildStdin>,
    /// What it is.
    pub issuer: Issuer,
}

impl ForeignIssuer {
    /// Starts one with keys and an authority of its own.
    #[must_use]
    pub fn start(data: &Path) -> Self {
        let password = "letmein";
        let mut command = Command::new(program("chancery-issuer"));
        command.arg("--data").arg(data);
        command.args(["--any-user-password", password, "--control"]);
        command.arg("--watch-stdin");
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| ready.get(name).and_then(Value::as_str).unwrap().to_owned();
        Self {
            input: child.stdin.take(),
            child,
            issuer: Issuer {
                url: text("issuer"),
                client_id: text("client_id"),
                ca_file: text("ca_file"),
                control: text("control"),
                password: password.to_owned(),
            },
        }
    }
}

impl Drop for ForeignIssuer {
    fn drop(&mut self) {
        drop(self.input.take());
        drop(self.child.wait());
    }
}

/// A member's `claim` that leads a person to a browser.
#[derive(Debug)]
pub struct Claiming {
    running: Running,
}

impl Claiming {
    /// Takes over a `claim` that was started.
    #[must_use]
    pub const fn new(running: Running) -> Self {
        Self { running }
    }

    /// Waits for the address that it prints for a browser.
    ///
    /// # Panics
    /// If the command ends without one.
    pub fn authorization_url(&mut self) -> String {
        let url = self.url_if_any();
        url.unwrap_or_else(|| panic!("no address for a browser: {}", self.running.stderr()))
    }

    /// The address for a browser; none if the command ends without one.
    fn url_if_any(&mut self) -> Option<String> {
        self.printed("the authorization address", |line| {
            let url = line.trim();
            url.starts_with("https://").then(|| url.to_owned())
        })
    }

    /// Waits for the code that a person reads to an admin, as `XXXX-XXXX`.
    ///
    /// # Panics
    /// If the command ends without one.
    pub fn short_code(&mut self) -> String {
        let code = self.printed("the short code", |line| {
            let code = line.trim().strip_prefix('║')?.strip_suffix('║')?;
            let code: String = code.chars().filter(|letter| *letter != ' ').collect();
            (code.len() == 9).then_some(code)
        });
        code.unwrap_or_else(|| panic!("no short code: {}", self.running.stderr()))
    }

    fn printed(&mut self, what: &str, find: impl Fn(&str) -> Option<String>) -> Option<String> {
        eventually(what, LONG, || {
            let ended = self.running.has_ended();
            let text = self.running.stderr();
            // Its last line may be half written.
            let lines = text
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'));
            let found = lines.into_iter().find_map(&find);
            (found.is_some() || ended).then_some(found)
        })
    }

    /// Asks for the address that the provider led back to, as the browser would.
    pub fn lead_back(&self, redirect: &str) {
        let rest = redirect.strip_prefix("http://127.0.0.1:").unwrap();
        let (port, path) = rest.split_once('/').unwrap();
        let (status, text) = plain(address(port), "GET", &format!("/{path}"), "");
        assert_eq!(status, 200, "{text}");
    }

    /// Signs somebody in at an issuer, if the command asks for it, and waits for the command's end.
    #[must_use]
    pub fn sign_in(mut self, issuer: &Issuer, user: &str) -> Finished {
        if let Some(url) = self.url_if_any() {
            self.lead_back(&issuer.sign_in(&url, user));
        }
        self.finish()
    }

    /// Waits for the command's end.
    #[must_use]
    pub fn finish(self) -> Finished {
        self.running.finish()
    }
}

fn address(port: &str) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()))
}

fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    pairs.join("&")
}

fn post_form(
    client: &mut Client,
    path: &str,
    fields: &[(&str, &str)],
    headers: &[(&str, &str)],
) -> Answer {
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let headers = [headers, &[kind]].concat();
    client.request("POST", path, &headers, form(fields).as_bytes())
}
