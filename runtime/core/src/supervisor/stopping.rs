//! The end of children and of the supervisor: OTP's `shutdown` and `terminate_children`.

use crate::exit::ExitReason;
use crate::spec::{Restart, Shutdown};
use crate::supervisor::child::{After, Intent, Life, StartCause};
use crate::supervisor::children::Key;
use crate::supervisor::machine::{Ending, Phase, Step, Supervisor};
use crate::supervisor::sequence::reply_all;
use crate::supervisor::{Action, Cause, ChildSpec, Context, Reply, RequestError};
use crate::time::Time;

impl Supervisor {
    /// Begins to go down, for whatever reason. The first reason stays.
    pub(super) fn begin_stopping(&mut self, ending: Ending, out: &mut Vec<Action>) {
        match (&self.phase, &ending) {
            (Phase::Stopping { .. } | Phase::Ended, _) => return,
            // In OTP these are decided after the start is over; so the parent must not take them
            // for a failed start, which it would treat otherwise.
            (
                Phase::Active {
                    announced: false, ..
                },
                Ending::Exit(Cause::GaveUp | Cause::AutoShutdown),
            ) => out.push(Action::Started),
            (Phase::New | Phase::Active { .. }, _) => {}
        }
        self.phase = Phase::Stopping {
            before: Key::END,
            ending,
        };
    }

    /// Kills every child at once, in no order, and waits for their ends.
    pub(super) fn kill_all(&mut self, out: &mut Vec<Action>) {
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        self.phase = Phase::Stopping {
            before: Key::END,
            ending: Ending::Exit(Cause::Killed),
        };
        for child in self
            .children
            .iter_mut(Key::FIRST)
            .filter(|child| child.life.is_alive())
        {
            out.push(Action::Kill {
                child: child.spec.id.clone(),
                incarnation: child.incarnation,
            });
            // One that is alive stays alive, so that no count changes.
            let timer = match child.life {
                Life::Stopping { timer, .. } => timer,
                _ => None,
            };
            child.life = Life::Stopping {
                timer,
                killed: true,
                after: After::Rest,
            };
        }
    }

    pub(super) fn advance_stopping(&mut self, now: Time, before: Key, out: &mut Vec<Action>) {
        let next = self.stop_next(now, Key::FIRST, before, out);
        let Phase::Stopping { before, .. } = &mut self.phase else {
            return;
        };
        if let Some(next) = next {
            *before = next;
            return;
        }
        self.refuse_waiters(Key::FIRST, out);
        let Phase::Stopping { ending, .. } = &mut self.phase else {
            return;
        };
        out.push(match ending {
            Ending::Exit(cause) => {
                let reason = match cause {
                    Cause::Killed => ExitReason::Killed,
                    Cause::Told | Cause::GaveUp | Cause::AutoShutdown => ExitReason::Shutdown(None),
                };
                Action::Exit {
                    reason,
                    cause: *cause,
                }
            }
            Ending::StartFailed(error) => Action::StartFailed(error.clone()),
        });
        self.phase = Phase::Ended;
    }

    /// Stops the last child that is not down between the places. Returns the place where the
    /// walk waits; `None` when all are down.
    pub(super) fn stop_next(
        &mut self,
        now: Time,
        from: Key,
        mut before: Key,
        out: &mut Vec<Action>,
    ) -> Option<Key> {
        while let Some((key, child)) = self.children.last_between(from, before) {
            match child.life {
                Life::Starting { .. } | Life::Up { .. } => {
                    self.stop_child(now, key, After::Rest, out);
                    return Some(key.next());
                }
                Life::Stopping { .. } => {
                    self.set_after(key, After::Rest, out);
                    return Some(key.next());
                }
                Life::Waiting { .. } => self.end_waiting(key, out),
                Life::Down => {}
            }
            before = key;
        }
        None
    }

