//! The one that waits for every child. It refuses to know who asked for the child, so that no
//! handle has to be kept or polled for a dead process to be reaped.

#[cfg(target_os = "linux")]
mod adopting;
#[cfg(target_os = "linux")]
mod polling;

use std::io;
use std::sync::{Arc, MutexGuard};
use std::thread;

use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::child::Life;

#[cfg(target_os = "linux")]
pub(crate) use polling::Reaper;

/// Held from before a fork until its child is watched.
pub(crate) type Forking<'a> = Option<MutexGuard<'a, ()>>;

/// Waits for one child in a thread of its own: for systems without pidfd.
fn wait_in_thread(life: Arc<Life>) -> io::Result<()> {
    let name = format!("wait-{}", life.pid());
    thread::Builder::new()
        .name(name)
        .stack_size(WAITER_STACK_BYTES)
        .spawn(move || {
            // NOWAIT leaves the dead leader in place, so that its number is still its group's.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(life.raw()), options) {}
            life.reap();
        })?;
    Ok(())
}

/// A waiting thread calls two functions; there may be as many as there are children.
const WAITER_STACK_BYTES: usize = 128 * 1024;

#[cfg(not(target_os = "linux"))]
pub(crate) use waiting::Reaper;

#[cfg(not(target_os = "linux"))]
mod waiting {
    use std::io;
    use std::sync::Arc;

    use rustix::process::Pid;

    use super::{Forking, wait_in_thread};
    use crate::child::Life;
    use crate::family::Orphans;
    use crate::tag::Tags;

    #[derive(Debug)]
    pub(crate) struct Reaper;

    impl Reaper {
        pub(crate) fn start() -> io::Result<Self> {
            Ok(Self)
        }

        /// Orphans fall to the system's first process.
        pub(crate) fn start_adopting(_tags: &Tags) -> io::Result<Self> {
            Ok(Self)
        }

        #[expect(clippy::unused_self, reason = "the polling one needs it")]
        pub(crate) fn adopts(&self) -> bool {
            false
        }

        #[expect(clippy::unused_self, reason = "the polling one needs it")]
        pub(crate) fn orphans(&self) -> Orphans {
            Orphans::default()
        }

        #[expect(clippy::unused_self, reason = "the polling one needs it")]
        pub(crate) fn forking(&self) -> Forking<'_> {
            None
        }

        #[expect(clippy::unused_self, reason = "the polling one needs it")]
        pub(crate) fn watch(&self, life: Arc<Life>) -> io::Result<()> {
            wait_in_thread(life)
        }

        /// No process becomes a child of one that did not fork it.
        #[expect(clippy::unused_self, reason = "the polling one needs it")]
        pub(crate) fn adopt(
            self: &Arc<Self>,
            _life: &Arc<Life>,
            _middle: Pid,
        ) -> io::Result<Adoption> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    #[derive(Debug)]
    pub(crate) enum Adoption {}

    impl Adoption {
        pub(crate) async fn done(self) -> io::Result<()> {
            match self {}
        }
    }
}
