//! The process above a node. It is small and has one thread, and does nothing but wait: so it is
//! there when the node dies, however that dies, and ends what the node leaves behind. It refuses
//! to know what a node is.
//!
//! ```text
//! whoever started it ── guard ── node ── agents ── what those start
//! ```
//! All are in one session, guard and node in one process group, so that a terminal knows both.
//! The guard is a subreaper: when the node is gone, all its descendants are the guard's children,
//! whichever session and group they have made for themselves.

/// Which of two processes this one is.
#[derive(Debug)]
pub enum Side {
    /// The guard, whose node has ended and has left nothing behind.
    Guard {
        /// What the node has exited with, or 128 and the number of the signal that killed it.
        code: u8,
    },
    /// The node. It is told to end in order (SIGTERM) when the guard dies.
    Node {
        /// The guard's process; `None` where the system cannot have one.
        guard: Option<u32>,
    },
}

/// Whether the guard of this process is gone.
#[must_use]
pub fn has_died(guard: u32) -> bool {
    let parent = rustix::process::getppid().map(|parent| parent.as_raw_pid().cast_unsigned());
    parent != Some(guard)
}

#[cfg(target_os = "linux")]
pub use linux::{divide, end_descendants};

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{divide, end_descendants};

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{self, Write};
    use std::time::Duration;

    use rustix::io::Errno;
    use rustix::process::{
        Pid, WaitOptions, WaitStatus, getpid, getppid, getsid, kill_process,
        set_parent_process_death_signal, wait,
    };
    use tokio::time::Instant;

    use super::Side;
    use crate::children;
    use crate::held_signals::{Forked, HeldSignals, Received, Sender, fork};
    use crate::kernel;
    use crate::signal::{Signal, signal_name};
    use crate::subreaper::become_subreaper;
    use crate::terminal::TerminalModes;

    /// What a terminal sends: to the whole group, so that the node has it already.
    const OF_TERMINALS: [Signal; 7] = [
        Signal::INTERRUPT,
        Signal::QUIT,
        Signal::CONTINUE,
        Signal::STOP_TYPED,
        Signal::STOP_READING,
        Signal::STOP_WRITING,
        Signal::RESIZED,
    ];
    /// What stops a process that does not hold it.
    const STOPS: [Signal; 3] = [
        Signal::STOP_TYPED,
        Signal::STOP_READING,
        Signal::STOP_WRITING,
    ];
    /// How long killed processes may take to be gone. One that the system does not let go (broken
    /// hardware, a dead file server, another user's) is not waited for longer.
    const GONE_TIMEOUT: Duration = Duration::from_secs(10);
    /// From one look at what is left to the next, where no end is announced.
    const LOOK_AGAIN: Duration = Duration::from_millis(5);

    /// Puts a guard above the rest of this process. Returns twice: at once in the process that goes
    /// on as the node, and in the guard when that has ended. To be called first of all: the
    /// process must have one thread.
    pub fn divide() -> io::Result<Side> {
        kernel::keep_wait_statuses();
        // Held from here on, none is lost between the fork and the wait.
        let signals = HeldSignals::hold()?;
        match forked(&signals) {
            Ok(side) => Ok(side),
            Err(error) => {
                signals.release()?;
                Err(error)
            }
        }
    }

    fn forked(signals: &HeldSignals) -> io::Result<Side> {
        become_subreaper()?;
        // A shell that has become this program may have left jobs behind, which are its own.
        let strangers = children::of_all_threads()?;
        let guard = getpid();
        match fork()? {
            Forked::Parent { child } => {
                let mut guard = Guard {
                    node: child,
                    strangers,
                    signals: *signals,
                };
                Ok(Side::Guard {
                    code: guard.stand(),
                })
            }
            Forked::Child => {
                set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
                if getppid() != Some(guard) {
                    return Err(io::Error::other("the guard has ended already"));
                }
                signals.release()?;
                Ok(Side::Node {
                    guard: Some(guard.as_raw_pid().unsigned_abs()),
                })
            }
        }
    }

    struct Guard {
        node: Pid,
        strangers: Vec<Pid>,
        signals: HeldSignals,
    }

    impl Guard {
        fn stand(&mut self) -> u8 {
            // For people who look at lists of processes; without a name of its own it guards as well.
            rustix::thread::set_name(c"synapse-guard").ok();
            let modes = TerminalModes::now();
            let status = loop {
                if let Some(status) = self.reap() {
                    break status;
                }
                if let Some(received) = self.signals.next(None) {
                    self.hear(received);
                }
            };
            // The end of a child cuts it short.
            let pause = |within| {
                self.signals.next(Some(within));
            };
            end_children(&mut self.strangers, pause);
            if let Some(signal) = status.terminating_signal() {
                // It could not put its terminal back, nor say anything.
                if let Some(modes) = modes {
                    modes.restore();
                }
                let (node, name) = (self.node.as_raw_pid(), signal_name(signal));
                say(&format!(
                    "the node (process {node}) was killed by signal {signal} ({})",
                    name.unwrap_or("unknown"),
                ));
            }
            code(status)
        }

        /// Reaps all that are dead. The node's end, where that is among them.
        fn reap(&mut self) -> Option<WaitStatus> {
            let mut of_node = None;
            while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
                self.strangers.retain(|stranger| *stranger != pid);
                if pid == self.node {
                    of_node = Some(status);
                }
            }
            of_node
        }

        fn hear(&self, received: Received) {
            let signal = received.signal;
            let has_it = match received.sender {
                // The node stops its whole group, itself among it.
                Sender::Process(sender) => sender == Some(self.node),
                Sender::Kernel if signal == Signal::HANGUP => !leads_session(),
                Sender::Kernel => signal == Signal::CHILD || OF_TERMINALS.contains(&signal),
            };
            if !has_it {
                kernel::send(self.node, signal);
            }
            if STOPS.contains(&signal) {
                HeldSignals::act(signal);
            }
        }
    }

    /// The end of a terminal is told to the process that leads its session, and to no other: to
    /// this one where no shell stands between (a window that was opened for it).
    fn leads_session() -> bool {
        getsid(None).is_ok_and(|leader| leader == getpid())
    }

    fn code(status: WaitStatus) -> u8 {
        let signalled = || Some(128 + status.terminating_signal()?);
        let code = status.exit_status().or_else(signalled);
        code.and_then(|code| u8::try_from(code).ok())
            .unwrap_or(u8::MAX)
    }

    /// Kills every descendant of this process and waits for it: what the node does where its guard
    /// is gone. Says on stderr what could not be killed.
    pub fn end_descendants() {
        end_children(&mut Vec::new(), std::thread::park_timeout);
    }

    /// What a child leaves behind is a child when the child is reaped: so it goes until there is
    /// none but the strangers.
    fn end_children(strangers: &mut Vec<Pid>, pause: impl Fn(Duration)) {
        let deadline = Instant::now() + GONE_TIMEOUT;
        loop {
            let none_is_left = loop {
                match wait(WaitOptions::NOHANG) {
                    Ok(Some((pid, _status))) => strangers.retain(|stranger| *stranger != pid),
                    Err(Errno::INTR) => {}
                    Ok(None) => break false,
                    Err(_) => break true,
                }
            };
            if none_is_left {
                return;
            }
            let mut left = match children::of_all_threads() {
                Ok(children) => children,
                Err(error) => return say(&format!("cannot see what is left: {error}")),
            };
            left.retain(|pid| !strangers.contains(pid));
            if left.is_empty() {
                return;
            }
            for pid in &left {
                // Where that is not allowed, the deadline tells.
                kill_process(*pid, rustix::process::Signal::KILL).ok();
            }
            if Instant::now() > deadline {
                let left: Vec<_> = left.iter().map(|pid| pid.as_raw_pid()).collect();
                return say(&format!("processes that cannot be killed: {left:?}"));
            }
            pause(LOOK_AGAIN);
        }
    }

    /// There is no log here, and a closed stderr is no reason to stay.
    fn say(what: &str) {
        writeln!(io::stderr(), "warning: {what}").ok();
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::io;

    use super::Side;

    /// No process can have its node's descendants fall to it: there is no guard.
    pub fn divide() -> io::Result<Side> {
        Ok(Side::Node { guard: None })
    }

    /// They cannot be found.
    pub fn end_descendants() {}
}
