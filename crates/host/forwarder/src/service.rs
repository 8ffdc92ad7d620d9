//! The runtime's streams to the host.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chancery_wire::{
    BlobReply, BlobRequest, EgressReply, FRAME_SIZE_MAX, Health, OPEN_SIZE_MAX, StoreFault,
    StoreReply, StoreRequest, StreamOpen, Telemetry, WireError, encode,
};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::destination::{ConnectError, Target};
use crate::event::Event;
use crate::files::{read_blob, write_atomically};
use crate::server::{Newest, Shared};
use crate::stream::{FrameError, FrameReader, send, splice};
use crate::worker::Job;

/// Most streams of the runtime at a time: a handful, and one for each outbound connection.
const STREAMS_MAX: usize = 512;

/// How long a stream may take to say what it is.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an outbound connection may take to be made.
const EGRESS_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Silence after which the runtime counts as unreachable: it speaks each second.
const TELEMETRY_SILENCE_MAX: Duration = Duration::from_secs(5);

/// Requests of one store stream that may be unanswered.
const PIPELINE_MAX: usize = 32;

/// Read buffer of a stream before it is known, of blobs and telemetry, and of the store.
const OPEN_BUFFER_SIZE: usize = 256;
const SMALL_BUFFER_SIZE: usize = 4 * 1024;
const STORE_BUFFER_SIZE: usize = 64 * 1024;

/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Reader = FrameReader<OwnedReadHalf>;

/// Numbers telemetry streams, so that the end of an older one does not speak for a newer one.
static TELEMETRY_STREAMS: AtomicU64 = AtomicU64::new(1);

