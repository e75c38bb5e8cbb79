//! The client against peers that answer with written bytes: what no real node would do on request.

use std::future::Future;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::*;
use crate::exit::ExitCode;
use crate::run::RunEvent;

/// For what must happen at once; long enough for a busy machine.
const SOON: Duration = Duration::from_secs(20);

const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

/// A data directory whose socket is listened on.
struct Place {
    folder: tempfile::TempDir,
    listener: UnixListener,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("control.sock")).unwrap();
        Self { folder, listener }
    }

    async fn client(&self) -> Client {
        let (client, probe) =
            tokio::join!(Client::connect(self.folder.path()), self.listener.accept());
        drop(probe.unwrap());
        client.unwrap()
    }

    /// Takes a request to the end of its head and answers with these bytes.
    async fn answer(&self, bytes: &str) -> (String, UnixStream) {
        let (mut stream, _address) = self.listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.windows(4).any(|window| window == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        }
        stream.write_all(bytes.as_bytes()).await.unwrap();
        (String::from_utf8(request).unwrap(), stream)
    }

    /// The outcome of a request that is answered with these bytes and then nothing.
    async fn exchange<T>(&self, request: impl Future<Output = T>, bytes: &str) -> (T, String) {
        let served = async {
            let (request, stream) = self.answer(bytes).await;
            drop(stream);
            request
        };
        tokio::time::timeout(SOON, async { tokio::join!(request, served) })
            .await
            .unwrap()
    }
}

fn json_answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn without_a_node_the_error_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = Client::connect(folder.path()).await.unwrap_err();
    let expected = format!(
        "no node is running for {}; start one with `synapse`",
        folder.path().display()
    );
    assert_eq!(
        (error.to_string(), error.exit_code()),
        (expected, ExitCode::Unavailable)
    );
}

#[tokio::test]
async fn a_socket_that_a_dead_node_left_is_told_apart() {
    let place = Place::new();
    drop(place.listener);
    let error = Client::connect(place.folder.path()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Stale { .. }), "{error}");
}

#[tokio::test]
async fn a_data_directory_too_long_for_a_socket_has_no_node() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("x".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let error = Client::connect(&deep).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoNode { .. }), "{error}");
}

