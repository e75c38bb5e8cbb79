//! The routes of runs: a call, whole or as a stream, and its cancel.
//!
//! A client that goes away drops the answer and with it the node's [`Run`], which cancels it.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use synapse_api::RunRequest;
use synapse_core::spec::UsageLimits;
use synapse_node::{CallRequest, Run, RunId};

use crate::convert;
use crate::refusal::{Refusal, nearest};
use crate::request::{Segment, read_object, timeout};
use crate::routes::Shared;
use crate::sse::{self, Outgoing, Source};

/// The header that names a streamed run before its first event.
const RUN_HEADER: &str = "synapse-run";

pub(crate) async fn run(
    State(shared): State<Shared>,
    Segment(agent): Segment,
    body: Body,
) -> Result<Response, Refusal> {
    let request: RunRequest = read_object(body, &RunRequest::FIELDS).await?;
    let call = call_request(request)?;
    if call.stream {
        let run = shared.node.start_run(&agent, call).await?;
        return Ok(stream(run, agent, &shared));
    }
    let outcome = shared.node.call(&agent, call).await?;
    Ok(axum::Json(convert::run_result(outcome)).into_response())
}

fn stream(run: Run, agent: String, shared: &Shared) -> Response {
    let name = HeaderValue::from_str(&run.id().to_string());
    let mut response = sse::respond(RunSource { run, agent }, shared.closing.clone());
    if let Ok(name) = name {
        response.headers_mut().insert(RUN_HEADER, name);
    }
    response
}

struct RunSource {
    run: Run,
    agent: String,
}

impl Source for RunSource {
    async fn next(&mut self) -> Option<Outgoing> {
        let event = self.run.next().await?;
        let event = convert::run_event(event, self.run.id(), &self.agent);
        Some(Outgoing {
            name: event.name().to_owned(),
            id: event.seq(),
            data: event.to_json().to_string(),
        })
    }
}

pub(crate) async fn cancel(
    State(shared): State<Shared>,
    Segment(run): Segment,
) -> Result<Response, Refusal> {
    let id: RunId = run.parse().map_err(Refusal::from)?;
    if !shared.node.cancel(id) {
        return Err(Refusal::not_found(format!("no run {id} is under way")));
    }
    Ok((StatusCode::ACCEPTED, axum::Json(json!({}))).into_response())
}

fn call_request(request: RunRequest) -> Result<CallRequest, Refusal> {
    let input = match (request.prompt, request.input) {
        (Some(prompt), None) => Value::String(prompt),
        (None, Some(input)) => input,
        (Some(_), Some(_)) => {
            return Err(Refusal::invalid(
                "the body has both prompt and input; give one",
            ));
        }
        (None, None) => {
            return Err(Refusal::invalid(
                "the body has neither prompt nor input; give one",
            ));
        }
    };
    Ok(CallRequest {
        input,
        stream: request.stream,
        restarts: request.restarts,
        session: request.session,
        deps: request.deps,
        history: request
            .history
            .map(|messages| Value::Array(messages).to_string().into_bytes()),
        model: request.model,
        settings: request.settings,
        instructions: request.instructions,
        usage_limits: request
            .usage_limits
            .as_ref()
            .map(usage_limits)
            .transpose()?,
        timeout: timeout(request.timeout_ms)?,
    })
}

fn usage_limits(given: &Map<String, Value>) -> Result<UsageLimits, Refusal> {
    const NAMES: [&str; 5] = [
        "requests",
        "tool_calls",
        "input_tokens",
        "output_tokens",
        "total_tokens",
    ];
    let mut limits = UsageLimits::default();
    for (name, value) in given {
        let limit = match name.as_str() {
            "requests" => &mut limits.requests,
            "tool_calls" => &mut limits.tool_calls,
            "input_tokens" => &mut limits.input_tokens,
            "output_tokens" => &mut limits.output_tokens,
            "total_tokens" => &mut limits.total_tokens,
            _ => {
                return Err(
                    Refusal::invalid(format!("usage_limits has no limit {name:?}"))
                        .with_nearest(nearest(name, NAMES)),
                );
            }
        };
        *limit = value.as_u64();
        if limit.is_none() && !value.is_null() {
            return Err(Refusal::invalid(format!(
                "usage_limits.{name} is a whole number or null, and not {value}"
            )));
        }
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(given: &Value) -> Result<UsageLimits, Refusal> {
        usage_limits(given.as_object().unwrap())
    }

    #[test]
    fn usage_limits_are_read_by_name() {
        let read = limits(&json!({"requests": 3, "total_tokens": null})).unwrap();
        assert_eq!(
            read,
            UsageLimits {
                requests: Some(3),
                ..UsageLimits::default()
            }
        );
    }

    #[test]
    fn a_wrong_limit_is_refused_with_its_name() {
        for (given, part) in [
            (json!({"request": 3}), "did you mean"),
            (
                json!({"requests": -1}),
                "usage_limits.requests is a whole number",
            ),
            (
                json!({"requests": "3"}),
                "usage_limits.requests is a whole number",
            ),
        ] {
            let refusal = format!("{:?}", limits(&given).unwrap_err());
            assert!(refusal.contains(part), "{refusal}");
        }
    }

    #[test]
    fn exactly_one_of_prompt_and_input_is_taken() {
        let both = RunRequest {
            input: Some(Value::Null),
            ..RunRequest::prompt("x")
        };
        assert!(call_request(both).is_err());
        assert!(call_request(RunRequest::default()).is_err());
        assert_eq!(
            call_request(RunRequest::prompt("x")).unwrap().input,
            json!("x")
        );
        assert_eq!(
            call_request(RunRequest::input(Value::Null)).unwrap().input,
            Value::Null
        );
    }
}
