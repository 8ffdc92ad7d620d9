//! The tables.

use chancery_json::{Object, Value};

use crate::bench::growth::kind::{Kind, PAGES};
use crate::bench::growth::rounds::{ALL_CPU, CPU, Figure, P50, P95, RATE, Rounds};
use crate::bench::measure::{number, ratio};
use crate::bench::report::table;

/// A server of others that makes no keys, keeps no log and syncs nothing is to need so many times our CPU
/// for a created user.
const PEER_GOAL: f64 = 10.0;

/// One directory as it was measured.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    /// The server of others that it belongs to; none if it is ours.
    pub(super) peer: Option<String>,
    /// Users in it.
    pub(super) users: u64,
    /// Resident bytes before there were users and when all were there.
    pub(super) resident: Option<(u64, u64)>,
    /// Bytes of each user that the load itself holds in the same process.
    pub(super) own_bytes: u64,
    /// The rounds.
    pub(super) rounds: Rounds,
}

impl Measured {
    fn peer(&self) -> Option<&str> {
        self.peer.as_deref()
    }

    /// Bytes that each user takes.
    fn bytes_per_user(&self) -> Option<f64> {
        let (before, after) = self.resident?;
        let own = self.users.saturating_mul(self.own_bytes);
        let grown = after.saturating_sub(before).saturating_sub(own);
        Some(ratio(grown, self.users))
    }
}

/// What is printed at the end.
pub(super) struct Report<'a> {
    /// Single operations of each kind in a round.
    pub(super) operations: u64,
    /// Rounds that count.
    pub(super) rounds: u64,
    /// Our directories, the smallest one first, then those of others.
    pub(super) measured: &'a [Measured],
}

