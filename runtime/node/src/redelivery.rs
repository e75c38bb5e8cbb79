//! What people do with dead letters: look at them, try them again, drop them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use synapse_core::fault::{Fault, FaultCode};
use tokio::time::Instant;

use crate::call::Call;
use crate::deadletters::{DeadLetter, DeadLetterList, LetterId};
use crate::handle::RunOutcome;
use crate::node::{CALL_TIMEOUT_MAX, Node, submit};

/// Which dead letters are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichLetters<'a> {
    /// The one of this id.
    One(&'a str),
    /// All that are for this agent.
    Of(&'a str),
    /// All.
    All,
}

impl Node {
    pub(crate) fn dead_letters(&self, agent: Option<&str>) -> Result<DeadLetterList, Fault> {
        let list = self.letters.list(agent);
        match agent {
            // An agent that the tree no longer has may have left some.
            Some(name) if list.letters.is_empty() => self.registry.agent(name).map(|_| list),
            _ => Ok(list),
        }
    }

    pub(crate) async fn dead_letter(&self, id: &str) -> Result<Arc<DeadLetter>, Fault> {
        let number = id.parse().map_err(|fault| self.with_nearest(id, fault))?;
        let read = self.letters.read(number).await.map_err(|error| {
            let message = format!("dead letter {id} cannot be read: {error}");
            Fault::new(FaultCode::AgentError, message)
        })?;
        read.ok_or_else(|| self.no_such(id))
    }

    /// As a call of its own: with the agent's time, and ended where its caller leaves.
    pub(crate) async fn retry_dead_letter(&self, id: &str) -> Result<RunOutcome, Fault> {
        let letter = self.dead_letter(id).await?;
        let number = letter.head.id;
        let agent = self.registry.agent(&letter.head.agent)?;
        let Some(_trying) = self.letters.try_again(number) else {
            let message = format!("dead letter {number} is being tried again by somebody else");
            return Err(Fault::new(FaultCode::Overloaded, message));
        };
        let arrived = Instant::now();
        let limit = Duration::from(agent.spec.call_timeout).min(CALL_TIMEOUT_MAX);
        let input = letter.call.input();
        let name = Arc::clone(&agent.name);
        let call = Call::new(self.next_run(), name, input, arrived, arrived + limit, None);
        let call = Arc::new(call.trying(letter));
        agent.suspicion.parole(&call);
        let run = submit(&agent, &call)?;
        // A run always has an outcome, and this is the only place that takes it.
        let outcome = run.outcome().await.unwrap_or_else(|| {
            let message = "the run ended without an outcome";
            Err(Fault::new(FaultCode::Cancelled, message))
        })?;
        self.letters.remove(number).await;
        Ok(outcome)
    }

    pub(crate) async fn drop_dead_letters(&self, which: WhichLetters<'_>) -> Result<usize, Fault> {
        let ids: Vec<LetterId> = match which {
            WhichLetters::One(id) => {
                vec![id.parse().map_err(|fault| self.with_nearest(id, fault))?]
            }
            WhichLetters::Of(agent) => ids_of(&self.dead_letters(Some(agent))?),
            WhichLetters::All => ids_of(&self.dead_letters(None)?),
        };
        let mut dropped = 0;
        for id in ids {
            if self.letters.remove(id).await {
                dropped += 1;
                for agent in self.registry.all() {
                    agent.suspicion.pardon(id);
                }
            }
        }
        match which {
            WhichLetters::One(id) if dropped == 0 => Err(self.no_such(id)),
            _ => Ok(dropped),
        }
    }

    fn no_such(&self, id: &str) -> Fault {
        let message = format!("there is no dead letter {id:?}");
        self.with_nearest(id, Fault::new(FaultCode::InvalidInput, message))
    }

    fn with_nearest(&self, id: &str, fault: Fault) -> Fault {
        let Some(nearest) = self.letters.nearest(id).map(|it| it.to_string()) else {
            return fault;
        };
        let message = format!("{}; did you mean {nearest}?", fault.message);
        Fault { message, ..fault }.with_details(json!({ "nearest": nearest }))
    }
}

fn ids_of(list: &DeadLetterList) -> Vec<LetterId> {
    list.letters.iter().map(|head| head.id).collect()
}
