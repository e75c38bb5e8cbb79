//! The server with routes of the tests: what becomes of connections and of the work behind them.

use std::time::Duration;

use axum::body::Body;
use axum::routing::{get, post};
use synapse_api::{Client, Problem};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::*;
use crate::refusal::Refusal;
use crate::request::{Segment, read_object};
use crate::routes::with_refusals;
use crate::sse::{self, Outgoing, Source};

/// For what must happen at once; long enough for a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// Says when it is dropped.
struct Work(mpsc::UnboundedSender<&'static str>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.send("dropped").unwrap();
    }
}

impl Source for Work {
    async fn next(&mut self) -> Option<Outgoing> {
        std::future::pending().await
    }
}

struct Setup {
    gateway: Gateway,
    signs: mpsc::UnboundedReceiver<&'static str>,
    folder: tempfile::TempDir,
}

impl Setup {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lock = DataDirLock::acquire(folder.path(), "test").unwrap();
        let (signal, signs) = mpsc::unbounded_channel();
        let (closer, closing) = closing();
        let router = routes(signal, closing.clone());
        let gateway = serve_routes(router, lock, closer, closing).unwrap();
        Self {
            gateway,
            signs,
            folder,
        }
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.gateway.socket()).await.unwrap()
    }

    /// The status and the body of the answer to a request.
    async fn ask(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = self.connect().await;
        let length = body.len();
        let text = format!(
            "{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(SOON, stream.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (
            head.split(' ').nth(1).unwrap().parse().unwrap(),
            body.to_owned(),
        )
    }

    async fn refused(&self, head: &str, body: &str) -> Problem {
        let (status, text) = self.ask(head, body).await;
        let problem: Problem = serde_json::from_str(&text).unwrap();
        assert_eq!(problem.status, status);
        problem
    }

    async fn sign(&mut self) -> &'static str {
        tokio::time::timeout(SOON, self.signs.recv())
            .await
            .unwrap()
            .unwrap()
    }
}

/// `/work` begins work that never ends, `/stream` streams it, `/body` reads a body, `/echo/` its path.
fn routes(signal: mpsc::UnboundedSender<&'static str>, closing: Closing) -> Router {
    let streaming = signal.clone();
    let work = move || {
        let work = Work(signal.clone());
        async move {
            work.0.send("begun").unwrap();
            std::future::pending::<()>().await;
        }
    };
    let stream = move || {
        let work = Work(streaming.clone());
        async move {
            work.0.send("begun").unwrap();
            sse::respond(work, closing)
        }
    };
    let body = |body: Body| async {
        let read: serde_json::Value = read_object(body, &["targets"]).await?;
        Ok::<_, Refusal>(axum::Json(read))
    };
    let router = Router::new()
        .route("/work", get(work))
        .route("/stream", get(stream))
        .route("/body", post(body))
        .route("/echo/{text}", get(|Segment(text): Segment| async { text }));
    with_refusals(router)
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_work_behind_its_request() {
    for route in ["/work", "/stream"] {
        let mut setup = Setup::new();
        let mut stream = setup.connect().await;
        let head = format!("GET {route} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(setup.sign().await, "begun");
        drop(stream);
        assert_eq!(setup.sign().await, "dropped", "{route}");
    }
}

#[tokio::test]
async fn a_closing_gateway_says_farewell_to_streams_and_leaves_no_socket() {
    let mut setup = Setup::new();
    let mut stream = setup.connect().await;
    stream
        .write_all(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(setup.sign().await, "begun");
    let socket = setup.gateway.socket().to_owned();
    let mut answer = String::new();
    let (_closed, read) = tokio::join!(setup.gateway.close(), stream.read_to_string(&mut answer));
    read.unwrap();
    assert!(answer.contains("event: shutdown\ndata: {}\n\n"), "{answer}");
    assert!(!socket.exists());
    DataDirLock::acquire(setup.folder.path(), "next").unwrap();
}

#[tokio::test(start_paused = true)]
async fn work_that_does_not_end_is_cut_when_the_gateway_closes() {
    let mut setup = Setup::new();
    let mut stream = setup.connect().await;
    stream
        .write_all(b"GET /work HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(setup.signs.recv().await, Some("begun"));
    setup.gateway.close().await;
    assert_eq!(setup.signs.recv().await, Some("dropped"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_is_closed() {
    let setup = Setup::new();
    let mut silent = setup.connect().await;
    let mut byte = [0];
    assert_eq!(silent.read(&mut byte).await.unwrap(), 0);
}

#[tokio::test]
async fn an_unknown_route_and_a_wrong_method_are_problems() {
    let setup = Setup::new();
    let problem = setup.refused("GET /v1/nothing", "").await;
    assert_eq!(
        (problem.status, problem.code.as_str()),
        (404, "invalid_input")
    );
    assert_eq!(problem.detail, "there is no route GET /v1/nothing");
    let problem = setup.refused("DELETE /work", "").await;
    assert_eq!(
        (problem.status, problem.detail.as_str()),
        (405, "/work does not take DELETE")
    );
}

#[tokio::test]
async fn a_segment_is_whatever_was_escaped_and_bytes_that_are_no_text_are_a_problem() {
    let setup = Setup::new();
    assert_eq!(
        setup.ask("GET /echo/a%2Fb%20%C3%A9", "").await,
        (200, "a/b é".into())
    );
    assert_eq!(setup.refused("GET /echo/%FF", "").await.status, 400);
}

#[tokio::test]
async fn a_body_that_is_wrong_is_refused_with_what_is_wrong_about_it() {
    let setup = Setup::new();
    for (body, detail) in [
        (
            "",
            "the body is not JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            "{\"targets\": }",
            "the body is not JSON: expected value at line 1 column 13",
        ),
        ("[]", "the body must be a JSON object"),
        (
            "{\"target\": 1}",
            "the body has the unknown field \"target\"; did you mean \"targets\"?",
        ),
    ] {
        let problem = setup.refused("POST /body", body).await;
        assert_eq!((problem.status, problem.detail.as_str()), (400, detail));
    }
    assert_eq!(
        setup.ask("POST /body", "{\"targets\":[1]}").await,
        (200, "{\"targets\":[1]}".into())
    );
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let setup = Setup::new();
    let long = "x".repeat(synapse_api::limits::REQUEST_BYTES_MAX + 1);
    let problem = setup.refused("POST /body", &long).await;
    assert_eq!(problem.status, 413);
}

#[tokio::test]
async fn a_client_finds_the_node_by_its_data_directory() {
    let setup = Setup::new();
    let client = Client::connect(setup.folder.path()).await.unwrap();
    let fault = client.status().await.unwrap_err();
    assert_eq!(
        fault.fault().unwrap().message,
        "there is no route GET /v1/status"
    );
}
