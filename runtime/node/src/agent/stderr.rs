//! A child's stderr, line by line, into the agent's log; bounded whatever the child does.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant, sleep_until};

use crate::agent::Agent;
use crate::logs::LINE_BYTES_MAX;
use crate::view::LogStream;

/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;
/// The pause after a read that filled the buffer: about 4 MB/s, which no honest log needs. A flood
/// then fills its pipe and slows the agent that makes it, not the node and its siblings.
const FLOOD_PAUSE: Duration = Duration::from_millis(4);
/// Lines a second that go on into the runtime's own log; all of them stay in the agent's.
const FORWARDED_PER_S: u32 = 200;
/// Bytes read at the most after the child died: what a grandchild goes on writing is not its.
const AFTER_DEATH_BYTES_MAX: usize = 256 * 1024;

/// Reads until end of file, or until `died` says that the child is gone and the pipe is empty.
pub(crate) async fn capture(
    agent: Arc<Agent>,
    incarnation: Arc<AtomicU64>,
    stderr: OwnedFd,
    mut died: oneshot::Receiver<()>,
) {
    let mut pipe = match Receiver::from_owned_fd(stderr) {
        Ok(pipe) => pipe,
        Err(error) => {
            tracing::error!(agent = %agent.name, %error, "stderr of the agent is not captured");
            return;
        }
    };
    let mut lines = Lines::new(agent, incarnation);
    let mut buffer = vec![0; READ_BYTES];
    let mut pause_until = None;
    loop {
        tokio::select! {
            read = read_after(pause_until, &mut pipe, &mut buffer) => match read {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    lines.take(buffer.get(..count).unwrap_or_default());
                    pause_until = (count == READ_BYTES).then(|| Instant::now() + FLOOD_PAUSE);
                }
            },
            _ = &mut died => {
                drain(pipe, &mut buffer, &mut lines);
                break;
            }
        }
    }
    lines.end();
}

async fn read_after(
    pause_until: Option<Instant>,
    pipe: &mut Receiver,
    buffer: &mut [u8],
) -> std::io::Result<usize> {
    if let Some(time) = pause_until {
        sleep_until(time).await;
    }
    pipe.read(buffer).await
}

/// What is in the pipe now, without waiting: a grandchild may hold it open for ever. The kernel is
/// asked, since tokio may not have heard of the last bytes yet.
fn drain(pipe: Receiver, buffer: &mut [u8], lines: &mut Lines) {
    let Ok(pipe) = pipe.into_nonblocking_fd() else {
        return;
    };
    let mut pipe = File::from(pipe);
    let mut left = AFTER_DEATH_BYTES_MAX;
    while left > 0 {
        let Ok(count @ 1..) = pipe.read(buffer) else {
            return;
        };
        lines.take(buffer.get(..count).unwrap_or_default());
        left = left.saturating_sub(count);
    }
}

/// Cuts bytes into lines.
struct Lines {
    agent: Arc<Agent>,
    /// A spare gets its number late.
    incarnation: Arc<AtomicU64>,
    line: Vec<u8>,
    cut: bool,
    window: Instant,
    forwarded: u32,
}

impl Lines {
    fn new(agent: Arc<Agent>, incarnation: Arc<AtomicU64>) -> Self {
        let line = Vec::new();
        Self {
            agent,
            incarnation,
            line,
            cut: false,
            window: Instant::now(),
            forwarded: 0,
        }
    }

    fn incarnation(&self) -> u64 {
        self.incarnation.load(Ordering::Relaxed)
    }

    fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            let room = LINE_BYTES_MAX - self.line.len();
            self.cut |= text.len() > room;
            self.line
                .extend_from_slice(text.get(..room).unwrap_or(text));
            if ended {
                self.end();
            }
        }
    }

    fn end(&mut self) {
        if self.line.is_empty() && !self.cut {
            return;
        }
        let mut text = String::from_utf8_lossy(&self.line).trim_end().to_owned();
        let cut = std::mem::take(&mut self.cut);
        if cut {
            text.push('…');
        }
        text = self.agent.secrets.text(text);
        if cut {
            text.push_str(" (cut)");
        }
        self.line.clear();
        self.forward(&text);
        self.agent
            .log
            .add(self.incarnation(), LogStream::Stderr, "info", text);
    }

    /// Into the runtime's log, where a flood must not drown the others.
    fn forward(&mut self, text: &str) {
        if self.window.elapsed() >= Duration::from_secs(1) {
            self.window = Instant::now();
            self.forwarded = 0;
        }
        self.forwarded = self.forwarded.saturating_add(1);
        let (agent, incarnation) = (&self.agent.name, self.incarnation());
        if self.forwarded <= FORWARDED_PER_S {
            tracing::info!(target: "agent", %agent, incarnation, stream = "stderr", "{text}");
        } else if self.forwarded == FORWARDED_PER_S + 1 {
            tracing::warn!(
                target: "agent", %agent, incarnation,
                "more than {FORWARDED_PER_S} stderr lines in a second; the rest of this second is \
                 only in the agent's own log"
            );
        }
    }
}
