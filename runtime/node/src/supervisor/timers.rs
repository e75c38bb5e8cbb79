//! A supervisor's timers: one sleeping task for all of them, gone with the supervisor.
//!
//! Most timers are shutdown times that never run out: ten thousand children that are stopped in
//! order set and clear ten thousand of them. So a timer is an entry in a list, and the one task
//! sleeps until the earliest that was ever asked for; where that was cleared meanwhile, it wakes
//! in vain and sleeps on.

use std::collections::{BTreeSet, HashMap};

use ractor::ActorRef;
use synapse_core::supervisor::TimerId;
use synapse_core::time::Time;
use tokio::task::AbortHandle;

use crate::clock::Clock;
use crate::supervisor::SupervisorMessage;

/// At most two per child (its shutdown time, its backoff), so bounded by the children.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Time, TimerId)>,
    times: HashMap<TimerId, Time>,
    alarm: Option<Alarm>,
}

/// The task that sleeps, and until when.
#[derive(Debug)]
struct Alarm {
    at: Time,
    task: AbortHandle,
}

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
            return ring(actor, id);
        }
        self.times.insert(id, at);
        self.by_time.insert((at, id));
        self.sleep(clock, actor);
    }

    /// Forgets a timer that fired, or stops one that did not.
    pub(super) fn clear(&mut self, id: TimerId) {
        if let Some(at) = self.times.remove(&id) {
            self.by_time.remove(&(at, id));
        }
    }

    /// The task has woken: sends the timers that are due, each behind what already waits.
    pub(super) fn on_alarm(&mut self, clock: Clock, actor: &ActorRef<SupervisorMessage>) {
        self.alarm = None;
        let now = clock.now();
        while let Some((at, id)) = self.by_time.first().copied()
            && at <= now
        {
            self.clear(id);
            ring(actor, id);
        }
        self.sleep(clock, actor);
    }

    /// Sees to it that somebody wakes at the earliest of all times.
    fn sleep(&mut self, clock: Clock, actor: &ActorRef<SupervisorMessage>) {
        let Some((at, _)) = self.by_time.first().copied() else {
            return;
        };
        if self.alarm.as_ref().is_some_and(|alarm| alarm.at <= at) {
            return;
        }
        let (actor, until) = (actor.clone(), clock.instant(at));
        let task = tokio::spawn(async move {
            tokio::time::sleep_until(until).await;
            // An error means that the actor is gone, and its timers with it.
            drop(actor.cast(SupervisorMessage::Alarm));
        });
        let task = task.abort_handle();
        if let Some(later) = self.alarm.replace(Alarm { at, task }) {
            later.task.abort();
        }
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        if let Some(alarm) = &self.alarm {
            alarm.task.abort();
        }
    }
}

/// An error means that the actor is gone, and its timers with it.
fn ring(actor: &ActorRef<SupervisorMessage>, id: TimerId) {
    drop(actor.cast(SupervisorMessage::Timer(id)));
}
