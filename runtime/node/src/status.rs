//! How a node stands: gathered when it is asked for, from agents and supervisors.

use std::time::Duration;

use serde_json::json;
use synapse_core::fault::{Fault, FaultCode};
use synapse_core::spec::ChildRef;
use tokio::time::timeout;

use crate::agent::{Agent, millis};
use crate::node::Node;
use crate::registry::supervisors;
use crate::usage;
use crate::view::{AgentState, NodeStatus, SupervisorView};

/// How long a supervisor may take to say how it stands; it never waits, so that this is a guard.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(1);

/// The node and everything in it, now.
pub(crate) async fn of(node: &Node) -> NodeStatus {
    let mut views = Vec::new();
    for (name, path) in supervisors(node.registry.tree()) {
        views.extend(supervisor(node, &name, path).await);
    }
    let agents = node.registry.all();
    let mut agent_views: Vec<_> = agents.iter().map(|agent| agent.view()).collect();
    usage::fill_in(agents, &mut agent_views).await;
    NodeStatus {
        node: node.name.clone(),
        pid: std::process::id(),
        guard_pid: node.guard,
        version: env!("CARGO_PKG_VERSION"),
        uptime: node.clock.elapsed(),
        agents: agent_views,
        supervisors: views,
    }
}

async fn supervisor(node: &Node, name: &str, path: String) -> Option<SupervisorView> {
    let spec = node.registry.tree().supervisors.get(name)?;
    let handle = node.tree().and_then(|tree| tree.supervisor(name));
    let restarts_in_period = match handle {
        Some(handle) => match timeout(SNAPSHOT_TIMEOUT, handle.snapshot()).await {
            Ok(Some(snapshot)) => snapshot.restarts_in_period,
            Ok(None) | Err(_) => 0,
        },
        None => 0,
    };
    let standing = node.standings.of(name);
    Some(SupervisorView {
        name: name.to_owned(),
        path,
        state: standing.state,
        strategy: spec.strategy,
        restarts_in_period,
        intensity: spec.intensity,
        period: spec.period.into(),
        on_exhausted: spec.on_exhausted,
        start_order: spec.start_order,
        restarts: standing.restarts,
        exits: standing.exits.into(),
        children: spec
            .children
            .iter()
            .map(|child: &ChildRef| child.name().to_string())
            .collect(),
    })
}

/// Waits until every agent is ready or down for good.
pub(crate) async fn wait_settled(node: &Node, limit: Duration) -> Result<NodeStatus, Fault> {
    let mut changes = node.changes.subscribe();
    let settled = async {
        loop {
            changes.borrow_and_update();
            if node.end().is_some() || unsettled(node).is_empty() {
                return;
            }
            // The node holds the sender, so that this never fails.
            if changes.changed().await.is_err() {
                return;
            }
        }
    };
    if timeout(limit, settled).await.is_err() {
        let waiting = unsettled(node);
        let message = format!(
            "not ready within {} ms: {}",
            millis(limit),
            waiting.join(", ")
        );
        return Err(Fault::new(FaultCode::DeadlineExceeded, message)
            .with_details(json!({ "waiting": waiting })));
    }
    Ok(of(node).await)
}

/// The agents that are on their way up or down.
fn unsettled(node: &Node) -> Vec<String> {
    let agents = node.registry.all();
    let waiting = agents.iter().filter(|agent| !is_settled(agent));
    waiting.map(|agent| agent.name.to_string()).collect()
}

fn is_settled(agent: &Agent) -> bool {
    (0..agent.replica_count()).all(|replica| match agent.state(replica) {
        AgentState::Ready | AgentState::Hibernated | AgentState::Failed | AgentState::Stopped => {
            true
        }
        AgentState::Starting
        | AgentState::Backoff
        | AgentState::Draining
        | AgentState::Stopping => false,
    })
}
