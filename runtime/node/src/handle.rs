//! [`NodeHandle`]: the one API of a node. Faces go through it and never past it.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use synapse_core::fault::{Fault, FaultCode};
use synapse_core::spec::UsageLimits;
use tokio::sync::broadcast;

use crate::agent::Agent;
use crate::agent::stacks::StackView;
use crate::call::Call;
use crate::deadletters::{DeadLetter, DeadLetterList};
use crate::link::CancelReason;
use crate::node::{Node, NodeEnd};
use crate::operator::Wish;
use crate::redelivery::WhichLetters;
use crate::view::{
    ActionOutcome, AgentDetail, LiveFrames, LogLine, NodeEvent, NodeStatus, SessionView,
};
use crate::{status, usage};

/// The number of a run, unique in its node. Its text form is `r-17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "r-{}", self.0)
    }
}

impl std::str::FromStr for RunId {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        text.strip_prefix("r-")
            .and_then(|digits| digits.parse().ok())
            .map(Self)
            .ok_or_else(|| {
                Fault::new(
                    FaultCode::InvalidInput,
                    format!("{text:?} is not a run id; one looks like r-17"),
                )
            })
    }
}

/// One call to an agent.
#[derive(Clone, Debug, Default)]
pub struct CallRequest {
    /// A prompt (a string) or any JSON value that the agent takes.
    pub input: Value,
    /// Whether chunks are wanted.
    pub stream: bool,
    /// Whether a stream of which chunks were read may begin again after a crash: a second
    /// [`RunEvent::Started`] then says that what came before is void. Without it such a run ends
    /// with `agent_crashed`.
    pub restarts: bool,
    /// The conversation that this call continues.
    pub session: Option<String>,
    /// Dependencies: what JSON can fill of the agent's `deps_type`.
    pub deps: Option<Value>,
    /// Messages before this call, as the JSON bytes of a list; not together with `session`.
    pub history: Option<Vec<u8>>,
    /// Another model for this call.
    pub model: Option<String>,
    /// Model settings for this call.
    pub settings: Option<Map<String, Value>>,
    /// Instructions for this call.
    pub instructions: Option<String>,
    /// Usage limits for this call.
    pub usage_limits: Option<UsageLimits>,
    /// The longest that queue and run may take; the agent's `call_timeout` at most.
    pub timeout: Option<Duration>,
}

/// What a finished run gave.
#[derive(Clone, Debug, PartialEq)]
pub struct RunOutcome {
    /// The run.
    pub run: RunId,
    /// The agent's name.
    pub agent: Arc<str>,
    /// The incarnation that executed it.
    pub incarnation: u64,
    /// How often it was executed; more than once only after crashes, where the agent's spec says so.
    pub attempts: u32,
    /// The output: a string, or any JSON value.
    pub output: Value,
    /// Usage as the agent reports it: a JSON object, or null.
    pub usage: Value,
    /// From the call's arrival to its end.
    pub duration: Duration,
}

/// What comes out of a run, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEvent {
    /// An incarnation took the call. Once more where that has died and another one executes the call
    /// from its beginning: chunks before it are void.
    Started {
        /// Which.
        incarnation: u64,
    },
    /// A piece of text.
    Text {
        /// Counts chunks of the run from 0.
        seq: u64,
        /// The text.
        text: String,
    },
    /// Something other than text: a tool call, a tool's result, thinking.
    Item {
        /// Counts chunks of the run from 0.
        seq: u64,
        /// A JSON object with a `type`.
        data: Map<String, Value>,
    },
    /// The end; nothing follows.
    Finished(Result<RunOutcome, Fault>),
}

/// A run under way. Dropping it cancels the run.
#[derive(Debug)]
pub struct Run {
    agent: Arc<Agent>,
    call: Arc<Call>,
}

impl Run {
    pub(crate) fn new(agent: Arc<Agent>, call: Arc<Call>) -> Self {
        Self { agent, call }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.call.id
    }

    /// The next event; `None` after [`RunEvent::Finished`]. Cancel-safe.
    pub async fn next(&mut self) -> Option<RunEvent> {
        poll_fn(|context| self.call.poll_next(context)).await
    }

    /// The end of a run that is no stream.
    pub(crate) async fn outcome(self) -> Option<Result<RunOutcome, Fault>> {
        poll_fn(|context| self.call.poll_outcome(context)).await
    }

