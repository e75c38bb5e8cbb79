//! The supervision tree as the first minute shows it. It does not know how status is fetched.

use synapse_api::{AgentStatus, Program, Status, SupervisorStatus};

use super::layout::{clip, pad, pad_left, width};
use super::measure::{duration_ms, setting_ms};
use super::{Palette, printable, state_colour};

/// Supervisors inside supervisors that are drawn; a tree that is deeper is not one.
const DEPTH_MAX: usize = 64;

/// A note is not cut below this, however narrow the terminal.
const NOTE_CELLS_MIN: usize = 20;

/// The tree, a line for each agent and supervisor, no line wider than `cells`.
#[must_use]
pub fn tree(status: &Status, cells: usize, palette: Palette) -> String {
    let lines = Walk {
        status,
        lines: Vec::new(),
    }
    .collect();
    let columns = Columns::fitting(&lines);
    let drawn = lines.iter().map(|line| draw(line, columns, cells, palette));
    drawn.collect::<Vec<_>>().join("\n")
}

/// What a line of the tree is about.
#[derive(Clone, Copy, Debug)]
enum Member<'a> {
    Agent(&'a AgentStatus),
    Supervisor(&'a SupervisorStatus),
}

impl<'a> Member<'a> {
    fn name(self) -> &'a str {
        match self {
            Self::Agent(agent) => &agent.name,
            Self::Supervisor(supervisor) => &supervisor.name,
        }
    }

    fn children(self) -> &'a [String] {
        match self {
            Self::Agent(_) => &[],
            Self::Supervisor(supervisor) => &supervisor.children,
        }
    }
}

/// A member with the branches that lead to it.
#[derive(Debug)]
struct Line<'a> {
    depth: usize,
    branches: String,
    member: Member<'a>,
}

impl Line<'_> {
    fn head_width(&self) -> usize {
        width(&self.branches) + width(self.member.name())
    }
}

/// Depth first, from the root.
#[derive(Debug)]
struct Walk<'a> {
    status: &'a Status,
    lines: Vec<Line<'a>>,
}

impl<'a> Walk<'a> {
    fn collect(mut self) -> Vec<Line<'a>> {
        if let Some(root) = self.status.supervisors.first() {
            self.descend(Member::Supervisor(root), 0, "", "");
        }
        self.lines
    }

    fn descend(&mut self, member: Member<'a>, depth: usize, branches: &str, below: &str) {
        self.lines.push(Line {
            depth,
            branches: branches.to_owned(),
            member,
        });
        if depth == DEPTH_MAX {
            return;
        }
        let children: Vec<Member<'a>> = member
            .children()
            .iter()
            .filter_map(|name| self.member(name))
            .collect();
        let last = children.len().saturating_sub(1);
        for (index, child) in children.into_iter().enumerate() {
            let (branch, space) = if index == last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            let (branches, below) = (format!("{below}{branch}"), format!("{below}{space}"));
            self.descend(child, depth + 1, &branches, &below);
        }
    }

    fn member(&self, name: &str) -> Option<Member<'a>> {
        let supervisor = self.status.supervisors.iter().find(|it| it.name == name);
        let agent = || self.status.agent(name).map(Member::Agent);
        supervisor.map(Member::Supervisor).or_else(agent)
    }
}

/// How wide the aligned parts of all lines are.
#[derive(Clone, Copy, Debug)]
struct Columns {
    head: usize,
    state: usize,
    took: usize,
}

