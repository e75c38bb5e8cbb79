//! The supervisor with specs: its state, and what each event does to it.
//!
//! Every child has a life of its own ([`Life`]); a [`Plan`] walks over several of them in order.
//! The parts are in the modules beside this one: starts and restarts in `sequence`, the way down
//! in `stopping`, requests in `admin`.

use std::collections::VecDeque;

use crate::exit::ExitReason;
use crate::spec::{AutoShutdown, OnExhausted};
use crate::supervisor::child::{Child, Life};
use crate::supervisor::children::Key;
use crate::supervisor::roster::{Roster, verdict};
use crate::supervisor::{
    Action, Cause, ChildInfo, ChildSpec, CodeChange, Context, Counts, Event, Flags, Intensity,
    SpecError, StartError, Token, WhyDown,
};
use crate::time::Time;

/// A supervisor of the strategies with specs. See the module for how to drive it.
#[derive(Clone, Debug)]
pub struct Supervisor {
    pub(super) flags: Flags,
    pub(super) roster: Roster,
    pub(super) phase: Phase,
    /// Changes that wait for the end of a plan, each with who is told of it.
    pub(super) changes: VecDeque<(Token, CodeChange)>,
}

/// Where the supervisor is in its own life.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Not told to start.
    New,
    /// Coming up, or up: `announced` once the parent knows that it is.
    Active { announced: bool, plan: Option<Plan> },
    /// Going down: the children before this place are still to be stopped.
    Stopping { before: Key, ending: Ending },
    /// Everything is gone.
    Ended,
}

/// How the end of the supervisor is told.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    Exit(Cause),
    StartFailed(StartError),
}

/// A walk over all children at or behind `from`: stopped in reverse, then started in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) from: Key,
    pub(super) step: Step,
    /// The child whose failure began it, and the earliest time of its next start.
    pub(super) not_before: Option<(Key, Time)>,
}

/// Where a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Children before this place are still to be stopped.
    Stop { before: Key },
    /// All are down; this child's backoff runs.
    Delay { waiting: Key },
    /// Children from this place on are still to be started, once this one's start is over.
    Start { at: Key, current: Option<Key> },
    /// All were started at once; children from this place on may still be at it.
    AwaitAll { from: Key },
}

impl Step {
    pub(super) const fn start(at: Key) -> Self {
        Self::Start { at, current: None }
    }
}

impl Supervisor {
    /// A supervisor at `path` with these children in start order. `seed` is for the jitter of
    /// backoffs.
    ///
    /// # Errors
    /// [`SpecError`] names the flag that does not fit the strategy, or the first child spec that
    /// is not valid.
    pub fn new(
        path: impl Into<String>,
        flags: Flags,
        children: Vec<ChildSpec>,
        seed: u64,
    ) -> Result<Self, SpecError> {
        flags.check(&children)?;
        let intensity = Intensity::new(flags.intensity, flags.period);
        let mut roster = Roster::new(path.into(), intensity, seed);
        for spec in children {
            roster.children.push(Child::new(spec, flags.budget()));
        }
        Ok(Self {
            flags,
            roster,
            phase: Phase::New,
            changes: VecDeque::new(),
        })
    }

