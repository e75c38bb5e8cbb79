//! The vectors in `tests/vectors/`, which the Python tests read too: they are what the generator
//! makes, and the crate decodes and encodes each of them.

use std::path::Path;

use serde_json::Value;
use synapse_wire::frame::Shape;
use synapse_wire::{FrameDecoder, FromAgent, FromRuntime, Violation, Wire};

use crate::cases;
use crate::pack::{self, Form, hex, unhex};

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/vectors")
        .join(name);
    std::fs::read_to_string(path).unwrap()
}

fn cases(name: &str) -> Vec<Value> {
    serde_json::from_str(&read(name)).unwrap()
}

/// Decodes a case, and encodes what came of it: equal to the naive encoding of the case's fields,
/// and to the case itself where it is canonical.
fn check<F: Wire>(case: &Value) {
    let name = case["name"].as_str().unwrap();
    let bytes = unhex(case["frame"].as_str().unwrap());
    let mut decoder = FrameDecoder::<F>::new();
    let frames = crate::read(&mut decoder, &bytes, &[usize::MAX]);
    let frames = frames.unwrap_or_else(|violation| panic!("{name}: {violation}"));
    let [frame] = frames.as_slice() else {
        panic!("{name}: {} frames", frames.len())
    };
    assert_eq!(decoder.end(), Ok(()), "{name}");
    assert_eq!(frame.name(), case["kind"].as_str().unwrap(), "{name}");

    let shape = F::SHAPES
        .iter()
        .find(|shape| shape.name == frame.name())
        .unwrap();
    let elements = cases::elements(shape, case["fields"].as_object().unwrap());
    let elements = cases::without_nils(shape, &elements);
    let mut encoded = Vec::new();
    frame.encode(&mut encoded).unwrap();
    assert_eq!(
        hex(&encoded),
        hex(&pack::frame(elements, Form::Canonical)),
        "{name}"
    );
    assert_eq!(
        encoded == bytes,
        case["canonical"].as_bool().unwrap(),
        "{name}"
    );
}

fn check_every_frame_occurs(shapes: &[Shape], cases: &[Value]) {
    for shape in shapes {
        for canonical in [true, false] {
            let found = cases.iter().any(|case| {
                case["kind"] == shape.name && case["canonical"].as_bool() == Some(canonical)
            });
            assert!(
                found,
                "no vector of {} with canonical = {canonical}",
                shape.name
            );
        }
    }
}

#[test]
fn files_are_what_the_generator_makes() {
    for (name, cases) in cases::files() {
        assert!(
            read(name) == cases::render(&cases),
            "tests/vectors/{name} is stale: cargo run -p synapse-wire --example vectors"
        );
    }
}

#[test]
fn frames_from_the_agent_decode_and_encode() {
    let cases = cases("from_agent.json");
    check_every_frame_occurs(FromAgent::SHAPES, &cases);
    cases.iter().for_each(check::<FromAgent>);
}

#[test]
fn frames_from_the_runtime_decode_and_encode() {
    let cases = cases("from_runtime.json");
    check_every_frame_occurs(FromRuntime::SHAPES, &cases);
    cases.iter().for_each(check::<FromRuntime>);
}

#[test]
fn violations_are_named() {
    fn violation<F: Wire>(bytes: &[u8]) -> Option<Violation> {
        crate::read(&mut FrameDecoder::<F>::new(), bytes, &[usize::MAX]).err()
    }
    for case in cases("violations.json") {
        let bytes = unhex(case["frame"].as_str().unwrap());
        let found = match case["direction"].as_str().unwrap() {
            "from_agent" => violation::<FromAgent>(&bytes),
            _ => violation::<FromRuntime>(&bytes),
        };
        let found = found.map(|violation| violation.name());
        assert_eq!(found, case["violation"].as_str(), "{}", case["name"]);
    }
}

/// A borrowed call writes what an owned one writes.
#[test]
fn borrowed_call_is_the_call() {
    for case in cases("from_runtime.json") {
        let bytes = unhex(case["frame"].as_str().unwrap());
        let Ok(FromRuntime::Call(call)) = FromRuntime::decode(&bytes[4..]) else {
            continue;
        };
        let (mut owned, mut borrowed) = (Vec::new(), Vec::new());
        call.encode(&mut owned).unwrap();
        call.borrow().encode(&mut borrowed).unwrap();
        assert_eq!(owned, borrowed, "{}", case["name"]);
    }
}
