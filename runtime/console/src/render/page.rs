//! A page of keys with values, and of quoted texts. It knows no subject.

use super::layout::{indented, pad, wrap};
use super::{Palette, printable};

/// How far the values stand to the right of their keys' beginnings.
const KEY_CELLS: usize = 14;

#[derive(Debug)]
pub(super) struct Page {
    pub(super) lines: Vec<String>,
    pub(super) cells: usize,
    pub(super) palette: Palette,
}

impl Page {
    pub(super) const fn new(cells: usize, palette: Palette) -> Self {
        Self {
            lines: Vec::new(),
            cells,
            palette,
        }
    }

    pub(super) fn pair(&mut self, key: &str, value: &str) {
        let key = self.palette.dim(&pad(key, KEY_CELLS));
        let value = wrap(&printable(value), self.cells.saturating_sub(KEY_CELLS), "");
        let value = value.replace('\n', &format!("\n{}", " ".repeat(KEY_CELLS)));
        self.lines.push(format!("{key}{value}"));
    }

    /// A text as it was written, below its key.
    pub(super) fn quote(&mut self, key: &str, text: &str) {
        if !text.trim().is_empty() {
            self.lines.push(self.palette.dim(key));
            self.lines.push(indented(printable(text).trim_end(), "  "));
        }
    }

    pub(super) fn text(self) -> String {
        self.lines.join("\n")
    }
}
