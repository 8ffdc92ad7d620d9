//! Streams between the runtime and its host: one trait, so that a unix socket on a developer's
//! machine and a vsock in the confidential VM carry the same frames.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};

/// Bytes both ways, each half closed on its own.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A stream of whatever kind the transport has.
pub type BoxStream = Box<dyn Stream>;

/// A future that the transport returns.
pub type IoFuture<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// How the runtime and its host reach each other. The peer is never an authority: whoever answers
/// is treated as the untrusted host.
pub trait Transport: Send + Sync + std::fmt::Debug {
    /// Opens a stream to the host.
    ///
    /// # Errors
    /// The transport's own error if the host does not answer.
    fn connect(&self) -> IoFuture<'_, BoxStream>;

    /// Begins to listen for the host's streams.
    ///
    /// # Errors
    /// The transport's own error if it cannot listen.
    fn listen(&self) -> io::Result<Box<dyn Listener>>;
}

/// Accepts the host's streams.
pub trait Listener: Send {
    /// The next stream.
    ///
    /// # Errors
    /// The transport's own error; the caller may try again.
    fn accept(&mut self) -> IoFuture<'_, BoxStream>;
}

/// Unix sockets in a folder that the host owns.
#[derive(Debug)]
pub struct Unix {
    /// The socket on which the host listens.
    pub host: PathBuf,
    /// The socket on which the runtime listens.
    pub ingress: PathBuf,
}

impl Transport for Unix {
    fn connect(&self) -> IoFuture<'_, BoxStream> {
        Box::pin(async {
            let stream: BoxStream = Box::new(UnixStream::connect(&self.host).await?);
            Ok(stream)
        })
    }

    fn listen(&self) -> io::Result<Box<dyn Listener>> {
        // A socket file that a killed runtime left behind would refuse the name for ever.
        match std::fs::remove_file(&self.ingress) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Box::new(UnixListener::bind(&self.ingress)?))
    }
}

impl Listener for UnixListener {
    fn accept(&mut self) -> IoFuture<'_, BoxStream> {
        Box::pin(async {
            let (accepted, _) = Self::accept(self).await?;
            let stream: BoxStream = Box::new(accepted);
            Ok(stream)
        })
    }
}
