//! A replica without a process, and how it is told that calls need one.

use std::fmt;

/// Woken at most once: whoever wakes it gives it up.
pub(crate) struct Sleeper {
    pub(super) replica: usize,
    wake: Box<dyn FnOnce() + Send>,
}

impl Sleeper {
    /// `wake` is called under the mailbox's lock: it must not wait.
    pub(crate) fn new(replica: usize, wake: impl FnOnce() + Send + 'static) -> Self {
        Self {
            replica,
            wake: Box::new(wake),
        }
    }

    pub(super) fn wake(self) {
        (self.wake)();
    }
}

impl fmt::Debug for Sleeper {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sleeper")
            .field("replica", &self.replica)
            .finish_non_exhaustive()
    }
}
