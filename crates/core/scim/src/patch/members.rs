//! Operations on the members of a group become changes to a set.

use alloc::string::String;
use alloc::vec::Vec;

use chancery_json::Value;

use super::edit::{Target, missing_value};
use super::{Fault, Part, Verb, in_value};
use crate::error::Error;
use crate::filter::{Node, id_set};
use crate::group::{MemberChange, MemberRef, member_refs};

pub(super) fn change(
    changes: &mut Vec<MemberChange>,
    verb: Verb,
    target: &Target,
    value: Option<Value>,
) -> Result<(), Fault> {
    let selected = target.filter.as_ref().map(selected_ids).transpose()?;
    if target.sub.is_some() {
        // RFC 7643 section 4.2: the sub-attributes of members are immutable.
        let reason = "a member is added or removed as a whole";
        return Err((Error::mutability(reason), Some(Part::Path)));
    }
    let change = match (verb, selected) {
        (Verb::Remove, Some(ids)) => MemberChange::Remove(ids),
        (Verb::Remove, None) => return remove(changes, value),
        (Verb::Add, Some(ids)) => {
            let member = |value| MemberRef { value, kind: None };
            MemberChange::Add(ids.into_iter().map(member).collect())
        }
        (Verb::Replace, Some(_)) => {
            let reason = "a member is added or removed as a whole";
            return Err((Error::mutability(reason), Some(Part::Path)));
        }
        (Verb::Add, None) => {
            let members = listed(value)?;
            if members.is_empty() {
                return Ok(());
            }
            MemberChange::Add(members)
        }
        (Verb::Replace, None) => match listed(value)? {
            members if members.is_empty() => MemberChange::Clear,
            members => MemberChange::ReplaceAll(members),
        },
    };
    changes.push(change);
    Ok(())
}

fn listed(value: Option<Value>) -> Result<Vec<MemberRef>, Fault> {
    let value = value.ok_or_else(|| in_value(missing_value()))?;
    member_refs(value).map_err(in_value)
}

/// With a value, only the listed members leave; without one, all do (RFC 7644 section 3.5.2.2).
/// The former is what Entra ID, authentik and rauthy mean.
fn remove(changes: &mut Vec<MemberChange>, value: Option<Value>) -> Result<(), Fault> {
    match value {
        None | Some(Value::Null) => changes.push(MemberChange::Clear),
        Some(value) => {
            let ids: Vec<String> = member_refs(value)
                .map_err(in_value)?
                .into_iter()
                .map(|member| member.value)
                .collect();
            if ids.is_empty() {
                let expected = "an empty list removes nothing; leave value out to remove all";
                return Err(in_value(Error::value(expected)));
            }
            changes.push(MemberChange::Remove(ids));
        }
    }
    Ok(())
}

fn selected_ids(node: &Node) -> Result<Vec<String>, Fault> {
    let ids = id_set(node).ok_or_else(|| {
        let expected = "members are selected by value eq alone";
        (
            Error::Path {
                pointer: String::new(),
                expected,
            },
            Some(Part::Path),
        )
    })?;
    Ok(ids.into_iter().map(String::from).collect())
}
