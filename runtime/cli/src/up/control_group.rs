//! The node's own control group, where it may have one, and the record of it in the data directory:
//! by that the next start finds what a node and a guard that were killed at once have left behind.
//! It refuses to be needed: without groups everything else is as it is.

#[cfg(target_os = "linux")]
pub(super) use linux::{OwnGroup, enter, leave};

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::{OwnGroup, enter, leave};

#[cfg(target_os = "linux")]
mod linux {
    use std::hash::{BuildHasher, RandomState};
    use std::os::unix::fs::MetadataExt;
    use std::path::{Path, PathBuf};
    use std::time::Duration;
    use std::{fs, io};

    use serde::{Deserialize, Serialize};
    use synapse_config::ControlGroups;
    use synapse_process::cgroup::{self, ControlGroup};
    use synapse_process::is_alive;
    use tokio::time::Instant;

    /// In the data directory.
    const RECORD_FILE: &str = "control-group.json";
    /// How long a node that has given its lock back may take to be gone.
    const GONE_WITHIN: Duration = Duration::from_secs(2);
    /// From one look to the next.
    const LOOK_AGAIN: Duration = Duration::from_millis(5);

    /// What the next start has to know.
    #[derive(Debug, Deserialize, Serialize)]
    struct Record {
        path: PathBuf,
        /// Whose it is: device and file number of the data directory, which a copy of it has not.
        data_dir: (u64, u64),
        /// The node that was in it.
        node: u32,
    }

    /// The group that this process is in.
    #[derive(Debug)]
    pub(crate) struct OwnGroup {
        group: ControlGroup,
        record: PathBuf,
    }

    /// Ends what an earlier node of this data directory has left in its group, and makes a group
    /// for this one, where that may be.
    pub(crate) fn enter(data_dir: &Path, setting: ControlGroups) -> Option<OwnGroup> {
        let record = data_dir.join(RECORD_FILE);
        if let Err(error) = end_earlier(&record, data_dir) {
            tracing::warn!(%error, record = %record.display(), "an earlier node's control group is left as it is");
        }
        if setting == ControlGroups::Off {
            return None;
        }
        match make(data_dir, record) {
            Ok(own) => Some(own),
            Err(error) => {
                tracing::debug!(%error, "no control group of its own");
                None
            }
        }
    }

    fn make(data_dir: &Path, record: PathBuf) -> io::Result<OwnGroup> {
        // The hasher is keyed at random.
        let number = RandomState::new().hash_one(std::process::id());
        let group = ControlGroup::make(&format!("synapse-{number:016x}"))?;
        let known = Record {
            path: group.path().to_owned(),
            data_dir: identity(data_dir)?,
            node: std::process::id(),
        };
        // Known before anybody is in it: then nobody in it is unknown.
        let entered = fs::write(&record, serde_json::to_vec(&known)?).and_then(|()| group.enter());
        let own = OwnGroup { group, record };
        match entered {
            Ok(()) => Ok(own),
            Err(error) => {
                leave(own);
                Err(error)
            }
        }
    }

    /// Forgets it, leaves it, ends whoever is left in it, and removes it. In this order: who comes
    /// next waits until this process has left, and then has a record of its own.
    pub(crate) fn leave(own: OwnGroup) {
        let forgotten = fs::remove_file(own.record);
        if let Err(error) = forgotten.and_then(|()| own.group.leave()) {
            tracing::warn!(%error, "the node's control group is not removed");
        }
    }

    fn end_earlier(record: &Path, data_dir: &Path) -> io::Result<()> {
        let text = match fs::read(record) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        // What was cut off in the middle tells of a group that nobody has entered.
        if let Ok(earlier) = serde_json::from_slice::<Record>(&text)
            && earlier.data_dir == identity(data_dir)?
        {
            wait_for_the_end_of(earlier.node, &earlier.path);
            let killed = cgroup::end_group(&earlier.path)?;
            if !killed.is_empty() {
                tracing::warn!(
                    ?killed,
                    "an earlier node was killed with its guard; what they left behind is ended now"
                );
            }
        }
        fs::remove_file(record)
    }

    /// It has given its lock back, and so is on its way out, if it is there at all.
    fn wait_for_the_end_of(node: u32, group: &Path) {
        let deadline = Instant::now() + GONE_WITHIN;
        let is_there = || {
            is_alive(node) && cgroup::members(group).is_ok_and(|members| members.contains(&node))
        };
        while is_there() && Instant::now() < deadline {
            std::thread::park_timeout(LOOK_AGAIN);
        }
    }

    fn identity(data_dir: &Path) -> io::Result<(u64, u64)> {
        let metadata = fs::metadata(data_dir)?;
        Ok((metadata.dev(), metadata.ino()))
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::path::Path;

    use synapse_config::ControlGroups;

    #[derive(Debug)]
    pub(crate) enum OwnGroup {}

    /// There are none.
    pub(crate) fn enter(_data_dir: &Path, _setting: ControlGroups) -> Option<OwnGroup> {
        None
    }

    pub(crate) fn leave(own: OwnGroup) {
        match own {}
    }
}
