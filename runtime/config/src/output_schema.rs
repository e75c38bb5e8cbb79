//! `output_schema`: a JSON Schema of an object, from the file itself or from one beside it.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::element::SchemaSource;
use crate::folder::{Folder, Kind};
use crate::key::Spanned;
use crate::problem::{Problem, Problems};

/// Bytes of a schema file; a larger one would not fit into what a model is told.
const SCHEMA_BYTES_MAX: u64 = 256 * 1024;

/// The schema as JSON, or a report at `key`.
pub(crate) fn resolve(
    source: &Spanned<SchemaSource>,
    key: &str,
    folder: &Folder,
    problems: &mut Problems,
) -> Option<Value> {
    let schema = match &source.value {
        SchemaSource::Inline(map) => Value::Object(map.clone()),
        SchemaSource::File(file) => from_file(source, file, key, folder, problems)?,
    };
    if let Some(why) = fault(&schema) {
        problems.push(
            Problem::error(
                key,
                format!("`{key}` must be the schema of an object: {why}"),
            )
            .at(source.span.clone(), "")
            .help(
                "for example { type = \"object\", properties = { title = { type = \"string\" } } }",
            ),
        );
        return None;
    }
    Some(schema)
}

fn from_file(
    source: &Spanned<SchemaSource>,
    file: &str,
    key: &str,
    folder: &Folder,
    problems: &mut Problems,
) -> Option<Value> {
    let written = Spanned {
        value: file.to_owned(),
        span: source.span.clone(),
        key: source.key.clone(),
    };
    let path = folder.existing(&written, key, Kind::File, problems)?;
    let report = |why: String| {
        let message = format!("`{key}`: {file} {why}");
        problems.push(Problem::error(key, message).at(source.span.clone(), ""));
    };
    read(&path).map_err(report).ok()
}

/// Why a schema does not describe an object; models are asked for one, field by field.
fn fault(schema: &Value) -> Option<String> {
    match schema.get("type") {
        None => return Some("its \"type\" is missing".to_owned()),
        Some(Value::String(kind)) if kind == "object" => {}
        Some(other) => return Some(format!("its \"type\" is {other}")),
    }
    match schema.get("properties") {
        None | Some(Value::Object(_)) => None,
        Some(_) => Some("its \"properties\" are no table".to_owned()),
    }
}

fn read(path: &Path) -> Result<Value, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(SCHEMA_BYTES_MAX.saturating_add(1))
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > SCHEMA_BYTES_MAX {
        return Err("is larger than 256 KiB".to_owned());
    }
    serde_json::from_str(&text).map_err(|error| format!("is not JSON: {error}"))
}
