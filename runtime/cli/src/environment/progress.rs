//! What is being done, on the terminal. It refuses to know what for.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;

/// One line that changes on a terminal; a line a stage elsewhere.
#[derive(Debug, Default)]
pub(super) struct Progress {
    shown: Mutex<bool>,
}

impl Progress {
    pub(super) fn show(&self, stage: &str) {
        let mut stderr = std::io::stderr().lock();
        if std::io::stderr().is_terminal() {
            drop(write!(stderr, "\r\x1b[2K{stage} ..."));
        } else {
            drop(writeln!(stderr, "{stage} ..."));
        }
        drop(stderr.flush());
        if let Ok(mut shown) = self.shown.lock() {
            *shown = true;
        }
    }

    pub(super) fn clear(&self) {
        let shown = self.shown.lock().is_ok_and(|shown| *shown);
        if shown && std::io::stderr().is_terminal() {
            drop(write!(std::io::stderr(), "\r\x1b[2K"));
        }
    }
}
