//! The runtime's side of one incarnation's conversation: frames in, events out; commands in, bytes
//! out. Refuses to know pipes, clocks and processes, and what a violation costs.
//!
//! ```text
//! AwaitingHello ─ hello ─> Greeting ─ welcome() ─> Loading ─ ready ─> Ready
//!                                                  │     │              │ stop()
//!                                  fault of run 0  │     │ stop()       v
//!                                          Ended <─┘     └────────> Draining
//! ```
//! A violation ends the session too. End of file is the caller's to see.

mod commands;
mod run;

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use crate::VERSIONS;
use crate::frame::{
    Chunk, Fault, FromAgent, Hello, Limits, Log, Map, OutputCheck, Pong, Ready, RunResult, Tool,
    ToolCall,
};
use crate::violation::Violation;
use crate::writer::EncodeError;

use run::Run;
pub use run::RunHasher;

/// What a frame means.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The agent said hello and shares a version: [`RuntimeSession::welcome`] is due.
    Hello(Hello),
    /// The agent takes calls.
    Ready(Ready),
    /// The agent cannot start and will exit.
    StartFailed(Fault),
    /// A prefetched call began to execute.
    Started {
        /// The run.
        run: u64,
    },
    /// A tool that lives in the agent's process begins.
    Effect {
        /// The run.
        run: u64,
    },
    /// [`RuntimeSession::tool_result`] is due.
    ToolCall(ToolCall),
    /// [`RuntimeSession::output_verdict`] is due.
    OutputCheck(OutputCheck),
    /// A piece of a stream; [`RuntimeSession::taken`] is due when its reader has it.
    Chunk(Chunk),
    /// The run ended well.
    Result(RunResult),
    /// The run failed.
    Fault(Fault),
    /// The agent is alive.
    Pong(Pong),
    /// A line for the log.
    Log(Log),
}

/// Why a command was not written; nothing was changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The conversation is not at the point for it.
    #[error("not in this state of the conversation")]
    State,
    /// No such run is open: it may have ended in this moment.
    #[error("run is not open")]
    UnknownRun,
    /// The run has no such open tool call or output check.
    #[error("no such tool call or output check is open")]
    UnknownRequest,
    /// The run's number is 0 or is in use.
    #[error("run number is 0 or in use")]
    RunInUse,
    /// `PINGS_OPEN_MAX` pings have had no answer.
    #[error("too many pings without an answer")]
    TooManyPings,
    /// The frame exceeds a limit.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// What [`RuntimeSession::welcome`] tells the agent.
#[derive(Debug, Clone, Default)]
pub struct Greeting {
    /// The node's name.
    pub node: String,
    /// The agent's name.
    pub agent: String,
    /// Which life of the agent this is.
    pub incarnation: u64,
    /// What to load and how to run it.
    pub configuration: Map,
    /// The tools that the runtime offers.
    pub tools: Vec<Tool>,
    /// What the SDK must keep to.
    pub limits: Limits,
}

/// A run that has no result or fault yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenRun {
    /// Its number.
    pub run: u64,
    /// Whether it may have executed; false only for a prefetched call that did not say `started`.
    pub started: bool,
    /// Whether it was told to stop.
    pub cancelled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    AwaitingHello,
    Greeting { version: u64 },
    Loading,
    Ready,
    Draining { ready: bool },
    Ended,
}

impl State {
    const fn phrase(self) -> &'static str {
        match self {
            Self::AwaitingHello => "before hello",
            Self::Greeting { .. } => "before welcome",
            Self::Loading | Self::Draining { ready: false } => "before ready",
            Self::Ready => "after ready",
            Self::Draining { ready: true } => "after stop",
            Self::Ended => "after the end",
        }
    }
}

/// One conversation, from the runtime's side. It expects the run numbers of calls to be unique
/// within the incarnation; then a late frame can never be taken for another run's.
#[derive(Debug)]
pub struct RuntimeSession {
    state: State,
    runs: HashMap<u64, Run, BuildHasherDefault<RunHasher>>,
    /// The nonce of the next ping, and the lowest that has had no pong.
    ping_next: u64,
    ping_open: u64,
}

impl Default for RuntimeSession {
    fn default() -> Self {
        Self::new()
    }
}

impl RuntimeSession {
    /// A conversation that waits for `hello`.
    #[must_use]
    pub fn new() -> Self {
        let runs = HashMap::default();
        Self {
            state: State::AwaitingHello,
            runs,
            ping_next: 1,
            ping_open: 1,
        }
    }

    /// Whether calls may be sent.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// How many pings have had no answer.
    #[must_use]
    pub fn pings_open(&self) -> u64 {
        self.ping_next - self.ping_open
    }

