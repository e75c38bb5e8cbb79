//! Every decision of the console: `state × event × time → actions`, pure. It does not read, write,
//! wait or ask; the shell does what the actions say and comes back with events.

mod line;
mod turn;
mod view;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use synapse_api::{ActionKind, ActionOutcome, AgentDetail, ClientError, Fault, LogLine, NodeEvent};
use synapse_api::{RunEvent, SessionView, Status};

use crate::conversations::Conversations;
use crate::end::{ConsoleEnd, Place};
use turn::Turn;
pub(crate) use view::View;

/// Lines that wait while something runs. Input is read only when there is room for it, so that
/// more than one waits only when a reader breaks its word.
const LINES_WAITING_MAX: usize = 16;

/// Milliseconds since the console began.
pub(crate) type Millis = u64;

/// The number of a task that the shell runs for the machine; answers of older ones are stale.
pub(crate) type Task = u64;

/// How input comes and what a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// A person types; failures are shown and forgotten.
    Typed,
    /// A script; the first failure becomes the exit code.
    Script,
}

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

/// What the console wants to know from the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Tree,
    Status,
    /// Whether there is such an agent.
    Agent(String),
    Inspect(String),
    History(String),
    Logs {
        agent: String,
        previous: bool,
    },
    Events,
    Act(ActionKind, Vec<String>),
}

/// What the node says to a [`Question`].
#[derive(Debug)]
pub(crate) enum Answer {
    Tree(Status),
    Status(Status),
    Agent(AgentDetail),
    Inspect(AgentDetail),
    History(SessionView),
    Logs(Vec<LogLine>),
    Events(Vec<NodeEvent>),
    Acted(Vec<ActionOutcome>),
}

/// What is watched until Ctrl-C.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    Logs { agent: String, previous: bool },
    Events,
}

/// One line of a [`Watch`].
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
    /// Look how much of a conversation there is, and come back with [`Event::Kept`].
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
        }
    }
}

/// What the console is doing.
#[derive(Debug)]
enum Phase {
    /// A line is being read.
    Reading,
    /// A run is under way.
    Calling(Turn),
    /// An answer is awaited.
    Asking(Task),
    /// Something is watched.
    Watching(Task),
    /// It is over.
    Ended,
}

/// The console's state.
#[derive(Debug)]
pub(crate) struct Machine {
    manner: Manner,
    place: Place,
    phase: Phase,
    current: Option<String>,
    names: Names,
    /// Whether an agent's answers are structured, where that is known.
    structured: BTreeMap<String, bool>,
    conversations: Conversations,
    /// The last fault with a traceback, by agent.
    tracebacks: BTreeMap<String, Box<Fault>>,
    waiting: VecDeque<String>,
    last_task: Task,
    /// The time of the step that is being made.
    now: Millis,
    /// The code of the first command of a script that failed.
    exit: u8,
}

impl Machine {
    /// A console in front of a node with this status, and its first actions.
    pub(crate) fn start(
        manner: Manner,
        place: Place,
        console: String,
        status: &Status,
    ) -> (Self, Vec<Action>) {
        let names = Names::of(status);
        let mut machine = Self {
            manner,
            place,
            phase: Phase::Reading,
            current: names.agents.first().cloned(),
            names: names.clone(),
            structured: BTreeMap::new(),
            conversations: Conversations::new(console),
            tracebacks: BTreeMap::new(),
            waiting: VecDeque::new(),
            last_task: 0,
            now: 0,
            exit: 0,
        };
        status
            .agents
            .iter()
            .for_each(|agent| machine.learn_program(agent));
        let mut actions = vec![Action::Learn(names)];
        if manner == Manner::Typed && place == Place::Attached {
            actions.push(Action::Show(View::Attached(Box::new(status.clone()))));
        }
        machine.read(&mut actions);
        (machine, actions)
    }

    /// One step.
    pub(crate) fn step(&mut self, now: Millis, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.now = now;
        if !matches!(self.phase, Phase::Ended) {
            self.take(event, &mut actions);
        }
        actions
    }

