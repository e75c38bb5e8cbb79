//! An agent that does what its prompt says. Speaks the protocol and nothing else.

use std::collections::{HashMap, HashSet, VecDeque};
use std::error::Error;
use std::io::{Read, Write};
use std::process::ExitCode;

use bytes::BufMut;
use serde_json::{Value, json};
use synapse_wire::frame::{Call, Chunk, Fault, Hello, Log, LogLevel, Pong, Ready, RunResult};
use synapse_wire::{ChunkData, FrameDecoder, FromAgent, FromRuntime, Map, Wire};

/// No more than the decoder has space for at once.
const READ_BYTES: usize = 4096;

type Sent = Result<(), Box<dyn Error>>;

pub(crate) fn run() -> Result<ExitCode, Box<dyn Error>> {
    writeln!(std::io::stderr(), "the agent's first words")?;
    send(Hello {
        versions: vec![1],
        sdk: "gateway tests".to_owned(),
        python: "none".to_owned(),
        pid: std::process::id(),
        sources: None,
    })?;
    let mut decoder = FrameDecoder::<FromRuntime>::new();
    let mut agent = Agent::default();
    let mut bytes = [0; READ_BYTES];
    loop {
        let read = std::io::stdin().read(&mut bytes)?;
        decoder
            .space()
            .put_slice(bytes.get(..read).unwrap_or_default());
        while let Some(frame) = decoder.next_frame()? {
            if let Some(exit) = agent.answer(frame)? {
                return Ok(exit);
            }
        }
        if read == 0 {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

#[derive(Default)]
struct Agent {
    /// Runs that go on until they are cancelled.
    waiting: HashSet<u64>,
    /// Runs that say something.
    talks: HashMap<u64, Talk>,
}

struct Talk {
    text: String,
    pieces: VecDeque<ChunkData>,
    seq: u64,
}

impl Agent {
    fn answer(&mut self, frame: FromRuntime) -> Result<Option<ExitCode>, Box<dyn Error>> {
        match frame {
            FromRuntime::Welcome(_) => send(Ready {
                manifest: manifest(),
            })?,
            FromRuntime::Call(call) if call.input == "crash" => return Ok(Some(7.into())),
            FromRuntime::Call(call) => self.begin(call)?,
            FromRuntime::Credit(credit) => self.say(credit.run, credit.chunks)?,
            FromRuntime::Cancel(cancel) if self.waiting.remove(&cancel.run) => {
                let reason = cancel.reason.as_str();
                tell(cancel.run, format!("told to stop: {reason}"))?;
                send(cancelled(cancel.run))?;
            }
            FromRuntime::Ping(ping) => send(Pong {
                nonce: ping.nonce,
                lag_us: 0,
                resident_bytes: 0,
            })?,
            FromRuntime::Stop(_) => return Ok(Some(ExitCode::SUCCESS)),
            // A cancel that crossed its result, and answers to what was not asked.
            _ => {}
        }
        Ok(None)
    }

    fn begin(&mut self, call: Call) -> Sent {
        match call.input.as_str().and_then(|text| text.split_once(' ')) {
            Some(("wait", why)) => {
                self.waiting.insert(call.run);
                tell(call.run, format!("told to wait {why}"))
            }
            Some(("say", text)) => {
                self.talks.insert(call.run, Talk::new(text));
                self.say(call.run, call.credit)
            }
            _ => send(result(call.run, call.input)),
        }
    }

    /// Goes on with a talk as far as the credit reaches.
    fn say(&mut self, run: u64, credit: u32) -> Sent {
        let Some(talk) = self.talks.get_mut(&run) else {
            return Ok(());
        };
        for _ in 0..credit {
            let Some(data) = talk.pieces.pop_front() else {
                break;
            };
            let seq = talk.seq;
            talk.seq += 1;
            send(Chunk { run, seq, data })?;
        }
        if talk.pieces.is_empty() {
            let text = std::mem::take(&mut talk.text);
            self.talks.remove(&run);
            send(result(run, text.into()))?;
        }
        Ok(())
    }
}

impl Talk {
    /// A tool call, and then the text word by word.
    fn new(text: &str) -> Self {
        let call = json!({"type": "tool_call", "name": "mouth", "arguments": {"open": true}});
        let call = ChunkData::Event(call.as_object().cloned().unwrap_or_default());
        let words = text
            .split_inclusive(' ')
            .map(|word| ChunkData::Text(word.to_owned()));
        Self {
            text: text.to_owned(),
            pieces: std::iter::once(call).chain(words).collect(),
            seq: 0,
        }
    }
}

fn result(run: u64, output: Value) -> RunResult {
    let usage = json!({"requests": 0});
    RunResult {
        run,
        output,
        new_messages: None,
        message_count: 0,
        usage: usage.as_object().cloned(),
    }
}

fn cancelled(run: u64) -> Fault {
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
}

fn tell(run: u64, message: String) -> Sent {
    send(Log {
        run,
        level: LogLevel::Warning,
        logger: "agent".to_owned(),
        message,
        fields: None,
        dropped: 0,
    })
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

fn send(frame: impl Into<FromAgent>) -> Sent {
    let mut bytes = Vec::new();
    frame.into().encode(&mut bytes)?;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&bytes)?;
    Ok(stdout.flush()?)
}
