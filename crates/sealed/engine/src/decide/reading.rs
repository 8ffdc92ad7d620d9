//! What admins, auditors and members read: the log, its private parts, keys with their proofs, and what the
//! service says now.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding as _};
use chancery_directory::entry::TenantLeaf;
use chancery_directory::{Entry, EntryType, Handle};
use chancery_json::{Fields, Object, Value};

use super::admin::Desk;
use super::member::{state_name, user_name};
use super::signers::find;
use crate::act::{Answer, AuditPage, Refusal};
use crate::proof::{ProofSubject, ProofWanted};
use crate::records::ActRecord;
use crate::registry::Registry;
use crate::resource::User;
use crate::tenant::Tenant;

type Outcome = Result<(Option<ActRecord>, Answer), Refusal>;

/// Most entries in one answer.
const ENTRIES_MAX: u64 = 1000;
/// Most users in one answer, and most groups.
const RESOURCES_MAX: u64 = 1000;
/// Most entries of one subject's history in one answer.
const HISTORY_MAX: usize = 1000;

fn document(object: Object) -> Outcome {
    Ok((None, Answer::Document(Box::new(object))))
}

impl Desk<'_> {
    /// Entries of the log, each with what it rests on.
    pub(super) fn read_log(head: &Tenant, mut fields: Fields) -> Outcome {
        let from = fields.take_u64("from")?;
        let count = fields.take_u64("count")?.min(ENTRIES_MAX);
        fields.finish()?;
        let entries: Vec<Value> = (from..from.saturating_add(count))
            .map_while(|index| logged(head, index))
            .map(Value::from)
            .collect();
        document(Object::new().with("entries", entries))
    }

    /// The way to the private parts of the log: they are read from the store.
    pub(super) fn audit_log(head: &Tenant, mut fields: Fields) -> Outcome {
        let record = fields.take_u64("record")?;
        fields.finish()?;
        Ok((
            None,
            Answer::Audit(AuditPage {
                record,
                stream: head.tail.stream(),
                length: head.tail.length(),
            }),
        ))
    }

    /// An entry's offline proof.
    pub(super) fn receipt(head: &Tenant, mut fields: Fields) -> Outcome {
        let index = fields.take_u64("index")?;
        fields.finish()?;
        if index >= head.chronicle.log().next_index() {
            return Err(Refusal::NotFound);
        }
        wanted(head, ProofSubject::Entry(index), Object::new())
    }

    /// A user's present key with its proof, or the proof that the name belongs to nobody.
    pub(super) fn look_up(head: &Tenant, mut fields: Fields) -> Outcome {
        let named = fields.take_str("user")?;
        fields.finish()?;
        match find(&head.registry, &named) {
            Ok(user) => {
                let about = Object::new().with("user", brief(user)?);
                wanted(head, ProofSubject::User(user.id), about)
            }
            Err(_absent) => {
                let name = chancery_scim::FoldedName::lookup(&named);
                let about = Object::new().with("user", Value::Null);
                wanted(
                    head,
                    ProofSubject::Absent(String::from(name.as_str())),
                    about,
                )
            }
        }
    }

    /// The entries about a user that set or ended a key, the newest first.
    pub(super) fn key_history(head: &Tenant, mut fields: Fields) -> Outcome {
        let named = fields.take_str("user")?;
        fields.finish()?;
        let user = find(&head.registry, &named)?;
        let state = head
            .chronicle
            .log()
            .subject(&Handle(user.handle))
            .ok_or(Refusal::Internal)?;
        let (mut index, mut version) = (Some(state.last), state.key_version);
        let mut entries = Vec::new();
        while let Some(at) = index
            && entries.len() < HISTORY_MAX
        {
            let entry = entry_at(head, at).ok_or(Refusal::Internal)?;
            let sets = entry.key_commit != chancery_directory::Digest::ZERO;
            if sets || entry.kind == EntryType::KeyDestroyed {
                let current = sets && version == user.proof.key_version;
                entries.push(Value::from(
                    Object::new()
                        .with("index", entry.index)
                        .with("time_ms", entry.time_ms)
                        .with("kind", alloc::format!("{:?}", entry.kind))
                        .with("state", alloc::format!("{:?}", entry.new_state))
                        .with("key_version", u64::from(version))
                        .with(
                            "fingerprint",
                            if current {
                                hex::encode(user.custody.fingerprint()).into()
                            } else {
                                Value::Null
                            },
                        ),
                ));
            }
            version = version.saturating_sub(u32::from(sets));
            index = (entry.prev_subject != u64::MAX).then_some(entry.prev_subject);
        }
        document(Object::new().with("entries", entries))
    }

    /// What the service says now of users and groups, in order of creation.
    pub(super) fn read_directory(head: &Tenant, mut fields: Fields) -> Outcome {
        let after = fields.take_u64("after")?;
        let count = fields.take_u64("count")?.clamp(1, RESOURCES_MAX);
        fields.finish()?;
        document(directory(&head.registry, after, count)?)
    }
}

