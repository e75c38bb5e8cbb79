//! Conversations in the node's memory, bounded in number and bytes.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use parking_lot::Mutex;
use synapse_core::fault::{Fault, FaultCode};

use crate::session::{Segment, SessionStore};
use crate::view::{SessionView, Turn};

/// Turns kept for people to read; the history that the agent gets has its own bound.
const TURNS_MAX: usize = 200;

/// A store that forgets the conversation that was idle longest when it is full.
#[derive(Debug)]
pub(crate) struct MemoryStore {
    count_max: usize,
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sessions: HashMap<Box<str>, Session>,
    /// By last use, oldest first.
    order: BTreeMap<u64, Box<str>>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct Session {
    agent: Box<str>,
    segments: Vec<Bytes>,
    messages: u64,
    turns: Vec<Turn>,
    bytes: usize,
    used: u64,
    in_use: bool,
}

impl MemoryStore {
    pub(crate) fn new(count_max: usize, bytes_max: usize) -> Self {
        Self {
            count_max,
            bytes_max,
            state: Mutex::default(),
        }
    }
}

impl SessionStore for MemoryStore {
    fn open(&self, id: &str, agent: &str) -> Result<Vec<Bytes>, Fault> {
        let mut state = self.state.lock();
        let session = state.touch(id, agent);
        if *session.agent != *agent {
            let message = format!(
                "session {id:?} is with agent {}; choose another id for {agent}",
                session.agent
            );
            return Err(Fault::new(FaultCode::InvalidInput, message));
        }
        session.in_use = true;
        let history = session.segments.clone();
        state.shrink(self.count_max, self.bytes_max);
        Ok(history)
    }

    fn close(&self, id: &str) {
        if let Some(session) = self.state.lock().sessions.get_mut(id) {
            session.in_use = false;
        }
    }

    fn append(&self, id: &str, segment: Option<Segment>, turn: Turn) {
        let mut state = self.state.lock();
        // One that was removed meanwhile stays removed.
        let Some(session) = state.sessions.get_mut(id) else {
            return;
        };
        let before = session.bytes;
        session.bytes += turn_bytes(&turn);
        session.turns.push(turn);
        if session.turns.len() > TURNS_MAX {
            let oldest = session.turns.remove(0);
            session.bytes = session.bytes.saturating_sub(turn_bytes(&oldest));
        }
        if let Some(segment) = segment {
            session.bytes += segment.messages.len();
            session.messages += segment.count;
            session.segments.push(segment.messages);
        }
        let after = session.bytes;
        state.bytes = state.bytes + after - before;
        state.shrink(self.count_max, self.bytes_max);
    }

    fn view(&self, id: &str) -> Option<SessionView> {
        let state = self.state.lock();
        let session = state.sessions.get(id)?;
        Some(SessionView {
            id: id.to_owned(),
            agent: session.agent.clone().into(),
            turns: session.turns.clone(),
            messages: session.messages,
            bytes: session.bytes,
        })
    }

    fn remove(&self, id: &str) -> bool {
        self.state.lock().drop_session(id)
    }
}

impl State {
    /// The conversation, made if need be, as the one used last.
    fn touch(&mut self, id: &str, agent: &str) -> &mut Session {
        self.clock += 1;
        let used = self.clock;
        let session = self.sessions.entry(id.into()).or_insert_with(|| Session {
            agent: agent.into(),
            segments: Vec::new(),
            messages: 0,
            turns: Vec::new(),
            bytes: 0,
            used,
            in_use: false,
        });
        self.order.remove(&session.used);
        session.used = used;
        self.order.insert(used, id.into());
        session
    }

    /// Drops the longest idle until the limits hold; never one in use.
    fn shrink(&mut self, count_max: usize, bytes_max: usize) {
        while self.sessions.len() > count_max || self.bytes > bytes_max {
            let idle = |id: &str| self.sessions.get(id).is_some_and(|one| !one.in_use);
            let Some(oldest) = self.order.values().find(|id| idle(id)).cloned() else {
                return;
            };
            tracing::info!(session = %oldest, "dropped the longest idle conversation: limit reached");
            self.drop_session(&oldest);
        }
    }

    fn drop_session(&mut self, id: &str) -> bool {
        let Some(session) = self.sessions.remove(id) else {
            return false;
        };
        self.order.remove(&session.used);
        self.bytes = self.bytes.saturating_sub(session.bytes);
        true
    }
}

fn turn_bytes(turn: &Turn) -> usize {
    let text = |value: &serde_json::Value| value.as_str().map_or(64, str::len);
    text(&turn.prompt) + text(&turn.answer)
}
