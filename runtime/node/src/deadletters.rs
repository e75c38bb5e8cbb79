//! Dead letters: calls that have killed their agent too often, kept until a person has dealt with
//! them. It refuses to know why a call became one.
//!
//! In the list at once, and durable when [`DeadLetters::keep`] returns. Without a folder they live
//! as long as the node.

mod file;
mod letter;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Duration, timeout};

use file::Folder;
pub use letter::{DeadLetter, DeadLetterHead, KeptCall, LetterId};

/// Letters that are kept; of more, the oldest goes. A person has to look at each.
pub const DEAD_LETTERS_MAX: usize = 1_000;
/// Bytes of all letters; the newest is kept in any case. Sixteen of the largest inputs.
pub const DEAD_LETTER_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How long the node's end waits for letters that are being written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// The dead letters of a node.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    folder: Option<Arc<Folder>>,
    bytes_max: u64,
    state: Mutex<State>,
    writing: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    letters: BTreeMap<LetterId, Kept>,
    /// Being tried again in this moment.
    tried: BTreeSet<LetterId>,
    damaged: Vec<String>,
}

#[derive(Debug)]
struct Kept {
    head: DeadLetterHead,
    bytes: u64,
    /// `None`: in its file.
    letter: Option<Arc<DeadLetter>>,
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeadLetterList {
    /// The oldest first.
    pub letters: Vec<DeadLetterHead>,
    /// Files that are none, or cannot be read, by name.
    pub damaged: Vec<String>,
}

/// The one who tries a letter again; it may be tried by others when this is dropped.
#[derive(Debug)]
pub(crate) struct Trying {
    letters: Arc<DeadLetters>,
    id: LetterId,
}

impl Drop for Trying {
    fn drop(&mut self) {
        self.letters.state.lock().tried.remove(&self.id);
    }
}

impl DeadLetters {
    /// Those that are in the folder. What cannot be read is told, and left as it is.
    pub(crate) fn open(folder: Option<PathBuf>) -> Self {
        let folder = folder.map(|path| Arc::new(Folder::new(path)));
        let found = folder.as_deref().map(Folder::scan).unwrap_or_default();
        for name in &found.damaged {
            tracing::warn!(file = %name, "a dead letter is damaged, and left as it is; delete its file to be rid of it");
        }
        let letters = found.heads.into_iter().map(|(head, bytes)| {
            let letter = None;
            (
                head.id,
                Kept {
                    head,
                    bytes,
                    letter,
                },
            )
        });
        let state = State {
            last: found.last,
            letters: letters.collect(),
            tried: BTreeSet::new(),
            damaged: found.damaged,
        };
        Self {
            folder,
            bytes_max: DEAD_LETTER_BYTES_MAX,
            state: Mutex::new(state),
            writing: watch::Sender::new(0),
        }
    }

    /// A number that no letter has.
    pub(crate) fn next_id(&self) -> LetterId {
        let mut state = self.state.lock();
        state.last += 1;
        LetterId(state.last)
    }

    pub(crate) fn list(&self, agent: Option<&str>) -> DeadLetterList {
        let state = self.state.lock();
        let fits = |head: &&DeadLetterHead| agent.is_none_or(|agent| agent == head.agent);
        DeadLetterList {
            letters: state
                .letters
                .values()
                .map(|kept| &kept.head)
                .filter(fits)
                .cloned()
                .collect(),
            damaged: state.damaged.clone(),
        }
    }

    /// Keeps a letter, or what has become of one.
    pub(crate) async fn keep(&self, letter: DeadLetter) {
        let letter = Arc::new(letter);
        let id = letter.head.id;
        let kept = Kept {
            head: letter.head.clone(),
            bytes: letter.bytes(),
            letter: Some(Arc::clone(&letter)),
        };
        self.state.lock().letters.insert(id, kept);
        if let Some(folder) = &self.folder {
            self.writing.send_modify(|count| *count += 1);
            let folder = Arc::clone(folder);
            let written = blocking(move || folder.write(&letter)).await;
            self.written(id, written);
            self.writing.send_modify(|count| *count -= 1);
        }
        self.make_room(id).await;
    }

    fn written(&self, id: LetterId, written: std::io::Result<u64>) {
        let mut state = self.state.lock();
        match (state.letters.get_mut(&id), written) {
            (Some(kept), Ok(bytes)) => {
                kept.bytes = bytes;
                kept.letter = None;
            }
            (_, Err(error)) => {
                tracing::error!(%id, %error, "a dead letter could not be written; it is kept as long as the node lives");
            }
            // Dropped while it was written.
            (None, Ok(_)) => self.delete(id),
        }
    }

    /// The oldest go until the limits hold.
    async fn make_room(&self, newest: LetterId) {
        loop {
            let oldest = {
                let state = self.state.lock();
                let bytes: u64 = state.letters.values().map(|kept| kept.bytes).sum();
                let fits = state.letters.len() <= DEAD_LETTERS_MAX && bytes <= self.bytes_max;
                let mut ids = state.letters.keys().copied();
                ids.find(|id| *id != newest).filter(|_| !fits)
            };
            let Some(oldest) = oldest else { return };
            tracing::warn!(id = %oldest, "dropped the oldest dead letter: limit reached");
            self.remove(oldest).await;
        }
    }

    /// A letter with all that is known; `None` where there is none.
    pub(crate) async fn read(&self, id: LetterId) -> std::io::Result<Option<Arc<DeadLetter>>> {
        let in_memory = match self.state.lock().letters.get(&id) {
            None => return Ok(None),
            Some(kept) => kept.letter.clone(),
        };
        match (in_memory, &self.folder) {
            (Some(letter), _) => Ok(Some(letter)),
            (None, Some(folder)) => {
                let folder = Arc::clone(folder);
                let read = blocking(move || folder.read(id)).await;
                read.map(|letter| Some(Arc::new(letter)))
            }
            (None, None) => Ok(None),
        }
    }

    /// Forgets a letter; false where there is none.
    pub(crate) async fn remove(&self, id: LetterId) -> bool {
        let there = self.state.lock().letters.remove(&id).is_some();
        if there && let Some(folder) = &self.folder {
            let folder = Arc::clone(folder);
            if let Err(error) = blocking(move || folder.remove(id)).await {
                tracing::error!(%id, %error, "the file of a dead letter could not be removed");
            }
        }
        there
    }

    fn delete(&self, id: LetterId) {
        if let Some(folder) = self.folder.clone() {
            tokio::task::spawn_blocking(move || folder.remove(id).ok());
        }
    }

    /// The right to try a letter again; `None` where somebody does.
    pub(crate) fn try_again(self: &Arc<Self>, id: LetterId) -> Option<Trying> {
        let first = self.state.lock().tried.insert(id);
        first.then(|| Trying {
            letters: Arc::clone(self),
            id,
        })
    }

    /// The letter that is meant by an id that is none.
    pub(crate) fn nearest(&self, wrong: &str) -> Option<LetterId> {
        let state = self.state.lock();
        let near = |id: &LetterId| strsim::damerau_levenshtein(&id.to_string(), wrong);
        state.letters.keys().copied().min_by_key(near)
    }

    /// Waits until every letter is written that came so far.
    pub(crate) async fn settle(&self) {
        let mut writing = self.writing.subscribe();
        let settled = writing.wait_for(|count| *count == 0);
        if timeout(WRITE_TIMEOUT, settled).await.is_err() {
            tracing::error!("dead letters are not written within {WRITE_TIMEOUT:?}");
        }
    }
}

/// Files are read and written on a thread that may wait for the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

#[cfg(test)]
mod tests;
