//! The tables.

use chancery_json::{Object, Value};

use crate::args::BenchArgs;
use crate::bench::Measured;
use crate::bench::claims::Claims;
use crate::bench::measure::{PhaseResult, Snapshot, float, number};
use crate::bench::plan::Phase;
use crate::bench::primitives::{Primitive, sum_us};
use crate::bench::removal::Removal;
use crate::machine::Usage;

/// What is printed at the end.
pub(crate) struct Report<'a> {
    /// What was asked for.
    pub(crate) args: &'a BenchArgs,
    /// What was measured.
    pub(crate) measured: &'a Measured,
    /// The operations of the path.
    pub(crate) primitives: &'a [Primitive],
}

impl Report<'_> {
    /// For people.
    pub(crate) fn to_text(&self) -> String {
        let mut parts = vec![
            format!(
                "{} users over {} connections",
                self.args.users, self.args.connections
            ),
            phases_table(&self.measured.phases),
        ];
        if let Some(removal) = &self.measured.removal {
            parts.push(removal.to_text());
        }
        if let Some(claims) = &self.measured.claims {
            parts.push(claims.to_text());
        }
        if let Some(memory) = self.memory_table() {
            parts.push(memory);
        }
        parts.push(self.primitives_table());
        parts.join("\n\n")
    }

    fn created(&self) -> Option<&PhaseResult> {
        let mut phases = self.measured.phases.iter();
        phases.find(|result| result.phase == Phase::Create)
    }

    /// Acts in a batch while users were created; 1 if it cannot be known, the dearest case.
    fn batch(&self) -> f64 {
        self.measured.acts_per_batch.unwrap_or(1.0).max(1.0)
    }

    fn sum_us(&self) -> f64 {
        sum_us(self.primitives, self.args.users, self.batch())
    }

    /// Primitives per CPU time of the runtime for a created user.
    fn share(&self) -> Option<f64> {
        let [runtime, ..] = self.created()?.cpu_us;
        runtime
            .filter(|runtime_us| *runtime_us > 0.0)
            .map(|runtime_us| self.sum_us() / runtime_us)
    }

    fn memory_table(&self) -> Option<String> {
        let before = self.measured.before?;
        let created = self.created()?;
        let after_create = created.after?;
        let last = self.measured.phases.last()?.after?;
        let row = |name: &str, usage: fn(&Snapshot) -> Option<Usage>| {
            let mib = |snapshot: &Snapshot| {
                usage(snapshot).map_or_else(dash, |usage| {
                    format!("{:.1}", float(usage.resident_bytes) / 1_048_576.0)
                })
            };
            let grown = usage(&after_create)
                .zip(usage(&before))
                .map(|(after, before)| after.resident_bytes.saturating_sub(before.resident_bytes));
            let per_user = grown
                .filter(|_| created.operations > 0)
                .map_or_else(dash, |bytes| {
                    format!("{:.0}", float(bytes) / float(created.operations))
                });
            vec![
                name.to_owned(),
                mib(&before),
                mib(&after_create),
                mib(&last),
                per_user,
            ]
        };
        Some(table(
            &[
                "memory, MiB",
                "before",
                "users created",
                "at the end",
                "B per user",
            ],
            &[
                row("runtime", |snapshot| snapshot.runtime),
                row("host", |snapshot| snapshot.host),
                row("witnesses", |snapshot| snapshot.witnesses),
            ],
        ))
    }

    fn primitives_table(&self) -> String {
        let (users, batch) = (self.args.users, self.batch());
        let mut rows: Vec<Vec<String>> = self
            .primitives
            .iter()
            .map(|primitive| {
                let count = primitive.count.per_user(users, batch);
                vec![
                    primitive.name.to_owned(),
                    format!("{:.2}", primitive.us),
                    format!("{count:.2}"),
                    format!("{:.2}", primitive.us * count),
                ]
            })
            .collect();
        rows.push(vec![
            "sum".to_owned(),
            String::new(),
            String::new(),
            format!("{:.2}", self.sum_us()),
        ]);
        let mut text = table(&["primitive", "µs", "per user", "µs per user"], &rows);
        match self.measured.acts_per_batch {
            Some(acts) => text.push_str(&format!("\nacts per batch: {acts:.1}")),
            None => text.push_str("\nacts per batch: not known, taken as 1"),
        }
        if let Some(share) = self.share() {
            text.push_str(&format!(
                "\nprimitives per runtime CPU of a created user: {share:.2}"
            ));
        }
        text
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Object {
        let (users, batch) = (self.args.users, self.batch());
        let phases: Vec<Value> = self
            .measured
            .phases
            .iter()
            .map(|phase| phase.to_json().into())
            .collect();
        let primitives: Vec<Value> = self
            .primitives
            .iter()
            .map(|primitive| {
                Object::new()
                    .with("name", primitive.name)
                    .with("us", number(primitive.us))
                    .with("per_user", number(primitive.count.per_user(users, batch)))
                    .into()
            })
            .collect();
        let optional = |value: Option<f64>| value.map_or(Value::Null, number);
        let removal = self.measured.removal.as_ref().map(Removal::to_json);
        let members = self.measured.claims.as_ref().map(Claims::to_json);
        Object::new()
            .with("event", "bench")
            .with("users", users)
            .with("connections", u64::from(self.args.connections))
            .with("phases", phases)
            .with("primitives", primitives)
            .with("primitives_us_per_user", number(self.sum_us()))
            .with("acts_per_batch", optional(self.measured.acts_per_batch))
            .with("primitives_per_runtime_cpu", optional(self.share()))
            .with("group_removal", removal.map_or(Value::Null, Value::from))
            .with("members", members.map_or(Value::Null, Value::from))
    }
}

