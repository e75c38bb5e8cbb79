//! Dead letters: a line for each, and one with all that is known.

use serde_json::Value;
use synapse_api::{DeadLetter, DeadLetterHead, DeadLetterList};

use super::answer::Voice;
use super::layout::{Align, clip, columns, indented, pad, printable};
use super::measure::{clock, count};
use super::{Palette, output};

/// How far the values stand to the right of their keys' beginnings.
const KEY_CELLS: usize = 12;

/// The view of `deadletters`.
#[must_use]
pub fn dead_letters(list: &DeadLetterList, cells: usize, voice: Voice, palette: Palette) -> String {
    let mut lines = Vec::new();
    if list.letters.is_empty() {
        lines.push("No dead letters.".to_owned());
    } else {
        let head = ["id", "agent", "at", "deaths", "how", "input"];
        let mut rows = vec![head.map(|title| palette.dim(title)).to_vec()];
        rows.extend(list.letters.iter().map(row));
        let align = [Align::Left, Align::Left, Align::Left, Align::Right];
        let cells = cells.saturating_sub(1);
        let table = columns(&align, &rows);
        lines.extend(table.iter().map(|line| clip(line, cells)));
        let first = list.letters.first().map_or("d-1", |head| head.id.as_str());
        let hint = format!(
            "{} has the evidence, {} tries again.",
            voice.verb(&format!("deadletters show {first}")),
            voice.verb(&format!("deadletters retry {first}"))
        );
        lines.push(palette.dim(&hint));
    }
    for file in &list.damaged {
        lines.push(palette.bad(&format!("damaged: {}", printable(file))));
    }
    lines.join("\n")
}

fn row(head: &DeadLetterHead) -> Vec<String> {
    vec![
        head.id.clone(),
        head.agent.clone(),
        clock(&head.at).to_owned(),
        head.deaths.to_string(),
        printable(&head.reason),
        printable(&head.preview),
    ]
}

/// The view of `deadletters show ID`.
#[must_use]
pub fn dead_letter(letter: &DeadLetter, cells: usize, voice: Voice, palette: Palette) -> String {
    let head = &letter.head;
    let deaths = count(head.deaths, "death", "deaths");
    let mut lines = vec![format!(
        "{}   {}   {deaths}, the last at {}: {}",
        palette.strong(&head.id),
        head.agent,
        clock(&head.at),
        printable(&head.reason)
    )];
    let mut pair = |key: &str, value: &str| {
        let value = printable(value).replace('\n', &format!("\n{}", " ".repeat(KEY_CELLS)));
        lines.push(format!("{}{value}", palette.dim(&pad(key, KEY_CELLS))));
    };
    pair(
        "run",
        &format!(
            "{}, {}",
            head.run,
            count(head.attempts, "attempt", "attempts")
        ),
    );
    if let Some(session) = &head.session {
        let before = count(letter.history_segments, "run", "runs");
        pair("session", &format!("{session}, {before} before it"));
    }
    if !letter.deps.is_null() {
        pair("deps", &letter.deps.to_string());
    }
    if let Some(model) = &letter.model {
        pair("model", model);
    }
    if let Some(instructions) = &letter.instructions {
        pair("told", instructions);
    }
    pair("input", &output(&letter.input));
    for exit in &letter.exits {
        lines.extend(exit_lines(exit, cells, palette));
    }
    let hint = format!(
        "{} tries it again, {} forgets it.",
        voice.verb(&format!("deadletters retry {}", head.id)),
        voice.verb(&format!("deadletters drop {}", head.id))
    );
    lines.push(palette.dim(&hint));
    lines.join("\n")
}

/// An exit as an event has it: the head, and what the process left.
fn exit_lines(exit: &Value, cells: usize, palette: Palette) -> Vec<String> {
    let text = |key: &str| exit[key].as_str().unwrap_or_default();
    let incarnation = exit["incarnation"].as_u64().unwrap_or_default();
    let head = format!(
        "#{incarnation} at {}: {}",
        clock(text("at")),
        text("detail")
    );
    let mut lines = vec![format!(
        "{}{}",
        palette.dim(&pad("exit", KEY_CELLS)),
        printable(&head)
    )];
    let stderr = exit["stderr_tail"].as_array().into_iter().flatten();
    let stderr: Vec<&str> = stderr.filter_map(Value::as_str).collect();
    for left in [text("traceback"), &stderr.join("\n")] {
        let left = printable(left);
        let shown = left
            .trim_end()
            .lines()
            .map(|line| clip(line, cells.saturating_sub(3)));
        lines.extend(shown.map(|line| indented(&line, "  ")));
    }
    lines
}
