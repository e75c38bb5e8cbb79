//! One connection, one request, one answer: HTTP/1.1 over the Unix socket.

use std::io;
use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::task::AbortHandle;

use super::error::{ClientError, ConnectError};
use super::limits::{ANSWER_BYTES_MAX, CONNECT_TIMEOUT};
use crate::fault::Problem;

/// Opens the socket of this data directory's node.
pub(super) async fn open(socket: &Path, data_dir: &Path) -> Result<Connection, ConnectError> {
    match tokio::time::timeout(CONNECT_TIMEOUT, UnixStream::connect(socket)).await {
        Ok(Ok(stream)) => Ok(Connection { stream }),
        Ok(Err(error)) => Err(explain(error, socket, data_dir)),
        Err(_elapsed) => Err(ConnectError::TimedOut {
            socket: socket.to_owned(),
            wait: CONNECT_TIMEOUT,
        }),
    }
}

fn explain(error: io::Error, socket: &Path, data_dir: &Path) -> ConnectError {
    match error.kind() {
        io::ErrorKind::NotFound => ConnectError::NoNode {
            data_dir: data_dir.to_owned(),
        },
        io::ErrorKind::ConnectionRefused => ConnectError::Stale {
            data_dir: data_dir.to_owned(),
        },
        io::ErrorKind::PermissionDenied => ConnectError::Denied {
            socket: socket.to_owned(),
        },
        // A path too long for a socket, without the file that names another: nobody was there.
        io::ErrorKind::InvalidInput => ConnectError::NoNode {
            data_dir: data_dir.to_owned(),
        },
        _ => ConnectError::Io {
            socket: socket.to_owned(),
            source: error,
        },
    }
}

/// An open connection that has sent nothing yet.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
}

impl Connection {
    pub(super) async fn send(
        self,
        method: Method,
        route: Route,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, ClientError> {
        let lost = |source| ClientError::Lost {
            source: Some(source),
        };
        let (mut sender, driver) = handshake::<_, Full<Bytes>>(TokioIo::new(self.stream))
            .await
            .map_err(lost)?;
        // The driver ends with the connection; its error is told to the sender and the body too.
        let task = tokio::spawn(async move { driver.await.unwrap_or_default() });
        let closer = Closer(task.abort_handle());
        let request = request(method, &route, body)?;
        let response = sender.send_request(request).await.map_err(lost)?;
        Ok(Answer {
            response,
            _sender: sender,
            _closer: closer,
        })
    }
}

fn request(
    method: Method,
    route: &Route,
    body: Option<Vec<u8>>,
) -> Result<Request<Full<Bytes>>, ClientError> {
    let mut builder = Request::builder()
        .method(method)
        .uri(&route.0)
        .header(HOST, "localhost");
    if body.is_some() {
        builder = builder.header(CONTENT_TYPE, "application/json");
    }
    builder
        .body(Full::new(Bytes::from(body.unwrap_or_default())))
        .map_err(|source| ClientError::Form { source })
}

/// Closes the connection when the answer is dropped: the node then cancels the run behind it.
#[derive(Debug)]
struct Closer(AbortHandle);

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The head of an answer; its body comes piece by piece.
#[derive(Debug)]
pub(super) struct Answer {
    response: Response<Incoming>,
    /// hyper ends a connection without a sender as soon as it may.
    _sender: SendRequest<Full<Bytes>>,
    _closer: Closer,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        self.response.status().is_success()
    }

    /// The next bytes of the body; `None` at its end.
    pub(super) async fn next_bytes(&mut self) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = self.response.body_mut().frame().await {
            let frame = frame.map_err(|source| ClientError::Lost {
                source: Some(source),
            })?;
            // Trailers are nothing to us.
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The whole body.
    pub(super) async fn collect(&mut self) -> Result<Vec<u8>, ClientError> {
        let mut whole = Vec::new();
        while let Some(bytes) = self.next_bytes().await? {
            if whole.len() + bytes.len() > ANSWER_BYTES_MAX {
                return Err(ClientError::TooLong {
                    limit: ANSWER_BYTES_MAX,
                });
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }

    /// The fault of an answer that is not a success.
    pub(super) async fn into_fault(mut self) -> ClientError {
        let status = self.response.status().as_u16();
        match self.collect().await {
            Ok(body) => serde_json::from_slice::<Problem>(&body).map_or_else(
                |_other| ClientError::NotProblem { status },
                |problem| ClientError::Fault(Box::new(problem.into())),
            ),
            Err(error) => error,
        }
    }
}

/// A request's target: path and query, each part escaped.
#[derive(Clone, Debug)]
pub(super) struct Route(String);

impl Route {
    pub(super) fn new(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// One more segment of the path, whatever a user typed.
    pub(super) fn segment(mut self, text: &str) -> Self {
        self.0.push('/');
        escape(text, &mut self.0);
        self
    }

    /// One more parameter.
    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(name);
        self.0.push('=');
        escape(value, &mut self.0);
        self
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters.
fn escape(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                into.push(char::from(byte));
            }
            _ => into.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_typed_stays_one_segment() {
        let route = Route::new("/v1/agents")
            .segment("a/../b c?é")
            .query("tail", "5")
            .query("x", "&");
        assert_eq!(route.0, "/v1/agents/a%2F..%2Fb%20c%3F%C3%A9?tail=5&x=%26");
    }
}
