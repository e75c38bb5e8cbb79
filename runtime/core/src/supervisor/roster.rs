//! What both kinds of supervisor share: the children, their timers, and the small moves of one.
//!
//! It does as it is told; which child moves when is decided by the supervisor that owns it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::exit::ExitReason;
use crate::spec::{Restart, Shutdown};
use crate::supervisor::backoff::Jitter;
use crate::supervisor::child::{After, Life, StartCause};
use crate::supervisor::children::{Children, Key};
use crate::supervisor::{
    Action, ChildId, ChildSpec, Context, CrashReport, Intensity, Offender, Reply, RequestError,
    TimerId, Token, WhyDown,
};
use crate::time::{Millis, Time};

/// OTP's word for the reason of a supervisor that gives up; ours for a child that is parked too.
const GAVE_UP: &str = "reached_max_restart_intensity";

#[derive(Clone, Debug)]
pub(super) struct Roster {
    pub(super) children: Children,
    pub(super) intensity: Intensity,
    path: Arc<str>,
    jitter: Jitter,
    timers: HashMap<TimerId, Key>,
    next_timer: u64,
    /// Answered when the child's start is over.
    up_waiters: Waiters,
    /// Answered when the child is down.
    down_waiters: Waiters,
}

/// Who waits for which child. Few do at a time, so that a walk over them is short among any
/// number of children.
type Waiters = BTreeMap<Key, Vec<Token>>;

impl Roster {
    pub(super) fn new(path: String, intensity: Intensity, seed: u64) -> Self {
        Self {
            children: Children::default(),
            intensity,
            path: path.into(),
            jitter: Jitter::new(seed),
            timers: HashMap::new(),
            next_timer: 0,
            up_waiters: Waiters::new(),
            down_waiters: Waiters::new(),
        }
    }

    /// The child of a live incarnation; `None` for a stale event.
    pub(super) fn current(&self, id: &ChildId, incarnation: u64) -> Option<Key> {
        let key = self.children.find(id)?;
        let child = self.children.get(key)?;
        (child.incarnation == incarnation && child.life.is_alive()).then_some(key)
    }

