//! What to run, and why it could not be run. It refuses to know how a process is made.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use crate::limits::KernelLimits;

/// A program with everything it is given. Nothing is inherited but what stands here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program; a name without a slash is looked up in the `PATH` of `env`.
    pub program: OsString,
    /// Its arguments, without the program's own name.
    pub args: Vec<OsString>,
    /// The environment, to which only a tag is added: the runtime's own is never inherited.
    pub env: Vec<(OsString, OsString)>,
    /// The folder it starts in.
    pub cwd: PathBuf,
    /// The wished capacity of stdin's and stdout's pipes; `None` leaves the system's default.
    pub pipe_bytes: Option<usize>,
    /// What its stdin is.
    pub input: Input,
    /// What the kernel limits of it.
    pub limits: KernelLimits,
}

/// What a process has as its stdin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Input {
    /// The reading end of a pipe.
    #[default]
    Pipe,
    /// A Unix socket that keeps messages apart and carries descriptors, to be read and written.
    Socket,
}

impl Command {
    /// A command with no arguments and an empty environment, started in `cwd`.
    pub fn new(program: impl Into<OsString>, cwd: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: cwd.into(),
            pipe_bytes: None,
            input: Input::Pipe,
            limits: KernelLimits::default(),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds variables.
    #[must_use]
    pub fn env<K: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let owned = variables.into_iter().map(|(k, v)| (k.into(), v.into()));
        self.env.extend(owned);
        self
    }

    /// The system says of a missing folder only that something is missing.
    pub(crate) fn expect_folder(&self) -> Result<(), SpawnError> {
        if self.cwd.is_dir() {
            return Ok(());
        }
        Err(SpawnError::Folder {
            program: self.program.display().to_string(),
            cwd: self.cwd.clone(),
        })
    }
}

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The folder to start in is not one.
    #[error("start {program}: its folder {} does not exist", cwd.display())]
    Folder {
        /// What was to be run.
        program: String,
        /// The folder it was to start in.
        cwd: PathBuf,
    },
    /// The system refused to fork or to execute it.
    #[error("start {program}")]
    Start {
        /// What was to be run.
        program: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// It was started, but could not be prepared for being watched; it was killed again.
    #[error("watch {program}")]
    Watch {
        /// What was to be run.
        program: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The thread that forks has ended.
    #[error("start {program}: the spawner has stopped")]
    Stopped {
        /// What was to be run.
        program: String,
    },
}
