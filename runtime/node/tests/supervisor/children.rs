//! Children that do as the test says, and a record of what happened.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, ActorRuntime};
use synapse_core::exit::ExitReason;
use synapse_core::spec::Strategy;
use synapse_core::supervisor::{ChildSpec, DynamicFlags, Flags, StartError};
use synapse_core::time::Millis;
use synapse_node::supervisor::{
    AgentSupervisor, ChildEvents, ChildFactory, ChildHandle, ChildReport, ChildStart,
    SupervisorEvent, SupervisorHandle, SupervisorObserver, SupervisorSettings,
};
use tokio::sync::{Notify, mpsc};

/// How long a test waits, on the clock that runs by itself while all sleep.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3600);

/// What a child does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manners {
    /// Time until it is ready; `None` is never.
    pub(crate) start: Option<Duration>,
    /// Time to obey a stop; `None` is never.
    pub(crate) stop: Option<Duration>,
    /// Its starts fail from this attempt on.
    pub(crate) fails_from: Option<u64>,
    /// Its factory panics when it shall start it.
    pub(crate) panics_at_start: bool,
    /// It crashes as soon as it is ready.
    pub(crate) crashes: bool,
    /// Its starts answer `ignore`.
    pub(crate) ignores: bool,
    /// It is a ractor actor linked to its supervisor, which panics when told to exit.
    pub(crate) is_actor: bool,
    /// It is a ractor actor that unlinks itself at once, and obeys nobody.
    pub(crate) unlinks: bool,
}

/// What stands below a child that is a supervisor.
#[derive(Clone, Debug)]
pub(crate) enum Below {
    Static(Flags, Vec<ChildSpec>),
    Dynamic(DynamicFlags),
}

pub(crate) const QUICK: Manners = Manners {
    start: Some(Duration::ZERO),
    stop: Some(Duration::ZERO),
    fails_from: None,
    panics_at_start: false,
    crashes: false,
    ignores: false,
    is_actor: false,
    unlinks: false,
};

pub(crate) const HANGS: Manners = Manners {
    start: None,
    ..QUICK
};

/// It obeys only a kill.
pub(crate) const STUBBORN: Manners = Manners {
    stop: None,
    ..QUICK
};

/// A stage: makes children, hears supervisors, and writes down what they do.
#[derive(Clone, Default)]
pub(crate) struct Stage(Arc<Inner>);

#[derive(Default)]
struct Inner {
    manners: Mutex<HashMap<String, Manners>>,
    below: Mutex<HashMap<String, Below>>,
    supervisors: Mutex<HashMap<String, SupervisorHandle>>,
    trace: Mutex<Vec<String>>,
    changed: Notify,
    lines: Mutex<HashMap<String, mpsc::UnboundedSender<Order>>>,
}

/// What a child's task is told.
enum Order {
    Stop,
    Kill,
    Exit(ExitReason),
    Vanish,
}

impl Stage {
    pub(crate) fn manners(&self, child: &str, manners: Manners) {
        self.0
            .manners
            .lock()
            .unwrap()
            .insert(child.to_owned(), manners);
    }

    /// The child of this name is a supervisor, at `root/NAME`.
    pub(crate) fn nest(&self, child: &str, below: Below) {
        let mut supervisors = self.0.below.lock().unwrap();
        supervisors.insert(child.to_owned(), below);
    }

    /// The latest life of a nested supervisor.
    pub(crate) fn supervisor(&self, child: &str) -> SupervisorHandle {
        self.0.supervisors.lock().unwrap()[child].clone()
    }

    /// The child ends by itself.
    pub(crate) fn exit(&self, child: &str, reason: ExitReason) {
        self.order(child, Order::Exit(reason));
    }

    /// The child ends by itself, if it is there.
    pub(crate) fn try_exit(&self, child: &str, reason: ExitReason) {
        let lines = self.0.lines.lock().unwrap();
        if let Some(line) = lines.get(child) {
            // An error means that it is gone.
            drop(line.send(Order::Exit(reason)));
        }
    }

    /// The child's task loses its line without a word.
    pub(crate) fn vanish(&self, child: &str) {
        self.order(child, Order::Vanish);
    }

