//! Holds `docs/protocol.md` to the crate: frames, fields, types, limits, words and violations.

use std::path::Path;

use synapse_wire::frame::{CancelReason, LogLevel, Shape, ToolStatus};
use synapse_wire::{FromAgent, FromRuntime, Violation, Wire, limits};

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.md");
    std::fs::read_to_string(path).unwrap()
}

/// The text between a heading and the next of its level or above.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let start = document
        .find(&format!("{heading}\n"))
        .unwrap_or_else(|| panic!("no {heading}"));
    let rest = &document[start + heading.len()..];
    let hashes = heading.split(' ').next().unwrap();
    let ends =
        (1..=hashes.len()).filter_map(|level| rest.find(&format!("\n{} ", &"####"[..level])));
    &rest[..ends.min().unwrap_or(rest.len())]
}

/// The cells of a section's tables, without heads and rules; code marks are taken off.
fn rows(section: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut in_table = false;
    for line in section.lines() {
        let row = line.starts_with("| ");
        if row && in_table && !line.starts_with("| ---") {
            let cells = line.trim_matches(['|', ' ']).split(" | ");
            rows.push(
                cells
                    .map(|cell| cell.trim().trim_matches('`').to_owned())
                    .collect(),
            );
        }
        in_table = row;
    }
    rows
}

fn frames(document: &str, heading: &str) -> Vec<(String, Vec<Vec<String>>)> {
    let part = section(document, heading);
    let headings = part.lines().filter(|line| line.starts_with("### "));
    headings
        .map(|heading| (heading.to_owned(), rows(section(part, heading))))
        .collect()
}

fn expected(shape: &Shape) -> (String, Vec<Vec<String>>) {
    let heading = format!("### {} `{}`", shape.kind, shape.name);
    let fields = shape.fields.iter().zip(2_usize..).map(|(field, position)| {
        let nil = if field.nullable { " or nil" } else { "" };
        vec![
            position.to_string(),
            field.name.to_owned(),
            format!("{}{nil}", field.of),
        ]
    });
    (heading, fields.collect())
}

fn check_frames(heading: &str, shapes: &[Shape]) {
    let mut found = frames(&document(), heading);
    for (_, rows) in &mut found {
        rows.iter_mut().for_each(|row| drop(row.split_off(3)));
    }
    assert_eq!(found, shapes.iter().map(expected).collect::<Vec<_>>());
}

#[test]
fn frames_from_the_runtime_are_documented() {
    check_frames("## Frames from the runtime", FromRuntime::SHAPES);
}

#[test]
fn frames_from_the_agent_are_documented() {
    check_frames("## Frames from the agent", FromAgent::SHAPES);
}

#[test]
fn frames_of_no_run_are_documented() {
    let document = document();
    for shape in FromRuntime::SHAPES.iter().chain(FromAgent::SHAPES) {
        let text = section(&document, &format!("### {} `{}`", shape.kind, shape.name));
        let says_so = text.contains("Run 0.") || shape.name == "welcome";
        assert_eq!(says_so, !shape.of_a_run, "{}", shape.name);
    }
}

#[test]
fn limits_are_documented() {
    let expected = [
        ("FRAME_BYTES_MAX", limits::FRAME_BYTES_MAX),
        ("CHUNK_BYTES_MAX", limits::CHUNK_BYTES_MAX),
        (
            "STREAM_CREDIT_INITIAL",
            limits::STREAM_CREDIT_INITIAL as usize,
        ),
        ("STREAM_CREDIT_MAX", limits::STREAM_CREDIT_MAX as usize),
        ("VALUE_DEPTH_MAX", limits::VALUE_DEPTH_MAX),
        ("VALUES_MAX", limits::VALUES_MAX),
        ("REQUESTS_OPEN_MAX", limits::REQUESTS_OPEN_MAX),
        ("LOG_LINES_PER_S", limits::LOG_LINES_PER_S as usize),
    ];
    let found = rows(section(&document(), "## Limits"));
    let found: Vec<(&str, usize)> = found
        .iter()
        .map(|row| (row[0].as_str(), row[1].parse().unwrap()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn violations_are_documented() {
    let found = rows(section(&document(), "## Violations"));
    let found: Vec<&str> = found.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(found, Violation::NAMES);
}

#[test]
fn closed_sets_of_words_are_documented() {
    let document = document();
    let check = |heading: &str, field: &str, words: &[&str]| {
        let rows = rows(section(&document, heading));
        let row = rows.iter().find(|row| row[1] == field).unwrap();
        let found: Vec<&str> = row[3]
            .split('`')
            .filter(|word| !word.contains([',', ' ']))
            .collect();
        let found: Vec<&str> = found.into_iter().filter(|word| !word.is_empty()).collect();
        assert_eq!(found, words, "{heading}");
    };
    let words: Vec<&str> = ToolStatus::ALL.iter().map(|word| word.as_str()).collect();
    check("### 3 `tool_result`", "status", &words);
    let words: Vec<&str> = CancelReason::ALL.iter().map(|word| word.as_str()).collect();
    check("### 6 `cancel`", "reason", &words);
    let words: Vec<&str> = LogLevel::ALL.iter().map(|word| word.as_str()).collect();
    check("### 74 `log`", "level", &words);
}
