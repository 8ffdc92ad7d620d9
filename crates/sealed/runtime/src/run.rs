//! The runtime's life: launch, load, confirm, boot, serve.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chancery_engine::{Batch, LeafContext, LedgerError, RootLog, View};
use chancery_keyset::Keyset;
use chancery_platform::SecureProcessor;
use chancery_sealing::{Entropy as _, Key};
use chancery_session::Deployment;
use chancery_session::deployment::DeploymentParts;
use chancery_verify::Anchor;
use chancery_wire::{Health, RefusalCode, StoreAnswer, StoreFault, StoreOperation, StreamHead};
use tokio::sync::mpsc;

use crate::announce::announce;
use crate::boot::{HOST_PAUSE, Launch, LoadStop, Loaded, Loader, launch};
use crate::certificates::TlsKeys;
use crate::clock::{Clock, SystemClock, TrustedTime};
use crate::collateral::{Collateral, CollateralParts};
use crate::commit::{CommitState, Committer, adopt};
use crate::entropy::SystemEntropy;
use crate::link::{StoreFailure, StoreLink};
use crate::metrics::Metrics;
use crate::node::{Node, NodeParts, Purposes, instance_key};
use crate::sequencer::{Inbox, Reply, Sequencer};
use crate::service::{Served, Service, ServiceParts};
use crate::status::Status;
use crate::transport::Transport;
use crate::witnesses::{NoQuorum, WitnessContext, Witnesses};
use crate::{connection, journal_line, upkeep};

/// Pause between attempts to reach a quorum at boot.
pub(crate) const QUORUM_PAUSE: Duration = Duration::from_millis(500);
/// The machine that the runtime finds itself on.
pub struct Machine {
    /// The secure processor.
    pub processor: Arc<dyn SecureProcessor>,
    /// The way to the host.
    pub transport: Arc<dyn Transport>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Machine")
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

/// Runs until this instance must stop serving, and then goes on telling the host why.
pub async fn run<A: Anchor>(machine: Machine) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let metrics = Arc::new(Metrics::default());
    let status = Arc::new(Status::new(Arc::clone(&metrics)));
    let telling = Arc::clone(&status).tell(Arc::clone(&machine.transport), Arc::clone(&clock));
    tokio::spawn(telling);
    let refusal = match start::<A>(&machine, &status, &clock).await {
        Ok((service, served)) => {
            let stopped = tokio::select! {
                refusal = served => refusal,
                () = service.node.processor_lost() => RefusalCode::SecureProcessorFailed,
                refusal = accept(&machine.transport, &service, &status) => refusal,
            };
            service.stopped.store(true, Ordering::Release);
            service.inbox.end();
            stopped
        }
        Err(refusal) => refusal,
    };
    status.set(Health::Refused(refusal));
    journal_line(&format!(
        "refuses to serve: {}: {}",
        refusal.code(),
        refusal.sentence()
    ));
    // Nothing is served from here on; the host is told until somebody acts.
    std::future::pending::<()>().await;
}

type Closed = Result<Batch<Reply>, LedgerError>;
type Serving = (Arc<Service>, tokio::sync::oneshot::Receiver<RefusalCode>);

async fn start<A: Anchor>(
    machine: &Machine,
    status: &Arc<Status>,
    clock: &Arc<dyn Clock>,
) -> Result<(Arc<Service>, impl Future<Output = RefusalCode> + use<A>), RefusalCode> {
    let launch = launch(machine.processor.as_ref(), &machine.transport).await?;
    let mut entropy = entropy(machine, &launch)?;
    let boot_seed = Key::generate(&mut entropy).map_err(|_entropy| RefusalCode::EntropyFailed)?;
    let context = LeafContext {
        instance_key: instance_key(&boot_seed),
        policy_hash: *launch.policy.sha256(),
    };
    let launch = Arc::new(launch);
    let mut starter = Starter {
        machine,
        status,
        clock,
        launch: Arc::clone(&launch),
        entropy,
        context,
    };
    let (service, stopped) = loop {
        let loader = Loader {
            launch: &launch,
            processor: machine.processor.as_ref(),
            transport: &machine.transport,
            entropy: &mut starter.entropy,
            clock: clock.as_ref(),
            context,
        };
        let booted = match loader.load().await {
            Ok(loaded) => starter.boot::<A>(loaded).await,
            Err(stop) => Err(stop),
        };
        match booted {
            Ok(serving) => break serving,
            Err(LoadStop::Refused(refusal)) => return Err(refusal),
            Err(LoadStop::Again) => tokio::time::sleep(HOST_PAUSE).await,
        }
    };
    let stopped = async move {
        // The committer ends only with a reason; losing it is a reason of its own.
        stopped.await.unwrap_or(RefusalCode::EngineFault)
    };
    Ok((service, stopped))
}

