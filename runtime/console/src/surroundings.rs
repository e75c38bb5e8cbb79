//! What the program is surrounded by: terminals or pipes, colours or none, and how wide. The one
//! place where the console looks at its environment.

use std::io::{IsTerminal, stderr, stdin, stdout};

use crate::render::Palette;

/// A width for pipes and files, which have none: nothing is cut or broken there.
pub const CELLS_UNLIMITED: usize = 10_000;

/// What stands around the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Whether lines are typed by a person: standard input is a terminal.
    pub typed: bool,
    /// Whether lines can be edited: all three standard streams are one capable terminal.
    pub editable: bool,
    /// How to colour what goes to standard output.
    pub palette: Palette,
}

impl Surroundings {
    /// Looks at the standard streams, `NO_COLOR` and `TERM`.
    #[must_use]
    pub fn detect() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        Self::of(
            [
                stdin().is_terminal(),
                stdout().is_terminal(),
                stderr().is_terminal(),
            ],
            dumb,
            set("NO_COLOR"),
        )
    }

    fn of([input, output, errors]: [bool; 3], dumb: bool, no_color: bool) -> Self {
        let coloured = output && !dumb && !no_color;
        Self {
            typed: input && output,
            editable: input && output && errors && !dumb,
            palette: if coloured {
                Palette::COLOURS
            } else {
                Palette::PLAIN
            },
        }
    }
}

/// How many cells the terminal has in a line, now.
#[must_use]
pub fn terminal_cells() -> usize {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout());
    match size.map(|size| usize::from(size.ws_col)) {
        Ok(cells) if cells > 0 => cells,
        Ok(_) | Err(_) => CELLS_UNLIMITED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_capable_terminal_on_all_streams_is_edited_on() {
        let full = Surroundings::of([true; 3], false, false);
        assert!(full.editable && full.typed && full.palette.has_colours());
        assert!(!Surroundings::of([true, true, false], false, false).editable);
        assert!(!Surroundings::of([false, true, true], false, false).typed);
    }

    #[test]
    fn no_color_and_a_dumb_terminal_are_plain() {
        let no_color = Surroundings::of([true; 3], false, true);
        assert!(no_color.editable && !no_color.palette.has_colours());
        let dumb = Surroundings::of([true; 3], true, false);
        assert!(!dumb.editable && dumb.typed && !dumb.palette.has_colours());
    }
}
