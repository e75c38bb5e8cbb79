//! An agent: what outlives its incarnations. Spec, mailbox, live calls, log, exits, status.

pub(crate) mod evidence;
pub(crate) mod launch;
pub(crate) mod process;
pub(crate) mod stacks;
pub(crate) mod stderr;
pub(crate) mod suspicion;

mod birth;
mod dotenv;
mod ending;
mod hanging;
mod last_words;
mod living;
mod newborn;
mod replica;
mod standby;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use synapse_core::exit::ExitReason;
use synapse_core::fault::{Fault, FaultCode, Origin};
use synapse_core::spec::AgentSpec;
use synapse_core::supervisor::WhyDown;
use synapse_process::Signal;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::agent::evidence::people;
use crate::agent::living::Living;
use crate::agent::replica::Replica;
use crate::agent::stacks::StackSource;
use crate::agent::standby::Standby;
use crate::agent::suspicion::Suspicion;
use crate::call::{Abandoned, Call};
use crate::deadletters::{DeadLetters, LetterId};
use crate::deadlines::{Deadlines, Limit};
use crate::handle::{RunId, RunOutcome};
use crate::link::{CancelReason, LinkCommand};
use crate::logs::LogBook;
use crate::mailbox::{Mailbox, Sharing, Sleeper};
use crate::redaction::Secrets;
use crate::view::{
    AgentDetail, AgentState, AgentView, ExitView, FailedRunView, LiveFrames, NextAction, NextView,
    UsageView,
};

/// How long a link may take to say which frames passed; it never waits, so that this is a guard.
const FRAMES_WAIT: Duration = Duration::from_secs(1);
/// Exits kept per replica.
const EXITS_KEPT: usize = 20;

/// Everything of an agent that a crash of its process does not touch.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) name: Arc<str>,
    pub(crate) path: String,
    pub(crate) spec: AgentSpec,
    pub(crate) mailbox: Mailbox,
    pub(crate) deadlines: Deadlines,
    pub(crate) log: LogBook,
    /// What must not stand in anything that is told of it.
    pub(crate) secrets: Secrets,
    standby: Standby,
    /// Which calls are held to be killing it.
    pub(crate) suspicion: Suspicion,
    pub(crate) letters: Arc<DeadLetters>,
    /// Held while an operator's wish is noted and sent, and while a replica comes or goes for
    /// good, so that state and mailbox change in one order.
    order: Mutex<()>,
    incarnations: AtomicU64,
    /// How often it was held.
    holds: AtomicU64,
    replicas: Vec<Mutex<Replica>>,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    exits: VecDeque<Arc<ExitView>>,
    failed_run: Option<FailedRunView>,
    restarts: u64,
    /// What the program said of itself, as JSON: a tree of values would be many times as large, and
    /// it is kept of agents that sleep.
    manifest: Box<str>,
    uses_pydantic_ai: bool,
    runs_on_loop: bool,
}

impl Agent {
    pub(crate) fn new(spec: AgentSpec, path: String, letters: Arc<DeadLetters>) -> Self {
        let name: Arc<str> = spec.name.as_str().into();
        Self {
            mailbox: Mailbox::new(Arc::clone(&name), spec.mailbox, Sharing::from(&spec)),
            deadlines: Deadlines::default(),
            log: LogBook::new(Arc::clone(&name)),
            secrets: Secrets::default(),
            standby: Standby::default(),
            suspicion: Suspicion::new(spec.crash),
            letters,
            order: Mutex::default(),
            incarnations: AtomicU64::new(0),
            holds: AtomicU64::new(0),
            replicas: std::iter::repeat_with(Mutex::default)
                .take(spec.replicas.max(1))
                .collect(),
            record: Mutex::default(),
            name,
            path,
            spec,
        }
    }

    /// The caller's end of a call, the one time that it comes.
    pub(crate) fn finish(&self, call: &Call, outcome: Result<RunOutcome, Fault>) {
        self.deadlines.forget(call);
        call.finish(outcome);
    }

