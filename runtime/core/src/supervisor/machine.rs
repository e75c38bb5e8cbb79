//! The supervisor: its state, and what each event does to it.
//!
//! Every child has a life of its own ([`Life`]); a [`Plan`] walks over several of them in order.
//! The parts are in the modules beside this one: starts and restarts in `sequence`, the end of
//! children and of the supervisor in `stopping`, requests in `admin`.

use std::collections::{HashMap, HashSet};

use thiserror::Error;

use crate::exit::ExitReason;
use crate::spec::{AutoShutdown, Restart, Strategy, SupervisorSpec};
use crate::supervisor::backoff::Jitter;
use crate::supervisor::child::{Child, Life, StartCause};
use crate::supervisor::children::{Children, Key};
use crate::supervisor::{
    Action, Cause, ChildId, ChildInfo, ChildSpec, Context, Counts, CrashReport, Event, Intensity,
    Offender, StartError, TimerId,
};
use crate::time::{Millis, Time};

/// OTP's supervisor flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Which siblings a crash concerns.
    pub strategy: Strategy,
    /// More restarts than this within the period, and it gives up.
    pub intensity: u32,
    /// The window of the intensity.
    pub period: Millis,
    /// Whether the end of significant children ends it.
    pub auto_shutdown: AutoShutdown,
}

impl Default for Flags {
    /// OTP's: `one_for_one`, 1 restart in 5 s.
    fn default() -> Self {
        Self {
            strategy: Strategy::OneForOne,
            intensity: 1,
            period: Millis::from_secs(5),
            auto_shutdown: AutoShutdown::Never,
        }
    }
}

impl From<&SupervisorSpec> for Flags {
    fn from(spec: &SupervisorSpec) -> Self {
        Self {
            strategy: spec.strategy,
            intensity: spec.intensity,
            period: spec.period,
            auto_shutdown: spec.auto_shutdown,
        }
    }
}

/// Why a child spec is not valid (OTP's `check_childspecs`; the other cases cannot be written).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecError {
    /// Two children of one supervisor have this id.
    #[error("duplicate_child_name: {0}")]
    DuplicateChildName(ChildId),
    /// A permanent child is always restarted, so its end cannot be significant; and under
    /// `auto_shutdown = never` nobody's is.
    #[error("bad_combination: {0} is significant")]
    BadSignificant(ChildId),
}

/// A supervisor of the strategies with specs. See the module for how to drive it.
#[derive(Clone, Debug)]
pub struct Supervisor {
    pub(super) path: String,
    pub(super) flags: Flags,
    pub(super) children: Children,
    pub(super) intensity: Intensity,
    pub(super) jitter: Jitter,
    pub(super) phase: Phase,
    pub(super) timers: HashMap<TimerId, Key>,
    pub(super) next_timer: u64,
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
    /// [`SpecError`] names the first child spec that is not valid.
    pub fn new(
        path: impl Into<String>,
        flags: Flags,
        children: Vec<ChildSpec>,
        seed: u64,
    ) -> Result<Self, SpecError> {
        let mut ids = HashSet::with_capacity(children.len());
        let mut table = Children::default();
        for spec in children {
            check_spec(&spec, flags.auto_shutdown)?;
            if !ids.insert(spec.id.clone()) {
                return Err(SpecError::DuplicateChildName(spec.id));
            }
            table.push(Child::new(spec));
        }
        Ok(Self {
            path: path.into(),
            flags,
            children: table,
            intensity: Intensity::new(flags.intensity, flags.period),
            jitter: Jitter::new(seed),
            phase: Phase::New,
            timers: HashMap::new(),
            next_timer: 0,
        })
    }

