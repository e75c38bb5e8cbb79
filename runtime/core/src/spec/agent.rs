//! What an agent is and how it lives: the resolved form of an `[agent.NAME]` table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::name::Name;
use crate::spec::{CrashSpec, ResourceLimits, Restart, Shutdown};
use crate::time::Millis;

/// `module:attribute`, checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// The dotted module path.
    pub module: String,
    /// The attribute in the module (dots allowed).
    pub attribute: String,
}

impl std::fmt::Display for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.module, self.attribute)
    }
}

/// What the agent process runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// A pydantic-ai agent, a factory of one, or a plain function.
    Entry(Entry),
    /// No code: declared by model, instructions and schemas in the file.
    Declared,
}

/// Which pydantic-ai method executes the runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// `await agent.run`, many at once on one loop.
    Run,
    /// The same with `run_stream_events`.
    RunStream,
    /// `agent.run_sync` on the main thread, one at a time.
    RunSync,
}

impl Mode {
    /// The word in TOML, protocol and status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::RunStream => "run_stream",
            Self::RunSync => "run_sync",
        }
    }
}

/// What a full mailbox does with one more call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// Answers `overloaded` at once.
    #[default]
    Reject,
    /// Lets the caller wait for a place, within its deadline; of too many who wait, the last are
    /// refused.
    Wait,
}

/// The bounded queue in front of an agent; it outlives incarnations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxSpec {
    /// Calls that may wait. At least 1.
    pub size: usize,
    /// What happens with one more.
    pub when_full: WhenFull,
}

/// Delay between restarts: `initial * factor^n`, at most `max`, give or take `jitter`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    /// The first delay.
    pub initial: Millis,
    /// The longest delay.
    pub max: Millis,
    /// Growth from one restart to the next; at least 1.
    pub factor: f64,
    /// Share of the delay that is random, 0 to 1.
    pub jitter: f64,
    /// After this long in good health, the next delay is the first one again.
    pub reset_after: Millis,
}

/// How a process is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spawn {
    /// A fork of a warm one, where the system and the node can; else as `Exec`.
    Fork,
    /// A fresh interpreter.
    Exec,
}

/// When an agent's first process is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// With its supervisor.
    #[default]
    Eager,
    /// With the first call; until then it is hibernated.
    OnDemand,
}

/// When `deps = "module:factory"` is called and closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DepsScope {
    /// Once per process.
    #[default]
    Incarnation,
    /// Once per run.
    Run,
}

/// pydantic-ai's `UsageLimits`; `None` means no limit of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageLimits {
    /// Model requests in one run.
    pub requests: Option<u64>,
    /// Tool calls in one run.
    pub tool_calls: Option<u64>,
    /// Input tokens in one run.
    pub input_tokens: Option<u64>,
    /// Output tokens in one run.
    pub output_tokens: Option<u64>,
    /// Tokens in one run, both ways.
    pub total_tokens: Option<u64>,
}

/// What is done about a process that hangs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LivenessAction {
    /// People are told; nothing is ended.
    Warn,
    /// One that is stopped or silent is ended, as a crash; a blocked loop is told of.
    #[default]
    RestartSilent,
    /// It is ended, as a crash.
    Restart,
}

impl LivenessAction {
    /// The word in TOML and in the details of an agent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::RestartSilent => "restart_silent",
            Self::Restart => "restart",
        }
    }
}

/// When a process counts as hung. A long run is no hang, and a node that did not run itself finds
/// nobody guilty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Liveness {
    /// From one look at a busy process to the next; idle ones are looked at more seldom.
    pub interval: Millis,
    /// How late an event loop may be; no matter where code does not run on one.
    pub loop_lag_max: Millis,
    /// How long a process may give no sign of life.
    pub silence_max: Millis,
    /// What follows.
    pub action: LivenessAction,
}

impl Default for Liveness {
    /// Long enough for code that blocks its loop with a slow model for a while, and for C code that
    /// sorts or compiles something large.
    fn default() -> Self {
        Self {
            interval: Millis::from_secs(10),
            loop_lag_max: Millis::from_secs(30),
            silence_max: Millis::from_secs(60),
            action: LivenessAction::default(),
        }
    }
}

/// An agent of the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentSpec {
    /// Its name, unique among agents and supervisors.
    pub name: Name,
    /// What its process runs.
    pub program: Program,
    /// How runs are executed; `None` lets the program decide.
    pub mode: Option<Mode>,
    /// A line for people.
    pub description: Option<String>,
    /// Overrides the entry's model, e.g. `offline` or `openai:gpt-5`.
    pub model: Option<String>,
    /// Overrides the entry's model settings, key by key.
    pub model_settings: Map<String, Value>,
    /// Overrides the entry's instructions.
    pub instructions: Option<String>,
    /// JSON Schema of the output; the runtime checks it.
    pub output_schema: Option<Value>,
    /// Limits of one run.
    pub usage_limits: UsageLimits,
    /// A factory for dependencies that JSON cannot carry.
    pub deps: Option<Entry>,
    /// When the factory is called.
    pub deps_scope: DepsScope,
    /// How its processes are made.
    pub spawn: Spawn,
    /// Variables set in the process's environment.
    pub env: BTreeMap<String, String>,
    /// A dotenv file read at each start, absolute.
    pub env_file: Option<PathBuf>,
    /// Names of the runtime's variables that are passed on.
    pub env_pass: Vec<String>,
    /// When its first process is made.
    #[serde(default)]
    pub start: Start,
    /// How long a process may be idle before it is given back; `None` is for ever.
    #[serde(default)]
    pub hibernate_after: Option<Millis>,
    /// Whether a spare process is kept that has imported its modules.
    #[serde(default)]
    pub standby: bool,
    /// Restart type.
    pub restart: Restart,
    /// How it is stopped; 5 s by default.
    pub shutdown: Shutdown,
    /// Whether its end counts for its supervisor's `auto_shutdown`.
    pub significant: bool,
    /// Runs at the same time in one process. At least 1.
    pub concurrency: usize,
    /// Calls written ahead of the slots. 0 by default.
    pub prefetch: usize,
    /// Processes that pull from the mailbox. At least 1.
    pub replicas: usize,
    /// The queue in front of it.
    pub mailbox: MailboxSpec,
    /// Delay between restarts; `None` is OTP's: at once.
    pub backoff: Option<Backoff>,
    /// From spawn to `ready`; a start that takes longer has failed. 60 s by default.
    pub start_timeout: Millis,
    /// The longest a call may take, queue and run; a caller may only shorten it. 10 min by default.
    pub call_timeout: Millis,
    /// The longest a run may take from its start; `None` leaves it to `call_timeout`.
    #[serde(default)]
    pub run_timeout: Option<Millis>,
    /// When its process counts as hung.
    #[serde(default)]
    pub liveness: Liveness,
    /// How long cancelled code may go on before it costs the process its life. 10 s by default.
    pub cancel_grace: Millis,
    /// What its processes may use.
    #[serde(default)]
    pub limits: ResourceLimits,
    /// What becomes of calls whose process dies.
    #[serde(default)]
    pub crash: CrashSpec,
}