    /// How many runs owe their result or fault.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.runs.len()
    }

    /// The runs that owe their result or fault, in no order.
    pub fn open_runs(&self) -> impl Iterator<Item = OpenRun> + '_ {
        self.runs.iter().map(|(run, state)| OpenRun {
            run: *run,
            started: state.phase != run::Phase::Prefetched,
            cancelled: state.cancelled,
        })
    }

    /// Takes one frame.
    ///
    /// # Errors
    /// The rule that the frame breaks; the session has then ended.
    pub fn received(&mut self, frame: FromAgent) -> Result<Event, Violation> {
        let event = match frame {
            FromAgent::Hello(hello) => self.hello(hello),
            FromAgent::Ready(ready) => self.ready(ready),
            FromAgent::Started(started) => self.started(started.run),
            FromAgent::Effect(effect) => self.effect(effect.run),
            FromAgent::ToolCall(call) => self.tool_call(call),
            FromAgent::OutputCheck(check) => self.output_check(check),
            FromAgent::Chunk(chunk) => self.chunk(chunk),
            FromAgent::RunResult(result) => self.result(result),
            FromAgent::Fault(fault) if fault.run == 0 => self.start_failed(fault),
            FromAgent::Fault(fault) => self.fault(fault),
            FromAgent::Pong(pong) => self.pong(pong),
            FromAgent::Log(log) => self.log(log),
        };
        if event.is_err() {
            self.state = State::Ended;
        }
        event
    }

    fn hello(&mut self, hello: Hello) -> Result<Event, Violation> {
        if self.state != State::AwaitingHello {
            return Err(self.unexpected("hello"));
        }
        let common = VERSIONS
            .iter()
            .rev()
            .find(|version| hello.versions.contains(version));
        let Some(version) = common else {
            return Err(Violation::VersionUnsupported {
                offered: hello.versions,
            });
        };
        self.state = State::Greeting { version: *version };
        Ok(Event::Hello(hello))
    }

    fn ready(&mut self, ready: Ready) -> Result<Event, Violation> {
        self.state = match self.state {
            State::Loading => State::Ready,
            State::Draining { ready: false } => State::Draining { ready: true },
            State::AwaitingHello
            | State::Greeting { .. }
            | State::Ready
            | State::Draining { ready: true }
            | State::Ended => return Err(self.unexpected("ready")),
        };
        Ok(Event::Ready(ready))
    }

    /// Legal from welcome to ready: afterwards each fault is some run's.
    fn start_failed(&mut self, fault: Fault) -> Result<Event, Violation> {
        match self.state {
            State::Loading | State::Draining { ready: false } => {
                self.state = State::Ended;
                Ok(Event::StartFailed(fault))
            }
            State::AwaitingHello
            | State::Greeting { .. }
            | State::Ready
            | State::Draining { ready: true }
            | State::Ended => Err(self.unexpected("fault")),
        }
    }

    fn started(&mut self, run: u64) -> Result<Event, Violation> {
        self.open("started", run)?.start(run)?;
        Ok(Event::Started { run })
    }

    fn effect(&mut self, run: u64) -> Result<Event, Violation> {
        self.executing("effect", run)?;
        Ok(Event::Effect { run })
    }

    fn tool_call(&mut self, call: ToolCall) -> Result<Event, Violation> {
        let run = self.executing("tool_call", call.run)?;
        run.tool_calls.open("tool_call", call.run, call.call)?;
        Ok(Event::ToolCall(call))
    }

    fn output_check(&mut self, check: OutputCheck) -> Result<Event, Violation> {
        let run = self.executing("output_check", check.run)?;
        run.output_checks
            .open("output_check", check.run, check.check)?;
        Ok(Event::OutputCheck(check))
    }

    fn chunk(&mut self, chunk: Chunk) -> Result<Event, Violation> {
        self.executing("chunk", chunk.run)?.chunk(&chunk)?;
        Ok(Event::Chunk(chunk))
    }

    fn result(&mut self, result: RunResult) -> Result<Event, Violation> {
        self.executing("result", result.run)?;
        self.runs.remove(&result.run);
        Ok(Event::Result(result))
    }

    /// Legal for a prefetched run that has not started too: it may be cancelled, or make no sense.
    fn fault(&mut self, fault: Fault) -> Result<Event, Violation> {
        self.open("fault", fault.run)?;
        self.runs.remove(&fault.run);
        Ok(Event::Fault(fault))
    }

    fn pong(&mut self, pong: Pong) -> Result<Event, Violation> {
        if self.greeted().is_err() {
            return Err(self.unexpected("pong"));
        }
        if !(self.ping_open..self.ping_next).contains(&pong.nonce) {
            return Err(Violation::UnknownPing { nonce: pong.nonce });
        }
        self.ping_open = pong.nonce + 1;
        Ok(Event::Pong(pong))
    }

    /// The run of a log line is a label: a thread may outlive the run that it logs for.
    fn log(&self, log: Log) -> Result<Event, Violation> {
        match self.state {
            State::AwaitingHello | State::Ended => Err(self.unexpected("log")),
            State::Greeting { .. } | State::Loading | State::Ready | State::Draining { .. } => {
                Ok(Event::Log(log))
            }
        }
    }

    /// The open run of a frame that is legal from ready on.
    fn open(&mut self, frame: &'static str, run: u64) -> Result<&mut Run, Violation> {
        match self.state {
            State::Ready | State::Draining { ready: true } => self
                .runs
                .get_mut(&run)
                .ok_or(Violation::UnknownRun { frame, run }),
            State::AwaitingHello
            | State::Greeting { .. }
            | State::Loading
            | State::Draining { ready: false }
            | State::Ended => Err(self.unexpected(frame)),
        }
    }

    /// The open run of a frame that only an executing run may send.
    fn executing(&mut self, frame: &'static str, run: u64) -> Result<&mut Run, Violation> {
        let open = self.open(frame, run)?;
        if open.phase == run::Phase::Prefetched {
            return Err(Violation::UnexpectedFrame {
                frame,
                state: "before started",
            });
        }
        Ok(open)
    }

    fn unexpected(&self, frame: &'static str) -> Violation {
        Violation::UnexpectedFrame {
            frame,
            state: self.state.phrase(),
        }
    }
}