    /// Takes one event and adds what is to be done to `out`, in order.
    pub fn handle(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Start => self.on_start(),
            Event::ChildStarted { child, incarnation } => {
                if let Some(key) = self.current(&child, incarnation) {
                    self.on_started(now, key, out);
                }
            }
            Event::ChildIgnored { child, incarnation } => {
                if let Some(key) = self.current(&child, incarnation) {
                    self.on_ignored(key, out);
                }
            }
            Event::ChildStartFailed {
                child,
                incarnation,
                error,
            } => {
                if let Some(key) = self.current(&child, incarnation) {
                    self.on_start_failed(now, key, error, out);
                }
            }
            Event::ChildExited {
                child,
                incarnation,
                reason,
            } => {
                if let Some(key) = self.current(&child, incarnation) {
                    self.on_exited(now, key, reason, out);
                }
            }
            Event::Timer(id) => self.on_timer(id, out),
            Event::Request { token, request } => self.on_request(now, token, request, out),
            Event::Stop => self.begin_stopping(Ending::Exit(Cause::Told), out),
            Event::Kill => self.kill_all(out),
        }
        self.advance(now, out);
    }

    /// The children in start order.
    pub fn children(&self) -> impl DoubleEndedIterator<Item = ChildInfo> {
        self.children.iter().map(info)
    }

    /// OTP's `count_children`.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.children.counts()
    }

    /// The flags that it was made with.
    #[must_use]
    pub const fn flags(&self) -> &Flags {
        &self.flags
    }

    /// Restarts that count against the intensity at this time.
    #[must_use]
    pub fn restarts_in_period(&self, now: Time) -> u32 {
        self.intensity.restarts(now)
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

    fn on_start(&mut self) {
        // A second start has no effect: the shell says it once.
        if matches!(self.phase, Phase::New) {
            let plan = Plan {
                from: Key::FIRST,
                step: Step::start(Key::FIRST),
                not_before: None,
            };
            self.phase = Phase::Active {
                announced: false,
                plan: Some(plan),
            };
        }
    }

    /// The child of a live incarnation; `None` for a stale event.
    fn current(&self, id: &ChildId, incarnation: u64) -> Option<Key> {
        let key = self.children.find(id)?;
        let child = self.children.get(key)?;
        (child.incarnation == incarnation && child.life.is_alive()).then_some(key)
    }

    fn on_exited(&mut self, now: Time, key: Key, reason: ExitReason, out: &mut Vec<Action>) {
        let Some(child) = self.children.get(key) else {
            return;
        };
        match child.life {
            Life::Starting { .. } => {
                self.on_start_failed(now, key, StartError::new(reason), out);
            }
            Life::Stopping { .. } => self.gone(key, &reason, out),
            Life::Up { .. } if self.will_stop(key) => self.gone(key, &reason, out),
            Life::Up { since } => self.on_ended_by_itself(now, key, since, reason, out),
            // `current` has sorted these out: there is no incarnation that could exit.
            Life::Down | Life::Waiting { .. } => {}
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
        let Some(child) = self.children.get(key) else {
            return;
        };
        let clean = reason.is_clean();
        let (again, reported) = match child.spec.restart {
            Restart::Permanent => (true, true),
            Restart::Transient => (!clean, !clean),
            Restart::Temporary => (false, !clean),
        };
        let significant = child.spec.significant;
        if reported {
            self.report(key, Context::ChildTerminated, reason, out);
        }
        self.children.set_life(key, Life::Down);
        if again {
            self.on_failure(now, key, Some(since), out);
        } else {
            self.forget_temporary(key, out);
            self.auto_shutdown(significant, out);
        }
    }

    fn auto_shutdown(&mut self, significant: bool, out: &mut Vec<Action>) {
        let over = match self.flags.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => significant,
            AutoShutdown::AllSignificant => significant && self.children.significant_live() == 0,
        };
        if over {
            self.begin_stopping(Ending::Exit(Cause::AutoShutdown), out);
        }
    }

    fn on_timer(&mut self, id: TimerId, out: &mut Vec<Action>) {
        let Some(key) = self.timers.remove(&id) else {
            return;
        };
        let Some(child) = self.children.get_mut(key) else {
            return;
        };
        match &mut child.life {
            Life::Stopping { timer, killed, .. } => {
                *timer = None;
                *killed = true;
                out.push(Action::Kill {
                    child: child.spec.id.clone(),
                    incarnation: child.incarnation,
                });
            }
            Life::Waiting { .. } => self.on_backoff_over(key, out),
            // The timers of these lives were cleared and removed when they were left.
            Life::Down | Life::Starting { .. } | Life::Up { .. } => {}
        }
    }

    pub(super) fn set_timer(&mut self, key: Key, at: Time, out: &mut Vec<Action>) -> TimerId {
        let id = TimerId(self.next_timer);
        self.next_timer += 1;
        self.timers.insert(id, key);
        out.push(Action::SetTimer { id, at });
        id
    }

    pub(super) fn clear_timer(&mut self, id: TimerId, out: &mut Vec<Action>) {
        if self.timers.remove(&id).is_some() {
            out.push(Action::ClearTimer(id));
        }
    }

    pub(super) fn report(
        &self,
        key: Key,
        context: Context,
        reason: ExitReason,
        out: &mut Vec<Action>,
    ) {
        let Some(child) = self.children.get(key) else {
            return;
        };
        out.push(Action::Report(CrashReport {
            supervisor: self.path.clone(),
            context,
            reason,
            offender: Offender::new(&child.spec, child.incarnation),
        }));
    }

    /// Begins the next incarnation of a child that has none.
    pub(super) fn start(&mut self, key: Key, cause: StartCause, out: &mut Vec<Action>) {
        let Some(child) = self.children.get_mut(key) else {
            return;
        };
        let restart = child.incarnation > 0;
        child.incarnation += 1;
        out.push(Action::Start {
            child: child.spec.id.clone(),
            incarnation: child.incarnation,
            restart,
        });
        self.children.set_life(key, Life::Starting { cause });
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

pub(super) fn check_spec(spec: &ChildSpec, auto_shutdown: AutoShutdown) -> Result<(), SpecError> {
    let may_be_significant =
        spec.restart != Restart::Permanent && auto_shutdown != AutoShutdown::Never;
    if spec.significant && !may_be_significant {
        return Err(SpecError::BadSignificant(spec.id.clone()));
    }
    Ok(())
}