    fn order(&self, child: &str, order: Order) {
        let lines = self.0.lines.lock().unwrap();
        lines
            .get(child)
            .unwrap_or_else(|| panic!("no {child}"))
            .send(order)
            .ok()
            .unwrap();
    }

    pub(crate) fn write(&self, line: String) {
        self.0.trace.lock().unwrap().push(line);
        self.0.changed.notify_waiters();
    }

    /// What happened since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.trace.lock().unwrap())
    }

    /// Waits until this line is the last one, and returns all that led to it.
    pub(crate) async fn until(&self, line: &str) -> String {
        let wait = async {
            loop {
                let changed = self.0.changed.notified();
                if self
                    .0
                    .trace
                    .lock()
                    .unwrap()
                    .iter()
                    .any(|written| written == line)
                {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!("no {line} in {:?}", self.take());
        }
        self.take().join(" ")
    }

    /// Begins a child of this name.
    pub(crate) fn begin(&self, name: &str, start: &ChildStart, events: ChildEvents) -> Handle {
        let manners = self
            .0
            .manners
            .lock()
            .unwrap()
            .get(name)
            .copied()
            .unwrap_or(QUICK);
        assert!(!manners.panics_at_start, "as the test wants");
        let (sender, orders) = mpsc::unbounded_channel();
        self.0
            .lines
            .lock()
            .unwrap()
            .insert(name.to_owned(), sender.clone());
        let child = Child {
            stage: self.clone(),
            label: format!("{name}{}", start.incarnation),
            attempt: start.incarnation,
            manners,
            orders,
        };
        let mut actor = None;
        if manners.ignores {
            events.ignored();
        } else if manners.is_actor || manners.unlinks {
            let supervisor = events.supervisor().unwrap();
            let body = (child, events);
            let spawned = ActorRuntime::spawn_linked_instant(None, Nervous, body, supervisor);
            let (reference, _task) = spawned.unwrap();
            actor = Some(reference.get_id());
            reference.cast(()).unwrap();
        } else {
            tokio::spawn(child.live(events));
        }
        Handle {
            orders: sender,
            actor,
        }
    }
}

impl Stage {
    fn begin_supervisor(&self, name: &str, below: Below, up: ChildEvents) -> SupervisorHandle {
        let path = format!("root/{name}");
        let (factory, observer) = (Arc::new(self.clone()), Arc::new(self.clone()));
        let spawned = match below {
            Below::Static(flags, children) => {
                let settings = SupervisorSettings {
                    path,
                    flags,
                    children,
                    seed: 1,
                };
                AgentSupervisor::spawn(settings, factory, observer, up)
            }
            Below::Dynamic(flags) => {
                AgentSupervisor::spawn_dynamic(path, flags, 1, factory, observer, up)
            }
        };
        let handle = spawned.unwrap();
        let mut supervisors = self.0.supervisors.lock().unwrap();
        supervisors.insert(name.to_owned(), handle.clone());
        handle
    }
}

impl ChildFactory for Stage {
    fn start(&self, start: ChildStart, events: ChildEvents) -> Box<dyn ChildHandle> {
        let name = start.child.as_str();
        let below = self.0.below.lock().unwrap().get(name).cloned();
        match below {
            Some(below) => self.begin_supervisor(name, below, events).into_child(),
            None => Box::new(self.begin(name, &start, events)),
        }
    }
}

impl SupervisorObserver for Stage {
    fn observe(&self, supervisor: &str, event: SupervisorEvent) {
        self.write(match event {
            SupervisorEvent::Started => format!("up({supervisor})"),
            SupervisorEvent::StartFailed(error) => format!("start_failed({supervisor}: {error})"),
            SupervisorEvent::Ended { reason, cause } => {
                format!("ended({supervisor}: {}, {cause:?})", reason.word())
            }
            SupervisorEvent::Report(report) => format!("report({report})"),
            SupervisorEvent::Starting(_)
            | SupervisorEvent::Restarting { .. }
            | SupervisorEvent::StaysDown { .. }
            | SupervisorEvent::Forgotten(_) => return,
        });
    }
}

struct Child {
    stage: Stage,
    label: String,
    attempt: u64,
    manners: Manners,
    orders: mpsc::UnboundedReceiver<Order>,
}

impl Child {
    async fn live(mut self, events: ChildEvents) {
        let ready = tokio::time::sleep(self.manners.start.unwrap_or(PATIENCE * 100));
        let early = tokio::select! {
            biased;
            order = self.orders.recv() => order,
            () = ready => None,
        };
        if early.is_none() {
            if self
                .manners
                .fails_from
                .is_some_and(|from| self.attempt >= from)
            {
                self.stage.write(format!("failed({})", self.label));
                let reason = ExitReason::StartFailed("boom".to_owned());
                return events.start_failed(StartError::new(reason));
            }
            self.stage.write(format!("+{}", self.label));
            events.started();
        }
        let order = match early {
            Some(order) => Some(order),
            None if self.manners.crashes => Some(Order::Exit(crash())),
            None => self.orders.recv().await,
        };
        let reason = self.obey(order).await;
        let Some(reason) = reason else { return };
        self.stage
            .write(format!("-{}({})", self.label, reason.word()));
        events.exited(reason);
    }

    /// The reason with which it ends; `None` if it goes without a word.
    async fn obey(&mut self, order: Option<Order>) -> Option<ExitReason> {
        match order {
            Some(Order::Stop) => {
                let obeyed = tokio::time::sleep(self.manners.stop.unwrap_or(PATIENCE * 100));
                tokio::select! {
                    () = obeyed => Some(ExitReason::Shutdown(None)),
                    _ = self.orders.recv() => Some(ExitReason::Killed),
                }
            }
            Some(Order::Kill) | None => Some(ExitReason::Killed),
            Some(Order::Exit(reason)) => Some(reason),
            Some(Order::Vanish) => None,
        }
    }
}

pub(crate) struct Handle {
    orders: mpsc::UnboundedSender<Order>,
    actor: Option<ActorId>,
}

impl ChildHandle for Handle {
    fn stop(&mut self, _within: Option<Duration>) {
        drop(self.orders.send(Order::Stop));
    }

    fn kill(&mut self) {
        drop(self.orders.send(Order::Kill));
    }

    fn actor(&self) -> Option<ActorId> {
        self.actor
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An actor that panics at the first order.
struct Nervous;

impl Actor for Nervous {
    type Msg = ();
    type State = (Child, ChildEvents);
    type Arguments = (Child, ChildEvents);

    async fn pre_start(
        &self,
        myself: ActorRef<()>,
        (child, events): (Child, ChildEvents),
    ) -> Result<Self::State, ActorProcessingErr> {
        if child.manners.unlinks {
            myself.unlink(events.supervisor().unwrap());
        }
        child.stage.write(format!("+{}", child.label));
        events.started();
        Ok((child, events))
    }

    async fn handle(
        &self,
        myself: ActorRef<()>,
        (): (),
        (child, _events): &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        loop {
            match child.orders.recv().await {
                Some(Order::Exit(_)) => panic!("oh no"),
                Some(Order::Stop) if child.manners.unlinks => {}
                _ => {
                    myself.stop(None);
                    return Ok(());
                }
            }
        }
    }
}

pub(crate) fn flags(strategy: Strategy, intensity: u32) -> Flags {
    Flags {
        strategy,
        intensity,
        period: Millis(5000),
        ..Flags::default()
    }
}

pub(crate) fn worker(id: &str) -> ChildSpec {
    ChildSpec::worker(id)
}

pub(crate) fn crash() -> ExitReason {
    ExitReason::Error("crash".to_owned())
}

/// A supervisor of these children on this stage, and what its parent hears.
pub(crate) fn spawn(
    stage: &Stage,
    flags: Flags,
    children: Vec<ChildSpec>,
) -> (SupervisorHandle, mpsc::UnboundedReceiver<ChildReport>) {
    let (up, reports) = ChildEvents::root();
    let settings = SupervisorSettings {
        path: "root".to_owned(),
        flags,
        children,
        seed: 1,
    };
    let (factory, observer) = (Arc::new(stage.clone()), Arc::new(stage.clone()));
    (
        AgentSupervisor::spawn(settings, factory, observer, up).unwrap(),
        reports,
    )
}
