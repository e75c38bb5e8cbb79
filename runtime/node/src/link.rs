//! The link of one incarnation: the task that owns both pipe ends and carries its runs.
//!
//! Calls go from the mailbox straight to the pipe and answers from the pipe straight to the caller;
//! the actor above hears only of the incarnation's life (decision 0003). Death is not the link's to
//! decide: it is told.

mod aftermath;
mod answer;
mod outbox;
mod pipes;
mod port;
mod recent;
mod runs;

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::pin::pin;
use std::sync::Arc;

use jsonschema::Validator;
use ractor::ActorRef;
use serde_json::Value;
use synapse_core::liveness::Pong;
use synapse_core::time::Millis;
use synapse_wire::frame::{FromAgent, Ready};
use synapse_wire::{Event, FrameDecoder, Greeting, RunHasher, RuntimeSession};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

pub(crate) use port::{Death, LinkCommand, LinkEnd, LinkPort};
pub(crate) use synapse_wire::frame::CancelReason;

use crate::agent::Agent;
use crate::agent::process::Message;
use crate::call::Call;
use crate::logs::cut;
use outbox::{Flushed, Outbox};
use pipes::{read, writable};
use recent::Recent;
use runs::Running;

/// What the link tells the actor.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// The program is loaded.
    Ready,
    /// The program says why it cannot start.
    StartFault {
        message: String,
        traceback: Option<String>,
    },
    /// The process broke the protocol.
    Violation(String),
    /// It closed its end of the pipe, or cannot be written to any more.
    Closed {
        /// The rule that this breaks where no crash explains it.
        torn: Option<String>,
    },
    /// A cancelled run goes on and on.
    Unresponsive(String),
}

/// One incarnation's conversation with its process.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) agent: Arc<Agent>,
    pub(crate) incarnation: u64,
    pub(crate) port: Arc<LinkPort>,
    pub(crate) owner: ActorRef<Message>,
    pub(crate) greeting: Option<Greeting>,
    session: RuntimeSession,
    outbox: Outbox,
    recent: Recent,
    /// The time of this turn of the loop, once something has asked for it.
    now: Option<Instant>,
    runs: HashMap<u64, Running, BuildHasherDefault<RunHasher>>,
    schema: Option<Validator>,
    /// Whether outputs are checked when they come, because the program does not ask.
    check_results: bool,
    /// Whether runs say so before their first tool begins.
    tells_effects: bool,
    /// Whether the run that was written last is to be alone.
    alone: bool,
    /// Slots that the mailbox knows of.
    slots_known: usize,
    rung: bool,
    serial: u64,
    cancelled: usize,
    taken: Vec<Arc<Call>>,
    commands: Vec<LinkCommand>,
    open: bool,
    /// Told when everything that the dead process wrote is read.
    reaped: Option<oneshot::Sender<()>>,
    death: Option<Death>,
}

impl Link {
    pub(crate) fn new(
        agent: Arc<Agent>,
        incarnation: u64,
        owner: ActorRef<Message>,
        greeting: Greeting,
    ) -> Self {
        Self {
            agent,
            incarnation,
            port: Arc::default(),
            owner,
            greeting: Some(greeting),
            session: RuntimeSession::new(),
            outbox: Outbox::default(),
            recent: Recent::default(),
            now: None,
            runs: HashMap::default(),
            schema: None,
            check_results: false,
            tells_effects: false,
            alone: false,
            slots_known: 0,
            rung: false,
            serial: 0,
            cancelled: 0,
            taken: Vec::new(),
            commands: Vec::new(),
            open: true,
            reaped: None,
            death: None,
        }
    }

    /// Carries runs until the actor says that the process is dead; then answers what is left, and
    /// returns what it knows of the end.
    pub(crate) async fn serve(
        mut self,
        stdin: Sender,
        mut stdout: Receiver,
        mut decoder: FrameDecoder<FromAgent>,
    ) -> LinkEnd {
        let mut stdin = Some(stdin);
        // Of a spare, its `hello` has been read.
        self.frames(&mut decoder);
        let port = Arc::clone(&self.port);
        // Kept from turn to turn: to enter the bell's list anew costs two locks.
        let mut rung = pin!(port.rung());
        while self.reaped.is_none() && self.death.is_none() {
            self.take_calls();
            self.note_sent();
            if self.outbox.flush(&mut stdin) == Flushed::Broken {
                self.condemn(LinkEvent::Closed { torn: None });
            }
            let grace = self.next_grace();
            tokio::select! {
                biased;
                read = read(&mut stdout, &mut decoder), if self.open => {
                    self.now = None;
                    self.read(&read, &mut decoder);
                }
                () = rung.as_mut() => {
                    self.now = None;
                    rung.set(port.rung());
                    self.obey(&mut stdin);
                    self.gather().await;
                }
                () = writable(stdin.as_ref()), if self.outbox.waits() => self.now = None,
                () = until(grace) => {
                    self.now = None;
                    self.grace_over();
                }
            }
        }
        self.now = None;
        self.drain(stdout, &mut decoder);
        // What the process said last may be why it ended, so the reason is settled only now.
        drop(self.reaped.take());
        while self.death.is_none() {
            port.rung().await;
            self.obey(&mut stdin);
        }
        self.after_death()
    }

    /// The time of this turn: a clock is read once for all that happens in it.
    fn now(&mut self) -> Instant {
        *self.now.get_or_insert_with(Instant::now)
    }

