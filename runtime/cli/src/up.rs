//! `synapse up`: configuration, environment, node, control socket and console, in that order; and
//! the ordered stop of all of them.

mod control_group;
pub(crate) mod launcher;
mod renewal;
mod stdin;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use synapse_api::{Client, ConnectError, ExitCode};
use synapse_config::Configuration;
use synapse_console::{ConsoleEnd, ConsoleOptions, Place, Surroundings, render, terminal_cells};
use synapse_core::spec::TreeSpec;
use synapse_environment::Install;
use synapse_gateway::{DataDirLock, Gateway};
use synapse_node::{NodeEnd, NodeHandle, NodeSettings, Spawner};
use synapse_process::guard::{self, Side};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use crate::arguments::UpArguments;
use crate::environment::{self, Environments};
use crate::failure::{Failure, report_chain};
use crate::logging;
use control_group::OwnGroup;
use renewal::Renewal;
use stdin::Stdin;

/// The schema of supervision.toml in the data directory, for editors.
const SCHEMA_FILE: &str = "supervision.schema.json";
/// The calls that have killed their agents too often.
const DEAD_LETTERS_FOLDER: &str = "deadletters";
/// The lines that were typed in the console.
const HISTORY_FILE: &str = "history";

/// A signal to the whole process group or control group comes twice, by itself and from the guard.
/// So soon after the one that began the stop, another is no further wish.
const ECHO: Duration = Duration::from_millis(250);

/// Runs the tree below a guard, which leaves nothing of it behind, whoever dies and however.
pub(crate) fn guarded(arguments: UpArguments) -> Result<u8, Failure> {
    let side = guard::divide()
        .map_err(|error| Failure::new(format!("cannot start the guard: {error}")))?;
    match side {
        Side::Guard { code } => Ok(code),
        Side::Node { guard } => {
            let mut group = None;
            let end = crate::block_on(up(arguments, guard, &mut group));
            // Where the guard has died there is nobody else to do it.
            guard::end_descendants();
            if let Some(group) = group {
                control_group::leave(group);
            }
            end
        }
    }
}

/// Runs the tree until it is told to stop, or gives up.
async fn up(
    arguments: UpArguments,
    guard: Option<u32>,
    group: &mut Option<OwnGroup>,
) -> Result<u8, Failure> {
    let started = Instant::now();
    let mut signals = Signals::listen()?;
    let stdin = if arguments.no_console {
        Stdin::Nobody
    } else {
        Stdin::look()
    };
    let config = &arguments.place.config.file;
    let loaded = crate::machine::load(config).map_err(|e| Failure::configuration(&e))?;
    let mut configuration = loaded.configuration;
    if let Some(data_dir) = &arguments.place.data_dir {
        configuration.runtime.data_dir = absolute(data_dir)?;
    }
    let lock = prepare_data_dir(&configuration)?;
    let data_dir = lock.data_dir().to_owned();
    logging::begin(&data_dir, configuration.runtime.log, stdin == Stdin::Nobody)?;
    // Before anything is started, which would stay outside.
    *group = control_group::enter(&data_dir, configuration.runtime.cgroup);
    let screen = Screen::new(stdin);
    screen.print(&render::header(
        env!("CARGO_PKG_VERSION"),
        &config.display().to_string(),
        &shown(&configuration.runtime.data_dir),
        screen.look.palette,
    ));
    let install = if arguments.frozen {
        Install::Never
    } else {
        Install::WhenNeeded
    };
    // One for all that this process starts: nobody else may wait for its children.
    let spawner = own_spawner()?;
    let environments = tokio::select! {
        ready = Environments::prepare(&configuration, install, &spawner) => ready?,
        signal = signals.next() => return Ok(128 + signal),
    };
    screen.print(&environment::lines(&environments));
    let launcher = launcher::launcher(&configuration, &environments);
    let settings = NodeSettings {
        guard,
        environments: Some(Arc::new(Renewal::new(&configuration, environments))),
        ..node_settings(&configuration, launcher, spawner)
    };
    let node = NodeHandle::begin(settings).map_err(|error| Failure::new(report_chain(&error)))?;
    let gateway = synapse_gateway::serve(node.clone(), lock)
        .map_err(|error| Failure::new(report_chain(&error)))?;
    let session = Session {
        node,
        screen,
        data_dir,
        started,
        tree: configuration.tree,
    };
    let end = session.run(&mut signals, stdin).await;
    if let Some(guard) = guard
        && matches!(end, End::Signal)
        && guard::has_died(guard)
    {
        tracing::error!(pid = guard, "the guard has died: the node stops in order");
    }
    finish(&session.node, gateway, end).await
}

