//! The table of verbs: names, arguments and help lines, from which parser, help, completion and
//! hints are all made. It does not know what a verb does.

/// What a line that starts with `/` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Lists the verbs, or explains one.
    Help,
    /// The supervision tree.
    Tree,
    /// One line per agent.
    Status,
    /// Chooses the agent that messages go to.
    Use,
    /// One message to another agent.
    Call,
    /// A fresh conversation.
    New,
    /// What goes with every call.
    Deps,
    /// What was said in this conversation.
    History,
    /// Everything about one agent.
    Inspect,
    /// Where an agent's code stands.
    Stack,
    /// What an agent logged.
    Logs,
    /// Stops in order and starts again.
    Restart,
    /// Stops, until started.
    Stop,
    /// Starts what was stopped.
    Start,
    /// SIGKILL to an agent's process.
    Kill,
    /// The calls that have killed their agent too often.
    Deadletters,
    /// What happened in the node.
    Events,
    /// Leaves the console.
    Quit,
}

/// What may stand after a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// The name of a verb, optional.
    OptionalVerb,
    /// The name of one agent.
    Agent,
    /// One or more names or globs of agents or supervisors.
    Targets,
    /// The name of an agent, or what is done with a dead letter; optional.
    OptionalLetterVerb,
    /// The id of a dead letter, optional.
    OptionalLetter,
    /// The rest of the line, as it stands.
    Text,
    /// The rest of the line, a JSON value; or nothing.
    OptionalJson,
}

/// A switch that a verb takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// `-f`: go on as more comes.
    Follow,
    /// `--previous`: of the incarnation before this one.
    Previous,
    /// `--exit N`: of this exit.
    Exit,
    /// `--frames`: with every frame that is kept.
    Frames,
}

