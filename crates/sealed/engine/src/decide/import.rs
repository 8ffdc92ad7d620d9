//! Import: members who exist already, with the public keys that they have already.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding as _};
use chancery_directory::record::NameKind;
use chancery_directory::{Digest, EntryType, Handle, KeyRecord, KeySource, Opens, Validity};
use chancery_json::{Element, ErrorKind, Fields, Object, Value};
use chancery_keyset::PublicKeyset;
use chancery_scim::{Catalogue, UserDocument};
use chancery_sealing::Key;

use super::admin::{Desk, tenant_handle};
use super::booking::{Booking, Document, Warrant};
use crate::act::{Answer, Refusal};
use crate::custody::{Account, Custody};
use crate::event::Event;
use crate::id::ResourceId;
use crate::key_record::KeyOf;
use crate::prepare::Draws;
use crate::records::ActRecord;
use crate::registry::Registry;
use crate::resource::{User, UserProof};
use crate::scim_keys::user_keys;
use crate::tenant::Tenant;

/// Most members of one act.
const MEMBERS_MAX: usize = 100;
/// How long the window stays open at the most, in milliseconds. It is closed by the act that opens it.
const WINDOW_MS: u64 = 600_000;

/// A member to import, checked.
struct Member {
    document: UserDocument,
    public: PublicKeyset,
}

