//! The bounded queue in front of an agent. It outlives incarnations; links pull from it.
//!
//! Calls leave in the order in which they came. It knows no process: a link says how many slots it
//! has free, and is rung when there is something for them.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use parking_lot::Mutex;
use synapse_core::fault::{Fault, FaultCode};
use synapse_core::spec::{MailboxSpec, WhenFull};
use tokio::sync::Notify;

use crate::call::Call;
use crate::link::LinkPort;

/// The queue and who waits for it.
#[derive(Debug)]
pub(crate) struct Mailbox {
    agent: Arc<str>,
    spec: MailboxSpec,
    state: Mutex<State>,
    space: Notify,
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
            space: Notify::new(),
        }
    }

    /// Calls that wait.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().queue.len()
    }

    /// Puts a call at the end; waits for a place where the spec says so. Cancel-safe: a call is
    /// either in the queue or was never there.
    pub(crate) async fn push(&self, call: &Arc<Call>) -> Result<(), Fault> {
        match self.try_push(call) {
            Ok(()) => Ok(()),
            Err(Refusal::Closed(fault)) => Err(fault),
            Err(Refusal::Full) if self.spec.when_full == WhenFull::Reject => Err(self.overloaded()),
            Err(Refusal::Full) => self.push_when_free(call).await,
        }
    }

    async fn push_when_free(&self, call: &Arc<Call>) -> Result<(), Fault> {
        loop {
            // Enabled before the look at the queue, so that no place freed in between is missed.
            let mut freed = pin!(self.space.notified());
            freed.as_mut().enable();
            match self.try_push(call) {
                Ok(()) => return Ok(()),
                Err(Refusal::Closed(fault)) => return Err(fault),
                Err(Refusal::Full) => freed.await,
            }
        }
    }

    fn try_push(&self, call: &Arc<Call>) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        if let Some(fault) = &state.closed {
            return Err(Refusal::Closed(fault.clone()));
        }
        if call.is_finished() {
            // Its caller left, or its deadline passed, while it waited for a place.
            return Ok(());
        }
        // Calls that a free slot is about to take do not wait, so they are not counted.
        let slots: usize = state.idle.iter().map(|idle| idle.slots).sum();
        if state.queue.len() >= self.spec.size.saturating_add(slots) {
            return Err(Refusal::Full);
        }
        state.queue.push_back(Arc::clone(call));
        state.ring();
        Ok(())
    }

    fn overloaded(&self) -> Fault {
        let message = format!(
            "the mailbox of {} is full ({} calls wait); try again later, or raise mailbox.size",
            self.agent, self.spec.size
        );
        Fault::new(FaultCode::Overloaded, message)
    }

    /// A link with `slots` free takes what waits, in order, and is rung when more comes.
    pub(crate) fn pull(&self, port: &Arc<LinkPort>, slots: usize, taken: &mut Vec<Arc<Call>>) {
        let before = taken.len();
        let mut popped = 0;
        let mut state = self.state.lock();
        if port.is_retired() {
            return;
        }
        while taken.len() - before < slots {
            let Some(call) = state.queue.pop_front() else {
                break;
            };
            popped += 1;
            if call.claim(port) {
                taken.push(call);
            }
        }
        let taken = taken.len() - before;
        state.idle_again(port, slots - taken);
        if !state.queue.is_empty() {
            state.ring();
        }
        drop(state);
        // One that had ended gives its place back too: whoever ended it finds it gone.
        self.freed(popped);
    }

    /// Callers wait for places only where the spec says so.
    fn freed(&self, places: usize) {
        if self.spec.when_full == WhenFull::Wait {
            for _ in 0..places {
                self.space.notify_one();
            }
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
        let before = state.queue.len();
        state.queue.retain(|waiting| !Arc::ptr_eq(waiting, call));
        let freed = state.queue.len() < before;
        drop(state);
        self.freed(usize::from(freed));
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
        let waiting = state.queue.drain(..).collect();
        drop(state);
        self.space.notify_waiters();
        waiting
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

enum Refusal {
    Closed(Fault),
    Full,
}

#[cfg(test)]
mod tests;
