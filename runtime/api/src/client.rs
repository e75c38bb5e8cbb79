//! The client of a node's control socket: one method for each route.
//!
//! Each request has a connection of its own, so that dropping the answer closes it and cancels the
//! run behind it. Every wait is bounded, by [`limits`] or by the caller.

mod connection;
mod error;
pub mod limits;
mod stream;

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Method;
use serde::de::DeserializeOwned;

use crate::action::{ActionAnswer, ActionKind, ActionOutcome, ActionRequest};
use crate::deadletter::{DeadLetter, DeadLetterList, Dropped};
use crate::detail::AgentDetail;
use crate::dossier::{Dossier, WhichExit};
use crate::event::{EventList, NodeEvent};
use crate::log::{LogLine, LogList};
use crate::run::{RunRequest, RunResult};
use crate::session::SessionView;
use crate::socket::socket_path;
use crate::stack::{StackList, StackTarget};
use crate::status::Status;

use connection::{Connection, Route};
pub use error::{ClientError, ConnectError};
pub use stream::{Follow, RunStream};

/// Which lines of an agent's log are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Those of the incarnation before the current one.
    pub previous: bool,
    /// The last so many; the node's own default where `None`.
    pub tail: Option<usize>,
}

/// A client of one node.
#[derive(Clone, Debug)]
pub struct Client {
    data_dir: PathBuf,
    socket: PathBuf,
}

impl Client {
    /// The client of the node that uses this data directory.
    ///
    /// # Errors
    /// Nobody listens there; the error says what to do.
    pub async fn connect(data_dir: &Path) -> Result<Self, ConnectError> {
        let socket = socket_path(data_dir).map_err(|source| ConnectError::Path {
            data_dir: data_dir.to_owned(),
            source,
        })?;
        let client = Self {
            data_dir: data_dir.to_owned(),
            socket,
        };
        // A connection of its own, closed at once: it tells now, and not in the middle of the first
        // request, that there is nobody.
        connection::open(&client.socket, &client.data_dir).await?;
        Ok(client)
    }

