//! Tables of the user's own keys, taken over as JSON, and JSON Schemas in the file or beside it.

use serde_json::{Map, Number, Value, json};

use crate::document::{Data, Node};
use crate::key::{Element, entries, join, wrong};
use crate::problem::{Problem, Problems};

/// A table with any keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct JsonTable(pub(crate) Map<String, Value>);

impl Element for JsonTable {
    fn wanted() -> String {
        "a table".to_owned()
    }

    fn schema() -> Value {
        json!({"type": "object"})
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        let mut map = Map::new();
        for (key, content) in entries::<Self>(node, path, problems)? {
            if let Some(value) = convert(content, &join(path, &key.name), problems) {
                map.insert(key.name.clone(), value);
            }
        }
        Some(Self(map))
    }
}

/// A JSON Schema: written here, or the path of a file.
#[derive(Clone, Debug)]
pub(crate) enum SchemaSource {
    Inline(Map<String, Value>),
    File(String),
}

impl Element for SchemaSource {
    fn wanted() -> String {
        "a JSON Schema as a table, or the path of a .json file".to_owned()
    }

    fn schema() -> Value {
        json!({"anyOf": [
            {"type": "object", "properties": {"type": {"const": "object"}}, "required": ["type"]},
            {"type": "string", "pattern": "\\.json$"},
        ]})
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        match &node.data {
            Data::Text(file) if file.ends_with(".json") => Some(Self::File(file.clone())),
            Data::Table(_) => {
                JsonTable::read(node, path, problems).map(|table| Self::Inline(table.0))
            }
            _ => {
                problems.push(wrong::<Self>(node, path));
                None
            }
        }
    }
}

/// TOML to JSON; dates and the numbers that JSON lacks are reported.
fn convert(node: &Node, path: &str, problems: &mut Problems) -> Option<Value> {
    Some(match &node.data {
        Data::Text(text) => Value::String(text.clone()),
        Data::Integer(number) => Value::from(*number),
        Data::Boolean(flag) => Value::Bool(*flag),
        Data::Float(number) => match Number::from_f64(*number) {
            Some(number) => Value::Number(number),
            None => return refuse(node, path, problems),
        },
        Data::Date(_) => return refuse(node, path, problems),
        Data::Array(items) => Value::Array(
            items
                .iter()
                .enumerate()
                .filter_map(|(index, item)| convert(item, &format!("{path}[{index}]"), problems))
                .collect(),
        ),
        Data::Table(_) => Value::Object(JsonTable::read(node, path, problems)?.0),
    })
}

fn refuse(node: &Node, path: &str, problems: &mut Problems) -> Option<Value> {
    let message = format!("`{path}` is {}, which JSON does not have", node.what());
    let help = matches!(node.data, Data::Date(_)).then_some("put the date into double quotes");
    problems.push(
        Problem::error(path, message)
            .at(node.span.clone(), "")
            .help_if(help),
    );
    None
}
