//! The service, from nothing to serving, and kept there.

use std::collections::BTreeSet;
use std::time::Duration;

use chancery_authority::Domain;
use chancery_client::{AttestedConnection, ClientError, Connector, now_ms};
use chancery_dsse::SigningKey;
use chancery_emulated_sp::{EmulatedAnchor, EmulatedRoots};
use chancery_json::Object;
use chancery_session::Deployment;
use chancery_wire::RefusalCode;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::args::UpArgs;
use crate::console::Console;
use crate::error::DevError;
use crate::files;
use crate::http::{Health, health};
use crate::ready::{Pids, Ready, ReadyIssuer, ReadyTenant};
use crate::up::child::Role;
use crate::up::configuration::{self, Settlement};
use crate::up::greeting::greet;
use crate::up::issuer;
use crate::up::layout::{Layout, WITNESSES};
use crate::up::programs::Programs;
use crate::up::publication::{self, Known, pins, published, same_deployment};
use crate::up::release;
use crate::up::schemas;
use crate::up::supervisor::{Change, Supervisor};
use crate::up::tenant::{self, Founded, Founder, IssuerState, SLUG};

/// How often the runtime's state is asked for.
const HEALTH_PERIOD: Duration = Duration::from_millis(500);
/// The same while it starts.
const STARTING_PERIOD: Duration = Duration::from_millis(100);
/// How long the runtime may take until it serves: a large store is read again from its beginning.
const SERVING_TIME_MAX: Duration = Duration::from_secs(600);
/// Attempts to make the tenant before `up` gives in: the runtime may restart meanwhile.
const FOUNDING_ATTEMPTS_MAX: u32 = 5;
/// Pause between them.
const FOUNDING_PAUSE: Duration = Duration::from_secs(1);

/// The keys that belong to the operator of this service.
struct Keys {
    release: SigningKey,
    admission: SigningKey,
}

/// The service, from nothing to serving.
pub(crate) struct Service<'a> {
    args: &'a UpArgs,
    domains: BTreeSet<Domain>,
    console: &'a Console,
    layout: &'a Layout,
    programs: &'a Programs,
    children: Supervisor<'a>,
    ready: Option<Ready>,
}

impl<'a> Service<'a> {
    /// Nothing has been started yet.
    pub(crate) const fn new(
        args: &'a UpArgs,
        domains: BTreeSet<Domain>,
        console: &'a Console,
        layout: &'a Layout,
        children: Supervisor<'a>,
        programs: &'a Programs,
    ) -> Self {
        Self {
            args,
            domains,
            console,
            layout,
            programs,
            children,
            ready: None,
        }
    }

    /// Starts everything and keeps it running.
    pub(crate) async fn run(&mut self) -> Result<(), DevError> {
        let keys = Keys {
            release: tenant::signing_key(&self.layout.release_key())?,
            admission: tenant::signing_key(&self.layout.admission_key())?,
        };
        let mut known = self.settle(&keys).await?;
        files::remove(&self.layout.host_file("deployment.json"))?;
        let password = issuer::password(self.layout)?;
        self.children.start(Role::Issuer).await?;
        self.children.start(Role::Host).await?;
        known.base = configuration::base(self.children.listen());
        self.children.start(Role::Processor).await?;
        self.serving(&known).await?;
        let deployment = self.pin(&known)?;
        let tenant = self.found(&keys, &known, &deployment).await?;
        self.write_ready(&deployment, tenant, password)?;
        self.console.done_waiting();
        if let Some(ready) = &self.ready {
            greet(self.console, ready, self.args.ready_file.as_deref());
        }
        self.keep(&known).await
    }

