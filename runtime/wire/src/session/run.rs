//! What a session remembers of one run, and which of the run's own frames are legal. Refuses to
//! know the state of the conversation around it.

use std::hash::Hasher;

use crate::credit::Window;
use crate::frame::{CallFrame, Chunk};
use crate::limits::REQUESTS_OPEN_MAX;
use crate::violation::Violation;

#[derive(Debug)]
pub(super) struct Run {
    pub(super) phase: Phase,
    pub(super) cancelled: bool,
    /// Of a stream only.
    window: Option<Window>,
    seq_next: u64,
    pub(super) tool_calls: Requests,
    pub(super) output_checks: Requests,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Written ahead of a free slot; `started` is due.
    Prefetched,
    /// Executing since a prefetched call said `started`.
    Started,
    /// Executing since it was sent, into a slot that was held for it.
    Sent,
}

impl Run {
    pub(super) fn new(call: &CallFrame<'_>) -> Self {
        Self {
            phase: if call.prefetched {
                Phase::Prefetched
            } else {
                Phase::Sent
            },
            cancelled: false,
            window: call.stream.then(|| Window::new(call.credit)),
            seq_next: 0,
            tool_calls: Requests::default(),
            output_checks: Requests::default(),
        }
    }

    pub(super) fn start(&mut self, run: u64) -> Result<(), Violation> {
        let was = match self.phase {
            Phase::Prefetched => {
                self.phase = Phase::Started;
                return Ok(());
            }
            Phase::Started => "had already started",
            Phase::Sent => "was not prefetched",
        };
        Err(Violation::UnexpectedStart { run, was })
    }

    pub(super) fn chunk(&mut self, chunk: &Chunk) -> Result<(), Violation> {
        let run = chunk.run;
        let window = self
            .window
            .as_mut()
            .ok_or(Violation::NotStreaming { run })?;
        if chunk.seq != self.seq_next {
            let (expected, found) = (self.seq_next, chunk.seq);
            return Err(Violation::WrongSequence {
                run,
                expected,
                found,
            });
        }
        if !window.spend() {
            return Err(Violation::CreditExceeded { run });
        }
        self.seq_next += 1;
        Ok(())
    }

    /// The stream's reader took chunks: how many to grant now.
    pub(super) fn take(&mut self, chunks: u32) -> Option<u32> {
        self.window.as_mut()?.take(chunks)
    }
}

/// The numbers of open tool calls or output checks: a handful, so a list beats a set.
#[derive(Debug, Default)]
pub(super) struct Requests {
    open: Vec<u64>,
}

impl Requests {
    pub(super) fn open(
        &mut self,
        frame: &'static str,
        run: u64,
        number: u64,
    ) -> Result<(), Violation> {
        if self.open.contains(&number) {
            return Err(Violation::DuplicateRequest { frame, run, number });
        }
        if self.open.len() >= REQUESTS_OPEN_MAX {
            return Err(Violation::TooManyRequests { frame, run });
        }
        self.open.push(number);
        Ok(())
    }

    pub(super) fn is_open(&self, number: u64) -> bool {
        self.open.contains(&number)
    }

    pub(super) fn close(&mut self, number: u64) {
        self.open.retain(|open| *open != number);
    }
}

/// Run numbers are the node's own and mostly consecutive: one multiplication spreads them, and no
/// peer can choose them to collide.
#[derive(Debug, Default)]
pub struct RunHasher(u64);

impl Hasher for RunHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, run: u64) {
        // 2^64 over the golden ratio; hashbrown looks at the top seven bits and at the low ones.
        let spread = run.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = spread ^ (spread >> 32);
    }
}
