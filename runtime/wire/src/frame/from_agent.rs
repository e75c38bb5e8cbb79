//! What an agent says. Refuses to know when it may say it.

use bytes::Bytes;
use serde_json::Value;

use super::{ChunkData, FieldShape, Fields, LogLevel, Map, Shape, Wire, frames};
use crate::field::Field;
use crate::reader::Reader;
use crate::violation::Violation;
use crate::writer::{self, EncodeError};

frames! {
    /// A frame from an agent.
    FromAgent;

    /// Always the first frame: who speaks, and which versions of the protocol.
    65 "hello" Hello [] {
        /// The protocol versions that the SDK speaks.
        versions: Vec<u64>,
        /// The SDK's name and version.
        sdk: String,
        /// The interpreter's version.
        python: String,
        /// The worker's process id.
        pid: u32,
        /// Of a spare: the files of the user's that it has imported, each with the time of its last
        /// change in nanoseconds since 1970, or 0 where that is too near to tell.
        sources: Option<Map>,
    }

    /// The program is loaded; calls may come.
    66 "ready" Ready [] {
        /// What the agent is and can: mode, schemas, description, tools.
        manifest: Map,
    }

    /// A prefetched call begins to execute.
    67 "started" Started [run] {}

    /// The model calls a tool of the runtime.
    68 "tool_call" ToolCall [run] {
        /// The number of the call within its run.
        call: u64,
        /// The tool's name.
        name: String,
        /// The model's arguments, unchecked.
        arguments: Map,
    }

    /// The model gave an output; the runtime is to check it.
    69 "output_check" OutputCheck [run] {
        /// The number of the check within its run.
        check: u64,
        /// What the model gave.
        output: Value,
    }

    /// A piece of a stream.
    70 "chunk" Chunk [run] {
        /// Counts from 0 within the run.
        seq: u64,
        /// The text or event.
        data: ChunkData,
    }

    /// The run ended well.
    71 "result" RunResult [run] {
        /// The output.
        output: Value,
        /// The JSON of the messages that the run added to the history.
        new_messages: Option<Bytes>,
        /// How many messages that is.
        message_count: u64,
        /// Requests, tool calls and tokens.
        usage: Option<Map>,
    }

    /// The run failed; run 0: the agent cannot start, and exits.
    72 "fault" Fault [run] {
        /// Whose fault it is.
        origin: String,
        /// The fault's name in the catalogue.
        code: String,
        /// One or two lines for people.
        message: String,
        /// Whether the same call may succeed later.
        retryable: bool,
        /// What else is known.
        details: Option<Map>,
        /// The JSON of the messages until the fault.
        new_messages: Option<Bytes>,
        /// How many messages that is.
        message_count: u64,
        /// What was used until the fault.
        usage: Option<Map>,
    }

    /// Answers a ping.
    73 "pong" Pong [] {
        /// The ping's.
        nonce: u64,
        /// How late the code that runs agents is, in microseconds.
        lag_us: u64,
        /// The resident size of the process, in bytes.
        resident_bytes: u64,
    }

    /// A line for the log; run 0: of no run.
    74 "log" Log [run] {
        /// How serious it is.
        level: LogLevel,
        /// Who logged it.
        logger: String,
        /// The line.
        message: String,
        /// Its fields.
        fields: Option<Map>,
        /// Lines that were dropped since the last one that was sent.
        dropped: u64,
    }

    /// A tool of the run's begins: what it does cannot be taken back.
    75 "effect" Effect [run] {}
}
