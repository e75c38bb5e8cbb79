//! The table of agents, in the manner of supervisorctl. It does not know how status is fetched.

use synapse_api::{AgentStatus, Status};

use super::layout::{Align, columns, wrap};
use super::measure::duration_ms;
use super::{Palette, printable, state_colour};

/// A mailbox this full, in percent, is coloured.
const QUEUE_WARN_PERCENT: u64 = 85;

const ALIGNS: [Align; 7] = [
    Align::Left,
    Align::Left,
    Align::Right,
    Align::Right,
    Align::Right,
    Align::Right,
    Align::Right,
];
const HEADINGS: [&str; 7] = [
    "NAME",
    "STATE",
    "PID",
    "RESTARTS",
    "UPTIME",
    "IN FLIGHT",
    "QUEUED",
];

/// One line about the node, then one per agent, and below an agent that is not ready the reason
/// of its last exit.
#[must_use]
pub fn status(status: &Status, cells: usize, palette: Palette) -> String {
    let mut rows = vec![HEADINGS.map(|heading| palette.dim(heading)).to_vec()];
    rows.extend(status.agents.iter().map(|agent| row(agent, palette)));
    let mut lines = vec![node_line(status, palette)];
    let mut table = columns(&ALIGNS, &rows).into_iter();
    lines.extend(table.next());
    for (line, agent) in table.zip(&status.agents) {
        lines.push(line);
        lines.extend(reason(agent, cells, palette));
    }
    lines.join("\n")
}

fn node_line(status: &Status, palette: Palette) -> String {
    let Status {
        node,
        pid,
        version,
        uptime_ms,
        ..
    } = status;
    let up = duration_ms(*uptime_ms);
    palette.dim(&format!(
        "node {node}   pid {pid}   up {up}   synapse {version}"
    ))
}

fn row(agent: &AgentStatus, palette: Palette) -> Vec<String> {
    let none = || "-".to_owned();
    let restarts = agent.restarts.to_string();
    vec![
        palette.strong(&agent.name),
        state_colour(&agent.state, palette),
        agent.pid.map_or_else(none, |pid| pid.to_string()),
        if agent.restarts > 0 {
            palette.warn(&restarts)
        } else {
            restarts
        },
        agent.uptime_ms.map_or_else(none, duration_ms),
        agent.in_flight.to_string(),
        queued(agent, palette),
    ]
}

fn queued(agent: &AgentStatus, palette: Palette) -> String {
    let text = format!("{}/{}", agent.queued, agent.mailbox);
    let percent = agent
        .queued
        .saturating_mul(100)
        .checked_div(agent.mailbox)
        .unwrap_or(0);
    match percent {
        0..QUEUE_WARN_PERCENT => text,
        QUEUE_WARN_PERCENT..100 => palette.warn(&text),
        _ => palette.bad(&text),
    }
}

/// Why it is not ready, where it is not and something is known.
fn reason(agent: &AgentStatus, cells: usize, palette: Palette) -> Option<String> {
    let exit = agent
        .last_exit
        .as_ref()
        .filter(|_| agent.state != "ready")?;
    let text = format!("  {}: {}", exit.reason, printable(&exit.detail));
    let first = text.lines().next()?;
    Some(palette.bad(&wrap(first, cells, "    ")))
}
