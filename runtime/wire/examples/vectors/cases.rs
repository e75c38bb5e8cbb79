//! From seeds to the cases of the vectors. A seed is a line of `*.jsonl`: a frame's kind, the case's
//! name and the fields by name, without those that are nil; or a violation's direction, name, bytes,
//! violation and level. The bytes of frames come from `pack`, in the canonical form and in others
//! that a decoder must read too.

#![expect(
    clippy::unwrap_used,
    reason = "a generator of fixed cases, and the test that includes it"
)]

use serde_json::{Map, Value, json};
use synapse_wire::frame::{FromAgent, FromRuntime, Shape, Wire};

use crate::pack::{self, Form};

/// Every file of `tests/vectors/` and its cases.
pub(crate) fn files() -> [(&'static str, Vec<Value>); 3] {
    [
        (
            "from_agent.json",
            expand(FromAgent::SHAPES, include_str!("from_agent.jsonl")),
        ),
        (
            "from_runtime.json",
            expand(FromRuntime::SHAPES, include_str!("from_runtime.jsonl")),
        ),
        (
            "violations.json",
            violations(include_str!("violations.jsonl")),
        ),
    ]
}

/// A file's text: one case per line.
pub(crate) fn render(cases: &[Value]) -> String {
    let lines: Vec<String> = cases.iter().map(|case| format!("  {case}")).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

/// The elements of a frame, in order.
pub(crate) fn elements(shape: &Shape, fields: &Map<String, Value>) -> Vec<Value> {
    let run = fields.get("run").cloned().unwrap_or(json!(0));
    let mut elements = vec![json!(shape.kind), run];
    elements.extend(shape.fields.iter().map(|field| fields[field.name].clone()));
    elements
}

/// Each case in its canonical form; for each `full` one also: with fields of a later version, and
/// in the widest form; for each one with nils at its end also: with these written out.
fn expand(shapes: &[Shape], seeds: &str) -> Vec<Value> {
    let mut expanded = Vec::new();
    for seed in seeds.lines() {
        let (kind, case, fields): (String, String, Map<String, Value>) =
            serde_json::from_str(seed).unwrap();
        let shape = shapes.iter().find(|shape| shape.name == kind).unwrap();
        let fields = with_nils(shape, fields);
        let elements = elements(shape, &fields);
        let mut add = |case: &str, frame: &[u8], canonical: bool| {
            let name = format!("{kind}_{case}");
            let frame = pack::hex(frame);
            expanded.push(json!({
                "name": name, "kind": kind, "fields": fields, "frame": frame, "canonical": canonical,
            }));
        };
        let short = without_nils(shape, &elements);
        add(&case, &pack::frame(short, Form::Canonical), true);
        if case == "full" {
            add("widest", &pack::frame(&elements, Form::Widest), false);
            add("of_a_later_version", &with_later_fields(&elements), false);
        }
        if short.len() < elements.len() {
            let name = format!("{case}_with_nils");
            add(&name, &pack::frame(&elements, Form::Canonical), false);
        }
    }
    expanded
}

/// Nullable fields that a seed does not mention are nil.
fn with_nils(shape: &Shape, mut fields: Map<String, Value>) -> Map<String, Value> {
    for field in shape.fields.iter().filter(|field| field.nullable) {
        fields.entry(field.name).or_insert(Value::Null);
    }
    let expected = shape.fields.len() + usize::from(shape.of_a_run);
    assert_eq!(
        fields.len(),
        expected,
        "fields of {}: {fields:?}",
        shape.name
    );
    fields
}

pub(crate) fn without_nils<'a>(shape: &Shape, elements: &'a [Value]) -> &'a [Value] {
    let nils = shape.fields.iter().zip(&elements[2..]).rev();
    let nils = nils
        .take_while(|(field, value)| field.nullable && value.is_null())
        .count();
    &elements[..elements.len() - nils]
}

/// Appends an integer, a nested map, bytes and an extension.
fn with_later_fields(elements: &[Value]) -> Vec<u8> {
    let mut elements = elements.to_vec();
    elements.extend([
        json!(12),
        json!({"later": [true, null]}),
        json!({"$bin": "00ff"}),
    ]);
    elements.push(Value::Null);
    let mut frame = pack::frame(&elements, Form::Canonical);
    frame.pop();
    frame.extend([0xd4, 0x05, 0x2a]);
    pack::with_length(&frame[4..])
}

/// `level` says who must find it: `frame` every decoder; `value` only one that checks the inside of
/// JSON values, as the runtime does.
fn violations(seeds: &str) -> Vec<Value> {
    let mut cases = Vec::new();
    for seed in seeds.lines() {
        let [direction, name, frame, violation, level]: [String; 5] =
            serde_json::from_str(seed).unwrap();
        for each in ["from_agent", "from_runtime"] {
            if direction == each || direction == "both" {
                cases.push(json!({
                    "name": format!("{each}_{name}"), "direction": each,
                    "frame": frame, "violation": violation, "level": level,
                }));
            }
        }
    }
    cases
}
