//! Conversations in the node's memory, bounded in number and bytes.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;
use synapse_core::fault::{Fault, FaultCode};

use crate::session::{Segment, SessionStore};
use crate::view::{SessionView, Turn};

/// Turns kept for people to read; the history that the agent gets has its own bound.
const TURNS_MAX: usize = 200;
/// Bytes of one conversation's turns, beside its history; the last turn is kept in any case.
const TURNS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes that a JSON value takes beside its text.
const VALUE_BYTES: usize = 32;

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
    turns: VecDeque<Turn>,
    turns_bytes: usize,
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
        let mut state = self.state.lock();
        if let Some(session) = state.sessions.get_mut(id) {
            session.in_use = false;
        }
        // It could not be dropped before.
        state.shrink(self.count_max, self.bytes_max);
    }

    fn append(&self, id: &str, segment: Option<Segment>, turn: Turn) {
        let mut state = self.state.lock();
        // One that was removed meanwhile stays removed.
        let Some(session) = state.sessions.get_mut(id) else {
            return;
        };
        let before = session.bytes;
        session.remember(turn);
        if let Some(segment) = segment {
            session.bytes += segment.messages.len();
            session.messages += segment.count;
            session.segments.push(segment.messages);
        }
        let after = session.bytes;
        state.bytes = (state.bytes + after).saturating_sub(before);
        state.shrink(self.count_max, self.bytes_max);
    }

    fn view(&self, id: &str) -> Option<SessionView> {
        let state = self.state.lock();
        let session = state.sessions.get(id)?;
        Some(SessionView {
            id: id.to_owned(),
            agent: session.agent.clone().into(),
            turns: session.turns.iter().cloned().collect(),
            messages: session.messages,
            bytes: session.bytes,
        })
    }

    fn remove(&self, id: &str) -> bool {
        self.state.lock().drop_session(id)
    }
}

impl Session {
    /// The oldest turns go when there are too many, or too large ones.
    fn remember(&mut self, turn: Turn) {
        let bytes = turn_bytes(&turn);
        self.turns.push_back(turn);
        self.bytes += bytes;
        self.turns_bytes += bytes;
        while self.turns.len() > TURNS_MAX
            || self.turns.len() > 1 && self.turns_bytes > TURNS_BYTES_MAX
        {
            let Some(oldest) = self.turns.pop_front() else {
                return;
            };
            let bytes = turn_bytes(&oldest);
            self.bytes = self.bytes.saturating_sub(bytes);
            self.turns_bytes = self.turns_bytes.saturating_sub(bytes);
        }
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
            turns: VecDeque::new(),
            turns_bytes: 0,
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
    value_bytes(&turn.prompt) + value_bytes(&turn.answer)
}

/// What a value takes in memory, roughly.
fn value_bytes(value: &Value) -> usize {
    VALUE_BYTES
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(value_bytes).sum(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| name.len() + value_bytes(value))
                .sum(),
        }
}
