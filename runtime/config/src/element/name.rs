//! Names, and tables of tables by name.

use serde_json::{Value, json};
use synapse_core::name::{NAME_BYTES_MAX, Name};

use crate::document::{Data, Node, quoted};
use crate::key::{Element, Spanned, entries, join, wrong};
use crate::problem::{Problem, Problems};

/// The regular expression of [`Name`], for editors.
const PATTERN: &str = "^[a-z][a-z0-9_-]{0,62}$";

impl Element for Name {
    fn wanted() -> String {
        "a name".to_owned()
    }

    fn schema() -> Value {
        json!({"type": "string", "pattern": PATTERN})
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        let Data::Text(text) = &node.data else {
            problems.push(wrong::<Self>(node, path));
            return None;
        };
        check(text, path)
            .map_err(|problem| problems.push(problem.at(node.span.clone(), "")))
            .ok()
    }
}

/// A name, or what is wrong with it and what it could be.
fn check(text: &str, path: &str) -> Result<Name, Problem> {
    Name::new(text).ok().ok_or_else(|| {
        let message = format!("{} is not a name", quoted(text));
        Problem::error(path, message)
            .help_if(repaired(text).map(|name| format!("did you mean `{name}`?")))
            .help("a name is 1 to 63 of a-z, 0-9, - and _, and begins with a letter")
    })
}

/// The name that was likely meant: `My Agent` is `my-agent`.
fn repaired(text: &str) -> Option<Name> {
    let text: String = text
        .trim()
        .to_lowercase()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .take(NAME_BYTES_MAX)
        .collect();
    Name::new(text.trim_matches(|c: char| !c.is_ascii_alphanumeric())).ok()
}

/// `[agent.NAME]` tables in the file's order.
#[derive(Clone, Debug)]
pub(crate) struct Named<T> {
    pub(crate) tables: Vec<(Spanned<Name>, T)>,
    /// What stands in the place of a name and is none; it was reported.
    pub(crate) rejected: Vec<String>,
}

// By hand: the derived one would ask for `T: Default`.
impl<T> Default for Named<T> {
    fn default() -> Self {
        Self {
            tables: Vec::new(),
            rejected: Vec::new(),
        }
    }
}

impl<T: Element> Element for Named<T> {
    fn wanted() -> String {
        "a table for each name".to_owned()
    }

    fn schema() -> Value {
        json!({
            "type": "object",
            "propertyNames": {"pattern": PATTERN},
            "additionalProperties": T::schema(),
        })
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        let mut named = Self::default();
        for (key, content) in entries::<Self>(node, path, problems)? {
            let full = join(path, &key.name);
            let name = check(&key.name, &full);
            // Read in any case: the mistakes inside count too.
            let table = T::read(content, &full, problems);
            match name {
                Ok(value) => {
                    let name = Spanned {
                        value,
                        span: key.span.clone(),
                        key: key.span.clone(),
                    };
                    named.tables.extend(table.map(|table| (name, table)));
                }
                Err(problem) => {
                    problems.push(problem.at(key.span.clone(), ""));
                    named.rejected.push(key.name.clone());
                }
            }
        }
        Some(named)
    }
}
