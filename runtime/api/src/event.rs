//! What happens in a node: starts, exits, restarts, operators' actions.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One event of the node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeEvent {
    /// From 1; a gap says that events were dropped.
    pub seq: u64,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// What happened; the list is in `docs/control-api.md`, and readers tolerate others.
    pub kind: String,
    /// The agent that it happened to.
    #[serde(default)]
    pub agent: Option<String>,
    /// The supervisor that did it, or that it happened to.
    #[serde(default)]
    pub supervisor: Option<String>,
    /// The agent's incarnation.
    #[serde(default)]
    pub incarnation: Option<u64>,
    /// The event in words, one line.
    #[serde(default)]
    pub message: String,
    /// More, by kind.
    #[serde(default)]
    pub data: Map<String, Value>,
}

/// The answer to a request for past events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EventList {
    /// The events, the oldest first.
    pub events: Vec<NodeEvent>,
}
