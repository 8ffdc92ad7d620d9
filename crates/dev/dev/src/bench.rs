//! `bench`: puts load on a running service, as an identity provider does it, and measures what it costs.

mod claims;
mod growth;
mod measure;
mod plan;
mod primitives;
mod removal;
mod report;
mod series;
mod worker;

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use chancery_client::now_ms;
use chancery_json::{Object, Value};
use tokio::runtime::Builder;

use crate::args::BenchArgs;
use crate::bench::claims::{Claimants, Claims};
use crate::bench::measure::{PhaseResult, Processes};
use crate::bench::plan::{Phase, Plan};
use crate::bench::removal::{Removal, Remover};
use crate::bench::series::Meter;
use crate::bench::worker::{AckLog, Load};
use crate::console::Console;
use crate::error::DevError;
use crate::http::{Target, metrics, sample};
use crate::ready::{Ready, scim_base};

/// Groups that single memberships are spread over.
const GROUPS: u64 = 100;

/// Runs the load and prints what it measured.
pub(crate) fn run(args: &BenchArgs, console: &Console) -> Result<(), DevError> {
    if !args.growth.sizes.is_empty() {
        return growth::run(args, console);
    }
    let ready = args.ready_file.as_deref().map(Ready::read).transpose()?;
    let target = target(args, ready.as_ref())?;
    let prefix = match &args.prefix {
        Some(prefix) => prefix.clone(),
        None => format!("bench-{:x}-{:x}", now_ms(), std::process::id()),
    };
    plan::check_prefix(&prefix)?;
    let group_sizes = removal::sizes(args)?;
    let largest = group_sizes.last().copied().unwrap_or(0);
    let plan = Plan {
        prefix,
        domain: args.domain.clone(),
        users: args.users,
        more_users: largest.saturating_sub(args.users),
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
        ready: ready.as_ref(),
        group_sizes,
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
    /// Removals from groups of several sizes.
    pub(crate) removal: Option<Removal>,
    /// Claims and look-ups.
    pub(crate) claims: Option<Claims>,
    /// What ended the measurement early.
    pub(crate) failure: Option<DevError>,
}

impl Measured {
    fn verdict(self) -> Result<(), DevError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
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
    ready: Option<&'a Ready>,
    group_sizes: Vec<u64>,
}

impl Bench<'_> {
    async fn measure(&self, plan: Plan) -> Result<Measured, DevError> {
        let acknowledged = self.ack_log()?;
        let mut load = Load::connect(&self.target, self.args.connections, acknowledged).await?;
        let before = self.processes.as_ref().map(Processes::snapshot);
        let counted = self.batches().await;
        let mut measured = Measured {
            phases: Vec::new(),
            acts_per_batch: None,
            before,
            removal: None,
            claims: None,
            failure: None,
        };
        let result = self.all(&mut load, plan, counted, &mut measured).await;
        // What was measured until then is told all the same.
        measured.failure = result.err();
        Ok(measured)
    }

    async fn all(
        &self,
        load: &mut Load,
        plan: Plan,
        counted: Option<(f64, f64)>,
        measured: &mut Measured,
    ) -> Result<(), DevError> {
        let plan = self.create(load, plan, counted, measured).await?;
        // What was not created cannot be looked at.
        let users = plan.users.saturating_add(plan.more_users);
        if !is_count(&plan.user_ids, users) {
            return Ok(());
        }
        if !self.args.create_only {
            let phases = &mut measured.phases;
            self.later_phases(load, Arc::clone(&plan), phases).await?;
        }
        let meter = Meter::new(self.processes.as_ref().map(Processes::runtime));
        measured.removal = self.remove(&plan, meter).await?;
        measured.claims = self.claim(&plan, meter).await?;
        Ok(())
    }

    /// Creates the users, and those that only large groups need.
    async fn create(
        &self,
        load: &mut Load,
        plan: Plan,
        counted: Option<(f64, f64)>,
        measured: &mut Measured,
    ) -> Result<Arc<Plan>, DevError> {
        let mut plan = Arc::new(plan);
        let phases = &mut measured.phases;
        let mut ids = self.phase(load, &plan, Phase::Create, phases).await?;
        measured.acts_per_batch = counted.zip(self.batches().await).and_then(per_batch);
        if plan.more_users > 0 {
            let more = self.phase(load, &plan, Phase::CreateMore, phases).await?;
            ids.extend(more);
        }
        Arc::make_mut(&mut plan).user_ids = ids;
        Ok(plan)
    }

    async fn remove(&self, plan: &Plan, meter: Meter) -> Result<Option<Removal>, DevError> {
        if self.group_sizes.is_empty() {
            return Ok(None);
        }
        let groups = u64::try_from(self.group_sizes.len()).unwrap_or(0);
        let bar = self.console.bar(groups.saturating_mul(self.args.removals));
        bar.set_message("remove members");
        let remover = Remover {
            target: &self.target,
            plan,
            meter,
            removals: self.args.removals,
            bar,
        };
        remover.measure(&self.group_sizes).await.map(Some)
    }

    async fn claim(&self, plan: &Plan, meter: Meter) -> Result<Option<Claims>, DevError> {
        let Some(ready) = self.ready else {
            return Ok(None);
        };
        let (asked, create_only) = (self.args.claims, self.args.create_only);
        let count = claims::count(asked, create_only, ready, plan.users);
        if count == 0 {
            return Ok(None);
        }
        let bar = self.console.bar(count);
        bar.set_message("claim");
        let mut claimants = Claimants::open(ready, plan, meter).await?;
        claimants.measure(count, &bar).await.map(Some)
    }

    async fn later_phases(
        &self,
        load: &mut Load,
        mut plan: Arc<Plan>,
        phases: &mut Vec<PhaseResult>,
    ) -> Result<(), DevError> {
        let user_phases = [
            Phase::Lookup,
            Phase::Get,
            Phase::Retitle,
            Phase::Deactivate,
            Phase::Reactivate,
        ];
        for phase in user_phases {
            self.phase(load, &plan, phase, phases).await?;
        }
        let group_ids = self.phase(load, &plan, Phase::CreateGroup, phases).await?;
        if is_count(&group_ids, plan.groups) {
            Arc::make_mut(&mut plan).group_ids = group_ids;
            for phase in [Phase::AddMany, Phase::AddOne, Phase::RemoveOne] {
                self.phase(load, &plan, phase, phases).await?;
            }
        }
        Ok(())
    }

    /// Runs one phase and gives the ids of what it created, in order. The brake alone is an error.
    async fn phase(
        &self,
        load: &mut Load,
        plan: &Arc<Plan>,
        phase: Phase,
        phases: &mut Vec<PhaseResult>,
    ) -> Result<Vec<String>, DevError> {
        let bar = self.console.bar(plan.count(phase));
        bar.set_message(phase.name());
        let before = self.processes.as_ref().map(Processes::snapshot);
        let client_before = measure::own_usage();
        let begun = tokio::time::Instant::now();
        let mut done = load.run(plan, phase, &bar).await;
        let wall = begun.elapsed();
        let after = self.processes.as_ref().map(Processes::snapshot);
        let client_after = measure::own_usage();
        bar.finish_and_clear();
        let braked = done.braked.take();
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
        match braked {
            Some(problem) => Err(DevError::Braked { problem }),
            None => Ok(ids),
        }
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
