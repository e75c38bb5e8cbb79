//! "Did you mean": the allowed word that is nearest to what was written.

/// Below this share of equal characters a suggestion confuses more than it helps.
const LIKENESS_MIN: f64 = 0.6;

/// Words of other systems and of everyday speech, and what they are called here.
const SYNONYMS: [(&str, &str); 26] = [
    ("always", "permanent"),
    ("on_failure", "transient"),
    ("on_crash", "transient"),
    ("never", "temporary"),
    ("no", "temporary"),
    ("kill", "brutal_kill"),
    ("forever", "infinity"),
    ("sync", "run_sync"),
    ("stream", "run_stream"),
    ("async", "run"),
    ("block", "wait"),
    ("drop", "reject"),
    ("process", "incarnation"),
    ("max_restarts", "intensity"),
    ("max_seconds", "period"),
    ("max_retries", "intensity"),
    ("timeout", "call_timeout"),
    ("module", "entry"),
    ("handler", "entry"),
    ("prompt", "instructions"),
    ("system_prompt", "instructions"),
    ("output_type", "output_schema"),
    ("workers", "replicas"),
    ("queue", "mailbox"),
    ("environment", "env"),
    ("python", "interpreter"),
];

/// The candidate most like `written`, if any is like it at all.
pub(crate) fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_lowercase().replace('-', "_");
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let meant = |synonym: &&(&str, &str)| synonym.0 == written && candidates.contains(&synonym.1);
    if let Some((_, word)) = SYNONYMS.iter().find(meant) {
        return Some(word);
    }
    candidates
        .into_iter()
        .map(|candidate| (candidate, likeness(&written, &candidate.replace('-', "_"))))
        .filter(|(_, likeness)| *likeness >= LIKENESS_MIN)
        // `max_by` keeps the last of equals; the first in the table's order is meant.
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(candidate, _)| candidate)
}

/// 1 for equal words; a word that contains the other (`retries`, `max_retries`) is like it.
fn likeness(written: &str, candidate: &str) -> f64 {
    let edits = strsim::normalized_damerau_levenshtein(written, &candidate.to_lowercase());
    let shorter = written.len().min(candidate.len());
    let contained = written.contains(candidate) || candidate.contains(written);
    if contained && shorter >= 4 {
        edits.max(LIKENESS_MIN)
    } else {
        edits
    }
}

/// "did you mean `x`?", or nothing.
pub(crate) fn did_you_mean<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(written, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// The same for a value, as TOML writes it.
pub(crate) fn did_you_mean_value<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(written, candidates).map(|candidate| format!("did you mean {candidate:?}?"))
}

/// "`a`, `b` or `c`".
pub(crate) fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}
