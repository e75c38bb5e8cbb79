//! One agent in detail: what `/inspect` shows.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dossier::LiveFrames;
use crate::status::{AgentStatus, LastExit};

/// An agent's status, what it said of itself, what its spec says, and how its lives ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentDetail {
    /// The same object as in the node's status.
    pub status: AgentStatus,
    /// What the agent's process said when it became ready (`docs/protocol.md`, `ready`); null before
    /// the first time.
    #[serde(default)]
    pub manifest: Option<Value>,
    /// What its declaration says.
    pub spec: AgentSummary,
    /// How its last incarnations ended, the latest first.
    #[serde(default)]
    pub last_exits: Vec<LastExit>,
    /// The last run that failed, by the word of the agent's process; null where none has. A mistake
    /// of the caller's is none.
    #[serde(default)]
    pub last_fault: Option<LastFault>,
    /// The last frames of every living incarnation.
    #[serde(default)]
    pub frames: Vec<LiveFrames>,
}

/// How a run failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastFault {
    /// Which run.
    pub run: String,
    /// As in a fault: `agent_error`, `model_error`, …
    pub code: String,
    /// Whose it was: `agent`, `model`, `tool` or `runtime`.
    pub origin: String,
    /// What happened, in a line or two.
    pub message: String,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Which incarnation it ran in.
    pub incarnation: u64,
    /// The Python traceback; null where none came with it.
    pub traceback: Option<String>,
}

/// When a process counts as hung, and what follows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LivenessSummary {
    /// From one look at a busy process to the next.
    pub interval_ms: u64,
    /// How late an event loop may be.
    pub loop_lag_max_ms: u64,
    /// How long a process may give no sign of life.
    pub silence_max_ms: u64,
    /// `warn`, `restart_silent` or `restart`.
    pub action: String,
}

/// The part of an agent's spec that people ask for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentSummary {
    /// `module:attribute`; null where the agent is declared without code.
    pub entry: Option<String>,
    /// The model that overrides the entry's; null where the entry's own is used.
    pub model: Option<String>,
    /// One sentence for people and for models.
    pub description: Option<String>,
    /// `permanent`, `transient` or `temporary`.
    pub restart: String,
    /// `brutal_kill`, `infinity` or a time such as `5s`.
    pub shutdown: String,
    /// Runs at once, for each replica.
    pub concurrency: u64,
    /// Calls that are written ahead of the free slots.
    pub prefetch: u64,
    /// How many replicas.
    pub replicas: u64,
    /// What its mailbox does with a call too many: `reject` or `wait`.
    pub when_full: String,
    /// The longest that a start may take.
    pub start_timeout_ms: u64,
    /// The longest that a call may take, queue and run together.
    pub call_timeout_ms: u64,
    /// The longest that a run may take from its start; null where `call_timeout` alone ends it.
    pub run_timeout_ms: Option<u64>,
    /// When its process counts as hung.
    pub liveness: LivenessSummary,
    /// How long cancelled code may go on before it costs the process its life.
    pub cancel_grace_ms: u64,
    /// What its processes may use.
    pub limits: ResourceLimits,
    /// Whether its author says that a run may be executed twice.
    pub idempotent: bool,
    /// How often a call is executed again after a crash.
    pub retry_on_crash: u64,
    /// With so many deaths a call is refused; 0: never.
    pub poison_after: u64,
}

/// What an agent's processes may use; null where it is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceLimits {
    /// Memory of its process and of all that it has started.
    pub memory_bytes: Option<u64>,
    /// Open files of each process.
    pub open_files: Option<u64>,
    /// Its process and those that it has started.
    pub processes: Option<u64>,
    /// Processor time of each process.
    pub cpu_ms: Option<u64>,
}
