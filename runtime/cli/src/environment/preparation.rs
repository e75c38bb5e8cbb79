//! Every environment of a tree, found or built before the tree starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use synapse_api::ExitCode;
use synapse_config::Configuration;
use synapse_core::name::Name;
use synapse_environment::{Environment, EnvironmentError, Install, Prepared, Settings, Stage};
use synapse_node::Spawner;
use tokio::task::JoinSet;

use super::progress::Progress;
use crate::failure::{Failure, report_chain};

/// Environments that are built at once: each compiles on every processor.
const BUILDS_MAX: usize = 2;

/// The environments of a tree, ready.
#[derive(Debug)]
pub(crate) struct Environments {
    /// That of all agents that have no other.
    pub(crate) base: Ready,
    /// Those of agents with requirements of their own.
    pub(crate) own: Vec<Ready>,
}

/// A ready environment.
#[derive(Debug)]
pub(crate) struct Ready {
    /// How it is found and built.
    pub(crate) environment: Environment,
    pub(crate) whose: Whose,
    pub(crate) prepared: Prepared,
}

/// Whom an environment is for.
#[derive(Clone, Debug)]
pub(crate) struct Whose {
    /// In the order of their names; none for the one that is everybody's.
    pub(crate) agents: Vec<Name>,
    /// The file that says what is in it, where there is one.
    pub(crate) requirements: Option<PathBuf>,
}

impl Environments {
    /// Finds them, or builds them with progress on stderr: that of `[python]` first, since it fills
    /// the tools' own caches for the others. Each failure is told, and the others are built even so.
    pub(crate) async fn prepare(
        configuration: &Configuration,
        install: Install,
        spawner: &Spawner,
    ) -> Result<Self, Failure> {
        let progress = Arc::new(Progress::default());
        let prepared = prepare_all(configuration, install, spawner, &progress).await;
        progress.clear();
        prepared
    }

    /// What this agent runs in.
    pub(crate) fn of(&self, agent: &Name) -> &Ready {
        let mut own = self.own.iter();
        own.find(|ready| ready.whose.agents.contains(agent))
            .unwrap_or(&self.base)
    }

    /// Each of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Ready> {
        std::iter::once(&self.base).chain(&self.own)
    }
}

async fn prepare_all(
    configuration: &Configuration,
    install: Install,
    spawner: &Spawner,
    progress: &Arc<Progress>,
) -> Result<Environments, Failure> {
    let base = Whose {
        agents: Vec::new(),
        requirements: configuration.python.requirements.clone(),
    };
    let make = |whose: Whose| Wanted::new(configuration, whose, install, spawner);
    let base = make(base)?.prepare(progress).await;
    let mut failures = Vec::new();
    let mut own = Vec::new();
    // Where nothing is built it costs nothing to name all that is missing.
    if base.is_ok() || install == Install::Never {
        let mut waiting = wanted(configuration).into_iter();
        let mut building = JoinSet::new();
        loop {
            while building.len() < BUILDS_MAX
                && let Some(whose) = waiting.next()
            {
                let (wanted, progress) = (make(whose)?, Arc::clone(progress));
                building.spawn(async move { wanted.prepare(&progress).await });
            }
            match building.join_next().await {
                Some(Ok(Ok(ready))) => own.push(ready),
                Some(Ok(Err(failure))) => failures.push(failure),
                Some(Err(error)) => failures.push(Failure::new(error.to_string())),
                None => break,
            }
        }
    }
    match (base, failures.is_empty()) {
        (Ok(base), true) => {
            own.sort_by(|one, other| one.whose.agents.cmp(&other.whose.agents));
            Ok(Environments { base, own })
        }
        (Ok(_), false) => Err(Failure::all(failures)),
        (Err(failure), _) => {
            failures.insert(0, failure);
            Err(Failure::all(failures))
        }
    }
}

/// One for each file: agents with the same requirements share an environment.
fn wanted(configuration: &Configuration) -> Vec<Whose> {
    let mut wanted: Vec<Whose> = Vec::new();
    for (name, python) in &configuration.python.agents {
        let Some(file) = &python.requirements else {
            continue;
        };
        if configuration.python.requirements.as_ref() == Some(file) {
            continue;
        }
        let mut known = wanted.iter_mut();
        match known.find(|whose| whose.requirements.as_ref() == Some(file)) {
            Some(whose) => whose.agents.push(name.clone()),
            None => wanted.push(Whose {
                agents: vec![name.clone()],
                requirements: Some(file.clone()),
            }),
        }
    }
    wanted
}

/// An environment that may have to be built.
struct Wanted {
    environment: Environment,
    whose: Whose,
    folder: PathBuf,
}

impl Wanted {
    fn new(
        configuration: &Configuration,
        whose: Whose,
        install: Install,
        spawner: &Spawner,
    ) -> Result<Self, Failure> {
        let mut settings = Settings::new(&configuration.folder);
        let python = &configuration.python;
        settings.interpreter.clone_from(&python.interpreter);
        settings.venv.clone_from(&python.venv);
        settings.requirements.clone_from(&whose.requirements);
        settings.install = install;
        let environment = Environment::new(settings, spawner.clone());
        Ok(Self {
            environment: environment.map_err(|error| failure(&error))?,
            whose,
            folder: configuration.folder.clone(),
        })
    }

    async fn prepare(self, progress: &Progress) -> Result<Ready, Failure> {
        let of = self.whose.shown(&self.folder);
        let head = of.map_or_else(String::new, |of| format!("{of}: "));
        let tell = |stage: Stage| progress.show(&format!("{head}{stage}"));
        match self.environment.prepare(&tell).await {
            Ok(prepared) => Ok(Ready {
                environment: self.environment,
                whose: self.whose,
                prepared,
            }),
            Err(error) => Err(failure(&error).headed(&head)),
        }
    }
}

impl Whose {
    /// `researcher, writer (requirements-text.txt)`; `None` for the one that is everybody's.
    pub(crate) fn shown(&self, folder: &Path) -> Option<String> {
        let names: Vec<&str> = self.agents.iter().map(Name::as_str).collect();
        let file = self.requirements.as_deref()?;
        let file = file.strip_prefix(folder).unwrap_or(file).display();
        (!names.is_empty()).then(|| format!("{} ({file})", names.join(", ")))
    }
}

fn failure(error: &EnvironmentError) -> Failure {
    let mut text = report_chain(error);
    for line in error.details() {
        text.push_str("\n  ");
        text.push_str(&line);
    }
    let failure = Failure::new(text).exit(ExitCode::Unavailable);
    match error.help() {
        Some(help) => failure.help(help),
        None => failure,
    }
}
