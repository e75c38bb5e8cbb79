//! One node for each data directory: a lock on `DATA/lock`, which says who holds it.
//!
//! The lock is the kernel's (`flock`), so it ends with the process, however that ends; the file
//! stays. Only its holder may remove what an earlier node left in the directory.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// The lock's name in the data directory.
const LOCK_FILE: &str = "lock";

/// Bytes of the lock file that are read: a pid and a node's name.
const HOLDER_BYTES_MAX: u64 = 256;

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another node uses it.
    #[error("another node uses {}: {}", data_dir.display(), holder_text(*pid, node))]
    Held {
        /// The data directory.
        data_dir: PathBuf,
        /// The other node's process, where the file says.
        pid: Option<u32>,
        /// The other node's name, where the file says.
        node: String,
    },
    /// The directory cannot be made.
    #[error("make the data directory {}", data_dir.display())]
    Make {
        /// The data directory.
        data_dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The lock file cannot be opened, locked or written.
    #[error("lock {}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn holder_text(pid: Option<u32>, node: &str) -> String {
    match pid {
        Some(pid) => format!("{node} (pid {pid}); `synapse console` attaches to it"),
        None => "it has just started".to_owned(),
    }
}

/// The right to use a data directory, until it is dropped.
#[derive(Debug)]
pub struct DataDirLock {
    data_dir: PathBuf,
    _file: File,
}

impl DataDirLock {
    /// Takes the data directory for the node of this name; makes it where it is missing, for this
    /// user alone.
    ///
    /// # Errors
    /// Another node holds it, or the file system refuses.
    pub fn acquire(data_dir: &Path, node: &str) -> Result<Self, LockError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data_dir)
            .and_then(|()| data_dir.canonicalize())
            .map_err(|source| LockError::Make {
                data_dir: data_dir.to_owned(),
                source,
            })
            .and_then(|real| Self::lock(data_dir, real, node))
    }

    fn lock(data_dir: &Path, real: PathBuf, node: &str) -> Result<Self, LockError> {
        let path = real.join(LOCK_FILE);
        let failed = |source| LockError::Lock {
            path: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(held(data_dir, &mut file)),
            Err(error) => return Err(failed(error.into())),
        }
        write_holder(&mut file, node).map_err(failed)?;
        Ok(Self {
            data_dir: real,
            _file: file,
        })
    }

    /// The data directory, absolute and without symbolic links.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }
}

fn write_holder(file: &mut File, node: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{} {node}", std::process::id())
}

fn held(data_dir: &Path, file: &mut File) -> LockError {
    let mut text = String::new();
    // What cannot be read is not known; that the lock is held is certain.
    let read = file.take(HOLDER_BYTES_MAX).read_to_string(&mut text);
    let (pid, node) = match read {
        Ok(_length) => text.trim().split_once(' ').unwrap_or_default(),
        Err(_unreadable) => ("", ""),
    };
    LockError::Held {
        data_dir: data_dir.to_owned(),
        pid: pid.parse().ok(),
        node: node.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_second_node_is_told_who_holds_the_directory() {
        let folder = tempfile::tempdir().unwrap();
        let _first = DataDirLock::acquire(folder.path(), "a node").unwrap();
        let error = DataDirLock::acquire(folder.path(), "second").unwrap_err();
        let LockError::Held { pid, node, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!((*pid, node.as_str()), (Some(std::process::id()), "a node"));
        assert!(
            error.to_string().contains("`synapse console` attaches"),
            "{error}"
        );
    }

    #[test]
    fn the_directory_is_free_again_when_the_lock_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        drop(DataDirLock::acquire(folder.path(), "a much longer name").unwrap());
        let _second = DataDirLock::acquire(folder.path(), "b").unwrap();
        let text = std::fs::read_to_string(folder.path().join(LOCK_FILE)).unwrap();
        assert_eq!(text, format!("{} b\n", std::process::id()));
    }

    #[test]
    fn a_missing_directory_is_made_for_this_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("deep/er");
        let lock = DataDirLock::acquire(&data, "n").unwrap();
        assert_eq!(lock.data_dir(), data.canonicalize().unwrap());
        assert_eq!(
            std::fs::metadata(&data).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }
}
