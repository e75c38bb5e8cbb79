//! How a child tells its supervisor what becomes of it: typed, and never forgotten.

use std::fmt;

use ractor::{ActorCell, ActorRef};
use synapse_core::exit::ExitReason;
use synapse_core::supervisor::{ChildId, StartError};
use tokio::sync::mpsc;

use crate::supervisor::SupervisorMessage;

/// What a child says of itself.
#[derive(Clone, Debug, PartialEq)]
pub enum ChildReport {
    /// It is ready.
    Started,
    /// It is not needed. Nothing of it is left.
    Ignored,
    /// It could not start. Nothing of it is left.
    StartFailed(StartError),
    /// It ended. Nothing of it is left.
    Exited(ExitReason),
    /// It lost its [`ChildEvents`] without a word: its actor panicked, or its task was cut.
    Vanished,
}

/// An incarnation's line to its supervisor. It speaks at most one last word; dropping it without
/// one says [`ChildReport::Vanished`], so that no end goes unnoticed.
pub struct ChildEvents {
    line: Option<Line>,
}

/// Where the words go.
#[derive(Clone)]
enum Line {
    /// To the supervisor's actor.
    Supervisor {
        actor: ActorRef<SupervisorMessage>,
        child: ChildId,
        incarnation: u64,
    },
    /// To whoever spawned the root. At most two words are ever sent.
    Root(mpsc::UnboundedSender<ChildReport>),
}

impl ChildEvents {
    pub(super) const fn new(
        actor: ActorRef<SupervisorMessage>,
        child: ChildId,
        incarnation: u64,
    ) -> Self {
        Self {
            line: Some(Line::Supervisor {
                actor,
                child,
                incarnation,
            }),
        }
    }

    /// The line of a child that no supervisor has: the root's, or one in a test.
    #[must_use]
    pub fn root() -> (Self, mpsc::UnboundedReceiver<ChildReport>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (
            Self {
                line: Some(Line::Root(sender)),
            },
            receiver,
        )
    }

    /// The supervisor's actor, for children that are actors and want to be linked to it.
    #[must_use]
    pub fn supervisor(&self) -> Option<ActorCell> {
        match &self.line {
            Some(Line::Supervisor { actor, .. }) => Some(actor.get_cell()),
            Some(Line::Root(_)) | None => None,
        }
    }

    /// The child is ready; its supervisor may start the next one.
    pub fn started(&self) {
        if let Some(line) = &self.line {
            line.say(ChildReport::Started);
        }
    }

    /// The child is not needed (OTP's `ignore`).
    pub fn ignored(self) {
        self.last_word(ChildReport::Ignored);
    }

    /// The child could not start, and nothing of it is left.
    pub fn start_failed(self, error: StartError) {
        self.last_word(ChildReport::StartFailed(error));
    }

    /// The child has ended, and nothing of it is left: its process has been reaped.
    pub fn exited(self, reason: ExitReason) {
        self.last_word(ChildReport::Exited(reason));
    }

    fn last_word(mut self, report: ChildReport) {
        if let Some(line) = self.line.take() {
            line.say(report);
        }
    }
}

impl Drop for ChildEvents {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            line.say(ChildReport::Vanished);
        }
    }
}

impl Line {
    /// Nobody listens where the supervisor is gone; then the child is being ended anyway.
    fn say(&self, report: ChildReport) {
        match self {
            Self::Supervisor {
                actor,
                child,
                incarnation,
            } => {
                let message = SupervisorMessage::Child {
                    child: child.clone(),
                    incarnation: *incarnation,
                    report,
                };
                drop(actor.cast(message));
            }
            Self::Root(sender) => drop(sender.send(report)),
        }
    }
}

impl fmt::Debug for ChildEvents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("ChildEvents");
        if let Some(Line::Supervisor {
            child, incarnation, ..
        }) = &self.line
        {
            shown
                .field("child", child)
                .field("incarnation", incarnation);
        }
        shown.finish_non_exhaustive()
    }
}
