//! A node with two agents, its gateway, and a client of both.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use serde_json::Map;
use synapse_api::Client;
use synapse_core::name::Name;
use synapse_core::spec::{
    AgentSpec, AutoShutdown, ChildRef, CrashSpec, DepsScope, Entry, Liveness, MailboxSpec,
    OnExhausted, Program, ResourceLimits, Restart, Shutdown, Spawn, Start, StartOrder, Strategy,
    SupervisorSpec, TreeSpec, UsageLimits, WhenFull,
};
use synapse_core::time::Millis;
use synapse_gateway::{DataDirLock, Gateway, serve};
use synapse_node::{Launcher, NodeHandle, NodeSettings, PythonEnvironment};

/// For both agents to be ready; a start takes milliseconds on a machine that is not busy.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct Setup {
    pub(crate) client: Client,
    pub(crate) node: NodeHandle,
    pub(crate) gateway: Gateway,
    _folder: tempfile::TempDir,
}

impl Setup {
    pub(crate) async fn start() -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let launcher = Launcher {
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
        let lock = DataDirLock::acquire(folder.path(), "tests")?;
        let node = NodeHandle::begin(NodeSettings::new("tests", tree()?, launcher))?;
        let gateway = serve(node.clone(), lock)?;
        let client = Client::connect(folder.path()).await?;
        client.status_settled(READY_TIMEOUT).await?;
        Ok(Self {
            client,
            node,
            gateway,
            _folder: folder,
        })
    }

    /// Stops the node through the API, and then the gateway.
    pub(crate) async fn stop(self) -> Result<(), Box<dyn Error>> {
        self.client.shutdown().await?;
        self.node.ended().await;
        self.gateway.close().await;
        Ok(())
    }
}

fn tree() -> Result<TreeSpec, Box<dyn Error>> {
    let (root, echo, other) = (Name::new("root")?, Name::new("echo")?, Name::new("other")?);
    let supervisor = SupervisorSpec {
        name: root.clone(),
        strategy: Strategy::OneForOne,
        intensity: 5,
        period: Millis::from_secs(5),
        on_exhausted: OnExhausted::Escalate,
        start_order: StartOrder::Sequential,
        auto_shutdown: AutoShutdown::Never,
        restart: Restart::Permanent,
        shutdown: Shutdown::Infinity,
        significant: false,
        children: vec![
            ChildRef::Agent(echo.clone()),
            ChildRef::Agent(other.clone()),
        ],
    };
    Ok(TreeSpec {
        root: root.clone(),
        supervisors: BTreeMap::from([(root, supervisor)]),
        agents: BTreeMap::from([(echo.clone(), agent(echo)), (other.clone(), agent(other))]),
    })
}

fn agent(name: Name) -> AgentSpec {
    AgentSpec {
        name,
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
    }
}
