//! The runs that the process has: taken from the mailbox, written, begun, told to end.
//!
//! How a run ends is `answer`'s.

use std::sync::Arc;

use synapse_core::crash::{Outcome, Standing};
use synapse_wire::{CallFrame, ChunkData};
use tokio::time::{Duration, Instant};

use crate::agent::millis;
use crate::call::Call;
use crate::deadletters::LetterId;
use crate::link::{CancelReason, Link, LinkEvent};
use crate::mailbox::Room;
use crate::view::RunCutOff;

/// A run that the process has.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) call: Arc<Call>,
    /// The order in which calls were taken.
    pub(super) serial: u64,
    /// Whether the process may have begun with it.
    pub(super) started: bool,
    /// Why it was first told to end.
    pub(super) cancelled: Option<CancelReason>,
    /// Until when cancelled code may go on.
    pub(super) grace_until: Option<Instant>,
    /// Where its frame ends in what is written to the process.
    pub(super) written: u64,
    /// Whether a tool of it has begun.
    pub(super) effect: bool,
    /// Whether the process is to die because of it.
    pub(super) culprit: bool,
    /// When it was written, or said to have begun.
    pub(super) since: Instant,
    /// Chunks that came of it.
    pub(super) chunks: u64,
    /// Tools that it was seen to call.
    pub(super) tool_calls: u64,
}

impl Running {
    /// A chunk came.
    pub(super) fn note(&mut self, chunk: &ChunkData) {
        self.chunks += 1;
        if let ChunkData::Event(event) = chunk
            && event.get("type").is_some_and(|kind| kind == "tool_call")
        {
            self.tool_calls += 1;
        }
    }

    /// For the dossier of the process that it ended with.
    pub(super) fn cut_off(&self, now: Instant, outcome: Outcome) -> RunCutOff {
        RunCutOff {
            run: self.call.id.to_string(),
            running: now.saturating_duration_since(self.since),
            stream: self.call.input.stream,
            chunks: self.chunks,
            tool_calls: self.tool_calls,
            cancelled: self.cancelled.is_some(),
            outcome: outcome.as_str(),
            again: false,
            dead_letter: None,
        }
    }
}

impl Link {
    /// Takes calls from the mailbox into free slots, and writes them. A call that is refused frees
    /// its slot again, and nobody would ring for that one.
    pub(super) fn take_calls(&mut self) {
        while self.take_some_calls() {}
    }

    /// Whether one of them was refused.
    fn take_some_calls(&mut self) -> bool {
        if !self.session.is_ready() {
            return false;
        }
        let slots = self.free_slots();
        if !std::mem::take(&mut self.rung) && slots == self.slots_known {
            return false;
        }
        let mut taken = std::mem::take(&mut self.taken);
        let empty = self.runs.is_empty();
        let agent = &self.agent;
        let alone = |call: &Call| agent.suspicion.standing(call) == Standing::Alone;
        let room = Room { slots, empty };
        agent.mailbox.pull(&self.port, room, alone, &mut taken);
        self.slots_known = slots - taken.len();
        let mut refused = false;
        for call in taken.drain(..) {
            refused |= !self.write_call(call);
        }
        self.taken = taken;
        self.note_in_flight();
        refused
    }

    /// Calls that may be written now.
    fn free_slots(&self) -> usize {
        let spec = &self.agent.spec;
        if self.alone && !self.runs.is_empty() {
            return 0;
        }
        (spec.concurrency + spec.prefetch).saturating_sub(self.runs.len())
    }

