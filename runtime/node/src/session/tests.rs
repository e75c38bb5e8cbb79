use serde_json::{Value, json};
use tokio::time::{Duration, timeout};

use super::*;

const SOON: Duration = Duration::from_millis(50);

fn sessions(count_max: usize, bytes_max: usize) -> Sessions {
    Sessions::new(Arc::new(MemoryStore::new(count_max, bytes_max)))
}

async fn lease(sessions: &Sessions, id: &str, agent: &str) -> Result<Lease, FaultCode> {
    let leased = sessions.lease(id, agent, Instant::now() + SOON).await;
    leased.map(|(lease, _)| lease).map_err(|fault| fault.code)
}

/// One exchange, with so many bytes of history.
async fn talk(sessions: &Sessions, id: &str, answer: Value, bytes: usize) {
    let segment = Segment {
        messages: vec![b' '; bytes].into(),
        count: 1,
    };
    let lease = lease(sessions, id, "echo").await.unwrap();
    lease.commit(Some(segment), turn(answer));
}

fn turn(answer: Value) -> Turn {
    Turn {
        prompt: json!("?"),
        answer,
        at: String::new(),
        partial: false,
    }
}

fn idle(sessions: &Sessions) -> bool {
    sessions.busy.is_empty()
}

#[tokio::test(start_paused = true)]
async fn a_second_call_waits_until_the_first_is_over() {
    let sessions = sessions(9, 9999);
    let first = lease(&sessions, "ada", "echo").await.unwrap();
    let other = lease(&sessions, "bob", "echo").await;
    assert!(other.is_ok(), "another conversation is free");
    drop(other);
    let waiting = {
        let sessions = sessions.clone();
        tokio::spawn(async move { lease(&sessions, "ada", "echo").await })
    };
    tokio::task::yield_now().await;
    first.commit(None, turn(json!("!")));
    assert!(waiting.await.unwrap().is_ok());
    assert!(idle(&sessions));
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_is_told_and_leaves_nothing_behind() {
    let sessions = sessions(9, 9999);
    let first = lease(&sessions, "ada", "echo").await.unwrap();
    let late = lease(&sessions, "ada", "echo").await;
    assert_eq!(late.err(), Some(FaultCode::SessionBusy));
    // A caller who leaves, rather than waits.
    let wait = sessions.lease("ada", "echo", Instant::now() + SOON);
    assert!(timeout(SOON / 2, wait).await.is_err());
    drop(first);
    assert!(idle(&sessions));
    assert!(lease(&sessions, "ada", "echo").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_conversation_is_with_one_agent() {
    let sessions = sessions(9, 9999);
    talk(&sessions, "ada", json!("!"), 10).await;
    let other = lease(&sessions, "ada", "other").await;
    assert_eq!(other.err(), Some(FaultCode::InvalidInput));
    assert!(idle(&sessions));
}

#[tokio::test(start_paused = true)]
async fn ids_are_short_and_legible() {
    let sessions = sessions(9, 9999);
    let long = "x".repeat(SESSION_ID_BYTES_MAX + 1);
    for id in ["", "a b", "a/b", "ä", "a\n", &long] {
        let refused = lease(&sessions, id, "echo").await;
        assert_eq!(refused.err(), Some(FaultCode::InvalidInput), "{id:?}");
    }
    for id in ["a", "A-1_~:@", &long[1..]] {
        assert!(lease(&sessions, id, "echo").await.is_ok(), "{id:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn history_is_what_the_runs_gave_segment_by_segment() {
    let sessions = sessions(9, 9999);
    talk(&sessions, "ada", json!("one"), 3).await;
    talk(&sessions, "ada", json!("two"), 5).await;
    let (_, history) = sessions
        .lease("ada", "echo", Instant::now() + SOON)
        .await
        .unwrap();
    let lengths: Vec<_> = history.iter().map(Bytes::len).collect();
    assert_eq!(lengths, [3, 5]);
    assert_eq!(sessions.view("ada").unwrap().messages, 2);
}

#[tokio::test(start_paused = true)]
async fn one_removed_in_the_middle_of_a_run_stays_removed() {
    let sessions = sessions(9, 9999);
    let first = lease(&sessions, "ada", "echo").await.unwrap();
    assert!(sessions.remove("ada"));
    assert!(!sessions.remove("ada"));
    first.commit(None, turn(json!("!")));
    assert!(sessions.view("ada").is_none());
}

#[tokio::test(start_paused = true)]
async fn the_longest_idle_goes_first_and_never_one_in_use() {
    let sessions = sessions(2, 9999);
    let used = lease(&sessions, "used", "echo").await.unwrap();
    talk(&sessions, "old", json!("!"), 1).await;
    talk(&sessions, "new", json!("!"), 1).await;
    assert!(sessions.view("old").is_none());
    assert!(sessions.view("new").is_some());
    drop(used);
    talk(&sessions, "newer", json!("!"), 1).await;
    assert!(sessions.view("used").is_none());
    assert!(sessions.view("new").is_some());
}

#[tokio::test(start_paused = true)]
async fn bytes_are_bounded_when_a_run_is_over() {
    let sessions = sessions(9, 1000);
    talk(&sessions, "large", json!("!"), 2000).await;
    assert!(sessions.view("large").is_none());
    talk(&sessions, "one", json!("!"), 500).await;
    talk(&sessions, "two", json!("!"), 500).await;
    assert!(sessions.view("one").is_none());
    assert!(sessions.view("two").is_some());
}

#[tokio::test(start_paused = true)]
async fn the_turns_of_one_conversation_are_bounded_by_what_they_hold() {
    let sessions = sessions(9, usize::MAX);
    // Not a string: its text is inside.
    let large = json!({"text": "x".repeat(1024 * 1024)});
    for _ in 0..10 {
        talk(&sessions, "ada", large.clone(), 1).await;
    }
    let view = sessions.view("ada").unwrap();
    assert_eq!((view.turns.len(), view.messages), (3, 10));
    assert!((3 << 20..4 << 20).contains(&view.bytes), "{}", view.bytes);
    talk(&sessions, "ada", json!("x".repeat(5 << 20)), 1).await;
    assert_eq!(sessions.view("ada").unwrap().turns.len(), 1);
}
