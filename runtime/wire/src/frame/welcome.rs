//! The maps inside `welcome` whose keys the protocol itself defines. Refuses to know the
//! configuration's keys: those are the node's and the SDK's.

use super::Map;
use crate::field::{Field, Put};
use crate::limits;
use crate::reader::Reader;
use crate::value;
use crate::violation::Flaw;
use crate::writer::{EncodeError, Writer};

/// A tool that the runtime offers to the agent's model. Keys are written in alphabetical order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// What the model is told of it.
    pub description: String,
    /// The name that the model calls.
    pub name: String,
    /// The JSON Schema of its arguments.
    pub parameters: Map,
}

/// What an SDK must keep to. Keys are written in alphabetical order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `CHUNK_BYTES_MAX`.
    pub chunk_bytes: u64,
    /// `STREAM_CREDIT_INITIAL`.
    pub credit: u64,
    /// `FRAME_BYTES_MAX`.
    pub frame_bytes: u64,
    /// Log lines per second; the SDK drops and counts the rest.
    pub log_lines_per_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            chunk_bytes: limits::CHUNK_BYTES_MAX as u64,
            credit: limits::STREAM_CREDIT_INITIAL.into(),
            frame_bytes: limits::FRAME_BYTES_MAX as u64,
            log_lines_per_s: limits::LOG_LINES_PER_S.into(),
        }
    }
}

impl Put for Tool {
    fn put(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.map(3)?;
        out.string("description")?;
        out.string(&self.description)?;
        out.string("name")?;
        out.string(&self.name)?;
        out.string("parameters")?;
        value::write_map(out, &self.parameters)
    }
}

impl Field for Tool {
    const TYPE: &'static str = "map";
    const LIST: &'static str = "[map]";

    fn read(from: &mut Reader<'_>) -> Result<Self, Flaw> {
        let (mut description, mut name, mut parameters) = (None, None, None);
        for _ in 0..entries(from)? {
            match from.string()? {
                "description" => description = Some(String::read(from)?),
                "name" => name = Some(String::read(from)?),
                "parameters" => parameters = Some(Map::read(from)?),
                _ => from.skip()?,
            }
        }
        Ok(Self {
            description: description.ok_or(Flaw::Missing)?,
            name: name.ok_or(Flaw::Missing)?,
            parameters: parameters.ok_or(Flaw::Missing)?,
        })
    }
}

impl Put for Limits {
    fn put(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.map(4)?;
        for (key, value) in [
            ("chunk_bytes", self.chunk_bytes),
            ("credit", self.credit),
            ("frame_bytes", self.frame_bytes),
            ("log_lines_per_s", self.log_lines_per_s),
        ] {
            out.string(key)?;
            out.unsigned(value);
        }
        Ok(())
    }
}

impl Field for Limits {
    const TYPE: &'static str = "map";

    fn read(from: &mut Reader<'_>) -> Result<Self, Flaw> {
        let (mut chunk, mut credit, mut frame, mut log_lines) = (None, None, None, None);
        for _ in 0..entries(from)? {
            match from.string()? {
                "chunk_bytes" => chunk = Some(u64::read(from)?),
                "credit" => credit = Some(u64::read(from)?),
                "frame_bytes" => frame = Some(u64::read(from)?),
                "log_lines_per_s" => log_lines = Some(u64::read(from)?),
                _ => from.skip()?,
            }
        }
        Ok(Self {
            chunk_bytes: chunk.ok_or(Flaw::Missing)?,
            credit: credit.ok_or(Flaw::Missing)?,
            frame_bytes: frame.ok_or(Flaw::Missing)?,
            log_lines_per_s: log_lines.ok_or(Flaw::Missing)?,
        })
    }
}

fn entries(from: &mut Reader<'_>) -> Result<usize, Flaw> {
    let marker = from.marker()?;
    let entries = from.map_length(marker)?.ok_or(Flaw::Expected("a map"))?;
    from.claim(entries)?;
    Ok(entries)
}
