//! Serves the control API from a [`synapse_node::NodeHandle`]: routes, and the Unix socket.
//!
//! This crate refuses to know configuration and actors: all that it asks goes through the handle.
//! The routes know nothing of the socket, so that the same ones can be served elsewhere.
//! `docs/control-api.md` is normative.

#![warn(missing_docs)]

mod closing;
mod convert;
mod deadletters;
mod limits;
mod lock;
mod refusal;
mod request;
mod routes;
mod runs;
mod server;
mod socket;
mod sse;

pub use lock::{DataDirLock, LockError};
pub use server::{Gateway, serve};
pub use socket::ServeError;
