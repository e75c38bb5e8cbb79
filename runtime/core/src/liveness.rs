//! Whether a process that is there still works: when to ask it, what its answers mean, and what
//! follows. The shell looks at the process once a turn and says what it saw; everything is decided
//! at turns, so that a node which did not run itself can be told first. It knows no process and no
//! clock.
//!
//! Three things are hangs. The loop is blocked: pings are answered, by another thread, and the code
//! that runs agents is late and gets later. The process is stopped. Or it gives no sign of life,
//! which C code does that holds Python's lock. A long run is none of them.

use std::fmt;

use crate::spec::{Liveness, LivenessAction};
use crate::time::{Millis, Time};

/// An idle process is asked this many times more seldom: nobody waits for it, and whether it is
/// stopped is seen without asking.
pub const IDLE_INTERVALS: u64 = 6;
/// The limits are looked at this often while they last.
const TURNS_PER_LIMIT: u64 = 8;
/// Turns at the least and at the most, in milliseconds: the first bounds what short limits cost,
/// the second how late the end of a long one is seen.
const TURN_MIN: Millis = Millis(50);
const TURN_MAX: Millis = Millis(1_000);
/// A turn that comes as late as this many did not find the node running in between. It has to be
/// less than a limit has.
const LATE_TURNS: u64 = 3;

/// What the shell sees of a process at a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether it is stopped by a signal.
    pub stopped: bool,
    /// Whether it has runs.
    pub busy: bool,
    /// Whether any frame has come since the last turn.
    pub heard: bool,
    /// The last answer to a ping since the last turn.
    pub pong: Option<Pong>,
    /// Whether it was told to stop: its loop ends, and what runs then runs beside it.
    pub draining: bool,
}

/// An answer to a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pong {
    /// How late the code that runs agents is.
    pub lag: Millis,
    /// Whether a later ping is still without an answer.
    pub others_open: bool,
}

/// What the shell must do, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask for a sign of life.
    SendPing,
    /// Have the stacks of its threads written, for what follows; or say why it cannot be.
    DumpStacks,
    /// Tell people; once in an episode.
    Warn(Finding),
    /// Tell them that it is over.
    Recovered(Hang),
    /// End the process for this reason. The last action.
    Condemn(Finding),
}

/// In which way a process hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hang {
    /// The loop that runs agents is blocked.
    Blocked,
    /// A signal has stopped the process.
    Stopped,
    /// It gives no sign of life.
    Silent,
}

/// A hang, for how long, and the limit that this exceeds. Its text completes "unresponsive: ".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In which way.
    pub hang: Hang,
    /// For how long, as far as it is known.
    pub lasted: Millis,
    /// `loop_lag_max` or `silence_max`.
    pub limit: Millis,
}

impl Hang {
    /// The stable word of events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Stopped => "stopped",
            Self::Silent => "silent",
        }
    }

    const fn is_fatal(self, action: LivenessAction) -> bool {
        match (action, self) {
            (LivenessAction::Warn, _) | (LivenessAction::RestartSilent, Self::Blocked) => false,
            (LivenessAction::RestartSilent, Self::Stopped | Self::Silent)
            | (LivenessAction::Restart, _) => true,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            hang,
            lasted,
            limit,
        } = self;
        match hang {
            Hang::Blocked => write!(
                formatter,
                "its event loop was blocked for {lasted} (loop_lag_max {limit})"
            ),
            Hang::Stopped => write!(
                formatter,
                "the process was stopped for {lasted} (silence_max {limit})"
            ),
            Hang::Silent => write!(
                formatter,
                "no sign of life, as where C code holds the interpreter, for {lasted} \
                 (silence_max {limit})"
            ),
        }
    }
}

/// The watch over one process, from ready to its end.
#[derive(Clone, Debug)]
pub struct Watch {
    rules: Liveness,
    /// Whether its code runs on a loop; where it does not, being late means being at work.
    on_loop: bool,
    /// Added to the first ping's time, so that the processes of a node are not asked in step.
    offset: Millis,
    /// What happened before this does not count.
    since: Time,
    /// The last ping, or where its interval is counted from before the first.
    pinged_at: Time,
    /// Since when a ping has been without an answer, and nothing else was heard.
    silent_since: Option<Time>,
    stopped_since: Option<Time>,
    /// The last pong: when, and what it said.
    lag: Option<(Time, Millis)>,
    /// What people were told of, and not yet that it is over.
    episode: Option<Hang>,
    condemned: bool,
}

impl Watch {
    /// A watch over a process that is ready now. `seat` tells the processes of a node apart.
    #[must_use]
    pub fn new(now: Time, rules: Liveness, on_loop: bool, seat: u64) -> Self {
        let offset = offset(rules.interval, seat);
        Self {
            rules,
            on_loop,
            offset,
            since: now,
            pinged_at: now + offset,
            silent_since: None,
            stopped_since: None,
            lag: None,
            episode: None,
            condemned: false,
        }
    }

