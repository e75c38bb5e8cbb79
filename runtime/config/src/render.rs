//! Findings as frames of source in the manner of rustc. It decides nothing but the look.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::document::{Span, boundary};
use crate::finding::Findings;
use crate::problem::{Problem, Severity};

/// Frames that are shown; who has more mistakes mends these first.
const FRAMES_MAX: usize = 50;

pub(crate) fn render(findings: &Findings, color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut output = String::new();
    for problem in findings.problems.iter().take(FRAMES_MAX) {
        let group = frame(problem, findings);
        output.push_str(&renderer.render(&[group]));
        output.push_str("\n\n");
    }
    let more = findings.len().saturating_sub(FRAMES_MAX);
    if more > 0 {
        output.push_str(&format!("... and {more} more in {}\n", findings.file));
    }
    output
}

fn frame<'a>(problem: &'a Problem, findings: &'a Findings) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(problem.message.as_str());
    let mut group = if problem.marks.is_empty() {
        title.element(annotate_snippets::Origin::path(findings.file.as_str()))
    } else {
        title.element(snippet(problem, findings))
    };
    for help in &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    group
}

fn snippet<'a>(
    problem: &'a Problem,
    findings: &'a Findings,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let mut snippet = Snippet::source(findings.text.as_str()).path(findings.file.as_str());
    for (index, mark) in problem.marks.iter().enumerate() {
        let kind = if index == 0 {
            AnnotationKind::Primary
        } else {
            AnnotationKind::Context
        };
        let annotation = kind.span(visible(&findings.text, &mark.span));
        snippet = snippet.annotation(if mark.label.is_empty() {
            annotation
        } else {
            annotation.label(mark.label.as_str())
        });
    }
    snippet
}

/// The first line of a span, on character boundaries and within the text: a mark over a whole
/// table would bury the file in bars.
fn visible(text: &str, span: &Span) -> Span {
    let start = boundary(text, span.start);
    let end = boundary(text, span.end).max(start);
    let line = text
        .get(start..end)
        .and_then(|marked| marked.split('\n').next());
    start..start.saturating_add(line.map_or(0, |line| line.trim_end().len()))
}