    /// Starts the witnesses and settles what the runtime is launched with.
    async fn settle(&mut self, keys: &Keys) -> Result<Known, DevError> {
        let logs = match publication::pinned(self.layout)? {
            Some(pins) => {
                configuration::witness_logs(Some((pins.log_origin(), pins.log_key_text())))
            }
            None => configuration::witness_logs(None),
        };
        files::write_if_changed(&self.layout.witness_logs(), &logs, files::PUBLIC)?;
        for number in 1..=WITNESSES {
            self.children.start(Role::Witness(number)).await?;
        }
        let witnesses = self.children.witness_keys().ok_or(DevError::WitnessKeys)?;
        let witness_policy = configuration::witness_policy(&witnesses);
        let schemas = schemas::read(&self.args.user_schemas, &self.args.group_schemas)?;
        let settlement = Settlement {
            listen: self.args.listen,
            witness_policy: &witness_policy,
            release_key: keys.release.public_key(),
            admission_key: keys.admission.public_key(),
            dangerous_any_domain: self.args.dangerous_any_domain,
            schema_extensions: schemas,
        };
        let path = self.layout.host_file("configuration.json");
        for contradiction in configuration::settle(&path, &settlement)? {
            self.console.say("notice", contradiction);
        }
        self.console.waiting("measuring the runtime");
        let identity = release::Identity::ask(self.programs, self.layout).await?;
        files::write_if_changed(
            &self.layout.roots(),
            &identity.roots.to_json(),
            files::PUBLIC,
        )?;
        let path = self.layout.host_file("release-policy.json");
        match release::settle(&path, &identity, &keys.release, now_ms())? {
            release::Settled::Kept => {}
            release::Settled::Signed(version) => {
                let message = format!("release policy {version} is signed");
                let members = Object::new().with("version", version);
                self.console.event("release-policy", &message, &members);
            }
        }
        let path = self.layout.host_file("tcb-floors.json");
        match release::settle_floors(&path, &identity, &keys.release, now_ms())? {
            release::Settled::Kept => {}
            release::Settled::Signed(version) => {
                let message = format!("firmware floors {version} are signed");
                let members = Object::new().with("version", version);
                self.console.event("tcb-floors", &message, &members);
            }
        }
        Ok(Known {
            witness_policy,
            release_key: keys.release.public_key().to_bytes(),
            base: String::new(),
        })
    }

