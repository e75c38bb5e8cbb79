//! Starts, failures and restarts: OTP's `start_children`, `restart` and `try_again_restart`.

use crate::exit::ExitReason;
use crate::spec::{OnExhausted, StartOrder, Strategy};
use crate::supervisor::backoff::Attempts;
use crate::supervisor::child::{Child, Intent, Life, StartCause};
use crate::supervisor::children::Key;
use crate::supervisor::machine::{Ending, Phase, Plan, Step, Supervisor};
use crate::supervisor::{Action, Cause, Context, Reply, RequestError, StartError, WhyDown};
use crate::time::{Millis, Time};

impl Supervisor {
    pub(super) fn on_ignored(&mut self, key: Key, out: &mut Vec<Action>) {
        if matches!(self.roster.life(key), Some(Life::Starting { .. })) {
            self.roster.children.set_life(key, Life::Down);
            self.roster.answer_up(key, &Reply::Ignored, out);
            self.forget_temporary(key, out);
        } else {
            self.gone(key, None, out);
        }
    }

    pub(super) fn on_start_failed(
        &mut self,
        now: Time,
        key: Key,
        error: StartError,
        out: &mut Vec<Action>,
    ) {
        let refusal = Reply::Error(RequestError::StartFailed(error.clone()));
        self.roster.answer_up(key, &refusal, out);
        let will_stop = self.will_stop(key);
        let Some(child) = self.roster.children.get(key) else {
            return;
        };
        let cause = match child.life {
            Life::Starting { cause } if !will_stop => cause,
            _ => return self.gone(key, None, out),
        };
        let id = child.spec.id.clone();
        self.roster.children.set_life(key, Life::Down);
        match cause {
            StartCause::Request => {
                self.roster
                    .stays_down(key, error.reason, WhyDown::StartRequest, out);
            }
            StartCause::Add => self.roster.forget(key, out),
            StartCause::Sequence if !self.is_up() => {
                self.roster
                    .report(key, Context::StartError, error.reason.clone(), out);
                self.begin_stopping(Ending::StartFailed(error.below(id)), out);
            }
            StartCause::Sequence | StartCause::Restart => {
                self.roster
                    .report(key, Context::StartError, error.reason.clone(), out);
                self.abandon_plan(cause, out);
                self.on_failure(now, key, None, error.reason, out);
            }
        }
    }

    /// The children behind one that could not be restarted stay down until it is tried again.
    fn abandon_plan(&mut self, cause: StartCause, out: &mut Vec<Action>) {
        if let (StartCause::Sequence, Phase::Active { plan, .. }) = (cause, &mut self.phase)
            && let Some(Plan {
                step: Step::Start { at, .. },
                ..
            }) = plan.take()
        {
            self.roster.refuse_waiters(at, out);
        }
    }

    /// Counts one failure and decides: give up, park the child, restart now, or restart later.
    ///
    /// `up_since` is known where the child had been up. A failed start is tried again by a timer
    /// even without a delay, so that other events get in between (OTP's `try_again_restart`).
    pub(super) fn on_failure(
        &mut self,
        now: Time,
        key: Key,
        up_since: Option<Time>,
        reason: ExitReason,
        out: &mut Vec<Action>,
    ) {
        let Some(delay) = self.roster.count_failure(now, key, up_since, out) else {
            return match self.flags.on_exhausted {
                OnExhausted::Escalate => self.begin_stopping(Ending::Exit(Cause::GaveUp), out),
                OnExhausted::Park => self.park(key, reason, out),
            };
        };
        let alone = self.flags.strategy == Strategy::OneForOne;
        match (delay > Millis(0), up_since.is_some()) {
            (false, true) => self.restart(key, None, out),
            // The siblings go down at once; what waits is the start.
            (true, _) if !alone => self.restart(key, Some(now + delay), out),
            (true, _) | (false, false) => self.roster.wait(key, now + delay, out),
        }
    }

    /// The child stays down, and its siblings as they are. Whatever brings it up again begins
    /// with a fresh budget. Its end is one that is not followed by a restart, so that it counts
    /// for `auto_shutdown`.
    fn park(&mut self, key: Key, reason: ExitReason, out: &mut Vec<Action>) {
        let Some(child) = self.roster.children.get_mut(key) else {
            return;
        };
        let significant = child.spec.significant;
        child.intent = Intent::Parked;
        child.attempts = Attempts::new();
        child.budget = self.flags.budget();
        self.roster.stays_down(key, reason, WhyDown::Parked, out);
        self.auto_shutdown(significant, out);
    }

    /// The first start: one by one, or all at once.
    pub(super) fn first_step(&mut self, out: &mut Vec<Action>) -> Step {
        let mut at = Key::FIRST;
        if self.flags.start_order == StartOrder::Sequential {
            return Step::start(at);
        }
        while let Some((key, _)) = self.roster.children.at_or_after(at) {
            self.roster.start(key, StartCause::Sequence, out);
            at = key.next();
        }
        Step::AwaitAll { from: Key::FIRST }
    }

    /// The wait of a child for its restart is over.
    pub(super) fn on_wait_over(&mut self, key: Key, out: &mut Vec<Action>) {
        if let Phase::Active {
            plan: Some(plan), ..
        } = &mut self.phase
            && plan.step == (Step::Delay { waiting: key })
        {
            plan.step = Step::start(plan.from);
        } else {
            self.restart(key, None, out);
        }
    }

