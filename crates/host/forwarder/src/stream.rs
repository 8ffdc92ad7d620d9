//! Frames over a socket, and raw bytes from one socket to another.

use std::io;
use std::time::Duration;

use chancery_wire::{Decoder, Message, PUSH_SIZE_MAX, WireError, encode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::counters::Count;

/// Bytes moved at a time in each direction of a connection.
const COPY_SIZE: usize = 8 * 1024;

/// How long the network's half of a connection may stay open after the runtime closed its own: the
/// runtime is done, so only a farewell can still come.
const LINGER: Duration = Duration::from_secs(30);

/// Why reading a frame failed.
#[derive(Debug)]
pub(crate) enum FrameError {
    /// The socket failed, or ended inside a frame.
    Io,
    /// The frame is not acceptable.
    Wire,
}

impl From<io::Error> for FrameError {
    fn from(_: io::Error) -> Self {
        Self::Io
    }
}

impl From<WireError> for FrameError {
    fn from(_: WireError) -> Self {
        Self::Wire
    }
}

/// Reads frames from a socket.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    reader: R,
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads frames of at most `size_max` bytes through a buffer of `buffer_size`.
    pub(crate) fn new(reader: R, size_max: u32, buffer_size: usize) -> Self {
        let buffer = vec![0; buffer_size.min(PUSH_SIZE_MAX)];
        Self {
            reader,
            decoder: Decoder::with_limit(size_max),
            buffer,
        }
    }

    /// The next message, or nothing if the socket ended between two frames.
    pub(crate) async fn next<T: Message>(&mut self) -> Result<Option<T>, FrameError> {
        loop {
            if let Some(message) = self.decoder.pull()? {
                return Ok(Some(message));
            }
            let count = self.reader.read(&mut self.buffer).await?;
            if count == 0 {
                return if self.decoder.buffered() == 0 {
                    Ok(None)
                } else {
                    Err(FrameError::Io)
                };
            }
            self.decoder
                .push(self.buffer.get(..count).unwrap_or_default())?;
        }
    }

    /// Goes on with other limits.
    ///
    /// # Errors
    ///
    /// What has been read already may break the new limit.
    pub(crate) fn resume(self, size_max: u32, buffer_size: usize) -> Result<Self, FrameError> {
        let (reader, rest) = self.into_parts();
        let mut resumed = Self::new(reader, size_max, buffer_size);
        resumed.decoder.push(&rest)?;
        Ok(resumed)
    }

    /// The socket, and what was read after the last frame.
    pub(crate) fn into_parts(self) -> (R, Vec<u8>) {
        (self.reader, self.decoder.into_rest())
    }
}

/// Writes one message.
pub(crate) async fn send<T: Message>(
    writer: &mut (impl AsyncWrite + Unpin),
    message: &T,
) -> Result<(), FrameError> {
    writer.write_all(&encode(message)?).await?;
    Ok(())
}

/// Copies until `from` ends, then closes `to` for writing.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: &Count,
) -> io::Result<()> {
    let mut buffer = vec![0; COPY_SIZE];
    loop {
        let size = from.read(&mut buffer).await?;
        if size == 0 {
            return to.shutdown().await;
        }
        // Counted first, so that whoever has the bytes finds them counted.
        count.add(u64::try_from(size).unwrap_or(0));
        to.write_all(buffer.get(..size).unwrap_or_default()).await?;
    }
}

/// Copies bytes both ways until both halves have ended, passing each half's end on by itself. An error
/// on either side closes both.
pub(crate) async fn splice<NR, NW, RR, RW>(
    network: (NR, NW),
    runtime: (RR, RW),
    received: &Count,
    sent: &Count,
) -> io::Result<()>
where
    NR: AsyncRead + Unpin,
    NW: AsyncWrite + Unpin,
    RR: AsyncRead + Unpin,
    RW: AsyncWrite + Unpin,
{
    let inward = pump(network.0, runtime.1, received);
    let outward = pump(runtime.0, network.1, sent);
    tokio::pin!(inward, outward);
    tokio::select! {
        result = &mut inward => {
            result?;
            outward.await
        }
        result = &mut outward => {
            result?;
            // Silence here is an end like any other: both halves are dropped, and so closed.
            timeout(LINGER, inward).await.unwrap_or(Ok(()))
        }
    }
}

