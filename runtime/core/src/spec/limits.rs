//! `limits`: what an agent's processes may use, and when it is more than that.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// The limits of one agent; each replica has them for itself. `None` means none of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceLimits {
    /// Memory of its process and of all that it has started, in bytes; what they share with others
    /// counts by its part. One that exceeds it is killed.
    pub memory_bytes: Option<u64>,
    /// Open files of each of its processes. One more cannot be opened.
    pub open_files: Option<u64>,
    /// Its process and those that it has started, together. One more costs all their lives.
    pub processes: Option<u64>,
    /// Processor time of each of its processes over its whole life, in seconds.
    pub cpu_seconds: Option<u64>,
}

/// What an agent's processes have together, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Their memory, in bytes.
    pub memory_bytes: u64,
    /// How many they are.
    pub processes: u64,
}

impl ResourceLimits {
    /// Whether somebody has to look at the processes: the kernel keeps the other limits.
    #[must_use]
    pub const fn are_watched(&self) -> bool {
        self.memory_bytes.is_some() || self.processes.is_some()
    }

    /// Which limit is exceeded, and by what; `None` where none is.
    #[must_use]
    pub fn exceeded_by(&self, seen: Footprint) -> Option<String> {
        let memory = self.memory_bytes.filter(|max| seen.memory_bytes > *max);
        if let Some(max) = memory {
            let seen = mebibytes(seen.memory_bytes);
            return Some(format!("memory {} ({seen} seen)", mebibytes(max)));
        }
        let processes = self.processes.filter(|max| seen.processes > *max)?;
        Some(format!("processes {processes} ({} seen)", seen.processes))
    }

    /// The same of processor time, of a process that the kernel has ended there, or may have.
    ///
    /// What it tells afterwards is not what it counted by: some per cent more or less. So the signal
    /// that nobody else sends is believed, and the one that others send where the time was over:
    /// before that one, the process has outlived the first.
    #[must_use]
    pub fn exceeded_by_time(&self, used: Millis, signal: OfTime) -> Option<String> {
        let seconds = self.cpu_seconds?;
        let is_over = match signal {
            OfTime::Limit => true,
            OfTime::Kill => used >= Millis::from_secs(seconds),
        };
        let used = used.0.saturating_add(500) / 1000;
        is_over.then(|| format!("cpu_time {seconds} s ({used} s used)"))
    }
}

/// The signals by which the kernel keeps a limit of processor time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfTime {
    /// SIGXCPU.
    Limit,
    /// SIGKILL, some seconds later.
    Kill,
}

/// For people, as far as it is whole: a limit in full, what was seen to the last mebibyte.
fn mebibytes(bytes: u64) -> String {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    match bytes {
        MIB.. => format!("{} MiB", bytes / MIB),
        _ => format!("{} KiB", bytes / KIB),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn seen(mebibytes: u64, processes: u64) -> Footprint {
        Footprint {
            memory_bytes: mebibytes * MIB,
            processes,
        }
    }

    #[test]
    fn a_limit_is_exceeded_by_more_than_it() {
        let limits = ResourceLimits {
            memory_bytes: Some(512 * MIB),
            processes: Some(4),
            ..ResourceLimits::default()
        };
        for (footprint, expected) in [
            (seen(512, 4), None),
            (seen(613, 4), Some("memory 512 MiB (613 MiB seen)")),
            (seen(512, 5), Some("processes 4 (5 seen)")),
            (seen(613, 5), Some("memory 512 MiB (613 MiB seen)")),
        ] {
            let exceeded = limits.exceeded_by(footprint);
            assert_eq!(exceeded.as_deref(), expected, "{footprint:?}");
        }
        assert_eq!(
            ResourceLimits::default().exceeded_by(seen(9999, 9999)),
            None
        );
    }

    #[test]
    fn time_is_exceeded_by_its_own_signal_or_where_it_was_over() {
        let limits = ResourceLimits {
            cpu_seconds: Some(2),
            ..ResourceLimits::default()
        };
        for (used, signal, expected) in [
            (1_900, OfTime::Limit, Some("cpu_time 2 s (2 s used)")),
            (1_900, OfTime::Kill, None),
            (6_600, OfTime::Kill, Some("cpu_time 2 s (7 s used)")),
        ] {
            let exceeded = limits.exceeded_by_time(Millis(used), signal);
            assert_eq!(exceeded.as_deref(), expected, "{used} {signal:?}");
        }
        let none = ResourceLimits::default();
        assert_eq!(none.exceeded_by_time(Millis(9_000), OfTime::Limit), None);
    }

    #[test]
    fn only_what_the_kernel_does_not_keep_is_watched() {
        let kept = ResourceLimits {
            open_files: Some(256),
            cpu_seconds: Some(1),
            ..ResourceLimits::default()
        };
        assert!(!kept.are_watched());
        let watched = ResourceLimits {
            processes: Some(1),
            ..kept
        };
        assert!(watched.are_watched());
    }
}
