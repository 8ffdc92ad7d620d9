//! A claim with Canaille, an OpenID provider that others wrote, as the customer's identity provider.
//!
//! It is run by `tests/conformance/canaille/run.py` in a virtual environment below the target folder; Python 3
//! and, the first time, its package index are needed.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use chancery_e2e::{Customer, Service, program, start_command};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Where `claim` waits for the browser, with every port that the system may give it.
const REDIRECT: &str = "http://127.0.0.1:{port}/signed-in";
const PASSWORD: &str = "correct horse battery staple";

/// The interpreter with the script and the folder of its virtual environment.
fn script() -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = here.join("../conformance/canaille/run.py");
    let mut command = Command::new("python3");
    command.arg(script).arg("--cache").arg(cache());
    command
}

/// Beside the profile's folder, so that `cargo clean` takes it away.
fn cache() -> PathBuf {
    let profile = program("chancery-dev");
    let target = profile.ancestors().nth(2).unwrap();
    target.join("canaille")
}

/// Makes the virtual environment, unless it is there.
fn prepare() {
    let venv = Command::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .stderr(Stdio::null())
        .status();
    assert!(
        venv.is_ok_and(|status| status.success()),
        "this test runs an identity provider that is written in Python: `apt-get install python3 python3-venv`"
    );
    let mut prepare = script();
    prepare.arg("prepare");
    let prepared = start_command("the preparation of Canaille", prepare).finish();
    assert_eq!(
        prepared.code,
        Some(0),
        "Canaille cannot be installed from the package index: {prepared:?}"
    );
}

/// Canaille; it ends with this value, or when this process ends.
struct Canaille {
    child: Child,
    input: Option<ChildStdin>,
    facts: Value,
}

impl Canaille {
    fn start(folder: &Path, users: &[&str]) -> Self {
        let mut command = script();
        command.arg("serve").arg("--data").arg(folder);
        command.args(["--redirect-uri", REDIRECT, "--watch-stdin"]);
        for user in users {
            let account = format!("{user},{PASSWORD},{user}@customer.example");
            command.arg("--user").arg(account);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let facts = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("Canaille did not start: {error} in {line:?}"));
        Self {
            input: child.stdin.take(),
            child,
            facts,
        }
    }

    fn text(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap()
    }

    /// Walks through the pages as a browser does; where they lead back to.
    fn sign_in(&self, url: &str, user: &str) -> String {
        let mut command = script();
        command.args(["login", "--ca-file", self.text("ca_file"), "--url", url]);
        command.args(["--user", user, "--password", PASSWORD]);
        let finished = start_command("the login at Canaille", command).finish();
        assert_eq!(finished.code, Some(0), "{finished:?}");
        finished.json()["redirect"].as_str().unwrap().to_owned()
    }
}

impl Drop for Canaille {
    fn drop(&mut self) {
        drop(self.input.take());
        drop(self.child.wait());
    }
}

#[test]
fn an_account_is_claimed_with_an_identity_provider_that_others_wrote() {
    prepare();
    let folder = TempDir::with_prefix("chancery-e2e-").unwrap();
    let service = Service::new();
    let canaille = Canaille::start(&folder.path().join("canaille"), &["00u1ada", "00u2eve"]);
    let issuer = canaille.text("issuer").to_owned();
    allow(&service, &issuer);
    let options = [
        "--idp-issuer",
        &issuer,
        "--idp-client-id",
        canaille.text("client_id"),
        "--idp-mapping",
        "sub",
        "--idp-ca",
        canaille.text("ca_file"),
    ];
    let customer = Customer::new(&service, "customer", "customer.example", &options);
    customer.delegate(1, &[]);
    let mut scim = customer.scim("okta");
    let ada = customer.person(&mut scim, "00u1ada");
    customer.signs(&["idp", "trust", "--all"]);
    let claim = |user: &str| {
        let mut claiming = customer.claiming(&ada, "home", &[]);
        let redirect = canaille.sign_in(&claiming.authorization_url(), user);
        claiming.lead_back(&redirect);
        claiming.finish()
    };
    let foreign = claim("00u2eve");
    assert_eq!(foreign.code, Some(1), "{foreign:?}");
    assert!(
        foreign.text().contains("the claim is refused"),
        "{foreign:?}"
    );
    let done = claim("00u1ada");
    assert_eq!(done.code, Some(0), "{done:?}");
    let done = done.json();
    assert_eq!(done["state"], "confirmed");
    let address = customer.address("00u1ada");
    let seen = customer.member_json("home", &["keys", "lookup", &address]);
    assert_eq!(seen["usable"], true);
    assert_eq!(seen["fingerprint"], done["fingerprint"]);
    // The log keeps what an auditor needs to check the provider's signature again.
    let clean = customer.signs(&["log", "audit"]);
    assert!(clean.stdout.contains("CLEAN"), "{}", clean.stdout);
    assert!(service.end().success());
}

/// Lets the host lead to this issuer, which runs on this machine.
fn allow(service: &Service, issuer: &str) {
    let authority = issuer.strip_prefix("https://").unwrap();
    let target = format!("127.0.0.1:{}", authority.rsplit(':').next().unwrap());
    service.change_host(|host| host["issuers"][authority] = json!(target));
}
