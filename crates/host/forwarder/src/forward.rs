//! Inbound connections: accepted, handed to the runtime, copied.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chancery_wire::{IngressOpen, Listener};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::event::Event;
use crate::server::Shared;
use crate::stream::{send, splice};

/// How long a connection waits for a runtime that is starting.
const RUNTIME_WAIT_MAX: Duration = Duration::from_secs(10);

/// First and longest pause between two attempts to reach the runtime.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(10);
const RETRY_PAUSE_MAX: Duration = Duration::from_millis(500);

/// Pause after a failed accept, which is mostly a want of open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts for ever. At the configured number of connections nothing more is accepted: clients wait in
/// the kernel's queue.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let places = usize::try_from(shared.config.connections_max).unwrap_or(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(places));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((connection, _)) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    forward(connection, &shared).await;
                    drop(place);
                });
            }
            Err(error) => {
                Event::AcceptFailed(error.kind()).log();
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn forward(mut network: TcpStream, shared: &Shared) {
    let counters = &shared.counters;
    counters.connections_accepted.one();
    let _open = counters.connections_open.enter();
    let mut runtime = match connect(&shared.config.runtime_ingress).await {
        Ok(runtime) => runtime,
        Err(error) => {
            counters.connections_failed.one();
            Event::RuntimeAbsent(error.kind()).log();
            return;
        }
    };
    let opened = IngressOpen {
        listener: Listener::Public,
    };
    if network.set_nodelay(true).is_err() || send(&mut runtime, &opened).await.is_err() {
        counters.connections_failed.one();
        return;
    }
    let (network, runtime) = (network.split(), runtime.split());
    let result = splice(
        network,
        runtime,
        &counters.received_bytes,
        &counters.sent_bytes,
    )
    .await;
    // Connections break all the time; whoever spoke over it notices.
    drop(result);
}

/// Connects to the runtime, again and again while it starts.
async fn connect(path: &Path) -> io::Result<UnixStream> {
    let deadline = Instant::now()
        .checked_add(RUNTIME_WAIT_MAX)
        .ok_or(ErrorKind::TimedOut)?;
    let mut pause = RETRY_PAUSE_MIN;
    loop {
        let error = match UnixStream::connect(path).await {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        if Instant::now() >= deadline {
            return Err(error);
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(RETRY_PAUSE_MAX);
    }
}
