//! What a supervisor decides. The shell does each action in order and has no choice left.

use crate::exit::ExitReason;
use crate::spec::Shutdown;
use crate::supervisor::{ChildId, CrashReport, Reply, StartError, TimerId, Token};
use crate::time::{Millis, Time};

/// Why a supervisor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// It was told to.
    Told,
    /// More restarts than its intensity allows.
    GaveUp,
    /// Its significant children ended.
    AutoShutdown,
    /// It was killed.
    Killed,
}

impl Cause {
    /// The word for it, as in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::GaveUp => "gave_up",
            Self::AutoShutdown => "auto_shutdown",
            Self::Killed => "killed",
        }
    }
}

/// Why a child that ended is not started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhyDown {
    /// Its restart type says so.
    RestartType,
    /// Somebody asked for the start that failed, and has the answer.
    StartRequest,
    /// It exhausted its own budget of restarts.
    Parked,
}

impl WhyDown {
    /// The stable word of status and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RestartType => "restart_type",
            Self::StartRequest => "start_request",
            Self::Parked => "parked",
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Start this incarnation; it answers by `ChildStarted`, `ChildIgnored` or `ChildStartFailed`.
    Start {
        /// Which child.
        child: ChildId,
        /// The life that begins; greater than all before it.
        incarnation: u64,
        /// Whether another life of it came before.
        restart: bool,
    },
    /// Ask this incarnation, started or still starting, to end; it answers by `ChildExited`.
    Stop {
        /// Which child.
        child: ChildId,
        /// Which life of it.
        incarnation: u64,
        /// How long it has. The supervisor itself watches the time and then says `Kill`.
        shutdown: Shutdown,
    },
    /// End this incarnation now; it answers by `ChildExited` with reason `Killed`.
    Kill {
        /// Which child.
        child: ChildId,
        /// Which life of it.
        incarnation: u64,
    },
    /// Say `Timer(id)` at this time, or behind the events that already wait where it is `now`.
    SetTimer {
        /// The name of the timer.
        id: TimerId,
        /// When.
        at: Time,
    },
    /// The timer is no longer needed; one that fires all the same has no effect.
    ClearTimer(TimerId),
    /// Every child is up: tell the parent, which starts its next child only now.
    Started,
    /// The supervisor did not come up, and all that it had started is gone. It has ended.
    StartFailed(StartError),
    /// Answer a request.
    Reply {
        /// Of the request.
        token: Token,
        /// The answer.
        reply: Reply,
    },
    /// Something for the log, in OTP's four keys.
    Report(CrashReport),
    /// A child will be started again; the failure has been counted.
    Restarting {
        /// The child that failed; siblings may be concerned by the strategy.
        child: ChildId,
        /// The life that failed.
        incarnation: u64,
        /// Restarts within the period, this one included: the supervisor's, or the child's own
        /// where it has a budget of its own.
        restarts: u32,
        /// How many are allowed.
        intensity: u32,
        /// The window in which they are counted.
        period: Millis,
        /// How long until the start: the child's backoff.
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
    /// Temporary, deleted or never brought up: the supervisor has forgotten this child.
    Forgotten(ChildId),
    /// Every child is gone. The supervisor has ended.
    Exit {
        /// What its parent sees: `shutdown`, as in OTP, or `killed`.
        reason: ExitReason,
        /// What was behind it.
        cause: Cause,
    },
}
