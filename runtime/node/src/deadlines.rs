//! The one place where a deadline passes: for calls that wait, and for those in flight.
//!
//! A task per agent sleeps until the earliest deadline. It decides that a call is over, nothing
//! else; what that means is the agent's business.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::call::Call;
use crate::handle::RunId;

/// The deadlines of an agent's live calls; also the list of those calls.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    state: Mutex<State>,
    earlier: Notify,
}

#[derive(Debug, Default)]
struct State {
    calls: BTreeMap<(Instant, RunId), Arc<Call>>,
    /// When the keeper looks again by itself. It may be too early, for a call that has ended since:
    /// that costs one look, where waking it for each call would cost a turn of a task.
    alarm: Option<Instant>,
}

impl Deadlines {
    pub(crate) fn watch(&self, call: &Arc<Call>) {
        let mut state = self.state.lock();
        state
            .calls
            .insert((call.deadline, call.id), Arc::clone(call));
        let too_late = state.alarm.is_none_or(|alarm| call.deadline < alarm);
        drop(state);
        if too_late {
            self.earlier.notify_one();
        }
    }

    pub(crate) fn forget(&self, call: &Call) {
        self.state.lock().calls.remove(&(call.deadline, call.id));
    }

    /// How many calls live.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().calls.len()
    }

    /// A live call by its number.
    pub(crate) fn find(&self, run: RunId) -> Option<Arc<Call>> {
        let state = self.state.lock();
        state.calls.values().find(|call| call.id == run).cloned()
    }

    /// Waits until some deadline has passed, and returns its call. Cancel-safe.
    pub(crate) async fn next(&self) -> Arc<Call> {
        loop {
            if let Some(call) = self.pop_due() {
                return call;
            }
            // Made before the look: a call that comes in between leaves its permit here.
            let earlier = self.earlier.notified();
            match self.set_alarm() {
                None => earlier.await,
                Some(alarm) => tokio::select! {
                    () = sleep_until(alarm) => {}
                    () = earlier => {}
                },
            }
        }
    }

    fn pop_due(&self) -> Option<Arc<Call>> {
        let mut state = self.state.lock();
        let first = state.calls.first_entry()?;
        (first.key().0 <= Instant::now()).then(|| first.remove())
    }

    fn set_alarm(&self) -> Option<Instant> {
        let mut state = self.state.lock();
        state.alarm = state.calls.first_key_value().map(|((at, _), _)| *at);
        state.alarm
    }
}

#[cfg(test)]
mod tests;
