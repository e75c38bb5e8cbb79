//! The supervisors of a `TreeSpec`: each spawned as its parent's child, found again by name.
//!
//! It knows which child is an agent and which a supervisor; what an agent is, only the
//! [`AgentFactory`] knows.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use synapse_core::name::Name;
use synapse_core::spec::{AgentSpec, ChildRef, SupervisorSpec, TreeSpec};
use synapse_core::supervisor::{ChildId, ChildKind, ChildSpec, Flags};
use tokio::sync::mpsc;

use crate::supervisor::child::Absent;
use crate::supervisor::{
    AgentSupervisor, ChildEvents, ChildFactory, ChildHandle, ChildReport, ChildStart, SpawnError,
    SupervisorEvent, SupervisorHandle, SupervisorObserver, SupervisorSettings,
};

/// The incarnation of an agent that shall begin.
#[derive(Clone, Debug)]
pub struct AgentStart {
    /// Which agent.
    pub agent: Name,
    /// Which of its replicas; 0 for the first.
    pub replica: usize,
    /// Its number among the lives of this replica.
    pub incarnation: u64,
    /// Whether another life of it came before.
    pub restart: bool,
}

/// Makes the incarnations of agents.
pub trait AgentFactory: Send + Sync + 'static {
    /// As [`ChildFactory::start`].
    fn start(&self, start: AgentStart, events: ChildEvents) -> Box<dyn ChildHandle>;

    /// The last incarnation of this replica so far, 0 before the first: its supervisor may be a
    /// new one, and the number must go on.
    fn last_incarnation(&self, agent: &Name, replica: usize) -> u64;
}

/// A tree of supervisors over agents. A value: many live in one process.
#[derive(Clone)]
pub struct SupervisionTree(Arc<Tree>);

struct Tree {
    spec: Arc<TreeSpec>,
    agents: Arc<dyn AgentFactory>,
    observer: Arc<dyn SupervisorObserver>,
    seed: u64,
    parents: HashMap<Name, Name>,
    supervisors: Mutex<HashMap<Name, Seat>>,
}

/// What is known of one supervisor of the tree over all its lives.
#[derive(Default)]
struct Seat {
    handle: Option<SupervisorHandle>,
    incarnation: u64,
}

impl SupervisionTree {
    /// A tree that is not started. `seed` is for the jitter of backoffs.
    #[must_use]
    pub fn new(
        spec: Arc<TreeSpec>,
        agents: Arc<dyn AgentFactory>,
        observer: Arc<dyn SupervisorObserver>,
        seed: u64,
    ) -> Self {
        let children = |supervisor: &SupervisorSpec| {
            let parent = supervisor.name.clone();
            let names: Vec<_> = supervisor
                .children
                .iter()
                .map(|c| c.name().clone())
                .collect();
            names.into_iter().map(move |child| (child, parent.clone()))
        };
        let parents = spec.supervisors.values().flat_map(children).collect();
        let supervisors = Mutex::default();
        Self(Arc::new(Tree {
            spec,
            agents,
            observer,
            seed,
            parents,
            supervisors,
        }))
    }

    /// Starts the root. The receiver hears `Started` when the whole tree is up, and at the end
    /// `StartFailed` or `Exited`.
    ///
    /// # Errors
    /// The root's child specs are not valid together; `config` makes none such.
    pub fn start(
        &self,
    ) -> Result<(SupervisorHandle, mpsc::UnboundedReceiver<ChildReport>), SpawnError> {
        let (up, reports) = ChildEvents::root();
        let root = self.0.spec.root.clone();
        Ok((self.0.spawn(&root, up)?, reports))
    }

    /// The supervisor of this name, while it lives.
    #[must_use]
    pub fn supervisor(&self, name: &str) -> Option<SupervisorHandle> {
        self.0.supervisors.lock().get(name)?.handle.clone()
    }

    /// The name of the supervisor in whose `children` this agent or supervisor stands.
    #[must_use]
    pub fn parent(&self, name: &str) -> Option<&Name> {
        self.0.parents.get(name)
    }

    /// The place of an agent or supervisor, e.g. `root/research/writer`.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        self.0.path(name)
    }

    /// The ids under which an agent's replicas, or a supervisor, stand in their parent.
    #[must_use]
    pub fn child_ids(&self, name: &str) -> Vec<ChildId> {
        match self.0.spec.agents.get(name) {
            Some(agent) => (0..agent.replicas)
                .map(|index| replica_id(name, index))
                .collect(),
            None => vec![ChildId::from(name)],
        }
    }
}

impl Tree {
    fn spawn(
        self: &Arc<Self>,
        name: &Name,
        up: ChildEvents,
    ) -> Result<SupervisorHandle, SpawnError> {
        let settings = self.settings(name);
        let factory = Arc::new(Children(Arc::clone(self)));
        let observer = Arc::new(Seats {
            tree: Arc::clone(self),
            name: name.clone(),
        });
        AgentSupervisor::spawn(settings, factory, observer, up)
    }