    fn take(&mut self, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Line(line) => self.line(line, actions),
            Event::Interrupted { empty } => self.interrupted(empty, actions),
            Event::SuspendTyped => {
                actions.push(Action::Suspend);
                self.read(actions);
            }
            Event::InputEnded => self.leave(actions),
            Event::InputBroken(why) => self.input_broken(why, actions),
            Event::Interrupt => self.interrupt(actions),
            Event::Signal(signal) => self.end(ConsoleEnd::Signalled(signal), actions),
            Event::Run(task, event) => self.run_event(task, event, actions),
            Event::RunFailed(task, failure) => self.run_failed(task, failure, actions),
            Event::Answered(task, answer) => self.answered(task, *answer, actions),
            Event::Failed(task, failure) => self.failed(task, failure, actions),
            Event::Followed(task, item) => self.followed(task, *item, actions),
            Event::FollowEnded(task) => self.follow_ended(task, actions),
            Event::Notice(event) => self.notice(event, actions),
            Event::Kept(event, kept) => actions.push(Action::Show(View::Notice { event, kept })),
            Event::FeedLost(Failure::Gone) => self.node_gone(actions),
            Event::FeedLost(_) => actions.push(Action::FollowEvents),
        }
    }

    fn end(&mut self, end: ConsoleEnd, actions: &mut Vec<Action>) {
        self.phase = Phase::Ended;
        actions.push(Action::End(end));
    }

    /// As asked. A node takes the time that its agents need to stop.
    fn leave(&mut self, actions: &mut Vec<Action>) {
        if self.manner == Manner::Typed && self.place == Place::Own {
            actions.push(Action::Show(View::Remark("Stopping.".to_owned())));
        }
        self.end(ConsoleEnd::Left { exit: self.exit }, actions);
    }

    fn node_gone(&mut self, actions: &mut Vec<Action>) {
        actions.push(Action::Show(View::Trouble(
            "the node has gone away".to_owned(),
        )));
        self.end(ConsoleEnd::NodeGone, actions);
    }

    /// Without a reader nobody can say anything any more: as if they had left.
    fn input_broken(&mut self, why: String, actions: &mut Vec<Action>) {
        actions.push(Action::Show(View::Trouble(why)));
        let exit = if self.exit == 0 { 1 } else { self.exit };
        self.end(ConsoleEnd::Left { exit }, actions);
    }

    /// What ran is over: the next line, unless it ended the console.
    fn next(&mut self, actions: &mut Vec<Action>) {
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        match self.waiting.pop_front() {
            Some(line) => {
                self.phase = Phase::Reading;
                self.line(line, actions);
            }
            None => self.read(actions),
        }
    }

    fn read(&mut self, actions: &mut Vec<Action>) {
        self.phase = Phase::Reading;
        actions.push(Action::Read {
            agent: self.current.clone(),
        });
    }

    /// Remembers the first failure of a script.
    fn fail(&mut self, exit: u8) {
        if self.manner == Manner::Script && self.exit == 0 {
            self.exit = exit;
        }
    }

    fn new_task(&mut self) -> Task {
        self.last_task += 1;
        self.last_task
    }

    /// Ctrl-C at the prompt: the line is gone; an empty one deserves a hint.
    fn interrupted(&mut self, empty: bool, actions: &mut Vec<Action>) {
        if empty {
            actions.push(Action::Show(View::Remark(self.interrupt_hint())));
        }
        self.read(actions);
    }

    fn interrupt_hint(&self) -> String {
        let leaving = match self.place {
            Place::Own => "stops the node",
            Place::Attached => "leaves",
        };
        format!(
            "Nothing is running. Ctrl-C cancels a call, Ctrl-D {leaving}, /help lists commands."
        )
    }

    fn interrupt(&mut self, actions: &mut Vec<Action>) {
        match &self.phase {
            // The reader goes on reading; a script has nothing else to interrupt than itself.
            Phase::Reading if self.manner == Manner::Typed => {
                actions.push(Action::Show(View::Remark(self.interrupt_hint())));
            }
            Phase::Reading => self.end(ConsoleEnd::Signalled(SIGINT), actions),
            Phase::Calling(_) => self.interrupt_call(actions),
            Phase::Asking(task) | Phase::Watching(task) => {
                actions.push(Action::Drop { task: *task });
                actions.push(Action::Show(View::Interrupted));
                self.over_by_interrupt(actions);
            }
            Phase::Ended => {}
        }
    }

    /// After an interrupt a person goes on; a script does not.
    fn over_by_interrupt(&mut self, actions: &mut Vec<Action>) {
        self.waiting.clear();
        match self.manner {
            Manner::Typed => self.next(actions),
            Manner::Script => self.end(ConsoleEnd::Signalled(SIGINT), actions),
        }
    }

    fn notice(&mut self, event: NodeEvent, actions: &mut Vec<Action>) {
        let back = event.kind == "agent_ready";
        let conversation = event.agent.as_deref().filter(|_| back);
        match conversation.and_then(|agent| self.conversations.touched(agent)) {
            Some(session) => actions.push(Action::LookAfter { event, session }),
            None => actions.push(Action::Show(View::Notice { event, kept: None })),
        }
    }
}

/// POSIX fixes this number.
const SIGINT: i32 = 2;
