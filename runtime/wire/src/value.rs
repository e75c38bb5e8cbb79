//! JSON values to and from MessagePack. Refuses whatever JSON cannot say: bytes, extensions, NaN,
//! keys that are not strings.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "MessagePack has 37 markers; each function here names those that it reads"
)]

use rmp::Marker;
use serde_json::{Map, Number, Value};

use crate::limits::VALUE_DEPTH_MAX;
use crate::reader::{Integer, Reader};
use crate::violation::Flaw;
use crate::writer::{EncodeError, Writer};

#[inline]
pub(crate) fn write(out: &mut Writer, value: &Value) -> Result<(), EncodeError> {
    write_nested(out, value, VALUE_DEPTH_MAX)
}

#[inline]
pub(crate) fn write_map(out: &mut Writer, map: &Map<String, Value>) -> Result<(), EncodeError> {
    write_entries(out, map, VALUE_DEPTH_MAX)
}

/// `levels` is how many more arrays or maps may open.
fn write_nested(out: &mut Writer, value: &Value, levels: usize) -> Result<(), EncodeError> {
    match value {
        Value::Null => out.nil(),
        Value::Bool(value) => out.bool(*value),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => out.string(text)?,
        Value::Array(values) => {
            let levels = levels.checked_sub(1).ok_or(EncodeError::ValueTooDeep)?;
            out.array(values.len())?;
            for value in values {
                write_nested(out, value, levels)?;
            }
        }
        Value::Object(map) => write_entries(out, map, levels)?,
    }
    Ok(())
}

fn write_entries(
    out: &mut Writer,
    map: &Map<String, Value>,
    levels: usize,
) -> Result<(), EncodeError> {
    let levels = levels.checked_sub(1).ok_or(EncodeError::ValueTooDeep)?;
    out.map(map.len())?;
    for (key, value) in map {
        out.string(key)?;
        write_nested(out, value, levels)?;
    }
    Ok(())
}

fn write_number(out: &mut Writer, number: &Number) {
    if let Some(value) = number.as_u64() {
        out.unsigned(value);
    } else if let Some(value) = number.as_i64() {
        out.signed(value);
    } else {
        // A number of serde_json is one of the three; its floats are finite.
        out.float(number.as_f64().unwrap_or(0.0));
    }
}

#[inline]
pub(crate) fn read(from: &mut Reader<'_>) -> Result<Value, Flaw> {
    read_nested(from, VALUE_DEPTH_MAX)
}

pub(crate) fn read_map(from: &mut Reader<'_>) -> Result<Map<String, Value>, Flaw> {
    let marker = from.marker()?;
    let entries = from.map_length(marker)?.ok_or(Flaw::Expected("a map"))?;
    read_entries(from, entries, VALUE_DEPTH_MAX)
}

fn read_nested(from: &mut Reader<'_>, levels: usize) -> Result<Value, Flaw> {
    let marker = from.marker()?;
    match marker {
        Marker::Null => return Ok(Value::Null),
        Marker::True => return Ok(Value::Bool(true)),
        Marker::False => return Ok(Value::Bool(false)),
        _ => {}
    }
    if let Some(length) = from.string_length(marker)? {
        return Ok(Value::String(from.text(length)?.to_owned()));
    }
    if let Some(integer) = from.integer(marker)? {
        return Ok(Value::Number(match integer {
            Integer::Positive(value) => value.into(),
            Integer::Negative(value) => value.into(),
        }));
    }
    if let Some(float) = from.float(marker)? {
        return Number::from_f64(float)
            .map(Value::Number)
            .ok_or(Flaw::NotFinite);
    }
    read_container(from, marker, levels)
}

fn read_container(from: &mut Reader<'_>, marker: Marker, levels: usize) -> Result<Value, Flaw> {
    if let Some(entries) = from.map_length(marker)? {
        return read_entries(from, entries, levels).map(Value::Object);
    }
    if let Some(values) = from.array_length(marker)? {
        return read_values(from, values, levels).map(Value::Array);
    }
    match from.bin_length(marker)? {
        Some(_) => Err(Flaw::Bytes),
        None => Err(Flaw::Extension),
    }
}

fn read_values(from: &mut Reader<'_>, count: usize, levels: usize) -> Result<Vec<Value>, Flaw> {
    let levels = levels.checked_sub(1).ok_or(Flaw::Depth)?;
    from.claim(count)?;
    let mut values = Vec::with_capacity(count.min(from.left()));
    for _ in 0..count {
        values.push(read_nested(from, levels)?);
    }
    Ok(values)
}

fn read_entries(
    from: &mut Reader<'_>,
    count: usize,
    levels: usize,
) -> Result<Map<String, Value>, Flaw> {
    let levels = levels.checked_sub(1).ok_or(Flaw::Depth)?;
    from.claim(count)?;
    let mut map = Map::new();
    for _ in 0..count {
        let marker = from.marker()?;
        let length = from.string_length(marker)?.ok_or(Flaw::Key)?;
        let key = from.text(length)?.to_owned();
        map.insert(key, read_nested(from, levels)?);
    }
    Ok(map)
}
