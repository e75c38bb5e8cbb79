//! Pipes between the runtime and a child. It refuses to read or write them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Raises (or lowers) the capacity of a pipe and says what it is now. The system may refuse: an
/// unprivileged user has a quota. A smaller pipe costs speed only, so callers go on.
pub fn pipe_size(pipe: impl AsFd, bytes: usize) -> io::Result<usize> {
    system::pipe_size(pipe, bytes)
}

/// The same for the pipes of a child, where that was wished.
pub(crate) fn enlarge(pipes: [&OwnedFd; 2], bytes: Option<usize>) {
    let Some(bytes) = bytes else { return };
    for pipe in pipes {
        if let Err(error) = pipe_size(pipe, bytes) {
            tracing::debug!(%error, "pipe left at its default size");
        }
    }
}

/// Two connected sockets that keep messages apart; no child inherits them.
pub(crate) fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    system::socket_pair()
}

/// Puts the runtime's end into non-blocking mode. The child's end is another open file and
/// stays as it is.
pub(crate) fn set_nonblocking(pipe: &OwnedFd) -> io::Result<()> {
    let flags = fcntl_getfl(pipe)?;
    fcntl_setfl(pipe, flags | OFlags::NONBLOCK)?;
    Ok(())
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;
    use std::os::fd::{AsFd, OwnedFd};

    pub(super) fn pipe_size(pipe: impl AsFd, bytes: usize) -> io::Result<usize> {
        Ok(rustix::pipe::fcntl_setpipe_size(pipe, bytes)?)
    }

    pub(super) fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
        let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
        Ok(socketpair(family, kind, SocketFlags::CLOEXEC, None)?)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::os::fd::{AsFd, OwnedFd};

    pub(super) fn pipe_size(_pipe: impl AsFd, _bytes: usize) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
