//! Who has which name: agents of this node. A value of the node, never global.

use std::sync::Arc;

use dashmap::DashMap;
use globset::Glob;
use serde_json::json;
use synapse_core::fault::{Fault, FaultCode};
use synapse_core::name::Name;
use synapse_core::spec::{ChildRef, TreeSpec};

use crate::agent::Agent;
use crate::deadletters::DeadLetters;

/// Names further apart than this are not suggested (Jaro-Winkler similarity, 0 to 1).
const SIMILARITY_MIN: f64 = 0.7;

/// The agents of a node by name, and the tree that says who stands where.
#[derive(Debug)]
pub(crate) struct AgentRegistry {
    agents: DashMap<Arc<str>, Arc<Agent>>,
    tree: TreeSpec,
}

impl AgentRegistry {
    /// One agent for each of the tree's, none of them started.
    pub(crate) fn new(tree: TreeSpec, letters: &Arc<DeadLetters>) -> Self {
        let agents = DashMap::new();
        for (supervisor, path) in supervisors(&tree) {
            let children = tree
                .supervisors
                .get(supervisor.as_str())
                .map(|spec| &spec.children);
            for child in children.into_iter().flatten() {
                let ChildRef::Agent(name) = child else {
                    continue;
                };
                let Some(spec) = tree.agents.get(name) else {
                    continue;
                };
                let agent = Agent::new(spec.clone(), format!("{path}/{name}"), Arc::clone(letters));
                agents.insert(Arc::clone(&agent.name), Arc::new(agent));
            }
        }
        Self { agents, tree }
    }

    pub(crate) fn tree(&self) -> &TreeSpec {
        &self.tree
    }

    /// An agent by its name.
    pub(crate) fn agent(&self, name: &str) -> Result<Arc<Agent>, Fault> {
        self.find(name).ok_or_else(|| {
            let below = self.below(name);
            if below.is_empty() {
                return Self::not_found(name, self.tree.agents.keys());
            }
            let names: Vec<&str> = below.iter().map(|agent| &*agent.name).collect();
            let message = format!(
                "{name:?} is a supervisor; the agents below it are {}",
                names.join(", ")
            );
            Fault::new(FaultCode::AgentNotFound, message)
                .with_details(json!({ "nearest": names.first() }))
        })
    }

    fn find(&self, name: &str) -> Option<Arc<Agent>> {
        self.agents.get(name).map(|entry| Arc::clone(entry.value()))
    }

    /// Every agent in start order.
    pub(crate) fn all(&self) -> Vec<Arc<Agent>> {
        let order = self.tree.start_order().into_iter();
        order
            .filter_map(|name| self.agents.get(name.as_str()).map(|e| Arc::clone(&e)))
            .collect()
    }

    /// The agents below a supervisor, in start order.
    pub(crate) fn below(&self, supervisor: &str) -> Vec<Arc<Agent>> {
        let part = format!("/{supervisor}/");
        let inside = |agent: &Arc<Agent>| format!("/{}", agent.path).contains(&part);
        self.all().into_iter().filter(inside).collect()
    }

    /// The names of the supervisors below a supervisor.
    pub(crate) fn supervisors_below(&self, supervisor: &str) -> Vec<String> {
        let part = format!("/{supervisor}/");
        let all = supervisors(&self.tree).into_iter();
        let below = all.filter(|(_, path)| format!("/{path}").contains(&part));
        below.map(|(name, _)| name).collect()
    }

    /// The agents that targets name: names, globs, or supervisors for their subtrees. Each once, in
    /// start order.
    pub(crate) fn matching(&self, targets: &[String]) -> Result<Vec<Arc<Agent>>, Fault> {
        let mut chosen: Vec<Arc<str>> = Vec::new();
        for target in targets {
            let found = self.one_target(target)?;
            chosen.extend(found.iter().map(|agent| Arc::clone(&agent.name)));
        }
        Ok(self
            .all()
            .into_iter()
            .filter(|agent| chosen.contains(&agent.name))
            .collect())
    }

    fn one_target(&self, target: &str) -> Result<Vec<Arc<Agent>>, Fault> {
        if self.tree.supervisors.contains_key(target) {
            return Ok(self.below(target));
        }
        if !target.contains(['*', '?', '[', '{']) {
            let found = self.find(target).map(|agent| vec![agent]);
            return found.ok_or_else(|| Self::not_found(target, self.names()));
        }
        let glob = Glob::new(target).map_err(|error| {
            let message = format!("{target:?} is not a glob: {}", error.kind());
            Fault::new(FaultCode::InvalidInput, message)
        })?;
        let glob = glob.compile_matcher();
        let mut found = Vec::new();
        for supervisor in self.tree.supervisors.keys() {
            if glob.is_match(supervisor.as_str()) {
                found.extend(self.below(supervisor.as_str()));
            }
        }
        found.extend(
            self.all()
                .into_iter()
                .filter(|agent| glob.is_match(&*agent.name)),
        );
        if found.is_empty() {
            return Err(Self::not_found(target, self.names()));
        }
        Ok(found)
    }

    fn names(&self) -> impl Iterator<Item = &Name> {
        self.tree.agents.keys().chain(self.tree.supervisors.keys())
    }

    fn not_found<'a>(name: &str, known: impl Iterator<Item = &'a Name>) -> Fault {
        let nearest = known
            .map(|known| (strsim::jaro_winkler(name, known.as_str()), known.as_str()))
            .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
            .max_by(|one, other| one.0.total_cmp(&other.0))
            .map(|(_, known)| known);
        let message = match nearest {
            Some(nearest) => format!("no agent {name:?}. Did you mean {nearest}?"),
            None => format!("no agent {name:?}; `status` lists them"),
        };
        Fault::new(FaultCode::AgentNotFound, message).with_details(json!({ "nearest": nearest }))
    }
}

/// Every supervisor with its path, parents before children.
pub(crate) fn supervisors(tree: &TreeSpec) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut next = vec![(tree.root.to_string(), tree.root.to_string())];
    while let Some((name, path)) = next.pop() {
        let children = tree
            .supervisors
            .get(name.as_str())
            .map(|spec| &spec.children);
        for child in children.into_iter().flatten().rev() {
            if let ChildRef::Supervisor(child) = child {
                next.push((child.to_string(), format!("{path}/{child}")));
            }
        }
        found.push((name, path));
    }
    found
}

#[cfg(test)]
mod tests;
