//! What a node shows of itself: plain values, taken at one moment. Knows no wire format.

mod exit;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use synapse_core::fault::{FaultCode, Origin};
use synapse_core::spec::{AgentSpec, OnExhausted, StartOrder, Strategy};
use synapse_core::supervisor::{Cause, WhyDown};

pub use exit::{ExitView, FrameView, LiveFrames, NextAction, NextView, RunCutOff, Side};

/// Where an agent's incarnation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgentState {
    /// Its process is being started, or loads its program; or its turn in the start order is to
    /// come.
    Starting,
    /// It takes calls.
    Ready,
    /// It takes calls and has no process: the next call gets one.
    Hibernated,
    /// It ended and waits for its restart.
    Backoff,
    /// It finishes its runs and takes no new ones.
    Draining,
    /// It is being ended.
    Stopping,
    /// It is down because somebody stopped it, or because it finished.
    Stopped,
    /// It is down because it crashed and is not restarted.
    Failed,
}

impl AgentState {
    /// The stable word of status and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Hibernated => "hibernated",
            Self::Backoff => "backoff",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// What a process uses. What the system does not tell is `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UsageView {
    /// Processor time since it began.
    pub cpu_time: Duration,
    /// Of one processor, in per cent, since somebody last asked, or since the process began.
    pub cpu_percent: f64,
    /// Memory, where shared pages count in full.
    pub resident_bytes: u64,
    /// Memory, where of shared pages its part counts.
    pub proportional_bytes: Option<u64>,
    /// Files, pipes and sockets that it has open.
    pub open_files: Option<u64>,
    /// Its threads.
    pub threads: u64,
}

/// One process of an agent.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaView {
    /// 0 for the first.
    pub index: usize,
    /// Where it stands.
    pub state: AgentState,
    /// The number of its present or last incarnation.
    pub incarnation: Option<u64>,
    /// Its process.
    pub pid: Option<u32>,
    /// Time since it became ready.
    pub uptime: Option<Duration>,
    /// Runs that it executes now.
    pub in_flight: usize,
    /// From spawn to ready, of its present or last incarnation.
    pub start_took: Option<Duration>,
    /// Why it is down for good, where it is by its supervisor's decision.
    pub why_down: Option<WhyDown>,
    /// What its process uses, where that was asked for.
    pub usage: Option<UsageView>,
}

/// An agent, as `status` shows it. The fields without a replica are those of replica 0.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentView {
    /// Its name.
    pub name: String,
    /// Its place, e.g. `root/research/writer`.
    pub path: String,
    /// Restarts since the node started, all replicas.
    pub restarts: u64,
    /// Calls that wait in its mailbox.
    pub queued: usize,
    /// The mailbox's size.
    pub mailbox: usize,
    /// `run`, `run_stream`, `run_sync`, or `function`; `None` before the first ready.
    pub mode: Option<String>,
    /// The last exit of any replica.
    pub last_exit: Option<Arc<ExitView>>,
    /// The process of its spare, once that has imported.
    pub spare_pid: Option<u32>,
    /// Its processes; never empty.
    pub replicas: Vec<ReplicaView>,
    /// What the program said of itself when it became ready: a JSON object, or null.
    pub manifest: Value,
}

/// How the last run that failed ended, by the word of the agent's process. Runs that died with it
/// are told in its [`ExitView`].
#[derive(Clone, Debug, PartialEq)]
pub struct FailedRunView {
    /// Which run, e.g. `r-17`.
    pub run: String,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Which incarnation it ran in.
    pub incarnation: u64,
    /// What it was.
    pub code: FaultCode,
    /// Whose it was.
    pub origin: Origin,
    /// What happened, in a line or two.
    pub message: String,
    /// The Python traceback, where one came with it.
    pub traceback: Option<String>,
}

/// An agent with everything that `inspect` shows.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentDetail {
    /// What `status` shows.
    pub view: AgentView,
    /// Its spec.
    pub spec: AgentSpec,
    /// The last exits of every replica, newest first.
    pub exits: Vec<Arc<ExitView>>,
    /// The last run that failed.
    pub failed_run: Option<FailedRunView>,
}

/// A supervisor, as `status` shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct SupervisorView {
    /// Its name.
    pub name: String,
    /// Its place, e.g. `root/research`.
    pub path: String,
    /// Where it stands itself.
    pub state: AgentState,
    /// Which siblings a crash concerns.
    pub strategy: Strategy,
    /// Restarts that count now; where each child has its own budget, those of the child that is
    /// nearest to its end.
    pub restarts_in_period: u32,
    /// How many are allowed.
    pub intensity: u32,
    /// The window.
    pub period: Duration,
    /// What one more means.
    pub on_exhausted: OnExhausted,
    /// Whether its children start one after the other.
    pub start_order: StartOrder,
    /// How often its own supervisor has restarted it since the node started.
    pub restarts: u64,
    /// Its last ends, newest first.
    pub exits: Vec<SupervisorExit>,
    /// Its children's names in start order.
    pub children: Vec<String>,
}

