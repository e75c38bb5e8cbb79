//! A [`World`]: a folder with a supervision.toml, the node that runs it, and the proof, when it
//! is dropped, that nothing of it is left.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::command::{Outcome, Running, command, send};
use super::processes::{children_of, state_of, with_tag};
use super::wait::{holds, wait_for, wait_within};

/// The repository.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Agents that tests are made with.
pub(crate) const AGENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agents");
/// The Python environment is built once for all tests, and kept for the next run of them.
const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/synapse-cache");
/// Building it downloads packages.
const PYTHON_TIMEOUT: Duration = Duration::from_secs(300);
/// How long the processes of a node that has ended may still be seen.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// A folder of its own, and the node in it.
#[derive(Debug)]
pub(crate) struct World {
    folder: TempDir,
    node: Option<Running>,
    variables: Vec<(String, String)>,
}

impl World {
    /// A folder with this supervision.toml. Agents are imported from `tests/agents`, too, and
    /// started as by default, or as `IT_SPAWN` says: what holds of an agent's life holds either way.
    pub(crate) fn new(supervision: &str) -> Self {
        let mut python = format!("[python]\npath = [\"{AGENTS}\", \"{AGENTS}/misbehaving\"]\n");
        if let Ok(spawn) = std::env::var("IT_SPAWN") {
            python += &format!("spawn = \"{spawn}\"\n");
        }
        Self::bare(&format!("{python}\n{supervision}"))
    }

    /// A folder with this supervision.toml and nothing else.
    pub(crate) fn bare(supervision: &str) -> Self {
        see_what_escapes();
        let folder = tempfile::Builder::new()
            .prefix("synapse-it-")
            .tempdir()
            .expect("a folder");
        let world = Self {
            folder,
            node: None,
            variables: Vec::new(),
        };
        std::fs::create_dir(world.path("tmp")).expect("the folder is empty");
        world.prepare_python();
        world.write("supervision.toml", supervision);
        world
    }

    /// Builds the Python environment, the first time: that may take longer than any test waits.
    fn prepare_python(&self) {
        static READY: Once = Once::new();
        READY.call_once(|| {
            self.write("supervision.toml", "[supervisor.root]\nchildren = []\n");
            let sync = Running::start(self.command(&["sync"]));
            sync.outcome_within(PYTHON_TIMEOUT).exits(0);
        });
    }

    /// The same, with the node up and every agent ready.
    #[track_caller]
    pub(crate) fn up(supervision: &str) -> Self {
        let mut world = Self::new(supervision);
        world.start();
        world
    }