#[tokio::test]
async fn a_request_names_its_route_and_a_problem_is_a_fault() {
    let place = Place::new();
    let client = place.client().await;
    let body = r#"{"code": "agent_not_found", "origin": "caller", "detail": "no agent \"x y\"",
                   "details": {"nearest": "xy"}, "of_a_newer_node": 1}"#;
    let (outcome, request) = place
        .exchange(client.agent("x y"), &json_answer("404 Not Found", body))
        .await;
    let error = outcome.unwrap_err();
    let fault = error.fault().unwrap();
    assert_eq!(
        (fault.message.as_str(), fault.nearest()),
        ("no agent \"x y\"", Some("xy"))
    );
    assert_eq!(error.exit_code(), ExitCode::Data);
    assert!(
        request.starts_with("GET /v1/agents/x%20y HTTP/1.1\r\nhost: localhost\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn another_programs_answer_is_not_taken_for_a_fault() {
    let place = Place::new();
    let client = place.client().await;
    let answer = json_answer("500 Oops", "<html>");
    let (outcome, _request) = place.exchange(client.cancel("r-1"), &answer).await;
    assert!(matches!(
        outcome.unwrap_err(),
        ClientError::NotProblem { status: 500 }
    ));
}

#[tokio::test]
async fn a_node_that_goes_away_before_its_answer_is_lost() {
    let place = Place::new();
    let client = place.client().await;
    for bytes in ["", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"] {
        let (outcome, _request) = place.exchange(client.status(), bytes).await;
        let error = outcome.unwrap_err();
        assert!(matches!(error, ClientError::Lost { .. }), "{error}");
        assert_eq!(error.exit_code(), ExitCode::Unavailable);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_answer_is_not_waited_for_beyond_the_callers_time() {
    let place = Place::new();
    let client = place.client().await;
    let request = RunRequest {
        timeout_ms: Some(1_000),
        ..RunRequest::prompt("x")
    };
    let before = tokio::time::Instant::now();
    let (outcome, _silent) = tokio::join!(client.run("a", &request), place.answer(""));
    assert!(matches!(outcome.unwrap_err(), ClientError::TimedOut { .. }));
    assert_eq!(
        before.elapsed().as_secs(),
        1 + limits::ANSWER_MARGIN.as_secs()
    );
}

#[tokio::test]
async fn a_streams_events_come_in_order_and_end_with_the_last() {
    let place = Place::new();
    let client = place.client().await;
    let events = "event: run\ndata: {\"run\": \"r-1\", \"agent\": \"a\", \"incarnation\": 1}\n\n\
                  : ping\n\nevent: mood\ndata: 7\n\n\
                  event: chunk\ndata: {\"seq\": 0, \"text\": \"hi\"}\n\n\
                  event: error\ndata: {\"error\": {\"code\": \"agent_crashed\"}}\n\n";
    let request = RunRequest::prompt("x");
    let (stream, _request) = place
        .exchange(
            client.run_stream("a", &request),
            &format!("{STREAM_HEAD}{events}"),
        )
        .await;
    let mut stream = stream.unwrap();
    let mut names = Vec::new();
    while let Some(event) = stream.next().await.unwrap() {
        names.push(event.name().to_owned());
    }
    assert_eq!(names, ["run", "mood", "chunk", "error"]);
}

#[tokio::test]
async fn a_stream_that_is_cut_off_is_lost_and_a_farewell_is_not() {
    let place = Place::new();
    let client = place.client().await;
    let request = RunRequest::prompt("x");
    let (stream, _request) = place
        .exchange(client.run_stream("a", &request), STREAM_HEAD)
        .await;
    let mut stream = stream.unwrap();
    assert!(matches!(
        stream.next().await.unwrap_err(),
        ClientError::Lost { .. }
    ));
    assert_eq!(stream.next().await.unwrap(), None);

    let farewell = format!("{STREAM_HEAD}event: shutdown\ndata: {{}}\n\n");
    let (stream, _request) = place
        .exchange(client.run_stream("a", &request), &farewell)
        .await;
    assert!(matches!(
        stream.unwrap().next().await.unwrap_err(),
        ClientError::Stopping
    ));
    let (events, request) = place
        .exchange(client.events_follow(Some(3)), &farewell)
        .await;
    assert_eq!(events.unwrap().next().await.unwrap(), None);
    assert!(
        request.starts_with("GET /v1/events?tail=3&follow=true "),
        "{request}"
    );
}

#[tokio::test]
async fn dropping_a_stream_closes_its_connection() {
    let place = Place::new();
    let client = place.client().await;
    let request = RunRequest::prompt("x");
    let answer = format!("{STREAM_HEAD}event: chunk\ndata: {{\"seq\": 0, \"text\": \"a\"}}\n\n");
    let (stream, (_request, mut peer)) =
        tokio::join!(client.run_stream("a", &request), place.answer(&answer));
    let mut stream = stream.unwrap();
    let first = stream.next().await.unwrap();
    assert_eq!(
        first,
        Some(RunEvent::Chunk {
            seq: 0,
            text: "a".into()
        })
    );
    drop(stream);
    let mut rest = Vec::new();
    tokio::time::timeout(SOON, peer.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn dropping_a_call_closes_its_connection() {
    let place = Place::new();
    let client = place.client().await;
    let request = RunRequest::prompt("x");
    let mut call = Box::pin(client.run("a", &request));
    let (_request, mut peer) = tokio::select! {
        _outcome = &mut call => panic!("nobody answered"),
        taken = place.answer("") => taken,
    };
    drop(call);
    let mut rest = Vec::new();
    tokio::time::timeout(SOON, peer.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn silence_on_a_stream_is_a_node_that_is_gone() {
    let place = Place::new();
    let client = place.client().await;
    let (lines, _silent) = tokio::join!(
        client.logs_follow(
            "a",
            LogQuery {
                previous: true,
                tail: None
            }
        ),
        place.answer(STREAM_HEAD)
    );
    let error = lines.unwrap().next().await.unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { wait } if wait == limits::STREAM_SILENCE_MAX));
}

#[tokio::test]
async fn a_request_too_long_for_a_node_is_not_sent() {
    let place = Place::new();
    let client = place.client().await;
    let request = RunRequest::prompt("x".repeat(limits::REQUEST_BYTES_MAX));
    let error = client.run("a", &request).await.unwrap_err();
    assert!(
        matches!(error, ClientError::RequestTooLong { .. }),
        "{error}"
    );
}