    /// Ends a call from outside: its caller left or cancelled, or its deadline passed.
    pub(crate) fn abandon(&self, call: &Arc<Call>, reason: CancelReason) {
        self.abandon_with(call, reason, || self.fault_of(call, reason));
    }

    fn abandon_with(&self, call: &Arc<Call>, reason: CancelReason, fault: impl FnOnce() -> Fault) {
        match call.abandon(fault) {
            Abandoned::Finished => return,
            Abandoned::Queued => {
                self.mailbox.forget(call);
                // It never ran: the conversation is as it was.
                drop(call.take_lease());
            }
            Abandoned::Running(link) => link.cancel(call.id, reason),
        }
        self.deadlines.forget(call);
    }

    fn fault_of(&self, call: &Call, reason: CancelReason) -> Fault {
        match reason {
            CancelReason::DeadlineExceeded => {
                let waited = call.deadline.saturating_duration_since(call.arrived);
                let message = format!("{} did not answer within {}", self.name, people(waited));
                let own = waited < Duration::from(self.spec.call_timeout);
                let limit = if own { "timeout" } else { "call_timeout" };
                Fault::new(FaultCode::DeadlineExceeded, message)
                    .with_details(json!({ "timeout_ms": millis(waited), "limit": limit }))
            }
            CancelReason::Cancelled | CancelReason::CallerGone => {
                Fault::new(FaultCode::Cancelled, "the call was cancelled")
            }
            // Asks no mailbox: the call is locked here, and a mailbox locks its calls.
            CancelReason::Shutdown => self.stopped(),
        }
    }

    fn ran_too_long(&self) -> Fault {
        let limit = self.spec.run_timeout.unwrap_or_default();
        let message = format!(
            "{} ran for {}, which is its run_timeout",
            self.name,
            people(limit.into())
        );
        Fault::new(FaultCode::DeadlineExceeded, message)
            .with_details(json!({ "timeout_ms": limit.0, "limit": "run_timeout" }))
    }

    /// Answers every call that waits, and every new one, with this fault.
    pub(crate) fn close(&self, fault: &Fault) {
        self.end_all(self.mailbox.close(fault.clone()), fault);
        self.standby.dismiss();
    }

    fn end_all(&self, calls: Vec<Arc<Call>>, fault: &Fault) {
        for call in calls {
            self.finish(&call, Err(fault.clone()));
            drop(call.take_lease());
        }
    }

    /// Calls that an incarnation had not begun with wait again, at the head.
    pub(crate) fn give_back(&self, calls: Vec<Arc<Call>>) {
        for call in &calls {
            self.deadlines.lift_run_limit(call);
        }
        let given_back = self.mailbox.give_back(&calls);
        for call in calls {
            if let Err(fault) = &given_back {
                self.finish(&call, Err(fault.clone()));
            }
            if call.is_finished() {
                // Nothing of it ran: the conversation is as it was.
                drop(call.take_lease());
            }
        }
    }

    /// As [`Agent::close`], and no incarnation undoes it until [`Agent::release`].
    pub(crate) fn hold(&self, fault: &Fault) {
        self.holds.fetch_add(1, Ordering::Relaxed);
        self.end_all(self.mailbox.hold(fault.clone()), fault);
        self.standby.dismiss();
    }

    /// How often it was held: whether it was since an earlier look. Exact within
    /// [`Agent::in_order`].
    pub(crate) fn holds(&self) -> u64 {
        self.holds.load(Ordering::Relaxed)
    }

    /// One wish after the other.
    pub(crate) fn in_order<T>(&self, wish: impl FnOnce() -> T) -> T {
        let _order = self.order.lock();
        wish()
    }

    /// Incarnations may begin and take calls again.
    pub(crate) fn release(&self) {
        self.mailbox.release();
    }

    /// Whether an operator, or the node's end, keeps it down.
    pub(crate) fn is_held(&self) -> bool {
        self.mailbox.is_held()
    }

    /// The fault of calls to an agent that somebody stopped.
    pub(crate) fn stopped(&self) -> Fault {
        let message = format!("{0} is stopped; `start {0}` brings it back", self.name);
        Fault::new(FaultCode::AgentStopped, message)
    }

