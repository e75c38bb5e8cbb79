//! Whether the kernel has ended a process for lack of memory: where it says so, and what speaks for
//! it where it does not. It refuses to guess.
//!
//! The kernel counts such ends before it sends the signal. Only its log says whose they were, and
//! that by the numbers of the first namespace of processes.

#[cfg(target_os = "linux")]
use std::{fs::File, io::Read, time::Duration};

#[cfg(target_os = "linux")]
use crate::cgroup;

/// How long the kernel may take to write down whose end it has just counted.
#[cfg(target_os = "linux")]
const LOG_WITHIN: Duration = Duration::from_millis(100);
/// From one look to the next.
#[cfg(target_os = "linux")]
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Records of the kernel's log that are read; its buffer holds fewer.
#[cfg(target_os = "linux")]
const RECORDS_MAX: usize = 1 << 17;
/// The longest record, in bytes: the kernel gives none that is longer.
#[cfg(target_os = "linux")]
const RECORD_BYTES_MAX: usize = 8192;
/// What is kept of the kernel's line, in bytes.
#[cfg(target_os = "linux")]
const LINE_BYTES_MAX: usize = 300;
/// The first namespace of processes; the number is the kernel's own.
#[cfg(target_os = "linux")]
const FIRST_NAMESPACE: &str = "pid:[4026531836]";
/// A process that was forked just now may be older than the look that belongs to it.
#[cfg(target_os = "linux")]
const EARLIER_MICROS: u64 = 1_000_000;

/// A moment in a process's life, from which such ends are counted.
#[derive(Clone, Copy, Debug)]
pub struct OomWatch {
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "nothing is told")
    )]
    count: Option<u64>,
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "nothing is told")
    )]
    since_micros: u64,
}

/// What the kernel tells of the end of a process by SIGKILL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OomVerdict {
    /// It has ended that process, in its own words.
    Ended(String),
    /// It has ended so many processes, and does not say whose they were.
    Possible(u64),
    /// It has not, or counts nothing here.
    Nothing,
}

#[cfg(target_os = "linux")]
impl OomWatch {
    /// Begins to count.
    pub fn begin() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        Self {
            count: count(),
            since_micros: seconds
                .saturating_mul(1_000_000)
                .saturating_sub(EARLIER_MICROS),
        }
    }

    /// What the kernel says of the end of a process that began no earlier than this. It may take
    /// some moments, where there is anything to tell.
    pub fn judge(&self, pid: u32) -> OomVerdict {
        let (Some(before), Some(now)) = (self.count, count()) else {
            return OomVerdict::Nothing;
        };
        let ended = now.saturating_sub(before);
        if ended == 0 {
            return OomVerdict::Nothing;
        }
        let possible = OomVerdict::Possible(ended);
        if !is_first_namespace() {
            return possible;
        }
        let deadline = tokio::time::Instant::now() + LOG_WITHIN;
        loop {
            match self.logged(pid) {
                Err(_unreadable) => return possible,
                Ok(Some(line)) => return OomVerdict::Ended(line),
                Ok(None) if tokio::time::Instant::now() > deadline => return OomVerdict::Nothing,
                Ok(None) => std::thread::park_timeout(LOOK_AGAIN),
            }
        }
    }

    /// The line of the kernel's log that says so.
    fn logged(&self, pid: u32) -> std::io::Result<Option<String>> {
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = File::options();
        options.read(true).custom_flags(libc::O_NONBLOCK);
        let mut log = options.open("/dev/kmsg")?;
        let mut record = vec![0; RECORD_BYTES_MAX];
        for _ in 0..RECORDS_MAX {
            match log.read(&mut record) {
                Ok(length) => {
                    let text = String::from_utf8_lossy(record.get(..length).unwrap_or_default());
                    if let Some(line) = says_so(&text, pid, self.since_micros) {
                        return Ok(Some(line));
                    }
                }
                // That was the last one.
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(None),
                // It was overwritten before it was read.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

#[cfg(not(target_os = "linux"))]
impl OomWatch {
    /// Nothing is counted here.
    pub fn begin() -> Self {
        Self {
            count: None,
            since_micros: 0,
        }
    }

    /// Nothing is told.
    pub fn judge(&self, _pid: u32) -> OomVerdict {
        OomVerdict::Nothing
    }
}

/// In the control group of this process, which may be a container's; on the whole machine where no
/// group counts.
#[cfg(target_os = "linux")]
fn count() -> Option<u64> {
    let counter = |text: String| {
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line?.trim().parse().ok()
    };
    cgroup::memory_events()
        .and_then(counter)
        .or_else(|| counter(std::fs::read_to_string("/proc/vmstat").ok()?))
}

#[cfg(target_os = "linux")]
fn is_first_namespace() -> bool {
    std::fs::read_link("/proc/self/ns/pid").is_ok_and(|it| it.as_os_str() == FIRST_NAMESPACE)
}

/// A record is `priority,number,microseconds,flags;text`, and lines of other things behind it.
#[cfg(target_os = "linux")]
fn says_so(record: &str, pid: u32, since_micros: u64) -> Option<String> {
    let (head, text) = record.split_once(';')?;
    let at: u64 = head.split(',').nth(2)?.parse().ok()?;
    let line = text.lines().next()?;
    let is_it = at >= since_micros
        && line.contains("ut of memory")
        && line.contains(&format!("Killed process {pid} ("));
    is_it.then(|| {
        let end = line.floor_char_boundary(LINE_BYTES_MAX);
        line.get(..end).unwrap_or(line).to_owned()
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_so_of_one_process_and_of_its_own_life() {
        let text = "Memory cgroup out of memory: Killed process 4711 (python) total-vm:9kB";
        let record = format!("3,812,5000000,-;{text}\n SUBSYSTEM=x\n");
        assert_eq!(says_so(&record, 4711, 5_000_000).as_deref(), Some(text));
        assert_eq!(says_so(&record, 471, 0), None);
        assert_eq!(says_so(&record, 4711, 5_000_001), None, "an earlier one");
        let reaper = "6,813,5000000,-;oom_reaper: reaped process 4711 (python), now anon-rss:0kB";
        assert_eq!(says_so(reaper, 4711, 0), None);
        assert_eq!(says_so("nonsense", 4711, 0), None);
    }

    #[test]
    fn where_nothing_was_ended_nothing_is_told() {
        let watch = OomWatch::begin();
        assert_eq!(watch.judge(std::process::id()), OomVerdict::Nothing);
    }
}
