//! Signals that wait to be taken instead of doing what they do, with who has sent each. Unsafe
//! code, like `kernel.rs`: these calls have no safe form. It refuses to decide what they mean.
#![expect(
    unsafe_code,
    reason = "sigprocmask, sigtimedwait and fork have no safe form"
)]

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use rustix::process::Pid;

use crate::signal::Signal;

/// What a process does to itself by a mistake in its own code; held back, it would go on wrongly.
const OWN_FAULTS: [i32; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGSYS,
];

/// From the first [`HeldSignals::hold`] on this thread's signals wait, those of threads that it
/// starts too.
#[derive(Clone, Copy)]
pub(crate) struct HeldSignals {
    held: libc::sigset_t,
    before: libc::sigset_t,
}

/// A signal that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) signal: Signal,
    pub(crate) sender: Sender,
}

/// Where a signal came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The system itself: a terminal, a timer, the end of a child.
    Kernel,
    /// A process; its number is not known where it is in another namespace.
    Process(Option<Pid>),
}

/// On which side of a fork this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forked {
    Parent { child: Pid },
    Child,
}

impl HeldSignals {
    /// Holds all that can be held, but faults of one's own.
    pub(crate) fn hold() -> io::Result<Self> {
        let mut held = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: sigfillset initialises the set before it is changed and read, and sigprocmask
        // writes the former mask into the other before that is read.
        unsafe {
            libc::sigfillset(held.as_mut_ptr());
            for fault in OWN_FAULTS {
                libc::sigdelset(held.as_mut_ptr(), fault);
            }
            let result = libc::sigprocmask(libc::SIG_BLOCK, held.as_ptr(), before.as_mut_ptr());
            if result != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Self {
                held: held.assume_init(),
                before: before.assume_init(),
            })
        }
    }

    /// Lets them act as before. What waits acts now.
    pub(crate) fn release(&self) -> io::Result<()> {
        // SAFETY: the set is one that the system has written, and the former mask is not asked for.
        let result = unsafe {
            libc::sigprocmask(
                libc::SIG_SETMASK,
                &raw const self.before,
                std::ptr::null_mut(),
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// The next one; `None` when none came in this time.
    pub(crate) fn next(&self, within: Option<Duration>) -> Option<Received> {
        let timeout = within.map(|within| libc::timespec {
            tv_sec: libc::time_t::try_from(within.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: within.subsec_nanos().into(),
        });
        let timeout = timeout
            .as_ref()
            .map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: zero is valid for all fields of the struct; it, the set and the time outlive the
        // call. The sender's number is there for every signal that a process has sent, and is
        // only looked at for those.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let number = libc::sigtimedwait(&raw const self.held, &raw mut info, timeout);
            (number > 0).then(|| Received {
                signal: Signal::from_raw(number),
                // Codes above zero are the system's.
                sender: if info.si_code > 0 {
                    Sender::Kernel
                } else {
                    Sender::Process(Pid::from_raw(info.si_pid()))
                },
            })
        }
    }

    /// Has one act on this process alone, as if it had not been held: returns when a stop is over.
    pub(crate) fn act(signal: Signal) {
        // SAFETY: the set is initialised before it is changed and used; raising a signal that has
        // no handler here runs no code of ours. It acts when it is no longer held, at once.
        unsafe {
            let mut only = MaybeUninit::uninit();
            libc::sigemptyset(only.as_mut_ptr());
            libc::sigaddset(only.as_mut_ptr(), signal.as_raw());
            libc::raise(signal.as_raw());
            libc::sigprocmask(libc::SIG_UNBLOCK, only.as_ptr(), std::ptr::null_mut());
            libc::sigprocmask(libc::SIG_BLOCK, only.as_ptr(), std::ptr::null_mut());
        }
    }
}

/// Makes two processes of a single-threaded one.
pub(crate) fn fork() -> io::Result<Forked> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        let why = "only a process with one thread can be forked";
        return Err(io::Error::other(why));
    }
    // SAFETY: this thread is the only one, so that no lock is held by another one and the child
    // may go on with everything that the parent could do.
    let pid = unsafe { libc::fork() };
    match Pid::from_raw(pid) {
        None => Ok(Forked::Child),
        Some(_) if pid < 0 => Err(io::Error::last_os_error()),
        Some(child) => Ok(Forked::Parent { child }),
    }
}