    /// The end of a stream whose chunks nobody wants, but which must be read to come to it.
    async fn drained(mut self) -> Option<Result<RunOutcome, Fault>> {
        loop {
            if let RunEvent::Finished(outcome) = self.next().await? {
                return Some(outcome);
            }
        }
    }

    /// Asks the run to end: a `cancelled` fault is its last event, unless it had ended before.
    pub fn cancel(&self) {
        self.agent.abandon(&self.call, CancelReason::Cancelled);
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.call.is_finished() {
            self.agent.abandon(&self.call, CancelReason::CallerGone);
        }
    }
}

/// A running node. Cheap to clone; the node lives until [`NodeHandle::shutdown`] or the end of its
/// tree, not until the last handle.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    node: Arc<Node>,
}

impl NodeHandle {
    pub(crate) const fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    /// The node and everything in it, now.
    pub async fn status(&self) -> NodeStatus {
        status::of(&self.node).await
    }

    /// Waits until every agent is ready or down for good.
    ///
    /// # Errors
    /// `deadline_exceeded` names the agents that are not; `agent_failed` where the node ended.
    pub async fn wait_settled(&self, timeout: Duration) -> Result<NodeStatus, Fault> {
        status::wait_settled(&self.node, timeout).await
    }

    /// Waits until the whole tree has come up once, or the node has ended.
    pub async fn started(&self) {
        self.node.started().await;
    }

    /// One agent with everything that is known of it.
    ///
    /// # Errors
    /// `agent_not_found`, with the nearest name in the details.
    pub fn agent(&self, name: &str) -> Result<AgentDetail, Fault> {
        self.node.registry.agent(name).map(|agent| agent.detail())
    }

    /// Where the Python threads of an agent's processes stand, or of one of its replicas. Harms none
    /// of them, and works while their code is blocked.
    ///
    /// # Errors
    /// `agent_not_found`; `invalid_input` where there is no such replica; `agent_error` or
    /// `deadline_exceeded` where no process says so, with the reason.
    pub async fn stacks(
        &self,
        name: &str,
        replica: Option<usize>,
    ) -> Result<Vec<StackView>, Fault> {
        self.node.registry.agent(name)?.stacks(replica).await
    }

    /// The last frames of every living incarnation of an agent.
    ///
    /// # Errors
    /// `agent_not_found`, with the nearest name in the details.
    pub async fn frames(&self, name: &str) -> Result<Vec<LiveFrames>, Fault> {
        let agent = self.node.registry.agent(name)?;
        Ok(agent.frames().await)
    }

    /// As [`NodeHandle::agent`], with what its processes use now.
    ///
    /// # Errors
    /// As [`NodeHandle::agent`].
    pub async fn inspect(&self, name: &str) -> Result<AgentDetail, Fault> {
        let agent = self.node.registry.agent(name)?;
        let mut detail = agent.detail();
        usage::fill_in(vec![agent], std::slice::from_mut(&mut detail.view)).await;
        Ok(detail)
    }

    /// Makes a call; its events come from the [`Run`].
    ///
    /// # Errors
    /// A fault of the catalogue where the call is refused: unknown agent, full mailbox, stopped
    /// agent, bad request.
    pub async fn start_run(&self, agent: &str, request: CallRequest) -> Result<Run, Fault> {
        self.node.start_run(agent, request).await
    }

    /// Makes a call and waits for its outcome.
    ///
    /// # Errors
    /// Any fault of the catalogue.
    pub async fn call(&self, agent: &str, request: CallRequest) -> Result<RunOutcome, Fault> {
        let stream = request.stream;
        let run = self.node.start_run(agent, request).await?;
        let outcome = if stream {
            run.drained().await
        } else {
            run.outcome().await
        };
        // A run always has an outcome, and this is the only place that takes it.
        outcome.unwrap_or_else(|| {
            let message = "the run ended without an outcome";
            Err(Fault::new(FaultCode::Cancelled, message))
        })
    }

    /// Cancels a run by its number; false where no such run is under way.
    #[must_use]
    pub fn cancel(&self, run: RunId) -> bool {
        self.node.cancel(run)
    }

