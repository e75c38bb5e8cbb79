//! One call from its line to its end: what is streamed, what is still to be shown, and how
//! Ctrl-C ends it.

use serde_json::Value;
use synapse_api::{ExitCode, Fault, RunEvent, RunResult, ToolEvent};

use super::{Action, Failure, Machine, Millis, Phase, Task, View};

/// Bytes of streamed text that are kept to tell whether the output repeats them, and that are held
/// back to be shown as what they are the beginning of. A longer answer was shown as it came, and
/// its output is not shown again.
const STREAMED_BYTES_KEPT_MAX: usize = 1024 * 1024;

/// A call under way.
#[derive(Debug)]
pub(super) struct Turn {
    task: Task,
    agent: String,
    began: Millis,
    stage: Stage,
    streamed: String,
    streamed_more: bool,
    showing: Showing,
    thinking: bool,
    /// Something came that was not shown.
    muted: bool,
}

/// Whether streamed text is shown as it comes. The JSON of a structured output is not: it is shown
/// whole, and readably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Showing {
    /// As it comes.
    AtOnce,
    /// When it is whole.
    Whole,
    /// Its first character will tell: nothing is known of the agent yet.
    Open,
}

impl Showing {
    /// For an agent of which this is known.
    pub(super) const fn of(structured: Option<bool>) -> Self {
        match structured {
            Some(true) => Self::Whole,
            Some(false) => Self::AtOnce,
            None => Self::Open,
        }
    }

    fn decided_by(self, text: &str) -> Self {
        match (self, text.trim_start().chars().next()) {
            (Self::Open, Some('{' | '[')) => Self::Whole,
            (Self::Open, Some(_)) => Self::AtOnce,
            (decided, _) => decided,
        }
    }
}

/// How far it is.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// It waits in the mailbox, or for its first event.
    Waiting,
    /// The run has a name, by which it can be cancelled.
    Running(String),
    /// Ctrl-C was typed, the node was told, its last event is awaited.
    Cancelling,
}

impl Turn {
    pub(super) const fn new(task: Task, agent: String, began: Millis, showing: Showing) -> Self {
        Self {
            task,
            agent,
            began,
            stage: Stage::Waiting,
            streamed: String::new(),
            streamed_more: false,
            showing,
            thinking: false,
            muted: false,
        }
    }

    fn has_streamed(&self) -> bool {
        self.streamed_more || !self.streamed.is_empty()
    }

    /// Takes a piece of text; what of it, and of what was held back, is shown now.
    fn take(&mut self, text: &str) -> Option<String> {
        self.thinking = false;
        self.showing = self.showing.decided_by(text);
        let at_once = self.showing == Showing::AtOnce;
        if self.streamed_more || self.streamed.len() + text.len() <= STREAMED_BYTES_KEPT_MAX {
            if !self.streamed_more {
                self.streamed.push_str(text);
            }
            return at_once.then(|| text.to_owned());
        }
        let held = self.held();
        self.streamed_more = true;
        self.showing = Showing::AtOnce;
        Some(held.unwrap_or_default() + text)
    }

    /// What came is void, where something has; whether some of it was shown.
    fn begin_again(&mut self) -> bool {
        let shown = self.has_streamed() && self.showing == Showing::AtOnce;
        self.streamed.clear();
        self.streamed_more = false;
        self.thinking = false;
        shown
    }

    /// The text that was held back, where there is any.
    fn held(&self) -> Option<String> {
        let held = self.showing != Showing::AtOnce && !self.streamed.is_empty();
        held.then(|| self.streamed.clone())
    }

    /// Whether the stream has shown this output already.
    fn has_shown(&self, output: &Value) -> bool {
        match output {
            _ if self.muted => false,
            _ if self.streamed_more => true,
            _ if self.showing != Showing::AtOnce => false,
            Value::String(text) => !text.is_empty() && self.streamed.ends_with(text),
            other => serde_json::from_str::<Value>(&self.streamed).is_ok_and(|it| it == *other),
        }
    }
}

