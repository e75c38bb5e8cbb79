//! The one thread that forks. It refuses to wait for what it started.

use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::Arc;
use std::{io, thread};

use rustix::process::Pid;
use tokio::sync::{mpsc, oneshot};

use crate::child::{Child, Life, ProcessGroup};
use crate::command::{Command, Input, SpawnError};
use crate::family::Orphans;
use crate::kernel;
use crate::pipe::{enlarge, set_nonblocking, socket_pair};
use crate::reaper::Reaper;
use crate::tag::{TAG_VARIABLE, Tag, Tags};

/// Requests that wait for the forking thread; further callers wait for a place. A fork takes about
/// a millisecond, so that more places would only hold more memory.
const SPAWN_QUEUE_MAX: usize = 64;

/// Starts processes. Clones share one thread, which lives as long as any clone or any
/// [`ProcessGroup`] does: the kernel kills a child when the thread that forked it ends.
#[derive(Clone, Debug)]
pub struct Spawner {
    requests: mpsc::Sender<Request>,
    reaper: Arc<Reaper>,
    tags: Arc<Tags>,
}

#[derive(Debug)]
struct Request {
    command: Command,
    spawner: Spawner,
    reply: oneshot::Sender<Result<Child, SpawnError>>,
}

impl Spawner {
    /// Starts the forking thread, and a reaper of what it forks: other children of this process
    /// are left to whoever has made them.
    pub fn start() -> io::Result<Self> {
        Self::start_with(|_tags| Reaper::start())
    }

    /// The same for a process that is nothing but a node. On Linux every orphan among its
    /// descendants falls to it, is waited for, and is killed when the process of this spawner that
    /// it came from has ended. Nobody else in it may have children.
    pub fn start_adopting() -> io::Result<Self> {
        Self::start_with(Reaper::start_adopting)
    }

    fn start_with(start: impl FnOnce(&Tags) -> io::Result<Reaper>) -> io::Result<Self> {
        if kernel::keep_wait_statuses() {
            tracing::warn!("SIGCHLD was ignored by whoever started this process; no longer");
        }
        let tags = Arc::new(Tags::new());
        let reaper = Arc::new(start(&tags)?);
        let (requests, mut queue) = mpsc::channel::<Request>(SPAWN_QUEUE_MAX);
        thread::Builder::new()
            .name("synapse-spawn".to_owned())
            .spawn(move || {
                while let Some(request) = queue.blocking_recv() {
                    let child = make(&request.command, request.spawner);
                    // A caller that has gone away drops the child here, which kills it.
                    drop(request.reply.send(child));
                }
            })?;
        Ok(Self {
            requests,
            reaper,
            tags,
        })
    }

    /// Whether orphans fall to this process, and are waited for.
    pub fn adopts(&self) -> bool {
        self.reaper.adopts()
    }

    /// The orphans that have fallen to this process, for [`ProcessGroup::family`].
    pub fn orphans(&self) -> Orphans {
        self.reaper.orphans()
    }

    /// The one that waits for all that was started.
    pub(crate) fn reaper(&self) -> &Arc<Reaper> {
        &self.reaper
    }

    /// For the environment of a process that this spawner's is to be the parent of.
    pub(crate) fn next_tag(&self) -> Tag {
        self.tags.next()
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

fn make(command: &Command, spawner: Spawner) -> Result<Child, SpawnError> {
    let program = || command.program.display().to_string();
    let refused = |source| SpawnError::Start {
        program: program(),
        source,
    };
    command.expect_folder()?;
    let tag = spawner.next_tag();
    let (mut system, socket) = system_command(command, &tag).map_err(refused)?;
    let reaper = Arc::clone(&spawner.reaper);
    let _forking = reaper.forking();
    let started = system.spawn().map_err(refused)?;
    // It holds the child's end of the socket, which shall be the child's alone.
    drop(system);
    let life = Life::new(Pid::from_child(&started), tag);
    watch(started, life, socket, command.pipe_bytes, spawner).map_err(|source| SpawnError::Watch {
        program: program(),
        source,
    })
}

/// The command as the system wants it, and our end of its stdin where that is a socket.
fn system_command(
    command: &Command,
    tag: &Tag,
) -> io::Result<(std::process::Command, Option<OwnedFd>)> {
    use std::os::unix::process::CommandExt;
    let (stdin, socket) = match command.input {
        Input::Pipe => (Stdio::piped(), None),
        Input::Socket => {
            let (ours, its) = socket_pair()?;
            (Stdio::from(its), Some(ours))
        }
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that processes come from"
    )]
    let mut system = std::process::Command::new(&command.program);
    system
        .args(&command.args)
        .env_clear()
        .envs(command.env.iter().map(|(name, value)| (name, value)))
        .env(TAG_VARIABLE, tag.as_os_str())
        .current_dir(&command.cwd)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    kernel::prepare_child(&mut system, command.limits);
    Ok((system, socket))
}

fn watch(
    mut started: std::process::Child,
    life: Life,
    socket: Option<OwnedFd>,
    pipe_bytes: Option<usize>,
    spawner: Spawner,
) -> io::Result<Child> {
    let life = Arc::new(life);
    let watched = spawner.reaper.watch(Arc::clone(&life));
    // From here on an early return kills the group, and whoever watches reaps it.
    let group = ProcessGroup::new(Arc::clone(&life), spawner);
    if let Err(error) = watched {
        group.kill();
        life.reap();
        return Err(error);
    }
    let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
    let stdin = match socket {
        Some(socket) => socket,
        None => started.stdin.take().ok_or_else(missing)?.into(),
    };
    let stdout = started.stdout.take().ok_or_else(missing)?.into();
    let stderr = started.stderr.take().ok_or_else(missing)?.into();
    for pipe in [&stdin, &stdout, &stderr] {
        set_nonblocking(pipe)?;
    }
    enlarge([&stdin, &stdout], pipe_bytes);
    Ok(Child {
        pid: life.pid(),
        stdin,
        stdout,
        stderr,
        exit: life.watch(),
        group,
    })
}
