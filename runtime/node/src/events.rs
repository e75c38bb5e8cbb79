//! What happened in the node: the last events, and a feed of those that follow.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::broadcast;

use crate::clock::timestamp;
use crate::view::{EventKind, ExitView, NodeEvent};

/// Events kept for those who ask later.
const EVENTS_KEPT: usize = 1_000;
/// Events that a slow reader may be behind before it loses some (and is told so).
const EVENTS_FEED: usize = 1_024;

/// The node's feed of events.
#[derive(Debug)]
pub(crate) struct EventHub {
    state: Mutex<State>,
    feed: broadcast::Sender<NodeEvent>,
}

#[derive(Debug, Default)]
struct State {
    seq: u64,
    kept: VecDeque<NodeEvent>,
}

/// An event before it has a number and a time.
#[derive(Debug)]
pub(crate) struct Happening {
    pub(crate) kind: EventKind,
    pub(crate) agent: Option<String>,
    pub(crate) supervisor: Option<String>,
    pub(crate) incarnation: Option<u64>,
    pub(crate) message: String,
    pub(crate) data: Value,
    pub(crate) exit: Option<Arc<ExitView>>,
}

impl Happening {
    pub(crate) fn new(kind: EventKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            agent: None,
            supervisor: None,
            incarnation: None,
            message: message.into(),
            data: Value::Null,
            exit: None,
        }
    }

    pub(crate) fn agent(self, agent: &str, incarnation: Option<u64>) -> Self {
        Self {
            agent: Some(agent.to_owned()),
            incarnation,
            ..self
        }
    }

    pub(crate) fn supervisor(self, supervisor: &str) -> Self {
        Self {
            supervisor: Some(supervisor.to_owned()),
            ..self
        }
    }

    pub(crate) fn data(self, data: Value) -> Self {
        Self { data, ..self }
    }

    pub(crate) fn exit(self, exit: Arc<ExitView>) -> Self {
        let exit = Some(exit);
        Self { exit, ..self }
    }
}

impl EventHub {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::default(),
            feed: broadcast::channel(EVENTS_FEED).0,
        }
    }

    pub(crate) fn publish(&self, happening: Happening) {
        let mut state = self.state.lock();
        let event = NodeEvent {
            seq: state.seq,
            at: timestamp(),
            kind: happening.kind,
            agent: happening.agent,
            supervisor: happening.supervisor,
            incarnation: happening.incarnation,
            message: happening.message,
            data: happening.data,
            exit: happening.exit,
        };
        state.seq += 1;
        if state.kept.len() == EVENTS_KEPT {
            state.kept.pop_front();
        }
        state.kept.push_back(event.clone());
        // Sent under the lock, so that the feed has the order of the numbers. An error means that
        // nobody listens.
        drop(self.feed.send(event));
    }

    /// The last kept event that fits.
    pub(crate) fn last(&self, fits: impl Fn(&NodeEvent) -> bool) -> Option<NodeEvent> {
        self.state
            .lock()
            .kept
            .iter()
            .rev()
            .find(|event| fits(event))
            .cloned()
    }

    /// The last `tail` events, oldest first, and those that follow without a gap.
    pub(crate) fn subscribe(
        &self,
        tail: usize,
    ) -> (Vec<NodeEvent>, broadcast::Receiver<NodeEvent>) {
        let state = self.state.lock();
        let skip = state.kept.len().saturating_sub(tail);
        let kept = state.kept.iter().skip(skip).cloned().collect();
        (kept, self.feed.subscribe())
    }
}

#[cfg(test)]
mod tests;
