//! The modes of the terminal at stdin, which a program that edits lines changes, and cannot put back
//! where it is killed. It refuses to know what a line is.

use std::io::stdin;

use rustix::process::getpgrp;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// The modes as they were.
#[derive(Debug)]
pub(crate) struct TerminalModes(Termios);

impl TerminalModes {
    /// As they are now; `None` where stdin is no terminal.
    pub(crate) fn now() -> Option<Self> {
        tcgetattr(stdin()).ok().map(Self)
    }

    /// Puts them back, unless the terminal is another group's by now.
    pub(crate) fn restore(&self) {
        if tcgetpgrp(stdin()) == Ok(getpgrp()) {
            // A terminal that has been closed needs none.
            tcsetattr(stdin(), OptionalActions::Now, &self.0).ok();
        }
    }
}
