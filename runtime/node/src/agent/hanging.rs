//! A process that hangs: what was found of it is told, its stacks are taken, and it is ended where
//! that was decided. It decides nothing.

use std::sync::Arc;

use ractor::ActorRef;
use serde_json::{Value, json};
use synapse_core::fault::report_chain;
use synapse_core::incarnation::Event;
use synapse_core::liveness::{Action, Finding, Hang};

use crate::agent::living::Living;
use crate::agent::process::{Message, State};
use crate::pulse::{Owner, Probe};
use crate::view::{EventKind, LogStream};

/// What is to be said of a process once its stacks are known.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// People are told, and it goes on.
    Warned(Finding),
    /// It is ended for this reason.
    Condemned(String),
}

/// What is known of the hangs of one life.
#[derive(Debug, Default)]
pub(super) struct Hanging {
    /// The watch, from ready on.
    probe: Option<Arc<Probe>>,
    /// A warning waits for the stacks, and what follows it waits for the warning.
    warning: bool,
    recovered: Option<Hang>,
    /// For the evidence of the exit.
    stacks: Option<String>,
    /// The process was waited for.
    over: bool,
}

impl Hanging {
    /// The process has ended: nothing is found of it any more.
    pub(super) fn is_over(&mut self) {
        self.probe = None;
        self.over = true;
    }

    pub(super) fn take_stacks(&mut self) -> Option<String> {
        self.stacks.take()
    }
}

impl State {
    /// From ready on: until then the start has its own time.
    pub(super) fn watch_over(&mut self, myself: &ActorRef<Message>) {
        let Some(process) = &self.process else { return };
        self.hanging.probe = Some(self.node.pulse.watch(
            self.agent.spec.liveness,
            self.agent.runs_on_loop(),
            Arc::clone(process.port()),
            Arc::clone(process.source()),
            Owner {
                actor: myself.clone(),
                incarnation: self.incarnation,
            },
        ));
    }

    /// Does what the watch has decided.
    pub(super) fn attend(&mut self, myself: &ActorRef<Message>, actions: Vec<Action>) {
        let stacks = actions.contains(&Action::DumpStacks);
        for action in actions {
            match action {
                // Taken by what follows it, and sent by the pulse.
                Action::DumpStacks | Action::SendPing => {}
                Action::Warn(finding) => {
                    self.hanging.warning = true;
                    self.testify(myself, Verdict::Warned(finding), stacks);
                }
                Action::Recovered(hang) if self.hanging.warning => {
                    self.hanging.recovered = Some(hang);
                }
                Action::Recovered(hang) => self.recovered(hang),
                Action::Condemn(finding) => self.condemn(myself, finding.to_string(), stacks),
            }
        }
    }

    /// The process will not be kept: it gets no more calls, and its stacks are taken first.
    pub(super) fn condemn(&mut self, myself: &ActorRef<Message>, why: String, stacks: bool) {
        if let Some(process) = &self.process {
            self.agent.mailbox.leave(process.port());
        }
        self.testify(myself, Verdict::Condemned(why), stacks);
    }

    /// Away from the actor, which stays able to hear of an end or a stop.
    fn testify(&self, myself: &ActorRef<Message>, verdict: Verdict, stacks: bool) {
        let source = self.process.as_ref().map(Living::source).filter(|_| stacks);
        let (source, actor) = (source.cloned(), myself.clone());
        let incarnation = self.incarnation;
        tokio::spawn(async move {
            let stacks = match source {
                None => None,
                Some(source) => Some(
                    source
                        .dump()
                        .await
                        .unwrap_or_else(|why| format!("no stacks: {}", report_chain(&why))),
                ),
            };
            // Where the actor is gone, its process is being killed.
            drop(actor.cast(Message::Testified {
                incarnation,
                verdict,
                stacks,
            }));
        });
    }

    /// The stacks are there. One that has ended meanwhile has ended by itself.
    pub(super) fn testified(&mut self, verdict: Verdict, stacks: Option<String>) -> Option<Event> {
        if self.hanging.over {
            return None;
        }
        match verdict {
            Verdict::Condemned(why) => {
                self.hanging.stacks = stacks;
                Some(Event::Unresponsive(why))
            }
            Verdict::Warned(finding) => {
                self.warned(finding, stacks.as_deref());
                self.hanging.warning = false;
                if let Some(hang) = self.hanging.recovered.take() {
                    self.recovered(hang);
                }
                None
            }
        }
    }

    fn warned(&self, finding: Finding, stacks: Option<&str>) {
        let message = format!("unresponsive: {finding}");
        let head = message.as_str();
        for line in std::iter::once(head).chain(stacks.iter().flat_map(|text| text.lines())) {
            let (stream, text) = (LogStream::Runtime, line.to_owned());
            self.agent
                .log
                .add(self.incarnation, stream, "warning", text);
        }
        self.publish_with(
            EventKind::AgentUnresponsive,
            &message,
            json!({
                "hang": finding.hang.as_str(),
                "lasted_ms": finding.lasted.0,
                "limit_ms": finding.limit.0,
                "stacks": stacks,
            }),
        );
    }

    fn recovered(&self, hang: Hang) {
        let message = format!("responds again (it was {})", hang.as_str());
        self.agent.log.add(
            self.incarnation,
            LogStream::Runtime,
            "info",
            message.clone(),
        );
        let data: Value = json!({ "hang": hang.as_str() });
        self.publish_with(EventKind::AgentRecovered, &message, data);
    }
}
