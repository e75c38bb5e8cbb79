//! The bounded queue in front of an agent. It outlives incarnations; links pull from it.
//!
//! Calls leave in the order in which they came. It knows no process: a link says how many slots it
//! has free, and is rung when there is something for them.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use synapse_core::fault::{Fault, FaultCode};
use synapse_core::spec::{MailboxSpec, WhenFull};

use crate::call::Call;
use crate::link::LinkPort;

/// Calls that wait for a place in a full mailbox whose spec lets them (`when_full = "wait"`); the
/// ones beyond are refused. Each holds its input. Twice what the control socket serves at once.
pub(crate) const CALLERS_WAITING_MAX: usize = 1_024;

/// The queue and who waits for it.
#[derive(Debug)]
pub(crate) struct Mailbox {
    agent: Arc<str>,
    spec: MailboxSpec,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Arc<Call>>,
    /// Links with free slots that found the queue empty; at most one entry per replica.
    idle: Vec<Idle>,
    closed: Option<Fault>,
    /// Closed by an operator, or by the node's end: no incarnation opens it.
    held: bool,
}

#[derive(Debug)]
struct Idle {
    port: Arc<LinkPort>,
    slots: usize,
}

impl Mailbox {
    pub(crate) fn new(agent: Arc<str>, spec: MailboxSpec) -> Self {
        let state = State {
            queue: VecDeque::new(),
            idle: Vec::new(),
            closed: None,
            held: false,
        };
        Self {
            agent,
            spec,
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
        let slots: usize = state.idle.iter().map(|idle| idle.slots).sum();
        if state.queue.len() >= self.places().saturating_add(slots) {
            return Err(self.overloaded());
        }
        state.queue.push_back(Arc::clone(call));
        state.ring();
        Ok(())
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

    /// A link with `slots` free takes what waits, in order, and is rung when more comes.
    pub(crate) fn pull(&self, port: &Arc<LinkPort>, slots: usize, taken: &mut Vec<Arc<Call>>) {
        let before = taken.len();
        let mut state = self.state.lock();
        if port.is_retired() {
            return;
        }
        while taken.len() - before < slots {
            let Some(call) = state.queue.pop_front() else {
                break;
            };
            if call.claim(port) {
                taken.push(call);
            }
        }
        let taken = taken.len() - before;
        state.idle_again(port, slots - taken);
        if !state.queue.is_empty() {
            state.ring();
        }
    }

    /// A link takes no more calls, from this moment on: those that come wait for the next one.
    pub(crate) fn leave(&self, port: &Arc<LinkPort>) {
        let mut state = self.state.lock();
        port.retire();
        state.idle.retain(|idle| !Arc::ptr_eq(&idle.port, port));
        if !state.queue.is_empty() {
            state.ring();
        }
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
        state.ring();
        Ok(())
    }

    /// Forgets a call that ended while it waited.
    pub(crate) fn forget(&self, call: &Arc<Call>) {
        let mut state = self.state.lock();
        state.queue.retain(|waiting| !Arc::ptr_eq(waiting, call));
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
    /// Wakes one link that has free slots, if there is one.
    fn ring(&self) {
        if let Some(idle) = self.idle.first() {
            idle.port.ring();
        }
    }

    /// Notes how many slots a link has left. One that just got work goes behind the others, so
    /// that replicas take turns.
    fn idle_again(&mut self, port: &Arc<LinkPort>, slots: usize) {
        let known = self
            .idle
            .iter()
            .position(|idle| Arc::ptr_eq(&idle.port, port));
        match (known, slots) {
            (None, 0) => {}
            (Some(at), 0) => {
                self.idle.remove(at);
            }
            (None, slots) => self.idle.push(Idle {
                port: Arc::clone(port),
                slots,
            }),
            (Some(at), slots) => {
                let idle = self.idle.remove(at);
                self.idle.push(Idle { slots, ..idle });
            }
        }
    }
}

#[cfg(test)]
mod tests;
