//! TOML text to a tree of values with their places. The only file that touches the TOML parser; it
//! knows no key of ours.

use std::ops::Range;

use toml_edit::{Array, Document, Item, TableLike, TomlError, Value};

/// A byte range of the file.
pub(crate) type Span = Range<usize>;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) data: Data,
}

/// TOML's data model; a table keeps the file's order.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Date(String),
    Array(Vec<Node>),
    Table(Vec<(Key, Node)>),
}

/// A table's key and its place.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) span: Span,
}

impl Node {
    /// What this is, for "found ...".
    pub(crate) fn what(&self) -> String {
        match &self.data {
            Data::Text(text) => quoted(text),
            Data::Integer(number) => number.to_string(),
            Data::Float(number) => format!("{number:?}"),
            Data::Boolean(value) => format!("`{value}`"),
            Data::Date(date) => format!("the date {date}"),
            Data::Array(items) if items.is_empty() => "an empty list".to_owned(),
            Data::Array(_) => "a list".to_owned(),
            Data::Table(_) => "a table".to_owned(),
        }
    }
}

/// Characters of a foreign text that a message repeats; more would hide the message.
const QUOTE_CHARS_MAX: usize = 60;

/// A foreign text in double quotes: escaped, and cut where it is long.
pub(crate) fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(QUOTE_CHARS_MAX).collect();
    if cut.len() < text.len() {
        format!("{:?}", format!("{cut}…"))
    } else {
        format!("{text:?}")
    }
}

/// The character boundary at `at`, or the last one before it.
pub(crate) fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

/// Parses `text`.
pub(crate) fn parse(text: &str) -> Result<Node, TomlError> {
    Document::parse(text).map(|document| table(document.as_table(), &(0..text.len())))
}

fn item(item: &Item, key: &Span) -> Option<Node> {
    Some(match item {
        Item::None => return None,
        Item::Value(found) => value(found, key),
        Item::Table(found) => table(found, &found.span().unwrap_or_else(|| key.clone())),
        Item::ArrayOfTables(tables) => Node {
            span: tables.span().unwrap_or_else(|| key.clone()),
            data: Data::Array(
                tables
                    .iter()
                    .map(|found| table(found, &found.span().unwrap_or_else(|| key.clone())))
                    .collect(),
            ),
        },
    })
}

fn value(value: &Value, key: &Span) -> Node {
    let span = value.span().unwrap_or_else(|| key.clone());
    let data = match value {
        Value::String(text) => Data::Text(text.value().clone()),
        Value::Integer(number) => Data::Integer(*number.value()),
        Value::Float(number) => Data::Float(*number.value()),
        Value::Boolean(flag) => Data::Boolean(*flag.value()),
        Value::Datetime(date) => Data::Date(date.value().to_string()),
        Value::Array(items) => Data::Array(array(items, &span)),
        Value::InlineTable(found) => return table(found, &span),
    };
    Node { span, data }
}

fn array(items: &Array, span: &Span) -> Vec<Node> {
    items.iter().map(|found| value(found, span)).collect()
}

fn table(found: &dyn TableLike, span: &Span) -> Node {
    let entries = found
        .iter()
        .filter_map(|(name, content)| {
            let place = found
                .key(name)
                .and_then(toml_edit::Key::span)
                .unwrap_or(span.clone());
            let node = item(content, &place)?;
            Some((
                Key {
                    name: name.to_owned(),
                    span: place,
                },
                node,
            ))
        })
        .collect();
    Node {
        span: span.clone(),
        data: Data::Table(entries),
    }
}
