//! The grammar of one line: a verb with its arguments, or a message to the current agent. Pure;
//! it does not know which agents exist.

use serde_json::Value;
use synapse_api::{ActionKind, StackTarget, WhichExit};
use thiserror::Error;

use crate::nearest::{did_you_mean, nearest};
use crate::verb::{Operand, Switch, VERBS, Verb, VerbRow, row_named};

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// An empty line.
    Nothing,
    /// A message to the current agent.
    Message(String),
    /// `/help [COMMAND]`
    Help(Option<Verb>),
    /// `/tree`
    Tree,
    /// `/status`
    Status,
    /// `/use AGENT`
    Use(String),
    /// `/call AGENT TEXT`
    Call {
        /// Who is called.
        agent: String,
        /// What is said.
        text: String,
    },
    /// `/new`
    New,
    /// `/deps [JSON]`
    Deps(Option<Value>),
    /// `/history`
    History,
    /// `/inspect AGENT`
    Inspect {
        /// Whom.
        agent: String,
        /// One of its ends, in place of the agent.
        exit: Option<WhichExit>,
        /// With every frame that is kept.
        frames: bool,
    },
    /// `/stack AGENT`
    Stack(StackTarget),
    /// `/logs AGENT`
    Logs {
        /// Whose.
        agent: String,
        /// Go on as more comes.
        follow: bool,
        /// Of the incarnation before.
        previous: bool,
    },
    /// `/restart`, `/stop`, `/start`, `/kill`
    Operate(ActionKind, Vec<String>),
    /// `/deadletters`
    Letters(Letters),
    /// `/events`
    Events {
        /// Go on as more comes.
        follow: bool,
    },
    /// `/quit`
    Quit,
}

/// What is asked about dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Letters {
    /// The list, of one agent or of all.
    List(Option<String>),
    /// Everything about one.
    Show(String),
    /// One more try.
    Retry(String),
    /// Forget one.
    Drop(String),
    /// Forget all.
    DropAll,
}

impl Letters {
    /// The words that do something with one letter.
    pub(crate) const VERBS: [&'static str; 3] = ["show", "retry", "drop"];
}

/// Why a line is no command. The text is shown to the user as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Misread {
    /// No such verb.
    #[error("no command \"/{written}\".{} /help lists them.", did_you_mean(.guess.as_deref()))]
    UnknownVerb {
        /// What was written, without the slash.
        written: String,
        /// The nearest verb, with its slash.
        guess: Option<String>,
    },
    /// Something is missing.
    #[error("/{name} needs {what}: {usage}")]
    Missing {
        /// The verb.
        name: &'static str,
        /// What is missing.
        what: &'static str,
        /// How it is written.
        usage: String,
    },
    /// What should be JSON is none.
    #[error("/{name} takes JSON, and this is none: {reason}")]
    NotJson {
        /// The verb.
        name: &'static str,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// There is more than the verb takes.
    #[error("/{name} does not take \"{word}\": {usage}")]
    Surplus {
        /// The verb.
        name: &'static str,
        /// The first word too many.
        word: String,
        /// How it is written.
        usage: String,
    },
}

/// Reads one line.
///
/// # Errors
/// Where it starts with `/` and is not a command.
pub fn parse(line: &str) -> Result<Command, Misread> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(Command::Nothing);
    }
    let Some(rest) = line.strip_prefix('/') else {
        return Ok(Command::Message(line.to_owned()));
    };
    if rest.starts_with('/') {
        return Ok(Command::Message(rest.to_owned()));
    }
    let (name, arguments) = split_word(rest);
    let row = row_named(name).ok_or_else(|| unknown_verb(name))?;
    let arguments = Arguments::read(row, arguments)?;
    command(row, arguments)
}

fn unknown_verb(written: &str) -> Misread {
    let guess = nearest(written, VERBS.iter().map(|row| row.name));
    let guess = guess.map(|name| format!("/{name}"));
    Misread::UnknownVerb {
        written: written.to_owned(),
        guess,
    }
}

