//! What supervisors answer, as the oracle prints it.

use synapse_core::supervisor::{ChildInfo, ChildState, Counts, Reply, RequestError, StartError};

use super::script::shown;

/// Why a tree did not come up, as the oracle prints it.
pub(crate) fn failed_to_start(error: &StartError) -> String {
    let ids = error
        .path
        .iter()
        .map(|id| format!("failed_to_start_child:{id}:"));
    ids.collect::<String>() + &shown(&error.reason)
}

/// A reply as the oracle prints it; instances of a dynamic supervisor are not named.
#[must_use]
pub(crate) fn answer(reply: &Reply, named: bool) -> String {
    match reply {
        Reply::Ok => "ok".to_owned(),
        Reply::Ignored => "ok ignored".to_owned(),
        Reply::Children(children) => listed(children, named),
        Reply::Child(child) => line(child, named),
        Reply::Counts(counts) => counted(*counts),
        Reply::Spec(spec) => spec.id.to_string(),
        Reply::Error(RequestError::StartFailed(error)) if error.path.is_empty() => {
            format!("error {}", shown(&error.reason))
        }
        Reply::Error(RequestError::StartFailed(_)) => "error shutdown".to_owned(),
        Reply::Error(error) => format!("error {error}"),
    }
}

fn listed(children: &[ChildInfo], named: bool) -> String {
    let mut shown: Vec<String> = children.iter().map(|child| line(child, named)).collect();
    shown.sort();
    if shown.is_empty() {
        "none".to_owned()
    } else {
        shown.join(" ")
    }
}

fn line(child: &ChildInfo, named: bool) -> String {
    let state = match child.state {
        ChildState::Down | ChildState::Held | ChildState::Parked => "down",
        ChildState::Restarting => "restarting",
        ChildState::Starting | ChildState::Up | ChildState::Stopping => "alive",
    };
    let kind = format!("{:?}", child.kind).to_lowercase();
    let id = if named { child.id.as_str() } else { "-" };
    format!("{id}:{state}:{kind}")
}

fn counted(counts: Counts) -> String {
    let Counts {
        specs,
        active,
        supervisors,
        workers,
    } = counts;
    format!("specs={specs} active={active} supervisors={supervisors} workers={workers}")
}
