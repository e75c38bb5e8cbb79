//! One command that runs: its output as it comes, its end within a deadline, never left behind.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde_json::Value;

use super::wait::{DEADLINE, wait_for, wait_within};

/// A command that was started. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    what: String,
    stdout: Capture,
    stderr: Capture,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    what: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A command of an environment that names everything; nothing is inherited.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where tests start processes"
)]
pub(crate) fn command(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir(folder).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let what = format!("{command:?}");
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let stdout = Capture::of(child.stdout.take());
        let stderr = Capture::of(child.stderr.take());
        Self {
            child,
            what,
            stdout,
            stderr,
        }
    }

    /// With this on its standard input, and the end of it.
    pub(crate) fn start_with_input(mut command: Command, input: &str) -> Self {
        command.stdin(Stdio::piped());
        let mut running = Self::start(command);
        let mut stdin = running.child.stdin.take().expect("a pipe was asked for");
        stdin
            .write_all(input.as_bytes())
            .expect("the command reads its input");
        running
    }

    /// With a standard input that stays open.
    pub(crate) fn start_with_keyboard(mut command: Command) -> Self {
        command.stdin(Stdio::piped());
        Self::start(command)
    }

    /// Writes to a standard input that stays open.
    pub(crate) fn type_in(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().expect("a pipe was asked for");
        stdin
            .write_all(text.as_bytes())
            .expect("the command reads its input");
        stdin.flush().expect("a pipe");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Waits until stdout holds this.
    #[track_caller]
    pub(crate) fn wait_for_stdout(&self, text: &str) {
        wait_for(&format!("{text:?} from {}", self.what), || {
            let seen = self.stdout();
            if seen.contains(text) {
                Ok(())
            } else {
                Err(format!("{seen:?} {:?}", self.stderr()))
            }
        });
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    /// Waits for its end and for all that it printed.
    #[track_caller]
    pub(crate) fn outcome(self) -> Outcome {
        self.outcome_within(DEADLINE)
    }

    /// The same, for what takes its time.
    #[track_caller]
    pub(crate) fn outcome_within(mut self, within: Duration) -> Outcome {
        drop(self.child.stdin.take());
        let status = wait_within(&format!("the end of {}", self.what), within, || {
            let ended = self.child.try_wait().expect("it is our child");
            ended.ok_or_else(|| format!("stdout {:?} stderr {:?}", self.stdout(), self.stderr()))
        });
        Outcome {
            what: self.what.clone(),
            status,
            stdout: self.stdout.finish(),
            stderr: self.stderr.finish(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error says that it has ended and was waited for.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends a signal to a process that is known to be ours.
pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .expect("a pid");
    kill_process(pid, signal).unwrap_or_else(|error| panic!("signal to {pid:?}: {error}"));
}

/// Waits for a process that has fallen to this one when its parent died.
#[track_caller]
pub(crate) fn reap(pid: u32) -> ExitStatus {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
    wait_for(&format!("process {pid} to end"), || {
        match waitpid(raw, WaitOptions::NOHANG) {
            Ok(Some((_, status))) => Ok(ExitStatus::from_raw(status.as_raw())),
            other => Err(format!("{other:?}, {:?}", super::processes::state_of(pid))),
        }
    })
}

/// Waits until a killed process is gone, whether it has fallen to this one or to another.
#[track_caller]
pub(crate) fn bury(pid: u32) {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
    wait_for(&format!("process {pid} to be gone"), || {
        // An error says that it is not this process's child.
        let reaped = waitpid(raw, WaitOptions::NOHANG);
        match (reaped, super::processes::state_of(pid)) {
            (Ok(Some(_)), _) | (_, None) => Ok(()),
            (_, state) => Err(format!("{state:?}")),
        }
    });
}

impl Outcome {
    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.status.code(),
            Some(code),
            "{} ended with {}\nstdout: {}\nstderr: {}",
            self.what,
            self.status,
            self.stdout,
            self.stderr,
        );
        self
    }

    /// What it printed on stdout, without the end of the last line. It must have succeeded.
    #[track_caller]
    pub(crate) fn text(self) -> String {
        let outcome = self.exits(0);
        outcome
            .stdout
            .strip_suffix('\n')
            .unwrap_or(&outcome.stdout)
            .to_owned()
    }

    /// The one JSON object on stdout, whatever the exit code.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!(
                "{}: {error} in {:?} (stderr {:?})",
                self.what, self.stdout, self.stderr
            )
        })
    }

    /// A JSON value from each line of stdout.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line:?}"));
        self.stdout.lines().map(parse).collect()
    }
}

/// What a stream has brought so far.
#[derive(Debug)]
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Capture {
    fn of(stream: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        let reader = stream.map(|mut stream| {
            std::thread::spawn(move || {
                let mut piece = [0; 64 * 1024];
                while let Ok(count @ 1..) = stream.read(&mut piece) {
                    kept.lock()
                        .expect("no reader panics")
                        .extend_from_slice(&piece[..count]);
                }
            })
        });
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("no reader panics")).into_owned()
    }

    /// Everything, once the stream has ended.
    fn finish(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            wait_for("the end of a stream", || {
                if reader.is_finished() {
                    Ok(())
                } else {
                    Err("somebody holds it open".to_owned())
                }
            });
        }
        self.text()
    }
}
