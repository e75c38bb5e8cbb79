//! Children that come and go: OTP's `simple_one_for_one` and Elixir's `DynamicSupervisor`.
//!
//! Always one for one. A child that is over is forgotten, so nothing here is kept for long; on
//! the way down all children are stopped at once, each by its own shutdown rule.

use crate::exit::ExitReason;
use crate::supervisor::child::{After, Child, Life, StartCause};
use crate::supervisor::children::Key;
use crate::supervisor::machine::info;
use crate::supervisor::roster::{Roster, verdict};
use crate::supervisor::stopping::reason_of;
use crate::supervisor::{
    Action, Cause, ChildId, ChildInfo, ChildSpec, Context, Counts, Event, Flags, Intensity, Reply,
    Request, RequestError, StartError, Token, WhyDown,
};
use crate::time::{Millis, Time};

/// The flags of a dynamic supervisor.
#[derive(Clone, Debug, PartialEq)]
pub struct DynamicFlags {
    /// More restarts than this within the period, and it gives up.
    pub intensity: u32,
    /// The window of the intensity.
    pub period: Millis,
    /// More children than this are refused; those about to be restarted count (Elixir).
    pub max_children: usize,
    /// With a template every child is made after it, and only its id is its own (OTP's
    /// `simple_one_for_one`); without one each child brings its spec (Elixir).
    pub template: Option<ChildSpec>,
}

impl Default for DynamicFlags {
    /// Elixir's: 3 restarts in 5 s, as many children as there may be.
    fn default() -> Self {
        Self {
            intensity: 3,
            period: Millis::from_secs(5),
            max_children: usize::MAX,
            template: None,
        }
    }
}

/// A supervisor of children that come and go.
#[derive(Clone, Debug)]
pub struct DynamicSupervisor {
    pub(super) flags: DynamicFlags,
    pub(super) roster: Roster,
    phase: Phase,
}

/// Where the supervisor is in its own life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    New,
    Up,
    Stopping(Cause),
    Ended,
}

