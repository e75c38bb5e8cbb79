//! Both ends of the pipe: what is read becomes frames, until the end of file or a violation.

use std::fs::File;
use std::io::{self, Read};

use bytes::BufMut;
use synapse_wire::FrameDecoder;
use synapse_wire::frame::FromAgent;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::{Receiver, Sender};

use crate::link::{Link, LinkEvent};
use crate::logs::cut;
use crate::view::Side;

/// Bytes read after the child's death at the most: what a grandchild goes on writing is not its.
const AFTER_DEATH_BYTES_MAX: usize = 2 * synapse_wire::limits::FRAME_BYTES_MAX;
/// Bytes read at once then: what a pipe holds by default.
const DRAIN_BYTES: usize = 64 * 1024;

pub(super) async fn read(
    stdout: &mut Receiver,
    decoder: &mut FrameDecoder<FromAgent>,
) -> io::Result<usize> {
    stdout.read_buf(&mut decoder.space()).await
}

pub(super) async fn writable(stdin: Option<&Sender>) {
    match stdin {
        // An error shows itself in the write that follows.
        Some(stdin) => drop(stdin.writable().await),
        None => std::future::pending().await,
    }
}

impl Link {
    /// Notes the frames that were put into the outbox since the last time.
    pub(super) fn note_sent(&mut self) {
        while let Some(front) = self.outbox.next_unseen() {
            let now = self.now();
            self.recent.note(now, Side::Runtime, front);
        }
    }

    /// What a read gave: frames, or the end of the pipe.
    pub(super) fn read(&mut self, read: &io::Result<usize>, decoder: &mut FrameDecoder<FromAgent>) {
        match read {
            Ok(0) | Err(_) => self.closed(decoder),
            Ok(_) => {
                self.port.note_heard();
                self.frames(decoder);
            }
        }
    }

    /// End of file. Inside a frame it is a violation, unless a crash explains it: the wait status
    /// decides.
    fn closed(&mut self, decoder: &FrameDecoder<FromAgent>) {
        self.open = false;
        let torn = decoder.end().err().map(|violation| violation.to_string());
        self.condemn(LinkEvent::Closed { torn });
    }

    pub(super) fn frames(&mut self, decoder: &mut FrameDecoder<FromAgent>) {
        loop {
            let front = decoder.front();
            let frame = decoder.next_frame();
            let event = match frame {
                Ok(None) => break,
                Ok(Some(frame)) => self.session.received(frame),
                Err(violation) => Err(violation),
            };
            if let Some(front) = front {
                let now = self.now();
                self.recent.note(now, Side::Agent, front);
            }
            match event {
                Ok(event) => self.take_event(event),
                Err(violation) => {
                    // Nothing that follows can be understood, or trusted; and until it is killed, the
                    // process may begin with any run that it has.
                    self.open = false;
                    self.runs.values_mut().for_each(|run| run.started = true);
                    self.tells_effects = false;
                    self.condemn(LinkEvent::Violation(cut(violation.to_string())));
                    break;
                }
            }
        }
    }

    /// What is in the pipe now, without waiting: a grandchild may hold it open for ever. The kernel
    /// is asked, since tokio may not have heard of the last bytes yet.
    pub(super) fn drain(&mut self, stdout: Receiver, decoder: &mut FrameDecoder<FromAgent>) {
        let Ok(stdout) = stdout.into_nonblocking_fd() else {
            return;
        };
        let mut stdout = File::from(stdout);
        let mut buffer = vec![0; DRAIN_BYTES];
        let mut left = AFTER_DEATH_BYTES_MAX;
        while self.open && left > 0 {
            let room = decoder.space().remaining_mut().min(DRAIN_BYTES);
            let count = match stdout.read(buffer.get_mut(..room).unwrap_or_default()) {
                Ok(0) => return self.closed(decoder),
                Ok(count) => count,
                Err(_) => return,
            };
            decoder
                .space()
                .put_slice(buffer.get(..count).unwrap_or_default());
            left = left.saturating_sub(count);
            self.frames(decoder);
        }
    }
}
