//! Looks at a process from outside. It refuses to own or to change one.

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

#[cfg(target_os = "linux")]
mod system {
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
