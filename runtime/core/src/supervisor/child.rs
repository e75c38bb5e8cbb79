//! One child of a supervisor: what it shall be and what it is doing.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::spec::{Backoff, Restart, Shutdown};
use crate::supervisor::backoff::Attempts;
use crate::supervisor::{Intensity, TimerId};
use crate::time::Time;

/// A child's name below its supervisor: `writer`, or `writer.1` for a replica. Cheap to copy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ChildId(Arc<str>);

/// OTP's child type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildKind {
    /// Anything that does not supervise.
    #[default]
    Worker,
    /// A supervisor.
    Supervisor,
}

/// OTP's child spec without the start function, which is the shell's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChildSpec {
    /// Unique below its supervisor.
    pub id: ChildId,
    /// Worker or supervisor.
    pub kind: ChildKind,
    /// Whether it is started again.
    pub restart: Restart,
    /// How it is stopped.
    pub shutdown: Shutdown,
    /// Whether its end counts for `auto_shutdown`.
    pub significant: bool,
    /// Delay before restarts; `None` is OTP's: at once.
    pub backoff: Option<Backoff>,
    /// Keep the spec of a temporary child that has ended, so that an operator can start it again.
    /// OTP forgets it; what is declared in a file should stay visible.
    pub remember: bool,
    /// The last incarnation of an earlier life of the supervisor; the first one here is greater.
    pub last_incarnation: u64,
}

impl ChildSpec {
    /// A permanent worker with OTP's defaults.
    #[must_use]
    pub fn worker(id: impl Into<ChildId>) -> Self {
        Self {
            id: id.into(),
            kind: ChildKind::Worker,
            restart: Restart::Permanent,
            shutdown: Shutdown::Timeout(crate::time::Millis::from_secs(5)),
            significant: false,
            backoff: None,
            remember: false,
            last_incarnation: 0,
        }
    }

    /// A permanent supervisor with OTP's defaults.
    #[must_use]
    pub fn supervisor(id: impl Into<ChildId>) -> Self {
        Self {
            kind: ChildKind::Supervisor,
            shutdown: Shutdown::Infinity,
            ..Self::worker(id)
        }
    }
}

/// What a child is doing, as `which_children` and status show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildState {
    /// Not there (OTP: `undefined`).
    Down,
    /// Not there, by an operator's stop.
    Held,
    /// Not there: it exhausted its own budget of restarts, and waits for a request to start it.
    Parked,
    /// Spawned, not ready yet.
    Starting,
    /// Ready.
    Up,
    /// Told to end, not gone yet.
    Stopping,
    /// Not there; will be started again (OTP: `restarting`).
    Restarting,
}

/// Whether the supervisor may start the child of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// OTP's only case.
    Run,
    /// An operator stopped it.
    Held,
    /// Temporary, ended, and remembered.
    Finished,
    /// It exhausted its budget.
    Parked,
    /// Terminated while a plan was going to start it: the plan leaves it out, once.
    PassOver,
}

/// On whose account an incarnation was started: decides what its failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartCause {
    /// The first start of the supervisor, or a restart of a group.
    Sequence,
    /// The restart of this one child.
    Restart,
    /// `restart_child`, or an operator.
    Request,
    /// `start_child`: a failure leaves nothing behind.
    Add,
}

/// What happens when a stopping incarnation is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// It stays down.
    Rest,
    /// It is started again, on an operator's account.
    Start,
}

/// The child's own state machine.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Life {
    /// No incarnation and none to come.
    Down,
    /// Spawned; the answer is due.
    Starting { cause: StartCause },
    /// Answered that it is ready.
    Up { since: Time },
    /// Told to end. The timer is the end of its shutdown time.
    Stopping {
        timer: Option<TimerId>,
        killed: bool,
        after: After,
    },
    /// No incarnation; the next when the timer fires.
    Waiting { timer: TimerId },
}

impl Life {
    /// Whether an incarnation exists (OTP: the child has a pid).
    pub(super) const fn is_alive(&self) -> bool {
        matches!(
            self,
            Self::Starting { .. } | Self::Up { .. } | Self::Stopping { .. }
        )
    }
}

/// A child in the supervisor's table.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) spec: ChildSpec,
    pub(super) incarnation: u64,
    pub(super) intent: Intent,
    pub(super) life: Life,
    pub(super) attempts: Attempts,
    /// Its own budget of restarts; `None`: it shares its supervisor's.
    pub(super) budget: Option<Box<Intensity>>,
}

impl Child {
    pub(super) const fn new(spec: ChildSpec, budget: Option<Box<Intensity>>) -> Self {
        Self {
            incarnation: spec.last_incarnation,
            spec,
            intent: Intent::Run,
            life: Life::Down,
            attempts: Attempts::new(),
            budget,
        }
    }

    pub(super) const fn is_temporary(&self) -> bool {
        matches!(self.spec.restart, Restart::Temporary)
    }

    pub(super) const fn state(&self) -> ChildState {
        match (&self.life, self.intent) {
            (Life::Down, Intent::Held) => ChildState::Held,
            (Life::Down, Intent::Parked) => ChildState::Parked,
            (Life::Down, Intent::Run | Intent::Finished | Intent::PassOver) => ChildState::Down,
            (Life::Starting { .. }, _) => ChildState::Starting,
            (Life::Up { .. }, _) => ChildState::Up,
            (Life::Stopping { .. }, _) => ChildState::Stopping,
            (Life::Waiting { .. }, _) => ChildState::Restarting,
        }
    }
}

impl ChildId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ChildId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for ChildId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<ChildId> for String {
    fn from(id: ChildId) -> Self {
        id.as_str().to_owned()
    }
}

impl From<&crate::name::Name> for ChildId {
    fn from(name: &crate::name::Name) -> Self {
        Self(name.as_str().into())
    }
}

impl Borrow<str> for ChildId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ChildId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChildId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
