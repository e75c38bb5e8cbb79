//! A started process as its owner sees it. It refuses to know what flows through its pipes.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, kill_process_group};
use tokio::sync::watch;

use crate::exit::Exit;
use crate::family::{Family, Orphans};
use crate::kernel;
use crate::limits::KernelLimits;
use crate::signal::Signal;
use crate::spawner::Spawner;
use crate::tag::Tag;
use crate::usage::{self, Usage, Work};

/// A running process. Its parts may be moved apart; the process lives as long as `group` does.
#[derive(Debug)]
pub struct Child {
    /// Its number, and that of its group.
    pub pid: u32,
    /// The writing end of its stdin (or the other end, where that is a socket), non-blocking.
    pub stdin: OwnedFd,
    /// The reading end of its stdout, non-blocking.
    pub stdout: OwnedFd,
    /// The reading end of its stderr, non-blocking.
    pub stderr: OwnedFd,
    /// Tells when and how it ended.
    pub exit: ExitWatch,
    /// The guard that kills it when dropped.
    pub group: ProcessGroup,
}

/// Tells when and how a process ended. Clones see the same end; dropping it changes nothing.
#[derive(Clone, Debug)]
pub struct ExitWatch(watch::Receiver<Option<Exit>>);

impl ExitWatch {
    /// Waits for the end. Cancel-safe, and may be called again after it has answered.
    pub async fn wait(&mut self) -> Exit {
        match self.0.wait_for(Option::is_some).await.map(|exit| *exit) {
            Ok(Some(exit)) => exit,
            // The reaper announces an end before it forgets a process, so this is not reached.
            Ok(None) | Err(_) => kernel::unknown_exit(),
        }
    }

    /// The end, if it has come.
    pub fn now(&self) -> Option<Exit> {
        *self.0.borrow()
    }
}

/// Owns a process group: dropping it kills the whole group with SIGKILL.
#[derive(Debug)]
pub struct ProcessGroup {
    life: Arc<Life>,
    /// Keeps the forking thread: its end would kill the child (PR_SET_PDEATHSIG).
    _spawner: Spawner,
}

impl ProcessGroup {
    pub(crate) fn new(life: Arc<Life>, spawner: Spawner) -> Self {
        Self {
            life,
            _spawner: spawner,
        }
    }

    /// Sends a signal to every process of the group.
    pub fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        self.life.signal(signal, -self.life.raw().as_raw_pid())
    }

    /// Sends a signal to the leader alone.
    pub fn signal_leader(&self, signal: Signal) -> Result<(), SignalError> {
        self.life.signal(signal, self.life.raw().as_raw_pid())
    }

    /// Whether the leader is stopped by a signal.
    pub fn is_stopped(&self) -> bool {
        self.life.is_stopped()
    }

    /// What the leader uses now; `None` where it has ended, or the system does not tell.
    pub fn usage(&self) -> Option<Usage> {
        let usage = usage::of(self.life.pid());
        // Until it is reaped, the number was its own.
        usage.filter(|_| !self.life.is_reaped())
    }

    /// The same, as far as it is cheap to know.
    pub fn work(&self) -> Option<Work> {
        let work = Work::of(self.life.pid());
        work.filter(|_| !self.life.is_reaped())
    }

    /// The leader with all that it has started, of which these have left their parents. `None`
    /// where it has ended, or the system does not tell.
    #[cfg(target_os = "linux")]
    pub fn family(&self, orphans: &Orphans) -> Option<Family> {
        let family = Family::of(self.life.raw(), self.life.tag(), orphans);
        (!self.life.is_reaped()).then_some(family)
    }

    /// Descendants cannot be seen here.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "where they can, it is needed")]
    pub fn family(&self, _orphans: &Orphans) -> Option<Family> {
        None
    }

    /// Kills every process of the group. One that is gone already is what was wanted.
    pub fn kill(&self) {
        if let Err(SignalError::Refused { source, .. }) = self.signal(Signal::KILL) {
            tracing::warn!(pid = self.life.pid(), error = %source, "process group not killed");
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Why a signal was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// The process has ended and was reaped: its number may belong to another one now.
    #[error("signal process {pid}: it has ended")]
    Gone {
        /// The number it had.
        pid: u32,
    },
    /// The system refused.
    #[error("send {signal} to process {pid}")]
    Refused {
        /// Its number.
        pid: u32,
        /// What was to be sent.
        signal: Signal,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

/// What the owner's guard and the reaper share. A process number is only valid until it is reaped,
/// so that sending a signal and reaping exclude each other.
#[derive(Debug)]
pub(crate) struct Life {
    pid: Pid,
    tag: Tag,
    reaped: Mutex<bool>,
    exit: watch::Sender<Option<Exit>>,
}

impl Life {
    pub(crate) fn new(pid: Pid, tag: Tag) -> Self {
        Self {
            pid,
            tag,
            reaped: Mutex::new(false),
            exit: watch::Sender::new(None),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    pub(crate) fn raw(&self) -> Pid {
        self.pid
    }

    pub(crate) fn tag(&self) -> &Tag {
        &self.tag
    }

    fn is_reaped(&self) -> bool {
        *self.reaped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn watch(&self) -> ExitWatch {
        ExitWatch(self.exit.subscribe())
    }

    /// Called when the leader is known to be dead: kills what is left of its group while the
    /// number is still its own, then reaps it and announces the end.
    pub(crate) fn reap(&self) {
        let mut reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if *reaped {
            return;
        }
        if let Err(error) = kill_process_group(self.pid, rustix::process::Signal::KILL) {
            // EPERM is how some systems say that nothing but the dead leader is in the group.
            tracing::trace!(pid = self.pid(), %error, "nothing left to kill in the group");
        }
        // The wait counts the children in that it has waited for.
        let own = Work::of(self.pid());
        let exit = kernel::wait(self.pid);
        *reaped = true;
        drop(reaped);
        self.exit.send_replace(Some(match own {
            Some(own) => Exit {
                user_time: own.user_time,
                system_time: own.system_time,
                ..exit
            },
            None => exit,
        }));
    }

    fn signal(&self, signal: Signal, process_or_group: i32) -> Result<(), SignalError> {
        let pid = self.pid();
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if *reaped {
            return Err(SignalError::Gone { pid });
        }
        match kernel::send_to(process_or_group, signal) {
            Ok(()) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {
                Err(SignalError::Gone { pid })
            }
            Err(source) => Err(SignalError::Refused {
                pid,
                signal,
                source,
            }),
        }
    }

    fn is_stopped(&self) -> bool {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        !*reaped && kernel::is_stopped(self.pid)
    }

    /// Has the kernel limit it. Nobody is limited in its place when it is gone.
    pub(crate) fn limit(&self, limits: KernelLimits) -> io::Result<()> {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if *reaped {
            return Err(io::ErrorKind::NotFound.into());
        }
        limits.set_for(self.pid)
    }
}