    /// One more variable for every command of this world.
    pub(crate) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.set_variable(name, value);
        self
    }

    /// The same, in a world that is there.
    pub(crate) fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        let parent = path.parent().expect("it is in the folder");
        std::fs::create_dir_all(parent).expect("the folder is ours");
        std::fs::write(path, text).expect("the folder is ours");
    }

    /// A copy of the files in a folder of the repository.
    pub(crate) fn copy(&self, from: &str, to: &str) {
        let to = self.path(to);
        std::fs::create_dir_all(&to).expect("the folder is ours");
        for entry in std::fs::read_dir(Path::new(ROOT).join(from)).expect("it is there") {
            let file = entry.expect("it can be read").path();
            if let (true, Some(name)) = (file.is_file(), file.file_name()) {
                std::fs::copy(&file, to.join(name)).expect("the folder is ours");
            }
        }
    }

    /// A copy of one file at the top of the repository.
    pub(crate) fn copy_file(&self, name: &str) {
        std::fs::copy(Path::new(ROOT).join(name), self.path(name)).expect("the folder is ours");
    }

    /// What is in the environment of every process of this world and of no other.
    pub(crate) fn tag(&self) -> String {
        format!("TMPDIR={}", self.path("tmp").display())
    }

    /// The binary in this world, before it is started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_in(self.folder.path(), arguments)
    }

    /// The same, run from another folder.
    pub(crate) fn command_in(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = command(env!("CARGO_BIN_EXE_synapse"), folder);
        self.furnish(&mut command);
        command.args(arguments);
        command
    }

    /// Any other program in this world.
    pub(crate) fn program(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = command(program, self.folder.path());
        self.furnish(&mut command);
        command.args(arguments);
        command
    }

    fn furnish(&self, command: &mut Command) {
        command.envs(std::env::vars_os().filter(|(name, _)| is_passed(&name.to_string_lossy())));
        command
            .env("LANG", "C.UTF-8")
            .env("TMPDIR", self.path("tmp"))
            .env("SYNAPSE_CACHE_DIR", CACHE);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
    }

    /// Runs a verb to its end.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.spawn(arguments).outcome()
    }

    /// Runs a verb to its end, with this on its standard input.
    #[track_caller]
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Outcome {
        Running::start_with_input(self.command(arguments), input).outcome()
    }

    /// Starts a verb.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments))
    }

    /// Starts the node and waits until every agent is ready.
    #[track_caller]
    pub(crate) fn start(&mut self) {
        self.begin();
        let mut waiting = self.spawn(&["status", "--wait", "--json", "--timeout", "120s"]);
        wait_for("every agent to be ready", || {
            let node = self.node();
            if node.has_ended() {
                panic!(
                    "the node ended at its start: {} {}",
                    node.stdout(),
                    node.stderr()
                );
            }
            if waiting.has_ended() {
                Ok(())
            } else {
                Err(node.stderr())
            }
        });
        waiting.outcome().exits(0);
    }

    /// Starts the node and waits for nothing.
    pub(crate) fn begin(&mut self) {
        assert!(self.node.is_none(), "one node at a time");
        self.node = Some(self.spawn(&["up", "--no-console"]));
    }

    /// The command that was started: the guard, which is there as long as the node is.
    #[track_caller]
    pub(crate) fn node(&mut self) -> &mut Running {
        self.node.as_mut().expect("the node was started")
    }

    #[track_caller]
    pub(crate) fn guard_pid(&self) -> u32 {
        self.node.as_ref().expect("the node was started").pid()
    }

    /// The node's own process.
    #[track_caller]
    pub(crate) fn node_pid(&self) -> u32 {
        let guard = self.guard_pid();
        wait_for("the guard to have a node", || {
            match children_of(guard).as_slice() {
                [node] => Ok(*node),
                others => Err(format!("{others:?}")),
            }
        })
    }

    /// Kills the node's own process; how the command ended.
    #[track_caller]
    pub(crate) fn kill_node(&mut self) -> Outcome {
        send(self.node_pid(), Signal::KILL);
        self.take_node().outcome()
    }

    /// Takes the node out of the world, to see how it ends.
    pub(crate) fn take_node(&mut self) -> Running {
        self.node.take().expect("the node was started")
    }

    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        self.run(&["status", "--json"]).exits(0).json()
    }

    /// An agent's part of the status.
    #[track_caller]
    pub(crate) fn agent(&self, name: &str) -> Value {
        self.look_at(name)
            .unwrap_or_else(|seen| panic!("no {name}: {seen}"))
    }

    /// The same, where the node may only be coming up.
    fn look_at(&self, name: &str) -> Result<Value, String> {
        let outcome = self.run(&["status", "--json"]);
        if !outcome.status.success() {
            return Err(outcome.stderr);
        }
        let status = outcome.json();
        let agents = status["agents"].as_array().expect("a list of agents");
        let agent = agents.iter().find(|agent| agent["name"] == name);
        agent.cloned().ok_or_else(|| status.to_string())
    }

    /// The process of an agent that has one.
    #[track_caller]
    pub(crate) fn pid(&self, name: &str) -> u32 {
        let agent = self.agent(name);
        let pid = agent["pid"]
            .as_u64()
            .unwrap_or_else(|| panic!("{name} has no process: {agent}"));
        u32::try_from(pid).expect("a pid")
    }

    /// Waits until an agent's status fits.
    #[track_caller]
    pub(crate) fn wait_for_agent(
        &self,
        name: &str,
        what: &str,
        fits: impl Fn(&Value) -> bool,
    ) -> Value {
        wait_for(&format!("{name}: {what}"), || {
            let agent = self.look_at(name)?;
            if fits(&agent) {
                Ok(agent)
            } else {
                Err(agent.to_string())
            }
        })
    }

    /// Waits until an agent is ready in this incarnation.
    #[track_caller]
    pub(crate) fn wait_for_incarnation(&self, name: &str, incarnation: u64) -> Value {
        self.wait_for_agent(
            name,
            &format!("ready in incarnation {incarnation}"),
            |agent| agent["state"] == "ready" && agent["incarnation"] == incarnation,
        )
    }

    /// Waits until a file is there: agents say so what they have come to.
    #[track_caller]
    pub(crate) fn wait_for_file(&self, name: &str) -> String {
        let path = self.path(name);
        wait_for(&format!("the file {name}"), || {
            let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
            // Made and not written yet: that takes two steps.
            holds(!text.is_empty(), "an empty file").map(|()| text)
        })
    }

    /// Calls an agent; its answer as text.
    #[track_caller]
    pub(crate) fn call(&self, agent: &str, prompt: &str) -> String {
        self.run(&["call", agent, prompt]).text()
    }

    /// The fault of a call that must fail.
    #[track_caller]
    pub(crate) fn fault(&self, arguments: &[&str], exit: i32) -> Value {
        let mut all = vec!["call", "--json"];
        all.extend(arguments);
        let lines = self.run(&all).exits(exit).json_lines();
        lines.last().expect("a line")["error"].clone()
    }

    /// Every event so far.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Value> {
        self.run(&["events", "--json", "--tail", "1000"])
            .exits(0)
            .json_lines()
    }

    /// The agents of the events of this kind, in order.
    #[track_caller]
    pub(crate) fn agents_of_events(&self, kind: &str) -> Vec<String> {
        let events = self.events();
        let of_kind = events.iter().filter(|event| event["kind"] == kind);
        of_kind
            .map(|event| event["agent"].as_str().unwrap_or("").to_owned())
            .collect()
    }

    /// The texts of an agent's log.
    #[track_caller]
    pub(crate) fn log(&self, agent: &str) -> Vec<String> {
        let outcome = self
            .run(&["logs", agent, "--json", "--tail", "10000"])
            .exits(0);
        let text = |line: &Value| line["text"].as_str().expect("a text").to_owned();
        outcome.json_lines().iter().map(text).collect()
    }

    /// Waits until nothing of this world runs.
    #[track_caller]
    pub(crate) fn wait_until_nothing_is_left(&self, within: Duration) {
        wait_within("no process to be left", within, || {
            match with_tag(&self.tag()) {
                none if none.is_empty() => Ok(()),
                left => Err(format!("{left:?}")),
            }
        });
    }

    /// Every dead child of guard and node must have been waited for.
    #[track_caller]
    fn expect_no_zombies(&self) {
        let Some(guard) = &self.node else { return };
        wait_for("dead children to be reaped", || {
            let of_guard = children_of(guard.pid());
            let of_node = of_guard.iter().flat_map(|node| children_of(*node));
            let mut children: Vec<_> = of_guard.iter().copied().chain(of_node).collect();
            children.retain(|pid| state_of(*pid) == Some('Z'));
            holds(children.is_empty(), format!("{children:?}"))
        });
    }

    fn tell_what_was(&mut self) {
        let log = std::fs::read_to_string(self.path(".synapse/synapse.log")).unwrap_or_default();
        let (stdout, stderr) = self
            .node
            .as_ref()
            .map_or_else(Default::default, |node| (node.stdout(), node.stderr()));
        println!("node's stdout: {stdout}\nnode's stderr: {stderr}\nnode's log: {log}");
    }

    fn kill_all(&mut self) {
        self.node = None;
        for process in with_tag(&self.tag()) {
            // One that has ended meanwhile is what was wanted.
            if let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw)
                && let Err(error) = kill_process(pid, Signal::KILL)
            {
                println!("{process:?} not killed: {error}");
            }
        }
    }
}

