//! Streams of events from the node: a run's, a log's, the node's own.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::connection::Answer;
use super::error::ClientError;
use super::limits::STREAM_SILENCE_MAX;
use crate::run::RunEvent;
use crate::sse::{SseEvent, SseParser};

/// The name of the event that a stopping node sends before it ends a stream.
const SHUTDOWN_EVENT: &str = "shutdown";

/// The events of one run. Dropping it cancels the run.
#[derive(Debug)]
pub struct RunStream {
    events: Events,
    ended: bool,
}

impl RunStream {
    pub(super) fn new(answer: Answer) -> Self {
        Self {
            events: Events::new(answer),
            ended: false,
        }
    }

    /// The next event; `None` after the last, which is a result or an error. Safe to drop and to
    /// call again, as in `select!`.
    ///
    /// # Errors
    /// See [`ClientError`]; the stream has ended then.
    pub async fn next(&mut self) -> Result<Option<RunEvent>, ClientError> {
        if self.ended {
            return Ok(None);
        }
        let event = self.read().await;
        self.ended = event.as_ref().map_or(true, RunEvent::is_last);
        event.map(Some)
    }

    async fn read(&mut self) -> Result<RunEvent, ClientError> {
        let event = self
            .events
            .next()
            .await?
            .ok_or(ClientError::Lost { source: None })?;
        if event.name == SHUTDOWN_EVENT {
            return Err(ClientError::Stopping);
        }
        RunEvent::parse(&event.name, &event.data).map_err(|source| ClientError::Answer { source })
    }
}

/// Lines or events, the past ones and then each new one.
#[derive(Debug)]
pub struct Follow<T> {
    events: Events,
    item: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Follow<T> {
    pub(super) fn new(answer: Answer) -> Self {
        Self {
            events: Events::new(answer),
            item: PhantomData,
        }
    }

    /// The next item; `None` when the node stops. Safe to drop and to call again, as in `select!`.
    ///
    /// # Errors
    /// See [`ClientError`]; a node that goes away without a word is [`ClientError::Lost`].
    pub async fn next(&mut self) -> Result<Option<T>, ClientError> {
        let event = self
            .events
            .next()
            .await?
            .ok_or(ClientError::Lost { source: None })?;
        if event.name == SHUTDOWN_EVENT {
            return Ok(None);
        }
        serde_json::from_str(&event.data)
            .map(Some)
            .map_err(|source| ClientError::Answer { source })
    }
}

/// The events of an answer, as they come.
#[derive(Debug)]
struct Events {
    answer: Answer,
    parser: SseParser,
}

impl Events {
    fn new(answer: Answer) -> Self {
        Self {
            answer,
            parser: SseParser::new(),
        }
    }

    /// The next event; `None` at the end of the answer. Silence longer than the node's pings allow
    /// is an error: a node that is stopped, or gone with its machine.
    async fn next(&mut self) -> Result<Option<SseEvent>, ClientError> {
        loop {
            if let Some(event) = self.parser.next_event() {
                return Ok(Some(event));
            }
            let read = tokio::time::timeout(STREAM_SILENCE_MAX, self.answer.next_bytes()).await;
            match read.map_err(|_elapsed| ClientError::TimedOut {
                wait: STREAM_SILENCE_MAX,
            })?? {
                Some(bytes) => {
                    self.parser
                        .push(&bytes)
                        .map_err(|source| ClientError::Stream { source })?;
                }
                None => return Ok(None),
            }
        }
    }
}
