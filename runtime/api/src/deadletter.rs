//! Dead letters: calls that have killed their agent too often.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeadLetterList {
    /// The oldest first.
    pub letters: Vec<DeadLetterHead>,
    /// Files of the data directory that should be dead letters and are damaged.
    #[serde(default)]
    pub damaged: Vec<String>,
}

/// One of them, in a line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeadLetterHead {
    /// Its name, such as `d-3`.
    pub id: String,
    /// The agent that the call was for.
    pub agent: String,
    /// When it was last refused, RFC 3339 in UTC.
    pub at: String,
    /// The conversation that the call was part of; null where it was of none.
    pub session: Option<String>,
    /// The last run of it.
    pub run: String,
    /// How often it has killed the agent, by whichever caller.
    pub deaths: u64,
    /// How often the last call was executed.
    pub attempts: u64,
    /// How the agent's process ended the last time.
    pub reason: String,
    /// The beginning of its input.
    pub preview: String,
}

/// One of them, with all that is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeadLetter {
    /// As in the list.
    pub head: DeadLetterHead,
    /// The prompt or the JSON.
    pub input: Value,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The dependencies.
    pub deps: Value,
    /// Messages before the call: so many segments, as many as runs have added some.
    pub history_segments: u64,
    /// Another model than the agent's; null where none was asked for.
    pub model: Option<String>,
    /// Model settings; null where there were none.
    pub settings: Option<Map<String, Value>>,
    /// Instructions; null where there were none.
    pub instructions: Option<String>,
    /// The exits that it caused, the latest last: as the data of `agent_exited`.
    pub exits: Vec<Value>,
}

/// How many were dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// So many.
    pub dropped: u64,
}