/// How a life of a supervisor ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupervisorExit {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// What ended it; `None`: it could not start.
    pub cause: Option<Cause>,
    /// The same in words, with the failure behind it.
    pub detail: String,
}

/// The node and everything in it.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeStatus {
    /// The node's name.
    pub node: String,
    /// Its process.
    pub pid: u32,
    /// The process of its guard; `None` where it has none.
    pub guard_pid: Option<u32>,
    /// The version of the runtime.
    pub version: &'static str,
    /// Time since it started.
    pub uptime: Duration,
    /// Agents in start order.
    pub agents: Vec<AgentView>,
    /// Supervisors, parents before children.
    pub supervisors: Vec<SupervisorView>,
}

/// What an operator's action did to one agent.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionOutcome {
    /// The agent.
    pub agent: String,
    /// Whether it did what was asked.
    pub ok: bool,
    /// A line for people, e.g. `sent SIGKILL to assistant #1 (pid 4121)`.
    pub message: String,
    /// The process concerned.
    pub pid: Option<u32>,
    /// The incarnation concerned.
    pub incarnation: Option<u64>,
}

/// Where a log line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogStream {
    /// The process's stderr (and its stdout, which is sent there).
    Stderr,
    /// A log frame of the SDK.
    Log,
    /// The runtime, about this agent.
    Runtime,
}

/// One line of an agent's log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Whose.
    pub agent: String,
    /// Which incarnation's.
    pub incarnation: u64,
    /// Where it came from.
    pub stream: LogStream,
    /// `debug`, `info`, `warning` or `error`.
    pub level: String,
    /// The line, without its end.
    pub text: String,
}

/// The kinds of [`NodeEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The node is up, all agents were started.
    NodeStarted,
    /// The node begins to stop.
    NodeStopping,
    /// An agent's process was started.
    AgentStarting,
    /// An agent takes calls.
    AgentReady,
    /// An idle agent has given its process back.
    AgentHibernated,
    /// Something about the environment that is made for an agent's next process.
    AgentEnvironment,
    /// An agent's process hangs, and people should know.
    AgentUnresponsive,
    /// It responds again.
    AgentRecovered,
    /// An agent's incarnation ended.
    AgentExited,
    /// Its supervisor will start it again.
    AgentRestarting,
    /// It is down and stays so.
    AgentDown,
    /// An operator did something.
    Operator,
    /// A supervisor gave up.
    SupervisorGaveUp,
    /// A call was one death too many, and is kept as a dead letter.
    DeadLetter,
    /// A crash report with OTP's four keys.
    CrashReport,
}

impl EventKind {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NodeStarted => "node_started",
            Self::NodeStopping => "node_stopping",
            Self::AgentStarting => "agent_starting",
            Self::AgentReady => "agent_ready",
            Self::AgentHibernated => "agent_hibernated",
            Self::AgentEnvironment => "agent_environment",
            Self::AgentUnresponsive => "agent_unresponsive",
            Self::AgentRecovered => "agent_recovered",
            Self::AgentExited => "agent_exited",
            Self::AgentRestarting => "agent_restarting",
            Self::AgentDown => "agent_down",
            Self::Operator => "operator",
            Self::SupervisorGaveUp => "supervisor_gave_up",
            Self::DeadLetter => "dead_letter",
            Self::CrashReport => "crash_report",
        }
    }
}

/// Something that happened in the node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeEvent {
    /// Grows by one from event to event.
    pub seq: u64,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// What.
    pub kind: EventKind,
    /// The agent concerned.
    pub agent: Option<String>,
    /// The supervisor concerned.
    pub supervisor: Option<String>,
    /// The incarnation concerned.
    pub incarnation: Option<u64>,
    /// A line for people, e.g. `assistant #1 killed by signal 9 after 41 s; restarting (1/3 in 5s)`.
    pub message: String,
    /// More: a JSON object.
    pub data: Value,
    /// The dossier, where it is of an exit.
    pub exit: Option<Arc<ExitView>>,
}

/// One exchange of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// What was asked.
    pub prompt: Value,
    /// What was answered; the part that came where it was cancelled or crashed.
    pub answer: Value,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Whether the answer is only a part.
    pub partial: bool,
}

/// A conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionView {
    /// Its id, chosen by the caller.
    pub id: String,
    /// The agent that it is with.
    pub agent: String,
    /// The exchanges, oldest first.
    pub turns: Vec<Turn>,
    /// Messages in the history.
    pub messages: u64,
    /// Bytes that the history takes.
    pub bytes: usize,
}
