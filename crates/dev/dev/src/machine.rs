//! What this machine says of its processes, and its clocks.

use std::fs;

use rustix::time::{ClockId, clock_gettime};

const MICROSECONDS_PER_SECOND: u64 = 1_000_000;

/// CPU time and memory of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// User and system time in microseconds.
    pub(crate) cpu_us: u64,
    /// Resident bytes.
    pub(crate) resident_bytes: u64,
}

/// What a process has used so far; none if it is gone.
pub(crate) fn usage(pid: u32) -> Option<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let page_size = u64::try_from(rustix::param::page_size()).ok()?;
    Some(Usage {
        cpu_us: cpu_us(&stat, rustix::param::clock_ticks_per_second())?,
        resident_bytes: resident_bytes(&statm, page_size)?,
    })
}

/// CPU time of all threads of a process in nanoseconds: finer than [`usage`], which counts ticks, but
/// threads that have ended are not in it. None if the process is gone.
pub(crate) fn threads_cpu_ns(pid: u32) -> Option<u64> {
    let mut sum = 0_u64;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        // A thread may end while its neighbours are read.
        let schedstat = thread.ok()?.path().join("schedstat");
        if let Ok(text) = fs::read_to_string(schedstat) {
            sum = sum.checked_add(run_ns(&text)?)?;
        }
    }
    Some(sum)
}

/// Time on a CPU from the text of `/proc/PID/task/TID/schedstat`: its first field.
fn run_ns(schedstat: &str) -> Option<u64> {
    schedstat.split(' ').next()?.parse().ok()
}

/// User and system time from the text of `/proc/PID/stat` (proc(5), fields 14 and 15).
fn cpu_us(stat: &str, ticks_per_second: u64) -> Option<u64> {
    // The command's name may hold anything, also spaces; the fields after it begin with the state.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)?
        .checked_mul(MICROSECONDS_PER_SECOND)?
        .checked_div(ticks_per_second)
}

/// Resident bytes from the text of `/proc/PID/statm`.
fn resident_bytes(statm: &str, page_size: u64) -> Option<u64> {
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(page_size)
}

/// CPU time of the calling thread, in nanoseconds since an unspecified point.
pub(crate) fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
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
    }

    #[test]
    fn reads_resident_pages() {
        assert_eq!(resident_bytes("900 25 3 4 5 6 7", 4096), Some(102_400));
        assert_eq!(resident_bytes("900", 4096), None);
    }

    #[test]
    fn this_process_is_there_and_process_zero_is_not() {
        assert!(usage(std::process::id()).unwrap().resident_bytes > 0);
        assert_eq!(usage(0), None);
    }

    #[test]
    fn reads_the_time_of_threads() {
        assert_eq!(run_ns("471859434 265812142 334\n"), Some(471_859_434));
        assert_eq!(run_ns(""), None);
        assert!(threads_cpu_ns(std::process::id()).is_some());
        assert_eq!(threads_cpu_ns(0), None);
    }

    #[test]
    fn the_threads_clock_advances_with_work() {
        let before = thread_cpu_ns();
        let mut sum = 0_u64;
        while thread_cpu_ns() - before < 1_000_000 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(sum > 0);
    }
}
