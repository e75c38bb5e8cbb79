//! The one that waits for every child. It refuses to know who asked for the child, so that no
//! handle has to be kept or polled for a dead process to be reaped.

use std::io;
use std::sync::Arc;
use std::thread;

use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::child::Life;

#[cfg(target_os = "linux")]
pub(crate) use polling::Reaper;

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
#[derive(Debug)]
pub(crate) struct Reaper;

#[cfg(not(target_os = "linux"))]
impl Reaper {
    pub(crate) fn start() -> io::Result<Self> {
        Ok(Self)
    }

    #[expect(clippy::unused_self, reason = "the polling one needs it")]
    pub(crate) fn watch(&self, life: Arc<Life>) -> io::Result<()> {
        wait_in_thread(life)
    }
}

#[cfg(target_os = "linux")]
mod polling {
    use std::collections::HashMap;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::thread;

    use rustix::buffer::spare_capacity;
    use rustix::event::{EventfdFlags, epoll, eventfd};
    use rustix::io::Errno;
    use rustix::process::{PidfdFlags, pidfd_open};

    use super::wait_in_thread;
    use crate::child::Life;

    /// Ends taken from the kernel at once; more wait for the next round.
    const EVENTS_MAX: usize = 64;
    /// The event that is no process (whose numbers start at 1).
    const WAKE: u64 = 0;

    /// One thread that polls the pidfds of all children.
    #[derive(Debug)]
    pub(crate) struct Reaper(Arc<Watched>);

    #[derive(Debug)]
    struct Watched {
        epoll: OwnedFd,
        wake: OwnedFd,
        children: Mutex<HashMap<u64, (OwnedFd, Arc<Life>)>>,
        closing: AtomicBool,
    }

    impl Reaper {
        pub(crate) fn start() -> io::Result<Self> {
            let watched = Arc::new(Watched {
                epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
                wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
                children: Mutex::new(HashMap::new()),
                closing: AtomicBool::new(false),
            });
            let wake = epoll::EventData::new_u64(WAKE);
            epoll::add(&watched.epoll, &watched.wake, wake, epoll::EventFlags::IN)?;
            let own = Arc::clone(&watched);
            thread::Builder::new()
                .name("synapse-reap".to_owned())
                .spawn(move || own.run())?;
            Ok(Self(watched))
        }

        pub(crate) fn watch(&self, life: Arc<Life>) -> io::Result<()> {
            let pidfd = match pidfd_open(life.raw(), PidfdFlags::empty()) {
                Ok(pidfd) => pidfd,
                Err(Errno::NOSYS | Errno::PERM) => return wait_in_thread(life),
                Err(errno) => return Err(errno.into()),
            };
            let key = u64::from(life.pid());
            let mut children = self
                .0
                .children
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let data = epoll::EventData::new_u64(key);
            epoll::add(&self.0.epoll, &pidfd, data, epoll::EventFlags::IN)?;
            children.insert(key, (pidfd, life));
            Ok(())
        }
    }

    impl Drop for Reaper {
        /// The thread goes on until the last child is reaped.
        fn drop(&mut self) {
            self.0.closing.store(true, Ordering::Release);
            if let Err(error) = rustix::io::write(&self.0.wake, &1u64.to_ne_bytes()) {
                tracing::error!(%error, "reaper not woken");
            }
        }
    }

    impl Watched {
        fn run(&self) {
            let mut events = Vec::with_capacity(EVENTS_MAX);
            while !self.finished() {
                match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => {
                        tracing::error!(%error, "reaper stopped");
                        return;
                    }
                }
                for event in events.drain(..) {
                    self.ended(event.data.u64());
                }
            }
        }

        fn finished(&self) -> bool {
            let children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
            self.closing.load(Ordering::Acquire) && children.is_empty()
        }

        fn ended(&self, key: u64) {
            if key == WAKE {
                let mut count = [0; 8];
                // Only here to be emptied: what it says is in `closing`.
                rustix::io::read(&self.wake, &mut count).ok();
                return;
            }
            let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
            let child = children.remove(&key);
            drop(children);
            if let Some((pidfd, life)) = child {
                drop(pidfd);
                life.reap();
            }
        }
    }
}
