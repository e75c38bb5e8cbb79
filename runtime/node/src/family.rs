//! The node's side of its supervision tree: how agents begin, and what is made of supervisors' news.
//!
//! It decides nothing: it turns what supervisors say into states, open mailboxes and events.

use std::sync::{Arc, Weak};

use serde_json::json;
use synapse_core::exit::ExitReason;
use synapse_core::name::Name;
use synapse_core::spec::Restart;
use synapse_core::supervisor::{Cause, ChildId, Context, CrashReport, StartError, WhyDown};
use synapse_core::time::Millis;

use crate::agent::evidence::people;
use crate::agent::process::{AgentProcess, Arguments};
use crate::agent::{Agent, millis};
use crate::events::Happening;
use crate::node::Node;
use crate::supervisor::{
    AgentFactory, AgentStart, ChildEvents, ChildHandle, SupervisorEvent, SupervisorObserver,
};
use crate::view::{AgentState, EventKind, NextAction, NextView};

/// Begins incarnations for the tree.
#[derive(Debug)]
pub(crate) struct Family {
    node: Weak<Node>,
}

impl Family {
    pub(crate) const fn new(node: Weak<Node>) -> Self {
        Self { node }
    }
}

impl AgentFactory for Family {
    fn start(&self, start: AgentStart, events: ChildEvents) -> Box<dyn ChildHandle> {
        let begun = self.node.upgrade().and_then(|node| {
            let agent = node.registry.agent(start.agent.as_str()).ok()?;
            let replica = start.replica;
            if agent.is_held() {
                // Its supervisor may be a new one that knows of no stop, or not know of it yet.
                agent.rests(replica, AgentState::Stopped);
                events.ignored();
                return None;
            }
            AgentProcess::begin(Arguments {
                node,
                agent,
                replica,
                events,
            })
            .ok()
        });
        match begun {
            Some(handle) => Box::new(handle),
            // Held; or its `events` are dropped, which is an end without a word.
            None => Box::new(Nobody),
        }
    }

    fn last_incarnation(&self, agent: &Name, replica: usize) -> u64 {
        let agent = self
            .node
            .upgrade()
            .and_then(|node| node.registry.agent(agent.as_str()).ok());
        agent
            .and_then(|agent| agent.present(replica).0)
            .unwrap_or(0)
    }
}

/// A child that never was.
#[derive(Debug)]
struct Nobody;

impl ChildHandle for Nobody {
    fn stop(&mut self, _within: Option<std::time::Duration>) {}

    fn kill(&mut self) {}
}

/// Hears what supervisors say.
#[derive(Debug)]
pub(crate) struct Watcher {
    node: Weak<Node>,
}

impl Watcher {
    pub(crate) const fn new(node: Weak<Node>) -> Self {
        Self { node }
    }
}

impl SupervisorObserver for Watcher {
    fn observe(&self, supervisor: &str, event: SupervisorEvent) {
        let Some(node) = self.node.upgrade() else {
            return;
        };
        match event {
            SupervisorEvent::Starting(_) => {
                node.standings
                    .set_state(name_of(supervisor), AgentState::Starting);
            }
            SupervisorEvent::Started => {
                node.standings
                    .set_state(name_of(supervisor), AgentState::Ready);
            }
            SupervisorEvent::Report(report) => crash_report(&node, supervisor, &report),
            SupervisorEvent::Restarting {
                child,
                restarts,
                intensity,
                period,
                delay,
                ..
            } => {
                let next = NextView {
                    delay: Some(delay.into()),
                    restarts: Some(restarts),
                    intensity: Some(intensity),
                    period: Some(period.into()),
                    ..NextView::new(
                        supervisor,
                        NextAction::Restart,
                        restart_in(delay, (restarts, intensity, period)),
                    )
                };
                restarting(&node, &child, next);
            }
            SupervisorEvent::StaysDown {
                child, reason, why, ..
            } => stays_down(&node, supervisor, &child, &reason, why),
            SupervisorEvent::Ended { cause, .. } => ended(&node, supervisor, cause),
            SupervisorEvent::StartFailed(error) => start_failed(&node, supervisor, &error),
            // Declared children are not forgotten.
            SupervisorEvent::Forgotten(_) => {}
        }
        node.changed();
    }
}

