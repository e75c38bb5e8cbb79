//! Before an operator's restart: an agent whose requirements have changed is moved to the environment
//! of what they are now. It is built beside, while the agent goes on in the old one.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use crate::agent::Agent;
use crate::agent::evidence::people;
use crate::environments::NotPrepared;
use crate::events::Happening;
use crate::node::Node;
use crate::view::{EventKind, LogStream};

/// How long the new environment may take. Whoever builds it bounds each step; and the client of an
/// action waits an hour.
const ENVIRONMENT_TIMEOUT: Duration = Duration::from_secs(45 * 60);

impl Node {
    /// Sees to it that the agent's next process is made in the environment that it is to have now.
    /// An error says why the agent stays as it is; `done` is what it then was not.
    pub(crate) async fn renew_environment(
        &self,
        agent: &Arc<Agent>,
        done: &str,
    ) -> Result<(), String> {
        let name = &agent.name;
        let holds = agent.holds();
        let tell = |stage: &str| self.tell_of_environment(agent, "info", stage, &[]);
        let renewed = tokio::select! {
            renewed = timeout(ENVIRONMENT_TIMEOUT, self.environments.renewed(name, &tell)) => renewed,
            // Dropped in the middle, the building leaves no process.
            () = self.goes_down() => return Err(format!("{name} was not {done}: the node is stopping")),
            () = self.held_since(agent, holds) => return Err(stopped_before(name, done)),
        };
        let python = match renewed {
            Ok(Ok(None)) => return Ok(()),
            Ok(Ok(Some(python))) => python,
            Ok(Err(why)) => {
                let why = without_secrets(agent, why);
                return Err(self.keeps_environment(agent, done, &why));
            }
            Err(_) => {
                let message = format!("it is not ready after {}", people(ENVIRONMENT_TIMEOUT));
                let why = NotPrepared::new(message);
                return Err(self.keeps_environment(agent, done, &why));
            }
        };
        let is_wanted = agent.in_order(|| {
            // A stop that was asked for meanwhile is the later wish.
            let is_wanted = agent.holds() == holds;
            if is_wanted {
                self.environments.switch(name, &python);
            }
            is_wanted
        });
        if !is_wanted {
            return Err(stopped_before(name, done));
        }
        tell("ready; the next process is in it");
        Ok(())
    }

    /// Waits until the agent is held once more than so often: whoever stops it has the later wish.
    async fn held_since(&self, agent: &Agent, holds: u64) {
        // A stop is told by what it does to the agent's state.
        let mut changes = self.changes.subscribe();
        while agent.holds() == holds && changes.changed().await.is_ok() {}
    }

    fn keeps_environment(&self, agent: &Arc<Agent>, done: &str, why: &NotPrepared) -> String {
        let what = format!("failed: {}", why.message);
        self.tell_of_environment(agent, "error", &what, &why.details);
        let name = &agent.name;
        format!(
            "{name} was not {done} and keeps its environment: {}",
            why.message
        )
    }

    fn tell_of_environment(&self, agent: &Arc<Agent>, level: &str, what: &str, details: &[String]) {
        let message = format!("new environment: {what}");
        let (incarnation, _) = agent.present(0);
        if let Some(incarnation) = incarnation {
            for line in std::iter::once(&message).chain(details) {
                let log = &agent.log;
                log.add(incarnation, LogStream::Runtime, level, line.clone());
            }
        }
        let message = format!("{} {message}", agent.name);
        let happening = Happening::new(EventKind::AgentEnvironment, message);
        let happening = happening.data(json!({ "details": details }));
        self.events
            .publish(happening.agent(&agent.name, incarnation));
    }
}

fn stopped_before(agent: &str, done: &str) -> String {
    format!("{agent} was stopped before it was {done}")
}

/// A tool may repeat the address that it was given, with its password.
fn without_secrets(agent: &Agent, why: NotPrepared) -> NotPrepared {
    let without = |text| agent.secrets.text(text);
    NotPrepared {
        message: without(why.message),
        details: why.details.into_iter().map(without).collect(),
    }
}
