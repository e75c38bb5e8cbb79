//! What a supervisor is told. Every event names the incarnation it speaks of.

use crate::exit::ExitReason;
use crate::supervisor::{ChildId, Request, StartError};

/// A timer that the supervisor asked for; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(pub u64);

/// Whom a reply is for: the shell's own number, handed back as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// One thing that happened, in the order of a supervisor's life.
///
/// Events of an incarnation that is no longer the child's current one have no effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The parent wants it up. Legal once, first.
    Start,
    /// The child says that it is ready.
    ChildStarted {
        /// Which child.
        child: ChildId,
        /// Which life of it.
        incarnation: u64,
    },
    /// The child's start answered `ignore`: it is not needed, and that is no failure.
    ChildIgnored {
        /// Which child.
        child: ChildId,
        /// Which life of it.
        incarnation: u64,
    },
    /// The child could not start, and nothing of it is left.
    ChildStartFailed {
        /// Which child.
        child: ChildId,
        /// Which life of it.
        incarnation: u64,
        /// Why, and which child below it was the first to fail.
        error: StartError,
    },
    /// The child is gone, for whatever reason, and nothing of it is left.
    ChildExited {
        /// Which child.
        child: ChildId,
        /// Which life of it.
        incarnation: u64,
        /// Why.
        reason: ExitReason,
    },
    /// The time of a timer has come.
    Timer(TimerId),
    /// Somebody asks for something and waits for the reply.
    Request {
        /// Comes back in the reply.
        token: Token,
        /// What.
        request: Request,
    },
    /// The parent wants it down. Beats everything; has no effect the second time.
    Stop,
    /// Every child shall be killed now, and the supervisor with them.
    Kill,
}
