//! Limits that the kernel keeps, for one process and for each that it starts. It refuses to know
//! whose they are.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// From the signal that says that the time is over (SIGXCPU) to the one that nobody survives.
const CPU_GRACE_SECONDS: u64 = 5;

/// What the kernel limits of a process; `None` leaves what it has inherited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelLimits {
    /// Files that it may have open.
    pub open_files: Option<u64>,
    /// Processor time over its whole life, in seconds: then it gets SIGXCPU, which ends it unless
    /// it has another mind, and is killed soon after.
    pub cpu_seconds: Option<u64>,
}

/// What this system lets a process be limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enforceable {
    /// Whether memory and descendants of another process can be seen.
    pub sees_processes: bool,
    /// The most open files.
    pub open_files_max: u64,
    /// The most processor time, in seconds.
    pub cpu_seconds_max: u64,
}

impl Enforceable {
    /// Looks, and changes nothing.
    pub fn look() -> Self {
        let hard = |resource| getrlimit(resource).maximum.unwrap_or(u64::MAX);
        Self {
            sees_processes: crate::usage::of(std::process::id()).is_some(),
            open_files_max: hard(Resource::Nofile),
            cpu_seconds_max: hard(Resource::Cpu),
        }
    }
}

impl KernelLimits {
    /// In the process that they are for. Makes nothing but system calls.
    pub(crate) fn set(self) -> io::Result<()> {
        self.each(|resource, limit| Ok(setrlimit(resource, limit)?))
    }

    /// For a process of the same user, from outside.
    #[cfg(target_os = "linux")]
    pub(crate) fn set_for(self, pid: rustix::process::Pid) -> io::Result<()> {
        use rustix::process::prlimit;
        self.each(|resource, limit| {
            prlimit(Some(pid), resource, limit)?;
            Ok(())
        })
    }

    /// Nothing is forked where this is not Linux.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn set_for(self, _pid: rustix::process::Pid) -> io::Result<()> {
        self.each(|_, _| Err(io::ErrorKind::Unsupported.into()))
    }

    fn each(self, set: impl Fn(Resource, Rlimit) -> io::Result<()>) -> io::Result<()> {
        if let Some(files) = self.open_files {
            let limit = Rlimit {
                current: Some(files),
                maximum: Some(files),
            };
            set(Resource::Nofile, limit)?;
        }
        if let Some(seconds) = self.cpu_seconds {
            let last = seconds.saturating_add(CPU_GRACE_SECONDS);
            let hard = getrlimit(Resource::Cpu).maximum;
            let limit = Rlimit {
                current: Some(seconds),
                maximum: Some(hard.map_or(last, |hard| hard.min(last))),
            };
            set(Resource::Cpu, limit)?;
        }
        Ok(())
    }
}
