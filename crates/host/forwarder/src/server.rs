//! Starting, serving and ending.

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chancery_store::{Store, StoreError};
use chancery_wire::{Counters, Health};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::Sender;
use tokio::sync::{oneshot, watch};

use crate::config::Config;
use crate::counters::HostCounters;
use crate::destination::Destinations;
use crate::error::HostError;
use crate::event::Event;
use crate::worker::{self, Job, Worker};
use crate::{forward, process, service, status};

/// Threads that copy bytes; the store has its own.
const COPY_THREADS: usize = 2;

/// How long tasks may take to end once the host ends.
const ENDING_TIMEOUT: Duration = Duration::from_secs(2);

/// What the runtime said last, and of which telemetry stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Newest {
    pub(crate) stream: u64,
    pub(crate) health: Health,
    pub(crate) counters: Counters,
}

/// What all tasks share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) counters: Arc<HostCounters>,
    pub(crate) destinations: watch::Sender<Destinations>,
    pub(crate) newest: watch::Sender<Newest>,
    pub(crate) jobs: Sender<Job>,
}

/// The host's sockets.
#[derive(Debug)]
struct Sockets {
    public: TcpListener,
    status: TcpListener,
    host: UnixListener,
}

/// Signals that the host acts on.
#[derive(Debug)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// Runs the host until a signal ends it.
///
/// Prints one line of JSON on standard output when it serves.
///
/// # Errors
///
/// It could not start, or the store failed.
pub fn run(config_path: &Path) -> Result<(), HostError> {
    let config = Config::load(config_path)?;
    process::raise_open_files(&config);
    // The store's lock also says that the socket's file, if there is one, is nobody's any more.
    let store = Store::open(&config.store).map_err(HostError::StoreUnusable)?;
    let counters = Arc::new(HostCounters::default());
    let Worker {
        jobs,
        failure,
        thread,
    } = worker::start(store, Arc::clone(&counters)).map_err(HostError::System)?;
    let shared = Arc::new(Shared {
        destinations: watch::Sender::new(config.destinations.clone()),
        newest: watch::Sender::new(Newest {
            stream: 0,
            health: Health::Unreachable,
            counters: Counters::default(),
        }),
        config,
        counters,
        jobs,
    });
    let runtime = Builder::new_multi_thread()
        .worker_threads(COPY_THREADS)
        .enable_all()
        .build()
        .map_err(HostError::System)?;
    let result = runtime.block_on(serve(
        config_path.to_path_buf(),
        Arc::clone(&shared),
        failure,
    ));
    runtime.shutdown_timeout(ENDING_TIMEOUT);
    // With the last sender gone, the thread finishes its request and closes the store.
    drop(shared);
    if thread.join().is_err() {
        return Err(HostError::StoreFailed(StoreError::Failed));
    }
    result
}

async fn serve(
    config_path: PathBuf,
    shared: Arc<Shared>,
    failure: oneshot::Receiver<StoreError>,
) -> Result<(), HostError> {
    let mut signals = Signals {
        terminate: signal(SignalKind::terminate()).map_err(HostError::System)?,
        interrupt: signal(SignalKind::interrupt()).map_err(HostError::System)?,
        hang_up: signal(SignalKind::hangup()).map_err(HostError::System)?,
    };
    let sockets = bind(&shared.config).await?;
    announce(&sockets).map_err(HostError::System)?;
    tokio::spawn(forward::accept(sockets.public, Arc::clone(&shared)));
    tokio::spawn(service::accept(sockets.host, Arc::clone(&shared)));
    tokio::spawn(status::accept(sockets.status, Arc::clone(&shared)));

    tokio::pin!(failure);
    let result = loop {
        tokio::select! {
            failed = &mut failure => {
                break Err(HostError::StoreFailed(failed.unwrap_or(StoreError::Failed)));
            }
            _ = signals.hang_up.recv() => reload(&config_path, &shared),
            _ = signals.terminate.recv() => break Ok(()),
            _ = signals.interrupt.recv() => break Ok(()),
        }
    };
    Event::Ending.log();
    remove_socket(&shared.config.host_socket).map_err(HostError::System)?;
    result
}

async fn bind(config: &Config) -> Result<Sockets, HostError> {
    let public = listen(config.listen).await?;
    let status = listen(config.status_listen).await?;
    let path = &config.host_socket;
    let host = bind_host_socket(path).map_err(|source| HostError::HostSocket {
        path: path.clone(),
        source,
    })?;
    Ok(Sockets {
        public,
        status,
        host,
    })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, HostError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| match source.kind() {
            ErrorKind::AddrInUse => HostError::AddressInUse { address },
            _ => HostError::Listen { address, source },
        })
}

fn bind_host_socket(path: &Path) -> io::Result<UnixListener> {
    remove_socket(path)?;
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Removes a socket's file, if there is one.
fn remove_socket(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Tells whoever started the host that it serves.
fn announce(sockets: &Sockets) -> io::Result<()> {
    let ready = serde_json::json!({
        "ready": true,
        "listen": sockets.public.local_addr()?.to_string(),
        "metrics": format!("http://{}/metrics", sockets.status.local_addr()?),
        "pid": std::process::id(),
    });
    let mut output = io::stdout().lock();
    writeln!(output, "{ready}")?;
    output.flush()
}

/// Reads the destinations of the configuration again; the old ones stay if the file cannot be used.
fn reload(config_path: &Path, shared: &Shared) {
    match Config::load(config_path) {
        Ok(config) => {
            shared.destinations.send_replace(config.destinations);
            Event::EgressReloaded.log();
        }
        Err(_) => Event::ReloadRefused.log(),
    }
}
