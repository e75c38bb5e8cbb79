//! The shells of Synapse: supervisors, agents, registry, mailboxes and sessions.
//!
//! [`NodeHandle`] is the one API of a node; every face is a client of it. A node is a value: many
//! live in one process, and nothing here is global. This crate knows neither TOML nor sockets.

#![warn(missing_docs)]

mod handle;
mod view;

pub use handle::{CallRequest, NodeHandle, Run, RunEvent, RunId, RunOutcome};
pub use view::{
    ActionOutcome, AgentDetail, AgentState, AgentView, EventKind, ExitView, LogLine, LogStream,
    NodeEvent, NodeStatus, ReplicaView, SessionView, SupervisorView, Turn,
};
