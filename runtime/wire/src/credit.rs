//! How far a stream may run ahead of its reader. Refuses to know runs, frames and readers.
//!
//! Half a window is granted at a time, so that a busy stream costs one `credit` frame per 32 chunks
//! or more. The window doubles whenever the reader has taken everything and the sender has spent
//! everything: then credit, not the reader, was what slowed the stream.

use crate::limits::STREAM_CREDIT_MAX;

/// The ledger of one stream. `taken <= received <= granted`, and `granted - taken`, which is what
/// may wait in memory, never exceeds `STREAM_CREDIT_MAX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    size: u32,
    granted: u64,
    received: u64,
    taken: u64,
}

impl Window {
    /// A stream whose `call` grants `initial` chunks, at most `STREAM_CREDIT_MAX`.
    #[must_use]
    pub fn new(initial: u32) -> Self {
        let size = initial.min(STREAM_CREDIT_MAX);
        Self {
            size,
            granted: size.into(),
            received: 0,
            taken: 0,
        }
    }

    /// A chunk came: whether there was credit for it.
    #[must_use]
    pub fn spend(&mut self) -> bool {
        let covered = self.received < self.granted;
        if covered {
            self.received += 1;
        }
        covered
    }

    /// Chunks that the sender may still send.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.granted - self.received
    }

    /// The reader took some chunks: how many more to grant now, if it is time.
    #[must_use]
    pub fn take(&mut self, chunks: u32) -> Option<u32> {
        self.taken = (self.taken + u64::from(chunks)).min(self.received);
        if self.taken == self.granted {
            self.size = self.size.max(1).saturating_mul(2).min(STREAM_CREDIT_MAX);
        }
        let ahead = u32::try_from(self.granted - self.taken).unwrap_or(u32::MAX);
        let grant = self.size.saturating_sub(ahead);
        if ahead > self.size / 2 || grant == 0 {
            return None;
        }
        self.granted += u64::from(grant);
        Some(grant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::STREAM_CREDIT_INITIAL;

    fn send(window: &mut Window, chunks: u64) {
        for _ in 0..chunks {
            assert!(window.spend());
        }
    }

    #[test]
    fn chunk_beyond_credit_is_not_covered() {
        let mut window = Window::new(2);
        send(&mut window, 2);
        assert!(!window.spend());
        assert_eq!(window.left(), 0);
    }

    #[test]
    fn reader_that_keeps_up_costs_a_grant_per_half_window() {
        let mut window = Window::new(STREAM_CREDIT_INITIAL);
        let mut grants = Vec::new();
        for _ in 0..640 {
            send(&mut window, 1);
            grants.extend(window.take(1));
        }
        assert!(grants.iter().all(|grant| *grant == 32), "{grants:?}");
        assert_eq!(grants.len(), 20);
    }

    #[test]
    fn window_doubles_to_its_limit_when_credit_is_what_slows_the_stream() {
        let mut window = Window::new(STREAM_CREDIT_INITIAL);
        let mut grants = Vec::new();
        for _ in 0..5 {
            let burst = window.left();
            send(&mut window, burst);
            grants.extend(window.take(u32::try_from(burst).unwrap()));
        }
        assert_eq!(grants, [128, 256, 512, 512, 512]);
    }

    #[test]
    fn slow_reader_gets_no_larger_window() {
        let mut window = Window::new(STREAM_CREDIT_INITIAL);
        for _ in 0..100 {
            let burst = window.left();
            send(&mut window, burst);
            assert!(window.take(16).is_none_or(|grant| grant <= 32));
        }
    }

    #[test]
    fn reader_cannot_take_what_has_not_come() {
        let mut window = Window::new(4);
        send(&mut window, 1);
        assert_eq!(window.take(u32::MAX), None);
        assert_eq!(window.left(), 3);
    }
}
