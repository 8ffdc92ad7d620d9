//! The runtime's side of the host protocol: blobs, store, egress, telemetry.
//!
//! Every answer here comes from the untrusted host. This module only moves frames; what they say is
//! checked where it is used.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chancery_wire::{
    Authority, BlobName, BlobReply, BlobRequest, Decoder, EgressName, EgressReply, Message,
    StoreAnswer, StoreFault, StoreOperation, StoreReply, StoreRequest, StreamOpen, encode,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::transport::{BoxStream, Transport};

/// Bytes asked of a stream at a time.
const READ_CHUNK: usize = 64 * 1024;

/// How long the store may take for one request. A host that stands still is treated as gone.
const STORE_TIMEOUT: Duration = Duration::from_secs(10);

/// Writes one frame.
///
/// # Errors
/// The stream's error, or an encoding beyond the frame limit.
pub async fn send<T: Message>(stream: &mut BoxStream, message: &T) -> io::Result<()> {
    let frame = encode(message).map_err(io::Error::other)?;
    stream.write_all(&frame).await?;
    stream.flush().await
}

/// Reads one frame; bytes after it stay in `decoder`.
///
/// # Errors
/// The stream's error, its end, or a frame that is none.
pub async fn receive<T: Message>(stream: &mut BoxStream, decoder: &mut Decoder) -> io::Result<T> {
    let mut chunk = vec![0_u8; READ_CHUNK];
    loop {
        if let Some(message) = decoder.pull::<T>().map_err(io::Error::other)? {
            return Ok(message);
        }
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        decoder
            .push(chunk.get(..count).unwrap_or_default())
            .map_err(io::Error::other)?;
    }
}

async fn open(transport: &Arc<dyn Transport>, purpose: &StreamOpen) -> io::Result<BoxStream> {
    let mut stream = transport.connect().await?;
    send(&mut stream, purpose).await?;
    Ok(stream)
}

/// Fetches one of the host's files.
///
/// # Errors
/// The stream's error, or `NotFound` if the host has no such file.
pub async fn blob(transport: &Arc<dyn Transport>, name: BlobName) -> io::Result<Vec<u8>> {
    let mut stream = open(transport, &StreamOpen::Blobs).await?;
    send(&mut stream, &BlobRequest { name }).await?;
    match receive(&mut stream, &mut Decoder::new()).await? {
        BlobReply::Found(bytes) => Ok(bytes),
        BlobReply::Absent => Err(io::ErrorKind::NotFound.into()),
    }
}

/// Opens a named outbound connection.
///
/// # Errors
/// The stream's error, or what the host says of the destination.
pub async fn egress(transport: &Arc<dyn Transport>, name: &EgressName) -> io::Result<BoxStream> {
    outbound(transport, &StreamOpen::Egress { name: name.clone() }).await
}

/// Opens a connection to a tenant's issuer. Nothing says that it leads there: TLS has to.
///
/// # Errors
/// The stream's error, or what the host says of the destination; `NotFound` if it does not allow it.
pub async fn issuer(
    transport: &Arc<dyn Transport>,
    authority: &Authority,
) -> io::Result<BoxStream> {
    let authority = authority.clone();
    outbound(transport, &StreamOpen::Issuer { authority }).await
}

async fn outbound(transport: &Arc<dyn Transport>, purpose: &StreamOpen) -> io::Result<BoxStream> {
    let mut stream = open(transport, purpose).await?;
    // The destination must not speak first: bytes after the reply would stay in the decoder.
    let mut decoder = Decoder::new();
    match receive(&mut stream, &mut decoder).await? {
        EgressReply::Connected if decoder.buffered() == 0 => Ok(stream),
        EgressReply::Connected => Err(io::ErrorKind::InvalidData.into()),
        EgressReply::UnknownName => Err(io::ErrorKind::NotFound.into()),
        EgressReply::Refused => Err(io::ErrorKind::ConnectionRefused.into()),
        EgressReply::TimedOut => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Opens the stream on which telemetry is sent.
///
/// # Errors
/// The stream's error.
pub async fn telemetry(transport: &Arc<dyn Transport>) -> io::Result<BoxStream> {
    open(transport, &StreamOpen::Telemetry).await
}

/// Why a request to the store was not answered as asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreFailure {
    /// The host is gone, or spoke nonsense. Whether the request took effect is not known.
    Link(io::Error),
    /// The store did nothing and says why.
    Fault(StoreFault),
}

impl From<io::Error> for StoreFailure {
    fn from(error: io::Error) -> Self {
        Self::Link(error)
    }
}

/// One conversation with the host's store. After a failure of the link it is of no more use.
pub struct StoreLink {
    stream: BoxStream,
    decoder: Decoder,
    next: u64,
}

impl std::fmt::Debug for StoreLink {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("StoreLink")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl StoreLink {
    /// Opens a conversation.
    ///
    /// # Errors
    /// The stream's error.
    pub async fn open(transport: &Arc<dyn Transport>) -> io::Result<Self> {
        let stream = open(transport, &StreamOpen::Store).await?;
        Ok(Self {
            stream,
            decoder: Decoder::new(),
            next: 0,
        })
    }

    /// Asks one thing of the store and waits for the answer.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn ask(&mut self, operation: StoreOperation) -> Result<StoreAnswer, StoreFailure> {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        let exchange = async {
            send(&mut self.stream, &StoreRequest { id, operation }).await?;
            receive::<StoreReply>(&mut self.stream, &mut self.decoder).await
        };
        let reply = tokio::time::timeout(STORE_TIMEOUT, exchange)
            .await
            .map_err(|_elapsed| io::Error::from(io::ErrorKind::TimedOut))??;
        if reply.id != id {
            return Err(StoreFailure::Link(io::ErrorKind::InvalidData.into()));
        }
        reply.result.map_err(StoreFailure::Fault)
    }
}
