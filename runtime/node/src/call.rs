//! One call from its arrival to its end, shared by the caller, the mailbox and the link.
//!
//! The stage decides who may end it, and only the first end counts. It knows no pipe and no actor.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use synapse_core::crash::{self, Blame, Ending, Fate, Outcome, Seen};
use synapse_core::fault::Fault;
use synapse_core::spec::{CrashSpec, UsageLimits};
use tokio::time::Instant;

use crate::clock::timestamp;
use crate::deadletters::{DeadLetter, KeptCall};
use crate::handle::{RunEvent, RunId, RunOutcome};
use crate::link::LinkPort;
use crate::session::{Lease, Segment};
use crate::view::Turn;

/// Chunks that a caller reads before the agent is told that it may send as many again. Half the
/// first credit, so that an agent at full speed never waits for a grant.
pub(crate) const CREDIT_BATCH: u32 = 32;

/// Bytes of a partial answer that a conversation keeps, give or take a chunk: it is for people, and
/// a stream may go on for ever.
const PARTIAL_BYTES_MAX: usize = 1024 * 1024;
/// The same of a stream outside of conversations: its reader has what came, and hundreds of streams
/// may be under way.
const PARTIAL_TOLD_BYTES_MAX: usize = 64 * 1024;

/// What the caller gave, in the form that the link sends.
#[derive(Debug, Default)]
pub(crate) struct CallInput {
    pub(crate) input: Value,
    pub(crate) stream: bool,
    /// Whether the caller forgets what it has read of a stream that begins again.
    pub(crate) restarts: bool,
    pub(crate) deps: Option<Value>,
    pub(crate) history: Vec<Bytes>,
    pub(crate) model: Option<String>,
    pub(crate) settings: Option<Map<String, Value>>,
    pub(crate) instructions: Option<String>,
    pub(crate) usage_limits: Option<UsageLimits>,
}

/// A call under way.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: RunId,
    pub(crate) agent: Arc<str>,
    pub(crate) input: CallInput,
    pub(crate) arrived: Instant,
    pub(crate) deadline: Instant,
    /// Whether a conversation keeps what comes of it.
    pub(crate) in_session: bool,
    /// The dead letter that it tries again.
    pub(crate) tries: Option<Arc<DeadLetter>>,
    /// By which calls that say the same are known; made when somebody asks.
    pub(crate) fingerprint: OnceLock<u64>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    started: Option<u64>,
    chunks: VecDeque<RunEvent>,
    outcome: Option<Result<RunOutcome, Fault>>,
    waker: Option<Waker>,
    /// The caller waits for the end alone, and is not woken for less.
    waits_for_end: bool,
    read_since_grant: u32,
    /// Whether a chunk was read, so that it cannot be taken back.
    read: bool,
    /// Chunks that came.
    chunks_come: u64,
    /// The text so far; kept for a conversation, and for a stream that may be cut off.
    text: String,
    /// Whether more came than is kept.
    text_is_cut: bool,
    /// Processes that died while they executed it.
    crashes: u32,
    /// Whether one executes it now.
    executing: bool,
    /// The worst that may have come of the executions so far.
    outcome_so_far: Outcome,
    lease: Option<Lease>,
}

#[derive(Debug)]
enum Stage {
    Queued,
    Running { link: Arc<LinkPort> },
    Finished,
}

/// The death of the process that a call was with, as far as it concerns the call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    pub(crate) ending: Ending,
    pub(crate) outcome: Outcome,
    pub(crate) blame: Blame,
    /// Processes that died while they executed a call that said the same.
    pub(crate) deaths: u32,
}

/// Where a call was when somebody ended it from outside.
#[derive(Debug)]
pub(crate) enum Abandoned {
    /// In the mailbox, which must forget it.
    Queued,
    /// In an incarnation, which must be told.
    Running(Arc<LinkPort>),
    /// Nowhere: it had ended before.
    Finished,
}

impl Call {
    pub(crate) fn new(
        id: RunId,
        agent: Arc<str>,
        input: CallInput,
        arrived: Instant,
        deadline: Instant,
        lease: Option<Lease>,
    ) -> Self {
        let in_session = lease.is_some();
        let state = State {
            stage: Stage::Queued,
            started: None,
            chunks: VecDeque::new(),
            outcome: None,
            waker: None,
            waits_for_end: false,
            read_since_grant: 0,
            read: false,
            chunks_come: 0,
            text: String::new(),
            text_is_cut: false,
            crashes: 0,
            executing: false,
            outcome_so_far: Outcome::NotStarted,
            lease,
        };
        Self {
            id,
            agent,
            input,
            arrived,
            deadline,
            in_session,
            tries: None,
            fingerprint: OnceLock::new(),
            state: Mutex::new(state),
        }
    }

