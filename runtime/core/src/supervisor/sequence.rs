//! Starts, failures and restarts: OTP's `start_children`, `restart` and `try_again_restart`.

use crate::exit::ExitReason;
use crate::spec::Strategy;
use crate::supervisor::child::{Intent, Life, StartCause};
use crate::supervisor::children::Key;
use crate::supervisor::machine::{Ending, Phase, Plan, Step, Supervisor};
use crate::supervisor::{Action, Cause, Context, Reply, RequestError, StartError};
use crate::time::{Millis, Time};

/// OTP's word for the reason of a supervisor that gives up.
const GAVE_UP: &str = "reached_max_restart_intensity";

impl Supervisor {
    pub(super) fn on_started(&mut self, now: Time, key: Key, out: &mut Vec<Action>) {
        let Some(child) = self.children.get_mut(key) else {
            return;
        };
        // A child that became ready while it is told to stop stays on its way out.
        if matches!(child.life, Life::Starting { .. }) {
            let waiters = std::mem::take(&mut child.up_waiters);
            self.children.set_life(key, Life::Up { since: now });
            reply_all(waiters, &Reply::Ok, out);
        }
    }

    pub(super) fn on_ignored(&mut self, key: Key, out: &mut Vec<Action>) {
        let Some(child) = self.children.get_mut(key) else {
            return;
        };
        if matches!(child.life, Life::Starting { .. }) {
            let waiters = std::mem::take(&mut child.up_waiters);
            self.children.set_life(key, Life::Down);
            reply_all(waiters, &Reply::Ignored, out);
            self.forget_temporary(key, out);
        } else {
            self.gone(key, &ExitReason::Shutdown(None), out);
        }
    }

    pub(super) fn on_start_failed(
        &mut self,
        now: Time,
        key: Key,
        error: StartError,
        out: &mut Vec<Action>,
    ) {
        let will_stop = self.will_stop(key);
        let Some(child) = self.children.get_mut(key) else {
            return;
        };
        let waiters = std::mem::take(&mut child.up_waiters);
        let id = child.spec.id.clone();
        reply_all(
            waiters,
            &Reply::Error(RequestError::StartFailed(error.clone())),
            out,
        );
        let Life::Starting { cause } = child.life else {
            return self.gone(key, &ExitReason::Shutdown(None), out);
        };
        if will_stop {
            return self.gone(key, &ExitReason::Shutdown(None), out);
        }
        self.children.set_life(key, Life::Down);
        match cause {
            StartCause::Request => {}
            StartCause::Add => self.forget(key, out),
            StartCause::Sequence | StartCause::Restart => {
                self.report(key, Context::StartError, error.reason.clone(), out);
                if cause == StartCause::Sequence && !self.is_up() {
                    self.begin_stopping(Ending::StartFailed(error.below(id)), out);
                } else {
                    self.abandon_plan(cause, out);
                    self.on_failure(now, key, None, out);
                }
            }
        }
    }

    /// The children behind one that could not be restarted stay down until it is tried again.
    fn abandon_plan(&mut self, cause: StartCause, out: &mut Vec<Action>) {
        let (StartCause::Sequence, Phase::Active { plan, .. }) = (cause, &mut self.phase) else {
            return;
        };
        if let Some(Plan {
            step: Step::Start { at, .. },
            ..
        }) = plan.take()
        {
            self.refuse_waiters(at, out);
        }
    }

    /// Answers those who wait for the start of a child, at or behind `from`, that will not come.
    pub(super) fn refuse_waiters(&mut self, from: Key, out: &mut Vec<Action>) {
        for child in self
            .children
            .iter_mut(from)
            .filter(|child| child.life == Life::Down)
        {
            let waiters = std::mem::take(&mut child.up_waiters);
            reply_all(waiters, &Reply::Error(RequestError::Stopped), out);
        }
    }

    /// Counts one failure and decides: give up, restart now, or restart later.
    ///
    /// `up_since` is known where the child had been up. A failed start is tried again by a timer
    /// even without a delay, so that other events get in between (OTP's `try_again_restart`).
    pub(super) fn on_failure(
        &mut self,
        now: Time,
        key: Key,
        up_since: Option<Time>,
        out: &mut Vec<Action>,
    ) {
        if !self.intensity.add(now) {
            let reason = ExitReason::Shutdown(Some(GAVE_UP.to_owned()));
            self.report(key, Context::Shutdown, reason, out);
            return self.begin_stopping(Ending::Exit(Cause::GaveUp), out);
        }
        let Some(child) = self.children.get_mut(key) else {
            return;
        };
        let backoff = child.spec.backoff.as_ref();
        let delay = child
            .attempts
            .delay(backoff, now, up_since, &mut self.jitter);
        out.push(Action::Restarting {
            child: child.spec.id.clone(),
            incarnation: child.incarnation,
            restarts: self.intensity.restarts(now),
            intensity: self.intensity.allowed(),
            period: self.intensity.period(),
            delay,
        });
        let alone = self.flags.strategy == Strategy::OneForOne;
        match (delay > Millis(0), up_since.is_some()) {
            (false, true) => self.restart(key, None, out),
            (true, _) if !alone => self.restart(key, Some(now + delay), out),
            (true, _) | (false, false) => self.wait(key, now + delay, out),
        }
    }