fn phases_table(phases: &[PhaseResult]) -> String {
    let rows: Vec<Vec<String>> = phases.iter().map(phase_row).collect();
    let head = [
        "phase",
        "ops",
        "ops/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "runtime µs",
        "host µs",
        "witnesses µs",
        "client µs",
        "503",
        "failed",
    ];
    table(&head, &rows)
}

fn phase_row(result: &PhaseResult) -> Vec<String> {
    let [runtime, host, witnesses] = result
        .cpu_us
        .map(|cpu| cpu.map_or_else(dash, |us| format!("{us:.1}")));
    vec![
        result.phase.name().to_owned(),
        result.operations.to_string(),
        format!("{:.0}", result.rate()),
        format!("{:.2}", result.p50_ms),
        format!("{:.2}", result.p95_ms),
        format!("{:.2}", result.p99_ms),
        runtime,
        host,
        witnesses,
        format!("{:.1}", result.client_cpu_us),
        result.unavailable.to_string(),
        result.failed.to_string(),
    ]
}

fn dash() -> String {
    "-".to_owned()
}

/// Columns as wide as their widest cell, the first one to the left, numbers to the right.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize, name: &str| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(name.chars().count())
    };
    let widths: Vec<usize> = head
        .iter()
        .enumerate()
        .map(|(column, name)| width(column, name))
        .collect();
    let line = |cells: Vec<&str>| {
        let mut line = String::new();
        for (column, (cell, width)) in cells.into_iter().zip(&widths).enumerate() {
            if column == 0 {
                line.push_str(&format!("{cell:<width$}"));
            } else {
                line.push_str(&format!("  {cell:>width$}"));
            }
        }
        line.trim_end().to_owned()
    };
    let mut lines = vec![line(head.to_vec())];
    lines.extend(
        rows.iter()
            .map(|row| line(row.iter().map(String::as_str).collect())),
    );
    lines.join("\n")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::args::GrowthArgs;
    use crate::bench::primitives::Count;
    use crate::bench::worker::Done;
    use std::time::Duration;

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["one".to_owned(), "1".to_owned()],
            vec!["three".to_owned(), "22.5".to_owned()],
        ];
        assert_eq!(
            table(&["name", "µs"], &rows),
            "name     µs\none       1\nthree  22.5"
        );
    }

    pub(crate) fn args() -> BenchArgs {
        BenchArgs {
            ready_file: None,
            url: None,
            token: None,
            ca: None,
            users: 4,
            connections: 2,
            operations: None,
            domain: "demo.example".into(),
            prefix: None,
            ack_log: None,
            create_only: false,
            group_sizes: Vec::new(),
            removals: 50,
            claims: None,
            growth: GrowthArgs::default(),
        }
    }

    #[test]
    fn the_share_of_primitives_is_taken_from_created_users() {
        let usage = |cpu_us, mib: u64| {
            let usage = Usage {
                cpu_us,
                resident_bytes: mib * 1_048_576,
            };
            Snapshot {
                runtime: Some(usage),
                host: Some(usage),
                witnesses: None,
            }
        };
        let done = Done {
            latencies_us: vec![1000; 4],
            ..Done::default()
        };
        let (result, _) = PhaseResult::new(Phase::Create, done, Duration::from_secs(2));
        let (before, after) = (usage(0, 1), usage(400, 2));
        let measured = Measured {
            phases: vec![result.with_usage(Some((before, after)), 80)],
            acts_per_batch: Some(2.0),
            before: Some(before),
            removal: None,
            claims: Some(Claims::default()),
            failure: None,
        };
        let primitives = [Primitive {
            name: "keys",
            count: Count::User(1.0),
            us: 50.0,
        }];
        let args = args();
        let report = Report {
            args: &args,
            measured: &measured,
            primitives: &primitives,
        };
        let text = report.to_text();
        assert!(
            text.contains("primitives per runtime CPU of a created user: 0.50"),
            "{text}"
        );
        assert!(text.contains("create user    4      2    1.00"), "{text}");
        assert!(text.contains("262144"), "bytes per user: {text}");
        let json = String::from_utf8(report.to_json().to_bytes()).unwrap();
        assert!(
            json.contains(r#""primitives_per_runtime_cpu":0.5"#),
            "{json}"
        );
        assert!(text.contains("look a key up"), "{text}");
        assert!(
            json.contains(r#""group_removal":null,"members":{"claim":{"#),
            "{json}"
        );
    }
}
