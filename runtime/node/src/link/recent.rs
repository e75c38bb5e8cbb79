//! The last frames of one incarnation, for whoever asks what it was doing. Noting one is a write
//! into a ring: no allocation, and no look at a clock. It knows the fronts of frames, and no more.

use synapse_wire::{FrameFront, FromAgent, FromRuntime};
use tokio::time::Instant;

use crate::handle::RunId;
use crate::view::{FrameView, Side};

/// Frames kept: some dozens of calls, or the end of a stream with what began it.
const FRAMES_KEPT: usize = 50;

/// A ring of frames.
#[derive(Debug)]
pub(super) struct Recent {
    ring: Vec<Exchanged>,
    /// Where the next one goes: the end, until the ring is full.
    next: usize,
}

#[derive(Clone, Copy, Debug)]
struct Exchanged {
    at: Instant,
    from: Side,
    front: FrameFront,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            ring: Vec::with_capacity(FRAMES_KEPT),
            next: 0,
        }
    }
}

impl Recent {
    #[inline]
    pub(super) fn note(&mut self, at: Instant, from: Side, front: FrameFront) {
        let exchanged = Exchanged { at, from, front };
        match self.ring.get_mut(self.next) {
            Some(oldest) => *oldest = exchanged,
            None => self.ring.push(exchanged),
        }
        self.next = (self.next + 1) % FRAMES_KEPT;
    }

    /// The frames, the oldest first, each with its age at `now`.
    pub(super) fn view(&self, now: Instant) -> Vec<FrameView> {
        let (newer, older) = self.ring.split_at(self.next.min(self.ring.len()));
        let frames = older.iter().chain(newer);
        frames.map(|exchanged| exchanged.view(now)).collect()
    }
}

impl Exchanged {
    fn view(&self, now: Instant) -> FrameView {
        let Self { at, from, front } = self;
        let head = front.read();
        let kind = match from {
            Side::Runtime => head.name::<FromRuntime>(),
            Side::Agent => head.name::<FromAgent>(),
        };
        FrameView {
            from: *from,
            kind: kind.unwrap_or("unknown"),
            run: (head.run > 0).then(|| RunId(head.run).to_string()),
            bytes: u64::from(head.bytes),
            age: now.saturating_duration_since(*at),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Of a frame that nobody knows.
    fn front(run: u8) -> FrameFront {
        FrameFront::of(&[0, 0, 0, 3, 0x92, 0x7f, run]).unwrap()
    }

    fn runs(recent: &Recent, now: Instant) -> Vec<String> {
        let frames = recent.view(now).into_iter();
        frames.filter_map(|frame| frame.run).collect()
    }

    #[test]
    fn the_last_are_kept_in_their_order() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        assert_eq!(runs(&recent, now), [""; 0]);
        for run in 1..=3 {
            recent.note(now, Side::Agent, front(run));
        }
        assert_eq!(runs(&recent, now), ["r-1", "r-2", "r-3"]);
        for run in 4..=120 {
            recent.note(now, Side::Agent, front(run));
        }
        let kept = runs(&recent, now);
        assert_eq!(kept.len(), FRAMES_KEPT);
        assert_eq!((kept[0].as_str(), kept[49].as_str()), ("r-71", "r-120"));
    }

    #[test]
    fn an_age_is_counted_back_from_the_moment_of_asking() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        recent.note(now, Side::Runtime, front(0));
        let later = now + Duration::from_millis(40);
        let frame = recent.view(later).remove(0);
        assert_eq!(frame.age, Duration::from_millis(40));
        assert_eq!((frame.kind, frame.run), ("unknown", None));
        // What was read of the pipe of a dead process came, as far as anybody knows, at its end.
        recent.note(later, Side::Agent, front(0));
        assert_eq!(recent.view(now)[1].age, Duration::ZERO);
    }
}
