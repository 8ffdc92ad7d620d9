//! Whose hands private keys are in: accounts and their devices, and the epoch keys of groups.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::id::ResourceId;

/// Most devices of one account.
pub(crate) const DEVICES_MAX: usize = 16;

/// A pending account keyset: its private half sealed under the tenant's storage key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingKeyset {
    /// SHA-256 fingerprint of the public half.
    pub fingerprint: [u8; 32],
    /// The sealed 64-byte seed.
    pub sealed_seed: Box<[u8]>,
}

/// Whose hands an account's private keys are in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Custody {
    /// The runtime's, until somebody claims the account.
    Pending(PendingKeyset),
    /// Its owner's.
    Claimed(Box<Account>),
}

impl Custody {
    /// SHA-256 fingerprint of the account's public keyset.
    #[must_use]
    pub const fn fingerprint(&self) -> &[u8; 32] {
        match self {
            Self::Pending(pending) => &pending.fingerprint,
            Self::Claimed(account) => &account.fingerprint,
        }
    }

    /// The claimed account, if it is claimed.
    #[must_use]
    pub const fn account(&self) -> Option<&Account> {
        match self {
            Self::Pending(_) => None,
            Self::Claimed(account) => Some(account),
        }
    }

    /// About how many bytes this takes in a record.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Pending(pending) => pending.sealed_seed.len().saturating_add(32),
            Self::Claimed(account) => account
                .devices
                .iter()
                .map(Device::weight)
                .fold(account.public.len(), usize::saturating_add),
        }
    }
}

/// An account whose keys its owner holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// SHA-256 fingerprint of the public keyset.
    pub fingerprint: [u8; 32],
    /// The encoded public keyset.
    pub public: Box<[u8]>,
    /// When it was confirmed, in milliseconds since the Unix epoch.
    pub confirmed_ms: u64,
    /// The devices that may speak for it.
    pub devices: Vec<Device>,
}

impl Account {
    /// The device with this fingerprint.
    #[must_use]
    pub fn device(&self, fingerprint: &[u8; 32]) -> Option<&Device> {
        self.devices
            .iter()
            .find(|device| device.fingerprint == *fingerprint)
    }
}

/// A device of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// SHA-256 fingerprint of its public keyset.
    pub fingerprint: [u8; 32],
    /// Its encoded public keyset.
    pub public: Box<[u8]>,
    /// What its owner calls it.
    pub name: Box<str>,
    /// When it was added, in milliseconds since the Unix epoch.
    pub added_ms: u64,
    /// The account's seed, wrapped to this device by another one; none if the device made it.
    pub wrap: Option<Box<[u8]>>,
}

impl Device {
    fn weight(&self) -> usize {
        let wrap = self.wrap.as_ref().map_or(0, |wrap| wrap.len());
        self.public
            .len()
            .saturating_add(self.name.len())
            .saturating_add(wrap)
            .saturating_add(64)
    }
}

/// One epoch of a group's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupEpoch {
    /// The group.
    pub group: ResourceId,
    /// Its number, from 1; the key's version in the log.
    pub number: u32,
    /// Index of the entry that started it.
    pub index: u64,
    /// When it started, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// SHA-256 fingerprint of the epoch's public keyset.
    pub fingerprint: [u8; 32],
    /// The 64-byte seed, sealed under the tenant's storage key.
    pub sealed_seed: Box<[u8]>,
    /// Opening of the key's commitment.
    pub opening: [u8; 32],
}
