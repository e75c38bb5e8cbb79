//! What is told of an exit: to the callers whose runs were in flight, to the log, to people. It
//! refuses to know how the end came about.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use synapse_core::crash::Ending;
use synapse_core::exit::ExitReason;
use synapse_core::fault::{Fault, FaultCode};
use synapse_core::time::Millis;
use synapse_process::{ExitStatus, signal_name};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::agent::{Agent, last_words, millis};
use crate::clock::timestamp;
use crate::link::{Death, LinkCommand, LinkEnd, LinkPort};
use crate::view::ExitView;

/// Lines of stderr in the evidence of an exit.
const STDERR_TAIL_LINES: usize = 20;
/// How long the pipes of a dead process are read for: their tasks only take what is there.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// What is known of an exit before its pipes and its link are asked.
pub(super) fn dossier(
    agent: &Agent,
    (replica, incarnation): (usize, u64),
    reason: ExitReason,
    status: Option<ExitStatus>,
) -> ExitView {
    let (code, signal, core_dumped) = match status {
        Some(ExitStatus::Exited(code)) => (Some(code), None, false),
        Some(ExitStatus::Signalled {
            signal,
            core_dumped,
        }) => (None, Some(signal), core_dumped),
        Some(ExitStatus::Unknown) | None => (None, None, false),
    };
    ExitView {
        agent: agent.name.to_string(),
        incarnation,
        replica,
        detail: reason.to_string(),
        reason,
        code,
        signal,
        signal_name: signal.and_then(signal_name),
        core_dumped,
        pid: None,
        started_at: String::new(),
        at: timestamp(),
        uptime: Duration::ZERO,
        start_took: None,
        peak_resident_bytes: None,
        runs_in_flight: Vec::new(),
        runs: Vec::new(),
        frames: Vec::new(),
        stderr_tail: Vec::new(),
        traceback: None,
        stacks: None,
        kernel: None,
        next: Arc::default(),
    }
}

/// Answers the runs of a dead process, with the evidence.
pub(super) async fn answer_runs(
    agent: &Agent,
    port: &LinkPort,
    link: JoinHandle<LinkEnd>,
    (mut exit, died): (ExitView, Instant),
) -> ExitView {
    let mut written = agent.log.stderr(exit.incarnation);
    // Those that were asked for show more than those of a crash that came after.
    let dumped = last_words::take_stacks(&mut written);
    exit.stacks = exit.stacks.or(dumped);
    exit.stderr_tail = last_words::tail(&written, STDERR_TAIL_LINES);
    if exit.traceback.is_none() && exit.code.is_some_and(|code| code != 0) {
        exit.traceback = last_words::traceback(&written);
    }
    let fault = fault_of(agent, &exit);
    let death = Death {
        ending: match fault.code {
            FaultCode::AgentCrashed => Ending::of(&exit.reason, port.is_killed_by_hand()),
            _ => Ending::Told,
        },
        fault,
        at: died,
        exit: exit.clone(),
    };
    port.send(LinkCommand::Died(Box::new(death)));
    match timeout(LAST_WORDS, link).await {
        Ok(Ok(end)) => {
            exit.runs_in_flight = end.runs.iter().map(|run| run.run.clone()).collect();
            exit.runs = end.runs;
            exit.frames = end.frames;
        }
        Ok(Err(error)) => tracing::error!(agent = %agent.name, %error, "the link failed"),
        Err(_) => tracing::error!(agent = %agent.name, "the link of a dead process goes on"),
    }
    exit
}

/// What callers are told whose runs were in flight; what is known of each run is added to it.
fn fault_of(agent: &Agent, exit: &ExitView) -> Fault {
    // One that ends by itself with code 0 has not answered either.
    match exit.reason {
        ExitReason::Shutdown(_) => return agent.told_to_stop(),
        // It was told to stop, and its time was over.
        ExitReason::Killed if agent.is_held() => return agent.told_to_stop(),
        _ => {}
    }
    let message = format!(
        "{} #{} {} during the call",
        agent.name, exit.incarnation, exit.reason
    );
    Fault::new(FaultCode::AgentCrashed, message).with_details(json!({
        "incarnation": exit.incarnation,
        "reason": exit.reason.word(),
        "stderr_tail": exit.stderr_tail,
    }))
}

/// The dossier as one record of the runtime's log.
pub(super) fn log(exit: &ExitView) {
    // Text, numbers and lists: writing them cannot fail.
    let dossier = serde_json::to_string(exit).unwrap_or_default();
    let (agent, incarnation) = (&exit.agent, exit.incarnation);
    let (reason, detail) = (exit.reason.word(), &exit.detail);
    if exit.reason.is_clean() || asked_for(&exit.reason) {
        tracing::info!(target: "exit", agent, incarnation, reason, dossier, "{detail}");
    } else {
        tracing::error!(target: "exit", agent, incarnation, reason, dossier, "{detail}");
    }
}

/// Whether the supervisor itself wanted this end.
pub(super) const fn asked_for(reason: &ExitReason) -> bool {
    matches!(reason, ExitReason::Shutdown(_) | ExitReason::Killed)
}

pub(super) const fn level(reason: &ExitReason) -> &'static str {
    if reason.is_clean() { "info" } else { "error" }
}

/// A duration for people: `9 ms`, `1.2 s`, `41 s`, `3 min`.
pub(crate) fn people(span: Duration) -> String {
    Millis(millis(span)).to_string()
}
