//! Bytes for the child's stdin that the pipe has not taken yet.
//!
//! Bounded by the slots of an agent: a call is only written for a free one, and what the pipe took
//! does not stay.

use synapse_wire::FrameFront;
use synapse_wire::limits::HEADER_BYTES;
use tokio::net::unix::pipe::Sender;

/// The buffer is given back when it was larger than this, in bytes. Fresh memory for each payload
/// of up to a megabyte would cost more than writing it.
const KEPT_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that the pipe has taken are forgotten from this many on.
const WRITTEN_BYTES_MAX: usize = 256 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    written: usize,
    /// Bytes that the pipe has taken, ever.
    taken: u64,
    /// Where the first frame begins that [`Outbox::next_unseen`] has not given.
    unseen: usize,
}

/// What became of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// They are in the pipe, or wait for it.
    Fine,
    /// Nobody will ever read them.
    Broken,
}

impl Outbox {
    /// Where frames are appended.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Where the next frame begins, in bytes since the beginning.
    pub(crate) fn end(&self) -> u64 {
        self.taken + bytes_of(self.bytes.len() - self.written)
    }

    /// Whether the pipe has taken everything up to there.
    pub(crate) const fn has_sent(&self, end: u64) -> bool {
        self.taken >= end
    }

    pub(crate) fn waits(&self) -> bool {
        self.written < self.bytes.len()
    }

    /// The front of the next frame that was appended since it was last asked.
    pub(crate) fn next_unseen(&mut self) -> Option<FrameFront> {
        let front = FrameFront::of(self.bytes.get(self.unseen..)?)?;
        let body = usize::try_from(front.bytes()).unwrap_or(usize::MAX);
        self.unseen = self
            .unseen
            .saturating_add(HEADER_BYTES)
            .saturating_add(body);
        Some(front)
    }

    /// Writes what the pipe takes now. Without a pipe the bytes are dropped.
    pub(crate) fn flush(&mut self, stdin: &mut Option<Sender>) -> Flushed {
        let mut flushed = Flushed::Fine;
        while self.waits() {
            let Some(pipe) = stdin else { break };
            let rest = self.bytes.get(self.written..).unwrap_or_default();
            match pipe.try_write(rest) {
                Ok(count) => {
                    self.written += count;
                    self.taken += bytes_of(count);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    self.forget_written();
                    return flushed;
                }
                Err(_) => {
                    *stdin = None;
                    flushed = Flushed::Broken;
                }
            }
        }
        self.written = 0;
        self.unseen = 0;
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
        flushed
    }

    /// A process that is always a little behind would otherwise keep every byte it ever got. Each
    /// byte is moved once at the most.
    fn forget_written(&mut self) {
        if self.written > WRITTEN_BYTES_MAX && self.written > self.bytes.len() / 2 {
            self.bytes.drain(..self.written);
            self.unseen = self.unseen.saturating_sub(self.written);
            self.written = 0;
        }
    }
}

fn bytes_of(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
