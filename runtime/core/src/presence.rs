//! Whether an agent has a process: it gives an idle one back, and gets a new one with the next call.
//!
//! [`Presence`] is what its supervisor sees as one child. Within it processes come and go, each
//! judged by an [`Incarnation`]; a process that ends by itself ends the child, one that was given
//! back does not. It knows no call and no mailbox: the shell says that there is work, and that
//! there was none.

use crate::exit::ExitReason;
use crate::incarnation::{self, Incarnation};
use crate::spec::{AgentSpec, Shutdown, Start};
use crate::time::{Millis, Time};

/// How long a process that is given back may take to end. It has no run to finish, only its context
/// to close and its `atexit` functions to run, and calls may come that wait for its end.
pub const LEAVE_WITHIN_MAX: Millis = Millis(5_000);

/// What of a spec is decided by here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// When the first process is made.
    pub start: Start,
    /// How long a process may take to be ready.
    pub start_timeout: Millis,
    /// How long a process may be idle; `None` is for ever.
    pub hibernate_after: Option<Millis>,
    /// How a process is stopped.
    pub shutdown: Shutdown,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something of the present process, or a word of the supervisor.
    Process(incarnation::Event),
    /// A call waits that no process takes. Legal while it is away, and of no effect otherwise.
    Wanted,
    /// The timer of [`Action::WatchUntil`] rang.
    WatchOver,
    /// The answer to [`Action::Retire`]: from now on no call reaches the process.
    Retired,
    /// The other answer: it has a call, or had one at this time.
    Used(Time),
    /// The answer to [`Action::WrapUp`]: nothing of the process is left.
    WrappedUp,
}

impl From<incarnation::Event> for Event {
    fn from(event: incarnation::Event) -> Self {
        Self::Process(event)
    }
}

/// What the shell must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Begin an incarnation: make its process.
    Spawn,
    /// What the present incarnation asks for; never [`incarnation::Action::ReportExit`].
    Process(incarnation::Action),
    /// Tell the supervisor that the child is up. Said once.
    ReportStarted,
    /// Say [`Event::WatchOver`] at this time; replaces an earlier one.
    WatchUntil(Time),
    /// Take the process from the mailbox, unless it has a call or had one after this time. Both in
    /// one step: a call that comes later waits for the next process. Answered at once.
    Retire {
        /// What came after it is a use.
        idle_since: Time,
    },
    /// The process is gone, for this reason: read its last words and answer its runs.
    WrapUp(ExitReason),
    /// Be hibernated: say [`Event::Wanted`] when a call waits, also one that came meanwhile.
    Hibernate,
    /// The child is over: tell the supervisor. The last action.
    ReportEnd(ExitReason),
}

/// The state machine of one child: processes that come and go.
#[derive(Clone, Debug)]
pub struct Presence {
    rules: Rules,
    phase: Phase,
    /// Whether the supervisor has been told that it is up.
    is_started: bool,
}

#[derive(Clone, Debug)]
enum Phase {
    /// No process; the next call gets one.
    Away,
    /// A process that is to stay.
    Here(Incarnation),
    /// A process that was idle, and was asked to end.
    Leaving(Incarnation),
    /// The process is gone, its last words are being read. What the supervisor is told then;
    /// `None`: nothing, it was given back.
    WrappingUp(Option<ExitReason>),
    Over,
}

impl From<&AgentSpec> for Rules {
    fn from(spec: &AgentSpec) -> Self {
        Self {
            start: spec.start,
            start_timeout: spec.start_timeout,
            hibernate_after: spec.hibernate_after,
            shutdown: spec.shutdown,
        }
    }
}

impl Presence {
    /// A child that begins now. One whose last life was stopped while it was hibernated goes on so:
    /// it has nothing that a sibling's crash could have spoiled, and the next call runs fresh code.
    #[must_use]
    pub fn new(now: Time, rules: Rules, was_hibernated: bool) -> (Self, Vec<Action>) {
        let mut machine = Self {
            rules,
            phase: Phase::Away,
            is_started: false,
        };
        let actions = if was_hibernated || rules.start == Start::OnDemand {
            machine.is_started = true;
            vec![Action::Hibernate, Action::ReportStarted]
        } else {
            machine.spawn(now)
        };
        (machine, actions)
    }

    /// The present incarnation, where there is one.
    #[must_use]
    pub const fn incarnation(&self) -> Option<&Incarnation> {
        match &self.phase {
            Phase::Here(incarnation) | Phase::Leaving(incarnation) => Some(incarnation),
            Phase::Away | Phase::WrappingUp(_) | Phase::Over => None,
        }
    }

    /// Whether the supervisor has been told that the child is up.
    #[must_use]
    pub const fn is_started(&self) -> bool {
        self.is_started
    }

    /// Takes what happened and says what to do, in order.
    pub fn handle(&mut self, now: Time, event: Event) -> Vec<Action> {
        match event {
            Event::Process(event) => self.process(now, event),
            Event::Wanted => match self.phase {
                Phase::Away => self.spawn(now),
                Phase::Here(_) | Phase::Leaving(_) | Phase::WrappingUp(_) | Phase::Over => {
                    Vec::new()
                }
            },
            Event::WatchOver => self.watch_over(now),
            Event::Retired => self.retired(now),
            Event::Used(at) => match self.phase {
                Phase::Here(_) => self.watch(at),
                Phase::Away | Phase::Leaving(_) | Phase::WrappingUp(_) | Phase::Over => Vec::new(),
            },
            Event::WrappedUp => self.wrapped_up(),
        }
    }