    /// Restarts the child and whom the strategy adds to it.
    fn restart(&mut self, key: Key, not_before: Option<Time>, out: &mut Vec<Action>) {
        let Phase::Active { plan, .. } = &mut self.phase else {
            return;
        };
        let from = match self.flags.strategy {
            Strategy::OneForOne => return self.roster.start(key, StartCause::Restart, out),
            Strategy::OneForAll => Key::FIRST,
            Strategy::RestForOne => key,
        };
        // A crash in the middle of a plan widens it: what it was about to start would have to be
        // stopped again at once.
        let from = plan.map_or(from, |plan| plan.from.min(from));
        let earlier = plan.and_then(|plan| plan.not_before);
        *plan = Some(Plan {
            from,
            step: Step::Stop { before: Key::END },
            not_before: later(earlier, not_before.map(|until| (key, until))),
        });
    }

    /// Does what can be done now of the plan, or of going down. Called after every event.
    pub(super) fn advance(&mut self, now: Time, out: &mut Vec<Action>) {
        loop {
            match self.phase {
                Phase::New
                | Phase::Ended
                | Phase::Active {
                    announced: true,
                    plan: None,
                } => return,
                Phase::Stopping { before, .. } => return self.advance_stopping(now, before, out),
                Phase::Active {
                    announced: false,
                    plan: None,
                } => {
                    self.phase = Phase::Active {
                        announced: true,
                        plan: None,
                    };
                    out.push(Action::Started);
                }
                Phase::Active {
                    plan: Some(plan), ..
                } => {
                    if !self.advance_plan(now, plan, out) {
                        return;
                    }
                }
            }
        }
    }

    /// One step of the plan; whether the next can be taken at once.
    fn advance_plan(&mut self, now: Time, mut plan: Plan, out: &mut Vec<Action>) -> bool {
        let (next, again) = match plan.step {
            Step::Stop { before } => match self.stop_next(now, plan.from, before, out) {
                Some(before) => (Some(Step::Stop { before }), false),
                None => (Some(self.after_stop(now, &plan, out)), true),
            },
            Step::Delay { waiting } => match self.roster.life(waiting) {
                Some(Life::Waiting { .. }) => (Some(plan.step), false),
                // Terminated, or started by a request: the others need not wait for it.
                _ => (Some(Step::start(plan.from)), true),
            },
            Step::Start {
                current: Some(key), ..
            } if self.is_starting(key) => (Some(plan.step), false),
            Step::Start { at, .. } => match self.start_next(at, out) {
                Some(key) => (
                    Some(Step::Start {
                        at: key.next(),
                        current: Some(key),
                    }),
                    false,
                ),
                None => (None, true),
            },
            Step::AwaitAll { from } => match self.first_starting(from) {
                Some(from) => (Some(Step::AwaitAll { from }), false),
                None => (None, true),
            },
        };
        if let Phase::Active { plan: slot, .. } = &mut self.phase {
            *slot = next.map(|step| {
                plan.step = step;
                plan
            });
        }
        again
    }

    /// All are down: start them, unless the one that failed has a backoff to wait for.
    fn after_stop(&mut self, now: Time, plan: &Plan, out: &mut Vec<Action>) -> Step {
        let startable = |child: &Child| child.life == Life::Down && child.intent == Intent::Run;
        match plan.not_before {
            Some((key, until))
                if until > now && self.roster.children.get(key).is_some_and(startable) =>
            {
                self.roster.wait(key, until, out);
                Step::Delay { waiting: key }
            }
            _ => Step::start(plan.from),
        }
    }

    /// The first child from here on whose first start is not over. Those before it never come
    /// back to one, so that all such walks together see each child once.
    fn first_starting(&self, mut at: Key) -> Option<Key> {
        let first_start = Life::Starting {
            cause: StartCause::Sequence,
        };
        while let Some((key, child)) = self.roster.children.at_or_after(at) {
            if child.life == first_start {
                return Some(key);
            }
            at = key.next();
        }
        None
    }

    fn is_starting(&self, key: Key) -> bool {
        matches!(self.roster.life(key), Some(Life::Starting { .. }))
    }

    /// Starts the next child that is down. Returns the child whose start is waited for.
    fn start_next(&mut self, mut at: Key, out: &mut Vec<Action>) -> Option<Key> {
        while let Some((key, child)) = self.roster.children.at_or_after(at) {
            match (&child.life, child.intent) {
                (Life::Starting { .. }, _) => return Some(key),
                (Life::Down, Intent::Run) | (Life::Waiting { .. }, _) => {
                    self.roster.end_waiting(key, out);
                    self.roster.start(key, StartCause::Sequence, out);
                    return Some(key);
                }
                (Life::Down, Intent::PassOver) => self.set_intent(key, Intent::Run),
                (Life::Down, Intent::Held | Intent::Finished | Intent::Parked)
                | (Life::Up { .. } | Life::Stopping { .. }, _) => {}
            }
            at = key.next();
        }
        None
    }
}

fn later(one: Option<(Key, Time)>, other: Option<(Key, Time)>) -> Option<(Key, Time)> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if one.1 > other.1 { one } else { other }),
        (one, other) => one.or(other),
    }
}
