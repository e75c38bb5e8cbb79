//! docs/decisions: one page a decision, numbered from 1 without gaps.

use crate::tree::{files, none};

#[test]
fn pages_are_numbered_without_gaps_and_say_what_was_rejected() {
    let mut findings = Vec::new();
    let pages: Vec<_> = files()
        .into_iter()
        .filter(|file| file.path.starts_with("docs/decisions/"))
        .collect();
    for (page, number) in pages.iter().zip(1..) {
        if !page.name().starts_with(&format!("{number:04}-")) {
            findings.push(format!("{}: {number:04} is expected here", page.path));
        }
        if !page.text.starts_with(&format!("# {number}. ")) {
            findings.push(format!(
                "{}: its title does not begin with \"# {number}. \"",
                page.path
            ));
        }
        for heading in ["## Context", "## Choice", "## Rejected", "## Consequence"] {
            if !page.text.contains(heading) {
                findings.push(format!("{}: no {heading:?}", page.path));
            }
        }
    }
    none("pages of decisions", &findings);
}

#[test]
fn decisions_that_are_cited_exist() {
    let files = files();
    let known = |number: &str| {
        files
            .iter()
            .any(|file| file.path.starts_with(&format!("docs/decisions/{number}-")))
    };
    let mut findings = Vec::new();
    for file in &files {
        for (at, _) in file.text.match_indices("decision 0") {
            let number: String = file.text[at..]
                .chars()
                .skip("decision ".len())
                .take(4)
                .collect();
            if number.bytes().all(|byte| byte.is_ascii_digit()) && !known(&number) {
                findings.push(format!("{}: decision {number}", file.path));
            }
        }
    }
    none("decisions that nobody wrote", &findings);
}
