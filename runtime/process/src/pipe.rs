//! Pipes between the runtime and a child. It refuses to read or write them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Raises (or lowers) the capacity of a pipe and says what it is now. The system may refuse: an
/// unprivileged user has a quota. A smaller pipe costs speed only, so callers go on.
pub fn pipe_size(pipe: impl AsFd, bytes: usize) -> io::Result<usize> {
    system::pipe_size(pipe, bytes)
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
    use std::os::fd::AsFd;

    pub(super) fn pipe_size(pipe: impl AsFd, bytes: usize) -> io::Result<usize> {
        Ok(rustix::pipe::fcntl_setpipe_size(pipe, bytes)?)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::os::fd::AsFd;

    pub(super) fn pipe_size(_pipe: impl AsFd, _bytes: usize) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
