//! The calls that the safe interfaces lack, and the only unsafe code: what a child does between
//! fork and exec, and waiting with resource usage. It refuses to decide anything.
#![expect(
    unsafe_code,
    reason = "pre_exec, wait4 and sigaction have no safe form"
)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use rustix::process::Pid;

use crate::exit::{Exit, ExitStatus};
use crate::limits::KernelLimits;

/// The standard signals; real-time ones are never ignored by a parent in practice.
const SIGNALS: std::ops::RangeInclusive<i32> = 1..=31;

/// Makes the child leave its parent's peculiarities behind before it executes the program.
pub(crate) fn prepare_child(command: &mut Command, limits: KernelLimits) {
    let parent = rustix::process::getpid();
    // SAFETY: the closure runs in the child of a process with many threads, where only
    // async-signal-safe calls are allowed: it makes system calls and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            reset_signals();
            close_inherited_on_exec();
            limits.set()?;
            die_with_parent(parent)
        });
    }
}

/// The parent may have been started with signals ignored (nohup does so), and that survives exec.
/// std has already emptied the mask and reset SIGPIPE.
fn reset_signals() {
    for signal in SIGNALS {
        if signal != libc::SIGKILL && signal != libc::SIGSTOP {
            // SAFETY: SIG_DFL is a valid disposition, and no handler of ours is needed after fork.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
}

/// Descriptors that the runtime itself inherited, such as a shell's redirection, are not the
/// child's. Kernels before 5.11 do not know the call; all that Rust opens is close-on-exec anyway.
#[cfg(target_os = "linux")]
fn close_inherited_on_exec() {
    const FIRST: libc::c_uint = 3;
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    // SAFETY: the flag only marks descriptors, it closes none in this process image.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            FIRST,
            libc::c_uint::MAX,
            CLOSE_RANGE_CLOEXEC,
        )
    };
}

#[cfg(not(target_os = "linux"))]
fn close_inherited_on_exec() {}

/// The kernel kills the child when the thread that forked it ends. A parent that died before this
/// was set would not be noticed, so it is looked at afterwards.
#[cfg(target_os = "linux")]
fn die_with_parent(parent: Pid) -> io::Result<()> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() == Some(parent) {
        Ok(())
    } else {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_parent: Pid) -> io::Result<()> {
    Ok(())
}

/// Where SIGCHLD is ignored the kernel throws wait statuses away. Nobody wants that on purpose: it
/// is inherited from whoever started this process. Says whether it had to be put right.
pub(crate) fn keep_wait_statuses() -> bool {
    let ignored = is_ignored(libc::SIGCHLD);
    if ignored {
        // SAFETY: SIG_DFL is a valid disposition, and no handler is replaced by it.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    }
    ignored
}

/// Whether this process ignores a signal.
pub(crate) fn is_ignored(signal: i32) -> bool {
    // SAFETY: a null new action only reads the current one into a zeroed struct that outlives the call.
    unsafe {
        let mut current: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut current) == 0
            && current.sa_sigaction == libc::SIG_IGN
    }
}

/// Sends a child any signal, one of the real-time ones too. A child that is dead needs none.
#[cfg(target_os = "linux")]
pub(crate) fn send(child: Pid, signal: crate::signal::Signal) {
    // SAFETY: sending a signal touches no memory of this process; the number is a child's that
    // was not waited for, so that nobody else has it.
    unsafe { libc::kill(child.as_raw_pid(), signal.as_raw()) };
}

/// The same, telling what came of it; a negative number is a whole group's.
pub(crate) fn send_to(process_or_group: i32, signal: crate::signal::Signal) -> io::Result<()> {
    // SAFETY: sending a signal touches no memory of this process.
    match unsafe { libc::kill(process_or_group, signal.as_raw()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether a child is stopped by a signal. Takes nothing from whoever waits for it.
pub(crate) fn is_stopped(pid: Pid) -> bool {
    let id = pid.as_raw_pid().unsigned_abs();
    let options = libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: zero is valid for all fields of the struct, which outlives the call.
    let (answer, stopped) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let answer = libc::waitid(libc::P_PID, id, &raw mut info, options);
        // SAFETY: a wait that succeeded has filled in a child's fields, or left them zero.
        (answer, info.si_pid() != 0)
    };
    answer == 0 && stopped
}

/// The real-time signal that is so many below the last one. Counted from the end, since C libraries
/// keep different numbers of the first ones for themselves.
#[cfg(target_os = "linux")]
pub(crate) fn real_time(below_last: i32) -> Option<i32> {
    (libc::SIGRTMIN()..=libc::SIGRTMAX())
        .contains(&(libc::SIGRTMAX() - below_last))
        .then(|| libc::SIGRTMAX() - below_last)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn real_time(_below_last: i32) -> Option<i32> {
    None
}

/// Reaps a child that is dead, or waits until it is.
pub(crate) fn wait(pid: Pid) -> Exit {
    let mut status: libc::c_int = 0;
    // SAFETY: rusage is plain integers, for which zero is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to locals that outlive the call.
        let got = unsafe { libc::wait4(pid.as_raw_pid(), &raw mut status, 0, &raw mut usage) };
        if got == pid.as_raw_pid() {
            return exit(status, &usage);
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return unknown_exit();
        }
    }
}

/// Waits until some child is dead, and leaves it unreaped. Stopped ones do not count.
#[cfg(target_os = "linux")]
pub(crate) fn wait_for_a_dead_child() -> Result<Pid, rustix::io::Errno> {
    // SAFETY: zero is valid for all fields of the struct, which outlives the call.
    let (answer, pid) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOWAIT;
        let answer = libc::waitid(libc::P_ALL, 0, &raw mut info, options);
        // SAFETY: a wait that succeeded has filled in the fields of a child's end.
        (answer, info.si_pid())
    };
    match Pid::from_raw(pid) {
        Some(pid) if answer == 0 => Ok(pid),
        _ => Err(last_errno()),
    }
}

/// Reaps a child without waiting for it.
#[cfg(target_os = "linux")]
pub(crate) fn reap_if_dead(pid: Pid) {
    // SAFETY: no status is asked for, and nothing is written through the null pointers.
    unsafe {
        libc::wait4(
            pid.as_raw_pid(),
            std::ptr::null_mut(),
            libc::WNOHANG,
            std::ptr::null_mut(),
        )
    };
}

#[cfg(target_os = "linux")]
fn last_errno() -> rustix::io::Errno {
    let error = io::Error::last_os_error();
    rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::INVAL)
}

/// The end of a process whose status nobody could read.
pub(crate) fn unknown_exit() -> Exit {
    Exit {
        status: ExitStatus::Unknown,
        peak_resident_bytes: None,
        user_time: Duration::ZERO,
        system_time: Duration::ZERO,
    }
}

fn exit(status: libc::c_int, usage: &libc::rusage) -> Exit {
    let status = if libc::WIFSIGNALED(status) {
        ExitStatus::Signalled {
            signal: libc::WTERMSIG(status),
            core_dumped: libc::WCOREDUMP(status),
        }
    } else {
        ExitStatus::Exited(libc::WEXITSTATUS(status))
    };
    Exit {
        status,
        peak_resident_bytes: u64::try_from(usage.ru_maxrss)
            .ok()
            .map(|n| n * MAXRSS_UNIT_BYTES),
        user_time: duration(usage.ru_utime),
        system_time: duration(usage.ru_stime),
    }
}

/// Linux counts `ru_maxrss` in KiB, the BSDs' family in bytes.
const MAXRSS_UNIT_BYTES: u64 = if cfg!(target_vendor = "apple") {
    1
} else {
    1024
};

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}
