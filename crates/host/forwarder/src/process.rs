//! CPU time and memory of this process, and its limit on open files.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;
use crate::event::Event;

/// Open files beside connections: store, sockets, status connections, egress.
const OPEN_FILES_OTHER: u64 = 1024;

const MICROSECONDS_PER_SECOND: u64 = 1_000_000;

/// CPU time in microseconds, user and system, from the text of `/proc/self/stat`.
fn cpu_us(stat: &str, ticks_per_second: u64) -> Option<u64> {
    // The command's name may hold anything, also spaces; the fields after it begin with the state.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let ticks = user.checked_add(system)?;
    ticks
        .checked_mul(MICROSECONDS_PER_SECOND)?
        .checked_div(ticks_per_second)
}

/// Resident bytes from the text of `/proc/self/statm`.
fn resident_bytes(statm: &str, page_size: u64) -> Option<u64> {
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(page_size)
}

/// CPU time in microseconds and resident bytes of this process; 0 where the system does not say.
pub(crate) fn usage() -> (u64, u64) {
    let ticks = rustix::param::clock_ticks_per_second();
    let page_size = u64::try_from(rustix::param::page_size()).unwrap_or(0);
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    (
        cpu_us(&stat, ticks).unwrap_or(0),
        resident_bytes(&statm, page_size).unwrap_or(0),
    )
}

/// Raises the soft limit on open files to what the configuration needs: two for each connection.
pub(crate) fn raise_open_files(config: &Config) {
    let needed = u64::from(config.connections_max).saturating_mul(2);
    let needed = needed.saturating_add(OPEN_FILES_OTHER);
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    if current >= needed {
        return;
    }
    let raised = needed.min(limit.maximum.unwrap_or(u64::MAX));
    let new = Rlimit {
        current: Some(raised),
        maximum: limit.maximum,
    };
    if setrlimit(Resource::Nofile, new).is_err() || raised < needed {
        Event::OpenFilesFew.log();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cpu_time_behind_a_name_with_spaces_and_brackets() {
        let stat = "12 (a) (b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 3";
        assert_eq!(cpu_us(stat, 100), Some(3_000_000));
        assert_eq!(cpu_us(stat, 0), None);
        assert_eq!(cpu_us("12 (a) S 1 2", 100), None);
        assert_eq!(cpu_us("", 100), None);
    }

    #[test]
    fn reads_resident_pages() {
        assert_eq!(resident_bytes("900 25 3 4 5 6 7", 4096), Some(102_400));
        assert_eq!(resident_bytes("900", 4096), None);
        assert_eq!(resident_bytes("900 x", 4096), None);
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(usage().1 > 0);
    }
}
