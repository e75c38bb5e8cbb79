//! A stand-in for a node behind a control socket: just enough of the control API to talk to, so
//! that the console's terminal can be tested without Python. The real pair is tested in `tests/it`.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

/// The longest that a story waits for its cancel.
const STORY_TIMEOUT: Duration = Duration::from_secs(20);

/// The stand-in; its threads end with the test's process.
#[derive(Clone, Default)]
pub(crate) struct StubNode {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    feeds: Mutex<Vec<UnixStream>>,
    cancelled: Mutex<bool>,
    cancel: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StubNode {
    pub(crate) fn start(data_dir: &Path) -> Self {
        let listener = UnixListener::bind(data_dir.join(synapse_api::CONTROL_SOCKET_FILE)).unwrap();
        let node = Self::default();
        let serving = node.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let node = serving.clone();
                // A client that leaves early is what some tests are about.
                std::thread::spawn(move || drop(node.serve(stream)));
            }
        });
        node
    }

    /// Ends all event feeds without a farewell.
    pub(crate) fn die(&self) {
        for feed in lock(&self.shared.feeds).drain(..) {
            feed.shutdown(std::net::Shutdown::Both).unwrap();
        }
    }

    /// Cancels the story that is being told.
    pub(crate) fn end_story(&self) {
        *lock(&self.shared.cancelled) = true;
        self.shared.cancel.notify_all();
    }

    pub(crate) fn emit(&self, kind: &str, message: &str) {
        let event = json!({"seq": 1, "at": "2026-11-20T09:46:52Z", "kind": kind,
            "agent": "assistant", "incarnation": 2, "message": message, "data": {}});
        // A feed whose console has left takes nothing.
        let alive = |feed: &mut UnixStream| write!(feed, "event: event\ndata: {event}\n\n").is_ok();
        lock(&self.shared.feeds).retain_mut(alive);
    }

    fn serve(&self, mut stream: UnixStream) -> std::io::Result<()> {
        let Some((method, path, body)) = request(&stream) else {
            return Ok(());
        };
        let path = path.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
        match (method.as_str(), parts.as_slice()) {
            ("GET", ["status"]) => answer(&mut stream, 200, &status()),
            ("GET", ["events"]) => {
                stream_head(&mut stream)?;
                lock(&self.shared.feeds).push(stream);
                Ok(())
            }
            ("GET", ["sessions", id]) => answer(
                &mut stream,
                200,
                &json!({"id": id,
                "agent": "assistant", "turns": [], "messages": 2, "bytes": 200}),
            ),
            ("POST", ["agents", "assistant", "runs"]) => self.run(stream, &body),
            ("POST", ["runs", _, "cancel"]) => {
                self.end_story();
                answer(&mut stream, 202, &json!({}))
            }
            ("POST", ["actions", "kill"]) => self.kill(stream),
            ("GET", ["agents", name]) | ("POST", ["agents", name, "runs"]) => {
                let detail = format!("no agent \"{name}\"");
                answer(
                    &mut stream,
                    404,
                    &json!({"code": "agent_not_found", "origin": "caller",
                    "detail": detail, "details": {"nearest": "analyst"}}),
                )
            }
            _ => answer(
                &mut stream,
                400,
                &json!({"code": "invalid_input", "detail": path}),
            ),
        }
    }

    fn kill(&self, mut stream: UnixStream) -> std::io::Result<()> {
        let message = "sent SIGKILL to assistant #1 (pid 4121)";
        let outcome = json!({"agent": "assistant", "ok": true, "message": message});
        answer(&mut stream, 200, &json!({"results": [outcome]}))?;
        drop(stream);
        let died = "assistant #1 killed by signal 9 after 41 s; restarting (1/3 in 5s)";
        self.emit("agent_restarting", died);
        self.emit("agent_ready", "assistant #2 ready in 11 ms");
        Ok(())
    }

    fn run(&self, mut stream: UnixStream, body: &Value) -> std::io::Result<()> {
        stream_head(&mut stream)?;
        let prompt = body
            .get("prompt")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let run = json!({"event": "run", "run": "r-1", "agent": "assistant", "incarnation": 1});
        event(&mut stream, "run", &run)?;
        if prompt.contains("story") {
            return self.story(stream);
        }
        let text = format!("You said: {prompt}");
        event(
            &mut stream,
            "chunk",
            &json!({"event": "chunk", "seq": 0, "text": text}),
        )?;
        let usage = json!({"input_tokens": 5, "output_tokens": 6});
        event(
            &mut stream,
            "result",
            &json!({"run": "r-1", "agent": "assistant",
            "incarnation": 1, "output": text, "usage": usage, "duration_ms": 4}),
        )
    }

    fn story(&self, mut stream: UnixStream) -> std::io::Result<()> {
        let chunk = json!({"event": "chunk", "seq": 0, "text": "Once upon a time there was a"});
        event(&mut stream, "chunk", &chunk)?;
        let waiting = lock(&self.shared.cancelled);
        let waited = self
            .shared
            .cancel
            .wait_timeout_while(waiting, STORY_TIMEOUT, |it| !*it);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
        event(
            &mut stream,
            "error",
            &json!({"error": {"code": "cancelled", "origin": "caller",
            "message": "by another caller"}}),
        )
    }
}

/// The request's method, path and JSON body.
fn request(stream: &UnixStream) -> Option<(String, String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((
        method,
        path,
        serde_json::from_slice(&body).unwrap_or(Value::Null),
    ))
}

fn answer(stream: &mut UnixStream, code: u16, body: &Value) -> std::io::Result<()> {
    let kind = if code < 400 {
        "application/json"
    } else {
        "application/problem+json"
    };
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 {code} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn stream_head(stream: &mut UnixStream) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    )
}

fn event(stream: &mut UnixStream, name: &str, data: &Value) -> std::io::Result<()> {
    write!(stream, "event: {name}\ndata: {data}\n\n")
}

fn status() -> Value {
    let agent = |name: &str| {
        json!({"name": name, "path": format!("root/{name}"), "state": "ready", "incarnation": 1,
            "pid": 4121, "restarts": 0, "uptime_ms": 41_000, "in_flight": 0, "queued": 0,
            "mailbox": 64, "mode": "run_stream", "last_exit": null, "replicas": []})
    };
    json!({"schema": 1, "node": "local", "pid": 4100, "version": "0.1.0", "uptime_ms": 42_000,
        "agents": [agent("assistant"), agent("analyst")],
        "supervisors": [{"name": "root", "path": "root", "strategy": "one_for_one",
            "restarts_in_period": 0, "intensity": 3, "period_ms": 5_000,
            "children": ["assistant", "analyst"]}]})
}
