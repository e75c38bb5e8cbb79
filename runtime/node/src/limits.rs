//! Looks after the processes whose limits the kernel does not keep. What is too much, core decides;
//! what comes of it, the agent's actor.
//!
//! A look at one process is cheap, at all of its family less so. So every turn looks at those that
//! have worked since the last one, and at the others, whose children may grow, every few turns.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use ractor::ActorRef;
use synapse_core::spec::{Footprint, ResourceLimits};
use synapse_process::{Family, Orphans, ProcessGroup, Spawner};
use tokio::time::{MissedTickBehavior, interval};

use crate::agent::process::Message;

/// From one turn to the next: what a process can take of a machine's memory meanwhile is some
/// hundreds of megabytes.
const TURN: Duration = Duration::from_millis(250);
/// Idle processes are looked at in every turn of this many.
const IDLE_TURNS: u64 = 4;

/// Those that are looked after. There is a task as long as there are any.
#[derive(Debug)]
pub(crate) struct LimitWatch {
    spawner: Spawner,
    watched: Mutex<Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    processes: Vec<Process>,
    /// Whether the task runs, which holds the processes while it looks.
    is_kept: bool,
}

#[derive(Debug)]
struct Process {
    group: Weak<ProcessGroup>,
    /// Whose it is, and in which incarnation.
    who: (ActorRef<Message>, u64),
    limits: ResourceLimits,
    /// Processor time at the last look at its family.
    worked: Option<Duration>,
}

impl LimitWatch {
    pub(crate) fn new(spawner: Spawner) -> Self {
        Self {
            spawner,
            watched: Mutex::default(),
        }
    }

    /// Looks after a process until its end, and tells its actor of the first limit that it exceeds.
    pub(crate) fn add(
        self: &Arc<Self>,
        group: &Arc<ProcessGroup>,
        who: (ActorRef<Message>, u64),
        limits: ResourceLimits,
    ) {
        let mut watched = self.watched.lock();
        watched.processes.push(Process {
            group: Arc::downgrade(group),
            who,
            limits,
            worked: None,
        });
        if !watched.is_kept {
            watched.is_kept = true;
            tokio::spawn(Arc::clone(self).keep());
        }
    }

    async fn keep(self: Arc<Self>) {
        let mut turns = interval(TURN);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for turn in 0.. {
            turns.tick().await;
            let watch = Arc::clone(&self);
            // The size of a family may be told by the kernel page by page.
            let looked = tokio::task::spawn_blocking(move || watch.look(turn));
            // Not run where the program ends, or where it failed: then it is told by the panic.
            if !matches!(looked.await, Ok(true)) {
                return;
            }
        }
    }

    /// False where nobody is left to look after.
    fn look(&self, turn: u64) -> bool {
        let mut processes = std::mem::take(&mut self.watched.lock().processes);
        let mut orphans = None;
        processes.retain_mut(|process| {
            let Some(group) = process.group.upgrade() else {
                return false;
            };
            if !process.is_due(&group, turn) {
                return true;
            }
            let orphans = orphans.get_or_insert_with(|| self.spawner.orphans());
            let Some(what) = process.exceeded(&group, orphans) else {
                return true;
            };
            let (actor, incarnation) = &process.who;
            let incarnation = *incarnation;
            // Where the actor is gone, so is the process.
            drop(actor.cast(Message::LimitExceeded { incarnation, what }));
            false
        });
        let mut watched = self.watched.lock();
        watched.processes.append(&mut processes);
        watched.is_kept = !watched.processes.is_empty();
        watched.is_kept
    }
}

impl Process {
    fn is_due(&mut self, group: &ProcessGroup, turn: u64) -> bool {
        let worked = group.work().map(|work| work.cpu_time);
        let has_worked = worked != self.worked;
        self.worked = worked;
        has_worked || turn.is_multiple_of(IDLE_TURNS)
    }

    fn exceeded(&self, group: &ProcessGroup, orphans: &Orphans) -> Option<String> {
        let family = group.family(orphans)?;
        let seen = Footprint {
            memory_bytes: memory_bytes(&family, self.limits.memory_bytes),
            processes: u64::try_from(family.count()).unwrap_or(u64::MAX),
        };
        self.limits.exceeded_by(seen)
    }
}

/// What pages count by their part is asked only where it can matter: it is never more.
fn memory_bytes(family: &Family, max: Option<u64>) -> u64 {
    let Some(max) = max else { return 0 };
    let occupied = family.occupied_bytes();
    if occupied > max {
        family.share_bytes()
    } else {
        occupied
    }
}
