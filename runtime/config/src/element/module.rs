//! The name of a Python module.

use serde_json::{Value, json};

use crate::document::{Data, Node};
use crate::element::entry::is_dotted;
use crate::key::{Element, wrong};
use crate::problem::Problems;

/// `a.b`.
#[derive(Clone, Debug)]
pub(crate) struct ModuleName(pub(crate) String);

impl Element for ModuleName {
    fn wanted() -> String {
        "a module name".to_owned()
    }

    fn schema() -> Value {
        json!({"type": "string", "pattern": "^[^\\s:./]+(\\.[^\\s:./]+)*$"})
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        match &node.data {
            Data::Text(name) if is_dotted(name) => Some(Self(name.clone())),
            _ => {
                problems.push(wrong::<Self>(node, path));
                None
            }
        }
    }
}
