//! Waits for the processes that it was told of: by their pidfds, so that other children of this
//! process are left alone, or, where this process adopts, for all children at once.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::sync::oneshot;

use super::adopting::Orphanage;
use super::{Forking, wait_in_thread};
use crate::child::Life;
use crate::family::Orphans;
use crate::subreaper::become_subreaper;
use crate::tag::Tags;

/// Ends taken from the kernel at once; more wait for the next round.
const EVENTS_MAX: usize = 64;
/// The event that is no process (whose numbers start at 1).
const WAKE: u64 = 0;

/// One thread that polls the pidfds of all children, or one that waits for whichever child ends.
#[derive(Debug)]
pub(crate) struct Reaper(Arc<Watched>);

#[derive(Debug)]
pub(super) struct Watched {
    epoll: OwnedFd,
    wake: OwnedFd,
    /// By process number, each with its pidfd where that is needed.
    known: Mutex<HashMap<u64, (Option<OwnedFd>, Known)>>,
    closing: AtomicBool,
    /// Where orphans fall to this process. Ends of children are not polled for then.
    pub(super) orphanage: Option<Orphanage>,
}

/// What the end of a process means.
#[derive(Debug)]
pub(super) enum Known {
    /// It is to be reaped.
    Child(Arc<Life>),
    /// The child with that number is this process's own from here on.
    Middle {
        child: u64,
        done: oneshot::Sender<()>,
    },
}

impl Reaper {
    /// One that leaves children of others alone.
    pub(crate) fn start() -> io::Result<Self> {
        Self::start_with(None)
    }

    /// One for a process whose every child is this one's, and which orphans fall to from now on.
    pub(crate) fn start_adopting(tags: &Tags) -> io::Result<Self> {
        become_subreaper()?;
        let reaper = Self::start_with(Some(Orphanage::new(tags.of_node())))?;
        let watched = Arc::clone(&reaper.0);
        thread::Builder::new()
            .name("synapse-adopt".to_owned())
            .spawn(move || watched.wait_for_all())?;
        Ok(reaper)
    }

    fn start_with(orphanage: Option<Orphanage>) -> io::Result<Self> {
        let watched = Arc::new(Watched {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            known: Mutex::new(HashMap::new()),
            closing: AtomicBool::new(false),
            orphanage,
        });
        let wake = epoll::EventData::new_u64(WAKE);
        epoll::add(&watched.epoll, &watched.wake, wake, epoll::EventFlags::IN)?;
        let own = Arc::clone(&watched);
        thread::Builder::new()
            .name("synapse-reap".to_owned())
            .spawn(move || own.run())?;
        Ok(Self(watched))
    }

    pub(crate) fn adopts(&self) -> bool {
        self.0.orphanage.is_some()
    }

    /// Those that have fallen to this process.
    pub(crate) fn orphans(&self) -> Orphans {
        Orphans(self.0.orphans())
    }

    /// While this is held, a child that is not watched yet is no orphan either.
    pub(crate) fn forking(&self) -> Forking<'_> {
        self.0.orphanage.as_ref().map(Orphanage::forking)
    }

    /// Waits for a child.
    pub(crate) fn watch(&self, life: Arc<Life>) -> io::Result<()> {
        let key = u64::from(life.pid());
        if let Some(orphanage) = &self.0.orphanage {
            self.0.known().insert(key, (None, Known::Child(life)));
            orphanage.child_came();
            return Ok(());
        }
        match pidfd_open(life.raw(), PidfdFlags::empty()) {
            Ok(pidfd) => {
                let mut known = self.0.known();
                self.0.poll(key, &pidfd)?;
                known.insert(key, (Some(pidfd), Known::Child(life)));
                Ok(())
            }
            Err(Errno::NOSYS | Errno::PERM) => wait_in_thread(life),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Waits for a process that will be a child of this one when its parent, the one in the
    /// middle, has ended. From here on it is known, so that nobody takes it for a stranger
    /// that fell to this process.
    pub(crate) fn adopt(self: &Arc<Self>, life: &Arc<Life>, middle: Pid) -> io::Result<Adoption> {
        let child = (
            u64::from(life.pid()),
            pidfd_open(life.raw(), PidfdFlags::empty())?,
        );
        let parent = pidfd_open(middle, PidfdFlags::empty())?;
        let middle = u64::from(middle.as_raw_pid().unsigned_abs());
        let (done, is_done) = oneshot::channel();
        // Until it is known, it would look like what a zygote has left behind.
        let _forking = self.forking();
        let mut known = self.0.known();
        self.0.poll(middle, &parent)?;
        known.insert(child.0, (Some(child.1), Known::Child(Arc::clone(life))));
        known.insert(
            middle,
            (
                Some(parent),
                Known::Middle {
                    child: child.0,
                    done,
                },
            ),
        );
        drop(known);
        Ok(Adoption {
            reaper: Arc::clone(self),
            middle,
            is_done,
        })
    }
}

/// A process on its way to be a child of this one.
#[derive(Debug)]
pub(crate) struct Adoption {
    reaper: Arc<Reaper>,
    middle: u64,
    is_done: oneshot::Receiver<()>,
}

impl Adoption {
    /// Waits until it is one.
    pub(crate) async fn done(mut self) -> io::Result<()> {
        let is_done = (&mut self.is_done).await;
        is_done.map_err(io::Error::other)
    }
}

impl Drop for Adoption {
    /// Given up in the middle, it is nobody known any more.
    fn drop(&mut self) {
        let mut known = self.reaper.0.known();
        if let Some((_, Known::Middle { child, .. })) = known.remove(&self.middle) {
            known.remove(&child);
        }
    }
}

impl Drop for Reaper {
    /// The thread goes on until the last child is reaped.
    fn drop(&mut self) {
        self.0.closing.store(true, Ordering::Release);
        if let Some(orphanage) = &self.0.orphanage {
            // So that it cannot come between a look and the wait that follows.
            let _known = self.0.known();
            orphanage.child_came();
        }
        if let Err(error) = rustix::io::write(&self.0.wake, &1u64.to_ne_bytes()) {
            tracing::error!(%error, "reaper not woken");
        }
    }
}

impl Watched {
    pub(super) fn known(&self) -> MutexGuard<'_, HashMap<u64, (Option<OwnedFd>, Known)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(&self, key: u64, pidfd: &OwnedFd) -> rustix::io::Result<()> {
        let data = epoll::EventData::new_u64(key);
        epoll::add(&self.epoll, pidfd, data, epoll::EventFlags::IN)
    }

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
        self.is_closing() && self.known().is_empty()
    }

    /// Whether no more children will be made.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    fn ended(&self, key: u64) {
        if key == WAKE {
            let mut count = [0; 8];
            // Only here to be emptied: what it says is in `closing`.
            rustix::io::read(&self.wake, &mut count).ok();
            return;
        }
        let ended = self.known().remove(&key);
        match ended {
            Some((_, Known::Child(life))) => life.reap(),
            Some((_, Known::Middle { child, done })) => {
                self.came(child);
                // Where nobody waits any more, the child was dropped, which kills it.
                done.send(()).ok();
            }
            // Given up between its end and here.
            None => {}
        }
    }

    fn came(&self, child: u64) {
        if let Some(orphanage) = &self.orphanage {
            orphanage.child_came();
            return;
        }
        let mut known = self.known();
        let Some((Some(pidfd), _)) = known.get(&child) else {
            return;
        };
        if let Err(error) = self.poll(child, pidfd) {
            tracing::error!(%error, child, "an adopted process is not waited for");
            known.remove(&child);
        }
    }
}
