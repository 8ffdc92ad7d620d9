//! Single members leave groups of several sizes: who leaves a group must not make its key cost more the
//! larger it is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chancery_json::{Object, Value};
use hyper::StatusCode;
use indicatif::ProgressBar;
use tokio::time::{Instant, sleep};

use crate::args::BenchArgs;
use crate::bench::measure::number;
use crate::bench::plan::{Operation, Plan};
use crate::bench::report::table;
use crate::bench::series::{Meter, Series};
use crate::bench::worker::{BRAKED, id_of, refusal};
use crate::error::DevError;
use crate::http::{Connection, Reply, Target};

/// Sizes that are compared unless others are asked for, from as many users on as the largest one has.
const SIZES: [u64; 2] = [1000, 10_000];
/// Members that one PATCH adds.
const CHUNK: u64 = 1000;
/// A removal from the largest group may cost so many times one from the smallest.
const GOAL: f64 = 2.0;
/// Removals from each group before those that count.
const WARMING: u64 = 3;
/// Attempts at a request that is answered with 503.
const ATTEMPTS_MAX: u32 = 20;
/// Pause before another attempt.
const PAUSE: Duration = Duration::from_millis(500);

/// The sizes to compare, the smallest first; none if nothing is to be compared.
pub(crate) fn sizes(args: &BenchArgs) -> Result<Vec<u64>, DevError> {
    let asked = &args.group_sizes;
    let by_default =
        asked.is_empty() && !args.create_only && SIZES.iter().all(|n| *n <= args.users);
    let sizes: BTreeSet<u64> = if by_default {
        SIZES.into()
    } else {
        asked.iter().copied().filter(|size| *size > 0).collect()
    };
    let needed = args.removals.saturating_add(WARMING);
    if sizes.iter().any(|size| *size < needed) {
        return Err(DevError::Value {
            option: "--group-sizes",
            allowed: "more than the removals from each group and three to warm up, or 0",
        });
    }
    Ok(sizes.into_iter().collect())
}

/// What removals from one group took.
#[derive(Clone, Debug)]
pub(crate) struct Sized {
    /// Members before the first removal.
    pub(crate) size: u64,
    /// The removals.
    pub(crate) series: Series,
}

/// What removals from groups of several sizes took, the smallest first.
#[derive(Clone, Debug)]
pub(crate) struct Removal(pub(crate) Vec<Sized>);

impl Removal {
    /// The largest group's cost by the smallest one's: p50 of the time, and CPU.
    fn ratios(&self) -> (Option<f64>, Option<f64>) {
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else {
            return (None, None);
        };
        let ratio = |small: f64, large: f64| (small > 0.0).then(|| large / small);
        let (small, large) = (&first.series, &last.series);
        let cpu = small.cpu_us().zip(large.cpu_us());
        (
            ratio(small.percentile_ms(50), large.percentile_ms(50)),
            cpu.and_then(|(small, large)| ratio(small, large)),
        )
    }

    /// For people.
    pub(crate) fn to_text(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .0
            .iter()
            .map(|sized| {
                let mut row = vec![sized.size.to_string()];
                row.extend(sized.series.cells());
                row
            })
            .collect();
        let head = [
            "remove one of",
            "removals",
            "p50 ms",
            "p95 ms",
            "runtime µs",
        ];
        let mut text = table(&head, &rows);
        let (time, cpu) = self.ratios();
        let shown = |ratio: Option<f64>| {
            ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
        };
        text.push_str(&format!(
            "\nlargest by smallest, the new group key included: {} in p50, {} in CPU (goal: at most {GOAL})",
            shown(time),
            shown(cpu)
        ));
        text
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Object {
        let (time, cpu) = self.ratios();
        let shown = |ratio: Option<f64>| ratio.map_or(Value::Null, number);
        let sizes: Vec<Value> = self
            .0
            .iter()
            .map(|sized| sized.series.to_json().with("size", sized.size).into())
            .collect();
        Object::new()
            .with("sizes", sizes)
            .with("p50_ratio", shown(time))
            .with("cpu_ratio", shown(cpu))
            .with("ratio_goal", number(GOAL))
    }
}

/// Makes the groups and removes members.
pub(crate) struct Remover<'a> {
    /// The service.
    pub(crate) target: &'a Arc<Target>,
    /// With the ids of as many users as the largest group needs.
    pub(crate) plan: &'a Plan,
    /// The runtime's cost.
    pub(crate) meter: Meter,
    /// Removals from each group.
    pub(crate) removals: u64,
    /// Moves with each removal.
    pub(crate) bar: ProgressBar,
}

