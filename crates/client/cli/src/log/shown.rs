//! What the service says now of users and groups, in the form in which an audit compares it.

use std::collections::BTreeMap;

use chancery_audit::{Shown, ShownGroup, ShownUser};
use chancery_directory::{Handle, SubjectState};
use chancery_json::{Object, Value};

use crate::api::{number, text, texts};
use crate::error::CliError;
use crate::log::lines::shortened;

/// The directory, as it was answered.
pub(super) fn shown(users: &[Object], groups: &[Object]) -> Result<Shown, CliError> {
    Ok(Shown {
        users: users.iter().map(user).collect::<Result<_, _>>()?,
        groups: groups.iter().map(group).collect::<Result<_, _>>()?,
    })
}

/// Names for people, by the beginning of the handle. Nothing is concluded from them.
pub(super) fn names(users: &[Object], groups: &[Object]) -> BTreeMap<String, String> {
    let named = |object: &Object, member| {
        let handle = object.get("handle").and_then(Value::as_str)?;
        let name = object.get(member).and_then(Value::as_str)?;
        Some((shortened(handle), name.to_owned()))
    };
    let users = users.iter().filter_map(|user| named(user, "user_name"));
    let groups = groups.iter().filter_map(|group| named(group, "name"));
    users.chain(groups).collect()
}

fn user(user: &Object) -> Result<ShownUser, CliError> {
    Ok(ShownUser {
        handle: Handle(bytes(user, "handle")?),
        user_name: text(user, "user_name")?.to_owned(),
        state: state(text(user, "state")?)?,
        fingerprint: bytes(user, "fingerprint")?,
    })
}

/// A state by its word, with or without marks between the parts.
fn state(word: &str) -> Result<SubjectState, CliError> {
    let plain = word.replace('_', "");
    let known = SubjectState::ALL
        .iter()
        .find(|state| format!("{state:?}").eq_ignore_ascii_case(&plain));
    known
        .copied()
        .ok_or(CliError::AnswerUnexpected { what: "state" })
}

fn group(group: &Object) -> Result<ShownGroup, CliError> {
    let epoch = number(group, "epoch")?;
    Ok(ShownGroup {
        handle: Handle(bytes(group, "handle")?),
        epoch: u32::try_from(epoch)
            .map_err(|_large| CliError::AnswerUnexpected { what: "epoch" })?,
        // A group that has had no key yet has no fingerprint either.
        fingerprint: match group.get("fingerprint") {
            Some(Value::Null) => [0; 32],
            _ => bytes(group, "fingerprint")?,
        },
        members: texts(group, "members")?
            .iter()
            .map(|member| decoded(member, "members").map(Handle))
            .collect::<Result<_, _>>()?,
    })
}

fn bytes(object: &Object, name: &'static str) -> Result<[u8; 32], CliError> {
    decoded(text(object, name)?, name)
}

fn decoded(text: &str, name: &'static str) -> Result<[u8; 32], CliError> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|_form| CliError::AnswerUnexpected { what: name })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> Object {
        Object::new()
            .with("id", "u1")
            .with("handle", "ab".repeat(32))
            .with("user_name", "ann@demo.example")
            .with("state", "suspended_confirmed")
            .with("sequence", 7_u64)
            .with("fingerprint", "cd".repeat(32))
    }

    fn finance() -> Object {
        Object::new()
            .with("id", "g1")
            .with("handle", "ef".repeat(32))
            .with("name", "Finance")
            .with("epoch", 3_u64)
            .with("fingerprint", "01".repeat(32))
            .with("members", vec![Value::from("ab".repeat(32))])
    }

    #[test]
    fn reads_users_and_groups_as_they_are_answered() {
        let shown = shown(&[ann()], &[finance()]).unwrap();
        assert_eq!(shown.users[0].handle, Handle([0xab; 32]));
        assert_eq!(shown.users[0].state, SubjectState::SuspendedConfirmed);
        assert_eq!(shown.users[0].fingerprint, [0xcd; 32]);
        assert_eq!(shown.groups[0].epoch, 3);
        assert_eq!(shown.groups[0].members, [Handle([0xab; 32])]);
        for word in ["SuspendedConfirmed", "suspended_confirmed"] {
            assert_eq!(state(word).unwrap(), SubjectState::SuspendedConfirmed);
        }
        let keyless = finance().with("fingerprint", Value::Null);
        assert_eq!(group(&keyless).unwrap().fingerprint, [0; 32]);
        let names = names(&[ann()], &[finance()]);
        assert_eq!(names["abababababab"], "ann@demo.example");
        assert_eq!(names["efefefefefef"], "Finance");
    }

    #[test]
    fn refuses_what_it_cannot_compare() {
        for (name, value) in [("handle", "xy"), ("state", "asleep"), ("fingerprint", "00")] {
            assert!(user(&ann().with(name, value)).is_err(), "{name}");
        }
        assert!(group(&finance().with("epoch", u64::MAX)).is_err());
        let strangers = finance().with("members", vec![Value::from("zz")]);
        assert!(group(&strangers).is_err());
        let mut nameless = ann();
        nameless.remove("user_name");
        assert!(user(&nameless).is_err());
    }
}
