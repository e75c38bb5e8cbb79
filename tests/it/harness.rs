//! What every test stands on: a [`World`] with a node in it, commands that are watched, waits that
//! end. It refuses to know what is tested.

mod command;
mod processes;
mod screen;
mod wait;
mod world;

pub(crate) use command::{Outcome, Running, bury, command, reap, send};
pub(crate) use processes::{children_of, command_of, is_alive, resident_kib, state_of, with_tag};
pub(crate) use screen::Screen;
pub(crate) use wait::{holds, wait_for, wait_within};
pub(crate) use world::{AGENTS, World};