impl Machine {
    /// An event of the run; those of a run that was given up are stale.
    pub(super) fn run_event(&mut self, task: Task, event: RunEvent, actions: &mut Vec<Action>) {
        let Phase::Calling(turn) = &mut self.phase else {
            return;
        };
        if turn.task != task {
            return;
        }
        match event {
            RunEvent::Run { run, .. } => {
                // It comes again where another incarnation begins with it.
                if turn.begin_again() {
                    let text = "\u{21ba} its process died; the answer begins again".to_owned();
                    actions.push(Action::Show(View::Remark(text)));
                }
                if turn.stage != Stage::Cancelling {
                    turn.stage = Stage::Running(run);
                }
            }
            // Behind the `^C` nothing of the answer is shown any more.
            RunEvent::Chunk { .. } | RunEvent::Tool(_) if turn.stage == Stage::Cancelling => {
                turn.muted = true;
            }
            RunEvent::Chunk { text, .. } => {
                let shown = turn.take(&text);
                actions.extend(shown.map(|text| Action::Show(View::Text(text))));
            }
            RunEvent::Tool(tool) => show_tool(turn, tool, actions),
            RunEvent::Result(result) => self.finished(result, actions),
            RunEvent::Error(fault) => self.faulted(fault, actions),
            // Events are only ever added; a reader that does not know one ignores it.
            RunEvent::Unknown { .. } => {}
        }
    }

    fn finished(&mut self, result: RunResult, actions: &mut Vec<Action>) {
        if let Phase::Calling(turn) = &self.phase
            && !turn.has_shown(&result.output)
        {
            actions.push(Action::Show(View::Output(result.output.clone())));
        }
        actions.push(Action::Show(View::Cost(result)));
        self.next(actions);
    }

    fn faulted(&mut self, fault: Fault, actions: &mut Vec<Action>) {
        let Phase::Calling(turn) = &self.phase else {
            return;
        };
        if fault.code == "cancelled" && turn.stage == Stage::Cancelling {
            let text = self.cancelled_text();
            return self.cancelled(text, actions);
        }
        self.broken(Failure::Fault(Box::new(fault)), actions);
    }

    /// The stream broke before its last event.
    pub(super) fn run_failed(&mut self, task: Task, failure: Failure, actions: &mut Vec<Action>) {
        let Phase::Calling(turn) = &self.phase else {
            return;
        };
        if turn.task == task {
            self.broken(failure, actions);
        }
    }

    /// The run failed: what was held back of its answer is all that there will be.
    fn broken(&mut self, failure: Failure, actions: &mut Vec<Action>) {
        let Phase::Calling(turn) = &self.phase else {
            return;
        };
        actions.extend(turn.held().map(|text| Action::Show(View::Text(text))));
        let agent = Some(turn.agent.clone());
        self.show_failure(failure, agent, actions);
        self.next(actions);
    }

    /// Ctrl-C in a call. A run without a name yet ends because its caller leaves; one with a name
    /// is cancelled, so that what it has said so far stays in the conversation; a second Ctrl-C
    /// does not wait for that.
    pub(super) fn interrupt_call(&mut self, actions: &mut Vec<Action>) {
        let Phase::Calling(turn) = &mut self.phase else {
            return;
        };
        let task = turn.task;
        match std::mem::replace(&mut turn.stage, Stage::Cancelling) {
            Stage::Running(run) => {
                actions.push(Action::Show(View::Interrupted));
                actions.push(Action::Cancel { run });
            }
            Stage::Waiting => {
                actions.push(Action::Show(View::Interrupted));
                actions.push(Action::Drop { task });
                let text = self.cancelled_text();
                self.cancelled(text, actions);
            }
            Stage::Cancelling => {
                let agent = turn.agent.clone();
                actions.push(Action::Drop { task });
                let text = format!("not waiting for {agent} any longer; it may still be stopping");
                self.cancelled(text, actions);
            }
        }
    }

    fn cancelled_text(&self) -> String {
        let Phase::Calling(turn) = &self.phase else {
            return String::new();
        };
        let took = crate::render::duration_ms(self.now.saturating_sub(turn.began));
        match turn.has_streamed() {
            true => {
                format!("cancelled after {took}; the partial answer stays in the conversation")
            }
            false => format!("cancelled after {took}"),
        }
    }

    fn cancelled(&mut self, text: String, actions: &mut Vec<Action>) {
        self.fail(ExitCode::Cancelled.code());
        actions.push(Action::Show(View::Remark(text)));
        self.over_by_interrupt(actions);
    }
}

/// Thoughts come in many pieces; one line says that they come.
fn show_tool(turn: &mut Turn, tool: ToolEvent, actions: &mut Vec<Action>) {
    let thinking = tool.kind == "thinking";
    if !(thinking && turn.thinking) {
        actions.push(Action::Show(View::Tool(tool)));
    }
    turn.thinking = thinking;
}
