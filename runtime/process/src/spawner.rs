//! The one thread that forks. It refuses to wait for what it started.

use std::process::Stdio;
use std::sync::Arc;
use std::{io, thread};

use rustix::process::Pid;
use tokio::sync::{mpsc, oneshot};

use crate::child::{Child, Life, ProcessGroup};
use crate::command::{Command, SpawnError};
use crate::kernel;
use crate::pipe::{pipe_size, set_nonblocking};
use crate::reaper::Reaper;

/// Requests that wait for the forking thread; further callers wait for a place. A fork takes about
/// a millisecond, so that more places would only hold more memory.
const SPAWN_QUEUE_MAX: usize = 64;

/// Starts processes. Clones share one thread, which lives as long as any clone or any
/// [`ProcessGroup`] does: the kernel kills a child when the thread that forked it ends.
#[derive(Clone, Debug)]
pub struct Spawner {
    requests: mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    command: Command,
    spawner: Spawner,
    reply: oneshot::Sender<Result<Child, SpawnError>>,
}

impl Spawner {
    /// Starts the forking thread and the reaper.
    pub fn start() -> io::Result<Self> {
        if kernel::keep_wait_statuses() {
            tracing::warn!("SIGCHLD was ignored by whoever started this process; no longer");
        }
        let reaper = Reaper::start()?;
        let (requests, mut queue) = mpsc::channel::<Request>(SPAWN_QUEUE_MAX);
        thread::Builder::new()
            .name("synapse-spawn".to_owned())
            .spawn(move || {
                while let Some(request) = queue.blocking_recv() {
                    let child = start(&request.command, request.spawner, &reaper);
                    // A caller that has gone away drops the child here, which kills it.
                    drop(request.reply.send(child));
                }
            })?;
        Ok(Self { requests })
    }

    /// Starts a process. A caller that is cancelled meanwhile leaves none behind.
    pub async fn spawn(&self, command: Command) -> Result<Child, SpawnError> {
        let program = command.program.display().to_string();
        let (reply, answer) = oneshot::channel();
        let request = Request {
            command,
            spawner: self.clone(),
            reply,
        };
        if self.requests.send(request).await.is_err() {
            return Err(SpawnError::Stopped { program });
        }
        answer.await.unwrap_or(Err(SpawnError::Stopped { program }))
    }
}

fn start(command: &Command, spawner: Spawner, reaper: &Reaper) -> Result<Child, SpawnError> {
    let program = || command.program.display().to_string();
    if !command.cwd.is_dir() {
        return Err(SpawnError::Folder {
            program: program(),
            cwd: command.cwd.clone(),
        });
    }
    let started = system_command(command)
        .spawn()
        .map_err(|source| SpawnError::Start {
            program: program(),
            source,
        })?;
    watch(started, command.pipe_bytes, spawner, reaper).map_err(|source| SpawnError::Watch {
        program: program(),
        source,
    })
}

fn system_command(command: &Command) -> std::process::Command {
    use std::os::unix::process::CommandExt;
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that processes come from"
    )]
    let mut system = std::process::Command::new(&command.program);
    system
        .args(&command.args)
        .env_clear()
        .envs(command.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&command.cwd)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    kernel::prepare_child(&mut system);
    system
}

fn watch(
    mut started: std::process::Child,
    pipe_bytes: Option<usize>,
    spawner: Spawner,
    reaper: &Reaper,
) -> io::Result<Child> {
    let pid = Pid::from_child(&started);
    let life = Arc::new(Life::new(pid));
    // From here on an early return kills the group, and whoever watches reaps it.
    let group = ProcessGroup::new(Arc::clone(&life), spawner);
    if let Err(error) = reaper.watch(Arc::clone(&life)) {
        group.kill();
        life.reap();
        return Err(error);
    }
    let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
    let stdin = started.stdin.take().ok_or_else(missing)?.into();
    let stdout = started.stdout.take().ok_or_else(missing)?.into();
    let stderr = started.stderr.take().ok_or_else(missing)?.into();
    for pipe in [&stdin, &stdout, &stderr] {
        set_nonblocking(pipe)?;
    }
    if let Some(bytes) = pipe_bytes {
        for pipe in [&stdin, &stdout] {
            if let Err(error) = pipe_size(pipe, bytes) {
                tracing::debug!(pid = life.pid(), %error, "pipe left at its default size");
            }
        }
    }
    Ok(Child {
        pid: life.pid(),
        stdin,
        stdout,
        stderr,
        exit: life.watch(),
        group,
    })
}
