//! [`AgentProcess`]: the actor that owns a child process, from spawn to reaped, and the next one
//! where an idle process was given back.
//!
//! It performs what `core::presence` decides and reports to its supervisor. It never restarts
//! itself: it ends, and its supervisor decides. Calls do not pass through it (decision 0003).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, ActorRuntime};
use serde_json::{Value, json};
use synapse_core::exit::ExitReason;
use synapse_core::incarnation::{self, Event, Incarnation, Phase};
use synapse_core::liveness;
use synapse_core::presence::{self, Action, Presence, Rules};
use synapse_core::spec::Shutdown;
use synapse_core::supervisor::StartError;
use synapse_core::time::{Millis, Time};
use synapse_process::{Exit, ExitStatus, OomVerdict};
use synapse_wire::Greeting;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use crate::agent::ending::{cause_of, status_of};
use crate::agent::evidence::{asked_for, dossier, level, people};
use crate::agent::hanging::{Hanging, Verdict};
use crate::agent::living::Living;
use crate::agent::newborn::Newborn;
use crate::agent::{Agent, birth, millis};
use crate::clock::timestamp;
use crate::events::Happening;
use crate::link::{LinkCommand, LinkEvent};
use crate::mailbox::Sleeper;
use crate::node::Node;
use crate::supervisor::{ChildEvents, ChildHandle};
use crate::view::{AgentState, EventKind, ExitView, LogStream};

/// Without an end, a drain is told this many milliseconds: a day.
const NO_END_MS: u64 = 24 * 60 * 60 * 1000;

/// The actor; its state is [`State`].
#[derive(Debug)]
pub(crate) struct AgentProcess;

/// What the actor hears, in the order of a life.
#[derive(Debug)]
pub(crate) enum Message {
    /// The process was made, or could not be.
    Spawned(Box<Result<(Newborn, Greeting), String>>),
    /// From the link of an incarnation.
    Link { incarnation: u64, event: LinkEvent },
    /// What the watch over an incarnation has decided.
    Hangs {
        incarnation: u64,
        actions: Vec<liveness::Action>,
    },
    /// The stacks that a verdict on an incarnation waited for, or why there are none.
    Testified {
        incarnation: u64,
        verdict: Verdict,
        stacks: Option<String>,
    },
    /// A call waits for a process; legal while there is none.
    Wanted,
    /// The timer of that number rang.
    Timer(u64),
    /// The supervisor wants it down by this rule.
    Stop(Shutdown),
    /// The supervisor's patience is over.
    Kill,
    /// An incarnation, or what it has started, uses more than its limits allow.
    LimitExceeded { incarnation: u64, what: String },
    /// The process was waited for.
    Exited(Exit),
    /// What it left in its pipes is read, so that everything about its end is known.
    Drained(Exit, OomVerdict),
    /// The last words are read and the runs answered: the last of an incarnation.
    Ended(Box<ExitView>),
}

/// What a life begins with.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) node: Arc<Node>,
    pub(crate) agent: Arc<Agent>,
    pub(crate) replica: usize,
    pub(crate) events: ChildEvents,
}

/// One life; the fields of its process are those of the present or the last one.
#[derive(Debug)]
pub(crate) struct State {
    pub(super) node: Arc<Node>,
    pub(super) agent: Arc<Agent>,
    replica: usize,
    /// Taken by the last word.
    events: Option<ChildEvents>,
    pub(super) incarnation: u64,
    machine: Presence,
    began: Instant,
    /// The same for people.
    began_at: String,
    /// Timers are told by number: an older one that rings has no effect.
    timer: u64,
    alarm: Option<Alarm>,
    /// When to look whether the process is idle, or has left.
    watch: Option<Alarm>,
    pub(super) process: Option<Living>,
    pub(super) hanging: Hanging,
    /// While the process is being made; dropped where it is no longer wanted.
    birth: Option<oneshot::Sender<Infallible>>,
    traceback: Option<String>,
    /// The violation of a pipe that ended inside a frame, unless a crash explains it.
    torn: Option<String>,
    /// What the kernel says to the end of the process.
    kernel: Option<String>,
    /// How the process ended, until that is told.
    exit: Option<ExitView>,
    /// What the system said of the process's end, once it did.
    status: Option<ExitStatus>,
}

