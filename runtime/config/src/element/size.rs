//! Sizes in bytes: a whole number and a binary unit, as in `"64MiB"`.

use serde_json::{Value, json};

use crate::document::{Data, Node};
use crate::key::{Element, wrong};
use crate::problem::Problems;

const UNITS: [(&str, u64); 4] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// The largest size, 1 TiB: more than any limit here can mean.
const SIZE_MAX: u64 = 1 << 40;

/// At least `MIN` bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size<const MIN: u64>(pub(crate) u64);

impl<const MIN: u64> Element for Size<MIN> {
    fn wanted() -> String {
        r#"a size such as "64KiB" or "16MiB""#.to_owned()
    }

    fn schema() -> Value {
        json!({"type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)$",
               "examples": ["64KiB", "16MiB"]})
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        let checked = match &node.data {
            Data::Text(text) => parse(text).and_then(|bytes| {
                if (MIN..=SIZE_MAX).contains(&bytes) {
                    Ok(bytes)
                } else {
                    Err(Some(format!("allowed are {} to 1024GiB", shown(MIN))))
                }
            }),
            Data::Integer(number) if *number >= 0 => Err(Some(format!(
                "a unit is needed: \"{number}B\" is bytes, \"{number}MiB\" mebibytes"
            ))),
            _ => Err(None),
        };
        checked
            .map(Self)
            .map_err(|help| problems.push(wrong::<Self>(node, path).help_if(help)))
            .ok()
    }
}

fn parse(text: &str) -> Result<u64, Option<String>> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number = number.parse::<u64>().ok().ok_or(None)?;
    match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => Ok(number.saturating_mul(*factor)),
        None => Err(guess(number, unit)),
    }
}

/// `"10 MB"` and `"10m"` to `"10MiB"`.
fn guess(number: u64, unit: &str) -> Option<String> {
    let first = unit.trim().chars().next().map(|c| c.to_ascii_uppercase());
    let unit = match first {
        None | Some('B') => "B",
        Some('K') => "KiB",
        Some('M') => "MiB",
        Some('G') => "GiB",
        Some(_) => return None,
    };
    Some(format!("write \"{number}{unit}\""))
}

fn shown(bytes: u64) -> String {
    UNITS
        .iter()
        .rev()
        .find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor))
        .map_or_else(
            || format!("{bytes}B"),
            |(unit, factor)| format!("{}{unit}", bytes / factor),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_is_a_size() {
        for (text, bytes) in [
            ("1B", 1),
            ("64KiB", 65_536),
            ("16MiB", 16 << 20),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn near_misses_say_what_to_write() {
        for (text, help) in [
            ("10MB", "10MiB"),
            ("10 MiB", "10MiB"),
            ("10m", "10MiB"),
            ("5", "5B"),
        ] {
            assert_eq!(
                parse(text),
                Err(Some(format!("write \"{help}\""))),
                "{text}"
            );
        }
        for text in ["", "MiB", "-1B", "10X"] {
            assert_eq!(parse(text), Err(None), "{text}");
        }
    }
}
