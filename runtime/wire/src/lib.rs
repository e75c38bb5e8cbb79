//! The protocol, sans-I/O: bytes to frames to session state. Forbids processes, actors and tokio.
//!
//! The order of reading: [`limits`] (what bounds everything), [`violation`] (what a peer can do
//! wrong), [`frame`] (what is said), [`decoder`] (bytes cut anywhere become frames), [`credit`] (how
//! far a stream may run ahead), [`session`] (who may say what, when). `docs/protocol.md` is
//! normative and `tests/protocol_document.rs` holds it to this crate.

#![warn(missing_docs)]
#![cfg_attr(
    not(test),
    warn(clippy::indexing_slicing, clippy::wildcard_enum_match_arm)
)]

pub mod limits;
pub mod violation;

mod field;
mod reader;
mod value;
mod writer;

pub mod frame;

pub mod decoder;
pub mod head;

pub mod credit;
pub mod session;

pub use decoder::FrameDecoder;
pub use frame::{CallFrame, ChunkData, FromAgent, FromRuntime, Map, Wire};
pub use head::{FrameFront, FrameHead};
pub use session::{Event, Greeting, OpenRun, Refused, RunHasher, RuntimeSession};
pub use violation::{Flaw, Violation};
pub use writer::EncodeError;

/// The protocol versions this runtime speaks, lowest first.
pub const VERSIONS: &[u64] = &[1];
