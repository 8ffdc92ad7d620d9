//! What the runtime counts: one atomic per field of the closed list that the host exports.

use std::sync::atomic::{AtomicU64, Ordering};

use chancery_wire::Counters;

/// One number.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Takes from it; for numbers that go up and down.
    pub fn take(&self, amount: u64) {
        self.0.fetch_sub(amount, Ordering::Relaxed);
    }

    /// Adds one for as long as the result lives, so that a dropped future takes it back.
    pub fn raise(&self) -> Raised<'_> {
        self.add(1);
        Raised(self)
    }

    /// Sets it.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Reads it.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One that was added to a number and is taken back on drop.
#[derive(Debug)]
pub struct Raised<'a>(&'a Counter);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.take(1);
    }
}

macro_rules! metrics {
    ($($field:ident)+) => {
        /// The live numbers behind [`Counters`].
        #[derive(Debug, Default)]
        pub struct Metrics {
            $(#[doc = concat!("See [`Counters::", stringify!($field), "`].")] pub $field: Counter,)+
        }

        impl Metrics {
            /// All numbers as of now.
            #[must_use]
            pub fn snapshot(&self) -> Counters {
                Counters { $($field: self.$field.read(),)+ }
            }
        }
    };
}

metrics! {
    requests_scim_read
    requests_scim_write
    requests_attest
    requests_attested
    requests_log
    requests_other
    responses_success
    responses_redirection
    responses_client_error
    responses_server_error
    requests_in_flight
    auth_failures
    connections_accepted
    connections_open
    tls_handshakes_completed
    tls_handshakes_failed
    bytes_received
    bytes_sent
    acts_committed
    acts_refused
    acts_unknown
    acts_waiting
    batches
    store_appended_bytes
    store_faults
    commit_latency_us_sum
    commit_latency_count
    store_latency_us_sum
    store_latency_count
    quorum_latency_us_sum
    quorum_latency_count
    cosignatures_accepted
    cosignatures_conflict
    cosignatures_refused
    cosignatures_invalid
    cosignatures_unreachable
    quorum_age_us
    log_size
    boot_epoch
    tenants
    users
    groups
    keysets_made
    claims_confirmed
    claims_refused
    cpu_us
    resident_bytes
    uptime_us
    acts_braked
    collateral_answered
    collateral_failed
}

/// Reads CPU time and resident memory of this process from the kernel.
pub fn read_process(metrics: &Metrics) {
    // utime and stime are fields 14 and 15 of proc(5) stat, in clock ticks of 10 ms; the command in
    // field 2 may hold spaces and ends with the last parenthesis.
    if let Ok(stat) = std::fs::read_to_string("/proc/self/stat")
        && let Some((_, rest)) = stat.rsplit_once(')')
    {
        let ticks: u64 = rest
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        metrics.cpu_us.set(ticks.saturating_mul(10_000));
    }
    if let Ok(statm) = std::fs::read_to_string("/proc/self/statm")
        && let Some(pages) = statm
            .split_whitespace()
            .nth(1)
            .and_then(|field| field.parse::<u64>().ok())
    {
        metrics.resident_bytes.set(pages.saturating_mul(4096));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_falls_when_its_future_is_dropped() {
        let metrics = Metrics::default();
        let raised = metrics.requests_in_flight.raise();
        assert_eq!(metrics.requests_in_flight.read(), 1);
        drop(raised);
        assert_eq!(metrics.requests_in_flight.read(), 0);
    }

    #[test]
    fn snapshot_carries_what_was_counted() {
        let metrics = Metrics::default();
        metrics.batches.add(3);
        metrics.connections_open.add(2);
        metrics.connections_open.take(1);
        read_process(&metrics);
        let counters = metrics.snapshot();
        assert_eq!((counters.batches, counters.connections_open), (3, 1));
        assert!(counters.resident_bytes > 0);
    }
}
