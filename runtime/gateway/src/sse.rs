//! Server-sent events: what a source has, pings where it has nothing, a farewell when the gateway
//! closes.
//!
//! Events that are there at once are written at once, so that a fast stream costs one write for
//! many chunks; none is ever held back. The source is asked only when the connection can take more,
//! so that a slow reader slows its own source.

use std::convert::Infallible;
use std::future::Future;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{FutureExt, stream};

use crate::closing::Closing;
use crate::limits::{BATCH_BYTES, PING_INTERVAL};

/// An event on its way out.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) name: String,
    /// Its number in its stream, where it has one.
    pub(crate) id: Option<u64>,
    pub(crate) data: String,
}

/// Where events come from.
pub(crate) trait Source: Send + 'static {
    /// The next event; `None` after the last. Cancel-safe.
    fn next(&mut self) -> impl Future<Output = Option<Outgoing>> + Send;
}

/// The answer that streams a source.
pub(crate) fn respond<S: Source>(source: S, closing: Closing) -> Response {
    let writer = Writer {
        source,
        closing,
        ended: false,
    };
    let mut response = Response::new(Body::from_stream(stream::unfold(writer, Writer::step)));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

struct Writer<S> {
    source: S,
    closing: Closing,
    ended: bool,
}

impl<S: Source> Writer<S> {
    async fn step(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if self.ended {
            return None;
        }
        let bytes = self.next_bytes().await;
        (!bytes.is_empty()).then_some((Ok(Bytes::from(bytes)), self))
    }

    /// The next bytes of the stream; none at its end.
    async fn next_bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Self {
            source, closing, ..
        } = self;
        tokio::select! {
            // What happened before the gateway closes is told before its farewell.
            biased;
            event = source.next() => self.take(event, &mut bytes),
            () = closing.closed() => {
                self.ended = true;
                write(&mut bytes, "shutdown", "{}");
                return bytes;
            }
            () = tokio::time::sleep(PING_INTERVAL) => bytes.extend_from_slice(b": ping\n\n"),
        }
        while !self.ended && bytes.len() < BATCH_BYTES {
            match self.source.next().now_or_never() {
                Some(event) => self.take(event, &mut bytes),
                None => break,
            }
        }
        bytes
    }

    fn take(&mut self, event: Option<Outgoing>, bytes: &mut Vec<u8>) {
        match event {
            Some(event) => {
                if let Some(id) = event.id {
                    bytes.extend_from_slice(format!("id: {id}\n").as_bytes());
                }
                write(bytes, &event.name, &event.data);
            }
            None => self.ended = true,
        }
    }
}

/// JSON has no line ends in it, so the data is one line.
fn write(bytes: &mut Vec<u8>, name: &str, data: &str) {
    for part in ["event: ", name, "\ndata: ", data, "\n\n"] {
        bytes.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http_body_util::BodyExt;

    use super::*;
    use crate::closing::{Closer, closing};

    /// Gives its events, then nothing for ever.
    struct Script(VecDeque<Option<&'static str>>);

    impl Source for Script {
        async fn next(&mut self) -> Option<Outgoing> {
            match self.0.pop_front() {
                Some(data) => data.map(|data| Outgoing {
                    name: "x".into(),
                    id: None,
                    data: data.into(),
                }),
                None => std::future::pending().await,
            }
        }
    }

    fn body(script: &[Option<&'static str>]) -> (Closer, Body) {
        let (close, closing) = closing();
        let source = Script(script.iter().copied().collect());
        (close, respond(source, closing).into_body())
    }

    async fn next_text(body: &mut Body) -> Option<String> {
        let frame = body.frame().await?.unwrap().into_data().unwrap();
        Some(String::from_utf8(frame.to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_are_there_at_once_are_one_write_and_silence_is_pinged() {
        let (_close, mut body) = body(&[Some("1"), Some("2")]);
        let both = "event: x\ndata: 1\n\nevent: x\ndata: 2\n\n";
        assert_eq!(next_text(&mut body).await.as_deref(), Some(both));
        assert_eq!(next_text(&mut body).await.as_deref(), Some(": ping\n\n"));
        assert_eq!(next_text(&mut body).await.as_deref(), Some(": ping\n\n"));
    }

    #[tokio::test]
    async fn the_body_ends_with_its_source() {
        let (_close, mut body) = body(&[Some("1"), None]);
        assert_eq!(
            next_text(&mut body).await.as_deref(),
            Some("event: x\ndata: 1\n\n")
        );
        assert_eq!(next_text(&mut body).await, None);
    }

    #[tokio::test]
    async fn a_gateway_that_closes_says_so_after_what_it_still_had() {
        let (close, mut body) = body(&[Some("1")]);
        close.close();
        assert_eq!(
            next_text(&mut body).await.as_deref(),
            Some("event: x\ndata: 1\n\n")
        );
        assert_eq!(
            next_text(&mut body).await.as_deref(),
            Some("event: shutdown\ndata: {}\n\n")
        );
        assert_eq!(next_text(&mut body).await, None);
    }
}
