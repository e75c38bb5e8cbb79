//! Processes as the kernel shows them in /proc.

use std::fs;

/// A process that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) command: String,
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("/proc can be read");
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Every process whose environment holds this text: it stays with whatever a process forks.
pub(crate) fn with_tag(tag: &str) -> Vec<Process> {
    let tagged = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .windows(tag.len())
            .any(|window| window == tag.as_bytes())
    };
    pids()
        .filter(tagged)
        .map(|pid| Process {
            pid,
            command: command_of(pid),
        })
        .collect()
}

/// Its command line, words apart by spaces.
pub(crate) fn command_of(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line)
        .trim_end_matches('\0')
        .replace('\0', " ")
}

/// The kernel's letter for a process's state, and its parent. A process that is gone has neither.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it is in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// `R`, `S`, `Z` and so on; none where there is no such process.
pub(crate) fn state_of(pid: u32) -> Option<char> {
    stat(pid).map(|(state, _)| state)
}

/// Whether a process runs; one that only waits to be reaped does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    state_of(pid).is_some_and(|state| state != 'Z')
}

/// The processes whose parent this is, zombies among them.
pub(crate) fn children_of(parent: u32) -> Vec<u32> {
    pids()
        .filter(|pid| stat(*pid).is_some_and(|(_, its)| its == parent))
        .collect()
}

/// The largest resident size that a process ever had.
pub(crate) fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a peak");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}
