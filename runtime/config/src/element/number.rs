//! Numbers with their limits.

use serde_json::{Value, json};

use crate::document::{Data, Node};
use crate::key::{Element, wrong};
use crate::problem::{Problem, Problems};

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole<const MIN: u64, const MAX: u64>(pub(crate) u64);

impl<const MIN: u64, const MAX: u64> Element for Whole<MIN, MAX> {
    fn wanted() -> String {
        if MAX >= i64::MAX.unsigned_abs() {
            format!("a whole number, {MIN} or more")
        } else {
            format!("a whole number from {MIN} to {MAX}")
        }
    }

    fn schema() -> Value {
        if MAX >= i64::MAX.unsigned_abs() {
            json!({"type": "integer", "minimum": MIN})
        } else {
            json!({"type": "integer", "minimum": MIN, "maximum": MAX})
        }
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        if let Data::Integer(number) = node.data {
            let allowed = u64::try_from(number)
                .ok()
                .filter(|n| (MIN..=MAX).contains(n));
            if allowed.is_none() {
                problems.push(wrong::<Self>(node, path));
            }
            return allowed.map(Self);
        }
        problems.push(unquote(wrong::<Self>(node, path), node));
        None
    }
}

/// Growth of a delay: at least 1, so that delays never shrink.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Factor(pub(crate) f64);

/// The largest growth that is of any use: one step from a millisecond to the longest delay.
const FACTOR_MAX: f64 = 1000.0;

impl Element for Factor {
    fn wanted() -> String {
        format!("a number from 1.0 to {FACTOR_MAX:?}")
    }

    fn schema() -> Value {
        json!({"type": "number", "minimum": 1.0, "maximum": FACTOR_MAX})
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        number::<Self>(node, path, 1.0..=FACTOR_MAX, problems).map(Self)
    }
}

/// A part of a whole, 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share(pub(crate) f64);

impl Element for Share {
    fn wanted() -> String {
        "a number from 0.0 to 1.0".to_owned()
    }

    fn schema() -> Value {
        json!({"type": "number", "minimum": 0.0, "maximum": 1.0})
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        number::<Self>(node, path, 0.0..=1.0, problems).map(Self)
    }
}

fn number<T: Element>(
    node: &Node,
    path: &str,
    range: std::ops::RangeInclusive<f64>,
    problems: &mut Problems,
) -> Option<f64> {
    let found = match node.data {
        Data::Float(number) => Some(number),
        // Every number in these ranges is exact; a larger one is out of range either way.
        Data::Integer(number) => i32::try_from(number).ok().map(f64::from),
        _ => None,
    };
    let allowed = found.filter(|number| range.contains(number));
    if allowed.is_none() {
        problems.push(unquote(wrong::<T>(node, path), node));
    }
    allowed
}

fn unquote(problem: Problem, node: &Node) -> Problem {
    let number = matches!(&node.data, Data::Text(text) if text.trim().parse::<f64>().is_ok());
    problem.help_if(number.then_some("leave out the quotes"))
}
