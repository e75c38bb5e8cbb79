//! Keeps a zygote: begins it with the first agent, replaces one that ends or does not answer, and
//! has agents start without it meanwhile. It refuses to know agents and their supervision.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use synapse_core::fault::report_chain;
use synapse_process::{Birth, Child, Command, Spawner, Zygote, ZygoteError};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long a zygote may take to warm up: seconds on a slow machine with cold disks.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(60);
/// The delay before a zygote that has failed is tried again, doubled from one failure to the next.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// The longest such delay.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(60);
/// How long the end of a killed one is waited for.
const END_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of its stderr that are logged at once.
const STDERR_PIECE_BYTES: usize = 4096;

/// What a zygote is warm with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ZygoteKind {
    /// What a plain function runs with.
    Plain,
    /// pydantic-ai, too.
    PydanticAi,
}

impl ZygoteKind {
    pub(crate) const ALL: [Self; 2] = [Self::Plain, Self::PydanticAi];

    /// As the zygote is told.
    const fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::PydanticAi => "pydantic_ai",
        }
    }
}

impl fmt::Display for ZygoteKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Plain => "functions",
            Self::PydanticAi => "pydantic-ai agents",
        })
    }
}

/// Keeps one zygote at a time.
#[derive(Debug)]
pub(crate) struct ZygoteKeeper {
    plan: Plan,
    phase: Arc<watch::Sender<Phase>>,
    keeping: Mutex<Keeping>,
}

/// Whether there is a task that keeps it.
#[derive(Debug)]
enum Keeping {
    /// No agent has asked for it yet.
    NotBegun,
    Begun(JoinHandle<()>),
    /// For good.
    Ended,
}

/// How a zygote is made.
#[derive(Clone, Debug)]
struct Plan {
    kind: ZygoteKind,
    command: Command,
    warm_up: String,
    spawner: Spawner,
}

#[derive(Clone, Debug)]
enum Phase {
    /// The first one is on its way: worth waiting for.
    First,
    Warm(Warm),
    /// There is none now, for this reason; agents start without.
    Down(String),
}

#[derive(Clone, Debug)]
struct Warm {
    zygote: Zygote,
    /// Whether it has forked a process.
    is_proven: Arc<AtomicBool>,
}

impl ZygoteKeeper {
    pub(crate) fn new(
        kind: ZygoteKind,
        command: Command,
        preload: &[String],
        spawner: Spawner,
    ) -> Self {
        let warm_up: Vec<&str> = std::iter::once(kind.word())
            .chain(preload.iter().map(String::as_str))
            .collect();
        Self {
            plan: Plan {
                kind,
                command,
                warm_up: warm_up.join("\n"),
                spawner,
            },
            phase: Arc::new(watch::Sender::new(Phase::First)),
            keeping: Mutex::new(Keeping::NotBegun),
        }
    }

    pub(crate) const fn kind(&self) -> ZygoteKind {
        self.plan.kind
    }

    /// Begins with it, and waits until there is one or it is known that there is none; not longer
    /// than this.
    pub(crate) async fn settled(&self, patience: Duration) {
        self.begin();
        let mut phase = self.phase.subscribe();
        let settled = phase.wait_for(|phase| !matches!(phase, Phase::First));
        // Whatever it is then, [`Self::fork`] sees it.
        timeout(patience, settled).await.ok();
    }

    /// Forks a process; `None` where it must be made in another way now.
    pub(crate) async fn fork(&self, birth: Birth) -> Option<Child> {
        let Phase::Warm(warm) = self.phase.borrow().clone() else {
            return None;
        };
        match warm.zygote.spawn(birth).await {
            Ok(child) => {
                warm.is_proven.store(true, Ordering::Relaxed);
                tokio::spawn(fork_ahead(Arc::clone(&self.phase), warm));
                Some(child)
            }
            Err(
                error @ (ZygoteError::Ended | ZygoteError::Silent(_) | ZygoteError::Refused(_)),
            ) => {
                give_up(&self.phase, &warm, report_chain(&error));
                None
            }
            // The folder is missing, or this process lacks something: no fault of the zygote's,
            // and to be told as of any other process.
            Err(
                error @ (ZygoteError::Start(_)
                | ZygoteError::Adopt(_)
                | ZygoteError::Limit(_)
                | ZygoteError::Socket(_)),
            ) => {
                tracing::debug!("not forked: {}", report_chain(&error));
                None
            }
        }
    }

    /// Begins with it, where nobody has.
    pub(crate) fn begin(&self) {
        let mut keeping = self.keeping.lock();
        if matches!(*keeping, Keeping::NotBegun) {
            let task = keep(self.plan.clone(), Arc::clone(&self.phase));
            *keeping = Keeping::Begun(tokio::spawn(task));
        }
    }

