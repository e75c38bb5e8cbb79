//! What comes to the machine: what was typed, what the node answers, what happens meanwhile.

use synapse_api::{
    ActionOutcome, AgentDetail, ClientError, DeadLetter, DeadLetterList, Dossier, Fault, LogLine,
    NodeEvent, RunEvent, RunResult, SessionView, StackList, Status,
};

use super::Task;

/// What happens to the console.
#[derive(Debug)]
pub(crate) enum Event {
    /// A line was read. The reader waits until it is asked again.
    Line(String),
    /// Ctrl-C was typed at the prompt. The reader waits until it is asked again.
    Interrupted {
        /// Whether the line was empty.
        empty: bool,
    },
    /// Ctrl-Z was typed at the prompt. The reader waits until it is asked again.
    SuspendTyped,
    /// Ctrl-D was typed, or the script is at its end.
    InputEnded,
    /// The reader cannot go on.
    InputBroken(String),
    /// SIGINT: Ctrl-C while no line is edited.
    Interrupt,
    /// A signal that ends the process.
    Signal(i32),
    /// A run's event.
    Run(Task, RunEvent),
    /// A run's stream broke.
    RunFailed(Task, Failure),
    /// A question was answered.
    Answered(Task, Box<Answer>),
    /// A question or a followed list failed.
    Failed(Task, Failure),
    /// A line of what is followed.
    Followed(Task, Box<Item>),
    /// What was followed has ended.
    FollowEnded(Task),
    /// Something happened in the node.
    Notice(NodeEvent),
    /// An agent came back, and its conversation was looked at.
    Kept(NodeEvent, Option<u64>),
    /// The node's events come no more.
    FeedLost(Failure),
}

/// What the node says to a [`super::Question`].
#[derive(Debug)]
pub(crate) enum Answer {
    Tree(Status),
    Status(Status),
    Agent(AgentDetail),
    Inspect { detail: AgentDetail, frames: bool },
    Exit { dossier: Dossier, frames: bool },
    Stack(StackList),
    History(SessionView),
    Logs(Vec<LogLine>),
    Events(Vec<NodeEvent>),
    Letters(DeadLetterList),
    Letter(Box<DeadLetter>),
    Tried(RunResult),
    Dropped(u64),
    Acted(Vec<ActionOutcome>),
}

/// One line of a [`super::Watch`].
#[derive(Debug)]
pub(crate) enum Item {
    Log(LogLine),
    Event(NodeEvent),
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Failure {
    /// The node says why.
    Fault(Box<Fault>),
    /// There is no node any more.
    Gone,
    /// Anything else, in words, with its exit code.
    Other(String, u8),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = error.exit_code().code();
        match error {
            ClientError::Fault(fault) => Self::Fault(fault),
            ClientError::Connect(_) | ClientError::Lost { .. } | ClientError::Stopping => {
                Self::Gone
            }
            other => Self::Other(format!("cannot {other}"), exit),
        }
    }
}
