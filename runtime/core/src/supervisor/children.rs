//! The table of children: by id and in start order, with the counts that must not cost a walk.
//!
//! A child is kept in a slot that it has for life, so that an event about it costs the same
//! among a hundred thousand siblings as among ten: its id leads to the slot, and the start order
//! is looked at only by who walks over several children.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::supervisor::child::{Child, Life};
use crate::supervisor::{ChildId, ChildKind, ChildSpec, Counts};

/// A child's place in the start order, and where it is kept. The place only grows: the next child
/// always stands behind, and a key of a child that has gone finds nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    place: u64,
    slot: usize,
}

impl Key {
    /// Before every child.
    pub(super) const FIRST: Self = Self::at(0);
    /// Behind every child.
    pub(super) const END: Self = Self::at(u64::MAX);

    /// Before the child at this place, if there is one: no slot is smaller than the first.
    const fn at(place: u64) -> Self {
        Self { place, slot: 0 }
    }

    /// The place behind this one.
    pub(super) const fn next(self) -> Self {
        Self::at(self.place.saturating_add(1))
    }
}

/// What concerns one child is O(1), what concerns the order O(log n); `iter` walks. Slots of
/// children that are gone are used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Children {
    slots: Vec<Option<Placed>>,
    free: Vec<usize>,
    by_id: HashMap<ChildId, usize>,
    by_place: BTreeMap<u64, usize>,
    next: u64,
    counts: Counts,
    significant_live: usize,
}

/// A child, and its place now.
#[derive(Clone, Debug)]
struct Placed {
    place: u64,
    child: Child,
}

