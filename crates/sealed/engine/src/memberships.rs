//! Which groups each user is a member of.

use alloc::vec::Vec;

use crate::id::ResourceId;
use crate::table::Table;

/// Up to so many groups of a user take no more room than they need.
const FEW: usize = 8;

/// Groups by user: whoever shows a user asks for them, so that they are found in as few steps as the user.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memberships(Table<Vec<ResourceId>>);

impl Memberships {
    /// The groups of a user, in order of their ids.
    pub(crate) fn of(&self, user: ResourceId) -> &[ResourceId] {
        self.0.get(user).map_or(&[], Vec::as_slice)
    }

    /// Whether a user is a member of a group.
    pub(crate) fn contains(&self, user: ResourceId, group: ResourceId) -> bool {
        self.of(user).binary_search(&group).is_ok()
    }

    /// Makes a user a member of a group.
    pub(crate) fn insert(&mut self, user: ResourceId, group: ResourceId) {
        let Some(groups) = self.0.get_mut(user) else {
            self.0.insert(user, alloc::vec![group]);
            return;
        };
        if let Err(place) = groups.binary_search(&group) {
            // Most users are in few groups, and there are many users.
            if groups.len() < FEW {
                groups.reserve_exact(1);
            }
            groups.insert(place, group);
        }
    }

    /// Ends a membership.
    pub(crate) fn remove(&mut self, user: ResourceId, group: ResourceId) {
        let Some(groups) = self.0.get_mut(user) else {
            return;
        };
        if let Ok(place) = groups.binary_search(&group) {
            groups.remove(place);
            if groups.is_empty() {
                self.0.remove(user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    #[test]
    fn agrees_with_a_set_of_pairs() {
        let id = |number: u8| {
            let mut bytes = [7; 16];
            bytes[15] = number;
            ResourceId::from_bytes(bytes)
        };
        let (mut memberships, mut pairs) = (Memberships::default(), BTreeSet::new());
        let mut random = 1_u32;
        for _ in 0..5000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [a, b, c, _] = random.to_be_bytes();
            let (user, group) = (id(a % 16), id(b % 16));
            if c % 3 == 0 {
                memberships.remove(user, group);
                pairs.remove(&(user, group));
            } else {
                memberships.insert(user, group);
                pairs.insert((user, group));
            }
            assert_eq!(
                memberships.contains(user, group),
                pairs.contains(&(user, group))
            );
        }
        for user in (0..16).map(id) {
            let wanted: Vec<ResourceId> = pairs
                .iter()
                .filter(|(member, _)| *member == user)
                .map(|(_, group)| *group)
                .collect();
            assert_eq!(memberships.of(user), wanted);
        }
    }
}
