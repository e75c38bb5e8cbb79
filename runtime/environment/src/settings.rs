//! What is wanted of the environment, and what is told while it is made. It refuses to read it from
//! anywhere.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::variables::PYTHON;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of the configuration: relative paths start here, and so do the tools that are run.
    pub folder: PathBuf,
    /// The base interpreter, by path or by a name on `PATH`; `None` looks for one. The variable
    /// `SYNAPSE_PYTHON` wins over it.
    pub interpreter: Option<PathBuf>,
    /// The user's own environment, used as it is and never written to.
    pub venv: Option<PathBuf>,
    /// A requirements file to be installed beside what the runtime needs.
    pub requirements: Option<PathBuf>,
    /// Whether it may be built.
    pub install: Install,
    /// The environment variables of this process: where the cache is, where programs are, and all
    /// that pip and uv are to know of mirrors, proxies and certificates.
    pub variables: Vec<(OsString, OsString)>,
}

impl Settings {
    /// Nothing special: an environment of the runtime's own, with this process's variables.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self {
            // An empty path is what the parent of a bare file name is.
            folder: std::path::absolute(Path::new(".").join(&folder)).unwrap_or(folder),
            interpreter: None,
            venv: None,
            requirements: None,
            install: Install::WhenNeeded,
            variables: std::env::vars_os().collect(),
        }
    }

    /// The interpreter that was asked for.
    pub(crate) fn asked_interpreter(&self) -> Option<&Path> {
        self.variable(PYTHON)
            .map(Path::new)
            .or(self.interpreter.as_deref())
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        // An empty variable means what an absent one does, as in most programs.
        let found = self.variables.iter().rfind(|(known, _)| known == name);
        found
            .map(|(_, value)| value.as_os_str())
            .filter(|value| !value.is_empty())
    }
}

/// Whether an environment may be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Install {
    /// When none is kept.
    WhenNeeded,
    /// Never: a missing one is an error (`--frozen`).
    Never,
    /// When none is kept, and the interpreter is looked for anew (`synapse sync`).
    Refresh,
}

/// What installed the packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// uv, where it is found.
    Uv,
    /// The interpreter's own venv and pip.
    Pip,
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uv => "uv",
            Self::Pip => "pip",
        })
    }
}

/// What is being done, for whoever shows it. Not told when a kept environment is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Interpreters are looked at.
    FindingPython,
    /// Another process builds the same environment; its end is waited for.
    Waiting,
    /// The empty environment is made.
    Creating {
        /// The version of Python.
        version: String,
        /// What makes it.
        tool: Tool,
    },
    /// Packages are fetched and installed.
    Installing {
        /// How many are pinned for this.
        packages: usize,
        /// What installs them.
        tool: Tool,
    },
    /// The user's requirements are installed.
    InstallingRequirements {
        /// The file they stand in.
        file: PathBuf,
    },
    /// Python files are compiled, so that the first agent does not have to.
    Compiling,
    /// uv failed by itself; pip takes over.
    FallingBack {
        /// What uv said, in one line.
        reason: String,
    },
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FindingPython => f.write_str("finding Python"),
            Self::Waiting => f.write_str("waiting for another build of it"),
            Self::Creating { version, tool } => {
                write!(f, "creating an environment for Python {version} ({tool})")
            }
            Self::Installing { packages, tool } => {
                write!(f, "installing {packages} packages ({tool})")
            }
            Self::InstallingRequirements { file } => {
                write!(f, "installing {}", file.display())
            }
            Self::Compiling => f.write_str("compiling"),
            Self::FallingBack { reason } => write!(f, "uv failed ({reason}); using pip instead"),
        }
    }
}
