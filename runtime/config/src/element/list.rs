//! Lists of one kind of value.

use serde_json::{Value, json};

use crate::document::{Data, Node};
use crate::key::{Element, Spanned, wrong};
use crate::problem::Problems;

/// A list; items that are wrong are reported and left out.
#[derive(Clone, Debug)]
pub(crate) struct List<T>(pub(crate) Vec<Spanned<T>>);

// By hand: the derived one would ask for `T: Default`.
impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Element> Element for List<T> {
    fn wanted() -> String {
        let item = T::wanted();
        format!(
            "a list of {}s",
            item.trim_start_matches("a ").trim_start_matches("an ")
        )
    }

    fn schema() -> Value {
        json!({"type": "array", "items": T::schema()})
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        let Data::Array(items) = &node.data else {
            let single = matches!(node.data, Data::Text(_)).then_some("put it into [ ]");
            problems.push(wrong::<Self>(node, path).help_if(single));
            return None;
        };
        let read = items.iter().enumerate().filter_map(|(index, item)| {
            let value = T::read(item, &format!("{path}[{index}]"), problems)?;
            Some(Spanned {
                value,
                span: item.span.clone(),
                key: item.span.clone(),
            })
        });
        Some(Self(read.collect()))
    }
}
