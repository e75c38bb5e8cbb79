//! One call from its arrival to its end, shared by the caller, the mailbox and the link.
//!
//! The stage decides who may end it, and only the first end counts. It knows no pipe and no actor.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use synapse_core::fault::Fault;
use synapse_core::spec::UsageLimits;
use tokio::time::Instant;

use crate::clock::timestamp;
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

/// What the caller gave, in the form that the link sends.
#[derive(Debug, Default)]
pub(crate) struct CallInput {
    pub(crate) input: Value,
    pub(crate) stream: bool,
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
    /// The text so far; kept only for a conversation, which keeps a partial answer.
    text: String,
    lease: Option<Lease>,
}

#[derive(Debug)]
enum Stage {
    Queued,
    Running { link: Arc<LinkPort> },
    Finished,
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
            text: String::new(),
            lease,
        };
        Self {
            id,
            agent,
            input,
            arrived,
            deadline,
            in_session,
            state: Mutex::new(state),
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
            if !state.waits_for_end {
                state.wake();
            }
        }
    }

    /// The incarnation died before it began with it: back to the queue. False where it had ended.
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
        if let (Some(_), RunEvent::Text { text, .. }) = (&state.lease, &event)
            && state.text.len() < PARTIAL_BYTES_MAX
        {
            state.text.push_str(text);
        }
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
        state.outcome = Some(outcome);
        state.wake();
        true
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
        state.outcome = Some(Err(fault()));
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
