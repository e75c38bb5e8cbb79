//! The bounded queue in front of an agent. It outlives incarnations; links pull from it.
//!
//! Calls leave in the order in which they came. It knows no process: a link says how many slots it
//! has free, and is rung when there is something for them; a replica without a process is woken
//! when there is more.

mod sleeper;

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use synapse_core::fault::{Fault, FaultCode};
use synapse_core::spec::{AgentSpec, MailboxSpec, WhenFull};
use tokio::time::Instant;

use crate::call::Call;
use crate::link::LinkPort;

pub(crate) use sleeper::Sleeper;

/// Calls that wait for a place in a full mailbox whose spec lets them (`when_full = "wait"`); the
/// ones beyond are refused. Each holds its input. Twice what the control socket serves at once.
pub(crate) const CALLERS_WAITING_MAX: usize = 1_024;

/// The queue and who waits for it.
#[derive(Debug)]
pub(crate) struct Mailbox {
    agent: Arc<str>,
    spec: MailboxSpec,
    sharing: Sharing,
    state: Mutex<State>,
}

/// How calls are shared out among an agent's replicas.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sharing {
    /// Slots of each link.
    pub(crate) slots: usize,
    /// Replicas that are idle give their processes back. So calls go to the one that was used last,
    /// where others take turns, and it is known since when each is idle.
    pub(crate) hibernates: bool,
}

impl From<&AgentSpec> for Sharing {
    fn from(spec: &AgentSpec) -> Self {
        Self {
            slots: spec.concurrency + spec.prefetch,
            hibernates: spec.hibernate_after.is_some(),
        }
    }
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Arc<Call>>,
    /// Links with free slots that found the queue empty; at most one entry per replica.
    idle: Vec<Idle>,
    /// Replicas without a process, to be woken when calls wait that no link has a slot for.
    sleepers: Vec<Sleeper>,
    /// Replicas that were woken and have no link yet.
    waking: Vec<usize>,
    /// Links that have room, but not for the first call, which is to run alone.
    blocked: Vec<Arc<LinkPort>>,
    closed: Option<Fault>,
    /// Closed by an operator, or by the node's end: no incarnation opens it.
    held: bool,
}

/// What a link has room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) slots: usize,
    /// Whether its process has no run at all.
    pub(crate) empty: bool,
}

#[derive(Debug)]
struct Idle {
    port: Arc<LinkPort>,
    slots: usize,
    /// Since when all slots are free; where that matters.
    since: Option<Instant>,
}

impl Mailbox {
    pub(crate) fn new(agent: Arc<str>, spec: MailboxSpec, sharing: Sharing) -> Self {
        let state = State {
            queue: VecDeque::new(),
            idle: Vec::new(),
            sleepers: Vec::new(),
            waking: Vec::new(),
            blocked: Vec::new(),
            closed: None,
            held: false,
        };
        Self {
            agent,
            spec,
            sharing,
            state: Mutex::new(state),
        }
    }

