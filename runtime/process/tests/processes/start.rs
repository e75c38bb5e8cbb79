//! What a child is given, and how a failed start is told.

use std::error::Error;
use std::os::fd::AsFd;

use synapse_process::{Command, KernelLimits, SpawnError, pipe_size};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::Sender;

use crate::subject::{all, ended, sh, spawner, start};

#[tokio::test]
async fn three_pipes_carry_what_is_written() {
    let mut child = start("cat; echo problem >&2").await;
    let mut stdin = Sender::from_owned_fd(child.stdin).unwrap();
    stdin.write_all(b"hello").await.unwrap();
    drop(stdin);
    assert_eq!(all(child.stdout).await, "hello");
    assert_eq!(all(child.stderr).await, "problem\n");
    assert!(ended(&mut child.exit).await.status.success());
}

#[tokio::test]
async fn environment_is_exactly_what_was_given_and_the_tag() {
    let command = Command::new("env", "/").env([("PATH", "/usr/bin:/bin"), ("ONLY", "this one")]);
    let child = spawner().spawn(command).await.unwrap();
    let mut seen: Vec<String> = all(child.stdout).await.lines().map(str::to_owned).collect();
    seen.sort();
    let tag = seen.pop().unwrap();
    assert!(tag.starts_with("SYNAPSE_TAG="), "{tag}");
    assert_eq!(seen, ["ONLY=this one", "PATH=/usr/bin:/bin"]);
}

#[tokio::test]
async fn starts_in_its_folder_and_leads_its_own_group() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = sh("pwd -P; cut -d ' ' -f 5 /proc/$$/stat");
    command.cwd = folder.path().to_owned();
    let child = spawner().spawn(command).await.unwrap();
    let folder = folder.path().canonicalize().unwrap();
    assert_eq!(
        all(child.stdout).await,
        format!("{}\n{}\n", folder.display(), child.pid)
    );
}

#[tokio::test]
async fn missing_program_is_told_with_its_name_and_the_reason_in_words() {
    let error = spawner()
        .spawn(Command::new("/no/such/program", "/"))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "start /no/such/program");
    let reason = error.source().unwrap().to_string();
    assert!(reason.starts_with("No such file or directory"), "{reason}");
}

#[tokio::test]
async fn file_that_may_not_be_executed_is_told_apart() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = spawner()
        .spawn(Command::new(file.path(), "/"))
        .await
        .unwrap_err();
    let reason = error.source().unwrap().to_string();
    assert!(reason.starts_with("Permission denied"), "{reason}");
}

#[tokio::test]
async fn missing_folder_is_told_apart_from_a_missing_program() {
    let error = spawner()
        .spawn(Command::new("/bin/sh", "/no/such/folder"))
        .await
        .unwrap_err();
    assert!(matches!(error, SpawnError::Folder { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "start /bin/sh: its folder /no/such/folder does not exist"
    );
}

#[tokio::test]
async fn pipes_can_be_asked_to_be_larger() {
    let mut command = sh("read line");
    command.pipe_bytes = Some(256 * 1024);
    let child = spawner().spawn(command).await.unwrap();
    assert_eq!(
        rustix::pipe::fcntl_getpipe_size(child.stdout.as_fd()).unwrap(),
        256 * 1024
    );
    assert_eq!(
        rustix::pipe::fcntl_getpipe_size(child.stdin.as_fd()).unwrap(),
        256 * 1024
    );
    assert_eq!(pipe_size(&child.stdin, 512 * 1024).unwrap(), 512 * 1024);
}

#[tokio::test]
async fn limits_of_the_kernels_are_set_before_the_program_runs() {
    let mut command = sh("ulimit -n; ulimit -Hn; ulimit -t; ulimit -Ht");
    command.limits = KernelLimits {
        open_files: Some(77),
        cpu_seconds: Some(3),
    };
    let child = spawner().spawn(command).await.unwrap();
    assert_eq!(all(child.stdout).await, "77\n77\n3\n8\n");
}