/// A timer that is set: its number and its task, which ends with this.
#[derive(Debug)]
struct Alarm(u64, AbortHandle);

impl Drop for Alarm {
    fn drop(&mut self) {
        self.1.abort();
    }
}

/// What the supervisor holds of a living incarnation; dropping it kills the process.
#[derive(Debug)]
pub(crate) struct AgentHandle(ActorRef<Message>);

impl AgentProcess {
    /// Begins a life; returns at once.
    pub(crate) fn begin(arguments: Arguments) -> Result<AgentHandle, ractor::SpawnErr> {
        let (actor, _task) = ActorRuntime::spawn_instant(None, Self, arguments)?;
        Ok(AgentHandle(actor))
    }
}

impl ChildHandle for AgentHandle {
    fn stop(&mut self, within: Option<Duration>) {
        let rule = within.map_or(Shutdown::Infinity, |within| {
            Shutdown::Timeout(Millis(millis(within)))
        });
        // An error means that it has ended, and that its last word is under way.
        drop(self.0.cast(Message::Stop(rule)));
    }

    fn kill(&mut self) {
        // As above.
        drop(self.0.cast(Message::Kill));
    }
}

impl Drop for AgentHandle {
    /// The actor's state goes with it, and with that the guard of the process group.
    fn drop(&mut self) {
        self.0.kill();
    }
}

impl Actor for AgentProcess {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        arguments: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let Arguments {
            node,
            agent,
            replica,
            events,
        } = arguments;
        let was_hibernated = agent.was_hibernated(replica);
        let rules = Rules::from(&agent.spec);
        let (machine, actions) = Presence::new(node.clock.now(), rules, was_hibernated);
        let mut state = State {
            node,
            agent,
            replica,
            events: Some(events),
            incarnation: 0,
            machine,
            began: Instant::now(),
            began_at: String::new(),
            timer: 0,
            alarm: None,
            watch: None,
            process: None,
            hanging: Hanging::default(),
            birth: None,
            traceback: None,
            torn: None,
            kernel: None,
            exit: None,
            status: None,
        };
        state.perform(&myself, actions);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let event = match message {
            Message::Spawned(spawned) => state.spawned(&myself, *spawned).into(),
            Message::Link { incarnation, event } if incarnation == state.incarnation => {
                match state.link_event(&myself, event) {
                    Some(event) => event.into(),
                    None => return Ok(()),
                }
            }
            Message::Hangs {
                incarnation,
                actions,
            } if incarnation == state.incarnation => {
                state.attend(&myself, actions);
                return Ok(());
            }
            Message::Testified {
                incarnation,
                verdict,
                stacks,
            } if incarnation == state.incarnation => match state.testified(verdict, stacks) {
                Some(event) => event.into(),
                None => return Ok(()),
            },
            Message::Timer(number) if rings(state.alarm.as_ref(), number) => Event::Timer.into(),
            Message::Timer(number) if rings(state.watch.as_ref(), number) => {
                presence::Event::WatchOver
            }
            Message::LimitExceeded { incarnation, what } if incarnation == state.incarnation => {
                Event::LimitExceeded(what).into()
            }
            // Of an earlier incarnation, or of a timer that was set anew.
            Message::Link { .. }
            | Message::Hangs { .. }
            | Message::Testified { .. }
            | Message::LimitExceeded { .. }
            | Message::Timer(_) => return Ok(()),
            Message::Wanted => presence::Event::Wanted,
            Message::Stop(rule) => Event::Stop(rule).into(),
            Message::Kill => Event::Kill.into(),
            Message::Exited(exit) => {
                state.hanging.is_over();
                if let Some(process) = &mut state.process {
                    process.read_last_words(&myself, &exit);
                }
                return Ok(());
            }
            Message::Drained(exit, oom) => state.drained(&exit, oom).into(),
            Message::Ended(exit) => {
                state.exit = Some(*exit);
                presence::Event::WrappedUp
            }
        };
        let actions = state.machine.handle(state.node.clock.now(), event);
        state.perform(&myself, actions);
        let phase = state.machine.incarnation().map(Incarnation::phase);
        if phase != Some(Phase::Spawning) {
            state.birth = None;
        }
        Ok(())
    }
}