    pub(super) fn life(&self, key: Key) -> Option<&Life> {
        self.children.get(key).map(|child| &child.life)
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

    /// A starting child says that it is ready. One that is told to stop stays on its way out.
    pub(super) fn started(&mut self, now: Time, key: Key, out: &mut Vec<Action>) {
        if matches!(self.life(key), Some(Life::Starting { .. })) {
            self.children.set_life(key, Life::Up { since: now });
            self.answer_up(key, &Reply::Ok, out);
        }
    }

    /// Answers those who wait for the start of this child.
    pub(super) fn answer_up(&mut self, key: Key, reply: &Reply, out: &mut Vec<Action>) {
        reply_all(self.up_waiters.remove(&key), reply, out);
    }

    /// Answers those who wait for a start that will not come, of children at or behind `from`.
    pub(super) fn refuse_waiters(&mut self, from: Key, out: &mut Vec<Action>) {
        let children = &self.children;
        let is_down = |key: &Key| {
            children
                .get(*key)
                .is_none_or(|child| child.life == Life::Down)
        };
        let refused = self.up_waiters.extract_if(from.., |key, _| is_down(key));
        for (_, tokens) in refused {
            reply_all(Some(tokens), &Reply::Error(RequestError::Stopped), out);
        }
    }

    /// Tells a live child to end, by its own shutdown rule.
    pub(super) fn stop(&mut self, now: Time, key: Key, after: After, out: &mut Vec<Action>) {
        self.answer_up(key, &Reply::Error(RequestError::Stopped), out);
        let Some(child) = self.children.get(key) else {
            return;
        };
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
        let before = std::mem::replace(after, next);
        if (before, next) == (After::Start, After::Rest) {
            self.answer_up(key, &Reply::Error(RequestError::Stopped), out);
        }
    }

    /// A child that was stopped, or died before its turn to be, is down. Says what comes next.
    /// Without a reason it never came up, and there is nothing to report.
    pub(super) fn gone(
        &mut self,
        key: Key,
        reason: Option<ExitReason>,
        out: &mut Vec<Action>,
    ) -> After {
        let Some(child) = self.children.get(key) else {
            return After::Rest;
        };
        let spec = &child.spec;
        if let Some(reason) = reason.filter(|reason| !is_expected(spec, reason)) {
            self.report(key, Context::ShutdownError, reason, out);
        }
        let mut then = After::Rest;
        if let Some(Life::Stopping { timer, after, .. }) = self.children.set_life(key, Life::Down) {
            then = after;
            if let Some(timer) = timer {
                self.clear_timer(timer, out);
            }
        }
        reply_all(self.down_waiters.remove(&key), &Reply::Ok, out);
        then
    }

    /// Kills every live child at once, in no order.
    pub(super) fn kill_all(&mut self, out: &mut Vec<Action>) {
        let mut at = Key::FIRST;
        while let Some((key, child)) = self.children.at_or_after(at) {
            at = key.next();
            let timer = match child.life {
                Life::Down | Life::Waiting { .. } => continue,
                Life::Stopping { timer, .. } => timer,
                Life::Starting { .. } | Life::Up { .. } => None,
            };
            out.push(Action::Kill {
                child: child.spec.id.clone(),
                incarnation: child.incarnation,
            });
            let (killed, after) = (true, After::Rest);
            let life = Life::Stopping {
                timer,
                killed,
                after,
            };
            self.children.set_life(key, life);
        }
    }

    pub(super) fn forget(&mut self, key: Key, out: &mut Vec<Action>) {
        if let Some(child) = self.children.remove(key) {
            self.answer_up(key, &Reply::Error(RequestError::Stopped), out);
            out.push(Action::Forgotten(child.spec.id));
        }
    }

    /// Tells that a child which ended by itself, or could not start, is not started again.
    pub(super) fn stays_down(
        &self,
        key: Key,
        reason: ExitReason,
        why: WhyDown,
        out: &mut Vec<Action>,
    ) {
        if let Some(child) = self.children.get(key) {
            let (child, incarnation) = (child.spec.id.clone(), child.incarnation);
            out.push(Action::StaysDown {
                child,
                incarnation,
                reason,
                why,
            });
        }
    }

    /// Counts one failure against the child's own budget, or else the supervisor's. The delay
    /// before the restart, or `None`: the budget is exhausted, and that is reported.
    pub(super) fn count_failure(
        &mut self,
        now: Time,
        key: Key,
        up_since: Option<Time>,
        out: &mut Vec<Action>,
    ) -> Option<Millis> {
        let child = self.children.get_mut(key)?;
        let (budget, context) = match &mut child.budget {
            Some(own) => (own.as_mut(), Context::Parked),
            None => (&mut self.intensity, Context::Shutdown),
        };
        if !budget.add(now) {
            let reason = ExitReason::Shutdown(Some(GAVE_UP.to_owned()));
            self.report(key, context, reason, out);
            return None;
        }
        let backoff = child.spec.backoff.as_ref();
        let delay = child
            .attempts
            .delay(backoff, now, up_since, &mut self.jitter);
        out.push(Action::Restarting {
            child: child.spec.id.clone(),
            incarnation: child.incarnation,
            restarts: budget.restarts(now),
            intensity: budget.allowed(),
            period: budget.period(),
            delay,
        });
        Some(delay)
    }

    /// The child is down until a timer says that it is to be started.
    pub(super) fn wait(&mut self, key: Key, until: Time, out: &mut Vec<Action>) {
        let timer = self.set_timer(key, until, out);
        self.children.set_life(key, Life::Waiting { timer });
    }

    /// Ends the wait for a restart, if there is one; the child is down.
    pub(super) fn end_waiting(&mut self, key: Key, out: &mut Vec<Action>) {
        if let Some(Life::Waiting { timer }) = self.life(key) {
            let timer = *timer;
            self.children.set_life(key, Life::Down);
            self.clear_timer(timer, out);
        }
    }

    /// A timer fires: kills a child whose shutdown time is over, or returns the child whose wait
    /// is over and which is down now.
    pub(super) fn on_timer(&mut self, id: TimerId, out: &mut Vec<Action>) -> Option<Key> {
        let key = self.timers.remove(&id)?;
        let child = self.children.get_mut(key)?;
        match &mut child.life {
            Life::Stopping { timer, killed, .. } => {
                *timer = None;
                *killed = true;
                let (child, incarnation) = (child.spec.id.clone(), child.incarnation);
                out.push(Action::Kill { child, incarnation });
                None
            }
            Life::Waiting { .. } => {
                self.children.set_life(key, Life::Down);
                Some(key)
            }
            // The timers of these lives were cleared and removed when they were left.
            Life::Down | Life::Starting { .. } | Life::Up { .. } => None,
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
            supervisor: Arc::clone(&self.path),
            context,
            reason,
            offender: Offender::new(&child.spec, child.incarnation),
        }));
    }

    /// Puts the children with these ids first, in this order, with all that is known of each.
    pub(super) fn reorder(&mut self, ids: &[ChildId]) {
        let places = self.children.reorder(ids);
        let place = |key: Key| places.get(&key).copied().unwrap_or(key);
        for key in self.timers.values_mut() {
            *key = place(*key);
        }
        for waiters in [&mut self.up_waiters, &mut self.down_waiters] {
            let moved = std::mem::take(waiters).into_iter();
            *waiters = moved.map(|(key, tokens)| (place(key), tokens)).collect();
        }
    }

    /// Remembers who waits for the child to be up. `None`: the answer comes later.
    pub(super) fn wait_for_up(&mut self, token: Token, key: Key) -> Option<Reply> {
        self.up_waiters.entry(key).or_default().push(token);
        None
    }

    /// Remembers who waits for the child to be down. `None`: the answer comes later.
    pub(super) fn wait_for_down(&mut self, token: Token, key: Key) -> Option<Reply> {
        self.down_waiters.entry(key).or_default().push(token);
        None
    }

    fn set_timer(&mut self, key: Key, at: Time, out: &mut Vec<Action>) -> TimerId {
        let id = TimerId(self.next_timer);
        self.next_timer += 1;
        self.timers.insert(id, key);
        out.push(Action::SetTimer { id, at });
        id
    }

    fn clear_timer(&mut self, id: TimerId, out: &mut Vec<Action>) {
        if self.timers.remove(&id).is_some() {
            out.push(Action::ClearTimer(id));
        }
    }
}

/// Whether a child that ended by itself is started again, and whether that is reported: OTP's
/// `do_restart`.
pub(super) const fn verdict(restart: Restart, reason: &ExitReason) -> (bool, bool) {
    let clean = reason.is_clean();
    match restart {
        Restart::Permanent => (true, true),
        Restart::Transient => (!clean, !clean),
        Restart::Temporary => (false, !clean),
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

fn reply_all(waiters: Option<Vec<Token>>, reply: &Reply, out: &mut Vec<Action>) {
    for token in waiters.into_iter().flatten() {
        out.push(Action::Reply {
            token,
            reply: reply.clone(),
        });
    }
}
