//! The JSON Schema of the file, made from its keys, for editors. What one key alone cannot say is
//! added here, as far as a schema can say it.

use serde_json::{Map, Value, json};

use crate::document;
use crate::element::JsonTable;
use crate::key::{Element, KeyDoc};
use crate::problem::Problems;
use crate::raw::RawTree;

/// The JSON Schema of supervision.toml.
#[must_use]
pub fn schema() -> Value {
    let mut schema = RawTree::schema();
    if let Value::Object(map) = &mut schema {
        map.insert(
            "$schema".to_owned(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        map.insert("title".to_owned(), json!("Synapse supervision.toml"));
        map.insert("required".to_owned(), json!(["supervisor"]));
    }
    insert(
        &mut schema,
        "/properties/supervisor",
        "required",
        json!(["root"]),
    );
    let supervisor = "/properties/supervisor/additionalProperties";
    insert(&mut schema, supervisor, "required", json!(["children"]));
    let program = json!([{"required": ["entry"]}, {"required": ["model", "instructions"]}]);
    insert(
        &mut schema,
        "/properties/agent/additionalProperties",
        "anyOf",
        program,
    );
    schema
}

/// The schema of one table of ours.
pub(crate) fn table(about: &str, keys: &[KeyDoc]) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| (key.name.to_owned(), property(key)))
        .collect();
    json!({
        "type": "object",
        "description": about.trim(),
        "properties": properties,
        "additionalProperties": false,
    })
}

fn property(key: &KeyDoc) -> Value {
    let mut schema = (key.schema)();
    if let Value::Object(map) = &mut schema {
        map.insert(
            "description".to_owned(),
            Value::String(key.doc.trim().to_owned()),
        );
        if let Some(default) = literal(key.default) {
            map.insert("default".to_owned(), default);
        }
        if let Some(example) = literal(key.example) {
            map.insert("examples".to_owned(), json!([example]));
        }
    }
    schema
}

/// A value written as TOML; the words that stand for other defaults are none.
fn literal(toml: &str) -> Option<Value> {
    let mut problems = Problems::default();
    let root = document::parse(&format!("value = {toml}")).ok()?;
    JsonTable::read(&root, "", &mut problems)?.0.remove("value")
}

/// Adds what no single key can say.
fn insert(schema: &mut Value, pointer: &str, keyword: &str, value: Value) {
    if let Some(Value::Object(map)) = schema.pointer_mut(pointer) {
        map.insert(keyword.to_owned(), value);
    }
}
