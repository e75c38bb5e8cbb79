//! Completion, hints and colours in the line editor's own words; what they say is decided in
//! `completion`.

use std::sync::Arc;

use nu_ansi_term::{Color, Style};
use reedline::{
    Completer, CompletionResult, DefaultHinter, Highlighter, Hinter, History, Span, StyledText,
    Suggestion,
};

use super::LiveNames;
use super::line_state::LineState;
use crate::completion::{Hint, candidates, hint};
use crate::surroundings::terminal_cells;
use crate::verb::row_named;

/// Completes verbs and names.
#[derive(Debug)]
pub(super) struct NameCompleter {
    pub(super) names: LiveNames,
}

impl Completer for NameCompleter {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let before = line.get(..pos).unwrap_or(line);
        let offered = candidates(before, &self.names.get());
        let suggestions: Vec<Suggestion> = offered
            .into_iter()
            .map(|candidate| Suggestion {
                value: candidate.text,
                description: Some(candidate.about).filter(|about| !about.is_empty()),
                span: Span {
                    start: candidate.start,
                    end: pos.max(candidate.start),
                },
                append_whitespace: candidate.open,
                ..Suggestion::default()
            })
            .collect();
        CompletionResult::fresh(suggestions)
    }
}

/// Hints at arguments, and at earlier messages.
pub(super) struct LineHinter {
    pub(super) names: LiveNames,
    pub(super) messages: DefaultHinter,
    pub(super) style: Style,
    /// The hint of a command; `None` where the history hints.
    pub(super) command: Option<Hint>,
}

impl Hinter for LineHinter {
    fn handle(
        &mut self,
        line: &str,
        pos: usize,
        history: &dyn History,
        use_ansi_coloring: bool,
        cwd: &str,
    ) -> String {
        self.command = hint(line, &self.names.get());
        match &self.command {
            Some(hint) if use_ansi_coloring && !hint.shown.is_empty() => {
                self.style.paint(&hint.shown).to_string()
            }
            // Without colours a hint looks like typed text.
            Some(_) => String::new(),
            None if use_ansi_coloring => self.messages.handle(line, pos, history, true, cwd),
            None => String::new(),
        }
    }

    fn complete_hint(&self) -> String {
        match &self.command {
            Some(hint) => hint.taken.clone(),
            None => self.messages.complete_hint(),
        }
    }

    fn next_hint_token(&self) -> String {
        match &self.command {
            Some(hint) => hint.taken.clone(),
            None => self.messages.next_hint_token(),
        }
    }
}

/// Colours verbs, and notes the line that is drawn.
#[derive(Debug)]
pub(super) struct VerbHighlighter {
    pub(super) colours: bool,
    pub(super) state: Arc<LineState>,
}

impl Highlighter for VerbHighlighter {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        self.state.drawn(line, terminal_cells());
        let mut styled = StyledText::new();
        let end = line.find(char::is_whitespace).unwrap_or(line.len());
        let (verb, rest) = line.split_at(end);
        if self.colours && verb.starts_with('/') && !verb.starts_with("//") {
            let known = row_named(verb).is_some();
            let colour = if known || rest.is_empty() {
                Color::Cyan
            } else {
                Color::Red
            };
            styled.push((colour.normal(), verb.to_owned()));
            styled.push((Style::new(), rest.to_owned()));
        } else {
            styled.push((Style::new(), line.to_owned()));
        }
        styled
    }
}
