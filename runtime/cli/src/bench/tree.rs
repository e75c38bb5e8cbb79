//! The trees that a bench runs: the agent alone, or beside neighbours that give trouble.

use synapse_core::name::Name;
use synapse_core::spec::{AgentSpec, ChildRef, Strategy, TreeSpec};
use synapse_core::supervisor::INTENSITY_MAX;

/// The agent alone under a root, with a mailbox that holds what the bench sends.
pub(super) fn alone(tree: &TreeSpec, agent: &AgentSpec, in_flight: usize) -> TreeSpec {
    let mut tree = TreeSpec {
        agents: std::iter::once((agent.name.clone(), agent.clone())).collect(),
        ..tree.clone()
    };
    if let Some(agent) = tree.agents.get_mut(&agent.name) {
        agent.mailbox.size = agent.mailbox.size.max(in_flight);
    }
    tree.supervisors
        .retain(|supervisor, _| *supervisor == tree.root);
    set_children(&mut tree);
    tree
}

/// The same agent under each of these names, which may die as often as it likes.
pub(super) fn copies(tree: &TreeSpec, agent: &AgentSpec, names: &[Name]) -> TreeSpec {
    let mut tree = alone(tree, agent, 1);
    let copy = |name: &Name| AgentSpec {
        name: name.clone(),
        replicas: 1,
        backoff: None,
        ..agent.clone()
    };
    tree.agents = names
        .iter()
        .map(|name| (name.clone(), copy(name)))
        .collect();
    set_children(&mut tree);
    tree
}

/// The same with neighbours, which may crash as often as they like.
pub(super) fn beside(mut tree: TreeSpec, neighbours: Vec<AgentSpec>) -> TreeSpec {
    let named = |agent: AgentSpec| (agent.name.clone(), agent);
    tree.agents.extend(neighbours.into_iter().map(named));
    set_children(&mut tree);
    tree
}

fn set_children(tree: &mut TreeSpec) {
    let children: Vec<Name> = tree.agents.keys().cloned().collect();
    if let Some(root) = tree.supervisors.get_mut(&tree.root) {
        root.strategy = Strategy::OneForOne;
        root.intensity = INTENSITY_MAX;
        root.children = children.into_iter().map(ChildRef::Agent).collect();
    }
}
