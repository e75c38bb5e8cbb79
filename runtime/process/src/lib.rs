//! Operating-system processes: spawn, pipes, reaping, groups. It refuses to know what a process is
//! for: no actor, no protocol, no agent.
//!
//! - [`Spawner`] forks every process from one thread that lives as long as its children, because
//!   the kernel's parent-death signal follows the thread that forked.
//! - [`Child`] is what comes back: three pipes, an [`ExitWatch`] and a [`ProcessGroup`].
//! - Death is decided by the wait status, never by end of file: a grandchild may hold a pipe. One
//!   reaper waits for every child, so that no handle has to be kept for a process to be reaped.
//! - [`Zygote`] speaks with a warm process that forks children for this one, on Linux.
//! - Whatever is left of a process group when its leader dies is killed with it.
#![warn(missing_docs)]

#[cfg(target_os = "linux")]
pub mod cgroup;
mod child;
#[cfg(target_os = "linux")]
mod children;
mod command;
mod exit;
mod family;
pub mod guard;
#[cfg(target_os = "linux")]
mod held_signals;
mod inspect;
mod kernel;
mod limits;
mod oom;
mod pipe;
mod reaper;
mod signal;
mod spawner;
mod subreaper;
mod tag;
#[cfg(target_os = "linux")]
mod terminal;
mod usage;
mod zygote;

pub use child::{Child, ExitWatch, ProcessGroup, SignalError};
pub use command::{Command, Input, SpawnError};
pub use exit::{Exit, ExitStatus};
pub use family::{Family, Orphans};
pub use inspect::{
    catches, is_alive, is_pending, proportional_bytes, resident_bytes, threads_that_block,
};
pub use limits::{Enforceable, KernelLimits};
pub use oom::{OomVerdict, OomWatch};
pub use pipe::pipe_size;
pub use signal::{Signal, signal_name};
pub use spawner::Spawner;
pub use subreaper::become_subreaper;
pub use usage::{Usage, Work};
pub use zygote::{Birth, Zygote, ZygoteError};
