//! What agents' processes use, for the views of those who ask: nobody looks meanwhile.

use std::sync::Arc;

use crate::agent::Agent;
use crate::view::AgentView;

/// Fills in what the processes of these agents use; the views are theirs, in the same order.
pub(crate) async fn fill_in(agents: Vec<Arc<Agent>>, views: &mut [AgentView]) {
    // The kernel may look at every page of a process to tell.
    let looked = tokio::task::spawn_blocking(move || {
        let usages = agents.iter().map(|agent| agent.usage());
        usages.collect::<Vec<_>>()
    });
    // Not run where the program ends: then nobody knows.
    for (view, usages) in views.iter_mut().zip(looked.await.unwrap_or_default()) {
        for (replica, usage) in view.replicas.iter_mut().zip(usages) {
            // One that has ended between the two looks uses nothing.
            replica.usage = usage.filter(|_| replica.pid.is_some());
        }
    }
}