    /// How often turns must come.
    #[must_use]
    pub fn turn_every(&self) -> Millis {
        let shortest = self.rules.loop_lag_max.min(self.rules.silence_max);
        Millis(shortest.0 / TURNS_PER_LIMIT).clamp(TURN_MIN, TURN_MAX)
    }

    /// The node itself did not run, or this process was stopped: what came before says nothing.
    pub fn begin_anew(&mut self, now: Time) {
        self.since = now;
        self.pinged_at = now + self.offset;
        self.silent_since = None;
        self.stopped_since = None;
        self.lag = None;
    }

    /// Takes what was seen and says what to do, in order.
    pub fn turn(&mut self, now: Time, seen: &Seen) -> Vec<Action> {
        if self.condemned {
            return Vec::new();
        }
        self.note(now, seen);
        let mut actions = Vec::new();
        match self.finding(now, seen.draining) {
            Some(finding) if self.episode != Some(finding.hang) => self.tell(finding, &mut actions),
            Some(_) => {}
            None => actions.extend(self.recovered().map(Action::Recovered)),
        }
        if !self.condemned && !seen.stopped && self.ping_is_due(now, seen.busy) {
            self.pinged_at = now;
            self.silent_since.get_or_insert(now);
            actions.push(Action::SendPing);
        }
        actions
    }

    fn note(&mut self, now: Time, seen: &Seen) {
        match (seen.stopped, self.stopped_since) {
            (true, None) => self.stopped_since = Some(now),
            (false, Some(_)) => self.begin_anew(now),
            (true, Some(_)) | (false, None) => {}
        }
        if seen.heard {
            self.silent_since = self.silent_since.map(|_| now);
        }
        if let Some(pong) = seen.pong {
            self.lag = Some((now, pong.lag));
            self.silent_since = pong.others_open.then_some(now);
        }
    }

    fn finding(&self, now: Time, draining: bool) -> Option<Finding> {
        let Liveness {
            loop_lag_max,
            silence_max,
            ..
        } = self.rules;
        let over = |hang, lasted, limit| {
            (lasted >= limit).then_some(Finding {
                hang,
                lasted,
                limit,
            })
        };
        if let Some(since) = self.stopped_since {
            return over(Hang::Stopped, now - since, silence_max);
        }
        let silent = self.silent_since.map(|since| now - since);
        silent
            .and_then(|lasted| over(Hang::Silent, lasted, silence_max))
            .or_else(|| {
                let (at, lag) = self.lag.filter(|_| self.on_loop && !draining)?;
                // Its clock ran on while the node, or it, did not.
                over(Hang::Blocked, lag.min(at - self.since), loop_lag_max)
            })
    }

    fn tell(&mut self, finding: Finding, actions: &mut Vec<Action>) {
        self.episode = Some(finding.hang);
        if finding.hang != Hang::Blocked {
            // Only an answer that is yet to come tells that it is over.
            self.lag = None;
        }
        actions.push(Action::DumpStacks);
        self.condemned = finding.hang.is_fatal(self.rules.action);
        actions.push(if self.condemned {
            Action::Condemn(finding)
        } else {
            Action::Warn(finding)
        });
    }

    /// What is over, where something is, by the word of the process itself.
    fn recovered(&mut self) -> Option<Hang> {
        let (_, lag) = self.lag?;
        let still = self.episode == Some(Hang::Blocked) && lag >= self.rules.loop_lag_max;
        if still { None } else { self.episode.take() }
    }

    fn ping_is_due(&self, now: Time, busy: bool) -> bool {
        let interval = self.rules.interval;
        let lag = self.lag.map_or(Millis(0), |(_, lag)| lag);
        let pace = if self.on_loop && lag > Millis(0) && lag < self.rules.loop_lag_max {
            // Somebody else had to answer for the loop: ask again when it would be blocked.
            interval.min(Millis(self.rules.loop_lag_max.0 - lag.0))
        } else if busy || self.silent_since.is_some() || self.episode.is_some() {
            interval
        } else {
            Millis(interval.0.saturating_mul(IDLE_INTERVALS))
        };
        now >= self.pinged_at + pace
    }
}

/// Spreads seats over the interval, neighbours far apart: multiples of the golden ratio.
fn offset(interval: Millis, seat: u64) -> Millis {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let share = seat.wrapping_mul(GOLDEN) >> 48;
    Millis(interval.0.saturating_mul(share) >> 16)
}

/// The turns of a node, and whether it ran between them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turns {
    last: Option<(Time, Millis)>,
}

impl Turns {
    /// A turn comes, the next one in this time. Whether the node ran since the last one: stopped, or
    /// asleep with its machine, it heard nothing, and nobody is to blame.
    pub fn ran(&mut self, now: Time, next: Millis) -> bool {
        let last = self.last.replace((now, next));
        last.is_none_or(|(at, every)| now - at <= Millis(every.0.saturating_mul(LATE_TURNS)))
    }
}

#[cfg(test)]
mod tests;
