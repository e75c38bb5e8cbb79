//! Keys: one table of them drives the parser, the JSON Schema and the documentation.

use serde_json::Value;

use crate::document::{Data, Key, Node, Span};
use crate::nearest::did_you_mean;
use crate::problem::{Problem, Problems};
use crate::raw::{RawAgent, RawPython, RawRuntime, RawSupervisor};

/// A kind of value: how it is read, and how it is described.
pub(crate) trait Element: Sized {
    /// Completes "must be ...".
    fn wanted() -> String;

    /// The JSON Schema of the value.
    fn schema() -> Value;

    /// The keys, where the value is a table of ours.
    fn keys() -> Option<&'static [KeyDoc]> {
        None
    }

    /// Reads the value at `path`; what is wrong goes to `problems`.
    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self>;
}

/// What is known of a key without reading a file.
#[derive(Debug)]
pub(crate) struct KeyDoc {
    pub(crate) name: &'static str,
    /// Sentences for people.
    pub(crate) doc: &'static str,
    /// The default as TOML, or in words where there is none.
    pub(crate) default: &'static str,
    /// A value as TOML; empty for tables that have their own keys.
    pub(crate) example: &'static str,
    #[cfg(test)]
    pub(crate) wanted: fn() -> String,
    pub(crate) schema: fn() -> Value,
    pub(crate) keys: fn() -> Option<&'static [KeyDoc]>,
}

/// A value that was read, with the places of itself and its key.
#[derive(Clone, Debug)]
pub(crate) struct Spanned<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
    pub(crate) key: Span,
}

/// A key of a table: not there, there but wrong (and reported), or there.
#[derive(Clone, Debug, Default)]
pub(crate) enum Field<T> {
    #[default]
    Absent,
    Invalid,
    Given(Spanned<T>),
}

impl<T> Field<T> {
    pub(crate) fn read(key: &Key, node: &Node, path: &str, problems: &mut Problems) -> Self
    where
        T: Element,
    {
        match T::read(node, &join(path, &key.name), problems) {
            Some(value) => Self::Given(Spanned {
                value,
                span: node.span.clone(),
                key: key.span.clone(),
            }),
            None => Self::Invalid,
        }
    }

    pub(crate) fn given(&self) -> Option<&Spanned<T>> {
        match self {
            Self::Given(given) => Some(given),
            Self::Absent | Self::Invalid => None,
        }
    }

    pub(crate) fn value(&self) -> Option<&T> {
        self.given().map(|given| &given.value)
    }

    pub(crate) fn or(&self, default: T) -> T
    where
        T: Clone,
    {
        self.value().cloned().unwrap_or(default)
    }

    /// Not even written wrongly.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// `agent.assistant` and `mode` to `agent.assistant.mode`; keys that TOML quotes stay quoted.
pub(crate) fn join(path: &str, key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let key = if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        crate::document::quoted(key)
    };
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}

/// "`path` must be ..., found ...".
pub(crate) fn wrong<T: Element>(node: &Node, path: &str) -> Problem {
    let message = format!("`{path}` must be {}, found {}", T::wanted(), node.what());
    Problem::error(path, message).at(node.span.clone(), "")
}

/// The entries of a table, or a report that it is none.
pub(crate) fn entries<'a, T: Element>(
    node: &'a Node,
    path: &str,
    problems: &mut Problems,
) -> Option<&'a [(Key, Node)]> {
    match &node.data {
        Data::Table(entries) => Some(entries),
        Data::Array(items)
            if matches!(
                items.first(),
                Some(Node {
                    data: Data::Table(_),
                    ..
                })
            ) =>
        {
            let header = format!("write [{path}.NAME] instead of [[{path}]]");
            problems.push(wrong::<T>(node, path).help(header));
            None
        }
        _ => {
            let names = |keys: &[KeyDoc]| keys.iter().map(|key| key.name).collect::<Vec<_>>();
            let help = T::keys().map(|keys| format!("its keys are {}", names(keys).join(", ")));
            problems.push(wrong::<T>(node, path).help_if(help));
            None
        }
    }
}

/// Keys of the design that later versions have: better to say so than to deny them.
const LATER: &[(&str, &str, &str)] = &[
    ("tools", "tools are", "give the agent its tools in Python"),
    ("tool", "tools are", "give the agent its tools in Python"),
    (
        "template",
        "templates are",
        "declare each agent by its own [agent.NAME]",
    ),
    (
        "on_exhausted",
        "parking a child is",
        "a supervisor that gives up tells its own supervisor",
    ),
];

