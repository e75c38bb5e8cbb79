//! A node: everything that one runtime process holds, and how a call finds its way in.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use synapse_core::crash::Standing;
use synapse_core::exit::ExitReason;
use synapse_core::fault::{Fault, FaultCode};
use synapse_core::spec::{Start, TreeSpec};
use synapse_core::supervisor::{ChildId, StartError};
use synapse_process::Spawner;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::agent::Agent;
use crate::agent::launch::Launcher;
use crate::call::{Call, CallInput};
use crate::clock::Clock;
use crate::deadletters::{DeadLetters, LetterId};
use crate::environments::{EnvironmentSource, Environments};
use crate::events::{EventHub, Happening};
use crate::family::{Family, Watcher};
use crate::handle::{CallRequest, NodeHandle, Run, RunId};
use crate::limits::LimitWatch;
use crate::link::CancelReason;
use crate::pulse::Pulse;
use crate::registry::AgentRegistry;
use crate::session::{MemoryStore, SessionStore, Sessions};
use crate::standing::Standings;
use crate::supervisor::{ChildReport, SpawnError, SupervisionTree, SupervisorHandle};
use crate::view::{AgentState, EventKind, NodeEvent};

/// The path of the supervisor at the top.
const ROOT: &str = "root";

/// The longest that a call may take, whatever a spec says: a year. A longer time may not fit the
/// clock.
pub(crate) const CALL_TIMEOUT_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Conversations kept in memory by default.
pub const SESSIONS_MAX: usize = 1_000;
/// Bytes of conversations kept in memory by default.
pub const SESSION_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a node is made of.
#[derive(Debug)]
pub struct NodeSettings {
    /// Its name, for people and for agents.
    pub name: String,
    /// The tree that it runs.
    pub tree: TreeSpec,
    /// How agents' processes are started.
    pub launcher: Launcher,
    /// What an agent is to run in when it is restarted by hand; without it, always the same.
    pub environments: Option<Arc<dyn EnvironmentSource>>,
    /// Where conversations live.
    pub sessions: Arc<dyn SessionStore>,
    /// The folder of dead letters; without one they live as long as the node.
    pub dead_letters: Option<PathBuf>,
    /// For the jitter of backoffs.
    pub seed: u64,
    /// Where its processes come from: without one, the node has its own, which changes nothing of
    /// the program around it. Agents are forked where it adopts.
    pub spawner: Option<Spawner>,
    /// The process above this one that leaves nothing of it behind, where there is one.
    pub guard: Option<u32>,
}

impl NodeSettings {
    /// Settings with conversations in memory.
    #[must_use]
    pub fn new(name: impl Into<String>, tree: TreeSpec, launcher: Launcher) -> Self {
        Self {
            name: name.into(),
            tree,
            launcher,
            environments: None,
            sessions: Arc::new(MemoryStore::new(SESSIONS_MAX, SESSION_BYTES_MAX)),
            dead_letters: None,
            seed: 0,
            spawner: None,
            guard: None,
        }
    }

    /// The same with other bounds of conversations in memory.
    #[must_use]
    pub fn sessions_in_memory(mut self, count_max: usize, bytes_max: usize) -> Self {
        self.sessions = Arc::new(MemoryStore::new(count_max, bytes_max));
        self
    }
}

/// Why a node could not begin.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The thread that makes processes could not be started.
    #[error("start the thread that makes processes")]
    Spawner(#[source] std::io::Error),
    /// The root supervisor could not be spawned.
    #[error("spawn the root supervisor")]
    Root(#[from] SpawnError),
}

/// How a node ended.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeEnd {
    /// Somebody asked for it.
    Stopped,
    /// The tree did not come up: which child, by its path, and why.
    StartFailed {
        /// From below the root, e.g. `research/writer`.
        path: String,
        /// Why.
        reason: ExitReason,
    },
    /// The root supervisor ended by itself: it gave up, or its significant children ended.
    Escalated {
        /// A line for people.
        message: String,
    },
}

/// What the node's parts share.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) clock: Clock,
    pub(crate) registry: AgentRegistry,
    pub(crate) standings: Standings,
    pub(crate) sessions: Sessions,
    pub(crate) letters: Arc<DeadLetters>,
    pub(crate) events: EventHub,
    pub(crate) launcher: Arc<Launcher>,
    pub(crate) environments: Environments,
    pub(crate) limits: Arc<LimitWatch>,
    pub(crate) pulse: Pulse,
    pub(crate) guard: Option<u32>,
    runs: AtomicU64,
    tree: OnceLock<(SupervisionTree, SupervisorHandle)>,
    /// Grows with every change of an agent's state.
    pub(crate) changes: watch::Sender<u64>,
    /// Whether the whole tree has come up once.
    up: watch::Sender<bool>,
    stopping: watch::Sender<bool>,
    end: watch::Sender<Option<NodeEnd>>,
}

