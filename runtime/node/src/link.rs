//! The link of one incarnation: the task that owns both pipe ends and carries its runs.
//!
//! Calls go from the mailbox straight to the pipe and answers from the pipe straight to the caller;
//! the actor above hears only of the incarnation's life (decision 0003). Death is not the link's to
//! decide: it is told.

mod answer;
mod outbox;
mod port;

use std::collections::HashMap;
use std::fs::File;
use std::hash::BuildHasherDefault;
use std::io::{self, Read};
use std::pin::pin;
use std::sync::Arc;

use bytes::BufMut;
use jsonschema::Validator;
use ractor::ActorRef;
use serde_json::Value;
use synapse_wire::frame::{FromAgent, Ready};
use synapse_wire::{CallFrame, Event, FrameDecoder, Greeting, RunHasher, RuntimeSession};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

pub(crate) use port::{Death, LinkCommand, LinkPort};
pub(crate) use synapse_wire::frame::CancelReason;

use crate::agent::process::Message;
use crate::agent::{Agent, millis};
use crate::call::Call;
use crate::logs::cut;
use crate::view::LogStream;
use outbox::{Flushed, Outbox};

/// Bytes read after the child's death at the most: what a grandchild goes on writing is not its.
const AFTER_DEATH_BYTES_MAX: usize = 2 * synapse_wire::limits::FRAME_BYTES_MAX;
/// Bytes read at once then: what a pipe holds by default.
const DRAIN_BYTES: usize = 64 * 1024;

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
    runs: HashMap<u64, Running, BuildHasherDefault<RunHasher>>,
    schema: Option<Validator>,
    /// Whether outputs are checked when they come, because the program does not ask.
    check_results: bool,
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

/// A run that the process has.
#[derive(Debug)]
struct Running {
    call: Arc<Call>,
    /// The order in which calls were taken.
    serial: u64,
    /// Whether the process may have begun with it.
    started: bool,
    /// Told to end before it began.
    cancelled_ahead: bool,
    /// Until when cancelled code may go on.
    grace_until: Option<Instant>,
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
            runs: HashMap::default(),
            schema: None,
            check_results: false,
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

    /// Carries runs until the actor says that the process is dead; then answers what is left and
    /// returns the runs that were in flight.
    pub(crate) async fn serve(mut self, stdin: Sender, mut stdout: Receiver) -> Vec<String> {
        let mut stdin = Some(stdin);
        let mut decoder = FrameDecoder::<FromAgent>::new();
        let port = Arc::clone(&self.port);
        // Kept from turn to turn: to enter the bell's list anew costs two locks.
        let mut rung = pin!(port.rung());
        while self.reaped.is_none() && self.death.is_none() {
            self.take_calls();
            if self.outbox.flush(&mut stdin) == Flushed::Broken {
                self.condemn(LinkEvent::Closed { torn: None });
            }
            let grace = self.next_grace();
            tokio::select! {
                biased;
                read = read(&mut stdout, &mut decoder), if self.open => self.read(&read, &mut decoder),
                () = rung.as_mut() => {
                    rung.set(port.rung());
                    self.obey(&mut stdin);
                }
                () = writable(stdin.as_ref()), if self.outbox.waits() => {}
                () = until(grace) => {
                    self.grace_over();
                }
            }
        }
        self.drain(stdout, &mut decoder);
        // What the process said last may be why it ended, so the reason is settled only now.
        drop(self.reaped.take());
        while self.death.is_none() {
            port.rung().await;
            self.obey(&mut stdin);
        }
        self.answer_the_rest()
    }

    /// Takes calls from the mailbox into free slots, and writes them. A call that is refused frees
    /// its slot again, and nobody would ring for that one.
    fn take_calls(&mut self) {
        while self.take_some_calls() {}
    }

    /// Whether one of them was refused.
    fn take_some_calls(&mut self) -> bool {
        if !self.session.is_ready() {
            return false;
        }
        let spec = &self.agent.spec;
        let slots = (spec.concurrency + spec.prefetch).saturating_sub(self.runs.len());
        if !std::mem::take(&mut self.rung) && slots == self.slots_known {
            return false;
        }
        let mut taken = std::mem::take(&mut self.taken);
        self.agent.mailbox.pull(&self.port, slots, &mut taken);
        self.slots_known = slots - taken.len();
        let mut refused = false;
        for call in taken.drain(..) {
            refused |= !self.write_call(call);
        }
        self.taken = taken;
        self.note_in_flight();
        refused
    }