/// A period as it stands in supervision.toml: `5s`, `1m`, `1500ms`.
fn setting(period: Millis) -> String {
    match period.0 {
        ms if ms > 0 && ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        ms if ms > 0 && ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        ms => format!("{ms}ms"),
    }
}

fn crash_report(node: &Node, supervisor: &str, report: &CrashReport) {
    let report = &of_agents_own(node, report.clone());
    let offender = &report.offender;
    tracing::error!(
        target: "supervision",
        supervisor,
        context = report.context.as_str(),
        reason = %report.reason,
        offender = offender.id.as_str(),
        incarnation = offender.incarnation,
        "crash report"
    );
    let data = serde_json::to_value(report).unwrap_or_default();
    node.standings.reported(name_of(supervisor), report);
    let next = match report.context {
        Context::Shutdown => Some(gave_up(supervisor)),
        Context::ShutdownError => Some(NextView::new(
            supervisor,
            NextAction::Nothing,
            "it ended while it was being stopped",
        )),
        // It is told with what is done about it.
        Context::StartError | Context::ChildTerminated | Context::Parked => None,
    };
    if let (Some(next), Some((agent, _))) = (next, agent_of(node, &offender.id)) {
        agent.decided(offender.incarnation, next);
    }
    let happening = Happening::new(EventKind::CrashReport, report.to_string()).data(data);
    node.events.publish(happening.supervisor(supervisor));
}

fn gave_up(supervisor: &str) -> NextView {
    let detail = format!(
        "{} gave up: more restarts than its intensity allows",
        name_of(supervisor)
    );
    NextView::new(supervisor, NextAction::GaveUp, detail)
}

/// The report by the agent's own number: its processes are counted over all replicas, and one child
/// may have had several, where it has hibernated.
fn of_agents_own(node: &Node, mut report: CrashReport) -> CrashReport {
    let present =
        agent_of(node, &report.offender.id).map(|(agent, replica)| agent.present(replica));
    if let Some((Some(incarnation), _)) = present {
        report.offender.incarnation = incarnation;
    }
    report
}

/// The agent and the replica that a supervisor's child is; `None` for a supervisor.
fn agent_of(node: &Node, child: &ChildId) -> Option<(Arc<Agent>, usize)> {
    let text = child.as_str();
    let (name, replica) = text.split_once('.').unwrap_or((text, "0"));
    let agent = node.registry.agent(name).ok()?;
    Some((agent, replica.parse().ok()?))
}

/// A restart in words: `restarting in 200 ms (1/3 in 5s)`.
fn restart_in(delay: Millis, (restarts, intensity, period): (u32, u32, Millis)) -> String {
    let wait = match delay {
        Millis(0) => String::new(),
        delay => format!(" in {}", people(delay.into())),
    };
    format!(
        "restarting{wait} ({restarts}/{intensity} in {})",
        setting(period)
    )
}

fn restarting(node: &Node, child: &ChildId, next: NextView) {
    let detail = &next.detail;
    let Some((agent, replica)) = agent_of(node, child) else {
        node.standings.restarting(child.as_str());
        let message = format!("supervisor {child} ended; {detail}");
        let happening = Happening::new(EventKind::AgentRestarting, message);
        node.events.publish(happening.supervisor(child.as_str()));
        return;
    };
    agent.restarted();
    agent.set_state(replica, AgentState::Backoff);
    let message = format!("{}; {detail}", agent.last_words(replica));
    let delay = next.delay.map(millis);
    let data = json!({ "delay_ms": delay, "replica": replica, "next": next });
    let incarnation = agent.decided_of_last(replica, next);
    let happening = Happening::new(EventKind::AgentRestarting, message).data(data);
    node.events
        .publish(happening.agent(&agent.name, incarnation));
}

