//! What the host counts of itself.

use std::sync::atomic::{AtomicU64, Ordering};

use chancery_wire::{Metric, MetricKind, Unit};

/// One metric, of the host or of the runtime, as it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) label: Option<(&'static str, &'static str)>,
    pub(crate) help: &'static str,
    pub(crate) unit: Unit,
    pub(crate) kind: MetricKind,
}

impl From<Metric> for Family {
    fn from(metric: Metric) -> Self {
        Self {
            name: metric.family,
            label: metric.label,
            help: metric.help,
            unit: metric.unit,
            kind: metric.kind,
        }
    }
}

/// A number that many tasks change.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one more until the guard is dropped.
    pub(crate) fn enter(&self) -> Entered<'_> {
        self.one();
        Entered(self)
    }
}

/// One in a [`Count`], taken out when dropped.
#[derive(Debug)]
pub(crate) struct Entered<'a>(&'a Count);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

macro_rules! host_counters {
    ($($field:ident: $family:literal $(/ $label:ident = $value:literal)?, $kind:ident, $unit:ident, $help:literal;)+) => {
        /// Everything that the host counts.
        #[derive(Debug, Default)]
        pub(crate) struct HostCounters {
            $(pub(crate) $field: Count,)+
        }

        impl HostCounters {
            /// Each metric and its value, in the order of printing.
            pub(crate) fn samples(&self) -> Vec<(Family, u64)> {
                vec![$((Family {
                    name: concat!("chancery_host_", $family),
                    label: host_counters!(@label $($label $value)?),
                    help: $help,
                    unit: Unit::$unit,
                    kind: MetricKind::$kind,
                }, self.$field.value()),)+]
            }
        }
    };
    (@label) => { None };
    (@label $label:ident $value:literal) => { Some((stringify!($label), $value)) };
}

host_counters! {
    connections_accepted: "connections_accepted", Counter, None, "TCP connections accepted.";
    connections_open: "connections_open", Gauge, None, "TCP connections open now.";
    connections_failed: "connections_failed", Counter, None, "TCP connections closed because the runtime did not take them.";
    received_bytes: "received_bytes", Counter, Bytes, "Bytes from the network to the runtime.";
    sent_bytes: "sent_bytes", Counter, Bytes, "Bytes from the runtime to the network.";
    egress_connected: "egress" / outcome = "connected", Counter, None, "Outbound connections, by outcome.";
    egress_unknown_name: "egress" / outcome = "unknown_name", Counter, None, "Outbound connections, by outcome.";
    egress_refused: "egress" / outcome = "refused", Counter, None, "Outbound connections, by outcome.";
    egress_timed_out: "egress" / outcome = "timed_out", Counter, None, "Outbound connections, by outcome.";
    egress_open: "egress_open", Gauge, None, "Outbound connections open now.";
    streams_refused: "streams_refused", Counter, None, "Streams of the runtime that broke the protocol.";
    blobs_served: "blobs" / outcome = "served", Counter, None, "Files asked for, by outcome.";
    blobs_absent: "blobs" / outcome = "absent", Counter, None, "Files asked for, by outcome.";
    store_appends: "store_operations" / operation = "append", Counter, None, "Requests to the store, by operation.";
    store_reads: "store_operations" / operation = "read", Counter, None, "Requests to the store, by operation.";
    store_listings: "store_operations" / operation = "streams", Counter, None, "Requests to the store, by operation.";
    store_fences: "store_operations" / operation = "fence", Counter, None, "Requests to the store, by operation.";
    store_conflicts: "store_faults" / fault = "conflict", Counter, None, "Requests that the store refused, by fault.";
    store_fenced: "store_faults" / fault = "fenced", Counter, None, "Requests that the store refused, by fault.";
    store_full: "store_faults" / fault = "full", Counter, None, "Requests that the store refused, by fault.";
    store_unavailable: "store_faults" / fault = "unavailable", Counter, None, "Requests that the store refused, by fault.";
    store_too_large: "store_faults" / fault = "too_large", Counter, None, "Requests that the store refused, by fault.";
    store_records: "store_records", Counter, None, "Records appended by this process.";
    store_record_bytes: "store_record_bytes", Counter, Bytes, "Bytes of records appended by this process.";
    store_append_us_sum: "store_append_seconds", SummarySum, Microseconds, "Time of one durable append, without its wait in the queue.";
    store_append_count: "store_append_seconds", SummaryCount, Microseconds, "Time of one durable append, without its wait in the queue.";
    store_file_bytes: "store_file_bytes", Gauge, Bytes, "Size of the store's files.";
    telemetry_received: "telemetry_received", Counter, None, "Telemetry frames of the runtime.";
    cpu_us: "cpu_seconds", Counter, Microseconds, "CPU time of the host process.";
    resident_bytes: "resident_bytes", Gauge, Bytes, "Resident memory of the host process.";
}