    /// Calls that wait, for a slot or for a place.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().queue.len()
    }

    /// Puts a call at the end. Where the mailbox is full and the spec lets callers wait, the call
    /// waits for its place behind the others, in the same queue, so that none is overtaken.
    ///
    /// # Errors
    /// It is closed, or as many calls wait as may.
    pub(crate) fn push(&self, call: &Arc<Call>) -> Result<(), Fault> {
        let mut state = self.state.lock();
        if let Some(fault) = &state.closed {
            return Err(fault.clone());
        }
        if call.is_finished() {
            // Its caller left, or its deadline passed, before it came here.
            return Ok(());
        }
        // Calls that a free slot is about to take do not wait, so they are not counted.
        if state.queue.len() >= self.places().saturating_add(state.idle_slots()) {
            return Err(self.overloaded());
        }
        state.queue.push_back(Arc::clone(call));
        self.stir(&mut state);
        Ok(())
    }

    /// Has somebody take what waits: one link that has free slots; and for what is more than all of
    /// them have, replicas without a process.
    fn stir(&self, state: &mut State) {
        if state.queue.is_empty() {
            return;
        }
        let idle = match self.sharing.hibernates {
            true => state.idle.last(),
            false => state.idle.first(),
        };
        if let Some(idle) = idle {
            idle.port.ring();
        }
        if state.sleepers.is_empty() {
            return;
        }
        let coming = state.waking.len().saturating_mul(self.sharing.slots);
        let mut slots = state.idle_slots().saturating_add(coming);
        while state.queue.len() > slots
            && let Some(sleeper) = state.sleepers.pop()
        {
            slots = slots.saturating_add(self.sharing.slots);
            state.waking.push(sleeper.replica);
            sleeper.wake();
        }
    }

    /// Calls that may wait in all.
    const fn places(&self) -> usize {
        match self.spec.when_full {
            WhenFull::Reject => self.spec.size,
            WhenFull::Wait => self.spec.size.saturating_add(CALLERS_WAITING_MAX),
        }
    }

    fn overloaded(&self) -> Fault {
        let message = format!(
            "the mailbox of {} is full ({} calls wait); try again later, or raise mailbox.size",
            self.agent,
            self.places()
        );
        Fault::new(FaultCode::Overloaded, message)
    }

    /// A link with room takes what waits, in order, and is rung when more comes. One that is to run
    /// alone holds those behind it up until it can.
    pub(crate) fn pull(
        &self,
        port: &Arc<LinkPort>,
        room: Room,
        runs_alone: impl Fn(&Call) -> bool,
        taken: &mut Vec<Arc<Call>>,
    ) {
        let mut state = self.state.lock();
        if port.is_retired() {
            return;
        }
        let (mut slots, mut empty) = (room.slots, room.empty);
        let before = taken.len();
        state.blocked.retain(|other| !Arc::ptr_eq(other, port));
        while slots > 0
            && let Some(call) = state.queue.pop_front()
        {
            let alone = runs_alone(&call);
            if alone && !empty {
                state.queue.push_front(call);
                state.blocked.push(Arc::clone(port));
                slots = 0;
            } else if call.claim(port) {
                taken.push(call);
                empty = false;
                slots = if alone { 0 } else { slots - 1 };
            }
        }
        // The clock is read only where somebody will ask.
        let idle = self.sharing.hibernates && slots == self.sharing.slots;
        state.idle_again(port, slots, idle.then(Instant::now));
        if taken.len() > before {
            state.unblock(port);
        }
        self.stir(&mut state);
    }

    /// A link takes no more calls, from this moment on: those that come wait for the next one.
    pub(crate) fn leave(&self, port: &Arc<LinkPort>) {
        let mut state = self.state.lock();
        port.retire();
        state.idle.retain(|idle| !Arc::ptr_eq(&idle.port, port));
        state.blocked.retain(|other| !Arc::ptr_eq(other, port));
        self.stir(&mut state);
    }

    /// As [`Mailbox::leave`], but only for a link that has all its slots free since this time or
    /// longer, while no call waits: one that comes now waits for the next process.
    ///
    /// # Errors
    /// It is in use, or was at this time.
    pub(crate) fn retire(&self, port: &Arc<LinkPort>, idle_since: Instant) -> Result<(), Instant> {
        let mut state = self.state.lock();
        let at = state.place_of(port).filter(|_| state.queue.is_empty());
        let since = at.and_then(|at| Some((at, state.idle.get(at)?.since?)));
        let Some((at, since)) = since else {
            return Err(Instant::now());
        };
        if since > idle_since {
            return Err(since);
        }
        port.retire();
        state.idle.remove(at);
        Ok(())
    }

    /// A replica has no process from now on, and is woken when calls need it: now, where some do.
    pub(crate) fn sleep(&self, sleeper: Sleeper) {
        let mut state = self.state.lock();
        state.forget(sleeper.replica);
        state.sleepers.push(sleeper);
        self.stir(&mut state);
    }

    /// A replica neither sleeps nor wakes up any more: it has a link, or has ended.
    pub(crate) fn is_awake(&self, replica: usize) {
        let mut state = self.state.lock();
        state.forget(replica);
        self.stir(&mut state);
    }

    /// Calls that an incarnation had not begun with go back to the head, in their order.
    ///
    /// # Errors
    /// It is closed: they all end with this fault.
    pub(crate) fn give_back(&self, calls: &[Arc<Call>]) -> Result<(), Fault> {
        let mut state = self.state.lock();
        if let Some(fault) = &state.closed {
            return Err(fault.clone());
        }
        for call in calls.iter().rev() {
            if call.unclaim() {
                state.queue.push_front(Arc::clone(call));
            }
        }
        state.blocked.drain(..).for_each(|port| port.ring());
        self.stir(&mut state);
        Ok(())
    }

    /// Forgets a call that ended while it waited.
    pub(crate) fn forget(&self, call: &Arc<Call>) {
        let mut state = self.state.lock();
        state.queue.retain(|waiting| !Arc::ptr_eq(waiting, call));
        state.blocked.drain(..).for_each(|port| port.ring());
    }

    /// Takes no calls until [`Mailbox::open`]; returns those that waited, for the caller to end.
    pub(crate) fn close(&self, fault: Fault) -> Vec<Arc<Call>> {
        self.shut(fault, false)
    }

    /// As [`Mailbox::close`], and [`Mailbox::open`] has no effect until [`Mailbox::release`].
    pub(crate) fn hold(&self, fault: Fault) -> Vec<Arc<Call>> {
        self.shut(fault, true)
    }

    fn shut(&self, fault: Fault, hold: bool) -> Vec<Arc<Call>> {
        let mut state = self.state.lock();
        state.held |= hold;
        state.closed = Some(fault);
        state.queue.drain(..).collect()
    }

    /// Takes calls again, unless it is held.
    pub(crate) fn open(&self) {
        let mut state = self.state.lock();
        if !state.held {
            state.closed = None;
        }
    }

    /// The next incarnation may open it.
    pub(crate) fn release(&self) {
        self.state.lock().held = false;
    }

    /// What calls are answered with, where it takes none.
    pub(crate) fn refusal(&self) -> Option<Fault> {
        self.state.lock().closed.clone()
    }

    pub(crate) fn is_held(&self) -> bool {
        self.state.lock().held
    }
}

