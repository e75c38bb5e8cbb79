//! supervision.toml to a valid tree, or every mistake at once, each with its place and its remedy.
//!
//! The only crate that knows TOML. Three types: `RawTree` is what the file says, with spans;
//! [`Configuration`] is valid by construction; the running actors are made from its parts by the
//! binary. It starts nothing, and reads nothing but the file and what the file names.
#![warn(missing_docs)]

mod agent;
mod backoff;
mod check;
mod configuration;
mod crash;
mod document;
mod element;
mod finding;
mod folder;
mod key;
mod limits;
mod load;
mod model;
mod module;
mod nearest;
mod output_schema;
mod problem;
mod python;
mod raw;
mod render;
mod schema;
mod secrecy;
mod settings;
mod supervisor;
mod surprise;
mod syntax;
mod tree;

pub use configuration::{
    AgentPython, Configuration, ControlGroups, LogFormat, LogLevel, LogSettings, PythonSettings,
    RuntimeSettings, SessionLimits,
};
pub use element::parse_duration;
pub use finding::{ConfigErrors, Finding, Findings, Related};
pub use limits::Machine;
pub use load::{FILE_BYTES_MAX, Loaded, load, load_for, parse};
pub use schema::schema;

#[cfg(test)]
mod tests;
