//! What goes over the socket that stands for the guest device: one request, one reply, in order.

use chancery_platform::{CertificateTable, DerivedKeyRequest, GuestFields, PlatformError, RootKey};
use chancery_wire::Message;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// Most bytes of a request's frame.
pub(crate) const REQUEST_SIZE_MAX: u32 = 4096;
/// Most bytes of a reply's frame: four certificates of the largest size.
pub(crate) const REPLY_SIZE_MAX: u32 = 512 * 1024;

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

impl Message for Request {
    const PURPOSE: &'static str = "chancery-EMULATED/sp-request";
    const VERSION: u8 = 1;
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
    Certificates {
        vcek: Option<Vec<u8>>,
        ask: Option<Vec<u8>>,
        ark: Option<Vec<u8>>,
        crl: Option<Vec<u8>>,
    },
    DerivedKey(SecretBytes),
    Refused,
    Failed,
}

impl Message for Reply {
    const PURPOSE: &'static str = "chancery-EMULATED/sp-reply";
    const VERSION: u8 = 1;
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
    pub(crate) fn certificates(table: CertificateTable) -> Self {
        Self::Certificates {
            vcek: table.vcek,
            ask: table.ask,
            ark: table.ark,
            crl: table.crl,
        }
    }

    pub(crate) const fn of_error(error: PlatformError) -> Self {
        match error {
            PlatformError::Refused => Self::Refused,
            PlatformError::Absent
            | PlatformError::Lost
            | PlatformError::Busy
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
