//! Arguments of which a call takes only one: what is given wins over a variable. It refuses to know
//! what they mean.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use super::{Arguments, CallArguments, Verb};

impl Arguments {
    /// Reads the command line of this process. A wrong one, and a question for help, ends it.
    pub(crate) fn read() -> Self {
        Self::read_from(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    fn read_from(line: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(line)?;
        let mut arguments = Self::from_arg_matches(&matches)?;
        let Some(Verb::Call(call)) = &mut arguments.verb else {
            return Ok(arguments);
        };
        let chosen = matches
            .subcommand()
            .map_or(Ok(()), |(_, given)| call.choose(given));
        chosen.map_err(|message| {
            let verb = command.find_subcommand_mut("call");
            verb.map_or_else(
                || clap::Error::raw(ErrorKind::ArgumentConflict, &message),
                |verb| verb.error(ErrorKind::ArgumentConflict, &message),
            )
        })?;
        Ok(arguments)
    }
}

impl CallArguments {
    fn choose(&mut self, given: &ArgMatches) -> Result<(), String> {
        let source = |id| given.value_source(id);
        match stronger(source("prompt"), source("input")) {
            Stronger::First => self.input = None,
            Stronger::Second => self.prompt = None,
            Stronger::Neither => return Err(not_both("a PROMPT", "--input")),
        }
        match stronger(source("session"), source("history")) {
            Stronger::First => self.history = None,
            Stronger::Second => self.session = None,
            Stronger::Neither => return Err(not_both("--session", "--history")),
        }
        Ok(())
    }
}

enum Stronger {
    First,
    Second,
    Neither,
}

/// Of two the one that is there, or the one that was given where the other is a variable's.
fn stronger(first: Option<ValueSource>, second: Option<ValueSource>) -> Stronger {
    match (first, second) {
        (_, None) => Stronger::First,
        (None, Some(_)) => Stronger::Second,
        // Given on the command line is more than set by a variable.
        (Some(first), Some(second)) if first > second => Stronger::First,
        (Some(first), Some(second)) if first < second => Stronger::Second,
        (Some(_), Some(_)) => Stronger::Neither,
    }
}

fn not_both(one: &str, other: &str) -> String {
    format!("a call has either {one} or {other}, not both (each has a variable, too)")
}
