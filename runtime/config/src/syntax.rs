//! Syntax errors: the parser stops at the first, so the broken line is blanked and the rest is read
//! again, as far as that makes sense. It knows lines, and no key of ours.

use crate::document::{self, Node, Span, boundary};
use crate::problem::{Problem, Problems};

/// Syntax errors that are reported; each costs another pass over the file.
const SYNTAX_ERRORS_MAX: usize = 20;

/// What could be read.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// All of it.
    Whole(Node),
    /// Some lines were no TOML; without them the rest may have been readable.
    Damaged(Option<Node>),
}

/// Parses `text`; syntax errors go to `problems`.
pub(crate) fn parse(text: &str, problems: &mut Problems) -> Parsed {
    let mut source = text.to_owned();
    let mut last = None;
    for _ in 0..SYNTAX_ERRORS_MAX {
        let error = match document::parse(&source) {
            Ok(root) if last.is_none() => return Parsed::Whole(root),
            Ok(root) => return Parsed::Damaged(Some(root)),
            Err(error) => error,
        };
        let span = error.span().unwrap_or(text.len()..text.len());
        let line = line_at(text, span.start);
        // An error right below the last is likely its echo, as after a bracket that is not closed.
        if last
            .as_ref()
            .is_some_and(|last: &Span| line.start <= last.end.saturating_add(1))
        {
            break;
        }
        problems.push(problem(text, span, error.message()));
        if !is_setting(text.get(line.clone()).unwrap_or_default()) {
            break;
        }
        source.replace_range(line.clone(), &" ".repeat(line.len()));
        last = Some(line);
    }
    Parsed::Damaged(None)
}

/// `key = ...` in one line: without it the lines around keep their meaning.
fn is_setting(line: &str) -> bool {
    let key = line.split('=').next().unwrap_or_default().trim();
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '"');
    line.contains('=') && !key.is_empty() && key.chars().all(bare)
}

/// The line around a place, without its line feed.
fn line_at(text: &str, at: usize) -> Span {
    let at = boundary(text, at);
    let (before, after) = text.split_at(at);
    let start = before.rfind('\n').map_or(0, |feed| feed.saturating_add(1));
    let end = after
        .find('\n')
        .map_or(text.len(), |feed| at.saturating_add(feed));
    start..end
}

fn problem(text: &str, span: Span, message: &str) -> Problem {
    if message.contains("duplicate key") {
        return duplicate(text, span);
    }
    let help = if message.contains("unclosed table") || message.contains("invalid table header") {
        Some("a table begins with a line such as [agent.assistant]")
    } else if message.contains("string values must be quoted") {
        Some("put the text into double quotes")
    } else {
        None
    };
    // What the parser expected next is of use only where a sign is missing.
    let message = match message.split_once(", expected ") {
        Some((message, expected)) if !expected.starts_with('`') => message,
        _ => message,
    };
    Problem::error("", format!("this is not TOML: {message}"))
        .at(span, "")
        .help_if(help)
}

fn duplicate(text: &str, span: Span) -> Problem {
    let name = text.get(span.clone()).unwrap_or_default().to_owned();
    let first = first_place(text, &span, &name);
    let problem = Problem::error("", format!("`{name}` stands here for the second time"));
    let problem = problem.at(span, "again here");
    match first {
        Some(first) => problem.at(first, "first here"),
        None => problem,
    }
    .help("a table or key stands once; merge the two, or give one another name")
}

/// Where a table's header, or a key of the same table, stood before.
fn first_place(text: &str, span: &Span, name: &str) -> Option<Span> {
    let line = line_at(text, span.start);
    let own = text.get(line.clone())?.trim();
    let header = own.starts_with('[');
    let mut end = line.start;
    while end > 0 {
        let earlier = line_at(text, end.saturating_sub(1));
        let content = text.get(earlier.clone())?;
        let same = if header {
            content.trim() == own
        } else {
            let key = content.trim_start().strip_prefix(name).map(str::trim_start);
            key.is_some_and(|rest| rest.starts_with(['=', '.']))
        };
        if same {
            // In a header the name comes last, before a key's value first.
            let column = if header {
                content.rfind(name)?
            } else {
                content.find(name)?
            };
            let at = earlier.start.saturating_add(column);
            return Some(at..at.saturating_add(name.len()));
        }
        if !header && content.trim_start().starts_with('[') {
            return None;
        }
        end = earlier.start;
    }
    None
}
