//! An agent that does what its prompt says. Speaks the protocol and nothing else.

use std::collections::HashSet;
use std::error::Error;
use std::io::{Read, Write};
use std::process::ExitCode;

use bytes::BufMut;
use serde_json::{Value, json};
use synapse_wire::frame::{Chunk, Fault, Hello, Log, LogLevel, Pong, Ready, RunResult};
use synapse_wire::{ChunkData, FrameDecoder, FromAgent, FromRuntime, Map, Wire};

/// No more than the decoder has space for at once.
const READ_BYTES: usize = 4096;

const SAY_PIECES: &str = "say ";

pub(crate) fn run() -> Result<ExitCode, Box<dyn Error>> {
    writeln!(std::io::stderr(), "the agent's first words")?;
    let hello = Hello {
        versions: vec![1],
        sdk: "gateway tests".to_owned(),
        python: "none".to_owned(),
        pid: std::process::id(),
    };
    send(hello)?;
    let mut decoder = FrameDecoder::<FromRuntime>::new();
    let mut waiting = HashSet::new();
    let mut bytes = [0; READ_BYTES];
    loop {
        let read = std::io::stdin().read(&mut bytes)?;
        decoder
            .space()
            .put_slice(bytes.get(..read).unwrap_or_default());
        while let Some(frame) = decoder.next_frame()? {
            if let Some(exit) = answer(frame, &mut waiting)? {
                return Ok(exit);
            }
        }
        if read == 0 {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

fn answer(
    frame: FromRuntime,
    waiting: &mut HashSet<u64>,
) -> Result<Option<ExitCode>, Box<dyn Error>> {
    match frame {
        FromRuntime::Welcome(_) => send(Ready {
            manifest: manifest(),
        })?,
        FromRuntime::Call(call) => match call.input.as_str() {
            Some("crash") => return Ok(Some(ExitCode::from(7))),
            Some("wait") => {
                waiting.insert(call.run);
            }
            Some(text) if text.starts_with(SAY_PIECES) => say(call.run, text)?,
            _ => send(result(call.run, call.input))?,
        },
        FromRuntime::Cancel(cancel) if waiting.remove(&cancel.run) => {
            send(told(
                cancel.run,
                format!("told to stop: {}", cancel.reason.as_str()),
            ))?;
            send(cancelled(cancel.run))?;
        }
        FromRuntime::Ping(ping) => {
            send(Pong {
                nonce: ping.nonce,
                lag_us: 0,
                resident_bytes: 0,
            })?;
        }
        FromRuntime::Stop(_) => return Ok(Some(ExitCode::SUCCESS)),
        // A cancel that crossed its result, credit that is not used, tools that were not called.
        _ => {}
    }
    Ok(None)
}

/// `say a b c`: a tool call, then a chunk for each word, then all of them.
fn say(run: u64, text: &str) -> Result<(), Box<dyn Error>> {
    let call = json!({"type": "tool_call", "name": "mouth", "arguments": {"open": true}});
    let words = text.trim_start_matches(SAY_PIECES).split_inclusive(' ');
    let call = call.as_object().cloned().unwrap_or_default();
    let pieces = std::iter::once(ChunkData::Event(call))
        .chain(words.clone().map(|word| ChunkData::Text(word.to_owned())));
    for (seq, data) in (0..).zip(pieces) {
        send(Chunk { run, seq, data })?;
    }
    send(result(run, Value::from(words.collect::<String>())))
}

fn result(run: u64, output: Value) -> FromAgent {
    let mut usage = Map::new();
    usage.insert("requests".to_owned(), Value::from(0));
    RunResult {
        run,
        output,
        new_messages: None,
        message_count: 0,
        usage: Some(usage),
    }
    .into()
}

fn cancelled(run: u64) -> FromAgent {
    Fault {
        run,
        origin: "caller".to_owned(),
        code: "cancelled".to_owned(),
        message: "the run was cancelled".to_owned(),
        retryable: false,
        details: None,
        new_messages: None,
        message_count: 0,
        usage: None,
    }
    .into()
}

fn told(run: u64, message: String) -> FromAgent {
    let level = LogLevel::Warning;
    Log {
        run,
        level,
        logger: "agent".to_owned(),
        message,
        fields: None,
        dropped: 0,
    }
    .into()
}

fn manifest() -> Map {
    let manifest = json!({
        "kind": "function", "mode": "run_stream", "streams": true, "sync": true, "concurrency": 4,
        "input_schema": null, "output_schema": null, "output_name": null, "output_fields": null,
        "deps_schema": null, "takes_deps": false, "description": "does what it is told",
        "model": null, "tools": [], "loaded_ms": 0,
    });
    manifest.as_object().cloned().unwrap_or_default()
}

fn send(frame: impl Into<FromAgent>) -> Result<(), Box<dyn Error>> {
    let mut bytes = Vec::new();
    frame.into().encode(&mut bytes)?;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&bytes)?;
    Ok(stdout.flush()?)
}
