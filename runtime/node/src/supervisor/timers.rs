//! A supervisor's timers: one sleeping task each, gone with the supervisor.

use std::collections::HashMap;

use ractor::ActorRef;
use synapse_core::supervisor::TimerId;
use synapse_core::time::Time;
use tokio::task::AbortHandle;

use crate::clock::Clock;
use crate::supervisor::SupervisorMessage;

/// At most two per child (its shutdown time, its backoff), so bounded by the children.
#[derive(Debug, Default)]
pub(super) struct Timers(HashMap<TimerId, AbortHandle>);

impl Timers {
    /// Sends `Timer(id)` at this time; at once, behind what already waits, if it has passed.
    pub(super) fn set(
        &mut self,
        clock: Clock,
        id: TimerId,
        at: Time,
        actor: &ActorRef<SupervisorMessage>,
    ) {
        if at <= clock.now() {
            // An error means that the actor is gone, and its timers with it.
            drop(actor.cast(SupervisorMessage::Timer(id)));
            return;
        }
        let (actor, at) = (actor.clone(), clock.instant(at));
        let task = tokio::spawn(async move {
            tokio::time::sleep_until(at).await;
            drop(actor.cast(SupervisorMessage::Timer(id)));
        });
        self.0.insert(id, task.abort_handle());
    }

    /// Forgets a timer that fired, or stops one that did not.
    pub(super) fn clear(&mut self, id: TimerId) {
        if let Some(task) = self.0.remove(&id) {
            task.abort();
        }
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        for task in self.0.values() {
            task.abort();
        }
    }
}
