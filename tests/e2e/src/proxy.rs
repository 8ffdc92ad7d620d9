//! What stands between a client and the service and loses what it is told to lose.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What passes next. Both are counted from 1, over all connections of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// The client's bytes that followed an answer, or began a connection; they have been passed on.
    Question(u64),
    /// The service's bytes that followed a question; they have not been passed on.
    Answer(u64),
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It passes.
    Pass,
    /// It is lost, and so is the connection.
    Lose,
    /// It is lost, and the service is out of reach from then on.
    Cut,
}

/// What is said of a passing part, and what becomes of it.
type Watcher = dyn Fn(Passing) -> Fate + Send + Sync;

/// A listener that passes on to a service what its watcher lets pass. It lasts until the process ends.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
}

impl Proxy {
    /// Listens on a free port.
    #[must_use]
    pub fn before(
        target: SocketAddr,
        watcher: impl Fn(Passing) -> Fate + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            watcher: Box::new(watcher),
            counts: Mutex::default(),
        });
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if shared.counts.lock().unwrap().cut {
                    continue;
                }
                if let Ok(far) = TcpStream::connect(target) {
                    shared.join(near, far);
                }
            }
        });
        Self { address }
    }

    /// Loses one answer and everything after it.
    #[must_use]
    pub fn cutting(target: SocketAddr, answer: u64) -> Self {
        Self::before(target, move |passing| match passing {
            Passing::Answer(number) if number >= answer => Fate::Cut,
            _ => Fate::Pass,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[derive(Debug, Default)]
struct Counts {
    questions: u64,
    answers: u64,
    cut: bool,
}

struct Shared {
    watcher: Box<Watcher>,
    counts: Mutex<Counts>,
}

/// Whose bytes passed last on a connection.
type Last = Arc<Mutex<Option<Side>>>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Service,
}

impl Shared {
    fn join(self: &Arc<Self>, near: TcpStream, far: TcpStream) {
        let (Ok(near_twin), Ok(far_twin)) = (near.try_clone(), far.try_clone()) else {
            return;
        };
        let last = Last::default();
        for (from, to, side, last) in [
            (near, far_twin, Side::Client, Arc::clone(&last)),
            (far, near_twin, Side::Service, last),
        ] {
            let shared = Arc::clone(self);
            thread::spawn(move || shared.copy(from, to, side, &last));
        }
    }

    fn copy(&self, mut from: TcpStream, mut to: TcpStream, side: Side, last: &Last) {
        let mut chunk = vec![0; 64 * 1024];
        while let Ok(size @ 1..) = from.read(&mut chunk) {
            let bytes = chunk.get(..size).unwrap();
            // Held until a question has been looked at, so that its answer is not looked at before.
            let mut last = last.lock().unwrap();
            let turned = last.replace(side) != Some(side);
            if side == Side::Client && to.write_all(bytes).is_err() {
                break;
            }
            let fate = if turned { self.fate(side) } else { Fate::Pass };
            drop(last);
            if fate != Fate::Pass {
                drop(from.shutdown(Shutdown::Both));
                drop(to.shutdown(Shutdown::Both));
                return;
            }
            if side == Side::Service && to.write_all(bytes).is_err() {
                break;
            }
        }
        drop(to.shutdown(Shutdown::Write));
    }

    fn fate(&self, side: Side) -> Fate {
        let passing = {
            let mut counts = self.counts.lock().unwrap();
            if counts.cut {
                return Fate::Cut;
            }
            if side == Side::Client {
                counts.questions += 1;
                Passing::Question(counts.questions)
            } else {
                counts.answers += 1;
                Passing::Answer(counts.answers)
            }
        };
        let fate = (self.watcher)(passing);
        if fate == Fate::Cut {
            self.counts.lock().unwrap().cut = true;
        }
        fate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    /// A service that answers every byte by the same one, and counts what it was asked.
    fn echo() -> (SocketAddr, Arc<Mutex<u32>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(0));
        let count = Arc::clone(&asked);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut byte = [0];
                while stream.read_exact(&mut byte).is_ok() {
                    *count.lock().unwrap() += 1;
                    stream.write_all(&byte).unwrap_or_default();
                }
            }
        });
        (address, asked)
    }

    fn ask(stream: &mut TcpStream) -> std::io::Result<u8> {
        let mut byte = [7];
        stream.write_all(&byte)?;
        stream.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    #[test]
    fn loses_the_answer_and_not_the_question() {
        let (target, asked) = echo();
        let proxy = Proxy::cutting(target, 2);
        let mut stream = TcpStream::connect(proxy.address()).unwrap();
        assert_eq!(ask(&mut stream).unwrap(), 7);
        let lost = ask(&mut stream).unwrap_err().kind();
        assert!(
            matches!(lost, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset),
            "{lost:?}"
        );
        assert_eq!(*asked.lock().unwrap(), 2);
        let mut stream = TcpStream::connect(proxy.address()).unwrap();
        assert!(ask(&mut stream).is_err(), "the service is out of reach");
        assert_eq!(*asked.lock().unwrap(), 2);
    }

    #[test]
    fn tells_questions_and_answers_and_may_lose_one_alone() {
        let (target, _) = echo();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&seen);
        let proxy = Proxy::before(target, move |passing| {
            heard.lock().unwrap().push(passing);
            if passing == Passing::Answer(1) {
                Fate::Lose
            } else {
                Fate::Pass
            }
        });
        for is_answered in [false, true] {
            let mut stream = TcpStream::connect(proxy.address()).unwrap();
            assert_eq!(ask(&mut stream).is_ok(), is_answered);
        }
        let seen = seen.lock().unwrap().clone();
        let expected = [
            Passing::Question(1),
            Passing::Answer(1),
            Passing::Question(2),
            Passing::Answer(2),
        ];
        assert_eq!(seen, expected);
    }
}