impl fmt::Debug for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Node")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl NodeHandle {
    /// Begins to start the tree, and returns at once. Within a tokio runtime.
    ///
    /// # Errors
    /// [`NodeError`]; a child that does not come up is told by [`NodeHandle::ended`].
    pub fn begin(settings: NodeSettings) -> Result<Self, NodeError> {
        let tree = Arc::new(settings.tree.clone());
        let spawner = settings.spawner.map_or_else(Spawner::start, Ok);
        let spawner = spawner.map_err(NodeError::Spawner)?;
        let clock = Clock::start();
        let launcher = Arc::new(settings.launcher);
        let letters = Arc::new(DeadLetters::open(settings.dead_letters));
        let node = Arc::new(Node {
            name: settings.name,
            clock,
            pulse: Pulse::new(clock),
            registry: AgentRegistry::new(settings.tree, &letters),
            letters,
            standings: Standings::default(),
            sessions: Sessions::new(settings.sessions),
            events: EventHub::new(),
            limits: Arc::new(LimitWatch::new(spawner.clone())),
            environments: Environments::new(spawner, Arc::clone(&launcher), settings.environments),
            launcher,
            guard: settings.guard,
            runs: AtomicU64::new(0),
            tree: OnceLock::new(),
            changes: watch::Sender::new(0),
            up: watch::Sender::new(false),
            stopping: watch::Sender::new(false),
            end: watch::Sender::new(None),
        });
        for agent in node.registry.all() {
            let keeper = Arc::clone(&agent).keep_deadlines();
            tokio::spawn(until_end(node.end.subscribe(), keeper));
        }
        let beating = Arc::clone(&node);
        let pulse = async move { beating.pulse.beat().await };
        tokio::spawn(until_end(node.end.subscribe(), pulse));
        let family = Arc::new(Family::new(Arc::downgrade(&node)));
        let watcher = Arc::new(Watcher::new(Arc::downgrade(&node)));
        let tree = SupervisionTree::new(tree, family, watcher, settings.seed);
        let (root, reports) = tree.start()?;
        // The cell is empty: this is the only place that fills it.
        node.tree.set((tree, root)).ok();
        tokio::spawn(watch_root(Arc::clone(&node), reports));
        tokio::spawn(warm_up(Arc::clone(&node)));
        Ok(Self::new(node))
    }
}

/// Runs a task of the node's until the node has ended.
async fn until_end(mut end: watch::Receiver<Option<NodeEnd>>, task: impl Future<Output = ()>) {
    tokio::select! {
        _ = end.wait_for(Option::is_some) => {}
        () = task => {}
    }
}

/// Sees to it that the first call of an agent that starts on demand finds a warm zygote.
async fn warm_up(node: Arc<Node>) {
    let agents = node.registry.all().into_iter();
    let on_demand: Vec<_> = agents
        .filter(|agent| agent.spec.start == Start::OnDemand)
        .collect();
    let of_node = Arc::clone(&node);
    // It reads files, on whatever kind of disk.
    let kinds = tokio::task::spawn_blocking(move || {
        let kinds = on_demand
            .iter()
            .filter_map(|agent| Some((&agent.name, of_node.launcher.forked_from(&agent.spec)?)));
        kinds
            .map(|(name, kind)| (Arc::clone(name), kind))
            .collect::<Vec<_>>()
    });
    // An error means that the runtime of tokio ends.
    for (name, kind) in kinds.await.unwrap_or_default() {
        node.environments.of(&name).warm_up(kind);
    }
}

/// Turns what the root reports into the node's end.
async fn watch_root(
    node: Arc<Node>,
    mut reports: tokio::sync::mpsc::UnboundedReceiver<ChildReport>,
) {
    let end = loop {
        match reports.recv().await {
            // A child that is held counts as started, so that this is no news then.
            Some(ChildReport::Started) if *node.stopping.borrow() => {}
            Some(ChildReport::Started) => {
                node.up.send_replace(true);
                let count = node.registry.all().len();
                let message = format!("all {count} agents were started");
                node.events
                    .publish(Happening::new(EventKind::NodeStarted, message));
            }
            Some(ChildReport::StartFailed(error)) if !*node.stopping.borrow() => {
                break start_failed(error);
            }
            Some(_) if *node.stopping.borrow() => break NodeEnd::Stopped,
            Some(report) => break escalated(&node, &report),
            None => {
                break NodeEnd::Escalated {
                    message: "the root supervisor is gone".to_owned(),
                };
            }
        }
    };
    for agent in node.registry.all() {
        agent.hold(&agent.node_ended());
        for replica in 0..agent.replica_count() {
            if agent.state(replica) != AgentState::Failed {
                agent.rests(replica, AgentState::Stopped);
            }
        }
    }
    node.letters.settle().await;
    node.environments.end().await;
    node.end.send_replace(Some(end));
    node.changed();
}

fn start_failed(error: StartError) -> NodeEnd {
    let path: Vec<&str> = error.path.iter().map(ChildId::as_str).collect();
    NodeEnd::StartFailed {
        path: path.join("/"),
        reason: error.reason,
    }
}

