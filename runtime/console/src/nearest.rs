//! "Did you mean": the nearest of some known names. It does not know what the names are of.

/// How many edits a guess may be away, by the length of what was written: beyond this a guess
/// is noise.
const fn edits_max(length: usize) -> usize {
    match length {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    }
}

/// The known name that is nearest to what was written, if any is near enough.
#[must_use]
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_lowercase();
    let limit = edits_max(lower.chars().count());
    known
        .into_iter()
        .filter_map(|name| distance(&lower, name, limit).map(|edits| (edits, name)))
        .min()
        .map(|(_, name)| name)
}

/// Edits between the two; the beginning of a name counts as one edit away from it.
fn distance(written: &str, name: &str, limit: usize) -> Option<usize> {
    let edits = strsim::damerau_levenshtein(written, name);
    if edits <= limit {
        return Some(edits);
    }
    let begins = written.len() >= 2 && name.starts_with(written);
    begins.then_some(limit)
}

/// `"analist"` and `analyst` make ` Did you mean analyst?`; without a guess, nothing.
#[must_use]
pub fn did_you_mean(guess: Option<&str>) -> String {
    guess.map_or_else(String::new, |name| format!(" Did you mean {name}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENTS: [&str; 4] = ["assistant", "analyst", "echo", "writer"];

    #[test]
    fn a_slip_of_the_finger_finds_its_name() {
        assert_eq!(nearest("analist", AGENTS), Some("analyst"));
        assert_eq!(nearest("ehco", AGENTS), Some("echo"));
        assert_eq!(nearest("Writer", AGENTS), Some("writer"));
    }

    #[test]
    fn the_beginning_of_a_name_finds_it() {
        assert_eq!(nearest("assi", AGENTS), Some("assistant"));
    }

    #[test]
    fn another_word_finds_nothing() {
        assert_eq!(nearest("database", AGENTS), None);
        assert_eq!(nearest("", AGENTS), None);
    }
}
