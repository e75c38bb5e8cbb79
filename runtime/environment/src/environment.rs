//! Decides which environment is used and whether it must be built first. It refuses to know how.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use synapse_process::Spawner;
use tokio::time::Instant;

use crate::cache::{Cache, failed};
use crate::choice::{Choice, question};
use crate::construction::{Construction, Stamp, compile};
use crate::digest::Digest;
use crate::error::EnvironmentError;
use crate::interpreter::Interpreter;
use crate::invocation::Invoker;
use crate::own::{look_at, python_of};
use crate::requirements::{Lock, fingerprint};
use crate::sdk::Sdk;
use crate::settings::{Install, Settings, Stage, Tool};

/// Raised when environments are built in another way: older ones are then not used any more.
const FORMAT: &str = "1";

/// A ready environment.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Its own interpreter, to be run directly.
    pub python: PathBuf,
    /// The version of Python, such as `3.11.7`.
    pub version: String,
    /// Packages in it, without pip and setuptools.
    pub packages: usize,
    /// Where it came from.
    pub kind: Kind,
    /// What installed its packages; `None` for the user's own.
    pub tool: Option<Tool>,
    /// How long it took to find or to build.
    pub took: Duration,
    /// The folder that holds `synapse_agent`; a worker has it at the end of its path.
    pub sdk: PathBuf,
    /// Stands for the requirements that it was built with.
    requirements: String,
}

/// Where an environment came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Built just now.
    Built,
    /// Built by an earlier start.
    Kept,
    /// The user's own.
    Own,
}

impl Prepared {
    /// The program and the arguments that start a worker: what `-m synapse_agent` would do, with
    /// the package last on the path, and neither a folder nor a shim before the user's own.
    pub fn worker_command(&self) -> (PathBuf, Vec<OsString>) {
        (
            self.python.clone(),
            vec!["-P".into(), Sdk::launcher(&self.sdk).into()],
        )
    }

    /// The arguments that start a zygote instead, from which workers are forked.
    pub fn zygote_args(&self) -> Vec<OsString> {
        vec!["-P".into(), Sdk::zygote(&self.sdk).into()]
    }
}

/// Prepares environments.
#[derive(Debug)]
pub struct Environment {
    settings: Settings,
    spawner: Spawner,
    cache: Cache,
    lock: Lock,
}

impl Environment {
    /// Locates the cache; nothing is read or written yet.
    pub fn new(settings: Settings, spawner: Spawner) -> Result<Self, EnvironmentError> {
        let cache = Cache::locate(&settings)?;
        Ok(Self {
            settings,
            spawner,
            cache,
            lock: Lock::embedded(),
        })
    }

    /// Finds the environment that the settings ask for, and builds it where none is kept. What
    /// takes time is told to `progress` before it begins. Dropped in the middle, it leaves no
    /// process, and nothing that a later start would take for an environment.
    pub async fn prepare(
        &self,
        progress: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<Prepared, EnvironmentError> {
        let start = Instant::now();
        let requirements = self.requirements()?;
        let (choice, kind) = match &self.settings.venv {
            Some(venv) => {
                let choice = look_at(self.invoker(), &self.cache, venv, progress).await?;
                (choice, Kind::Own)
            }
            None => self.kept_or_built(&requirements, progress).await?,
        };
        let sdk = Sdk::unpack(&self.cache)?;
        if !sdk.is_compiled(&choice.version) {
            compile(self.invoker(), &choice.python, &sdk.folder).await?;
            sdk.note_compiled(&choice.version);
        }
        let Choice {
            python,
            version,
            packages,
            tool,
            ..
        } = choice;
        let took = start.elapsed();
        Ok(Prepared {
            python,
            version,
            packages,
            kind,
            tool,
            took,
            sdk: sdk.folder,
            requirements,
        })
    }

    /// Whether the requirements are still those that it was prepared with, and it is still there.
    pub fn is_current(&self, prepared: &Prepared) -> Result<bool, EnvironmentError> {
        Ok(self.requirements()? == prepared.requirements && prepared.python.exists())
    }

    /// What stands for the requirements as they are now.
    fn requirements(&self) -> Result<String, EnvironmentError> {
        let Some(file) = self.requirements_file() else {
            return Ok(String::new());
        };
        fingerprint(&file, &self.settings.folder)
    }

    fn requirements_file(&self) -> Option<PathBuf> {
        let file = self.settings.requirements.as_ref();
        file.map(|file| self.settings.folder.join(file))
    }

    /// The base interpreter that an environment would be built with.
    pub async fn interpreter(&self) -> Result<Interpreter, EnvironmentError> {
        Interpreter::find(self.invoker()).await
    }

    fn invoker(&self) -> Invoker<'_> {
        Invoker {
            spawner: &self.spawner,
            settings: &self.settings,
        }
    }

