//! The REPL: an api client like any other, and the text rendering that the command line shares.
//! Forbids knowing the node.

#![warn(missing_docs)]

mod conversations;
mod end;
mod grammar;
mod machine;
mod nearest;
pub mod render;
mod surroundings;
mod verb;

pub use end::{ConsoleEnd, ConsoleError, ConsoleOptions, Place};
pub use grammar::{Command, Misread, parse};
pub use nearest::{did_you_mean, nearest};
pub use surroundings::{CELLS_DEFAULT, Surroundings, terminal_cells};
pub use verb::{Operand, Switch, VERBS, Verb, VerbRow};
