//! Builds an environment with uv, or else with venv and pip. It refuses to decide whether one is
//! needed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cache::{failed, remove, write_whole};
use crate::diagnosis;
use crate::error::{Cause, EnvironmentError};
use crate::interpreter::{Interpreter, ask, on_path};
use crate::invocation::{Finished, Invoker};
use crate::own::python_of;
use crate::requirements::Lock;
use crate::settings::{Stage, Tool};
use crate::variables::HOME;

/// How long making an empty environment may take; it takes three seconds with pip.
const CREATE_TIMEOUT: Duration = Duration::from_secs(3 * 60);
/// How long an installation may take: a hundred megabytes over a slow line.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// How long compiling may take; it takes three seconds.
const COMPILE_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// Written last: an environment without it was never finished.
const STAMP_NAME: &str = "synapse.json";
/// Where installers put uv, besides `PATH`; relative to the home folder.
const UV_PLACES: [&str; 2] = [".local/bin/uv", ".cargo/bin/uv"];

/// What a finished environment says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) version: String,
    pub(crate) interpreter: PathBuf,
    pub(crate) packages: usize,
    pub(crate) tool: Tool,
}

impl Stamp {
    /// Reads it, if the environment was finished and its interpreter is still there.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(Self::path(folder)).ok()?;
        let stamp = serde_json::from_str(&text).ok()?;
        python_of(folder).exists().then_some(stamp)
    }

    /// Whether the environment still holds what it held when it was finished.
    pub(crate) async fn holds(&self, invoker: Invoker<'_>, folder: &Path) -> bool {
        let answer = ask(invoker, &python_of(folder)).await;
        answer.is_ok_and(|now| now.msgpack && now.packages >= self.packages)
    }

    pub(crate) fn path(folder: &Path) -> PathBuf {
        folder.join(STAMP_NAME)
    }
}

/// One building of one environment, in its final folder: scripts and settings of a virtual
/// environment name that folder, so that it cannot be moved. Until the stamp is there it is nothing.
pub(crate) struct Construction<'a> {
    pub(crate) invoker: Invoker<'a>,
    pub(crate) folder: &'a Path,
    pub(crate) interpreter: &'a Interpreter,
    pub(crate) lock: &'a Lock,
    pub(crate) requirements: Option<&'a Path>,
    pub(crate) progress: &'a (dyn Fn(Stage) + Send + Sync),
}

