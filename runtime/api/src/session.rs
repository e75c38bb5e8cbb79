//! Conversations, as a person reads them back.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionView {
    /// Its name.
    pub id: String,
    /// The agent that it belongs to.
    pub agent: String,
    /// What was said, the oldest first.
    #[serde(default)]
    pub turns: Vec<Turn>,
    /// How many messages the model gets to see.
    pub messages: u64,
    /// What they take.
    pub bytes: u64,
}

/// One question and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// What was asked: text, or the input's JSON.
    pub prompt: Value,
    /// What was answered: text, or the output's JSON.
    pub answer: Value,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Whether the answer was cut off.
    #[serde(default)]
    pub partial: bool,
}
