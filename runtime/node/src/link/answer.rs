//! What the process says of its runs, and what their callers are told.

use serde_json::{Map, Value, json};
use synapse_core::fault::{Fault, FaultCode, Origin};
use synapse_wire::frame::{
    Chunk, Fault as FaultFrame, Log, OutputCheck, OutputVerdict, RunResult, ToolCall, ToolResult,
    ToolStatus,
};
use synapse_wire::{ChunkData, Refused};

use crate::call::Call;
use crate::clock::timestamp;
use crate::handle::{RunEvent, RunId, RunOutcome};
use crate::link::runs::Running;
use crate::link::{CancelReason, Link};
use crate::logs::cut;
use crate::session::Segment;
use crate::view::{FailedRunView, LogStream};

/// Bytes of a traceback: it stays in the events and in the record of exits.
const TRACEBACK_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a failed run's message that the record of its agent keeps.
const MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// Mistakes of an output that the model is told of at once.
const OUTPUT_MISTAKES_MAX: usize = 5;

impl Link {
    pub(super) fn chunk(&mut self, chunk: Chunk) {
        // A run that was cancelled may still have chunks in the pipe; its caller has left.
        let Some(running) = self.runs.get_mut(&chunk.run) else {
            return;
        };
        running.note(&chunk.data);
        let seq = chunk.seq;
        running.call.chunk(match chunk.data {
            ChunkData::Text(text) => RunEvent::Text { seq, text },
            ChunkData::Event(data) => RunEvent::Item { seq, data },
        });
    }

    pub(super) fn result(&mut self, result: RunResult) {
        let now = self.now();
        let Some(running) = self.end_run(result.run) else {
            return;
        };
        let call = running.call;
        self.agent.suspicion.survived(&call);
        if self.check_results
            && let Err(message) = self.check_output(&result.output)
        {
            // It repeats parts of the output, and is kept.
            let message = self.agent.secrets.text(message);
            let fault = Fault::new(FaultCode::OutputInvalid, message);
            self.note_failure(call.id, &fault, None);
            call.settle(None, None);
            self.agent.finish(&call, Err(fault));
            return;
        }
        let segment = segment(result.new_messages, result.message_count);
        call.settle(segment, Some(&result.output));
        let outcome = RunOutcome {
            run: call.id,
            agent: std::sync::Arc::clone(&call.agent),
            incarnation: self.incarnation,
            attempts: call.attempts(),
            output: result.output,
            usage: result.usage.map_or(Value::Null, Value::Object),
            duration: now.saturating_duration_since(call.arrived),
        };
        self.agent.finish(&call, Ok(outcome));
    }

    pub(super) fn fault(&mut self, frame: FaultFrame) {
        let Some(running) = self.end_run(frame.run) else {
            return;
        };
        let frame = self.without_secrets(frame);
        let traceback = traceback(frame.details.as_ref());
        if let Some(traceback) = &traceback {
            let head = format!("run {} failed: {}", running.call.id, frame.message);
            self.log_traceback(&head, traceback);
        }
        if running.started {
            self.agent.suspicion.survived(&running.call);
            let segment = segment(frame.new_messages.clone(), frame.message_count);
            running.call.settle(segment, None);
        } else {
            // Cancelled or refused ahead of its turn: the conversation is as it was.
            drop(running.call.take_lease());
        }
        let fault = match (fault_of(frame), running.cancelled) {
            // It was no caller's wish.
            (fault, Some(CancelReason::Shutdown)) if fault.code == FaultCode::Cancelled => {
                self.agent.told_to_stop()
            }
            (fault, _) => fault,
        };
        self.note_failure(running.call.id, &fault, traceback);
        self.agent.finish(&running.call, Err(fault));
    }

    /// What an agent says of a failure may hold what it was given in confidence: a provider repeats a
    /// key, an exception its headers.
    pub(super) fn without_secrets(&self, fault: FaultFrame) -> FaultFrame {
        let secrets = &self.agent.secrets;
        FaultFrame {
            message: secrets.text(fault.message),
            details: fault.details.map(|details| secrets.map(details)),
            ..fault
        }
    }

    fn note_failure(&self, run: RunId, fault: &Fault, traceback: Option<String>) {
        self.agent.run_failed(FailedRunView {
            run: run.to_string(),
            at: timestamp(),
            incarnation: self.incarnation,
            code: fault.code,
            origin: fault.origin,
            message: beginning(&fault.message),
            traceback,
        });
    }

    /// The caller gets it as data; whoever looks after the agent finds it in its log.
    pub(super) fn log_traceback(&self, head: &str, traceback: &str) {
        for line in std::iter::once(head).chain(traceback.lines()) {
            let (stream, text) = (LogStream::Runtime, line.to_owned());
            self.agent.log.add(self.incarnation, stream, "error", text);
        }
    }

