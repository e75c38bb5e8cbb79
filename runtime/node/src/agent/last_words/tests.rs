use super::*;

fn lines(text: &str) -> Vec<String> {
    // As they are captured: without the empty ones.
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

const SEGFAULT: &str = r#"
loading
  a line of the program that is indented
Fatal Python error: Segmentation fault

Thread 0x00007f3c1a7fe6c0 (most recent call first):
  File "/usr/lib/python3.13/threading.py", line 359 in wait
  File "/usr/lib/python3.13/threading.py", line 1012 in run

Current thread 0x00007f3c1f0a1740 (most recent call first):
  File "/srv/crashing.py", line 11 in dies
  ...

Extension modules: msgpack._cmsgpack (total: 1)
Segmentation fault (core dumped)
"#;

#[test]
fn a_dump_is_found_among_other_lines_with_the_error_above_it() {
    let mut written = lines(SEGFAULT);
    let found = take_stacks(&mut written).unwrap();
    assert!(
        found.starts_with("Fatal Python error: Segmentation fault\nThread 0x00007f3c1a7fe6c0 ("),
        "{found}"
    );
    assert!(
        found.ends_with("in dies\n  ...\nExtension modules: msgpack._cmsgpack (total: 1)"),
        "{found}"
    );
    let left = [
        "loading",
        "  a line of the program that is indented",
        "Fatal Python error: Segmentation fault",
        "Segmentation fault (core dumped)",
    ];
    assert_eq!(written, left);
}

#[test]
fn a_dump_that_was_asked_for_has_no_error_above_it() {
    let text =
        "  indented\nThread 0x1 (most recent call first):\n  File \"a.py\", line 1 in f\nafter";
    assert_eq!(
        take_stacks(&mut lines(text)).unwrap(),
        "Thread 0x1 (most recent call first):\n  File \"a.py\", line 1 in f"
    );
}

#[test]
fn of_two_dumps_the_last_is_taken() {
    let text = "Thread 0x1 (most recent call first):\n  File \"old.py\", line 1 in f\nbetween\n\
                Thread 0x1 (most recent call first):\n  File \"new.py\", line 1 in f";
    let found = take_stacks(&mut lines(text)).unwrap();
    assert!(
        found.contains("new.py") && !found.contains("old.py"),
        "{found}"
    );
}

#[test]
fn a_dump_without_end_is_bounded_and_begins_at_its_beginning() {
    let mut written = lines("Current thread 0x1 (most recent call first):");
    written.extend(std::iter::repeat_n(
        "  File \"a.py\", line 1 in f".to_owned(),
        10_000,
    ));
    let found = take_stacks(&mut written).unwrap();
    assert!(found.len() <= ACCOUNT_BYTES_MAX && found.starts_with("Current thread"));
}

#[test]
fn a_traceback_comes_with_what_it_is_a_consequence_of() {
    let text = "Traceback (most recent call last):\n  File \"old.py\", line 1\nOld: 1\nbetween\n\
        Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'x'\n\
        During handling of the above exception, another exception occurred:\n\
        Traceback (most recent call last):\n  File \"a.py\", line 3\n    raise ValueError\n\
        ValueError: no\nbye";
    let found = traceback(&lines(text)).unwrap();
    assert!(found.starts_with("Traceback (most recent call last):\n  File \"a.py\", line 1\n"));
    assert!(
        found.ends_with("    raise ValueError\nValueError: no"),
        "{found}"
    );
}

#[test]
fn where_python_said_nothing_nothing_is_found() {
    for text in [
        "a\nFatal Python error: none\n  File \"a.py\"\nTraceback:",
        "",
    ] {
        let mut written = lines(text);
        assert_eq!(
            (traceback(&written), take_stacks(&mut written)),
            (None, None)
        );
        assert_eq!(written, lines(text));
    }
}

#[test]
fn a_tail_is_bounded_in_lines_and_in_bytes() {
    let short: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    assert_eq!(tail(&short, 2), ["8", "9"]);
    let mut long = vec!["x".repeat(LINE_BYTES_MAX / 2); 20];
    assert_eq!(tail(&long, 20).len(), 2);
    long.push(crate::logs::cut("x".repeat(LINE_BYTES_MAX * 2)));
    assert_eq!(tail(&long, 20).len(), 1, "one line always fits");
}
