//! What an agent's process is started with: command, environment, and the `welcome` configuration.
//!
//! The environment is an allowlist. An agent sees the credentials of its own model's provider and
//! what its spec names, and no other variable of the runtime.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};
use synapse_core::provider::{ModelOwner, credential_variables, model_owner, providers_in_source};
use synapse_core::secret::{is_secret_name, password_of_url};
use synapse_core::spec::{AgentSpec, DepsScope, Entry, Program, Spawn, UsageLimits};
use synapse_process::{Command, KernelLimits};

use crate::agent::dotenv;
use crate::logs::SPARE;
use crate::spawning::Fork;
use crate::zygote::ZygoteKind;

/// Variables of the runtime that every agent gets; a `*` at the end stands for any ending.
const PASSED: [&str; 21] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_*",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "XDG_CACHE_HOME",
];

/// What Python and its libraries read once, when they are loaded.
const READ_AT_START: [&str; 10] = [
    "PYTHON*",
    "PYDANTIC_*",
    "LD_*",
    "MALLOC_*",
    "GLIBC_*",
    "OPENSSL_*",
    "OPENAI_LOG",
    "OTEL_PYTHON_CONTEXT",
    "LANG",
    "LC_*",
];

/// How many threads numeric libraries start; 1, unless it is said otherwise.
const THREADS: [&str; 5] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
];

/// What a source that uses it speaks of.
const PYDANTIC_AI: &str = "pydantic_ai";

/// Room for what a fork shows as its environment beyond what the zygote has, in bytes: three names
/// of at most 64.
const FORK_ROOM_BYTES: usize = 256;

/// A longer source is not read for the providers it names, in bytes.
const SOURCE_BYTES_MAX: u64 = 1024 * 1024;

/// A longer `env_file` is refused, in bytes: it holds a few variables.
const ENV_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How agents' processes are started on this node.
#[derive(Clone, Debug)]
pub struct Launcher {
    /// What agents run in.
    pub python: PythonEnvironment,
    /// What those agents run in that have an environment of their own, by name.
    pub pythons: BTreeMap<String, PythonEnvironment>,
    /// Working directory of every agent: the folder of supervision.toml.
    pub folder: PathBuf,
    /// Folders that agents import from, in order.
    pub path: Vec<PathBuf>,
    /// The runtime's own environment, of which each agent gets its part.
    pub environment: BTreeMap<OsString, OsString>,
}

/// A Python environment, ready to run agents. Agents with equal ones share the process that they
/// are forked from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PythonEnvironment {
    /// The Python interpreter itself, never a shim.
    pub program: PathBuf,
    /// Its arguments: they run the worker.
    pub args: Vec<OsString>,
    /// How agents are forked; without it, each is started by a fresh interpreter.
    pub zygote: Option<ZygoteSettings>,
}

/// The process that agents are forked from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZygoteSettings {
    /// Arguments of the interpreter: they run the zygote.
    pub args: Vec<OsString>,
    /// Modules that it imports ahead.
    pub preload: Vec<String>,
}

/// Why a process cannot be described.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error("cannot read env_file {path}")]
    ReadEnvFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("env_file {path}")]
    ParseEnvFile {
        path: PathBuf,
        #[source]
        source: dotenv::DotenvError,
    },
}

/// What an agent's process has around it.
struct Surroundings {
    environment: BTreeMap<OsString, OsString>,
    /// The credential variables that it did not get.
    withheld: Vec<&'static str>,
    /// Values that must not be told.
    secrets: Vec<String>,
}

/// A process to be, and what it will be told.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) command: Command,
    /// How it is forked, where it may be.
    pub(crate) fork: Option<Fork>,
    pub(crate) configuration: Map<String, Value>,
    /// Values that must not be told.
    pub(crate) secrets: Vec<String>,
}

