//! Strings and switches.

use serde_json::{Value, json};

use crate::document::{Data, Node};
use crate::key::{Element, wrong};
use crate::problem::{Problem, Problems};

impl Element for String {
    fn wanted() -> String {
        "a string".to_owned()
    }

    fn schema() -> Value {
        json!({"type": "string", "minLength": 1})
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        let Data::Text(text) = &node.data else {
            problems.push(wrong::<Self>(node, path).help("put it into double quotes"));
            return None;
        };
        if text.trim().is_empty() {
            let message = format!("`{path}` is empty");
            problems.push(
                Problem::error(path, message)
                    .at(node.span.clone(), "")
                    .help("write a text, or leave the key out"),
            );
            return None;
        }
        if text.contains('\0') {
            let message = format!("`{path}` has a NUL character, which no program takes");
            problems.push(Problem::error(path, message).at(node.span.clone(), ""));
            return None;
        }
        Some(text.clone())
    }
}

impl Element for bool {
    fn wanted() -> String {
        "`true` or `false`".to_owned()
    }

    fn schema() -> Value {
        json!({"type": "boolean"})
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        if let Data::Boolean(flag) = node.data {
            return Some(flag);
        }
        let unquoted = matches!(&node.data, Data::Text(text) if text == "true" || text == "false");
        problems
            .push(wrong::<Self>(node, path).help_if(unquoted.then_some("leave out the quotes")));
        None
    }
}
