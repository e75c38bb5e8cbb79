//! How an end is noticed and what is told of it.

use std::time::Duration;

use synapse_process::{Command, ExitStatus, Signal, catches, is_alive, is_pending, resident_bytes};
use tokio::time::timeout;

use crate::subject::{all, ended, eventually, is_reaped, lines, next_number, sh, spawner, start};

#[tokio::test]
async fn exit_code_is_told() {
    let mut child = start("exit 7").await;
    let exit = ended(&mut child.exit).await;
    assert_eq!(exit.status, ExitStatus::Exited(7));
    assert_eq!(exit.status.to_string(), "exited with code 7");
    assert!(!exit.status.success());
}

#[tokio::test]
async fn signal_is_told_by_name() {
    let mut child = start("kill -SEGV $$").await;
    let exit = ended(&mut child.exit).await;
    assert!(
        matches!(exit.status, ExitStatus::Signalled { signal: 11, .. }),
        "{exit:?}"
    );
    assert!(
        exit.status.to_string().starts_with("killed by SIGSEGV"),
        "{}",
        exit.status
    );
}

#[tokio::test]
async fn end_may_be_awaited_again_and_by_others() {
    let mut child = start("read line; exit 3").await;
    let mut other = child.exit.clone();
    // An abandoned wait takes nothing away from the next one.
    assert!(timeout(Duration::ZERO, child.exit.wait()).await.is_err());
    assert_eq!(child.exit.now(), None);
    drop(child.stdin);
    let first = ended(&mut child.exit).await;
    assert_eq!(first.status, ExitStatus::Exited(3));
    assert_eq!(ended(&mut child.exit).await, first);
    assert_eq!(ended(&mut other).await, first);
    assert_eq!(other.now(), Some(first));
}

#[tokio::test]
async fn grandchild_holding_stdout_does_not_delay_the_end() {
    // setsid takes it out of the group, so that only the wait status can tell of the end.
    let mut child = start("setsid sh -c 'echo $$; exec sleep 600' & read line; exit 0").await;
    let mut out = lines(child.stdout);
    let grandchild = next_number(&mut out).await;
    drop(child.stdin);
    assert!(ended(&mut child.exit).await.status.success());
    assert!(
        is_alive(grandchild),
        "the test needs the grandchild to hold the pipe"
    );
    assert!(
        timeout(Duration::ZERO, out.next_line()).await.is_err(),
        "the pipe is still open"
    );
    let kill = Command::new("/bin/kill", "/").args(["-KILL".to_owned(), grandchild.to_string()]);
    ended(&mut spawner().spawn(kill).await.unwrap().exit).await;
}

#[tokio::test]
async fn peak_memory_and_processor_time_are_told() {
    let script = "b = b'x' * (200 << 20)\nfor i in range(10**6): pass";
    let command = Command::new("python3", "/")
        .args(["-I", "-S", "-c", script])
        .env([("PATH", std::env::var_os("PATH").unwrap())]);
    let mut child = spawner().spawn(command).await.unwrap();
    let exit = ended(&mut child.exit).await;
    assert!(
        exit.status.success(),
        "{exit:?} {}",
        all(child.stderr).await
    );
    assert!(exit.peak_resident_bytes.unwrap() > 200 << 20, "{exit:?}");
    assert!(
        exit.user_time + exit.system_time > Duration::ZERO,
        "{exit:?}"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn processor_time_of_its_children_is_not_its_own() {
    let script = "import os, time\n\
        child = os.fork()\n\
        while child == 0 and time.process_time() < 2: pass\n\
        child and os.waitpid(child, 0)";
    let command = Command::new("python3", "/")
        .args(["-I", "-S", "-c", script])
        .env([("PATH", std::env::var_os("PATH").unwrap())]);
    let mut child = spawner().spawn(command).await.unwrap();
    let exit = ended(&mut child.exit).await;
    assert!(exit.status.success(), "{exit:?}");
    let own = exit.user_time + exit.system_time;
    assert!(own < Duration::from_secs(1), "{exit:?}");
}

#[tokio::test]
async fn a_living_process_can_be_looked_at_and_a_dead_one_not() {
    let mut child = start("read line").await;
    assert!(is_alive(child.pid));
    assert!(resident_bytes(child.pid).unwrap() > 0);
    child.group.kill();
    ended(&mut child.exit).await;
    assert!(!is_alive(child.pid));
    assert_eq!(resident_bytes(child.pid), None);
    assert!(is_reaped(child.pid));
}

#[tokio::test]
async fn signals_reach_it_and_a_reaped_one_is_never_signalled() {
    let mut child =
        start("trap 'exit 9' TERM; echo ready; while :; do sleep 600 & wait; done").await;
    let mut out = lines(child.stdout);
    assert_eq!(crate::subject::next_line(&mut out).await, "ready");
    child.group.signal(Signal::TERMINATE).unwrap();
    assert_eq!(ended(&mut child.exit).await.status, ExitStatus::Exited(9));
    let error = child.group.signal(Signal::TERMINATE).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("signal process {}: it has ended", child.pid)
    );
}

#[tokio::test]
async fn two_hundred_at_once_all_end_with_their_own_code() {
    let spawner = spawner();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let spawner = spawner.clone();
        tasks.spawn(async move {
            let mut child = spawner
                .spawn(sh(&format!("exit {}", number % 100)))
                .await
                .unwrap();
            (number % 100, ended(&mut child.exit).await.status)
        });
    }
    while let Some(done) = tasks.join_next().await {
        let (code, status) = done.unwrap();
        assert_eq!(status, ExitStatus::Exited(code));
    }
}

#[tokio::test]
async fn a_stop_is_seen_and_taken_from_nobody() {
    let mut child = start("read line; exit 5").await;
    assert!(!child.group.is_stopped());
    child.group.signal_leader(Signal::STOP).unwrap();
    eventually("it to be stopped", || child.group.is_stopped()).await;
    // As often as it is looked at.
    assert!(child.group.is_stopped());
    child.group.signal_leader(Signal::CONTINUE).unwrap();
    eventually("it to go on", || !child.group.is_stopped()).await;
    drop(child.stdin);
    assert_eq!(ended(&mut child.exit).await.status, ExitStatus::Exited(5));
    assert!(!child.group.is_stopped());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_real_time_signal_is_sent_and_its_handler_is_seen() {
    let signal = Signal::real_time(2).unwrap();
    let number = signal.as_raw();
    let script = format!("trap 'echo caught' {number}; echo set; while :; do sleep 0.01; done");
    let child = start(&script).await;
    let mut out = lines(child.stdout);
    assert_eq!(out.next_line().await.unwrap().as_deref(), Some("set"));
    assert!(catches(child.pid, signal));
    assert!(!catches(child.pid, Signal::real_time(3).unwrap()));
    assert!(!is_pending(child.pid, signal));
    // A stopped process leaves it pending.
    child.group.signal_leader(Signal::STOP).unwrap();
    eventually("it to be stopped", || child.group.is_stopped()).await;
    child.group.signal_leader(signal).unwrap();
    assert!(is_pending(child.pid, signal));
    child.group.signal_leader(Signal::CONTINUE).unwrap();
    assert_eq!(out.next_line().await.unwrap().as_deref(), Some("caught"));
}
