//! Times, percentiles, and what the processes used.

use std::time::Duration;

use chancery_json::{Number, Object, Value};

use crate::bench::plan::Phase;
use crate::bench::worker::Done;
use crate::machine::{Usage, usage};
use crate::ready::Pids;

/// How often the runtime tells its host how it is, and a little more.
pub(crate) const TELEMETRY_PERIOD: Duration = Duration::from_millis(1100);

/// The processes whose use is measured.
#[derive(Clone, Debug)]
pub(crate) struct Processes {
    runtime: u32,
    host: u32,
    witnesses: Vec<u32>,
}

/// What they have used up to one moment; none for a process that is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The runtime.
    pub(crate) runtime: Option<Usage>,
    /// The host.
    pub(crate) host: Option<Usage>,
    /// All witnesses together.
    pub(crate) witnesses: Option<Usage>,
}

impl Processes {
    /// The processes of a ready file.
    pub(crate) fn new(pids: &Pids) -> Self {
        Self {
            runtime: pids.runtime,
            host: pids.host,
            witnesses: pids.witnesses.clone(),
        }
    }

    /// The runtime.
    pub(crate) const fn runtime(&self) -> u32 {
        self.runtime
    }

    /// What they have used so far.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let witnesses: Option<Vec<Usage>> = self.witnesses.iter().map(|pid| usage(*pid)).collect();
        Snapshot {
            runtime: usage(self.runtime),
            host: usage(self.host),
            witnesses: witnesses.map(|witnesses| Usage {
                cpu_us: witnesses.iter().map(|usage| usage.cpu_us).sum(),
                resident_bytes: witnesses.iter().map(|usage| usage.resident_bytes).sum(),
            }),
        }
    }
}

/// What this process has used so far.
pub(crate) fn own_usage() -> Usage {
    usage(std::process::id()).unwrap_or_default()
}

/// One phase as it was measured.
#[derive(Clone, Debug)]
pub(crate) struct PhaseResult {
    /// Which.
    pub(crate) phase: Phase,
    /// Operations that succeeded.
    pub(crate) operations: u64,
    /// Operations that failed.
    pub(crate) failed: u64,
    /// Why the first of them did.
    pub(crate) first_failure: Option<String>,
    /// Answers with status 503.
    pub(crate) unavailable: u64,
    /// Connections that were opened again.
    pub(crate) reconnected: u64,
    /// How long it took.
    pub(crate) wall: Duration,
    /// Median time of an operation in milliseconds.
    pub(crate) p50_ms: f64,
    /// The same for 95 of 100.
    pub(crate) p95_ms: f64,
    /// The same for 99 of 100.
    pub(crate) p99_ms: f64,
    /// CPU time per operation in microseconds: runtime, host, witnesses.
    pub(crate) cpu_us: [Option<f64>; 3],
    /// CPU time per operation of this process in microseconds.
    pub(crate) client_cpu_us: f64,
    /// What the processes had used at the end.
    pub(crate) after: Option<Snapshot>,
}

impl PhaseResult {
    /// From what the workers did; with the ids of what was created, if all was.
    pub(crate) fn new(phase: Phase, done: Done, wall: Duration) -> (Self, Vec<String>) {
        let mut latencies_us = done.latencies_us;
        latencies_us.sort_unstable();
        let result = Self {
            phase,
            operations: u64::try_from(latencies_us.len()).unwrap_or(u64::MAX),
            failed: done.failed,
            first_failure: done.first_failure,
            unavailable: done.unavailable,
            reconnected: done.reconnected,
            wall,
            p50_ms: percentile_ms(&latencies_us, 50),
            p95_ms: percentile_ms(&latencies_us, 95),
            p99_ms: percentile_ms(&latencies_us, 99),
            cpu_us: [None; 3],
            client_cpu_us: 0.0,
            after: None,
        };
        (result, done.ids.into_values().collect())
    }

    /// Adds what the processes used meanwhile.
    pub(crate) fn with_usage(
        mut self,
        processes: Option<(Snapshot, Snapshot)>,
        client_cpu_us: u64,
    ) -> Self {
        let per_operation = |us: u64| ratio(us, self.operations);
        self.client_cpu_us = per_operation(client_cpu_us);
        if let Some((before, after)) = processes {
            let used = |before: Option<Usage>, after: Option<Usage>| {
                // A process that was started anew has used less than before.
                let used = after?.cpu_us.checked_sub(before?.cpu_us)?;
                Some(per_operation(used))
            };
            self.cpu_us = [
                used(before.runtime, after.runtime),
                used(before.host, after.host),
                used(before.witnesses, after.witnesses),
            ];
            self.after = Some(after);
        }
        self
    }