impl Remover<'_> {
    /// Measures groups of these sizes, with one removal after the other.
    pub(crate) async fn measure(&self, sizes: &[u64]) -> Result<Removal, DevError> {
        let mut connection = self.target.connect().await?;
        let mut groups = Vec::new();
        for size in sizes {
            groups.push((self.filled(&mut connection, *size).await?, *size));
        }
        let mut results: Vec<Sized> = sizes
            .iter()
            .map(|size| Sized {
                size: *size,
                series: Series::default(),
            })
            .collect();
        for round in 0..self.removals.saturating_add(WARMING) {
            // Whatever else happens on the machine happens to groups of all sizes.
            for (result, (group, size)) in results.iter_mut().zip(&groups) {
                let number = size.saturating_sub(round).saturating_sub(1);
                let operation = known(self.plan.remove_user(group, number))?;
                let removal = send(&mut connection, &operation);
                let (took, cpu_ns) = self.meter.run(removal).await;
                let (_, took) = took?;
                if round >= WARMING {
                    result.series.push(took, cpu_ns);
                    self.bar.inc(1);
                }
            }
        }
        self.bar.finish_and_clear();
        Ok(Removal(results))
    }

    /// A group with the first `size` users.
    async fn filled(&self, connection: &mut Connection, size: u64) -> Result<String, DevError> {
        let (made, _) = send(connection, &self.plan.sized_group(size)).await?;
        let group = id_of(&made).ok_or_else(|| DevError::Load("a group has no id".to_owned()))?;
        let mut from = 0_u64;
        while from < size {
            let to = from.saturating_add(CHUNK).min(size);
            let operation = known(self.plan.add_range(&group, from, to))?;
            send(connection, &operation).await?;
            from = to;
        }
        Ok(group)
    }
}

fn known(operation: Option<Operation>) -> Result<Operation, DevError> {
    operation.ok_or_else(|| DevError::Load("there are fewer users than members".to_owned()))
}

/// Sends a request until it is answered with something else than 503; with the time of that answer.
async fn send(
    connection: &mut Connection,
    operation: &Operation,
) -> Result<(Reply, Duration), DevError> {
    for _ in 0..ATTEMPTS_MAX {
        let Operation { method, path, body } = operation.clone();
        let begun = Instant::now();
        let reply = connection.send(method, &path, Bytes::clone(&body)).await?;
        let took = begun.elapsed();
        match reply.status {
            200..=299 => return Ok((reply, took)),
            BRAKED => {
                return Err(DevError::Braked {
                    problem: refusal(&reply),
                });
            }
            status if status == StatusCode::SERVICE_UNAVAILABLE => sleep(PAUSE).await,
            _ => return Err(DevError::Load(refusal(&reply))),
        }
    }
    Err(DevError::Load("the service stays unavailable".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::tests::args;

    fn series(ms: u64, cpu_us: Option<u64>) -> Series {
        let mut series = Series::default();
        series.push(Duration::from_millis(ms), cpu_us.map(|us| us * 1000));
        series
    }

    fn removal(cpu_us: Option<u64>) -> Removal {
        let sized = |size, factor| Sized {
            size,
            series: series(10 * factor, cpu_us.map(|us| us * factor)),
        };
        Removal(vec![sized(1000, 1), sized(100_000, 3)])
    }

    #[test]
    fn the_largest_group_is_compared_with_the_smallest() {
        let text = removal(Some(100)).to_text();
        assert!(
            text.contains("3.00 in p50, 3.00 in CPU (goal: at most 2)"),
            "{text}"
        );
        let json = removal(Some(100)).to_json().to_bytes();
        let json = String::from_utf8(json).unwrap();
        assert!(
            json.contains(r#""p50_ratio":3.0,"cpu_ratio":3.0,"ratio_goal":2.0"#),
            "{json}"
        );
        let text = removal(None).to_text();
        assert!(text.contains("3.00 in p50, - in CPU"), "{text}");
        assert_eq!(Removal(Vec::new()).ratios(), (None, None));
    }

    #[test]
    fn compares_by_default_only_where_the_load_has_users_enough() {
        let sizes = |users, create_only, asked: &[u64]| {
            sizes(&BenchArgs {
                users,
                create_only,
                group_sizes: asked.to_vec(),
                ..args()
            })
        };
        assert_eq!(sizes(9999, false, &[]).unwrap(), Vec::<u64>::new());
        assert_eq!(sizes(10_000, false, &[]).unwrap(), SIZES);
        assert_eq!(sizes(10_000, true, &[]).unwrap(), Vec::<u64>::new());
        assert_eq!(sizes(10_000, false, &[0]).unwrap(), Vec::<u64>::new());
        assert_eq!(sizes(5, true, &[500, 100, 500]).unwrap(), [100, 500]);
        assert!(matches!(
            sizes(5, false, &[52]),
            Err(DevError::Value { .. })
        ));
        assert!(sizes(5, false, &[53]).is_ok());
    }
}
