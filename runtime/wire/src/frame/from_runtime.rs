//! What the runtime says. Refuses to know when it may say it.

use bytes::Bytes;
use serde_json::Value;

use super::{CancelReason, FieldShape, Fields, Limits, Map, Shape, Tool, ToolStatus, Wire, frames};
use crate::field::{Field, Put};
use crate::limits::STREAM_CREDIT_INITIAL;
use crate::reader::Reader;
use crate::violation::Violation;
use crate::writer::{self, EncodeError};

frames! {
    /// A frame from the runtime.
    FromRuntime;

    /// Answers `hello`: the version chosen, and who the agent is.
    1 "welcome" Welcome [] {
        /// The version that both sides speak from here on.
        version: u64,
        /// The versions that the runtime speaks.
        versions: Vec<u64>,
        /// The node's name.
        node: String,
        /// The agent's name.
        agent: String,
        /// Which life of the agent this is.
        incarnation: u64,
        /// What to load and how to run it.
        configuration: Map,
        /// The tools that the runtime offers.
        tools: Vec<Tool>,
        /// What the SDK must keep to.
        limits: Limits,
    }

    /// A call to execute.
    2 "call" Call [run] {
        /// The prompt, or any JSON.
        input: Value,
        /// Whether the caller wants chunks.
        stream: bool,
        /// Whether it was written ahead of a free slot: `started` is due when it begins.
        prefetched: bool,
        /// Chunks that may be sent before the first `credit`.
        credit: u32,
        /// Time left, in milliseconds.
        deadline_ms: Option<u64>,
        /// Dependencies as JSON.
        deps: Option<Value>,
        /// The history's segments, each the JSON of a list of messages.
        history: Option<Vec<Bytes>>,
        /// The model instead of the agent's own.
        model: Option<String>,
        /// Model settings over the agent's own.
        settings: Option<Map>,
        /// Instructions instead of the agent's own.
        instructions: Option<String>,
        /// Usage limits over the agent's own.
        limits: Option<Map>,
        /// Trace context.
        trace: Option<Map>,
    }

    /// Answers `tool_call`.
    3 "tool_result" ToolResult [run] {
        /// The call's number.
        call: u64,
        /// How it ended.
        status: ToolStatus,
        /// The answer.
        value: Value,
        /// What the model is told where there is no answer.
        message: Option<String>,
    }

    /// Answers `output_check`.
    4 "output_verdict" OutputVerdict [run] {
        /// The check's number.
        check: u64,
        /// Whether the output holds.
        ok: bool,
        /// What the model is told where it does not.
        message: Option<String>,
    }

    /// More chunks may come.
    5 "credit" Credit [run] {
        /// How many more.
        chunks: u32,
    }

    /// The run is to stop.
    6 "cancel" Cancel [run] {
        /// Why.
        reason: CancelReason,
    }

    /// Asks whether the agent is alive.
    7 "ping" Ping [] {
        /// Comes back in the pong.
        nonce: u64,
    }

    /// Finish the runs, take no new ones, exit.
    8 "stop" Stop [] {
        /// Time left, in milliseconds.
        deadline_ms: u64,
    }
}

/// A `call` that borrows what it sends, so that a large input is copied once: into the buffer.
#[derive(Debug, Clone, Copy)]
pub struct CallFrame<'a> {
    /// The run: never 0, never used before in this incarnation.
    pub run: u64,
    /// The prompt, or any JSON.
    pub input: &'a Value,
    /// Whether the caller wants chunks.
    pub stream: bool,
    /// Whether it is written ahead of a free slot.
    pub prefetched: bool,
    /// Chunks that may be sent before the first `credit`.
    pub credit: u32,
    /// Time left, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// Dependencies as JSON.
    pub deps: Option<&'a Value>,
    /// The history's segments, each the JSON of a list of messages.
    pub history: Option<&'a [Bytes]>,
    /// The model instead of the agent's own.
    pub model: Option<&'a str>,
    /// Model settings over the agent's own.
    pub settings: Option<&'a Map>,
    /// Instructions instead of the agent's own.
    pub instructions: Option<&'a str>,
    /// Usage limits over the agent's own.
    pub limits: Option<&'a Map>,
    /// Trace context.
    pub trace: Option<&'a Map>,
}

impl Call {
    /// The same call, borrowed.
    #[must_use]
    pub fn borrow(&self) -> CallFrame<'_> {
        CallFrame {
            run: self.run,
            input: &self.input,
            stream: self.stream,
            prefetched: self.prefetched,
            credit: self.credit,
            deadline_ms: self.deadline_ms,
            deps: self.deps.as_ref(),
            history: self.history.as_deref(),
            model: self.model.as_deref(),
            settings: self.settings.as_ref(),
            instructions: self.instructions.as_deref(),
            limits: self.limits.as_ref(),
            trace: self.trace.as_ref(),
        }
    }
}

impl<'a> CallFrame<'a> {
    /// A call of nothing but its input; a stream begins with `STREAM_CREDIT_INITIAL`.
    #[must_use]
    pub const fn new(run: u64, input: &'a Value, stream: bool) -> Self {
        Self {
            run,
            input,
            stream,
            prefetched: false,
            credit: if stream { STREAM_CREDIT_INITIAL } else { 0 },
            deadline_ms: None,
            deps: None,
            history: None,
            model: None,
            settings: None,
            instructions: None,
            limits: None,
            trace: None,
        }
    }

    /// Appends the frame with its length: the same bytes as [`Call::encode`].
    ///
    /// # Errors
    /// The limit that the frame exceeds; the buffer is then as it was.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let fields: [&dyn Put; 12] = [
            &self.input,
            &self.stream,
            &self.prefetched,
            &self.credit,
            &self.deadline_ms,
            &self.deps,
            &self.history,
            &self.model,
            &self.settings,
            &self.instructions,
            &self.limits,
            &self.trace,
        ];
        writer::append(out, Call::SHAPE.kind, self.run, &fields)
    }
}
