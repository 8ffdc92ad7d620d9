//! Credentials of identity providers (I17), bearer tokens and OAuth clients: made in the runtime, under a
//! delegation that allows them, always expiring.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_authority::{ClientSecret, Scope, ScopeSet, Token};
use chancery_claim::JwkSet;
use chancery_directory::{Digest, EntryType, SubjectState, Validity};
use chancery_json::{Fields, Limits, Object, Value};

use super::admin::{Desk, Outcome, hash_member};
use super::booking::{Booking, Document};
use crate::act::{Answer, ListedCredential, Refusal};
use crate::event::Event;
use crate::prepare::Draws;
use crate::registry::{Granted, Registry};
use crate::resource::{Credential, CredentialForm};
use crate::secret::Secret;
use crate::tenant::Tenant;

/// Longest label of a credential in bytes.
const LABEL_BYTES_MAX: usize = 128;
/// Most credentials of a tenant that are neither revoked nor expired.
const LIVE_CREDENTIALS_MAX: usize = 64;
/// Longest time for which a credential lives on beside the one that takes over from it, in seconds: 30 days.
const OVERLAP_S_MAX: u64 = 30 * 86_400;
/// Most keys of an OAuth client: one in use, one to come, and room for two devices.
const CLIENT_KEYS_MAX: usize = 4;

/// A credential that is to be.
struct Terms {
    names: Vec<Box<str>>,
    scopes: ScopeSet,
    label: Box<str>,
    not_after_ms: u64,
    form: CredentialForm,
    /// The one that it takes over from, as that will be.
    replaces: Option<Arc<Credential>>,
}

