//! Conversations: the message history that runs share, kept while processes come and go.
//!
//! History is opaque bytes: it is stored as the agent sent it, segment by segment, and never
//! rewritten. One call at a time uses a conversation; a second one waits for the first.

mod memory;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use dashmap::DashMap;
use synapse_core::fault::{Fault, FaultCode};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout_at};

pub(crate) use memory::MemoryStore;

use crate::view::{SessionView, Turn};

/// The longest id, in bytes: ids stand in URLs and log lines.
const SESSION_ID_BYTES_MAX: usize = 128;

/// What a finished run adds to a conversation.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    /// The new messages, as JSON bytes of a list.
    pub messages: Bytes,
    /// How many they are.
    pub count: u64,
}

/// Where conversations live. In memory by default; a store on disk has the same form.
pub trait SessionStore: fmt::Debug + Send + Sync {
    /// The history of a conversation, oldest segment first; makes the conversation if need be.
    ///
    /// # Errors
    /// `invalid_input` where the conversation is with another agent.
    fn open(&self, id: &str, agent: &str) -> Result<Vec<Bytes>, Fault>;

    /// The run that opened it is over; only from now on may the conversation be dropped for room.
    fn close(&self, id: &str);

    /// Adds a turn, and its messages where the run gave some.
    fn append(&self, id: &str, segment: Option<Segment>, turn: Turn);

    /// A conversation, for people.
    fn view(&self, id: &str) -> Option<SessionView>;

    /// Forgets a conversation; false where there is none.
    fn remove(&self, id: &str) -> bool;
}

/// The conversations of a node: a store, and who uses which conversation now.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    store: Arc<dyn SessionStore>,
    /// Conversations in use or waited for.
    busy: Arc<DashMap<Box<str>, Arc<Mutex<()>>>>,
}

/// The right to use a conversation; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    id: Box<str>,
    sessions: Sessions,
    turn: Option<OwnedMutexGuard<()>>,
    open: bool,
}

impl Sessions {
    pub(crate) fn new(store: Arc<dyn SessionStore>) -> Self {
        Self {
            store,
            busy: Arc::default(),
        }
    }

    /// Waits until the conversation is free and opens it.
    pub(crate) async fn lease(
        &self,
        id: &str,
        agent: &str,
        deadline: Instant,
    ) -> Result<(Lease, Vec<Bytes>), Fault> {
        check_id(id)?;
        let mutex = Arc::clone(self.busy.entry(id.into()).or_default().value());
        // The lease exists before the wait, so that a caller who leaves tidies up.
        let mut lease = Lease {
            id: id.into(),
            sessions: self.clone(),
            turn: None,
            open: false,
        };
        let Ok(turn) = timeout_at(deadline, mutex.lock_owned()).await else {
            return Err(session_busy(id));
        };
        lease.turn = Some(turn);
        let history = self.store.open(id, agent)?;
        lease.open = true;
        Ok((lease, history))
    }

    pub(crate) fn view(&self, id: &str) -> Option<SessionView> {
        self.store.view(id)
    }

    pub(crate) fn remove(&self, id: &str) -> bool {
        self.store.remove(id)
    }
}

impl Lease {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Closes the turn: the conversation is free for the next call.
    pub(crate) fn commit(self, segment: Option<Segment>, turn: Turn) {
        self.sessions.store.append(&self.id, segment, turn);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.open {
            self.sessions.store.close(&self.id);
        }
        self.turn = None;
        // The map's own reference is the last one: nobody waits.
        self.sessions
            .busy
            .remove_if(&self.id, |_, mutex| Arc::strong_count(mutex) == 1);
    }
}

fn check_id(id: &str) -> Result<(), Fault> {
    let legible = id
        .chars()
        .all(|letter| letter.is_ascii_graphic() && letter != '/');
    if id.is_empty() || id.len() > SESSION_ID_BYTES_MAX || !legible {
        let message = format!(
            "{id:?} is not a session id; one is 1 to {SESSION_ID_BYTES_MAX} printable ASCII \
             characters without spaces and slashes"
        );
        return Err(Fault::new(FaultCode::InvalidInput, message));
    }
    Ok(())
}

fn session_busy(id: &str) -> Fault {
    let message = format!("session {id:?} was in use by another call until this one's deadline");
    Fault::new(FaultCode::SessionBusy, message)
}

#[cfg(test)]
mod tests;