/// Reports a key that the table does not have.
pub(crate) fn unknown(key: &Key, path: &str, keys: &[KeyDoc], problems: &mut Problems) {
    let full = join(path, &key.name);
    if let Some((_, what, help)) = LATER.iter().find(|(name, ..)| *name == key.name) {
        let message = format!("`{full}`: {what} not available in this version of Synapse");
        problems.push(
            Problem::error(full, message)
                .at(key.span.clone(), "")
                .help(*help),
        );
        return;
    }
    let names: Vec<&str> = keys.iter().map(|known| known.name).collect();
    let help = within(&key.name, keys)
        .or_else(|| did_you_mean(&key.name, names.iter().copied()))
        .or_else(|| elsewhere(&key.name))
        .unwrap_or_else(|| match path {
            "" => format!("the tables of the file are {}", names.join(", ")),
            _ => format!("the keys of [{path}] are {}", names.join(", ")),
        });
    let place = match path {
        "" => "at the top of the file".to_owned(),
        _ => format!("in [{path}]"),
    };
    let message = format!("unknown key `{}` {place}", join("", &key.name));
    problems.push(
        Problem::error(full, message)
            .at(key.span.clone(), "")
            .help(help),
    );
}

/// `when_full` in an agent belongs into its `mailbox`.
fn within(name: &str, keys: &[KeyDoc]) -> Option<String> {
    let holds =
        |key: &&KeyDoc| (key.keys)().is_some_and(|keys| keys.iter().any(|k| k.name == name));
    let table = keys.iter().find(holds)?.name;
    Some(format!(
        "it belongs in `{table}`: {table} = {{ {name} = ... }}"
    ))
}

/// Where a key of another table belongs.
fn elsewhere(name: &str) -> Option<String> {
    let tables: [(&str, Option<&[KeyDoc]>); 4] = [
        ("[agent.NAME]", RawAgent::keys()),
        ("[supervisor.NAME]", RawSupervisor::keys()),
        ("[runtime]", RawRuntime::keys()),
        ("[python]", RawPython::keys()),
    ];
    tables
        .iter()
        .find(|(_, keys)| keys.is_some_and(|keys| keys.iter().any(|key| key.name == name)))
        .map(|(table, _)| format!("it is a key of {table}"))
}

/// A table of the file: the struct, its reader, its schema and its documentation in one.
macro_rules! table {
    (
        $(#[doc = $about:literal])+
        $table:ident, $wanted:literal {
            $( $(#[doc = $doc:literal])+ $key:ident: $element:ty, $default:literal, $example:literal; )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, Default)]
        pub(crate) struct $table {
            $( $(#[doc = $doc])+ pub(crate) $key: $crate::key::Field<$element>, )+
        }

        impl $table {
            const KEYS: &'static [$crate::key::KeyDoc] = &[$(
                $crate::key::KeyDoc {
                    name: stringify!($key),
                    doc: concat!($($doc,)+),
                    default: $default,
                    example: $example,
                    #[cfg(test)]
                    wanted: <$element as $crate::key::Element>::wanted,
                    schema: <$element as $crate::key::Element>::schema,
                    keys: <$element as $crate::key::Element>::keys,
                },
            )+];
        }

        impl $crate::key::Element for $table {
            fn wanted() -> String {
                $wanted.to_owned()
            }

            fn schema() -> serde_json::Value {
                $crate::schema::table(concat!($($about,)+), Self::KEYS)
            }

            fn keys() -> Option<&'static [$crate::key::KeyDoc]> {
                Some(Self::KEYS)
            }

            fn read(
                node: &$crate::document::Node,
                path: &str,
                problems: &mut $crate::problem::Problems,
            ) -> Option<Self> {
                let mut table = Self::default();
                for (key, value) in $crate::key::entries::<Self>(node, path, problems)? {
                    $( if key.name == stringify!($key) {
                        table.$key = $crate::key::Field::read(key, value, path, problems);
                        continue;
                    } )+
                    $crate::key::unknown(key, path, Self::KEYS, problems);
                }
                Some(table)
            }
        }
    };
}

pub(crate) use table;