impl Launcher {
    /// Describes the next process of an agent, of which an earlier one may have shown that it
    /// uses pydantic-ai.
    pub(crate) fn launch(
        &self,
        python: &PythonEnvironment,
        spec: &AgentSpec,
        (node, incarnation): (&str, u64),
        uses_pydantic_ai: bool,
    ) -> Result<Launch, LaunchError> {
        let source = self.source_of_program(spec);
        let Surroundings {
            mut environment,
            withheld,
            secrets,
        } = self.surroundings_of(spec, &source)?;
        let fork = self.may_fork(python, spec, &environment).then(|| Fork {
            kind: kind_of(spec, &source, uses_pydantic_ai),
            title: format!("synapse agent {}", spec.name),
            patience: Duration::from(spec.start_timeout) / 2,
        });
        for (name, value) in [
            ("SYNAPSE_NODE", node.to_owned()),
            ("SYNAPSE_AGENT", spec.name.to_string()),
            ("SYNAPSE_INCARNATION", incarnation.to_string()),
        ] {
            environment.insert(name.into(), value.into());
        }
        let command = Command {
            limits: KernelLimits {
                open_files: spec.limits.open_files,
                cpu_seconds: spec.limits.cpu_seconds,
            },
            ..self.command(python, &python.args).env(environment)
        };
        Ok(Launch {
            command,
            fork,
            configuration: self.configuration(spec, &withheld),
            secrets,
        })
    }

    /// Describes a spare of an agent: as its next process, but that it only imports until it is
    /// told its number.
    pub(crate) fn spare(
        &self,
        python: &PythonEnvironment,
        spec: &AgentSpec,
        node: &str,
        uses_pydantic_ai: bool,
    ) -> Result<Launch, LaunchError> {
        let mut launch = self.launch(python, spec, (node, SPARE), uses_pydantic_ai)?;
        let entry = match &spec.program {
            Program::Entry(entry) => Some(entry.to_string()),
            Program::Declared => None,
        };
        let deps = spec.deps.as_ref().map(Entry::to_string);
        let plan = json!({ "path": self.path, "entry": entry, "deps": deps, "model": spec.model });
        let variable = ("SYNAPSE_STANDBY", plan.to_string());
        launch.command = launch.command.env([variable]);
        if let Some(fork) = &mut launch.fork {
            fork.title = format!("synapse spare of {}", spec.name);
        }
        Ok(launch)
    }

    /// What the processes of an agent that has had none yet will be forked from, as far as that can
    /// be known before.
    pub(crate) fn forked_from(&self, spec: &AgentSpec) -> Option<ZygoteKind> {
        let python = self.python_of(spec.name.as_str());
        let forks = python.zygote.is_some() && spec.spawn == Spawn::Fork;
        forks.then(|| kind_of(spec, &self.source_of_program(spec), false))
    }

