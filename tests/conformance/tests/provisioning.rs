//! Canaille, an identity provider that others wrote, provisions its users and groups into the service.
//!
//! Everything is done by Canaille's own commands, as its administrator would; what it sends is its own
//! business, and is seen from its log and from what the service holds afterwards.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use chancery_e2e::{Service, program};
use serde_json::Value;
use tempfile::TempDir;

/// The program of Canaille, whose provider lives in a folder.
struct Canaille {
    folder: PathBuf,
    ca_file: String,
}

/// What a command of Canaille's did.
struct Done {
    printed: String,
    /// What it sent, each as method, path without its query, and status.
    sent: Vec<String>,
}

impl Canaille {
    fn command(&self) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("canaille/run.py");
        let profile = program("chancery-dev");
        let cache = profile.ancestors().nth(2).unwrap().join("canaille");
        let mut command = Command::new("python3");
        command.arg(script).arg("--cache").arg(cache);
        command
            .arg("admin")
            .arg("--data")
            .arg(&self.folder)
            .env("SSL_CERT_FILE", &self.ca_file)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command, which must succeed and must have warned of no request.
    fn run(&self, line: &str) -> Done {
        let output = self.command().args(words(line)).output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{line}: {log}");
        for trouble in ["failed", "Unable to find", "not supported", "Traceback"] {
            assert!(!log.contains(trouble), "{line}: {log}");
        }
        Done {
            sent: log.lines().filter_map(change).collect(),
            printed: String::from_utf8(output.stdout).unwrap(),
        }
    }

    /// Runs a command and compares the changes that it sent.
    fn sends(&self, line: &str, wanted: &[&str]) -> Value {
        let done = self.run(line);
        assert_eq!(done.sent, wanted, "{line}");
        serde_json::from_str(&done.printed).unwrap_or_default()
    }
}

/// A command line's words; what stands between single quotes is one word.
fn words(line: &str) -> Vec<&str> {
    let parts = line.split('\'').enumerate();
    parts
        .flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().collect(),
            _ => vec![part],
        })
        .collect()
}

/// The request of a line of the log, if it changes something: method, resource type, status.
fn change(line: &str) -> Option<String> {
    let rest = line.strip_prefix("INFO httpx HTTP Request: ")?;
    let (method, rest) = rest.split_once(' ')?;
    let (url, rest) = rest.split_once(' ')?;
    let kind = url.split_once("/scim/v2/")?.1.split(['/', '?']).next()?;
    let status = rest.split(' ').nth(1)?;
    (method != "GET").then(|| format!("{method} {kind} {status}"))
}

/// A service, and a provider whose administrator has entered its address and a token of its admin.
struct Pair {
    service: Service,
    canaille: Canaille,
}

impl Pair {
    fn start() -> Self {
        let folder = Arc::new(TempDir::with_prefix("chancery-provisioning-").unwrap());
        let service = Service::start(&folder, &["--dangerous-any-domain"]);
        let ready = service.ready();
        let canaille = Canaille {
            folder: folder.path().join("canaille"),
            ca_file: ready.text("ca_file").to_owned(),
        };
        canaille.run("db upgrade");
        let base = ready.text("scim_base");
        canaille.run(&format!(
            "create client --client-id chancery --client-uri {base}"
        ));
        let token = ready.text("scim_token");
        let life = "--issue-date 2026-01-01T00:00:00+00:00 --lifetime 3000000000";
        canaille.run(&format!(
            "create token --token-id scim --client chancery --access-token {token} {life}"
        ));
        Self { service, canaille }
    }

    /// The one resource that a filter finds.
    fn only(&self, kind: &str, filter: &str) -> Value {
        let mut found = self.service.client().find(kind, filter);
        assert_eq!(found.len(), 1, "{filter}: {found:?}");
        found.remove(0)
    }

