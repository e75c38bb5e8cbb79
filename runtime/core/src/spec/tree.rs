//! The whole tree as flat tables by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::Name;
use crate::spec::{AgentSpec, SupervisorSpec};

/// A name in a supervisor's `children`, with its kind resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChildRef {
    /// An agent of [`TreeSpec::agents`].
    Agent(Name),
    /// A supervisor of [`TreeSpec::supervisors`].
    Supervisor(Name),
}

impl ChildRef {
    /// The child's name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        match self {
            Self::Agent(name) | Self::Supervisor(name) => name,
        }
    }
}

/// A valid tree: every child exists, stands in exactly one `children`, and hangs below the root.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TreeSpec {
    /// The name of the top supervisor, `root`.
    pub root: Name,
    /// Every supervisor by name, the root included.
    pub supervisors: BTreeMap<Name, SupervisorSpec>,
    /// Every agent by name.
    pub agents: BTreeMap<Name, AgentSpec>,
}

impl TreeSpec {
    /// The agents in start order: depth first, children left to right.
    #[must_use]
    pub fn start_order(&self) -> Vec<&Name> {
        let mut order = Vec::with_capacity(self.agents.len());
        self.walk(&self.root, &mut order);
        order
    }

    fn walk<'a>(&'a self, supervisor: &Name, order: &mut Vec<&'a Name>) {
        let Some(spec) = self.supervisors.get(supervisor) else {
            return;
        };
        for child in &spec.children {
            match child {
                ChildRef::Agent(name) => order.push(name),
                ChildRef::Supervisor(name) => self.walk(name, order),
            }
        }
    }
}
