//! The console's loop: events in, actions out, done one after the other. The choices are the
//! machine's.
//!
//! It runs on a thread of its own, with a runtime of its own: writing to a terminal that does not
//! take it (Ctrl-S, a stopped pager) blocks the console and nothing of the node beside it.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::time::Duration;

use rustix::process::{Signal, kill_current_process_group};
use synapse_api::{Client, RunRequest, Status};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::end::{ConsoleEnd, ConsoleError, ConsoleOptions};
use crate::input::{Input, LiveNames, Settings};
use crate::machine::{Action, Event, Machine, Manner, View};
use crate::render::Palette;
use crate::screen::{Look, Screen};
use crate::surroundings::Surroundings;
use crate::tasks::Tasks;
use crate::terminal::Terminal;

/// Events that wait for the loop. Streams wait with them, so that a terminal that is slower than an
/// agent slows that agent's stream and fills no memory.
const EVENTS_WAITING_MAX: usize = 64;
/// The longest that the end of the process waits for a console that was given up to leave the
/// terminal.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest that Ctrl-Z takes to stop the process.
const STOP_TIMEOUT: Duration = Duration::from_millis(200);

/// Runs a console until it ends. Dropping the future ends it and restores the terminal.
///
/// # Errors
/// The node does not answer, or the terminal cannot be prepared.
pub async fn run(options: ConsoleOptions, client: Client) -> Result<ConsoleEnd, ConsoleError> {
    let (abandon, abandoned) = oneshot::channel();
    let (answer, mut answered) = oneshot::channel();
    let (leaving, left) = std::sync::mpsc::sync_channel(0);
    let console = async move {
        tokio::select! {
            end = converse(options, client) => drop(answer.send(end)),
            // Its sender is never used, only dropped.
            Err(_dropped) = abandoned => {}
        }
    };
    std::thread::Builder::new()
        .name("console".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            if let Ok(runtime) = runtime {
                runtime.block_on(console);
            }
            drop::<std::sync::mpsc::SyncSender<()>>(leaving);
        })
        .map_err(ConsoleError::Reader)?;
    let _guard = LeaveGuard {
        abandon: Some(abandon),
        left,
    };
    (&mut answered).await.unwrap_or_else(|_gone| {
        Err(ConsoleError::Reader(io::Error::other(
            "the console's thread has ended",
        )))
    })
}

/// Waits for the thread to leave the terminal when its console is over or given up.
struct LeaveGuard {
    abandon: Option<oneshot::Sender<()>>,
    left: std::sync::mpsc::Receiver<()>,
}

impl Drop for LeaveGuard {
    fn drop(&mut self) {
        self.abandon = None;
        // It ends by itself, and a console that cannot (its terminal takes nothing) is left behind.
        let _left = self.left.recv_timeout(LEAVE_TIMEOUT);
    }
}

async fn converse(options: ConsoleOptions, client: Client) -> Result<ConsoleEnd, ConsoleError> {
    // Events first: nothing may happen unseen between the status and them.
    let feed = client
        .events_follow(Some(0))
        .await
        .map_err(ConsoleError::Status)?;
    let status = client.status().await.map_err(ConsoleError::Status)?;
    let mut signals = Signals::watch().map_err(ConsoleError::Signals)?;
    let (sender, mut events) = mpsc::channel(EVENTS_WAITING_MAX);
    let mut tasks = Tasks::new(client, sender.clone());
    tasks.feed(Some(feed));
    let surroundings = Surroundings::detect();
    let mut shell = Shell::prepare(&options, surroundings, tasks, sender)?;
    let began = Instant::now();
    let (mut machine, mut actions) = begin(&options, surroundings, &status);
    loop {
        match shell.perform(actions).await {
            Ok(None) => {}
            Ok(Some(end)) => return Ok(end),
            Err(error) => return Ok(ConsoleEnd::Signalled(output_lost(&error))),
        }
        let event = tokio::select! {
            biased;
            event = signals.next() => event,
            Some(event) = events.recv() => event,
        };
        shell.note(&event);
        let now = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        actions = machine.step(now, event);
    }
}

fn begin(
    options: &ConsoleOptions,
    surroundings: Surroundings,
    status: &Status,
) -> (Machine, Vec<Action>) {
    let manner = if surroundings.typed {
        Manner::Typed
    } else {
        Manner::Script
    };
    // The state of a fresh hasher is random: enough to tell consoles apart.
    let random = RandomState::new().build_hasher().finish() >> 32;
    let console = format!("console-{random:08x}");
    Machine::start(manner, options.place, console, status)
}

/// A terminal or pipe that takes nothing any more ends the console as its signal would.
fn output_lost(error: &io::Error) -> i32 {
    const SIGHUP: i32 = 1;
    const SIGPIPE: i32 = 13;
    if error.kind() == io::ErrorKind::BrokenPipe {
        SIGPIPE
    } else {
        SIGHUP
    }
}

/// Everything that acts.
struct Shell {
    // The order matters: the reader leaves the terminal before the terminal is restored.
    input: Option<Input>,
    terminal: Option<Terminal>,
    screen: Screen,
    tasks: Tasks,
    names: LiveNames,
    surroundings: Surroundings,
    /// Whether a line is being read.
    reading: bool,
}

