use super::*;

fn add(book: &LogBook, incarnation: u64, text: &str) {
    book.add(incarnation, LogStream::Stderr, "info", text.to_owned());
}

fn texts(book: &LogBook, previous: bool, tail: usize) -> Vec<String> {
    let (lines, _) = book.subscribe(previous, tail);
    lines.into_iter().map(|line| line.text).collect()
}

#[test]
fn the_present_life_and_the_previous_one_have_their_own_pages() {
    let book = LogBook::new("echo".into());
    for incarnation in 1..=3 {
        book.begin(incarnation);
        add(&book, incarnation, &format!("life {incarnation}"));
        if incarnation < 3 {
            book.end(incarnation);
        }
    }
    assert_eq!(texts(&book, false, 9), ["life 3"]);
    assert_eq!(texts(&book, true, 9), ["life 2"]);
    book.end(3);
    assert_eq!(
        texts(&book, false, 9),
        ["life 3"],
        "down: the last life is read"
    );
}

#[test]
fn lines_are_bounded_and_a_tail_is_their_end() {
    let book = LogBook::new("echo".into());
    book.begin(1);
    for number in 0..LINES_KEPT + 10 {
        add(&book, 1, &number.to_string());
    }
    assert_eq!(texts(&book, false, usize::MAX).len(), LINES_KEPT);
    assert_eq!(texts(&book, false, 2), ["1008", "1009"]);
    assert_eq!(book.stderr(1).len(), LINES_KEPT);
    assert_eq!(book.stderr(2), [""; 0]);
}

#[test]
fn a_long_text_is_cut_between_letters() {
    assert_eq!(cut("short".to_owned()), "short");
    let long = format!("x{}", "ä".repeat(LINE_BYTES_MAX));
    let cut = cut(long);
    assert!(cut.ends_with("ä … (cut)"));
    assert!(cut.len() <= LINE_BYTES_MAX + 16);
}
