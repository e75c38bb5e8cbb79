//! What the actor holds, and how it does what core says.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use ractor::{ActorId, ActorRef, RpcReplyPort};
use synapse_core::exit::ExitReason;
use synapse_core::spec::Shutdown;
use synapse_core::supervisor::{Action, ChildId, Event, Reply, Token};

use crate::clock::Clock;
use crate::supervisor::actor::StartArguments;
use crate::supervisor::child::Absent;
use crate::supervisor::decider::Decider;
use crate::supervisor::timers::Timers;
use crate::supervisor::{
    ChildEvents, ChildFactory, ChildHandle, ChildReport, ChildStart, SupervisorEvent,
    SupervisorMessage, SupervisorObserver, SupervisorSnapshot,
};

/// Room for the actions of one event that is kept for the next; more only where all children are
/// told something at once.
const ACTIONS_KEPT: usize = 64;

/// What the actor holds. Dropping it ends every child.
pub struct State {
    path: String,
    core: Decider,
    clock: Clock,
    factory: Arc<dyn ChildFactory>,
    observer: Arc<dyn SupervisorObserver>,
    /// Taken by the last word.
    up: Option<ChildEvents>,
    live: HashMap<ChildId, Live>,
    linked: HashMap<ActorId, ChildId>,
    timers: Timers,
    /// Those who wait for an answer of core.
    asked: HashMap<Token, RpcReplyPort<Reply>>,
    next_token: u64,
    /// Empty between events; kept so that an event need not allocate.
    actions: Vec<Action>,
}

/// An incarnation that is not gone.
struct Live {
    incarnation: u64,
    handle: Box<dyn ChildHandle>,
    killed: bool,
    panic: Option<String>,
}

impl State {
    pub(super) fn new(start: StartArguments) -> Self {
        let StartArguments {
            path,
            core,
            factory,
            observer,
            up,
        } = start;
        Self {
            path,
            core,
            clock: Clock::start(),
            factory,
            observer,
            up: Some(up),
            live: HashMap::new(),
            linked: HashMap::new(),
            timers: Timers::default(),
            asked: HashMap::new(),
            next_token: 0,
            actions: Vec::new(),
        }
    }

    /// A linked child's actor panicked with this text. Its end is told by its [`ChildEvents`].
    pub(super) fn panicked(&mut self, actor: ActorId, text: String) {
        let child = self.linked.get(&actor);
        if let Some(live) = child.and_then(|child| self.live.get_mut(child)) {
            live.panic = Some(text);
        }
    }

    /// The event that a message is for core, if it is one.
    pub(super) fn event(
        &mut self,
        myself: &ActorRef<SupervisorMessage>,
        message: SupervisorMessage,
    ) -> Option<Event> {
        match message {
            SupervisorMessage::Start => Some(Event::Start),
            SupervisorMessage::Stop => Some(Event::Stop),
            SupervisorMessage::Kill => Some(Event::Kill),
            SupervisorMessage::Timer(id) => Some(Event::Timer(id)),
            SupervisorMessage::Alarm => {
                self.timers.on_alarm(self.clock, myself);
                None
            }
            SupervisorMessage::Child {
                child,
                incarnation,
                report,
            } => self.child_event(child, incarnation, report),
            SupervisorMessage::Request(request, reply) => {
                let token = Token(self.next_token);
                self.next_token += 1;
                self.asked.insert(token, reply);
                Some(Event::Request { token, request })
            }
            SupervisorMessage::Snapshot(reply) => {
                // An error means that the asker has given up.
                drop(reply.send(self.snapshot()));
                None
            }
        }
    }

    /// `None` where the incarnation is already known to be gone.
    fn child_event(
        &mut self,
        child: ChildId,
        incarnation: u64,
        report: ChildReport,
    ) -> Option<Event> {
        self.live
            .get(&child)
            .filter(|live| live.incarnation == incarnation)?;
        if report == ChildReport::Started {
            return Some(Event::ChildStarted { child, incarnation });
        }
        let live = self.live.remove(&child)?;
        if let Some(actor) = live.handle.actor() {
            self.linked.remove(&actor);
        }
        Some(match report {
            ChildReport::Started => Event::ChildStarted { child, incarnation },
            ChildReport::Ignored => Event::ChildIgnored { child, incarnation },
            ChildReport::StartFailed(error) => Event::ChildStartFailed {
                child,
                incarnation,
                error,
            },
            ChildReport::Exited(reason) => Event::ChildExited {
                child,
                incarnation,
                reason,
            },
            ChildReport::Vanished => Event::ChildExited {
                child,
                incarnation,
                reason: vanished(live),
            },
        })
    }

    pub(super) fn decide(&mut self, myself: &ActorRef<SupervisorMessage>, event: Event) {
        let mut actions = std::mem::take(&mut self.actions);
        self.core.handle(self.clock.now(), event, &mut actions);
        for action in actions.drain(..) {
            self.act(myself, action);
        }
        actions.shrink_to(ACTIONS_KEPT);
        self.actions = actions;
    }

