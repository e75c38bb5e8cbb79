//! What an agent says: outputs, what a turn cost, tool calls, faults, conversations.

use serde_json::Value;
use synapse_api::{Fault, RunResult, SessionView, ToolEvent};

use super::Palette;
use super::layout::{clip, pad_left, printable, width};
use super::measure::{bytes, clock, count, duration, duration_ms};
use crate::nearest::did_you_mean;

/// The cost of a turn stands no further right than this, however wide the terminal is.
const COST_COLUMN_MAX: usize = 100;
/// A tool's arguments or answer are cut here even where there is no terminal.
const TOOL_CELLS_MAX: usize = 400;

/// An output: text as it is, anything else as pretty JSON.
#[must_use]
pub fn output(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        other => serde_json::to_string_pretty(other).unwrap_or_else(|_| other.to_string()),
    }
}

/// `4 ms · 5 tokens in, 6 out`
#[must_use]
pub fn cost(result: &RunResult) -> String {
    let time = duration_ms(result.duration_ms);
    match tokens(&result.usage) {
        Some(tokens) => format!("{time} · {tokens}"),
        None => time,
    }
}

fn tokens(usage: &Value) -> Option<String> {
    let number = |key: &str| usage.get(key).and_then(Value::as_u64);
    let (input, output) = (number("input_tokens")?, number("output_tokens")?);
    Some(format!(
        "{} in, {output} out",
        count(input, "token", "tokens")
    ))
}

/// The cost, moved to the right: behind `column` cells of text where it fits there, on a line of
/// its own where it does not.
#[must_use]
pub fn cost_at_right(cost: &str, column: usize, cells: usize, palette: Palette) -> String {
    // The last column stays free: some terminals break the line there.
    let right = cells.saturating_sub(1).min(COST_COLUMN_MAX);
    let begins = right.saturating_sub(width(cost));
    let cost = palette.dim(cost);
    if column + 3 <= begins {
        return pad_left(&cost, right - column);
    }
    let line = pad_left(&cost, right);
    if column == 0 {
        line
    } else {
        format!("\n{line}")
    }
}

/// One dim line for what an agent does meanwhile.
#[must_use]
pub fn tool(event: &ToolEvent, cells: usize, palette: Palette) -> String {
    let name = event.name.as_deref().unwrap_or("tool");
    let text = match event.kind.as_str() {
        "tool_call" => format!("  > {name} {}", compact(event.arguments.as_ref())),
        "tool_result" if event.ok == Some(false) => {
            format!("  x {name} failed: {}", compact(event.content.as_ref()))
        }
        "tool_result" => format!("  < {name} {}", compact(event.content.as_ref())),
        "thinking" => "  . thinking".to_owned(),
        kind => {
            let what = event.data.as_ref().or(event.content.as_ref());
            format!(
                "  . {kind} {}",
                compact(what.filter(|_| event.text.is_none()))
                    + event.text.as_deref().unwrap_or_default()
            )
        }
    };
    let text = printable(&text).replace(['\n', '\t'], " ");
    palette.dim(&clip(
        text.trim_end(),
        cells.saturating_sub(1).clamp(20, TOOL_CELLS_MAX),
    ))
}

fn compact(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Who is told: the hints name the console's verbs, or the program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// `/logs echo`
    Console,
    /// `synapse logs echo`
    CommandLine,
}

impl Voice {
    pub(super) fn verb(self, words: &str) -> String {
        match self {
            Self::Console => format!("/{words}"),
            Self::CommandLine => format!("synapse {words}"),
        }
    }
}

/// A fault in one or two lines: its code and what went wrong, then what to do. Never a traceback.
#[must_use]
pub fn fault(fault: &Fault, agent: Option<&str>, voice: Voice, palette: Palette) -> String {
    let message = first_line(&printable(&fault.message));
    if fault.code == "agent_not_found" {
        return palette.bad(&not_found(&message, fault.nearest()));
    }
    let first = format!("{} {message}", palette.bad(&format!("{}:", fault.code)));
    match hint(fault, agent, voice) {
        Some(hint) => format!("{first}\n{}", palette.dim(&format!("  {hint}"))),
        None => first,
    }
}

