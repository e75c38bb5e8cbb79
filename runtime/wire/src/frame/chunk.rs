//! What one chunk carries. Refuses to know which events there are: readers ignore unknown types.

use rmp::Marker;

use super::Map;
use crate::field::{Field, Put};
use crate::limits::CHUNK_BYTES_MAX;
use crate::reader::Reader;
use crate::value;
use crate::violation::Flaw;
use crate::writer::{EncodeError, Writer};

/// A piece of text, or an event as a map with a `type`.
#[derive(Debug, Clone, PartialEq)]
pub enum ChunkData {
    /// The next piece of the output's text.
    Text(String),
    /// A tool call, a tool result, thinking, or what a later SDK sends.
    Event(Map),
}

impl Put for ChunkData {
    fn put(&self, out: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Self::Text(text) => out.string(text),
            Self::Event(event) => value::write_map(out, event),
        }
    }

    fn bytes_hint(&self) -> usize {
        match self {
            Self::Text(text) => text.bytes_hint(),
            Self::Event(event) => event.bytes_hint(),
        }
    }
}

impl Field for ChunkData {
    const TYPE: &'static str = "str or map";

    fn read(from: &mut Reader<'_>) -> Result<Self, Flaw> {
        if matches!(
            from.peek()?,
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32
        ) {
            return read_event(from);
        }
        let marker = from.marker()?;
        let length = from
            .string_length(marker)?
            .ok_or(Flaw::Expected("a string or a map"))?;
        if length > CHUNK_BYTES_MAX {
            return Err(Flaw::Chunk(length));
        }
        Ok(Self::Text(from.text(length)?.to_owned()))
    }
}

fn read_event(from: &mut Reader<'_>) -> Result<ChunkData, Flaw> {
    let before = from.left();
    let event = value::read_map(from)?;
    let bytes = before.saturating_sub(from.left());
    if bytes > CHUNK_BYTES_MAX {
        Err(Flaw::Chunk(bytes))
    } else {
        Ok(ChunkData::Event(event))
    }
}
