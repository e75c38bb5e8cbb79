//! The control socket's file: nobody but the user can ever open it, and no old one is in the way.
//!
//! It is bound in a folder of mode 0700, given its mode, and only then renamed to where clients
//! look for it. So there is no moment at which it is visible and open, and a client that connects
//! always finds somebody who listens. The caller holds the lock on the data directory.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use synapse_api::{CONTROL_PATH_FILE, CONTROL_SOCKET_FILE, fallback_path, fits};
use tokio::net::UnixListener;

/// The folder that a socket is made in: shorter than the socket's final name, so that what fits
/// there fits here.
const NURSERY: &str = ".new";

/// The variable that names the user's runtime directory (XDG Base Directory Specification); none
/// by default.
const RUNTIME_DIR_VARIABLE: &str = "XDG_RUNTIME_DIR";

/// Why the control socket cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket cannot be made.
    #[error("make the control socket {}", path.display())]
    Bind {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder for a socket outside of the data directory is open to others.
    #[error("use {} for the control socket: it is not this user's alone", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
    },
    /// The file that names a socket outside of the data directory cannot be written or removed.
    #[error("say in {} where the control socket is", path.display())]
    Note {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A socket that listens, and the files that it has.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    pub(crate) path: PathBuf,
    note: Option<PathBuf>,
}

impl ControlSocket {
    /// Listens for the node of this data directory, in it where that is possible.
    pub(crate) fn bind(data_dir: &Path) -> Result<(Self, UnixListener), ServeError> {
        let direct = data_dir.join(CONTROL_SOCKET_FILE);
        let refused = match fits(&direct).then(|| listen(&direct, &data_dir.join(NURSERY))) {
            Some(Ok(listener)) => {
                let note = data_dir.join(CONTROL_PATH_FILE);
                remove(&note).map_err(|source| ServeError::Note { path: note, source })?;
                return Ok((
                    Self {
                        path: direct,
                        note: None,
                    },
                    listener,
                ));
            }
            Some(Err(source)) => Some(ServeError::Bind {
                path: direct,
                source,
            }),
            None => None,
        };
        // A file system without sockets is as good as a path that is too long.
        Self::bind_elsewhere(data_dir).map_err(|error| refused.unwrap_or(error))
    }

    fn bind_elsewhere(data_dir: &Path) -> Result<(Self, UnixListener), ServeError> {
        let user = rustix::process::geteuid().as_raw();
        let runtime_dir = std::env::var_os(RUNTIME_DIR_VARIABLE)
            .map(PathBuf::from)
            .filter(|folder| folder.is_dir());
        let path = fallback_path(data_dir, runtime_dir.as_deref(), user);
        let folder = path.parent().unwrap_or(data_dir).to_owned();
        let failed = |source| ServeError::Bind {
            path: path.clone(),
            source,
        };
        if !make_private(&folder, user).map_err(failed)? {
            return Err(ServeError::Folder { folder });
        }
        // Nodes of other data directories share the folder.
        let nursery = folder.join(format!("{NURSERY}{}", std::process::id()));
        let listener = listen(&path, &nursery).map_err(failed)?;
        let note = data_dir.join(CONTROL_PATH_FILE);
        match write_note(data_dir, &note, &path) {
            Ok(()) => Ok((
                Self {
                    path,
                    note: Some(note),
                },
                listener,
            )),
            Err(source) => Err(ServeError::Note { path: note, source }),
        }
    }
}

impl Drop for ControlSocket {
    /// Nobody looks for a node that is gone. What cannot be removed is found stale by clients and
    /// replaced by the next node.
    fn drop(&mut self) {
        for path in self.note.iter().chain([&self.path]) {
            if let Err(error) = remove(path) {
                tracing::debug!(path = %path.display(), %error, "leave a file of the socket");
            }
        }
    }
}

/// Binds at `path`, through a private folder on the same file system.
fn listen(path: &Path, nursery: &Path) -> io::Result<UnixListener> {
    // One that is there was left by a node that died in the middle of this.
    remove_folder(nursery)?;
    DirBuilder::new().mode(0o700).create(nursery)?;
    let bound = listen_through(&nursery.join("s"), path);
    let cleaned = remove_folder(nursery);
    bound.and_then(|listener| cleaned.map(|()| listener))
}

fn listen_through(newborn: &Path, path: &Path) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(newborn)?;
    fs::set_permissions(newborn, Permissions::from_mode(0o600))?;
    fs::rename(newborn, path)?;
    Ok(listener)
}

/// Makes the folder for this user alone; false where it is there and somebody else's or open.
fn make_private(folder: &Path, user: u32) -> io::Result<bool> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let found = fs::symlink_metadata(folder)?;
    Ok(found.is_dir() && found.uid() == user && found.mode() & 0o077 == 0)
}

/// Writes where the socket is, whole or not at all.
fn write_note(data_dir: &Path, note: &Path, socket: &Path) -> io::Result<()> {
    let draft = data_dir.join(format!("{CONTROL_PATH_FILE}.new"));
    fs::write(&draft, socket.as_os_str().as_encoded_bytes())?;
    fs::rename(&draft, note)
}

/// Removes a file; one that is not there is fine.
fn remove(path: &Path) -> io::Result<()> {
    absent_is_fine(fs::remove_file(path))
}

/// Removes a folder and what is in it; one that is not there is fine.
fn remove_folder(path: &Path) -> io::Result<()> {
    absent_is_fine(fs::remove_dir_all(path))
}

fn absent_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    #[tokio::test]
    async fn the_socket_is_the_users_alone_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().canonicalize().unwrap();
        let (socket, _listener) = ControlSocket::bind(&data).unwrap();
        assert_eq!(
            (socket.path.clone(), mode(&socket.path)),
            (data.join("control.sock"), 0o600)
        );
        drop(socket);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_a_dead_node_left_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().canonicalize().unwrap();
        let dead = std::os::unix::net::UnixListener::bind(data.join("control.sock")).unwrap();
        drop(dead);
        fs::write(data.join("control.path"), "/nowhere.sock\n").unwrap();
        fs::create_dir(data.join(".new")).unwrap();
        let (socket, _listener) = ControlSocket::bind(&data).unwrap();
        assert_eq!(synapse_api::socket_path(&data).unwrap(), socket.path);
        tokio::net::UnixStream::connect(&socket.path).await.unwrap();
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_is_served_elsewhere_and_found() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder
            .path()
            .canonicalize()
            .unwrap()
            .join("long".repeat(30));
        fs::create_dir(&data).unwrap();
        let (socket, _listener) = ControlSocket::bind(&data).unwrap();
        assert_eq!(synapse_api::socket_path(&data).unwrap(), socket.path);
        assert_eq!(
            (mode(&socket.path), mode(socket.path.parent().unwrap())),
            (0o600, 0o700)
        );
        tokio::net::UnixStream::connect(&socket.path).await.unwrap();
        let path = socket.path.clone();
        drop(socket);
        assert!(!path.exists() && !data.join("control.path").exists());
    }

    #[test]
    fn a_folder_that_others_may_enter_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let user = rustix::process::geteuid().as_raw();
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
        assert!(!make_private(&open, user).unwrap());
        assert!(make_private(&folder.path().join("new"), user).unwrap());
        std::os::unix::fs::symlink("new", folder.path().join("link")).unwrap();
        assert!(!make_private(&folder.path().join("link"), user).unwrap());
    }
}