    /// Operations per second.
    pub(crate) fn rate(&self) -> f64 {
        let seconds = self.wall.as_secs_f64();
        if seconds > 0.0 {
            float(self.operations) / seconds
        } else {
            0.0
        }
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Object {
        let optional = |value: Option<f64>| value.map_or(Value::Null, number);
        let [runtime, host, witnesses] = self.cpu_us;
        let resident = |usage: fn(&Snapshot) -> Option<Usage>| {
            let usage = self.after.as_ref().and_then(usage);
            usage.map_or(Value::Null, |usage| usage.resident_bytes.into())
        };
        Object::new()
            .with("name", self.phase.name())
            .with("operations", self.operations)
            .with("failed", self.failed)
            .with("unavailable", self.unavailable)
            .with("reconnected", self.reconnected)
            .with("wall_s", number(self.wall.as_secs_f64()))
            .with("operations_per_s", number(self.rate()))
            .with("p50_ms", number(self.p50_ms))
            .with("p95_ms", number(self.p95_ms))
            .with("p99_ms", number(self.p99_ms))
            .with(
                "cpu_us_per_operation",
                Object::new()
                    .with("runtime", optional(runtime))
                    .with("host", optional(host))
                    .with("witnesses", optional(witnesses))
                    .with("client", number(self.client_cpu_us)),
            )
            .with(
                "resident_bytes",
                Object::new()
                    .with("runtime", resident(|snapshot| snapshot.runtime))
                    .with("host", resident(|snapshot| snapshot.host))
                    .with("witnesses", resident(|snapshot| snapshot.witnesses)),
            )
    }
}

/// A JSON number with three decimals, which is more than any of these is worth.
pub(crate) fn number(value: f64) -> Value {
    let rounded = (value * 1000.0).round() / 1000.0;
    Number::from_f64(rounded).map_or(Value::Null, Value::Number)
}

/// Whole numbers as fractions; counts here are far below 2^53.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "there is no lossless conversion, and a measurement does not need one"
)]
pub(crate) const fn float(value: u64) -> f64 {
    value as f64
}

/// `part` per `whole`, 0 if there is none.
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        float(part) / float(whole)
    }
}

/// The smallest value that `percent` of 100 do not exceed (nearest rank), in milliseconds; 0 for none.
pub(crate) fn percentile_ms(sorted_us: &[u32], percent: usize) -> f64 {
    let rank = sorted_us.len().saturating_mul(percent).div_ceil(100);
    let value_us = sorted_us.get(rank.saturating_sub(1)).copied().unwrap_or(0);
    f64::from(value_us) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let hundred: Vec<u32> = (1..=100).map(|value| value * 1000).collect();
        let at = |percent| percentile_ms(&hundred, percent);
        assert_eq!((at(50), at(95), at(99)), (50.0, 95.0, 99.0));
        assert_eq!(percentile_ms(&[1500], 50), 1.5);
        assert_eq!(percentile_ms(&[1500], 99), 1.5);
        assert_eq!(percentile_ms(&[1000, 2000], 50), 1.0);
        assert_eq!(percentile_ms(&[1000, 2000], 99), 2.0);
        assert_eq!(percentile_ms(&[], 99), 0.0);
    }

    fn snapshot(cpu_us: u64) -> Snapshot {
        let usage = Some(Usage {
            cpu_us,
            resident_bytes: 7,
        });
        Snapshot {
            runtime: usage,
            host: None,
            witnesses: usage,
        }
    }

    #[test]
    fn use_is_shared_out_over_the_operations_that_succeeded() {
        let done = Done {
            latencies_us: vec![3000, 1000],
            failed: 1,
            ..Done::default()
        };
        let (result, ids) = PhaseResult::new(Phase::Get, done, Duration::from_secs(4));
        assert!(ids.is_empty());
        let result = result.with_usage(Some((snapshot(100), snapshot(300))), 50);
        assert_eq!(result.cpu_us, [Some(100.0), None, Some(100.0)]);
        assert_eq!((result.client_cpu_us, result.rate()), (25.0, 0.5));
        assert_eq!((result.p50_ms, result.p99_ms), (1.0, 3.0));
        let text = String::from_utf8(result.to_json().to_bytes()).unwrap();
        assert!(
            text.contains(r#""cpu_us_per_operation":{"runtime":100.0,"host":null"#),
            "{text}"
        );
        assert!(
            text.contains(r#""resident_bytes":{"runtime":7,"host":null"#),
            "{text}"
        );
    }

    #[test]
    fn a_process_that_was_started_anew_is_not_counted() {
        let (result, _) = PhaseResult::new(Phase::Get, Done::default(), Duration::ZERO);
        let result = result.with_usage(Some((snapshot(300), snapshot(100))), 0);
        assert_eq!(result.cpu_us, [None; 3]);
        assert_eq!(result.rate(), 0.0);
    }
}
