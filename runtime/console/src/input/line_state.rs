//! What the line editor shows at the moment, for those who cannot ask it: other threads, and itself
//! after it has emptied its line.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::render::width;

/// The rows above a prompt are counted by reedline as if every prompt took this many cells.
const PROMPT_CELLS_ASSUMED: usize = 3;

/// The line as it was drawn last.
#[derive(Debug, Default)]
pub(super) struct LineState {
    prompt_cells: AtomicUsize,
    typed: AtomicBool,
    crowded: AtomicBool,
}

impl LineState {
    /// A prompt of this width is drawn, with nothing behind it.
    pub(super) fn begin(&self, prompt_cells: usize) {
        self.prompt_cells.store(prompt_cells, Ordering::Relaxed);
        self.typed.store(false, Ordering::Relaxed);
        self.crowded.store(false, Ordering::Relaxed);
    }

    /// The line is drawn in a terminal of this width.
    pub(super) fn drawn(&self, line: &str, cells: usize) {
        let room = has_room_above(line, self.prompt_cells.load(Ordering::Relaxed), cells);
        self.typed.store(!line.is_empty(), Ordering::Relaxed);
        self.crowded.store(!room, Ordering::Relaxed);
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.typed.load(Ordering::Relaxed)
    }

    pub(super) fn has_room_above(&self) -> bool {
        !self.crowded.load(Ordering::Relaxed)
    }
}

/// Whether lines can be printed above the prompt without tearing it. reedline counts the rows that
/// it must go up in bytes and from the end of the line, so it is right about one row only, and
/// about that only where it has counted one.
fn has_room_above(line: &str, prompt_cells: usize, cells: usize) -> bool {
    let drawn = prompt_cells + width(line);
    let counted = PROMPT_CELLS_ASSUMED + line.len();
    !line.contains('\n') && drawn < cells && counted < cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_of_one_row_has_room_above_it() {
        assert!(has_room_above("", 11, 60));
        assert!(has_room_above(&"x".repeat(48), 11, 60));
        assert!(
            !has_room_above(&"x".repeat(49), 11, 60),
            "it wraps, uncounted"
        );
        assert!(
            !has_room_above(&"é".repeat(29), 11, 60),
            "it does not wrap, but is counted so"
        );
        assert!(!has_room_above("one\ntwo", 11, 60));
    }

    #[test]
    fn a_new_prompt_is_empty_and_has_room() {
        let state = LineState::default();
        state.begin(11);
        state.drawn(&"x".repeat(80), 60);
        assert!(!state.is_empty() && !state.has_room_above());
        state.begin(11);
        assert!(state.is_empty() && state.has_room_above());
    }
}
