//! The guest's end of the socket.

use std::fmt;
use std::io;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;

use chancery_platform::{
    CertificateTable, DerivedKeyRequest, PlatformError, REPORT_DATA_SIZE, REPORT_SIZE,
    SecureProcessor,
};
use chancery_platform_snp::parse_certificate_table;
use chancery_sealing::Key;
use chancery_wire::{Decoder, encode};
use zeroize::Zeroize as _;

use crate::protocol::{
    GuestReply, GuestRequest, MESSAGES_PER_REQUEST, REPLY_SIZE_MAX, Reply, Request,
};

/// The emulated processor as a guest reaches it.
pub struct EmulatedProcessor {
    line: Mutex<Line>,
}

impl fmt::Debug for EmulatedProcessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatedProcessor").finish_non_exhaustive()
    }
}

/// The guest driver's side of the message channel.
struct Line {
    stream: UnixStream,
    replies: mpsc::Receiver<GuestReply>,
    /// Messages so far, in both directions; `None` once the message key is given up.
    count: Option<u64>,
}

impl Line {
    /// One request and its answer. After an answer that leaves open whether the request was counted, nothing is sent any more, as Linux
    /// does when it wipes its message key: two messages under one count would break their encryption.
    fn ask(&mut self, request: Request) -> Result<Reply, PlatformError> {
        let lost = PlatformError::Lost;
        let count = self.count.ok_or(lost)?;
        let message = GuestRequest {
            sequence: count.checked_add(1).ok_or(lost)?,
            request,
        };
        let frame = encode(&message).ok().ok_or(PlatformError::System)?;
        self.count = None;
        self.stream.write_all(&frame).ok().ok_or(lost)?;
        let GuestReply { sequence, reply } = self.replies.recv().ok().ok_or(lost)?;
        match reply {
            Reply::Busy if sequence == count => {
                self.count = Some(count);
                Err(PlatformError::Busy)
            }
            Reply::Busy | Reply::Lost => Err(lost),
            answer if Some(sequence) == count.checked_add(MESSAGES_PER_REQUEST) => {
                self.count = Some(sequence);
                Ok(answer)
            }
            _ => Err(lost),
        }
    }
}

impl EmulatedProcessor {
    /// Takes the socket that the emulated processor gave this process as its standard input.
    ///
    /// `on_lost` is called once, on a thread of its own, when the processor's end closes: the processor has ended, and a guest
    /// does not outlive its processor.
    ///
    /// # Errors
    /// [`PlatformError::Absent`] if standard input is no socket.
    pub fn from_stdin(on_lost: impl FnOnce() + Send + 'static) -> Result<Self, PlatformError> {
        let descriptor = io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .ok()
            .ok_or(PlatformError::System)?;
        let stream = UnixStream::from(descriptor);
        if stream.local_addr().is_err() {
            return Err(PlatformError::Absent);
        }
        Self::over(stream, on_lost)
    }

    /// Takes one end of a socket pair whose other end is [`served`](crate::serve).
    ///
    /// # Errors
    /// [`PlatformError::System`] if no thread can be started.
    pub fn over(
        stream: UnixStream,
        on_lost: impl FnOnce() + Send + 'static,
    ) -> Result<Self, PlatformError> {
        let (sender, replies) = mpsc::channel();
        let reading = stream.try_clone().ok().ok_or(PlatformError::System)?;
        thread::Builder::new()
            .name("emulated-sp".to_owned())
            .spawn(move || {
                // However it ends, nothing more comes: the channel closes and the owner is told.
                drop(read_replies(reading, &sender));
                drop(sender);
                on_lost();
            })
            .ok()
            .ok_or(PlatformError::System)?;
        Ok(Self {
            line: Mutex::new(Line {
                stream,
                replies,
                count: Some(0),
            }),
        })
    }

    fn ask(&self, request: Request) -> Result<Reply, PlatformError> {
        let mut line = self.line.lock().ok().ok_or(PlatformError::Lost)?;
        match line.ask(request)? {
            Reply::Refused => Err(PlatformError::Refused),
            Reply::Failed => Err(PlatformError::System),
            answer => Ok(answer),
        }
    }
}

/// Passes replies on until the other end closes or sends something else.
fn read_replies(stream: UnixStream, replies: &mpsc::Sender<GuestReply>) -> io::Result<()> {
    let mut stream = stream;
    let mut decoder = Decoder::with_limit(REPLY_SIZE_MAX);
    let mut buffer = [0_u8; 16 * 1024];
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    loop {
        while let Some(reply) = decoder.pull::<GuestReply>().map_err(invalid)? {
            if replies.send(reply).is_err() {
                return Ok(());
            }
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
        buffer.zeroize();
    }
}

impl SecureProcessor for EmulatedProcessor {
    fn report(&self, report_data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>, PlatformError> {
        let request = Request::Report {
            report_data: report_data.to_vec(),
        };
        match self.ask(request)? {
            Reply::Report(report) if report.len() == REPORT_SIZE => Ok(report),
            _ => Err(PlatformError::Malformed),
        }
    }

    fn certificates(&self) -> Result<CertificateTable, PlatformError> {
        match self.ask(Request::Certificates)? {
            Reply::Certificates(table) => parse_certificate_table(&table),
            _ => Err(PlatformError::Malformed),
        }
    }

    fn derived_key(&self, request: &DerivedKeyRequest) -> Result<Key, PlatformError> {
        match self.ask(Request::derived_key(request))? {
            Reply::DerivedKey(bytes) => bytes
                .0
                .first_chunk::<32>()
                .filter(|_| bytes.0.len() == 32)
                .map(|bytes| Key::from_bytes(*bytes))
                .ok_or(PlatformError::Malformed),
            _ => Err(PlatformError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests;
