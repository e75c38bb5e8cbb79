//! The table of agents, in the manner of supervisorctl. It does not know how status is fetched.

use synapse_api::{AgentStatus, Status, Usage};

use super::layout::{Align, clip, columns, width, wrap};
use super::measure::{bytes, duration_ms};
use super::tree::is_parked;
use super::{Palette, printable, state_colour};

/// A mailbox this full, in percent, is coloured.
const QUEUE_WARN_PERCENT: u64 = 85;

/// A column of the table.
#[derive(Clone, Copy, Debug)]
struct Column {
    heading: &'static str,
    align: Align,
    cell: fn(&AgentStatus, Palette) -> String,
}

const fn column(
    heading: &'static str,
    align: Align,
    cell: fn(&AgentStatus, Palette) -> String,
) -> Column {
    Column {
        heading,
        align,
        cell,
    }
}

/// The columns, by how much a narrow terminal needs them.
const COLUMNS: [Column; 9] = [
    column("NAME", Align::Left, |agent, palette| {
        palette.strong(&agent.name)
    }),
    column("STATE", Align::Left, |agent, palette| {
        state_colour(&agent.state, palette)
    }),
    column("RESTARTS", Align::Right, restarts),
    column("UPTIME", Align::Right, |agent, _| {
        agent.uptime_ms.map_or_else(none, duration_ms)
    }),
    column("PID", Align::Right, |agent, _| {
        agent.pid.map_or_else(none, |pid| pid.to_string())
    }),
    column("IN FLIGHT", Align::Right, |agent, _| {
        agent.in_flight.to_string()
    }),
    column("QUEUED", Align::Right, queued),
    column("MEMORY", Align::Right, |agent, _| {
        sum(agent, |usage| {
            usage.proportional_bytes.unwrap_or(usage.resident_bytes)
        })
        .map_or_else(none, bytes)
    }),
    column("CPU", Align::Right, |agent, _| {
        let percent = agent
            .replicas
            .iter()
            .filter_map(|it| it.usage)
            .map(|it| it.cpu_percent);
        percent
            .reduce(|a, b| a + b)
            .map_or_else(none, |it| format!("{it:.0}%"))
    }),
];

/// One line about the node, then one per agent, and below an agent that is not ready the reason
/// of its last exit. A narrow terminal gets fewer columns, but never fewer than name and state.
#[must_use]
pub fn status(status: &Status, cells: usize, palette: Palette) -> String {
    let fitting = |count: &usize| {
        table(status, *count, palette)
            .iter()
            .all(|it| width(it) <= cells)
    };
    let count = (2..=COLUMNS.len()).rev().find(fitting).unwrap_or(2);
    let mut lines = vec![node_line(status, cells, palette)];
    let mut table = table(status, count, palette).into_iter();
    lines.extend(table.next());
    for (line, agent) in table.zip(&status.agents) {
        lines.push(line);
        lines.extend(reason(agent, cells, palette));
    }
    lines.join("\n")
}

/// The headings and a line for each agent, in so many columns.
fn table(status: &Status, count: usize, palette: Palette) -> Vec<String> {
    let shown: Vec<Column> = COLUMNS.into_iter().take(count).collect();
    let aligns: Vec<Align> = shown.iter().map(|column| column.align).collect();
    let mut rows = vec![
        shown
            .iter()
            .map(|column| palette.dim(column.heading))
            .collect(),
    ];
    let row = |agent| {
        shown
            .iter()
            .map(|column| (column.cell)(agent, palette))
            .collect()
    };
    rows.extend(status.agents.iter().map(row));
    columns(&aligns, &rows)
}

fn node_line(status: &Status, cells: usize, palette: Palette) -> String {
    let Status {
        node,
        pid,
        guard_pid,
        version,
        uptime_ms,
        ..
    } = status;
    let up = duration_ms(*uptime_ms);
    let guard = guard_pid.map_or_else(String::new, |guard| format!("   guard {guard}"));
    let line = format!("node {node}   pid {pid}{guard}   up {up}   synapse {version}");
    palette.dim(&clip(&line, cells))
}

/// Over all replicas that have a process; `None` where no use is known.
fn sum(agent: &AgentStatus, of: impl Fn(&Usage) -> u64) -> Option<u64> {
    let used = agent
        .replicas
        .iter()
        .filter_map(|replica| replica.usage.as_ref());
    used.map(of).reduce(u64::saturating_add)
}

fn none() -> String {
    "-".to_owned()
}

fn restarts(agent: &AgentStatus, palette: Palette) -> String {
    let restarts = agent.restarts.to_string();
    if agent.restarts > 0 {
        palette.warn(&restarts)
    } else {
        restarts
    }
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
    let exit = agent.last_exit.as_ref().filter(|_| !agent.is_ready())?;
    let parked = if is_parked(agent) { "parked: " } else { "" };
    let text = format!("  {parked}{}", printable(&exit.detail));
    let first = text.lines().next()?;
    Some(palette.bad(&wrap(first, cells, "    ")))
}
