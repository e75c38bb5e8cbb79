//! The stacks of a process's Python threads, written by the process itself on a signal, whatever its
//! code does meanwhile. It refuses to know why somebody wants them.
//!
//! The worker has a file without a name that its handler writes to (`stacks.py`). It is found and
//! read through /proc, so that nothing of it passes the pipes, and no log line can fall into it.
//! That the handler is done is the kernel's word: it blocks the signal while the handler runs.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Weak;

use synapse_core::fault::{Fault, FaultCode, report_chain};
use synapse_process::{ProcessGroup, Signal, SignalError, catches, is_pending, threads_that_block};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::agent::Agent;

/// The signal that asks for the stacks, counted from the last real-time one: no library is known to
/// use it. `stacks.py` has the same.
const BELOW_LAST_SIGNAL: u8 = 2;
/// The name of the worker's file, as /proc shows it.
const FILE: &str = "/memfd:synapse-stacks";
/// What is kept of the stacks, in bytes, from their end, where the main thread stands: some dozens
/// of threads. An agent's exits keep twenty of them.
const STACKS_BYTES_MAX: u64 = 32 * 1024;
/// How long the process may take: the handler needs a millisecond, once it gets a processor.
const WRITTEN_WITHIN: Duration = Duration::from_secs(2);
/// How often the process is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Where the Python threads of one process stand, or why that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackView {
    /// Which replica's.
    pub replica: usize,
    /// Its present or last incarnation.
    pub incarnation: Option<u64>,
    /// Its process.
    pub pid: Option<u32>,
    /// The stacks, as Python's faulthandler writes them; or why there are none.
    pub stacks: Result<String, String>,
}

/// The way to a process's stacks. It does not keep the process alive.
#[derive(Debug)]
pub(crate) struct StackSource {
    pid: u32,
    group: Weak<ProcessGroup>,
    /// One question at a time: they share the file.
    turn: tokio::sync::Mutex<()>,
}

