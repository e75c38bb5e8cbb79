//! A process that waits for its `welcome`: what it writes is kept, and its end is noticed. It refuses
//! to know whether it is a spare.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use synapse_process::{Child, Exit, ExitStatus, ExitWatch, ProcessGroup};
use synapse_wire::FrameDecoder;
use synapse_wire::frame::{FromAgent, Hello};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::agent::evidence::LAST_WORDS;
use crate::agent::{Agent, stderr};

/// Dropping it kills its group.
#[derive(Debug)]
pub(crate) struct Newborn {
    pub(super) pid: u32,
    pub(super) stdin: Sender,
    pub(super) stdout: Receiver,
    /// What was read of its stdout, none of it taken.
    pub(super) decoder: FrameDecoder<FromAgent>,
    pub(super) stderr: Capture,
    pub(super) exit: ExitWatch,
    pub(super) group: ProcessGroup,
    incarnation: Arc<AtomicU64>,
}

/// The task that reads stderr, and what tells it that the process is dead.
#[derive(Debug)]
pub(super) struct Capture {
    pub(super) task: JoinHandle<()>,
    pub(super) died: oneshot::Sender<()>,
}

impl Newborn {
    pub(super) fn new(agent: &Arc<Agent>, incarnation: u64, child: Child) -> io::Result<Self> {
        let Child {
            pid,
            stdin,
            stdout,
            stderr,
            exit,
            group,
        } = child;
        let (died, death) = oneshot::channel();
        let incarnation = Arc::new(AtomicU64::new(incarnation));
        let (stdin, stdout) = (
            Sender::from_owned_fd(stdin)?,
            Receiver::from_owned_fd(stdout)?,
        );
        let capture = stderr::capture(Arc::clone(agent), Arc::clone(&incarnation), stderr, death);
        Ok(Self {
            pid,
            stdin,
            stdout,
            decoder: FrameDecoder::new(),
            stderr: Capture {
                task: tokio::spawn(capture),
                died,
            },
            exit,
            group,
            incarnation,
        })
    }

    /// Waits for its `hello`, which is left for whoever serves it.
    pub(super) async fn hello(&mut self) -> Result<Hello, String> {
        loop {
            match self.decoder.peek() {
                Ok(Some(FromAgent::Hello(hello))) => return Ok(hello),
                Ok(Some(_)) => return Err("its first frame is no hello".to_owned()),
                Err(violation) => return Err(violation.to_string()),
                Ok(None) => {}
            }
            let read = self.stdout.read_buf(&mut self.decoder.space()).await;
            if !matches!(read, Ok(1..)) {
                return Err(end_of(&self.exit.wait().await));
            }
        }
    }

    /// Kills it, and waits until its last words are in the log.
    pub(super) async fn end(self) {
        self.group.kill();
        let Capture { task, died } = self.stderr;
        // The task may have ended by itself, at the end of file.
        died.send(()).ok();
        if timeout(LAST_WORDS, task).await.is_err() {
            tracing::warn!(
                pid = self.pid,
                "the stderr of a dead process is still being read"
            );
        }
    }

    /// From now on it is this incarnation of its agent, and was from its beginning.
    pub(super) fn becomes(&self, agent: &Agent, incarnation: u64) {
        let earlier = self.incarnation.swap(incarnation, Ordering::Relaxed);
        agent.log.adopt(earlier, incarnation);
    }
}

/// How one ended that was not to end.
pub(super) fn end_of(exit: &Exit) -> String {
    match exit.status {
        ExitStatus::Exited(code) => format!("it exited with code {code}"),
        ExitStatus::Signalled { signal, .. } => format!("it was killed by signal {signal}"),
        ExitStatus::Unknown => "it ended".to_owned(),
    }
}
