//! Runs one program to its end, bounded in time and in what is kept of its output. It refuses to
//! judge what it said.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use synapse_process::{Command, ExitStatus, Spawner};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinHandle;
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
        let (out, err) = (Output::read(child.stdout)?, Output::read(child.stderr)?);
        let ended = timeout(bound, child.exit.wait()).await;
        child.group.kill();
        let (stdout, stderr) = tokio::join!(out.collected(), err.collected());
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

/// An output that is being read; what was read stays where the reading is cut off.
struct Output {
    kept: Arc<Mutex<VecDeque<u8>>>,
    reading: JoinHandle<()>,
}

impl Output {
    fn read(pipe: OwnedFd) -> Result<Self, EnvironmentError> {
        let mut pipe = Receiver::from_owned_fd(pipe).map_err(EnvironmentError::Pipe)?;
        let kept = Arc::new(Mutex::new(VecDeque::new()));
        let tail = Arc::clone(&kept);
        let reading = tokio::spawn(async move {
            let mut buffer = [0; READ_BYTES];
            // An error of the pipe ends the output as its end does; the exit status decides.
            while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
                let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                tail.extend(buffer.iter().take(count));
                let excess = tail.len().saturating_sub(OUTPUT_BYTES_MAX);
                tail.drain(..excess);
            }
        });
        Ok(Self { kept, reading })
    }

    async fn collected(mut self) -> String {
        // Neither a leftover that holds the pipe nor a panic of the reader is the program's failure.
        drop(timeout(DRAIN_TIMEOUT, &mut self.reading).await);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(kept.make_contiguous()).into_owned()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(script: &str, bound: Duration) -> Result<Finished, EnvironmentError> {
        let spawner = Spawner::start().unwrap();
        let mut settings = Settings::new("/");
        settings.variables = vec![("PATH".into(), "/usr/bin:/bin".into())];
        let invoker = Invoker {
            spawner: &spawner,
            settings: &settings,
        };
        invoker
            .run(Path::new("/bin/sh"), ["-c", script], bound)
            .await
    }

    #[tokio::test]
    async fn of_much_output_the_end_is_kept() {
        let script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; exit 3";
        let finished = run(script, Duration::from_secs(60)).await.unwrap();
        assert_eq!(finished.status, ExitStatus::Exited(3));
        assert_eq!(finished.stdout.len(), OUTPUT_BYTES_MAX);
        assert!(finished.stdout.ends_with("line 19999\n"));
    }

    #[tokio::test]
    async fn what_takes_too_long_is_killed_and_its_last_words_are_told() {
        let script = "echo working >&2; exec sleep 600";
        let error = run(script, Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error.to_string(), "run /bin/sh within 1 s");
        assert_eq!(error.details(), ["working"]);
    }

    #[tokio::test]
    async fn a_leftover_that_holds_the_pipes_does_not_hold_the_caller() {
        // It has left the group before its parent ends.
        let script = "trap 'exit 0' USR1; \
             setsid sh -c \"echo \\$\\$; kill -USR1 $$; exec sleep 600\" & wait";
        let finished = run(script, Duration::from_secs(20)).await.unwrap();
        assert!(finished.status.success());
        let leftover = finished.stdout.trim();
        assert!(synapse_process::is_alive(leftover.parse().unwrap()));
        let kill = format!("kill -KILL {leftover}");
        run(&kill, Duration::from_secs(20)).await.unwrap();
    }

    #[tokio::test]
    async fn what_would_install_elsewhere_is_not_passed_and_the_rest_is() {
        let spawner = Spawner::start().unwrap();
        let mut settings = Settings::new("/");
        settings.variables = vec![
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("PIP_TARGET".into(), "/elsewhere".into()),
            ("PYTHONPATH".into(), "/elsewhere".into()),
            ("PIP_INDEX_URL".into(), "mirror".into()),
            ("https_proxy".into(), "proxy".into()),
        ];
        let invoker = Invoker {
            spawner: &spawner,
            settings: &settings,
        };
        let bound = Duration::from_secs(20);
        let finished = invoker.run(Path::new("/usr/bin/env"), [""; 0], bound).await;
        let seen = finished.unwrap().stdout;
        assert!(!seen.contains("elsewhere"), "{seen}");
        for line in [
            "PIP_INDEX_URL=mirror",
            "https_proxy=proxy",
            "UV_PYTHON_DOWNLOADS=never",
        ] {
            assert!(seen.lines().any(|known| known == line), "{line} in {seen}");
        }
    }
}
