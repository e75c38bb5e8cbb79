//! How the processes of one Python environment are made: by a fork of a warm one where that can be,
//! else by a fresh interpreter. It refuses to know what an agent is.

use std::time::Duration;

use synapse_process::{Birth, Child, Command, SpawnError, Spawner};

use crate::agent::launch::{Launcher, PythonEnvironment};
use crate::zygote::{ZygoteKeeper, ZygoteKind};

/// Makes the processes of one Python environment. Its zygotes end with it, and their forks do not.
#[derive(Debug)]
pub(crate) struct Spawning {
    python: PythonEnvironment,
    spawner: Spawner,
    /// Those that there may be; each begins with the first agent of its kind.
    zygotes: Vec<ZygoteKeeper>,
}

/// How a process is forked.
#[derive(Clone, Debug)]
pub(crate) struct Fork {
    /// What it is forked from.
    pub(crate) kind: ZygoteKind,
    /// What lists of processes show.
    pub(crate) title: String,
    /// How long it waits for the first zygote, before it starts without. Where the machine is slow
    /// a fresh interpreter would be, too.
    pub(crate) patience: Duration,
}

impl Spawning {
    pub(crate) fn new(spawner: Spawner, launcher: &Launcher, python: PythonEnvironment) -> Self {
        let keeper = |kind| {
            let (command, preload) = launcher.zygote(&python)?;
            Some(ZygoteKeeper::new(kind, command, preload, spawner.clone()))
        };
        // A fork falls to this process only where orphans do.
        let kinds = if spawner.adopts() {
            ZygoteKind::ALL.as_slice()
        } else {
            &[]
        };
        Self {
            zygotes: kinds.iter().copied().filter_map(keeper).collect(),
            python,
            spawner,
        }
    }

    /// What they are started with.
    pub(crate) const fn python(&self) -> &PythonEnvironment {
        &self.python
    }

    /// Has a zygote on its way before the first process that is forked from it.
    pub(crate) fn warm_up(&self, kind: ZygoteKind) {
        let mut zygotes = self.zygotes.iter();
        if let Some(keeper) = zygotes.find(|keeper| keeper.kind() == kind) {
            keeper.begin();
        }
    }

    /// Waits for what it is to be forked from, where that is on its way for the first time.
    pub(crate) async fn settled(&self, fork: Option<&Fork>) {
        if let Some((keeper, fork)) = self.keeper_of(fork) {
            keeper.settled(fork.patience).await;
        }
    }

    /// Makes a process. A caller that is cancelled meanwhile leaves none behind.
    pub(crate) async fn spawn(
        &self,
        command: Command,
        fork: Option<&Fork>,
    ) -> Result<Child, SpawnError> {
        if let Some((keeper, fork)) = self.keeper_of(fork) {
            let birth = Birth {
                command: command.clone(),
                title: fork.title.clone(),
            };
            if let Some(child) = keeper.fork(birth).await {
                return Ok(child);
            }
        }
        self.spawner.spawn(command).await
    }

    fn keeper_of<'a>(&self, fork: Option<&'a Fork>) -> Option<(&ZygoteKeeper, &'a Fork)> {
        let fork = fork?;
        let mut zygotes = self.zygotes.iter();
        let keeper = zygotes.find(|keeper| keeper.kind() == fork.kind)?;
        Some((keeper, fork))
    }

    /// Ends the zygotes; processes that live are left to their owners.
    pub(crate) async fn end(&self) {
        for keeper in &self.zygotes {
            keeper.end().await;
        }
    }
}
