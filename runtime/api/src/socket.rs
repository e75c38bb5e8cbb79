//! Where a node's control socket is: the one thing that server and client must agree on.
//!
//! It is `DATA/control.sock`. Where that path is too long for a `sockaddr_un`, or the file system
//! holds no sockets, it is in the user's runtime directory under a name made from the data
//! directory's path, and `DATA/control.path` says where. This file refuses to open sockets.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The socket's name in the data directory.
pub const CONTROL_SOCKET_FILE: &str = "control.sock";

/// The file of the data directory that names a socket elsewhere.
pub const CONTROL_PATH_FILE: &str = "control.path";

/// Bytes of a socket's path, without the final NUL: `sun_path` has 108 on Linux and 104 on macOS
/// and the BSDs.
pub const SOCKET_PATH_BYTES_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Bytes of the hash that a fallback's name is made from: 64 bits tell one user's folders apart.
const NAME_HASH_BYTES: usize = 8;

/// Where the socket of this data directory is, for a client: what `control.path` says, or
/// `control.sock`. Nothing says that anyone listens there. The path is the shortest that the
/// directory has, as the server's is.
///
/// # Errors
/// `control.path` is there and cannot be read.
pub fn socket_path(data_dir: &Path) -> io::Result<PathBuf> {
    match std::fs::read(data_dir.join(CONTROL_PATH_FILE)) {
        Ok(mut bytes) => {
            let end = bytes
                .iter()
                .rposition(|byte| *byte != b'\n')
                .map_or(0, |last| last + 1);
            bytes.truncate(end);
            Ok(PathBuf::from(OsString::from_vec(bytes)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = data_dir.canonicalize();
            Ok(folder
                .as_deref()
                .unwrap_or(data_dir)
                .join(CONTROL_SOCKET_FILE))
        }
        Err(error) => Err(error),
    }
}

/// Whether a socket can have this path.
#[must_use]
pub fn fits(path: &Path) -> bool {
    path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX
}

/// The socket outside of the data directory, for a server whose `control.sock` does not
/// [fit](fits): in `runtime_dir` (`XDG_RUNTIME_DIR`) or, without one that fits, in `/tmp`. Its
/// folder is the user's alone; the server makes it and writes `control.path`.
#[must_use]
pub fn fallback_path(data_dir: &Path, runtime_dir: Option<&Path>, user: u32) -> PathBuf {
    let name = fallback_name(data_dir);
    runtime_dir
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("synapse").join(&name))
        .filter(|path| fits(path))
        .unwrap_or_else(|| PathBuf::from(format!("/tmp/synapse-{user}")).join(&name))
}

fn fallback_name(data_dir: &Path) -> String {
    let digest = Sha256::digest(data_dir.as_os_str().as_bytes());
    let mut name = String::new();
    for byte in digest.iter().take(NAME_HASH_BYTES) {
        name.push_str(&format!("{byte:02x}"));
    }
    name.push_str(".sock");
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_path_file_the_socket_is_in_the_data_directory() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            socket_path(folder.path()).unwrap(),
            folder.path().join("control.sock")
        );
    }

    #[test]
    fn a_path_file_names_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join(CONTROL_PATH_FILE),
            "/run/user/7/x y.sock\n",
        )
        .unwrap();
        assert_eq!(
            socket_path(folder.path()).unwrap(),
            Path::new("/run/user/7/x y.sock")
        );
    }

    #[test]
    fn the_longest_path_fits_and_one_more_does_not() {
        let longest = "/".to_owned() + &"x".repeat(SOCKET_PATH_BYTES_MAX - 1);
        assert!(fits(Path::new(&longest)));
        assert!(!fits(Path::new(&(longest + "x"))));
    }

    #[test]
    fn fallbacks_differ_by_data_directory_and_fit() {
        let long = PathBuf::from("/".to_owned() + &"deep/".repeat(80));
        let one = fallback_path(&long, Some(Path::new("/run/user/7")), 7);
        let other = fallback_path(&long.join("x"), Some(Path::new("/run/user/7")), 7);
        assert!(one.starts_with("/run/user/7/synapse"));
        assert_ne!(one, other);
        assert!(fits(&one) && fits(&other));
    }

    #[test]
    fn a_runtime_directory_that_is_too_long_or_relative_is_not_used() {
        let data = Path::new("/data");
        for runtime in [long_folder(), PathBuf::from("run")] {
            let path = fallback_path(data, Some(&runtime), 7);
            assert!(path.starts_with("/tmp/synapse-7"), "{}", path.display());
        }
    }

    fn long_folder() -> PathBuf {
        PathBuf::from("/".to_owned() + &"x".repeat(SOCKET_PATH_BYTES_MAX))
    }
}
