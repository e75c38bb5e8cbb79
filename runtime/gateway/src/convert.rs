//! From the node's views to the API's types: the one place that knows both. Decides nothing.

mod exits;

use std::time::Duration;

use serde_json::{Map, Value};
use synapse_api as api;
use synapse_core::fault::Origin;
use synapse_core::spec::{
    AgentSpec, OnExhausted, Program, Restart, Shutdown, StartOrder, Strategy, WhenFull,
};
use synapse_node as node;

pub(crate) use exits::dossier;
use exits::{exit, live_frames};

pub(crate) fn fault(fault: synapse_core::fault::Fault) -> api::Fault {
    api::Fault {
        code: fault.code.as_str().to_owned(),
        origin: origin(fault.origin).to_owned(),
        message: fault.message,
        retryable: fault.retryable,
        details: fault.details,
    }
}

const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Caller => "caller",
        Origin::Runtime => "runtime",
        Origin::Agent => "agent",
        Origin::Model => "model",
        Origin::Tool => "tool",
    }
}

pub(crate) fn status(status: node::NodeStatus) -> api::Status {
    api::Status {
        schema: api::STATUS_SCHEMA,
        node: status.node,
        pid: status.pid,
        guard_pid: status.guard_pid,
        version: status.version.to_owned(),
        uptime_ms: millis(status.uptime),
        agents: status.agents.into_iter().map(agent).collect(),
        supervisors: status.supervisors.into_iter().map(supervisor).collect(),
    }
}

fn agent(view: node::AgentView) -> api::AgentStatus {
    let program = program(&view.manifest);
    let replicas: Vec<_> = view.replicas.iter().map(replica).collect();
    let first = replicas.first();
    api::AgentStatus {
        name: view.name,
        path: view.path,
        state: first.map_or_else(|| "stopped".to_owned(), |replica| replica.state.clone()),
        incarnation: first.and_then(|replica| replica.incarnation),
        pid: first.and_then(|replica| replica.pid),
        restarts: view.restarts,
        uptime_ms: first.and_then(|replica| replica.uptime_ms),
        in_flight: first.map_or(0, |replica| replica.in_flight),
        queued: count(view.queued),
        mailbox: count(view.mailbox),
        mode: view.mode.unwrap_or_else(|| "unknown".to_owned()),
        program,
        last_exit: view.last_exit.as_deref().map(exit),
        spare_pid: view.spare_pid,
        usage: first.and_then(|replica| replica.usage),
        replicas,
    }
}

fn replica(view: &node::ReplicaView) -> api::ReplicaStatus {
    api::ReplicaStatus {
        index: index(view.index),
        state: view.state.as_str().to_owned(),
        incarnation: view.incarnation,
        pid: view.pid,
        uptime_ms: view.uptime.map(millis),
        in_flight: count(view.in_flight),
        start_ms: view.start_took.map(millis),
        why_down: view.why_down.map(|why| why.as_str().to_owned()),
        usage: view.usage.map(usage),
    }
}

fn usage(view: node::UsageView) -> api::Usage {
    api::Usage {
        cpu_ms: millis(view.cpu_time),
        cpu_percent: view.cpu_percent,
        resident_bytes: view.resident_bytes,
        proportional_bytes: view.proportional_bytes,
        open_files: view.open_files,
        threads: view.threads,
    }
}

