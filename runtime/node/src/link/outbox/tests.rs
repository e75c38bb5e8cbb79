use tokio::net::unix::pipe::{Receiver, Sender, pipe};

use super::*;

async fn both() -> (Option<Sender>, Receiver) {
    let (sender, receiver) = pipe().unwrap();
    // tokio has heard of the pipe from then on.
    sender.writable().await.unwrap();
    (Some(sender), receiver)
}

/// Reads what is there.
async fn read(pipe: &Receiver) -> usize {
    pipe.readable().await.unwrap();
    pipe.try_read(&mut [0; 64 * 1024]).unwrap()
}

#[tokio::test]
async fn what_the_pipe_does_not_take_waits_in_order() {
    let (mut stdin, reader) = both().await;
    let mut outbox = Outbox::default();
    let mut got = 0;
    outbox.buffer().extend(vec![1; 300 * 1024]);
    assert_eq!(outbox.flush(&mut stdin), Flushed::Fine);
    assert!(outbox.waits());
    while outbox.waits() {
        got += read(&reader).await;
        stdin.as_ref().unwrap().writable().await.unwrap();
        outbox.flush(&mut stdin);
    }
    while got < 300 * 1024 {
        got += read(&reader).await;
    }
    assert_eq!(got, 300 * 1024);
    assert!(outbox.bytes.capacity() <= KEPT_BYTES_MAX);
}

#[tokio::test]
async fn a_reader_that_is_always_behind_does_not_make_it_grow() {
    let (mut stdin, reader) = both().await;
    let mut outbox = Outbox::default();
    outbox.buffer().extend(vec![1; 200 * 1024]);
    outbox.flush(&mut stdin);
    for _ in 0..200 {
        let taken = read(&reader).await;
        outbox.buffer().extend(vec![1; taken]);
        stdin.as_ref().unwrap().writable().await.unwrap();
        outbox.flush(&mut stdin);
        assert!(outbox.waits());
    }
    let kept = outbox.bytes.len();
    assert!(kept < 1024 * 1024, "{kept} bytes are kept");
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_is_told_once() {
    let (mut stdin, reader) = both().await;
    drop(reader);
    let mut outbox = Outbox::default();
    outbox.buffer().push(1);
    assert_eq!(outbox.flush(&mut stdin), Flushed::Broken);
    assert!(stdin.is_none() && !outbox.waits());
    outbox.buffer().push(1);
    assert_eq!(outbox.flush(&mut stdin), Flushed::Fine);
}
