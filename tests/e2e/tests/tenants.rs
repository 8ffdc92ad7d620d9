//! A second tenant made by its admin's commands: what its delegation and credentials allow, and what they do
//! not, to the moment that they end.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::fs;
use std::path::PathBuf;

use base64ct::{Base64, Encoding as _};
use chancery_e2e::{Client, Finished, LONG, Service, eventually, run};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Life of every delegation that a draft proposes here.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How long the short delegation lasts, in milliseconds: long enough for two writes under it.
const SHORT_LIFE_MS: u64 = 8_000;

/// An admin with a folder, a tenant's name and the service that it trusts.
struct Admin<'a> {
    service: &'a Service,
    slug: &'static str,
    folder: TempDir,
}

impl<'a> Admin<'a> {
    /// Has the operator admit a tenant, and makes it.
    fn of_new_tenant(service: &'a Service, slug: &'static str, domain: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let admin = Self {
            service,
            slug,
            folder,
        };
        let operator = service.data().join("operator").join("admission.key");
        let (admission, keys) = (admin.file("admission.json"), admin.file("admin"));
        let admit = [
            "tenant",
            "admit",
            "--slug",
            slug,
            "--days",
            "1",
            "--out",
            &admission,
            "--key",
            operator.to_str().unwrap(),
        ];
        admin.succeeds(&admit);
        // An admission makes the tenant that it names and no other.
        let other = [
            "tenant",
            "create",
            "--slug",
            "another",
            "--domain",
            domain,
            "--admission",
            &admission,
        ];
        let refused = admin.command(&[&other[..], &["--out", &admin.file("another")]].concat());
        assert_eq!(refused.code, Some(1), "{refused:?}");
        admin.succeeds(&[
            "tenant",
            "create",
            "--slug",
            slug,
            "--domain",
            domain,
            "--admission",
            &admission,
            "--out",
            &keys,
        ]);
        admin
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Finished {
        let pins = self.service.ready().text("deployment_file").to_owned();
        run(
            "chancery-dev",
            &[arguments, &["--deployment", &pins]].concat(),
        )
    }

    fn succeeds(&self, arguments: &[&str]) -> Finished {
        let finished = self.command(arguments);
        assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
        finished
    }

    /// A command that the admin's key signs.
    fn signs(&self, arguments: &[&str]) -> Finished {
        let key = self.file("admin/admin.key");
        self.succeeds(&[arguments, &["--tenant", self.slug, "--key", &key]].concat())
    }

    /// Writes a delegation, lets a person edit it, and puts it in force.
    fn delegate(&self, serial: u64, edit: impl FnOnce(&mut Value)) -> String {
        let (draft, signed) = (
            self.file(&format!("{serial}.json")),
            self.file(&format!("{serial}.dsse")),
        );
        let (genesis, serial) = (self.file("admin/genesis.json"), serial.to_string());
        let new = run(
            "chancery-dev",
            &[
                "delegation",
                "new",
                "--out",
                &draft,
                "--genesis",
                &genesis,
                "--serial",
                &serial,
                "--days",
                "1",
            ],
        );
        assert_eq!(new.code, Some(0), "{new:?}");
        let mut delegation: Value = serde_json::from_slice(&fs::read(&draft).unwrap()).unwrap();
        edit(&mut delegation);
        fs::write(&draft, delegation.to_string()).unwrap();
        self.signs(&["delegation", "sign", &draft, "--out", &signed, "--submit"]);
        signed
    }

    /// A client with a new token.
    fn client(&self, label: &str, more: &[&str]) -> Client {
        let out = self.file(label);
        self.signs(&[&["token", "issue", "--label", label, "--out", &out], more].concat());
        let token = fs::read_to_string(&out).unwrap();
        self.service
            .client()
            .with_prefix(&format!("/t/{}/scim/v2", self.slug))
            .with_token(token.trim())
    }
}

fn user(name: &str) -> Value {
    json!({"userName": format!("{name}@acme.example")})
}

#[test]
fn a_tenant_of_its_own_admin_is_served_apart_and_stops_when_its_papers_end() {
    let service = Service::new();
    let admin = Admin::of_new_tenant(&service, "acme-corp", "acme.example");
    let granted = admin.delegate(1, |_| {});
    let mut okta = admin.client("okta", &[]);
    okta.post("/Users", &user("ada")).expect(201);
    // The other tenant's credential, domain and members are of no meaning here.
    let demo_token = service.ready().text("scim_token").to_owned();
    let mut stranger = service
        .client()
        .with_prefix("/t/acme-corp/scim/v2")
        .with_token(&demo_token);
    stranger.get("/Users").scim_error(401, None);
    let foreign = okta.post("/Users", &json!({"userName": "ada@demo.example"}));
    assert!(foreign.scim_error(403, None).contains("demo.example"));
    service
        .client()
        .post("/Users", &json!({"userName": "ada@demo.example"}))
        .expect(201);
    assert_eq!(okta.get("/Users").expect(200).json()["totalResults"], 1);
    // A token may do less than the delegation allows.
    let mut reader = admin.client("reader", &["--scope", "users.read"]);
    assert_eq!(reader.get("/Users").expect(200).json()["totalResults"], 1);
    let reason = reader.post("/Users", &user("grace")).scim_error(403, None);
    assert!(reason.contains("users.create"), "{reason}");
    // A revoked token is worth nothing from the next request on, and the others live.
    let tokens = admin.signs(&["token", "list", "--json"]).json();
    let tokens = tokens["tokens"].as_array().unwrap().clone();
    assert_eq!(tokens.len(), 2);
    let revoked = tokens
        .iter()
        .find(|token| token["label"] == "reader")
        .unwrap();
    let handle = revoked
        .as_object()
        .unwrap()
        .values()
        .filter_map(Value::as_str)
        .find(|text| text.len() == 64);
    admin.signs(&["token", "revoke", handle.unwrap()]);
    reader.get("/Users").scim_error(401, None);
    okta.post("/Users", &user("grace")).expect(201);
    // Without a delegation nothing is allowed; the reason is given in SCIM's form.
    admin.signs(&["delegation", "revoke", &granted]);
    let reason = okta.post("/Users", &user("edsger")).scim_error(403, None);
    assert!(reason.contains("revoked"), "{reason}");
    okta.get("/Users").scim_error(403, None);
    expires_to_the_moment(&admin, &mut okta);
    assert!(service.end().success());
}

/// A delegation that ends while the identity provider works.
fn expires_to_the_moment(admin: &Admin<'_>, okta: &mut Client) {
    admin.delegate(2, |delegation| {
        let now_ms = delegation["not_after_ms"].as_u64().unwrap() - DAY_MS;
        delegation["not_after_ms"] = json!(now_ms + SHORT_LIFE_MS);
    });
    okta.post("/Users", &user("edsger")).expect(201);
    let mut number = 0;
    let reason = eventually("the delegation's end", LONG, || {
        number += 1;
        let answer = okta.post("/Users", &user(&format!("late.{number}")));
        (answer.status != 201).then(|| answer.scim_error(403, None))
    });
    assert!(reason.contains("expired"), "{reason}");
    // The end of the papers ends no record: an admin's new delegation serves at once.
    admin.delegate(3, |_| {});
    okta.post("/Users", &user("barbara")).expect(201);
    // How many users were created until the delegation's end, nobody can say: both ends of the log.
    let (oldest, newest) = (["--from", "0"].as_slice(), [].as_slice());
    for (end, words) in [(oldest, "tenant made"), (newest, "barbara")] {
        let log = admin.signs(&[&["log", "tail"], end].concat());
        assert!(log.stdout.contains(words), "{}", log.stdout);
    }
    // The entries themselves name nobody: the service adds the names for its readers.
    let log = admin.signs(&["log", "tail", "-n", "100", "--json"]);
    let log = log.json();
    for entry in log["entries"].as_array().unwrap() {
        let leaf = Base64::decode_vec(entry["leaf"].as_str().unwrap()).unwrap();
        let leaf = String::from_utf8_lossy(&leaf);
        for name in ["acme.example", "barbara", "edsger"] {
            assert!(!leaf.contains(name), "an entry names {name}");
        }
    }
}
