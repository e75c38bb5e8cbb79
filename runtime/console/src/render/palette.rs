//! Colours by meaning, or none at all. It does not know whether there is a terminal: whoever
//! writes decides that.

use nu_ansi_term::{Color, Style};

/// How texts are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    colours: bool,
}

impl Palette {
    /// No colours: for files, pipes, `NO_COLOR` and dumb terminals.
    pub const PLAIN: Self = Self { colours: false };
    /// The sixteen colours that every terminal has, so that its theme is kept.
    pub const COLOURS: Self = Self { colours: true };

    /// Whether there are colours.
    #[must_use]
    pub const fn has_colours(self) -> bool {
        self.colours
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colours && !text.is_empty() {
            style.paint(text).to_string()
        } else {
            text.to_owned()
        }
    }

    /// What matters less.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// Names and headings.
    #[must_use]
    pub fn strong(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// All is well.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.paint(Color::Green.normal(), text)
    }

    /// Not yet, or not quite.
    #[must_use]
    pub fn warn(self, text: &str) -> String {
        self.paint(Color::Yellow.normal(), text)
    }

    /// Broken.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.paint(Color::Red.normal(), text)
    }

    /// The prompt and the verbs.
    #[must_use]
    pub fn accent(self, text: &str) -> String {
        self.paint(Color::Cyan.normal(), text)
    }
}