    /// Whether it could be written.
    fn write_call(&mut self, call: Arc<Call>) -> bool {
        let standing = self.agent.suspicion.standing(&call);
        if let Standing::Condemned(letter) = standing {
            // Condemned while this one waited.
            drop(call.take_lease());
            let fault = self.agent.condemned(LetterId(letter));
            self.agent.finish(&call, Err(fault));
            return false;
        }
        let prefetched = self.runs.len() >= self.agent.spec.concurrency;
        let input = &call.input;
        let limits = input
            .usage_limits
            .as_ref()
            .and_then(crate::agent::launch::usage_limits);
        let now = self.now();
        let left = self.time_left(&call, prefetched, now);
        let frame = CallFrame {
            prefetched,
            deadline_ms: Some(millis(left)),
            deps: input.deps.as_ref(),
            // Without one the agent need not write its messages: nobody keeps them.
            history: (call.in_session || !input.history.is_empty())
                .then_some(input.history.as_slice()),
            model: input.model.as_deref(),
            settings: input.settings.as_ref(),
            instructions: input.instructions.as_deref(),
            limits: limits.as_ref(),
            ..CallFrame::new(call.id.0, &input.input, input.stream)
        };
        if let Err(refused) = self.session.call(&frame, self.outbox.buffer()) {
            self.refuse(&call, &refused);
            return false;
        }
        if !prefetched {
            self.begin(&call);
        }
        self.serial += 1;
        self.alone = standing == Standing::Alone;
        let running = Running {
            serial: self.serial,
            started: !prefetched,
            cancelled: None,
            grace_until: None,
            written: self.outbox.end(),
            effect: false,
            culprit: false,
            since: now,
            chunks: 0,
            tool_calls: 0,
            call,
        };
        self.runs.insert(running.call.id.0, running);
        true
    }

    pub(super) fn note_in_flight(&self) {
        let in_flight = self.runs.len().min(self.agent.spec.concurrency);
        self.port.note_in_flight(in_flight);
    }

    /// A prefetched run begins. Where it was told to end before, its grace begins too.
    pub(super) fn started(&mut self, run: u64) {
        let now = self.now();
        let Some(running) = self.runs.get_mut(&run) else {
            return;
        };
        running.started = true;
        running.since = now;
        let call = Arc::clone(&running.call);
        if running.cancelled.is_some() {
            running.grace_until = Some(now + self.agent.spec.cancel_grace.into());
            self.cancelled += 1;
        }
        self.begin(&call);
    }

    /// From here on the run's own time passes.
    fn begin(&self, call: &Arc<Call>) {
        call.begin(self.incarnation);
        if let Some(within) = self.agent.spec.run_timeout {
            self.agent.deadlines.limit_run(call, within.into());
        }
    }

    /// What the process is told. The time of a prefetched run begins later.
    fn time_left(&self, call: &Call, prefetched: bool, now: Instant) -> Duration {
        let left = call.deadline.saturating_duration_since(now);
        match self.agent.spec.run_timeout {
            Some(within) if !prefetched => left.min(within.into()),
            _ => left,
        }
    }

    pub(super) fn cancel(&mut self, run: u64, reason: CancelReason) {
        let Some(running) = self.runs.get_mut(&run) else {
            return;
        };
        running.cancelled.get_or_insert(reason);
        // One that waits behind other code is no reason to end that.
        if running.started && running.grace_until.is_none() {
            let grace = self.agent.spec.cancel_grace.into();
            running.grace_until = Some(Instant::now() + grace);
            self.cancelled += 1;
        }
        // Refused where the run has just ended: it is over either way.
        self.session.cancel(run, reason, self.outbox.buffer()).ok();
    }

    pub(super) fn next_grace(&self) -> Option<Instant> {
        if self.cancelled == 0 {
            return None;
        }
        self.runs
            .values()
            .filter_map(|running| running.grace_until)
            .min()
    }

    pub(super) fn grace_over(&mut self) {
        let now = Instant::now();
        let over = |running: &&mut Running| running.grace_until.is_some_and(|until| until <= now);
        let Some(running) = self.runs.values_mut().find(over) else {
            return;
        };
        running.culprit = true;
        let what = format!(
            "run {} went on {} ms after it was cancelled",
            running.call.id, self.agent.spec.cancel_grace.0
        );
        for running in self.runs.values_mut() {
            running.grace_until = None;
        }
        self.cancelled = 0;
        self.condemn(LinkEvent::Unresponsive(what));
    }
}
