//! The one list of what the runtime counts for the host. It is closed: no label, name or text comes
//! from a request, so that a metric cannot carry a byte of anybody's data (I7).

use serde::{Deserialize, Serialize};

/// Unit of a metric's value as the runtime counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// A plain number.
    None,
    /// Bytes; the family's name ends in `_bytes`.
    Bytes,
    /// Counted in microseconds, shown in seconds; the family's name ends in `_seconds`.
    Microseconds,
}

/// How `OpenMetrics` is to read a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// Only grows; sample name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// The sum of a summary; sample name ends in `_sum`, always in the family's unit.
    SummarySum,
    /// The count of a summary; sample name ends in `_count`, always a plain number.
    SummaryCount,
}

/// One field of [`Counters`] as a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Family name, without the suffix of its kind. Metrics of one family follow one another.
    pub family: &'static str,
    /// One fixed label and its fixed value, where a family has several.
    pub label: Option<(&'static str, &'static str)>,
    /// One line of help.
    pub help: &'static str,
    /// Unit of the family.
    pub unit: Unit,
    /// Kind.
    pub kind: MetricKind,
}

macro_rules! counters {
    ($($field:ident: $family:literal $(/ $label:ident = $value:literal)?, $kind:ident, $unit:ident, $help:literal;)+) => {
        /// Everything that the runtime counts. Counters begin at 0 when the runtime starts.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[expect(clippy::exhaustive_structs, reason = "the runtime fills it; the frame's version guards it")]
        pub struct Counters {
            $(#[doc = $help] pub $field: u64,)+
        }

        impl Counters {
            /// How many fields there are.
            pub const COUNT: usize = [$(stringify!($field)),+].len();

            /// Name, help, unit and kind of each field, in the order of [`Counters::values`].
            pub const METRICS: [Metric; Self::COUNT] = [$(Metric {
                family: concat!("chancery_", $family),
                label: counters!(@label $($label $value)?),
                help: $help,
                unit: Unit::$unit,
                kind: MetricKind::$kind,
            },)+];

            /// The values, in the order of [`Counters::METRICS`].
            #[must_use]
            pub const fn values(&self) -> [u64; Self::COUNT] {
                [$(self.$field,)+]
            }
        }
    };
    (@label) => { None };
    (@label $label:ident $value:literal) => { Some((stringify!($label), $value)) };
}

counters! {
    requests_scim_read: "requests" / class = "scim_read", Counter, None, "Requests answered, by class.";
    requests_scim_write: "requests" / class = "scim_write", Counter, None, "Requests answered, by class.";
    requests_attest: "requests" / class = "attest", Counter, None, "Requests answered, by class.";
    requests_attested: "requests" / class = "attested", Counter, None, "Requests answered, by class.";
    requests_log: "requests" / class = "log", Counter, None, "Requests answered, by class.";
    requests_other: "requests" / class = "other", Counter, None, "Requests answered, by class.";
    responses_success: "responses" / status = "2xx", Counter, None, "Responses sent, by class of status.";
    responses_redirection: "responses" / status = "3xx", Counter, None, "Responses sent, by class of status.";
    responses_client_error: "responses" / status = "4xx", Counter, None, "Responses sent, by class of status.";
    responses_server_error: "responses" / status = "5xx", Counter, None, "Responses sent, by class of status.";
    requests_in_flight: "requests_in_flight", Gauge, None, "Requests being answered now.";
    auth_failures: "auth_failures", Counter, None, "Requests refused for their credential.";
    connections_accepted: "connections_accepted", Counter, None, "Inbound streams accepted.";
    connections_open: "connections_open", Gauge, None, "Inbound streams open now.";
    tls_handshakes_completed: "tls_handshakes" / outcome = "completed", Counter, None, "TLS handshakes, by outcome.";
    tls_handshakes_failed: "tls_handshakes" / outcome = "failed", Counter, None, "TLS handshakes, by outcome.";
    bytes_received: "received_bytes", Counter, Bytes, "Bytes received on inbound streams, as encrypted.";
    bytes_sent: "sent_bytes", Counter, Bytes, "Bytes sent on inbound streams, as encrypted.";
    acts_committed: "acts_committed", Counter, None, "Acts that are durable and cosigned.";
    acts_refused: "acts_refused", Counter, None, "Acts refused by delegation or state.";
    acts_unknown: "acts_unknown", Counter, None, "Acts answered with outcome unknown.";
    acts_waiting: "acts_waiting", Gauge, None, "Acts that wait for their batch now.";
    batches: "batches", Counter, None, "Batches committed.";
    store_appended_bytes: "store_appended_bytes", Counter, Bytes, "Bytes of sealed records appended.";
    store_faults: "store_faults", Counter, None, "Appends that the store refused.";
    commit_latency_us_sum: "commit_latency_seconds", SummarySum, Microseconds, "Time from an act's arrival to its acknowledgement.";
    commit_latency_count: "commit_latency_seconds", SummaryCount, Microseconds, "Time from an act's arrival to its acknowledgement.";
    store_latency_us_sum: "store_latency_seconds", SummarySum, Microseconds, "Time of one append to the store.";
    store_latency_count: "store_latency_seconds", SummaryCount, Microseconds, "Time of one append to the store.";
    quorum_latency_us_sum: "quorum_latency_seconds", SummarySum, Microseconds, "Time from a checkpoint to its witness quorum.";
    quorum_latency_count: "quorum_latency_seconds", SummaryCount, Microseconds, "Time from a checkpoint to its witness quorum.";
    cosignatures_accepted: "cosignatures" / outcome = "accepted", Counter, None, "Requests to witnesses, by outcome.";
    cosignatures_conflict: "cosignatures" / outcome = "conflict", Counter, None, "Requests to witnesses, by outcome.";
    cosignatures_refused: "cosignatures" / outcome = "refused", Counter, None, "Requests to witnesses, by outcome.";
    cosignatures_invalid: "cosignatures" / outcome = "invalid", Counter, None, "Requests to witnesses, by outcome.";
    cosignatures_unreachable: "cosignatures" / outcome = "unreachable", Counter, None, "Requests to witnesses, by outcome.";
    quorum_age_us: "quorum_age_seconds", Gauge, Microseconds, "Age of the newest witness quorum.";
    log_size: "log_size", Gauge, None, "Leaves of the cosigned root log.";
    boot_epoch: "boot_epoch", Gauge, None, "Epoch of this boot.";
    tenants: "tenants", Gauge, None, "Tenants.";
    users: "users", Gauge, None, "Users of all tenants.";
    groups: "groups", Gauge, None, "Groups of all tenants.";
    keysets_made: "keysets_made", Counter, None, "Account keysets made.";
    claims_confirmed: "claims" / outcome = "confirmed", Counter, None, "Claims of accounts, by outcome.";
    claims_refused: "claims" / outcome = "refused", Counter, None, "Claims of accounts, by outcome.";
    cpu_us: "runtime_cpu_seconds", Counter, Microseconds, "CPU time of the runtime process.";
    resident_bytes: "runtime_resident_bytes", Gauge, Bytes, "Resident memory of the runtime process.";
    uptime_us: "runtime_uptime_seconds", Gauge, Microseconds, "Time since the runtime started.";
    acts_braked: "acts_braked", Counter, None, "Acts stopped by a tenant's limit of suspensions, deletions, grants or emptied groups.";
    collateral_answered: "collateral_requests" / outcome = "answered", Counter, None, "Requests to AMD's key distribution service, by outcome.";
    collateral_failed: "collateral_requests" / outcome = "failed", Counter, None, "Requests to AMD's key distribution service, by outcome.";
}
