//! An agent that does what its input says, and misbehaves on command. Speaks the protocol and
//! nothing else. Its environment says how it starts and stops.

#![expect(clippy::exit, reason = "a process that dies in the middle of its work")]

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BufMut;
use serde_json::{Value, json};
use synapse_wire::frame::{Call, Chunk, Fault, Hello, Log, LogLevel, Ready, RunResult, Started};
use synapse_wire::{ChunkData, FrameDecoder, FromAgent, FromRuntime, Map, Wire};

/// No more than the decoder has space for at once.
const READ_BYTES: usize = 4096;
/// What a flood is made of.
const LOG_BYTES: usize = 1000;

type Sent = Result<(), Box<dyn Error>>;

pub(crate) fn run() -> Result<ExitCode, Box<dyn Error>> {
    let start = std::env::var("FAKE_START").unwrap_or_default();
    writeln!(std::io::stderr(), "starting: {start}")?;
    if let Some(exit) = misbehave_at_start(&start)? {
        return Ok(exit);
    }
    let agent = Arc::new(Mutex::new(Agent::new()));
    let mut decoder = FrameDecoder::<FromRuntime>::new();
    let mut bytes = [0; READ_BYTES];
    loop {
        let read = std::io::stdin().read(&mut bytes)?;
        decoder.space().put_slice(&bytes[..read]);
        while let Some(frame) = decoder.next_frame()? {
            answer(&agent, frame, &start)?;
        }
        if read == 0 {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// What happens before the conversation; an exit code where there is none.
fn misbehave_at_start(start: &str) -> Result<Option<ExitCode>, Box<dyn Error>> {
    if std::env::var_os("FAKE_FAIL_WHILE").is_some_and(|file| Path::new(&file).exists()) {
        return Ok(Some(9.into()));
    }
    match start {
        "exit" => return Ok(Some(3.into())),
        "silent" => loop {
            std::thread::park();
        },
        _ => {}
    }
    send(Hello {
        versions: vec![1],
        sdk: "node tests".to_owned(),
        python: "none".to_owned(),
        pid: std::process::id(),
        sources: None,
    })?;
    Ok(None)
}

fn answer(agent: &Arc<Mutex<Agent>>, frame: FromRuntime, start: &str) -> Sent {
    match frame {
        FromRuntime::Welcome(_) if start == "never_ready" => Ok(()),
        FromRuntime::Welcome(_) if start == "fault" => {
            send(start_fault())?;
            std::process::exit(1)
        }
        FromRuntime::Welcome(_) => send(Ready {
            manifest: manifest(),
        }),
        FromRuntime::Call(call) => lock(agent).take(agent, call),
        FromRuntime::Credit(credit) => lock(agent).say(agent, credit.run, credit.chunks),
        FromRuntime::Cancel(cancel) => lock(agent).cancel(agent, cancel.run),
        FromRuntime::Stop(_) => lock(agent).stop(),
        _ => Ok(()),
    }
}

fn lock(agent: &Mutex<Agent>) -> std::sync::MutexGuard<'_, Agent> {
    agent.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Agent {
    slots: usize,
    executing: HashMap<u64, Job>,
    waiting: VecDeque<Call>,
    draining: bool,
}

enum Job {
    /// Ends when it is cancelled.
    Wait,
    /// Does not end when it is cancelled.
    Stubborn,
    /// Answers as if nothing had been, when it is cancelled.
    Late,
    /// Sends so many more chunks of so many bytes.
    Talk { left: u64, bytes: usize, seq: u64 },
}

impl Agent {
    fn new() -> Self {
        let slots = std::env::var("FAKE_SLOTS").ok();
        Self {
            slots: slots.and_then(|slots| slots.parse().ok()).unwrap_or(4),
            executing: HashMap::new(),
            waiting: VecDeque::new(),
            draining: false,
        }
    }

    fn take(&mut self, agent: &Arc<Mutex<Self>>, call: Call) -> Sent {
        if call.prefetched {
            self.waiting.push_back(call);
            return self.begin_next(agent);
        }
        self.begin(agent, &call)
    }

    fn begin_next(&mut self, agent: &Arc<Mutex<Self>>) -> Sent {
        while self.executing.len() < self.slots {
            let Some(call) = self.waiting.pop_front() else {
                break;
            };
            send(Started { run: call.run })?;
            self.begin(agent, &call)?;
        }
        if self.draining && self.executing.is_empty() {
            std::process::exit(0);
        }
        Ok(())
    }

    fn begin(&mut self, agent: &Arc<Mutex<Self>>, call: &Call) -> Sent {
        let run = call.run;
        let number = |name: &str| call.input[name].as_u64().unwrap_or_default();
        let job = match call.input["do"].as_str() {
            Some("wait") => Job::Wait,
            Some("stubborn") => Job::Stubborn,
            Some("late") => Job::Late,
            Some("slow") => {
                answer_after(agent, run, number("ms"));
                Job::Wait
            }
            Some("talk") => Job::Talk {
                left: number("chunks"),
                bytes: usize::try_from(number("bytes"))?,
                seq: 0,
            },
            Some("flood") => {
                flood();
                Job::Wait
            }
            Some("exit") => std::process::exit(i32::try_from(number("code"))?),
            Some(crash) => return crash_now(crash, run),
            None => {
                self.executing.insert(run, Job::Wait);
                return self.end(agent, result(run, call.input.clone()).into(), run);
            }
        };
        self.executing.insert(run, job);
        self.say(agent, run, call.credit)
    }

    /// Ends a run, if it is still there.
    fn end(&mut self, agent: &Arc<Mutex<Self>>, frame: FromAgent, run: u64) -> Sent {
        if self.executing.remove(&run).is_some() {
            send(frame)?;
        }
        self.begin_next(agent)
    }

    fn cancel(&mut self, agent: &Arc<Mutex<Self>>, run: u64) -> Sent {
        let waits = self.waiting.iter().any(|call| call.run == run);
        if waits && std::env::var_os("FAKE_CANCEL").is_some() {
            // As one whose thread is busy with another run.
            return Ok(());
        }
        let before = self.waiting.len();
        self.waiting.retain(|call| call.run != run);
        if self.waiting.len() < before {
            return send(cancelled(run));
        }
        match self.executing.get(&run) {
            Some(Job::Wait | Job::Talk { .. }) => self.end(agent, cancelled(run).into(), run),
            Some(Job::Late) => self.end(agent, result(run, json!("late")).into(), run),
            Some(Job::Stubborn) | None => Ok(()),
        }
    }

    fn say(&mut self, agent: &Arc<Mutex<Self>>, run: u64, credit: u32) -> Sent {
        let Some(Job::Talk { left, bytes, seq }) = self.executing.get_mut(&run) else {
            return Ok(());
        };
        for _ in 0..u64::from(credit).min(*left) {
            let data = ChunkData::Text("x".repeat(*bytes));
            send(Chunk {
                run,
                seq: *seq,
                data,
            })?;
            *seq += 1;
            *left -= 1;
        }
        if *left == 0 {
            let said = json!(*seq);
            return self.end(agent, result(run, said).into(), run);
        }
        Ok(())
    }

    fn stop(&mut self) -> Sent {
        match std::env::var("FAKE_STOP").as_deref() {
            Ok("ignore") => Ok(()),
            Ok("exit") => std::process::exit(5),
            _ => {
                self.draining = true;
                if self.executing.is_empty() && self.waiting.is_empty() {
                    std::process::exit(0);
                }
                Ok(())
            }
        }
    }
}

fn answer_after(agent: &Arc<Mutex<Agent>>, run: u64, ms: u64) {
    let agent = Arc::clone(agent);
    std::thread::spawn(move || {
        std::thread::park_timeout(Duration::from_millis(ms));
        // The pipe may be closed by now; then the process is on its way out.
        drop(lock(&agent).end(&agent, result(run, json!("slow")).into(), run));
    });
}

fn crash_now(how: &str, run: u64) -> Sent {
    match how {
        "abort" => std::process::abort(),
        // The answer is in the pipe when the process is gone.
        "answer_and_abort" => {
            send(result(run, json!("last words")))?;
            std::process::abort()
        }
        "garbage" => {
            raw(b"\x00\x00\x00\x03abc")?;
            std::thread::park();
            Ok(())
        }
        "torn_abort" => {
            raw(&[0, 0, 1, 0, 0x95])?;
            std::process::abort()
        }
        "torn_exit" => {
            raw(&[0, 0, 1, 0, 0x95])?;
            std::process::exit(0)
        }
        // Lives on without its pipe.
        "close" => {
            let null = std::fs::File::create("/dev/null")?;
            Ok(rustix::stdio::dup2_stdout(null)?)
        }
        // Speaks on, and hears nothing.
        "deaf" => {
            let null = std::fs::File::open("/dev/null")?;
            rustix::stdio::dup2_stdin(null)?;
            loop {
                std::thread::park();
            }
        }
        other => send(Fault {
            code: "invalid_input".to_owned(),
            ..cancelled_as(run, other)
        }),
    }
}

/// Log lines without end.
fn flood() {
    std::thread::spawn(|| {
        let line = Log {
            run: 0,
            level: LogLevel::Info,
            logger: "flood".to_owned(),
            message: "x".repeat(LOG_BYTES),
            fields: None,
            dropped: 0,
        };
        while send(line.clone()).is_ok() {}
    });
}

fn result(run: u64, output: Value) -> RunResult {
    RunResult {
        run,
        output,
        new_messages: Some(b"[1]".as_slice().into()),
        message_count: 1,
        usage: None,
    }
}

fn cancelled(run: u64) -> Fault {
    cancelled_as(run, "the run was cancelled")
}

fn cancelled_as(run: u64, message: &str) -> Fault {
    Fault {
        run,
        origin: "caller".to_owned(),
        code: "cancelled".to_owned(),
        message: message.to_owned(),
        retryable: false,
        details: None,
        new_messages: None,
        message_count: 0,
        usage: None,
    }
}

fn start_fault() -> Fault {
    let details = json!({"traceback": "Traceback: agents/fake.py:1"});
    Fault {
        origin: "agent".to_owned(),
        code: "start_failed".to_owned(),
        details: details.as_object().cloned(),
        ..cancelled_as(0, "agents/fake.py:1: no module named 'pandas'")
    }
}

fn manifest() -> Map {
    let schema: Value = std::env::var("FAKE_SCHEMA")
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let manifest = json!({"kind": "function", "mode": "run_stream", "output_schema": schema});
    manifest.as_object().cloned().unwrap_or_default()
}

fn send(frame: impl Into<FromAgent>) -> Sent {
    let mut bytes = Vec::new();
    frame.into().encode(&mut bytes)?;
    raw(&bytes)
}

fn raw(bytes: &[u8]) -> Sent {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes)?;
    Ok(stdout.flush()?)
}
