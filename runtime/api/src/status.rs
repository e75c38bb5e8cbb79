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
    /// The process above it that leaves nothing of it behind; null where it has none.
    #[serde(default)]
    pub guard_pid: Option<u32>,
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
    /// `starting`, `ready`, `hibernated`, `backoff`, `draining`, `stopping`, `stopped` or `failed`;
    /// readers tolerate others.
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
    /// `run`, `run_stream`, `run_sync` or `function`; `unknown` until it was ready once and said so.
    pub mode: String,
    /// What it said of itself when it became ready; null before that.
    #[serde(default)]
    pub program: Option<Program>,
    /// How its last incarnation ended; null where none has.
    #[serde(default)]
    pub last_exit: Option<LastExit>,
    /// The process that stands by for its next incarnation; null where it has none.
    #[serde(default)]
    pub spare_pid: Option<u32>,
    /// What its process uses; null where it has none, or the system does not tell.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// Each replica.
    #[serde(default)]
    pub replicas: Vec<ReplicaStatus>,
}

impl AgentStatus {
    /// Whether calls are taken: by its process, or by the one that the next call starts.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state == "ready" || self.is_hibernated()
    }

    /// Whether it has no process until the next call.
    #[must_use]
    pub fn is_hibernated(&self) -> bool {
        self.state == "hibernated"
    }
}

/// What an agent's process said of its program, in short.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Program {
    /// `pydantic_ai`, `function` or `declared`.
    pub kind: String,
    /// Whether its answers can come piece by piece.
    pub streams: bool,
    /// Its model; null where it has none.
    pub model: Option<String>,
    /// The name of its output's type; null where it answers in text.
    pub output_name: Option<String>,
    /// The fields of its output's type.
    pub output_fields: Vec<String>,
}

impl Program {
    /// The program in a few words for people, such as `returns Report {title, risk}`.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut words = Vec::new();
        if let Some(output) = &self.output_name {
            words.push(match self.output_fields.as_slice() {
                [] => format!("returns {output}"),
                fields => format!("returns {output} {{{}}}", fields.join(", ")),
            });
        } else if self.kind == "function" {
            words.push("plain Python".to_owned());
        }
        if self.streams && self.output_name.is_none() {
            words.push("streams".to_owned());
        }
        match (&self.model, self.output_name.is_some()) {
            (Some(model), false) => words.push(format!("model {model}")),
            (None, false) => words.push("no model".to_owned()),
            (_, true) => {}
        }
        words.join(", ")
    }
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
    /// Its process; null where there was none.
    #[serde(default)]
    pub pid: Option<u32>,
    /// How long it lived.
    #[serde(default)]
    pub uptime_ms: u64,
    /// The Python traceback that it reported; null where it reported none.
    #[serde(default)]
    pub traceback: Option<String>,
    /// Its largest resident size, in bytes; null where that is not known.
    #[serde(default)]
    pub peak_resident_bytes: Option<u64>,
    /// The runs that were in flight.
    #[serde(default)]
    pub runs_in_flight: Vec<String>,
    /// Which replica's it was, from 0.
    #[serde(default)]
    pub replica: u32,
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
    /// From its spawn to ready; null where it was not ready yet.
    #[serde(default)]
    pub start_ms: Option<u64>,
    /// Why it is not started again: `restart_type`, `start_request` or `parked`; null where
    /// nothing of that kind was decided.
    #[serde(default)]
    pub why_down: Option<String>,
    /// As [`AgentStatus::usage`].
    #[serde(default)]
    pub usage: Option<Usage>,
}

/// What a process uses. What it has started is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Processor time since it began.
    pub cpu_ms: u64,
    /// Of one processor, in per cent, since the last question of anybody's that is a second old or
    /// more; before there was one, since the process began.
    pub cpu_percent: f64,
    /// Memory, where pages that it shares with others count in full.
    pub resident_bytes: u64,
    /// Memory, where of pages that it shares with others its part counts; null where the system
    /// does not tell.
    pub proportional_bytes: Option<u64>,
    /// Files, pipes and sockets that it has open; null as above.
    pub open_files: Option<u64>,
    /// Its threads.
    pub threads: u64,
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
    /// Restarts that count against the intensity now; with `park`, those of the child that is
    /// nearest to its end.
    pub restarts_in_period: u64,
    /// How many restarts a period may hold.
    pub intensity: u64,
    /// The period.
    pub period_ms: u64,
    /// The names of its children, agents and supervisors, in the order of their start.
    #[serde(default)]
    pub children: Vec<String>,
    /// Where it stands: `starting`, `ready`, `backoff`, `stopped` or `failed`; empty from a node
    /// that does not say.
    #[serde(default)]
    pub state: String,
    /// `escalate` or `park`.
    #[serde(default)]
    pub on_exhausted: String,
    /// `sequential` or `concurrent`.
    #[serde(default)]
    pub start_order: String,
    /// How often its own supervisor has restarted it since the node started.
    #[serde(default)]
    pub restarts: u64,
    /// How its last lives ended, the latest first.
    #[serde(default)]
    pub last_exits: Vec<SupervisorExit>,
}

/// How a life of a supervisor ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SupervisorExit {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// `told`, `gave_up`, `auto_shutdown`, `killed` or `start_failed`.
    pub cause: String,
    /// The same in words, with the failure behind it.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_described_as_in_the_first_minute() {
        let assistant = Program {
            kind: "pydantic_ai".into(),
            streams: true,
            model: Some("offline".into()),
            ..Program::default()
        };
        let analyst = Program {
            output_name: Some("Report".into()),
            output_fields: vec!["title".into(), "risk".into()],
            ..assistant.clone()
        };
        let echo = Program {
            kind: "function".into(),
            ..Program::default()
        };
        assert_eq!(assistant.describe(), "streams, model offline");
        assert_eq!(analyst.describe(), "returns Report {title, risk}");
        assert_eq!(echo.describe(), "plain Python, no model");
    }

    #[test]
    fn a_reader_tolerates_fields_and_states_of_a_newer_node() {
        let agent: AgentStatus = serde_json::from_str(
            r#"{"name": "a", "path": "root/a", "state": "dreaming", "incarnation": null,
                "pid": null, "restarts": 0, "uptime_ms": null, "in_flight": 0, "queued": 0,
                "mailbox": 64, "mode": "run", "last_exit": null, "replicas": [], "colour": "blue"}"#,
        )
        .unwrap();
        assert_eq!(agent.state, "dreaming");
        assert!(!agent.is_ready());
    }
}