    /// Tells a live child to end, by its own shutdown rule.
    pub(super) fn stop_child(&mut self, now: Time, key: Key, after: After, out: &mut Vec<Action>) {
        let Some(child) = self.children.get_mut(key) else {
            return;
        };
        let waiters = std::mem::take(&mut child.up_waiters);
        reply_all(waiters, &Reply::Error(RequestError::Stopped), out);
        let (id, incarnation) = (child.spec.id.clone(), child.incarnation);
        let shutdown = child.spec.shutdown;
        let killed = shutdown == Shutdown::BrutalKill;
        out.push(if killed {
            Action::Kill {
                child: id,
                incarnation,
            }
        } else {
            Action::Stop {
                child: id,
                incarnation,
                shutdown,
            }
        });
        let timer = match shutdown {
            Shutdown::Timeout(span) => Some(self.set_timer(key, now + span, out)),
            Shutdown::BrutalKill | Shutdown::Infinity => None,
        };
        self.children.set_life(
            key,
            Life::Stopping {
                timer,
                killed,
                after,
            },
        );
    }

    /// Changes what happens behind a stop that is under way.
    pub(super) fn set_after(&mut self, key: Key, next: After, out: &mut Vec<Action>) {
        let Some(child) = self.children.get_mut(key) else {
            return;
        };
        let Life::Stopping { after, .. } = &mut child.life else {
            return;
        };
        *after = next;
        if next == After::Rest {
            let waiters = std::mem::take(&mut child.up_waiters);
            reply_all(waiters, &Reply::Error(RequestError::Stopped), out);
        }
    }

    /// Ends the wait for a restart; the child is down.
    pub(super) fn end_waiting(&mut self, key: Key, out: &mut Vec<Action>) {
        if let Some(Life::Waiting { timer }) = self.children.set_life(key, Life::Down) {
            self.clear_timer(timer, out);
        }
    }

    /// Whether the child is up only because its turn to be stopped has not come.
    pub(super) fn will_stop(&self, key: Key) -> bool {
        match &self.phase {
            Phase::Stopping { .. } => true,
            Phase::Active {
                plan: Some(plan), ..
            } => match plan.step {
                Step::Stop { before } => key >= plan.from && key < before,
                Step::Delay { .. } | Step::Start { .. } => false,
            },
            Phase::New | Phase::Active { plan: None, .. } | Phase::Ended => false,
        }
    }

    /// A child that was stopped, or died before its turn to be, is gone.
    pub(super) fn gone(&mut self, key: Key, reason: &ExitReason, out: &mut Vec<Action>) {
        let Some(child) = self.children.get_mut(key) else {
            return;
        };
        let waiters = std::mem::take(&mut child.down_waiters);
        if !is_expected(&child.spec, reason) {
            self.report(key, Context::ShutdownError, reason.clone(), out);
        }
        let mut then = After::Rest;
        if let Some(Life::Stopping { timer, after, .. }) = self.children.set_life(key, Life::Down) {
            then = after;
            if let Some(timer) = timer {
                self.clear_timer(timer, out);
            }
        }
        reply_all(waiters, &Reply::Ok, out);
        match then {
            After::Start if matches!(self.phase, Phase::Active { .. }) => {
                self.start(key, StartCause::Request, out);
            }
            After::Start | After::Rest => self.forget_temporary(key, out),
        }
    }

    /// OTP forgets a temporary child that is down; an operator's stop and a declared one stay.
    pub(super) fn forget_temporary(&mut self, key: Key, out: &mut Vec<Action>) {
        let Some(child) = self.children.get_mut(key) else {
            return;
        };
        if !child.is_temporary() || child.intent == Intent::Held {
            return;
        }
        if child.spec.remember {
            child.intent = Intent::Finished;
        } else {
            self.forget(key, out);
        }
    }

    pub(super) fn forget(&mut self, key: Key, out: &mut Vec<Action>) {
        if let Some(child) = self.children.remove(key) {
            out.push(Action::Forgotten(child.spec.id));
        }
    }
}

/// Whether a stopped child ended as it should (OTP's `shutdown/1`).
fn is_expected(spec: &ChildSpec, reason: &ExitReason) -> bool {
    let exact = match spec.shutdown {
        Shutdown::BrutalKill => *reason == ExitReason::Killed,
        Shutdown::Timeout(_) | Shutdown::Infinity => *reason == ExitReason::Shutdown(None),
    };
    exact || (spec.restart != Restart::Permanent && reason.is_clean())
}
