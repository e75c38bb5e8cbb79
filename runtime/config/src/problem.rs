//! One mistake in the file, and the list of all of them. It does not know how they look.

use crate::document::Span;

/// Problems that are kept; a file with more is not a configuration file at all.
const PROBLEMS_MAX: usize = 500;

/// Whether the file can be used in spite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    Error,
    Warning,
}

/// A place in the file and what to say there.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) span: Span,
    pub(crate) label: String,
}

/// One mistake.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    /// The dotted path of the key, empty where no key is meant.
    pub(crate) key: String,
    pub(crate) message: String,
    /// The first mark is the place of the mistake; others are what it conflicts with.
    pub(crate) marks: Vec<Mark>,
    pub(crate) help: Vec<String>,
}

impl Problem {
    pub(crate) fn error(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            key: key.into(),
            message: message.into(),
            marks: Vec::new(),
            help: Vec::new(),
        }
    }

    pub(crate) fn warning(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(key, message)
        }
    }

    pub(crate) fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.marks.push(Mark {
            span,
            label: label.into(),
        });
        self
    }

    pub(crate) fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    pub(crate) fn help_if(self, text: Option<impl Into<String>>) -> Self {
        match text {
            Some(text) => self.help(text),
            None => self,
        }
    }
}

/// All mistakes so far, in the order of finding.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problems {
    list: Vec<Problem>,
    /// Found beyond [`PROBLEMS_MAX`].
    omitted: usize,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        if self.list.len() < PROBLEMS_MAX {
            self.list.push(problem);
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.list
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    }

    /// The problems in the order of the file, and how many more there were.
    pub(crate) fn into_sorted(mut self) -> (Vec<Problem>, usize) {
        self.list
            .sort_by_key(|problem| problem.marks.first().map_or(0, |mark| mark.span.start));
        (self.list, self.omitted)
    }
}
