//! Runs a scenario on the real shell: actors, tasks and real time. Prints what OTP's oracle prints.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use synapse_core::exit::ExitReason;
use synapse_core::supervisor::{ChildId, Request, StartError};
use synapse_node::supervisor::{
    AgentSupervisor, ChildEvents, ChildFactory, ChildHandle, ChildReport, ChildStart,
    SupervisorEvent, SupervisorHandle, SupervisorObserver, SupervisorSettings,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

use super::answers::{answer, failed_to_start};
use super::script::{Kind, Node, Scenario, Step, reason, shown};

/// A step is over when the trace has been silent for so long (as in the oracle).
const SILENCE: Duration = Duration::from_millis(40);
/// How long the end of a process is waited for (as in the oracle).
const PATIENCE: Duration = Duration::from_secs(10);

/// The trace of a scenario, one line an event.
pub(crate) async fn trace(scenario: &Scenario) -> Vec<String> {
    let world = World::default();
    let (up, mut reports) = ChildEvents::root();
    world.begin_supervisor("root", &scenario.tree, up);
    if let Some(ChildReport::StartFailed(error)) = reports.recv().await {
        let why = failed_to_start(&error);
        world.line(format!("start_error root {why}"));
        return world.lines();
    }
    world.rest().await;
    for step in &scenario.steps {
        world.line(format!("-- {}", step.label()));
        world.step(step).await;
        world.rest().await;
    }
    world.lines()
}

/// Everything that is alive, and what has happened.
#[derive(Clone, Default)]
struct World(Arc<Mutex<Facts>>);

#[derive(Default)]
struct Facts {
    lines: Vec<String>,
    /// The latest live process at each path.
    at_path: HashMap<String, Live>,
    starts: HashMap<String, u32>,
    obeying: usize,
    next: u64,
}

#[derive(Clone)]
enum Live {
    Worker {
        id: u64,
        orders: UnboundedSender<Order>,
    },
    Supervisor {
        handle: Option<SupervisorHandle>,
        cast: Cast,
    },
}

/// What a worker's task is told.
enum Order {
    Stop,
    Kill,
    Orphan,
    Exit(ExitReason),
}

/// The children of one supervisor.
#[derive(Clone)]
struct Cast {
    world: World,
    path: String,
    nodes: Arc<Mutex<HashMap<ChildId, Node>>>,
    /// This supervisor lost its parent by a kill: it ends in order, and for that reason. Also its
    /// identity: no other life has the same.
    orphaned: Arc<AtomicBool>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn facts(&self) -> MutexGuard<'_, Facts> {
        locked(&self.0)
    }

    fn line(&self, line: String) {
        self.facts().lines.push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.facts().lines.clone()
    }

    /// Lets everything happen until the trace is silent, as in the oracle, and nothing is left to
    /// do: on a busy machine silence alone may be that of a process that does not get its turn.
    async fn rest(&self) {
        let mut before = self.state();
        loop {
            sleep(SILENCE).await;
            self.probe().await;
            let now = self.state();
            if now == before && now.1 == 0 {
                return;
            }
            before = now;
        }
    }

    /// Lines so far, and workers on their way out.
    fn state(&self) -> (usize, usize) {
        let facts = self.facts();
        (facts.lines.len(), facts.obeying)
    }

    /// Asks every supervisor for its state, so that all that was on its way to one has arrived,
    /// until that changes nothing any more.
    async fn probe(&self) {
        loop {
            let before = self.state();
            let live: Vec<Live> = self.facts().at_path.values().cloned().collect();
            for live in live {
                if let Live::Supervisor {
                    handle: Some(handle),
                    ..
                } = live
                {
                    // None means that it is gone; then its parent has been told.
                    drop(handle.snapshot().await);
                }
            }
            if self.state() == before {
                return;
            }
        }
    }

    /// Spawns a supervisor; `up` hears the rest.
    fn begin_supervisor(
        &self,
        path: &str,
        node: &Node,
        up: ChildEvents,
    ) -> Option<SupervisorHandle> {
        self.line(format!("starting {path}"));
        let nodes = node
            .children
            .iter()
            .map(|child| (ChildId::from(&*child.id), child.clone()));
        let cast = Cast {
            world: self.clone(),
            path: path.to_owned(),
            nodes: Arc::new(Mutex::new(nodes.collect())),
            orphaned: Arc::default(),
        };
        let live = Live::Supervisor {
            handle: None,
            cast: cast.clone(),
        };
        self.facts().at_path.insert(path.to_owned(), live);
        let (factory, observer) = (Arc::new(cast.clone()), Arc::new(cast));
        let spawned = match node.flags() {
            Some(flags) => {
                let children = node.children.iter().map(Node::child_spec).collect();
                let settings = SupervisorSettings {
                    path: path.to_owned(),
                    flags,
                    children,
                    seed: 0,
                };
                AgentSupervisor::spawn(settings, factory, observer, up)
            }
            None => {
                let flags = node.dynamic_flags();
                AgentSupervisor::spawn_dynamic(path, flags, 0, factory, observer, up)
            }
        };
        let handle = spawned.ok()?;
        if let Some(Live::Supervisor { handle: slot, .. }) = self.facts().at_path.get_mut(path) {
            *slot = Some(handle.clone());
        }
        Some(handle)
    }

    fn ended(&self, cast: &Cast, reason: &ExitReason) {
        let mut facts = self.facts();
        // The next life may have this path already, where the last one's parent was killed.
        let is_here = match facts.at_path.get(&cast.path) {
            Some(Live::Supervisor { cast: here, .. }) => here.is(cast),
            Some(Live::Worker { .. }) | None => false,
        };
        if is_here {
            facts.at_path.remove(&cast.path);
        }
        let reason = match cast.orphaned.load(Ordering::Relaxed) {
            true => &ExitReason::Killed,
            false => reason,
        };
        facts
            .lines
            .push(format!("stopped {} {}", cast.path, shown(reason)));
    }

    async fn step(&self, step: &Step) {
        match step {
            Step::Wait { ms } => sleep(Duration::from_millis(*ms)).await,
            Step::StopRoot => self.exit("root", "shutdown").await,
            Step::Exit { path, reason } => self.exit(path, reason).await,
            Step::StartChild { sup, child, name } => {
                let node = child.as_deref().cloned().unwrap_or_else(|| Node {
                    id: name.clone().unwrap_or_default(),
                    ..Node::default()
                });
                self.request(sup, Request::StartChild(node.child_spec()), Some(node))
                    .await;
            }
            Step::TerminateChild { sup, id } => {
                self.request(sup, Request::TerminateChild(id.as_str().into()), None)
                    .await;
            }
            Step::RestartChild { sup, id } => {
                self.request(sup, Request::RestartChild(id.as_str().into()), None)
                    .await;
            }
            Step::DeleteChild { sup, id } => {
                self.request(sup, Request::DeleteChild(id.as_str().into()), None)
                    .await;
            }
            Step::WhichChildren { sup } => self.request(sup, Request::WhichChildren, None).await,
            Step::CountChildren { sup } => self.request(sup, Request::CountChildren, None).await,
        }
    }

    async fn exit(&self, path: &str, word: &str) {
        let live = self.facts().at_path.get(path).cloned();
        match live {
            None => self.line("result noproc".to_owned()),
            Some(Live::Worker { orders, .. }) => {
                let order = if word == "kill" {
                    Order::Kill
                } else {
                    Order::Exit(reason(word))
                };
                drop(orders.send(order));
                if timeout(PATIENCE, orders.closed()).await.is_err() {
                    self.line("hung".to_owned());
                }
            }
            Some(Live::Supervisor {
                handle: Some(handle),
                ..
            }) if word == "kill" => {
                self.kill_supervisor(path, &handle);
            }
            Some(Live::Supervisor { handle, .. }) => {
                if let Some(handle) = handle {
                    handle.stop();
                    handle.ended().await;
                }
            }
        }
    }

    fn kill_supervisor(&self, path: &str, handle: &SupervisorHandle) {
        let mut facts = self.facts();
        facts.at_path.remove(path);
        facts.lines.push(format!("stopped {path} killed"));
        let below = format!("{path}/");
        // Only its own children lose their parent; those further down are ended in order.
        let child = |at: &str| at.strip_prefix(&below).is_some_and(|id| !id.contains('/'));
        facts.at_path.retain(|at, live| match live {
            Live::Supervisor { cast, .. } if child(at) => {
                cast.orphaned.store(true, Ordering::Relaxed);
                false
            }
            Live::Supervisor { .. } | Live::Worker { .. } => true,
        });
        drop(facts);
        handle.crash();
    }

    async fn request(&self, path: &str, request: Request, node: Option<Node>) {
        let live = self.facts().at_path.get(path).cloned();
        let Some(Live::Supervisor {
            handle: Some(handle),
            cast,
        }) = live
        else {
            return self.line("result noproc".to_owned());
        };
        let new = node.filter(|node| !locked(&cast.nodes).contains_key(&*node.id));
        if let Some(node) = new.filter(|_| !cast.is_dynamic()) {
            locked(&cast.nodes).insert(ChildId::from(&*node.id), node);
        }
        let reply = handle.request(request).await;
        self.line(format!("result {}", answer(&reply, !cast.is_dynamic())));
    }

    fn begin_worker(&self, path: &str, node: &Node, events: ChildEvents) -> Box<dyn ChildHandle> {
        let mut facts = self.facts();
        let attempt = facts.starts.entry(path.to_owned()).or_insert(0);
        *attempt += 1;
        let attempt = *attempt;
        let (orders, inbox) = unbounded_channel();
        if node.fail_starts.contains(&attempt) {
            facts.lines.push(format!("start_failed {path}"));
            events.start_failed(StartError::new(ExitReason::Error("boom".to_owned())));
        } else if node.ignore_starts.contains(&attempt) {
            facts.lines.push(format!("start_ignored {path}"));
            events.ignored();
        } else {
            facts.lines.push(format!("started {path}"));
            facts.next += 1;
            let id = facts.next;
            facts.at_path.insert(
                path.to_owned(),
                Live::Worker {
                    id,
                    orders: orders.clone(),
                },
            );
            events.started();
            let delay = Duration::from_millis(node.stop_delay_ms);
            let worker = Worker {
                world: self.clone(),
                path: path.to_owned(),
                id,
                delay,
                inbox,
            };
            tokio::spawn(worker.live(events));
        }
        Box::new(Orders(orders))
    }
}

