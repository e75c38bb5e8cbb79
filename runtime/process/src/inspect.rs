//! Looks at a process from outside. It refuses to own or to change one.

use crate::signal::Signal;

/// The resident size of a process now; `None` where it is gone or the system does not tell.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    system::resident_bytes(pid)
}

/// Its share of memory: what is its own, and of each page that it shares with others its part.
/// `None` where it is gone or the system does not tell.
pub fn proportional_bytes(pid: u32) -> Option<u64> {
    system::proportional_bytes(pid)
}

/// Whether a process with this number runs. One that has died and waits to be reaped does not.
pub fn is_alive(pid: u32) -> bool {
    system::is_alive(pid)
}

/// Whether the process has a handler for this signal; false where the system does not tell. Without
/// one, most signals end a process.
pub fn catches(pid: u32, signal: Signal) -> bool {
    system::has_signal(pid, signal, &["SigCgt"])
}

/// Whether this signal is on its way to the process.
pub fn is_pending(pid: u32, signal: Signal) -> bool {
    system::has_signal(pid, signal, &["ShdPnd", "SigPnd"])
}

/// The threads of the process that block this signal now. The system blocks it for a thread that
/// is in its handler.
pub fn threads_that_block(pid: u32, signal: Signal) -> Vec<u32> {
    system::threads_that_block(pid, signal)
}

#[cfg(target_os = "linux")]
mod system {
    use crate::signal::Signal;

    pub(super) fn has_signal(pid: u32, signal: Signal, sets: &[&str]) -> bool {
        is_in(&format!("/proc/{pid}/status"), signal, sets)
    }

    pub(super) fn threads_that_block(pid: u32, signal: Signal) -> Vec<u32> {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
            return Vec::new();
        };
        threads
            .flatten()
            .filter(|thread| {
                let status = thread.path().join("status");
                is_in(&status.to_string_lossy(), signal, &["SigBlk"])
            })
            .filter_map(|thread| thread.file_name().to_str()?.parse().ok())
            .collect()
    }

    /// Whether one of these sets of signals has it.
    fn is_in(status: &str, signal: Signal, sets: &[&str]) -> bool {
        let text = std::fs::read_to_string(status).unwrap_or_default();
        let bit = u32::try_from(signal.as_raw() - 1).unwrap_or(0);
        text.lines().any(|line| {
            let Some((name, mask)) = line.split_once(":\t") else {
                return false;
            };
            let mask = u128::from_str_radix(mask, 16).unwrap_or(0);
            sets.contains(&name) && mask.checked_shr(bit).unwrap_or(0) & 1 == 1
        })
    }

    pub(super) fn resident_bytes(pid: u32) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
        let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
        pages.checked_mul(rustix::param::page_size() as u64)
    }

    pub(super) fn proportional_bytes(pid: u32) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        kib.checked_mul(1024)
    }

    pub(super) fn is_alive(pid: u32) -> bool {
        let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
            return false;
        };
        // The name in parentheses may itself hold spaces and parentheses: the state follows the last.
        let state = text
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.chars().next());
        !matches!(state, None | Some('Z' | 'X' | 'x'))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use rustix::process::{Pid, test_kill_process};

    use crate::signal::Signal;

    pub(super) fn has_signal(_pid: u32, _signal: Signal, _sets: &[&str]) -> bool {
        false
    }

    pub(super) fn threads_that_block(_pid: u32, _signal: Signal) -> Vec<u32> {
        Vec::new()
    }

    pub(super) fn resident_bytes(_pid: u32) -> Option<u64> {
        None
    }

    pub(super) fn proportional_bytes(_pid: u32) -> Option<u64> {
        None
    }

    pub(super) fn is_alive(pid: u32) -> bool {
        let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return false;
        };
        !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH))
    }
}
