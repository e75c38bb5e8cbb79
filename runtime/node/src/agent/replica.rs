//! What is known of one replica's present or last incarnation. It decides nothing.

use std::sync::Weak;
use std::time::Duration;

use synapse_core::supervisor::WhyDown;
use synapse_process::{ProcessGroup, Usage};
use tokio::time::Instant;

use crate::agent::stacks::StackSource;
use crate::link::LinkPort;
use crate::view::{AgentState, ReplicaView, UsageView};

/// A share of a processor is counted over at least this long, where there has been so long.
const CPU_SPAN_MIN: Duration = Duration::from_secs(1);

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
    pub(super) source: Weak<StackSource>,
    /// Processor time at an earlier moment, from which its share is counted.
    pub(super) worked: Option<(Instant, Duration)>,
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
            source: Weak::new(),
            worked: None,
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

    /// With the share of a processor since the last time, unless that was just now: the system
    /// counts too coarsely for that.
    pub(super) fn usage(&mut self, now: Instant, usage: &Usage) -> UsageView {
        let (since, before) = self.worked.unwrap_or((now, usage.cpu_time));
        let span = now.saturating_duration_since(since);
        let worked = usage.cpu_time.saturating_sub(before);
        if span >= CPU_SPAN_MIN {
            self.worked = Some((now, usage.cpu_time));
        }
        UsageView {
            cpu_time: usage.cpu_time,
            cpu_percent: percent(worked, span),
            resident_bytes: usage.resident_bytes,
            proportional_bytes: usage.proportional_bytes,
            open_files: usage.open_files,
            threads: usage.threads,
        }
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
            usage: None,
        }
    }
}

/// To a tenth: the system counts in hundredths of a second.
fn percent(worked: Duration, span: Duration) -> f64 {
    if span.is_zero() {
        return 0.0;
    }
    (worked.as_secs_f64() / span.as_secs_f64() * 1000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_share_is_counted_from_the_last_question_but_not_over_a_moment() {
        let usage = |ms| Usage {
            cpu_time: Duration::from_millis(ms),
            threads: 1,
            resident_bytes: 1,
            proportional_bytes: None,
            open_files: None,
        };
        let mut replica = Replica::begun(1);
        replica.worked = Some((Instant::now(), Duration::ZERO));
        for (pause_ms, cpu_ms, percent) in [
            (2000, 1000, 50.0),
            // Not counted from here on, or it would be all or nothing.
            (10, 1010, 100.0),
            (990, 1010, 1.0),
            (2000, 1010, 0.0),
        ] {
            tokio::time::advance(Duration::from_millis(pause_ms)).await;
            let view = replica.usage(Instant::now(), &usage(cpu_ms));
            let told = (view.cpu_percent - percent).abs() < 0.01;
            assert!(told, "{} for {percent}", view.cpu_percent);
        }
    }
}