impl Switch {
    /// The spellings that the parser takes; the first is the one that help shows.
    #[must_use]
    pub const fn spellings(self) -> &'static [&'static str] {
        match self {
            Self::Follow => &["-f", "--follow"],
            Self::Previous => &["--previous", "-p"],
            Self::Exit => &["--exit"],
            Self::Frames => &["--frames"],
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct VerbRow {
    /// The verb.
    pub verb: Verb,
    /// Its name, without the slash.
    pub name: &'static str,
    /// Other names that are understood, but not advertised.
    pub aliases: &'static [&'static str],
    /// What stands after it, in order.
    pub operands: &'static [Operand],
    /// The switches that may stand anywhere after it.
    pub switches: &'static [Switch],
    /// The arguments as help shows them.
    pub arguments: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// More, for `/help VERB`.
    pub more: &'static str,
}

impl VerbRow {
    /// How it is written: `/logs AGENT [-f] [--previous]`.
    #[must_use]
    pub fn usage(&self) -> String {
        if self.arguments.is_empty() {
            format!("/{}", self.name)
        } else {
            format!("/{} {}", self.name, self.arguments)
        }
    }
}

/// A row of which only the interesting parts are written.
const PLAIN: VerbRow = VerbRow {
    verb: Verb::Help,
    name: "",
    aliases: &[],
    operands: &[],
    switches: &[],
    arguments: "",
    about: "",
    more: "",
};

/// All verbs, in the order of `/help`.
pub const VERBS: &[VerbRow] = &[
    VerbRow {
        verb: Verb::Use,
        name: "use",
        operands: &[Operand::Agent],
        arguments: "AGENT",
        about: "talk to this agent from now on",
        more: "Every agent keeps its own conversation; going back to one continues it.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::Call,
        name: "call",
        operands: &[Operand::Agent, Operand::Text],
        arguments: "AGENT TEXT",
        about: "send one message to another agent",
        more: "The message belongs to this console's conversation with that agent.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::New,
        name: "new",
        about: "begin a fresh conversation",
        more: "The agent forgets what was said; its process goes on.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::Deps,
        name: "deps",
        operands: &[Operand::OptionalJson],
        arguments: "[JSON]",
        about: "dependencies of every message to it",
        more: "Without JSON it shows them; null goes without again. /new keeps them.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::History,
        name: "history",
        about: "show this conversation",
        more: "Conversations live in the node and outlive the agent's process.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::Tree,
        name: "tree",
        about: "show the supervision tree",
        more: "Supervisors show how many restarts of their intensity are used up.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::Status,
        name: "status",
        about: "one line per agent: state, process, load",
        more: "The reason of the last exit stands beside an agent that is not ready.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::Inspect,
        name: "inspect",
        operands: &[Operand::Agent],
        switches: &[Switch::Exit, Switch::Frames],
        arguments: "AGENT [--exit N] [--frames]",
        about: "everything about one agent, or one exit",
        more: "Shows the manifest, the limits, the last exits and the last fault. --exit N (or last) \
               shows all that is known of one end; --frames also what passed over the pipe last.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::Stack,
        name: "stack",
        operands: &[Operand::Agent],
        arguments: "AGENT",
        about: "where an agent's code stands, by thread",
        more: "AGENT/REPLICA asks one replica alone. Works while the code is blocked, and harms it not.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::Logs,
        name: "logs",
        operands: &[Operand::Agent],
        switches: &[Switch::Follow, Switch::Previous],
        arguments: "AGENT [-f] [--previous]",
        about: "what an agent logged and printed",
        more: "-f goes on until Ctrl-C; --previous shows the incarnation that died last.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::Events,
        name: "events",
        switches: &[Switch::Follow],
        arguments: "[-f]",
        about: "what happened in the node",
        more: "-f goes on until Ctrl-C.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::Deadletters,
        name: "deadletters",
        aliases: &["dlq"],
        operands: &[Operand::OptionalLetterVerb, Operand::OptionalLetter],
        arguments: "[show|retry|drop ID]",
        about: "calls that killed their agent too often",
        more: "An agent's name lists its own. A retry runs alone in its process. drop all forgets all.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::Restart,
        name: "restart",
        operands: &[Operand::Targets],
        arguments: "AGENT...",
        about: "stop agents in order and start them again",
        more: "Takes names, globs and supervisors. Running calls finish first; nothing is counted.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::Stop,
        name: "stop",
        operands: &[Operand::Targets],
        arguments: "AGENT...",
        about: "stop agents until they are started",
        more: "Takes names, globs and supervisors. Calls to a stopped agent answer agent_stopped.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::Start,
        name: "start",
        operands: &[Operand::Targets],
        arguments: "AGENT...",
        about: "start agents that were stopped or failed",
        more: "Takes names, globs and supervisors.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::Kill,
        name: "kill",
        operands: &[Operand::Targets],
        arguments: "AGENT...",
        about: "SIGKILL a process, to see it come back",
        more: "To its supervisor this is a crash, and counts as one.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::Help,
        name: "help",
        aliases: &["h", "?"],
        operands: &[Operand::OptionalVerb],
        arguments: "[COMMAND]",
        about: "list the commands, or explain one",
        more: "A line without a slash goes to the current agent; // sends a text that begins with one.",
        ..PLAIN
    },
    VerbRow {
        verb: Verb::Quit,
        name: "quit",
        aliases: &["q", "exit"],
        about: "leave, as Ctrl-D does",
        more: "An attached console leaves the node running; the node's own console stops it.",
        ..PLAIN
    },
];

/// The row of this name or alias, with or without its slash.
#[must_use]
pub(crate) fn row_named(name: &str) -> Option<&'static VerbRow> {
    let name = name.strip_prefix('/').unwrap_or(name);
    VERBS
        .iter()
        .find(|row| row.name == name || row.aliases.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_are_told_apart() {
        let mut names: Vec<&str> = VERBS
            .iter()
            .flat_map(|row| row.aliases.iter().copied().chain([row.name]))
            .collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn the_page_about_the_console_has_this_table() {
        let page = include_str!("../../../docs/console.md");
        let rows: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("| `/"))
            .collect();
        let row = |row: &VerbRow| format!("| `{}` | {} |", row.usage(), row.about);
        assert_eq!(rows, VERBS.iter().map(row).collect::<Vec<_>>());
    }

    #[test]
    fn every_operand_and_switch_is_shown_in_the_usage() {
        for row in VERBS {
            let required = row
                .operands
                .iter()
                .filter(|it| {
                    !matches!(
                        it,
                        Operand::OptionalVerb
                            | Operand::OptionalJson
                            | Operand::OptionalLetterVerb
                            | Operand::OptionalLetter
                    )
                })
                .count();
            let shown = row.arguments.split(' ').filter(|word| !word.is_empty());
            let shown_required =
                shown.filter(|word| !word.starts_with('[') && !word.ends_with(']'));
            let shown_required = shown_required.count();
            assert_eq!(shown_required, required, "{}", row.name);
            for switch in row.switches {
                assert!(
                    row.arguments.contains(switch.spellings()[0]),
                    "{}",
                    row.name
                );
            }
        }
    }

    #[test]
    fn a_name_is_found_with_its_slash_and_by_its_alias() {
        assert_eq!(row_named("/exit").map(|row| row.verb), Some(Verb::Quit));
        assert_eq!(row_named("tree").map(|row| row.verb), Some(Verb::Tree));
        assert!(row_named("tre").is_none());
    }
}
