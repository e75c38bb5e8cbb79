//! What the codec costs: `cargo bench -p synapse-wire`. A call's round trip is one call encoded and
//! one result decoded; the floor of a round trip over pipes is about 10 µs.

#![expect(clippy::unwrap_used, reason = "a benchmark of valid frames")]

use bytes::BufMut;
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use serde_json::{Value, json};
use synapse_wire::frame::{Chunk, RunResult};
use synapse_wire::{CallFrame, ChunkData, Event, FrameDecoder, FromAgent, RuntimeSession};
use synapse_wire::{Greeting, Wire};

/// Bytes of the payloads: a prompt, a page, a document.
const PAYLOADS: [usize; 3] = [100, 4 * 1024, 1024 * 1024];

/// Chunks that one read of a pipe brings, about.
const CHUNKS: u64 = 64;

fn main() {
    divan::main();
}

fn text(bytes: usize) -> Value {
    Value::from("x".repeat(bytes))
}

fn result(output: Value) -> Vec<u8> {
    let usage = json!({"requests": 1, "tool_calls": 0, "input_tokens": 24, "output_tokens": 5});
    let usage = usage.as_object().cloned();
    encoded(
        &RunResult {
            run: 7,
            output,
            new_messages: None,
            message_count: 0,
            usage,
        }
        .into(),
    )
}

fn encoded(frame: &FromAgent) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes).unwrap();
    bytes
}

fn chunks() -> Vec<u8> {
    let data = ChunkData::Text("sixteen letters.".to_owned());
    (0..CHUNKS)
        .flat_map(|seq| {
            encoded(
                &Chunk {
                    run: 7,
                    seq,
                    data: data.clone(),
                }
                .into(),
            )
        })
        .collect()
}

/// Everything that some bytes hold, through the decoder as a pipe's reader uses it.
fn decode(decoder: &mut FrameDecoder<FromAgent>, bytes: &[u8], mut each: impl FnMut(FromAgent)) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let mut space = decoder.space();
        let (now, later) = rest.split_at(rest.len().min(space.remaining_mut()));
        space.put_slice(now);
        rest = later;
        while let Some(frame) = decoder.next_frame().unwrap() {
            each(frame);
        }
    }
}

#[divan::bench(args = PAYLOADS)]
fn call_encode(bencher: Bencher<'_, '_>, bytes: usize) {
    let (input, mut out) = (text(bytes), Vec::new());
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        out.clear();
        CallFrame::new(7, black_box(&input), false)
            .encode(&mut out)
            .unwrap();
    });
}

#[divan::bench(args = PAYLOADS)]
fn result_decode(bencher: Bencher<'_, '_>, bytes: usize) {
    let (frame, mut decoder) = (result(text(bytes)), FrameDecoder::new());
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        decode(&mut decoder, black_box(&frame), |frame| {
            drop(black_box(frame))
        })
    });
}

#[divan::bench]
fn structured_result_decode(bencher: Bencher<'_, '_>) {
    let row = json!({"id": 123, "name": "a row of a table", "score": 0.5, "tags": ["a", "b"]});
    let (frame, mut decoder) = (result(Value::from(vec![row; 100])), FrameDecoder::new());
    bencher
        .counter(BytesCount::new(frame.len()))
        .bench_local(|| {
            decode(&mut decoder, black_box(&frame), |frame| {
                drop(black_box(frame))
            })
        });
}

#[divan::bench]
fn chunk_decode(bencher: Bencher<'_, '_>) {
    let (frames, mut decoder) = (chunks(), FrameDecoder::new());
    bencher.counter(ItemsCount::new(CHUNKS)).bench_local(|| {
        decode(&mut decoder, black_box(&frames), |frame| {
            drop(black_box(frame))
        })
    });
}

/// Call, chunks under credit, result: what the session adds to the codec.
#[divan::bench]
fn session_stream(bencher: Bencher<'_, '_>) {
    let (mut session, mut out, mut run) = (ready(), Vec::new(), 0);
    let input = text(100);
    bencher.counter(ItemsCount::new(CHUNKS)).bench_local(|| {
        run += 1;
        out.clear();
        session
            .call(&CallFrame::new(run, &input, true), &mut out)
            .unwrap();
        for seq in 0..CHUNKS {
            let chunk = Chunk {
                run,
                seq,
                data: ChunkData::Text(String::new()),
            };
            if let Event::Chunk(chunk) = session.received(chunk.into()).unwrap() {
                session.taken(chunk.run, 1, &mut out).unwrap();
            }
        }
        let end = RunResult {
            run,
            output: Value::Null,
            new_messages: None,
            message_count: 0,
            usage: None,
        };
        session.received(end.into()).unwrap();
    });
}

fn ready() -> RuntimeSession {
    let (mut session, mut out) = (RuntimeSession::new(), Vec::new());
    let hello = synapse_wire::frame::Hello {
        versions: vec![1],
        sdk: String::new(),
        python: String::new(),
        pid: 1,
        sources: None,
    };
    session.received(hello.into()).unwrap();
    session.welcome(Greeting::default(), &mut out).unwrap();
    let manifest = synapse_wire::Map::new();
    session
        .received(synapse_wire::frame::Ready { manifest }.into())
        .unwrap();
    session
}
