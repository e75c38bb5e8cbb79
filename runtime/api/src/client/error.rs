//! Why a request to the node did not succeed, and what the program exits with.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::exit::ExitCode;
use crate::fault::Fault;
use crate::sse::SseError;

/// There is no node to speak with.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No node uses the data directory.
    #[error("no node is running for {}; start one with `synapse`", data_dir.display())]
    NoNode {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// A node left its socket behind.
    #[error(
        "no node is running for {}: the last one died and left its socket; start one with `synapse`",
        data_dir.display()
    )]
    Stale {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// The socket is another user's.
    #[error("the control socket {} may not be opened by this user", socket.display())]
    Denied {
        /// The socket.
        socket: PathBuf,
    },
    /// The node does not accept.
    #[error("the node at {} did not accept within {} s", socket.display(), wait.as_secs())]
    TimedOut {
        /// The socket.
        socket: PathBuf,
        /// How long it was waited.
        wait: Duration,
    },
    /// The data directory does not say where the socket is.
    #[error("read where the control socket of {} is", data_dir.display())]
    Path {
        /// The data directory.
        data_dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Anything else that the system says.
    #[error("connect to the control socket {}", socket.display())]
    Io {
        /// The socket.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ConnectError {
    /// Always [`ExitCode::Unavailable`].
    #[must_use]
    pub const fn exit_code(&self) -> ExitCode {
        ExitCode::Unavailable
    }
}

/// A request did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The node answered with a fault.
    #[error(transparent)]
    Fault(Box<Fault>),
    /// There is no node any more.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The node went away before it had answered.
    #[error("the node went away before it had answered")]
    Lost {
        /// What the connection says, where it says anything.
        #[source]
        source: Option<hyper::Error>,
    },
    /// The node is stopping, and ended the stream.
    #[error("the node is stopping")]
    Stopping,
    /// Nothing came for this long.
    #[error("the node did not answer within {} s", wait.as_secs())]
    TimedOut {
        /// How long it was waited.
        wait: Duration,
    },
    /// The request cannot be written as JSON.
    #[error("write the request as JSON")]
    Request {
        /// Why.
        source: serde_json::Error,
    },
    /// The request is longer than a node takes.
    #[error("the request is longer than {limit} bytes")]
    RequestTooLong {
        /// [`super::limits::REQUEST_BYTES_MAX`].
        limit: usize,
    },
    /// The request cannot be sent over HTTP.
    #[error("form the request")]
    Form {
        /// Why.
        source: hyper::http::Error,
    },
    /// The answer is not what the control API says.
    #[error("understand the node's answer")]
    Answer {
        /// Why.
        source: serde_json::Error,
    },
    /// The event stream is not one.
    #[error("understand the node's event stream")]
    Stream {
        /// Why.
        source: SseError,
    },
    /// The answer is longer than the client takes.
    #[error("the node's answer is longer than {limit} bytes")]
    TooLong {
        /// [`super::limits::ANSWER_BYTES_MAX`].
        limit: usize,
    },
    /// The answer is not this API's, as from another program at the socket.
    #[error("the answer with status {status} is not a problem of this API")]
    NotProblem {
        /// The HTTP status.
        status: u16,
    },
}

impl ClientError {
    /// What the command line exits with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Fault(fault) => fault.exit_code(),
            Self::Connect(error) => error.exit_code(),
            Self::Lost { .. } | Self::Stopping => ExitCode::Unavailable,
            Self::TimedOut { .. } => ExitCode::DeadlineExceeded,
            Self::Request { .. } | Self::RequestTooLong { .. } | Self::Form { .. } => {
                ExitCode::Data
            }
            Self::Answer { .. }
            | Self::Stream { .. }
            | Self::TooLong { .. }
            | Self::NotProblem { .. } => ExitCode::Failure,
        }
    }

    /// The fault, where the node answered with one.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }
}
