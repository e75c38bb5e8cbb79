//! A second, naive MessagePack encoder, so that the crate's own is not held to itself. Bytes are
//! `{"$bin": "hex"}`. It knows two forms: the canonical one (smallest integers and lengths, what
//! `msgpack.packb` writes) and the widest one.

#![expect(
    clippy::unwrap_used,
    reason = "a generator of fixed cases, and the test that includes it"
)]

use rmp::encode;
use serde_json::Value;

/// Which of the equivalent encodings to write.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Form {
    Canonical,
    Widest,
}

/// A frame with its length.
pub(crate) fn frame(elements: &[Value], form: Form) -> Vec<u8> {
    let mut body = Vec::new();
    array_length(&mut body, elements.len(), form);
    for element in elements {
        value(&mut body, element, form);
    }
    with_length(&body)
}

/// Puts the length before a body.
pub(crate) fn with_length(body: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

/// The bytes that a hexadecimal string stands for.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}

/// The hexadecimal string of some bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn value(out: &mut Vec<u8>, of: &Value, form: Form) {
    match of {
        Value::Null => encode::write_nil(out).unwrap(),
        Value::Bool(value) => encode::write_bool(out, *value).unwrap(),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(value), _) if form == Form::Widest => encode::write_u64(out, value).unwrap(),
            (Some(value), _) => drop(encode::write_uint(out, value).unwrap()),
            (None, Some(value)) if form == Form::Widest => encode::write_i64(out, value).unwrap(),
            (None, Some(value)) => drop(encode::write_sint(out, value).unwrap()),
            (None, None) => encode::write_f64(out, number.as_f64().unwrap()).unwrap(),
        },
        Value::String(text) => string(out, text, form),
        Value::Array(values) => {
            array_length(out, values.len(), form);
            values.iter().for_each(|of| value(out, of, form));
        }
        Value::Object(map) => match map.get("$bin") {
            Some(Value::String(hex)) => bin(out, &unhex(hex), form),
            _ => {
                map_length(out, map.len(), form);
                for (key, of) in map {
                    string(out, key, form);
                    value(out, of, form);
                }
            }
        },
    }
}

fn string(out: &mut Vec<u8>, text: &str, form: Form) {
    match form {
        Form::Canonical => encode::write_str(out, text).unwrap(),
        Form::Widest => {
            wide(out, 0xdb, text.len());
            out.extend_from_slice(text.as_bytes());
        }
    }
}

fn bin(out: &mut Vec<u8>, bytes: &[u8], form: Form) {
    match form {
        Form::Canonical => encode::write_bin(out, bytes).unwrap(),
        Form::Widest => {
            wide(out, 0xc6, bytes.len());
            out.extend_from_slice(bytes);
        }
    }
}

fn array_length(out: &mut Vec<u8>, length: usize, form: Form) {
    match form {
        Form::Canonical => {
            encode::write_array_len(out, length.try_into().unwrap()).unwrap();
        }
        Form::Widest => wide(out, 0xdd, length),
    }
}

fn map_length(out: &mut Vec<u8>, length: usize, form: Form) {
    match form {
        Form::Canonical => {
            encode::write_map_len(out, length.try_into().unwrap()).unwrap();
        }
        Form::Widest => wide(out, 0xdf, length),
    }
}

fn wide(out: &mut Vec<u8>, marker: u8, length: usize) {
    out.push(marker);
    out.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
}
