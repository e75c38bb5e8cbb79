//! The table of children: by id and in start order, with the counts that must not cost a walk.

use std::collections::{BTreeMap, HashMap};

use crate::supervisor::child::{Child, Life};
use crate::supervisor::{ChildId, ChildKind, Counts};

/// A child's place in the start order. Only grows; the next child always stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(u64);

impl Key {
    /// Before every child.
    pub(super) const FIRST: Self = Self(0);
    /// Behind every child.
    pub(super) const END: Self = Self(u64::MAX);

    /// The place behind this one.
    pub(super) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Everything here is O(log n) but `iter`.
#[derive(Clone, Debug, Default)]
pub(super) struct Children {
    by_key: BTreeMap<u64, Child>,
    by_id: HashMap<ChildId, Key>,
    next: u64,
    counts: Counts,
    significant_live: usize,
}

impl Children {
    /// Adds a child behind the others. Its id must be free.
    pub(super) fn push(&mut self, child: Child) -> Key {
        let key = Key(self.next);
        self.next += 1;
        self.by_id.insert(child.spec.id.clone(), key);
        self.count_spec(child.spec.kind, 1);
        self.by_key.insert(key.0, child);
        key
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Child> {
        self.set_life(key, Life::Down);
        let child = self.by_key.remove(&key.0)?;
        self.by_id.remove(&child.spec.id);
        self.count_spec(child.spec.kind, -1);
        Some(child)
    }

    /// Puts a child behind the others.
    pub(super) fn move_to_end(&mut self, key: Key) -> Option<Key> {
        let child = self.remove(key)?;
        Some(self.push(child))
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn find(&self, id: &ChildId) -> Option<Key> {
        self.by_id.get(id).copied()
    }

    pub(super) fn get(&self, key: Key) -> Option<&Child> {
        self.by_key.get(&key.0)
    }

    /// The child, for everything but its life: see [`Self::set_life`].
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Child> {
        self.by_key.get_mut(&key.0)
    }

    /// Moves a child to another life and keeps the counts right. Returns the life before.
    pub(super) fn set_life(&mut self, key: Key, life: Life) -> Option<Life> {
        let child = self.by_key.get_mut(&key.0)?;
        let (before, now) = (child.life.is_alive(), life.is_alive());
        let significant = child.spec.significant;
        // OTP's `pid =/= undefined` is also true of a child that is about to be restarted.
        let present = |life: &Life| significant && !matches!(life, Life::Down);
        let (was_present, is_present) = (present(&child.life), present(&life));
        self.counts.active = self.counts.active + usize::from(now) - usize::from(before);
        self.significant_live =
            self.significant_live + usize::from(is_present) - usize::from(was_present);
        Some(std::mem::replace(&mut child.life, life))
    }

    /// The first child at this place or behind it.
    pub(super) fn at_or_after(&self, key: Key) -> Option<(Key, &Child)> {
        self.by_key
            .range(key.0..)
            .next()
            .map(|(key, child)| (Key(*key), child))
    }

    /// The last child at or behind `from` and before `end`.
    pub(super) fn last_between(&self, from: Key, end: Key) -> Option<(Key, &Child)> {
        if from >= end {
            return None;
        }
        self.by_key
            .range(from.0..end.0)
            .next_back()
            .map(|(key, child)| (Key(*key), child))
    }

    /// The children at this place or behind it, for everything but their lives.
    pub(super) fn iter_mut(&mut self, from: Key) -> impl Iterator<Item = &mut Child> {
        self.by_key.range_mut(from.0..).map(|(_, child)| child)
    }

    /// All children in start order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Child> {
        self.by_key.values()
    }

    pub(super) const fn counts(&self) -> Counts {
        self.counts
    }

    /// Significant children that are there, or about to be.
    pub(super) const fn significant_live(&self) -> usize {
        self.significant_live
    }

    const fn count_spec(&mut self, kind: ChildKind, by: isize) {
        let counts = &mut self.counts;
        counts.specs = counts.specs.saturating_add_signed(by);
        match kind {
            ChildKind::Worker => counts.workers = counts.workers.saturating_add_signed(by),
            ChildKind::Supervisor => {
                counts.supervisors = counts.supervisors.saturating_add_signed(by);
            }
        }
    }
}