impl Desk<'_> {
    /// Makes each member a confirmed user who holds the keys already. The admins' signature confirms the
    /// keys, in a break-glass window that this act opens and closes.
    pub(super) fn import(
        &self,
        head: &mut Tenant,
        fresh: &Key,
        mut fields: Fields,
    ) -> Result<(Option<ActRecord>, Answer), Refusal> {
        let members = fields.take_array("members")?;
        fields.finish()?;
        if members.len() > MEMBERS_MAX {
            return Err(Refusal::TooLarge {
                what: "members in one act",
                limit: MEMBERS_MAX,
            });
        }
        // A plan rests on who is there; whoever is imported under it would be unknown to it.
        if head.registry.plan().is_some() {
            return Err(Refusal::PlanOpen);
        }
        let asked = members.len();
        let mut wanted: Vec<Member> = Vec::new();
        for (index, element) in members.into_iter().enumerate() {
            let checked = self
                .check(&head.registry, element, &wanted)
                .map_err(|cause| Refusal::Member {
                    index,
                    cause: Box::new(cause),
                })?;
            wanted.extend(checked);
        }
        let imported = wanted.len();
        let index = if wanted.is_empty() {
            None
        } else {
            Some(self.book_import(head, fresh, wanted)?)
        };
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let document = Object::new()
            .with("imported", count(imported))
            .with("skipped", count(asked.saturating_sub(imported)))
            .with("index", index.map_or(Value::Null, Value::from));
        Ok((None, Answer::Document(Box::new(document))))
    }

    /// Checks one member as a SCIM create would be; none if they are there already with this keyset.
    fn check(
        &self,
        registry: &Registry,
        element: Element,
        before: &[Member],
    ) -> Result<Option<Member>, Refusal> {
        let mut fields = element.into_fields()?;
        let user_name = fields.take_str("user_name")?;
        let external_id = optional(&mut fields, "external_id")?;
        let display_name = optional(&mut fields, "display_name")?;
        let emails = fields.take_strings("emails")?;
        let public = fields.take_str("public_keyset")?;
        fields.finish()?;
        let public = Base64::decode_vec(&public)
            .ok()
            .and_then(|bytes| PublicKeyset::decode(&bytes).ok())
            .ok_or(Refusal::Keyset)?;
        let document = document(&user_name, external_id, display_name, emails)?;
        self.in_domains(registry, &document)?;
        let name = document.keys().user_name.as_str();
        let fingerprint = public.fingerprint();
        let known = before
            .iter()
            .find(|member| member.document.keys().user_name.as_str() == name)
            .map(|member| *member.public.fingerprint().as_bytes())
            .or_else(|| {
                let user = registry.user_named(name)?;
                // Whose keys are pending holds none of their own.
                let account = user.custody.account();
                Some(account.map_or([0; 32], |account| account.fingerprint))
            });
        match known {
            None => Ok(Some(Member { document, public })),
            Some(known) if known == *fingerprint.as_bytes() => Ok(None),
            Some(_) => Err(Refusal::Taken {
                what: "the userName, with another keyset,",
            }),
        }
    }

    /// Every identifier is in a domain of the genesis; a userName without a domain needs a delegation that
    /// allows such names (I13).
    fn in_domains(&self, registry: &Registry, document: &UserDocument) -> Result<(), Refusal> {
        if self.settings.dangerous_any_domain {
            return Ok(());
        }
        let domains: BTreeSet<String> = registry
            .authority()
            .map(|authority| authority.domains())
            .into_iter()
            .flatten()
            .map(|domain| alloc::format!("{domain}"))
            .collect();
        for identifier in document.identifiers() {
            match identifier.domain {
                Some(domain) if !domains.contains(&domain) => {
                    return Err(Refusal::Delegation(
                        chancery_authority::Refusal::DomainNotTrusted { domain },
                    ));
                }
                None if !bare_names(registry, self.now_ms) => {
                    return Err(Refusal::Delegation(
                        chancery_authority::Refusal::UserNameWithoutDomain,
                    ));
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    fn book_import(
        &self,
        head: &mut Tenant,
        fresh: &Key,
        members: Vec<Member>,
    ) -> Result<u64, Refusal> {
        let mut draws = Draws::new(fresh);
        let window: [u8; 32] = draws.bytes()?;
        let tenant = tenant_handle(&head.secrets.id());
        // The request names a hundred people: no exhibit could show it and forget one of them.
        let mut warrant = self.warrant(head).resting_on(window);
        warrant.request = Vec::new();
        let now_ms = self.now_ms;
        let validity = Validity {
            not_before_ms: now_ms,
            not_after_ms: now_ms.saturating_add(WINDOW_MS),
        };
        let mut booking =
            Booking::begin(head, now_ms, &warrant, draws, Document::None, Vec::new())?;
        booking.entry(
            EntryType::BreakGlassOpened,
            window,
            Digest::ZERO,
            validity.to_object_commit(),
        )?;
        self.spend(&mut booking);
        let record = booking.finish();
        head.aside.push(record);
        let mut number: u64 = 0;
        for member in members {
            number = number.saturating_add(1);
            let fresh = fresh.derive("chancery/import/member/v1", &number.to_be_bytes());
            let record = self.book_member(head, &warrant, (window, tenant), &fresh, &member)?;
            head.aside.push(record);
        }
        let draws = Draws::new(&fresh.derive("chancery/import/end/v1", b""));
        let mut booking =
            Booking::begin(head, now_ms, &warrant, draws, Document::None, Vec::new())?;
        booking.plain(EntryType::BreakGlassClosed, window)?;
        let index = booking.last();
        let record = booking.finish();
        head.aside.push(record);
        Ok(index)
    }

    fn book_member(
        &self,
        head: &mut Tenant,
        warrant: &Warrant,
        (window, tenant): ([u8; 32], [u8; 32]),
        fresh: &Key,
        member: &Member,
    ) -> Result<ActRecord, Refusal> {
        let mut draws = Draws::new(fresh);
        let handle: [u8; 32] = draws.bytes()?;
        let id = ResourceId::from_random(draws.bytes()?);
        let keys = user_keys(member.document.keys());
        let label = head.secrets.label(NameKind::UserName, &keys.user_name);
        let document = member.document.to_canonical();
        let record = |version| {
            let key = KeyOf {
                handle,
                version,
                source: KeySource::UserDevice,
                public: &member.public,
                not_before_ms: self.now_ms,
            };
            key.record(&head.secrets)
        };
        let (first, second) = (record(1), record(2));
        let sequence = head.registry.next_sequence();
        let warrant = warrant.clone().by(window);
        let kept = Document::InEvent(&document);
        let mut booking = Booking::begin(head, self.now_ms, &warrant, draws, kept, Vec::new())?;
        let opening = booking.opening(Opens::Key(&Handle(handle)));
        let commitment = |record: &KeyRecord| {
            record
                .commit(&opening)
                .map_err(|_encoding| Refusal::Internal)
        };
        let (first, second) = (commitment(&first)?, commitment(&second)?);
        booking.entry(EntryType::UserProvisioned, handle, first, Digest::ZERO)?;
        let name_since = booking.last();
        let name_binding = booking.bind(label, handle)?;
        let name_opening = booking.opening(Opens::Name(&Handle(handle))).0;
        booking.set_actor(tenant);
        booking.entry(EntryType::KeyConfirmed, handle, second, Digest::ZERO)?;
        let proof = UserProof {
            key_version: 2,
            key_index: booking.last(),
            not_before_ms: self.now_ms,
            key_opening: opening.0,
            name_binding,
            name_since,
            name_opening,
        };
        let account = Account {
            fingerprint: *member.public.fingerprint().as_bytes(),
            public: member.public.encode().into_boxed_slice(),
            confirmed_ms: self.now_ms,
            devices: Vec::new(),
        };
        let user = User {
            id,
            handle,
            sequence,
            created_ms: self.now_ms,
            modified_ms: self.now_ms,
            version: 1,
            active: true,
            label,
            document: document.clone().into_boxed_slice(),
            custody: Custody::Claimed(Box::new(account)),
            proof,
            keys,
        };
        booking.event(Event::UserPut(Arc::new(user)));
        Ok(booking.finish())
    }
}

fn bare_names(registry: &Registry, now_ms: u64) -> bool {
    registry.in_force(now_ms).any(|granted| {
        granted
            .delegation
            .delegation()
            .allow_user_names_without_domain
    })
}

/// A text that may be null.
fn optional(fields: &mut Fields, name: &str) -> Result<Option<String>, Refusal> {
    let element = fields.take(name)?;
    let pointer = String::from(element.pointer());
    match element.into_value() {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(chancery_json::Error::new(
            ErrorKind::WrongType {
                expected: chancery_json::Expected::String,
            },
            pointer,
        )
        .into()),
    }
}

/// The canonical document of a member, by the same parser that reads an identity provider's requests.
fn document(
    user_name: &str,
    external_id: Option<String>,
    display_name: Option<String>,
    emails: Vec<String>,
) -> Result<UserDocument, Refusal> {
    let mut body = Object::new()
        .with("userName", user_name)
        .with("active", true);
    if let Some(external_id) = external_id {
        body = body.with("externalId", external_id);
    }
    if let Some(display_name) = display_name {
        body = body.with("displayName", display_name);
    }
    if !emails.is_empty() {
        let emails: Vec<Value> = emails
            .into_iter()
            .map(|email| Value::Object(Object::new().with("value", email)))
            .collect();
        body = body.with("emails", emails);
    }
    Ok(UserDocument::parse_create(
        &body.to_bytes(),
        Catalogue::STANDARD,
    )?)
}