    fn spawn(&mut self, now: Time) -> Vec<Action> {
        let (incarnation, first) = Incarnation::new(now, self.rules.start_timeout);
        self.phase = Phase::Here(incarnation);
        let mut actions = vec![Action::Spawn];
        actions.extend(first.into_iter().map(Action::Process));
        actions
    }

    fn process(&mut self, now: Time, event: incarnation::Event) -> Vec<Action> {
        if let incarnation::Event::Stop(_) | incarnation::Event::Kill = event {
            return self.told_to_end(now, event);
        }
        match &mut self.phase {
            Phase::Here(incarnation) | Phase::Leaving(incarnation) => {
                let asked = incarnation.handle(now, event);
                self.translate(now, asked)
            }
            // What an earlier process still says.
            Phase::Away | Phase::WrappingUp(_) | Phase::Over => Vec::new(),
        }
    }

    fn told_to_end(&mut self, now: Time, event: incarnation::Event) -> Vec<Action> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Here(mut incarnation) => {
                let asked = incarnation.handle(now, event);
                self.phase = Phase::Here(incarnation);
                self.translate(now, asked)
            }
            Phase::Leaving(mut incarnation) => {
                let mut asked = incarnation.handle(now, event);
                // The process has been asked already.
                asked.retain(|action| !matches!(action, incarnation::Action::SendStop { .. }));
                self.phase = Phase::Here(incarnation);
                self.translate(now, asked)
            }
            Phase::Away => vec![Action::ReportEnd(end_of(&event))],
            Phase::WrappingUp(reason) => {
                // An end by itself was first, and stays the reason.
                self.phase = Phase::WrappingUp(reason.or_else(|| Some(end_of(&event))));
                Vec::new()
            }
            Phase::Over => Vec::new(),
        }
    }

    /// What an incarnation asks for, in the terms of the child.
    fn translate(&mut self, now: Time, asked: Vec<incarnation::Action>) -> Vec<Action> {
        let mut actions = Vec::with_capacity(asked.len());
        for action in asked {
            match action {
                incarnation::Action::ReportReady => {
                    actions.push(Action::Process(action));
                    if !self.is_started {
                        self.is_started = true;
                        actions.push(Action::ReportStarted);
                    }
                    actions.extend(self.watch(now));
                }
                incarnation::Action::ReportExit(reason) => {
                    let given_back = matches!(self.phase, Phase::Leaving(_));
                    let told = (!given_back).then(|| reason.clone());
                    self.phase = Phase::WrappingUp(told);
                    actions.push(Action::WrapUp(reason));
                }
                other => actions.push(Action::Process(other)),
            }
        }
        actions
    }

    /// Looks again when the process may have been idle for long enough.
    fn watch(&self, used: Time) -> Vec<Action> {
        let until = self.rules.hibernate_after.map(|after| used + after);
        until.map(Action::WatchUntil).into_iter().collect()
    }

    fn watch_over(&mut self, now: Time) -> Vec<Action> {
        match (&mut self.phase, self.rules.hibernate_after) {
            (Phase::Here(incarnation), Some(after)) if incarnation.takes_calls() => {
                let idle_since = Time(now.0.saturating_sub(after.0));
                vec![Action::Retire { idle_since }]
            }
            // Its time to leave is over.
            (Phase::Leaving(incarnation), _) => {
                let asked = incarnation.handle(now, incarnation::Event::Kill);
                self.translate(now, asked)
            }
            (Phase::Here(_) | Phase::Away | Phase::WrappingUp(_) | Phase::Over, _) => Vec::new(),
        }
    }

    fn retired(&mut self, now: Time) -> Vec<Action> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Here(mut incarnation) if incarnation.takes_calls() => {
                let rule = match self.rules.shutdown {
                    Shutdown::BrutalKill => Shutdown::BrutalKill,
                    Shutdown::Timeout(within) => Shutdown::Timeout(within.min(LEAVE_WITHIN_MAX)),
                    Shutdown::Infinity => Shutdown::Timeout(LEAVE_WITHIN_MAX),
                };
                let asked = incarnation.handle(now, incarnation::Event::Stop(rule));
                self.phase = Phase::Leaving(incarnation);
                let mut actions = self.translate(now, asked);
                if let Shutdown::Timeout(within) = rule {
                    actions.push(Action::WatchUntil(now + within));
                }
                actions
            }
            // It answers what is asked of a ready process only.
            other @ (Phase::Here(_)
            | Phase::Away
            | Phase::Leaving(_)
            | Phase::WrappingUp(_)
            | Phase::Over) => {
                self.phase = other;
                Vec::new()
            }
        }
    }

    fn wrapped_up(&mut self) -> Vec<Action> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::WrappingUp(Some(reason)) => vec![Action::ReportEnd(reason)],
            Phase::WrappingUp(None) => {
                self.phase = Phase::Away;
                vec![Action::Hibernate]
            }
            other @ (Phase::Away | Phase::Here(_) | Phase::Leaving(_) | Phase::Over) => {
                self.phase = other;
                Vec::new()
            }
        }
    }
}

/// How a child without a process ends: at once, as it is asked to.
const fn end_of(asked: &incarnation::Event) -> ExitReason {
    match asked {
        incarnation::Event::Stop(Shutdown::Timeout(_) | Shutdown::Infinity) => {
            ExitReason::Shutdown(None)
        }
        _ => ExitReason::Killed,
    }
}

#[cfg(test)]
mod tests;
