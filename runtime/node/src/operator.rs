//! What an operator can do to agents: restart, stop, start, kill. Each through their supervisors.

use std::sync::Arc;
use std::time::Duration;

use synapse_core::fault::{Fault, FaultCode};
use synapse_core::spec::Shutdown;
use synapse_core::supervisor::{ChildId, Reply, Request, RequestError};
use tokio::time::timeout;

use crate::agent::Agent;
use crate::agent::evidence::people;
use crate::events::Happening;
use crate::node::Node;
use crate::supervisor::SupervisorHandle;
use crate::view::{ActionOutcome, AgentState, EventKind};

/// How much longer than its own limits an action may take before the operator is told so.
const PATIENCE: Duration = Duration::from_secs(5);
/// A drain without end is not waited for longer than this.
const DRAIN_WAIT_MAX: Duration = Duration::from_secs(600);

/// The actions that go through a supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Restart,
    Stop,
    Start,
}

impl Wish {
    const fn done(self) -> &'static str {
        match self {
            Self::Restart => "restarted",
            Self::Stop => "stopped",
            Self::Start => "started",
        }
    }

    const fn request(self) -> fn(ChildId) -> Request {
        match self {
            Self::Restart => Request::OperatorRestart,
            Self::Stop => Request::OperatorStop,
            Self::Start => Request::OperatorStart,
        }
    }
}

impl Node {
    /// Does the same to every agent that the targets name, in start order (stops: in reverse).
    pub(crate) async fn operate(
        self: &Arc<Self>,
        wish: Wish,
        targets: &[String],
    ) -> Result<Vec<ActionOutcome>, Fault> {
        if self.is_stopping() {
            return Err(Fault::new(FaultCode::AgentStopped, "the node is stopping"));
        }
        let mut agents = self.registry.matching(targets)?;
        if wish == Wish::Stop {
            agents.reverse();
        }
        // Before the first wish: one of them may start a supervisor, and others with it.
        let ran: Vec<bool> = agents.iter().map(|agent| runs(agent)).collect();
        let mut outcomes = Vec::with_capacity(agents.len());
        for (agent, ran) in agents.iter().zip(ran) {
            outcomes.push(self.operate_one(wish, agent, ran).await);
        }
        self.changed();
        Ok(outcomes)
    }

    async fn operate_one(
        self: &Arc<Self>,
        wish: Wish,
        agent: &Arc<Agent>,
        ran: bool,
    ) -> ActionOutcome {
        let (ok, message) = match self.attempt(wish, agent, ran).await {
            Ok(message) => (true, message),
            Err(why) => (false, why),
        };
        let happening = Happening::new(EventKind::Operator, format!("operator: {message}"));
        let (incarnation, pid) = agent.present(0);
        self.events
            .publish(happening.agent(&agent.name, incarnation));
        ActionOutcome {
            agent: agent.name.to_string(),
            ok,
            message,
            pid,
            incarnation,
        }
    }

    /// What was done, or why it was not.
    async fn attempt(
        self: &Arc<Self>,
        wish: Wish,
        agent: &Arc<Agent>,
        ran: bool,
    ) -> Result<String, String> {
        let runs_already = wish == Wish::Start && ran;
        if wish != Wish::Stop && !runs_already {
            self.renew_environment(agent, wish.done()).await?;
        }
        let fallen = self.fallen_above(wish, agent);
        let raising = fallen.as_ref().map(|(_, name)| self.raise_limit(name));
        let limit = limit_of(wish, agent).saturating_add(raising.unwrap_or_default());
        let asked = timeout(limit, async {
            let Some((parent, name)) = &fallen else {
                return self.ask_all(wish, agent).await;
            };
            self.raise(parent, name).await?;
            // It has just been started: a restart has nothing left to end.
            self.ask_all(Wish::Start, agent).await
        });
        match asked.await {
            Ok(Ok(())) if runs_already => Ok(told(agent, "runs already")),
            Ok(Ok(())) => Ok(done(wish, agent)),
            Ok(Err(why)) => Err(why),
            Err(_) => Err(format!(
                "{} is not {} after {}",
                agent.name,
                wish.done(),
                people(limit)
            )),
        }
    }

