//! A zygote's child that is this process's own, and waits to be told what it is to be. It refuses
//! to know how it was forked.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::ZygoteError;
use super::birth::Birth;
use crate::child::{Child, Life, ProcessGroup};
use crate::pipe::enlarge;
use crate::spawner::Spawner;

/// How long a newborn may take to hear what it is to be. One that was told nothing for a while uses
/// the time for a rehearsal, which takes some ten milliseconds.
const HEARING_TIMEOUT: Duration = Duration::from_secs(1);

/// Dropping it kills it.
#[derive(Debug)]
pub(super) struct Newborn {
    life: Arc<Life>,
    pipes: [OwnedFd; 3],
    cord: UnixStream,
    group: ProcessGroup,
}

impl Newborn {
    pub(super) fn new(
        life: Arc<Life>,
        pipes: [OwnedFd; 3],
        cord: UnixStream,
        spawner: &Spawner,
    ) -> Self {
        let group = ProcessGroup::new(Arc::clone(&life), spawner.clone());
        Self {
            life,
            pipes,
            cord,
            group,
        }
    }

    /// Whether it has not ended, as far as is known.
    pub(super) fn is_alive(&self) -> bool {
        self.life.watch().now().is_none()
    }

    /// Tells it, and waits until it has heard: then it lets go of the cord. Where it does not, it
    /// is killed.
    pub(super) async fn told(mut self, birth: &Birth) -> Result<Child, ZygoteError> {
        // It has yet to hear what it is to be: nothing of the agent has run.
        let limited = self.life.limit(birth.command.limits);
        limited.map_err(ZygoteError::Limit)?;
        let told = birth.to_bytes(self.life.tag());
        let heard = timeout(HEARING_TIMEOUT, async {
            self.cord.write_all(&told).await?;
            self.cord.read(&mut [0]).await
        });
        let heard = heard.await.unwrap_or(Err(io::ErrorKind::TimedOut.into()));
        heard.map_err(ZygoteError::Adopt)?;
        let [stdin, stdout, stderr] = self.pipes;
        enlarge([&stdin, &stdout], birth.command.pipe_bytes);
        Ok(Child {
            pid: self.life.pid(),
            stdin,
            stdout,
            stderr,
            exit: self.life.watch(),
            group: self.group,
        })
    }
}

/// A child that is forked ahead of the next spawn.
#[derive(Debug)]
pub(super) enum Spare {
    None,
    Coming,
    There(Newborn),
}

impl Spare {
    /// Whether one is to be forked now.
    pub(super) fn begin(&mut self) -> bool {
        let begins = match self {
            Self::None => true,
            Self::Coming => false,
            Self::There(newborn) => !newborn.is_alive(),
        };
        if begins {
            *self = Self::Coming;
        }
        begins
    }

    pub(super) fn take(&mut self) -> Option<Newborn> {
        match std::mem::replace(self, Self::None) {
            Self::There(newborn) => Some(newborn),
            Self::None => None,
            Self::Coming => {
                *self = Self::Coming;
                None
            }
        }
    }
}