/// The node's own words where they make a guess already.
fn not_found(message: &str, nearest: Option<&str>) -> String {
    if message.contains("mean") {
        return message.to_owned();
    }
    let dot = if message.ends_with(['.', '?']) {
        ""
    } else {
        "."
    };
    format!("{message}{dot}{}", did_you_mean(nearest))
}

/// Messages are one or two sentences; whatever an agent put below them stays in the log.
fn first_line(message: &str) -> String {
    let mut lines = message.lines().map(str::trim_end);
    let first = lines.find(|line| !line.is_empty());
    first.unwrap_or("the node does not say why").to_owned()
}

fn hint(fault: &Fault, agent: Option<&str>, voice: Voice) -> Option<String> {
    let agent = fault
        .details
        .get("agent")
        .and_then(Value::as_str)
        .or(agent)?;
    Some(match fault.code.as_str() {
        "agent_crashed" => {
            let which = fault.details.get("incarnation").and_then(Value::as_u64);
            let which = which.map_or_else(|| "last".to_owned(), |it| it.to_string());
            let inspect = voice.verb(&format!("inspect {agent} --exit {which}"));
            let so_far = so_far(fault).unwrap_or_default();
            format!("{so_far}{inspect} shows what happened.")
        }
        // The node's own words may say it already.
        "agent_stopped" if fault.message.contains("start") => return None,
        "agent_stopped" => format!("{} brings it back.", voice.verb(&format!("start {agent}"))),
        "agent_failed" => {
            let why = match voice {
                Voice::Console => format!("/inspect {agent} has the evidence"),
                Voice::CommandLine => "synapse status says why".to_owned(),
            };
            if fault.message.contains("start") {
                return Some(format!("{why}."));
            }
            format!(
                "{why}; {} tries again.",
                voice.verb(&format!("start {agent}"))
            )
        }
        "overloaded" | "session_busy" => "Try again in a moment.".to_owned(),
        "model_error" if fault.retryable => retry_after(fault),
        _ if has_traceback(fault) => {
            let inspect = voice.verb(&format!("inspect {agent}"));
            format!("{inspect} shows the traceback.")
        }
        _ => return None,
    })
}

/// What is known of a run whose process died: how much of its answer came, and whether it may have
/// done something.
fn so_far(fault: &Fault) -> Option<String> {
    let outcome = fault.details.get("outcome").and_then(Value::as_str)?;
    let partial = fault.details.get("partial");
    let chunks = partial.and_then(|it| it.get("chunks")?.as_u64());
    let came = chunks.map_or_else(String::new, |chunks| {
        format!(
            "The answer is cut off after {}. ",
            count(chunks, "chunk", "chunks")
        )
    });
    let done = match outcome {
        "no_effect" => "No tool had begun. ",
        "not_started" => "It had not begun. ",
        _ if fault.retryable => "",
        _ => "What it did before is not known. ",
    };
    Some(came + done)
}

/// Whether a Python traceback came with a fault.
fn has_traceback(fault: &Fault) -> bool {
    fault.details.get("traceback").is_some_and(Value::is_string)
}

fn retry_after(fault: &Fault) -> String {
    let seconds = fault.details.get("retry_after_s").and_then(Value::as_f64);
    match seconds.and_then(|it| std::time::Duration::try_from_secs_f64(it).ok()) {
        Some(time) => format!("The provider asks to wait {}.", duration(time)),
        None => "A second try may succeed.".to_owned(),
    }
}

/// A conversation, as it was said.
#[must_use]
pub fn history(session: &SessionView, palette: Palette) -> String {
    let mut lines = Vec::new();
    for turn in &session.turns {
        let prompt = output(&turn.prompt).replace('\n', "\n           ");
        let at = palette.dim(&format!("{} >", clock(&turn.at)));
        lines.push(format!("{at} {}", palette.strong(&prompt)));
        let cut = if turn.partial {
            palette.dim(" [cut off]")
        } else {
            String::new()
        };
        lines.push(format!("{}{cut}", output(&turn.answer)));
    }
    let turns = count(session.turns.len() as u64, "turn", "turns");
    let messages = count(session.messages, "message", "messages");
    let size = bytes(session.bytes);
    lines.push(palette.dim(&format!(
        "{turns}, {messages}, {size}, with {}",
        session.agent
    )));
    lines.join("\n")
}
