//! The shell around core's supervisor: one ractor actor per supervisor, no decisions of its own.
//!
//! [`AgentSupervisor`] owns one [`synapse_core::supervisor::Supervisor`], does its actions and
//! feeds back what happens. It never waits in a handler: a child is begun by a [`ChildFactory`],
//! which returns at once, and tells how it fares through [`ChildEvents`]. It refuses to know what
//! a child is: agents, nested supervisors and the children of tests are all [`ChildHandle`]s.

mod actor;
mod child;
mod decider;
mod events;
mod handle;
mod messages;
mod observer;
mod state;
mod timers;
mod tree;

#[doc(hidden)]
pub use actor::StartArguments;
pub use actor::{AgentSupervisor, SpawnError, SupervisorSettings};
pub use child::{ChildFactory, ChildHandle, ChildStart};
pub use events::{ChildEvents, ChildReport};
pub use handle::{SupervisorHandle, SupervisorSnapshot};
pub use messages::SupervisorMessage;
pub use observer::{SupervisorEvent, SupervisorObserver};
#[doc(hidden)]
pub use state::State;
pub use tree::{AgentFactory, AgentStart, SupervisionTree};
