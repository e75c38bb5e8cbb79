//! What the group guard kills, and that nothing stays behind.

use synapse_process::{ExitStatus, Signal, is_alive};

use crate::subject::{
    ended, eventually, is_reaped, lines, next_line, next_number, sh, spawner, start,
};

/// A shell with a child that ignores SIGTERM and holds all pipes; prints the child's number.
const WITH_GRANDCHILD: &str = "sh -c 'trap \"\" TERM; echo $$; exec sleep 600' & wait";

#[tokio::test]
async fn killing_the_group_reaches_a_grandchild_that_holds_the_pipes() {
    let mut child = start(WITH_GRANDCHILD).await;
    let grandchild = next_number(&mut lines(child.stdout)).await;
    child.group.kill();
    let exit = ended(&mut child.exit).await;
    assert!(
        matches!(exit.status, ExitStatus::Signalled { signal: 9, .. }),
        "{exit:?}"
    );
    eventually("grandchild is dead", || !is_alive(grandchild)).await;
}

#[tokio::test]
async fn what_is_left_of_a_group_dies_with_its_leader() {
    let mut child =
        start("sh -c 'trap \"\" TERM HUP; echo $$; exec sleep 600' & read line; exit 4").await;
    let grandchild = next_number(&mut lines(child.stdout)).await;
    drop(child.stdin);
    assert_eq!(ended(&mut child.exit).await.status, ExitStatus::Exited(4));
    eventually("grandchild is dead", || !is_alive(grandchild)).await;
}

#[tokio::test]
async fn leader_alone_can_be_signalled() {
    // Both say so when they get it; the group is killed without a word when its leader ends.
    let told = "trap 'echo grandchild' TERM; echo $$; while :; do sleep 600 & wait; done";
    let script = format!(
        "trap 'echo leader; exit 5' TERM; sh -c \"{}\" & wait",
        told.replace('$', "\\$")
    );
    let mut child = start(&script).await;
    let mut out = lines(child.stdout);
    next_number(&mut out).await;
    child.group.signal_leader(Signal::TERMINATE).unwrap();
    assert_eq!(next_line(&mut out).await, "leader");
    assert_eq!(ended(&mut child.exit).await.status, ExitStatus::Exited(5));
    let rest = tokio::time::timeout(crate::subject::PATIENCE, out.next_line())
        .await
        .unwrap();
    assert_eq!(rest.unwrap(), None);
}

#[tokio::test]
async fn dropping_the_guard_kills_and_reaps() {
    let child = start(WITH_GRANDCHILD).await;
    let pid = child.pid;
    let mut out = lines(child.stdout);
    let grandchild = next_number(&mut out).await;
    drop((child.group, child.exit));
    eventually("leader is reaped", || is_reaped(pid)).await;
    eventually("grandchild is dead", || !is_alive(grandchild)).await;
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_no_process() {
    let spawner = spawner();
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("pid");
    let script = format!(
        "echo $$ > {0}.part; mv {0}.part {0}; exec sleep 600",
        mark.display()
    );
    let waiting = tokio::spawn({
        let spawner = spawner.clone();
        async move { spawner.spawn(sh(&script)).await }
    });
    // Whether it is caught before, in or after the fork: no process may stay.
    tokio::task::yield_now().await;
    waiting.abort();
    drop(waiting.await);
    let mut after = spawner.spawn(sh("exit 0")).await.unwrap();
    ended(&mut after.exit).await;
    let pid = std::fs::read_to_string(&mark)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    if let Some(pid) = pid {
        eventually("it is reaped", || is_reaped(pid)).await;
    }
}

#[tokio::test]
async fn a_child_outlives_the_spawner_handle_it_came_from() {
    let mut child = start("read line; echo $line").await;
    let mut out = lines(child.stdout);
    let mut stdin = tokio::net::unix::pipe::Sender::from_owned_fd(child.stdin).unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stdin, b"still here\n")
        .await
        .unwrap();
    assert_eq!(next_line(&mut out).await, "still here");
    assert!(ended(&mut child.exit).await.status.success());
}
