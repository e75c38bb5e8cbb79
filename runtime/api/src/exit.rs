//! The exit codes of the command line: one documented enum, so that scripts can stand on them.

/// What the program's exit code says. The numbers follow `sysexits.h`, `timeout(1)` and shells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Done.
    Ok = 0,
    /// The agent, its model or one of its tools failed, or the agent is stopped or has failed.
    Failure = 1,
    /// The command line itself was wrong.
    Usage = 2,
    /// The caller's data was wrong: input, schema, or a name that nobody has.
    Data = 65,
    /// No node at the socket, or the Python environment cannot be had.
    Unavailable = 69,
    /// The tree escalated: the root supervisor gave up.
    Escalated = 70,
    /// Refused for now (a full mailbox, a busy conversation): try again later.
    TryAgain = 75,
    /// The configuration is wrong.
    Configuration = 78,
    /// A deadline passed.
    DeadlineExceeded = 124,
    /// Cancelled, as by Ctrl-C.
    Cancelled = 130,
}

impl ExitCode {
    /// All codes with what they mean, in the order of the documentation.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Ok, "done"),
        (Self::Failure, "the agent, its model or a tool failed"),
        (Self::Usage, "wrong command line"),
        (Self::Data, "wrong input, or a name that nobody has"),
        (
            Self::Unavailable,
            "no node at the socket, or no Python environment",
        ),
        (Self::Escalated, "the root supervisor gave up"),
        (Self::TryAgain, "refused for now, try again later"),
        (Self::Configuration, "wrong configuration"),
        (Self::DeadlineExceeded, "a deadline passed"),
        (Self::Cancelled, "cancelled"),
    ];

    /// The number that the process exits with.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(exit: ExitCode) -> Self {
        Self::from(exit.code())
    }
}