impl Drop for World {
    /// Stops the node in order. Nothing of it may be left then.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell_what_was();
            self.kill_all();
            return;
        }
        self.expect_no_zombies();
        if let Some(mut node) = self.node.take()
            && !node.has_ended()
        {
            node.signal(Signal::TERM);
            node.outcome().exits(0);
        }
        self.wait_until_nothing_is_left(GONE_WITHIN);
    }
}

/// What a node and its guard leave behind falls to this process, and stays there to be seen, dead or
/// alive, instead of vanishing among the system's own.
fn see_what_escapes() {
    static DONE: Once = Once::new();
    DONE.call_once(|| synapse_process::become_subreaper().expect("Linux can"));
}

/// What a command of a world inherits: where programs are, and how this machine reaches a package
/// index (mirrors, proxies, certificates). The language, the terminal, and what else the one who
/// runs the tests has set, would change what they see.
fn is_passed(name: &str) -> bool {
    let known = ["PATH", "HOME", "SYNAPSE_PYTHON"];
    let network = ["PIP_", "UV_", "SSL_CERT_", "REQUESTS_CA_", "CURL_CA_"];
    known.contains(&name)
        || network.iter().any(|begin| name.starts_with(begin))
        || name.to_ascii_lowercase().ends_with("_proxy")
}
