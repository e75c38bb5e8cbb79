//! Waits for every child of a process that orphans fall to, those among them that nobody here has
//! started. An orphan whose incarnation has ended is killed. It refuses to share: no other part of
//! the process may wait for children.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::polling::{Known, Watched};
use crate::child::Life;
use crate::children::{self, Seen};
use crate::kernel;
use crate::tag::{Family, Tag};

/// A child may be known before it falls to this process.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// What is known of orphans.
#[derive(Debug)]
pub(super) struct Orphanage {
    /// The tags of those whose leftovers these may be.
    family: Family,
    /// Held around a fork: the child is somebody's although it is not watched yet.
    forking: Mutex<()>,
    /// The tag of each orphan, where it is of the family. Its number is its own until it is reaped.
    tags: Mutex<HashMap<Pid, Option<Tag>>>,
    /// There is a new child, or no more will come.
    news: Condvar,
}

impl Orphanage {
    pub(super) fn new(family: Family) -> Self {
        Self {
            family,
            forking: Mutex::default(),
            tags: Mutex::default(),
            news: Condvar::new(),
        }
    }

    pub(super) fn forking(&self) -> MutexGuard<'_, ()> {
        self.forking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn child_came(&self) {
        self.news.notify_one();
    }

    fn tags(&self) -> MutexGuard<'_, HashMap<Pid, Option<Tag>>> {
        self.tags.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an orphan belongs to an incarnation that has ended. One that hides its tag may
    /// belong to a living one, and is left to the end of the node.
    fn is_leftover(&self, pid: Pid, living: &[Arc<Life>]) -> bool {
        let tag = self.tag_of(pid);
        tag.is_some_and(|tag| !living.iter().any(|life| *life.tag() == tag))
    }

    /// The tag of an orphan, where it is known to be of the family.
    fn tag_of(&self, pid: Pid) -> Option<Tag> {
        let mut tags = self.tags();
        let tag = match tags.entry(pid) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(match children::tag_of(pid) {
                Seen::Tag(tag) => Some(tag).filter(|tag| self.family.has(tag)),
                Seen::Nothing => None,
                Seen::Dead => return None,
            }),
        };
        tag.clone()
    }
}

impl Watched {
    /// Waits for whichever child ends next, until no more will come.
    pub(super) fn wait_for_all(&self) {
        let Some(orphanage) = &self.orphanage else {
            return;
        };
        loop {
            match kernel::wait_for_a_dead_child() {
                Ok(pid) => self.child_ended(orphanage, pid),
                Err(Errno::INTR) => {}
                Err(Errno::CHILD) if self.wait_for_news(orphanage) => {}
                Err(Errno::CHILD) => return,
                Err(error) => {
                    tracing::error!(%error, "reaper stopped");
                    return;
                }
            }
        }
    }

    /// Without a child there is nobody who could leave an orphan. False where none will come.
    fn wait_for_news(&self, orphanage: &Orphanage) -> bool {
        let known = self.known();
        if !known.is_empty() {
            drop(orphanage.news.wait_timeout(known, LOOK_AGAIN));
        } else if self.is_closing() {
            return false;
        } else {
            drop(orphanage.news.wait(known));
        }
        true
    }

    /// A child is dead, and not reaped yet: what it has left behind is this process's already.
    fn child_ended(&self, orphanage: &Orphanage, pid: Pid) {
        orphanage.tags().remove(&pid);
        let key = key(pid);
        let mut known = self.known();
        let life = match known.get(&key) {
            Some((_, Known::Child(life))) => Some(Arc::clone(life)),
            // It is polled for; here it is only reaped, where its own parent has gone.
            Some((_, Known::Middle { .. })) | None => None,
        };
        if life.is_some() {
            known.remove(&key);
        }
        drop(known);
        self.end_leftovers(orphanage);
        match life {
            Some(life) => life.reap(),
            None => self.reap_orphan(orphanage, pid),
        }
    }

    fn reap_orphan(&self, orphanage: &Orphanage, pid: Pid) {
        // A child that could not execute its program is reaped by the thread that forked it, and
        // one that has ended at once is watched by now: it is found again.
        let _forking = orphanage.forking();
        if !self.is_child(pid) {
            kernel::reap_if_dead(pid);
        }
    }

    /// Kills the orphans of incarnations that have ended. What those leave behind in turn is
    /// looked at when they are reaped.
    fn end_leftovers(&self, orphanage: &Orphanage) {
        let mut orphans = match children::of_main_thread() {
            Ok(children) => children,
            Err(error) => {
                tracing::error!(%error, "orphans not looked for");
                return;
            }
        };
        self.retain_strangers(&mut orphans);
        if orphans.is_empty() {
            return;
        }
        let forking = orphanage.forking();
        self.retain_strangers(&mut orphans);
        let living = self.lives();
        for pid in orphans {
            if orphanage.is_leftover(pid, &living)
                && let Err(error) = kill_process(pid, Signal::KILL)
            {
                tracing::warn!(pid = pid.as_raw_pid(), %error, "leftover not killed");
            }
        }
        drop(forking);
    }

    /// The orphans of this process whose tags are known.
    pub(super) fn orphans(&self) -> Vec<(Tag, Pid)> {
        let Some(orphanage) = &self.orphanage else {
            return Vec::new();
        };
        let mut orphans = children::of_main_thread().unwrap_or_default();
        self.retain_strangers(&mut orphans);
        let _forking = orphanage.forking();
        self.retain_strangers(&mut orphans);
        let tagged = orphans.into_iter();
        tagged
            .filter_map(|pid| Some((orphanage.tag_of(pid)?, pid)))
            .collect()
    }

    fn is_child(&self, pid: Pid) -> bool {
        matches!(self.known().get(&key(pid)), Some((_, Known::Child(_))))
    }

    /// Leaves those that nobody here has started.
    fn retain_strangers(&self, pids: &mut Vec<Pid>) {
        let known = self.known();
        pids.retain(|pid| !known.contains_key(&key(*pid)));
    }

    fn lives(&self) -> Vec<Arc<Life>> {
        let known = self.known();
        let lives = known.values().filter_map(|(_, known)| match known {
            Known::Child(life) => Some(Arc::clone(life)),
            Known::Middle { .. } => None,
        });
        lives.collect()
    }
}

fn key(pid: Pid) -> u64 {
    u64::from(pid.as_raw_pid().unsigned_abs())
}
