//! Resources as an identity provider sees them.

use std::sync::Arc;

use chancery_engine::{Group, Registry, ResourceId, User, version_text};
use chancery_scim::{
    Error, GroupDocument, GroupRef, MemberView, Meta, Projection, ResourceKind, render_group,
    render_user,
};
use ring::digest::{Context, SHA256};

/// Bytes of the digest in an entity tag.
const TAG_DIGEST_BYTES: usize = 8;

/// A tag's content: a version, and after it a digest of what is shown beside the resource's own content, if
/// there is any. Other resources may change that without changing the version; `If-Match` looks at the
/// version alone.
pub(crate) fn tag(version: u64, related: &str) -> String {
    let version = version_text(version);
    if related.is_empty() {
        version
    } else {
        format!("{version}.{related}")
    }
}

/// The digest of what is shown beside a resource; empty if that is nothing.
pub(crate) fn digest(related: impl Iterator<Item = (ResourceId, u64)>) -> String {
    let mut digest = Context::new(&SHA256);
    let mut is_alone = true;
    for (id, version) in related {
        is_alone = false;
        digest.update(id.as_bytes());
        digest.update(&version.to_be_bytes());
    }
    if is_alone {
        return String::new();
    }
    let digest = digest.finish();
    let short = digest.as_ref().get(..TAG_DIGEST_BYTES).unwrap_or_default();
    hex::encode(short)
}

/// The digest of what is shown beside a resource if everything is shown.
pub(crate) fn related(registry: &Registry, kind: ResourceKind, id: ResourceId) -> String {
    match kind {
        ResourceKind::User => digest(
            registry
                .groups_of(id)
                .map(|group| (group.id, group.version)),
        ),
        ResourceKind::Group => {
            let members = registry.members(id);
            let members = members.filter_map(|id| registry.users().get(id));
            digest(members.map(|user| (user.id, user.version)))
        }
    }
}

/// The part of a tag that writes are made conditional on.
pub(crate) fn own_version(tag: &str) -> &str {
    tag.split_once('.').map_or(tag, |(version, _)| version)
}

/// The entity tag's content for what is shown of a user: it changes when its groups do.
pub(crate) fn user_version(registry: &Registry, user: &User, projection: &Projection) -> String {
    if projection.shows("groups") {
        tag(
            user.version,
            &related(registry, ResourceKind::User, user.id),
        )
    } else {
        version_text(user.version)
    }
}

/// The entity tag's content for what is shown of a group: it changes when its members do.
pub(crate) fn group_version(registry: &Registry, group: &Group, projection: &Projection) -> String {
    if projection.shows("members") {
        tag(
            group.version,
            &related(registry, ResourceKind::Group, group.id),
        )
    } else {
        version_text(group.version)
    }
}

pub(crate) fn location(base: &str, kind: ResourceKind, id: ResourceId) -> String {
    chancery_scim::location(base, kind, &id.text())
}

pub(crate) fn user(
    base: &str,
    registry: &Registry,
    user: &User,
    projection: &Projection,
    version: &str,
) -> Result<Vec<u8>, Error> {
    let groups: Vec<(String, String, String)> = if projection.shows("groups") {
        registry
            .groups_of(user.id)
            .map(|group| {
                let name = GroupDocument::from_canonical(&group.document)
                    .map(|document| String::from(document.display_name()));
                let uri = location(base, ResourceKind::Group, group.id);
                name.map(|name| (group.id.text(), name, uri))
            })
            .collect::<Result<_, _>>()?
    } else {
        Vec::new()
    };
    let groups: Vec<GroupRef<'_>> = groups
        .iter()
        .map(|(value, display, reference)| GroupRef {
            value,
            display,
            reference,
        })
        .collect();
    let meta = Meta {
        id: &user.id.text(),
        created_ms: user.created_ms,
        last_modified_ms: user.modified_ms,
        version,
        location: &location(base, ResourceKind::User, user.id),
    };
    render_user(&user.document, &meta, &groups, projection)
}

pub(crate) fn group(
    base: &str,
    registry: &Registry,
    group: &Group,
    projection: &Projection,
    version: &str,
) -> Result<Vec<u8>, Error> {
    let members: Vec<(String, Arc<User>, String)> = if projection.shows("members") {
        registry
            .members(group.id)
            .filter_map(|id| registry.users().get(id))
            .map(|user| {
                let uri = location(base, ResourceKind::User, user.id);
                (user.id.text(), Arc::clone(user), uri)
            })
            .collect()
    } else {
        Vec::new()
    };
    let members = members.iter().map(|(value, user, reference)| MemberView {
        value,
        kind: ResourceKind::User,
        display: user.keys.display.as_deref(),
        reference,
    });
    let meta = Meta {
        id: &group.id.text(),
        created_ms: group.created_ms,
        last_modified_ms: group.modified_ms,
        version,
        location: &location(base, ResourceKind::Group, group.id),
    };
    render_group(&group.document, &meta, members, projection)
}