fn cell(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

impl Report<'_> {
    fn own(&self) -> impl Iterator<Item = &Measured> {
        self.measured.iter().filter(|one| one.peer.is_none())
    }

    fn peers(&self) -> impl Iterator<Item = (&str, &Measured)> {
        let named = |one| Some((Measured::peer(one)?, one));
        self.measured.iter().filter_map(named)
    }

    fn smallest(&self) -> Option<&Measured> {
        self.own().next()
    }

    /// For people.
    pub(super) fn to_text(&self) -> String {
        let mut parts = vec![
            format!(
                "medians of {} rounds with {} operations of each kind ({} pages) at each directory in turn",
                self.rounds,
                self.operations,
                Kind::FirstPage.count(self.operations)
            ),
            self.figures("CPU µs per operation", CPU, 1),
            self.figures("p50 ms", P50, 2),
            self.latencies("p95 ms", P95),
            self.pages(),
            self.memory(),
        ];
        if self.peers().next().is_some() {
            parts.push(self.peer_figures("CPU µs per operation", (CPU, 1), Some(ALL_CPU)));
            parts.push(self.peer_figures("operations per second", (RATE, 0), None));
            parts.push(format!(
                "(goal: {PEER_GOAL} times our CPU for a created user; the others speak plain HTTP, make no keys \
                 and keep no log)"
            ));
        }
        parts.join("\n\n")
    }

    /// One figure of our directories, with the ratio of each to the smallest.
    fn figures(&self, title: &str, figure: Figure, decimals: usize) -> String {
        let mut head = vec![title.to_owned()];
        head.extend(self.own().map(|one| one.users.to_string()));
        head.extend(self.own().skip(1).map(|one| format!("by {}", one.users)));
        head.push("goal".to_owned());
        let Some(smallest) = self.smallest() else {
            return String::new();
        };
        let mut rows = Vec::new();
        for kind in Kind::ALL {
            if smallest.rounds.median(kind, figure).is_none() {
                continue;
            }
            let mut row = vec![kind.name().to_owned()];
            row.extend(
                self.own()
                    .map(|one| cell(one.rounds.median(kind, figure), decimals)),
            );
            row.extend(self.own().skip(1).map(|one| {
                let growth = one.rounds.ratio(kind, (&smallest.rounds, kind), figure);
                cell(growth, 2)
            }));
            row.push(cell(kind.goal(), 2));
            rows.push(row);
        }
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        table(&head, &rows)
    }

    /// What the slowest of twenty took, which is told without a ratio: other work on the machine shows in it most.
    fn latencies(&self, title: &str, figure: Figure) -> String {
        let mut head = vec![title.to_owned()];
        head.extend(self.own().map(|one| one.users.to_string()));
        let measured = |kind: &Kind| {
            let mut all = self.own();
            all.any(|one| one.rounds.median(*kind, figure).is_some())
        };
        let rows: Vec<Vec<String>> = Kind::ALL
            .into_iter()
            .filter(measured)
            .map(|kind| {
                let mut row = vec![kind.name().to_owned()];
                let medians = self.own().map(|one| one.rounds.median(kind, figure));
                row.extend(medians.map(|median| cell(median, 2)));
                row
            })
            .collect();
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        table(&head, &rows)
    }

    /// The last page by the first one.
    fn pages(&self) -> String {
        let mut head = vec!["last page by first".to_owned()];
        head.extend(self.own().map(|one| one.users.to_string()));
        head.push("goal".to_owned());
        let rows: Vec<Vec<String>> = page_pairs()
            .into_iter()
            .map(|(name, last, first, figure)| {
                let mut row = vec![name.to_owned()];
                row.extend(self.own().map(|one| {
                    let by = one.rounds.ratio(last, (&one.rounds, first), figure);
                    cell(by, 2)
                }));
                row.push(cell(Some(PAGES), 2));
                row
            })
            .collect();
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        table(&head, &rows)
    }

    fn memory(&self) -> String {
        let mib = |bytes: u64| format!("{:.1}", ratio(bytes, 1_048_576));
        let rows: Vec<Vec<String>> = self
            .measured
            .iter()
            .map(|one| {
                let name = match &one.peer {
                    Some(peer) => format!("{} ({peer})", one.users),
                    None => one.users.to_string(),
                };
                let (before, after) = one
                    .resident
                    .map_or_else(|| (cell(None, 0), cell(None, 0)), |(a, b)| (mib(a), mib(b)));
                vec![name, before, after, cell(one.bytes_per_user(), 0)]
            })
            .collect();
        let head = ["memory of users, MiB", "before", "after", "B per user"];
        table(&head, &rows)
    }

    /// One figure of our smallest directory beside those of others, with ratios; `of_all` is the same of all
    /// our processes.
    fn peer_figures(
        &self,
        title: &str,
        (figure, decimals): (Figure, usize),
        of_all: Option<Figure>,
    ) -> String {
        let Some(own) = self.smallest() else {
            return String::new();
        };
        let mut head = vec![format!("{title}, {} users", own.users), "ours".to_owned()];
        head.extend(of_all.map(|_| "all processes".to_owned()));
        head.extend(self.peers().map(|(name, _)| name.to_owned()));
        for (name, _) in self.peers() {
            head.push(format!("{name} by ours"));
            head.extend(of_all.map(|_| "by all".to_owned()));
        }
        let mut rows = Vec::new();
        for kind in Kind::ALL
            .into_iter()
            .filter(|kind| kind.is_asked_of_peers())
        {
            let mut row = vec![kind.name().to_owned()];
            row.push(cell(own.rounds.median(kind, figure), decimals));
            row.extend(of_all.map(|all| cell(own.rounds.median(kind, all), decimals)));
            row.extend(
                self.peers()
                    .map(|(_, peer)| cell(peer.rounds.median(kind, figure), decimals)),
            );
            for (_, peer) in self.peers() {
                for figure in [Some(figure), of_all].into_iter().flatten() {
                    let by_ours = peer.rounds.ratio(kind, (&own.rounds, kind), figure);
                    row.push(cell(by_ours, 2));
                }
            }
            rows.push(row);
        }
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        table(&head, &rows)
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Object {
        let optional = |value: Option<f64>| value.map_or(Value::Null, number);
        let directories: Vec<Value> = self
            .measured
            .iter()
            .map(|one| {
                let pages: Vec<Value> = page_pairs()
                    .into_iter()
                    .map(|(name, last, first, figure)| {
                        let by = one.rounds.ratio(last, (&one.rounds, first), figure);
                        Object::new()
                            .with("name", name)
                            .with("last_by_first", optional(by))
                            .with("goal", number(PAGES))
                            .into()
                    })
                    .collect();
                let peer = one.peer.as_deref();
                let resident = |bytes: Option<u64>| bytes.map_or(Value::Null, Value::from);
                Object::new()
                    .with("peer", peer.map_or(Value::Null, Value::from))
                    .with("users", one.users)
                    .with(
                        "resident_before",
                        resident(one.resident.map(|(before, _)| before)),
                    )
                    .with(
                        "resident_after",
                        resident(one.resident.map(|(_, after)| after)),
                    )
                    .with("bytes_per_user", optional(one.bytes_per_user()))
                    .with("operations", self.operations_json(one))
                    .with("pages", pages)
                    .into()
            })
            .collect();
        Object::new()
            .with("event", "growth")
            .with("rounds", self.rounds)
            .with("operations", self.operations)
            .with("directories", directories)
    }

    fn operations_json(&self, one: &Measured) -> Vec<Value> {
        let optional = |value: Option<f64>| value.map_or(Value::Null, number);
        let measured = |kind: &Kind| one.rounds.median(*kind, RATE).is_some();
        Kind::ALL
            .into_iter()
            .filter(measured)
            .map(|kind| {
                let by_smallest = |figure| {
                    let smallest = self.smallest()?;
                    one.rounds.ratio(kind, (&smallest.rounds, kind), figure)
                };
                let median = |figure| optional(one.rounds.median(kind, figure));
                Object::new()
                    .with("name", kind.name())
                    .with("cpu_us", median(CPU))
                    .with("all_cpu_us", median(ALL_CPU))
                    .with("operations_per_s", median(RATE))
                    .with("p50_ms", median(P50))
                    .with("p95_ms", median(P95))
                    .with("cpu_by_smallest", optional(by_smallest(CPU)))
                    .with("p50_by_smallest", optional(by_smallest(P50)))
                    .with("goal", optional(kind.goal()))
                    .into()
            })
            .collect()
    }
}

/// The comparisons of last and first pages.
fn page_pairs() -> [(&'static str, Kind, Kind, Figure); 4] {
    [
        ("by index, CPU", Kind::LastPage, Kind::FirstPage, CPU),
        ("by index, p50", Kind::LastPage, Kind::FirstPage, P50),
        ("by cursor, CPU", Kind::LastCursor, Kind::FirstCursor, CPU),
        ("by cursor, p50", Kind::LastCursor, Kind::FirstCursor, P50),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::growth::rounds::tests::round;

    fn measured(peer: Option<&str>, users: u64, cpu_us: f64) -> Measured {
        let mut rounds = Rounds::default();
        for kind in [Kind::Create, Kind::FirstPage, Kind::LastPage] {
            rounds.push(kind, round(cpu_us));
        }
        Measured {
            peer: peer.map(str::to_owned),
            users,
            resident: Some((1_048_576, 2_097_152)),
            own_bytes: 16,
            rounds,
        }
    }

    fn report(measured: &[Measured]) -> (String, String) {
        let report = Report {
            operations: 200,
            rounds: 1,
            measured,
        };
        let json = String::from_utf8(report.to_json().to_bytes()).unwrap();
        (report.to_text(), json)
    }

    #[test]
    fn a_larger_directory_is_compared_with_the_smallest() {
        let (text, json) = report(&[measured(None, 1024, 50.0), measured(None, 4096, 60.0)]);
        let line = text
            .lines()
            .find(|line| line.starts_with("create user"))
            .unwrap();
        let cells: Vec<&str> = line.split_whitespace().skip(2).collect();
        assert_eq!(cells, ["50.0", "60.0", "1.20", "1.25"], "{text}");
        assert!(text.contains("by index, CPU"), "{text}");
        assert!(!text.contains("by ours"), "{text}");
        // 1 MiB of 1024 users without the sixteen bytes that are the load's.
        assert!(text.contains("1008"), "{text}");
        assert!(json.contains(r#""cpu_by_smallest":1.2,"#), "{json}");
        assert!(json.contains(r#""last_by_first":1.0,"goal":1.5"#), "{json}");
    }

    #[test]
    fn others_are_compared_with_our_smallest_directory() {
        let all = [
            measured(None, 1024, 50.0),
            measured(Some("slow"), 1024, 600.0),
        ];
        let (text, json) = report(&all);
        let lines = text.lines().filter(|line| line.starts_with("create user"));
        let line = lines.clone().nth(3).unwrap();
        let cells: Vec<&str> = line.split_whitespace().skip(2).collect();
        assert_eq!(
            cells,
            ["50.0", "100.0", "600.0", "12.00", "12.00"],
            "{text}"
        );
        assert!(text.contains("slow by ours"), "{text}");
        assert!(json.contains(r#""peer":"slow""#), "{json}");
    }
}
