//! What every test stands on: a [`World`] with a node in it, commands that are watched, waits that
//! end. It refuses to know what is tested.

mod command;
mod processes;
mod wait;
mod world;

pub(crate) use command::{Outcome, Running};
pub(crate) use processes::{Process, children_of, is_alive, resident_kib, state_of, with_tag};
pub(crate) use wait::{DEADLINE, wait_for, wait_until};
pub(crate) use world::World;
