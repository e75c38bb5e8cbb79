//! What the system says of a process's end, in core's words. It decides nothing that core can.

use synapse_core::incarnation::{Event, Status};
use synapse_core::spec::{OfTime, ResourceLimits};
use synapse_core::time::Millis;
use synapse_process::{Exit, ExitStatus, OomVerdict, Signal};

use crate::agent::millis;

/// What outranks the wait status: a pipe that ended inside a frame, unless a crash explains it, or
/// a limit that the kernel has kept.
pub(super) fn cause_of(
    limits: &ResourceLimits,
    exit: &Exit,
    torn: Option<String>,
) -> Option<Event> {
    match exit.status {
        ExitStatus::Exited(0) => torn.map(Event::Violation),
        ExitStatus::Signalled { signal, .. } => {
            let signal = match Signal::from_raw(signal) {
                Signal::CPU_TIME => OfTime::Limit,
                Signal::KILL => OfTime::Kill,
                _ => return None,
            };
            let used = Millis(millis(exit.user_time + exit.system_time));
            let exceeded = limits.exceeded_by_time(used, signal);
            exceeded.map(Event::LimitExceeded)
        }
        ExitStatus::Exited(_) | ExitStatus::Unknown => None,
    }
}

/// How it ended, and what the kernel says to that, where it says something.
pub(super) fn status_of(status: ExitStatus, oom: OomVerdict) -> (Status, Option<String>) {
    match (status, oom) {
        (ExitStatus::Signalled { .. }, OomVerdict::Ended(line)) => {
            (Status::OutOfMemory, Some(line))
        }
        (ExitStatus::Signalled { signal, .. }, OomVerdict::Possible(count)) => {
            let said = format!(
                "while it lived, {count} of the machine's or the container's processes were ended for \
                 lack of memory; whose is not told here"
            );
            (Status::Signal(signal), Some(said))
        }
        (ExitStatus::Signalled { signal, .. }, OomVerdict::Nothing) => {
            (Status::Signal(signal), None)
        }
        (ExitStatus::Exited(code), _) => (Status::Code(code), None),
        // Somebody else waited for it; that it is gone is all that is known.
        (ExitStatus::Unknown, _) => (Status::Code(-1), None),
    }
}