    /// Waits until the runtime serves, giving the witnesses its log's key the first time.
    async fn serving(&mut self, known: &Known) -> Result<(), DevError> {
        let begun = Instant::now();
        let mut code = String::new();
        let mut tick = interval(STARTING_PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while begun.elapsed() < SERVING_TIME_MAX {
            tokio::select! {
                change = self.children.next() => {
                    change?;
                    continue;
                }
                _ = tick.tick() => {}
            }
            self.follow(known).await?;
            if let Some(health) = self.health(&mut code).await?
                && health.code == "serving"
            {
                return Ok(());
            }
        }
        Err(DevError::NotServing { code })
    }

    /// Lets the witnesses follow the log that the runtime has published, unless another is pinned.
    async fn follow(&mut self, known: &Known) -> Result<(), DevError> {
        let Some(published) = published(self.layout)? else {
            return Ok(());
        };
        self.check_pins(&published)?;
        let path = self.layout.host_file("deployment.json");
        let pins = pins(&published, known).map_err(|reason| DevError::Document { path, reason })?;
        let logs = configuration::witness_logs(Some((pins.log_origin(), pins.log_key_text())));
        let path = self.layout.witness_logs();
        let before = files::read_if_there(&path)?;
        if before.as_deref() == Some(&logs) {
            return Ok(());
        }
        files::write(&path, &logs, files::PUBLIC)?;
        if before.is_some_and(|before| before != configuration::witness_logs(None)) {
            // A runtime that died before it stored anything founded another log than its successor.
            // No witness has cosigned it; a witness never changes a key that it has read.
            self.children.restart_witnesses().await?;
        }
        Ok(())
    }

    fn check_pins(&self, published: &Deployment) -> Result<(), DevError> {
        match publication::pinned(self.layout)? {
            Some(pins) if !same_deployment(&pins, published) => Err(DevError::OtherDeployment {
                path: self.layout.deployment(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// The runtime's state; a line for each new one, an error for one that does not pass by itself.
    async fn health(&mut self, last: &mut String) -> Result<Option<Health>, DevError> {
        let Some(address) = self.children.metrics() else {
            return Ok(None);
        };
        let Some(health) = health(address).await else {
            return Ok(None);
        };
        if RefusalCode::ALL
            .iter()
            .any(|refusal| refusal.code() == health.code)
        {
            return Err(DevError::Refused {
                code: health.code,
                sentence: health.sentence,
            });
        }
        if health.code != *last {
            last.clone_from(&health.code);
            self.console.waiting(&health.sentence);
            let members = Object::new().with("code", health.code.as_str());
            self.console.event("health", &health.sentence, &members);
        }
        Ok(Some(health))
    }

    /// Writes the files of clients.
    fn pin(&self, known: &Known) -> Result<Deployment, DevError> {
        let path = self.layout.host_file("deployment.json");
        let document = |reason| DevError::Document {
            path: path.clone(),
            reason,
        };
        let published =
            published(self.layout)?.ok_or_else(|| document("it is not there".to_owned()))?;
        self.check_pins(&published)?;
        let pins = pins(&published, known).map_err(document)?;
        let ca = pins.tls_roots_pem().as_bytes();
        files::write_if_changed(&self.layout.ca(), ca, files::PUBLIC)?;
        files::write_if_changed(&self.layout.deployment(), &pins.to_json(), files::PUBLIC)?;
        Ok(pins)
    }

    /// Appraises the runtime, which must come before anything is sent to it.
    async fn appraise(
        &self,
        deployment: &Deployment,
    ) -> Result<AttestedConnection<EmulatedAnchor>, DevError> {
        self.console.waiting("appraising the runtime");
        let path = self.layout.roots();
        let roots = EmulatedRoots::read(&path).map_err(|error| DevError::Document {
            path,
            reason: error.to_string(),
        })?;
        let connector = Connector::new(EmulatedAnchor::new(&roots));
        let connection = connector.connect(deployment, None).await?;
        self.console
            .say("appraised", "The runtime passed every check of a client.");
        Ok(connection)
    }

    /// Appraises the runtime and makes the tenant; tried again while the runtime comes and goes.
    async fn found(
        &mut self,
        keys: &Keys,
        known: &Known,
        deployment: &Deployment,
    ) -> Result<Option<Founded>, DevError> {
        let mut attempt = 1_u32;
        loop {
            let error = match self.try_found(keys, known, deployment).await {
                Ok(founded) => return Ok(founded),
                Err(error) => error,
            };
            if attempt >= FOUNDING_ATTEMPTS_MAX || !is_transient(&error) {
                return Err(error);
            }
            attempt = attempt.saturating_add(1);
            self.console.say("retry", &format!("trying again: {error}"));
            sleep(FOUNDING_PAUSE).await;
            self.serving(known).await?;
        }
    }

    async fn try_found(
        &self,
        keys: &Keys,
        known: &Known,
        deployment: &Deployment,
    ) -> Result<Option<Founded>, DevError> {
        let mut connection = self.appraise(deployment).await?;
        if self.args.no_demo_tenant {
            return Ok(None);
        }
        self.console.waiting("making the tenant");
        let founder = Founder {
            layout: self.layout,
            issuer: self.children.issuer()?,
            deployment,
            witness_policy: &known.witness_policy,
            admission_key: &keys.admission,
            domains: &self.domains,
        };
        let founded = founder.found(&mut connection).await?;
        for step in &founded.steps {
            let message = format!("tenant {SLUG}: {step}");
            self.console
                .event("tenant", &message, &Object::new().with("tenant", SLUG));
        }
        if !self.args.demo_domains.is_empty() && founded.domains != self.domains {
            self.console.say(
                "notice",
                "--demo-domain has no effect: the tenant was made with other domains",
            );
        }
        match &founded.issuer {
            IssuerState::Trusted => {}
            IssuerState::NotTrusted(reason) => self.console.say(
                "notice",
                &format!("no account can be claimed by a sign-in yet: {reason}"),
            ),
            IssuerState::NotNamed => self.console.say(
                "notice",
                "the tenant's genesis names another identity provider than the one that runs here: no account can be claimed",
            ),
        }
        Ok(Some(founded))
    }

    fn pids(&self) -> Pids {
        let pid = |role| self.children.pid(role).unwrap_or(0);
        Pids {
            up: std::process::id(),
            host: pid(Role::Host),
            runtime: self.children.runtime().unwrap_or(0),
            emulated_sp: pid(Role::Processor),
            issuer: pid(Role::Issuer),
            witnesses: (1..=WITNESSES)
                .map(|number| pid(Role::Witness(number)))
                .collect(),
        }
    }

    fn metrics(&self) -> String {
        self.children
            .metrics()
            .map(|address| format!("http://{address}/metrics"))
            .unwrap_or_default()
    }

    fn write_ready(
        &mut self,
        deployment: &Deployment,
        tenant: Option<Founded>,
        password: Option<String>,
    ) -> Result<(), DevError> {
        let issuer = self.children.issuer()?;
        let ready = Ready {
            base: deployment.base().to_owned(),
            tenant: tenant.map(|tenant| ReadyTenant {
                slug: SLUG.to_owned(),
                scim_token: tenant.scim_token,
                admin_folder: tenant.admin_folder,
            }),
            ca_file: self.layout.ca(),
            deployment_file: self.layout.deployment(),
            data_folder: self.layout.root().to_owned(),
            tee: self.args.tee.word().to_owned(),
            store: self.layout.host_file("store.sqlite3"),
            issuer: ReadyIssuer {
                url: issuer.url.clone(),
                client_id: issuer.client_id.clone(),
                ca_file: issuer.ca_file.clone(),
                password,
                control: issuer.control.clone(),
            },
            pids: self.pids(),
            metrics: self.metrics(),
        };
        if let Some(path) = &self.args.ready_file {
            files::write(path, &ready.to_json(), files::PRIVATE)?;
        }
        self.ready = Some(ready);
        Ok(())
    }

    /// Keeps the service running.
    async fn keep(&mut self, known: &Known) -> Result<(), DevError> {
        let mut code = "serving".to_owned();
        let mut tick = interval(HEALTH_PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                change = self.children.next() => {
                    match change? {
                        Change::Ready(_) => self.rewrite_ready()?,
                        // Its successor is appraised, however quickly it is there.
                        Change::Lost => code.clear(),
                        Change::Nothing => {}
                    }
                    continue;
                }
                _ = tick.tick() => {}
            }
            let was_serving = code == "serving";
            let health = self.health(&mut code).await?;
            if !was_serving && health.is_some_and(|health| health.code == "serving") {
                let deployment = self.pin(known)?;
                match self.appraise(&deployment).await {
                    Ok(_connection) => {}
                    // It may be dying again; then it is appraised when it is back.
                    Err(error) => self
                        .console
                        .say("warning", &format!("not appraised: {error}")),
                }
                self.console.done_waiting();
            }
        }
    }

    /// Puts the processes of now into the ready file.
    fn rewrite_ready(&mut self) -> Result<(), DevError> {
        if !self.children.all_ready() {
            return Ok(());
        }
        let (pids, metrics) = (self.pids(), self.metrics());
        let Some(ready) = &mut self.ready else {
            return Ok(());
        };
        if let Ok(issuer) = self.children.issuer() {
            ready.issuer.control.clone_from(&issuer.control);
        }
        ready.pids = pids;
        ready.metrics = metrics;
        match &self.args.ready_file {
            Some(path) => files::write(path, &ready.to_json(), files::PRIVATE),
            None => Ok(()),
        }
    }

    /// Ends everything; `result` is why.
    pub(crate) async fn end(&mut self, result: &Result<(), DevError>) {
        if result.is_ok() {
            self.console.say("ending", "Ending.");
        }
        if let Some(path) = &self.args.ready_file
            && let Err(error) = files::remove(path)
        {
            self.console.say("warning", &error.to_string());
        }
        self.children.end_all().await;
        if result.is_ok() {
            self.console.say("ended", "Everything has ended.");
        }
    }
}

/// Whether another attempt can come out differently.
fn is_transient(error: &DevError) -> bool {
    match error {
        DevError::Client(fault) => matches!(
            **fault,
            ClientError::Connect(_)
                | ClientError::TimedOut { .. }
                | ClientError::HandshakeBroken(_)
                | ClientError::Closed
                | ClientError::Http(_)
                | ClientError::AttestRefused { status: 503 }
        ),
        DevError::ApiRefused { status, .. } => *status == 503,
        DevError::Load(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_come_out_differently_is_tried_again() {
        let refused = |status| DevError::ApiRefused {
            step: "x",
            status,
            problem: String::new(),
        };
        assert!(is_transient(&refused(503)));
        assert!(!is_transient(&refused(403)));
        assert!(is_transient(&ClientError::Closed.into()));
        assert!(!is_transient(&ClientError::LogNotExtended.into()));
    }
}