/// `after` is the sequence number from which on resources are shown.
fn directory(registry: &Registry, after: u64, count: u64) -> Result<Object, Refusal> {
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    let (mut users, mut groups) = (Vec::new(), Vec::new());
    let mut next = None;
    let mut shown_users = registry.users().in_order_since(after);
    let mut shown_groups = registry.groups().in_order_since(after).peekable();
    let mut user = shown_users.next();
    while users.len().saturating_add(groups.len()) < limit {
        let group_first = match (user, shown_groups.peek()) {
            (None, None) => break,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (Some(user), Some(group)) => group.sequence < user.sequence,
        };
        if group_first {
            if let Some(group) = shown_groups.next() {
                groups.push(Value::from(listed_group(registry, group)?));
            }
        } else if let Some(found) = user {
            users.push(Value::from(
                brief(found)?
                    .with("sequence", found.sequence)
                    .with("fingerprint", hex::encode(found.custody.fingerprint())),
            ));
            user = shown_users.next();
        }
    }
    let waiting = [
        user.map(|user| user.sequence),
        shown_groups.peek().map(|group| group.sequence),
    ];
    for sequence in waiting.into_iter().flatten() {
        next = Some(next.map_or(sequence, |least: u64| least.min(sequence)));
    }
    Ok(Object::new()
        .with("users", users)
        .with("groups", groups)
        .with("next", next.map_or(Value::Null, Value::from)))
}

fn listed_group(registry: &Registry, group: &crate::resource::Group) -> Result<Object, Refusal> {
    let document = chancery_scim::GroupDocument::from_canonical(&group.document)?;
    let members: Vec<Value> = registry
        .members(group.id)
        .filter(|user| registry.holds_keys(group.id, *user))
        .filter_map(|user| registry.users().get(user))
        .map(|user| hex::encode(user.handle).into())
        .collect();
    let epoch = registry.epochs(group.id).last();
    Ok(Object::new()
        .with("id", group.id.text())
        .with("handle", hex::encode(group.handle))
        .with("name", document.display_name())
        .with("epoch", epoch.map_or(0, |epoch| u64::from(epoch.number)))
        .with(
            "fingerprint",
            epoch.map_or(Value::Null, |epoch| hex::encode(epoch.fingerprint).into()),
        )
        .with("members", members))
}

fn brief(user: &User) -> Result<Object, Refusal> {
    Ok(Object::new()
        .with("id", user.id.text())
        .with("handle", hex::encode(user.handle))
        .with("user_name", user_name(user)?)
        .with("state", state_name(user)))
}

fn wanted(head: &Tenant, subject: ProofSubject, about: Object) -> Outcome {
    Ok((
        None,
        Answer::Wanted(Box::new(ProofWanted {
            tenant: head.secrets.id(),
            subject,
            about,
        })),
    ))
}

fn entry_at(head: &Tenant, index: u64) -> Option<Entry> {
    let bytes = head.chronicle.leaves(index, 1).next()?;
    Entry::decode(bytes).ok()
}

/// One line of the log: the leaf itself, and in words what the runtime knows of it.
fn logged(head: &Tenant, index: u64) -> Option<Object> {
    let bytes = head.chronicle.leaves(index, 1).next()?;
    let object = match TenantLeaf::decode(bytes).ok()? {
        TenantLeaf::Entry(entry) => {
            let (origin, credential) = head.chronicle.basis(index)?;
            let object = Object::new()
                .with("index", entry.index)
                .with("time_ms", entry.time_ms)
                .with("kind", alloc::format!("{:?}", entry.kind))
                .with("subject", alloc::format!("{}", entry.subject))
                .with(
                    "subject_name",
                    name_of(head, &entry).map_or(Value::Null, Value::from),
                )
                .with("state", alloc::format!("{:?}", entry.new_state))
                .with("actor", alloc::format!("{}", entry.actor))
                .with("origin", origin_name(origin));
            with_authority(head, &entry, credential, object)
        }
        TenantLeaf::StateRoot(root) => Object::new()
            .with("index", root.index)
            .with("time_ms", root.time_ms)
            .with("kind", "StateRoot")
            .with("entries", u64::from(root.entries))
            .with("dir_root", alloc::format!("{}", root.dir_root)),
    };
    Some(object.with("leaf", Base64::encode_string(bytes)))
}

fn with_authority(head: &Tenant, entry: &Entry, credential: [u8; 32], object: Object) -> Object {
    let granted = head
        .registry
        .delegations()
        .iter()
        .find(|granted| granted.handle == entry.actor.0);
    let (serial, hash) = granted.map_or((Value::Null, Value::Null), |granted| {
        (
            granted.delegation.delegation().serial.into(),
            hex::encode(granted.delegation.hash()).into(),
        )
    });
    let known = head.registry.credential(&credential);
    object
        .with("delegation", serial)
        .with("delegation_hash", hash)
        .with(
            "credential_label",
            known.map_or(Value::Null, |known| (&*known.label).into()),
        )
        .with(
            "credential",
            known.map_or(Value::Null, |known| hex::encode(known.handle).into()),
        )
}

/// What the subject of an entry is called now; nothing for what is gone.
fn name_of(head: &Tenant, entry: &Entry) -> Option<String> {
    let registry = &head.registry;
    if let Some(user) = registry.user_of_handle(&entry.subject.0) {
        return user_name(user).ok();
    }
    if let Some(group) = registry.group_of_handle(&entry.subject.0) {
        let document = chancery_scim::GroupDocument::from_canonical(&group.document).ok()?;
        return Some(String::from(document.display_name()));
    }
    if let Some(credential) = registry.credential(&entry.subject.0) {
        return Some(String::from(&*credential.label));
    }
    registry
        .delegations()
        .iter()
        .find(|granted| granted.handle == entry.subject.0)
        .map(|granted| alloc::format!("delegation {}", granted.delegation.delegation().serial))
}

const fn origin_name(origin: chancery_directory::Origin) -> &'static str {
    use chancery_directory::Origin as O;
    match origin {
        O::Credential => "credential",
        O::Admins => "admins",
        O::Member => "member",
        O::Claim => "claim",
        O::ConfirmedClaim => "confirmed claim",
        O::Runtime => "runtime",
    }
}
