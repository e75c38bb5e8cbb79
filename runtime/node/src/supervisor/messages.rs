//! The messages of a supervisor's actor, in the order of its life.

use ractor::RpcReplyPort;
use synapse_core::supervisor::{ChildId, Reply, Request, TimerId};

use crate::supervisor::{ChildReport, SupervisorSnapshot};

/// What a supervisor's actor is told.
#[derive(Debug)]
pub enum SupervisorMessage {
    /// Bring the children up. Sent once, first.
    Start,
    /// A child says something of itself.
    Child {
        /// Which child.
        child: ChildId,
        /// Which life of it; stale ones have no effect.
        incarnation: u64,
        /// What it says.
        report: ChildReport,
    },
    /// The time of a timer has come.
    Timer(TimerId),
    /// The task that watches the clock for the timers has woken.
    Alarm,
    /// The administration API; legal at any time, answered when it is done.
    Request(Request, RpcReplyPort<Reply>),
    /// How it stands; answered at once.
    Snapshot(RpcReplyPort<SupervisorSnapshot>),
    /// Go down in order.
    Stop,
    /// Kill every child now, and go when they are gone.
    Kill,
}
