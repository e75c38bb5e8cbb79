//! Widths, columns and line breaks in terminal cells, colours not counted. It knows no subject.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The narrowest terminal that is laid out for; below it lines break where the terminal breaks
/// them.
const WIDTH_MIN: usize = 20;

/// The cells that a text takes; escape sequences take none.
#[must_use]
pub fn width(text: &str) -> usize {
    if text.contains('\u{1b}') {
        strip_escapes(text).width()
    } else {
        text.width()
    }
}

/// The text without escape sequences of the kind that [`super::Palette`] makes (CSI).
#[must_use]
pub fn strip_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

/// What others wrote (an agent, a model, a log line) may hold escape sequences that would move
/// the cursor or repaint the screen: control characters other than line breaks and tabs are shown.
#[must_use]
pub fn printable(text: &str) -> String {
    let harmless = |character: char| !character.is_control() || matches!(character, '\n' | '\t');
    if text.chars().all(harmless) {
        return text.to_owned();
    }
    let text = text.replace("\r\n", "\n");
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if harmless(character) {
            shown.push(character);
        } else if character.is_ascii() {
            shown.push('^');
            shown.push(char::from((character as u8) ^ 0x40));
        } else {
            shown.push('\u{fffd}');
        }
    }
    shown
}

/// The text, padded on the right to this many cells.
#[must_use]
pub fn pad(text: &str, cells: usize) -> String {
    let missing = cells.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// The text, padded on the left to this many cells.
#[must_use]
pub fn pad_left(text: &str, cells: usize) -> String {
    let missing = cells.saturating_sub(width(text));
    format!("{}{text}", " ".repeat(missing))
}

/// How a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Names and words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of cells in aligned columns, three spaces between them, nothing behind the last.
#[must_use]
pub fn columns(aligns: &[Align], rows: &[Vec<String>]) -> Vec<String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| width(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(widest).collect();
    rows.iter()
        .map(|row| line_of(aligns, &widths, row))
        .collect()
}

fn line_of(aligns: &[Align], widths: &[usize], row: &[String]) -> String {
    let mut line = String::new();
    for (column, (cell, cells)) in row.iter().zip(widths).enumerate() {
        if column > 0 {
            line.push_str("   ");
        }
        match aligns.get(column) {
            Some(Align::Right) => line.push_str(&pad_left(cell, *cells)),
            Some(Align::Left) | None => line.push_str(&pad(cell, *cells)),
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// Breaks the lines of a plain text at spaces so that none is wider than `cells`, words longer
/// than that excepted; lines that this makes begin with `indent`.
#[must_use]
pub fn wrap(text: &str, cells: usize, indent: &str) -> String {
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| wrap_line(line, cells, indent))
        .collect();
    lines.join("\n")
}

fn wrap_line(text: &str, cells: usize, indent: &str) -> String {
    if cells < WIDTH_MIN || width(text) <= cells {
        return text.to_owned();
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    for (index, word) in text.split(' ').enumerate() {
        let fits = width(&line) + 1 + width(word) <= cells;
        if !fits && !line.trim().is_empty() {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
        } else if index > 0 {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.join("\n")
}

/// Cuts a plain text that is wider than `cells`, and says so with an ellipsis.
#[must_use]
pub fn clip(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let mut clipped = String::new();
    let mut used = 1;
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > cells {
            break;
        }
        clipped.push(character);
    }
    clipped.push('…');
    clipped
}

/// Every line of the text behind this prefix.
#[must_use]
pub(super) fn indented(text: &str, prefix: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("{prefix}{line}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Palette;

    #[test]
    fn wide_characters_and_colours_are_measured_in_cells() {
        assert_eq!(width("日本"), 4);
        assert_eq!(width(&Palette::COLOURS.bad("é")), 1);
        assert_eq!(pad("日", 4), "日  ");
    }

    #[test]
    fn an_escape_sequence_of_an_agent_is_shown_and_not_obeyed() {
        assert_eq!(
            printable("a\u{1b}[2Jb\rc\n\td\u{9b}"),
            "a^[[2Jb^Mc\n\td\u{fffd}"
        );
        assert_eq!(
            printable("windows\r\nline"),
            "windows\r\nline".replace('\r', "^M").replace("^M\n", "\n")
        );
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["a", "10", "x"]), row(["long", "2", ""])];
        let lines = columns(&[Align::Left, Align::Right, Align::Left], &rows);
        assert_eq!(lines, ["a      10   x", "long    2"]);
    }

    #[test]
    fn long_lines_break_at_spaces() {
        let text = "one two three four five six";
        assert_eq!(wrap(text, 20, "  "), "one two three four\n  five six");
        assert_eq!(wrap(text, 5, ""), text);
        let indented = wrap("  a line that is indented itself", 22, "    ");
        assert_eq!(indented, "  a line that is\n    indented itself");
    }

    #[test]
    fn a_cut_is_marked() {
        assert_eq!(clip("日本語", 5), "日本…");
        assert_eq!(clip("abc", 3), "abc");
    }
}
