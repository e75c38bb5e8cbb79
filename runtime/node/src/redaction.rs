//! The one place where secrets are kept out of what is told of an agent. Whatever text its process
//! writes, for logs, exits, events and faults, passes here before it is kept; outputs and chunks are
//! its callers' and do not. It knows values, and not where a text goes.

use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use parking_lot::RwLock;
use serde_json::{Map, Value};
use synapse_core::secret::{MASK, without_passwords};

/// A shorter value is not looked for, in bytes: it would stand everywhere.
const SECRET_BYTES_MIN: usize = 6;
/// A shorter string of a secret that is a JSON document: its words stand everywhere.
const PART_BYTES_MIN: usize = 16;
/// What a cut has left of a secret is one from this length on.
const TORN_BYTES_MIN: usize = 4;
/// Secrets that are looked for, in bytes together: a file of variables holds less.
const SECRETS_BYTES_MAX: usize = 256 * 1024;

/// How texts that were cut show it, at either end.
const CUT: char = '…';

/// The secrets of one agent, of all its lives: an edited `env_file` leaves older ones about.
#[derive(Debug, Default)]
pub(crate) struct Secrets(RwLock<Known>);

#[derive(Default)]
struct Known {
    values: Vec<String>,
    bytes: usize,
    finder: Option<Arc<Finder>>,
}

/// What finds them.
struct Finder {
    automaton: AhoCorasick,
    patterns: Vec<String>,
}

impl Secrets {
    /// Looks for these from now on, too. False where they are too many.
    pub(crate) fn add(&self, values: Vec<String>) -> bool {
        let mut known = self.0.write();
        let mut fits = true;
        let before = known.values.len();
        for value in values {
            if value.len() < SECRET_BYTES_MIN || known.values.contains(&value) {
                continue;
            }
            if known.bytes + value.len() > SECRETS_BYTES_MAX {
                fits = false;
                continue;
            }
            known.bytes += value.len();
            known.values.push(value);
        }
        if known.values.len() > before {
            known.finder = Finder::of(&known.values).map(Arc::new);
        }
        fits
    }

    /// The text without any secret of the agent, and without passwords of URLs.
    pub(crate) fn text(&self, text: String) -> String {
        let finder = self.0.read().finder.clone();
        let text = match finder {
            Some(finder) => finder.mask(text),
            None => text,
        };
        match without_passwords(&text) {
            std::borrow::Cow::Borrowed(_) => text,
            std::borrow::Cow::Owned(masked) => masked,
        }
    }

    /// The same of every text in a JSON value; keys stay.
    pub(crate) fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => Value::Object(self.map(map)),
            other => other,
        }
    }

    /// The same of a JSON object.
    pub(crate) fn map(&self, map: Map<String, Value>) -> Map<String, Value> {
        let entries = map.into_iter();
        entries
            .map(|(name, value)| (name, self.value(value)))
            .collect()
    }
}

impl Finder {
    fn of(values: &[String]) -> Option<Self> {
        let mut patterns: Vec<String> = values.iter().flat_map(|value| forms(value)).collect();
        patterns.sort_unstable();
        patterns.dedup();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns);
        match automaton {
            Ok(automaton) => Some(Self {
                automaton,
                patterns,
            }),
            // Its only reason is more states than the limit above lets there be.
            Err(error) => {
                tracing::error!(%error, "the secrets of an agent cannot be looked for");
                None
            }
        }
    }

    fn mask(&self, text: String) -> String {
        let mut masked = match self.automaton.is_match(&text) {
            false => text,
            true => {
                let mut masked = String::with_capacity(text.len());
                self.automaton
                    .replace_all_with(&text, &mut masked, |_, _, masked| {
                        masked.push_str(MASK);
                        true
                    });
                masked
            }
        };
        if masked.ends_with(CUT) {
            masked.pop();
            let torn = self.torn(|pattern, length| {
                let begin = pattern.get(..length)?;
                masked.ends_with(begin).then_some(length)
            });
            masked.truncate(masked.len() - torn.unwrap_or(0));
            masked.push(CUT);
        }
        if let Some(rest) = masked.strip_prefix(CUT) {
            let torn = self.torn(|pattern, length| {
                let end = pattern.get(pattern.len() - length..)?;
                rest.starts_with(end).then_some(length)
            });
            if let Some(rest) = torn.and_then(|torn| rest.get(torn..)) {
                masked = format!("{CUT}{rest}");
            }
        }
        masked
    }

    /// The longest part of a pattern, by its length, that a cut has left.
    fn torn(&self, left: impl Fn(&str, usize) -> Option<usize>) -> Option<usize> {
        let longest = |pattern: &String| {
            let mut lengths = (TORN_BYTES_MIN..pattern.len()).rev();
            lengths.find_map(|length| left(pattern, length))
        };
        self.patterns.iter().filter_map(longest).max()
    }
}

/// How a secret may stand in a text: as it is, escaped, encoded for a URL; and its parts.
fn forms(secret: &str) -> Vec<String> {
    let strings = secret.split(['\n', '\r', '"']);
    let strings = strings.flat_map(|part| part.split("\\n"));
    let strings = strings.filter(|part| part.len() >= PART_BYTES_MIN);
    // As stderr is read: what stands on a line is a secret as the whole is.
    let lines = secret.lines().chain([secret]).map(str::trim);
    let lines = lines.filter(|line| line.len() >= SECRET_BYTES_MIN);
    let plain: Vec<&str> = lines.chain(strings).collect();
    let escaped = plain.iter().flat_map(|text| escaped(text));
    let encoded = plain.iter().flat_map(|text| encoded(text));
    let plain = plain.iter().map(|text| (*text).to_owned());
    plain.chain(escaped).chain(encoded).collect()
}

/// As Python's `repr` and JSON write it: between quotes of either kind, or in ASCII alone.
fn escaped(text: &str) -> [String; 4] {
    let escaped = text.replace('\\', r"\\").replace('\n', r"\n");
    let escaped = escaped.replace('\r', r"\r").replace('\t', r"\t");
    let (double, single) = (escaped.replace('"', r#"\""#), escaped.replace('\'', r"\'"));
    let mut ascii = String::with_capacity(double.len());
    let mut units = [0; 2];
    for letter in double.chars() {
        match letter {
            letter if letter.is_ascii() => ascii.push(letter),
            letter => letter
                .encode_utf16(&mut units)
                .iter()
                .for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    [escaped, double, single, ascii]
}

/// As it stands in a URL: in a path, in a query, in a form; with large and small digits.
fn encoded(text: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for (slash, space) in [("%2F", "%20"), ("/", "%20"), ("%2F", "+")] {
        let (mut large, mut small) = (String::new(), String::new());
        for byte in text.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    large.push(char::from(byte));
                    small.push(char::from(byte));
                }
                b'/' if slash == "/" => {
                    large.push('/');
                    small.push('/');
                }
                b' ' if space == "+" => {
                    large.push('+');
                    small.push('+');
                }
                _ => {
                    large.push_str(&format!("%{byte:02X}"));
                    small.push_str(&format!("%{byte:02x}"));
                }
            }
        }
        forms.extend([large, small]);
    }
    forms
}

/// Values stay out of it.
impl std::fmt::Debug for Known {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Known")
            .field("secrets", &self.values.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