/// The first word and the rest, without the space between.
fn split_word(text: &str) -> (&str, &str) {
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    }
}

fn switch_named(row: &VerbRow, word: &str) -> Option<Switch> {
    let mut switches = row.switches.iter().copied();
    switches.find(|switch| switch.spellings().contains(&word))
}

/// What stood after the verb, sorted by what it is.
#[derive(Debug, Default)]
struct Arguments {
    names: Vec<String>,
    text: String,
    follow: bool,
    previous: bool,
    exit: Option<WhichExit>,
    frames: bool,
}

impl Arguments {
    /// Takes switches from anywhere, then fills the operands in order.
    fn read(row: &VerbRow, mut rest: &str) -> Result<Self, Misread> {
        let mut read = Self::default();
        let mut operands = row.operands.iter().copied().peekable();
        while !rest.is_empty() {
            if let Some(Operand::Text | Operand::OptionalJson) = operands.peek() {
                rest.clone_into(&mut read.text);
                return Ok(read);
            }
            let (word, after) = split_word(rest);
            rest = after;
            if let Some(switch) = switch_named(row, word) {
                rest = read.take_switch(row, switch, rest)?;
                continue;
            }
            let more = operands.peek().copied();
            if more.is_none() || word.starts_with('-') {
                return Err(surplus(row, word));
            }
            if more != Some(Operand::Targets) {
                operands.next();
            }
            read.names.push(word.to_owned());
        }
        Ok(read)
    }

    /// What is left of the line behind a switch and its value.
    fn take_switch<'a>(
        &mut self,
        row: &VerbRow,
        switch: Switch,
        rest: &'a str,
    ) -> Result<&'a str, Misread> {
        match switch {
            Switch::Follow => self.follow = true,
            Switch::Previous => self.previous = true,
            Switch::Frames => self.frames = true,
            Switch::Exit => {
                let (value, after) = split_word(rest);
                let what = "the number of an incarnation after --exit, or `last`";
                self.exit = Some(value.parse().map_err(|_no_exit| missing(row, what))?);
                return Ok(after);
            }
        }
        Ok(rest)
    }

    fn first(&mut self, row: &VerbRow) -> Result<String, Misread> {
        if self.names.is_empty() {
            return Err(missing(row, "the name of an agent"));
        }
        Ok(self.names.swap_remove(0))
    }
}

fn missing(row: &VerbRow, what: &'static str) -> Misread {
    Misread::Missing {
        name: row.name,
        what,
        usage: row.usage(),
    }
}

fn surplus(row: &VerbRow, word: &str) -> Misread {
    Misread::Surplus {
        name: row.name,
        word: word.to_owned(),
        usage: row.usage(),
    }
}

fn command(row: &'static VerbRow, mut arguments: Arguments) -> Result<Command, Misread> {
    Ok(match row.verb {
        Verb::Help => Command::Help(topic(&arguments)?),
        Verb::Tree => Command::Tree,
        Verb::Status => Command::Status,
        Verb::Use => Command::Use(arguments.first(row)?),
        Verb::Call => call(row, arguments)?,
        Verb::New => Command::New,
        Verb::Deps => Command::Deps(json(row, &arguments.text)?),
        Verb::History => Command::History,
        Verb::Inspect => Command::Inspect {
            agent: arguments.first(row)?,
            exit: arguments.exit,
            frames: arguments.frames,
        },
        Verb::Stack => Command::Stack(stack_target(row, &arguments.first(row)?)?),
        Verb::Logs => Command::Logs {
            agent: arguments.first(row)?,
            follow: arguments.follow,
            previous: arguments.previous,
        },
        Verb::Deadletters => Command::Letters(letters(row, arguments)?),
        Verb::Restart => operate(row, ActionKind::Restart, arguments)?,
        Verb::Stop => operate(row, ActionKind::Stop, arguments)?,
        Verb::Start => operate(row, ActionKind::Start, arguments)?,
        Verb::Kill => operate(row, ActionKind::Kill, arguments)?,
        Verb::Events => Command::Events {
            follow: arguments.follow,
        },
        Verb::Quit => Command::Quit,
    })
}

