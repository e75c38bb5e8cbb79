//! What an operator does to agents: restart, stop, start, kill.

use serde::{Deserialize, Serialize};

/// An operator's action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Drain, terminate and start again; counts against no intensity.
    Restart,
    /// Drain and terminate; holds until `start`.
    Stop,
    /// Start what is stopped or failed.
    Start,
    /// SIGKILL to the process; its supervisor sees a crash.
    Kill,
}

impl ActionKind {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Restart, Self::Stop, Self::Start, Self::Kill];

    /// The verb, as it stands in the route and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Kill => "kill",
        }
    }

    /// The action of this verb.
    #[must_use]
    pub fn parse(verb: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == verb)
    }
}

impl std::fmt::Display for ActionKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Whom an action is meant for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionRequest {
    /// Names of agents, globs, or names of supervisors for their subtrees.
    pub targets: Vec<String>,
}

/// What an action did, agent by agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionAnswer {
    /// One for each agent that the targets name.
    pub results: Vec<ActionOutcome>,
}

/// What an action did to one agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionOutcome {
    /// The agent.
    pub agent: String,
    /// Whether it was done.
    pub ok: bool,
    /// What was done, or why not, such as `sent SIGKILL to assistant #1 (pid 4121)`.
    pub message: String,
    /// The process that it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The incarnation that it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<u64>,
}