impl Desk<'_> {
    /// Makes a credential.
    pub(super) fn issue_token(
        &self,
        head: &mut Tenant,
        draws: Draws,
        mut fields: Fields,
    ) -> Outcome {
        let (names, scopes) = scopes(&fields.take_strings("scopes")?)?;
        let life_ms = fields.take_u64("life_s")?.saturating_mul(1000);
        let label = fields.take_str("label")?;
        let form = client_form(&mut fields)?.unwrap_or_default();
        fields.finish()?;
        if label.len() > LABEL_BYTES_MAX {
            return Err(Refusal::CredentialTerms);
        }
        let terms = Terms {
            names,
            scopes,
            label: label.into_boxed_str(),
            not_after_ms: self.now_ms.saturating_add(life_ms),
            form,
            replaces: None,
        };
        let granted = self.grant_for(&head.registry, &terms)?;
        let (actor, hash) = (granted.handle, *granted.delegation.hash());
        self.mint(head, draws, terms, actor, hash)
    }

    /// Makes a credential that takes over from another one with the same scopes and label, which ends after
    /// the overlap. It has the same form, and an OAuth client the same keys, unless the admin signs another.
    pub(super) fn rotate_token(
        &self,
        head: &mut Tenant,
        draws: Draws,
        mut fields: Fields,
    ) -> Outcome {
        let handle = hash_member(&mut fields, "id")?;
        let life_ms = fields.take_u64("life_s")?.saturating_mul(1000);
        let overlap_s = fields.take_u64("overlap_s")?;
        let form = client_form(&mut fields)?;
        fields.finish()?;
        let old = head
            .registry
            .credential(&handle)
            .filter(|old| !old.revoked && self.now_ms < old.not_after_ms)
            .ok_or(Refusal::NotFound)?;
        let (_, scopes) = scopes(&old.scopes)?;
        let overlap_ms = overlap_s.saturating_mul(1000);
        let mut ending = Credential::clone(old);
        ending.not_after_ms = ending
            .not_after_ms
            .min(self.now_ms.saturating_add(overlap_ms));
        let terms = Terms {
            names: old.scopes.clone(),
            scopes,
            label: old.label.clone(),
            not_after_ms: self.now_ms.saturating_add(life_ms),
            form: form.unwrap_or_else(|| old.form.clone()),
            replaces: Some(Arc::new(ending)),
        };
        let granted = self.grant_for(&head.registry, &terms)?;
        let life_s_max = granted.delegation.delegation().credential_life_max_s;
        if overlap_s > OVERLAP_S_MAX.min(life_s_max) {
            return Err(Refusal::Value {
                member: "overlap_s",
                allowed: "at most 30 days, and at most the life that the delegation allows a credential",
            });
        }
        let (actor, hash) = (granted.handle, *granted.delegation.hash());
        self.mint(head, draws, terms, actor, hash)
    }

    /// The newest delegation under which a credential of these terms may exist at all.
    fn grant_for<'r>(&self, registry: &'r Registry, terms: &Terms) -> Result<&'r Granted, Refusal> {
        let live = registry
            .credentials()
            .filter(|credential| !credential.revoked && self.now_ms < credential.not_after_ms)
            .count();
        if live >= LIVE_CREDENTIALS_MAX {
            return Err(Refusal::CredentialTerms);
        }
        registry
            .delegations()
            .iter()
            .rev()
            .find(|granted| {
                !granted.revoked
                    && granted.delegation.allows_credential(
                        self.now_ms,
                        terms.scopes,
                        terms.not_after_ms,
                    )
            })
            .ok_or(Refusal::CredentialTerms)
    }

    fn mint(
        &self,
        head: &mut Tenant,
        mut draws: Draws,
        terms: Terms,
        actor: [u8; 32],
        delegation: [u8; 32],
    ) -> Outcome {
        let (digest, secret) = self.drawn(&mut draws, &terms.form)?;
        let handle = draws.bytes()?;
        let document = described(&terms, &delegation);
        let credential = Arc::new(Credential {
            handle,
            digest,
            scopes: terms.names,
            issued_ms: self.now_ms,
            not_after_ms: terms.not_after_ms,
            label: terms.label,
            revoked: false,
            form: terms.form,
        });
        let validity = Validity {
            not_before_ms: self.now_ms,
            not_after_ms: credential.not_after_ms,
        };
        let warrant = self.warrant(head).by(actor);
        let mut booking = Booking::begin(
            head,
            self.now_ms,
            &warrant,
            draws,
            Document::Kept(&document),
            Vec::new(),
        )?;
        booking.entry(
            EntryType::TokenIssued,
            handle,
            Digest::ZERO,
            validity.to_object_commit(),
        )?;
        booking.event(Event::of_credential(&credential));
        if let Some(ending) = &terms.replaces {
            booking.event(Event::of_credential(ending));
        }
        self.spend(&mut booking);
        let index = booking.last();
        Ok((
            Some(booking.finish()),
            Answer::Credential {
                credential,
                secret,
                replaces: terms.replaces,
                index,
            },
        ))
    }

    /// The secret of a credential, if its form has one, and its digest.
    fn drawn(
        &self,
        draws: &mut Draws,
        form: &CredentialForm,
    ) -> Result<([u8; 32], Option<Secret>), Refusal> {
        let key = &self.settings.token_key;
        let (digest, text) = match form {
            CredentialForm::Bearer => {
                let token = Token::generate(&mut draws.entropy)?;
                (token.digest(key), token.expose())
            }
            CredentialForm::Secret => {
                let secret = ClientSecret::generate(&mut draws.entropy)?;
                (secret.digest(key), secret.expose())
            }
            CredentialForm::Keys(_) => return Ok(([0; 32], None)),
        };
        Ok((*digest.as_bytes(), Some(Secret(text))))
    }

    /// Ends a credential at once.
    pub(super) fn revoke_token(
        &self,
        head: &mut Tenant,
        draws: Draws,
        handle: [u8; 32],
    ) -> Outcome {
        let credential = head
            .registry
            .credential(&handle)
            .filter(|credential| !credential.revoked)
            .ok_or(Refusal::NotFound)?;
        let mut ended = Credential::clone(credential);
        ended.revoked = true;
        let state = head
            .chronicle
            .log()
            .subject(&chancery_directory::Handle(handle));
        if state.map(|state| state.state) != Some(SubjectState::Active) {
            return Err(Refusal::Internal);
        }
        let mut booking = self.begin(head, draws, Document::None)?;
        booking.plain(EntryType::TokenRevoked, handle)?;
        booking.event(Event::of_credential(&Arc::new(ended)));
        self.spend(&mut booking);
        let index = booking.last();
        Ok((
            Some(booking.finish()),
            Answer::Done {
                subject: handle,
                index,
            },
        ))
    }

    /// All credentials with their last use.
    pub(super) fn list_tokens(&self, head: &Tenant) -> Answer {
        let registry = &head.registry;
        let listed = registry
            .credentials()
            .map(|credential| ListedCredential {
                credential: Arc::clone(credential),
                last_used_ms: registry.last_used_ms(&credential.handle),
            })
            .collect();
        Answer::Credentials(listed)
    }

    /// The delegations that were not revoked, as they were signed.
    pub(super) fn list_delegations(&self, head: &Tenant) -> Answer {
        let papers: Vec<Value> = head
            .registry
            .delegations()
            .iter()
            .filter(|granted| !granted.revoked)
            .filter_map(|granted| Value::parse(&granted.envelope, &Limits::DOCUMENT).ok())
            .collect();
        let document = Object::new().with("delegations", papers);
        Answer::Document(Box::new(document))
    }
}