    /// Ends it for good.
    pub(crate) async fn end(&self) {
        let keeping = std::mem::replace(&mut *self.keeping.lock(), Keeping::Ended);
        if let Keeping::Begun(task) = keeping {
            task.abort();
            // An error says that it was aborted; what it held is dropped by then.
            task.await.ok();
        }
        let last = self
            .phase
            .send_replace(Phase::Down("the node has ended".to_owned()));
        if let Phase::Warm(Warm { zygote, .. }) = last {
            let exit = zygote.exit();
            // Dropping the last handle kills it.
            drop(zygote);
            if timeout(END_TIMEOUT, exit).await.is_err() {
                tracing::warn!("the zygote of {} has not ended yet", self.plan.kind);
            }
        }
    }
}

/// Nobody is forked from it any more.
impl Drop for ZygoteKeeper {
    fn drop(&mut self) {
        if let Keeping::Begun(task) = self.keeping.get_mut() {
            // What the task holds goes with it; the last handle kills the zygote.
            task.abort();
        }
    }
}

/// The next process finds a child waiting for it.
async fn fork_ahead(phase: Arc<watch::Sender<Phase>>, warm: Warm) {
    match warm.zygote.fork_ahead().await {
        Ok(()) => {}
        Err(error @ (ZygoteError::Ended | ZygoteError::Silent(_) | ZygoteError::Refused(_))) => {
            give_up(&phase, &warm, report_chain(&error));
        }
        Err(error) => tracing::debug!("not forked ahead: {}", report_chain(&error)),
    }
}

/// Has it replaced, if it is still the one.
fn give_up(phase: &watch::Sender<Phase>, warm: &Warm, why: String) {
    phase.send_if_modified(|phase| {
        let is_it =
            matches!(phase, Phase::Warm(now) if Arc::ptr_eq(&now.is_proven, &warm.is_proven));
        if is_it {
            *phase = Phase::Down(why);
        }
        is_it
    });
}

/// Has a zygote as long as agents of its environment are there.
async fn keep(plan: Plan, phase: Arc<watch::Sender<Phase>>) {
    let mut failures = 0;
    loop {
        let why = match warm_up(&plan).await {
            Ok(zygote) => {
                let warm = Warm {
                    zygote,
                    is_proven: Arc::default(),
                };
                if failures > 0 {
                    tracing::info!("{} are forked again", plan.kind);
                }
                phase.send_replace(Phase::Warm(warm.clone()));
                let why = failure(&warm.zygote, &phase).await;
                if warm.is_proven.load(Ordering::Relaxed) {
                    failures = 0;
                }
                why
            }
            Err(error) => report_chain(&error),
        };
        failures += 1;
        if failures == 1 {
            tracing::warn!(
                "{} start without being forked until the zygote is back: {why}",
                plan.kind
            );
        } else {
            tracing::debug!(failures, "the zygote of {} failed again: {why}", plan.kind);
        }
        phase.send_replace(Phase::Down(why));
        sleep(delay(failures)).await;
    }
}

/// Waits until it has ended, or somebody had no answer from it.
async fn failure(zygote: &Zygote, phase: &watch::Sender<Phase>) -> String {
    let mut phase = phase.subscribe();
    tokio::select! {
        () = zygote.exit() => "the zygote has ended".to_owned(),
        down = phase.wait_for(|phase| matches!(phase, Phase::Down(_))) => match down.as_deref() {
            Ok(Phase::Down(why)) => why.clone(),
            _ => String::new(),
        },
    }
}

/// The first failure of one that has worked is put right at once.
fn delay(failures: u32) -> Duration {
    match failures {
        0 | 1 => Duration::ZERO,
        more => RETRY_DELAY
            .saturating_mul(2_u32.saturating_pow(more - 2))
            .min(RETRY_DELAY_MAX),
    }
}

async fn warm_up(plan: &Plan) -> Result<Zygote, ZygoteError> {
    let (zygote, stderr) =
        Zygote::start(&plan.spawner, plan.command.clone(), &plan.warm_up).await?;
    tokio::spawn(log_stderr(plan.kind, stderr));
    let ready = timeout(WARM_UP_TIMEOUT, zygote.ready()).await;
    for failure in ready.unwrap_or(Err(ZygoteError::Silent(WARM_UP_TIMEOUT)))? {
        tracing::warn!("not preloaded for {}: {failure}", plan.kind);
    }
    Ok(zygote)
}

/// A zygote has nothing to say but what its imports complain of.
async fn log_stderr(kind: ZygoteKind, stderr: OwnedFd) {
    let mut stderr = match Receiver::from_owned_fd(stderr) {
        Ok(stderr) => stderr,
        Err(error) => {
            tracing::error!(%error, "the stderr of a zygote is not read");
            return;
        }
    };
    let mut piece = [0; STDERR_PIECE_BYTES];
    while let Ok(length @ 1..) = stderr.read(&mut piece).await {
        let text = String::from_utf8_lossy(piece.get(..length).unwrap_or_default());
        for line in text.lines() {
            tracing::warn!("zygote of {kind}: {line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_put_right_at_once_and_others_less_and_less_often() {
        assert_eq!(delay(1), Duration::ZERO);
        assert_eq!(delay(2), RETRY_DELAY);
        assert_eq!(delay(4), RETRY_DELAY * 4);
        assert_eq!(delay(40), RETRY_DELAY_MAX);
    }
}