#[cfg(test)]
mod tests {
    use chancery_wire::{BlobName, BlobRequest, OPEN_SIZE_MAX, StoreReply, StreamOpen};
    use tokio::io::{duplex, split};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_network_is_closed_a_while_after_the_runtime_is_done() {
        let (network, mut client) = duplex(64);
        let (runtime, inside) = duplex(64);
        let (received, sent) = (Count::default(), Count::default());
        let started = Instant::now();
        let splicing = splice(split(network), split(runtime), &received, &sent);
        drop(inside);
        splicing.await.unwrap();
        assert!(started.elapsed() >= LINGER);
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_runtime_may_answer_for_as_long_as_it_likes_after_the_network_is_done() {
        let (network, mut client) = duplex(64);
        let (runtime, mut inside) = duplex(64);
        let (received, sent) = (Count::default(), Count::default());
        client.shutdown().await.unwrap();
        let splicing = splice(split(network), split(runtime), &received, &sent);
        let answering = async {
            assert_eq!(inside.read(&mut [0; 8]).await.unwrap(), 0);
            tokio::time::sleep(LINGER.saturating_mul(10)).await;
            inside.write_all(b"late").await.unwrap();
            drop(inside);
        };
        let (result, ()) = tokio::join!(splicing, answering);
        result.unwrap();
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).await.unwrap();
        assert_eq!((bytes.as_slice(), sent.value()), (b"late".as_slice(), 4));
    }

    #[tokio::test]
    async fn a_stream_that_ends_inside_a_frame_is_an_error_and_between_frames_is_not() {
        let frame = encode(&StreamOpen::Store).unwrap();
        for end in 0..=frame.len() {
            let (reader, mut writer) = duplex(256);
            writer.write_all(&frame[..end]).await.unwrap();
            drop(writer);
            let mut reader = FrameReader::new(reader, OPEN_SIZE_MAX, 7);
            let first = reader.next::<StreamOpen>().await;
            if end == 0 {
                assert!(matches!(first, Ok(None)));
            } else if end < frame.len() {
                assert!(matches!(first, Err(FrameError::Io)), "{end}");
            } else {
                assert!(matches!(first, Ok(Some(StreamOpen::Store))));
                assert!(matches!(reader.next::<StreamOpen>().await, Ok(None)));
            }
        }
    }

    #[tokio::test]
    async fn what_was_read_with_the_first_frame_is_kept() {
        let (reader, mut writer) = duplex(1024);
        let request = BlobRequest {
            name: BlobName::Collateral,
        };
        send(&mut writer, &StreamOpen::Blobs).await.unwrap();
        send(&mut writer, &request).await.unwrap();
        writer.write_all(b"raw").await.unwrap();
        let mut reader = FrameReader::new(reader, OPEN_SIZE_MAX, 256);
        assert!(matches!(reader.next().await, Ok(Some(StreamOpen::Blobs))));
        let mut reader = reader.resume(OPEN_SIZE_MAX, 256).unwrap();
        let found: Option<BlobRequest> = reader.next().await.unwrap();
        assert_eq!(found, Some(request));
        assert_eq!(reader.into_parts().1, b"raw");
    }

    #[tokio::test]
    async fn refuses_a_frame_of_another_purpose() {
        let (reader, mut writer) = duplex(1024);
        send(&mut writer, &StreamOpen::Blobs).await.unwrap();
        let mut reader = FrameReader::new(reader, OPEN_SIZE_MAX, 256);
        assert!(matches!(
            reader.next::<StoreReply>().await,
            Err(FrameError::Wire)
        ));
    }
}
