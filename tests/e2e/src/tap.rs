//! What stands between two ends, passes every byte on, and writes it down.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

/// Everything that passed in either direction. Each connection and direction is written down by itself,
/// so that a secret that arrives in two pieces is still one.
#[derive(Clone, Debug, Default)]
pub struct Recording(Arc<Mutex<Vec<Lane>>>);

/// One direction of one connection.
type Lane = Arc<Mutex<Vec<u8>>>;

impl Recording {
    fn lane(&self) -> Lane {
        let lane = Arc::new(Mutex::new(Vec::new()));
        self.0.lock().unwrap().push(Arc::clone(&lane));
        lane
    }

    /// What each connection carried in each direction.
    #[must_use]
    pub fn lanes(&self) -> Vec<Vec<u8>> {
        let lanes = self.0.lock().unwrap();
        lanes
            .iter()
            .map(|lane| lane.lock().unwrap().clone())
            .collect()
    }

    /// How many bytes passed in all.
    #[must_use]
    pub fn size(&self) -> usize {
        let lanes = self.0.lock().unwrap();
        lanes.iter().map(|lane| lane.lock().unwrap().len()).sum()
    }
}

/// A listener that passes everything on to another one. It lasts until the process ends.
#[derive(Debug)]
pub struct Tap {
    address: SocketAddr,
    /// What passed.
    pub recording: Recording,
}

impl Tap {
    /// Listens on a free port and passes on to `target`.
    #[must_use]
    pub fn tcp(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let recording = Recording::default();
        let lanes = recording.clone();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if let Ok(far) = TcpStream::connect(target) {
                    pass(near, far, &lanes);
                }
            }
        });
        Self { address, recording }
    }

    /// Listens on a free port, lets each connection make its TLS 1.3 handshake with `first`, and passes
    /// what comes after that on to `second`.
    #[must_use]
    pub fn splice(first: SocketAddr, second: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let recording = Recording::default();
        let lanes = recording.clone();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let lanes = lanes.clone();
                thread::spawn(move || swap(near, first, second, &lanes));
            }
        });
        Self { address, recording }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Moves a listening unix socket aside and takes its place.
    ///
    /// # Errors
    /// If there is no such socket.
    pub fn unix(path: &Path) -> io::Result<Recording> {
        let aside = PathBuf::from(format!("{}.aside", path.display()));
        std::fs::rename(path, &aside)?;
        let listener = UnixListener::bind(path)?;
        let recording = Recording::default();
        let lanes = recording.clone();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if let Ok(far) = UnixStream::connect(&aside) {
                    pass(near, far, &lanes);
                }
            }
        });
        Ok(recording)
    }
}

/// The content type of a TLS record that is encrypted; in TLS 1.3 the client's first one is Finished.
const ENCRYPTED: u8 = 23;

/// Makes the handshake with one end and goes on with another.
fn swap(
    mut near: TcpStream,
    first: SocketAddr,
    second: SocketAddr,
    recording: &Recording,
) -> io::Result<()> {
    let mut old = TcpStream::connect(first)?;
    let mut back = old.twin()?;
    let mut near_twin = near.twin()?;
    thread::spawn(move || io::copy(&mut back, &mut near_twin));
    loop {
        let mut head = [0; 5];
        near.read_exact(&mut head)?;
        let [kind, _, _, high, low] = head;
        let mut body = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        near.read_exact(&mut body)?;
        old.write_all(&[&head[..], &body].concat())?;
        if kind == ENCRYPTED {
            break;
        }
    }
    pass(near, TcpStream::connect(second)?, recording);
    Ok(())
}

/// One end of a connection.
trait End: Read + Write + Send + Sized + 'static {
    fn twin(&self) -> io::Result<Self>;
    fn end_writing(&self);
}

impl End for TcpStream {
    fn twin(&self) -> io::Result<Self> {
        self.try_clone()
    }
    fn end_writing(&self) {
        drop(self.shutdown(Shutdown::Write));
    }
}

impl End for UnixStream {
    fn twin(&self) -> io::Result<Self> {
        self.try_clone()
    }
    fn end_writing(&self) {
        drop(self.shutdown(Shutdown::Write));
    }
}

fn pass<E: End>(near: E, far: E, recording: &Recording) {
    let (Ok(near_twin), Ok(far_twin)) = (near.twin(), far.twin()) else {
        return;
    };
    let (there, back) = (recording.lane(), recording.lane());
    thread::spawn(move || copy(near, far_twin, &there));
    thread::spawn(move || copy(far, near_twin, &back));
}

fn copy<E: End>(mut from: E, mut to: E, lane: &Mutex<Vec<u8>>) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(size) = from.read(&mut chunk) {
        let bytes = chunk.get(..size).unwrap();
        if size == 0 {
            break;
        }
        lane.lock().unwrap().extend_from_slice(bytes);
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    to.end_writing();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_bytes_both_ways_and_writes_them_down() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tap = Tap::tcp(listener.local_addr().unwrap());
        let mut near = TcpStream::connect(tap.address()).unwrap();
        near.write_all(b"question").unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        let mut text = Vec::new();
        far.read_to_end(&mut text).unwrap();
        assert_eq!(text, b"question");
        far.write_all(b"answer").unwrap();
        drop(far);
        text.clear();
        near.read_to_end(&mut text).unwrap();
        assert_eq!(text, b"answer");
        let mut lanes = tap.recording.lanes();
        lanes.sort();
        assert_eq!(lanes, [b"answer".to_vec(), b"question".to_vec()]);
        assert_eq!(tap.recording.size(), 14);
    }
}
