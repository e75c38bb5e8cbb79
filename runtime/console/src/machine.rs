//! Every decision of the console: `state × event × time → actions`, pure. It does not read, write,
//! wait or ask; the shell does what the actions say and comes back with events.

mod action;
mod event;
mod line;
mod turn;
mod view;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;
use synapse_api::{NodeEvent, Status};

use crate::conversations::Conversations;
use crate::end::{ConsoleEnd, Place};
pub(crate) use action::{Action, Names, Question, Watch};
pub(crate) use event::{Answer, Event, Failure, Item};
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
    /// The dependencies that go with every call of an agent.
    deps: BTreeMap<String, Value>,
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
            deps: BTreeMap::new(),
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
