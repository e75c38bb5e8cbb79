//! `/help`, made from the table of verbs.

use super::Palette;
use super::layout::{pad, width, wrap};
use crate::verb::{VERBS, Verb, VerbRow};

/// All verbs in a line each, or one of them explained.
#[must_use]
pub fn help(topic: Option<Verb>, cells: usize, palette: Palette) -> String {
    match topic.and_then(|verb| VERBS.iter().find(|row| row.verb == verb)) {
        Some(row) => explained(row, cells, palette),
        None => listed(palette),
    }
}

fn explained(row: &VerbRow, cells: usize, palette: Palette) -> String {
    let about = format!("{}. {}", capitalised(row.about), row.more);
    format!(
        "{}\n  {}",
        palette.accent(&row.usage()),
        wrap(&about, cells.saturating_sub(2), "  ")
    )
}

fn listed(palette: Palette) -> String {
    let usages: Vec<String> = VERBS.iter().map(VerbRow::usage).collect();
    let widest = usages.iter().map(|usage| width(usage)).max().unwrap_or(0);
    let mut lines: Vec<String> = VERBS
        .iter()
        .zip(&usages)
        .map(|(row, usage)| format!("{}   {}", palette.accent(&pad(usage, widest)), row.about))
        .collect();
    let closing = "Other lines go to the current agent; // begins one that begins with a slash.\n\
        Ctrl-C cancels the running call, Tab completes, Ctrl-R searches the history.";
    lines.push(palette.dim(closing));
    lines.join("\n")
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
