//! From what the file says to what it amounts to: every rule is asked, whatever the others found.

use std::collections::BTreeMap;
use std::path::Path;

use synapse_core::name::Name;
use synapse_core::spec::{ChildRef, Shutdown, TreeSpec};

use crate::agent::ForAgents;
use crate::configuration::Configuration;
use crate::element::Named;
use crate::folder::Folder;
use crate::key::{Field, Spanned};
use crate::limits::Machine;
use crate::problem::Problems;
use crate::raw::{RawAgent, RawSupervisor, RawTree};
use crate::supervisor::{Child, ROOT};
use crate::tree::Shape;
use crate::{agent, backoff, python, settings, supervisor, surprise, tree};

/// The configuration, if `problems` has no error at the end. `misspelt` are names whose tables were
/// reported already; `file` is absolute.
pub(crate) fn check(
    raw: &RawTree,
    misspelt: &[String],
    file: &Path,
    machine: Machine,
    problems: &mut Problems,
) -> Option<Configuration> {
    let folder = Folder::of(file);
    let runtime = settings::runtime(&raw.runtime.value().cloned().unwrap_or_default(), &folder);
    let supervisors = raw.supervisor.value().cloned().unwrap_or_default();
    let agents = raw.agent.value().cloned().unwrap_or_default();
    let python = python::settings(
        &raw.python.value().cloned().unwrap_or_default(),
        &agents.tables,
        &folder,
        problems,
    );
    tree::check_root(raw, problems);
    let tree = Tables {
        supervisors: &supervisors,
        agents: &agents,
        supervisor: index(&supervisors.tables),
        agent: index(&agents.tables),
        misspelt,
    };
    let for_agents = ForAgents::new(raw.python.value(), &python.path, machine);
    let specs = tree.specs(raw, &folder, &for_agents, problems);
    if problems.has_errors() {
        return None;
    }
    Some(Configuration {
        tree: specs?,
        runtime: runtime?,
        python,
        file: file.to_owned(),
        folder: folder.path().to_owned(),
    })
}

struct Tables<'a> {
    supervisors: &'a Named<RawSupervisor>,
    agents: &'a Named<RawAgent>,
    supervisor: BTreeMap<&'a Name, &'a RawSupervisor>,
    agent: BTreeMap<&'a Name, &'a RawAgent>,
    misspelt: &'a [String],
}

impl Tables<'_> {
    fn specs(
        &self,
        raw: &RawTree,
        folder: &Folder,
        for_agents: &ForAgents<'_>,
        problems: &mut Problems,
    ) -> Option<TreeSpec> {
        let shape = self.shape(raw, problems);
        let agents = self.agents.tables.iter().map(|(name, raw)| {
            (
                name.value.clone(),
                agent::spec(name, raw, folder, for_agents, problems),
            )
        });
        let agents = agents.collect();
        let mut supervisors = BTreeMap::new();
        for (name, raw) in &self.supervisors.tables {
            let children = shape.children(raw);
            let known: Vec<Child<'_>> = children
                .iter()
                .filter_map(|child| self.child(child))
                .collect();
            supervisor::check_children(name, raw, &known, problems);
            supervisors.insert(
                name.value.clone(),
                supervisor::spec(name, raw, children, problems),
            );
        }
        Some(TreeSpec {
            root: Name::new(ROOT).ok()?,
            supervisors,
            agents,
        })
    }

    /// The shape, checked where both kinds of tables could be read at all.
    fn shape(&self, raw: &RawTree, problems: &mut Problems) -> Shape<'_> {
        let whole =
            !matches!(raw.supervisor, Field::Invalid) && !matches!(raw.agent, Field::Invalid);
        let mut unheard = Problems::default();
        let rejected = [&self.supervisors.rejected, &self.agents.rejected];
        let rejected = rejected.into_iter().flatten().chain(self.misspelt);
        tree::check(
            &self.supervisors.tables,
            &self.agents.tables,
            rejected.map(String::as_str),
            if whole { problems } else { &mut unheard },
        )
    }

    fn child<'a>(&'a self, child: &'a ChildRef) -> Option<Child<'a>> {
        match child {
            ChildRef::Agent(name) => {
                let raw = self.agent.get(name)?;
                let backoff = raw.backoff.given();
                Some(Child {
                    name,
                    path: format!("agent.{name}"),
                    restart: &raw.restart,
                    significant: &raw.significant,
                    backoff: backoff
                        .map(|given| (backoff::resolve(&given.value), given.span.clone())),
                    start_timeout: raw.start_timeout.given(),
                    stop_time: agent::stop_time(raw),
                })
            }
            ChildRef::Supervisor(name) => {
                let raw = self.supervisor.get(name)?;
                Some(Child {
                    name,
                    path: format!("supervisor.{name}"),
                    restart: &raw.restart,
                    significant: &raw.significant,
                    backoff: None,
                    start_timeout: None,
                    stop_time: surprise::stop_time(raw.shutdown.or(Shutdown::Infinity), 1),
                })
            }
        }
    }
}

/// Tables by name; of two of the same name, which is a mistake, the first.
fn index<T>(tables: &[(Spanned<Name>, T)]) -> BTreeMap<&Name, &T> {
    tables
        .iter()
        .rev()
        .map(|(name, table)| (&name.value, table))
        .collect()
}