    pub(super) fn log(&self, log: &Log) {
        let (agent, incarnation, level) = (&self.agent.name, self.incarnation, log.level.as_str());
        let secrets = &self.agent.secrets;
        let message = secrets.text(log.message.clone());
        let mut text = cut(format!("{}: {message}", log.logger));
        if let Some(fields) = &log.fields {
            for (name, value) in fields {
                text.push_str(&format!(" {name}={}", secrets.value(value.clone())));
            }
            text = cut(text);
        }
        if log.dropped > 0 {
            text.push_str(&format!(
                " ({} lines before this one were dropped)",
                log.dropped
            ));
        }
        let run = log.run;
        tracing::info!(target: "agent", %agent, incarnation, stream = "log", level, run, "{text}");
        self.agent
            .log
            .add(self.incarnation, LogStream::Log, level, text);
    }

    fn end_run(&mut self, run: u64) -> Option<Running> {
        let running = self.runs.remove(&run)?;
        if running.grace_until.is_some() {
            self.cancelled = self.cancelled.saturating_sub(1);
        }
        Some(running)
    }

    /// The agent asks whether an output fits its schema, so that the model may try again.
    pub(super) fn output_check(&mut self, check: &OutputCheck) {
        let verdict = self.check_output(&check.output);
        let verdict = OutputVerdict {
            run: check.run,
            check: check.check,
            ok: verdict.is_ok(),
            message: verdict.err(),
        };
        // Refused where the run has just ended: nobody waits for the verdict.
        self.session
            .output_verdict(&verdict, self.outbox.buffer())
            .ok();
    }

    fn check_output(&self, output: &Value) -> Result<(), String> {
        let Some(schema) = &self.schema else {
            return Ok(());
        };
        let mistakes: Vec<String> = schema
            .iter_errors(output)
            .take(OUTPUT_MISTAKES_MAX)
            .map(|mistake| match mistake.instance_path().to_string() {
                path if path.is_empty() => mistake.to_string(),
                path => format!("{path}: {mistake}"),
            })
            .collect();
        if mistakes.is_empty() {
            return Ok(());
        }
        Err(format!(
            "the output does not fit its schema: {}",
            mistakes.join("; ")
        ))
    }

    /// No tool was offered in `welcome`, so that the name is the model's invention.
    pub(super) fn tool_call(&mut self, call: &ToolCall) {
        if let Some(running) = self.runs.get_mut(&call.run) {
            running.tool_calls += 1;
            running.effect = true;
        }
        let result = ToolResult {
            run: call.run,
            call: call.call,
            status: ToolStatus::Fail,
            value: Value::Null,
            message: Some(format!("the runtime offers no tool {:?}", call.name)),
        };
        // Refused where the run has just ended: nobody waits for the answer.
        self.session.tool_result(&result, self.outbox.buffer()).ok();
    }

    /// A call that cannot be sent never ran.
    pub(super) fn refuse(&self, call: &Call, refused: &Refused) {
        let fault = match refused {
            Refused::Encode(error) => Fault::new(
                FaultCode::InvalidInput,
                format!("the call cannot be sent: {error}"),
            ),
            _ => Fault::new(
                FaultCode::AgentCrashed,
                format!("the call was not sent: {refused}"),
            )
            .with_retryable(true),
        };
        drop(call.take_lease());
        self.agent.finish(call, Err(fault));
    }
}

fn segment(messages: Option<bytes::Bytes>, count: u64) -> Option<Segment> {
    messages.map(|messages| Segment { messages, count })
}

/// The traceback that a fault's details carry; of a long one the end, which says what happened.
pub(super) fn traceback(details: Option<&Map<String, Value>>) -> Option<String> {
    let text = details?.get("traceback")?.as_str()?;
    let from = text.len().saturating_sub(TRACEBACK_BYTES_MAX);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at))?;
    text.get(from..).map(str::to_owned)
}

/// The beginning of a message, which says what happened.
fn beginning(message: &str) -> String {
    let end = message.len().min(MESSAGE_BYTES_MAX);
    let end = (0..=end).rev().find(|at| message.is_char_boundary(*at));
    message
        .get(..end.unwrap_or(0))
        .unwrap_or_default()
        .to_owned()
}

/// A fault of the agent, in the words of the catalogue.
fn fault_of(frame: FaultFrame) -> Fault {
    let details = frame.details.map_or(Value::Null, Value::Object);
    let Some(code) = FaultCode::parse(&frame.code) else {
        // A later SDK may know codes that this runtime does not.
        let details = json!({ "code": frame.code, "details": details });
        return Fault::new(FaultCode::AgentError, frame.message)
            .with_retryable(frame.retryable)
            .with_details(details);
    };
    let origin = match frame.origin.as_str() {
        "caller" => Origin::Caller,
        "runtime" => Origin::Runtime,
        "agent" => Origin::Agent,
        "model" => Origin::Model,
        "tool" => Origin::Tool,
        _ => code.origin(),
    };
    Fault {
        code,
        origin,
        message: frame.message,
        retryable: frame.retryable,
        details,
    }
}