fn stack_target(row: &VerbRow, word: &str) -> Result<StackTarget, Misread> {
    word.parse().map_err(|_no_replica| surplus(row, word))
}

fn letters(row: &VerbRow, arguments: Arguments) -> Result<Letters, Misread> {
    let mut names = arguments.names.into_iter();
    let (first, id) = (names.next(), names.next());
    let known = first.as_deref().filter(|it| Letters::VERBS.contains(it));
    Ok(match (known, id) {
        (Some(_), None) => return Err(missing(row, "the id of a letter")),
        (Some("show"), Some(id)) => Letters::Show(id),
        (Some("retry"), Some(id)) => Letters::Retry(id),
        (Some(_), Some(id)) if id == "all" => Letters::DropAll,
        (Some(_), Some(id)) => Letters::Drop(id),
        (None, Some(id)) => return Err(surplus(row, &id)),
        (None, None) => Letters::List(first),
    })
}

fn topic(arguments: &Arguments) -> Result<Option<Verb>, Misread> {
    let Some(name) = arguments.names.first() else {
        return Ok(None);
    };
    let bare = name.strip_prefix('/').unwrap_or(name);
    let row = row_named(bare).ok_or_else(|| unknown_verb(bare))?;
    Ok(Some(row.verb))
}

fn call(row: &VerbRow, mut arguments: Arguments) -> Result<Command, Misread> {
    let agent = arguments.first(row)?;
    if arguments.text.is_empty() {
        return Err(missing(row, "a text to send"));
    }
    Ok(Command::Call {
        agent,
        text: arguments.text,
    })
}

fn json(row: &VerbRow, text: &str) -> Result<Option<Value>, Misread> {
    if text.is_empty() {
        return Ok(None);
    }
    let value = serde_json::from_str(text);
    value.map(Some).map_err(|error| Misread::NotJson {
        name: row.name,
        reason: error.to_string(),
    })
}

