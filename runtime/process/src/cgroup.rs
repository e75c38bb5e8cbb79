//! Control groups of version 2: where this process stands, and a group of its own for it and all that
//! it starts, which can be ended as a whole, whoever is left in it. It refuses to limit anything.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

/// How long killed processes may take to be gone.
const EMPTY_WITHIN: Duration = Duration::from_secs(2);
/// From one look to the next.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Where this process stands.
#[derive(Debug)]
struct Place {
    /// Where the hierarchy is mounted.
    mount: PathBuf,
    /// The group of this process, below it.
    group: PathBuf,
}

impl Place {
    fn look() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        Self::of(&mounts, &groups)
    }

    /// From what the kernel shows as mounts and as groups of this process.
    fn of(mounts: &str, groups: &str) -> Option<Self> {
        let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let mount = mounts.lines().find_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let mut fields = before.split(' ').skip(3);
            let (root, point) = (fields.next()?, fields.next()?);
            (after.split(' ').next() == Some("cgroup2")).then_some((root, point))
        });
        let (root, point) = mount?;
        // Below what is mounted: a container may see a part only, and stand outside of it.
        let below = Path::new("/").join(group);
        let below = below.strip_prefix(root).ok()?;
        let outside = below.components().any(|part| part.as_os_str() == "..");
        (!outside).then(|| Self {
            mount: point.into(),
            group: Path::new(point).join(below),
        })
    }
}

/// What the nearest group that counts memory says of this process's.
pub(crate) fn memory_events() -> Option<String> {
    let Place { mount, group } = Place::look()?;
    let groups = group.ancestors().take_while(|it| it.starts_with(&mount));
    let mut events = groups.map(|group| fs::read_to_string(group.join("memory.events")));
    events.find_map(Result::ok)
}

/// A group that was made for this process, which is in it from then on, with all that it starts.
#[derive(Debug)]
pub struct ControlGroup {
    path: PathBuf,
    /// Where this process stood before.
    outer: PathBuf,
}

impl ControlGroup {
    /// Makes a group of this name, below that of this process. Nobody is in it yet. An error says
    /// that there can be none here, and changes nothing.
    pub fn make(name: &str) -> io::Result<Self> {
        let place = Place::look().ok_or(io::ErrorKind::Unsupported)?;
        let path = place.group.join(name);
        fs::create_dir(&path)?;
        let made = Self {
            path,
            outer: place.group,
        };
        // Kernels before 5.14 cannot end a group as a whole.
        if made.path.join("cgroup.kill").exists() {
            return Ok(made);
        }
        fs::remove_dir(&made.path)?;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves this process into it, with all its threads. What it has started before stays outside.
    pub fn enter(&self) -> io::Result<()> {
        move_to(&self.path)
    }

    /// Moves this process out again, ends whoever is left in it, and removes it.
    pub fn leave(self) -> io::Result<()> {
        move_to(&self.outer)?;
        end_group(&self.path).map(drop)
    }
}

fn move_to(group: &Path) -> io::Result<()> {
    fs::write(group.join("cgroup.procs"), std::process::id().to_string())
}

/// Kills every process of a group that was left behind, and removes it; the numbers of those that
/// were killed. One that is not there is what was wanted.
pub fn end_group(group: &Path) -> io::Result<Vec<u32>> {
    let left = match members(group) {
        Ok(left) => left,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    if !left.is_empty() {
        fs::write(group.join("cgroup.kill"), "1")?;
    }
    let deadline = Instant::now() + EMPTY_WITHIN;
    loop {
        match remove(group) {
            // Somebody in it is not gone yet.
            Err(error)
                if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline =>
            {
                std::thread::park_timeout(LOOK_AGAIN);
            }
            removed => return removed.map(|()| left),
        }
    }
}

/// The processes of a group and of those below it: one of them may have run a node, too.
pub fn members(group: &Path) -> io::Result<Vec<u32>> {
    let text = fs::read_to_string(group.join("cgroup.procs"))?;
    let mut pids: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    for inner in inner(group)? {
        pids.extend(members(&inner).unwrap_or_default());
    }
    Ok(pids)
}

fn remove(group: &Path) -> io::Result<()> {
    for inner in inner(group)? {
        remove(&inner)?;
    }
    fs::remove_dir(group)
}

fn inner(group: &Path) -> io::Result<Vec<PathBuf>> {
    let mut inner = Vec::new();
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            inner.push(entry.path());
        }
    }
    Ok(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
";

    fn place(mounts: &str, groups: &str) -> Option<String> {
        Place::of(mounts, groups).map(|place| place.group.display().to_string())
    }

    #[test]
    fn the_group_of_this_process_is_found_below_its_mount() {
        let groups = "4:memory:/other\n0::/user.slice/a.scope\n";
        assert_eq!(
            place(HYBRID, groups).as_deref(),
            Some("/sys/fs/cgroup/unified/user.slice/a.scope")
        );
        let bound = "7 1 0:9 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(
            place(bound, "0::/docker/abc/in").as_deref(),
            Some("/sys/fs/cgroup/in")
        );
        assert_eq!(place(bound, "0::/elsewhere"), None);
        assert_eq!(place(HYBRID, "0::/../outside"), None);
        assert_eq!(place("", groups), None);
        assert_eq!(place(HYBRID, "4:memory:/other\n"), None);
    }

    #[test]
    fn a_group_that_is_gone_is_what_was_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let group = folder.path().join("gone");
        assert_eq!(end_group(&group).unwrap(), [0; 0]);
    }
}
