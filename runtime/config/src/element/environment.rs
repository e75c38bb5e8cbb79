//! Environment variables: names, and values by name.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::document::{Data, Node, quoted};
use crate::key::{Element, entries, join, wrong};
use crate::problem::{Problem, Problems};

const PATTERN: &str = "^[A-Za-z_][A-Za-z0-9_]*$";

/// Variables that the runtime sets for every agent process.
const RESERVED: [&str; 3] = ["SYNAPSE_AGENT", "SYNAPSE_INCARNATION", "SYNAPSE_TAG"];

/// The name of a variable.
#[derive(Clone, Debug)]
pub(crate) struct VariableName(pub(crate) String);

impl Element for VariableName {
    fn wanted() -> String {
        "a variable name".to_owned()
    }

    fn schema() -> Value {
        json!({"type": "string", "pattern": PATTERN})
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        let Data::Text(name) = &node.data else {
            problems.push(wrong::<Self>(node, path));
            return None;
        };
        if let Some(problem) = bad_name(name, path) {
            problems.push(problem.at(node.span.clone(), ""));
            return None;
        }
        Some(Self(name.clone()))
    }
}

/// Variables with their values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables(pub(crate) BTreeMap<String, String>);

impl Element for Variables {
    fn wanted() -> String {
        "a table of variables".to_owned()
    }

    fn schema() -> Value {
        json!({
            "type": "object",
            "propertyNames": {"pattern": PATTERN, "not": {"enum": RESERVED}},
            "additionalProperties": {"type": "string"},
        })
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        let mut variables = BTreeMap::new();
        for (key, content) in entries::<Self>(node, path, problems)? {
            let full = join(path, &key.name);
            if let Some(problem) = bad_name(&key.name, &full).or_else(|| reserved(&key.name, &full))
            {
                problems.push(problem.at(key.span.clone(), ""));
            }
            if let Some(value) = value(content, &full, problems) {
                variables.insert(key.name.clone(), value);
            }
        }
        Some(Self(variables))
    }
}

fn bad_name(name: &str, path: &str) -> Option<Problem> {
    let mut characters = name.chars();
    let begins = characters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if begins && characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    let problem = Problem::error(
        path,
        format!("{} is not the name of a variable", quoted(name)),
    );
    let (first, rest) = name.split_once('=').unwrap_or((name, ""));
    let assigned = !rest.is_empty() && bad_name(first, path).is_none();
    Some(if assigned {
        problem.help(format!(
            "to set a variable: env = {{ {first} = {} }}",
            quoted(rest)
        ))
    } else {
        problem.help("a name is letters, digits and _, and does not begin with a digit")
    })
}

fn reserved(name: &str, path: &str) -> Option<Problem> {
    RESERVED.contains(&name).then(|| {
        Problem::error(path, format!("`{name}` is set by the runtime"))
            .help("leave it out, or choose another name")
    })
}

fn value(node: &Node, path: &str, problems: &mut Problems) -> Option<String> {
    let Data::Text(text) = &node.data else {
        let message = format!("`{path}` must be a string, found {}", node.what());
        problems.push(
            Problem::error(path, message)
                .at(node.span.clone(), "")
                .help("put the value into double quotes; variables are text"),
        );
        return None;
    };
    if text.contains('\0') {
        let message = format!("`{path}` has a NUL character, which no environment takes");
        problems.push(Problem::error(path, message).at(node.span.clone(), ""));
        return None;
    }
    Some(text.clone())
}