impl Columns {
    fn fitting(lines: &[Line<'_>]) -> Self {
        let mut columns = Self {
            head: 0,
            state: 0,
            took: 0,
        };
        for line in lines.iter().filter(|line| line.depth > 0) {
            let gap = if line.depth == 1 { 3 } else { 1 };
            columns.head = columns.head.max(line.head_width() + gap);
            if let Member::Agent(agent) = line.member {
                columns.state = columns.state.max(width(&agent.state));
                columns.took = columns.took.max(width(&took(agent)));
            }
        }
        columns
    }
}

fn draw(line: &Line<'_>, columns: Columns, cells: usize, palette: Palette) -> String {
    let name = palette.strong(line.member.name());
    let head = format!("{}{name}", palette.dim(&line.branches));
    match line.member {
        Member::Supervisor(supervisor) if line.depth == 0 => {
            let restarts = restarts_in_period(supervisor, " restarts", palette);
            let line = format!("{head}  {}   {restarts}", supervisor.strategy);
            with_trouble(line, supervisor, cells, palette)
        }
        Member::Supervisor(supervisor) => {
            let restarts = restarts_in_period(supervisor, "", palette);
            let head = pad(&head, columns.head);
            let line = format!("{head}{}   {restarts}", supervisor.strategy);
            with_trouble(line, supervisor, cells, palette)
        }
        Member::Agent(agent) => {
            let state = pad(&state_colour(&agent.state, palette), columns.state);
            let took = pad_left(&took(agent), columns.took);
            let used = columns.head + columns.state + columns.took + 6;
            let note = clip(&note(agent), cells.saturating_sub(used).max(NOTE_CELLS_MIN));
            let line = format!("{}{state}   {took}   {note}", pad(&head, columns.head));
            line.trim_end().to_owned()
        }
    }
}

/// A supervisor's line with its state, and why, where it is not ready.
fn with_trouble(
    line: String,
    supervisor: &SupervisorStatus,
    cells: usize,
    palette: Palette,
) -> String {
    let state = supervisor.state.as_str();
    if matches!(state, "ready" | "") {
        return line;
    }
    let line = format!("{line}   {}", state_colour(state, palette));
    let exit = supervisor.last_exits.first();
    let Some(exit) = exit.filter(|_| state != "starting") else {
        return line;
    };
    let room = cells.saturating_sub(width(&line) + 3).max(NOTE_CELLS_MIN);
    format!("{line}   {}", clip(&one_line(&exit.detail), room))
}

/// `1/3 in 5s`, coloured when it comes near; `each` where every child has its own budget.
fn restarts_in_period(supervisor: &SupervisorStatus, word: &str, palette: Palette) -> String {
    let SupervisorStatus {
        restarts_in_period,
        intensity,
        period_ms,
        on_exhausted,
        ..
    } = supervisor;
    let each = if on_exhausted == "park" { " each" } else { "" };
    let text = format!(
        "{restarts_in_period}/{intensity}{word} in {}{each}",
        setting_ms(*period_ms)
    );
    match *restarts_in_period {
        0 => text,
        used if used >= *intensity => palette.bad(&text),
        _ => palette.warn(&text),
    }
}

/// How long its start took, where it is up and said so.
fn took(agent: &AgentStatus) -> String {
    let first = agent.replicas.first().filter(|_| agent.state == "ready");
    first
        .and_then(|replica| replica.start_ms)
        .map_or_else(String::new, duration_ms)
}

/// Whether it exhausted its own budget of restarts.
pub(super) fn is_parked(agent: &AgentStatus) -> bool {
    let first = agent.replicas.first();
    first.is_some_and(|replica| replica.why_down.as_deref() == Some("parked"))
}

/// What stands behind an agent: why it is not ready, or else what it is.
fn note(agent: &AgentStatus) -> String {
    if !agent.is_ready() {
        let why = agent.last_exit.as_ref().map(|exit| one_line(&exit.detail));
        let why = why.map(|why| match is_parked(agent) {
            true => format!("parked: {why}"),
            false => why,
        });
        return with_replicas(why, agent);
    }
    let program = agent.program.as_ref().map(Program::describe);
    with_replicas(program.map(|program| one_line(&program)), agent)
}

/// The note, and how many replicas are ready where there are several.
fn with_replicas(note: Option<String>, agent: &AgentStatus) -> String {
    let mut parts: Vec<String> = note.into_iter().collect();
    let total = agent.replicas.len();
    if total > 1 {
        let ready = agent
            .replicas
            .iter()
            .filter(|it| matches!(it.state.as_str(), "ready" | "hibernated"))
            .count();
        parts.push(format!("{ready} of {total} replicas ready"));
    }
    parts.join(", ")
}

/// What an agent says of itself, fit for one line.
fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}
