//! Specs, valid by construction: what `config` produces and the shells run. Knows no TOML.

mod agent;
mod crash;
mod limits;
mod supervisor;
mod tree;

pub use agent::{
    AgentSpec, Backoff, DepsScope, Entry, Liveness, LivenessAction, MailboxSpec, Mode, Program,
    Spawn, Start, UsageLimits, WhenFull,
};
pub use crash::CrashSpec;
pub use limits::{Footprint, OfTime, ResourceLimits};
pub use supervisor::{
    AutoShutdown, OnExhausted, Restart, Shutdown, StartOrder, Strategy, SupervisorSpec,
};
pub use tree::{ChildRef, TreeSpec};
