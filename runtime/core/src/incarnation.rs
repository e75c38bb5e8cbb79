//! One life of an agent, from spawn to reaped: what to do next, and why it ended.
//!
//! The shell performs the actions and feeds back what happened. It knows no process and no clock:
//! a start that never becomes ready, a stop that is not obeyed and a process that broke the
//! protocol are all decided here.

use crate::exit::ExitReason;
use crate::spec::Shutdown;
use crate::time::{Millis, Time};

/// Runs are cancelled when this share of the shutdown time is over, in per cent.
pub const CANCEL_AT_PERCENT: u64 = 80;
/// stdin is closed and SIGTERM sent when this share of the shutdown time is over, in per cent.
pub const TERMINATE_AT_PERCENT: u64 = 90;

/// How long a process that says that it ends may take to do so: its `atexit` functions run now.
pub const ENDING_GRACE: Millis = Millis(2_000);

/// Where an incarnation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No process yet.
    Spawning,
    /// A process that has not said `ready`.
    Loading,
    /// It takes calls.
    Ready,
    /// Told to stop; it finishes what it has.
    Draining,
    /// On its way out by force, or of its own will: only the wait status is missing.
    Ending,
    /// Reaped.
    Ended,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The process exists.
    Spawned,
    /// The process could not be made.
    SpawnFailed(String),
    /// The program is loaded and waits for calls.
    BecameReady,
    /// The program said why it cannot start.
    StartFault(String),
    /// The process broke the protocol; the word is the violation.
    Violation(String),
    /// It closed its end of the protocol pipe without having been told to stop.
    Closed,
    /// Cancelled code went on past its grace, or no sign of life came.
    Unresponsive(String),
    /// It used more than its limits allow; which, and what was seen.
    LimitExceeded(String),
    /// The supervisor wants it down by this rule.
    Stop(Shutdown),
    /// The supervisor's patience is over.
    Kill,
    /// The timer of [`Action::SetTimer`] rang.
    Timer,
    /// The process was waited for.
    Exited(Status),
}

/// How the process ended, as the system says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// By the kernel, for lack of memory.
    OutOfMemory,
}

/// What the shell must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Tell the supervisor that it is up, and open the mailbox to it.
    ReportReady,
    /// Send the `stop` frame; take no more calls.
    SendStop {
        /// How long the process has; `None` is without end.
        within: Option<Millis>,
    },
    /// Send `cancel` for every run.
    CancelRuns,
    /// Close stdin and send SIGTERM to the group.
    Terminate,
    /// Send SIGKILL to the group.
    Kill,
    /// Ring at this time; replaces an earlier timer.
    SetTimer(Time),
    /// It is over: tell the supervisor.
    ReportExit(ExitReason),
}

/// The state machine of one incarnation.
#[derive(Clone, Debug)]
pub struct Incarnation {
    phase: Phase,
    start_timeout: Millis,
    /// The reason that outranks the wait status, once there is one.
    verdict: Option<ExitReason>,
    was_ready: bool,
    ladder: Option<Ladder>,
}

/// The steps of a stop that has a time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ladder {
    began: Time,
    within: Millis,
    cancelled: bool,
}

impl Incarnation {
    /// A life that begins now; the shell spawns the process and sets the first timer.
    #[must_use]
    pub fn new(now: Time, start_timeout: Millis) -> (Self, Vec<Action>) {
        let machine = Self {
            phase: Phase::Spawning,
            start_timeout,
            verdict: None,
            was_ready: false,
            ladder: None,
        };
        (machine, vec![Action::SetTimer(now + start_timeout)])
    }

