//! What a process uses, as the system tells it to whoever may look. It refuses to judge whether
//! that is too much.

use std::time::Duration;

/// What one process uses. What the system does not tell is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Processor time since it began, without that of its children.
    pub cpu_time: Duration,
    /// Its threads.
    pub threads: u64,
    /// Memory that it has in pages of its own and in those that it shares.
    pub resident_bytes: u64,
    /// The same, where of each page that it shares with others its part counts.
    pub proportional_bytes: Option<u64>,
    /// Files, pipes and sockets that it has open.
    pub open_files: Option<u64>,
}

/// All of it. The proportional size costs the system a look at every page: some tenths of a
/// millisecond, during which the process can map no memory.
pub(crate) fn of(pid: u32) -> Option<Usage> {
    let work = Work::of(pid)?;
    Some(Usage {
        cpu_time: work.cpu_time,
        threads: work.threads,
        resident_bytes: work.resident_bytes,
        proportional_bytes: crate::proportional_bytes(pid),
        open_files: open_files(pid),
    })
}

/// What one cheap look tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// As [`Usage::cpu_time`].
    pub cpu_time: Duration,
    /// What of it was in its own code.
    pub user_time: Duration,
    /// What of it was in the kernel.
    pub system_time: Duration,
    /// As [`Usage::threads`].
    pub threads: u64,
    /// As [`Usage::resident_bytes`].
    pub resident_bytes: u64,
}

impl Work {
    #[cfg(target_os = "linux")]
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn of(_pid: u32) -> Option<Self> {
        None
    }

    /// The fields of /proc/PID/stat, numbered as in proc(5).
    #[cfg(target_os = "linux")]
    fn parse(stat: &str) -> Option<Self> {
        /// The first field behind the name, which is in parentheses and may hold anything.
        const STATE: usize = 3;
        const USER_TICKS: usize = 14;
        const SYSTEM_TICKS: usize = 15;
        const THREADS: usize = 20;
        const RESIDENT_PAGES: usize = 24;
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - STATE)?.parse::<u64>().ok();
        let time = |number| {
            let ms = field(number)?.checked_mul(1000)?;
            let per_second = rustix::param::clock_ticks_per_second().max(1);
            Some(Duration::from_millis(ms / per_second))
        };
        let (user_time, system_time) = (time(USER_TICKS)?, time(SYSTEM_TICKS)?);
        let page_bytes = u64::try_from(rustix::param::page_size()).ok()?;
        Some(Self {
            cpu_time: user_time.checked_add(system_time)?,
            user_time,
            system_time,
            threads: field(THREADS)?,
            resident_bytes: field(RESIDENT_PAGES)?.checked_mul(page_bytes)?,
        })
    }
}

#[cfg(target_os = "linux")]
fn open_files(pid: u32) -> Option<u64> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    u64::try_from(files.count()).ok()
}

#[cfg(not(target_os = "linux"))]
fn open_files(_pid: u32) -> Option<u64> {
    None
}

/// Resident memory, and what of it is swapped out: never less than [`share_bytes`].
pub(crate) fn occupied_bytes(pid: u32) -> Option<u64> {
    // Without /proc there is no such file.
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    kib(&status, "VmRSS:")?.checked_add(kib(&status, "VmSwap:").unwrap_or(0))
}

/// Its part of memory, and what of it is swapped out.
pub(crate) fn share_bytes(pid: u32) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    kib(&rollup, "Pss:")?.checked_add(kib(&rollup, "SwapPss:").unwrap_or(0))
}

/// The bytes of a line such as `VmRSS:  1024 kB`.
fn kib(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_looks_like_fields_is_none() {
        let stat = "7 (a) S 1) S 1 7 7 0 -1 4194560 9 0 0 0 250 50 0 0 20 0 3 0 99 8192 4 1 0";
        let work = Work::parse(stat).unwrap();
        let ticks = rustix::param::clock_ticks_per_second();
        assert_eq!(work.cpu_time, Duration::from_millis(300_000 / ticks));
        assert_eq!(work.threads, 3);
        assert_eq!(
            work.resident_bytes,
            4 * u64::try_from(rustix::param::page_size()).unwrap()
        );
        assert_eq!(Work::parse("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_is_seen() {
        let own = std::process::id();
        let usage = of(own).unwrap();
        assert!(
            usage.threads >= 1 && usage.open_files >= Some(3),
            "{usage:?}"
        );
        let share = usage.proportional_bytes.unwrap();
        assert!(share > 0 && share <= usage.resident_bytes * 2, "{usage:?}");
        assert!(occupied_bytes(own).unwrap() > 0 && share_bytes(own).unwrap() > 0);
        // No process has this number.
        assert_eq!(of(u32::MAX), None);
    }
}