    fn act(&mut self, myself: &ActorRef<SupervisorMessage>, action: Action) {
        match action {
            Action::Start {
                child,
                incarnation,
                restart,
            } => {
                self.begin(
                    myself,
                    ChildStart {
                        child,
                        incarnation,
                        restart,
                    },
                );
            }
            Action::Stop {
                child, shutdown, ..
            } => {
                if let Some(live) = self.live.get_mut(&child) {
                    live.handle.stop(time_of(shutdown));
                }
            }
            Action::Kill { child, .. } => {
                if let Some(live) = self.live.get_mut(&child) {
                    live.killed = true;
                    live.handle.kill();
                }
            }
            Action::SetTimer { id, at } => self.timers.set(self.clock, id, at, myself),
            Action::ClearTimer(id) => self.timers.clear(id),
            Action::Reply { token, reply } => {
                if let Some(port) = self.asked.remove(&token) {
                    // An error means that the asker has given up.
                    drop(port.send(reply));
                }
            }
            Action::Started
            | Action::StartFailed(_)
            | Action::Exit { .. }
            | Action::Report(_)
            | Action::Restarting { .. }
            | Action::StaysDown { .. }
            | Action::Forgotten(_) => self.tell(myself, action),
        }
    }

    fn begin(&mut self, myself: &ActorRef<SupervisorMessage>, start: ChildStart) {
        let (child, incarnation) = (start.child.clone(), start.incarnation);
        let events = ChildEvents::new(myself.clone(), child.clone(), incarnation);
        // A factory that panics has not started the child (OTP: an exception is an error): its
        // events are dropped, and so the supervisor hears that the child vanished.
        let begun = catch_unwind(AssertUnwindSafe(|| self.factory.start(start, events)));
        let (handle, panic) = match begun {
            Ok(handle) => (handle, None),
            Err(panic) => (
                Box::new(Absent) as Box<dyn ChildHandle>,
                Some(text_of(panic.as_ref())),
            ),
        };
        if let Some(actor) = handle.actor() {
            self.linked.insert(actor, child.clone());
        }
        self.live.insert(
            child,
            Live {
                incarnation,
                handle,
                killed: false,
                panic,
            },
        );
    }

    /// What others hear: observers of everything, the parent of beginning and end.
    fn tell(&mut self, myself: &ActorRef<SupervisorMessage>, action: Action) {
        let event = match action {
            Action::Started => {
                self.observer.observe(&self.path, SupervisorEvent::Started);
                if let Some(up) = &self.up {
                    up.started();
                }
                return;
            }
            Action::StartFailed(error) => {
                let event = SupervisorEvent::StartFailed(error.clone());
                self.observer.observe(&self.path, event);
                return self.last_word(myself, |up| up.start_failed(error));
            }
            Action::Exit { reason, cause } => {
                let event = SupervisorEvent::Ended {
                    reason: reason.clone(),
                    cause,
                };
                self.observer.observe(&self.path, event);
                return self.last_word(myself, |up| up.exited(reason));
            }
            Action::Report(report) => SupervisorEvent::Report(report),
            Action::StaysDown {
                child,
                incarnation,
                reason,
                why,
            } => SupervisorEvent::StaysDown {
                child,
                incarnation,
                reason,
                why,
            },
            Action::Forgotten(child) => SupervisorEvent::Forgotten(child),
            Action::Restarting {
                child,
                incarnation,
                restarts,
                intensity,
                period,
                delay,
            } => SupervisorEvent::Restarting {
                child,
                incarnation,
                restarts,
                intensity,
                period,
                delay,
            },
            // Not for others to hear.
            Action::Start { .. }
            | Action::Stop { .. }
            | Action::Kill { .. }
            | Action::SetTimer { .. }
            | Action::ClearTimer(_)
            | Action::Reply { .. } => return,
        };
        self.observer.observe(&self.path, event);
    }

    fn last_word(&mut self, myself: &ActorRef<SupervisorMessage>, say: impl FnOnce(ChildEvents)) {
        if let Some(up) = self.up.take() {
            say(up);
        }
        myself.stop(None);
    }

    fn snapshot(&self) -> SupervisorSnapshot {
        SupervisorSnapshot {
            path: self.path.clone(),
            flags: self.core.flags(),
            is_up: self.core.is_up(),
            restarts_in_period: self.core.restarts_in_period(self.clock.now()),
            children: self.core.children(),
        }
    }
}

/// What `panic!` was given.
fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked".to_owned())
}

fn vanished(live: Live) -> ExitReason {
    match live.panic {
        Some(panic) => ExitReason::Internal(panic),
        None if live.killed => ExitReason::Killed,
        None => ExitReason::Internal("ended without a word".to_owned()),
    }
}

fn time_of(shutdown: Shutdown) -> Option<Duration> {
    match shutdown {
        Shutdown::BrutalKill => Some(Duration::ZERO),
        Shutdown::Timeout(span) => Some(span.into()),
        Shutdown::Infinity => None,
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("State")
            .field("path", &self.path)
            .field("core", &self.core)
            .finish_non_exhaustive()
    }
}
