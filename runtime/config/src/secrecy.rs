//! Secrets in the file stay out of what is said of it: a frame shows whole lines, and a message
//! repeats what was written. It reads names and quotes, since a file with a mistake may not be TOML.

use synapse_core::secret::{MASK, is_secret_name, password_of_url};

use crate::document::{Span, quoted};
use crate::problem::Problem;

/// A shorter value is masked where it stands, and not looked for in messages.
const SOUGHT_BYTES_MIN: usize = 6;

/// A key of ours whose name looks like one of a password: it lists names.
const PASSED: &str = "env_pass";

/// The text with a star for each byte of a secret, so that places stay what they are; and the
/// secrets.
pub(crate) fn masked(text: &str) -> (String, Vec<String>) {
    let mut masked = text.to_owned();
    let mut secrets = Vec::new();
    for span in assigned(text).chain(in_urls(text)) {
        let Some(secret) = text.get(span.clone()).filter(|secret| !secret.is_empty()) else {
            continue;
        };
        masked.replace_range(span, &"*".repeat(secret.len()));
        if secret.len() >= SOUGHT_BYTES_MIN {
            secrets.push(secret.to_owned());
        }
    }
    (masked, secrets)
}

/// The problem without the secrets in its words.
pub(crate) fn without(secrets: &[String], mut problem: Problem) -> Problem {
    let labels = problem.marks.iter_mut().map(|mark| &mut mark.label);
    let words = problem.help.iter_mut().chain(labels);
    for text in words.chain(std::iter::once(&mut problem.message)) {
        for secret in secrets {
            hide(secret, text);
        }
    }
    problem
}

/// Also as a message repeats it: escaped, and cut where it is long.
fn hide(secret: &str, text: &mut String) {
    let repeated = quoted(secret);
    for form in [secret, repeated.trim_matches('"')] {
        if text.contains(form) {
            *text = text.replace(form, MASK);
        }
    }
    let mut beginnings = secret.char_indices().map(|(at, _)| at).rev();
    let torn = beginnings.find_map(|end| {
        let begin = secret.get(..end)?;
        let torn = format!("{begin}…");
        (begin.len() >= SOUGHT_BYTES_MIN && text.contains(&torn)).then_some(torn)
    });
    if let Some(torn) = torn {
        *text = text.replace(&torn, MASK);
    }
}

/// What stands behind `NAME =`, where the name is that of a secret.
fn assigned(text: &str) -> impl Iterator<Item = Span> + '_ {
    text.match_indices('=').filter_map(|(at, _)| {
        let name = text.get(..at)?.trim_end_matches([' ', '\t', '"', '\'']);
        let part_of_name = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
        let begin = name.trim_end_matches(part_of_name).len();
        let name = name.get(begin..)?;
        (name != PASSED && is_secret_name(name)).then_some(())?;
        let rest = text.get(at + 1..)?;
        let value = rest.trim_start_matches([' ', '\t']);
        let from = at + 1 + (rest.len() - value.len());
        let (quotes, length) = value_of(value)?;
        Some(from + quotes..from + quotes + length)
    })
}

/// How many quotes a value begins with, and how long it is between them.
fn value_of(value: &str) -> Option<(usize, usize)> {
    for quotes in ["\"\"\"", "'''"] {
        if let Some(inside) = value.strip_prefix(quotes) {
            return Some((quotes.len(), inside.find(quotes).unwrap_or(inside.len())));
        }
    }
    let line = value.lines().next()?;
    if let Some(inside) = line.strip_prefix('\'') {
        return Some((1, inside.find('\'').unwrap_or(inside.len())));
    }
    if let Some(inside) = line.strip_prefix('"') {
        let mut escaped = false;
        let end = inside.find(|letter| {
            let ends = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        });
        return Some((1, end.unwrap_or(inside.len())));
    }
    // Tables and lists are looked into by themselves.
    if line.starts_with(['{', '[']) {
        return None;
    }
    let end = line.find([',', '}', ']', '#', '"', '\'']);
    let bare = line.get(..end.unwrap_or(line.len()))?;
    Some((0, bare.trim_end().len()))
}

/// The passwords of URLs.
fn in_urls(text: &str) -> impl Iterator<Item = Span> + '_ {
    text.match_indices("://").filter_map(|(at, _)| {
        let url = text.get(at..)?;
        let password = password_of_url(url)?;
        let from = at + url.find(&format!("{password}@"))?;
        Some(from..from + password.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let (masked, secrets) = masked(text);
        assert_eq!(masked, expected);
        assert_eq!(masked.len(), text.len());
        for secret in secrets {
            assert!(!masked.contains(&secret), "{secret}");
        }
    }

    #[test]
    fn the_values_of_secret_names_are_stars() {
        check(
            r#"env = { OPENAI_API_KEY = "sk-\"1" , MODE = "fast", DB_PASS = 'x y' }"#,
            r#"env = { OPENAI_API_KEY = "******" , MODE = "fast", DB_PASS = '***' }"#,
        );
        check("API_KEY = sk-1234 # mine", "API_KEY = ******* # mine");
        check("API_KEY = \"not closed", "API_KEY = \"**********");
        check("\"API_KEY\" = 12345", "\"API_KEY\" = *****");
        check(
            "env_pass = [\"API_KEY=sk-1\"]",
            "env_pass = [\"API_KEY=****\"]",
        );
        check("KEY = \"\"\"a\nb\"\"\"", "KEY = \"\"\"***\"\"\"");
        check("TOKEN = \"äß\"", "TOKEN = \"****\"");
        check("token = { a = 1 }", "token = { a = 1 }");
        check("max_tokens = 5\nKEY =", "max_tokens = 5\nKEY =");
    }

    #[test]
    fn passwords_of_urls_are_stars() {
        check(
            "url = \"http://me:secret@host/x\"",
            "url = \"http://me:******@host/x\"",
        );
        check("url = \"http://host/x\"", "url = \"http://host/x\"");
    }

    #[test]
    fn messages_lose_them_in_every_form() {
        let long = "k".repeat(100);
        let text = format!("A_KEY = \"{long}\"\nB_KEY = 'a\\b\"cde'");
        let (_, secrets) = masked(&text);
        let problem = Problem::error("", format!("found {}", quoted(&long)))
            .help(format!("KEY={long} and {}", quoted("a\\b\"cde")))
            .help(quoted(&format!("A_KEY={long}")));
        let problem = without(&secrets, problem);
        assert_eq!(problem.message, "found \"***\"");
        assert_eq!(problem.help, ["KEY=*** and \"***\"", "\"A_KEY=***\""]);
    }
}
