//! The floor of the same run: tokio and a blocking Python process that echo MessagePack over pipes,
//! with no actors, deadlines or mailboxes in between.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use synapse_environment::Prepared;
use synapse_process::{Child, Command, ProcessGroup, Spawner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::time::Instant;

use crate::bench::figures::Calls;
use crate::bench::times::Times;
use crate::failure::{Failure, report_chain};

const PROGRAM: &str = include_str!("floor.py");
const HEADER_BYTES: usize = 4;

/// A running floor.
#[derive(Debug)]
pub(super) struct Floor {
    stdin: Sender,
    stdout: Receiver,
    read: BytesMut,
    write: Vec<u8>,
    _group: ProcessGroup,
}

impl Floor {
    /// Starts the Python side with the interpreter and packages of the agents.
    pub(super) async fn start(prepared: &Prepared, spawner: &Spawner) -> Result<Self, Failure> {
        let environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        let command = Command::new(&prepared.python, ".")
            .args(["-P", "-c", PROGRAM])
            .env(environment);
        let child = spawner.spawn(command).await;
        let child = child.map_err(|error| Failure::new(report_chain(&error)))?;
        let Child {
            stdin,
            stdout,
            group,
            ..
        } = child;
        let pipes = |error: io::Error| Failure::new(format!("the floor's pipes: {error}"));
        Ok(Self {
            stdin: Sender::from_owned_fd(stdin).map_err(pipes)?,
            stdout: Receiver::from_owned_fd(stdout).map_err(pipes)?,
            read: BytesMut::new(),
            write: Vec::new(),
            _group: group,
        })
    }

    /// `calls` echoes with `in_flight` under way.
    pub(super) async fn calls(
        &mut self,
        calls: usize,
        in_flight: usize,
        text: &str,
    ) -> io::Result<Calls> {
        let times = Times::new();
        let began = Instant::now();
        let mut done = 0;
        let mut sent = VecDeque::with_capacity(in_flight);
        let mut next = 0;
        while done < calls {
            while sent.len() < in_flight && next < calls {
                self.append(i64::try_from(next).unwrap_or(0), text)?;
                sent.push_back(Instant::now());
                next += 1;
            }
            self.flush().await?;
            self.frame().await?;
            loop {
                let began = sent.pop_front().unwrap_or_else(Instant::now);
                times.add(began.elapsed());
                done += 1;
                if !self.has_frame() {
                    break;
                }
                self.frame().await?;
            }
        }
        Ok(Calls::new(&times, calls, began.elapsed()))
    }

    /// One stream: the time until the first chunk, and until the last.
    pub(super) async fn stream(&mut self, chunks: usize) -> io::Result<(Duration, Duration)> {
        let began = Instant::now();
        self.append(-1, &chunks.to_string())?;
        self.flush().await?;
        self.frame().await?;
        let first = began.elapsed();
        for _ in 1..chunks {
            self.frame().await?;
        }
        Ok((first, began.elapsed()))
    }

    fn append(&mut self, number: i64, text: &str) -> io::Result<()> {
        let at = self.write.len();
        self.write.extend_from_slice(&[0; HEADER_BYTES]);
        rmp_serde::encode::write(&mut self.write, &(number, text)).map_err(io::Error::other)?;
        let length = u32::try_from(self.write.len() - at - HEADER_BYTES).unwrap_or(u32::MAX);
        if let Some(header) = self.write.get_mut(at..at + HEADER_BYTES) {
            header.copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    /// Both directions at once: a large batch must not wait for a reader that waits for a writer.
    async fn flush(&mut self) -> io::Result<()> {
        let mut rest = self.write.as_slice();
        while !rest.is_empty() {
            self.read.reserve(64 * 1024);
            tokio::select! {
                biased;
                written = self.stdin.write(rest) => rest = rest.get(written?..).unwrap_or_default(),
                read = self.stdout.read_buf(&mut self.read) => drop(read?),
            }
        }
        self.write.clear();
        Ok(())
    }

    fn frame_bytes(&self) -> Option<usize> {
        let header = self.read.first_chunk::<HEADER_BYTES>()?;
        Some(HEADER_BYTES + usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX))
    }

    fn has_frame(&self) -> bool {
        self.frame_bytes()
            .is_some_and(|bytes| self.read.len() >= bytes)
    }

    async fn frame(&mut self) -> io::Result<()> {
        while !self.has_frame() {
            self.read.reserve(64 * 1024);
            if self.stdout.read_buf(&mut self.read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let bytes = self.frame_bytes().unwrap_or(0);
        let body = self.read.get(HEADER_BYTES..bytes).unwrap_or_default();
        let decoded: (i64, String) = rmp_serde::from_slice(body).map_err(io::Error::other)?;
        std::hint::black_box(decoded);
        self.read.advance(bytes);
        Ok(())
    }
}
