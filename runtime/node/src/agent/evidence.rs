//! What is told of an exit: to the callers whose runs were in flight, to the log, to people. It
//! refuses to know how the end came about.

use std::time::Duration;

use serde_json::json;
use synapse_core::exit::ExitReason;
use synapse_core::fault::{Fault, FaultCode};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::agent::{Agent, millis};
use crate::link::{Death, LinkCommand, LinkPort};
use crate::view::ExitView;

/// Lines of stderr in the evidence of an exit.
const STDERR_TAIL_LINES: usize = 20;
/// How long the pipes of a dead process are read for: their tasks only take what is there.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// Answers the runs of a dead process, with the evidence.
pub(super) async fn answer_runs(
    agent: &Agent,
    port: &LinkPort,
    link: JoinHandle<Vec<String>>,
    mut exit: ExitView,
) -> ExitView {
    exit.stderr_tail = agent.log.stderr_tail(exit.incarnation, STDERR_TAIL_LINES);
    let death = Death {
        fault: fault_of(agent, &exit),
    };
    port.send(LinkCommand::Died(Box::new(death)));
    match timeout(LAST_WORDS, link).await {
        Ok(Ok(runs)) => exit.runs_in_flight = runs,
        Ok(Err(error)) => tracing::error!(agent = %agent.name, %error, "the link failed"),
        Err(_) => tracing::error!(agent = %agent.name, "the link of a dead process goes on"),
    }
    exit
}

/// What callers are told whose runs were in flight.
fn fault_of(agent: &Agent, exit: &ExitView) -> Fault {
    // One that ends by itself with code 0 has not answered either.
    if matches!(exit.reason, ExitReason::Shutdown(_)) {
        return agent.told_to_stop();
    }
    let message = format!(
        "{} #{} {} during the call",
        agent.name, exit.incarnation, exit.reason
    );
    Fault::new(FaultCode::AgentCrashed, message).with_details(json!({
        "incarnation": exit.incarnation,
        "reason": exit.reason.word(),
        "stderr_tail": exit.stderr_tail,
        "outcome": "unknown",
    }))
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
    let ms = millis(span);
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        10_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}