impl Shell {
    fn prepare(
        options: &ConsoleOptions,
        surroundings: Surroundings,
        tasks: Tasks,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, ConsoleError> {
        let Surroundings {
            typed, editable, ..
        } = surroundings;
        let palette = if typed {
            surroundings.palette
        } else {
            Palette::PLAIN
        };
        let names = LiveNames::default();
        let terminal = editable
            .then(Terminal::take)
            .transpose()
            .map_err(ConsoleError::Terminal)?;
        let settings = Settings {
            history_file: options.history_file.clone(),
            palette,
            names: names.clone(),
        };
        let input = if editable {
            Input::edited(settings, events)
        } else {
            Input::plain(events)
        };
        Ok(Self {
            input: Some(input.map_err(ConsoleError::Reader)?),
            terminal,
            screen: Screen::new(Look {
                palette,
                place: options.place,
                typed,
                flows: editable,
            }),
            tasks,
            names,
            surroundings,
            reading: false,
        })
    }

    /// Whether the reader waits again is known from what it said.
    fn note(&mut self, event: &Event) {
        let from_reader = matches!(
            event,
            Event::Line(_)
                | Event::Interrupted { .. }
                | Event::SuspendTyped
                | Event::InputEnded
                | Event::InputBroken(_)
        );
        if from_reader {
            self.reading = false;
            self.screen.answered(matches!(event, Event::Line(_)));
        }
    }

    async fn perform(&mut self, actions: Vec<Action>) -> io::Result<Option<ConsoleEnd>> {
        if actions
            .iter()
            .any(|action| matches!(action, Action::End(_)))
        {
            self.leave_prompt()?;
        }
        if !self.reading {
            self.screen.release()?;
        }
        for action in actions {
            if let Action::End(end) = action {
                self.screen.end_line(false)?;
                return Ok(Some(end));
            }
            self.act(action).await?;
        }
        Ok(None)
    }

    async fn act(&mut self, action: Action) -> io::Result<()> {
        match action {
            Action::Read { agent } => self.read(agent)?,
            Action::Show(view) => self.show(view)?,
            Action::Learn(names) => self.names.set(names),
            Action::Call {
                task,
                agent,
                text,
                session,
                deps,
            } => {
                let request = RunRequest {
                    session: Some(session),
                    deps,
                    restarts: true,
                    ..RunRequest::prompt(text)
                };
                self.tasks.call(task, agent, request);
            }
            Action::Cancel { run } => self.tasks.cancel(run),
            Action::Ask { task, question } => self.tasks.ask(task, question),
            Action::Watch { task, watch } => self.tasks.watch(task, watch),
            Action::Drop { task } => self.tasks.drop_task(task),
            Action::Forget { session } => self.tasks.forget(session),
            Action::LookAfter { event, session } => self.tasks.look_after(event, session),
            Action::FollowEvents => self.tasks.feed(None),
            Action::Suspend => self.suspend().await?,
            // `perform` has returned with it.
            Action::End(_) => {}
        }
        Ok(())
    }

    fn read(&mut self, agent: Option<String>) -> io::Result<()> {
        let Surroundings {
            typed, editable, ..
        } = self.surroundings;
        if typed && !editable {
            self.screen.prompt(agent.as_deref())?;
        } else {
            self.screen.end_line(false)?;
        }
        if let Some(input) = &self.input {
            input.ask(agent);
        }
        self.reading = true;
        Ok(())
    }

    fn show(&mut self, view: View) -> io::Result<()> {
        match &self.input {
            Some(input) if self.reading && self.surroundings.editable => self
                .screen
                .show(view, Some(&|text| input.print_above(text))),
            _ => self.screen.show(view, None),
        }
    }

    /// Takes the reader off the terminal, so that what is said last stands below its prompt.
    fn leave_prompt(&mut self) -> io::Result<()> {
        self.input = None;
        let prompted = self.reading && self.surroundings.editable;
        self.reading = false;
        self.screen.answered(false);
        self.screen.end_line(prompted)
    }

    /// Ctrl-Z: the whole job stops, with its terminal as it was, until it is continued.
    async fn suspend(&mut self) -> io::Result<()> {
        let Some(terminal) = &self.terminal else {
            return Ok(());
        };
        let mut continued = signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
        terminal.restore()?;
        kill_current_process_group(Signal::TSTP)?;
        // The signal may stop the process a moment after it was sent. A job that nobody could
        // continue is not stopped at all, hence the limit; it stands still while the process does.
        let _either = tokio::time::timeout(STOP_TIMEOUT, continued.recv()).await;
        terminal.quiet()
    }
}

impl Drop for Shell {
    /// A console that was given up leaves no prompt behind for the next program to write on.
    fn drop(&mut self) {
        // Nobody is left to be told that there is no terminal any more.
        let _left = self.leave_prompt();
    }
}

/// The signals that a console listens to.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
}

impl Signals {
    fn watch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.interrupt.recv() => Event::Interrupt,
            _ = self.terminate.recv() => Event::Signal(SignalKind::terminate().as_raw_value()),
            _ = self.hangup.recv() => Event::Signal(SignalKind::hangup().as_raw_value()),
            _ = self.quit.recv() => Event::Signal(SignalKind::quit().as_raw_value()),
        }
    }
}
