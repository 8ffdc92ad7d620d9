//! Show 1 of custody: from nothing to claimed accounts and group keys by the printed commands alone, and
//! out of reach again.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::fs;
use std::sync::LazyLock;

use chancery_e2e::{Client, Customer, Finished, Issuer, Service};
use serde_json::{Value, json};

/// Nothing here does damage, so all share one service; each test has its own tenant.
static SERVICE: LazyLock<Service> = LazyLock::new(Service::lasting);

const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A tenant with people who have claimed their accounts, and a group of all of them.
struct Firm<'a> {
    customer: Customer<'a>,
    issuer: Issuer,
    scim: Client,
    people: Vec<(&'static str, String)>,
    group: String,
}

impl<'a> Firm<'a> {
    fn of(service: &'a Service, slug: &'static str, people: &[&'static str]) -> Self {
        let issuer = Issuer::of(service);
        let customer = Customer::with_issuer(service, slug, &format!("{slug}.example"), &issuer);
        let mut scim = customer.scim("okta");
        let people: Vec<(&str, String)> = people
            .iter()
            .map(|name| (*name, customer.person(&mut scim, name)))
            .collect();
        customer.signs(&["idp", "trust", "--all"]);
        let members: Vec<Value> = people.iter().map(|(_, id)| json!({"value": id})).collect();
        let group = json!({"displayName": "Engineering", "members": members});
        let group = scim.post("/Groups", &group).expect(201).json();
        Self {
            group: group["id"].as_str().unwrap().to_owned(),
            customer,
            issuer,
            scim,
            people,
        }
    }

    fn id(&self, name: &str) -> &str {
        let mut people = self.people.iter();
        &people.find(|(known, _)| *known == name).unwrap().1
    }

    fn claims(&self, name: &str) -> Value {
        let id = self.id(name).to_owned();
        self.customer.claims(&self.issuer, &id, name, name)
    }

    fn change_group(&mut self, operation: &Value) {
        let path = format!("/Groups/{}", self.group);
        let patch = json!({"schemas": [PATCH], "Operations": [operation]});
        self.scim.patch(&path, &patch).expect(200);
    }

    fn names(&mut self, name: &str) {
        let id = self.id(name).to_owned();
        self.change_group(&json!({"op": "add", "path": "members", "value": [{"value": id}]}));
    }

    fn removes(&mut self, name: &str) {
        let path = format!("members[value eq \"{}\"]", self.id(name));
        self.change_group(&json!({"op": "remove", "path": path}));
    }

    fn set_active(&mut self, name: &str, active: bool) {
        let path = format!("/Users/{}", self.id(name));
        let operation = json!({"op": "replace", "path": "active", "value": active});
        let patch = json!({"schemas": [PATCH], "Operations": [operation]});
        self.scim.patch(&path, &patch).expect(200);
    }

    /// The group's current key, which a home can have: its epoch and the file that holds it.
    fn key(&self, home: &str) -> (u64, Vec<u8>) {
        let command = ["group", "key", "Engineering"];
        let key = self.customer.member_json(home, &command);
        let file = key["file"].as_str().unwrap();
        (key["epoch"].as_u64().unwrap(), fs::read(file).unwrap())
    }

    /// Sees that a home has no way to the group's current key, asked for as the newest or by number.
    fn has_no_key(&self, home: &str, epoch: u64) {
        let epoch = epoch.to_string();
        for options in [&[][..], &["--epoch", &epoch]] {
            let command = [&["group", "key", "Engineering"], options].concat();
            refused(&self.customer.member(home, &command), "403");
        }
    }

    /// What the log proves of a person, as somebody else's device sees it.
    fn looks_up(&self, home: &str, name: &str) -> Finished {
        let address = self.customer.address(name);
        let command = ["keys", "lookup", &address, "--json"];
        self.customer.member(home, &command)
    }
}

/// A command that the service answered with a refusal.
fn refused(finished: &Finished, hint: &str) {
    assert_eq!(finished.code, Some(1), "{hint}: {finished:?}");
    let text = finished.text();
    assert!(
        text.contains("refuses") || text.contains("refused"),
        "{hint}: {finished:?}"
    );
}

/// A lookup that holds: usable, every check passed, none left out that a lookup can do.
fn usable(finished: &Finished) -> Value {
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let shown = finished.json();
    assert_eq!(shown["usable"], true);
    for left in shown["not_checked"].as_array().unwrap() {
        assert!(
            left.as_str().unwrap().contains("`log audit` does"),
            "{left}"
        );
    }
    let checks = shown["checks"].as_array().unwrap();
    assert!(checks.len() > 4, "{shown}");
    for check in checks {
        assert_eq!(check["outcome"], "passed", "{check}");
    }
    shown
}

#[test]
fn a_member_claims_by_commands_alone_and_has_group_keys_until_the_next_epoch() {
    let mut firm = Firm::of(&SERVICE, "acme-corp", &["ada", "bob", "eve"]);
    let claimed = firm.claims("ada");
    // Before the claim there is a key, and the proof says not to use it.
    let pending = firm.looks_up("ada", "bob");
    assert_eq!(pending.code, Some(1), "{pending:?}");
    assert_eq!(pending.json()["usable"], false);
    assert_eq!(pending.json()["state"], "provisioned and not claimed yet");
    for name in ["bob", "eve"] {
        let theirs = firm.claims(name);
        let seen = usable(&firm.looks_up("ada", name));
        assert_eq!(seen["state"], "confirmed");
        for member in ["fingerprint", "handle", "key_version"] {
            assert_eq!(seen[member], theirs[member], "{member} of {name}");
        }
    }
    let seen = usable(&firm.looks_up("bob", "ada"));
    assert_eq!(seen["fingerprint"], claimed["fingerprint"]);

    // All have the same key, which the service wrapped to keys that the log proved.
    let (first, key) = firm.key("ada");
    for name in ["bob", "eve"] {
        assert_eq!(firm.key(name), (first, key.clone()));
    }
    // Removal.
    firm.removes("bob");
    let (second, next) = firm.key("ada");
    assert_eq!(second, first + 1);
    assert_ne!(next, key);
    assert_eq!(firm.key("eve"), (second, next));
    firm.has_no_key("bob", second);
    usable(&firm.looks_up("bob", "ada"));
    // Suspension ends everything, lookups included.
    firm.set_active("eve", false);
    let (third, _) = firm.key("ada");
    assert_eq!(third, second + 1);
    firm.has_no_key("eve", third);
    refused(&firm.looks_up("eve", "ada"), "a suspended member's lookup");
    let seen = firm.looks_up("ada", "eve");
    assert_eq!(
        (seen.code, &seen.json()["state"]),
        (Some(1), &json!("suspended"))
    );
    // Reactivation gives no key back until somebody says so.
    firm.set_active("eve", true);
    usable(&firm.looks_up("eve", "ada"));
    firm.has_no_key("eve", third);
    firm.names("eve");
    assert_eq!(firm.key("eve"), firm.key("ada"));
    // Deletion.
    let gone = format!("/Users/{}", firm.id("eve"));
    let (before, _) = firm.key("ada");
    firm.scim.delete(&gone).expect(204);
    let (after, _) = firm.key("ada");
    assert_eq!(after, before + 1);
    firm.has_no_key("eve", after);
    tells_who_did_what(&firm);
    audits(&firm);
}

/// One readable line names the act, its delegation and its credential.
fn tells_who_did_what(firm: &Firm<'_>) {
    let log = firm.customer.log();
    let line = |words: &str, subject: &str| {
        let mut lines = log.lines();
        lines
            .find(|line| line.contains(words) && line.contains(subject))
            .unwrap_or_else(|| panic!("no `{words}` of {subject} in {log}"))
    };
    let automated = "by automation under delegation 1 with the token \"okta\"";
    for (act, subject) in [
        ("user provisioned", "ada@acme-corp.example"),
        ("group created", "Engineering"),
        ("group's members changed", "Engineering"),
    ] {
        assert!(line(act, subject).contains(automated), "{log}");
    }
    let claimed = line("account claimed", "ada@acme-corp.example");
    assert!(claimed.contains("claimed with an ID token"), "{claimed}");
    line("private half destroyed", "ada@acme-corp.example");
    for entry in ["user suspended", "user restored", "group's key changed"] {
        assert!(log.contains(entry), "{entry}: {log}");
    }
}

/// The replay of the whole log adds up, and finds somebody whom the identity provider does not know.
fn audits(firm: &Firm<'_>) {
    let clean = firm.customer.signs(&["log", "audit"]);
    assert!(clean.stdout.contains("CLEAN"), "{}", clean.stdout);
    let roster = firm.customer.path("people.csv");
    let whole = "name,user_name\nAda,ada@acme-corp.example\nBob,bob@acme-corp.example\n";
    fs::write(&roster, whole).unwrap();
    let command = ["log", "audit", "--roster", roster.to_str().unwrap()];
    let clean = firm.customer.signs(&command);
    assert!(clean.stdout.contains("CLEAN"), "{}", clean.stdout);
    let lacking = whole.replace("Bob,bob@acme-corp.example\n", "");
    fs::write(&roster, lacking).unwrap();
    let found = firm.customer.tries(&command);
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(found.stdout.contains("bob@acme-corp.example"), "{found:?}");
    assert!(!found.stdout.contains("ada@acme-corp.example"), "{found:?}");
}

#[test]
fn a_second_device_replaces_a_lost_one_and_the_keys_change() {
    let firm = Firm::of(&SERVICE, "devices", &["ada", "bob"]);
    let claimed = firm.claims("ada");
    firm.claims("bob");
    let (first, _) = firm.key("ada");
    let (request, paper) = (firm.customer.file("request"), firm.customer.file("paper"));
    let member = |home: &str, command: &[&str]| firm.customer.member_json(home, command);
    let asked = ["device", "request", "--name", "laptop", "--out", &request];
    let asked = member("ada-laptop", &asked);
    let added = member("ada", &["device", "add", &request, "--out", &paper]);
    assert_eq!(added["fingerprint"], asked["fingerprint"]);
    let accepted = member("ada-laptop", &["device", "accept", &paper]);
    assert_eq!(accepted["fingerprint"], claimed["fingerprint"]);
    assert_eq!(firm.key("ada-laptop"), firm.key("ada"));
    // The first device is lost.
    let devices = member("ada-laptop", &["device", "list"]);
    let devices = devices["devices"].as_array().unwrap();
    let lost = devices.iter().find(|device| device["this"] == false);
    let lost = lost.unwrap()["id"].as_str().unwrap().to_owned();
    member("ada-laptop", &["device", "revoke", &lost]);
    let (second, _) = firm.key("ada-laptop");
    assert!(second > first, "whoever has the device had the group's key");
    firm.has_no_key("ada", second);
    refused(&firm.looks_up("ada", "bob"), "a revoked device's lookup");
    // It had the account's key, too.
    let rotated = member("ada-laptop", &["keys", "rotate"]);
    assert_eq!(rotated["key_version"].as_u64(), Some(3));
    assert_ne!(rotated["fingerprint"], claimed["fingerprint"]);
    let seen = usable(&firm.looks_up("bob", "ada"));
    assert_eq!(seen["fingerprint"], rotated["fingerprint"]);
    let (third, _) = firm.key("ada-laptop");
    assert_eq!(firm.key("bob"), firm.key("ada-laptop"));
    assert!(third > second);
    let address = firm.customer.address("ada");
    let history = firm.customer.member("bob", &["keys", "history", &address]);
    assert_eq!(history.code, Some(0), "{history:?}");
    // The service keeps the present key alone; that there was another before, the log says.
    let history = history.stdout;
    let newest = history.lines().find(|line| line.contains("KeyRotated"));
    let fingerprint = rotated["fingerprint"].as_str().unwrap();
    assert!(newest.unwrap().contains(fingerprint), "{history}");
    assert!(history.contains("KeyConfirmed"), "{history}");
    let clean = firm.customer.signs(&["log", "audit"]);
    assert!(clean.stdout.contains("CLEAN"), "{}", clean.stdout);
}

#[test]
fn an_admin_confirms_a_claim_by_its_short_code_and_by_no_other() {
    let customer = Customer::new(&SERVICE, "by-code", "by-code.example", &[]);
    customer.delegate(1, &[]);
    let mut scim = customer.scim("okta");
    let (ada, bob) = (
        customer.person(&mut scim, "ada"),
        customer.person(&mut scim, "bob"),
    );
    let mut claiming = customer.claiming(&ada, "ada", &[]);
    let mut other = customer.claiming(&bob, "bob", &[]);
    let (code, foreign) = (claiming.short_code(), other.short_code());
    assert_ne!(code, foreign);
    let address = customer.address("ada");
    // Another person's code, and one that nobody was shown.
    for wrong in [&foreign, "0000-0000"] {
        let finished = customer.tries(&["user", "confirm", &address, wrong]);
        refused(&finished, wrong);
    }
    customer.signs(&["user", "confirm", &address, &code.to_lowercase()]);
    let finished = claiming.finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(finished.json()["state"], "confirmed");
    customer.signs(&["user", "confirm", &bob, &foreign]);
    assert_eq!(other.finish().code, Some(0));
    let command = ["keys", "lookup", &address, "--json"];
    let seen = usable(&customer.member("bob", &command));
    assert_eq!(seen["fingerprint"], finished.json()["fingerprint"]);
    let log = customer.log();
    let claimed = log.lines().find(|line| line.contains("account claimed"));
    assert!(
        claimed.unwrap().contains("confirmed by the admins"),
        "{log}"
    );
    let clean = customer.signs(&["log", "audit"]);
    assert!(clean.stdout.contains("CLEAN"), "{}", clean.stdout);
}