    /// The fault of runs whose process was told to stop: what new calls are answered with, too.
    pub(crate) fn told_to_stop(&self) -> Fault {
        self.mailbox.refusal().unwrap_or_else(|| {
            let message = format!("{} was told to stop during the call", self.name);
            Fault::new(FaultCode::AgentStopped, message)
        })
    }

    /// The fault of calls when the whole node goes down.
    pub(crate) fn node_ended(&self) -> Fault {
        let message = format!("{} is stopped: its node is stopping", self.name);
        Fault::new(FaultCode::AgentStopped, message)
    }

    /// The fault of calls that say the same as one that has become this dead letter.
    pub(crate) fn condemned(&self, letter: LetterId) -> Fault {
        let message = format!(
            "the same call has killed {} too often, and is refused; `deadletters show {letter}` has \
             the evidence, `deadletters retry {letter}` tries it again",
            self.name
        );
        Fault::new(FaultCode::CallPoisoned, message)
            .with_details(json!({ "dead_letter": letter.to_string(), "outcome": "not_started" }))
    }

    /// The fault of runs whose process the runtime itself has lost hold of.
    pub(crate) fn lost(&self) -> Fault {
        let message = format!(
            "{} was lost during the call: a defect of the runtime",
            self.name
        );
        Fault::new(FaultCode::AgentCrashed, message)
    }

    /// How a replica's last incarnation ended, e.g. `assistant #1 killed by signal 9 after 41 s`.
    pub(crate) fn last_words(&self, replica: usize) -> String {
        let (last, _) = self.present(replica);
        let record = self.record.lock();
        let of_last = |exit: &&Arc<ExitView>| Some(exit.incarnation) == last;
        let Some(exit) = record.exits.iter().find(of_last) else {
            return format!("{} ended", self.name);
        };
        let (incarnation, reason) = (exit.incarnation, &exit.reason);
        format!(
            "{} #{incarnation} {reason} after {}",
            self.name,
            people(exit.uptime)
        )
    }

    /// The fault of calls to an agent that stays down after a crash.
    pub(crate) fn failed(&self) -> Fault {
        let why = self
            .record
            .lock()
            .exits
            .front()
            .map(|exit| exit.reason.to_string());
        let why = why.unwrap_or_else(|| "its supervisor gave up".to_owned());
        let message = format!("{0} is down ({why}); `start {0}` tries again", self.name);
        Fault::new(FaultCode::AgentFailed, message)
    }

    /// The fault of calls to an agent whose supervisor stays down.
    pub(crate) fn failed_with(&self, supervisor: &str) -> Fault {
        let message = format!(
            "{0} is down with its supervisor {supervisor}; `start {0}` brings both back",
            self.name
        );
        Fault::new(FaultCode::AgentFailed, message)
    }

    /// Watches the deadlines of this agent's calls; runs as long as the node.
    pub(crate) async fn keep_deadlines(self: Arc<Self>) {
        loop {
            let (call, limit) = self.deadlines.next().await;
            let reason = CancelReason::DeadlineExceeded;
            match limit {
                Limit::Call => self.abandon(&call, reason),
                Limit::Run => self.abandon_with(&call, reason, || self.ran_too_long()),
            }
        }
    }

    /// A number for the next incarnation, of whatever replica; it only grows.
    pub(crate) fn next_incarnation(&self) -> u64 {
        self.incarnations.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The number of the last one that began.
    pub(crate) fn latest_incarnation(&self) -> u64 {
        self.incarnations.load(Ordering::Relaxed)
    }

    pub(crate) fn find_call(&self, run: RunId) -> Option<Arc<Call>> {
        self.deadlines.find(run)
    }
}

/// What incarnations and supervisors report for the status.
impl Agent {
    fn change(&self, replica: usize, change: impl FnOnce(&mut Replica)) {
        if let Some(slot) = self.replicas.get(replica) {
            change(&mut slot.lock());
        }
    }

