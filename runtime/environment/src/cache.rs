//! The folder that environments and the unpacked SDK are kept in, shared by all data directories. It
//! refuses to know what stands in its files.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tokio::time::{Instant, sleep};

use crate::error::EnvironmentError;
use crate::settings::{Settings, Stage};
use crate::variables::{CACHE_DIR, HOME, XDG_CACHE_HOME};

/// How long another process may build; it has as long for one installation.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// How often the other's lock is tried: a lock that is waited for cannot be bounded.
const LOCK_EVERY: Duration = Duration::from_millis(100);

/// The cache folder.
#[derive(Clone, Debug)]
pub(crate) struct Cache(PathBuf);

impl Cache {
    /// The folder that the variables name.
    pub(crate) fn locate(settings: &Settings) -> Result<Self, EnvironmentError> {
        let own = settings
            .variable(CACHE_DIR)
            .map(|path| settings.folder.join(path));
        // The specification says that relative paths there are to be ignored.
        let absolute = |name| {
            settings
                .variable(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
        };
        let user = || absolute(XDG_CACHE_HOME).map(|path| path.join("synapse"));
        let home = || absolute(HOME).map(|path| path.join(".cache/synapse"));
        own.or_else(user)
            .or_else(home)
            .map(Self)
            .ok_or(EnvironmentError::NoCache)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes the folder and those above it.
    pub(crate) fn create(&self) -> Result<(), EnvironmentError> {
        fs::create_dir_all(&self.0).map_err(failed("create the cache folder", &self.0))
    }

    /// Waits until no other process holds `name`, and holds it until the result is dropped, or this
    /// process ends in any way.
    pub(crate) async fn lock(
        &self,
        name: &str,
        progress: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<File, EnvironmentError> {
        let path = self.path(name);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let file = file.map_err(failed("open the lock", &path))?;
        let start = Instant::now();
        let mut told = false;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(rustix::io::Errno::WOULDBLOCK) => {}
                Err(errno) => return Err(failed("lock", &path)(errno.into())),
            }
            if !told {
                progress(Stage::Waiting);
                told = true;
            }
            if start.elapsed() > LOCK_TIMEOUT {
                return Err(EnvironmentError::Busy {
                    lock: path,
                    waited: start.elapsed(),
                });
            }
            sleep(LOCK_EVERY).await;
        }
    }

    /// Removes what crashed builds left: environments that were never finished and that nobody
    /// builds now, and temporary files of processes that are gone.
    pub(crate) fn remove_leftovers(&self, is_finished: impl Fn(&Path) -> bool) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name().display().to_string());
            // Held until it is removed, so that nobody begins to build there.
            let held = (name.starts_with("env-") && path.is_dir() && !is_finished(&path))
                .then(|| self.try_lock(&format!("{name}.lock")))
                .flatten();
            if held.is_none() && !is_abandoned(&name) {
                continue;
            }
            let removed = if path.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            if let Err(error) = removed {
                tracing::debug!(path = %path.display(), %error, "leftover not removed");
            }
        }
    }

    fn try_lock(&self, name: &str) -> Option<File> {
        let path = self.path(name);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .ok()?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .ok()
            .map(|()| file)
    }

    /// A folder beside the final one, unlike that of anybody else.
    pub(crate) fn temporary(&self, name: &str) -> PathBuf {
        self.path(&temporary_name(name))
    }
}

/// Writes a file so that a reader sees all of it or nothing.
pub(crate) fn write_whole(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    let name = path
        .file_name()
        .map(|name| name.display().to_string())
        .unwrap_or_default();
    let part = path.with_file_name(temporary_name(&name));
    fs::write(&part, content)?;
    fs::rename(&part, path)
}

/// Ends in the number of the process that uses it, by which a leftover is known.
fn temporary_name(name: &str) -> String {
    static USED: AtomicU64 = AtomicU64::new(0);
    let count = USED.fetch_add(1, Ordering::Relaxed);
    format!(".{name}.{count}.{}", std::process::id())
}

fn is_abandoned(name: &str) -> bool {
    let number = name
        .strip_prefix('.')
        .and_then(|name| name.rsplit_once('.'));
    number
        .and_then(|(_, pid)| pid.parse().ok())
        .is_some_and(|pid| !synapse_process::is_alive(pid))
}

/// Removes a folder with all that is in it; one that is not there is what was wanted.
pub(crate) fn remove(folder: &Path) -> Result<(), EnvironmentError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed("remove the unfinished", folder)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes the error for a failed operation on a path.
pub(crate) fn failed(
    operation: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> EnvironmentError {
    move |source| EnvironmentError::Cache {
        operation,
        path: path.to_owned(),
        source,
    }
}
