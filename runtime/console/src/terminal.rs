//! The terminal's modes, and that they are restored. It does not know what is written there.
//!
//! While the console has the terminal it is *quiet*: nothing is echoed and nothing is held back
//! until a line is complete, so that what is typed while an answer streams neither mixes into it
//! nor is lost: the line editor finds it afterwards. The line editor's raw mode goes on top of
//! this and comes back to it. Ctrl-C stays a signal.

use std::io::{self, Write};

use rustix::stdio::stdin;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

/// What disables a special character (`_POSIX_VDISABLE`).
const DISABLED: u8 = if cfg!(target_os = "linux") { 0 } else { 0xff };

/// Ends what a line editor may have begun: bracketed paste, a hidden cursor, a colour.
const FAREWELL: &[u8] = b"\x1b[?2004l\x1b[?25h\x1b[0m";

/// A terminal that is as it was when this is dropped, whatever happened meanwhile.
#[derive(Debug)]
pub(crate) struct Terminal {
    original: Termios,
}

impl Terminal {
    /// Takes the terminal of standard input and makes it quiet.
    pub(crate) fn take() -> io::Result<Self> {
        let terminal = Self {
            original: tcgetattr(stdin())?,
        };
        terminal.quiet()?;
        Ok(terminal)
    }

    /// Quiet again, after the process was stopped and continued.
    pub(crate) fn quiet(&self) -> io::Result<()> {
        Ok(tcsetattr(
            stdin(),
            OptionalActions::Now,
            &quiet(&self.original),
        )?)
    }

    /// As it was before.
    pub(crate) fn restore(&self) -> io::Result<()> {
        let mut output = io::stdout().lock();
        // Where the terminal is gone there is nothing to end.
        let said = output.write_all(FAREWELL).and_then(|()| output.flush());
        tcsetattr(stdin(), OptionalActions::Now, &self.original)?;
        said
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Nobody is left to be told, and a terminal that is gone needs no restoring.
        drop(self.restore());
    }
}

fn quiet(original: &Termios) -> Termios {
    let mut modes = original.clone();
    modes
        .local_modes
        .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ECHONL);
    // Return must arrive as the line editor expects it.
    modes
        .input_modes
        .remove(InputModes::ICRNL | InputModes::INLCR);
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    // A stop in the middle of an answer would leave the shell a quiet terminal; at the prompt
    // Ctrl-Z is a key, and done in order.
    modes.special_codes[SpecialCodeIndex::VSUSP] = DISABLED;
    modes
}