/// The part of a manifest (`docs/protocol.md`, `ready`) that status shows.
fn program(manifest: &Value) -> Option<api::Program> {
    let manifest = manifest.as_object()?;
    let text = |name: &str| {
        manifest
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let fields = manifest.get("output_fields").and_then(Value::as_array);
    Some(api::Program {
        kind: text("kind").unwrap_or_default(),
        streams: manifest
            .get("streams")
            .and_then(Value::as_bool)
            .unwrap_or_default(),
        model: text("model"),
        output_name: text("output_name"),
        output_fields: fields
            .map(|fields| {
                fields
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default(),
    })
}

fn supervisor(view: node::SupervisorView) -> api::SupervisorStatus {
    let strategy = match view.strategy {
        Strategy::OneForOne => "one_for_one",
        Strategy::OneForAll => "one_for_all",
        Strategy::RestForOne => "rest_for_one",
    };
    let on_exhausted = match view.on_exhausted {
        OnExhausted::Escalate => "escalate",
        OnExhausted::Park => "park",
    };
    let start_order = match view.start_order {
        StartOrder::Sequential => "sequential",
        StartOrder::Concurrent => "concurrent",
    };
    api::SupervisorStatus {
        name: view.name,
        path: view.path,
        strategy: strategy.to_owned(),
        restarts_in_period: u64::from(view.restarts_in_period),
        intensity: u64::from(view.intensity),
        period_ms: millis(view.period),
        children: view.children,
        state: view.state.as_str().to_owned(),
        on_exhausted: on_exhausted.to_owned(),
        start_order: start_order.to_owned(),
        restarts: view.restarts,
        last_exits: view.exits.into_iter().map(supervisor_exit).collect(),
    }
}

fn supervisor_exit(exit: node::SupervisorExit) -> api::SupervisorExit {
    api::SupervisorExit {
        at: exit.at,
        cause: exit
            .cause
            .map_or("start_failed", |cause| cause.as_str())
            .to_owned(),
        detail: exit.detail,
    }
}

pub(crate) fn detail(detail: node::AgentDetail, frames: Vec<node::LiveFrames>) -> api::AgentDetail {
    let manifest = Some(detail.view.manifest.clone()).filter(Value::is_object);
    api::AgentDetail {
        status: agent(detail.view),
        manifest,
        spec: summary(&detail.spec),
        last_exits: detail.exits.iter().map(|view| exit(view)).collect(),
        last_fault: detail.failed_run.map(failed_run),
        frames: frames.into_iter().map(live_frames).collect(),
    }
}

fn failed_run(view: node::FailedRunView) -> api::LastFault {
    api::LastFault {
        run: view.run,
        code: view.code.as_str().to_owned(),
        origin: origin(view.origin).to_owned(),
        message: view.message,
        at: view.at,
        incarnation: view.incarnation,
        traceback: view.traceback,
    }
}

fn summary(spec: &AgentSpec) -> api::AgentSummary {
    let entry = match &spec.program {
        Program::Entry(entry) => Some(entry.to_string()),
        Program::Declared => None,
    };
    api::AgentSummary {
        entry,
        model: spec.model.clone(),
        description: spec.description.clone(),
        restart: restart(spec.restart).to_owned(),
        shutdown: shutdown(spec.shutdown),
        concurrency: count(spec.concurrency),
        prefetch: count(spec.prefetch),
        replicas: count(spec.replicas),
        when_full: when_full(spec.mailbox.when_full).to_owned(),
        start_timeout_ms: spec.start_timeout.0,
        call_timeout_ms: spec.call_timeout.0,
        run_timeout_ms: spec.run_timeout.map(|span| span.0),
        liveness: api::LivenessSummary {
            interval_ms: spec.liveness.interval.0,
            loop_lag_max_ms: spec.liveness.loop_lag_max.0,
            silence_max_ms: spec.liveness.silence_max.0,
            action: spec.liveness.action.as_str().to_owned(),
        },
        cancel_grace_ms: spec.cancel_grace.0,
        limits: api::ResourceLimits {
            memory_bytes: spec.limits.memory_bytes,
            open_files: spec.limits.open_files,
            processes: spec.limits.processes,
            cpu_ms: spec
                .limits
                .cpu_seconds
                .map(|seconds| seconds.saturating_mul(1000)),
        },
        idempotent: spec.crash.idempotent,
        retry_on_crash: spec.crash.retry_on_crash.into(),
        poison_after: spec.crash.poison_after.into(),
    }
}

const fn restart(restart: Restart) -> &'static str {
    match restart {
        Restart::Permanent => "permanent",
        Restart::Transient => "transient",
        Restart::Temporary => "temporary",
    }
}

fn shutdown(shutdown: Shutdown) -> String {
    match shutdown {
        Shutdown::BrutalKill => "brutal_kill".to_owned(),
        // As one would write it in supervision.toml.
        Shutdown::Timeout(time) if time.0.is_multiple_of(1_000) => format!("{}s", time.0 / 1_000),
        Shutdown::Timeout(time) => format!("{}ms", time.0),
        Shutdown::Infinity => "infinity".to_owned(),
    }
}

const fn when_full(when_full: WhenFull) -> &'static str {
    match when_full {
        WhenFull::Reject => "reject",
        WhenFull::Wait => "wait",
    }
}

pub(crate) fn outcome(outcome: node::ActionOutcome) -> api::ActionOutcome {
    api::ActionOutcome {
        agent: outcome.agent,
        ok: outcome.ok,
        message: outcome.message,
        pid: outcome.pid,
        incarnation: outcome.incarnation,
    }
}

pub(crate) fn run_result(outcome: node::RunOutcome) -> api::RunResult {
    api::RunResult {
        run: outcome.run.to_string(),
        agent: outcome.agent.to_string(),
        incarnation: outcome.incarnation,
        attempts: outcome.attempts.into(),
        output: outcome.output,
        usage: outcome.usage,
        duration_ms: millis(outcome.duration),
    }
}

/// A run's event. The run and the agent are those of the call.
pub(crate) fn run_event(event: node::RunEvent, run: node::RunId, agent: &str) -> api::RunEvent {
    match event {
        node::RunEvent::Started { incarnation } => api::RunEvent::Run {
            run: run.to_string(),
            agent: agent.to_owned(),
            incarnation,
        },
        node::RunEvent::Text { seq, text } => api::RunEvent::Chunk { seq, text },
        node::RunEvent::Item { seq, data } => api::RunEvent::Tool(tool_event(seq, data)),
        node::RunEvent::Finished(Ok(outcome)) => api::RunEvent::Result(run_result(outcome)),
        node::RunEvent::Finished(Err(error)) => api::RunEvent::Error(fault(error)),
    }
}

/// A chunk that is a map. One of a type that the API does not know is passed on whole.
fn tool_event(seq: u64, mut data: Map<String, Value>) -> api::ToolEvent {
    let kind = data
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let mut event = api::ToolEvent {
        seq,
        kind,
        ..api::ToolEvent::default()
    };
    if !matches!(
        event.kind.as_str(),
        "tool_call" | "tool_result" | "thinking"
    ) {
        event.data = Some(Value::Object(data));
        return event;
    }
    let text = |name: &str| match data.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    event.name = text("name");
    event.tool_call_id = text("tool_call_id");
    event.text = text("text");
    event.ok = data.get("ok").and_then(Value::as_bool);
    event.arguments = data.remove("arguments");
    event.content = data.remove("content");
    event
}

pub(crate) fn log_line(line: node::LogLine) -> api::LogLine {
    let stream = match line.stream {
        node::LogStream::Stderr => "stderr",
        node::LogStream::Log => "log",
        node::LogStream::Runtime => "runtime",
    };
    api::LogLine {
        at: line.at,
        agent: line.agent,
        incarnation: Some(line.incarnation),
        stream: stream.to_owned(),
        level: line.level,
        text: line.text,
    }
}

pub(crate) fn stacks(agent: &str, views: Vec<node::StackView>) -> api::StackList {
    let stack = |view: node::StackView| api::Stack {
        agent: agent.to_owned(),
        replica: index(view.replica),
        incarnation: view.incarnation,
        pid: view.pid,
        text: view.stacks.as_ref().ok().cloned(),
        why: view.stacks.err(),
    };
    api::StackList {
        stacks: views.into_iter().map(stack).collect(),
    }
}

pub(crate) fn node_event(event: node::NodeEvent) -> api::NodeEvent {
    let data = match event.exit {
        Some(exit) => serde_json::to_value(dossier(&exit)).unwrap_or_default(),
        None => event.data,
    };
    let data = match data {
        Value::Object(data) => data,
        _ => Map::new(),
    };
    api::NodeEvent {
        seq: event.seq,
        at: event.at,
        kind: event.kind.as_str().to_owned(),
        agent: event.agent,
        supervisor: event.supervisor,
        incarnation: event.incarnation,
        message: event.message,
        data,
    }
}

pub(crate) fn dead_letters(list: node::DeadLetterList) -> api::DeadLetterList {
    api::DeadLetterList {
        letters: list.letters.iter().map(head).collect(),
        damaged: list.damaged,
    }
}

fn head(head: &node::DeadLetterHead) -> api::DeadLetterHead {
    api::DeadLetterHead {
        id: head.id.to_string(),
        agent: head.agent.clone(),
        at: head.at.clone(),
        session: head.session.clone(),
        run: head.run.clone(),
        deaths: head.deaths.into(),
        attempts: head.attempts.into(),
        reason: head.reason.clone(),
        preview: head.preview.clone(),
    }
}

pub(crate) fn dead_letter(letter: &node::DeadLetter) -> api::DeadLetter {
    let call = letter.call.clone();
    api::DeadLetter {
        head: head(&letter.head),
        input: call.input,
        stream: call.stream,
        deps: call.deps.unwrap_or_default(),
        history_segments: count(call.history.len()),
        model: call.model,
        settings: call.settings,
        instructions: call.instructions,
        exits: letter.exits.clone(),
    }
}

pub(crate) fn dropped(number: usize) -> api::Dropped {
    api::Dropped {
        dropped: count(number),
    }
}

pub(crate) fn session(view: node::SessionView) -> api::SessionView {
    api::SessionView {
        id: view.id,
        agent: view.agent,
        turns: view.turns.into_iter().map(turn).collect(),
        messages: view.messages,
        bytes: count(view.bytes),
    }
}

fn turn(turn: node::Turn) -> api::Turn {
    api::Turn {
        prompt: turn.prompt,
        answer: turn.answer,
        at: turn.at,
        partial: turn.partial,
    }
}

/// Whole milliseconds; more than 2^64 of them do not happen.
fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn index(replica: usize) -> u32 {
    u32::try_from(replica).unwrap_or(u32::MAX)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