    /// Whether it could be written.
    fn write_call(&mut self, call: Arc<Call>) -> bool {
        let prefetched = self.runs.len() >= self.agent.spec.concurrency;
        let input = &call.input;
        let limits = input
            .usage_limits
            .as_ref()
            .and_then(crate::agent::launch::usage_limits);
        let left = call.deadline.saturating_duration_since(Instant::now());
        let frame = CallFrame {
            prefetched,
            deadline_ms: Some(millis(left)),
            deps: input.deps.as_ref(),
            // Without one the agent need not write its messages: nobody keeps them.
            history: (call.in_session || !input.history.is_empty())
                .then_some(input.history.as_slice()),
            model: input.model.as_deref(),
            settings: input.settings.as_ref(),
            instructions: input.instructions.as_deref(),
            limits: limits.as_ref(),
            ..CallFrame::new(call.id.0, &input.input, input.stream)
        };
        if let Err(refused) = self.session.call(&frame, self.outbox.buffer()) {
            self.refuse(&call, &refused);
            return false;
        }
        if !prefetched {
            call.begin(self.incarnation);
        }
        self.serial += 1;
        let running = Running {
            serial: self.serial,
            started: !prefetched,
            cancelled_ahead: false,
            grace_until: None,
            call,
        };
        self.runs.insert(running.call.id.0, running);
        true
    }

    fn note_in_flight(&self) {
        let in_flight = self.runs.len().min(self.agent.spec.concurrency);
        self.port.note_in_flight(in_flight);
    }

    /// What a read gave: frames, or the end of the pipe.
    fn read(&mut self, read: &io::Result<usize>, decoder: &mut FrameDecoder<FromAgent>) {
        match read {
            Ok(0) | Err(_) => self.closed(decoder),
            Ok(_) => self.frames(decoder),
        }
    }

    /// End of file. Inside a frame it is a violation, unless a crash explains it: the wait status
    /// decides.
    fn closed(&mut self, decoder: &FrameDecoder<FromAgent>) {
        self.open = false;
        let torn = decoder.end().err().map(|violation| violation.to_string());
        self.condemn(LinkEvent::Closed { torn });
    }

    /// The process will not be kept: it gets no more calls, and another replica has those that
    /// come.
    fn condemn(&self, why: LinkEvent) {
        self.agent.mailbox.leave(&self.port);
        self.tell(why);
    }

    fn frames(&mut self, decoder: &mut FrameDecoder<FromAgent>) {
        loop {
            let frame = decoder.next_frame();
            let event = match frame {
                Ok(None) => break,
                Ok(Some(frame)) => self.session.received(frame),
                Err(violation) => Err(violation),
            };
            match event {
                Ok(event) => self.take_event(event),
                Err(violation) => {
                    // Nothing that follows can be understood, or trusted.
                    self.open = false;
                    self.condemn(LinkEvent::Violation(cut(violation.to_string())));
                    break;
                }
            }
        }
    }