impl Children {
    /// Adds a child behind the others. Its id must be free.
    pub(super) fn push(&mut self, child: Child) -> Key {
        self.count_spec(child.spec.kind, 1);
        let id = child.spec.id.clone();
        let place = self.next_place();
        let placed = Some(Placed { place, child });
        let free = self.free.pop();
        let slot = free.unwrap_or(self.slots.len());
        match self.slots.get_mut(slot) {
            Some(empty) => *empty = placed,
            None => self.slots.push(placed),
        }
        self.by_id.insert(id, slot);
        self.by_place.insert(place, slot);
        Key { place, slot }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Child> {
        self.set_life(key, Life::Down)?;
        let Placed { child, .. } = self.slots.get_mut(key.slot)?.take()?;
        self.free.push(key.slot);
        self.by_place.remove(&key.place);
        self.by_id.remove(&child.spec.id);
        self.count_spec(child.spec.kind, -1);
        Some(child)
    }

    /// Puts a child behind the others. Its key from now on.
    pub(super) fn move_to_end(&mut self, key: Key) -> Option<Key> {
        self.get(key)?;
        let place = self.next_place();
        self.placed_mut(key)?.place = place;
        self.by_place.remove(&key.place);
        self.by_place.insert(place, key.slot);
        Some(Key { place, ..key })
    }

    /// Replaces the spec of a child; its id and its life stay.
    pub(super) fn set_spec(&mut self, key: Key, spec: ChildSpec) {
        let Some(life) = self.set_life(key, Life::Down) else {
            return;
        };
        if let Some(child) = self.get_mut(key) {
            let now = spec.kind;
            let before = std::mem::replace(&mut child.spec, spec);
            self.count_spec(before.kind, -1);
            self.count_spec(now, 1);
        }
        self.set_life(key, life);
    }

    /// Puts the children with these ids first, in this order, and the others behind them. The
    /// key that each had, and the one that it has now.
    pub(super) fn reorder(&mut self, ids: &[ChildId]) -> HashMap<Key, Key> {
        let named: Vec<Key> = ids.iter().filter_map(|id| self.find(id)).collect();
        let first: HashSet<Key> = named.iter().copied().collect();
        let all = self.by_place.iter();
        let all = all.map(|(place, slot)| Key {
            place: *place,
            slot: *slot,
        });
        let others: Vec<Key> = all.filter(|key| !first.contains(key)).collect();
        let keys = named.into_iter().chain(others);
        keys.filter_map(|key| Some((key, self.move_to_end(key)?)))
            .collect()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn find(&self, id: &ChildId) -> Option<Key> {
        let slot = *self.by_id.get(id)?;
        let Placed { place, .. } = self.slots.get(slot)?.as_ref()?;
        Some(Key {
            place: *place,
            slot,
        })
    }

    pub(super) fn get(&self, key: Key) -> Option<&Child> {
        let placed = self.slots.get(key.slot)?.as_ref()?;
        (placed.place == key.place).then_some(&placed.child)
    }

    /// The child, for everything but its life: see [`Self::set_life`].
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Child> {
        self.placed_mut(key).map(|placed| &mut placed.child)
    }

    /// Moves a child to another life and keeps the counts right. Returns the life before.
    pub(super) fn set_life(&mut self, key: Key, life: Life) -> Option<Life> {
        let child = self.get_mut(key)?;
        let (before, now) = (child.life.is_alive(), life.is_alive());
        let significant = child.spec.significant;
        // OTP's `pid =/= undefined` is also true of a child that is about to be restarted.
        let present = |life: &Life| significant && !matches!(life, Life::Down);
        let (was_present, is_present) = (present(&child.life), present(&life));
        let before_life = std::mem::replace(&mut child.life, life);
        self.counts.active = self.counts.active + usize::from(now) - usize::from(before);
        self.significant_live =
            self.significant_live + usize::from(is_present) - usize::from(was_present);
        Some(before_life)
    }

    /// The first child at this place or behind it.
    pub(super) fn at_or_after(&self, key: Key) -> Option<(Key, &Child)> {
        let (place, slot) = self.by_place.range(key.place..).next()?;
        self.entry(*place, *slot)
    }

    /// The last child at or behind `from` and before `end`.
    pub(super) fn last_between(&self, from: Key, end: Key) -> Option<(Key, &Child)> {
        if from >= end {
            return None;
        }
        let mut between = self.by_place.range(from.place..end.place);
        let (place, slot) = between.next_back()?;
        self.entry(*place, *slot)
    }

    /// All children in start order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Child> {
        let placed = |slot: &usize| self.slots.get(*slot)?.as_ref();
        let children = self.by_place.values().filter_map(placed);
        children.map(|placed| &placed.child)
    }

    pub(super) const fn counts(&self) -> Counts {
        self.counts
    }

    /// Significant children that are there, or about to be.
    pub(super) const fn significant_live(&self) -> usize {
        self.significant_live
    }

    fn next_place(&mut self) -> u64 {
        let place = self.next;
        self.next += 1;
        place
    }

    fn entry(&self, place: u64, slot: usize) -> Option<(Key, &Child)> {
        let key = Key { place, slot };
        self.get(key).map(|child| (key, child))
    }

    fn placed_mut(&mut self, key: Key) -> Option<&mut Placed> {
        let placed = self.slots.get_mut(key.slot)?.as_mut()?;
        (placed.place == key.place).then_some(placed)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::ChildSpec;

    fn child(id: &str) -> Child {
        Child::new(ChildSpec::worker(id), None)
    }

    fn order(children: &Children) -> String {
        let ids: Vec<_> = children
            .iter()
            .map(|child| child.spec.id.as_str())
            .collect();
        ids.join(" ")
    }

    #[test]
    fn a_key_of_a_child_that_is_gone_finds_nobody_in_its_slot() {
        let mut children = Children::default();
        let gone = children.push(child("a"));
        children.remove(gone);
        let new = children.push(child("b"));
        assert_eq!((gone.slot, children.get(gone).is_none()), (new.slot, true));
        assert_eq!(children.remove(gone).map(|child| child.spec.id), None);
        assert_eq!(order(&children), "b");
    }

    #[test]
    fn walks_go_on_from_the_place_of_a_child_that_is_gone() {
        let mut children = Children::default();
        let keys = ["a", "b", "c", "d"].map(|id| children.push(child(id)));
        children.remove(keys[1]);
        children.push(child("e")); // in the slot of b
        let next = children.at_or_after(keys[1]).map(|(key, _)| key);
        assert_eq!(next, Some(keys[2]));
        let last = children
            .last_between(Key::FIRST, keys[2])
            .map(|(key, _)| key);
        assert_eq!(last, Some(keys[0]));
        assert_eq!(order(&children), "a c d e");
    }

    #[test]
    fn a_child_moved_to_the_end_is_found_there() {
        let mut children = Children::default();
        let [first, _] = ["a", "b"].map(|id| children.push(child(id)));
        let moved = children.move_to_end(first).unwrap();
        assert_eq!(order(&children), "b a");
        assert_eq!(children.find(&"a".into()), Some(moved));
        assert!(children.get(first).is_none() && children.move_to_end(first).is_none());
    }

    #[test]
    fn children_that_come_and_go_leave_nothing_behind() {
        let mut children = Children::default();
        let stays = children.push(child("stays"));
        for _ in 0..10_000 {
            let [one, other] = ["a", "b"].map(|id| children.push(child(id)));
            let one = children.move_to_end(one).unwrap();
            children.remove(other);
            children.remove(one);
        }
        let kept = (children.slots.len(), children.free.len());
        assert_eq!((kept, children.by_place.len()), ((3, 2), 1));
        assert!(children.by_id.len() == 1 && children.get(stays).is_some());
    }
}
