//! `shutdown`: how a child is stopped, in OTP's words.

use serde_json::{Value, json};
use synapse_core::spec::Shutdown;

use crate::document::{Data, Node};
use crate::element::duration;
use crate::key::{Element, wrong};
use crate::nearest::did_you_mean_value;
use crate::problem::Problems;

const WORDS: [&str; 2] = ["brutal_kill", "infinity"];

impl Element for Shutdown {
    fn wanted() -> String {
        r#"a duration such as "5s", or "brutal_kill" or "infinity""#.to_owned()
    }

    fn schema() -> Value {
        json!({"anyOf": [
            {"type": "string", "pattern": duration::PATTERN},
            {"enum": WORDS},
        ]})
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        let word = match &node.data {
            Data::Text(word) => word.as_str(),
            _ => "",
        };
        match word {
            "brutal_kill" => return Some(Self::BrutalKill),
            "infinity" => return Some(Self::Infinity),
            _ => {}
        }
        match duration::check(node, 0) {
            Ok(span) => Some(Self::Timeout(span)),
            Err(help) => {
                let help = help.or_else(|| did_you_mean_value(word, WORDS));
                problems.push(wrong::<Self>(node, path).help_if(help));
                None
            }
        }
    }
}