impl State {
    /// Begins an incarnation: makes its process.
    fn spawn(&mut self, myself: &ActorRef<Message>) {
        self.incarnation = self.agent.next_incarnation();
        self.began = Instant::now();
        self.began_at = timestamp();
        self.status = None;
        self.hanging = Hanging::default();
        self.agent.began(self.replica, self.incarnation);
        self.publish(EventKind::AgentStarting, "starting");
        let (birth, unwanted) = oneshot::channel();
        self.birth = Some(birth);
        tokio::spawn(birth::spawn(
            Arc::clone(&self.node),
            Arc::clone(&self.agent),
            self.incarnation,
            myself.clone(),
            unwanted,
        ));
    }

    fn spawned(
        &mut self,
        myself: &ActorRef<Message>,
        spawned: Result<(Newborn, Greeting), String>,
    ) -> Event {
        match spawned {
            Ok((newborn, greeting)) => {
                let (agent, incarnation) = (&self.agent, self.incarnation);
                let process = Living::new(agent, incarnation, myself, newborn, greeting);
                self.agent.spawned(self.replica, &process);
                let limits = self.agent.spec.limits;
                if limits.are_watched() {
                    let who = (myself.clone(), self.incarnation);
                    self.node.limits.add(process.group(), who, limits);
                }
                self.process = Some(process);
                Event::Spawned
            }
            Err(why) => Event::SpawnFailed(why),
        }
    }

    /// What it means for the incarnation; nothing yet, where its stacks are to be taken first.
    fn link_event(&mut self, myself: &ActorRef<Message>, event: LinkEvent) -> Option<Event> {
        Some(match event {
            LinkEvent::Ready => Event::BecameReady,
            LinkEvent::StartFault { message, traceback } => {
                self.traceback = traceback;
                Event::StartFault(message)
            }
            LinkEvent::Violation(what) => Event::Violation(what),
            LinkEvent::Closed { torn } => {
                self.torn = torn;
                Event::Closed
            }
            LinkEvent::Unresponsive(what) => {
                self.condemn(myself, what, true);
                return None;
            }
        })
    }

    fn drained(&mut self, exit: &Exit, oom: OomVerdict) -> Event {
        self.status = Some(exit.status);
        let torn = self.torn.take();
        if let Some(cause) = cause_of(&self.agent.spec.limits, exit, torn) {
            let now = self.node.clock.now();
            // The process is gone already; only the reason is wanted.
            drop(self.machine.handle(now, cause.into()));
        }
        let (status, kernel) = status_of(exit.status, oom);
        self.kernel = kernel;
        Event::Exited(status)
    }

