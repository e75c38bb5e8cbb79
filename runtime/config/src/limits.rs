//! `limits`: what an agent may use, and whether this system can keep it to that. It looks at no
//! system itself: it is told.

use synapse_core::spec::ResourceLimits;

use crate::element::Size;
use crate::key::{Field, Spanned};
use crate::problem::{Problem, Problems};
use crate::raw::RawLimits;

/// What the system that a file is for can enforce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Whether memory and number of other processes can be seen.
    pub sees_processes: bool,
    /// The most open files that a process may be limited to.
    pub open_files_max: u64,
    /// The most processor time that a process may be limited to, in seconds.
    pub cpu_seconds_max: u64,
}

impl Machine {
    /// One that can enforce whatever is asked: for reading a file that runs elsewhere.
    pub const ABLE: Self = Self {
        sees_processes: true,
        open_files_max: u64::MAX,
        cpu_seconds_max: u64::MAX,
    };
}

pub(crate) fn resolve(raw: &RawLimits) -> ResourceLimits {
    ResourceLimits {
        memory_bytes: raw.memory.value().map(|Size(bytes)| *bytes),
        open_files: raw.open_files.value().map(|number| number.0),
        processes: raw.processes.value().map(|number| number.0),
        cpu_seconds: raw.cpu_time.value().map(|time| time.0.0.div_ceil(1000)),
    }
}

/// What the machine cannot enforce is no promise to be made.
pub(crate) fn check(raw: &RawLimits, path: &str, machine: Machine, problems: &mut Problems) {
    let limits = resolve(raw);
    if !machine.sees_processes {
        unseen(&raw.memory, &format!("{path}.memory"), problems);
        unseen(&raw.processes, &format!("{path}.processes"), problems);
    }
    if let Some(given) = raw.open_files.given()
        && limits.open_files > Some(machine.open_files_max)
    {
        let max = machine.open_files_max;
        let message = format!("a process may have at most {max} files open here (`ulimit -Hn`)");
        let help = "raise the hard limit of whoever starts Synapse, or ask for less";
        problems.push(unenforceable(given, &format!("{path}.open_files"), &message).help(help));
    }
    if let Some(given) = raw.cpu_time.given()
        && limits.cpu_seconds > Some(machine.cpu_seconds_max)
    {
        let max = machine.cpu_seconds_max;
        let message = format!("a process may use at most {max} s here (`ulimit -Ht`)");
        let help = "raise the hard limit of whoever starts Synapse, or ask for less";
        problems.push(unenforceable(given, &format!("{path}.cpu_time"), &message).help(help));
    }
}

fn unseen<T>(field: &Field<T>, key: &str, problems: &mut Problems) {
    if let Some(given) = field.given() {
        let why = "what other processes use cannot be seen here: that needs Linux with /proc";
        let help = "leave it out here, and let a container or a service manager keep it";
        problems.push(unenforceable(given, key, why).help(help));
    }
}

fn unenforceable<T>(given: &Spanned<T>, key: &str, why: &str) -> Problem {
    let message = format!("`{key}` cannot be enforced on this system");
    Problem::error(key, message).at(given.span.clone(), why)
}
