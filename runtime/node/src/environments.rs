//! Which Python environment each agent's next process is made in. It refuses to know how an
//! environment is built.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use parking_lot::Mutex;
use synapse_process::Spawner;

use crate::agent::launch::{Launcher, PythonEnvironment};
use crate::spawning::Spawning;

/// Where the environments of agents come from while the node runs.
pub trait EnvironmentSource: fmt::Debug + Send + Sync {
    /// What this agent is to run in now: built first where it has to be, which may take minutes.
    /// Each stage is told before it begins. Dropped in the middle, it leaves no process.
    fn prepare<'a>(
        &'a self,
        agent: &'a str,
        tell: &'a (dyn Fn(&str) + Send + Sync),
    ) -> Preparing<'a>;
}

/// An environment on its way.
pub type Preparing<'a> =
    Pin<Box<dyn Future<Output = Result<PythonEnvironment, NotPrepared>> + Send + 'a>>;

/// Why there is no environment, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotPrepared {
    /// In one line.
    pub message: String,
    /// What a tool said, line by line.
    pub details: Vec<String>,
}

impl NotPrepared {
    pub(crate) const fn new(message: String) -> Self {
        let details = Vec::new();
        Self { message, details }
    }
}

/// The environments that are in use.
#[derive(Debug)]
pub(crate) struct Environments {
    spawner: Spawner,
    launcher: Arc<Launcher>,
    source: Option<Arc<dyn EnvironmentSource>>,
    assigned: Mutex<Assigned>,
}

#[derive(Debug, Default)]
struct Assigned {
    /// Since an agent's first process. Those in equal environments hold the same, and it ends when
    /// the last of them has another.
    of_agents: BTreeMap<Arc<str>, Arc<Spawning>>,
    /// For good: nothing is forked any more.
    has_ended: bool,
}

impl Environments {
    pub(crate) fn new(
        spawner: Spawner,
        launcher: Arc<Launcher>,
        source: Option<Arc<dyn EnvironmentSource>>,
    ) -> Self {
        Self {
            spawner,
            launcher,
            source,
            assigned: Mutex::default(),
        }
    }

    /// What makes this agent's processes now.
    pub(crate) fn of(&self, agent: &Arc<str>) -> Arc<Spawning> {
        let mut assigned = self.assigned.lock();
        if let Some(spawning) = assigned.of_agents.get(agent) {
            return Arc::clone(spawning);
        }
        self.assign(&mut assigned, agent, self.launcher.python_of(agent))
    }

    /// What this agent is to run in from now on, where that is not what it runs in.
    pub(crate) async fn renewed(
        &self,
        agent: &Arc<str>,
        tell: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Option<PythonEnvironment>, NotPrepared> {
        let Some(source) = &self.source else {
            return Ok(None);
        };
        let python = source.prepare(agent, tell).await?;
        Ok(Some(python).filter(|python| self.of(agent).python() != python))
    }

    /// The agent's next process is made in this one. The last agent to leave an environment ends
    /// its zygotes.
    pub(crate) fn switch(&self, agent: &Arc<str>, python: &PythonEnvironment) {
        let mut assigned = self.assigned.lock();
        let left = assigned.of_agents.remove(agent);
        self.assign(&mut assigned, agent, python);
        drop(assigned);
        // Not before the lock is free: it may end processes.
        drop(left);
    }

    fn assign(
        &self,
        assigned: &mut Assigned,
        agent: &Arc<str>,
        python: &PythonEnvironment,
    ) -> Arc<Spawning> {
        let mut in_use = assigned.of_agents.values();
        let spawning = match in_use.find(|spawning| spawning.python() == python) {
            Some(spawning) => Arc::clone(spawning),
            None => Arc::new(self.begin(python, assigned.has_ended)),
        };
        let held = Arc::clone(&spawning);
        assigned.of_agents.insert(Arc::clone(agent), held);
        spawning
    }

    fn begin(&self, python: &PythonEnvironment, has_ended: bool) -> Spawning {
        let python = PythonEnvironment {
            zygote: python.zygote.clone().filter(|_| !has_ended),
            ..python.clone()
        };
        Spawning::new(self.spawner.clone(), &self.launcher, python)
    }

    /// Ends the zygotes; processes that live are left to their owners.
    pub(crate) async fn end(&self) {
        let in_use = {
            let mut assigned = self.assigned.lock();
            assigned.has_ended = true;
            std::mem::take(&mut assigned.of_agents)
        };
        for spawning in in_use.into_values() {
            // Of no effect, where an agent before had the same.
            spawning.end().await;
        }
    }
}
