//! Runs: what is asked of an agent, what comes back, and the events of a stream.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::fault::{ErrorBody, Fault};

/// One call of an agent. Exactly one of `prompt` and `input` is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// What a person would say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Any JSON, for agents that take structured input; null is a value.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub input: Option<Value>,
    /// The conversation that the run belongs to; made where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Dependencies, for an agent that takes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deps: Option<Value>,
    /// Messages that go before, instead of a session's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<Value>>,
    /// Another model than the agent's, for this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Model settings for this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Map<String, Value>>,
    /// More instructions for this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// Usage limits for this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_limits: Option<Map<String, Value>>,
    /// Whether the answer is a stream of events.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stream: bool,
    /// Whether a stream of which something was read may begin again after a crash: a second `run`
    /// then says that what came before is void.
    #[serde(default, skip_serializing_if = "is_false")]
    pub restarts: bool,
    /// How long queue and run may take together; it can only shorten the agent's `call_timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

impl RunRequest {
    /// Every field, for the nearest name to a wrong one.
    pub const FIELDS: [&'static str; 12] = [
        "prompt",
        "input",
        "session",
        "deps",
        "history",
        "model",
        "settings",
        "instructions",
        "usage_limits",
        "stream",
        "restarts",
        "timeout_ms",
    ];

    /// A request with a prompt and nothing else.
    #[must_use]
    pub fn prompt(text: impl Into<String>) -> Self {
        Self {
            prompt: Some(text.into()),
            ..Self::default()
        }
    }

    /// A request with a JSON input and nothing else.
    #[must_use]
    pub fn input(value: Value) -> Self {
        Self {
            input: Some(value),
            ..Self::default()
        }
    }
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// Reads `null` as a value that is there: serde would read it as absent.
fn present<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(source).map(Some)
}

const fn once() -> u64 {
    1
}

/// How a run ended well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The run's name, such as `r-17`.
    pub run: String,
    /// The agent.
    pub agent: String,
    /// The incarnation that answered.
    pub incarnation: u64,
    /// How often the call was executed: more than once only after crashes.
    #[serde(default = "once")]
    pub attempts: u64,
    /// The output: text, or what the agent's output type says.
    pub output: Value,
    /// Requests and tokens, where the agent has a model; null otherwise.
    #[serde(default)]
    pub usage: Value,
    /// From the call's arrival to its end, queue included.
    pub duration_ms: u64,
}

/// One event of a run's stream. The last is [`RunEvent::Result`] or [`RunEvent::Error`].
#[derive(Clone, Debug, PartialEq)]
pub enum RunEvent {
    /// An incarnation took the call; the first event, unless the run ends before it. It comes
    /// again where the run begins again in another incarnation: chunks before it are void then.
    Run {
        /// The run's name, for `cancel`.
        run: String,
        /// The agent.
        agent: String,
        /// The incarnation that works on it.
        incarnation: u64,
    },
    /// A piece of the answer's text.
    Chunk {
        /// From 0, one more with each chunk and tool event.
        seq: u64,
        /// The piece.
        text: String,
    },
    /// What the agent does meanwhile: a tool call, its result, a thought.
    Tool(ToolEvent),
    /// The end: the result.
    Result(RunResult),
    /// The end: a fault.
    Error(Fault),
    /// An event that this version does not know.
    Unknown {
        /// The event's name.
        name: String,
        /// Its data.
        data: Value,
    },
}

