//! How each supervisor stands, kept from what supervisors say of themselves and of one another:
//! what outlives their actors. Decides nothing.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use synapse_core::supervisor::{Cause, Context, CrashReport, StartError};

use crate::clock::timestamp;
use crate::view::{AgentState, SupervisorExit};

/// Ends kept per supervisor.
const EXITS_KEPT: usize = 20;

/// The supervisors of a tree by name.
#[derive(Debug, Default)]
pub(crate) struct Standings(Mutex<HashMap<String, Standing>>);

/// One supervisor over all its lives.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) state: AgentState,
    /// Restarts of it by its own supervisor.
    pub(crate) restarts: u64,
    /// Newest first.
    pub(crate) exits: VecDeque<SupervisorExit>,
    /// The last failure below it, for the evidence of its end.
    last_failure: Option<String>,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            // Its turn in the start order is to come.
            state: AgentState::Starting,
            restarts: 0,
            exits: VecDeque::new(),
            last_failure: None,
        }
    }
}

impl Standings {
    pub(crate) fn of(&self, name: &str) -> Standing {
        self.0.lock().get(name).cloned().unwrap_or_default()
    }

    pub(crate) fn set_state(&self, name: &str, state: AgentState) {
        self.change(name, |standing| standing.state = state);
    }

    /// Its own supervisor is about to start it again.
    pub(crate) fn restarting(&self, name: &str) {
        self.change(name, |standing| {
            standing.state = AgentState::Backoff;
            standing.restarts += 1;
        });
    }

    /// What it reports of its children.
    pub(crate) fn reported(&self, name: &str, report: &CrashReport) {
        let failure = match report.context {
            Context::ChildTerminated | Context::StartError => report,
            Context::Shutdown | Context::Parked | Context::ShutdownError => return,
        };
        let offender = &failure.offender;
        let text = format!(
            "{} #{} {}",
            offender.id, offender.incarnation, failure.reason
        );
        self.change(name, |standing| standing.last_failure = Some(text));
    }

    pub(crate) fn start_failed(&self, name: &str, error: &StartError) {
        self.ended_with(name, None, |_| error.to_string());
    }

    pub(crate) fn ended(&self, name: &str, cause: Cause) {
        let detail = match cause {
            Cause::Told => "told to stop",
            Cause::GaveUp => "gave up",
            Cause::AutoShutdown => "its significant children ended",
            Cause::Killed => "killed",
        };
        self.ended_with(name, Some(cause), |last_failure| match last_failure {
            Some(failure) if cause == Cause::GaveUp => format!("{detail} after {failure}"),
            _ => detail.to_owned(),
        });
    }

    /// Whether its last life ended well: told to, or with its work done.
    pub(crate) fn ended_well(&self, name: &str) -> bool {
        let standing = self.of(name);
        let last = standing.exits.front();
        last.is_some_and(|exit| matches!(exit.cause, Some(Cause::Told | Cause::AutoShutdown)))
    }

    /// What comes next is its own supervisor's to say.
    fn ended_with(
        &self,
        name: &str,
        cause: Option<Cause>,
        detail: impl FnOnce(Option<String>) -> String,
    ) {
        self.change(name, |standing| {
            standing.state = AgentState::Backoff;
            standing.exits.truncate(EXITS_KEPT - 1);
            standing.exits.push_front(SupervisorExit {
                at: timestamp(),
                cause,
                detail: detail(standing.last_failure.take()),
            });
        });
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Standing)) {
        change(self.0.lock().entry(name.to_owned()).or_default());
    }
}
