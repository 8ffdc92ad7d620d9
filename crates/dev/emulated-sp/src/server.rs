//! The processor's end of the socket.

use std::io;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use chancery_platform::{DerivedKeyRequest, PlatformError, REPORT_DATA_SIZE};
use chancery_sealing::Key;
use chancery_wire::{Decoder, encode};
use zeroize::Zeroizing;

use crate::protocol::{
    GuestReply, GuestRequest, MESSAGES_PER_REQUEST, REQUEST_SIZE_MAX, Reply, Request, SecretBytes,
    parse_derived_key,
};

/// What answers a guest: the firmware behind SNP_GUEST_REQUEST and the host that passes requests on. Unlike
/// [`SecureProcessor`](chancery_platform::SecureProcessor) it hands out the certificates as the host's bytes, which the guest must parse.
pub trait GuestDevice: Send + Sync {
    /// MSG_REPORT_REQ: a report over `report_data`.
    ///
    /// # Errors
    /// A [`PlatformError`].
    fn report(&self, report_data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>, PlatformError>;

    /// The certificate table of an extended guest request (GHCB specification, AMD 56421).
    ///
    /// # Errors
    /// A [`PlatformError`].
    fn certificate_table(&self) -> Result<Vec<u8>, PlatformError>;

    /// MSG_KEY_REQ: a derived key.
    ///
    /// # Errors
    /// A [`PlatformError`].
    fn derived_key(&self, request: &DerivedKeyRequest) -> Result<Key, PlatformError>;
}

/// Answers requests in order until the other end closes.
///
/// # Errors
/// What the system said; `InvalidData` for a request that is none, after which the stream has no meaning.
pub fn serve(device: &dyn GuestDevice, stream: UnixStream) -> io::Result<()> {
    let mut stream = stream;
    let mut decoder = Decoder::with_limit(REQUEST_SIZE_MAX);
    let mut buffer = [0_u8; 4096];
    let mut channel = Channel { count: 0 };
    loop {
        while let Some(request) = decoder.pull::<GuestRequest>().map_err(invalid)? {
            let reply = channel.answer(device, request);
            let frame = Zeroizing::new(encode(&reply).map_err(invalid)?);
            stream.write_all(&frame)?;
        }
        let count = match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        decoder
            .push(buffer.get(..count).unwrap_or_default())
            .map_err(invalid)?;
    }
}

fn invalid(error: chancery_wire::WireError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The firmware's side of a guest's message channel (AMD 56860, guest messages).
struct Channel {
    /// Messages so far, in both directions.
    count: u64,
}

impl Channel {
    /// Answers a message whose number is the next one, and no other.
    fn answer(&mut self, device: &dyn GuestDevice, message: GuestRequest) -> GuestReply {
        let GuestRequest { sequence, request } = message;
        let next = self.count.checked_add(MESSAGES_PER_REQUEST);
        let reply = match next {
            Some(_) if sequence == self.count.saturating_add(1) => answer(device, request),
            Some(_) | None => Reply::Lost,
        };
        match (&reply, next) {
            // The host did not pass these on, so that the firmware did not count them.
            (Reply::Lost | Reply::Busy, _) | (_, None) => GuestReply {
                sequence: self.count,
                reply,
            },
            (_, Some(count)) => {
                self.count = count;
                GuestReply {
                    sequence: count,
                    reply,
                }
            }
        }
    }
}

fn answer(device: &dyn GuestDevice, request: Request) -> Reply {
    let reply = match request {
        Request::Report { report_data } => <[u8; REPORT_DATA_SIZE]>::try_from(report_data)
            .ok()
            .ok_or(PlatformError::Refused)
            .and_then(|report_data| device.report(&report_data))
            .map(Reply::Report),
        Request::Certificates => device.certificate_table().map(Reply::Certificates),
        Request::DerivedKey {
            root_key,
            guest_field_select,
            vmpl,
            guest_svn,
            tcb_version,
        } => parse_derived_key(root_key, guest_field_select, vmpl, guest_svn, tcb_version)
            .ok_or(PlatformError::Refused)
            .and_then(|request| device.derived_key(&request))
            .map(|key| Reply::DerivedKey(SecretBytes(key.expose().to_vec()))),
    };
    reply.unwrap_or_else(Reply::of_error)
}
