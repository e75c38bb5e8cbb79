//! What is known of one replica's present or last incarnation. It decides nothing.

use std::sync::Weak;
use std::time::Duration;

use synapse_core::supervisor::WhyDown;
use synapse_process::ProcessGroup;
use tokio::time::Instant;

use crate::link::LinkPort;
use crate::view::{AgentState, ReplicaView};

#[derive(Debug)]
pub(super) struct Replica {
    pub(super) state: AgentState,
    /// Whether its supervisor's child lives, with a process or hibernated.
    pub(super) alive: bool,
    /// Whether it has no process because nobody called; also over a restart by its supervisor.
    pub(super) hibernated: bool,
    pub(super) incarnation: Option<u64>,
    pub(super) pid: Option<u32>,
    pub(super) ready_at: Option<Instant>,
    pub(super) start_took: Option<Duration>,
    pub(super) why_down: Option<WhyDown>,
    /// The guard stays with the actor: only its drop ends the group.
    pub(super) group: Weak<ProcessGroup>,
    pub(super) port: Weak<LinkPort>,
}

impl Default for Replica {
    /// Before its first incarnation: its turn in the start order is to come.
    fn default() -> Self {
        Self {
            state: AgentState::Starting,
            alive: false,
            hibernated: false,
            incarnation: None,
            pid: None,
            ready_at: None,
            start_took: None,
            why_down: None,
            group: Weak::new(),
            port: Weak::new(),
        }
    }
}

impl Replica {
    /// With an incarnation that has no process yet.
    pub(super) fn begun(incarnation: u64) -> Self {
        Self {
            alive: true,
            incarnation: Some(incarnation),
            ..Self::default()
        }
    }

    /// Without a process until the next call.
    pub(super) fn hibernate(&mut self) {
        self.state = AgentState::Hibernated;
        self.alive = true;
        self.hibernated = true;
        self.pid = None;
        self.ready_at = None;
        self.why_down = None;
    }

    /// Without a life. Who is stopped by hand and started again begins as its spec says.
    pub(super) fn rest(&mut self, state: AgentState) {
        self.state = state;
        self.why_down = None;
        self.hibernated &= state != AgentState::Stopped;
    }

    pub(super) fn view(&self, index: usize) -> ReplicaView {
        ReplicaView {
            index,
            state: self.state,
            incarnation: self.incarnation,
            pid: self.pid,
            uptime: self.ready_at.map(|at| at.elapsed()),
            in_flight: self.port.upgrade().map_or(0, |port| port.in_flight()),
            start_took: self.start_took,
            why_down: self.why_down,
        }
    }
}
