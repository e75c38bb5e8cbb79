//! An end for lack of memory is told from any other kill, where the kernel says so.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::harness::{World, send};

const TREE: &str = r#"
[supervisor.root]
intensity = 5
children = ["grows"]
[agent.grows]
entry = "grows:answer"
"#;

/// What one agent may take here: it stops by itself at twice as much.
const LIMIT_BYTES: &str = "209715200";

/// A control group that lets its processes have so much memory, below the one that this process is
/// in: of version 2, with the memory controller, and this user's to divide.
struct Confined(PathBuf);

impl Confined {
    /// `None`, and why on stderr, where there is no such group.
    fn make() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let Some(group) = groups.lines().find_map(|line| line.strip_prefix("0::/")) else {
            return skipped("no control groups of version 2");
        };
        let path = Path::new("/sys/fs/cgroup")
            .join(group)
            .join(format!("synapse-it-{}", std::process::id()));
        if let Err(error) = fs::create_dir(&path) {
            return skipped(&format!("{}: {error}", path.display()));
        }
        let confined = Self(path);
        if !confined.0.join("memory.max").exists() {
            return skipped("the memory controller is not here");
        }
        match fs::write(confined.0.join("memory.max"), LIMIT_BYTES) {
            Ok(()) => Some(confined),
            Err(error) => skipped(&format!("{}/memory.max: {error}", confined.0.display())),
        }
    }

    fn take(&self, pid: u32) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).expect("it is ours");
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        // Its processes ended before: the world is dropped first.
        fs::remove_dir(&self.0).ok();
    }
}

fn skipped(why: &str) -> Option<Confined> {
    use std::io::Write;
    writeln!(
        std::io::stderr(),
        "skipped, no memory can be confined: {why}"
    )
    .ok();
    None
}

#[test]
fn an_end_for_lack_of_memory_is_told_from_any_other_kill() {
    let Some(confined) = Confined::make() else {
        return;
    };
    let world = World::up(TREE);
    confined.take(world.pid("grows"));
    let error = world.fault(&["grows", "memory"], 1);
    assert_eq!(error["code"], "agent_crashed", "{error}");
    let exit = world.wait_for_incarnation("grows", 2)["last_exit"].clone();
    let dossier = world.run(&["inspect", "grows", "--exit", "1", "--json"]);
    let dossier = dossier.exits(0).json();
    let kernel = dossier["kernel"].as_str().unwrap_or_default();
    // Who may not read the kernel's log, or sees other numbers than it, is told what speaks for it.
    if exit["reason"] == "out_of_memory" {
        let pid = &dossier["pid"];
        assert!(
            kernel.contains(&format!("Killed process {pid} (")),
            "{dossier}"
        );
        assert_eq!(exit["detail"], "out of memory");
    } else {
        assert_eq!(exit["reason"], "signalled", "{exit}");
        assert!(kernel.contains("for lack of memory"), "{dossier}");
        assert!(
            fs::File::open("/dev/kmsg").is_err(),
            "the log says whose it was"
        );
    }
    // The same signal from somebody else, after the kernel has counted one.
    send(world.pid("grows"), Signal::KILL);
    let exit = world.wait_for_incarnation("grows", 3)["last_exit"].clone();
    assert_eq!(exit["reason"], "signalled", "{exit}");
}
