//! The children of a process, this one above all, and what the kernel shows of them. It refuses to
//! touch them.

use std::io;

use rustix::process::{Pid, getpid};

use crate::tag::Tag;

/// How often a process is looked at that shows no environment at all.
const LOOKS: u32 = 10;
/// From one look to the next.
const BETWEEN_LOOKS: std::time::Duration = std::time::Duration::from_millis(1);

/// The children of this process's first thread, the dead that are not reaped yet among them. Every
/// orphan that falls to the process is one of those: the kernel gives it to the first living thread.
pub(crate) fn of_main_thread() -> io::Result<Vec<Pid>> {
    let own = getpid().as_raw_pid();
    match of_thread(&format!("/proc/self/task/{own}")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => of_process(own),
        answer => answer,
    }
}

/// All children of this process, the dead that are not reaped yet among them.
pub(crate) fn of_all_threads() -> io::Result<Vec<Pid>> {
    of(getpid())
}

/// All children of a process of this user.
pub(crate) fn of(parent: Pid) -> io::Result<Vec<Pid>> {
    let parent = parent.as_raw_pid();
    let mut children = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{parent}/task"))? {
        match of_thread(&thread?.path().to_string_lossy()) {
            Ok(its) => children.extend(its),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return of_process(parent),
            Err(error) => return Err(error),
        }
    }
    Ok(children)
}

/// Not found where the thread has ended, or the kernel has no such list (CONFIG_PROC_CHILDREN).
fn of_thread(folder: &str) -> io::Result<Vec<Pid>> {
    let text = std::fs::read_to_string(format!("{folder}/children"))?;
    Ok(text.split_ascii_whitespace().filter_map(number).collect())
}

/// The children of a process, by a look at every process.
fn of_process(parent: i32) -> io::Result<Vec<Pid>> {
    let is_child = |pid: &Pid| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid()));
        // The name in parentheses may itself hold spaces and parentheses: the rest follows the
        // last, beginning with the state and the parent.
        stat.ok()
            .and_then(|stat| {
                let (_, rest) = stat.rsplit_once(") ")?;
                rest.split(' ').nth(1)?.parse().ok()
            })
            .is_some_and(|its: i32| its == parent)
    };
    let entries = std::fs::read_dir("/proc")?.flatten();
    let pids = entries.filter_map(|entry| number(entry.file_name().to_str()?));
    Ok(pids.filter(is_child).collect())
}

fn number(text: &str) -> Option<Pid> {
    text.parse().ok().and_then(Pid::from_raw)
}

/// What can be seen of a process's tag.
#[derive(Debug)]
pub(crate) enum Seen {
    /// It is this one's.
    Tag(Tag),
    /// It has none, or hides it.
    Nothing,
    /// The process is dead.
    Dead,
}

/// Looks for the tag of a child.
pub(crate) fn tag_of(pid: Pid) -> Seen {
    let raw = pid.as_raw_pid();
    for _ in 0..LOOKS {
        match std::fs::read(format!("/proc/{raw}/environ")) {
            Ok(environment) if environment.is_empty() => {}
            Ok(environment) => {
                return Tag::in_environment(&environment).map_or(Seen::Nothing, Seen::Tag);
            }
            // What is gone has no environment; who still is, hides it.
            Err(_) if crate::is_alive(raw.unsigned_abs()) => return Seen::Nothing,
            Err(_) => return Seen::Dead,
        }
        if !crate::is_alive(raw.unsigned_abs()) {
            return Seen::Dead;
        }
        // A process that executes a program shows no environment for a moment.
        std::thread::park_timeout(BETWEEN_LOOKS);
    }
    Seen::Nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_finds_a_child() {
        let spawner = crate::Spawner::start().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let command = crate::Command::new("/bin/sh", "/").args(["-c", "read line"]);
        let child = runtime.block_on(spawner.spawn(command)).unwrap();
        let pid = Pid::from_raw(i32::try_from(child.pid).unwrap()).unwrap();
        let found = of_process(getpid().as_raw_pid());
        for found in [found, of_all_threads()] {
            let found = found.unwrap();
            assert!(found.contains(&pid), "{pid:?} in {found:?}");
        }
        assert!(matches!(tag_of(pid), Seen::Tag(_)));
        // The thread that forks is another one.
        assert!(!of_main_thread().unwrap().contains(&pid));
    }

    #[test]
    fn who_is_gone_hides_nothing() {
        let spawner = crate::Spawner::start().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let gone = runtime.block_on(async {
            let command = crate::Command::new("/bin/true", "/");
            let mut child = spawner.spawn(command).await.unwrap();
            child.exit.wait().await;
            Pid::from_raw(i32::try_from(child.pid).unwrap()).unwrap()
        });
        // Kept as one without a tag, the next process of that number would be.
        assert!(matches!(tag_of(gone), Seen::Dead));
    }
}
