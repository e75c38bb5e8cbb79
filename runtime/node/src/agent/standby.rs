//! A spare: a process that has imported an agent's modules, for the incarnation that follows a crash.
//!
//! One is made in the background whenever an incarnation is ready. It costs a start nothing, and its
//! failures are no crash of the agent's: they are told once, and it is tried again less and less
//! often. It refuses to know supervision (decision 14).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Map, Value};
use synapse_core::fault::report_chain;
use synapse_process::Command;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::agent::Agent;
use crate::agent::newborn::{Newborn, end_of};
use crate::logs::SPARE;
use crate::node::Node;
use crate::view::LogStream;

/// The delay before a spare that has failed is made again, doubled from one failure to the next.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// The longest such delay.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(60);

/// Where a spare goes.
type Reply = oneshot::Sender<Box<Spare>>;

/// An agent's spare, where it has one or one is being made.
#[derive(Debug, Default)]
pub(crate) struct Standby(Mutex<Option<Keeper>>);

/// The task that makes a spare, and makes it anew, until it is asked for it. Dropping this ends both.
#[derive(Debug)]
struct Keeper {
    ask: oneshot::Sender<Reply>,
    /// 0 while there is none.
    pid: Arc<AtomicU32>,
    _task: Task,
}

#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A process that waits to be an incarnation. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) newborn: Newborn,
    /// What it was made by.
    command: Command,
    /// The files that it has imported, with the times of their last changes in nanoseconds.
    sources: Map<String, Value>,
}

impl Standby {
    /// Sees to it that there is a spare, where the agent is to have one and takes calls.
    pub(super) fn prepare(&self, node: &Arc<Node>, agent: &Arc<Agent>) {
        if !agent.spec.standby {
            return;
        }
        let mut keeper = self.0.lock();
        // Looked at under the lock under which it is dismissed.
        if keeper.is_none() && !agent.is_held() {
            *keeper = Some(Keeper::begin(node, agent));
        }
    }

    /// Takes the spare; waits for one that is being made, which is further than a new process, but
    /// no longer than this: its import may hang.
    pub(super) async fn take(&self, patience: Duration) -> Option<Box<Spare>> {
        let keeper = self.0.lock().take()?;
        let (reply, spare) = oneshot::channel();
        keeper.ask.send(reply).ok()?;
        timeout(patience, spare).await.ok()?.ok()
    }

    /// Ends it: nobody will need it soon.
    pub(crate) fn dismiss(&self) {
        *self.0.lock() = None;
    }

    /// Its process, once it has imported.
    pub(crate) fn pid(&self) -> Option<u32> {
        let pid = self.0.lock().as_ref()?.pid.load(Ordering::Relaxed);
        (pid != 0).then_some(pid)
    }
}

impl Keeper {
    fn begin(node: &Arc<Node>, agent: &Arc<Agent>) -> Self {
        let (ask, asked) = oneshot::channel();
        let pid = Arc::new(AtomicU32::new(0));
        let keeping = keep(Arc::clone(node), Arc::clone(agent), Arc::clone(&pid), asked);
        Self {
            ask,
            pid,
            _task: Task(tokio::spawn(keeping).abort_handle()),
        }
    }
}

impl Spare {
    /// Whether a process that is made now by this command would be the same: no variable differs,
    /// and no file that it has imported was changed. It looks at files.
    pub(super) fn is_fresh(&self, now: &Command) -> Result<(), String> {
        if self.command != *now {
            return Err("its environment has changed".to_owned());
        }
        for (file, changed) in &self.sources {
            let seen = fs::metadata(file).map(|file| {
                let nanoseconds = i128::from(file.mtime()) * 1_000_000_000;
                nanoseconds + i128::from(file.mtime_nsec())
            });
            if seen.ok() != changed.as_i64().map(i128::from) {
                return Err(format!("{file} was edited"));
            }
        }
        Ok(())
    }
}

/// Keeps a spare until somebody asks for it.
async fn keep(
    node: Arc<Node>,
    agent: Arc<Agent>,
    pid: Arc<AtomicU32>,
    mut asked: oneshot::Receiver<Reply>,
) {
    let mut failures = 0;
    loop {
        agent.log.begin(SPARE);
        let limit = Duration::from(agent.spec.start_timeout);
        let why = match timeout(limit, make(&node, &agent)).await {
            Ok(Ok(mut spare)) => {
                pid.store(spare.newborn.pid, Ordering::Relaxed);
                node.changed();
                tokio::select! {
                    biased;
                    exit = spare.newborn.exit.wait() => end_of(&exit),
                    reply = &mut asked => {
                        // Where nobody waits for it any more, it is killed.
                        drop(reply.map(|reply| reply.send(Box::new(spare))));
                        return;
                    }
                }
            }
            Ok(Err(why)) => why,
            Err(_) => format!("it has not imported within {} ms", limit.as_millis()),
        };
        pid.store(0, Ordering::Relaxed);
        failures += 1;
        tell(&agent, failures, &why);
        agent.log.forget(SPARE);
        tokio::select! {
            // Whoever asks starts without it: the reply is dropped.
            _ = &mut asked => return,
            () = sleep(delay(failures)) => {}
        }
    }
}

async fn make(node: &Arc<Node>, agent: &Arc<Agent>) -> Result<Spare, String> {
    let (of_node, of_agent) = (Arc::clone(node), Arc::clone(agent));
    let spawning = node.environments.of(&agent.name);
    let in_environment = Arc::clone(&spawning);
    // It reads files, on whatever kind of disk.
    let launch = tokio::task::spawn_blocking(move || {
        let python = in_environment.python();
        let uses_pydantic_ai = of_agent.uses_pydantic_ai();
        let (launcher, name) = (&of_node.launcher, &of_node.name);
        launcher.spare(python, &of_agent.spec, name, uses_pydantic_ai)
    });
    let launch = launch.await.map_err(|error| report_chain(&error))?;
    let launch = launch.map_err(|error| report_chain(&error))?;
    // Before there is a process that could tell them.
    agent.secrets.add(launch.secrets);
    let fork = launch.fork.as_ref();
    spawning.settled(fork).await;
    let child = spawning.spawn(launch.command.clone(), fork).await;
    let child = child.map_err(|error| report_chain(&error))?;
    let newborn = Newborn::new(agent, SPARE, child);
    let mut newborn = newborn.map_err(|error| format!("its pipes cannot be used: {error}"))?;
    match newborn.hello().await {
        Ok(hello) => Ok(Spare {
            newborn,
            command: launch.command,
            sources: hello.sources.unwrap_or_default(),
        }),
        Err(why) => {
            newborn.end().await;
            Err(why)
        }
    }
}

fn tell(agent: &Agent, failures: u32, why: &str) {
    let last = agent.log.stderr(SPARE).pop();
    let last = last.map_or_else(String::new, |line| format!(" ({line})"));
    if failures > 1 {
        return tracing::debug!(agent = %agent.name, failures, "the spare failed again: {why}{last}");
    }
    tracing::warn!(agent = %agent.name, "no spare: {why}{last}; it is tried again");
    let message = format!("no spare: {why}{last}; it is tried again");
    let latest = agent.latest_incarnation();
    agent
        .log
        .add(latest, LogStream::Runtime, "warning", message);
}

fn delay(failures: u32) -> Duration {
    RETRY_DELAY
        .saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)))
        .min(RETRY_DELAY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spare_that_fails_is_tried_less_and_less_often() {
        assert_eq!(delay(1), RETRY_DELAY);
        assert_eq!(delay(3), RETRY_DELAY * 4);
        assert_eq!(delay(40), RETRY_DELAY_MAX);
    }
}