    fn wait(&mut self, key: Key, until: Time, out: &mut Vec<Action>) {
        let timer = self.set_timer(key, until, out);
        self.children.set_life(key, Life::Waiting { timer });
    }

    pub(super) fn on_backoff_over(&mut self, key: Key, out: &mut Vec<Action>) {
        self.children.set_life(key, Life::Down);
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
            Strategy::OneForOne => return self.start(key, StartCause::Restart, out),
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
        match self.phase {
            Phase::New
            | Phase::Ended
            | Phase::Active {
                announced: true,
                plan: None,
            } => {}
            Phase::Stopping { before, .. } => self.advance_stopping(now, before, out),
            Phase::Active {
                announced: false,
                plan: None,
            } => self.announce(out),
            Phase::Active {
                plan: Some(plan), ..
            } => {
                if self.advance_plan(now, plan, out) {
                    self.advance(now, out);
                }
            }
        }
    }

    fn announce(&mut self, out: &mut Vec<Action>) {
        self.phase = Phase::Active {
            announced: true,
            plan: None,
        };
        out.push(Action::Started);
    }

    /// One step of the plan; whether the next can be taken at once.
    fn advance_plan(&mut self, now: Time, mut plan: Plan, out: &mut Vec<Action>) -> bool {
        let (next, again) = match plan.step {
            Step::Stop { before } => match self.stop_next(now, plan.from, before, out) {
                Some(before) => (Some(Step::Stop { before }), false),
                None => (Some(self.after_stop(now, &plan, out)), true),
            },
            Step::Delay { waiting } => match self.children.get(waiting).map(|child| &child.life) {
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
        };
        if let Phase::Active { plan: slot, .. } = &mut self.phase {
            *slot = next.map(|step| {
                plan.step = step;
                plan
            });
        }
        again
    }

    fn after_stop(&mut self, now: Time, plan: &Plan, out: &mut Vec<Action>) -> Step {
        let start = Step::start(plan.from);
        let Some((key, until)) = plan.not_before.filter(|(_, until)| *until > now) else {
            return start;
        };
        let startable =
            |child: &super::child::Child| child.life == Life::Down && child.intent == Intent::Run;
        if !self.children.get(key).is_some_and(startable) {
            return start;
        }
        self.wait(key, until, out);
        Step::Delay { waiting: key }
    }

    fn is_starting(&self, key: Key) -> bool {
        self.children
            .get(key)
            .is_some_and(|child| matches!(child.life, Life::Starting { .. }))
    }

    /// Starts the next child that is down. Returns the child whose start is waited for.
    fn start_next(&mut self, mut at: Key, out: &mut Vec<Action>) -> Option<Key> {
        while let Some((key, child)) = self.children.at_or_after(at) {
            match (&child.life, child.intent) {
                (Life::Starting { .. }, _) => return Some(key),
                (Life::Down, Intent::Run) => {
                    self.start(key, StartCause::Sequence, out);
                    return Some(key);
                }
                (Life::Down, Intent::PassOver) => {
                    if let Some(child) = self.children.get_mut(key) {
                        child.intent = Intent::Run;
                    }
                }
                (Life::Waiting { timer }, _) => {
                    let timer = *timer;
                    self.clear_timer(timer, out);
                    self.start(key, StartCause::Sequence, out);
                    return Some(key);
                }
                (Life::Down, Intent::Held | Intent::Finished)
                | (Life::Up { .. } | Life::Stopping { .. }, _) => {}
            }
            at = key.next();
        }
        None
    }
}

pub(super) fn reply_all(
    waiters: Vec<crate::supervisor::Token>,
    reply: &Reply,
    out: &mut Vec<Action>,
) {
    for token in waiters {
        out.push(Action::Reply {
            token,
            reply: reply.clone(),
        });
    }
}

fn later(one: Option<(Key, Time)>, other: Option<(Key, Time)>) -> Option<(Key, Time)> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if one.1 > other.1 { one } else { other }),
        (one, other) => one.or(other),
    }
}