/// Entropy that is mixed with a secret which the secure processor gives this chip and image alone.
fn entropy(machine: &Machine, launch: &Launch) -> Result<SystemEntropy, RefusalCode> {
    let fields = &launch.identity.fields;
    let request = chancery_platform::DerivedKeyRequest::sealing(
        fields.guest_svn,
        u64::from_le_bytes(fields.committed_tcb.bytes()),
    );
    let mixer = machine
        .processor
        .derived_key(&request)
        .map_err(|_sp| RefusalCode::SecureProcessorFailed)?;
    SystemEntropy::new(&mixer.derive("chancery/entropy/launch/v1", b""))
        .map_err(|_entropy| RefusalCode::EntropyFailed)
}

struct Starter<'a> {
    machine: &'a Machine,
    status: &'a Arc<Status>,
    clock: &'a Arc<dyn Clock>,
    launch: Arc<Launch>,
    entropy: SystemEntropy,
    context: LeafContext,
}

impl Starter<'_> {
    /// Randomness of its own for a part of the runtime.
    fn fork(&mut self) -> Result<SystemEntropy, RefusalCode> {
        self.entropy
            .fork()
            .map_err(|_entropy| RefusalCode::EntropyFailed)
    }

    async fn boot<A: Anchor>(&mut self, loaded: Loaded) -> Result<Serving, LoadStop> {
        let Loaded {
            mut ledger,
            view,
            log,
            tls,
            deployment,
            epoch,
            token_key,
            store_tag,
            streams,
        } = loaded;
        let (served, authority_pem) = self.certificate(&tls)?;
        let document = self.document::<A>(deployment, &log, &authority_pem)?;
        self.status.publish(document.clone());
        self.status.set(Health::WaitingForWitnesses);
        let is_new = log.size() == 0;
        let log = Arc::new(Mutex::new(log));
        let (committer, batches) = self.committer(log, view, epoch);
        self.status.follow(Arc::clone(&committer.state));
        if !is_new {
            self.confirm(&committer).await?;
            self.fence(epoch, &streams).await?;
        }
        ledger.begin_epoch(epoch, self.context);
        let node = self.node::<A>(deployment, document, &committer)?;
        let boot_nonce = node.boot_nonce();
        let spki_sha256 = served.spki_sha256;
        let parts = ServiceParts {
            served,
            entropy: self.fork()?,
            token_key,
            node: Arc::new(node),
            claim_key: Key::generate(&mut self.fork()?)
                .map_err(|_entropy| RefusalCode::EntropyFailed)?,
            store_tag,
            dangerous_any_domain: self.launch.configuration.dangerous_any_domain,
            catalogue: self.launch.configuration.catalogue,
        };
        let service = Arc::new(Service::new(parts, &committer));
        let sequencer = Sequencer {
            ledger,
            entropy: self.fork()?,
            inbox: Arc::clone(&committer.inbox),
            batches: batches.0,
            clock: Arc::clone(self.clock),
            time: Arc::clone(&committer.time),
        };
        let mut stopped = set_going(sequencer, committer, batches.1)?;
        // The boot entry carries a fresh nonce: only the newest state gets a quorum for it (I23).
        tokio::select! {
            () = announce(&service, self.status, boot_nonce, spki_sha256) => {}
            () = service.node.processor_lost() => {
                return Err(RefusalCode::SecureProcessorFailed.into());
            }
            refusal = &mut stopped => {
                return Err(refusal.unwrap_or(RefusalCode::EngineFault).into());
            }
        }
        // Whoever served before, serves no more.
        service.assertions.begin(service.now_ms());
        service.metrics.boot_epoch.set(epoch);
        tokio::spawn(upkeep::keep_time(Arc::clone(&service)));
        tokio::spawn(upkeep::renew(
            Arc::clone(&service),
            tls,
            Arc::clone(&self.launch),
        ));
        Ok((service, stopped))
    }

    fn committer(
        &self,
        log: Arc<Mutex<RootLog>>,
        view: View,
        epoch: u64,
    ) -> (
        Committer,
        (
            mpsc::UnboundedSender<Closed>,
            mpsc::UnboundedReceiver<Closed>,
        ),
    ) {
        let committer = Committer {
            transport: Arc::clone(&self.machine.transport),
            witnesses: self.witnesses(&log),
            log,
            view: Arc::new(RwLock::new(view)),
            inbox: Arc::new(Inbox::default()),
            clock: Arc::clone(self.clock),
            time: Arc::new(TrustedTime::default()),
            state: Arc::new(CommitState::new()),
            metrics: Arc::clone(self.status.metrics()),
            fence: epoch,
        };
        (committer, mpsc::unbounded_channel())
    }

    fn node<A: Anchor>(
        &mut self,
        deployment: [u8; 32],
        document: Vec<u8>,
        committer: &Committer,
    ) -> Result<Node, RefusalCode> {
        let mut boot_nonce = [0; 32];
        self.entropy
            .fill(&mut boot_nonce)
            .map_err(|_entropy| RefusalCode::EntropyFailed)?;
        Ok(Node::new(NodeParts {
            purposes: Purposes::of::<A>(),
            processor: Arc::clone(&self.machine.processor),
            collateral: self.collateral::<A>(committer)?,
            log: Arc::clone(&committer.log),
            deployment,
            host_names: self.launch.configuration.host_names.clone(),
            policy_envelope: self.launch.policy_envelope.clone(),
            floors_envelope: self.launch.floors_envelope.clone(),
            policy_version: self.launch.policy.policy().version,
            policy_sha256: *self.launch.policy.sha256(),
            release_id: self.release_id()?,
            configuration_sha256: self.launch.configuration_sha256,
            hpke: Keyset::generate(&mut self.entropy)
                .map_err(|_keys| RefusalCode::EntropyFailed)?,
            boot_nonce,
            document,
        }))
    }

    fn collateral<A: Anchor>(&mut self, committer: &Committer) -> Result<Collateral, RefusalCode> {
        let policy = self.launch.policy.policy();
        let configuration = &self.launch.configuration;
        Collateral::new::<A>(CollateralParts {
            is_list_needed: !policy.dangerous_allow_unchecked_revocation,
            list_numbers_min: self.launch.floors.floors().crl_numbers_min,
            transport: Arc::clone(&self.machine.transport),
            clock: Arc::clone(self.clock),
            time: Arc::clone(&committer.time),
            status: Arc::clone(self.status),
            kds_egress: configuration.kds_egress.clone(),
            kds_roots: Vec::new(),
            entropy: Box::new(self.fork()?),
        })
        .map_err(|_tls| RefusalCode::ConfigurationInvalid)
    }

    fn witnesses(&self, log: &Arc<Mutex<RootLog>>) -> Arc<Witnesses> {
        let context = WitnessContext {
            transport: Arc::clone(&self.machine.transport),
            log: Arc::clone(log),
            clock: Arc::clone(self.clock),
            metrics: Arc::clone(self.status.metrics()),
        };
        let configuration = &self.launch.configuration;
        Arc::new(Witnesses::start(
            &context,
            configuration.witness_policy.clone(),
            configuration.witness_egress.clone(),
        ))
    }

    fn certificate(&self, tls: &TlsKeys) -> Result<(Served, String), RefusalCode> {
        issue(tls, &self.launch, self.clock.wall_ms()).ok_or(RefusalCode::ConfigurationInvalid)
    }

    /// The id under which the policy lists this image; an image that it does not list has none, and
    /// no client would accept it.
    fn release_id(&self) -> Result<String, RefusalCode> {
        let measurement = &self.launch.identity.fields.measurement;
        self.launch
            .policy
            .policy()
            .releases
            .iter()
            .find(|release| release.measurement == *measurement)
            .map(|release| release.id.clone())
            .ok_or(RefusalCode::ReleasePolicyInvalid)
    }

    fn document<A: Anchor>(
        &self,
        deployment: [u8; 32],
        log: &RootLog,
        authority_pem: &str,
    ) -> Result<Vec<u8>, RefusalCode> {
        let configuration = &self.launch.configuration;
        let host = configuration
            .host_names
            .first()
            .ok_or(RefusalCode::ConfigurationInvalid)?;
        let parts = DeploymentParts {
            deployment_id: deployment,
            log_origin: String::from(log.origin()),
            log_key: log.verifier().to_string(),
            witness_policy: configuration.witness_policy_text.clone(),
            release_keys: configuration
                .release_keys
                .iter()
                .map(|key| key.to_bytes())
                .collect(),
            release_threshold: configuration.release_threshold,
            tls_roots_pem: String::from(authority_pem),
            base: format!("https://{host}"),
            mode: A::MODE,
        };
        Deployment::new(parts)
            .map(|document| document.to_json())
            .map_err(|_member| RefusalCode::ConfigurationInvalid)
    }

    /// Asks the witnesses whether the store's head is the newest one that they know. Nothing has been
    /// written by this instance yet.
    async fn confirm(&self, committer: &Committer) -> Result<(), RefusalCode> {
        let checkpoint = committer
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sign()
            .map_err(|_equivocation| RefusalCode::WitnessesDiverged)?;
        loop {
            match committer.witnesses.submit(&checkpoint).await {
                Ok(cosigned) => {
                    adopt(
                        &committer.state,
                        &committer.time,
                        self.clock.as_ref(),
                        cosigned,
                    );
                    return Ok(());
                }
                Err(NoQuorum::Superseded(theirs)) if theirs.size() > checkpoint.size() => {
                    journal_line(&format!(
                        "a witness has cosigned {} leaves; the store holds {}",
                        theirs.size(),
                        checkpoint.size()
                    ));
                    return Err(RefusalCode::RolledBack);
                }
                Err(NoQuorum::Superseded(_)) => return Err(RefusalCode::WitnessesDiverged),
                Err(NoQuorum::Unreachable) => tokio::time::sleep(QUORUM_PAUSE).await,
            }
        }
    }

    /// Shuts out every earlier writer, then looks whether one of them was faster than the fence: what
    /// a killed predecessor had sent may have reached the store after it was read.
    async fn fence(&self, epoch: u64, loaded: &[StreamHead]) -> Result<(), LoadStop> {
        let Ok(mut store) = StoreLink::open(&self.machine.transport).await else {
            return Err(LoadStop::Again);
        };
        match store.ask(StoreOperation::Fence { epoch }).await {
            Ok(StoreAnswer::Fenced) => {}
            Err(StoreFailure::Fault(StoreFault::Fenced { .. })) => {
                return Err(RefusalCode::RolledBack.into());
            }
            Ok(_) | Err(_) => return Err(LoadStop::Again),
        }
        match store.ask(StoreOperation::Streams).await {
            Ok(StoreAnswer::Streams(now)) if now == loaded => Ok(()),
            Ok(_) | Err(_) => Err(LoadStop::Again),
        }
    }
}

