//! What the protocol promises, held against vectors, arbitrary input, a counting allocator and its
//! own document.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use bytes::BufMut;
use synapse_wire::limits::READ_BYTES;
use synapse_wire::{FrameDecoder, Violation, Wire};

mod arbitrary;
mod conversation;
mod document;
mod exchange;
mod memory;
mod properties;
mod vectors;

#[path = "../../examples/vectors/cases.rs"]
mod cases;
#[path = "../../examples/vectors/pack.rs"]
mod pack;

/// Reads bytes as from a pipe, in pieces of the given lengths over and over, into the decoder's own
/// space; takes the frames as they come.
fn read<F: Wire>(
    decoder: &mut FrameDecoder<F>,
    bytes: &[u8],
    pieces: &[usize],
) -> Result<Vec<F>, Violation> {
    let mut frames = Vec::new();
    let (mut rest, mut pieces) = (bytes, pieces.iter().cycle());
    while !rest.is_empty() {
        let mut space = decoder.space();
        let piece = pieces.next().copied().unwrap_or(READ_BYTES);
        let (now, later) = rest.split_at(piece.min(space.remaining_mut()).min(rest.len()));
        space.put_slice(now);
        rest = later;
        while let Some(frame) = decoder.next_frame()? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;
