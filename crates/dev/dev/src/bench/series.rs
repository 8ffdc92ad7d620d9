//! Single operations, one after the other: what each takes, and what it costs the runtime.

use std::future::Future;
use std::time::Duration;

use chancery_json::{Object, Value};
use tokio::time::sleep;

use crate::bench::measure::{float, number, percentile_ms};
use crate::machine::threads_cpu_ns;

/// Pause before and after an operation whose CPU time is measured, so that what the one before it left
/// behind is not counted, and what it leaves behind is.
const SETTLING: Duration = Duration::from_millis(5);

/// Measures the runtime's CPU time of single operations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    runtime: Option<u32>,
}

impl Meter {
    /// Of the process with this id; of none if it is not known.
    pub(crate) const fn new(runtime: Option<u32>) -> Self {
        Self { runtime }
    }

    /// Runs an operation; with the CPU time that the runtime used meanwhile, in nanoseconds.
    pub(crate) async fn run<T>(&self, operation: impl Future<Output = T>) -> (T, Option<u64>) {
        let used = || self.runtime.and_then(threads_cpu_ns);
        sleep(SETTLING).await;
        let before = used();
        let result = operation.await;
        sleep(SETTLING).await;
        let cpu_ns = used()
            .zip(before)
            .and_then(|(after, before)| after.checked_sub(before));
        (result, cpu_ns)
    }
}

/// What operations of one kind took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    latencies_us: Vec<u32>,
    cpu_ns: Vec<u64>,
}

impl Series {
    /// Adds one operation.
    pub(crate) fn push(&mut self, latency: Duration, cpu_ns: Option<u64>) {
        let latency_us = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX);
        let place = self.latencies_us.partition_point(|us| *us <= latency_us);
        self.latencies_us.insert(place, latency_us);
        self.cpu_ns.extend(cpu_ns);
    }

    /// How many.
    pub(crate) const fn count(&self) -> usize {
        self.latencies_us.len()
    }

    /// The time that `percent` of 100 did not exceed, in milliseconds.
    pub(crate) fn percentile_ms(&self, percent: usize) -> f64 {
        percentile_ms(&self.latencies_us, percent)
    }

    /// CPU time of the runtime for each, in microseconds: the mean, because what is done only now and
    /// then is part of the cost.
    pub(crate) fn cpu_us(&self) -> Option<f64> {
        let count = u64::try_from(self.cpu_ns.len()).ok().filter(|n| *n > 0)?;
        Some(float(self.cpu_ns.iter().sum()) / float(count) / 1000.0)
    }

    /// Cells of a table: how many, p50, p95, CPU.
    pub(crate) fn cells(&self) -> Vec<String> {
        vec![
            self.count().to_string(),
            format!("{:.2}", self.percentile_ms(50)),
            format!("{:.2}", self.percentile_ms(95)),
            self.cpu_us()
                .map_or_else(|| "-".to_owned(), |us| format!("{us:.0}")),
        ]
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Object {
        Object::new()
            .with("operations", u64::try_from(self.count()).unwrap_or(0))
            .with("p50_ms", number(self.percentile_ms(50)))
            .with("p95_ms", number(self.percentile_ms(95)))
            .with("runtime_cpu_us", self.cpu_us().map_or(Value::Null, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_ranked_by_time_and_their_cost_is_a_mean() {
        let mut series = Series::default();
        assert_eq!((series.count(), series.cpu_us()), (0, None));
        for (ms, cpu_us) in [(30, Some(1)), (10, Some(3)), (20, None)] {
            series.push(Duration::from_millis(ms), cpu_us.map(|us| us * 1000));
        }
        assert_eq!(series.percentile_ms(50), 20.0);
        assert_eq!(series.percentile_ms(95), 30.0);
        assert_eq!(series.cpu_us(), Some(2.0));
        assert_eq!(series.cells(), ["3", "20.00", "30.00", "2"]);
        let json = String::from_utf8(series.to_json().to_bytes()).unwrap();
        assert!(json.contains(r#""runtime_cpu_us":2.0"#), "{json}");
    }

    #[tokio::test]
    async fn a_process_that_is_not_known_has_no_cost() {
        let own = std::process::id();
        let (result, cpu_ns) = Meter::new(Some(own)).run(async { 7 }).await;
        assert_eq!(result, 7);
        assert!(cpu_ns.is_some());
        for unknown in [None, Some(0)] {
            assert_eq!(Meter::new(unknown).run(async {}).await.1, None);
        }
    }
}