fn absolute(path: &Path) -> Result<std::path::PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())).exit(ExitCode::Usage))
}

/// The data directory is this node's from here on.
fn prepare_data_dir(configuration: &Configuration) -> Result<DataDirLock, Failure> {
    let settings = &configuration.runtime;
    let lock = DataDirLock::acquire(&settings.data_dir, settings.node.as_str())
        .map_err(|error| Failure::new(report_chain(&error)).exit(ExitCode::Unavailable))?;
    let schema = serde_json::to_string_pretty(&synapse_config::schema()).unwrap_or_default();
    let file = lock.data_dir().join(SCHEMA_FILE);
    if std::fs::read_to_string(&file).ok().as_ref() != Some(&schema)
        && let Err(error) = std::fs::write(&file, schema)
    {
        return Err(Failure::new(format!(
            "cannot write {}: {error}",
            file.display()
        )));
    }
    Ok(lock)
}

/// This process is nothing but a node, so that what its descendants leave behind is its own.
pub(crate) fn own_spawner() -> Result<Spawner, Failure> {
    Spawner::start_adopting()
        .map_err(|error| Failure::new(format!("cannot start a thread: {error}")))
}

fn node_settings(
    configuration: &Configuration,
    launcher: synapse_node::Launcher,
    spawner: Spawner,
) -> NodeSettings {
    let runtime = &configuration.runtime;
    let bytes = usize::try_from(runtime.sessions.bytes_max).unwrap_or(usize::MAX);
    NodeSettings {
        // Any number will do: it spreads restarts that would otherwise fall together.
        seed: u64::from(std::process::id()),
        spawner: Some(spawner),
        dead_letters: Some(runtime.data_dir.join(DEAD_LETTERS_FOLDER)),
        ..NodeSettings::new(runtime.node.as_str(), configuration.tree.clone(), launcher)
    }
    .sessions_in_memory(runtime.sessions.count_max, bytes)
}

/// The data directory as one would name it from here.
fn shown(data_dir: &Path) -> String {
    let here = std::env::current_dir().ok();
    let relative = here.and_then(|here| data_dir.strip_prefix(here).ok().map(Path::to_owned));
    relative
        .unwrap_or_else(|| data_dir.to_owned())
        .display()
        .to_string()
}

/// How the running part ended.
enum End {
    /// Somebody asked for it: Ctrl-D, the end of a script, `down`. The code to exit with.
    Asked(u8),
    /// By a signal: a success, as for any service.
    Signal,
    /// The node itself.
    Node(NodeEnd),
    /// The console lost the node, which in general is stopping: its own end says how.
    Lost,
}

/// A node that runs, and the terminal in front of it.
struct Session {
    node: NodeHandle,
    screen: Screen,
    data_dir: std::path::PathBuf,
    started: Instant,
    tree: TreeSpec,
}

impl Session {
    async fn run(&self, signals: &mut Signals, stdin: Stdin) -> End {
        tokio::select! {
            end = self.node.ended() => return End::Node(end),
            _ = signals.next() => return signalled(),
            // Each agent was up once; one that has crashed since does not keep the prompt away.
            () = self.node.started() => {}
        }
        let client = match Client::connect(&self.data_dir).await {
            Ok(client) => client,
            Err(error) => return self.unreachable(error).await,
        };
        if stdin != Stdin::Script {
            self.show_tree(&client, stdin).await;
        }
        if stdin == Stdin::Nobody {
            return tokio::select! {
                end = self.node.ended() => End::Node(end),
                _ = signals.next() => signalled(),
            };
        }
        self.console(client, stdin).await
    }

    /// The node has ended in this moment, or its socket does not answer: then it is of no use.
    async fn unreachable(&self, error: ConnectError) -> End {
        tokio::select! {
            biased;
            end = self.node.ended() => End::Node(end),
            () = std::future::ready(()) => {
                let failure = Failure::from(error);
                failure.print();
                End::Asked(failure.exit.code())
            }
        }
    }

