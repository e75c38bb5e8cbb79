//! What could stand where the cursor is, and what a hint says; from the table of verbs and the
//! names that live in the node. Pure; it does not know the line editor.

use crate::grammar::Letters;
use crate::machine::Names;
use crate::verb::{Operand, VERBS, VerbRow, row_named};

/// Something that could stand from `start` to the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) text: String,
    pub(crate) about: String,
    /// The byte where the word begins.
    pub(crate) start: usize,
    /// Whether more has to follow.
    pub(crate) open: bool,
}

/// The candidates at the end of `before`, the line up to the cursor.
pub(crate) fn candidates(before: &str, names: &Names) -> Vec<Candidate> {
    if !before.starts_with('/') || before.starts_with("//") {
        return Vec::new();
    }
    let start = before
        .rfind(char::is_whitespace)
        .map_or(0, |space| space + 1);
    let word = before.get(start..).unwrap_or_default();
    if start == 0 {
        return verbs(word);
    }
    let mut words = before.get(..start).unwrap_or_default().split_whitespace();
    let Some(row) = words.next().and_then(row_named) else {
        return Vec::new();
    };
    let given: Vec<&str> = words.filter(|word| !word.starts_with('-')).collect();
    let offered = if word.starts_with('-') {
        switches(row)
    } else {
        operands(row, &given, names)
    };
    let fitting = offered
        .into_iter()
        .filter(|(text, _)| text.starts_with(word));
    let open = row.operands.contains(&Operand::Text);
    fitting
        .map(|(text, about)| Candidate {
            text,
            about,
            start,
            open,
        })
        .collect()
}

fn verbs(word: &str) -> Vec<Candidate> {
    let rows = VERBS
        .iter()
        .filter(|row| format!("/{}", row.name).starts_with(word));
    rows.map(|row| Candidate {
        text: format!("/{}", row.name),
        about: row.about.to_owned(),
        start: 0,
        open: !row.operands.is_empty(),
    })
    .collect()
}

fn switches(row: &VerbRow) -> Vec<(String, String)> {
    let shown = row
        .switches
        .iter()
        .filter_map(|switch| switch.spellings().first());
    shown
        .map(|text| ((*text).to_owned(), String::new()))
        .collect()
}

/// What the next operand could be, after those that were given.
fn operands(row: &VerbRow, given: &[&str], names: &Names) -> Vec<(String, String)> {
    let at = given.len().min(row.operands.len().saturating_sub(1));
    let operand = row.operands.get(at).copied();
    let about = |text: &str, what: &str| (text.to_owned(), what.to_owned());
    let agents = names.agents.iter().map(|name| about(name, "agent"));
    match operand {
        Some(Operand::Agent) if given.is_empty() => agents.collect(),
        Some(Operand::Targets) => {
            let supervisors = names
                .supervisors
                .iter()
                .map(|name| about(name, "supervisor"));
            let all = agents.chain(supervisors);
            all.filter(|(name, _)| !given.contains(&name.as_str()))
                .collect()
        }
        Some(Operand::OptionalLetterVerb) if given.is_empty() => {
            let verbs = Letters::VERBS
                .iter()
                .map(|verb| about(verb, "a dead letter"));
            verbs.chain(agents).collect()
        }
        Some(Operand::OptionalLetter) if given.len() == 1 => names
            .letters
            .iter()
            .filter(|_| given.iter().all(|verb| Letters::VERBS.contains(verb)))
            .map(|id| about(id, "dead letter"))
            .collect(),
        Some(Operand::OptionalVerb) if given.is_empty() => {
            VERBS.iter().map(|row| about(row.name, row.about)).collect()
        }
        Some(
            Operand::Agent
            | Operand::OptionalVerb
            | Operand::OptionalLetterVerb
            | Operand::OptionalLetter
            | Operand::Text
            | Operand::OptionalJson,
        )
        | None => Vec::new(),
    }
}

/// What stands dimly behind the cursor at the end of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hint {
    /// What is shown.
    pub(crate) shown: String,
    /// The part of it that the right arrow takes over.
    pub(crate) taken: String,
}

/// The hint for a command; `None` for messages, which are hinted from the history.
pub(crate) fn hint(line: &str, names: &Names) -> Option<Hint> {
    if !line.starts_with('/') || line.starts_with("//") || line.len() < 2 {
        return None;
    }
    if let Some(row) = line.strip_suffix(' ').and_then(row_named) {
        return Some(Hint {
            shown: row.arguments.to_owned(),
            taken: String::new(),
        });
    }
    let offered = candidates(line, names);
    let [only] = offered.as_slice() else {
        return Some(Hint::default());
    };
    let rest = only.text.get(line.len() - only.start..).unwrap_or_default();
    Some(Hint {
        shown: rest.to_owned(),
        taken: rest.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let text = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Names {
            agents: text(&["assistant", "analyst", "echo"]),
            supervisors: text(&["root", "research"]),
            letters: text(&["d-3", "d-17"]),
        }
    }

    fn check(before: &str, expected: &[&str]) {
        let offered: Vec<String> = candidates(before, &names())
            .into_iter()
            .map(|it| it.text)
            .collect();
        assert_eq!(offered, expected, "{before:?}");
    }

    #[test]
    fn verbs_agents_and_switches_are_offered_where_they_fit() {
        check("/st", &["/status", "/stack", "/stop", "/start"]);
        check("/stack e", &["echo"]);
        check("/use a", &["assistant", "analyst"]);
        check("/use assistant a", &[]);
        check("/logs -f e", &["echo"]);
        check("/logs echo -", &["-f", "--previous"]);
        check("/call ", &["assistant", "analyst", "echo"]);
        check("/call echo a", &[]);
        check("/help ki", &["kill"]);
        check("/tree a", &[]);
        check("/de", &["/deps", "/deadletters"]);
        check("/deps a", &[]);
        check("/deadletters r", &["retry"]);
        check("/deadletters e", &["echo"]);
        check("/deadletters show d", &["d-3", "d-17"]);
        check("/deadletters echo d", &[]);
    }

    #[test]
    fn operations_offer_supervisors_too_and_nobody_twice() {
        check("/restart assistant r", &["root", "research"]);
        check("/restart assistant a", &["analyst"]);
    }

    #[test]
    fn messages_offer_nothing() {
        check("assist", &[]);
        check("//use a", &[]);
        check("/unknown a", &[]);
    }

    #[test]
    fn a_hint_completes_a_word_or_shows_the_arguments() {
        let hinted = |line: &str| hint(line, &names()).map(|hint| (hint.shown, hint.taken));
        let both = |text: &str| Some((text.to_owned(), text.to_owned()));
        assert_eq!(hinted("/hi"), both("story"));
        assert_eq!(hinted("/use ana"), both("lyst"));
        assert_eq!(
            hinted("/logs "),
            Some(("AGENT [-f] [--previous]".into(), String::new()))
        );
        assert_eq!(hinted("/st"), both(""));
        assert_eq!(hinted("hello"), None);
    }
}
