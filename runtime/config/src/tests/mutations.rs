//! No text makes the crate panic, and every rendering of a mistake succeeds.

use std::hint::black_box;
use std::path::Path;

use proptest::prelude::{any, prop, prop_oneof, proptest};
use proptest::strategy::{Just, Strategy};

use crate::parse;

/// Every key once, so that mutations reach every reader.
const SAMPLE: &str = r#"
[runtime]
data_dir = ".data"
log = { level = "info", file_size = "10MiB", files = 5 }
[python]
path = ["src"]
spawn = "exec"
preload = ["numpy.random"]
[supervisor.root]
strategy = "rest_for_one"
intensity = 3
period = "5s"
auto_shutdown = "any_significant"
children = ["one", "inner", "größe"]
[supervisor.inner]
children = ["two"]
[agent.one]
entry = "agents.one:agent"
restart = "transient"
significant = true
mailbox = { size = 64, when_full = "wait" }
backoff = { initial = "100ms", max = "30s", factor = 2.0, jitter = 0.2 }
env = { TZ = "UTC" }
env_pass = ["A"]
usage_limits.requests = 5
[agent.two]
model = "openai:gpt-5"
instructions = """
Say "ja", Größe,
and 日本語."""
output_schema = { type = "object" }
"#;

/// Pieces of TOML that mean something in the wrong place.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "[",
            "]",
            "[[agent]]\n",
            "[agent]\n",
            "\"",
            "'",
            "\"\"\"",
            "=",
            ".",
            ",",
            "{",
            "}",
            "\n",
            "\r\n",
            "\t",
            "#",
            "0",
            "-1",
            "1e400",
            "nan",
            "1979-05-27T07:32:00Z",
            "true",
            "\"\"",
            "99999999999999999999",
            "\\u0000",
            "\u{feff}",
            "é",
            "日",
            "root",
            "one",
            "\u{1b}[31m",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
        Just(String::new()),
    ]
}

fn mutated(edits: &[(usize, usize, String)]) -> String {
    let mut characters: Vec<char> = SAMPLE.chars().collect();
    for (at, remove, insert) in edits {
        let at = at % (characters.len() + 1);
        let end = (at + remove % 12).min(characters.len());
        characters.splice(at..end, insert.chars());
    }
    characters.into_iter().collect()
}

fn digest(text: &str) {
    let file = Path::new("/nowhere/supervision.toml");
    match parse(text, file) {
        Ok(loaded) => {
            black_box(loaded.warnings.render(true));
            black_box(loaded.warnings.list());
        }
        Err(errors) => {
            assert!(!errors.render(false).is_empty());
            black_box(errors.render(true));
            assert!(!errors.list().is_empty());
        }
    }
}

proptest! {
    #[test]
    fn a_mutated_file_never_panics(
        edits in prop::collection::vec((any::<usize>(), any::<usize>(), piece()), 1..6)
    ) {
        digest(&mutated(&edits));
    }

    #[test]
    fn any_text_never_panics(text in any::<String>()) {
        digest(&text);
    }
}

#[test]
fn every_prefix_of_a_file_never_panics() {
    for (at, _) in SAMPLE.char_indices() {
        digest(SAMPLE.get(..at).unwrap());
    }
}

#[test]
fn a_file_of_nothing_but_mistakes_is_answered_in_bounds() {
    let text: String = (0..20_000).map(|n| format!("k{n} = {n}\n")).collect();
    let errors = parse(&text, Path::new("s.toml")).unwrap_err();
    assert_eq!(errors.list().len(), 500);
    assert!(errors.render(false).ends_with("more in s.toml\n"));
}
