//! What is shown, as data: the screen makes text of it. It does not know colours or widths.

use serde_json::Value;
use synapse_api::{
    ActionOutcome, AgentDetail, DeadLetter, DeadLetterList, Dossier, Fault, LogLine, NodeEvent,
    RunResult, SessionView, StackList, Status, ToolEvent,
};

use crate::verb::Verb;

/// Something to show. What was asked for goes to standard output; what is said about it (remarks,
/// costs, tools, notices, faults) goes to standard error where the two are not one terminal.
#[derive(Debug, PartialEq)]
pub(crate) enum View {
    /// The greeting of an attached console.
    Attached(Box<Status>),
    /// `/help`
    Help(Option<Verb>),
    /// `/tree`
    Tree(Box<Status>),
    /// `/status`
    Status(Box<Status>),
    /// `/inspect`
    Inspect {
        /// The agent.
        detail: Box<AgentDetail>,
        /// Whether with its last frames.
        frames: bool,
    },
    /// `/inspect --exit`
    Exit {
        /// The exit.
        dossier: Box<Dossier>,
        /// Whether with all its frames.
        frames: bool,
    },
    /// `/stack`
    Stack(StackList),
    /// `/history`
    History(SessionView),
    /// A line of `/logs`
    Log(LogLine),
    /// A line of `/events`
    Event(NodeEvent),
    /// `/deadletters`
    Letters(DeadLetterList),
    /// `/deadletters show`
    Letter(Box<DeadLetter>),
    /// What an operator's action did.
    Acted(Vec<ActionOutcome>),
    /// A piece of an answer.
    Text(String),
    /// A whole output.
    Output(Value),
    /// What a turn cost; it ends an answer.
    Cost(RunResult),
    /// What the agent does meanwhile.
    Tool(ToolEvent),
    /// An event of the node, as a quiet line.
    Notice {
        /// The event.
        event: NodeEvent,
        /// How many messages of this console's conversation are still there.
        kept: Option<u64>,
    },
    /// `^C`, where it was typed.
    Interrupted,
    /// A sentence about what was done.
    Remark(String),
    /// A sentence about what was wrong.
    Trouble(String),
    /// A fault.
    Fault {
        /// The fault.
        fault: Box<Fault>,
        /// Who was called.
        agent: Option<String>,
    },
}
