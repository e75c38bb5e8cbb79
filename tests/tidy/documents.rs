//! Markdown: links lead somewhere, and every page can be found from the README.

use std::collections::BTreeSet;
use std::path::Path;

use crate::tree::{File, clean, files_ending, none, relative, root};

/// The targets of a page's links that are files: `[text](target)`, outside of code.
fn targets(page: &File) -> Vec<String> {
    let mut fenced = false;
    let mut targets = Vec::new();
    for line in page.text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            if !target.contains("://") && !target.is_empty() {
                targets.push(target.to_owned());
            }
        }
    }
    targets
}

/// The file that a target names, from the root, and the heading in it.
fn resolve(page: &File, target: &str) -> (String, Option<String>) {
    let (file, heading) = match target.split_once('#') {
        Some((file, heading)) => (file, Some(heading.to_owned())),
        None => (target, None),
    };
    if file.is_empty() {
        return (page.path.clone(), heading);
    }
    let folder = root().join(&page.path);
    let folder = folder.parent().unwrap_or(Path::new("/"));
    (relative(&clean(&folder.join(file))), heading)
}

/// The anchors of a page's headings, made as code hosts make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    let mut findings = Vec::new();
    for page in files_ending(".md") {
        for target in targets(&page) {
            let (path, heading) = resolve(&page, &target);
            let file = root().join(&path);
            let lost = match heading {
                _ if !file.exists() => true,
                Some(heading) if path.ends_with(".md") => {
                    !anchors(&std::fs::read_to_string(file).unwrap()).contains(&heading)
                }
                _ => false,
            };
            if lost {
                findings.push(format!("{}: {target}", page.path));
            }
        }
    }
    none("links that lead nowhere", &findings);
}

#[test]
fn every_page_can_be_found_from_the_readme() {
    let pages = files_ending(".md");
    let mut found = BTreeSet::from(["README.md".to_owned()]);
    let mut ahead = vec!["README.md".to_owned()];
    while let Some(path) = ahead.pop() {
        let Some(page) = pages.iter().find(|page| page.path == path) else {
            continue;
        };
        for target in targets(page) {
            let (path, _) = resolve(page, &target);
            // A link to a folder shows its README, and lists the rest.
            let shown = if root().join(&path).is_dir() {
                format!("{path}/README.md")
            } else {
                path
            };
            if found.insert(shown.clone()) {
                ahead.push(shown);
            }
        }
    }
    let lost = pages
        .into_iter()
        .map(|page| page.path)
        .filter(|path| !found.contains(path));
    none(
        "pages that the README does not lead to",
        &lost.collect::<Vec<_>>(),
    );
}
