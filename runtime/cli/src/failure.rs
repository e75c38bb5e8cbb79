//! Why the program ends with something other than 0, in words for the person who typed it.

use std::io::{IsTerminal, Write};

use synapse_api::{ClientError, ConnectError, ExitCode};
use synapse_config::ConfigErrors;
pub(crate) use synapse_core::fault::report_chain;

/// A failure, ready to be printed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the program exits with.
    pub(crate) exit: ExitCode,
    text: String,
    help: Option<String>,
}

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            exit: ExitCode::Failure,
            text: text.into(),
            help: None,
        }
    }

    pub(crate) fn exit(self, exit: ExitCode) -> Self {
        Self { exit, ..self }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    /// The same, said of this: a text that ends in a colon.
    pub(crate) fn headed(self, head: &str) -> Self {
        let text = format!("{head}{}", self.text);
        Self { text, ..self }
    }

    /// Several of one kind: one after the other, with the first remedy.
    pub(crate) fn all(failures: Vec<Self>) -> Self {
        let texts: Vec<&str> = failures.iter().map(|one| one.text.as_str()).collect();
        let text = texts.join("\nerror: ");
        let exit = failures.first().map_or(ExitCode::Failure, |one| one.exit);
        let help = failures.into_iter().find_map(|one| one.help);
        Self { exit, text, help }
    }

    /// Every mistake of a configuration, in its frames.
    pub(crate) fn configuration(errors: &ConfigErrors) -> Self {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self::new(errors.render(colour)).exit(ExitCode::Configuration)
    }

    /// On stderr, where it cannot be mistaken for output. A closed stderr is no further failure.
    pub(crate) fn print(&self) {
        let mut stderr = std::io::stderr().lock();
        if self.text.is_empty() {
            return;
        }
        let framed = self.exit == ExitCode::Configuration;
        let head = if framed { "" } else { "error: " };
        drop(writeln!(stderr, "{head}{}", self.text.trim_end()));
        if let Some(help) = &self.help {
            drop(writeln!(stderr, "help: {help}"));
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::new(report_chain(&error)).exit(ExitCode::Unavailable)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::new(report_chain(&error)).exit(error.exit_code())
    }
}
