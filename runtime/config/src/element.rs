//! The kinds of values: each file has a type, its reader, its words, its tests. They know no key.

pub(crate) mod choice;
pub(crate) mod duration;
pub(crate) mod entry;
pub(crate) mod environment;
pub(crate) mod json;
pub(crate) mod list;
pub(crate) mod module;
pub(crate) mod name;
pub(crate) mod number;
pub(crate) mod shutdown;
pub(crate) mod size;
pub(crate) mod text;

pub(crate) use choice::choice;
pub(crate) use duration::Duration;
pub use duration::parse_duration;
pub(crate) use environment::{VariableName, Variables};
pub(crate) use json::{JsonTable, SchemaSource};
pub(crate) use list::List;
pub(crate) use module::ModuleName;
pub(crate) use name::Named;
pub(crate) use number::{Factor, Share, Whole};
pub(crate) use size::Size;