    fn settings(&self, name: &Name) -> SupervisorSettings {
        let spec = self.spec.supervisors.get(name);
        SupervisorSettings {
            path: self.path(name.as_str()),
            flags: spec.map(Flags::from).unwrap_or_default(),
            children: spec.map(|spec| self.child_specs(spec)).unwrap_or_default(),
            seed: self.seed,
        }
    }

    fn child_specs(&self, spec: &SupervisorSpec) -> Vec<ChildSpec> {
        let mut specs = Vec::new();
        for child in &spec.children {
            match child {
                ChildRef::Agent(name) => {
                    let agent = self.spec.agents.get(name);
                    specs.extend(
                        agent
                            .into_iter()
                            .flat_map(|agent| self.replica_specs(agent)),
                    );
                }
                ChildRef::Supervisor(name) => {
                    let supervisor = self.spec.supervisors.get(name);
                    specs.extend(supervisor.map(|supervisor| self.supervisor_spec(supervisor)));
                }
            }
        }
        specs
    }

    fn replica_specs(&self, agent: &AgentSpec) -> impl Iterator<Item = ChildSpec> {
        (0..agent.replicas).map(move |replica| ChildSpec {
            id: replica_id(agent.name.as_str(), replica),
            kind: ChildKind::Worker,
            restart: agent.restart,
            shutdown: agent.shutdown,
            significant: agent.significant,
            backoff: agent.backoff,
            remember: true,
            last_incarnation: self.agents.last_incarnation(&agent.name, replica),
        })
    }

    fn supervisor_spec(&self, spec: &SupervisorSpec) -> ChildSpec {
        let seats = self.supervisors.lock();
        ChildSpec {
            restart: spec.restart,
            shutdown: spec.shutdown,
            significant: spec.significant,
            remember: true,
            last_incarnation: seats.get(&spec.name).map_or(0, |seat| seat.incarnation),
            ..ChildSpec::supervisor(&spec.name)
        }
    }

    fn path(&self, name: &str) -> String {
        match self.parents.get(name) {
            Some(parent) => format!("{}/{name}", self.path(parent.as_str())),
            None => name.to_owned(),
        }
    }
}

/// The children of one supervisor.
struct Children(Arc<Tree>);

impl ChildFactory for Children {
    fn start(&self, start: ChildStart, events: ChildEvents) -> Box<dyn ChildHandle> {
        let tree = &self.0;
        let (name, replica) = parse_id(start.child.as_str());
        let ChildStart {
            incarnation,
            restart,
            ..
        } = start;
        if let Some(spec) = tree.spec.supervisors.get(name) {
            tree.supervisors
                .lock()
                .entry(spec.name.clone())
                .or_default()
                .incarnation = incarnation;
            return match tree.spawn(&spec.name, events) {
                Ok(handle) => handle.into_child(),
                // `events` has told.
                Err(_) => Box::new(Absent),
            };
        }
        let Some(agent) = tree.spec.agents.get(name) else {
            // Its `events` are dropped, which is told as a crash: a child that nobody declared.
            return Box::new(Absent);
        };
        let agent = agent.name.clone();
        tree.agents.start(
            AgentStart {
                agent,
                replica,
                incarnation,
                restart,
            },
            events,
        )
    }
}

/// Keeps the address of one supervisor current, and passes everything on.
struct Seats {
    tree: Arc<Tree>,
    name: Name,
}

impl SupervisorObserver for Seats {
    fn observe(&self, supervisor: &str, event: SupervisorEvent) {
        let seated = match &event {
            SupervisorEvent::Starting(handle) => Some(Some(handle.clone())),
            SupervisorEvent::StartFailed(_) | SupervisorEvent::Ended { .. } => Some(None),
            SupervisorEvent::Started
            | SupervisorEvent::Report(_)
            | SupervisorEvent::Restarting { .. }
            | SupervisorEvent::StaysDown { .. }
            | SupervisorEvent::Forgotten(_) => None,
        };
        if let Some(handle) = seated {
            self.tree
                .supervisors
                .lock()
                .entry(self.name.clone())
                .or_default()
                .handle = handle;
        }
        self.tree.observer.observe(supervisor, event);
    }
}

/// `writer` for the first replica, `writer.1` for the second. Names have no dots.
fn replica_id(name: &str, replica: usize) -> ChildId {
    match replica {
        0 => ChildId::from(name),
        _ => ChildId::from(format!("{name}.{replica}")),
    }
}

fn parse_id(id: &str) -> (&str, usize) {
    match id.split_once('.') {
        Some((name, replica)) => (name, replica.parse().unwrap_or(0)),
        None => (id, 0),
    }
}

impl std::fmt::Debug for SupervisionTree {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SupervisionTree")
            .field("spec", &self.0.spec)
            .finish_non_exhaustive()
    }
}
