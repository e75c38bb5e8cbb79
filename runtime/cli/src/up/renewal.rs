//! The environments of a tree while it runs: what an agent is to run in when it is restarted, after
//! its requirements have changed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use synapse_config::Configuration;
use synapse_core::name::Name;
use synapse_environment::{Environment, EnvironmentError, Prepared, Stage};
use synapse_node::{EnvironmentSource, NotPrepared, Preparing, PythonEnvironment};
use tokio::sync::Mutex;

use super::launcher::python;
use crate::environment::{Environments, Ready};
use crate::failure::report_chain;

/// Builds environments anew.
#[derive(Debug)]
pub(super) struct Renewal {
    base: Renewable,
    own: Vec<Renewable>,
    preload: Vec<String>,
    preloads: BTreeMap<Name, Vec<String>>,
    folder: PathBuf,
}

/// An environment, and what it was the last time.
#[derive(Debug)]
struct Renewable {
    environment: Environment,
    agents: Vec<Name>,
    requirements: Option<PathBuf>,
    latest: Mutex<Prepared>,
}

impl Renewal {
    pub(super) fn new(configuration: &Configuration, environments: Environments) -> Self {
        let settings = &configuration.python;
        let of_agents = settings.agents.iter();
        Self {
            base: Renewable::from(environments.base),
            own: environments.own.into_iter().map(Renewable::from).collect(),
            preload: settings.preload.clone(),
            preloads: of_agents
                .map(|(name, own)| (name.clone(), own.preload.clone()))
                .collect(),
            folder: configuration.folder.clone(),
        }
    }

    async fn renewed(
        &self,
        agent: &str,
        tell: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<PythonEnvironment, NotPrepared> {
        let named = |name: &Name| name.as_str() == agent;
        let mut own = self.own.iter();
        let renewable = own.find(|one| one.agents.iter().any(named));
        let renewable = renewable.unwrap_or(&self.base);
        let prepared = renewable.current(tell).await;
        let prepared = prepared.map_err(|error| self.refusal(renewable, &error))?;
        let mut preloads = self.preloads.iter();
        let preload = preloads.find(|(name, _)| named(name));
        let preload = preload.map_or(&self.preload, |(_, preload)| preload);
        Ok(python(&prepared, preload))
    }

    /// The file first: it is what has changed.
    fn refusal(&self, renewable: &Renewable, error: &EnvironmentError) -> NotPrepared {
        let mut message = report_chain(error);
        if let Some(file) = &renewable.requirements {
            let file = file.strip_prefix(&self.folder).unwrap_or(file);
            message = format!("{}: {message}", file.display());
        }
        if let Some(help) = error.help() {
            message = format!("{message}; {help}");
        }
        let details = error.details();
        NotPrepared { message, details }
    }
}

impl EnvironmentSource for Renewal {
    fn prepare<'a>(
        &'a self,
        agent: &'a str,
        tell: &'a (dyn Fn(&str) + Send + Sync),
    ) -> Preparing<'a> {
        Box::pin(self.renewed(agent, tell))
    }
}

impl From<Ready> for Renewable {
    fn from(ready: Ready) -> Self {
        Self {
            environment: ready.environment,
            agents: ready.whose.agents,
            requirements: ready.whose.requirements,
            latest: Mutex::new(ready.prepared),
        }
    }
}

impl Renewable {
    /// What it was, as long as the requirements say the same. An interpreter that was upgraded since
    /// makes no new one: that would surprise whoever only wants a restart.
    async fn current(
        &self,
        tell: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Prepared, EnvironmentError> {
        // Who restarts a second agent of the same requirements meanwhile waits for the first.
        let mut latest = self.latest.lock().await;
        if !self.environment.is_current(&latest)? {
            let stage = |stage: Stage| tell(&stage.to_string());
            *latest = self.environment.prepare(&stage).await?;
        }
        Ok(latest.clone())
    }
}
