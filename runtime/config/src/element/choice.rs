//! Values that are one of a few words.

use crate::document::{Data, Node};
use crate::key::{Element, wrong};
use crate::nearest::did_you_mean_value;
use crate::problem::Problems;

/// Finds the word, or reports what was meant.
pub(crate) fn read<T: Element + Copy>(
    node: &Node,
    path: &str,
    words: &[(&str, T)],
    problems: &mut Problems,
) -> Option<T> {
    let written = match &node.data {
        Data::Text(word) => word.as_str(),
        _ => "",
    };
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == written) {
        return Some(*value);
    }
    let help = did_you_mean_value(written, words.iter().map(|(word, _)| *word));
    problems.push(wrong::<T>(node, path).help_if(help));
    None
}

/// Makes an enum an [`Element`] by its words.
macro_rules! choice {
    ($type:ty { $($word:literal => $value:expr),+ $(,)? }) => {
        impl $crate::key::Element for $type {
            fn wanted() -> String {
                $crate::nearest::alternatives(&[$($word),+]).replace('`', "\"")
            }

            fn schema() -> serde_json::Value {
                serde_json::json!({"type": "string", "enum": [$($word),+]})
            }

            fn read(
                node: &$crate::document::Node,
                path: &str,
                problems: &mut $crate::problem::Problems,
            ) -> Option<Self> {
                let words = [$(($word, $value)),+];
                $crate::element::choice::read(node, path, &words, problems)
            }
        }
    };
}

pub(crate) use choice;
