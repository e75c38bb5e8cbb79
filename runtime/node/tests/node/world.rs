//! A node to play with: its tree, calls to it, and waiting for what must come.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use serde_json::{Map, Value, json};
use synapse_core::fault::Fault;
use synapse_core::name::Name;
use synapse_core::spec::{
    AgentSpec, AutoShutdown, Backoff, ChildRef, CrashSpec, DepsScope, Entry, Liveness, MailboxSpec,
    OnExhausted, Program, ResourceLimits, Restart, Shutdown, Spawn, Start, StartOrder, Strategy,
    SupervisorSpec, TreeSpec, UsageLimits, WhenFull,
};
use synapse_core::time::Millis;
use synapse_node::{
    AgentState, AgentView, CallRequest, EventKind, Launcher, NodeEnd, NodeEvent, NodeHandle,
    NodeSettings, PythonEnvironment, Run, RunEvent, RunOutcome,
};

use crate::Outcome;

/// For what must come; it comes within milliseconds on a machine that is not busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// From one look to the next.
const GLANCE: Duration = Duration::from_millis(2);

pub(crate) struct World {
    pub(crate) node: NodeHandle,
    _folder: tempfile::TempDir,
}

/// A tree of one supervisor over these agents, started and ready.
pub(crate) async fn ready(agents: Vec<AgentSpec>) -> Result<World, Box<dyn Error>> {
    let world = World::begin(tree(agents, |_| {}))?;
    world.node.wait_settled(PATIENCE).await.map_err(told)?;
    Ok(world)
}

impl World {
    pub(crate) fn begin(tree: TreeSpec) -> Result<Self, Box<dyn Error>> {
        Self::begin_with(tree, |_| {})
    }

    pub(crate) fn begin_with(
        tree: TreeSpec,
        change: impl FnOnce(&mut Launcher),
    ) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let mut launcher = Launcher {
            python: PythonEnvironment {
                program: std::env::current_exe()?,
                args: Vec::new(),
                zygote: None,
            },
            pythons: BTreeMap::new(),
            folder: folder.path().to_owned(),
            path: Vec::new(),
            environment: BTreeMap::new(),
        };
        change(&mut launcher);
        let node = NodeHandle::begin(NodeSettings::new("tests", tree, launcher))?;
        Ok(Self {
            node,
            _folder: folder,
        })
    }

    pub(crate) async fn stop(self) -> Outcome {
        self.node.shutdown();
        let end = tokio::time::timeout(PATIENCE, self.node.ended()).await?;
        same(&end, &NodeEnd::Stopped)
    }

    pub(crate) async fn run(&self, agent: &str, input: Value) -> Result<Run, Box<dyn Error>> {
        self.node.start_run(agent, asked(input)).await.map_err(told)
    }

    pub(crate) async fn call(&self, agent: &str, input: Value) -> Result<RunOutcome, Fault> {
        self.node.call(agent, asked(input)).await
    }

    pub(crate) async fn agent(&self, name: &str) -> Result<AgentView, Box<dyn Error>> {
        Ok(self.node.agent(name).map_err(told)?.view)
    }

    pub(crate) async fn until_state(&self, agent: &str, state: AgentState) -> Outcome {
        eventually(&format!("{agent} is {}", state.as_str()), || {
            let view = self.node.agent(agent).map_err(|fault| fault.message)?.view;
            match view.replicas.iter().all(|one| one.state == state) {
                true => Ok(()),
                false => Err(format!("{:?}", view.replicas)),
            }
        })
        .await
    }

    /// Waits until this life of the agent takes calls.
    pub(crate) async fn until_ready(&self, agent: &str, incarnation: u64) -> Outcome {
        let expected = (Some(incarnation), AgentState::Ready);
        eventually(&format!("{agent} #{incarnation} is ready"), || {
            let view = self.node.agent(agent).map_err(|fault| fault.message)?.view;
            let one = &view.replicas[0];
            match (one.incarnation, one.state) == expected {
                true => Ok(()),
                false => Err(format!("{one:?}")),
            }
        })
        .await
    }

    /// Waits until so many runs of the agent execute.
    pub(crate) async fn until_in_flight(&self, agent: &str, count: usize) -> Outcome {
        eventually(&format!("{agent} has {count} in flight"), || {
            let view = self.node.agent(agent).map_err(|fault| fault.message)?.view;
            let now: usize = view.replicas.iter().map(|one| one.in_flight).sum();
            match now == count {
                true => Ok(()),
                false => Err(format!("{now} in flight, {} queued", view.queued)),
            }
        })
        .await
    }

    pub(crate) fn events(&self, kind: EventKind) -> Vec<NodeEvent> {
        let (mut events, _) = self.node.events(usize::MAX);
        events.retain(|event| event.kind == kind);
        events
    }
}

/// Looks again and again until it is so. What is not says how it stands.
pub(crate) async fn eventually(what: &str, so: impl Fn() -> Result<(), String>) -> Outcome {
    let mut last = String::new();
    let looks = async {
        while let Err(stand) = so() {
            last = stand;
            tokio::time::sleep(GLANCE).await;
        }
    };
    if tokio::time::timeout(PATIENCE, looks).await.is_err() {
        return Err(format!("not within {PATIENCE:?}: {what}; last: {last}").into());
    }
    Ok(())
}

