//! How a process ended and what it had used. It refuses to judge whether that was good or bad.

use std::fmt;
use std::time::Duration;

use crate::signal::Signal;

/// The end of a process, as the kernel tells it to the one who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Code or signal.
    pub status: ExitStatus,
    /// The largest resident size of it or of a child it waited for. The kernel counts from the
    /// fork, so that it is never less than what the process that forked it had at that moment.
    pub peak_resident_bytes: Option<u64>,
    /// Processor time in its own code; also that of children it waited for, where the system does
    /// not tell them apart.
    pub user_time: Duration,
    /// The same in the kernel.
    pub system_time: Duration,
}

/// Code or signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It ended itself with this code.
    Exited(i32),
    /// A signal ended it.
    Signalled {
        /// The signal's number.
        signal: i32,
        /// Whether a core was dumped.
        core_dumped: bool,
    },
    /// It is gone, but someone else in this process waited for it and took its status.
    Unknown,
}

impl ExitStatus {
    /// Whether it ended itself with code 0.
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exited(code) => write!(f, "exited with code {code}"),
            Self::Signalled {
                signal,
                core_dumped,
            } => {
                write!(f, "killed by {}", Signal::from_raw(signal))?;
                if core_dumped {
                    f.write_str(", core dumped")
                } else {
                    Ok(())
                }
            }
            Self::Unknown => f.write_str("ended, status unknown"),
        }
    }
}