    fn perform(&mut self, myself: &ActorRef<Message>, actions: Vec<Action>) {
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Spawn => self.spawn(myself),
                Action::Process(action) => self.perform_on_process(myself, &action),
                Action::ReportStarted => {
                    if let Some(events) = &self.events {
                        events.started();
                    }
                }
                Action::WatchUntil(at) => self.watch = Some(self.alarm_at(myself, at)),
                Action::Retire { idle_since } => {
                    let answer = self.retire(idle_since);
                    actions.extend(self.machine.handle(self.node.clock.now(), answer));
                }
                Action::WrapUp(reason) => self.wrap_up(myself, reason),
                Action::Hibernate => self.hibernate(myself),
                Action::ReportEnd(reason) => self.report_end(myself, reason),
            }
        }
    }

    fn perform_on_process(&mut self, myself: &ActorRef<Message>, action: &incarnation::Action) {
        match action {
            incarnation::Action::ReportReady => self.report_ready(myself),
            incarnation::Action::SendStop { within } => {
                self.set_state(AgentState::Draining);
                let within_ms = within.map_or(NO_END_MS, |within| within.0);
                self.tell_link(LinkCommand::Stop { within_ms });
            }
            incarnation::Action::CancelRuns => self.tell_link(LinkCommand::CancelRuns),
            incarnation::Action::Terminate => self.terminate(),
            incarnation::Action::Kill => self.kill(),
            incarnation::Action::SetTimer(at) => self.alarm = Some(self.alarm_at(myself, *at)),
            // It comes as `WrapUp`.
            incarnation::Action::ReportExit(_) => {}
        }
    }

    fn report_ready(&mut self, myself: &ActorRef<Message>) {
        self.alarm = None;
        self.watch_over(myself);
        let took = self.began.elapsed();
        self.agent.became_ready(self.replica, took);
        self.node.changed();
        self.publish(EventKind::AgentReady, &format!("ready in {}", people(took)));
        self.agent.standby.prepare(&self.node, &self.agent);
    }

    /// Takes the process from the mailbox, where it is idle.
    fn retire(&self, idle_since: Time) -> presence::Event {
        let now = self.node.clock.now();
        let Some(process) = &self.process else {
            return presence::Event::Used(now);
        };
        let idle_since = self.node.clock.instant(idle_since);
        match self.agent.mailbox.retire(process.port(), idle_since) {
            Ok(()) => presence::Event::Retired,
            Err(used) => presence::Event::Used(self.node.clock.time(used)),
        }
    }

    fn tell_link(&self, command: LinkCommand) {
        if let Some(process) = &self.process {
            process.tell(command);
        }
    }

    fn terminate(&self) {
        self.set_state(AgentState::Stopping);
        self.tell_link(LinkCommand::CloseInput);
        if let Some(process) = &self.process {
            process.terminate();
        }
    }

    fn kill(&self) {
        self.set_state(AgentState::Stopping);
        if let Some(process) = &self.process {
            process.kill();
        }
    }

    fn alarm_at(&mut self, myself: &ActorRef<Message>, at: Time) -> Alarm {
        self.timer += 1;
        let number = self.timer;
        let (actor, at) = (myself.clone(), self.node.clock.instant(at));
        let task = tokio::spawn(async move {
            sleep_until(at).await;
            // Where the actor is gone, nobody waits.
            drop(actor.cast(Message::Timer(number)));
        });
        Alarm(number, task.abort_handle())
    }

    /// The process is gone. Its last words are read, its runs answered, and then it is reported:
    /// the next incarnation begins when nothing of this one is left.
    fn wrap_up(&mut self, myself: &ActorRef<Message>, reason: ExitReason) {
        self.alarm = None;
        self.watch = None;
        let kernel = self.kernel.take();
        // What was done to it on purpose needs no other explanation.
        let is_told = matches!(reason, ExitReason::OutOfMemory | ExitReason::Signalled(_));
        let exit = ExitView {
            kernel: kernel.filter(|_| is_told),
            pid: self.process.as_ref().map(Living::pid),
            started_at: std::mem::take(&mut self.began_at),
            uptime: self.began.elapsed(),
            start_took: self.agent.start_took(self.replica),
            traceback: self.traceback.take(),
            stacks: self.hanging.take_stacks(),
            peak_resident_bytes: self.process.as_ref().and_then(Living::peak_resident_bytes),
            ..dossier(
                &self.agent,
                (self.replica, self.incarnation),
                reason,
                self.status,
            )
        };
        let agent = Arc::clone(&self.agent);
        let process = self.process.take();
        let actor = myself.clone();
        tokio::spawn(async move {
            let exit = match process {
                None => exit,
                Some(process) => process.answer_runs(&agent, exit).await,
            };
            drop(actor.cast(Message::Ended(Box::new(exit))));
        });
    }

    /// Nothing of the process is left, or there was none: it sleeps until a call comes.
    fn hibernate(&mut self, myself: &ActorRef<Message>) {
        let actor = myself.clone();
        let sleeper = Sleeper::new(self.replica, move || {
            // An error means that it has ended; who comes in its place sees the calls that wait.
            drop(actor.cast(Message::Wanted));
        });
        if let Some(exit) = self.exit.take() {
            let message = format!(
                "hibernated, being idle; its process lived {}",
                people(exit.uptime)
            );
            // It had to be killed to leave; who looks for why finds it among the exits.
            let clung = exit.reason == ExitReason::Killed
                && self.agent.spec.shutdown != Shutdown::BrutalKill;
            let level = if clung { "error" } else { "info" };
            let (log, stream) = (&self.agent.log, LogStream::Runtime);
            log.add(self.incarnation, stream, level, message.clone());
            log.end(self.incarnation);
            self.publish(EventKind::AgentHibernated, &message);
            if clung {
                self.publish_exit(exit);
            }
        }
        self.agent.hibernates(self.replica, sleeper);
        self.node.changed();
    }

    /// The last word to the supervisor.
    fn report_end(&mut self, myself: &ActorRef<Message>, reason: ExitReason) {
        self.agent.ended(self.replica, &reason);
        if let Some(exit) = self.exit.take() {
            let message = format!("{reason} after {}", people(exit.uptime));
            self.log(&reason, message);
            self.agent.log.end(self.incarnation);
            self.publish_exit(exit);
        }
        self.node.changed();
        myself.stop(None);
        let Some(events) = self.events.take() else {
            return;
        };
        match reason {
            // An end that was asked for is no failure of the start.
            reason if self.machine.is_started() || asked_for(&reason) => events.exited(reason),
            reason => events.start_failed(StartError::new(reason)),
        }
    }

    fn log(&self, reason: &ExitReason, message: String) {
        let (log, incarnation) = (&self.agent.log, self.incarnation);
        log.add(incarnation, LogStream::Runtime, level(reason), message);
    }

    fn publish_exit(&self, exit: ExitView) {
        let message = format!("{} after {}", exit.reason, people(exit.uptime));
        let exit = Arc::new(exit);
        self.agent.exited(Arc::clone(&exit));
        let happening = Happening::new(EventKind::AgentExited, self.line(&message));
        self.node.events.publish(
            happening
                .exit(Arc::clone(&exit))
                .agent(&self.agent.name, Some(self.incarnation)),
        );
        let letters = exit
            .runs
            .iter()
            .filter_map(|run| run.dead_letter.as_deref());
        letters.for_each(|letter| self.tell_of(letter));
        if asked_for(&exit.reason) {
            self.agent
                .decided(self.incarnation, self.agent.nothing_next());
        }
    }

    fn tell_of(&self, letter: &str) {
        let (name, incarnation) = (&self.agent.name, self.incarnation);
        let message = format!(
            "a call has killed {name} too often; it is refused, and kept as dead letter {letter}"
        );
        let (log, stream) = (&self.agent.log, LogStream::Runtime);
        log.add(incarnation, stream, "error", message.clone());
        let data = json!({ "dead_letter": letter });
        let happening = Happening::new(EventKind::DeadLetter, message).data(data);
        self.node
            .events
            .publish(happening.agent(name, Some(incarnation)));
    }

    fn set_state(&self, state: AgentState) {
        self.agent.set_state(self.replica, state);
        self.node.changed();
    }

    fn publish(&self, kind: EventKind, what: &str) {
        self.publish_with(kind, what, json!({}));
    }

    /// With more of it than which process it is.
    pub(super) fn publish_with(&self, kind: EventKind, what: &str, mut data: Value) {
        data["replica"] = json!(self.replica);
        data["pid"] = json!(self.agent.present(self.replica).1);
        let happening = Happening::new(kind, self.line(what)).data(data);
        self.node
            .events
            .publish(happening.agent(&self.agent.name, Some(self.incarnation)));
    }

    fn line(&self, what: &str) -> String {
        format!("{} #{} {what}", self.agent.name, self.incarnation)
    }
}

fn rings(alarm: Option<&Alarm>, number: u64) -> bool {
    alarm.is_some_and(|alarm| alarm.0 == number)
}
