//! The one place where a deadline passes: for calls that wait, and for those in flight.
//!
//! A task per agent sleeps until the earliest deadline. It decides that a call is over, nothing
//! else; what that means is the agent's business.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant, sleep_until};

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
    /// Until when runs may go on that must end before their call's deadline.
    runs: HashMap<RunId, Instant>,
    /// When the keeper looks again by itself. It may be too early, for a call that has ended since:
    /// that costs one look, where waking it for each call would cost a turn of a task.
    alarm: Option<Instant>,
}

/// What has no time left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The call, queue and run together.
    Call,
    /// The run, from its start.
    Run,
}

impl State {
    /// When a call ends at the latest.
    fn end_of(&self, call: &Call) -> Instant {
        self.runs.get(&call.id).copied().unwrap_or(call.deadline)
    }

    /// Whether the keeper must look earlier than it means to.
    fn insert(&mut self, at: Instant, call: &Arc<Call>) -> bool {
        self.calls.insert((at, call.id), Arc::clone(call));
        self.alarm.is_none_or(|alarm| at < alarm)
    }
}

impl Deadlines {
    pub(crate) fn watch(&self, call: &Arc<Call>) {
        let too_late = self.state.lock().insert(call.deadline, call);
        if too_late {
            self.earlier.notify_one();
        }
    }

    /// The call's run begins, and has this long.
    pub(crate) fn limit_run(&self, call: &Arc<Call>, within: Duration) {
        // A time beyond the clock is none.
        let end = Instant::now().checked_add(within);
        let Some(at) = end.filter(|at| *at < call.deadline) else {
            return;
        };
        let mut state = self.state.lock();
        let watched = {
            let end = state.end_of(call);
            state.calls.remove(&(end, call.id)).is_some()
        };
        let too_late = watched && {
            state.runs.insert(call.id, at);
            state.insert(at, call)
        };
        drop(state);
        if too_late {
            self.earlier.notify_one();
        }
    }

    /// The call waits again: what its run had taken is not counted.
    pub(crate) fn lift_run_limit(&self, call: &Arc<Call>) {
        let mut state = self.state.lock();
        if let Some(end) = state.runs.remove(&call.id)
            && state.calls.remove(&(end, call.id)).is_some()
        {
            // Never earlier than before, so that the keeper looks in time.
            state.insert(call.deadline, call);
        }
    }

    pub(crate) fn forget(&self, call: &Call) {
        let mut state = self.state.lock();
        let end = state.end_of(call);
        state.calls.remove(&(end, call.id));
        state.runs.remove(&call.id);
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
    pub(crate) async fn next(&self) -> (Arc<Call>, Limit) {
        loop {
            if let Some(due) = self.pop_due() {
                return due;
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

    fn pop_due(&self) -> Option<(Arc<Call>, Limit)> {
        let mut state = self.state.lock();
        let first = state.calls.first_entry()?;
        let due = first.key().0 <= Instant::now();
        let call = due.then(|| first.remove())?;
        let of_run = state.runs.remove(&call.id).is_some();
        let limit = if of_run { Limit::Run } else { Limit::Call };
        Some((call, limit))
    }

    fn set_alarm(&self) -> Option<Instant> {
        let mut state = self.state.lock();
        state.alarm = state.calls.first_key_value().map(|((at, _), _)| *at);
        state.alarm
    }
}

#[cfg(test)]
mod tests;
