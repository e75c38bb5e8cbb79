//! Signals and their names. It refuses to send any.

use std::fmt;

use crate::kernel;

/// A signal by number; prints its name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signal(i32);

impl Signal {
    /// SIGHUP.
    pub const HANGUP: Self = Self(libc::SIGHUP);
    /// SIGINT.
    pub const INTERRUPT: Self = Self(libc::SIGINT);
    /// SIGQUIT.
    pub const QUIT: Self = Self(libc::SIGQUIT);
    /// SIGABRT.
    pub const ABORT: Self = Self(libc::SIGABRT);
    /// SIGTERM.
    pub const TERMINATE: Self = Self(libc::SIGTERM);
    /// SIGKILL.
    pub const KILL: Self = Self(libc::SIGKILL);
    /// SIGXCPU: its limit of processor time is over.
    pub const CPU_TIME: Self = Self(libc::SIGXCPU);
    /// SIGSTOP.
    pub const STOP: Self = Self(libc::SIGSTOP);
    /// SIGCONT.
    pub const CONTINUE: Self = Self(libc::SIGCONT);
    /// SIGCHLD.
    pub const CHILD: Self = Self(libc::SIGCHLD);
    /// SIGTSTP: Ctrl-Z at a terminal.
    pub const STOP_TYPED: Self = Self(libc::SIGTSTP);
    /// SIGTTIN: a job in the background reads from the terminal.
    pub const STOP_READING: Self = Self(libc::SIGTTIN);
    /// SIGTTOU: a job in the background writes to the terminal.
    pub const STOP_WRITING: Self = Self(libc::SIGTTOU);
    /// SIGWINCH: the terminal has another size.
    pub const RESIZED: Self = Self(libc::SIGWINCH);

    /// The signal with this number.
    pub const fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// The real-time signal so many below the last one, where the system has them.
    pub fn real_time(below_last: u8) -> Option<Self> {
        kernel::real_time(i32::from(below_last)).map(Self)
    }

    /// Its number.
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    /// Whether this process ignores it, as `nohup` has SIGHUP ignored.
    pub fn is_ignored(self) -> bool {
        kernel::is_ignored(self.0)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match signal_name(self.0) {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The name of a standard signal, such as `SIGKILL`; numbers differ between systems.
pub fn signal_name(number: i32) -> Option<&'static str> {
    NAMES
        .iter()
        .find(|(known, _)| *known == number)
        .map(|(_, name)| *name)
}

/// Standard signals of POSIX; the real-time ones have no names.
const NAMES: [(i32, &str); 29] = [
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGQUIT, "SIGQUIT"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGUSR1, "SIGUSR1"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGUSR2, "SIGUSR2"),
    (libc::SIGPIPE, "SIGPIPE"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGCHLD, "SIGCHLD"),
    (libc::SIGCONT, "SIGCONT"),
    (libc::SIGSTOP, "SIGSTOP"),
    (libc::SIGTSTP, "SIGTSTP"),
    (libc::SIGTTIN, "SIGTTIN"),
    (libc::SIGTTOU, "SIGTTOU"),
    (libc::SIGURG, "SIGURG"),
    (libc::SIGXCPU, "SIGXCPU"),
    (libc::SIGXFSZ, "SIGXFSZ"),
    (libc::SIGVTALRM, "SIGVTALRM"),
    (libc::SIGPROF, "SIGPROF"),
    (libc::SIGWINCH, "SIGWINCH"),
    (libc::SIGIO, "SIGIO"),
    (libc::SIGSYS, "SIGSYS"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_system() {
        assert_eq!(signal_name(9), Some("SIGKILL"));
        assert_eq!(signal_name(11), Some("SIGSEGV"));
        assert_eq!(signal_name(0), None);
        assert_eq!(Signal::from_raw(200).to_string(), "signal 200");
        assert_eq!(format!("{:?}", Signal::TERMINATE), "SIGTERM");
    }
}
