//! Runs scenes one after the other, and starts guarded shells in them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio, exit};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use synapse_process::guard::{self, Side};

/// Says that this program is to guard a shell with its first argument as script.
const GUARDED: &str = "SYNAPSE_TEST_GUARDED";
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a condition of the system is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A scene's name, and what happens in it.
pub(crate) type Scene = (&'static str, fn());

/// Runs the scenes that the command line asks for, or is the guarded program.
pub(crate) fn run(scenes: &[Scene]) {
    if std::env::var_os(GUARDED).is_some() {
        be_guarded();
    }
    synapse_process::become_subreaper().expect("Linux can");
    let filter = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let chosen = |name: &str| {
        filter
            .as_ref()
            .is_none_or(|part| name.contains(part.as_str()))
    };
    for (name, scene) in scenes.iter().filter(|(name, _)| chosen(name)) {
        // A scene that fails ends the program with its panic.
        eprintln!("scene {name}");
        scene();
    }
}

/// Never returns.
fn be_guarded() {
    let script = std::env::args().nth(1).expect("a script");
    match guard::divide().expect("one thread") {
        Side::Guard { code } => exit(i32::from(code)),
        Side::Node { .. } => {
            let error = command("sh").args(["-c", &script]).exec();
            panic!("sh: {error}");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the scenes' own processes")]
fn command(program: &str) -> Command {
    Command::new(program)
}

/// This program, to be given to a shell.
pub(crate) fn this() -> String {
    let this = std::env::current_exe().expect("it has a path");
    this.to_str().expect("it is text").to_owned()
}

/// A started program, and the lines that it prints.
pub(crate) struct Play {
    pub(crate) child: Child,
    keyboard: Option<ChildStdin>,
    lines: Receiver<String>,
}

/// A guard, and a shell below it that runs this.
pub(crate) fn guarded(script: &str) -> Play {
    program(&this(), &[script])
}

/// Any program; a guard in it guards.
pub(crate) fn program(program: &str, arguments: &[&str]) -> Play {
    let mut command = command(program);
    command
        .args(arguments)
        .env(GUARDED, "yes")
        .env("SHELL", "/bin/sh");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it can be started");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        while stdout.read_line(&mut line).is_ok_and(|length| length > 0) {
            if sender.send(line.trim().to_owned()).is_err() {
                return;
            }
            line.clear();
        }
        // Whatever is no text any more.
        stdout.read_to_end(&mut Vec::new()).ok();
    });
    Play {
        keyboard: child.stdin.take(),
        child,
        lines,
    }
}

impl Drop for Play {
    /// A scene that fails leaves nothing running.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Play {
    /// Its next line.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line")
    }

    #[track_caller]
    pub(crate) fn number(&self) -> u32 {
        let line = self.line();
        line.parse()
            .unwrap_or_else(|_| panic!("{line:?} is no number"))
    }

    /// Passes over lines until one ends with this: a terminal shows more than what is said.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        while !self.line().ends_with(text) {}
    }

    /// All lines to the end.
    #[track_caller]
    pub(crate) fn rest(&self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => return lines,
                Err(RecvTimeoutError::Timeout) => panic!("no end after {lines:?}"),
            }
        }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        let keyboard = self.keyboard.as_mut().expect("it was not closed");
        keyboard.write_all(keys.as_bytes()).expect("it is read");
        keyboard.flush().expect("it is read");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.child.id(), signal);
    }

    /// Its exit code.
    #[track_caller]
    pub(crate) fn code(&mut self) -> Option<i32> {
        drop(self.keyboard.take());
        until("the end", || {
            self.child.try_wait().expect("our child").is_some()
        });
        self.child.wait().expect("our child").code()
    }
}

pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a number")).expect("a number");
    kill_process(pid, signal).expect("it is there");
}

/// `R`, `S`, `T`, `Z` and so on; none where there is no such process.
pub(crate) fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    #[expect(clippy::disallowed_methods, reason = "nothing here has a paused clock")]
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        #[expect(clippy::disallowed_methods, reason = "nothing here has a paused clock")]
        let now = Instant::now();
        assert!(now < deadline, "waited for {what}");
        std::thread::park_timeout(LOOK_EVERY);
    }
}
