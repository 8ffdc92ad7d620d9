//! `bench`: puts load on a running service, as an identity provider does it, and measures what it costs.

mod measure;
mod plan;
mod primitives;
mod report;
mod worker;

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use chancery_client::now_ms;
use chancery_json::{Object, Value};
use tokio::runtime::Builder;

use crate::args::BenchArgs;
use crate::bench::measure::{PhaseResult, Processes};
use crate::bench::plan::{Phase, Plan};
use crate::bench::worker::{AckLog, Load};
use crate::console::Console;
use crate::error::DevError;
use crate::http::{Target, metrics, sample};
use crate::ready::{Ready, scim_base};

/// Groups that single memberships are spread over.
const GROUPS: u64 = 100;

/// Runs the load and prints what it measured.
pub(crate) fn run(args: &BenchArgs, console: &Console) -> Result<(), DevError> {
    let ready = args.ready_file.as_deref().map(Ready::read).transpose()?;
    let target = target(args, ready.as_ref())?;
    let prefix = match &args.prefix {
        Some(prefix) => prefix.clone(),
        None => format!("bench-{:x}-{:x}", now_ms(), std::process::id()),
    };
    plan::check_prefix(&prefix)?;
    let plan = Plan {
        prefix,
        domain: args.domain.clone(),
        users: args.users,
        operations: args.operations.unwrap_or(args.users).min(args.users),
        groups: GROUPS.min(args.users),
        user_ids: Vec::new(),
        group_ids: Vec::new(),
    };
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DevError::System)?;
    let bench = Bench {
        args,
        console,
        target,
        processes: ready.as_ref().map(|ready| Processes::new(&ready.pids)),
        status: ready
            .as_ref()
            .and_then(|ready| status_address(&ready.metrics)),
    };
    let measured = runtime.block_on(bench.measure(plan))?;
    let primitives = primitives::measure()?;
    let report = report::Report {
        args,
        measured: &measured,
        primitives: &primitives,
    };
    console.text(&report.to_text());
    console.document(&report.to_json());
    measured.verdict()
}

fn target(args: &BenchArgs, ready: Option<&Ready>) -> Result<Arc<Target>, DevError> {
    if let Some(ready) = ready {
        let tenant = ready.tenant.as_ref().ok_or(DevError::Value {
            option: "--ready-file",
            allowed: "of an `up` that made a tenant",
        })?;
        let base = scim_base(&ready.base, &tenant.slug);
        return Target::new(&base, &tenant.scim_token, &ready.ca_file);
    }
    match (&args.url, &args.token, &args.ca) {
        (Some(url), Some(token), Some(ca)) => Target::new(url, token, ca),
        _ => Err(DevError::Value {
            option: "--url",
            allowed: "given together with --token and --ca",
        }),
    }
}

fn status_address(metrics: &str) -> Option<SocketAddr> {
    let address = metrics.strip_prefix("http://")?.strip_suffix("/metrics")?;
    address.parse().ok()
}

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Measured {
    /// One for each phase that ran.
    pub(crate) phases: Vec<PhaseResult>,
    /// Acts per committed batch while users were created.
    pub(crate) acts_per_batch: Option<f64>,
    /// What the processes used before the first phase.
    pub(crate) before: Option<measure::Snapshot>,
}

impl Measured {
    fn verdict(&self) -> Result<(), DevError> {
        let count: u64 = self.phases.iter().map(|phase| phase.failed).sum();
        let mut firsts = self
            .phases
            .iter()
            .filter_map(|phase| phase.first_failure.clone());
        match firsts.next() {
            Some(first) => Err(DevError::OperationsFailed { count, first }),
            None => Ok(()),
        }
    }
}

/// Acts per batch between two counts; none if the runtime was started anew in between.
fn per_batch((before, after): ((f64, f64), (f64, f64))) -> Option<f64> {
    let (acts, batches) = (after.0 - before.0, after.1 - before.1);
    (acts >= 0.0 && batches > 0.0).then(|| acts / batches)
}

fn is_count(ids: &[String], count: u64) -> bool {
    u64::try_from(ids.len()).is_ok_and(|length| length == count)
}

struct Bench<'a> {
    args: &'a BenchArgs,
    console: &'a Console,
    target: Arc<Target>,
    processes: Option<Processes>,
    status: Option<SocketAddr>,
}