/// A child ended and is not started again: `path` is its supervisor's.
fn stays_down(node: &Node, path: &str, child: &ChildId, reason: &ExitReason, why: WhyDown) {
    let Some((agent, replica)) = agent_of(node, child) else {
        return supervisor_stays_down(node, path, child, why);
    };
    let (state, fault) = if reason.is_clean() && why == WhyDown::RestartType {
        (AgentState::Stopped, agent.stopped())
    } else {
        (AgentState::Failed, agent.failed())
    };
    agent.stays_down(replica, (state, why), &fault);
    let because = because(node, path, child, why, agent.spec.restart);
    let message = format!("{}; {because}", agent.last_words(replica));
    let action = match why {
        WhyDown::Parked => NextAction::Parked,
        WhyDown::RestartType | WhyDown::StartRequest => NextAction::LeftDown,
    };
    let next = NextView::new(path, action, because);
    let data = json!({ "replica": replica, "why": why.as_str(), "next": next });
    let incarnation = agent.decided_of_last(replica, next);
    let happening = Happening::new(EventKind::AgentDown, message).data(data);
    node.events
        .publish(happening.agent(&agent.name, incarnation));
}

/// A supervisor ended and is not started again, and with it all that is below.
fn supervisor_stays_down(node: &Node, path: &str, child: &ChildId, why: WhyDown) {
    let name = child.as_str();
    let well = why == WhyDown::RestartType && node.standings.ended_well(name);
    let state = if well {
        AgentState::Stopped
    } else {
        AgentState::Failed
    };
    node.standings.set_state(name, state);
    for nested in node.registry.supervisors_below(name) {
        node.standings.set_state(&nested, state);
    }
    for agent in node.registry.below(name) {
        let fault = if well {
            agent.stopped()
        } else {
            agent.failed_with(name)
        };
        agent.stays_down_with(state, &fault);
    }
    let spec = node.registry.tree().supervisors.get(name);
    let restart = spec.map_or(Restart::Permanent, |spec| spec.restart);
    let because = because(node, path, child, why, restart);
    let message = format!("supervisor {name} ended; {because}");
    let happening =
        Happening::new(EventKind::AgentDown, message).data(json!({ "why": why.as_str() }));
    node.events
        .publish(happening.supervisor(&format!("{path}/{name}")));
}

/// Why a child of the supervisor at `path` stays down, for people.
fn because(node: &Node, path: &str, child: &ChildId, why: WhyDown, restart: Restart) -> String {
    let name = child.as_str().split('.').next().unwrap_or_default();
    match why {
        WhyDown::RestartType => match restart {
            Restart::Permanent => "not restarted (permanent)".to_owned(),
            Restart::Transient => "not restarted (transient)".to_owned(),
            Restart::Temporary => "not restarted (temporary)".to_owned(),
        },
        // An operator asked for it: the failure is the answer.
        WhyDown::StartRequest => "not restarted (not tried again)".to_owned(),
        WhyDown::Parked => {
            let spec = node.registry.tree().supervisors.get(name_of(path));
            let budget = spec.map_or_else(String::new, |spec| {
                format!(
                    " (more than {} restarts in {})",
                    spec.intensity,
                    setting(spec.period)
                )
            });
            format!("parked{budget}; `start {name}` revives it")
        }
    }
}

/// The name of the supervisor at a path.
fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A supervisor did not come up: its own supervisor tries again, or goes down too.
fn start_failed(node: &Node, path: &str, error: &StartError) {
    let name = name_of(path);
    node.standings.start_failed(name, error);
    if let [culprit] = error.path.as_slice()
        && let Some((agent, replica)) = agent_of(node, culprit)
    {
        let detail = format!("{name} did not come up, and what it had started is ended");
        agent.decided_of_last(replica, NextView::new(path, NextAction::GaveUp, detail));
    }
    for agent in node.registry.below(name) {
        agent.waits_with_its_supervisor();
    }
}

/// A supervisor ended. Whether it is started again is its own supervisor's to say.
fn ended(node: &Node, path: &str, cause: Cause) {
    let name = name_of(path);
    node.standings.ended(name, cause);
    if cause == Cause::GaveUp {
        let message = format!("supervisor {name} gave up: more restarts than its intensity allows");
        let happening = Happening::new(EventKind::SupervisorGaveUp, message);
        node.events.publish(happening.supervisor(path));
    }
}