    /// Lets the callers who are about to call do so first, where the agent is busy and takes more
    /// than one call at a time: one write, and one waking of the process, for all of them.
    async fn gather(&self) {
        let spec = &self.agent.spec;
        if spec.concurrency + spec.prefetch > 1 && self.agent.deadlines.len() > 1 {
            yield_now().await;
        }
    }

    /// The process will not be kept: it gets no more calls, and another replica has those that
    /// come.
    fn condemn(&self, why: LinkEvent) {
        self.agent.mailbox.leave(&self.port);
        self.tell(why);
    }

    fn take_event(&mut self, event: Event) {
        match event {
            Event::Hello(_) => self.welcome(),
            Event::Ready(ready) => self.ready(ready),
            Event::StartFailed(fault) => {
                let fault = self.without_secrets(fault);
                let traceback = answer::traceback(fault.details.as_ref());
                if let Some(traceback) = &traceback {
                    self.log_traceback("the program does not load:", traceback);
                }
                self.condemn(LinkEvent::StartFault {
                    message: cut(fault.message),
                    traceback,
                });
            }
            Event::Started { run } => self.started(run),
            Event::Effect { run } => self.effect(run),
            Event::Chunk(chunk) => self.chunk(chunk),
            Event::Result(result) => self.result(result),
            Event::Fault(fault) => self.fault(fault),
            Event::OutputCheck(check) => self.output_check(&check),
            Event::ToolCall(call) => self.tool_call(&call),
            Event::Pong(pong) => self.port.note_pong(Pong {
                lag: Millis(pong.lag_us / 1_000),
                others_open: self.session.pings_open() > 0,
            }),
            Event::Log(log) => self.log(&log),
        }
    }

    fn welcome(&mut self) {
        let Some(greeting) = self.greeting.take() else {
            return;
        };
        if let Err(refused) = self.session.welcome(greeting, self.outbox.buffer()) {
            let message = format!("its configuration cannot be sent: {refused}");
            self.condemn(LinkEvent::StartFault {
                message,
                traceback: None,
            });
        }
    }

    fn ready(&mut self, ready: Ready) {
        let manifest = Value::Object(ready.manifest);
        let declared = self.agent.spec.output_schema.clone();
        let schema = declared.or_else(|| manifest.get("output_schema").cloned());
        let schema = schema.filter(|schema| !schema.is_null());
        self.tells_effects = manifest.get("tells_effects") == Some(&Value::Bool(true));
        self.check_results = self.agent.spec.output_schema.is_some()
            && manifest.get("kind").and_then(Value::as_str) == Some("function");
        match schema
            .map(|schema| jsonschema::validator_for(&schema))
            .transpose()
        {
            Ok(validator) => self.schema = validator,
            Err(error) => {
                let message = format!("its output schema is not a JSON Schema: {error}");
                self.condemn(LinkEvent::StartFault {
                    message: cut(self.agent.secrets.text(message)),
                    traceback: None,
                });
                return;
            }
        }
        self.agent.set_manifest(&manifest);
        self.rung = true;
        self.tell(LinkEvent::Ready);
    }

    fn obey(&mut self, stdin: &mut Option<Sender>) {
        self.rung |= self.port.has_work();
        let mut commands = std::mem::take(&mut self.commands);
        self.port.take(&mut commands);
        for command in commands.drain(..) {
            match command {
                LinkCommand::Taken { run, chunks } => {
                    // Refused where the run has just ended: nobody needs the credit then.
                    self.session.taken(run.0, chunks, self.outbox.buffer()).ok();
                }
                LinkCommand::Cancel { run, reason } => self.cancel(run.0, reason),
                LinkCommand::Stop { within_ms } => {
                    self.agent.mailbox.leave(&self.port);
                    if self.session.stop(within_ms, self.outbox.buffer()).is_err() {
                        *stdin = None;
                    }
                }
                LinkCommand::Ping => {
                    // Refused where the conversation is over, or too many had no answer: then
                    // those that are on their way will do.
                    self.session.ping(self.outbox.buffer()).ok();
                }
                LinkCommand::CancelRuns => {
                    let runs: Vec<u64> = self.runs.keys().copied().collect();
                    for run in runs {
                        self.cancel(run, CancelReason::Shutdown);
                    }
                }
                LinkCommand::CloseInput => *stdin = None,
                // An error means that the asker has given up.
                LinkCommand::Frames(to) => drop(to.send(self.recent.view(Instant::now()))),
                LinkCommand::Reaped(read) => self.reaped = Some(read),
                LinkCommand::Died(death) => self.death = Some(*death),
            }
        }
        self.commands = commands;
    }

    /// A send fails only when the actor is gone, and then its process is being killed.
    fn tell(&self, event: LinkEvent) {
        let incarnation = self.incarnation;
        if self
            .owner
            .cast(Message::Link { incarnation, event })
            .is_err()
        {
            tracing::debug!(agent = %self.agent.name, "link event after the actor's end");
        }
    }
}

impl Drop for Link {
    /// A link that fails leaves no caller without an answer, and no call to a process that is gone.
    fn drop(&mut self) {
        self.agent.mailbox.leave(&self.port);
        for (_, running) in self.runs.drain() {
            running.call.settle(None, None);
            self.agent.finish(&running.call, Err(self.agent.lost()));
        }
    }
}

/// Never, where there is no such time. A timer costs more than a call may, so none is made then.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