impl Cast {
    /// Whether this is the same life of the same supervisor.
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.orphaned, &other.orphaned)
    }

    fn is_dynamic(&self) -> bool {
        locked(&self.nodes).values().any(|node| node.template)
    }
}

impl ChildFactory for Cast {
    fn start(&self, start: ChildStart, events: ChildEvents) -> Box<dyn ChildHandle> {
        let path = format!("{}/{}", self.path, start.child);
        let node = {
            let nodes = locked(&self.nodes);
            let template = nodes.values().find(|node| node.template);
            nodes
                .get(&start.child)
                .or(template)
                .cloned()
                .unwrap_or_default()
        };
        match node.r#type {
            Kind::Worker => self.world.begin_worker(&path, &node, events),
            Kind::Supervisor => match self.world.begin_supervisor(&path, &node, events) {
                Some(handle) => handle.into_child(),
                None => Box::new(Orders(unbounded_channel().0)),
            },
        }
    }
}

impl SupervisorObserver for Cast {
    fn observe(&self, _supervisor: &str, event: SupervisorEvent) {
        match event {
            SupervisorEvent::Ended { reason, .. } => self.world.ended(self, &reason),
            SupervisorEvent::StartFailed(_) => {
                let detail = Some("failed_to_start_child".to_owned());
                self.world.ended(self, &ExitReason::Shutdown(detail));
            }
            // Not in the trace.
            SupervisorEvent::Starting(_)
            | SupervisorEvent::Started
            | SupervisorEvent::Report(_)
            | SupervisorEvent::Restarting { .. }
            | SupervisorEvent::StaysDown { .. }
            | SupervisorEvent::Forgotten(_) => {}
        }
    }
}