    async fn show_tree(&self, client: &Client, stdin: Stdin) {
        let Ok(status) = client.status().await else {
            return;
        };
        let palette = self.screen.look.palette;
        self.screen
            .print(&render::tree(&status, self.screen.cells, palette));
        let ready = render::readiness(&status, self.started.elapsed(), palette);
        if stdin == Stdin::Person && self.screen.on {
            let first = self
                .tree
                .start_order()
                .first()
                .map(|name| name.as_str().to_owned());
            let invitation = render::invitation(first.as_deref(), Place::Own.leaving());
            let line = format!("{ready} {invitation}");
            let cells = self.screen.cells.saturating_sub(1);
            self.screen.print(&render::wrap(&line, cells, ""));
        } else {
            self.screen.print(&ready);
        }
    }

    async fn console(&self, client: Client, stdin: Stdin) -> End {
        let history_file = (stdin == Stdin::Person).then(|| self.data_dir.join(HISTORY_FILE));
        let options = ConsoleOptions {
            place: Place::Own,
            history_file,
        };
        tokio::select! {
            biased;
            // Dropping the console restores the terminal.
            end = self.node.ended() => End::Node(end),
            end = synapse_console::run(options, client) => match end {
                Ok(ConsoleEnd::Left { exit }) => End::Asked(exit),
                Ok(ConsoleEnd::Signalled(_)) => End::Signal,
                // Not waited for here, where no signal is heard.
                Ok(ConsoleEnd::NodeGone) => End::Lost,
                Err(error) => {
                    Failure::new(report_chain(&error)).print();
                    End::Asked(error.exit_code().code())
                }
            },
        }
    }
}

/// The stop takes as long as the agents may take: a person is told what is waited for.
fn signalled() -> End {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let text = "stopping the agents in order; a second signal does not wait for them";
        // A closed stderr keeps nobody from stopping.
        drop(writeln!(stderr, "{text}"));
    }
    End::Signal
}

/// Stops the tree in order, and says what the whole program exits with.
async fn finish(node: &NodeHandle, gateway: Gateway, end: End) -> Result<u8, Failure> {
    // Listened for anew: a Ctrl-C that cancelled a call in the console was not meant for the node.
    let mut signals = Signals::listen()?;
    node.shutdown();
    let echo = matches!(end, End::Signal).then_some(ECHO);
    let ended = tokio::select! {
        ended = node.ended() => ended,
        // A second signal is meant: the processes of agents die with this one.
        signal = signals.next_after(echo) => return Ok(128_u8.saturating_add(signal)),
    };
    gateway.close().await;
    match end {
        End::Asked(code) => Ok(code),
        End::Signal => Ok(0),
        End::Node(end) => of_node(end),
        End::Lost => of_node(ended),
    }
}

/// What the program exits with where the node's end was its own.
fn of_node(end: NodeEnd) -> Result<u8, Failure> {
    match end {
        NodeEnd::Stopped => Ok(0),
        NodeEnd::StartFailed { path, reason } => {
            let text = format!("the tree did not start: {path} {reason}");
            Err(Failure::new(text).exit(ExitCode::Escalated))
        }
        NodeEnd::Escalated { message } => {
            let failure = Failure::new(message).exit(ExitCode::Escalated);
            Err(failure.help("the log in the data directory has the crash reports"))
        }
    }
}

/// The signals that end the program in order.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` under `nohup`: to listen would be to end with the terminal after all.
    hangup: Option<Signal>,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::new(format!("cannot watch signals: {error}")))
        };
        let unheard = synapse_node::Signal::HANGUP.is_ignored();
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: (!unheard)
                .then(|| listen(SignalKind::hangup()))
                .transpose()?,
        })
    }

    /// The number of the next one that comes when this time is over.
    async fn next_after(&mut self, echo: Option<Duration>) -> u8 {
        let began = Instant::now();
        loop {
            let signal = self.next().await;
            if echo.is_none_or(|echo| began.elapsed() >= echo) {
                return signal;
            }
        }
    }

    /// The number of the next one.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
            () = received(self.hangup.as_mut()) => 1,
        }
    }
}

/// Never, where nobody listens.
async fn received(signal: Option<&mut Signal>) {
    match signal {
        // The stream of a signal has no end.
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Where the opening lines go: stdout with a console, nowhere for a script.
struct Screen {
    on: bool,
    look: Surroundings,
    cells: usize,
}

impl Screen {
    fn new(stdin: Stdin) -> Self {
        Self {
            on: stdin != Stdin::Script,
            look: Surroundings::detect(),
            cells: terminal_cells(),
        }
    }

    /// A closed stdout does not keep a node from running.
    fn print(&self, text: &str) {
        if self.on {
            let mut stdout = std::io::stdout().lock();
            drop(writeln!(stdout, "{text}").and_then(|()| stdout.flush()));
        }
    }
}
