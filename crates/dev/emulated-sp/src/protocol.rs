//! What goes over the socket that stands for the guest device: one request, one reply, in order.

use chancery_platform::{DerivedKeyRequest, GuestFields, PlatformError, RootKey};
use chancery_wire::Message;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// Most bytes of a request's frame.
pub(crate) const REQUEST_SIZE_MAX: u32 = 4096;
/// Most bytes of a reply's frame: a certificate table of the largest size.
pub(crate) const REPLY_SIZE_MAX: u32 = 512 * 1024;

/// Each request counts twice, as message and as answer (MSG_SEQNO of AMD 56860).
pub(crate) const MESSAGES_PER_REQUEST: u64 = 2;

/// One request under its number.
#[derive(Serialize, Deserialize)]
pub(crate) struct GuestRequest {
    /// The messages before it, and one.
    pub(crate) sequence: u64,
    pub(crate) request: Request,
}

impl Message for GuestRequest {
    const PURPOSE: &'static str = "chancery-EMULATED/sp-request";
    const VERSION: u8 = 2;
}

/// The answer to one request.
#[derive(Serialize, Deserialize)]
pub(crate) struct GuestReply {
    /// The number of the request and one; if the request never reached the firmware, the messages before it.
    pub(crate) sequence: u64,
    pub(crate) reply: Reply,
}

impl Message for GuestReply {
    const PURPOSE: &'static str = "chancery-EMULATED/sp-reply";
    const VERSION: u8 = 2;
}

/// What a guest asks.
#[derive(Serialize, Deserialize)]
pub(crate) enum Request {
    Report {
        /// 64 bytes.
        report_data: Vec<u8>,
    },
    Certificates,
    DerivedKey {
        root_key: u32,
        guest_field_select: u64,
        vmpl: u32,
        guest_svn: u32,
        tcb_version: u64,
    },
}

impl Request {
    /// A request for a derived key.
    pub(crate) const fn derived_key(request: &DerivedKeyRequest) -> Self {
        Self::DerivedKey {
            root_key: request.root_key.code(),
            guest_field_select: request.guest_field_select.bits(),
            vmpl: request.vmpl,
            guest_svn: request.guest_svn,
            tcb_version: request.tcb_version,
        }
    }
}

/// What the processor answers.
#[derive(Serialize, Deserialize)]
pub(crate) enum Reply {
    Report(Vec<u8>),
    /// The host's certificate table, as on hardware.
    Certificates(Vec<u8>),
    DerivedKey(SecretBytes),
    /// The firmware refused the request.
    Refused,
    /// The host puts the request off.
    Busy,
    /// The message channel is broken.
    Lost,
    /// The emulator itself failed.
    Failed,
}

/// A derived key on its way. It exists to be serialized, and is wiped afterwards.
#[derive(Serialize, Deserialize)]
pub(crate) struct SecretBytes(pub(crate) Vec<u8>);

impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Reply {
    pub(crate) const fn of_error(error: PlatformError) -> Self {
        match error {
            PlatformError::Refused => Self::Refused,
            PlatformError::Busy => Self::Busy,
            PlatformError::Lost => Self::Lost,
            PlatformError::Absent
            | PlatformError::Interfered
            | PlatformError::Malformed
            | PlatformError::System => Self::Failed,
        }
    }
}

/// The request for a derived key, if every field has a meaning.
pub(crate) const fn parse_derived_key(
    root_key: u32,
    guest_field_select: u64,
    vmpl: u32,
    guest_svn: u32,
    tcb_version: u64,
) -> Option<DerivedKeyRequest> {
    let root_key = match root_key {
        0 => RootKey::Vcek,
        1 => RootKey::Vmrk,
        _ => return None,
    };
    let Some(guest_field_select) = GuestFields::from_bits(guest_field_select) else {
        return None;
    };
    Some(DerivedKeyRequest {
        root_key,
        guest_field_select,
        vmpl,
        guest_svn,
        tcb_version,
    })
}
