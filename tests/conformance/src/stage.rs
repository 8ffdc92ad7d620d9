//! The service that cases are played against, and those who speak to it.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use chancery_e2e::{Answer, Client, Customer, Service, Tls};

use crate::format::{Speaker, TlsVersion};

/// The other tenant.
const NEIGHBOUR: &str = "neighbour";

/// A running service with two tenants.
#[derive(Debug)]
pub struct Stage<'s> {
    service: &'s Service,
    base: String,
    tokens: BTreeMap<Speaker, String>,
}

impl<'s> Stage<'s> {
    /// Makes the second tenant and the further tokens.
    ///
    /// # Errors
    /// If a token cannot be read.
    pub fn new(service: &'s Service) -> Result<Self, String> {
        let ready = service.ready();
        let mut tokens = BTreeMap::new();
        let owner = ready.text("scim_token").to_owned();
        tokens.insert(Speaker::Owner, owner.clone());
        tokens.insert(Speaker::Intruder, owner);
        let neighbour = Customer::new(service, NEIGHBOUR, "demo.example", &[]);
        neighbour.delegate(1, &[]);
        let out = neighbour.file("token");
        neighbour.signs(&["token", "issue", "--label", "scim", "--out", &out]);
        tokens.insert(Speaker::Neighbour, token(&out)?);
        let reader = neighbour.file("reader");
        let scopes = ["--scope", "users.read", "--scope", "groups.read"];
        let issue = ["token", "issue", "--label", "reader", "--out", &reader];
        let demo = ["--ready-file", service.ready_file()];
        let issued = chancery_e2e::run("chancery-dev", &[&issue[..], &scopes, &demo].concat());
        if issued.code != Some(0) {
            return Err(issued.text());
        }
        tokens.insert(Speaker::Reader, token(&reader)?);
        Ok(Self {
            service,
            base: ready.text("scim_base").to_owned(),
            tokens,
        })
    }

    /// The SCIM base of the tenant.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Connections of one thread.
    #[must_use]
    pub fn voices(&self) -> Voices<'_> {
        Voices {
            stage: self,
            clients: BTreeMap::new(),
        }
    }

    fn client(&self, speaker: Speaker, tls: TlsVersion) -> Client {
        let client = self.service.client_over(match tls {
            TlsVersion::V12 => Tls::V12,
            TlsVersion::V13 => Tls::V13,
        });
        let client = match self.tokens.get(&speaker) {
            Some(token) => client.with_token(token),
            None => client.without_token(),
        };
        match speaker {
            Speaker::Owner | Speaker::Reader | Speaker::Nobody => client,
            Speaker::Neighbour | Speaker::Intruder => {
                client.with_prefix(&format!("/t/{NEIGHBOUR}/scim/v2"))
            }
        }
    }
}

fn token(file: &str) -> Result<String, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    Ok(text.trim().to_owned())
}

/// The connections of those who speak in one thread, each opened when it is needed.
#[derive(Debug)]
pub struct Voices<'s> {
    stage: &'s Stage<'s>,
    clients: BTreeMap<(Speaker, TlsVersion), Client>,
}

impl<'s> Voices<'s> {
    pub(crate) const fn stage(&self) -> &'s Stage<'s> {
        self.stage
    }

    pub(crate) fn ask(
        &mut self,
        (speaker, tls): (Speaker, TlsVersion),
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let stage = self.stage;
        let client = self.clients.entry((speaker, tls));
        client
            .or_insert_with(|| stage.client(speaker, tls))
            .try_request(method, path, headers, body)
    }
}
