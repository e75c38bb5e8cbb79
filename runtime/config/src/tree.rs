//! The shape of the tree: every name stands in exactly one `children`, and everything hangs below
//! the root. It knows names and places, and no other key.

use std::collections::{BTreeMap, BTreeSet};

use synapse_core::name::Name;
use synapse_core::spec::ChildRef;

use crate::document::Span;
use crate::key::{Field, Spanned};
use crate::nearest::nearest;
use crate::problem::{Problem, Problems};
use crate::raw::{RawAgent, RawSupervisor, RawTree};
use crate::supervisor::ROOT;

/// Levels of supervisors below the root; the tree is walked by recursion.
const DEPTH_MAX: usize = 64;

/// Whether a name is an agent's or a supervisor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Agent,
    Supervisor,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Supervisor => "supervisor",
        }
    }
}

/// Names and who lists them.
#[derive(Debug)]
pub(crate) struct Shape<'a> {
    declared: BTreeMap<&'a str, (Kind, &'a Spanned<Name>)>,
    /// The supervisor that lists a name first, and where.
    parents: BTreeMap<&'a str, (&'a Spanned<Name>, &'a Span)>,
    supervisors: &'a [(Spanned<Name>, RawSupervisor)],
    /// Names that were rejected: known, but not to be talked about again.
    rejected: BTreeSet<&'a str>,
    /// Names that an unknown child was likely meant to be.
    meant: BTreeSet<&'a str>,
}

/// Checks the shape of the tree; what is wrong goes to `problems`.
pub(crate) fn check<'a>(
    supervisors: &'a [(Spanned<Name>, RawSupervisor)],
    agents: &'a [(Spanned<Name>, RawAgent)],
    rejected: impl Iterator<Item = &'a str>,
    problems: &mut Problems,
) -> Shape<'a> {
    let mut shape = Shape {
        declared: BTreeMap::new(),
        parents: BTreeMap::new(),
        supervisors,
        rejected: rejected.collect(),
        meant: BTreeSet::new(),
    };
    shape.declare(
        supervisors.iter().map(|(name, _)| (Kind::Supervisor, name)),
        problems,
    );
    shape.declare(agents.iter().map(|(name, _)| (Kind::Agent, name)), problems);
    for (name, raw) in supervisors {
        for child in raw
            .children
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default()
        {
            shape.adopt(name, child, problems);
        }
    }
    shape.unlisted(problems);
    shape.cycles(problems);
    shape.depth(problems);
    shape
}

/// Whether the file has a `[supervisor.root]`.
pub(crate) fn check_root(raw: &RawTree, problems: &mut Problems) {
    if matches!(raw.supervisor, Field::Invalid) {
        return;
    }
    let supervisors = raw
        .supervisor
        .value()
        .map(|named| named.tables.as_slice())
        .unwrap_or_default();
    if supervisors
        .iter()
        .any(|(name, _)| name.value.as_str() == ROOT)
    {
        return;
    }
    let names = supervisors.iter().map(|(name, _)| name.value.as_str());
    let near = nearest(ROOT, names).or_else(|| match supervisors {
        [(only, _)] => Some(only.value.as_str()),
        _ => None,
    });
    let problem = Problem::error("supervisor.root", "there is no [supervisor.root]");
    let problem = match supervisors
        .iter()
        .find(|(name, _)| Some(name.value.as_str()) == near)
    {
        Some((name, _)) => problem
            .at(name.span.clone(), "")
            .help("the top supervisor is called `root`"),
        None => problem.help("add one: [supervisor.root] with children = [\"...\"]"),
    };
    problems.push(problem);
}

impl<'a> Shape<'a> {
    /// The children that are there, with their kinds.
    pub(crate) fn children(&self, raw: &RawSupervisor) -> Vec<ChildRef> {
        let listed = raw
            .children
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default();
        listed
            .iter()
            .filter_map(|child| self.declared.get(child.value.as_str()))
            .map(|(kind, name)| match kind {
                Kind::Agent => ChildRef::Agent(name.value.clone()),
                Kind::Supervisor => ChildRef::Supervisor(name.value.clone()),
            })
            .collect()
    }

    fn declare(
        &mut self,
        names: impl Iterator<Item = (Kind, &'a Spanned<Name>)>,
        problems: &mut Problems,
    ) {
        for (kind, name) in names {
            let Some((first, other)) = self.declared.get(name.value.as_str()) else {
                self.declared.insert(name.value.as_str(), (kind, name));
                continue;
            };
            let message = format!(
                "`{}` is the name of a supervisor and of an agent",
                name.value
            );
            problems.push(
                Problem::error(format!("{}.{}", kind.word(), name.value), message)
                    .at(name.span.clone(), format!("{} here", kind.word()))
                    .at(other.span.clone(), format!("{} here", first.word()))
                    .help("agents and supervisors share one namespace; rename one of them"),
            );
        }
    }

    /// Takes one name of a supervisor's `children`.
    fn adopt(
        &mut self,
        supervisor: &'a Spanned<Name>,
        child: &'a Spanned<String>,
        problems: &mut Problems,
    ) {
        let path = format!("supervisor.{}.children", supervisor.value);
        let name = child.value.as_str();
        if self.rejected.contains(name) {
            return;
        }
        if !self.declared.contains_key(name) {
            self.unknown(path, child, problems);
        } else if name == ROOT {
            problems.push(
                Problem::error(path, "`root` cannot be a child: it is the top of the tree")
                    .at(child.span.clone(), ""),
            );
        } else if let Some(first) = self.parents.get(name) {
            problems.push(twice(path, supervisor, child, *first));
        } else {
            self.parents.insert(name, (supervisor, &child.span));
        }
    }

    fn unknown(&mut self, path: String, child: &Spanned<String>, problems: &mut Problems) {
        let near = nearest(
            &child.value,
            self.declared.keys().copied().filter(|name| *name != ROOT),
        );
        self.meant.extend(near);
        let message = format!(
            "no agent and no supervisor is called {}",
            crate::document::quoted(&child.value)
        );
        let help = match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "declare it as [agent.NAME] or [supervisor.NAME]".to_owned(),
        };
        problems.push(
            Problem::error(path, message)
                .at(child.span.clone(), "")
                .help(help),
        );
    }