    fn surroundings_of(&self, spec: &AgentSpec, source: &str) -> Result<Surroundings, LaunchError> {
        let providers = provider_variables(spec, source);
        let named = |name: &OsStr| {
            let Some(name) = name.to_str() else {
                return false;
            };
            spec.env_pass.iter().any(|passed| passed == name)
                || providers.contains(&name)
                || is_passed(name)
        };
        let mut environment: BTreeMap<_, _> = self
            .environment
            .iter()
            .filter(|(name, _)| named(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let of_file = spec.env_file.as_deref().map(read_env_file).transpose()?;
        let of_file = of_file.unwrap_or_default();
        let mut secrets: Vec<String> = of_file.iter().map(|(_, value)| value.clone()).collect();
        environment.extend(
            of_file
                .into_iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        limit_threads(&mut environment);
        environment.extend(
            spec.env
                .iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        let withheld = credential_variables().into_iter().filter(|name| {
            let name = OsStr::new(name);
            self.environment.contains_key(name) && !environment.contains_key(name)
        });
        let withheld = withheld.collect();
        secrets.extend(environment.iter().filter_map(secret_of_variable));
        secrets_of_settings(&spec.model_settings, &mut secrets);
        Ok(Surroundings {
            environment,
            withheld,
            secrets,
        })
    }

    /// Whether a fork can be what a fresh interpreter would be: what that reads once, at its start,
    /// the zygote has read from its own environment.
    fn may_fork(
        &self,
        python: &PythonEnvironment,
        spec: &AgentSpec,
        environment: &BTreeMap<OsString, OsString>,
    ) -> bool {
        if python.zygote.is_none() || spec.spawn != Spawn::Fork {
            return false;
        }
        let zygotes = self.zygote_environment();
        let differs = |(name, value): (&OsString, &OsString)| {
            name.to_str().is_some_and(is_read_at_start) && zygotes.get(name) != Some(value)
        };
        !environment.iter().any(differs)
    }

    /// What an agent runs in, as far as nobody has changed it since.
    #[must_use]
    pub fn python_of(&self, agent: &str) -> &PythonEnvironment {
        self.pythons.get(agent).unwrap_or(&self.python)
    }

    fn command(&self, python: &PythonEnvironment, args: &[OsString]) -> Command {
        Command::new(&python.program, &self.folder).args(args.iter().cloned())
    }

    /// What a zygote of this environment is started with, where there is one.
    pub(crate) fn zygote<'a>(
        &self,
        python: &'a PythonEnvironment,
    ) -> Option<(Command, &'a [String])> {
        let settings = python.zygote.as_ref()?;
        let command = self.command(python, &settings.args);
        let mut environment = self.zygote_environment();
        // Its forks write their own variables over these.
        environment.insert("SYNAPSE_ROOM".into(), "-".repeat(FORK_ROOM_BYTES).into());
        Some((command.env(environment), &settings.preload))
    }

    /// What passes to every agent and is no secret: a proxy's address may hold a password, and a
    /// zygote needs none.
    fn zygote_environment(&self) -> BTreeMap<OsString, OsString> {
        let passed = self.environment.iter();
        let wanted = |name: &str| is_passed(name) && !name.to_ascii_lowercase().ends_with("_proxy");
        let passed = passed.filter(|(name, _)| name.to_str().is_some_and(wanted));
        let mut environment = passed
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        limit_threads(&mut environment);
        environment
    }

    fn source_of_program(&self, spec: &AgentSpec) -> String {
        match &spec.program {
            Program::Entry(entry) => self.source_of(entry).unwrap_or_default(),
            Program::Declared => String::new(),
        }
    }

    /// The text of an entry's module, where it is a file of the user's.
    fn source_of(&self, entry: &Entry) -> Option<String> {
        let relative: PathBuf = entry.module.split('.').collect();
        let candidates = self.path.iter().flat_map(|folder| {
            let module = folder.join(&relative);
            [module.with_extension("py"), module.join("__init__.py")]
        });
        let file = candidates.into_iter().find(|file| file.is_file())?;
        let small = file
            .metadata()
            .is_ok_and(|metadata| metadata.len() <= SOURCE_BYTES_MAX);
        if small {
            std::fs::read_to_string(file).ok()
        } else {
            None
        }
    }

    /// The `configuration` of `welcome`, as docs/protocol.md has it.
    fn configuration(&self, spec: &AgentSpec, withheld: &[&str]) -> Map<String, Value> {
        let entry = match &spec.program {
            Program::Entry(entry) => Some(entry.to_string()),
            Program::Declared => None,
        };
        let path: Vec<_> = self
            .path
            .iter()
            .map(|folder| folder.to_string_lossy())
            .collect();
        let scope = match spec.deps_scope {
            DepsScope::Incarnation => "incarnation",
            DepsScope::Run => "run",
        };
        let settings = (!spec.model_settings.is_empty()).then(|| spec.model_settings.clone());
        let configuration = json!({
            "entry": entry,
            "path": path,
            "mode": spec.mode.map(synapse_core::spec::Mode::as_str),
            "concurrency": spec.concurrency,
            "prefetch": spec.prefetch,
            "model": spec.model,
            "model_settings": settings,
            "instructions": spec.instructions,
            "output_schema": spec.output_schema,
            "description": spec.description,
            "deps": spec.deps.as_ref().map(Entry::to_string),
            "deps_scope": scope,
            "usage_limits": usage_limits(&spec.usage_limits),
            "cancel_grace_ms": spec.cancel_grace.0,
            "withheld": withheld,
        });
        match configuration {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }
}

/// pydantic-ai's names for the limits; `None` where there is none.
pub(crate) fn usage_limits(limits: &UsageLimits) -> Option<Map<String, Value>> {
    let named = [
        ("requests", limits.requests),
        ("tool_calls", limits.tool_calls),
        ("input_tokens", limits.input_tokens),
        ("output_tokens", limits.output_tokens),
        ("total_tokens", limits.total_tokens),
    ];
    let set = named
        .into_iter()
        .filter_map(|(name, limit)| Some((name.to_owned(), limit?.into())));
    let map: Map<String, Value> = set.collect();
    (!map.is_empty()).then_some(map)
}

/// The variables of the agent's own provider: that of its model, or those that its source names.
fn provider_variables(spec: &AgentSpec, source: &str) -> Vec<&'static str> {
    if let Some(model) = &spec.model {
        return match model_owner(model) {
            ModelOwner::Known(provider) => provider.variables.to_vec(),
            ModelOwner::Nobody | ModelOwner::Unknown => Vec::new(),
        };
    }
    let providers = providers_in_source(source);
    providers
        .iter()
        .flat_map(|provider| provider.variables)
        .copied()
        .collect()
}

/// A mistake costs time, not correctness: what is missing is imported after the fork.
fn kind_of(spec: &AgentSpec, source: &str, used_pydantic_ai: bool) -> ZygoteKind {
    let uses_pydantic_ai = used_pydantic_ai || source.contains(PYDANTIC_AI);
    if spec.program == Program::Declared || spec.model.is_some() || uses_pydantic_ai {
        ZygoteKind::PydanticAi
    } else {
        ZygoteKind::Plain
    }
}

/// What a variable's value holds that must not be told, as far as its name and form say.
fn secret_of_variable((name, value): (&OsString, &OsString)) -> Option<String> {
    let value = value.to_str()?;
    let secret = match name.to_str().is_some_and(is_secret_name) {
        true => value,
        false => password_of_url(value)?,
    };
    Some(secret.to_owned())
}

/// A model's settings may have headers, and those a key.
fn secrets_of_settings(settings: &Map<String, Value>, secrets: &mut Vec<String>) {
    for (name, value) in settings {
        match value {
            Value::String(text) if is_secret_name(name) => secrets.push(text.clone()),
            Value::Object(map) => secrets_of_settings(map, secrets),
            _ => {}
        }
    }
}

fn is_passed(name: &str) -> bool {
    PASSED.iter().any(|pattern| matches(pattern, name))
}

/// A library that counts processors would have every agent keep a thread for each.
fn limit_threads(environment: &mut BTreeMap<OsString, OsString>) {
    for name in THREADS {
        environment.entry(name.into()).or_insert_with(|| "1".into());
    }
}

fn is_read_at_start(name: &str) -> bool {
    THREADS.contains(&name) || READ_AT_START.iter().any(|pattern| matches(pattern, name))
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern
        .strip_suffix('*')
        .map_or(pattern == name, |stem| name.starts_with(stem))
}

/// The text of a regular file: a device or a named pipe might never end.
fn read_small_file(path: &Path) -> std::io::Result<String> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > ENV_FILE_BYTES_MAX {
        let what = format!("not a file of at most {ENV_FILE_BYTES_MAX} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, what));
    }
    std::fs::read_to_string(path)
}

fn read_env_file(path: &Path) -> Result<Vec<(String, String)>, LaunchError> {
    let text = read_small_file(path).map_err(|source| LaunchError::ReadEnvFile {
        path: path.to_owned(),
        source,
    })?;
    dotenv::parse(&text).map_err(|source| LaunchError::ParseEnvFile {
        path: path.to_owned(),
        source,
    })
}
