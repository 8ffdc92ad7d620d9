//! What the service answers to members, read and not believed.

use base64ct::{Base64, Encoding as _};
use chancery_json::{Object, Value};
use chancery_keyset::{Fingerprint, PublicKeyset, Wrap};

use super::error::MemberError;
use super::home::digits;
use crate::api::{list, number, text};
use crate::error::CliError;

/// An account as `member.show` tells it.
#[derive(Debug)]
pub(crate) struct Account {
    /// The SCIM id.
    pub(crate) id: String,
    /// The handle in the log.
    pub(crate) handle: [u8; 32],
    /// The userName.
    pub(crate) user_name: String,
    /// The state's word.
    pub(crate) state: String,
    /// The claimed keys, if there are any.
    pub(crate) keys: Option<AccountKeys>,
    /// The devices.
    pub(crate) devices: Vec<Device>,
    /// The groups: id, name, epoch.
    pub(crate) groups: Vec<(String, String, u64)>,
}

/// An account's claimed keys.
#[derive(Debug)]
pub(crate) struct AccountKeys {
    /// The public keyset.
    pub(crate) public: PublicKeyset,
    /// Which one it is.
    pub(crate) key_version: u64,
}

/// One device of an account.
#[derive(Debug)]
pub(crate) struct Device {
    /// Its keyset's fingerprint.
    pub(crate) id: Fingerprint,
    /// How the member calls it.
    pub(crate) name: String,
    /// When it came in.
    pub(crate) added_ms: u64,
    /// The account's seed, wrapped to it, if that is kept.
    pub(crate) wrap: Option<Wrap>,
    /// Its public keyset, of the fingerprint `id`.
    pub(crate) public: PublicKeyset,
}

/// What a lookup brought.
#[derive(Debug)]
pub(crate) enum Found {
    /// Somebody.
    User(FoundUser),
    /// Nobody, with the text of the proof that the name is free.
    Nobody(String),
}

/// Whom a lookup found.
#[derive(Debug)]
pub(crate) struct FoundUser {
    /// The SCIM id.
    pub(crate) id: String,
    /// The userName.
    pub(crate) user_name: String,
    /// The handle in the log.
    pub(crate) handle: [u8; 32],
    /// The proof's text.
    pub(crate) proof: String,
}

/// A group's key as it is handed out.
#[derive(Debug)]
pub(crate) struct HandedKey {
    /// The group's id.
    pub(crate) group: String,
    /// The group's name.
    pub(crate) name: String,
    /// The group's handle in the log.
    pub(crate) handle: [u8; 32],
    /// The epoch.
    pub(crate) epoch: u64,
    /// Index of the entry that began the epoch.
    pub(crate) index: u64,
    /// The epoch's public keyset.
    pub(crate) public: PublicKeyset,
    /// The epoch's seed, wrapped to the member's account.
    pub(crate) wrap: Wrap,
}

impl Account {
    /// Reads the answer of `member.show`.
    pub(crate) fn read(answer: &Object) -> Result<Self, CliError> {
        let keys = match answer.get("account") {
            Some(Value::Null) => None,
            Some(Value::Object(keys)) => Some(AccountKeys::read(keys)?),
            _ => return Err(CliError::AnswerUnexpected { what: "account" }),
        };
        let objects = |name: &'static str| -> Result<Vec<&Object>, CliError> {
            list(answer, name)?
                .iter()
                .map(|value| {
                    let object = value.as_object();
                    object.ok_or(CliError::AnswerUnexpected { what: name })
                })
                .collect()
        };
        Ok(Self {
            id: text(answer, "id")?.to_owned(),
            handle: handle(answer)?,
            user_name: text(answer, "user_name")?.to_owned(),
            state: text(answer, "state")?.to_owned(),
            keys,
            devices: objects("devices")?
                .into_iter()
                .map(Device::read)
                .collect::<Result<_, _>>()?,
            groups: objects("groups")?
                .into_iter()
                .map(|group| {
                    Ok((
                        text(group, "id")?.to_owned(),
                        text(group, "name")?.to_owned(),
                        number(group, "epoch")?,
                    ))
                })
                .collect::<Result<_, CliError>>()?,
        })
    }
}