pub(crate) fn same<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Outcome {
    if found == expected {
        return Ok(());
    }
    Err(format!("found {found:?}, expected {expected:?}").into())
}

pub(crate) fn that(holds: bool, what: &str) -> Outcome {
    if holds {
        return Ok(());
    }
    Err(format!("not so: {what}").into())
}

/// The rest of a run's events, all of them.
pub(crate) async fn rest(run: &mut Run) -> Result<Vec<RunEvent>, Box<dyn Error>> {
    let mut events = Vec::new();
    while let Some(event) = tokio::time::timeout(PATIENCE, run.next()).await? {
        events.push(event);
    }
    Ok(events)
}

/// The outcome of a run; an error where there is not exactly one, as its last event.
pub(crate) async fn outcome(run: &mut Run) -> Result<Result<RunOutcome, Fault>, Box<dyn Error>> {
    let mut events = rest(run).await?;
    let Some(RunEvent::Finished(outcome)) = events.pop() else {
        return Err("the last event is no outcome".into());
    };
    let again = |event: &RunEvent| matches!(event, RunEvent::Finished(_));
    that(!events.iter().any(again), "one outcome only")?;
    Ok(outcome)
}

/// The code of the fault that a call ended with.
pub(crate) fn code(outcome: &Result<RunOutcome, Fault>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(fault) => fault.code.as_str(),
    }
}

pub(crate) fn asked(input: Value) -> CallRequest {
    CallRequest {
        input,
        ..CallRequest::default()
    }
}

pub(crate) fn job(what: &str) -> Value {
    json!({ "do": what })
}

#[expect(clippy::needless_pass_by_value, reason = "the form of map_err")]
pub(crate) fn told(fault: Fault) -> Box<dyn Error> {
    format!("{}: {}", fault.code.as_str(), fault.message).into()
}

#[expect(clippy::expect_used, reason = "names of the tests' own")]
pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

pub(crate) fn tree(agents: Vec<AgentSpec>, change: impl FnOnce(&mut SupervisorSpec)) -> TreeSpec {
    let root = supervisor("root", agents.iter().map(child).collect(), change);
    let agents = agents.into_iter().map(|agent| (agent.name.clone(), agent));
    TreeSpec {
        root: root.name.clone(),
        supervisors: BTreeMap::from([(root.name.clone(), root)]),
        agents: agents.collect(),
    }
}

pub(crate) fn child(agent: &AgentSpec) -> ChildRef {
    ChildRef::Agent(agent.name.clone())
}

/// Forgiving: a case that crashes agents does not bring the node down.
pub(crate) fn supervisor(
    of: &str,
    children: Vec<ChildRef>,
    change: impl FnOnce(&mut SupervisorSpec),
) -> SupervisorSpec {
    let mut spec = SupervisorSpec {
        name: name(of),
        strategy: Strategy::OneForOne,
        intensity: 1000,
        period: Millis::from_secs(5),
        on_exhausted: OnExhausted::Escalate,
        start_order: StartOrder::Sequential,
        auto_shutdown: AutoShutdown::Never,
        restart: Restart::Permanent,
        shutdown: Shutdown::Infinity,
        significant: false,
        children,
    };
    change(&mut spec);
    spec
}

pub(crate) fn agent(of: &str, change: impl FnOnce(&mut AgentSpec)) -> AgentSpec {
    let mut spec = AgentSpec {
        name: name(of),
        program: Program::Entry(Entry {
            module: "tests".into(),
            attribute: "agent".into(),
        }),
        mode: None,
        description: None,
        model: None,
        model_settings: Map::new(),
        instructions: None,
        output_schema: None,
        usage_limits: UsageLimits::default(),
        deps: None,
        deps_scope: DepsScope::default(),
        env: BTreeMap::new(),
        spawn: Spawn::Exec,
        start: Start::Eager,
        hibernate_after: None,
        standby: false,
        env_file: None,
        env_pass: Vec::new(),
        restart: Restart::Permanent,
        shutdown: Shutdown::Timeout(Millis::from_secs(5)),
        significant: false,
        concurrency: 4,
        prefetch: 0,
        replicas: 1,
        mailbox: MailboxSpec {
            size: 64,
            when_full: WhenFull::Reject,
        },
        backoff: None,
        start_timeout: Millis::from_secs(30),
        call_timeout: Millis::from_secs(60),
        run_timeout: None,
        liveness: Liveness::default(),
        cancel_grace: Millis::from_secs(10),
        limits: ResourceLimits::default(),
        crash: CrashSpec::default(),
    };
    change(&mut spec);
    spec
}

/// Always this long.
pub(crate) fn backoff(ms: u64) -> Option<Backoff> {
    Some(Backoff {
        initial: Millis(ms),
        max: Millis(ms),
        factor: 1.0,
        jitter: 0.0,
        reset_after: Millis::from_secs(60),
    })
}
