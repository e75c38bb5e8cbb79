//! Why there is no environment, in words for the one who has to put it right. It refuses to print.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use synapse_process::SpawnError;

use crate::settings::Tool;

/// Why there is no environment. The text reads after "failed to"; [`EnvironmentError::details`] has
/// what a tool said, [`EnvironmentError::help`] what to do.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// No interpreter will do.
    #[error("find Python 3.11 or newer")]
    NoPython {
        /// What was looked at, and why it was refused.
        refused: Vec<Refused>,
    },
    /// The interpreter that was asked for will not do.
    #[error("use {} as the Python interpreter: {}", .0.candidate, .0.reason)]
    Interpreter(Refused),
    /// The user's own environment will not do.
    #[error("use the Python environment {}: {reason}", venv.display())]
    Venv {
        /// Its folder.
        venv: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The user's own environment lacks the one package that the runtime needs.
    #[error("use the Python environment {}: it lacks the package msgpack", venv.display())]
    VenvLacksMsgpack {
        /// Its folder.
        venv: PathBuf,
        /// Its interpreter.
        python: PathBuf,
    },
    /// The requirements file, or one that it includes, cannot be read.
    #[error("read the requirements {}", file.display())]
    Requirements {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// It would have to be built, and that is not allowed.
    #[error("use a kept Python environment: none is built for Python {version} and these packages")]
    Frozen {
        /// The version of Python it would be built with.
        version: String,
    },
    /// Another process builds the same environment and does not come to an end.
    #[error("wait for another process that builds the same Python environment")]
    Busy {
        /// The file that it holds.
        lock: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// The interpreter has no venv module, and there is no uv.
    #[error("create a Python environment: {} has no working venv module", python.display())]
    NoVenvModule {
        /// The interpreter.
        python: PathBuf,
        /// What it said.
        lines: Vec<String>,
    },
    /// The tool failed.
    #[error("install Python packages with {tool}: {cause}")]
    Install {
        /// Which tool.
        tool: Tool,
        /// What kind of failure it was.
        cause: Cause,
        /// The last lines that say why.
        lines: Vec<String>,
    },
    /// A program did not end in its time and was killed.
    #[error("run {} within {} s", program.display(), after.as_secs())]
    TimedOut {
        /// The program.
        program: PathBuf,
        /// The time it had.
        after: Duration,
        /// What it said last.
        lines: Vec<String>,
    },
    /// A file of the cache cannot be read or written.
    #[error("{operation} {}", path.display())]
    Cache {
        /// What was tried.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// There is no folder to keep environments in.
    #[error("find a cache folder: neither SYNAPSE_CACHE_DIR nor XDG_CACHE_HOME nor HOME is set")]
    NoCache,
    /// A program could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The output of a program cannot be read.
    #[error("read the output of a program")]
    Pipe(#[source] io::Error),
}

/// An interpreter that was looked at and will not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// How it was found: a path or a name.
    pub candidate: String,
    /// Why it will not do.
    pub reason: String,
}

/// Kinds of failed installations that a user can do something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No connection to the package index.
    Index,
    /// The package index refuses access.
    Unauthorized,
    /// The package index lacks a package or a version.
    Missing,
    /// A file is not the one that was locked.
    HashMismatch,
    /// No space is left.
    DiskFull,
    /// A folder may not be written to.
    Permission,
    /// The requirements contradict each other, or what the runtime needs.
    Conflict,
    /// Anything else.
    Other,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Index => "the package index cannot be reached",
            Self::Unauthorized => "the package index refuses access",
            Self::Missing => "the package index lacks a package",
            Self::HashMismatch => "a package is not the one that was locked (its hash differs)",
            Self::DiskFull => "no space is left on the disk",
            Self::Permission => "permission denied",
            Self::Conflict => "the requirements cannot be met together",
            Self::Other => "it failed",
        })
    }
}

impl EnvironmentError {
    /// What was tried, or what a tool said: a few lines.
    pub fn details(&self) -> Vec<String> {
        match self {
            Self::NoPython { refused } => refused
                .iter()
                .map(|one| format!("{}: {}", one.candidate, one.reason))
                .collect(),
            Self::Install { lines, .. }
            | Self::TimedOut { lines, .. }
            | Self::NoVenvModule { lines, .. } => lines.clone(),
            Self::Busy { lock, waited } => {
                vec![format!(
                    "waited {} s for {}",
                    waited.as_secs(),
                    lock.display()
                )]
            }
            Self::Interpreter(_)
            | Self::Venv { .. }
            | Self::VenvLacksMsgpack { .. }
            | Self::Requirements { .. }
            | Self::Frozen { .. }
            | Self::Cache { .. }
            | Self::NoCache
            | Self::Spawn(_)
            | Self::Pipe(_) => Vec::new(),
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoPython { .. } => {
                "install Python 3.11 or newer, or name one with SYNAPSE_PYTHON=/path/to/python3"
                    .into()
            }
            Self::Interpreter(_) => {
                "SYNAPSE_PYTHON and [python] interpreter take a path, or a name on PATH".into()
            }
            Self::Venv { .. } => "[python] venv takes the folder of an existing environment; \
                 without it the runtime builds one itself"
                .into(),
            Self::VenvLacksMsgpack { python, .. } => format!(
                "install it there: {} -m pip install msgpack   (or: uv pip install --python {} msgpack)",
                python.display(),
                python.display()
            ),
            Self::Frozen { .. } => "run `synapse sync` first, or leave out --frozen".into(),
            Self::NoVenvModule { .. } => {
                "install the venv package of the system's Python (python3-venv on Debian), or uv"
                    .into()
            }
            Self::Install { cause, tool, .. } => return install_help(*cause, *tool),
            Self::NoCache => "set SYNAPSE_CACHE_DIR to a folder that may be written to".into(),
            Self::Cache { source, .. } => return cache_help(source.kind()),
            Self::Requirements { .. }
            | Self::Busy { .. }
            | Self::TimedOut { .. }
            | Self::Spawn(_)
            | Self::Pipe(_) => return None,
        })
    }
}

fn install_help(cause: Cause, tool: Tool) -> Option<String> {
    let settings = match tool {
        Tool::Uv => "UV_DEFAULT_INDEX",
        Tool::Pip => "PIP_INDEX_URL",
    };
    Some(match cause {
        Cause::Index => format!(
            "check the network and the proxy variables, or name a mirror with {settings}; \
             it is needed once, the environment is kept"
        ),
        Cause::Unauthorized => format!("give credentials in {settings}, in a netrc file or a keyring"),
        Cause::Missing => {
            "a mirror may lag behind; packages exist for CPython on Linux and macOS, see the version \
             of Python that was used"
                .into()
        }
        Cause::HashMismatch => {
            "the index or mirror serves another file than the one that was locked; do not trust it \
             before it is known why"
                .into()
        }
        Cause::DiskFull | Cause::Permission => {
            "make room or give permission, or set SYNAPSE_CACHE_DIR to another folder".into()
        }
        Cause::Conflict => {
            "loosen the versions in the requirements file, or use an environment of your own with \
             [python] venv"
                .into()
        }
        Cause::Other => return None,
    })
}

fn cache_help(kind: io::ErrorKind) -> Option<String> {
    match kind {
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded => {
            Some("make room or give permission, or set SYNAPSE_CACHE_DIR to another folder".into())
        }
        _ => None,
    }
}