    /// The data directory whose node this client speaks with.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The node's status now.
    ///
    /// # Errors
    /// See [`ClientError`]; so for all requests.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.get(Route::new("/v1/status"), limits::REQUEST_TIMEOUT)
            .await
    }

    /// The node's status when every agent is ready or has settled, at the latest after `timeout`:
    /// then the fault `deadline_exceeded`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn status_settled(&self, timeout: Duration) -> Result<Status, ClientError> {
        let route = Route::new("/v1/status")
            .query("wait", "true")
            .query("timeout_ms", &timeout.as_millis().to_string());
        self.get(route, timeout.saturating_add(limits::ANSWER_MARGIN))
            .await
    }

    /// One agent in detail.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn agent(&self, name: &str) -> Result<AgentDetail, ClientError> {
        self.get(
            Route::new("/v1/agents").segment(name),
            limits::REQUEST_TIMEOUT,
        )
        .await
    }

    /// The dossier of one exit of an agent.
    ///
    /// # Errors
    /// See [`ClientError`]; an exit that is not kept is a fault, which names those that are.
    pub async fn exit(&self, agent: &str, which: WhichExit) -> Result<Dossier, ClientError> {
        let route = Route::new("/v1/agents").segment(agent).segment("exits");
        let route = route.segment(&which.to_string());
        self.get(route, limits::REQUEST_TIMEOUT).await
    }

    /// Where the Python threads of an agent's processes stand.
    ///
    /// # Errors
    /// See [`ClientError`]; a fault where none of the processes says so.
    pub async fn stacks(&self, target: &StackTarget) -> Result<StackList, ClientError> {
        let route = Route::new("/v1/agents").segment(&target.agent);
        let route = route.segment("stacks");
        let route = match target.replica {
            Some(replica) => route.query("replica", &replica.to_string()),
            None => route,
        };
        self.get(route, limits::REQUEST_TIMEOUT).await
    }

    /// Calls an agent and waits for the whole result. Dropping the future cancels the run.
    ///
    /// # Errors
    /// See [`ClientError`]; a run that fails is [`ClientError::Fault`].
    pub async fn run(&self, agent: &str, request: &RunRequest) -> Result<RunResult, ClientError> {
        let request = RunRequest {
            stream: false,
            ..request.clone()
        };
        let wait = limits::run_wait(request.timeout_ms);
        let route = Route::new("/v1/agents").segment(agent).segment("runs");
        self.exchange(Method::POST, route, Some(to_body(&request)?), wait)
            .await
    }

    /// Calls an agent and gives its events as they come. Dropping the stream cancels the run.
    ///
    /// # Errors
    /// See [`ClientError`]; a run that fails ends in [`crate::RunEvent::Error`], a call that is
    /// refused before it is one is [`ClientError::Fault`].
    pub async fn run_stream(
        &self,
        agent: &str,
        request: &RunRequest,
    ) -> Result<RunStream, ClientError> {
        let request = RunRequest {
            stream: true,
            ..request.clone()
        };
        let wait = limits::run_wait(request.timeout_ms);
        let route = Route::new("/v1/agents").segment(agent).segment("runs");
        let answer = self
            .send(Method::POST, route, Some(to_body(&request)?), wait)
            .await?;
        Ok(RunStream::new(answer))
    }

    /// Cancels a run by its name. It is answered when the cancel is on its way, not when it ended.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn cancel(&self, run: &str) -> Result<(), ClientError> {
        let route = Route::new("/v1/runs").segment(run).segment("cancel");
        self.send(Method::POST, route, None, limits::REQUEST_TIMEOUT)
            .await?;
        Ok(())
    }

    /// Does something to the agents that `targets` (names, globs, supervisors) name.
    ///
    /// # Errors
    /// See [`ClientError`]; a target that nobody has is the fault `agent_not_found`.
    pub async fn action(
        &self,
        kind: ActionKind,
        targets: &[String],
    ) -> Result<Vec<ActionOutcome>, ClientError> {
        let body = to_body(&ActionRequest {
            targets: targets.to_vec(),
        })?;
        let route = Route::new("/v1/actions").segment(kind.as_str());
        let answer: ActionAnswer = self
            .exchange(Method::POST, route, Some(body), limits::ACTION_TIMEOUT)
            .await?;
        Ok(answer.results)
    }

    /// The last lines of an agent's log, the oldest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn logs(&self, agent: &str, query: LogQuery) -> Result<Vec<LogLine>, ClientError> {
        let list: LogList = self
            .get(log_route(agent, query), limits::REQUEST_TIMEOUT)
            .await?;
        Ok(list.lines)
    }

    /// The last lines of an agent's log, and then each new one.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn logs_follow(
        &self,
        agent: &str,
        query: LogQuery,
    ) -> Result<Follow<LogLine>, ClientError> {
        self.follow(log_route(agent, query)).await
    }

    /// The node's last events, the oldest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn events(&self, tail: Option<usize>) -> Result<Vec<NodeEvent>, ClientError> {
        let list: EventList = self.get(event_route(tail), limits::REQUEST_TIMEOUT).await?;
        Ok(list.events)
    }

    /// The node's last events, and then each new one.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn events_follow(
        &self,
        tail: Option<usize>,
    ) -> Result<Follow<NodeEvent>, ClientError> {
        self.follow(event_route(tail)).await
    }

    /// A conversation.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn session(&self, id: &str) -> Result<SessionView, ClientError> {
        self.get(
            Route::new("/v1/sessions").segment(id),
            limits::REQUEST_TIMEOUT,
        )
        .await
    }

    /// Forgets a conversation.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn drop_session(&self, id: &str) -> Result<(), ClientError> {
        let route = Route::new("/v1/sessions").segment(id);
        self.send(Method::DELETE, route, None, limits::REQUEST_TIMEOUT)
            .await?;
        Ok(())
    }

    /// The dead letters of one agent, or all.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn dead_letters(&self, agent: Option<&str>) -> Result<DeadLetterList, ClientError> {
        self.get(letters_route(agent), limits::REQUEST_TIMEOUT)
            .await
    }

    /// One dead letter, with all that is known.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn dead_letter(&self, id: &str) -> Result<DeadLetter, ClientError> {
        let route = letters_route(None).segment(id);
        self.get(route, limits::REQUEST_TIMEOUT).await
    }

    /// Makes the call of a dead letter again, and waits for its result, which ends the letter.
    /// Dropping the future cancels the run.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn retry_dead_letter(&self, id: &str) -> Result<RunResult, ClientError> {
        let route = letters_route(None).segment(id).segment("retry");
        let wait = limits::run_wait(None);
        self.exchange(Method::POST, route, None, wait).await
    }

    /// Forgets a dead letter.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn drop_dead_letter(&self, id: &str) -> Result<(), ClientError> {
        let route = letters_route(None).segment(id);
        self.send(Method::DELETE, route, None, limits::REQUEST_TIMEOUT)
            .await?;
        Ok(())
    }

    /// Forgets the dead letters of one agent, or all; how many there were.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn drop_dead_letters(&self, agent: Option<&str>) -> Result<u64, ClientError> {
        let route = letters_route(agent);
        let dropped: Dropped = self
            .exchange(Method::DELETE, route, None, limits::REQUEST_TIMEOUT)
            .await?;
        Ok(dropped.dropped)
    }

    /// Asks the node to stop in order. It is answered when the stop has begun.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn shutdown(&self) -> Result<(), ClientError> {
        self.send(
            Method::POST,
            Route::new("/v1/shutdown"),
            None,
            limits::REQUEST_TIMEOUT,
        )
        .await?;
        Ok(())
    }

    async fn get<T: DeserializeOwned>(
        &self,
        route: Route,
        wait: Duration,
    ) -> Result<T, ClientError> {
        self.exchange(Method::GET, route, None, wait).await
    }

    async fn follow<T: DeserializeOwned>(&self, route: Route) -> Result<Follow<T>, ClientError> {
        let route = route.query("follow", "true");
        let answer = self
            .send(Method::GET, route, None, limits::REQUEST_TIMEOUT)
            .await?;
        Ok(Follow::new(answer))
    }

    /// A request and its whole answer, within `wait`.
    async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        route: Route,
        body: Option<Vec<u8>>,
        wait: Duration,
    ) -> Result<T, ClientError> {
        let deadline = tokio::time::Instant::now() + wait;
        let mut answer = self.send(method, route, body, wait).await?;
        let bytes = tokio::time::timeout_at(deadline, answer.collect())
            .await
            .map_err(|_elapsed| ClientError::TimedOut { wait })??;
        serde_json::from_slice(&bytes).map_err(|source| ClientError::Answer { source })
    }

    /// A request and the head of its answer, within `wait`; an answer that is a problem is a fault.
    async fn send(
        &self,
        method: Method,
        route: Route,
        body: Option<Vec<u8>>,
        wait: Duration,
    ) -> Result<connection::Answer, ClientError> {
        let connection = connection::open(&self.socket, &self.data_dir).await?;
        tokio::time::timeout(wait, send(connection, method, route, body))
            .await
            .map_err(|_elapsed| ClientError::TimedOut { wait })?
    }
}

