//! Which Python environment each agent's next process is made in. It refuses to know how an
//! environment is built.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use synapse_process::Spawner;

use crate::agent::launch::{Launcher, PythonEnvironment};
use crate::spawning::Spawning;

/// The environments that are in use.
#[derive(Debug)]
pub(crate) struct Environments {
    spawner: Spawner,
    launcher: Arc<Launcher>,
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
    pub(crate) fn new(spawner: Spawner, launcher: Arc<Launcher>) -> Self {
        Self {
            spawner,
            launcher,
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
