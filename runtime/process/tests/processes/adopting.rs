//! What a process that adopts does with orphans. Adopting is a whole process's, so that each test
//! runs in one of its own.
#![cfg(target_os = "linux")]

use synapse_process::{Child, ExitStatus, Signal, Spawner, is_alive};

use crate::subject::{
    ended, eventually, is_inner, is_reaped, lines, next_number, sh,
    succeeds_in_a_process_of_its_own,
};

/// A shell whose daemon has left its group and its parent; prints the daemon's number.
const WITH_DAEMON: &str = "(setsid sh -c 'echo $$; exec sleep 600' &); read line; exit 3";

async fn with_daemon(spawner: &Spawner) -> (Child, u32) {
    let mut child = spawner.spawn(sh(WITH_DAEMON)).await.unwrap();
    let (reading, writing) = rustix::pipe::pipe().unwrap();
    drop(writing);
    let stdout = std::mem::replace(&mut child.stdout, reading);
    let daemon = next_number(&mut lines(stdout)).await;
    (child, daemon)
}

fn parent_of(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_daemon_lives_as_long_as_its_incarnation_and_no_longer() {
    if !is_inner() {
        let test = "adopting::a_daemon_lives_as_long_as_its_incarnation_and_no_longer";
        return succeeds_in_a_process_of_its_own(test).await;
    }
    let spawner = Spawner::start_adopting().unwrap();
    let (mut first, of_first) = with_daemon(&spawner).await;
    let (second, of_second) = with_daemon(&spawner).await;
    eventually("the daemons are adopted", || {
        [of_first, of_second].map(parent_of) == [std::process::id(); 2]
    })
    .await;
    first.group.kill();
    let end = ended(&mut first.exit).await;
    assert!(matches!(
        end.status,
        ExitStatus::Signalled { signal: 9, .. }
    ));
    eventually("its daemon is gone", || is_reaped(of_first)).await;
    assert!(is_alive(of_second), "that one's incarnation lives");
    drop(second);
    eventually("the other is gone", || is_reaped(of_second)).await;
}

#[tokio::test]
async fn what_a_leftover_leaves_behind_is_found_too() {
    if !is_inner() {
        let test = "adopting::what_a_leftover_leaves_behind_is_found_too";
        return succeeds_in_a_process_of_its_own(test).await;
    }
    let spawner = Spawner::start_adopting().unwrap();
    // Each in a session of its own, and below the other.
    let script =
        "setsid sh -c 'setsid sh -c \"echo \\$\\$; exec sleep 600\" & echo $$; wait' & wait";
    let mut child = spawner.spawn(sh(script)).await.unwrap();
    let mut out = lines(child.stdout);
    let pids = [next_number(&mut out).await, next_number(&mut out).await];
    child.group.signal_leader(Signal::KILL).unwrap();
    ended(&mut child.exit).await;
    for pid in pids {
        eventually("a leftover is gone", || is_reaped(pid)).await;
    }
}

#[tokio::test]
async fn an_orphan_that_ends_by_itself_is_reaped() {
    if !is_inner() {
        let test = "adopting::an_orphan_that_ends_by_itself_is_reaped";
        return succeeds_in_a_process_of_its_own(test).await;
    }
    let spawner = Spawner::start_adopting().unwrap();
    let (mut child, daemon) = with_daemon(&spawner).await;
    let kill = sh(&format!("kill -TERM {daemon}"));
    let mut kill = spawner.spawn(kill).await.unwrap();
    assert!(ended(&mut kill.exit).await.status.success());
    eventually("the daemon is reaped", || is_reaped(daemon)).await;
    assert!(child.exit.now().is_none(), "its incarnation lives");
    drop(child.stdin);
    assert_eq!(ended(&mut child.exit).await.status, ExitStatus::Exited(3));
}

#[tokio::test]
async fn ends_are_told_as_ever() {
    if !is_inner() {
        let test = "adopting::ends_are_told_as_ever";
        return succeeds_in_a_process_of_its_own(test).await;
    }
    let spawner = Spawner::start_adopting().unwrap();
    let program = synapse_process::Command::new("/no/such", "/");
    for code in 0..20 {
        // Its child is dead before it is anybody's.
        spawner.spawn(program.clone()).await.unwrap_err();
        let mut child = spawner.spawn(sh(&format!("exit {code}"))).await.unwrap();
        assert_eq!(
            ended(&mut child.exit).await.status,
            ExitStatus::Exited(code)
        );
    }
}

#[tokio::test]
async fn a_family_is_a_process_with_its_descendants_and_with_what_has_fallen_of_it() {
    if !is_inner() {
        let test =
            "adopting::a_family_is_a_process_with_its_descendants_and_with_what_has_fallen_of_it";
        return succeeds_in_a_process_of_its_own(test).await;
    }
    let spawner = Spawner::start_adopting().unwrap();
    let (first, of_first) = with_daemon(&spawner).await;
    let (second, _) = with_daemon(&spawner).await;
    eventually("the daemon is adopted", || {
        parent_of(of_first) == std::process::id()
    })
    .await;
    let family = |child: &Child| child.group.family(&spawner.orphans()).unwrap();
    eventually("each has its own", || {
        (family(&first).count(), family(&second).count()) == (2, 2)
    })
    .await;
    let family = family(&first);
    let (share, occupied) = (family.share_bytes(), family.occupied_bytes());
    assert!(share > 0 && share <= occupied, "{share} of {occupied}");
    first.group.kill();
    eventually("it is gone", || is_reaped(first.pid)).await;
    assert!(first.group.family(&spawner.orphans()).is_none());
    assert!(first.group.usage().is_none() && first.group.work().is_none());
}
