//! The way to a link from outside: commands, and a bell.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use synapse_core::crash::Ending;
use synapse_core::fault::Fault;
use synapse_core::liveness::Pong;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::handle::RunId;
use crate::link::CancelReason;
use crate::view::{ExitView, FrameView, RunCutOff};

/// Commands for a link. Each run has at most one cancel and one batch of credit under way, so that
/// the list is bounded by the agent's slots.
#[derive(Debug, Default)]
pub(crate) struct LinkPort {
    commands: Mutex<Vec<LinkCommand>>,
    bell: Notify,
    /// The mailbox has calls.
    work: AtomicBool,
    /// Set under the mailbox's lock: this link gets no more calls.
    retired: AtomicBool,
    /// An operator has sent a signal to the process.
    killed_by_hand: AtomicBool,
    /// Runs that the process executes now, for the status.
    in_flight: AtomicUsize,
    /// Whether the process has written anything since the last look.
    heard: AtomicBool,
    /// Its last answer to a ping since then.
    pong: Mutex<Option<Pong>>,
}

/// What the process has shown of itself since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signs {
    pub(crate) heard: bool,
    pub(crate) pong: Option<Pong>,
}

/// What a link is told, in the order of a life.
#[derive(Debug)]
pub(crate) enum LinkCommand {
    /// A caller read chunks of its stream.
    Taken { run: RunId, chunks: u32 },
    /// A caller left or cancelled, or its deadline passed.
    Cancel { run: RunId, reason: CancelReason },
    /// Drain: take no more calls, and tell the process.
    Stop { within_ms: u64 },
    /// Ask for a sign of life.
    Ping,
    /// Cancel whatever is left.
    CancelRuns,
    /// Close stdin.
    CloseInput,
    /// Say which frames passed last.
    Frames(oneshot::Sender<Vec<FrameView>>),
    /// The process was waited for: read what it left, and drop this.
    Reaped(oneshot::Sender<()>),
    /// Why it ended is known; the link's last command.
    Died(Box<Death>),
}

/// The end of a process, as those whose runs were in flight are told.
#[derive(Debug)]
pub(crate) struct Death {
    /// For runs that the process may have begun with.
    pub(crate) fault: Fault,
    pub(crate) ending: Ending,
    /// When it ended.
    pub(crate) at: Instant,
    /// What is known of it so far: the evidence against the runs.
    pub(crate) exit: ExitView,
}

/// What a link knows of its process's end.
#[derive(Debug, Default)]
pub(crate) struct LinkEnd {
    /// The runs that were in flight, in the order of their beginning.
    pub(crate) runs: Vec<RunCutOff>,
    /// The last frames, the oldest first.
    pub(crate) frames: Vec<FrameView>,
}

impl LinkPort {
    pub(crate) fn send(&self, command: LinkCommand) {
        self.commands.lock().push(command);
        self.bell.notify_one();
    }

    /// The mailbox has calls.
    pub(crate) fn ring(&self) {
        self.work.store(true, Ordering::Release);
        self.bell.notify_one();
    }

    /// Whether the mailbox has rung since the last look.
    pub(crate) fn has_work(&self) -> bool {
        self.work.swap(false, Ordering::Acquire)
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

    pub(crate) fn note_killed_by_hand(&self) {
        self.killed_by_hand.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_killed_by_hand(&self) -> bool {
        self.killed_by_hand.load(Ordering::Relaxed)
    }

    pub(crate) fn note_in_flight(&self, in_flight: usize) {
        self.in_flight.store(in_flight, Ordering::Relaxed);
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The process has written something.
    pub(crate) fn note_heard(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    pub(crate) fn note_pong(&self, pong: Pong) {
        *self.pong.lock() = Some(pong);
    }

    pub(crate) fn take_signs(&self) -> Signs {
        Signs {
            heard: self.heard.swap(false, Ordering::Relaxed),
            pong: self.pong.lock().take(),
        }
    }

    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// The commands so far, into an empty list that is used again and again.
    pub(crate) fn take(&self, into: &mut Vec<LinkCommand>) {
        std::mem::swap(&mut *self.commands.lock(), into);
    }
}
