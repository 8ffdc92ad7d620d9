//! An app of a vendor's, as `docs/client.md` shows it, against the emulated processor: it asks the service
//! for a path and says by whom it was answered, or why it did not ask.
//!
//! `vendor-app --deployment FILE [--address HOST:PORT] [--hardware] [--state FILE] [--minutes-later N]
//! [--times N]`; it prints one JSON document and exits with 0 if every request was answered. Every request
//! goes over a connection of its own.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;

use bytes::Bytes;
use chancery_client::{
    Appraisal, AttestedConnector, ClientError, Connector, Deployment, HeadStore, ProofMode, now_ms,
};
use chancery_emulated_sp::{EmulatedAnchor, EmulatedRoots};
use http_body_util::Full;
use hyper::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// What the app asks for. No attestation needs it.
const PATH: &str = "/v1/tenants/demo?of=the-vendors-app";

/// How much later than now the app believes it to be, in milliseconds.
static LATER_MS: OnceLock<u64> = OnceLock::new();

fn clock() -> u64 {
    now_ms().saturating_add(LATER_MS.get().copied().unwrap_or(0))
}

type Failed = Box<dyn Error + Send + Sync>;
type App = Client<AttestedConnector<EmulatedAnchor>, Full<Bytes>>;

/// What the command line says.
#[derive(Debug)]
struct Options {
    deployment: PathBuf,
    address: Option<String>,
    mode: ProofMode,
    state: Option<PathBuf>,
    times: usize,
}

impl Options {
    fn read(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let mut options = Self {
            deployment: PathBuf::new(),
            address: None,
            mode: ProofMode::Epoch,
            state: None,
            times: 1,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--hardware" => options.mode = ProofMode::Hardware,
                "--deployment" => options.deployment = words.next()?.into(),
                "--address" => options.address = Some(words.next()?),
                "--state" => options.state = Some(words.next()?.into()),
                "--times" => options.times = words.next()?.parse().ok()?,
                "--minutes-later" => {
                    let minutes: u64 = words.next()?.parse().ok()?;
                    LATER_MS.set(minutes.checked_mul(60_000)?).ok()?;
                }
                _ => return None,
            }
        }
        Some(options)
    }

    fn app(self) -> Result<(App, Uri), Failed> {
        let deployment = Deployment::from_json(&std::fs::read(&self.deployment)?)?;
        let roots = self.deployment.with_file_name("emulated-roots.json");
        let anchor = EmulatedAnchor::new(&EmulatedRoots::read(&roots)?);
        let mut connector = Connector::new(anchor)
            .with_mode(self.mode)
            .with_clock(clock);
        if let Some(state) = &self.state {
            connector = connector.remembering(HeadStore::new(state, deployment.deployment_id()));
        }
        let uri = format!("{}{PATH}", deployment.base()).parse()?;
        let connector = AttestedConnector::with(connector, deployment, self.address);
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Ok((client, uri))
    }
}

async fn ask(app: &App, uri: &Uri) -> Result<Value, Value> {
    let response = app.get(uri.clone()).await.map_err(|error| {
        let refused = ClientError::within(&error);
        let checks: Vec<&str> = match refused {
            Some(ClientError::Appraisal(refusal)) => {
                refusal.failed().map(|row| row.check.name()).collect()
            }
            _ => Vec::new(),
        };
        let reason = refused.map(ToString::to_string);
        json!({ "reason": reason, "checks": checks })
    })?;
    let appraisal = response.extensions().get::<Appraisal<EmulatedAnchor>>();
    Ok(json!({
        "status": response.status().as_u16(),
        "checks_passed": appraisal.map(|appraisal| appraisal.checklist().rows().len()),
    }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Failed> {
    let options = Options::read(std::env::args().skip(1)).ok_or("see the head of the source")?;
    let times = options.times;
    let (app, uri) = options.app()?;
    let (mut answers, mut refusals) = (Vec::new(), Vec::new());
    for _ in 0..times {
        match ask(&app, &uri).await {
            Ok(answer) => answers.push(answer),
            Err(refusal) => refusals.push(refusal),
        }
    }
    let holds = refusals.is_empty();
    let report = json!({ "answers": answers, "refusals": refusals });
    writeln!(std::io::stdout(), "{report}")?;
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
