//! The runs of a dead process: given back, executed again, answered, or kept as dead letters. Core
//! decides which; this tells what was seen, and does it.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use synapse_core::crash::{Blame, Fate, Outcome};
use synapse_core::fault::{Fault, FaultCode};

use crate::agent::Agent;
use crate::call::{Call, Loss};
use crate::clock::timestamp;
use crate::deadletters::{DeadLetter, DeadLetterHead, LetterId};
use crate::link::runs::Running;
use crate::link::{Death, Link, LinkEnd};

/// Exits that a letter keeps as evidence; of more, the latest.
const EXITS_MAX: usize = 10;

impl Link {
    /// A tool of the run begins, here or in the process.
    pub(super) fn effect(&mut self, run: u64) {
        if let Some(running) = self.runs.get_mut(&run) {
            running.effect = true;
        }
    }

    /// The process is dead, and everything that it wrote is read.
    pub(super) fn after_death(&mut self) -> LinkEnd {
        self.agent.mailbox.leave(&self.port);
        let Some(mut death) = self.death.take() else {
            return LinkEnd::default();
        };
        let frames = self.recent.view(death.at);
        death.exit.frames.clone_from(&frames);
        // Text, numbers and lists: writing them cannot fail.
        let evidence = Arc::new(serde_json::to_value(&death.exit).unwrap_or_default());
        let mut rest: Vec<Running> = self.runs.drain().map(|(_, running)| running).collect();
        rest.sort_by_key(|running| running.serial);
        for running in &mut rest {
            // What is not in the pipe has not come to the process.
            running.started &= self.outbox.has_sent(running.written);
        }
        let executing = rest.iter().filter(|running| running.started).count();
        let known = rest.iter().any(|running| running.culprit);
        let (mut runs, mut back) = (Vec::new(), Vec::new());
        for running in rest {
            let blame = match running.started {
                true => Blame::of(death.ending, executing, known.then_some(running.culprit)),
                false => Blame::None,
            };
            let loss = self.loss(&running, &death, blame, &evidence);
            let mut cut_off = running.cut_off(death.at, loss.outcome);
            let call = running.call;
            match call.lost(loss, &self.agent.spec.crash) {
                Fate::Waits => back.push(call),
                Fate::Again => {
                    cut_off.again = true;
                    back.push(call);
                }
                Fate::Answered { retryable } => self.answer(&call, &death, loss, retryable),
                Fate::DeadLetter => {
                    let letter = self.dead_letter(call, &death, loss);
                    cut_off.dead_letter = Some(letter.to_string());
                }
                Fate::Forgotten if running.started => call.settle(None, None),
                // Nothing of it ran: the conversation is as it was.
                Fate::Forgotten => drop(call.take_lease()),
            }
            if running.started {
                runs.push(cut_off);
            }
        }
        self.agent.give_back(back);
        self.note_in_flight();
        LinkEnd { runs, frames }
    }

    fn loss(&self, running: &Running, death: &Death, blame: Blame, evidence: &Arc<Value>) -> Loss {
        let outcome = match running {
            Running { started: false, .. } => Outcome::NotStarted,
            Running { effect: false, .. } if self.tells_effects => Outcome::NoEffect,
            _ => Outcome::Unknown,
        };
        let suspicion = &self.agent.suspicion;
        let before = running.call.tries.as_ref().map_or(0, |it| it.head.deaths);
        Loss {
            ending: death.ending,
            outcome,
            blame,
            deaths: match blame {
                Blame::None => 0,
                Blame::Shared | Blame::Alone => {
                    suspicion.died(&running.call, evidence).max(before + 1)
                }
            },
        }
    }

    fn answer(&self, call: &Call, death: &Death, loss: Loss, retryable: bool) {
        let fault = told(death.fault.clone(), call, loss).with_retryable(retryable);
        call.settle(None, None);
        self.agent.finish(call, Err(fault));
    }

    /// Keeps the call, and answers it when it is kept.
    fn dead_letter(&self, call: Arc<Call>, death: &Death, loss: Loss) -> LetterId {
        let letters = &self.agent.letters;
        let id = call.tries.as_ref().map(|it| it.head.id);
        let id = id.unwrap_or_else(|| letters.next_id());
        let evidence = self.agent.suspicion.condemn(&call, id);
        let letter = letter(&self.agent, &call, death, loss, (id, &evidence));
        let fault = poisoned(&self.agent, &letter.head, &death.fault);
        let fault = told(fault, &call, loss);
        let (agent, letters) = (Arc::clone(&self.agent), Arc::clone(letters));
        tokio::spawn(async move {
            letters.keep(letter).await;
            call.settle(None, None);
            agent.finish(&call, Err(fault));
        });
        id
    }
}

/// The fault with what is known of this run.
fn told(fault: Fault, call: &Call, loss: Loss) -> Fault {
    let mut details = match fault.details {
        Value::Object(details) => details,
        _ => Map::new(),
    };
    details.insert("outcome".to_owned(), loss.outcome.as_str().into());
    details.insert("partial".to_owned(), call.partial().into());
    if details["partial"].is_null() {
        details.remove("partial");
    }
    Fault {
        details: Value::Object(details),
        ..fault
    }
}

fn letter(
    agent: &Agent,
    call: &Call,
    death: &Death,
    loss: Loss,
    (id, evidence): (LetterId, &[Arc<Value>]),
) -> DeadLetter {
    let kept = call.kept();
    let before = call.tries.as_deref();
    let exits_before = before.map(|letter| letter.exits.clone());
    let mut exits = exits_before.unwrap_or_default();
    exits.extend(evidence.iter().map(|exit| Value::clone(exit)));
    exits.drain(..exits.len().saturating_sub(EXITS_MAX));
    DeadLetter {
        head: DeadLetterHead {
            id,
            agent: agent.name.to_string(),
            at: timestamp(),
            session: call.session().or_else(|| before?.head.session.clone()),
            run: call.id.to_string(),
            deaths: loss.deaths,
            attempts: call.attempts(),
            reason: death.exit.detail.clone(),
            preview: kept.preview(),
        },
        call: kept,
        exits,
    }
}

fn poisoned(agent: &Agent, head: &DeadLetterHead, crashed: &Fault) -> Fault {
    let name = &agent.name;
    let (deaths, reason, id) = (head.deaths, &head.reason, head.id);
    let times = if deaths == 1 { "once" } else { "times" };
    let count = if deaths == 1 {
        times.to_owned()
    } else {
        format!("{deaths} {times}")
    };
    let message = format!(
        "this call has killed {name} {count} ({reason}), and is refused from now on; \
         `deadletters show {id}` has the evidence"
    );
    let mut details = match &crashed.details {
        Value::Object(details) => details.clone(),
        _ => Map::new(),
    };
    details.insert("dead_letter".to_owned(), json!(id.to_string()));
    details.insert("deaths".to_owned(), deaths.into());
    Fault::new(FaultCode::CallPoisoned, message).with_details(Value::Object(details))
}
