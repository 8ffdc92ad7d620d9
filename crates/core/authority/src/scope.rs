//! What automation may be allowed to do.

use core::fmt;

use serde::{Deserialize, Serialize};

/// One kind of act. Identity lifecycle and authorisation are separate scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Scope {
    /// Read and find users.
    UsersRead,
    /// Provision users.
    UsersCreate,
    /// Change attributes of users, but not whether they are active.
    UsersUpdate,
    /// Suspend and reactivate users.
    UsersSuspend,
    /// Delete users.
    UsersDelete,
    /// Read and find groups.
    GroupsRead,
    /// Create, rename and delete groups.
    GroupsManage,
    /// Add and remove members.
    GroupsMembership,
}

impl Scope {
    /// Every scope, in the order in which they are signed.
    pub const ALL: [Self; 8] = [
        Self::UsersRead,
        Self::UsersCreate,
        Self::UsersUpdate,
        Self::UsersSuspend,
        Self::UsersDelete,
        Self::GroupsRead,
        Self::GroupsManage,
        Self::GroupsMembership,
    ];

    /// The word as it is signed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UsersRead => "users.read",
            Self::UsersCreate => "users.create",
            Self::UsersUpdate => "users.update",
            Self::UsersSuspend => "users.suspend",
            Self::UsersDelete => "users.delete",
            Self::GroupsRead => "groups.read",
            Self::GroupsManage => "groups.manage",
            Self::GroupsMembership => "groups.membership",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == text)
    }

    const fn bit(self) -> u8 {
        match self {
            Self::UsersRead => 0x01,
            Self::UsersCreate => 0x02,
            Self::UsersUpdate => 0x04,
            Self::UsersSuspend => 0x08,
            Self::UsersDelete => 0x10,
            Self::GroupsRead => 0x20,
            Self::GroupsManage => 0x40,
            Self::GroupsMembership => 0x80,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A set of scopes. The empty set allows nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeSet(u8);

impl ScopeSet {
    /// No scope.
    pub const EMPTY: Self = Self(0);

    /// Every scope.
    #[must_use]
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Whether `scope` is in it.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether `other` has all scopes of this set.
    #[must_use]
    pub const fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether it allows nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes in the order in which they are signed.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .into_iter()
            .filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | scope.bit()))
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_has_its_own_word_and_its_own_bit() {
        for (index, scope) in Scope::ALL.into_iter().enumerate() {
            assert_eq!(Scope::parse(scope.name()), Some(scope));
            for other in Scope::ALL.into_iter().skip(index + 1) {
                assert_ne!(scope.name(), other.name());
                assert!(!ScopeSet::from_iter([scope]).contains(other));
                assert!(scope < other);
            }
        }
        for bad in ["", "users", "users.*", "Users.read", "users.read "] {
            assert_eq!(Scope::parse(bad), None);
        }
    }

    #[test]
    fn the_empty_set_allows_nothing_and_subsets_are_exact() {
        assert!(
            Scope::ALL
                .iter()
                .all(|scope| !ScopeSet::EMPTY.contains(*scope))
        );
        let reads: ScopeSet = [Scope::UsersRead, Scope::GroupsRead].into_iter().collect();
        assert!(reads.is_subset(ScopeSet::all()) && ScopeSet::EMPTY.is_subset(reads));
        assert!(!ScopeSet::all().is_subset(reads));
        assert_eq!(
            reads.iter().collect::<alloc::vec::Vec<_>>(),
            [Scope::UsersRead, Scope::GroupsRead]
        );
    }
}
