//! Finds the base interpreter. It refuses to install anything into it.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::diagnosis;
use crate::error::{EnvironmentError, Refused};
use crate::invocation::Invoker;
use crate::settings::Settings;
use crate::variables::PATH;

/// How long an interpreter may take to say what it is. It takes 30 ms; a cold disk takes longer.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// The oldest that has `-P`, which keeps an agent's folder from shadowing the standard library.
const OLDEST: PythonVersion = PythonVersion {
    major: 3,
    minor: 11,
    patch: 0,
};
/// Names that are looked for on `PATH`. What the user's own shell calls python3 comes first: it is
/// what the agents ran with so far.
pub(crate) const NAMES: [&str; 6] = [
    "python3",
    "python",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
];
/// Printed by the interpreter itself: a shim of a version manager answers with the real one.
const PROBE: &str = include_str!("probe.py");

/// A version such as 3.11.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PythonVersion {
    /// 3.
    pub major: u32,
    /// 11.
    pub minor: u32,
    /// 7.
    pub patch: u32,
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A base interpreter that will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The real program, never a shim and never that of a virtual environment.
    pub executable: PathBuf,
    /// Its version.
    pub version: PythonVersion,
}

/// What an interpreter says about itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    base: PathBuf,
    version: [u32; 3],
    implementation: String,
    pub(crate) site_packages: PathBuf,
    pub(crate) packages: usize,
    pub(crate) msgpack: bool,
}

impl Answer {
    pub(crate) fn version(&self) -> PythonVersion {
        let [major, minor, patch] = self.version;
        PythonVersion {
            major,
            minor,
            patch,
        }
    }

    /// Why it will not do, if so.
    fn refusal(&self) -> Option<String> {
        if self.version() < OLDEST {
            return Some(format!(
                "is Python {}, and 3.11 is the oldest that works",
                self.version()
            ));
        }
        (self.implementation != "CPython").then(|| {
            format!(
                "is {}, and the packages are locked for CPython",
                self.implementation
            )
        })
    }
}

impl Interpreter {
    /// The preferred interpreter, or else the first that will do on `PATH`.
    pub(crate) async fn find(invoker: Invoker<'_>) -> Result<Self, EnvironmentError> {
        if let Some(preferred) = invoker.settings.asked_interpreter() {
            return Self::preferred(invoker, preferred).await;
        }
        let mut refused = Vec::new();
        for name in NAMES {
            let Some(program) = on_path(invoker.settings, Path::new(name)) else {
                continue;
            };
            let candidate = format!("{name} ({})", program.display());
            match Self::probe(invoker, &program).await {
                Ok(found) => return Ok(found),
                Err(reason) => refused.push(Refused { candidate, reason }),
            }
        }
        if refused.is_empty() {
            let candidate = NAMES.join(", ");
            refused.push(Refused {
                candidate,
                reason: "none of them is on PATH".to_owned(),
            });
        }
        Err(EnvironmentError::NoPython { refused })
    }

    async fn preferred(invoker: Invoker<'_>, asked: &Path) -> Result<Self, EnvironmentError> {
        let refuse = |reason| {
            EnvironmentError::Interpreter(Refused {
                candidate: asked.display().to_string(),
                reason,
            })
        };
        let program = program(invoker.settings, asked)
            .ok_or_else(|| refuse("there is no such program".to_owned()))?;
        Self::probe(invoker, &program).await.map_err(refuse)
    }

    async fn probe(invoker: Invoker<'_>, program: &Path) -> Result<Self, String> {
        let answer = ask(invoker, program).await?;
        let version = answer.version();
        Ok(Self {
            executable: answer.base,
            version,
        })
    }
}

/// Runs an interpreter once to learn what it is; the error says why it will not do.
pub(crate) async fn ask(invoker: Invoker<'_>, program: &Path) -> Result<Answer, String> {
    let finished = invoker
        .run(program, ["-I", "-c", PROBE], PROBE_TIMEOUT)
        .await
        .map_err(|error| format!("cannot be run: {}", reason(&error)))?;
    if !finished.status.success() {
        // Shims that know of no such version answer so, and so does Python 2, which knows no -I.
        let said = finished.stderr.lines().find(|line| !line.trim().is_empty());
        return Err(match said {
            Some(line) => format!("{}: {}", finished.status, line.trim()),
            None => finished.status.to_string(),
        });
    }
    let answer: Answer = serde_json::from_str(finished.stdout.trim()).map_err(|_not_json| {
        format!(
            "is no Python: it answered {:?}",
            diagnosis::one_line(&finished.stdout)
        )
    })?;
    answer.refusal().map_or(Ok(answer), Err)
}

fn reason(error: &EnvironmentError) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), std::string::ToString::to_string)
}

/// The program that is meant by a path, or by a name on `PATH`.
pub(crate) fn program(settings: &Settings, asked: &Path) -> Option<PathBuf> {
    if asked.components().count() > 1 || asked.is_absolute() {
        Some(settings.folder.join(asked)).filter(|path| is_program(path))
    } else {
        on_path(settings, asked)
    }
}

/// The first program of that name on `PATH`.
pub(crate) fn on_path(settings: &Settings, name: &Path) -> Option<PathBuf> {
    let folders = std::env::split_paths(settings.variable(PATH)?);
    // A relative entry of PATH would depend on where the runtime happens to be started.
    folders
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
