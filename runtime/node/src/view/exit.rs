//! The dossier of one exit: everything that helps to understand an end that one has not seen. Its
//! serde form is `Dossier` of `docs/control-api.md`; it goes into events and the log as it stands.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::{Serialize, Serializer};
use synapse_core::exit::ExitReason;

/// How an incarnation ended, with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExitView {
    /// Whose.
    pub agent: String,
    /// Which incarnation it was.
    pub incarnation: u64,
    /// Which replica's.
    pub replica: usize,
    /// Why.
    #[serde(serialize_with = "word")]
    pub reason: ExitReason,
    /// The same in words.
    pub detail: String,
    /// The code that the process exited with, where it did.
    pub code: Option<i32>,
    /// The signal that ended the process, where one did.
    pub signal: Option<i32>,
    /// Its name, e.g. `SIGSEGV`.
    pub signal_name: Option<&'static str>,
    /// Whether the system has dumped its core.
    pub core_dumped: bool,
    /// Its process, where there was one.
    pub pid: Option<u32>,
    /// When it began, RFC 3339 in UTC.
    pub started_at: String,
    /// When it ended, RFC 3339 in UTC.
    pub at: String,
    /// How long it lived.
    #[serde(rename = "uptime_ms", serialize_with = "millis")]
    pub uptime: Duration,
    /// From its spawn to ready, where it was ready once.
    #[serde(rename = "start_ms", serialize_with = "some_millis")]
    pub start_took: Option<Duration>,
    /// Its largest resident size, in bytes.
    pub peak_resident_bytes: Option<u64>,
    /// The names of the runs that were in flight, e.g. `r-17`.
    pub runs_in_flight: Vec<String>,
    /// The same runs, with what they had done.
    pub runs: Vec<RunCutOff>,
    /// The last frames that were exchanged with it, the oldest first.
    pub frames: Vec<FrameView>,
    /// The last lines of its stderr.
    pub stderr_tail: Vec<String>,
    /// The Python traceback that it reported, or printed last.
    pub traceback: Option<String>,
    /// The stacks of its threads: before it was ended as unresponsive, or why there are none; or as
    /// Python has dumped them when it crashed.
    pub stacks: Option<String>,
    /// What the kernel says to an end for lack of memory, or what speaks for one.
    pub kernel: Option<String>,
    /// What its supervisor did next, as soon as that is decided. All copies see it.
    #[serde(serialize_with = "once")]
    pub next: Arc<OnceLock<NextView>>,
}

/// A run that ended with its process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunCutOff {
    /// Its name, e.g. `r-17`.
    pub run: String,
    /// How long it had run.
    #[serde(rename = "running_ms", serialize_with = "millis")]
    pub running: Duration,
    /// Whether its caller reads a stream.
    pub stream: bool,
    /// Chunks that had come of it.
    pub chunks: u64,
    /// Tools that it was seen to call; without a stream, a tool of the agent's own is not seen.
    pub tool_calls: u64,
    /// Whether it had been told to stop.
    pub cancelled: bool,
    /// What may have come of it: `no_effect` or `unknown`.
    pub outcome: &'static str,
    /// Whether it is executed again.
    pub again: bool,
    /// The dead letter that it was made, e.g. `d-3`.
    pub dead_letter: Option<String>,
}

/// A frame that went over the pipe. What it said is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FrameView {
    /// Who wrote it.
    pub from: Side,
    /// Its name in `docs/protocol.md`; `unknown` where it has none.
    pub kind: &'static str,
    /// Its run, e.g. `r-17`, where it has one.
    pub run: Option<String>,
    /// The length that it announced, in bytes.
    pub bytes: u64,
    /// How long before the end it passed, or before now.
    #[serde(rename = "age_ms", serialize_with = "millis")]
    pub age: Duration,
}

/// The two sides of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The runtime.
    Runtime,
    /// The agent's process.
    Agent,
}

impl Side {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Agent => "agent",
        }
    }
}

/// The last frames of a living incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveFrames {
    /// Which replica's.
    pub replica: usize,
    /// Which incarnation's.
    pub incarnation: u64,
    /// The frames, the oldest first.
    pub frames: Vec<FrameView>,
}

/// What a supervisor did about an exit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NextView {
    /// Which.
    #[serde(serialize_with = "next_word")]
    pub action: NextAction,
    /// The same in words.
    pub detail: String,
    /// The path of the supervisor.
    pub supervisor: String,
    /// How long until the restart.
    #[serde(rename = "delay_ms", serialize_with = "some_millis")]
    pub delay: Option<Duration>,
    /// Which restart of the period this is, where it is counted.
    pub restarts: Option<u32>,
    /// How many there may be.
    pub intensity: Option<u32>,
    /// The window in which they are counted.
    #[serde(rename = "period_ms", serialize_with = "some_millis")]
    pub period: Option<Duration>,
}

impl NextView {
    /// Of an exit without a restart, which alone has the rest.
    pub(crate) fn new(supervisor: &str, action: NextAction, detail: impl Into<String>) -> Self {
        Self {
            action,
            detail: detail.into(),
            supervisor: supervisor.to_owned(),
            delay: None,
            restarts: None,
            intensity: None,
            period: None,
        }
    }
}

/// The kinds of [`NextView`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NextAction {
    /// It starts the agent again.
    Restart,
    /// It leaves the agent down: its restart type says so, or somebody has the failure as answer.
    LeftDown,
    /// It leaves this one agent down, which exhausted its own budget.
    Parked,
    /// It ends, with all its children: its own supervisor decides.
    GaveUp,
    /// Nothing: the end was asked for.
    Nothing,
}

impl NextAction {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::LeftDown => "left_down",
            Self::Parked => "parked",
            Self::GaveUp => "gave_up",
            Self::Nothing => "nothing",
        }
    }
}

fn word<S: Serializer>(reason: &ExitReason, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(reason.word())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
fn next_word<S: Serializer>(action: &NextAction, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(action.as_str())
}

fn millis<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(crate::agent::millis(*span))
}

#[expect(clippy::ref_option, reason = "serde passes fields so")]
fn some_millis<S: Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    span.map(crate::agent::millis).serialize(to)
}

fn once<S: Serializer>(next: &Arc<OnceLock<NextView>>, to: S) -> Result<S::Ok, S::Error> {
    next.get().serialize(to)
}