    /// Takes one event and adds what is to be done to `out`, in order.
    pub fn handle(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Start => self.on_start(out),
            Event::ChildStarted { child, incarnation } => {
                if let Some(key) = self.roster.current(&child, incarnation) {
                    self.roster.started(now, key, out);
                }
            }
            Event::ChildIgnored { child, incarnation } => {
                if let Some(key) = self.roster.current(&child, incarnation) {
                    self.on_ignored(key, out);
                }
            }
            Event::ChildStartFailed {
                child,
                incarnation,
                error,
            } => {
                if let Some(key) = self.roster.current(&child, incarnation) {
                    self.on_start_failed(now, key, error, out);
                }
            }
            Event::ChildExited {
                child,
                incarnation,
                reason,
            } => {
                if let Some(key) = self.roster.current(&child, incarnation) {
                    self.on_exited(now, key, reason, out);
                }
            }
            Event::Timer(id) => {
                if let Some(key) = self.roster.on_timer(id, out) {
                    self.on_wait_over(key, out);
                }
            }
            Event::Request { token, request } => self.on_request(now, token, request, out),
            Event::Stop => self.begin_stopping(Ending::Exit(Cause::Told), out),
            Event::Kill => self.kill_all(out),
        }
        self.advance(now, out);
        self.make_changes(out);
    }

    /// The children in start order.
    pub fn children(&self) -> impl DoubleEndedIterator<Item = ChildInfo> {
        self.roster.children.iter().map(info)
    }

    /// OTP's `count_children`.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.roster.children.counts()
    }

    /// The flags that it was made with.
    #[must_use]
    pub const fn flags(&self) -> &Flags {
        &self.flags
    }

    /// Restarts that count against the intensity at this time; where each child has its own
    /// budget, those of the child that is nearest to its end.
    #[must_use]
    pub fn restarts_in_period(&self, now: Time) -> u32 {
        let own = |child: &Child| Some(child.budget.as_ref()?.restarts(now));
        match self.flags.on_exhausted {
            OnExhausted::Escalate => self.roster.intensity.restarts(now),
            OnExhausted::Park => {
                let all = self.roster.children.iter().filter_map(own);
                all.max().unwrap_or(0)
            }
        }
    }

    /// Whether every child has come up once and the parent has been told.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(
            self.phase,
            Phase::Active {
                announced: true,
                ..
            }
        )
    }

    /// Whether it is over: after `Exit` or `StartFailed`.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    fn on_start(&mut self, out: &mut Vec<Action>) {
        // A second start has no effect: the shell says it once.
        if matches!(self.phase, Phase::New) {
            let plan = Plan {
                from: Key::FIRST,
                step: self.first_step(out),
                not_before: None,
            };
            self.phase = Phase::Active {
                announced: false,
                plan: Some(plan),
            };
        }
    }

    fn on_exited(&mut self, now: Time, key: Key, reason: ExitReason, out: &mut Vec<Action>) {
        match self.roster.life(key) {
            Some(Life::Starting { .. }) => {
                self.on_start_failed(now, key, StartError::new(reason), out);
            }
            Some(Life::Stopping { .. }) => self.gone(key, Some(reason), out),
            Some(Life::Up { .. }) if self.will_stop(key) => self.gone(key, Some(reason), out),
            Some(Life::Up { since }) => {
                let since = *since;
                self.on_ended_by_itself(now, key, since, reason, out);
            }
            // No incarnation that could exit: `Roster::current` has sorted these out.
            Some(Life::Down | Life::Waiting { .. }) | None => {}
        }
    }

    /// OTP's `do_restart`: the restart type against the reason.
    fn on_ended_by_itself(
        &mut self,
        now: Time,
        key: Key,
        since: Time,
        reason: ExitReason,
        out: &mut Vec<Action>,
    ) {
        let Some(child) = self.roster.children.get(key) else {
            return;
        };
        let (again, reported) = verdict(child.spec.restart, &reason);
        let significant = child.spec.significant;
        if reported {
            self.roster
                .report(key, Context::ChildTerminated, reason.clone(), out);
        }
        self.roster.children.set_life(key, Life::Down);
        if again {
            self.on_failure(now, key, Some(since), reason, out);
        } else {
            self.roster
                .stays_down(key, reason, WhyDown::RestartType, out);
            self.forget_temporary(key, out);
            self.auto_shutdown(significant, out);
        }
    }

    pub(super) fn auto_shutdown(&mut self, significant: bool, out: &mut Vec<Action>) {
        let none_left = self.roster.children.significant_live() == 0;
        let over = match self.flags.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => significant,
            AutoShutdown::AllSignificant => significant && none_left,
        };
        if over {
            self.begin_stopping(Ending::Exit(Cause::AutoShutdown), out);
        }
    }
}

pub(super) fn info(child: &Child) -> ChildInfo {
    ChildInfo {
        id: child.spec.id.clone(),
        state: child.state(),
        kind: child.spec.kind,
        incarnation: child.incarnation,
    }
}