    /// Where it stands.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether it is ready and is to stay.
    #[must_use]
    pub const fn takes_calls(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    /// Whether it ever became ready.
    #[must_use]
    pub const fn was_ready(&self) -> bool {
        self.was_ready
    }

    /// Takes what happened and says what to do, in order.
    pub fn handle(&mut self, now: Time, event: Event) -> Vec<Action> {
        match event {
            Event::Spawned => self.spawned(),
            Event::SpawnFailed(why) => self.end(ExitReason::StartFailed(why)),
            Event::BecameReady => self.became_ready(),
            Event::StartFault(why) => self.start_fault(now, why),
            Event::Violation(what) => self.condemn(ExitReason::ProtocolViolation(what)),
            Event::Unresponsive(what) => self.condemn(ExitReason::Unresponsive(what)),
            Event::LimitExceeded(what) => self.condemn(ExitReason::LimitExceeded(what)),
            Event::Closed => self.closed(now),
            Event::Stop(rule) => self.stop(now, rule),
            Event::Kill => self.condemn(ExitReason::Killed),
            Event::Timer => self.timer(now),
            Event::Exited(status) => {
                let reason = self.reason_of(status);
                self.end(reason)
            }
        }
    }

    fn spawned(&mut self) -> Vec<Action> {
        match self.phase {
            Phase::Spawning => {
                self.phase = Phase::Loading;
                Vec::new()
            }
            // A stop came while the process was being made: it must not outlive that stop.
            Phase::Draining | Phase::Ending => vec![Action::Kill],
            Phase::Loading | Phase::Ready | Phase::Ended => Vec::new(),
        }
    }

    fn became_ready(&mut self) -> Vec<Action> {
        match self.phase {
            Phase::Loading => {
                self.phase = Phase::Ready;
                self.was_ready = true;
                vec![Action::ReportReady]
            }
            // Told to stop before it was ready: it drains nothing and goes.
            Phase::Spawning | Phase::Ready | Phase::Draining | Phase::Ending | Phase::Ended => {
                Vec::new()
            }
        }
    }

    /// The process will not be kept, and is not trusted to go by itself.
    fn condemn(&mut self, reason: ExitReason) -> Vec<Action> {
        if self.phase == Phase::Ended {
            return Vec::new();
        }
        // The first cause is the cause; what follows from it is not. A shutdown that has to be
        // forced is `killed`, as in OTP.
        if self.verdict.is_none() || reason == ExitReason::Killed && self.stopping() {
            self.verdict = Some(reason);
        }
        let spawning = self.phase == Phase::Spawning;
        self.phase = Phase::Ending;
        if spawning {
            Vec::new()
        } else {
            vec![Action::Kill]
        }
    }

    /// The program says why it cannot start, and exits by itself.
    fn start_fault(&mut self, now: Time, why: String) -> Vec<Action> {
        match self.phase {
            Phase::Loading => {
                self.verdict = Some(ExitReason::StartFailed(why));
                self.phase = Phase::Ending;
                vec![Action::SetTimer(now + ENDING_GRACE)]
            }
            Phase::Spawning | Phase::Ready | Phase::Draining | Phase::Ending | Phase::Ended => {
                Vec::new()
            }
        }
    }

    fn stopping(&self) -> bool {
        matches!(self.verdict, Some(ExitReason::Shutdown(_)))
    }

    /// End of file on the protocol pipe. Death is decided by the wait status; a process that lives
    /// on without its pipe can serve nobody, so it only gets the time to exit.
    fn closed(&mut self, now: Time) -> Vec<Action> {
        match self.phase {
            Phase::Loading | Phase::Ready => {
                self.phase = Phase::Ending;
                vec![Action::SetTimer(now + ENDING_GRACE)]
            }
            Phase::Spawning | Phase::Draining | Phase::Ending | Phase::Ended => Vec::new(),
        }
    }

    fn stop(&mut self, now: Time, rule: Shutdown) -> Vec<Action> {
        if self.phase == Phase::Ended {
            return Vec::new();
        }
        let within = match rule {
            Shutdown::BrutalKill => return self.condemn(ExitReason::Killed),
            Shutdown::Timeout(within) => Some(within),
            Shutdown::Infinity => None,
        };
        if self.verdict.is_none() {
            self.verdict = Some(ExitReason::Shutdown(None));
        }
        let loading = matches!(self.phase, Phase::Spawning | Phase::Loading);
        if self.phase != Phase::Ending {
            self.phase = Phase::Draining;
        }
        let mut actions = vec![Action::SendStop { within }];
        if loading {
            // It holds no run, and its code may sit in an import that hears no frame.
            actions.push(Action::Terminate);
        }
        if let Some(within) = within {
            let ladder = Ladder {
                began: now,
                within,
                cancelled: false,
            };
            actions.push(Action::SetTimer(ladder.at(CANCEL_AT_PERCENT)));
            self.ladder = Some(ladder);
        }
        actions
    }

    fn timer(&mut self, now: Time) -> Vec<Action> {
        match (self.phase, self.ladder) {
            (Phase::Spawning | Phase::Loading, _) => {
                let why = format!("not ready within {} ms", self.start_timeout.0);
                self.condemn(ExitReason::StartFailed(why))
            }
            (Phase::Draining | Phase::Ending, Some(ladder)) => self.climb(now, ladder),
            (Phase::Ending, None) => {
                let why = "closed its protocol pipe and lives on".to_owned();
                self.condemn(ExitReason::Unresponsive(why))
            }
            (Phase::Ready | Phase::Draining | Phase::Ended, _) => Vec::new(),
        }
    }

    /// The next step of a stop; the last one, SIGKILL at the end, is the supervisor's.
    fn climb(&mut self, now: Time, ladder: Ladder) -> Vec<Action> {
        if ladder.cancelled || now >= ladder.at(TERMINATE_AT_PERCENT) {
            self.ladder = None;
            return vec![Action::Terminate];
        }
        self.ladder = Some(Ladder {
            cancelled: true,
            ..ladder
        });
        vec![
            Action::CancelRuns,
            Action::SetTimer(ladder.at(TERMINATE_AT_PERCENT)),
        ]
    }

    fn reason_of(&mut self, status: Status) -> ExitReason {
        if let Some(verdict) = self.verdict.take() {
            return verdict;
        }
        match status {
            Status::Signal(signal) => ExitReason::Signalled(signal),
            Status::OutOfMemory => ExitReason::OutOfMemory,
            Status::Code(code) if !self.was_ready => {
                ExitReason::StartFailed(format!("exited with code {code} before it was ready"))
            }
            Status::Code(0) => ExitReason::Normal,
            Status::Code(code) => ExitReason::Exited(code),
        }
    }

    fn end(&mut self, reason: ExitReason) -> Vec<Action> {
        if self.phase == Phase::Ended {
            return Vec::new();
        }
        // A spawn that failed after a stop request is still that stop's success.
        let reason = self.verdict.take().unwrap_or(reason);
        self.phase = Phase::Ended;
        vec![Action::ReportExit(reason)]
    }
}

impl Ladder {
    fn at(&self, percent: u64) -> Time {
        self.began + Millis(self.within.0.saturating_mul(percent) / 100)
    }
}

#[cfg(test)]
mod tests;
