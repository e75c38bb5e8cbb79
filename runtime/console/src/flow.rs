//! Text that comes in pieces, broken at words for a terminal: a word that does not fit is taken
//! back and begun on the next line. It does not know whose text it is.

use unicode_width::UnicodeWidthChar;

/// Cells that a tab is shown as; the terminal's own tab stops cannot be counted.
const TAB: &str = "    ";

/// Where the cursor is, and the word that it stands in.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    column: usize,
    word: String,
    word_cells: usize,
}

impl Flow {
    /// Cells used in the line that the cursor is in.
    pub(crate) const fn column(&self) -> usize {
        self.column
    }

    /// Something else was written in the line.
    pub(crate) fn advance(&mut self, cells: usize) {
        self.end_word();
        self.column += cells;
    }

    /// The cursor is at the beginning of a line.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// What to write for the next piece, in a terminal of this width. The last column stays free,
    /// since terminals differ about what follows it.
    pub(crate) fn push(&mut self, text: &str, cells: usize) -> String {
        let limit = cells.saturating_sub(1).max(1);
        let mut written = String::with_capacity(text.len());
        for character in text.replace('\t', TAB).chars() {
            match character {
                '\n' => {
                    written.push('\n');
                    self.reset();
                }
                ' ' if self.column < limit => {
                    written.push(' ');
                    self.advance(1);
                }
                ' ' => self.end_word(),
                other => self.letter(other, limit, &mut written),
            }
        }
        written
    }

    fn letter(&mut self, letter: char, limit: usize, written: &mut String) {
        let width = letter.width().unwrap_or(0);
        if self.column + width > limit {
            self.break_line(written);
        }
        written.push(letter);
        self.column += width;
        self.word.push(letter);
        self.word_cells += width;
        if width > 1 {
            // Scripts of wide characters have no spaces, and break anywhere.
            self.end_word();
        }
    }

    /// Begins the next line with the word that is being written; a word that is longer than a line
    /// is broken where it is.
    fn break_line(&mut self, written: &mut String) {
        if self.word_cells >= self.column {
            self.end_word();
        }
        if self.word_cells > 0 {
            written.push_str(&format!("\u{1b}[{}D\u{1b}[K", self.word_cells));
        }
        written.push('\n');
        written.push_str(&self.word);
        self.column = self.word_cells;
    }

    fn end_word(&mut self) {
        self.word.clear();
        self.word_cells = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal shows after these pieces.
    fn shown(pieces: &[&str], cells: usize) -> String {
        let mut flow = Flow::default();
        let written: String = pieces.iter().map(|piece| flow.push(piece, cells)).collect();
        let mut screen = String::new();
        let mut rest = written.as_str();
        while let Some((before, after)) = rest.split_once("\u{1b}[") {
            let (count, after) = after.split_once("D\u{1b}[K").unwrap();
            screen.push_str(before);
            for _ in 0..count.parse().unwrap() {
                screen.pop();
            }
            rest = after;
        }
        screen + rest
    }

    #[test]
    fn words_are_broken_nowhere_however_they_come() {
        let expected = "once upon \na time \nthere";
        assert_eq!(shown(&["once upon a time there"], 11), expected);
        assert_eq!(
            shown(&["on", "ce up", "on a ti", "me th", "ere"], 11),
            expected
        );
    }

    #[test]
    fn a_word_longer_than_a_line_is_broken_where_it_is() {
        assert_eq!(shown(&["abcdefghij", "klm"], 6), "abcde\nfghij\nklm");
        assert_eq!(shown(&["a bcdefghijk"], 6), "a \nbcdef\nghijk");
    }

    #[test]
    fn wide_characters_break_anywhere_and_lines_of_their_own_stay() {
        assert_eq!(shown(&["日本語日本"], 7), "日本語\n日本");
        assert_eq!(shown(&["one\n\ttwo"], 20), "one\n    two");
    }

    #[test]
    fn a_space_at_the_edge_is_not_written() {
        assert_eq!(shown(&["abcde fg"], 6), "abcde\nfg");
    }
}
