//! What a request says, checked: its body as JSON, its parameters by name.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use serde::de::DeserializeOwned;
use serde_json::Value;
use synapse_api::limits::REQUEST_BYTES_MAX;

use crate::limits::{BODY_TIMEOUT, TIMEOUT_MS_MAX};
use crate::refusal::{Refusal, nearest};

/// The body as a JSON object that has only these fields.
pub(crate) async fn read_object<T: DeserializeOwned>(
    body: Body,
    fields: &[&str],
) -> Result<T, Refusal> {
    let bytes = read_body(body).await?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| {
        let text = error.to_string();
        Refusal::invalid(format!("the body is not JSON: {text}"))
    })?;
    let Value::Object(object) = &value else {
        return Err(Refusal::invalid("the body must be a JSON object"));
    };
    if let Some(unknown) = object.keys().find(|key| !fields.contains(&key.as_str())) {
        return Err(
            Refusal::invalid(format!("the body has the unknown field {unknown:?}"))
                .with_nearest(nearest(unknown, fields.iter().copied())),
        );
    }
    // From the bytes again: these errors have positions.
    serde_json::from_slice(&bytes)
        .map_err(|error| Refusal::invalid(format!("the body does not have its shape: {error}")))
}

/// The whole body, within the limits of size and time.
async fn read_body(body: Body) -> Result<bytes::Bytes, Refusal> {
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, REQUEST_BYTES_MAX)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_too_long(&error) => Err(Refusal::invalid(format!(
            "the body is longer than {REQUEST_BYTES_MAX} bytes"
        ))
        .with_status(StatusCode::PAYLOAD_TOO_LARGE)),
        Ok(Err(error)) => Err(Refusal::invalid(format!(
            "the body did not come whole: {error}"
        ))),
        Err(_elapsed) => Err(Refusal::invalid(format!(
            "the body did not come within {} s",
            BODY_TIMEOUT.as_secs()
        ))
        .with_status(StatusCode::REQUEST_TIMEOUT)),
    }
}

fn is_too_long(error: &axum::Error) -> bool {
    std::error::Error::source(error)
        .is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}

/// The one variable segment of a route's path.
#[derive(Debug)]
pub(crate) struct Segment<T = String>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segment<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path(segment) = Path::from_request_parts(parts, state)
            .await
            .map_err(|error| Refusal::invalid(format!("the path is not valid: {error}")))?;
        Ok(Self(segment))
    }
}

/// The parameters of a request's query.
#[derive(Debug)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the query; a parameter that is none of `known` is an error.
    pub(crate) fn read(uri: &Uri, known: &[&str]) -> Result<Self, Refusal> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| Refusal::invalid(format!("the query is not valid: {error}")))?;
        match pairs
            .iter()
            .find(|(name, _value)| !known.contains(&name.as_str()))
        {
            Some((unknown, _value)) => Err(Refusal::invalid(format!(
                "there is no parameter {unknown:?} here"
            ))
            .with_nearest(nearest(unknown, known.iter().copied()))),
            None => Ok(Self(pairs)),
        }
    }

    /// `true` or `false`; false where it is absent.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(Refusal::invalid(format!(
                "{name} is true or false, and not {other:?}"
            ))),
        }
    }

    /// A whole number of at most `max`.
    pub(crate) fn number(&self, name: &str, max: u64) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        text.parse()
            .ok()
            .filter(|number| *number <= max)
            .map(Some)
            .ok_or_else(|| {
                Refusal::invalid(format!(
                    "{name} is a whole number from 0 to {max}, and not {text:?}"
                ))
            })
    }

    /// The parameter of this name; the last, where there are many.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(found, _value)| found == name)
            .map(|(_name, value)| value.as_str())
    }
}

/// A caller's `timeout_ms`.
pub(crate) fn timeout(timeout_ms: Option<u64>) -> Result<Option<Duration>, Refusal> {
    match timeout_ms {
        Some(time) if !(1..=TIMEOUT_MS_MAX).contains(&time) => Err(Refusal::invalid(format!(
            "timeout_ms is a whole number from 1 to {TIMEOUT_MS_MAX}, and not {time}"
        ))),
        time => Ok(time.map(Duration::from_millis)),
    }
}
