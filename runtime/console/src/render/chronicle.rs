//! What happened and what was written, one line each: events, notices and log lines.

use synapse_api::{ActionOutcome, LogLine, NodeEvent};

use super::layout::pad;
use super::measure::{clock, count};
use super::{Palette, printable};

/// The widest name of an event's kind.
const KIND_CELLS: usize = 18;

/// One line of `/logs`: time, incarnation, level where it is not plain, text.
#[must_use]
pub fn log_line(line: &LogLine, palette: Palette) -> String {
    let incarnation = line
        .incarnation
        .map_or_else(String::new, |it| format!("#{it} "));
    let head = palette.dim(&format!("{} {incarnation}", clock(&line.at)));
    let text = printable(&line.text);
    let text = match line.level.as_str() {
        "error" | "critical" => palette.bad(&text),
        "warning" => palette.warn(&text),
        "debug" => palette.dim(&text),
        _ => text,
    };
    let source = match (line.stream.as_str(), line.level.as_str()) {
        ("stderr", _) | (_, "") => String::new(),
        ("runtime", _) => palette.dim("runtime "),
        (_, level) => palette.dim(&format!("{level} ")),
    };
    format!("{head}{source}{text}")
}

/// One line of `/events`.
#[must_use]
pub fn event(event: &NodeEvent, palette: Palette) -> String {
    let kind = pad(&event.kind, KIND_CELLS);
    let kind = match event.kind.as_str() {
        "agent_ready" | "agent_recovered" | "node_started" => palette.good(&kind),
        "agent_exited" | "agent_restarting" | "agent_unresponsive" => palette.warn(&kind),
        "agent_down" | "supervisor_gave_up" | "crash_report" | "dead_letter" => palette.bad(&kind),
        _ => palette.dim(&kind),
    };
    format!("{} {kind} {}", palette.dim(clock(&event.at)), words(event))
}

/// The event in words; kinds without words are told by their fields.
fn words(event: &NodeEvent) -> String {
    if !event.message.is_empty() {
        return printable(&event.message).replace('\n', " ");
    }
    let subject = event
        .agent
        .as_deref()
        .or(event.supervisor.as_deref())
        .unwrap_or_default();
    let incarnation = event
        .incarnation
        .map_or_else(String::new, |it| format!(" #{it}"));
    format!("{subject}{incarnation}")
}

/// The quiet line with which the console tells of an event while people talk to agents; `None`
/// for events that are not worth one. `kept` is how many messages of this console's conversation
/// with that agent outlived the crash.
#[must_use]
pub fn notice(event: &NodeEvent, kept: Option<u64>, palette: Palette) -> Option<String> {
    let text = words(event);
    let line = match event.kind.as_str() {
        "agent_restarting" | "agent_unresponsive" => palette.warn(&format!("  ! {text}")),
        "agent_recovered" => palette.good(&format!("  + {text}")),
        "agent_down" | "supervisor_gave_up" | "dead_letter" => palette.bad(&format!("  ! {text}")),
        "node_stopping" => palette.warn(&format!("  ! {}", or(&text, "the node is stopping"))),
        "agent_ready" => {
            let kept = kept.map(|it| count(it, "message", "messages"));
            let kept = kept.map_or_else(String::new, |it| format!(", conversation kept ({it})"));
            palette.good(&format!("  + {text}{kept}"))
        }
        _ => return None,
    };
    Some(line)
}

fn or<'a>(text: &'a str, other: &'a str) -> &'a str {
    if text.is_empty() { other } else { text }
}

/// What an operator's action did, a line for each agent.
#[must_use]
pub fn actions(outcomes: &[ActionOutcome], palette: Palette) -> String {
    if outcomes.is_empty() {
        return "there are no agents below it: nothing was done".to_owned();
    }
    let lines = outcomes.iter().map(|result| {
        let message = printable(&result.message);
        let named = message.contains(&result.agent);
        let message = if named {
            message
        } else {
            format!("{}: {message}", result.agent)
        };
        if result.ok {
            message
        } else {
            palette.bad(&message)
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}
