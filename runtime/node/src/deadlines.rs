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
    calls: Mutex<BTreeMap<(Instant, RunId), Arc<Call>>>,
    earlier: Notify,
}

impl Deadlines {
    pub(crate) fn watch(&self, call: &Arc<Call>) {
        let key = (call.deadline, call.id);
        let mut calls = self.calls.lock();
        let earliest = calls
            .first_key_value()
            .is_none_or(|(first, _)| key < *first);
        calls.insert(key, Arc::clone(call));
        drop(calls);
        if earliest {
            self.earlier.notify_one();
        }
    }

    pub(crate) fn forget(&self, call: &Call) {
        self.calls.lock().remove(&(call.deadline, call.id));
    }

    /// A live call by its number.
    pub(crate) fn find(&self, run: RunId) -> Option<Arc<Call>> {
        self.calls
            .lock()
            .values()
            .find(|call| call.id == run)
            .cloned()
    }

    /// Waits until some deadline has passed, and returns its call. Cancel-safe.
    pub(crate) async fn next(&self) -> Arc<Call> {
        loop {
            let earlier = self.earlier.notified();
            let first = self.calls.lock().first_key_value().map(|((at, _), _)| *at);
            match first {
                None => earlier.await,
                Some(at) if at <= Instant::now() => {
                    if let Some(call) = self.pop_due() {
                        return call;
                    }
                }
                Some(at) => tokio::select! {
                    () = sleep_until(at) => {}
                    () = earlier => {}
                },
            }
        }
    }

    fn pop_due(&self) -> Option<Arc<Call>> {
        let mut calls = self.calls.lock();
        let first = calls.first_entry()?;
        (first.key().0 <= Instant::now()).then(|| first.remove())
    }
}

#[cfg(test)]
mod tests;
