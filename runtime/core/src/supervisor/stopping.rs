//! The way down, of a group and of the supervisor itself: OTP's `terminate_children`.

use crate::exit::ExitReason;
use crate::supervisor::child::{After, Intent, Life, StartCause};
use crate::supervisor::children::Key;
use crate::supervisor::machine::{Ending, Phase, Step, Supervisor};
use crate::supervisor::{Action, Cause};
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
        if !matches!(self.phase, Phase::Ended) {
            let ending = Ending::Exit(Cause::Killed);
            self.phase = Phase::Stopping {
                before: Key::END,
                ending,
            };
            self.roster.kill_all(out);
        }
    }

    pub(super) fn advance_stopping(&mut self, now: Time, before: Key, out: &mut Vec<Action>) {
        let waits_at = self.stop_next(now, Key::FIRST, before, out);
        let Phase::Stopping { before, ending } = &mut self.phase else {
            return;
        };
        if let Some(place) = waits_at {
            *before = place;
            return;
        }
        self.roster.refuse_waiters(Key::FIRST, out);
        out.push(match ending {
            Ending::StartFailed(error) => Action::StartFailed(error.clone()),
            Ending::Exit(cause) => Action::Exit {
                reason: reason_of(*cause),
                cause: *cause,
            },
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
        while let Some((key, child)) = self.roster.children.last_between(from, before) {
            match child.life {
                Life::Starting { .. } | Life::Up { .. } => {
                    self.roster.stop(now, key, After::Rest, out);
                    return Some(key.next());
                }
                Life::Stopping { .. } => {
                    self.roster.set_after(key, After::Rest, out);
                    return Some(key.next());
                }
                Life::Waiting { .. } => self.roster.end_waiting(key, out),
                Life::Down => {}
            }
            before = key;
        }
        None
    }

    /// Whether the child is up only because its turn to be stopped has not come.
    pub(super) fn will_stop(&self, key: Key) -> bool {
        match &self.phase {
            Phase::Stopping { .. } => true,
            Phase::Active {
                plan: Some(plan), ..
            } => match plan.step {
                Step::Stop { before } => key >= plan.from && key < before,
                Step::Delay { .. } | Step::Start { .. } | Step::AwaitAll { .. } => false,
            },
            Phase::New | Phase::Active { plan: None, .. } | Phase::Ended => false,
        }
    }

    /// A child that was stopped, or died before its turn to be, is gone.
    pub(super) fn gone(&mut self, key: Key, reason: Option<ExitReason>, out: &mut Vec<Action>) {
        let active = matches!(self.phase, Phase::Active { .. });
        match self.roster.gone(key, reason, out) {
            After::Start if active => self.roster.start(key, StartCause::Request, out),
            After::Start | After::Rest => self.forget_temporary(key, out),
        }
    }

    /// OTP forgets a temporary child that is down; an operator's stop and a declared one stay.
    pub(super) fn forget_temporary(&mut self, key: Key, out: &mut Vec<Action>) {
        let Some(child) = self.roster.children.get_mut(key) else {
            return;
        };
        if !child.is_temporary() || child.intent == Intent::Held {
            return;
        }
        if child.spec.remember {
            child.intent = Intent::Finished;
        } else {
            self.roster.forget(key, out);
        }
    }
}

pub(super) const fn reason_of(cause: Cause) -> ExitReason {
    match cause {
        Cause::Killed => ExitReason::Killed,
        Cause::Told | Cause::GaveUp | Cause::AutoShutdown => ExitReason::Shutdown(None),
    }
}