/// What the entry's private part says of a credential. The end of the one that it takes over from stands here
/// and nowhere else: the log knows that one's first end alone.
fn described(terms: &Terms, delegation: &[u8; 32]) -> Vec<u8> {
    let names: Vec<Value> = terms
        .names
        .iter()
        .map(|name| Value::from(&**name))
        .collect();
    let mut document = Object::new()
        .with("label", &*terms.label)
        .with("scopes", names)
        .with("delegation", hex::encode(delegation));
    if let Some(client) = terms.form.described() {
        document = document.with("client", client);
    }
    if let Some(ending) = &terms.replaces {
        document = document
            .with("replaces", hex::encode(ending.handle))
            .with("replaced_until_ms", ending.not_after_ms);
    }
    document.to_bytes()
}

/// How an OAuth client is to be known, if it is to be one: by a secret, or by public keys as a JWK set.
fn client_form(fields: &mut Fields) -> Result<Option<CredentialForm>, Refusal> {
    let Some(member) = fields.take_optional("client") else {
        return Ok(None);
    };
    let refused = Refusal::Value {
        member: "client",
        allowed: "\"secret\", or {\"keys\": [JWK, …]} with 1 to 4 different public keys for RS256, PS256, ES256 or EdDSA",
    };
    match member.into_value() {
        Value::String(word) if word == "secret" => Ok(Some(CredentialForm::Secret)),
        Value::Object(set) if set.len() == 1 => {
            let set = JwkSet::parse(&set.to_bytes()).map_err(|_form| refused.clone())?;
            if set.skipped() > 0 || !(1..=CLIENT_KEYS_MAX).contains(&set.keys().len()) {
                return Err(refused);
            }
            let keys = set.keys().iter().map(|key| key.named().into());
            Ok(Some(CredentialForm::Keys(keys.collect())))
        }
        _ => Err(refused),
    }
}

fn scopes(names: &[impl AsRef<str>]) -> Result<(Vec<Box<str>>, ScopeSet), Refusal> {
    let set: Option<ScopeSet> = names
        .iter()
        .map(|name| Scope::parse(name.as_ref()))
        .collect();
    let set = set.ok_or(Refusal::CredentialTerms)?;
    Ok((
        set.iter().map(|scope| Box::from(scope.name())).collect(),
        set,
    ))
}