    pub(crate) fn set_state(&self, replica: usize, state: AgentState) {
        self.change(replica, |slot| slot.state = state);
    }

    /// The state of a replica that has no incarnation; no effect where it has one.
    pub(crate) fn rests(&self, replica: usize, state: AgentState) {
        self.change(replica, |slot| {
            if !slot.alive {
                slot.rest(state);
            }
        });
    }

    pub(crate) fn state(&self, replica: usize) -> AgentState {
        self.replicas
            .get(replica)
            .map_or(AgentState::Stopped, |slot| slot.lock().state)
    }

    pub(crate) fn replica_count(&self) -> usize {
        self.replicas.len()
    }

    fn is_down(&self) -> bool {
        let down = |slot: &Mutex<Replica>| {
            matches!(slot.lock().state, AgentState::Stopped | AgentState::Failed)
        };
        self.replicas.iter().all(down)
    }

    pub(crate) fn began(&self, replica: usize, incarnation: u64) {
        self.log.begin(incarnation);
        // Of no effect, unless its supervisor has died before it could say what it does.
        self.decided_of_last(
            replica,
            self.next(NextAction::Restart, "it was started again"),
        );
        self.in_order(|| {
            self.change(replica, |slot| {
                *slot = Replica::begun(incarnation);
            });
            self.mailbox.open();
        });
    }

    /// A replica has no process, and gets one with the next call; `sleeper` hears of it.
    pub(crate) fn hibernates(&self, replica: usize, sleeper: Sleeper) {
        self.in_order(|| {
            self.change(replica, Replica::hibernate);
            self.mailbox.open();
        });
        let asleep = |slot: &Mutex<Replica>| slot.lock().state == AgentState::Hibernated;
        if self.replicas.iter().all(asleep) {
            self.standby.dismiss();
        }
        self.mailbox.sleep(sleeper);
    }

    /// Whether its last life had no process because nobody called.
    pub(crate) fn was_hibernated(&self, replica: usize) -> bool {
        let slot = self.replicas.get(replica);
        slot.is_some_and(|slot| slot.lock().hibernated)
    }

    /// Its supervisor is down and stays so, and with it every replica; an operator's stop holds.
    pub(crate) fn stays_down_with(&self, state: AgentState, fault: &Fault) {
        self.unless_held(|| {
            self.all_rest(state);
            self.close(fault);
        });
    }

    /// Its supervisor is down, and may be started again; an operator's stop holds.
    pub(crate) fn waits_with_its_supervisor(&self) {
        self.unless_held(|| self.all_rest(AgentState::Backoff));
    }

    fn unless_held(&self, change: impl FnOnce()) {
        self.in_order(|| {
            if !self.is_held() {
                change();
            }
        });
    }

    fn all_rest(&self, state: AgentState) {
        for replica in 0..self.replica_count() {
            self.rests(replica, state);
        }
    }

    /// A replica is down and stays so. Without another one, calls are answered with this fault.
    pub(crate) fn stays_down(
        &self,
        replica: usize,
        (state, why): (AgentState, WhyDown),
        fault: &Fault,
    ) {
        self.in_order(|| {
            self.change(replica, |slot| {
                slot.state = state;
                slot.why_down = Some(why);
            });
            if self.is_down() {
                self.close(fault);
            }
        });
    }

    fn spawned(&self, replica: usize, process: &Living) {
        self.change(replica, |slot| {
            slot.pid = Some(process.pid());
            slot.group = Arc::downgrade(process.group());
            slot.port = Arc::downgrade(process.port());
            slot.source = Arc::downgrade(process.source());
            slot.worked = Some((Instant::now(), Duration::ZERO));
        });
    }

    /// One replica's incarnation, process, and the way to its stacks, where it has a process.
    fn source(&self, replica: usize) -> (Option<u64>, Option<u32>, Option<Arc<StackSource>>) {
        self.replicas
            .get(replica)
            .map_or((None, None, None), |slot| {
                let slot = slot.lock();
                (slot.incarnation, slot.pid, slot.source.upgrade())
            })
    }