    async fn ask_all(self: &Arc<Self>, wish: Wish, agent: &Arc<Agent>) -> Result<(), String> {
        let Some(tree) = self.tree() else {
            return Err("the node is starting".to_owned());
        };
        let children = tree.child_ids(&agent.name);
        if wish == Wish::Stop {
            return self.stop_all(agent, children).await;
        }
        for child in children {
            let reply = agent.in_order(|| {
                if self.is_stopping() {
                    return Err("the node is stopping".to_owned());
                }
                let down = || format!("the supervisor of {} is down", agent.name);
                let supervisor = self.supervisor_of(agent).ok_or_else(down)?;
                agent.release();
                agent.suspicion.clear();
                Ok(supervisor.request(wish.request()(child)))
            })?;
            answer(wish, agent, &reply.await)?;
        }
        Ok(())
    }

    /// The topmost supervisor above the agent that is down while its own supervisor is not, with
    /// the name of that one: what must be started before the agent can be.
    fn fallen_above(&self, wish: Wish, agent: &Agent) -> Option<(String, String)> {
        let tree = self.tree().filter(|_| wish != Wish::Stop)?;
        let above: Vec<&str> = agent.path.split('/').collect();
        let (_, supervisors) = above.split_last()?;
        let is_down = |pair: &&[&str]| matches!(pair, [_, it] if tree.supervisor(it).is_none());
        match supervisors.windows(2).find(is_down)? {
            [parent, name] => Some(((*parent).to_owned(), (*name).to_owned())),
            _ => None,
        }
    }

    /// Starts a supervisor that is down, and with it everything below.
    async fn raise(&self, parent: &str, name: &str) -> Result<(), String> {
        let parent = self.tree().and_then(|tree| tree.supervisor(parent));
        let down = || format!("the supervisor of {name} is down");
        let request = Request::OperatorStart(ChildId::from(name));
        match parent.ok_or_else(down)?.request(request).await {
            Reply::Error(RequestError::StartFailed(error)) => {
                Err(format!("supervisor {name} did not start: {error}"))
            }
            Reply::Error(error) => Err(format!("supervisor {name}: {error}")),
            _ => Ok(()),
        }
    }

    /// How long the start of everything below a supervisor may take, one after the other.
    fn raise_limit(&self, name: &str) -> Duration {
        let below = self.registry.below(name);
        below.iter().map(|agent| limit_of(Wish::Start, agent)).sum()
    }