    /// The same, as another try of a dead letter.
    pub(crate) fn trying(self, letter: Arc<DeadLetter>) -> Self {
        Self {
            tries: Some(letter),
            ..self
        }
    }

    /// An incarnation takes it; false where it had ended in the queue.
    pub(crate) fn claim(&self, link: &Arc<LinkPort>) -> bool {
        let mut state = self.state.lock();
        if !matches!(state.stage, Stage::Queued) {
            return false;
        }
        state.stage = Stage::Running {
            link: Arc::clone(link),
        };
        true
    }

    /// The incarnation begins with it; a prefetched call waits for that in its process.
    pub(crate) fn begin(&self, incarnation: u64) {
        let mut state = self.state.lock();
        if matches!(state.stage, Stage::Running { .. }) {
            state.started = Some(incarnation);
            state.executing = true;
            if !state.waits_for_end {
                state.wake();
            }
        }
    }

    /// Its process died: what becomes of it. Decided while nobody reads, cancels or answers it, so
    /// that what is to be executed again is at once as if it had never been.
    pub(crate) fn lost(&self, loss: Loss, spec: &CrashSpec) -> Fate {
        let mut state = self.state.lock();
        state.executing = false;
        if loss.outcome > Outcome::NotStarted {
            state.crashes += 1;
            state.outcome_so_far = state.outcome_so_far.max(loss.outcome);
        }
        let seen = Seen {
            ending: loss.ending,
            outcome: loss.outcome,
            wanted: !matches!(state.stage, Stage::Finished),
            read: state.read && !self.input.restarts,
            crashes: state.crashes,
            deaths: loss.deaths,
            blame: loss.blame,
        };
        let fate = crash::fate(&seen, spec);
        if matches!(fate, Fate::Waits | Fate::Again) {
            state.forget_stream();
        }
        fate
    }

    /// Back to the queue; what came of it is forgotten. False where it had ended.
    pub(crate) fn unclaim(&self) -> bool {
        let mut state = self.state.lock();
        let running = matches!(state.stage, Stage::Running { .. });
        if running {
            state.stage = Stage::Queued;
        }
        running
    }

    /// A chunk of the stream. Bounded by the credit that the agent has.
    pub(crate) fn chunk(&self, event: RunEvent) {
        let mut state = self.state.lock();
        if !matches!(state.stage, Stage::Running { .. }) {
            return;
        }
        if let RunEvent::Text { text, .. } = &event {
            state.keep(text, self.in_session);
        }
        state.chunks_come += 1;
        state.chunks.push_back(event);
        state.wake();
    }

    /// The end, as the caller sees it; false where there was one before.
    pub(crate) fn finish(&self, outcome: Result<RunOutcome, Fault>) -> bool {
        let mut state = self.state.lock();
        if matches!(state.stage, Stage::Finished) {
            return false;
        }
        state.stage = Stage::Finished;
        state.outcome = Some(outcome.map_err(|fault| state.with_attempts(fault)));
        state.wake();
        true
    }

    /// How often it has been executed, this time included.
    pub(crate) fn attempts(&self) -> u32 {
        self.state.lock().attempts()
    }

    /// What a stream had brought when its process died; nothing where it had brought nothing.
    pub(crate) fn partial(&self) -> Option<Value> {
        let state = self.state.lock();
        let come = self.input.stream && state.chunks_come > 0;
        come.then(|| {
            let State {
                text, text_is_cut, ..
            } = &*state;
            json!({ "text": text, "chunks": state.chunks_come, "truncated": text_is_cut })
        })
    }

    /// The conversation that it is part of.
    pub(crate) fn session(&self) -> Option<String> {
        let state = self.state.lock();
        state.lease.as_ref().map(|lease| lease.id().to_owned())
    }

    /// What it says, to be kept.
    pub(crate) fn kept(&self) -> KeptCall {
        KeptCall::of(&self.input)
    }