    fn take_event(&mut self, event: Event) {
        match event {
            Event::Hello(_) => self.welcome(),
            Event::Ready(ready) => self.ready(ready),
            Event::StartFailed(fault) => {
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
            Event::Chunk(chunk) => self.chunk(chunk),
            Event::Result(result) => self.result(result),
            Event::Fault(fault) => self.fault(fault),
            Event::OutputCheck(check) => self.output_check(&check),
            Event::ToolCall(call) => self.no_such_tool(&call),
            // Nothing pings yet; a pong is then a violation, which the session tells.
            Event::Pong(_) => {}
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
                    message: cut(message),
                    traceback: None,
                });
                return;
            }
        }
        self.agent.set_manifest(manifest);
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
                LinkCommand::CancelRuns => {
                    let runs: Vec<u64> = self.runs.keys().copied().collect();
                    for run in runs {
                        self.cancel(run, CancelReason::Shutdown);
                    }
                }
                LinkCommand::CloseInput => *stdin = None,
                LinkCommand::Reaped(read) => self.reaped = Some(read),
                LinkCommand::Died(death) => self.death = Some(*death),
            }
        }
        self.commands = commands;
    }

    fn cancel(&mut self, run: u64, reason: CancelReason) {
        let Some(running) = self.runs.get_mut(&run) else {
            return;
        };
        if !running.started {
            // It waits behind other code, which is no reason to end that.
            running.cancelled_ahead = true;
        } else if running.grace_until.is_none() {
            let grace = self.agent.spec.cancel_grace.into();
            running.grace_until = Some(Instant::now() + grace);
            self.cancelled += 1;
        }
        // Refused where the run has just ended: it is over either way.
        self.session.cancel(run, reason, self.outbox.buffer()).ok();
    }

    fn next_grace(&self) -> Option<Instant> {
        if self.cancelled == 0 {
            return None;
        }
        self.runs
            .values()
            .filter_map(|running| running.grace_until)
            .min()
    }

    fn grace_over(&mut self) {
        let now = Instant::now();
        let over = |running: &&Running| running.grace_until.is_some_and(|until| until <= now);
        let Some(running) = self.runs.values().find(over) else {
            return;
        };
        let what = format!(
            "run {} went on {} ms after it was cancelled",
            running.call.id, self.agent.spec.cancel_grace.0
        );
        for running in self.runs.values_mut() {
            running.grace_until = None;
        }
        self.cancelled = 0;
        self.condemn(LinkEvent::Unresponsive(what));
    }

    /// What is in the pipe now, without waiting: a grandchild may hold it open for ever. The kernel
    /// is asked, since tokio may not have heard of the last bytes yet.
    fn drain(&mut self, stdout: Receiver, decoder: &mut FrameDecoder<FromAgent>) {
        let Ok(stdout) = stdout.into_nonblocking_fd() else {
            return;
        };
        let mut stdout = File::from(stdout);
        let mut buffer = vec![0; DRAIN_BYTES];
        let mut left = AFTER_DEATH_BYTES_MAX;
        while self.open && left > 0 {
            let room = decoder.space().remaining_mut().min(DRAIN_BYTES);
            let count = match stdout.read(buffer.get_mut(..room).unwrap_or_default()) {
                Ok(0) => return self.closed(decoder),
                Ok(count) => count,
                Err(_) => return,
            };
            decoder
                .space()
                .put_slice(buffer.get(..count).unwrap_or_default());
            left = left.saturating_sub(count);
            self.frames(decoder);
        }
    }

    /// A prefetched run begins. Where it was told to end before, its grace begins too.
    fn started(&mut self, run: u64) {
        let Some(running) = self.runs.get_mut(&run) else {
            return;
        };
        running.started = true;
        running.call.begin(self.incarnation);
        if running.cancelled_ahead {
            running.grace_until = Some(Instant::now() + self.agent.spec.cancel_grace.into());
            self.cancelled += 1;
        }
    }

    /// A send fails only when the actor is gone, and then its process is being killed.
    fn tell(&self, event: LinkEvent) {
        if self.owner.cast(Message::Link(event)).is_err() {
            tracing::debug!(agent = %self.agent.name, "link event after the actor's end");
        }
    }

    fn log(&self, log: &synapse_wire::frame::Log) {
        let (agent, incarnation, level) = (&self.agent.name, self.incarnation, log.level.as_str());
        let mut text = cut(format!("{}: {}", log.logger, log.message));
        if let Some(fields) = &log.fields {
            for (name, value) in fields {
                text.push_str(&format!(" {name}={value}"));
            }
            text = cut(text);
        }
        if log.dropped > 0 {
            text.push_str(&format!(
                " ({} lines before this one were dropped)",
                log.dropped
            ));
        }
        let run = log.run;
        tracing::info!(target: "agent", %agent, incarnation, stream = "log", level, run, "{text}");
        self.agent
            .log
            .add(self.incarnation, LogStream::Log, level, text);
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

async fn read(stdout: &mut Receiver, decoder: &mut FrameDecoder<FromAgent>) -> io::Result<usize> {
    stdout.read_buf(&mut decoder.space()).await
}

/// Never, where there is no such time. A timer costs more than a call may, so none is made then.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

async fn writable(stdin: Option<&Sender>) {
    match stdin {
        // An error shows itself in the write that follows.
        Some(stdin) => drop(stdin.writable().await),
        None => std::future::pending().await,
    }
}
