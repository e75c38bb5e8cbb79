//! What a dead letter says. It refuses to know where it is kept.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use synapse_core::fault::{Fault, FaultCode};
use synapse_core::spec::UsageLimits;

use crate::call::CallInput;

/// Characters of an input that a list shows.
const PREVIEW_CHARS: usize = 200;

/// The number of a dead letter, unique in its data directory. Its text form is `d-3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LetterId(pub u64);

impl fmt::Display for LetterId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "d-{}", self.0)
    }
}

impl FromStr for LetterId {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let number = text.strip_prefix("d-").and_then(|it| it.parse().ok());
        number.map(Self).ok_or_else(|| {
            let message = format!("{text:?} is not a dead letter's id; one looks like d-3");
            Fault::new(FaultCode::InvalidInput, message)
        })
    }
}

/// A dead letter's line in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetterHead {
    /// Which.
    pub id: LetterId,
    /// The agent that the call was for.
    pub agent: String,
    /// When it was last refused, RFC 3339 in UTC.
    pub at: String,
    /// The conversation that the call was part of.
    pub session: Option<String>,
    /// The last run of it, e.g. `r-17`.
    pub run: String,
    /// How often it has killed the agent, by whichever caller.
    pub deaths: u32,
    /// How often the last call was executed.
    pub attempts: u32,
    /// How the agent's process ended the last time, e.g. `killed by signal 9`.
    pub reason: String,
    /// The beginning of its input.
    pub preview: String,
}

/// A call that has killed its agent too often, with the evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its line in a list.
    #[serde(skip)]
    pub head: DeadLetterHead,
    /// What it said.
    pub call: KeptCall,
    /// The exits that it caused, the latest last, each as in the event `agent_exited`.
    pub exits: Vec<Value>,
}

/// What a call said, so that it can be made again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptCall {
    /// The prompt or the JSON.
    pub input: Value,
    /// Whether chunks were wanted.
    pub stream: bool,
    /// Dependencies.
    pub deps: Option<Value>,
    /// The messages before the call, as the JSON of a list each.
    pub history: Vec<String>,
    /// Another model.
    pub model: Option<String>,
    /// Model settings.
    pub settings: Option<Map<String, Value>>,
    /// Instructions.
    pub instructions: Option<String>,
    /// Usage limits.
    pub usage_limits: Option<UsageLimits>,
}

impl Default for DeadLetterHead {
    fn default() -> Self {
        Self {
            id: LetterId(0),
            agent: String::new(),
            at: String::new(),
            session: None,
            run: String::new(),
            deaths: 0,
            attempts: 0,
            reason: String::new(),
            preview: String::new(),
        }
    }
}

impl DeadLetter {
    /// What it takes in memory, roughly: as much as its text.
    pub(crate) fn bytes(&self) -> u64 {
        struct Count(u64);
        impl std::io::Write for Count {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0 += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut count = Count(0);
        match serde_json::to_writer(&mut count, self) {
            Ok(()) => count.0,
            // What cannot be written takes no place on the disk.
            Err(_) => 0,
        }
    }
}

impl KeptCall {
    pub(crate) fn of(call: &CallInput) -> Self {
        // Messages are JSON, and so text, whoever wrote them.
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        Self {
            input: call.input.clone(),
            stream: call.stream,
            deps: call.deps.clone(),
            history: call.history.iter().map(text).collect(),
            model: call.model.clone(),
            settings: call.settings.clone(),
            instructions: call.instructions.clone(),
            usage_limits: call.usage_limits,
        }
    }

    /// The same call, answered as a whole.
    pub(crate) fn input(&self) -> CallInput {
        CallInput {
            input: self.input.clone(),
            deps: self.deps.clone(),
            history: self.history.iter().cloned().map(Bytes::from).collect(),
            model: self.model.clone(),
            settings: self.settings.clone(),
            instructions: self.instructions.clone(),
            usage_limits: self.usage_limits,
            ..CallInput::default()
        }
    }

    /// The beginning of the input, on one line.
    pub(crate) fn preview(&self) -> String {
        let text = match &self.input {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let line: String = text
            .chars()
            .map(|it| if it.is_control() { ' ' } else { it })
            .take(PREVIEW_CHARS)
            .collect();
        if text.chars().nth(PREVIEW_CHARS).is_some() {
            return line + "…";
        }
        line
    }
}
