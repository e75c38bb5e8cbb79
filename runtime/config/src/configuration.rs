//! What a valid supervision.toml amounts to: paths absolute, defaults filled in. It holds no TOML.

use std::collections::BTreeMap;
use std::path::PathBuf;

use synapse_core::name::Name;
use synapse_core::spec::TreeSpec;

/// Everything that the file says, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// Agents and supervisors.
    pub tree: TreeSpec,
    /// `[runtime]`.
    pub runtime: RuntimeSettings,
    /// `[python]`.
    pub python: PythonSettings,
    /// The file itself, absolute.
    pub file: PathBuf,
    /// The folder of the file: relative paths start here, and agents run here.
    pub folder: PathBuf,
}

/// `[runtime]`: the node's own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeSettings {
    /// Where the node keeps its socket, logs and conversations; `.synapse` beside the file by
    /// default.
    pub data_dir: PathBuf,
    /// The node's name, `synapse` by default.
    pub node: Name,
    /// `log`: the node's own log.
    pub log: LogSettings,
    /// `cgroup`: whether the node has a control group of its own.
    pub cgroup: ControlGroups,
    /// `sessions`: the limits of the conversations in memory.
    pub sessions: SessionLimits,
}

/// `[runtime] cgroup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlGroups {
    /// One for the node, where it may be made.
    Auto,
    /// None.
    Off,
}

/// `[runtime] log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Less important lines are dropped.
    pub level: LogLevel,
    /// `None`: pretty on a terminal, JSON lines elsewhere.
    pub format: Option<LogFormat>,
    /// A log file that grows past this many bytes is rotated.
    pub file_bytes_max: u64,
    /// How many files are kept, the current one included.
    pub files_max: usize,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What helps to follow one call.
    Debug,
    /// What an operator wants to know.
    Info,
    /// What may need attention.
    Warning,
    /// What needs attention.
    Error,
}

/// How a log line looks on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// `[runtime] sessions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Conversations kept; the oldest idle one is dropped for a new one.
    pub count_max: usize,
    /// Bytes of all their histories.
    pub bytes_max: u64,
}

/// `[python]`: the interpreter and packages that agents run with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PythonSettings {
    /// A ready environment, used as it is; absolute.
    pub venv: Option<PathBuf>,
    /// A requirements file that is installed beside the runtime's own lock; absolute.
    pub requirements: Option<PathBuf>,
    /// The base interpreter: an absolute path, or a bare command name to look up on PATH. The
    /// variable `SYNAPSE_PYTHON` wins over it.
    pub interpreter: Option<PathBuf>,
    /// Folders that agents import from, absolute; the file's own folder is the first.
    pub path: Vec<PathBuf>,
    /// Modules that agents' processes are forked with.
    pub preload: Vec<String>,
    /// Agents that have something in place of it.
    pub agents: BTreeMap<Name, AgentPython>,
}

/// What an agent has in place of `[python]`'s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentPython {
    /// A requirements file of its own, absolute; `None` leaves it that of `[python]`.
    pub requirements: Option<PathBuf>,
    /// Modules that its processes are forked with.
    pub preload: Vec<String>,
}
