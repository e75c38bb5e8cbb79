//! Calls across a crash: what becomes of a run whose process has died, and which calls are held to
//! have killed it. It refuses to know processes, mailboxes and files.

mod suspects;

use crate::exit::ExitReason;
use crate::spec::CrashSpec;

pub use suspects::{Standing, Suspects};

/// What may have happened outside when the process died, by all that is known of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The run had not begun.
    NotStarted,
    /// It had begun, and no tool of it had.
    NoEffect,
    /// A tool had begun, or code of which nothing can be said.
    Unknown,
}

impl Outcome {
    /// The stable word in `details.outcome`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => "not_started",
            Self::NoEffect => "no_effect",
            Self::Unknown => "unknown",
        }
    }
}

/// What a process's end is to the runs that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// It was told to stop, and its time ran out.
    Told,
    /// It died, and no run is the cause: an operator or its supervisor killed it.
    Killed,
    /// It died, and what it was doing may be the cause.
    Crashed,
}

impl Ending {
    /// What this exit is; `by_hand`: an operator sent the signal.
    #[must_use]
    pub const fn of(reason: &ExitReason, by_hand: bool) -> Self {
        match reason {
            ExitReason::Shutdown(_) => Self::Told,
            ExitReason::Killed | ExitReason::Internal(_) | ExitReason::StartFailed(_) => {
                Self::Killed
            }
            _ if by_hand => Self::Killed,
            _ => Self::Crashed,
        }
    }
}

/// How sure it is that one run has killed the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// It has not: it had not begun, or something else was the cause.
    None,
    /// It or another one that executed beside it.
    Shared,
    /// It: nothing else executed.
    Alone,
}

impl Blame {
    /// Of one run, where so many executed when the process died. Where the `culprit` is known, such
    /// as a run that went on after its cancel, it alone is blamed.
    #[must_use]
    pub const fn of(ending: Ending, executing: usize, culprit: Option<bool>) -> Self {
        match (ending, culprit) {
            (Ending::Told | Ending::Killed, _) | (Ending::Crashed, Some(false)) => Self::None,
            (Ending::Crashed, Some(true)) => Self::Alone,
            (Ending::Crashed, None) if executing > 1 => Self::Shared,
            (Ending::Crashed, None) => Self::Alone,
        }
    }
}

/// What is known of a run whose process has died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How the process ended.
    pub ending: Ending,
    /// What may have happened.
    pub outcome: Outcome,
    /// Whether the call's caller still waits for it.
    pub wanted: bool,
    /// Whether the caller has read a part of the answer that cannot be taken back.
    pub read: bool,
    /// Processes that died while they executed this call, this one included.
    pub crashes: u32,
    /// Processes that died while they executed a call like this one, this one included where it is
    /// blamed.
    pub deaths: u32,
    /// How sure it is that this run was the cause.
    pub blame: Blame,
}

/// What becomes of a run whose process has died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Back to the head of the mailbox: it has not begun.
    Waits,
    /// Back to the head of the mailbox, to be executed once more.
    Again,
    /// Its caller is told that its process is gone.
    Answered {
        /// Whether the same call may be made again without doing anything twice.
        retryable: bool,
    },
    /// It has killed its agent often enough: kept as a dead letter, and refused from now on.
    DeadLetter,
    /// Nobody waits for it any more.
    Forgotten,
}

/// Decides what becomes of a run whose process has died.
#[must_use]
pub const fn fate(seen: &Seen, spec: &CrashSpec) -> Fate {
    let poisonous = spec.poison_after > 0 && seen.deaths >= spec.poison_after;
    if poisonous && matches!(seen.blame, Blame::Alone) {
        return Fate::DeadLetter;
    }
    if !seen.wanted {
        return Fate::Forgotten;
    }
    match (seen.outcome, seen.ending) {
        (Outcome::NotStarted, _) => Fate::Waits,
        (_, Ending::Told) => Fate::Answered { retryable: false },
        (_, Ending::Killed | Ending::Crashed) if may_run_again(seen, spec) => Fate::Again,
        (Outcome::NoEffect, _) => Fate::Answered { retryable: true },
        (Outcome::Unknown, _) => Fate::Answered {
            retryable: spec.idempotent,
        },
    }
}

const fn may_run_again(seen: &Seen, spec: &CrashSpec) -> bool {
    spec.idempotent && seen.crashes <= spec.retry_on_crash && !seen.read
}

#[cfg(test)]
mod tests;