    /// Stops and starts agents. Targets are names, globs, or supervisors for their subtrees.
    ///
    /// # Errors
    /// `agent_not_found` where a target matches nothing; then nothing was done.
    pub async fn restart(&self, targets: &[String]) -> Result<Vec<ActionOutcome>, Fault> {
        self.operate(Wish::Restart, targets).await
    }

    /// Stops agents until they are started again.
    ///
    /// # Errors
    /// `agent_not_found` where a target matches nothing; then nothing was done.
    pub async fn stop(&self, targets: &[String]) -> Result<Vec<ActionOutcome>, Fault> {
        self.operate(Wish::Stop, targets).await
    }

    /// Starts agents that are stopped or failed.
    ///
    /// # Errors
    /// `agent_not_found` where a target matches nothing; then nothing was done.
    pub async fn start(&self, targets: &[String]) -> Result<Vec<ActionOutcome>, Fault> {
        self.operate(Wish::Start, targets).await
    }

    /// In a task of its own: an operator who leaves in the middle has asked for all of it.
    async fn operate(&self, wish: Wish, targets: &[String]) -> Result<Vec<ActionOutcome>, Fault> {
        let (node, targets) = (Arc::clone(&self.node), targets.to_vec());
        let work = tokio::spawn(async move { node.operate(wish, &targets).await });
        work.await.unwrap_or_else(|error| {
            let message = format!("the action failed: {error}");
            Err(Fault::new(FaultCode::AgentError, message))
        })
    }

    /// Sends SIGKILL to agents' processes: a crash, to see them come back.
    ///
    /// # Errors
    /// `agent_not_found` where a target matches nothing; then nothing was done.
    pub fn kill(&self, targets: &[String]) -> Result<Vec<ActionOutcome>, Fault> {
        self.node.kill(targets)
    }

    /// The last lines of an agent's log, oldest first, and a receiver of those that follow.
    ///
    /// # Errors
    /// `agent_not_found`.
    pub fn logs(
        &self,
        agent: &str,
        previous: bool,
        tail: usize,
    ) -> Result<(Vec<LogLine>, broadcast::Receiver<LogLine>), Fault> {
        let agent = self.node.registry.agent(agent)?;
        Ok(agent.log.subscribe(previous, tail))
    }

    /// The last events, oldest first, and a receiver of those that follow.
    #[must_use]
    pub fn events(&self, tail: usize) -> (Vec<NodeEvent>, broadcast::Receiver<NodeEvent>) {
        self.node.events.subscribe(tail)
    }

    /// A conversation.
    #[must_use]
    pub fn session(&self, id: &str) -> Option<SessionView> {
        self.node.sessions.view(id)
    }

    /// Forgets a conversation; false where there is none.
    #[must_use]
    pub fn drop_session(&self, id: &str) -> bool {
        self.node.sessions.remove(id)
    }

    /// The calls that have killed their agent too often: of one agent, or of all.
    ///
    /// # Errors
    /// `agent_not_found`, where nobody has this name and no letter is for it.
    pub fn dead_letters(&self, agent: Option<&str>) -> Result<DeadLetterList, Fault> {
        self.node.dead_letters(agent)
    }

    /// One of them, with all that is known.
    ///
    /// # Errors
    /// `invalid_input` where there is none, with the nearest in the details; `agent_error` where its
    /// file cannot be read.
    pub async fn dead_letter(&self, id: &str) -> Result<Arc<DeadLetter>, Fault> {
        self.node.dead_letter(id).await
    }

    /// Makes the call of a dead letter again, alone in its process. A result ends the letter; a death
    /// is added to it.
    ///
    /// # Errors
    /// Any fault of the catalogue; the letter is then kept.
    pub async fn retry_dead_letter(&self, id: &str) -> Result<RunOutcome, Fault> {
        self.node.retry_dead_letter(id).await
    }

    /// Forgets dead letters: their calls are as any others again. How many there were.
    ///
    /// # Errors
    /// `invalid_input` where there is none of this id, with the nearest in the details.
    pub async fn drop_dead_letters(&self, which: WhichLetters<'_>) -> Result<usize, Fault> {
        self.node.drop_dead_letters(which).await
    }

    /// Begins an ordered stop of the whole tree; returns at once.
    pub fn shutdown(&self) {
        self.node.shutdown();
    }

    /// Waits for the end of the tree, however it comes.
    pub async fn ended(&self) -> NodeEnd {
        self.node.ended().await
    }
}