/// Accepts for ever.
pub(crate) async fn accept(listener: UnixListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(STREAMS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    if matches!(serve(stream, &shared).await, Err(FrameError::Wire)) {
                        shared.counters.streams_refused.one();
                        Event::StreamRefused.log();
                    }
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

async fn serve(stream: UnixStream, shared: &Arc<Shared>) -> Result<(), FrameError> {
    let (reader, writer) = stream.into_split();
    let mut reader = FrameReader::new(reader, OPEN_SIZE_MAX, OPEN_BUFFER_SIZE);
    let Ok(open) = timeout(OPEN_TIMEOUT, reader.next::<StreamOpen>()).await else {
        return Err(FrameError::Io);
    };
    match open? {
        None => Ok(()),
        Some(StreamOpen::Blobs) => {
            blobs(
                reader.resume(OPEN_SIZE_MAX, SMALL_BUFFER_SIZE)?,
                writer,
                shared,
            )
            .await
        }
        Some(StreamOpen::Store) => {
            store(
                reader.resume(FRAME_SIZE_MAX, STORE_BUFFER_SIZE)?,
                writer,
                shared,
            )
            .await
        }
        Some(StreamOpen::Egress { name }) => {
            let target = shared.destinations.borrow().named(&name);
            egress(reader, writer, target, shared).await
        }
        Some(StreamOpen::Issuer { authority }) => {
            let target = shared.destinations.borrow().issuer(&authority);
            egress(reader, writer, target, shared).await
        }
        Some(StreamOpen::Telemetry) => {
            // The runtime hears nothing here; the half stays open so that it sees the host's end.
            let _writer = writer;
            telemetry(reader.resume(FRAME_SIZE_MAX, SMALL_BUFFER_SIZE)?, shared).await
        }
    }
}

async fn blobs(
    mut reader: Reader,
    mut writer: OwnedWriteHalf,
    shared: &Arc<Shared>,
) -> Result<(), FrameError> {
    while let Some(BlobRequest { name }) = reader.next().await? {
        let files = shared.config.blobs.clone();
        let read = spawn_blocking(move || read_blob(&files, name)).await;
        let reply = read.unwrap_or(BlobReply::Absent);
        match reply {
            BlobReply::Found(_) => shared.counters.blobs_served.one(),
            BlobReply::Absent => shared.counters.blobs_absent.one(),
        }
        send(&mut writer, &reply).await?;
    }
    Ok(())
}

/// Passes requests to the store's thread and its replies back, in order. A permit goes with each
/// request until its reply is written, which bounds both queues.
async fn store(
    mut reader: Reader,
    mut writer: OwnedWriteHalf,
    shared: &Shared,
) -> Result<(), FrameError> {
    let places = Semaphore::new(PIPELINE_MAX);
    let (reply, mut replies) = unbounded_channel::<StoreReply>();
    let requests = async {
        while let Some(request) = reader.next::<StoreRequest>().await? {
            let place = places.acquire().await.ok().ok_or(FrameError::Io)?;
            place.forget();
            let job = Job {
                request,
                reply: reply.clone(),
            };
            shared.jobs.send(job).await.ok().ok_or(FrameError::Io)?;
        }
        drop(reply);
        Ok::<(), FrameError>(())
    };
    let answers = async {
        while let Some(reply) = replies.recv().await {
            writer.write_all(&encode_reply(&reply)?).await?;
            places.add_permits(1);
        }
        Ok::<(), FrameError>(())
    };
    tokio::try_join!(requests, answers).map(|((), ())| ())
}

/// An answer that does not fit a frame, which an edited store might cause, is a fault instead.
fn encode_reply(reply: &StoreReply) -> Result<Vec<u8>, WireError> {
    match encode(reply) {
        Err(WireError::Oversized { .. }) => encode(&StoreReply {
            id: reply.id,
            result: Err(StoreFault::TooLarge),
        }),
        other => other,
    }
}

/// Makes one outbound connection, if its target is allowed, and copies both ways.
async fn egress(
    reader: Reader,
    mut writer: OwnedWriteHalf,
    target: Option<Target>,
    shared: &Shared,
) -> Result<(), FrameError> {
    let counters = &shared.counters;
    let connected = match target {
        Some(target) => timeout(EGRESS_CONNECT_TIMEOUT, target.connect()).await,
        None => Ok(Err(ConnectError::NotAllowed)),
    };
    let mut network = match connected {
        Ok(Ok(network)) => network,
        Ok(Err(ConnectError::NotAllowed)) => {
            counters.egress_unknown_name.one();
            Event::EgressNameUnknown.log();
            return send(&mut writer, &EgressReply::UnknownName).await;
        }
        Ok(Err(ConnectError::Failed)) => {
            counters.egress_refused.one();
            return send(&mut writer, &EgressReply::Refused).await;
        }
        Err(_) => {
            counters.egress_timed_out.one();
            return send(&mut writer, &EgressReply::TimedOut).await;
        }
    };
    counters.egress_connected.one();
    let _open = counters.egress_open.enter();
    network.set_nodelay(true)?;
    send(&mut writer, &EgressReply::Connected).await?;
    let (reader, early) = reader.into_parts();
    network.write_all(&early).await?;
    splice(
        network.split(),
        (reader, writer),
        &counters.received_bytes,
        &counters.sent_bytes,
    )
    .await?;
    Ok(())
}

async fn telemetry(mut reader: Reader, shared: &Arc<Shared>) -> Result<(), FrameError> {
    let stream = TELEMETRY_STREAMS.fetch_add(1, Ordering::Relaxed);
    let result = loop {
        match timeout(TELEMETRY_SILENCE_MAX, reader.next::<Telemetry>()).await {
            Ok(Ok(Some(telemetry))) => receive(telemetry, stream, shared).await,
            Ok(Ok(None)) | Err(_) => break Ok(()),
            Ok(Err(error)) => break Err(error),
        }
    };
    shared.newest.send_modify(|newest| {
        if newest.stream == stream {
            newest.health = Health::Unreachable;
            Event::RuntimeSilent.log();
        }
    });
    result
}

/// Writes the document first, so that it is there when the health that needs it is seen.
async fn receive(telemetry: Telemetry, stream: u64, shared: &Arc<Shared>) {
    shared.counters.telemetry_received.one();
    let Telemetry {
        health,
        counters,
        deployment,
        collateral,
    } = telemetry;
    let Config {
        published_deployment,
        blobs,
        ..
    } = &shared.config;
    if let Some(document) = deployment
        && let Err(kind) = write(published_deployment.clone(), document).await
    {
        Event::DeploymentUnwritable(kind).log();
    }
    if let Some((path, file)) = blobs.collateral.clone().zip(collateral)
        && let Err(kind) = write(path, file).await
    {
        Event::CollateralUnwritable(kind).log();
    }
    shared.newest.send_modify(|newest| {
        if newest.stream < stream {
            Event::RuntimeConnected.log();
        }
        if newest.stream <= stream {
            *newest = Newest {
                stream,
                health,
                counters,
            };
        }
    });
}

/// Writes a file for the runtime, on a thread that may block.
async fn write(path: PathBuf, bytes: Vec<u8>) -> Result<(), ErrorKind> {
    spawn_blocking(move || write_atomically(&path, &bytes))
        .await
        .unwrap_or_else(|_gone| Err(ErrorKind::Other.into()))
        .map_err(|error| error.kind())
}

#[cfg(test)]
mod tests {

    use chancery_wire::{Counters, RECORD_SIZE_MAX, RecordBody, StoreAnswer};
    use tokio::sync::{mpsc, watch};

    use super::*;
    use crate::counters::HostCounters;

    const CONFIG: &str = r#"{"version":1,"listen":"127.0.0.1:0","status_listen":"127.0.0.1:0",
        "runtime_ingress":"i","host_socket":"h","store":"s","egress":{},"issuers":{},
        "blobs":{"configuration":"c","release_policy":"r","tcb_floors":"f"},"published_deployment":"absent/d",
        "connections_max":1}"#;

    fn shared() -> Arc<Shared> {
        let config = Config::parse(CONFIG.as_bytes()).unwrap();
        assert_eq!(config.published_deployment, PathBuf::from("absent/d"));
        let newest = Newest {
            stream: 0,
            health: Health::Unreachable,
            counters: Counters::default(),
        };
        Arc::new(Shared {
            config,
            counters: Arc::new(HostCounters::default()),
            destinations: watch::Sender::default(),
            newest: watch::Sender::new(newest),
            jobs: mpsc::channel(1).0,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_runtime_that_falls_silent_is_unreachable_after_a_while() {
        let shared = shared();
        let (host, runtime) = UnixStream::pair().unwrap();
        let (_reader, mut writer) = runtime.into_split();
        let serving = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move { serve(host, &shared).await.is_ok() }
        });
        send(&mut writer, &StreamOpen::Telemetry).await.unwrap();
        let mut newest = shared.newest.subscribe();
        for health in [Health::Starting, Health::Serving] {
            // The document cannot be written here; the state is published all the same.
            let deployment = Some(b"{}".to_vec());
            let counters = Counters::default();
            send(
                &mut writer,
                &Telemetry {
                    health,
                    counters,
                    deployment,
                    collateral: None,
                },
            )
            .await
            .unwrap();
            newest
                .wait_for(|newest| newest.health == health)
                .await
                .unwrap();
        }
        newest
            .wait_for(|newest| newest.health == Health::Unreachable)
            .await
            .unwrap();
        assert!(serving.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_never_says_what_it_is_is_closed() {
        let (host, _runtime) = UnixStream::pair().unwrap();
        assert!(matches!(serve(host, &shared()).await, Err(FrameError::Io)));
    }

    #[test]
    fn an_answer_that_fits_no_frame_becomes_a_fault() {
        let records = vec![RecordBody(vec![0; RECORD_SIZE_MAX]); 2];
        let reply = StoreReply {
            id: 7,
            result: Ok(StoreAnswer::Records(records)),
        };
        let fault = StoreReply {
            id: 7,
            result: Err(StoreFault::TooLarge),
        };
        assert_eq!(encode_reply(&reply), encode(&fault));
        assert_eq!(encode_reply(&fault), encode(&fault));
    }
}