struct Worker {
    world: World,
    path: String,
    id: u64,
    delay: Duration,
    inbox: UnboundedReceiver<Order>,
}

impl Worker {
    async fn live(mut self, events: ChildEvents) {
        let reason = match self.inbox.recv().await {
            Some(Order::Exit(reason)) => reason,
            Some(Order::Kill) => ExitReason::Killed,
            Some(Order::Stop) => self.obey(ExitReason::Shutdown(None)).await,
            Some(Order::Orphan) | None => self.obey(ExitReason::Killed).await,
        };
        {
            let mut facts = self.world.facts();
            facts
                .lines
                .push(format!("stopped {} {}", self.path, shown(&reason)));
            let same = |live: &Live| matches!(live, Live::Worker { id, .. } if *id == self.id);
            if facts.at_path.get(&self.path).is_some_and(same) {
                facts.at_path.remove(&self.path);
            }
        }
        events.exited(reason);
    }

    async fn obey(&mut self, reason: ExitReason) -> ExitReason {
        self.world.facts().obeying += 1;
        let obeyed = sleep(self.delay);
        tokio::pin!(obeyed);
        let reason = loop {
            tokio::select! {
                () = &mut obeyed => break reason,
                // Without orders to come, when its supervisor is gone, it is the delay alone.
                Some(order) = self.inbox.recv() => if let Order::Kill = order {
                    break ExitReason::Killed;
                },
            }
        };
        self.world.facts().obeying -= 1;
        reason
    }
}

/// A worker, or what never came up, seen from its supervisor.
struct Orders(UnboundedSender<Order>);

impl ChildHandle for Orders {
    fn stop(&mut self, _within: Option<Duration>) {
        drop(self.0.send(Order::Stop));
    }

    fn kill(&mut self) {
        drop(self.0.send(Order::Kill));
    }
}

impl Drop for Orders {
    /// Its supervisor's actor died: as in OTP it obeys the signal that follows from that.
    fn drop(&mut self) {
        drop(self.0.send(Order::Orphan));
    }
}