    /// Sends SIGKILL to a replica's process. Calls from now on wait for the next incarnation.
    pub(crate) fn kill(&self, replica: usize) -> Result<(), String> {
        let mut slot = self.replicas.get(replica).ok_or("no such replica")?.lock();
        let group = slot.group.upgrade().ok_or("it has no process now")?;
        if let Some(port) = slot.port.upgrade() {
            self.mailbox.leave(&port);
            port.note_killed_by_hand();
        }
        // Who waits for readiness from now on means the next incarnation's.
        slot.state = AgentState::Stopping;
        let sent = group.signal_leader(Signal::KILL);
        sent.map_err(|error| error.to_string())
    }

    pub(crate) fn became_ready(&self, replica: usize, took: Duration) {
        self.change(replica, |slot| {
            slot.state = AgentState::Ready;
            slot.ready_at = Some(Instant::now());
            slot.start_took = Some(took);
        });
        self.mailbox.is_awake(replica);
    }

    /// Whether an incarnation has said so; before the first, nothing is known.
    pub(crate) fn uses_pydantic_ai(&self) -> bool {
        self.record.lock().uses_pydantic_ai
    }

    /// Whether its code runs on an event loop, which it must not block; known once it was ready.
    pub(crate) fn runs_on_loop(&self) -> bool {
        self.record.lock().runs_on_loop
    }

    pub(crate) fn set_manifest(&self, manifest: &Value) {
        let shown = self.without_secrets(manifest).to_string().into();
        let mut record = self.record.lock();
        record.uses_pydantic_ai = manifest["kind"] == "pydantic_ai";
        record.runs_on_loop = manifest["sync"] == false;
        record.manifest = shown;
    }

    /// What a program says of itself may have been made of a secret, such as a parameter's default.
    fn without_secrets(&self, manifest: &Value) -> Value {
        let Value::Object(fields) = manifest else {
            return manifest.clone();
        };
        let fields = fields.iter().map(|(name, value)| match name.as_str() {
            // Words of ours, whatever a secret may be.
            "kind" | "mode" => (name.clone(), value.clone()),
            _ => (name.clone(), self.secrets.value(value.clone())),
        });
        Value::Object(fields.collect())
    }

    /// A replica's life is over. What comes next is its supervisor's to say. It says nothing of a
    /// child that it ended itself: that one is held, or waits until its siblings are down to be
    /// started with them.
    pub(crate) fn ended(&self, replica: usize, reason: &ExitReason) {
        let told = matches!(reason, ExitReason::Shutdown(_) | ExitReason::Killed);
        let next = match (self.is_held(), told) {
            (true, _) => AgentState::Stopped,
            (false, true) => AgentState::Backoff,
            (false, false) => AgentState::Stopping,
        };
        self.change(replica, |slot| {
            slot.state = next;
            slot.alive = false;
            slot.pid = None;
            slot.ready_at = None;
        });
        self.mailbox.is_awake(replica);
    }

    /// How a process ended is kept.
    pub(crate) fn exited(&self, exit: Arc<ExitView>) {
        let replica = exit.replica;
        let mut record = self.record.lock();
        let mut kept = 0;
        record.exits.retain(|old| {
            kept += usize::from(old.replica == replica);
            old.replica != replica || kept < EXITS_KEPT
        });
        record.exits.push_front(exit);
    }

    /// What follows an exit is decided: its dossier is complete, and goes into the log. Said once
    /// only; no effect where the exit is not kept.
    pub(crate) fn decided(&self, incarnation: u64, next: NextView) {
        let record = self.record.lock();
        let mut exits = record.exits.iter();
        let exit = exits.find(|exit| exit.incarnation == incarnation).cloned();
        drop(record);
        if let Some(exit) = exit
            && exit.next.set(next).is_ok()
        {
            evidence::log(&exit);
        }
    }

    /// The same of a replica's last process; its number. A supervisor counts lives of its child, of
    /// which one may have had several processes or none, and each replica for itself.
    pub(crate) fn decided_of_last(&self, replica: usize, next: NextView) -> Option<u64> {
        let (last, _) = self.present(replica);
        if let Some(last) = last {
            self.decided(last, next);
        }
        last
    }

