//! How a console is begun and how it ends. It does not decide what an end means for the node:
//! whoever called [`crate::run`] does.

use std::io;
use std::path::PathBuf;

use synapse_api::{ClientError, ExitCode};
use thiserror::Error;

/// Whose console it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The node's own: leaving it stops the node.
    Own,
    /// Attached from elsewhere: leaving it leaves the node running.
    Attached,
}

impl Place {
    /// What Ctrl-D does, as the invitation and the hints say it.
    #[must_use]
    pub const fn leaving(self) -> &'static str {
        match self {
            Self::Own => "stops",
            Self::Attached => "leaves",
        }
    }
}

/// What a console needs to know beside its client.
#[derive(Clone, Debug)]
pub struct ConsoleOptions {
    /// Whose console it is.
    pub place: Place,
    /// Where the lines that were typed are kept for the next time; nowhere where `None`.
    pub history_file: Option<PathBuf>,
}

/// How a console ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsoleEnd {
    /// By Ctrl-D, `/quit`, or the end of a script.
    Left {
        /// 0; for a script with commands that failed, the first one's code.
        exit: u8,
    },
    /// By a signal to this process, such as SIGTERM or SIGHUP.
    Signalled(i32),
    /// The node went away; it was said on the terminal.
    NodeGone,
}

impl ConsoleEnd {
    /// What the program exits with, where the console was all that it did.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Left { exit } => exit,
            Self::Signalled(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
            Self::NodeGone => ExitCode::Unavailable.code(),
        }
    }
}

/// Why a console could not be.
#[derive(Debug, Error)]
pub enum ConsoleError {
    /// The node does not answer.
    #[error("ask the node for its status")]
    Status(#[source] ClientError),
    /// The terminal cannot be prepared.
    #[error("prepare the terminal")]
    Terminal(#[source] io::Error),
    /// The thread that reads lines cannot be started.
    #[error("start the thread that reads lines")]
    Reader(#[source] io::Error),
    /// Signals cannot be watched.
    #[error("watch for signals")]
    Signals(#[source] io::Error),
}

impl ConsoleError {
    /// What the program exits with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Status(error) => error.exit_code(),
            Self::Terminal(_) | Self::Reader(_) | Self::Signals(_) => ExitCode::Failure,
        }
    }
}