async fn send(
    connection: Connection,
    method: Method,
    route: Route,
    body: Option<Vec<u8>>,
) -> Result<connection::Answer, ClientError> {
    let answer = connection.send(method, route, body).await?;
    match answer.is_success() {
        true => Ok(answer),
        false => Err(answer.into_fault().await),
    }
}

fn to_body<T: serde::Serialize>(request: &T) -> Result<Vec<u8>, ClientError> {
    let body = serde_json::to_vec(request).map_err(|source| ClientError::Request { source })?;
    match body.len() > limits::REQUEST_BYTES_MAX {
        true => Err(ClientError::RequestTooLong {
            limit: limits::REQUEST_BYTES_MAX,
        }),
        false => Ok(body),
    }
}

fn letters_route(agent: Option<&str>) -> Route {
    let route = Route::new("/v1/deadletters");
    match agent {
        Some(agent) => route.query("agent", agent),
        None => route,
    }
}

fn log_route(agent: &str, query: LogQuery) -> Route {
    let route = Route::new("/v1/agents").segment(agent).segment("logs");
    let route = if query.previous {
        route.query("previous", "true")
    } else {
        route
    };
    tail(route, query.tail)
}

fn event_route(lines: Option<usize>) -> Route {
    tail(Route::new("/v1/events"), lines)
}

fn tail(route: Route, lines: Option<usize>) -> Route {
    match lines {
        Some(lines) => route.query("tail", &lines.to_string()),
        None => route,
    }
}

#[cfg(test)]
mod tests;
