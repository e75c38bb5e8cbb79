//! Durations: a whole number and a unit, as in `"250ms"`. A number alone would leave the unit open.

use serde_json::{Value, json};
use synapse_core::time::Millis;

use crate::document::{Data, Node};
use crate::key::{Element, wrong};
use crate::problem::Problems;

/// The longest duration, a year: longer ones are meant as `"infinity"`, or mistakes.
const DURATION_MAX_MS: u64 = 365 * 24 * 3600 * 1000;

/// The units, in milliseconds.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

/// The regular expression of [`parse`], for editors.
pub(crate) const PATTERN: &str = "^[0-9]+(ms|s|m|h)$";

/// At least `MIN` milliseconds, at most a year.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Duration<const MIN: u64>(pub(crate) Millis);

impl<const MIN: u64> Element for Duration<MIN> {
    fn wanted() -> String {
        r#"a duration such as "250ms", "5s", "2m" or "1h""#.to_owned()
    }

    fn schema() -> Value {
        json!({"type": "string", "pattern": PATTERN, "examples": ["250ms", "5s", "2m", "1h"]})
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        match check(node, MIN) {
            Ok(span) => Some(Self(span)),
            Err(help) => {
                problems.push(wrong::<Self>(node, path).help_if(help));
                None
            }
        }
    }
}

/// A duration of at least `min` milliseconds, or what to write instead.
pub(crate) fn check(node: &Node, min: u64) -> Result<Millis, Option<String>> {
    match &node.data {
        Data::Text(text) => match parse(text) {
            Ok(span) if span.0 > DURATION_MAX_MS => {
                Err(Some("the longest duration is a year, \"8760h\"".to_owned()))
            }
            Ok(span) if span.0 < min => {
                Err(Some(format!("the shortest allowed here is \"{min}ms\"")))
            }
            other => other,
        },
        Data::Integer(number) if *number >= 0 => Err(Some(format!(
            "a unit is needed: \"{number}s\" is seconds, \"{number}ms\" milliseconds"
        ))),
        _ => Err(None),
    }
}

/// Parses `5s`, `250ms`, `2m` or `1h`, for whoever reads durations elsewhere, as on a command line.
///
/// # Errors
/// What is wanted, and what to write instead where that can be guessed.
pub fn parse_duration(text: &str) -> Result<Millis, String> {
    parse(text).map_err(|guess| {
        let wanted = Duration::<0>::wanted();
        guess.map_or_else(
            || format!("{wanted} is wanted"),
            |guess| format!("{wanted} is wanted: {guess}"),
        )
    })
}

/// Parses `"5s"`; the error is what to write instead, where that can be guessed.
pub(crate) fn parse(text: &str) -> Result<Millis, Option<String>> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, factor)| *factor);
    match (number.parse::<u64>(), factor) {
        (Ok(number), Some(factor)) => Ok(Millis(number.saturating_mul(factor))),
        _ => Err(guess(text)),
    }
}

/// `"5 sec"` and `"1.5s"` to what they mean.
fn guess(text: &str) -> Option<String> {
    let text = text.trim();
    let split = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let word = unit.trim().to_lowercase();
    let unit = match word.as_str() {
        "ms" | "msec" | "millis" | "millisecond" | "milliseconds" => "ms",
        "" => {
            return whole(number)
                .map(|n| format!("a unit is needed: \"{n}s\" is seconds, \"{n}ms\" milliseconds"));
        }
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hour" | "hours" => "h",
        "d" | "day" | "days" => {
            return whole(number).map(|n| format!("write \"{}h\"", n.saturating_mul(24)));
        }
        _ => return None,
    };
    if let Some(number) = whole(number) {
        return Some(format!("write \"{number}{unit}\""));
    }
    let factor = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, factor)| *factor)?;
    thousandths(number, factor).map(|millis| format!("write \"{millis}ms\""))
}

fn whole(number: &str) -> Option<u64> {
    number.parse().ok()
}

/// `1.5` units of `factor` milliseconds in milliseconds, by digits: no rounding.
fn thousandths(number: &str, factor: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.')?;
    if part.is_empty() || part.len() > 3 {
        return None;
    }
    let scale = 10_u64.pow(u32::try_from(part.len()).ok()?);
    let units = whole
        .parse::<u64>()
        .ok()?
        .checked_mul(scale)?
        .checked_add(part.parse().ok()?)?;
    Some(units.checked_mul(factor)? / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_is_a_duration() {
        for (text, millis) in [
            ("0ms", 0),
            ("250ms", 250),
            ("5s", 5000),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(parse(text), Ok(Millis(millis)), "{text}");
        }
    }

    #[test]
    fn near_misses_say_what_to_write() {
        for (text, help) in [
            ("5 s", "write \"5s\""),
            ("5sec", "write \"5s\""),
            ("1.5s", "write \"1500ms\""),
            ("2 minutes", "write \"2m\""),
            ("1d", "write \"24h\""),
            (
                "5",
                "a unit is needed: \"5s\" is seconds, \"5ms\" milliseconds",
            ),
        ] {
            assert_eq!(parse(text), Err(Some(help.to_owned())), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_durations() {
        for text in [
            "",
            "s",
            "-5s",
            "five",
            "5s5s",
            "5\u{3bc}s",
            "99999999999999999999s",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