fn operate(row: &VerbRow, action: ActionKind, arguments: Arguments) -> Result<Command, Misread> {
    if arguments.names.is_empty() {
        return Err(missing(row, "the name of an agent"));
    }
    Ok(Command::Operate(action, arguments.names))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn refused(line: &str, expected: &str) {
        assert_eq!(
            parse(line).map_err(|error| error.to_string()),
            Err(expected.to_owned())
        );
    }

    #[test]
    fn a_line_without_a_slash_is_a_message() {
        assert_eq!(
            parse("  My name is Ada. "),
            Ok(Command::Message("My name is Ada.".into()))
        );
        assert_eq!(parse("   "), Ok(Command::Nothing));
    }

    #[test]
    fn two_slashes_send_a_text_that_begins_with_one() {
        assert_eq!(
            parse("//etc/passwd is a file"),
            Ok(Command::Message("/etc/passwd is a file".into()))
        );
    }

    #[test]
    fn the_text_of_a_call_is_sent_as_it_stands() {
        let command = Command::Call {
            agent: "echo".into(),
            text: "-f  two  spaces /x".into(),
        };
        assert_eq!(parse("/call echo -f  two  spaces /x"), Ok(command));
    }

    #[test]
    fn stacks_are_asked_of_an_agent_or_of_one_of_its_replicas() {
        let asked = |text: &str| Ok(Command::Stack(text.parse().unwrap()));
        assert_eq!(parse("/stack echo"), asked("echo"));
        assert_eq!(parse("/stack echo/2"), asked("echo/2"));
        refused(
            "/stack echo/x",
            "/stack does not take \"echo/x\": /stack AGENT",
        );
        refused("/stack", "/stack needs the name of an agent: /stack AGENT");
    }

    #[test]
    fn deps_are_json_to_the_end_of_the_line_or_nothing() {
        let given = serde_json::json!({"user": "Ada Lovelace", "-f": 1});
        assert_eq!(
            parse(r#"/deps {"user": "Ada Lovelace", "-f": 1}"#),
            Ok(Command::Deps(Some(given)))
        );
        assert_eq!(parse("/deps"), Ok(Command::Deps(None)));
        assert_eq!(parse("/deps null"), Ok(Command::Deps(Some(Value::Null))));
        refused(
            "/deps {user: 1}",
            "/deps takes JSON, and this is none: key must be a string at line 1 column 2",
        );
    }

    #[test]
    fn switches_stand_anywhere() {
        let command = Command::Logs {
            agent: "echo".into(),
            follow: true,
            previous: true,
        };
        assert_eq!(parse("/logs -f echo --previous"), Ok(command.clone()));
        assert_eq!(parse("/logs echo --previous --follow"), Ok(command));
        assert_eq!(parse("/events -f"), Ok(Command::Events { follow: true }));
    }

    #[test]
    fn an_exit_is_asked_for_by_its_number_or_as_the_last() {
        let command = |exit, frames| {
            Ok(Command::Inspect {
                agent: "echo".into(),
                exit,
                frames,
            })
        };
        assert_eq!(parse("/inspect echo"), command(None, false));
        let of = Some(WhichExit::Of(3));
        assert_eq!(parse("/inspect echo --exit 3"), command(of, false));
        let last = Some(WhichExit::Last);
        assert_eq!(
            parse("/inspect --frames --exit last echo"),
            command(last, true)
        );
        let needs = "/inspect needs the number of an incarnation after --exit, or `last`: \
                     /inspect AGENT [--exit N] [--frames]";
        refused("/inspect echo --exit", needs);
        refused("/inspect echo --exit first", needs);
    }

    #[test]
    fn operations_take_many_names_and_globs() {
        let command = Command::Operate(ActionKind::Restart, text(&["echo", "res*"]));
        assert_eq!(parse("/restart echo res*"), Ok(command));
    }

    #[test]
    fn dead_letters_are_listed_shown_tried_again_and_dropped() {
        let id = || "d-3".to_owned();
        for (line, expected) in [
            ("/deadletters", Letters::List(None)),
            ("/deadletters echo", Letters::List(Some("echo".into()))),
            ("/deadletters show d-3", Letters::Show(id())),
            ("/dlq retry d-3", Letters::Retry(id())),
            ("/deadletters drop d-3", Letters::Drop(id())),
            ("/deadletters drop all", Letters::DropAll),
        ] {
            assert_eq!(parse(line), Ok(Command::Letters(expected)), "{line}");
        }
        let usage = "/deadletters [show|retry|drop ID]";
        refused(
            "/deadletters show",
            &format!("/deadletters needs the id of a letter: {usage}"),
        );
        refused(
            "/deadletters echo d-3",
            &format!("/deadletters does not take \"d-3\": {usage}"),
        );
    }

    #[test]
    fn help_takes_a_verb_with_or_without_its_slash() {
        assert_eq!(parse("/help /kill"), Ok(Command::Help(Some(Verb::Kill))));
        assert_eq!(parse("/?"), Ok(Command::Help(None)));
    }

    #[test]
    fn wrong_input_is_answered_with_the_way_it_is_written() {
        refused(
            "/tre",
            "no command \"/tre\". Did you mean /tree? /help lists them.",
        );
        refused(
            "/frobnicate",
            "no command \"/frobnicate\". /help lists them.",
        );
        refused(
            "/help kil",
            "no command \"/kil\". Did you mean /kill? /help lists them.",
        );
        refused("/use", "/use needs the name of an agent: /use AGENT");
        refused("/call echo", "/call needs a text to send: /call AGENT TEXT");
        refused("/tree all", "/tree does not take \"all\": /tree");
        refused(
            "/logs echo -x",
            "/logs does not take \"-x\": /logs AGENT [-f] [--previous]",
        );
        refused("/kill", "/kill needs the name of an agent: /kill AGENT...");
        refused("/", "no command \"/\". /help lists them.");
    }
}
