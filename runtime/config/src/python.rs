//! `[python]`, and what an agent has in its place: rules between the keys, and the files that they
//! name.

use std::path::PathBuf;

use synapse_core::name::Name;

use crate::configuration::{AgentPython, PythonSettings};
use crate::document::quoted;
use crate::element::{List, ModuleName};
use crate::folder::{Folder, Kind};
use crate::key::{Field, Spanned};
use crate::problem::{Problem, Problems};
use crate::raw::{RawAgent, RawPython};

/// What agents run with, but for what they say themselves.
pub(crate) fn settings(
    raw: &RawPython,
    agents: &[(Spanned<Name>, RawAgent)],
    folder: &Folder,
    problems: &mut Problems,
) -> PythonSettings {
    exclusive(raw, problems);
    let requirements = raw
        .requirements
        .given()
        .and_then(|written| folder.existing(written, "python.requirements", Kind::File, problems));
    PythonSettings {
        venv: raw
            .venv
            .given()
            .and_then(|written| venv(written, folder, problems)),
        requirements,
        interpreter: raw
            .interpreter
            .given()
            .and_then(|written| interpreter(written, folder, problems)),
        path: path(raw.path.value(), folder, problems),
        preload: preload(&raw.preload),
        agents: agents
            .iter()
            .filter_map(|(name, agent)| of_agent(name, agent, raw, folder, problems))
            .collect(),
    }
}

/// What an agent has in place of `[python]`'s; `None` where it says nothing.
fn of_agent(
    name: &Spanned<Name>,
    agent: &RawAgent,
    raw: &RawPython,
    folder: &Folder,
    problems: &mut Problems,
) -> Option<(Name, AgentPython)> {
    if agent.requirements.is_absent() && agent.preload.is_absent() {
        return None;
    }
    let key = format!("agent.{}.requirements", name.value);
    if let (Some(venv), Some(own)) = (raw.venv.given(), agent.requirements.given()) {
        let message = format!("`{key}` cannot be used with `python.venv`");
        problems.push(
            Problem::error(&key, message)
                .at(own.key.clone(), "")
                .at(venv.key.clone(), "this environment is used as it is")
                .help("remove one: without `venv`, Synapse builds an environment for this agent"),
        );
    }
    let own = agent.requirements.given();
    let own = AgentPython {
        requirements: own.and_then(|written| folder.existing(written, &key, Kind::File, problems)),
        // What [python] preloads need not be in an environment of the agent's own.
        preload: preload(&agent.preload),
    };
    Some((name.value.clone(), own))
}

/// A ready environment is used as it is: what would build one has no place beside it.
fn exclusive(raw: &RawPython, problems: &mut Problems) {
    let Some(venv) = raw.venv.given() else {
        return;
    };
    for (name, other) in [
        ("requirements", &raw.requirements),
        ("interpreter", &raw.interpreter),
    ] {
        if let Some(other) = other.given() {
            let message = format!("`python.{name}` cannot be used with `python.venv`");
            problems.push(
                Problem::error(format!("python.{name}"), message)
                    .at(other.key.clone(), "")
                    .at(venv.key.clone(), "this environment is used as it is")
                    .help(format!(
                        "remove one: without `venv`, Synapse builds an environment with `{name}`"
                    )),
            );
        }
    }
}

fn venv(written: &Spanned<String>, folder: &Folder, problems: &mut Problems) -> Option<PathBuf> {
    let path = folder.resolve(&written.value);
    if path.join("bin/python").exists() || path.join("Scripts/python.exe").exists() {
        return Some(path);
    }
    let message = if path.is_dir() {
        format!(
            "`python.venv`: {} has no bin/python",
            quoted(&written.value)
        )
    } else {
        format!(
            "`python.venv`: there is no folder {}",
            quoted(&written.value)
        )
    };
    problems.push(
        Problem::error("python.venv", message)
            .at(written.span.clone(), "")
            .help(format!(
                "create it with `python3 -m venv {}`",
                written.value
            ))
            .help("or leave the key out: Synapse then builds its own environment"),
    );
    None
}

/// A path is looked at; a bare command name is left for PATH.
fn interpreter(
    written: &Spanned<String>,
    folder: &Folder,
    problems: &mut Problems,
) -> Option<PathBuf> {
    if !written.value.contains('/') {
        return Some(PathBuf::from(&written.value));
    }
    folder.existing(written, "python.interpreter", Kind::File, problems)
}

/// Each once, in the order in which they are imported.
fn preload(written: &Field<List<ModuleName>>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for module in written
        .value()
        .map(|list| list.0.as_slice())
        .unwrap_or_default()
    {
        let name = &module.value.0;
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn path(raw: Option<&List<String>>, folder: &Folder, problems: &mut Problems) -> Vec<PathBuf> {
    let mut path = vec![folder.path().to_owned()];
    for written in raw.map(|list| list.0.as_slice()).unwrap_or_default() {
        let found = folder.existing(written, "python.path", Kind::Directory, problems);
        path.extend(found.filter(|found| !path.contains(found)));
    }
    path
}