/// The root's end, with the child whose end was one too many.
fn escalated(node: &Node, report: &ChildReport) -> NodeEnd {
    let of_root = |event: &NodeEvent| event.supervisor.as_deref() == Some(ROOT);
    let gave_up = |event: &NodeEvent| event.kind == EventKind::SupervisorGaveUp && of_root(event);
    let message = match report {
        ChildReport::Exited(_) if node.events.last(gave_up).is_some() => {
            let ended = |event: &NodeEvent| {
                event.kind == EventKind::CrashReport
                    && of_root(event)
                    && event.data["context"] == "child_terminated"
            };
            let last = node.events.last(ended).map(|event| event.message);
            let last = last.as_deref().and_then(|text| text.split_once(": "));
            let last = last.map_or("its children ended", |(_, what)| what);
            format!("root gave up, with more restarts than its intensity allows: {last}")
        }
        ChildReport::Exited(reason) => format!("the root supervisor {reason}"),
        _ => "the root supervisor ended without a word".to_owned(),
    };
    NodeEnd::Escalated { message }
}

impl Node {
    /// Brings a call to its agent's mailbox.
    pub(crate) async fn start_run(&self, name: &str, request: CallRequest) -> Result<Run, Fault> {
        let arrived = Instant::now();
        let agent = self.registry.agent(name)?;
        let limit = Duration::from(agent.spec.call_timeout).min(CALL_TIMEOUT_MAX);
        let deadline = arrived + request.timeout.map_or(limit, |timeout| timeout.min(limit));
        let mut input = CallInput {
            input: request.input,
            stream: request.stream,
            restarts: request.restarts,
            deps: request.deps,
            history: request.history.into_iter().map(Into::into).collect(),
            model: request.model,
            settings: request.settings,
            instructions: request.instructions,
            usage_limits: request.usage_limits,
        };
        let lease = match &request.session {
            None => None,
            Some(_) if !input.history.is_empty() => return Err(history_and_session()),
            Some(id) => {
                let (lease, history) = self.sessions.lease(id, name, deadline).await?;
                input.history = history;
                Some(lease)
            }
        };
        let (id, name) = (self.next_run(), Arc::clone(&agent.name));
        let call = Call::new(id, name, input, arrived, deadline, lease);
        match agent.suspicion.standing(&call) {
            Standing::Condemned(letter) => Err(agent.condemned(LetterId(letter))),
            Standing::Free | Standing::Alone => submit(&agent, &Arc::new(call)),
        }
    }

    pub(crate) fn next_run(&self) -> RunId {
        RunId(self.runs.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Cancels a run by its number; false where no such run is under way.
    pub(crate) fn cancel(&self, run: RunId) -> bool {
        for agent in self.registry.all() {
            if let Some(call) = agent.find_call(run) {
                agent.abandon(&call, CancelReason::Cancelled);
                return true;
            }
        }
        false
    }

    /// Begins an ordered stop of the whole tree.
    pub(crate) fn shutdown(&self) {
        if self.stopping.send_replace(true) {
            return;
        }
        self.events.publish(Happening::new(
            EventKind::NodeStopping,
            "the node is stopping",
        ));
        for agent in self.registry.all() {
            agent.in_order(|| agent.hold(&agent.node_ended()));
        }
        if let Some((_, root)) = self.tree.get() {
            root.stop();
        }
    }

    /// Waits until it is stopping, or has ended by itself.
    pub(crate) async fn goes_down(&self) {
        let mut stopping = self.stopping.subscribe();
        tokio::select! {
            // The node holds the sender, so that this is told.
            _ = stopping.wait_for(|stopping| *stopping) => {}
            _ = self.ended() => {}
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    pub(crate) async fn started(&self) {
        let mut up = self.up.subscribe();
        tokio::select! {
            // The node holds the sender, so that this is told.
            _ = up.wait_for(|up| *up) => {}
            _ = self.ended() => {}
        }
    }

    pub(crate) async fn ended(&self) -> NodeEnd {
        let mut end = self.end.subscribe();
        let end = end.wait_for(Option::is_some).await.map(|end| end.clone());
        end.ok().flatten().unwrap_or(NodeEnd::Stopped)
    }

    pub(crate) fn end(&self) -> Option<NodeEnd> {
        self.end.borrow().clone()
    }

    pub(crate) fn tree(&self) -> Option<&SupervisionTree> {
        self.tree.get().map(|(tree, _)| tree)
    }

    /// Some agent's state has changed: whoever waits for one looks again.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

/// From here on the call has a deadline, and dropping the run ends it wherever it is.
pub(crate) fn submit(agent: &Arc<Agent>, call: &Arc<Call>) -> Result<Run, Fault> {
    agent.deadlines.watch(call);
    let run = Run::new(Arc::clone(agent), Arc::clone(call));
    // Where it is refused, dropping the run forgets the call.
    agent.mailbox.push(call).map(|()| run)
}

fn history_and_session() -> Fault {
    let message = "a call has either a session or a history, not both";
    Fault::new(FaultCode::InvalidInput, message)
}