/// Why there are no stacks.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoStacks {
    #[error("this system has no such signals: stacks are told on Linux only")]
    Unsupported,
    #[error("it has no process now")]
    Gone,
    #[error("the process is stopped, and writes nothing until it is continued (kill -CONT {0})")]
    Stopped(u32),
    #[error("the process is only starting: its worker does not listen for the question yet")]
    TooEarly,
    #[error(
        "the process did not write its stacks within {} s: the system does not let it run",
        WRITTEN_WITHIN.as_secs()
    )]
    NoAnswer,
    #[error("the file that the process writes its stacks to cannot be read")]
    File(#[source] io::Error),
    #[error("the question cannot be sent")]
    Signal(#[source] SignalError),
}

impl StackSource {
    pub(crate) fn new(pid: u32, group: Weak<ProcessGroup>) -> Self {
        Self {
            pid,
            group,
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Whether a signal has stopped the process.
    pub(crate) fn is_stopped(&self) -> bool {
        self.group.upgrade().is_some_and(|group| group.is_stopped())
    }

    /// Asks the process for its stacks, as faulthandler writes them. Bounded.
    pub(crate) async fn dump(&self) -> Result<String, NoStacks> {
        let signal = Signal::real_time(BELOW_LAST_SIGNAL).ok_or(NoStacks::Unsupported)?;
        let turn = timeout(WRITTEN_WITHIN, self.turn.lock()).await;
        let _turn = turn.map_err(|_elapsed| NoStacks::NoAnswer)?;
        if self.is_stopped() {
            return Err(NoStacks::Stopped(self.pid));
        }
        // Before the worker has a handler, the signal would be the process's end.
        if !catches(self.pid, signal) {
            return Err(if self.group.strong_count() == 0 {
                NoStacks::Gone
            } else {
                NoStacks::TooEarly
            });
        }
        let mut file = open(self.pid).map_err(NoStacks::File)?;
        file.set_len(0).map_err(NoStacks::File)?;
        // Threads of libraries that never take a signal tell nothing of the handler.
        let deaf = threads_that_block(self.pid, signal);
        self.ask(signal)?;
        self.wait_until_written(&file, signal, &deaf).await?;
        let stacks = read(&mut file).map_err(NoStacks::File)?;
        // What it took is given back; the process may live for long.
        file.set_len(0).map_err(NoStacks::File)?;
        Ok(stacks)
    }

    fn ask(&self, signal: Signal) -> Result<(), NoStacks> {
        let group = self.group.upgrade().ok_or(NoStacks::Gone)?;
        match group.signal_leader(signal) {
            Ok(()) => Ok(()),
            Err(SignalError::Gone { .. }) => Err(NoStacks::Gone),
            Err(error) => Err(NoStacks::Signal(error)),
        }
    }

    async fn wait_until_written(
        &self,
        file: &File,
        signal: Signal,
        deaf: &[u32],
    ) -> Result<(), NoStacks> {
        let deadline = Instant::now() + WRITTEN_WITHIN;
        loop {
            // In this order: a file that is not empty says that the handler has begun.
            let begun = file.metadata().is_ok_and(|file| file.len() > 0);
            if begun && self.has_returned(signal, deaf) {
                return Ok(());
            }
            if self.group.strong_count() == 0 {
                return Err(NoStacks::Gone);
            }
            if Instant::now() >= deadline {
                // What has come in this time is as good as whole.
                if begun {
                    return Ok(());
                }
                return Err(if self.is_stopped() {
                    NoStacks::Stopped(self.pid)
                } else {
                    NoStacks::NoAnswer
                });
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

impl NoStacks {
    const fn code(&self) -> FaultCode {
        match self {
            Self::NoAnswer => FaultCode::DeadlineExceeded,
            Self::Gone
            | Self::Unsupported
            | Self::Stopped(_)
            | Self::TooEarly
            | Self::File(_)
            | Self::Signal(_) => FaultCode::AgentError,
        }
    }
}

impl Agent {
    /// Asks its processes, or one of them, where their threads stand. A fault where none says so.
    pub(crate) async fn stacks(&self, replica: Option<usize>) -> Result<Vec<StackView>, Fault> {
        let count = self.replica_count();
        let asked = match replica {
            None => 0..count,
            Some(replica) if replica < count => replica..replica + 1,
            Some(replica) => return Err(self.no_replica(replica)),
        };
        let mut tasks = JoinSet::new();
        for replica in asked {
            let (incarnation, pid, source) = self.source(replica);
            tasks.spawn(async move {
                let stacks = match source {
                    Some(source) => source.dump().await,
                    None => Err(NoStacks::Gone),
                };
                (replica, incarnation, pid, stacks)
            });
        }
        let mut answers = tasks.join_all().await;
        answers.sort_by_key(|(replica, ..)| *replica);
        if let Some(why) = none_of(&answers) {
            let message = format!("no stacks of {}: {}", self.name, report_chain(why));
            return Err(Fault::new(why.code(), message));
        }
        let view = |(replica, incarnation, pid, stacks): Answer| StackView {
            replica,
            incarnation,
            pid,
            stacks: stacks.map_err(|why| report_chain(&why)),
        };
        Ok(answers.into_iter().map(view).collect())
    }

    fn no_replica(&self, replica: usize) -> Fault {
        let name = &self.name;
        let message = match self.replica_count() {
            1 => format!("{name} has no replica {replica}: there is one, {name}/0"),
            count => format!(
                "{name} has no replica {replica}: there are {name}/0 to {name}/{}",
                count - 1
            ),
        };
        Fault::new(FaultCode::InvalidInput, message)
    }
}

/// A replica, its incarnation and process, and what it said.
type Answer = (usize, Option<u64>, Option<u32>, Result<String, NoStacks>);

/// Why the first one says nothing, where none says anything.
fn none_of(answers: &[Answer]) -> Option<&NoStacks> {
    let mut whys = answers.iter().map(|(.., stacks)| stacks.as_ref().err());
    let first = whys.next()??;
    whys.all(|why| why.is_some()).then_some(first)
}

impl StackSource {
    /// Whether no thread is in the handler, nor about to be.
    fn has_returned(&self, signal: Signal, deaf: &[u32]) -> bool {
        let blocking = threads_that_block(self.pid, signal);
        !is_pending(self.pid, signal) && blocking.iter().all(|thread| deaf.contains(thread))
    }
}

/// The worker's file, by its name among the descriptors of the process.
fn open(pid: u32) -> io::Result<File> {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd"))?;
    let is_it = |path: &PathBuf| {
        std::fs::read_link(path).is_ok_and(|target| target.to_string_lossy().starts_with(FILE))
    };
    let path = descriptors
        .flatten()
        .map(|descriptor| descriptor.path())
        .find(is_it)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the process has closed it"))?;
    OpenOptions::new().read(true).write(true).open(path)
}

fn read(file: &mut File) -> io::Result<String> {
    let skipped = file.metadata()?.len().saturating_sub(STACKS_BYTES_MAX);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take(STACKS_BYTES_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(whole_lines(text.trim_end(), skipped > 0))
}

/// Without the line that the cut goes through.
fn whole_lines(text: &str, is_cut: bool) -> String {
    match text.split_once('\n') {
        Some((_, rest)) if is_cut => format!("(cut) …\n{rest}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_between_two_lines_and_the_main_thread_stays() {
        let mut file = tempfile::tempfile().unwrap();
        let other = "  File \"a.py\", line 1 in f\n";
        std::io::Write::write_all(&mut file, other.repeat(5_000).as_bytes()).unwrap();
        std::io::Write::write_all(&mut file, b"  File \"a.py\", line 2 in main\n\n").unwrap();
        let stacks = read(&mut file).unwrap();
        let mut lines = stacks.lines();
        assert_eq!(lines.next(), Some("(cut) …"));
        assert!(lines.next().unwrap().starts_with("  File"), "{stacks}");
        assert!(stacks.ends_with("line 2 in main"), "{stacks}");
        assert!(stacks.len() <= 32 * 1024);
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, b"Current thread 0x1\n  File \"a.py\"\n").unwrap();
        assert_eq!(
            read(&mut file).unwrap(),
            "Current thread 0x1\n  File \"a.py\""
        );
    }
}