    /// Holds the agent, and has every replica stopped. Goes on where the asker leaves: what was
    /// begun must be told.
    async fn stop_all(
        self: &Arc<Self>,
        agent: &Arc<Agent>,
        children: Vec<ChildId>,
    ) -> Result<(), String> {
        let replies: Vec<_> = agent.in_order(|| {
            agent.hold(&agent.stopped());
            let supervisor = self.supervisor_of(agent);
            let ask = |child| Some(supervisor.as_ref()?.request(Request::OperatorStop(child)));
            children.into_iter().map(ask).collect()
        });
        let (node, agent) = (Arc::clone(self), Arc::clone(agent));
        let stopped = tokio::spawn(async move {
            for (replica, reply) in replies.into_iter().enumerate() {
                if let Some(reply) = reply {
                    answer(Wish::Stop, &agent, &reply.await)?;
                }
                if agent.is_held() {
                    agent.rests(replica, AgentState::Stopped);
                    node.changed();
                }
            }
            Ok(())
        });
        stopped.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    fn supervisor_of(&self, agent: &Agent) -> Option<SupervisorHandle> {
        let tree = self.tree()?;
        tree.supervisor(tree.parent(&agent.name)?.as_str())
    }

    /// Sends SIGKILL to the processes that the targets name: a crash, to see them come back.
    pub(crate) fn kill(&self, targets: &[String]) -> Result<Vec<ActionOutcome>, Fault> {
        let agents = self.registry.matching(targets)?;
        let replicas = agents
            .iter()
            .flat_map(|agent| (0..agent.replica_count()).map(move |replica| (agent, replica)));
        Ok(replicas
            .map(|(agent, replica)| self.kill_one(agent, replica))
            .collect())
    }

    fn kill_one(&self, agent: &Agent, replica: usize) -> ActionOutcome {
        let (incarnation, pid) = agent.present(replica);
        let (ok, message) = match (incarnation, pid) {
            (Some(number), Some(pid)) => match agent.kill(replica) {
                Ok(()) => (
                    true,
                    format!("sent SIGKILL to {} #{number} (pid {pid})", agent.name),
                ),
                Err(why) => (false, format!("{} was not killed: {why}", agent.name)),
            },
            _ if agent.state(replica) == AgentState::Hibernated => {
                (false, told(agent, "has no process to kill"))
            }
            _ => (false, format!("{} has no process now", agent.name)),
        };
        let happening = Happening::new(EventKind::Operator, format!("operator: {message}"));
        self.events
            .publish(happening.agent(&agent.name, incarnation));
        ActionOutcome {
            agent: agent.name.to_string(),
            ok,
            message,
            pid,
            incarnation,
        }
    }
}

fn runs(agent: &Agent) -> bool {
    let states = (0..agent.replica_count()).map(|replica| agent.state(replica));
    let runs = |state| matches!(state, AgentState::Ready | AgentState::Hibernated);
    states.into_iter().all(runs)
}

fn is_hibernated(agent: &Agent) -> bool {
    (0..agent.replica_count()).all(|replica| agent.state(replica) == AgentState::Hibernated)
}

/// What was done, and that no process came of it where that is so.
fn done(wish: Wish, agent: &Agent) -> String {
    let message = format!("{} {}", wish.done(), agent.name);
    if is_hibernated(agent) {
        format!("{message}; it is hibernated, and its next call starts a process")
    } else {
        message
    }
}

/// As `echo runs already`; of one without a process, what that means.
fn told(agent: &Agent, what: &str) -> String {
    if is_hibernated(agent) {
        return format!(
            "{} {what}: it is hibernated, and its next call starts a process",
            agent.name
        );
    }
    format!("{} {what}", agent.name)
}

/// How long the action may take by the agent's own limits.
fn limit_of(wish: Wish, agent: &Agent) -> Duration {
    let stop = match agent.spec.shutdown {
        Shutdown::BrutalKill => Duration::ZERO,
        Shutdown::Timeout(time) => time.into(),
        Shutdown::Infinity => DRAIN_WAIT_MAX,
    };
    let start = Duration::from(agent.spec.start_timeout);
    let replicas = u32::try_from(agent.replica_count()).unwrap_or(u32::MAX);
    let one = match wish {
        Wish::Restart => stop + start,
        Wish::Stop => stop,
        Wish::Start => start,
    };
    one.saturating_mul(replicas).saturating_add(PATIENCE)
}

fn answer(wish: Wish, agent: &Agent, reply: &Reply) -> Result<(), String> {
    match reply {
        Reply::Error(RequestError::AlreadyStarted | RequestError::Running) => {
            Err(format!("{} runs already", agent.name))
        }
        // One that goes down ends its children, and the next one does not start a held agent.
        Reply::Error(RequestError::ShuttingDown) if wish == Wish::Stop => Ok(()),
        Reply::Error(RequestError::StartFailed(error)) => {
            Err(format!("{} did not start: {}", agent.name, error.reason))
        }
        Reply::Error(RequestError::Stopped) => Err(format!(
            "{} was stopped before it was {}",
            agent.name,
            wish.done()
        )),
        Reply::Error(RequestError::ShuttingDown) => {
            Err(format!("the supervisor of {} is going down", agent.name))
        }
        Reply::Error(error) => Err(format!("{}: {error}", agent.name)),
        Reply::Ok
        | Reply::Ignored
        | Reply::Children(_)
        | Reply::Child(_)
        | Reply::Counts(_)
        | Reply::Spec(_) => Ok(()),
    }
}
