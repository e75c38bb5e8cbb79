//! The REPL: an api client like any other, and the text rendering that the command line shares.
//! Forbids knowing the node.
//!
//! In the order of reading: `verb` and `grammar` say what a line means; `machine` decides what is
//! done about it, purely; `render` and `screen` make text; `input`, `tasks` and `shell` are the
//! parts that touch the world.

#![warn(missing_docs)]

mod completion;
mod conversations;
mod end;
mod flow;
mod grammar;
mod input;
mod machine;
mod nearest;
pub mod render;
mod screen;
mod shell;
mod surroundings;
mod tasks;
mod terminal;
mod verb;

pub use end::{ConsoleEnd, ConsoleError, ConsoleOptions, Place};
pub use grammar::{Command, Letters, Misread, parse};
pub use nearest::{did_you_mean, nearest};
pub use shell::run;
pub use surroundings::{CELLS_UNLIMITED, Surroundings, terminal_cells};
pub use verb::{Operand, Switch, VERBS, Verb, VerbRow};