    async fn kept_or_built(
        &self,
        added: &str,
        progress: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<(Choice, Kind), EnvironmentError> {
        let question = question(&self.settings, &[FORMAT, &self.lock.hash, added]);
        if self.settings.install != Install::Refresh
            && let Some(choice) = Choice::recall(&self.cache, &question)
        {
            return Ok((choice, Kind::Kept));
        }
        progress(Stage::FindingPython);
        let interpreter = self.interpreter().await?;
        let folder = self.cache.path(&self.folder_name(&interpreter, added));
        let (stamp, kind) = match self.kept(&folder).await? {
            Some(stamp) => (stamp, Kind::Kept),
            None => self.build(&folder, &interpreter, progress).await?,
        };
        let python = python_of(&folder);
        let witnesses = [python.as_path(), &stamp.interpreter, &Stamp::path(&folder)];
        let Stamp {
            version,
            packages,
            tool,
            ..
        } = stamp.clone();
        let choice = Choice::new(python.clone(), version, packages, Some(tool), &witnesses);
        choice.remember(&self.cache, &question);
        Ok((choice, kind))
    }

    /// The environment in this folder, if there is one. When it is asked for anew, it must also
    /// hold what it held: a user may have removed from it, or a power cut may have.
    async fn kept(&self, folder: &Path) -> Result<Option<Stamp>, EnvironmentError> {
        let Some(stamp) = Stamp::read(folder) else {
            return Ok(None);
        };
        if self.settings.install != Install::Refresh || stamp.holds(self.invoker(), folder).await {
            return Ok(Some(stamp));
        }
        let path = Stamp::path(folder);
        std::fs::remove_file(&path).map_err(failed("remove", &path))?;
        Ok(None)
    }

    /// The name stands for all that the environment is made of. The SDK is not among it: it is
    /// beside the environments, so that a new one rebuilds none.
    fn folder_name(&self, interpreter: &Interpreter, added: &str) -> String {
        let hash = Digest::default()
            .field(FORMAT)
            .field(self.lock.hash.as_bytes())
            .field(added)
            .field(interpreter.executable.as_os_str().as_encoded_bytes())
            .field(interpreter.version.to_string());
        format!("env-{}", hash.name())
    }

    async fn build(
        &self,
        folder: &Path,
        interpreter: &Interpreter,
        progress: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<(Stamp, Kind), EnvironmentError> {
        if self.settings.install == Install::Never {
            return Err(EnvironmentError::Frozen {
                version: interpreter.version.to_string(),
            });
        }
        self.cache.create()?;
        let name = folder
            .file_name()
            .map(|name| name.display().to_string())
            .unwrap_or_default();
        let _held = self.cache.lock(&format!("{name}.lock"), progress).await?;
        // Whoever held the lock before may have built it.
        if let Some(stamp) = Stamp::read(folder) {
            return Ok((stamp, Kind::Kept));
        }
        self.cache
            .remove_leftovers(|folder| Stamp::path(folder).exists());
        let requirements = self.requirements_file();
        let construction = Construction {
            invoker: self.invoker(),
            folder,
            interpreter,
            lock: &self.lock,
            requirements: requirements.as_deref(),
            progress,
        };
        Ok((construction.build().await?, Kind::Built))
    }
}

#[cfg(test)]
mod tests;
