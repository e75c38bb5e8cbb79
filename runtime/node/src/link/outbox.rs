//! Bytes for the child's stdin that the pipe has not taken yet.
//!
//! Bounded by the slots of an agent: a call is only written for a free one.

use tokio::net::unix::pipe::Sender;

/// The buffer is given back when it was larger than this, in bytes.
const KEPT_BYTES_MAX: usize = 256 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    written: usize,
}

impl Outbox {
    /// Where frames are appended.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(crate) fn waits(&self) -> bool {
        self.written < self.bytes.len()
    }

    /// Writes what the pipe takes now. A broken pipe is no error here: the wait status decides.
    pub(crate) fn flush(&mut self, stdin: &mut Option<Sender>) {
        while self.waits() {
            let Some(pipe) = stdin else { break };
            let rest = self.bytes.get(self.written..).unwrap_or_default();
            match pipe.try_write(rest) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => *stdin = None,
            }
        }
        self.written = 0;
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
    }
}
