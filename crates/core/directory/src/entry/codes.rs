//! The code points of entry types, subject kinds and subject states.

use crate::codec::DecodeError;

macro_rules! codes {
    (
        $(#[$doc:meta])* $name:ident, $field:literal {
            $( $(#[$variant_doc:meta])* $variant:ident = $code:literal, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $( $(#[$variant_doc])* $variant, )*
        }

        impl $name {
            /// Every value, by ascending code.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The byte on the wire.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$variant => $code),* }
            }

            /// The value of a byte on the wire.
            ///
            /// # Errors
            /// [`DecodeError::UnknownCode`] for a byte without a meaning.
            pub const fn from_code(code: u8) -> Result<Self, DecodeError> {
                match code {
                    $($code => Ok(Self::$variant),)*
                    _ => Err(DecodeError::UnknownCode { field: $field, code }),
                }
            }
        }
    };
}

codes! {
    /// What an entry records (trust-log section 3.2 and design section 7).
    EntryType, "type" {
        /// The tenant begins: entry 0, signed by its admins. Sets the VRF key.
        Genesis = 0x01,
        /// The admins let automation act, from when to when.
        DelegationGranted = 0x02,
        /// The admins end a delegation.
        DelegationRevoked = 0x03,
        /// A SCIM credential under a delegation.
        TokenIssued = 0x04,
        /// The end of a credential.
        TokenRevoked = 0x05,
        /// A user with a pending keyset.
        UserProvisioned = 0x06,
        /// A user claimed the account, or the admins confirmed whose it is: evidence by the pending *and*
        /// the new key.
        KeyConfirmed = 0x07,
        /// A user's key changed: by the user, or back to a pending keyset by the service.
        KeyRotated = 0x08,
        /// The runtime destroyed a private half that it held.
        KeyDestroyed = 0x09,
        /// Attributes other than the bound names changed.
        ProfileChanged = 0x0a,
        /// A bound name (userName, address, display name of a group) changed.
        NameChanged = 0x0b,
        /// A user may no longer act.
        Suspended = 0x0c,
        /// A suspended user is back in the state before the suspension.
        Reactivated = 0x0d,
        /// A user ends.
        Deleted = 0x0e,
        /// Everything about a subject was destroyed; its leaf leaves the directory.
        Erased = 0x0f,
        /// A group.
        GroupCreated = 0x10,
        /// A group's member set changed.
        GroupMemberChanged = 0x11,
        /// A group got a new epoch key.
        GroupEpochStarted = 0x12,
        /// A group ends.
        GroupDeleted = 0x13,
        /// A member's devices changed: the object is the whole new list.
        DeviceChanged = 0x14,
        /// An admin approved a held act.
        ApprovalGiven = 0x20,
        /// The admins opened a window for their own acts, with its expiry.
        BreakGlassOpened = 0x21,
        /// That window closed.
        BreakGlassClosed = 0x22,
        /// The tenant was recovered with its recovery key.
        RecoveryPerformed = 0x23,
        /// The tenant was frozen for export: nothing but recovery may follow.
        TenantFrozen = 0x24,
        /// In plan mode: what automation asked for, recorded and not carried out.
        IntentRecorded = 0x25,
        /// A change of a sensitive group waits for an admin's signature.
        ActHeld = 0x26,
        /// Another image took over.
        EnclaveUpgrade = 0x30,
        /// Another runtime instance took over.
        Boot = 0x31,
        /// A policy of the tenant or the deployment changed.
        PolicyChanged = 0x32,
        /// A new VRF key.
        Rekey = 0x33,
        /// The runtime noted a fault.
        FaultNoted = 0x34,
    }
}

codes! {
    /// What a subject is.
    SubjectKind, "subject kind" {
        /// The tenant itself; as an actor, its admins.
        Tenant = 1,
        /// A user.
        User = 2,
        /// A group.
        Group = 3,
        /// A delegation.
        Delegation = 4,
        /// A credential.
        Token = 5,
        /// A break-glass window.
        BreakGlass = 6,
        /// An approval, or an act that is held until it is approved.
        Approval = 7,
    }
}

codes! {
    /// The state of a subject.
    SubjectState, "subject state" {
        /// User: has a pending keyset, not claimed.
        Provisioned = 1,
        /// User: holds the own keys.
        Confirmed = 2,
        /// User: suspended before the claim.
        SuspendedProvisioned = 3,
        /// User: suspended after the claim.
        SuspendedConfirmed = 4,
        /// User or group: ended.
        Deleted = 5,
        /// User or group: destroyed; no leaf in the directory.
        Erased = 6,
        /// Tenant, group, delegation or token: in force.
        Active = 7,
        /// Delegation or token: ended.
        Revoked = 8,
        /// Break-glass window: open.
        Open = 9,
        /// Break-glass window: closed.
        Closed = 10,
        /// Approval: given. Act: held.
        Recorded = 11,
        /// Tenant: frozen for export.
        Frozen = 12,
    }
}
