//! The shells of Synapse: supervisors, agents, registry, mailboxes and sessions.
//!
//! [`NodeHandle`] is the one API of a node; every face is a client of it. A node is a value: many
//! live in one process, and nothing here is global. This crate knows neither TOML nor sockets.

#![warn(missing_docs)]

mod handle;
pub mod supervisor;
mod view;

mod family;
mod node;
mod operator;
mod redelivery;
mod registry;
mod renewal;
mod standing;
mod status;

mod call;
mod deadletters;
mod deadlines;
mod mailbox;

mod agent;
mod link;
mod pulse;

mod environments;
mod limits;
mod spawning;
mod usage;
mod zygote;

mod clock;
mod events;
mod logs;
mod redaction;
mod session;

pub use agent::launch::{Launcher, PythonEnvironment, ZygoteSettings};
pub use agent::stacks::StackView;
pub use deadletters::{
    DEAD_LETTER_BYTES_MAX, DEAD_LETTERS_MAX, DeadLetter, DeadLetterHead, DeadLetterList, KeptCall,
    LetterId,
};
pub use environments::{EnvironmentSource, NotPrepared, Preparing};
pub use handle::{CallRequest, NodeHandle, Run, RunEvent, RunId, RunOutcome};
pub use node::{NodeEnd, NodeError, NodeSettings, SESSION_BYTES_MAX, SESSIONS_MAX};
pub use redelivery::WhichLetters;
pub use session::{Segment, SessionStore};
pub use synapse_process::{Signal, Spawner};
pub use view::{
    ActionOutcome, AgentDetail, AgentState, AgentView, EventKind, ExitView, FailedRunView,
    FrameView, LiveFrames, LogLine, LogStream, NextAction, NextView, NodeEvent, NodeStatus,
    ReplicaView, RunCutOff, SessionView, Side, SupervisorExit, SupervisorView, Turn, UsageView,
};
