//! The way to a link from outside: commands, and a bell.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use synapse_core::fault::Fault;
use tokio::sync::Notify;

use crate::handle::RunId;
use crate::link::CancelReason;

/// Commands for a link. Each run has at most one cancel and one batch of credit under way, so that
/// the list is bounded by the agent's slots.
#[derive(Debug, Default)]
pub(crate) struct LinkPort {
    commands: Mutex<Vec<LinkCommand>>,
    bell: Notify,
    /// Set under the mailbox's lock: this link gets no more calls.
    retired: AtomicBool,
}

/// What a link is told, in the order of a life.
#[derive(Debug)]
pub(crate) enum LinkCommand {
    /// The mailbox has calls.
    Work,
    /// A caller read chunks of its stream.
    Taken { run: RunId, chunks: u32 },
    /// A caller left or cancelled, or its deadline passed.
    Cancel { run: RunId, reason: CancelReason },
    /// Drain: take no more calls, and tell the process.
    Stop { within_ms: u64 },
    /// Cancel whatever is left.
    CancelRuns,
    /// Close stdin.
    CloseInput,
    /// The process was waited for; the link's last command.
    Died(Box<Death>),
}

/// The end of a process, as those whose runs were in flight are told.
#[derive(Debug)]
pub(crate) struct Death {
    /// For runs that the process may have begun with.
    pub(crate) fault: Fault,
}

impl LinkPort {
    pub(crate) fn send(&self, command: LinkCommand) {
        self.commands.lock().push(command);
        self.bell.notify_one();
    }

    /// The mailbox has calls; said once until the link has heard it.
    pub(crate) fn ring(&self) {
        let mut commands = self.commands.lock();
        if !commands
            .iter()
            .any(|command| matches!(command, LinkCommand::Work))
        {
            commands.push(LinkCommand::Work);
        }
        drop(commands);
        self.bell.notify_one();
    }

    pub(crate) fn cancel(&self, run: RunId, reason: CancelReason) {
        self.send(LinkCommand::Cancel { run, reason });
    }

    pub(crate) fn credit(&self, run: RunId, chunks: u32) {
        let mut commands = self.commands.lock();
        let same = commands.iter_mut().find_map(|command| match command {
            LinkCommand::Taken { run: of, chunks } if *of == run => Some(chunks),
            _ => None,
        });
        match same {
            Some(waiting) => *waiting = waiting.saturating_add(chunks),
            None => commands.push(LinkCommand::Taken { run, chunks }),
        }
        drop(commands);
        self.bell.notify_one();
    }

    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    pub(crate) fn take(&self) -> Vec<LinkCommand> {
        std::mem::take(&mut *self.commands.lock())
    }
}