/// Issues a certificate and the TLS configuration that presents it.
pub(crate) fn issue(tls: &TlsKeys, launch: &Launch, now_ms: u64) -> Option<(Served, String)> {
    let configuration = &launch.configuration;
    let issued = tls
        .issue(&configuration.service, &configuration.host_names, now_ms)
        .ok()?;
    let config = chancery_hybrid_kx::server_config(issued.chain, issued.key).ok()?;
    Some((
        Served {
            config,
            spki_sha256: issued.spki_sha256,
        },
        issued.authority_pem,
    ))
}

/// Starts the thread that decides and the task that commits; the receiver learns why they ended.
fn set_going(
    sequencer: Sequencer,
    committer: Committer,
    batches: mpsc::UnboundedReceiver<Closed>,
) -> Result<tokio::sync::oneshot::Receiver<RefusalCode>, RefusalCode> {
    let (sender, stopped) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let _gone = sender.send(committer.run(batches).await);
    });
    std::thread::Builder::new()
        .name(String::from("sequencer"))
        .spawn(move || sequencer.run())
        .map_err(|_thread| RefusalCode::EngineFault)?;
    Ok(stopped)
}

/// Takes in the host's streams until the listener fails for good.
async fn accept(
    transport: &Arc<dyn Transport>,
    service: &Arc<Service>,
    status: &Status,
) -> RefusalCode {
    loop {
        match transport.listen() {
            Ok(mut listener) => {
                status.set(Health::Serving);
                while let Ok(stream) = listener.accept().await {
                    tokio::spawn(connection::serve(stream, Arc::clone(service)));
                }
            }
            Err(error) => journal_line(&format!("cannot listen for the host: {error}")),
        }
        tokio::time::sleep(HOST_PAUSE).await;
    }
}