    /// Ends it from outside and says where it was.
    pub(crate) fn abandon(&self, fault: impl FnOnce() -> Fault) -> Abandoned {
        let mut state = self.state.lock();
        let stage = std::mem::replace(&mut state.stage, Stage::Finished);
        let whence = match stage {
            Stage::Queued => Abandoned::Queued,
            Stage::Running { link } => Abandoned::Running(link),
            Stage::Finished => return Abandoned::Finished,
        };
        state.outcome = Some(Err(state.with_attempts(fault())));
        state.wake();
        whence
    }

    /// The conversation's lease and the text so far, once: whoever has them closes the turn.
    pub(crate) fn take_lease(&self) -> Option<(Lease, String)> {
        let mut state = self.state.lock();
        let lease = state.lease.take()?;
        Some((lease, std::mem::take(&mut state.text)))
    }

    /// Closes the turn of its conversation, if it has one: what the agent gave is kept.
    pub(crate) fn settle(&self, segment: Option<Segment>, output: Option<&Value>) {
        let Some((lease, text)) = self.take_lease() else {
            return;
        };
        let turn = Turn {
            prompt: self.input.input.clone(),
            answer: output.cloned().unwrap_or(Value::String(text)),
            at: timestamp(),
            partial: output.is_none(),
        };
        lease.commit(segment, turn);
    }

    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.state.lock().stage, Stage::Finished)
    }

    /// The next event for the caller.
    pub(crate) fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<RunEvent>> {
        let mut state = self.state.lock();
        if let Some(event) = self.next_of(&mut state) {
            return Poll::Ready(Some(event));
        }
        if matches!(state.stage, Stage::Finished) {
            return Poll::Ready(None);
        }
        state.wait(context);
        Poll::Pending
    }

    /// The end of a call that is no stream. Its beginning then wakes nobody, which is a fifth of
    /// what such a call costs its caller.
    pub(crate) fn poll_outcome(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<RunOutcome, Fault>>> {
        let mut state = self.state.lock();
        if matches!(state.stage, Stage::Finished) {
            return Poll::Ready(state.outcome.take());
        }
        state.waits_for_end = true;
        state.wait(context);
        Poll::Pending
    }

    fn next_of(&self, state: &mut State) -> Option<RunEvent> {
        if let Some(incarnation) = state.started.take() {
            return Some(RunEvent::Started { incarnation });
        }
        if let Some(event) = state.chunks.pop_front() {
            state.read = true;
            self.grant(state);
            return Some(event);
        }
        state.outcome.take().map(RunEvent::Finished)
    }

    /// One chunk was read: tell the agent now and then that more may come.
    fn grant(&self, state: &mut State) {
        state.read_since_grant += 1;
        if state.read_since_grant < CREDIT_BATCH {
            return;
        }
        if let Stage::Running { link } = &state.stage {
            link.credit(self.id, state.read_since_grant);
            state.read_since_grant = 0;
        }
    }
}

impl State {
    const fn attempts(&self) -> u32 {
        self.crashes + self.executing as u32
    }

    /// A fault says how often the call was executed, and what may have come of that, where an
    /// execution was cut off.
    fn with_attempts(&self, fault: Fault) -> Fault {
        if self.crashes == 0 {
            return fault;
        }
        let mut details = match fault.details {
            Value::Object(details) => details,
            _ => Map::new(),
        };
        details.insert("attempts".to_owned(), self.attempts().into());
        let outcome = details.entry("outcome");
        outcome.or_insert_with(|| self.outcome_so_far.as_str().into());
        Fault {
            details: Value::Object(details),
            ..fault
        }
    }

    /// The next execution begins from nothing.
    fn forget_stream(&mut self) {
        self.started = None;
        self.chunks.clear();
        self.chunks_come = 0;
        self.read_since_grant = 0;
        self.read = false;
        self.text.clear();
        self.text_is_cut = false;
    }

    fn keep(&mut self, text: &str, in_session: bool) {
        let max = if in_session {
            PARTIAL_BYTES_MAX
        } else {
            PARTIAL_TOLD_BYTES_MAX
        };
        self.text_is_cut |= self.text.len() >= max;
        if !self.text_is_cut {
            self.text.push_str(text);
        }
    }

    fn wait(&mut self, context: &Context<'_>) {
        match &mut self.waker {
            Some(waker) if waker.will_wake(context.waker()) => {}
            slot => *slot = Some(context.waker().clone()),
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
