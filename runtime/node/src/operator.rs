//! What an operator can do to agents: restart, stop, start, kill. Each through their supervisors.

use std::sync::Arc;
use std::time::Duration;

use synapse_core::fault::{Fault, FaultCode};
use synapse_core::spec::Shutdown;
use synapse_core::supervisor::{ChildId, Reply, Request, RequestError};
use tokio::time::timeout;

use crate::agent::Agent;
use crate::events::Happening;
use crate::node::Node;
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
        &self,
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
        let mut outcomes = Vec::with_capacity(agents.len());
        for agent in agents {
            outcomes.push(self.operate_one(wish, &agent).await);
        }
        self.changed();
        Ok(outcomes)
    }

    async fn operate_one(&self, wish: Wish, agent: &Arc<Agent>) -> ActionOutcome {
        let limit = limit(wish, agent);
        let ready = |replica| agent.state(replica) == AgentState::Ready;
        let runs_already = wish == Wish::Start && (0..agent.replica_count()).all(ready);
        let asked = timeout(limit, self.ask_all(wish, agent)).await;
        let (ok, message) = match asked {
            Ok(Ok(())) if runs_already => (true, format!("{} runs already", agent.name)),
            Ok(Ok(())) => (true, format!("{} {}", wish.done(), agent.name)),
            Ok(Err(why)) => (false, why),
            Err(_) => (
                false,
                format!("{} is not {} after {limit:?}", agent.name, wish.done()),
            ),
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

    async fn ask_all(&self, wish: Wish, agent: &Arc<Agent>) -> Result<(), String> {
        if wish == Wish::Stop {
            agent.close(&agent.stopped());
        }
        let Some(tree) = self.tree() else {
            return Err("the node is starting".to_owned());
        };
        for child in tree.child_ids(&agent.name) {
            let parent = tree
                .parent(&agent.name)
                .and_then(|name| tree.supervisor(name.as_str()));
            let Some(supervisor) = parent else {
                return Err(format!("the supervisor of {} is down", agent.name));
            };
            let reply = supervisor.request(wish.request()(child)).await;
            answer(wish, agent, &reply)?;
        }
        if wish == Wish::Stop {
            for replica in 0..agent.replica_count() {
                agent.set_state(replica, AgentState::Stopped);
            }
        }
        Ok(())
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

/// How long the action may take by the agent's own limits.
fn limit(wish: Wish, agent: &Agent) -> Duration {
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
        Reply::Ok | Reply::Ignored | Reply::Children(_) | Reply::Counts(_) | Reply::Spec(_) => {
            Ok(())
        }
    }
}