impl DynamicSupervisor {
    /// A supervisor at `path` without children. `seed` is for the jitter of backoffs.
    #[must_use]
    pub fn new(path: impl Into<String>, flags: DynamicFlags, seed: u64) -> Self {
        let intensity = Intensity::new(flags.intensity, flags.period);
        let roster = Roster::new(path.into(), intensity, seed);
        Self {
            flags,
            roster,
            phase: Phase::New,
        }
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
                    self.roster.answer_up(key, &Reply::Ignored, out);
                    self.gone(key, None, out);
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
                let key = self.roster.on_timer(id, out);
                if let Some(key) = key.and_then(|key| self.roster.children.move_to_end(key)) {
                    self.roster.start(key, StartCause::Restart, out);
                }
            }
            Event::Request { token, request } => self.on_request(now, token, request, out),
            Event::Stop => self.begin_stopping(now, Cause::Told, out),
            Event::Kill => self.kill_all(out),
        }
        self.end_if_empty(out);
    }

    /// The children, oldest incarnation first.
    pub fn children(&self) -> impl DoubleEndedIterator<Item = ChildInfo> {
        self.roster.children.iter().map(info)
    }

    /// OTP's `count_children`: with a template there is one spec, whatever the children.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        let mut counts = self.roster.children.counts();
        if self.flags.template.is_some() {
            counts.specs = 1;
        }
        counts
    }

    /// The flags that it was made with.
    #[must_use]
    pub const fn flags(&self) -> &DynamicFlags {
        &self.flags
    }

    /// Whether it has been started and is not going down.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up)
    }

    /// Restarts that count against the intensity at this time.
    #[must_use]
    pub fn restarts_in_period(&self, now: Time) -> u32 {
        self.roster.intensity.restarts(now)
    }

    /// Whether it is over: after `Exit`.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    fn on_start(&mut self, out: &mut Vec<Action>) {
        if self.phase == Phase::New {
            self.phase = Phase::Up;
            out.push(Action::Started);
        }
    }

    fn on_start_failed(&mut self, now: Time, key: Key, error: StartError, out: &mut Vec<Action>) {
        let refusal = Reply::Error(RequestError::StartFailed(error.clone()));
        self.roster.answer_up(key, &refusal, out);
        match self.roster.life(key) {
            Some(Life::Starting {
                cause: StartCause::Restart,
            }) if self.phase == Phase::Up => {
                self.roster.children.set_life(key, Life::Down);
                self.roster
                    .report(key, Context::StartError, error.reason, out);
                self.on_failure(now, key, None, out);
            }
            _ => self.gone(key, None, out),
        }
    }

    fn on_exited(&mut self, now: Time, key: Key, reason: ExitReason, out: &mut Vec<Action>) {
        let Some(child) = self.roster.children.get(key) else {
            return;
        };
        match child.life {
            Life::Starting { .. } => self.on_start_failed(now, key, StartError::new(reason), out),
            Life::Up { since } if self.phase == Phase::Up => {
                let (again, reported) = verdict(child.spec.restart, &reason);
                if reported {
                    self.roster
                        .report(key, Context::ChildTerminated, reason.clone(), out);
                }
                self.roster.children.set_life(key, Life::Down);
                if again {
                    self.on_failure(now, key, Some(since), out);
                } else {
                    self.roster
                        .stays_down(key, reason, WhyDown::RestartType, out);
                    self.roster.forget(key, out);
                }
            }
            Life::Up { .. } | Life::Stopping { .. } => self.gone(key, Some(reason), out),
            // No incarnation that could exit: `Roster::current` has sorted these out.
            Life::Down | Life::Waiting { .. } => {}
        }
    }

    fn on_failure(&mut self, now: Time, key: Key, up_since: Option<Time>, out: &mut Vec<Action>) {
        match self.roster.count_failure(now, key, up_since, out) {
            None => self.begin_stopping(now, Cause::GaveUp, out),
            // At once, as in OTP; a failed start waits its turn behind what else has come.
            Some(Millis(0)) if up_since.is_some() => {
                if let Some(key) = self.roster.children.move_to_end(key) {
                    self.roster.start(key, StartCause::Restart, out);
                }
            }
            Some(delay) => self.roster.wait(key, now + delay, out),
        }
    }

    fn gone(&mut self, key: Key, reason: Option<ExitReason>, out: &mut Vec<Action>) {
        match self.roster.gone(key, reason, out) {
            After::Start if self.phase == Phase::Up => {
                self.roster.start(key, StartCause::Restart, out);
            }
            After::Start | After::Rest => self.roster.forget(key, out),
        }
    }

    fn begin_stopping(&mut self, now: Time, cause: Cause, out: &mut Vec<Action>) {
        if matches!(self.phase, Phase::Stopping(_) | Phase::Ended) {
            return;
        }
        self.phase = Phase::Stopping(cause);
        let mut at = Key::FIRST;
        while let Some((key, child)) = self.roster.children.at_or_after(at) {
            match child.life {
                Life::Starting { .. } | Life::Up { .. } => {
                    self.roster.stop(now, key, After::Rest, out);
                }
                Life::Stopping { .. } => self.roster.set_after(key, After::Rest, out),
                Life::Waiting { .. } | Life::Down => {
                    self.roster.end_waiting(key, out);
                    self.roster.forget(key, out);
                }
            }
            at = key.next();
        }
    }

    fn kill_all(&mut self, out: &mut Vec<Action>) {
        if self.phase != Phase::Ended {
            self.phase = Phase::Stopping(Cause::Killed);
            self.roster.kill_all(out);
        }
    }

    fn end_if_empty(&mut self, out: &mut Vec<Action>) {
        if let Phase::Stopping(cause) = self.phase
            && self.roster.children.counts().active == 0
        {
            self.phase = Phase::Ended;
            out.push(Action::Exit {
                reason: reason_of(cause),
                cause,
            });
        }
    }

    fn on_request(&mut self, now: Time, token: Token, request: Request, out: &mut Vec<Action>) {
        let reply = match request {
            Request::WhichChildren => Some(Reply::Children(
                self.roster.children.iter().rev().map(info).collect(),
            )),
            Request::WhichChild(id) => Some(self.which_child(&id)),
            Request::CountChildren => Some(Reply::Counts(self.counts())),
            Request::GetChildspec(id) => Some(self.get_childspec(&id)),
            _ if self.phase != Phase::Up => Some(Reply::Error(RequestError::ShuttingDown)),
            Request::CodeChange(change) => Some(self.change_code(*change)),
            Request::StartChild(spec) => self.start_child(token, spec, out),
            Request::TerminateChild(id) => self.terminate_child(now, token, &id, out),
            Request::DeleteChild(_)
            | Request::RestartChild(_)
            | Request::OperatorStop(_)
            | Request::OperatorStart(_)
            | Request::OperatorRestart(_) => Some(Reply::Error(RequestError::SimpleOneForOne)),
        };
        if let Some(reply) = reply {
            out.push(Action::Reply { token, reply });
        }
    }

    fn get_childspec(&self, id: &ChildId) -> Reply {
        let child = self.child(id);
        child.map_or(Reply::Error(RequestError::NotFound), |child| {
            Reply::Spec(Box::new(child.spec.clone()))
        })
    }

    fn which_child(&self, id: &ChildId) -> Reply {
        let child = self.child(id);
        child.map_or(Reply::Error(RequestError::NotFound), |child| {
            Reply::Child(info(child))
        })
    }

    fn child(&self, id: &ChildId) -> Option<&Child> {
        let key = self.roster.children.find(id)?;
        self.roster.children.get(key)
    }

    fn start_child(
        &mut self,
        token: Token,
        spec: ChildSpec,
        out: &mut Vec<Action>,
    ) -> Option<Reply> {
        if let Some(key) = self.roster.children.find(&spec.id) {
            return Some(Reply::Error(match self.roster.life(key) {
                Some(life) if life.is_alive() => RequestError::AlreadyStarted,
                _ => RequestError::AlreadyPresent,
            }));
        }
        if self.roster.children.len() >= self.flags.max_children {
            return Some(Reply::Error(RequestError::MaxChildren));
        }
        let spec = match &self.flags.template {
            None => spec,
            Some(template) => after_template(template, &spec),
        };
        // OTP and Elixir: nobody is significant to a supervisor without an auto-shutdown.
        if let Err(error) = Flags::default().check_spec(&spec) {
            return Some(Reply::Error(RequestError::InvalidSpec(error)));
        }
        let key = self.roster.children.push(Child::new(spec, None));
        self.roster.start(key, StartCause::Add, out);
        self.roster.wait_for_up(token, key)
    }

    fn terminate_child(
        &mut self,
        now: Time,
        token: Token,
        id: &ChildId,
        out: &mut Vec<Action>,
    ) -> Option<Reply> {
        let Some(key) = self.roster.children.find(id) else {
            return Some(Reply::Error(RequestError::NotFound));
        };
        match self.roster.life(key)? {
            Life::Starting { .. } | Life::Up { .. } => {
                self.roster.stop(now, key, After::Rest, out);
                self.roster.wait_for_down(token, key)
            }
            Life::Stopping { .. } => self.roster.wait_for_down(token, key),
            Life::Waiting { .. } | Life::Down => {
                self.roster.end_waiting(key, out);
                self.roster.forget(key, out);
                Some(Reply::Ok)
            }
        }
    }
}

/// What is the child's own, and all else from the template.
pub(super) fn after_template(template: &ChildSpec, own: &ChildSpec) -> ChildSpec {
    ChildSpec {
        id: own.id.clone(),
        last_incarnation: own.last_incarnation,
        ..template.clone()
    }
}
