//! What others may see of a supervisor: crash reports, restarts, beginning and end.

use synapse_core::exit::ExitReason;
use synapse_core::supervisor::{Cause, ChildId, CrashReport, StartError, WhyDown};
use synapse_core::time::Millis;

use crate::supervisor::SupervisorHandle;

/// Something that happened in a supervisor.
#[derive(Clone, Debug)]
pub enum SupervisorEvent {
    /// It begins to start its children. The handle is good until `Ended` or `StartFailed`.
    Starting(SupervisorHandle),
    /// All children are up.
    Started,
    /// It did not come up, and is gone.
    StartFailed(StartError),
    /// OTP's four keys.
    Report(CrashReport),
    /// A child failed and will be started again.
    Restarting {
        /// The child.
        child: ChildId,
        /// The life that failed.
        incarnation: u64,
        /// Restarts within the period, this one included.
        restarts: u32,
        /// How many are allowed.
        intensity: u32,
        /// The window.
        period: Millis,
        /// How long until it starts.
        delay: Millis,
    },
    /// A child ended by itself, or could not start, and is not started again.
    StaysDown {
        /// The child.
        child: ChildId,
        /// The life that ended.
        incarnation: u64,
        /// How it ended.
        reason: ExitReason,
        /// Why that is left so.
        why: WhyDown,
    },
    /// A child's spec is gone: temporary, deleted, or a `start_child` that failed.
    Forgotten(ChildId),
    /// Every child is gone, and so is the supervisor.
    Ended {
        /// What its parent sees.
        reason: ExitReason,
        /// What was behind it.
        cause: Cause,
    },
}

/// Sees everything, decides nothing, and must not wait.
pub trait SupervisorObserver: Send + Sync + 'static {
    /// `supervisor` is its path, e.g. `root/research`.
    fn observe(&self, supervisor: &str, event: SupervisorEvent);
}

/// For tests and for who does not look.
impl SupervisorObserver for () {
    fn observe(&self, _supervisor: &str, _event: SupervisorEvent) {}
}
