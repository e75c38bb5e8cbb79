//! An agent's log: the last lines of its present and its previous incarnation, and a feed.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::clock::timestamp;
use crate::view::{LogLine, LogStream};

/// The page of a spare, which has no number yet: nobody reads it before it is an incarnation's.
pub(crate) const SPARE: u64 = 0;
/// Lines kept per incarnation.
const LINES_KEPT: usize = 1_000;
/// The longest line, in bytes; the rest of a longer one is cut.
pub(crate) const LINE_BYTES_MAX: usize = 8 * 1024;
/// Lines that a slow reader may be behind before it loses some (and is told so).
const LINES_FEED: usize = 1_024;
/// Ended incarnations whose lines are kept.
const ENDED_KEPT: usize = 1;

/// A text of at most a line's length, however long an agent made it.
pub(crate) fn cut(mut text: String) -> String {
    if text.len() > LINE_BYTES_MAX {
        let end = (0..=LINE_BYTES_MAX)
            .rev()
            .find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        text.push_str(" … (cut)");
    }
    text
}

/// The lines of one agent, all replicas.
#[derive(Debug)]
pub(crate) struct LogBook {
    agent: Arc<str>,
    pages: Mutex<VecDeque<Page>>,
    /// Made for the first who listens: its places are memory that most agents never need.
    feed: OnceLock<broadcast::Sender<LogLine>>,
}

#[derive(Debug)]
struct Page {
    incarnation: u64,
    ended: bool,
    lines: VecDeque<LogLine>,
}

impl LogBook {
    pub(crate) fn new(agent: Arc<str>) -> Self {
        Self {
            agent,
            pages: Mutex::default(),
            feed: OnceLock::new(),
        }
    }

    /// A new incarnation begins: its lines stand on a page of their own.
    pub(crate) fn begin(&self, incarnation: u64) {
        let page = Page {
            incarnation,
            ended: false,
            lines: VecDeque::new(),
        };
        self.pages.lock().push_back(page);
    }

    /// What was written on one incarnation's page belongs to another, before what is there.
    pub(crate) fn adopt(&self, from: u64, incarnation: u64) {
        let mut pages = self.pages.lock();
        let at = pages.iter().position(|page| page.incarnation == from);
        let Some(mut earlier) = at.and_then(|at| pages.remove(at)) else {
            return;
        };
        for line in &mut earlier.lines {
            line.incarnation = incarnation;
        }
        let of_it = |page: &&mut Page| page.incarnation == incarnation;
        if let Some(page) = pages.iter_mut().find(of_it) {
            earlier.lines.append(&mut page.lines);
            page.lines = earlier.lines;
        }
    }

    /// Nobody will ask for this page: nothing of it was an incarnation's.
    pub(crate) fn forget(&self, incarnation: u64) {
        let mut pages = self.pages.lock();
        pages.retain(|page| page.incarnation != incarnation);
    }

    /// An incarnation is over: its page is the previous one now.
    pub(crate) fn end(&self, incarnation: u64) {
        let mut pages = self.pages.lock();
        if let Some(page) = pages
            .iter_mut()
            .find(|page| page.incarnation == incarnation)
        {
            page.ended = true;
        }
        while pages.iter().filter(|page| page.ended).count() > ENDED_KEPT {
            let oldest = pages.iter().position(|page| page.ended);
            oldest.and_then(|at| pages.remove(at));
        }
    }

    pub(crate) fn add(&self, incarnation: u64, stream: LogStream, level: &str, text: String) {
        let line = LogLine {
            at: timestamp(),
            agent: self.agent.to_string(),
            incarnation,
            stream,
            level: level.to_owned(),
            text,
        };
        let mut pages = self.pages.lock();
        if let Some(page) = pages
            .iter_mut()
            .rev()
            .find(|page| page.incarnation == incarnation)
        {
            if page.lines.len() == LINES_KEPT {
                page.lines.pop_front();
            }
            page.lines.push_back(line.clone());
        }
        if let Some(feed) = self.feed.get() {
            // An error means that nobody listens any more.
            drop(feed.send(line));
        }
    }

    /// The last `tail` lines, oldest first, and those that follow.
    pub(crate) fn subscribe(
        &self,
        previous: bool,
        tail: usize,
    ) -> (Vec<LogLine>, broadcast::Receiver<LogLine>) {
        let pages = self.pages.lock();
        // While an agent is down, its last life is what one wants to read.
        let mine = |page: &&Page| page.incarnation != SPARE;
        let all_ended = pages.iter().filter(mine).all(|page| page.ended);
        let mut lines: Vec<LogLine> = pages
            .iter()
            .filter(mine)
            .filter(|page| page.ended == (previous || all_ended))
            .flat_map(|page| page.lines.iter().cloned())
            .collect();
        // Replicas write at the same time; the sort is stable.
        lines.sort_by(|one, other| one.at.cmp(&other.at));
        lines.drain(..lines.len().saturating_sub(tail));
        // Still under the lock, so that no line is missed between the two.
        let feed = self.feed.get_or_init(|| broadcast::channel(LINES_FEED).0);
        (lines, feed.subscribe())
    }

    /// The lines that an incarnation's process wrote itself, as far as they are kept.
    pub(crate) fn stderr(&self, incarnation: u64) -> Vec<String> {
        let pages = self.pages.lock();
        let page = pages
            .iter()
            .rev()
            .find(|page| page.incarnation == incarnation);
        page.into_iter()
            .flat_map(|page| page.lines.iter())
            .filter(|line| line.stream == LogStream::Stderr)
            .map(|line| line.text.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests;