impl State {
    fn idle_slots(&self) -> usize {
        self.idle.iter().map(|idle| idle.slots).sum()
    }

    fn place_of(&self, port: &Arc<LinkPort>) -> Option<usize> {
        let mut idle = self.idle.iter();
        idle.position(|idle| Arc::ptr_eq(&idle.port, port))
    }

    fn forget(&mut self, replica: usize) {
        self.sleepers.retain(|sleeper| sleeper.replica != replica);
        self.waking.retain(|waking| *waking != replica);
    }

    /// The first call is another one: who had no room for the one before looks again.
    fn unblock(&mut self, but: &Arc<LinkPort>) {
        self.blocked.retain(|port| {
            let same = Arc::ptr_eq(port, but);
            if !same {
                port.ring();
            }
            same
        });
    }

    /// Notes how many slots a link has left. One that just got work goes behind the others, so
    /// that replicas can take turns.
    fn idle_again(&mut self, port: &Arc<LinkPort>, slots: usize, since: Option<Instant>) {
        match (self.place_of(port), slots) {
            (None, 0) => {}
            (Some(at), 0) => {
                self.idle.remove(at);
            }
            (None, slots) => self.idle.push(Idle {
                port: Arc::clone(port),
                slots,
                since,
            }),
            (Some(at), slots) => {
                let idle = self.idle.remove(at);
                self.idle.push(Idle {
                    slots,
                    since,
                    ..idle
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
