//! What the rounds gave: medians, and ratios between what was measured in the same round.

use crate::bench::growth::kind::Kind;
use crate::bench::growth::service::Burst;
use crate::bench::measure::{float, percentile_ms};

/// One kind of operation at one directory in one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Round {
    /// CPU time of the process that answers, in microseconds per operation.
    pub(super) cpu_us: Option<f64>,
    /// The same of all processes of the service.
    pub(super) all_cpu_us: Option<f64>,
    /// Operations per second.
    pub(super) rate: f64,
    /// Median time of an operation in milliseconds.
    pub(super) p50_ms: f64,
    /// The time that 95 of 100 did not exceed.
    pub(super) p95_ms: f64,
}

impl Round {
    /// From what the requests took.
    pub(super) fn new(burst: &Burst) -> Self {
        let mut latencies_us = burst.latencies_us.clone();
        latencies_us.sort_unstable();
        let count = u64::try_from(latencies_us.len()).unwrap_or(u64::MAX);
        let seconds = burst.wall.as_secs_f64();
        Self {
            cpu_us: burst.cpu.server,
            all_cpu_us: burst.cpu.all,
            rate: if seconds > 0.0 {
                float(count) / seconds
            } else {
                0.0
            },
            p50_ms: percentile_ms(&latencies_us, 50),
            p95_ms: percentile_ms(&latencies_us, 95),
        }
    }
}

/// A number of a round.
pub(super) type Figure = fn(&Round) -> Option<f64>;

/// CPU time of the process that answers.
pub(super) const CPU: Figure = |round| round.cpu_us;
/// CPU time of all processes.
pub(super) const ALL_CPU: Figure = |round| round.all_cpu_us;
/// Operations per second.
pub(super) const RATE: Figure = |round| Some(round.rate);
/// Median time.
pub(super) const P50: Figure = |round| Some(round.p50_ms);
/// Time of nearly all.
pub(super) const P95: Figure = |round| Some(round.p95_ms);

/// All rounds of one directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounds(Vec<(Kind, Round)>);

impl Rounds {
    /// Adds what one kind of operation took in the next round.
    pub(super) fn push(&mut self, kind: Kind, round: Round) {
        self.0.push((kind, round));
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Round> {
        let rounds = self.0.iter().filter(move |(of, _)| *of == kind);
        rounds.map(|(_, round)| round)
    }

    /// The median over the rounds.
    pub(super) fn median(&self, kind: Kind, figure: Figure) -> Option<f64> {
        median(self.of(kind).filter_map(figure))
    }

    /// The median over the rounds of what `kind` cost here by what `other_kind` cost there in the same
    /// round, which whatever else happened on the machine had met as well.
    pub(super) fn ratio(
        &self,
        kind: Kind,
        (other, other_kind): (&Self, Kind),
        figure: Figure,
    ) -> Option<f64> {
        let pairs = self.of(kind).zip(other.of(other_kind));
        median(pairs.filter_map(|(here, there)| {
            let there = figure(there).filter(|there| *there > 0.0)?;
            Some(figure(here)? / there)
        }))
    }
}

/// The middle value; of an even number the mean of the middle two.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    let lower = values.len().saturating_sub(1) / 2;
    Some(f64::midpoint(*values.get(lower)?, *values.get(upper)?))
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::growth::service::Cpu;

    pub(crate) fn round(cpu_us: f64) -> Round {
        Round {
            cpu_us: Some(cpu_us),
            all_cpu_us: Some(cpu_us * 2.0),
            rate: 1000.0,
            p50_ms: 1.5,
            p95_ms: 2.5,
        }
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_middle_two() {
        assert_eq!(median([].into_iter()), None);
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 100.0].into_iter()), Some(3.0));
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let (mut small, mut large) = (Rounds::default(), Rounds::default());
        // The machine becomes ten times slower in the second round, for both.
        for (here, there) in [(100.0, 110.0), (1000.0, 1300.0), (100.0, 120.0)] {
            small.push(Kind::Get, round(here));
            small.push(Kind::Patch, round(7.0));
            large.push(Kind::Get, round(there));
        }
        assert_eq!(large.ratio(Kind::Get, (&small, Kind::Get), CPU), Some(1.2));
        assert_eq!(large.median(Kind::Get, CPU), Some(120.0));
        assert_eq!(large.median(Kind::Get, ALL_CPU), Some(240.0));
        assert_eq!(large.ratio(Kind::Patch, (&small, Kind::Patch), CPU), None);
    }

    #[test]
    fn a_round_is_summed_up() {
        let round = Round::new(&Burst {
            latencies_us: vec![4000, 1000, 2000],
            ids: Vec::new(),
            wall: Duration::from_millis(500),
            cpu: Cpu {
                server: Some(3.0),
                all: None,
            },
        });
        assert_eq!((round.rate, round.p50_ms, round.p95_ms), (6.0, 2.0, 4.0));
        assert_eq!((round.cpu_us, round.all_cpu_us), (Some(3.0), None));
        assert_eq!(Round::new(&Burst::default()).rate, 0.0);
    }
}
