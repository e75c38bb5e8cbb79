use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::*;

fn letter(id: LetterId) -> DeadLetter {
    let call = KeptCall {
        input: json!({"text": "line\nline", "n": [1, null]}),
        history: vec!["[1]".to_owned()],
        ..KeptCall::default()
    };
    let head = DeadLetterHead {
        id,
        agent: "echo".to_owned(),
        session: Some("ada".to_owned()),
        deaths: 3,
        preview: call.preview(),
        ..DeadLetterHead::default()
    };
    let exits = vec![json!({"reason": "signalled"})];
    DeadLetter { head, call, exits }
}

fn open(folder: &tempfile::TempDir) -> Arc<DeadLetters> {
    Arc::new(DeadLetters::open(Some(folder.path().join("deadletters"))))
}

#[tokio::test]
async fn letters_are_there_for_the_next_node() {
    let folder = tempfile::tempdir().unwrap();
    let letters = open(&folder);
    for number in 1..=2 {
        assert_eq!(letters.next_id(), LetterId(number));
        letters.keep(letter(LetterId(number))).await;
    }
    let file = folder.path().join("deadletters/d-2.jsonl");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    assert!(letters.remove(LetterId(1)).await);
    assert!(!letters.remove(LetterId(1)).await);

    let next = open(&folder);
    assert_eq!(next.list(None), letters.list(None));
    assert_eq!(next.list(Some("other")).letters, []);
    let read = next.read(LetterId(2)).await.unwrap().unwrap();
    assert_eq!(*read, letter(LetterId(2)));
    assert_eq!(next.next_id(), LetterId(3));
    assert!(next.read(LetterId(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn damaged_files_are_told_and_left_and_unfinished_ones_removed() {
    let folder = tempfile::tempdir().unwrap();
    let letters = open(&folder);
    for number in 1..=3 {
        letters.keep(letter(LetterId(number))).await;
    }
    let path = |name: &str| folder.path().join("deadletters").join(name);
    let whole = std::fs::read(path("d-1.jsonl")).unwrap();
    std::fs::write(path("d-1.jsonl"), &whole[..whole.len() - 9]).unwrap();
    std::fs::write(path("d-7.jsonl"), b"\xff\x00").unwrap();
    std::fs::write(path("d-8.jsonl"), &whole).unwrap();
    std::fs::write(path("d-9.jsonl.tmp"), b"{").unwrap();
    std::fs::write(path("notes.txt"), b"mine").unwrap();

    let next = open(&folder);
    let list = next.list(None);
    let ids: Vec<u64> = list.letters.iter().map(|head| head.id.0).collect();
    assert_eq!(ids, [2, 3]);
    assert_eq!(list.damaged.len(), 3, "{:?}", list.damaged);
    for (name, there) in [
        ("d-1.jsonl", true),
        ("d-7.jsonl", true),
        ("d-9.jsonl.tmp", false),
        ("notes.txt", true),
    ] {
        assert_eq!(path(name).exists(), there, "{name}");
    }
    assert_eq!(
        next.next_id(),
        LetterId(9),
        "no damaged letter is written over"
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_keeps_letters_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("deadletters"), b"a file").unwrap();
    let letters = open(&folder);
    letters.keep(letter(LetterId(1))).await;
    let read = letters.read(LetterId(1)).await.unwrap();
    assert_eq!(read.as_deref(), Some(&letter(LetterId(1))));
    letters.settle().await;
}

#[tokio::test]
async fn the_oldest_letters_make_room() {
    let letters = DeadLetters::open(None);
    let newest = u64::try_from(DEAD_LETTERS_MAX).unwrap() + 2;
    for number in 1..=newest {
        letters.keep(letter(LetterId(number))).await;
    }
    let list = letters.list(None).letters;
    assert_eq!(list.len(), DEAD_LETTERS_MAX);
    assert_eq!(list.first().map(|head| head.id), Some(LetterId(3)));
}

#[tokio::test]
async fn the_oldest_letters_make_room_in_bytes_and_the_newest_is_kept_in_any_case() {
    let letters = DeadLetters {
        bytes_max: 10_000,
        ..DeadLetters::open(None)
    };
    for number in 1..=20 {
        let mut large = letter(LetterId(number));
        large.call.input = json!("x".repeat(2_000));
        letters.keep(large).await;
    }
    let ids = || letters.list(None).letters.into_iter().map(|head| head.id.0);
    assert!(ids().eq(17..=20), "{:?}", ids().collect::<Vec<_>>());
    let mut larger = letter(LetterId(21));
    larger.call.input = json!("x".repeat(20_000));
    letters.keep(larger).await;
    assert!(ids().eq([21]));
}

#[tokio::test]
async fn one_tries_a_letter_at_a_time() {
    let letters = Arc::new(DeadLetters::open(None));
    let trying = letters.try_again(LetterId(1));
    assert!(trying.is_some());
    assert!(letters.try_again(LetterId(1)).is_none());
    drop(trying);
    assert!(letters.try_again(LetterId(1)).is_some());
}

#[tokio::test]
async fn an_id_that_is_none_has_a_nearest() {
    let letters = DeadLetters::open(None);
    assert_eq!(letters.nearest("d-1"), None);
    for number in [3, 17] {
        letters.keep(letter(LetterId(number))).await;
    }
    assert_eq!(letters.nearest("d-71"), Some(LetterId(17)));
    assert_eq!(letters.nearest("3"), Some(LetterId(3)));
    assert_eq!("17".parse::<LetterId>().ok(), None);
}
