//! A tenant of its own, made and run by the printed commands alone.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Client;
use crate::oidc::{Claiming, Issuer};
use crate::programs::{Finished, run, start};
use crate::service::Service;

/// A customer: a tenant, its admin's keys, and the homes of its members.
#[derive(Debug)]
pub struct Customer<'a> {
    service: &'a Service,
    slug: String,
    domain: String,
    genesis: String,
    folder: TempDir,
}

impl<'a> Customer<'a> {
    /// Has the operator admit a tenant, and makes it; `options` are those of `tenant create`.
    #[must_use]
    pub fn new(service: &'a Service, slug: &str, domain: &str, options: &[&str]) -> Self {
        let mut customer = Self {
            service,
            slug: slug.to_owned(),
            domain: domain.to_owned(),
            genesis: String::new(),
            folder: TempDir::with_prefix("chancery-e2e-").unwrap(),
        };
        let operator = service.data().join("operator").join("admission.key");
        let (admission, keys) = (customer.file("admission.json"), customer.file("admin"));
        let operator = operator.to_str().unwrap();
        let admit = ["tenant", "admit", "--slug", slug, "--days", "1"];
        customer.succeeds(&[&admit[..], &["--out", &admission, "--key", operator]].concat());
        let create = [
            "tenant", "create", "--slug", slug, "--domain", domain, "--json",
        ];
        let papers = ["--admission", &admission, "--out", &keys];
        let made = customer.succeeds(&[&create[..], &papers, options].concat());
        // What the customer publishes under its own domain, and what its members go by.
        let made = made.json();
        let record = made.get("txt_record").and_then(Value::as_str).unwrap();
        let (_, genesis) = record.split_once("genesis=").unwrap();
        customer.genesis = genesis.to_owned();
        customer
    }

    /// A tenant whose members sign in at an issuer, with a delegation in force.
    #[must_use]
    pub fn with_issuer(service: &'a Service, slug: &str, domain: &str, issuer: &Issuer) -> Self {
        let authorities = [issuer.ca_file.as_str()];
        Self::believing(service, slug, domain, issuer, &authorities)
    }

    /// The same, with authorities of its own choice. What the service fetched for tenants that believe
    /// others, it does not use for this one.
    #[must_use]
    pub fn believing(
        service: &'a Service,
        slug: &str,
        domain: &str,
        issuer: &Issuer,
        authorities: &[&str],
    ) -> Self {
        let (url, client) = (issuer.url.as_str(), issuer.client_id.as_str());
        let mut options = vec!["--idp-issuer", url, "--idp-client-id", client];
        for authority in authorities {
            options.extend(["--idp-ca", authority]);
        }
        let customer = Self::new(service, slug, domain, &options);
        customer.delegate(1, &[]);
        customer
    }

    /// The tenant's name.
    #[must_use]
    pub fn slug(&self) -> &str {
        &self.slug
    }

    /// A path in the customer's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Finished {
        let pins = self.service.ready().text("deployment_file").to_owned();
        let pins = ["--deployment", &pins];
        run("chancery-dev", &[arguments, &pins].concat())
    }

    fn succeeds(&self, arguments: &[&str]) -> Finished {
        let finished = self.command(arguments);
        assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
        finished
    }

    /// A command of the admin's, whatever becomes of it.
    #[must_use]
    pub fn tries(&self, arguments: &[&str]) -> Finished {
        let key = self.file("admin/admin.key");
        self.command(&[arguments, &["--tenant", &self.slug, "--key", &key]].concat())
    }

    /// A command of the admin's.
    pub fn signs(&self, arguments: &[&str]) -> Finished {
        let finished = self.tries(arguments);
        assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
        finished
    }

    /// Writes a delegation, signs it and puts it in force; `options` are those of `delegation new`.
    pub fn delegate(&self, serial: u64, options: &[&str]) {
        let serial = serial.to_string();
        let draft = self.file(&format!("{serial}.json"));
        let signed = self.file(&format!("{serial}.dsse"));
        let genesis = self.file("admin/genesis.json");
        let new = ["delegation", "new", "--out", &draft, "--serial", &serial];
        let papers = ["--genesis", &genesis, "--days", "1"];
        self.succeeds(&[&new[..], &papers, options].concat());
        self.signs(&["delegation", "sign", &draft, "--out", &signed, "--submit"]);
    }

    /// An identity provider's client with a new token.
    #[must_use]
    pub fn scim(&self, label: &str) -> Client {
        let out = self.file(label);
        self.signs(&["token", "issue", "--label", label, "--out", &out]);
        let token = fs::read_to_string(&out).unwrap();
        self.service
            .client()
            .with_prefix(&format!("/t/{}/scim/v2", self.slug))
            .with_token(token.trim())
    }

    /// Has an identity provider create a person, whose `externalId` is the name; the SCIM id.
    pub fn person(&self, scim: &mut Client, name: &str) -> String {
        let user = json!({
            "userName": self.address(name), "externalId": name, "displayName": name, "active": true,
        });
        let made = scim.post("/Users", &user).expect(201).json();
        made.get("id").and_then(Value::as_str).unwrap().to_owned()
    }

    /// A person's userName.
    #[must_use]
    pub fn address(&self, name: &str) -> String {
        format!("{name}@{}", self.domain)
    }

    /// What a member's command goes by; the home remembers what it has seen of the log.
    fn member_arguments(&self, home: &str) -> Vec<String> {
        let pins = self.service.ready().text("deployment_file").to_owned();
        let state = self.file(&format!("{home}.heads.json"));
        let home = self.file(home);
        let pinned = ["--deployment", &pins, "--tenant", &self.slug];
        let own = ["--home", &home, "--state", &state];
        pinned.into_iter().chain(own).map(str::to_owned).collect()
    }

    /// A command of a member with the keys in one of the customer's homes.
    #[must_use]
    pub fn member(&self, home: &str, arguments: &[&str]) -> Finished {
        let context = self.member_arguments(home);
        let context: Vec<&str> = context.iter().map(String::as_str).collect();
        run("chancery-dev", &[arguments, &context].concat())
    }

    /// The document of a member's command that must succeed.
    pub fn member_json(&self, home: &str, arguments: &[&str]) -> Value {
        let finished = self.member(home, &[arguments, &["--json"]].concat());
        assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
        finished.json()
    }

    /// Starts a member's claim, which waits for a browser or an admin.
    #[must_use]
    pub fn claiming(&self, id: &str, home: &str, options: &[&str]) -> Claiming {
        let claim = [
            "claim",
            "--claim",
            id,
            "--json",
            "--genesis-hash",
            &self.genesis,
        ];
        let context = self.member_arguments(home);
        let context: Vec<&str> = context.iter().map(String::as_str).collect();
        Claiming::new(start(
            "chancery-dev",
            &[&claim[..], options, &context].concat(),
        ))
    }

    /// A member's claim from the invitation to its end, signed in as somebody.
    pub fn claims(&self, issuer: &Issuer, id: &str, home: &str, user: &str) -> Value {
        let finished = self.claiming(id, home, &[]).sign_in(issuer, user);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        finished.json()
    }

    /// The tenant's log as `log tail` prints it.
    #[must_use]
    pub fn log(&self) -> String {
        let count = "1000";
        self.signs(&["log", "tail", "--from", "0", "-n", count])
            .stdout
    }

    /// How many lines of the log say this.
    #[must_use]
    pub fn log_count(&self, words: &str) -> usize {
        self.log()
            .lines()
            .filter(|line| line.contains(words))
            .count()
    }
}
