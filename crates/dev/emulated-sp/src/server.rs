//! The processor's end of the socket.

use std::io;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use chancery_platform::{PlatformError, REPORT_DATA_SIZE, SecureProcessor};
use chancery_wire::{Decoder, encode};
use zeroize::Zeroizing;

use crate::protocol::{REQUEST_SIZE_MAX, Reply, Request, SecretBytes, parse_derived_key};

/// Answers requests in order until the other end closes.
///
/// # Errors
/// What the system said; `InvalidData` for a request that is none, after which the stream has no meaning.
pub fn serve(processor: &dyn SecureProcessor, stream: UnixStream) -> io::Result<()> {
    let mut stream = stream;
    let mut decoder = Decoder::with_limit(REQUEST_SIZE_MAX);
    let mut buffer = [0_u8; 4096];
    loop {
        while let Some(request) = decoder.pull::<Request>().map_err(invalid)? {
            let reply = Zeroizing::new(encode(&answer(processor, request)).map_err(invalid)?);
            stream.write_all(&reply)?;
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

fn answer(processor: &dyn SecureProcessor, request: Request) -> Reply {
    let reply = match request {
        Request::Report { report_data } => <[u8; REPORT_DATA_SIZE]>::try_from(report_data)
            .ok()
            .ok_or(PlatformError::Refused)
            .and_then(|report_data| processor.report(&report_data))
            .map(Reply::Report),
        Request::Certificates => processor.certificates().map(Reply::certificates),
        Request::DerivedKey {
            root_key,
            guest_field_select,
            vmpl,
            guest_svn,
            tcb_version,
        } => parse_derived_key(root_key, guest_field_select, vmpl, guest_svn, tcb_version)
            .ok_or(PlatformError::Refused)
            .and_then(|request| processor.derived_key(&request))
            .map(|key| Reply::DerivedKey(SecretBytes(key.expose().to_vec()))),
    };
    reply.unwrap_or_else(Reply::of_error)
}
