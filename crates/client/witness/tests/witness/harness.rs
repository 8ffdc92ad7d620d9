//! A log, a client, a folder and a running witness.

use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use chancery_tlog::Checkpoint;
use chancery_tlog::MerkleTree;
use chancery_tlog::SignerKey;
use chancery_tlog::TreeHead;
use chancery_tlog::UnverifiedCheckpoint;
use chancery_tlog::VerifierKey;
use chancery_tlog::leaf_hash;
use chancery_tlog::witness::AddCheckpoint;
use chancery_tlog::witness::parse_cosignatures;
use chancery_witness::Error;
use chancery_witness::Options;
use chancery_witness::Witness;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

static NUMBER: AtomicU64 = AtomicU64::new(1);

/// A clock that moves by a second at each look.
pub(crate) fn clock() -> u64 {
    1_700_000_000 + NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// A fresh folder, removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("witness-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.0.join("logs.json")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// Writes the logs file as an operator should: complete, then renamed into place.
    pub(crate) fn follow(&self, logs: &[&Log]) {
        let entries: Vec<serde_json::Value> = logs
            .iter()
            .map(|log| serde_json::json!({"origin": log.origin, "vkey": log.key.verifier().to_string()}))
            .collect();
        self.write_logs(&serde_json::json!({"version": 1, "logs": entries}).to_string());
    }

    pub(crate) fn write_logs(&self, text: &str) {
        let new = self.0.join("logs.new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.logs()).unwrap();
    }

    /// The one head file.
    pub(crate) fn head_file(&self) -> PathBuf {
        let heads: Vec<PathBuf> = fs::read_dir(self.state())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "head"))
            .collect();
        assert_eq!(heads.len(), 1);
        heads[0].clone()
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            state: self.state(),
            name: "witness.example/w1".to_string(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            logs: self.logs(),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A log with some entries.
pub(crate) struct Log {
    pub(crate) origin: String,
    pub(crate) key: SignerKey,
    pub(crate) tree: MerkleTree,
}

impl Log {
    pub(crate) fn new(origin: &str, entries: u8) -> Self {
        let key = SignerKey::from_seed(origin, &[1; 32]).unwrap();
        let mut log = Self {
            origin: origin.to_string(),
            key,
            tree: MerkleTree::new(),
        };
        log.grow(entries, "entry");
        log
    }

    pub(crate) fn grow(&mut self, entries: u8, kind: &str) {
        for n in 0..entries {
            self.tree
                .append(leaf_hash(format!("{kind} {n}").as_bytes()));
        }
    }

    pub(crate) fn checkpoint(&self, size: u64) -> UnverifiedCheckpoint {
        let root = self.tree.root_at(size).unwrap();
        let head = TreeHead::new(&self.origin, size, root).unwrap();
        Checkpoint::sign(head, &self.key).unwrap().to_unverified()
    }

    pub(crate) fn request(&self, old: u64, new: u64) -> String {
        let proof = self.tree.consistency(old.min(new), new).unwrap();
        AddCheckpoint::new(old, proof, self.checkpoint(new))
            .unwrap()
            .encode()
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) media_type: String,
    pub(crate) body: String,
}

/// A client on one kept-alive connection.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: w\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.write(&request);
        self.answer()
    }

    pub(crate) fn write(&mut self, request: &str) {
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
    }

    pub(crate) fn answer(&mut self) -> Answer {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let (mut length, mut media_type) = (0, String::new());
        loop {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("content-type", value)) => media_type = value.to_string(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        Answer {
            status,
            media_type,
            body: String::from_utf8(body).unwrap(),
        }
    }

    pub(crate) fn add(&mut self, body: &str) -> Answer {
        self.send("POST", "/add-checkpoint", body)
    }

    /// Submits and checks the cosignature; gives its time.
    pub(crate) fn cosigned(&mut self, log: &Log, old: u64, new: u64, vkey: &str) -> u64 {
        let answer = self.add(&log.request(old, new));
        assert_eq!(answer.status, 200, "{answer:?}");
        let key = VerifierKey::parse(vkey).unwrap();
        let checkpoint = log.checkpoint(new);
        parse_cosignatures(answer.body.as_bytes(), checkpoint.note().text(), &key)
            .unwrap()
            .1
    }
}

/// A witness within this process.
pub(crate) struct Running {
    runtime: Option<Runtime>,
    stop: Option<oneshot::Sender<()>>,
    served: Option<tokio::task::JoinHandle<()>>,
    pub(crate) address: SocketAddr,
    pub(crate) vkey: String,
}

impl Running {
    pub(crate) fn start(folder: &Folder) -> Result<Self, Error> {
        let runtime = Runtime::new().unwrap();
        let witness = runtime.block_on(Witness::bind(folder.options(), clock))?;
        let (address, vkey) = (witness.address().unwrap(), witness.vkey());
        let (stop, stopped) = oneshot::channel();
        let served = runtime.spawn(witness.serve(async { drop(stopped.await) }));
        let (stop, served) = (Some(stop), Some(served));
        Ok(Self {
            runtime: Some(runtime),
            stop,
            served,
            address,
            vkey,
        })
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let runtime = self.runtime.take().unwrap();
        runtime.block_on(self.served.take().unwrap()).unwrap();
    }
}
