//! What the faces speak: requests, events, status and fault types, and the Unix-socket client.
//!
//! This crate refuses to know any other crate of ours: the console, the command line and programs of
//! users need only this one. `docs/control-api.md` is its normative description. Fields are only
//! ever added; readers ignore fields, events and states that they do not know.

#![warn(missing_docs)]

mod action;
mod client;
mod deadletter;
mod detail;
mod dossier;
mod event;
mod exit;
mod fault;
mod log;
#[cfg(test)]
mod reference;
mod run;
mod session;
mod socket;
mod sse;
mod stack;
mod status;

pub use action::{ActionAnswer, ActionKind, ActionOutcome, ActionRequest};
pub use client::{Client, ClientError, ConnectError, Follow, LogQuery, RunStream, limits};
pub use deadletter::{DeadLetter, DeadLetterHead, DeadLetterList, Dropped};
pub use detail::{AgentDetail, AgentSummary, LastFault, LivenessSummary, ResourceLimits};
pub use dossier::{Dossier, Frame, LiveFrames, NextStep, NoExit, RunCutOff, WhichExit};
pub use event::{EventList, NodeEvent};
pub use exit::ExitCode;
pub use fault::{ErrorBody, Fault, PROBLEM_CONTENT_TYPE, Problem};
pub use log::{LogLine, LogList};
pub use run::{RunEvent, RunRequest, RunResult, ToolEvent};
pub use session::{SessionView, Turn};
pub use socket::{
    CONTROL_PATH_FILE, CONTROL_SOCKET_FILE, SOCKET_PATH_BYTES_MAX, fallback_path, fits, socket_path,
};
pub use sse::{EVENT_BYTES_MAX, SseError, SseEvent, SseParser};
pub use stack::{NoReplica, Stack, StackList, StackTarget};
pub use status::{
    AgentStatus, LastExit, Program, ReplicaStatus, STATUS_SCHEMA, Status, SupervisorExit,
    SupervisorStatus, Usage,
};
