//! Index keys of stored documents.

use alloc::sync::Arc;

use chancery_scim::{GroupDocument, GroupKeys, UserDocument, UserKeys};

use crate::resource::IndexKeys;

/// Index keys of a user's document; none if the bytes are no document of ours.
#[must_use]
pub(crate) fn of_user(document: &[u8]) -> Option<IndexKeys> {
    UserDocument::from_canonical(document)
        .ok()
        .map(|parsed| user_keys(parsed.keys()))
}

/// Index keys of a group's document; none if the bytes are no document of ours.
#[must_use]
pub(crate) fn of_group(document: &[u8]) -> Option<IndexKeys> {
    GroupDocument::from_canonical(document)
        .ok()
        .map(|parsed| group_keys(parsed.keys()))
}

/// Index keys of a parsed user.
#[must_use]
pub(crate) fn user_keys(keys: &UserKeys) -> IndexKeys {
    let display_name: Option<Arc<str>> = keys
        .display_name
        .as_ref()
        .map(|name| Arc::from(name.as_str()));
    let display = keys.display.as_deref().map(|text| match &display_name {
        Some(folded) if **folded == *text => Arc::clone(folded),
        _ => Arc::from(text),
    });
    IndexKeys {
        user_name: Arc::from(keys.user_name.as_str()),
        external_id: keys.external_id.as_deref().map(Arc::from),
        emails: keys
            .emails
            .iter()
            .map(|email| Arc::from(email.as_str()))
            .collect(),
        display_name,
        display,
    }
}

/// Index keys of a parsed group.
#[must_use]
pub(crate) fn group_keys(keys: &GroupKeys) -> IndexKeys {
    IndexKeys {
        user_name: Arc::from(""),
        external_id: keys.external_id.as_deref().map(Arc::from),
        emails: alloc::vec::Vec::new(),
        display_name: Some(Arc::from(keys.display_name.as_str())),
        display: None,
    }
}