    /// Reports what stands in no `children`, where the lists are whole enough to tell.
    fn unlisted(&self, problems: &mut Problems) {
        if self
            .supervisors
            .iter()
            .any(|(_, raw)| matches!(raw.children, Field::Invalid))
        {
            return;
        }
        let root = self.declared.contains_key(ROOT);
        for (name, (kind, declared)) in &self.declared {
            let excused = *name == ROOT
                || self.parents.contains_key(name)
                || self.meant.contains(name)
                || (*kind == Kind::Supervisor && !root);
            if excused {
                continue;
            }
            let word = kind.word();
            let message = format!(
                "{word} `{name}` is in no supervisor's `children`, so it would never start"
            );
            problems.push(
                Problem::error(format!("{word}.{name}"), message)
                    .at(declared.span.clone(), "")
                    .help(format!(
                        "add \"{name}\" to the children of [supervisor.{}], or remove the table",
                        self.home()
                    )),
            );
        }
    }

    /// A supervisor to suggest: the root, or the only one.
    fn home(&self) -> &str {
        if self.declared.contains_key(ROOT) {
            return ROOT;
        }
        self.supervisors
            .first()
            .map_or(ROOT, |(name, _)| name.value.as_str())
    }

    /// Reports supervisors that are below themselves. Each has at most one parent here, so
    /// following parents from anywhere either ends or comes round.
    fn cycles(&self, problems: &mut Problems) {
        let mut seen = BTreeSet::new();
        for (name, _) in self.supervisors {
            let mut path = Vec::new();
            let mut at = name.value.as_str();
            while seen.insert(at) {
                path.push(at);
                let Some((parent, _)) = self.parents.get(at) else {
                    break;
                };
                at = parent.value.as_str();
            }
            if let Some(start) = path.iter().position(|name| *name == at)
                && self.parents.contains_key(at)
            {
                problems.push(self.cycle(path.get(start..).unwrap_or_default()));
            }
        }
    }

    /// Reports the first supervisor that is too far below the top.
    fn depth(&self, problems: &mut Problems) {
        // The line upwards is cut where it is long enough to tell; a cycle is never at its end.
        let above = |at: &&'a str| {
            self.parents
                .get(at)
                .map(|(parent, _)| parent.value.as_str())
        };
        let deep = self.supervisors.iter().find(|(name, _)| {
            let mut line = std::iter::successors(Some(name.value.as_str()), above);
            line.nth(DEPTH_MAX.saturating_add(1)) == Some(ROOT)
        });
        if let Some((name, _)) = deep {
            let message = format!(
                "supervisor `{}` is more than {DEPTH_MAX} levels below `{ROOT}`",
                name.value
            );
            problems.push(
                Problem::error(format!("supervisor.{}", name.value), message)
                    .at(name.span.clone(), "")
                    .help(
                        "a tree is a few levels deep; let its supervisors have more children each",
                    ),
            );
        }
    }

    /// `names` lead from child to parent, and from the last to the first again.
    fn cycle(&self, names: &[&str]) -> Problem {
        let mut shown: Vec<&str> = names.iter().rev().copied().collect();
        shown.extend(names.last());
        let mut places: Vec<_> = names
            .iter()
            .filter_map(|name| {
                self.parents
                    .get(name)
                    .map(|(parent, span)| (parent, *span, name))
            })
            .collect();
        places.sort_by_key(|(_, span, _)| span.start);
        let key = places.first().map_or(String::new(), |(parent, ..)| {
            format!("supervisor.{}.children", parent.value)
        });
        let message = format!("supervisors supervise each other: {}", shown.join(" -> "));
        let problem = places.iter().fold(
            Problem::error(key, message),
            |problem, (parent, span, name)| {
                problem.at(
                    (*span).clone(),
                    format!("`{}` starts `{name}`", parent.value),
                )
            },
        );
        problem.help("a tree has no way back up: remove one of these")
    }
}

/// A name in two places; `first` is the supervisor that listed it before, and where.
fn twice(
    path: String,
    supervisor: &Spanned<Name>,
    child: &Spanned<String>,
    first: (&Spanned<Name>, &Span),
) -> Problem {
    let name = &child.value;
    let supervisor = &supervisor.value;
    let (parent, place) = (&first.0.value, first.1);
    let message = if parent == supervisor {
        format!("`{name}` is listed twice in the children of `{supervisor}`")
    } else {
        format!("`{name}` is a child of both `{parent}` and `{supervisor}`")
    };
    Problem::error(path, message)
        .at(child.span.clone(), "again here")
        .at(place.clone(), "first here")
        .help("each agent and supervisor has one place in the tree")
}
