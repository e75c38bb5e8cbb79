//! What becomes of children when this process is killed, and what they inherit from it.

use std::io::Write;

use synapse_process::{ExitStatus, is_alive};

use crate::subject::{
    again, all, ended, eventually, is_inner, lines, next_line, sh, spawner, start,
};

#[tokio::test]
async fn children_die_when_their_parent_is_killed() {
    if is_inner() {
        let child = start("exec sleep 600").await;
        let mut out = std::io::stdout();
        writeln!(out, "child {}", child.pid).unwrap();
        out.flush().unwrap();
        std::future::pending::<()>().await;
    }
    let test = "parent::children_die_when_their_parent_is_killed";
    let mut parent = spawner().spawn(again(test)).await.unwrap();
    let mut out = lines(parent.stdout);
    let child: u32 = loop {
        let line = next_line(&mut out).await;
        if let Some((_, number)) = line.split_once("child ") {
            break number.trim().parse().unwrap();
        }
    };
    assert!(is_alive(child));
    // Its own group, so that only the parent-death signal can reach it.
    parent
        .group
        .signal_leader(synapse_process::Signal::KILL)
        .unwrap();
    ended(&mut parent.exit).await;
    eventually("child is dead", || !is_alive(child)).await;
}

#[tokio::test]
async fn descriptors_are_not_leaked() {
    if is_inner() {
        let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let spawner = spawner();
        ended(&mut spawner.spawn(sh("exit 0")).await.unwrap().exit).await;
        let before = count();
        for _ in 0..20 {
            ended(&mut spawner.spawn(sh("exit 0")).await.unwrap().exit).await;
            spawner.spawn(sh("/")).await.unwrap();
            spawner
                .spawn(synapse_process::Command::new("/no/such", "/"))
                .await
                .unwrap_err();
        }
        eventually("no descriptor more than before", || count() <= before).await;
        drop(spawner);
        return;
    }
    let mut inner = spawner()
        .spawn(again("parent::descriptors_are_not_leaked"))
        .await
        .unwrap();
    let exit = ended(&mut inner.exit).await;
    assert_eq!(
        exit.status,
        ExitStatus::Exited(0),
        "{}",
        all(inner.stdout).await
    );
}

#[tokio::test]
async fn descriptors_that_the_runtime_inherited_are_closed() {
    // Without close-on-exec, as a shell's redirection would be.
    let (reading, _writing) = rustix::pipe::pipe().unwrap();
    rustix::io::fcntl_setfd(&reading, rustix::io::FdFlags::empty()).unwrap();
    let child = start("ls /proc/self/fd").await;
    let seen: Vec<String> = all(child.stdout).await.lines().map(str::to_owned).collect();
    // 3 is the folder that ls itself reads.
    assert_eq!(seen, ["0", "1", "2", "3"]);
}

#[tokio::test]
async fn ignored_signals_are_not_inherited() {
    // The outer shell ignores them; the inner test process inherits that and starts a child.
    if is_inner() {
        let child = start("grep SigIgn /proc/self/status").await;
        let mut out = std::io::stdout();
        writeln!(out, "{}", all(child.stdout).await).unwrap();
        return;
    }
    let inner = again("parent::ignored_signals_are_not_inherited");
    let mut words = vec![inner.program];
    words.extend(inner.args);
    let outer = synapse_process::Command::new("/bin/sh", "/")
        .args(["-c", "trap '' TERM HUP CHLD INT; exec \"$@\"", "sh"])
        .args(words)
        .env(inner.env);
    let child = spawner().spawn(outer).await.unwrap();
    let text = all(child.stdout).await;
    let (_, mask) = text.split_once("SigIgn:\t").unwrap();
    let mask = u64::from_str_radix(&mask[..16], 16).unwrap();
    // From 32 on they belong to the C library and the real-time range.
    assert_eq!(mask & 0x7fff_ffff, 0, "{text}");
}
