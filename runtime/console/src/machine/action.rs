//! What goes out of the machine: what the shell does, in order.

use serde_json::Value;
use synapse_api::{ActionKind, DeadLetterList, NodeEvent, StackTarget, Status, WhichExit};

use super::{Task, View};
use crate::end::ConsoleEnd;
use crate::grammar::Letters;

/// What the shell does, in order.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// Read the next line; the prompt names the agent.
    Read { agent: Option<String> },
    /// Show this.
    Show(View),
    /// Complete these names from now on.
    Learn(Names),
    /// Begin a run.
    Call {
        task: Task,
        agent: String,
        text: String,
        session: String,
        deps: Option<Value>,
    },
    /// Ask the node to cancel a run.
    Cancel { run: String },
    /// Ask the node something.
    Ask { task: Task, question: Question },
    /// Watch something.
    Watch { task: Task, watch: Watch },
    /// Drop a task; a run's caller is gone with it.
    Drop { task: Task },
    /// Forget a conversation.
    Forget { session: String },
    /// Look how much of a conversation there is, and come back with [`super::Event::Kept`].
    LookAfter { event: NodeEvent, session: String },
    /// Follow the node's events again.
    FollowEvents,
    /// Stop the process until it is continued.
    Suspend,
    /// The end.
    End(ConsoleEnd),
}

/// The names that are completed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// Agents, in the order of the tree.
    pub(crate) agents: Vec<String>,
    /// Supervisors, the root first.
    pub(crate) supervisors: Vec<String>,
    /// Dead letters, as they were last listed.
    pub(crate) letters: Vec<String>,
}

impl Names {
    pub(crate) fn of(status: &Status) -> Self {
        Self {
            agents: status
                .agents
                .iter()
                .map(|agent| agent.name.clone())
                .collect(),
            supervisors: status
                .supervisors
                .iter()
                .map(|it| it.name.clone())
                .collect(),
            letters: Vec::new(),
        }
    }

    /// The same with the letters of this list.
    pub(crate) fn with_letters(&self, list: &DeadLetterList) -> Self {
        Self {
            letters: list.letters.iter().map(|head| head.id.clone()).collect(),
            ..self.clone()
        }
    }
}

/// What the console wants to know from the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Tree,
    Status,
    /// Whether there is such an agent.
    Agent(String),
    Inspect {
        agent: String,
        frames: bool,
    },
    Exit {
        agent: String,
        which: WhichExit,
        frames: bool,
    },
    Stack(StackTarget),
    History(String),
    Logs {
        agent: String,
        previous: bool,
    },
    Events,
    Letters(Letters),
    Act(ActionKind, Vec<String>),
}

/// What is watched until Ctrl-C.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    Logs { agent: String, previous: bool },
    Events,
}
