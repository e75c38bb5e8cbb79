//! supervision.toml to a valid tree, or every mistake at once, each with its place and its remedy.
//!
//! The only crate that knows TOML. Three types: [`raw::RawTree`] is what the file says, with spans;
//! [`Configuration`] is valid by construction; the running actors are made from its parts by the
//! binary. It starts nothing, and reads nothing but the file and what the file names.
#![warn(missing_docs)]

mod configuration;
mod document;
mod finding;
mod load;
mod nearest;
mod problem;
mod render;

pub use configuration::{
    Configuration, LogFormat, LogLevel, LogSettings, PythonSettings, RuntimeSettings,
    SessionLimits, Spawn,
};
pub use finding::{ConfigErrors, Finding, Findings, Related};
pub use load::{FILE_BYTES_MAX, Loaded, load, parse, schema};
