//! Who is at standard input: a person, a script, or nobody.

use std::io::IsTerminal;

use rustix::fs::{FileType, fstat, major, minor};

/// `/dev/null` on Linux and on macOS.
const NULL_DEVICES: [(u32, u32); 2] = [(1, 3), (3, 2)];

/// What standard input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stdin {
    /// A terminal.
    Person,
    /// A pipe or a file: one command a line.
    Script,
    /// `/dev/null`, or closed: a service.
    Nobody,
}

impl Stdin {
    pub(super) fn look() -> Self {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            return Self::Person;
        }
        let Ok(stat) = fstat(&stdin) else {
            return Self::Nobody;
        };
        let device = (major(stat.st_rdev), minor(stat.st_rdev));
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::CharacterDevice if NULL_DEVICES.contains(&device) => Self::Nobody,
            _ => Self::Script,
        }
    }
}
