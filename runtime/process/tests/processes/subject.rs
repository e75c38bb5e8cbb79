//! Starts the shells that the tests look at, and waits for conditions.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use synapse_process::{Child, Command, Exit, ExitWatch, Spawner};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::net::unix::pipe::Receiver;
use tokio::time::{Instant, sleep, timeout};

/// How long anything here may take before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How often a condition of the system is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

pub(crate) fn spawner() -> Spawner {
    Spawner::start().unwrap()
}

pub(crate) fn sh(script: &str) -> Command {
    Command::new("/bin/sh", "/")
        .args(["-c", script])
        .env([("PATH", "/usr/bin:/bin")])
}

pub(crate) async fn start(script: &str) -> Child {
    spawner().spawn(sh(script)).await.unwrap()
}

pub(crate) async fn ended(exit: &mut ExitWatch) -> Exit {
    timeout(PATIENCE, exit.wait())
        .await
        .expect("the process did not end")
}

pub(crate) fn lines(pipe: OwnedFd) -> Lines<BufReader<Receiver>> {
    BufReader::new(Receiver::from_owned_fd(pipe).unwrap()).lines()
}

pub(crate) async fn next_line(lines: &mut Lines<BufReader<Receiver>>) -> String {
    let line = timeout(PATIENCE, lines.next_line())
        .await
        .expect("no line came");
    line.unwrap().expect("the pipe was closed")
}

pub(crate) async fn next_number(lines: &mut Lines<BufReader<Receiver>>) -> u32 {
    next_line(lines).await.trim().parse().unwrap()
}

pub(crate) async fn all(pipe: OwnedFd) -> String {
    let mut text = String::new();
    let mut pipe = Receiver::from_owned_fd(pipe).unwrap();
    timeout(PATIENCE, pipe.read_to_string(&mut text))
        .await
        .expect("no end of file")
        .unwrap();
    text
}

/// Waits until `condition` holds, and says what was waited for when it does not come to hold.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "still not true: {what}");
        sleep(LOOK_EVERY).await;
    }
}

/// Runs one test of this binary again as a process of its own, with `SYNAPSE_TEST_ROLE` set.
pub(crate) fn again(test: &str) -> Command {
    let this = std::env::current_exe().unwrap();
    let role: [(OsString, OsString); 1] = [("SYNAPSE_TEST_ROLE".into(), "inner".into())];
    Command::new(this, "/")
        .args(["--exact", test, "--nocapture"])
        .env(role)
}

pub(crate) fn is_inner() -> bool {
    std::env::var_os("SYNAPSE_TEST_ROLE").is_some()
}

/// Runs it again, and expects it to succeed.
pub(crate) async fn succeeds_in_a_process_of_its_own(test: &str) {
    let mut inner = spawner().spawn(again(test)).await.unwrap();
    let exit = ended(&mut inner.exit).await;
    let said = all(inner.stdout).await + &all(inner.stderr).await;
    assert!(exit.status.success(), "{said}");
}

/// Whether the number is not even held by a process that waits to be reaped.
pub(crate) fn is_reaped(pid: u32) -> bool {
    !Path::new("/proc").join(pid.to_string()).exists()
}
