//! What a supervisor knows of a child: how it is begun, and how it is told to end.

use std::time::Duration;

use ractor::ActorId;
use synapse_core::supervisor::ChildId;

use crate::supervisor::ChildEvents;

/// The incarnation that shall begin.
#[derive(Clone, Debug)]
pub struct ChildStart {
    /// Which child.
    pub child: ChildId,
    /// Its number; greater than all before it.
    pub incarnation: u64,
    /// Whether another life of it came before.
    pub restart: bool,
}

/// Makes the children of one supervisor.
pub trait ChildFactory: Send + Sync + 'static {
    /// Begins an incarnation and returns at once; what takes time happens in a task.
    ///
    /// The child says through `events` when it is ready, when it could not start, and when it is
    /// gone. A child that loses its `events` without a word counts as crashed.
    fn start(&self, start: ChildStart, events: ChildEvents) -> Box<dyn ChildHandle>;
}

/// A running incarnation, seen from its supervisor.
///
/// Dropping the handle must end the child as [`kill`](Self::kill) does, unless it is gone: it is
/// how a subtree goes when its supervisor's actor dies. Neither method may wait.
pub trait ChildHandle: Send + 'static {
    /// Asks the child to end, also while it is starting. `within` is its shutdown time, `None` is
    /// without end; the supervisor itself calls `kill` when it is over. The child answers with
    /// `exited`, and with [`ExitReason::Shutdown`](synapse_core::exit::ExitReason::Shutdown)
    /// where it obeyed.
    fn stop(&mut self, within: Option<Duration>);

    /// Ends the child now. It answers with `exited` once nothing of it is left.
    fn kill(&mut self);

    /// The child's actor where it is one that is linked to
    /// [`ChildEvents::supervisor`], so that the text of a panic finds its way into the report.
    fn actor(&self) -> Option<ActorId> {
        None
    }
}

/// The handle of a child that never began; its `events` tell of that.
#[derive(Debug)]
pub(super) struct Absent;

impl ChildHandle for Absent {
    fn stop(&mut self, _within: Option<Duration>) {}

    fn kill(&mut self) {}
}
