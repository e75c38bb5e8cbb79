//! A node: everything that one runtime process holds, and how a call finds its way in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use synapse_core::fault::{Fault, FaultCode};
use synapse_process::Spawner;
use tokio::time::{Instant, timeout_at};

use crate::agent::Agent;
use crate::agent::launch::Launcher;
use crate::call::{Call, CallInput};
use crate::clock::Clock;
use crate::events::EventHub;
use crate::handle::{CallRequest, Run, RunId};
use crate::registry::AgentRegistry;
use crate::session::Sessions;

/// What the node's parts share.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) clock: Clock,
    pub(crate) registry: AgentRegistry,
    pub(crate) sessions: Sessions,
    pub(crate) events: EventHub,
    pub(crate) launcher: Launcher,
    pub(crate) spawner: Spawner,
    pub(crate) runs: AtomicU64,
}

impl Node {
    /// Brings a call to its agent's mailbox.
    pub(crate) async fn start_run(&self, name: &str, request: CallRequest) -> Result<Run, Fault> {
        let arrived = Instant::now();
        let agent = self.registry.agent(name)?;
        let limit = Duration::from(agent.spec.call_timeout);
        let deadline = arrived + request.timeout.map_or(limit, |timeout| timeout.min(limit));
        let mut input = CallInput {
            input: request.input,
            stream: request.stream,
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
        let id = RunId(self.runs.fetch_add(1, Ordering::Relaxed) + 1);
        let call = Call::new(id, Arc::clone(&agent.name), input, arrived, deadline, lease);
        submit(agent, Arc::new(call)).await
    }

    /// Cancels a run by its number; false where no such run is under way.
    pub(crate) fn cancel(&self, run: RunId) -> bool {
        for agent in self.registry.all() {
            if let Some(call) = agent.find_call(run) {
                agent.abandon(&call, crate::link::CancelReason::Cancelled);
                return true;
            }
        }
        false
    }
}

/// From here on the call has a deadline, and dropping the run ends it wherever it is.
async fn submit(agent: Arc<Agent>, call: Arc<Call>) -> Result<Run, Fault> {
    agent.deadlines.watch(&call);
    let run = Run::new(Arc::clone(&agent), Arc::clone(&call));
    match timeout_at(call.deadline, agent.mailbox.push(&call)).await {
        Ok(Ok(())) => Ok(run),
        // Dropping the run forgets the call.
        Ok(Err(fault)) => Err(fault),
        // The keeper of deadlines answers it: the run's only event is that fault.
        Err(_) => Ok(run),
    }
}

fn history_and_session() -> Fault {
    let message = "a call has either a session or a history, not both";
    Fault::new(FaultCode::InvalidInput, message)
}
