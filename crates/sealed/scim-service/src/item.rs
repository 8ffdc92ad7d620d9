//! A resource of either type, as lists hold it.

use std::sync::Arc;

use chancery_engine::{Group, Registry, ResourceId, User};
use chancery_scim::{Error, GroupDocument, Projection, ResourceKind, ResourceView, UserDocument};

use crate::rendered;

#[derive(Clone, Debug)]
pub(crate) enum Item {
    User(Arc<User>),
    Group(Arc<Group>),
}

impl Item {
    pub(crate) const fn kind(&self) -> ResourceKind {
        match self {
            Self::User(_) => ResourceKind::User,
            Self::Group(_) => ResourceKind::Group,
        }
    }

    /// Bytes of its document.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::User(user) => user.document.len(),
            Self::Group(group) => group.document.len(),
        }
    }

    pub(crate) fn id(&self) -> ResourceId {
        match self {
            Self::User(user) => user.id,
            Self::Group(group) => group.id,
        }
    }

    /// Order of creation; no two resources of a tenant share a number.
    pub(crate) fn sequence(&self) -> u64 {
        match self {
            Self::User(user) => user.sequence,
            Self::Group(group) => group.sequence,
        }
    }

    /// Runs `test` on the resource as filters see it.
    pub(crate) fn viewed<T>(
        &self,
        registry: &Registry,
        test: impl FnOnce(&ResourceView<'_>) -> T,
    ) -> Result<T, Error> {
        match self {
            Self::User(user) => {
                let document = UserDocument::from_canonical(&user.document)?;
                let in_group = |text: &str| {
                    ResourceId::parse(text).is_some_and(|group| registry.is_member(group, user.id))
                };
                let groups = registry.groups_of(user.id).next().map_or(0, |_some| 1);
                let (id, times) = (user.id.text(), (user.created_ms, user.modified_ms));
                Ok(test(&ResourceView::user(
                    &document, &id, times, &in_group, groups,
                )))
            }
            Self::Group(group) => {
                let document = GroupDocument::from_canonical(&group.document)?;
                let has_member = |text: &str| {
                    ResourceId::parse(text).is_some_and(|user| registry.is_member(group.id, user))
                };
                let members = registry.members(group.id).next().map_or(0, |_some| 1);
                let (id, times) = (group.id.text(), (group.created_ms, group.modified_ms));
                Ok(test(&ResourceView::group(
                    &document,
                    &id,
                    times,
                    &has_member,
                    members,
                )))
            }
        }
    }

    /// The resource as it is shown.
    pub(crate) fn rendered(
        &self,
        base: &str,
        registry: &Registry,
        projection: &Projection,
    ) -> Result<Vec<u8>, Error> {
        match self {
            Self::User(user) => {
                let version = rendered::user_version(registry, user, projection);
                rendered::user(base, registry, user, projection, &version)
            }
            Self::Group(group) => {
                let version = rendered::group_version(registry, group, projection);
                rendered::group(base, registry, group, projection, &version)
            }
        }
    }
}
