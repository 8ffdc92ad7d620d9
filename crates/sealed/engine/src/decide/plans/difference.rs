//! What a plan changes: the directory as it is beside the directory as it would be.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_json::{Object, Value};
use chancery_scim::GroupDocument;

use super::name_of;
use crate::decide::authority::open_account;
use crate::id::ResourceId;
use crate::registry::{Plan, Registry};
use crate::resource::{Group, User};

/// Active users within automation's reach whom the identity provider has neither found nor named.
pub(super) fn unmatched<'a>(
    registry: &'a Registry,
    plan: &'a Plan,
    now_ms: u64,
) -> impl Iterator<Item = &'a Arc<User>> {
    registry.users().in_order().filter(move |user| {
        let stays = plan.shadow().users().get(user.id);
        user.active
            && stays.is_some_and(|planned| planned.active)
            && !plan.is_matched(user.id)
            && registry
                .in_force(now_ms)
                .any(|granted| open_account(&granted.delegation, &user.keys.user_name).is_ok())
    })
}

/// Adds the difference that a registry's plan makes, each list in order of its names.
pub(super) fn between(registry: &Registry, now_ms: u64, shown: Object) -> Object {
    let empty = Vec::new;
    let Some(plan) = registry.plan() else {
        let lists = [
            "invited",
            "matched",
            "suspended",
            "unmatched",
            "restored",
            "deleted",
            "changed",
            "renamed",
            "regrouped",
        ];
        return lists
            .into_iter()
            .fold(shown, |shown, list| shown.with(list, empty()));
    };
    let shadow = plan.shadow();
    let mut users = Users::default();
    for user in registry.users().in_order() {
        users.compare(plan, user, shadow.users().get(user.id));
    }
    let is_new = |user: &&Arc<User>| registry.users().get(user.id).is_none();
    users.invited = shadow
        .users()
        .in_order()
        .filter(is_new)
        .map(name_of)
        .collect();
    users.unmatched = unmatched(registry, plan, now_ms).map(name_of).collect();
    let groups = Groups::between(registry, shadow);
    let renamed = users.renamed.iter().map(|(old, new)| (*old, *new));
    let renamed: BTreeSet<(&str, &str)> = renamed
        .chain(groups.renamed.iter().map(|(old, new)| (&**old, &**new)))
        .collect();
    let renamed: Vec<Value> = renamed
        .into_iter()
        .map(|(old, new)| Value::from(alloc::vec![Value::from(old), Value::from(new)]))
        .collect();
    shown
        .with("invited", names(&users.invited))
        .with("matched", names(&users.matched))
        .with("suspended", names(&users.suspended))
        .with("unmatched", names(&users.unmatched))
        .with("restored", names(&users.restored))
        .with("deleted", names(&users.deleted))
        .with("changed", names(&users.changed))
        .with("renamed", renamed)
        .with("regrouped", groups.regrouped)
}

fn names(names: &BTreeSet<&str>) -> Vec<Value> {
    names.iter().map(|name| Value::from(*name)).collect()
}

/// Users by what would become of them.
#[derive(Default)]
struct Users<'a> {
    invited: BTreeSet<&'a str>,
    matched: BTreeSet<&'a str>,
    suspended: BTreeSet<&'a str>,
    unmatched: BTreeSet<&'a str>,
    restored: BTreeSet<&'a str>,
    deleted: BTreeSet<&'a str>,
    changed: BTreeSet<&'a str>,
    renamed: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Users<'a> {
    fn compare(&mut self, plan: &Plan, user: &'a Arc<User>, planned: Option<&'a Arc<User>>) {
        let name = name_of(user);
        if plan.is_matched(user.id) {
            self.matched.insert(name);
        }
        let Some(planned) = planned else {
            self.deleted.insert(name);
            return;
        };
        match (user.active, planned.active) {
            (true, false) => {
                self.suspended.insert(name);
            }
            (false, true) => {
                self.restored.insert(name);
            }
            (true, true) | (false, false) => {}
        }
        if name_of(planned) != name {
            self.renamed.insert((name, name_of(planned)));
        }
        if user.document != planned.document && !is_activity_alone(user, planned) {
            self.changed.insert(name);
        }
    }
}

fn is_activity_alone(user: &User, planned: &User) -> bool {
    let parse = chancery_scim::UserDocument::from_canonical;
    match (parse(&user.document), parse(&planned.document)) {
        (Ok(before), Ok(after)) => before.with_active(planned.active) == after,
        _ => false,
    }
}

/// Groups whose name or members would change.
struct Groups {
    renamed: Vec<(String, String)>,
    regrouped: Vec<Value>,
}

impl Groups {
    fn between(registry: &Registry, shadow: &Registry) -> Self {
        let ids: BTreeSet<ResourceId> = [registry, shadow]
            .into_iter()
            .flat_map(|directory| directory.groups().in_order())
            .map(|group| group.id)
            .collect();
        let mut renamed = Vec::new();
        let mut by_name = BTreeMap::new();
        for id in ids {
            let (now, planned) = (registry.groups().get(id), shadow.groups().get(id));
            let Some(name) = planned.or(now).map(display_name) else {
                continue;
            };
            if let (Some(now), Some(_)) = (now, planned)
                && display_name(now) != name
            {
                renamed.push((display_name(now), name.clone()));
            }
            let members = |directory: &Registry| -> BTreeSet<ResourceId> {
                let counts = |member: &ResourceId| directory.holds_keys(id, *member);
                directory.members(id).filter(counts).collect()
            };
            let (before, after) = (members(registry), members(shadow));
            if before == after && now.is_some() == planned.is_some() {
                continue;
            }
            let added = listed(shadow, after.difference(&before));
            let removed = listed(registry, before.difference(&after));
            let change = Object::new()
                .with("group", name.as_str())
                .with("added", added)
                .with("removed", removed);
            by_name.insert((name, id), Value::Object(change));
        }
        Self {
            renamed,
            regrouped: by_name.into_values().collect(),
        }
    }
}

fn listed<'a>(directory: &Registry, members: impl Iterator<Item = &'a ResourceId>) -> Vec<Value> {
    let found: BTreeSet<&str> = members
        .filter_map(|id| directory.users().get(*id))
        .map(name_of)
        .collect();
    names(&found)
}

fn display_name(group: &Arc<Group>) -> String {
    GroupDocument::from_canonical(&group.document)
        .map(|document| String::from(document.display_name()))
        .unwrap_or_default()
}
