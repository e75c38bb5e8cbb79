//! Answers that are not successes: faults as RFC 9457 problems.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use synapse_api::{Fault, PROBLEM_CONTENT_TYPE, Problem};

/// Seconds after which a refusal for now is worth another try, where the fault does not say.
const RETRY_AFTER_S: u64 = 1;

/// A fault on its way out, with its HTTP status.
#[derive(Debug)]
pub(crate) struct Refusal {
    fault: Fault,
    status: u16,
}

impl Refusal {
    /// The request is not valid.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Fault::new("invalid_input", "caller", message).into()
    }

    /// What the request names is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::invalid(message).with_status(StatusCode::NOT_FOUND)
    }

    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self {
            status: status.as_u16(),
            ..self
        }
    }

    /// Names what the caller may have meant.
    pub(crate) fn with_nearest(mut self, nearest: Option<&str>) -> Self {
        if let Some(nearest) = nearest {
            self.fault
                .message
                .push_str(&format!("; did you mean {nearest:?}?"));
            self.fault.details = json!({ "nearest": nearest });
        }
        self
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let status = fault.http_status();
        Self { fault, status }
    }
}

impl From<synapse_core::fault::Fault> for Refusal {
    fn from(fault: synapse_core::fault::Fault) -> Self {
        crate::convert::fault(fault).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = retry_after_s(&self.fault);
        let problem = Problem::with_status(self.fault, status.as_u16());
        let mut response = (status, axum::Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(PROBLEM_CONTENT_TYPE),
        );
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// When the request may be made again, where that can help: as a model's provider said, or soon.
fn retry_after_s(fault: &Fault) -> Option<u64> {
    let told = fault
        .details
        .get("retry_after_s")
        .and_then(serde_json::Value::as_u64);
    fault.retryable.then(|| told.unwrap_or(RETRY_AFTER_S))
}

/// The name that is meant by one that is not there: the nearest, where it is near.
pub(crate) fn nearest<'a>(
    wrong: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(wrong, name), name))
        .filter(|(distance, name)| *distance <= name.len().div_ceil(3))
        .min()
        .map(|(_distance, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_near_and_another_word_is_not() {
        let names = ["prompt", "input", "stream", "model"];
        assert_eq!(nearest("promt", names), Some("prompt"));
        assert_eq!(nearest("steram", names), Some("stream"));
        assert_eq!(nearest("colour", names), None);
    }
}
