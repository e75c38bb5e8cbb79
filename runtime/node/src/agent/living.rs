//! A process that lives, and the tasks around it: they read and write its pipes and wait for its end.
//! It decides nothing about its life.

use std::sync::Arc;

use ractor::ActorRef;
use synapse_core::crash::Ending;
use synapse_core::exit::ExitReason;
use synapse_process::{Exit, ExitStatus, OomVerdict, OomWatch, ProcessGroup, Signal};
use synapse_wire::Greeting;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::agent::Agent;
use crate::agent::evidence::{LAST_WORDS, answer_runs, dossier};
use crate::agent::newborn::{Capture, Newborn};
use crate::agent::process::Message;
use crate::agent::stacks::StackSource;
use crate::link::{Death, Link, LinkCommand, LinkEnd, LinkPort};
use crate::view::ExitView;

/// The living process. Dropping it kills its group.
#[derive(Debug)]
pub(super) struct Living {
    pid: u32,
    group: Arc<ProcessGroup>,
    source: Arc<StackSource>,
    port: LinkOwner,
    link: JoinHandle<LinkEnd>,
    /// Until the process is reaped.
    stderr: Option<Capture>,
    oom: OomWatch,
    peak_resident_bytes: Option<u64>,
    /// When it was reaped.
    died: Option<Instant>,
}

/// Ends the link when the actor goes, however it goes: a link without an actor would hold its calls
/// for ever and take more.
#[derive(Debug)]
struct LinkOwner {
    port: Arc<LinkPort>,
    agent: Arc<Agent>,
}

impl Drop for LinkOwner {
    fn drop(&mut self) {
        let reason = ExitReason::Internal("its actor is gone".to_owned());
        let death = Death {
            fault: self.agent.lost(),
            ending: Ending::Killed,
            at: Instant::now(),
            exit: dossier(&self.agent, (0, 0), reason, None),
        };
        // Not heard where it was told in order before.
        self.port.send(LinkCommand::Died(Box::new(death)));
    }
}

impl Living {
    /// Puts the tasks in place that read and write its pipes and wait for its end.
    pub(super) fn new(
        agent: &Arc<Agent>,
        incarnation: u64,
        actor: &ActorRef<Message>,
        newborn: Newborn,
        greeting: Greeting,
    ) -> Self {
        let Newborn {
            pid,
            stdin,
            stdout,
            decoder,
            stderr,
            mut exit,
            group,
            ..
        } = newborn;
        let link = Link::new(Arc::clone(agent), incarnation, actor.clone(), greeting);
        let port = LinkOwner {
            port: Arc::clone(&link.port),
            agent: Arc::clone(agent),
        };
        let actor = actor.clone();
        tokio::spawn(async move {
            let exit = exit.wait().await;
            // Where the actor is gone, nobody needs to know.
            drop(actor.cast(Message::Exited(exit)));
        });
        let group = Arc::new(group);
        Self {
            pid,
            source: Arc::new(StackSource::new(pid, Arc::downgrade(&group))),
            group,
            port,
            link: tokio::spawn(link.serve(stdin, stdout, decoder)),
            stderr: Some(stderr),
            oom: OomWatch::begin(),
            peak_resident_bytes: None,
            died: None,
        }
    }

    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) const fn group(&self) -> &Arc<ProcessGroup> {
        &self.group
    }

    pub(super) const fn source(&self) -> &Arc<StackSource> {
        &self.source
    }

    pub(super) const fn port(&self) -> &Arc<LinkPort> {
        &self.port.port
    }

    /// Known when it was waited for.
    pub(super) const fn peak_resident_bytes(&self) -> Option<u64> {
        self.peak_resident_bytes
    }

    pub(super) fn tell(&self, command: LinkCommand) {
        self.port.port.send(command);
    }

    pub(super) fn terminate(&self) {
        if let Err(error) = self.group.signal(Signal::TERMINATE) {
            tracing::debug!(agent = %self.port.agent.name, %error, "SIGTERM not sent");
        }
    }

    pub(super) fn kill(&self) {
        self.group.kill();
    }

    /// The process may have said why it ended, and that may still be in its pipes.
    pub(super) fn read_last_words(&mut self, actor: &ActorRef<Message>, exit: &Exit) {
        self.peak_resident_bytes = exit.peak_resident_bytes;
        self.died = Some(Instant::now());
        let (read, is_read) = oneshot::channel();
        self.tell(LinkCommand::Reaped(read));
        let capture = self.stderr.take();
        let (agent, actor, exit) = (Arc::clone(&self.port.agent), actor.clone(), *exit);
        let (oom, pid) = (self.oom, self.pid);
        tokio::spawn(async move {
            let pipes = async {
                // It is dropped, not sent.
                is_read.await.ok();
                if let Some(Capture { task, died }) = capture {
                    // The task may have ended by itself, at the end of file.
                    died.send(()).ok();
                    task.await.ok();
                }
            };
            if timeout(LAST_WORDS, pipes).await.is_err() {
                tracing::warn!(agent = %agent.name, "the pipes of a dead process are still being read");
            }
            let oom = match exit.status {
                ExitStatus::Signalled { signal, .. } if signal == Signal::KILL.as_raw() => {
                    // Not run where the program ends.
                    let judged = tokio::task::spawn_blocking(move || oom.judge(pid)).await;
                    judged.unwrap_or(OomVerdict::Nothing)
                }
                _ => OomVerdict::Nothing,
            };
            // Where the actor is gone, nobody needs to know.
            drop(actor.cast(Message::Drained(exit, oom)));
        });
    }

    /// The guard of its group lives until its runs are answered.
    pub(super) async fn answer_runs(self, agent: &Agent, exit: ExitView) -> ExitView {
        let died = self.died.unwrap_or_else(Instant::now);
        answer_runs(agent, &self.port.port, self.link, (exit, died)).await
    }
}