/// A chunk that is not text. Which fields there are depends on `type`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolEvent {
    /// From 0, one more with each chunk and tool event.
    pub seq: u64,
    /// `tool_call`, `tool_result`, `thinking`, or whatever the agent emits.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The tool, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The model's name for this use of the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// The tool's arguments (`tool_call`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// Whether the tool succeeded (`tool_result`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
    /// What the tool answered (`tool_result`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
    /// The thought (`thinking`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The event as the agent sent it, where `type` is none of the above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl RunEvent {
    /// The event's name in the stream.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Run { .. } => "run",
            Self::Chunk { .. } => "chunk",
            Self::Tool(_) => "tool",
            Self::Result(_) => "result",
            Self::Error(_) => "error",
            Self::Unknown { name, .. } => name,
        }
    }

    /// Its number among the chunks and tool events of the run.
    #[must_use]
    pub const fn seq(&self) -> Option<u64> {
        match self {
            Self::Chunk { seq, .. } | Self::Tool(ToolEvent { seq, .. }) => Some(*seq),
            Self::Run { .. } | Self::Result(_) | Self::Error(_) | Self::Unknown { .. } => None,
        }
    }

    /// The event's data: a line of `--stream --json`, and what stands behind `data:` in the stream.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Run {
                run,
                agent,
                incarnation,
            } => {
                json!({"event": "run", "run": run, "agent": agent, "incarnation": incarnation})
            }
            Self::Chunk { seq, text } => json!({"event": "chunk", "seq": seq, "text": text}),
            Self::Tool(tool) => named("tool", json!(tool)),
            Self::Result(result) => json!(result),
            Self::Error(fault) => json!(ErrorBody {
                error: fault.clone()
            }),
            Self::Unknown { data, .. } => data.clone(),
        }
    }

    /// The event of this name and data.
    ///
    /// # Errors
    /// The data of a known event does not have its shape.
    pub fn parse(name: &str, data: &str) -> Result<Self, serde_json::Error> {
        Ok(match name {
            "run" => {
                let start: RunStart = serde_json::from_str(data)?;
                Self::Run {
                    run: start.run,
                    agent: start.agent,
                    incarnation: start.incarnation,
                }
            }
            "chunk" => {
                let chunk: Chunk = serde_json::from_str(data)?;
                Self::Chunk {
                    seq: chunk.seq,
                    text: chunk.text,
                }
            }
            "tool" => Self::Tool(serde_json::from_str(data)?),
            "result" => Self::Result(serde_json::from_str(data)?),
            "error" => Self::Error(serde_json::from_str::<ErrorBody>(data)?.error),
            _ => Self::Unknown {
                name: name.to_owned(),
                data: serde_json::from_str(data)?,
            },
        })
    }

    /// Whether nothing comes after this event.
    #[must_use]
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Result(_) | Self::Error(_))
    }
}

#[derive(Deserialize)]
struct RunStart {
    run: String,
    agent: String,
    incarnation: u64,
}

#[derive(Deserialize)]
struct Chunk {
    seq: u64,
    text: String,
}

/// `{"event": name, …the object's fields}`.
fn named(name: &str, value: Value) -> Value {
    let mut object = Map::new();
    object.insert("event".to_owned(), Value::from(name));
    if let Value::Object(fields) = value {
        object.extend(fields);
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result() -> RunResult {
        RunResult {
            run: "r-1".into(),
            agent: "echo".into(),
            incarnation: 2,
            attempts: 1,
            output: json!({"a": [1, null]}),
            usage: Value::Null,
            duration_ms: 7,
        }
    }

    #[test]
    fn every_event_reads_back_as_itself() {
        let call = ToolEvent {
            seq: 1,
            kind: "tool_call".into(),
            name: Some("add".into()),
            arguments: Some(json!({"a": 1})),
            ..ToolEvent::default()
        };
        let events = [
            RunEvent::Run {
                run: "r-1".into(),
                agent: "echo".into(),
                incarnation: 2,
            },
            RunEvent::Chunk {
                seq: 0,
                text: "line\nline".into(),
            },
            RunEvent::Tool(call),
            RunEvent::Result(result()),
            RunEvent::Error(Fault::new("agent_crashed", "agent", "gone")),
            RunEvent::Unknown {
                name: "mood".into(),
                data: json!({"event": "mood"}),
            },
        ];
        for event in events {
            let data = event.to_json().to_string();
            assert_eq!(RunEvent::parse(event.name(), &data).unwrap(), event);
        }
    }

    #[test]
    fn only_a_result_and_an_error_are_the_end() {
        assert!(RunEvent::Result(result()).is_last());
        assert!(RunEvent::Error(Fault::new("cancelled", "caller", "")).is_last());
        assert!(
            !RunEvent::Chunk {
                seq: 0,
                text: String::new()
            }
            .is_last()
        );
    }

    #[test]
    fn null_is_an_input_and_an_absent_input_is_none() {
        let null: RunRequest = serde_json::from_str(r#"{"input": null}"#).unwrap();
        let absent: RunRequest = serde_json::from_str("{}").unwrap();
        assert_eq!(
            (null.input.clone(), absent.input),
            (Some(Value::Null), None)
        );
        assert_eq!(serde_json::to_string(&null).unwrap(), r#"{"input":null}"#);
    }

    #[test]
    fn the_list_of_fields_is_that_of_the_struct() {
        let full = RunRequest {
            prompt: Some(String::new()),
            input: Some(Value::Null),
            session: Some(String::new()),
            deps: Some(Value::Null),
            history: Some(Vec::new()),
            model: Some(String::new()),
            settings: Some(Map::new()),
            instructions: Some(String::new()),
            usage_limits: Some(Map::new()),
            stream: true,
            restarts: true,
            timeout_ms: Some(1),
        };
        let Value::Object(fields) = json!(full) else {
            panic!("not an object")
        };
        let mut names: Vec<&str> = fields.keys().map(String::as_str).collect();
        let mut listed = RunRequest::FIELDS.to_vec();
        names.sort_unstable();
        listed.sort_unstable();
        assert_eq!(names, listed);
    }
}
