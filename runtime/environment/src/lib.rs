//! The Python environment that agents run in: found, built, kept. It refuses to know agents,
//! configuration files and terminals.
//!
//! [`Environment::prepare`] answers with a [`Prepared`] environment, and builds one first where
//! none is kept. The Python package of the runtime (`synapse_agent`) and the lock of what it needs
//! are inside this crate.
#![warn(missing_docs)]

mod cache;
mod choice;
mod construction;
mod diagnosis;
mod digest;
mod environment;
mod error;
mod interpreter;
mod invocation;
mod own;
mod requirements;
mod sdk;
mod settings;
mod variables;

pub use environment::{Environment, Kind, Prepared};
pub use error::{EnvironmentError, Refused};
pub use interpreter::{Interpreter, PythonVersion};
pub use settings::{Install, Settings, Stage, Tool};
