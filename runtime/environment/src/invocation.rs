//! Runs one program to its end, bounded in time and in what is kept of its output. It refuses to
//! judge what it said.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use synapse_process::{Command, ExitStatus, Spawner};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::time::timeout;

use crate::error::EnvironmentError;
use crate::settings::Settings;
use crate::variables::{ALWAYS_PASSED, NOT_PASSED};

/// What is kept of each output, from its end: the reason of a failure stands there.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// Read from a pipe at once.
const READ_BYTES: usize = 8 * 1024;
/// How long output may still come after the program's end: a leftover of it may hold the pipe.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// A program's end.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Programs are started in the configuration's folder with this process's variables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Invoker<'a> {
    pub(crate) spawner: &'a Spawner,
    pub(crate) settings: &'a Settings,
}

impl Invoker<'_> {
    /// Runs a program; when the time is up, or when this future is dropped, it is killed.
    pub(crate) async fn run<A: Into<OsString>>(
        &self,
        program: &Path,
        args: impl IntoIterator<Item = A>,
        bound: Duration,
    ) -> Result<Finished, EnvironmentError> {
        let command = Command::new(program, &self.settings.folder)
            .args(args)
            .env(self.variables());
        let mut child = self.spawner.spawn(command).await?;
        drop(child.stdin);
        let (out, err) = (tail(child.stdout)?, tail(child.stderr)?);
        let (mut out, mut err) = (tokio::spawn(out), tokio::spawn(err));
        let ended = timeout(bound, child.exit.wait()).await;
        child.group.kill();
        let stdout = collected(&mut out).await;
        let stderr = collected(&mut err).await;
        match ended {
            Ok(exit) => Ok(Finished {
                status: exit.status,
                stdout,
                stderr,
            }),
            Err(_elapsed) => Err(EnvironmentError::TimedOut {
                program: program.to_owned(),
                after: bound,
                lines: crate::diagnosis::last_lines(&stderr),
            }),
        }
    }

    fn variables(&self) -> Vec<(OsString, OsString)> {
        let kept = |name: &OsStr| !NOT_PASSED.iter().any(|known| name == *known);
        let own = self
            .settings
            .variables
            .iter()
            .filter(|(name, _)| kept(name))
            .cloned();
        own.chain(ALWAYS_PASSED.map(|(name, value)| (name.into(), value.into())))
            .collect()
    }
}

async fn collected(reading: &mut tokio::task::JoinHandle<Tail>) -> String {
    let text = match timeout(DRAIN_TIMEOUT, &mut *reading).await {
        Ok(Ok(tail)) => String::from_utf8_lossy(&Vec::from(tail.0)).into_owned(),
        Ok(Err(_)) | Err(_) => String::new(),
    };
    reading.abort();
    text
}

struct Tail(VecDeque<u8>);

fn tail(pipe: OwnedFd) -> Result<impl Future<Output = Tail> + use<>, EnvironmentError> {
    let mut pipe = Receiver::from_owned_fd(pipe).map_err(EnvironmentError::Pipe)?;
    Ok(async move {
        let mut kept = Tail(VecDeque::new());
        let mut buffer = [0; READ_BYTES];
        // An error of the pipe ends the output as its end does; the exit status decides.
        while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
            kept.0.extend(buffer.iter().take(count));
            let excess = kept.0.len().saturating_sub(OUTPUT_BYTES_MAX);
            kept.0.drain(..excess);
        }
        kept
    })
}
