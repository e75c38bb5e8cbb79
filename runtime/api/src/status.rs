//! The status of a node: what `synapse status --json` prints, to the letter.

use serde::{Deserialize, Serialize};

/// The version of [`Status`]'s shape. It stays 1 while fields are only added.
pub const STATUS_SCHEMA: u32 = 1;

/// A node, its agents and its supervisors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`STATUS_SCHEMA`].
    pub schema: u32,
    /// The node's name.
    pub node: String,
    /// The node's process.
    pub pid: u32,
    /// The runtime's version.
    pub version: String,
    /// How long the node has been up.
    pub uptime_ms: u64,
    /// Every agent, in the order of the tree.
    pub agents: Vec<AgentStatus>,
    /// Every supervisor, in the order of the tree; the root first.
    pub supervisors: Vec<SupervisorStatus>,
}

impl Status {
    /// The agent of this name.
    #[must_use]
    pub fn agent(&self, name: &str) -> Option<&AgentStatus> {
        self.agents.iter().find(|agent| agent.name == name)
    }
}

/// One agent. Its own state, incarnation, process and uptime are those of replica 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// The agent's name.
    pub name: String,
    /// Where it stands in the tree: `root/research/writer`.
    pub path: String,
    /// `starting`, `ready`, `backoff`, `draining`, `stopping`, `stopped` or `failed`; readers
    /// tolerate others.
    pub state: String,
    /// The number of its current life; null before the first.
    pub incarnation: Option<u64>,
    /// Its process; null where it has none.
    pub pid: Option<u32>,
    /// How often its supervisor has restarted it.
    pub restarts: u64,
    /// How long the incarnation has been ready; null where it is not.
    pub uptime_ms: Option<u64>,
    /// Runs that it works on.
    pub in_flight: u64,
    /// Calls that wait in its mailbox.
    pub queued: u64,
    /// How many calls its mailbox can hold.
    pub mailbox: u64,
    /// `run`, `run_stream` or `run_sync`.
    pub mode: String,
    /// How its last incarnation ended; null where none has.
    #[serde(default)]
    pub last_exit: Option<LastExit>,
    /// Each replica.
    #[serde(default)]
    pub replicas: Vec<ReplicaStatus>,
}

/// How an incarnation ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastExit {
    /// The exit reason: `normal`, `exited`, `signalled`, `start_failed`, …
    pub reason: String,
    /// The reason in words, such as `killed by signal 9 after 41 s`.
    pub detail: String,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Which incarnation.
    pub incarnation: u64,
    /// The last lines that it wrote to stderr.
    #[serde(default)]
    pub stderr_tail: Vec<String>,
}

/// One replica of an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// From 0.
    pub index: u32,
    /// As [`AgentStatus::state`].
    pub state: String,
    /// The number of its current life.
    pub incarnation: Option<u64>,
    /// Its process.
    pub pid: Option<u32>,
    /// How long it has been ready.
    pub uptime_ms: Option<u64>,
    /// Runs that it works on.
    pub in_flight: u64,
}

/// One supervisor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SupervisorStatus {
    /// Its name.
    pub name: String,
    /// Where it stands in the tree.
    pub path: String,
    /// `one_for_one`, `one_for_all` or `rest_for_one`.
    pub strategy: String,
    /// Restarts that count against the intensity now.
    pub restarts_in_period: u64,
    /// How many restarts a period may hold.
    pub intensity: u64,
    /// The period.
    pub period_ms: u64,
}
