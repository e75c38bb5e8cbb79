//! A machine in small: a cache, a folder of wheels, variables.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use synapse_process::{Command, Spawner};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use crate::environment::Environment;
use crate::requirements::Lock;
use crate::settings::{Install, Settings, Stage};
use crate::{EnvironmentError, Prepared};

/// How long one program of a test may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Site {
    folder: TempDir,
    pub(super) spawner: Spawner,
    pub(super) settings: Settings,
    pub(super) lock: Lock,
    pub(super) stages: Mutex<Vec<Stage>>,
}

impl Site {
    /// A machine with Python, uv, and all that is on this one's `PATH`.
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let spawner = Spawner::start().unwrap();
        let mut settings = Settings::new(folder.path().join("project"));
        fs::create_dir(&settings.folder).unwrap();
        let wheels = folder.path().join("wheels");
        let script = include_str!("wheels.py");
        let made = output(
            &spawner,
            &python(),
            &["-I", "-c", script, wheels.to_str().unwrap()],
        )
        .await;
        let hashes: HashMap<String, String> = serde_json::from_str(&made).unwrap();
        settings.variables = machine();
        // uv has no variable for it; and so a test sees that uv's own settings are respected.
        let config = folder.path().join("settings-of-uv.toml");
        let text = format!(
            "no-index = true\nfind-links = [{:?}]\n",
            wheels.display().to_string()
        );
        fs::write(&config, text).unwrap();
        let cache = folder.path().join("cache");
        for (name, value) in [
            ("SYNAPSE_CACHE_DIR", cache.as_path()),
            ("UV_CACHE_DIR", &folder.path().join("uv-cache")),
            ("UV_CONFIG_FILE", &config),
            ("PIP_CONFIG_FILE", Path::new("/dev/null")),
            ("PIP_FIND_LINKS", &wheels),
            ("PIP_NO_INDEX", Path::new("1")),
        ] {
            settings.variables.push((name.into(), value.into()));
        }
        let text = format!(
            "msgpack==1.2.4 \\\n    --hash=sha256:{}\n",
            hashes["msgpack"]
        );
        let lock = Lock {
            text: text.into(),
            hash: "of the test".into(),
        };
        Self {
            folder,
            spawner,
            settings,
            lock,
            stages: Mutex::default(),
        }
    }

    /// The same without uv: only the base interpreter is on `PATH`.
    pub(super) async fn without_uv() -> Self {
        let mut site = Self::new().await;
        let bin = site.path("bin");
        fs::create_dir(&bin).unwrap();
        symlink(python(), bin.join("python3")).unwrap();
        site.set("PATH", &bin);
        site.set("HOME", site.path("home"));
        site
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.settings.variables.push((name.into(), value.into()));
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.settings.variables.retain(|(known, _)| known != name);
    }

    /// Puts a script on `PATH` before everything else.
    pub(super) fn program(&mut self, name: &str, script: &str) -> PathBuf {
        let bin = self.path("first");
        fs::create_dir_all(&bin).unwrap();
        let path = bin.join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let mut folders = vec![bin];
        folders.extend(std::env::split_paths(
            self.settings.variable("PATH").unwrap(),
        ));
        self.set("PATH", std::env::join_paths(folders).unwrap());
        path
    }

    pub(super) fn environment(&self) -> Environment {
        let settings = self.settings.clone();
        let mut environment = Environment::new(settings, self.spawner.clone()).unwrap();
        environment.lock = self.lock.clone();
        environment
    }

    pub(super) async fn prepare(&self) -> Result<Prepared, EnvironmentError> {
        self.stages.lock().unwrap().clear();
        self.environment()
            .prepare(&|stage| self.stages.lock().unwrap().push(stage))
            .await
    }

    pub(super) async fn frozen(&mut self) -> Result<Prepared, EnvironmentError> {
        self.settings.install = Install::Never;
        self.prepare().await
    }

    pub(super) fn stages(&self) -> Vec<Stage> {
        self.stages.lock().unwrap().clone()
    }

    /// Names in the cache that begin so.
    pub(super) fn cached(&self, start: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path("cache"))
            .into_iter()
            .flatten()
            .flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names
            .filter(|name| name.starts_with(start) && !name.ends_with(".lock"))
            .collect()
    }

    pub(super) async fn run(&self, program: &Path, args: &[&str]) -> String {
        output(&self.spawner, program, args).await
    }
}

/// What is taken from the environment of the tests: where programs are, and what the shim of a
/// version manager needs to find its own. All else would be the settings of whoever runs them.
fn machine() -> Vec<(OsString, OsString)> {
    let taken = |name: &str| Some((name.into(), std::env::var_os(name)?));
    let mut variables: Vec<_> = ["HOME", "PYENV_ROOT"]
        .into_iter()
        .filter_map(taken)
        .collect();
    // A machine need not have uv: it is behind all else among the tools that the tests bring.
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/python/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([tools.into()]);
    variables.push(("PATH".into(), std::env::join_paths(folders).unwrap()));
    variables
}

/// What a program prints; it must end well.
async fn output(spawner: &Spawner, program: &Path, args: &[&str]) -> String {
    let command = Command::new(program, "/").args(args).env(machine());
    let mut child = spawner.spawn(command).await.unwrap();
    let mut text = String::new();
    let mut out = Receiver::from_owned_fd(child.stdout).unwrap();
    let mut err = Receiver::from_owned_fd(child.stderr).unwrap();
    let reading = async {
        out.read_to_string(&mut text).await.unwrap();
        let mut problem = String::new();
        err.read_to_string(&mut problem).await.unwrap();
        (child.exit.wait().await, problem)
    };
    let (exit, problem) = tokio::time::timeout(PATIENCE, reading).await.unwrap();
    assert!(exit.status.success(), "{} {problem}", exit.status);
    text
}

/// The real interpreter behind whatever `python3` is on this machine.
pub(super) fn python() -> PathBuf {
    static FOUND: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    FOUND
        .get_or_init(|| {
            #[expect(
                clippy::disallowed_methods,
                reason = "once, before there is anything to test"
            )]
            let mut command = std::process::Command::new("python3");
            let script = "import os, sys; print(os.path.realpath(sys._base_executable))";
            command.env_clear().envs(machine());
            let made = command.args(["-I", "-c", script]).output().unwrap();
            PathBuf::from(String::from_utf8(made.stdout).unwrap().trim())
        })
        .clone()
}

/// Every file below a folder with its size and the time of its last change.
pub(super) fn listing(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut waiting = vec![folder.to_owned()];
    let mut seen = BTreeMap::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let found = entry.metadata().unwrap();
            if found.is_dir() {
                waiting.push(entry.path());
            }
            seen.insert(
                entry.path(),
                format!("{} {:?}", found.len(), found.modified().unwrap()),
            );
        }
    }
    seen
}