impl Construction<'_> {
    /// Builds it. The caller holds the lock of the folder.
    pub(crate) async fn build(&self) -> Result<Stamp, EnvironmentError> {
        remove(self.folder)?;
        let tool = self.install().await?;
        let python = python_of(self.folder);
        let refuse = |reason: String| EnvironmentError::Install {
            tool,
            cause: Cause::Other,
            lines: vec![format!("the new environment {reason}")],
        };
        let answer = ask(self.invoker, &python).await.map_err(refuse)?;
        if !answer.msgpack {
            return Err(refuse("lacks msgpack".to_owned()));
        }
        let stamp = Stamp {
            version: answer.version().to_string(),
            interpreter: self.interpreter.executable.clone(),
            packages: answer.packages,
            tool,
        };
        let path = Stamp::path(self.folder);
        let text = serde_json::to_string(&stamp).unwrap_or_default();
        write_whole(&path, text).map_err(failed("write", &path))?;
        Ok(stamp)
    }

    async fn install(&self) -> Result<Tool, EnvironmentError> {
        if let Some(uv) = self.find_uv() {
            match self.with_uv(&uv).await {
                Ok(()) => return Ok(Tool::Uv),
                Err(error) => {
                    // Where pip would meet the same obstacle, its attempt would only cost time.
                    let reason = own_fault_of_uv(&error).ok_or(error)?;
                    tracing::warn!(reason, "uv failed; pip is used instead");
                    (self.progress)(Stage::FallingBack { reason });
                    remove(self.folder)?;
                }
            }
        }
        self.with_pip().await?;
        Ok(Tool::Pip)
    }

    fn find_uv(&self) -> Option<PathBuf> {
        let settings = self.invoker.settings;
        let home = settings.variable(HOME).map(PathBuf::from);
        let installed = || UV_PLACES.map(|place| home.as_ref().map(|home| home.join(place)));
        on_path(settings, Path::new("uv")).or_else(|| {
            installed()
                .into_iter()
                .flatten()
                .find(|path| path.is_file())
        })
    }

    async fn with_uv(&self, uv: &Path) -> Result<(), EnvironmentError> {
        self.tell_creating(Tool::Uv);
        let base = &self.interpreter.executable;
        let create: [OsString; 6] = [
            "venv".into(),
            "--no-project".into(),
            "--color=never".into(),
            "--python".into(),
            base.into(),
            self.folder.into(),
        ];
        succeed(
            Tool::Uv,
            self.invoker.run(uv, create, CREATE_TIMEOUT).await?,
        )?;
        let install: [OsString; 6] = [
            "pip".into(),
            "install".into(),
            "--color=never".into(),
            "--compile-bytecode".into(),
            "--python".into(),
            python_of(self.folder).into(),
        ];
        self.install_all(Tool::Uv, uv, &install).await
    }

    async fn with_pip(&self) -> Result<(), EnvironmentError> {
        self.tell_creating(Tool::Pip);
        let base = &self.interpreter.executable;
        let create: [OsString; 4] = ["-I".into(), "-m".into(), "venv".into(), self.folder.into()];
        let made = self.invoker.run(base, create, CREATE_TIMEOUT).await?;
        if !made.status.success() && lacks_venv(&made) {
            let lines = diagnosis::last_lines(&format!("{}\n{}", made.stdout, made.stderr));
            return Err(EnvironmentError::NoVenvModule {
                python: base.clone(),
                lines,
            });
        }
        succeed(Tool::Pip, made)?;
        // Isolated: in the configuration's folder a file may be called like one of the library's.
        let install: [OsString; 9] = [
            "-I".into(),
            "-m".into(),
            "pip".into(),
            "install".into(),
            "--no-input".into(),
            "--no-color".into(),
            "--no-compile".into(),
            "--progress-bar=off".into(),
            "--disable-pip-version-check".into(),
        ];
        let python = python_of(self.folder);
        self.install_all(Tool::Pip, &python, &install).await?;
        (self.progress)(Stage::Compiling);
        let lib = self.folder.join("lib");
        // Files that cannot be compiled (templates, other versions' syntax) are nobody's failure.
        compile(self.invoker, &python, &lib).await
    }

    async fn install_all(
        &self,
        tool: Tool,
        program: &Path,
        command: &[OsString],
    ) -> Result<(), EnvironmentError> {
        (self.progress)(Stage::Installing {
            packages: self.lock.packages(),
            tool,
        });
        let lock = self.write("requirements.lock", &self.lock.text)?;
        let pinned: [OsString; 3] = ["--require-hashes".into(), "-r".into(), lock.into()];
        let args = command.iter().cloned().chain(pinned);
        succeed(
            tool,
            self.invoker.run(program, args, INSTALL_TIMEOUT).await?,
        )?;
        let Some(file) = self.requirements else {
            return Ok(());
        };
        (self.progress)(Stage::InstallingRequirements {
            file: file.to_owned(),
        });
        let pins = self.write("pins.txt", &self.lock.pins())?;
        let added: [OsString; 4] = ["-r".into(), file.into(), "-c".into(), pins.into()];
        let args = command.iter().cloned().chain(added);
        succeed(
            tool,
            self.invoker.run(program, args, INSTALL_TIMEOUT).await?,
        )
    }

    fn tell_creating(&self, tool: Tool) {
        let version = self.interpreter.version.to_string();
        (self.progress)(Stage::Creating { version, tool });
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, EnvironmentError> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(failed("write", &path))?;
        Ok(path)
    }
}

fn succeed(tool: Tool, finished: Finished) -> Result<(), EnvironmentError> {
    if finished.status.success() {
        return Ok(());
    }
    let Finished {
        status,
        stdout,
        stderr,
    } = finished;
    let cause = diagnosis::cause(if stderr.trim().is_empty() {
        &stdout
    } else {
        &stderr
    });
    // Tools complain on stderr, but what contradicts what pip tells on stdout.
    let mut lines = match cause {
        Cause::Conflict => diagnosis::last_lines(&format!("{stdout}\n{stderr}")),
        _ if stderr.trim().is_empty() => diagnosis::last_lines(&stdout),
        _ => diagnosis::last_lines(&stderr),
    };
    if lines.is_empty() {
        lines.push(status.to_string());
    }
    Err(EnvironmentError::Install { tool, cause, lines })
}

/// Compiles all Python files below a folder.
pub(crate) async fn compile(
    invoker: Invoker<'_>,
    python: &Path,
    folder: &Path,
) -> Result<(), EnvironmentError> {
    let args: [OsString; 7] = [
        "-I".into(),
        "-m".into(),
        "compileall".into(),
        "-q".into(),
        "-j".into(),
        "0".into(),
        folder.into(),
    ];
    let finished = invoker.run(python, args, COMPILE_TIMEOUT).await?;
    if !finished.status.success() {
        let said = diagnosis::one_line(&finished.stdout);
        tracing::debug!(status = %finished.status, said, "not all files were compiled");
    }
    Ok(())
}

/// What uv said, where the failure is uv's own and not one that pip would meet as well.
fn own_fault_of_uv(error: &EnvironmentError) -> Option<String> {
    match error {
        EnvironmentError::Install {
            cause: Cause::Other,
            lines,
            ..
        } => Some(diagnosis::one_line(&lines.join("\n"))),
        EnvironmentError::Spawn(error) => Some(error.to_string()),
        _ => None,
    }
}

fn lacks_venv(made: &Finished) -> bool {
    let said = format!("{}{}", made.stdout, made.stderr);
    said.contains("ensurepip") || said.contains("No module named venv")
}
