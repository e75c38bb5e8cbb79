//! Mistakes and warnings as their reader gets them: as data, or as frames of text.

use std::fmt;

use serde::Serialize;

use crate::document::boundary;
use crate::problem::{Problem, Problems, Severity};
use crate::render;
use crate::secrecy;

/// One mistake or warning as data, for `synapse check --json` and editors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The file as the caller named it.
    pub file: String,
    /// Counted from 1; none where the file as a whole is meant.
    pub line: Option<usize>,
    /// In characters, counted from 1.
    pub column: Option<usize>,
    /// The dotted path of the key, e.g. `agent.assistant.concurrency`.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it, most helpful first.
    pub help: Vec<String>,
    /// Other places that have to do with it.
    pub related: Vec<Related>,
}

/// Another place that a finding has to do with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is there.
    pub label: String,
}

/// Mistakes or warnings of one file, in the file's order.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    pub(crate) file: String,
    pub(crate) text: String,
    pub(crate) problems: Vec<Problem>,
    pub(crate) omitted: usize,
}

impl Findings {
    pub(crate) fn new(file: &str, text: &str, problems: Problems) -> Self {
        let (problems, omitted) = problems.into_sorted();
        let (text, secrets) = secrecy::masked(text);
        let problems = problems.into_iter();
        Self {
            file: file.to_owned(),
            text,
            problems: problems
                .map(|problem| secrecy::without(&secrets, problem))
                .collect(),
            omitted,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.problems.len().saturating_add(self.omitted)
    }

    /// Frames of text for a terminal, in the manner of rustc.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        render::render(self, color)
    }

    /// The same as data.
    #[must_use]
    pub fn list(&self) -> Vec<Finding> {
        self.problems
            .iter()
            .map(|problem| self.finding(problem))
            .collect()
    }

    fn finding(&self, problem: &Problem) -> Finding {
        let mut places = problem.marks.iter().map(|mark| {
            let (line, column) = position(&self.text, mark.span.start);
            Related {
                line,
                column,
                label: mark.label.clone(),
            }
        });
        let first = places.next();
        Finding {
            severity: match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            file: self.file.clone(),
            line: first.as_ref().map(|place| place.line),
            column: first.as_ref().map(|place| place.column),
            key: (!problem.key.is_empty()).then(|| problem.key.clone()),
            message: problem.message.clone(),
            help: problem.help.clone(),
            related: places.collect(),
        }
    }
}

/// Why a file is not a configuration: every mistake, and the warnings beside them.
#[derive(Clone, Debug)]
pub struct ConfigErrors(pub(crate) Findings);

impl ConfigErrors {
    /// Frames of text for a terminal, in the manner of rustc.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        self.0.render(color)
    }

    /// The same as data.
    #[must_use]
    pub fn list(&self) -> Vec<Finding> {
        self.0.list()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let warnings = self
            .0
            .problems
            .iter()
            .filter(|problem| problem.severity == Severity::Warning)
            .count();
        match self.0.len().saturating_sub(warnings) {
            1 => write!(formatter, "1 mistake in {}", self.0.file),
            count => write!(formatter, "{count} mistakes in {}", self.0.file),
        }
    }
}

impl std::error::Error for ConfigErrors {}

/// Line and column of a byte, both counted from 1, the column in characters.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..boundary(text, at)).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count();
    (line, column.saturating_add(1))
}