    /// What its supervisor does about an end that it wanted itself.
    pub(crate) fn nothing_next(&self) -> NextView {
        let detail = match self.is_held() {
            true => "it was told to stop",
            false => "its end was wanted: by its supervisor, or for it to hibernate",
        };
        self.next(NextAction::Nothing, detail)
    }

    fn next(&self, action: NextAction, detail: &str) -> NextView {
        let supervisor = self.path.rsplit_once('/').map_or("", |(path, _)| path);
        NextView::new(supervisor, action, detail)
    }

    /// From spawn to ready of a replica's present or last incarnation.
    pub(crate) fn start_took(&self, replica: usize) -> Option<Duration> {
        self.replicas.get(replica)?.lock().start_took
    }

    /// Kept for whoever looks after the agent; a mistake of the caller's is none of it.
    pub(crate) fn run_failed(&self, run: FailedRunView) {
        if run.origin != Origin::Caller {
            self.record.lock().failed_run = Some(run);
        }
    }

    pub(crate) fn restarted(&self) {
        self.record.lock().restarts += 1;
    }

    /// The number and the process of a replica's present incarnation.
    pub(crate) fn present(&self, replica: usize) -> (Option<u64>, Option<u32>) {
        self.replicas.get(replica).map_or((None, None), |slot| {
            let slot = slot.lock();
            (slot.incarnation, slot.pid)
        })
    }

    /// The last frames of every living incarnation, as far as their links answer.
    pub(crate) async fn frames(&self) -> Vec<LiveFrames> {
        let mut live = Vec::new();
        for (replica, slot) in self.replicas.iter().enumerate() {
            let (port, incarnation) = {
                let slot = slot.lock();
                (slot.port.upgrade(), slot.incarnation)
            };
            let (Some(port), Some(incarnation)) = (port, incarnation) else {
                continue;
            };
            let (ask, answer) = oneshot::channel();
            port.send(LinkCommand::Frames(ask));
            // A link that ends drops the question.
            if let Ok(Ok(frames)) = timeout(FRAMES_WAIT, answer).await {
                live.push(LiveFrames {
                    replica,
                    incarnation,
                    frames,
                });
            }
        }
        live
    }

    pub(crate) fn view(&self) -> AgentView {
        let replicas = self.replicas.iter().enumerate();
        let replicas = replicas
            .map(|(index, slot)| slot.lock().view(index))
            .collect();
        let record = self.record.lock();
        // Null before the first process was ready.
        let manifest: Value = serde_json::from_str(&record.manifest).unwrap_or_default();
        let mode = manifest
            .get("mode")
            .and_then(Value::as_str)
            .map(str::to_owned);
        AgentView {
            name: self.name.to_string(),
            path: self.path.clone(),
            restarts: record.restarts,
            queued: self.mailbox.len(),
            mailbox: self.spec.mailbox.size,
            mode: mode.or_else(|| self.spec.mode.map(|mode| mode.as_str().to_owned())),
            last_exit: record.exits.front().cloned(),
            spare_pid: self.standby.pid(),
            replicas,
            manifest,
        }
    }

    /// What the processes of its replicas use now: a look at each, so nothing for an async thread.
    pub(crate) fn usage(&self) -> Vec<Option<UsageView>> {
        let look = |slot: &Mutex<Replica>| {
            let group = slot.lock().group.upgrade()?;
            let usage = group.usage()?;
            Some(slot.lock().usage(Instant::now(), &usage))
        };
        self.replicas.iter().map(look).collect()
    }

    pub(crate) fn detail(&self) -> AgentDetail {
        let record = self.record.lock();
        let exits = record.exits.iter().cloned().collect();
        let failed_run = record.failed_run.clone();
        drop(record);
        AgentDetail {
            view: self.view(),
            spec: self.spec.clone(),
            exits,
            failed_run,
        }
    }
}

/// Whole milliseconds, for people and JSON.
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