    fn user(&self, name: &str) -> Value {
        self.only("Users", &format!(r#"userName eq "{name}""#))
    }

    fn crew(&self) -> Value {
        self.only("Groups", r#"displayName eq "crew""#)
    }

    /// The ids of the crew.
    fn members(&self) -> BTreeSet<String> {
        let crew = self.crew();
        let members = crew["members"].as_array().unwrap().iter();
        let ids = members.map(|member| member["value"].as_str().unwrap().to_owned());
        ids.collect()
    }
}

#[test]
fn canaille_provisions_changes_suspends_and_removes_users_and_groups() {
    let pair = Pair::start();
    provision(&pair);
    alter(&pair);
    remove(&pair);
    assert!(pair.service.end().success());
}

fn provision(pair: &Pair) {
    let canaille = &pair.canaille;
    let ada = canaille.sends(
        "create user --user-name ada --family-name Byron --given-name Ada --formatted-name 'Ada Byron' \
         --display-name 'Ada Byron' --emails ada@customer.example --password 'a password' \
         --department Engines --street 'Saint James Square'",
        &["POST Users 201"],
    );
    let bob = canaille.sends(
        "create user --user-name bob --family-name Ott --formatted-name 'Bob Ott' \
         --emails bob@customer.example --phone-numbers '+1 555 0100'",
        &["POST Users 201"],
    );
    let held = pair.user("ada");
    assert_eq!(held["externalId"], ada["id"]);
    assert_eq!(held["emails"][0]["value"], "ada@customer.example");
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    assert_eq!(held[enterprise]["department"], "Engines");
    assert_eq!(held["addresses"][0]["streetAddress"], "Saint James Square");
    assert_eq!(held.get("password"), None);
    assert_eq!(pair.user("bob")["externalId"], bob["id"]);

    let group = "create group --display-name crew --members ada --members bob";
    let crew = canaille.sends(group, &["POST Groups 201"]);
    assert_eq!(pair.members().len(), 2);
    assert_eq!(pair.crew()["externalId"], crew["id"]);
}

/// A change of a person is a PUT of the whole resource, and one of each group whose member they are.
fn alter(pair: &Pair) {
    let canaille = &pair.canaille;
    let both = ["PUT Users 200", "PUT Groups 200"];
    canaille.sends(
        "set user ada --display-name 'Ada Lovelace' --emails countess@customer.example",
        &both,
    );
    let held = pair.user("ada");
    assert_eq!(held["displayName"], "Ada Lovelace");
    assert_eq!(held["emails"][0]["value"], "countess@customer.example");
    assert_eq!(held["groups"][0]["display"], "crew");

    canaille.sends("set user bob --lock-date 2020-01-01T00:00:00+00:00", &both);
    assert_eq!(pair.user("bob")["active"], false);
    canaille.sends("set group crew --members ada", &["PUT Groups 200"]);
    let ada = held["id"].as_str().unwrap().to_owned();
    assert_eq!(pair.members(), BTreeSet::from([ada]));
}

fn remove(pair: &Pair) {
    let canaille = &pair.canaille;
    let mut client = pair.service.client();
    let bob = pair.user("bob")["id"].as_str().unwrap().to_owned();
    canaille.sends(
        "delete user --noconfirm --user-name bob",
        &["DELETE Users 204"],
    );
    client.get(&format!("/Users/{bob}")).scim_error(404, None);
    let group = "delete group --noconfirm --display-name crew";
    canaille.sends(group, &["DELETE Groups 204"]);
    canaille.sends(
        "delete user --noconfirm --user-name ada",
        &["DELETE Users 204"],
    );
    for kind in ["/Users", "/Groups"] {
        assert_eq!(client.get(kind).expect(200).json()["totalResults"], 0);
    }
    // Who comes back is somebody new.
    let again = "create user --user-name bob --family-name Ott --formatted-name 'Bob Ott'";
    canaille.sends(again, &["POST Users 201"]);
    assert_ne!(pair.user("bob")["id"], bob.as_str());
}
