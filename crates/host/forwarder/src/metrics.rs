//! `OpenMetrics` text: <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
//!
//! Names, labels and help are constants of this program and of the frame crate; only numbers vary.

use std::fmt::Arguments;

use chancery_wire::{Counters, Health, MetricKind, RefusalCode, Unit};

use crate::counters::{Family, HostCounters};

/// Content type of [`render`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const MICROSECONDS_PER_SECOND: u64 = 1_000_000;

/// All metrics: the runtime's health, what it counted last, what the host counts.
pub(crate) fn render(health: Health, runtime: &Counters, host: &HostCounters) -> String {
    let mut text = String::with_capacity(16 * 1024);
    render_health(&mut text, health);
    let mut previous = None;
    let runtime = Counters::METRICS
        .into_iter()
        .map(Family::from)
        .zip(runtime.values());
    for (family, value) in runtime.chain(host.samples()) {
        if previous != Some(family.name) {
            render_header(&mut text, &family);
            previous = Some(family.name);
        }
        render_sample(&mut text, &family, value);
    }
    text.push_str("# EOF\n");
    text
}

fn render_health(text: &mut String, health: Health) {
    text.push_str("# TYPE chancery_health stateset\n");
    text.push_str("# HELP chancery_health State of the runtime, as far as the host knows.\n");
    let states = [
        Health::Starting,
        Health::WaitingForWitnesses,
        Health::WaitingForCollateral,
        Health::Serving,
        Health::Unreachable,
    ];
    for state in states
        .into_iter()
        .chain(RefusalCode::ALL.map(Health::Refused))
    {
        let value = u8::from(state == health);
        line(
            text,
            format_args!(
                "chancery_health{{chancery_health=\"{}\"}} {value}",
                state.code()
            ),
        );
    }
}

fn render_header(text: &mut String, family: &Family) {
    let kind = match family.kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::SummarySum | MetricKind::SummaryCount => "summary",
        _ => "unknown",
    };
    line(text, format_args!("# TYPE {} {kind}", family.name));
    let unit = match family.unit {
        Unit::Bytes => Some("bytes"),
        Unit::Microseconds => Some("seconds"),
        _ => None,
    };
    if let Some(unit) = unit {
        line(text, format_args!("# UNIT {} {unit}", family.name));
    }
    line(text, format_args!("# HELP {} {}", family.name, family.help));
}

fn render_sample(text: &mut String, family: &Family, value: u64) {
    let suffix = match family.kind {
        MetricKind::Counter => "_total",
        MetricKind::SummarySum => "_sum",
        MetricKind::SummaryCount => "_count",
        _ => "",
    };
    text.push_str(family.name);
    text.push_str(suffix);
    if let Some((label, label_value)) = family.label {
        line_part(text, format_args!("{{{label}=\"{label_value}\"}}"));
    }
    let in_seconds = family.unit == Unit::Microseconds && family.kind != MetricKind::SummaryCount;
    if in_seconds {
        let seconds = value.wrapping_div(MICROSECONDS_PER_SECOND);
        let rest = value.wrapping_rem(MICROSECONDS_PER_SECOND);
        line(text, format_args!(" {seconds}.{rest:06}"));
    } else {
        line(text, format_args!(" {value}"));
    }
}

fn line_part(text: &mut String, arguments: Arguments<'_>) {
    text.push_str(&arguments.to_string());
}

fn line(text: &mut String, arguments: Arguments<'_>) {
    line_part(text, arguments);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn rendered() -> String {
        let runtime = Counters {
            requests_scim_read: 7,
            commit_latency_us_sum: 12_000_034,
            commit_latency_count: 5,
            users: 3,
            resident_bytes: 4096,
            ..Counters::default()
        };
        let host = HostCounters::default();
        host.egress_refused.add(2);
        host.cpu_us.set(1_500_000);
        render(Health::Serving, &runtime, &host)
    }

    #[test]
    fn prints_each_kind_as_openmetrics_wants_it() {
        let text = rendered();
        for expected in [
            "# TYPE chancery_requests counter\n# HELP chancery_requests Requests answered, by class.\n\
             chancery_requests_total{class=\"scim_read\"} 7\n\
             chancery_requests_total{class=\"scim_write\"} 0\n",
            "# TYPE chancery_commit_latency_seconds summary\n# UNIT chancery_commit_latency_seconds seconds\n",
            "chancery_commit_latency_seconds_sum 12.000034\nchancery_commit_latency_seconds_count 5\n",
            "# TYPE chancery_users gauge\n# HELP chancery_users Users of all tenants.\nchancery_users 3\n",
            "# UNIT chancery_runtime_resident_bytes bytes\n",
            "chancery_host_egress_total{outcome=\"refused\"} 2\n",
            "chancery_host_cpu_seconds_total 1.500000\n",
            "chancery_health{chancery_health=\"serving\"} 1\n",
            "chancery_health{chancery_health=\"rolled_back\"} 0\n",
        ] {
            assert!(text.contains(expected), "{expected}\nin\n{text}");
        }
        assert!(text.ends_with("\n# EOF\n"));
    }

    #[test]
    fn families_and_samples_are_there_once() {
        let text = rendered();
        let (mut types, mut samples) = (BTreeSet::new(), BTreeSet::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                assert!(types.insert(rest.split(' ').next().unwrap()), "{line}");
            } else if !line.starts_with('#') {
                assert!(samples.insert(line.rsplit_once(' ').unwrap().0), "{line}");
            }
        }
        assert!(types.len() > 40 && samples.len() > types.len());
    }

    #[test]
    fn exactly_one_state_is_set() {
        for health in [
            Health::Unreachable,
            Health::Refused(RefusalCode::RolledBack),
        ] {
            let text = render(health, &Counters::default(), &HostCounters::default());
            let set = text
                .lines()
                .filter(|l| l.starts_with("chancery_health{") && l.ends_with(" 1"));
            assert_eq!(set.count(), 1, "{health}");
        }
    }
}