impl Bench<'_> {
    async fn measure(&self, plan: Plan) -> Result<Measured, DevError> {
        let acknowledged = self.ack_log()?;
        let mut load = Load::connect(&self.target, self.args.connections, acknowledged).await?;
        let before = self.processes.as_ref().map(Processes::snapshot);
        let counted = self.batches().await;
        let mut phases = Vec::new();
        let mut plan = Arc::new(plan);
        let user_ids = self
            .phase(&mut load, &plan, Phase::Create, &mut phases)
            .await;
        let acts_per_batch = counted.zip(self.batches().await).and_then(per_batch);
        // What was not created cannot be looked at.
        if !self.args.create_only && is_count(&user_ids, plan.users) {
            Arc::make_mut(&mut plan).user_ids = user_ids;
            self.later_phases(&mut load, plan, &mut phases).await;
        }
        Ok(Measured {
            phases,
            acts_per_batch,
            before,
        })
    }

    async fn later_phases(
        &self,
        load: &mut Load,
        mut plan: Arc<Plan>,
        phases: &mut Vec<PhaseResult>,
    ) {
        let user_phases = [
            Phase::Lookup,
            Phase::Get,
            Phase::Retitle,
            Phase::Deactivate,
            Phase::Reactivate,
        ];
        for phase in user_phases {
            self.phase(load, &plan, phase, phases).await;
        }
        let group_ids = self.phase(load, &plan, Phase::CreateGroup, phases).await;
        if is_count(&group_ids, plan.groups) {
            Arc::make_mut(&mut plan).group_ids = group_ids;
            for phase in [Phase::AddMany, Phase::AddOne, Phase::RemoveOne] {
                self.phase(load, &plan, phase, phases).await;
            }
        }
    }

    /// Runs one phase and gives the ids of what it created, in order.
    async fn phase(
        &self,
        load: &mut Load,
        plan: &Arc<Plan>,
        phase: Phase,
        phases: &mut Vec<PhaseResult>,
    ) -> Vec<String> {
        let bar = self.console.bar(plan.count(phase));
        bar.set_message(phase.name());
        let before = self.processes.as_ref().map(Processes::snapshot);
        let client_before = measure::own_usage();
        let begun = tokio::time::Instant::now();
        let done = load.run(plan, phase, &bar).await;
        let wall = begun.elapsed();
        let after = self.processes.as_ref().map(Processes::snapshot);
        let client_after = measure::own_usage();
        bar.finish_and_clear();
        let (result, ids) = PhaseResult::new(phase, done, wall);
        let result = result.with_usage(
            before.zip(after),
            client_after.cpu_us.saturating_sub(client_before.cpu_us),
        );
        self.console.document(
            &Object::new()
                .with("event", "phase")
                .with("phase", Value::from(result.to_json())),
        );
        phases.push(result);
        ids
    }

    /// Acts and batches that the runtime has committed so far, if they can be known.
    async fn batches(&self) -> Option<(f64, f64)> {
        let status = self.status?;
        // The runtime tells its host once a second.
        tokio::time::sleep(measure::TELEMETRY_PERIOD).await;
        let text = metrics(status).await?;
        let acts = sample(&text, "chancery_acts_committed_total")?;
        let batches = sample(&text, "chancery_batches_total")?;
        Some((acts, batches))
    }

    fn ack_log(&self) -> Result<AckLog, DevError> {
        let Some(path) = &self.args.ack_log else {
            return Ok(AckLog::default());
        };
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|source| DevError::FileWrite {
                path: path.clone(),
                source,
            })?;
        Ok(AckLog::new(Mutex::new(file)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_went_back_give_no_batch_size() {
        assert_eq!(per_batch(((10.0, 2.0), (30.0, 7.0))), Some(4.0));
        assert_eq!(per_batch(((10.0, 2.0), (10.0, 2.0))), None);
        assert_eq!(per_batch(((10.0, 2.0), (5.0, 4.0))), None);
    }

    #[test]
    fn reads_the_address_of_the_metrics() {
        let address = status_address("http://127.0.0.1:80/metrics");
        assert_eq!(address, Some("127.0.0.1:80".parse().unwrap()));
        assert_eq!(status_address("http://127.0.0.1:80/"), None);
        assert_eq!(status_address(""), None);
    }
}