impl AccountKeys {
    fn read(keys: &Object) -> Result<Self, CliError> {
        let public = keyset(keys, "public")?;
        if fingerprint(keys, "fingerprint")? != public.fingerprint() {
            return Err(CliError::AnswerUnexpected {
                what: "a fingerprint of another key",
            });
        }
        Ok(Self {
            public,
            key_version: number(keys, "key_version")?,
        })
    }
}

impl Device {
    fn read(device: &Object) -> Result<Self, CliError> {
        let (id, public) = (fingerprint(device, "id")?, keyset(device, "public")?);
        if public.fingerprint() != id {
            return Err(CliError::AnswerUnexpected {
                what: "a device of another key",
            });
        }
        Ok(Self {
            id,
            public,
            name: text(device, "name")?.to_owned(),
            added_ms: number(device, "added_ms")?,
            wrap: match device.get("wrap") {
                Some(Value::Null) => None,
                _ => Some(wrap(device)?),
            },
        })
    }
}

impl Found {
    /// Reads the answer of `keys.lookup`.
    pub(crate) fn read(answer: &Object) -> Result<Self, CliError> {
        let user = match answer.get("user") {
            Some(Value::Null) => return Ok(Self::Nobody(text(answer, "proof")?.to_owned())),
            Some(Value::Object(user)) => user,
            _ => return Err(CliError::AnswerUnexpected { what: "user" }),
        };
        Ok(Self::User(FoundUser {
            id: text(user, "id")?.to_owned(),
            user_name: text(user, "user_name")?.to_owned(),
            handle: handle(user)?,
            proof: text(answer, "proof")?.to_owned(),
        }))
    }
}

impl HandedKey {
    /// Reads the answer of `group.key`.
    pub(crate) fn read(answer: &Object) -> Result<Self, CliError> {
        Ok(Self {
            group: text(answer, "group")?.to_owned(),
            name: text(answer, "name")?.to_owned(),
            handle: handle(answer)?,
            epoch: number(answer, "epoch")?,
            index: number(answer, "index")?,
            public: keyset(answer, "public")?,
            wrap: wrap(answer)?,
        })
    }
}

/// The `handle` of an answer.
pub(crate) fn handle(answer: &Object) -> Result<[u8; 32], CliError> {
    let what = "handle";
    digits(text(answer, what)?).ok_or(CliError::AnswerUnexpected { what })
}

/// Base64 in an answer.
pub(crate) fn bytes(answer: &Object, name: &'static str) -> Result<Vec<u8>, CliError> {
    Base64::decode_vec(text(answer, name)?)
        .map_err(|_not_base64| CliError::AnswerUnexpected { what: name })
}

fn fingerprint(answer: &Object, name: &'static str) -> Result<Fingerprint, CliError> {
    let digits = digits(text(answer, name)?);
    let bytes = digits.ok_or(CliError::AnswerUnexpected { what: name })?;
    Ok(Fingerprint::from_bytes(bytes))
}

fn keyset(answer: &Object, name: &'static str) -> Result<PublicKeyset, CliError> {
    PublicKeyset::decode(&bytes(answer, name)?)
        .map_err(|_no_keyset| CliError::AnswerUnexpected { what: name })
}

fn wrap(answer: &Object) -> Result<Wrap, CliError> {
    Wrap::decode(&bytes(answer, "wrap")?)
        .map_err(|_no_wrap| CliError::AnswerUnexpected { what: "wrap" })
}

/// Says plainly that the service refuses `what`, if it does.
pub(crate) fn access(error: CliError, what: &'static str) -> CliError {
    match error {
        CliError::Refused {
            status: 401 | 403 | 404,
            ..
        } => MemberError::AccessRefused { what }.into(),
        other => other,
    }
}
