//! The client of a zygote: a warm process that forks others on request, which become children of
//! this one. It refuses to know what the zygote is warm with, and what a child does.
//!
//! The zygote's stdin is a socket that keeps messages apart. What passes, in order:
//!
//! 1. To the zygote: what to warm up with, as text. From it: `ready`, or why not, then lines of
//!    what it could not do. Nothing more ever comes from it on that socket.
//! 2. To the zygote, for each child: four descriptors, which are the child's three pipes and the
//!    end of a stream of its own, the *cord*.
//! 3. On the cord, from between: `MIDDLE CHILD\n`, two process numbers, or why there is no child.
//!    The zygote forks twice, so that the child falls to this process, a subreaper, when the one
//!    in the middle ends. That one waits until the child is known here: it waits for the cord.
//! 4. On the cord, from here: one byte that cuts it. The one in the middle looks at it and ends;
//!    the child alone reads, the byte too, so that it understands the rest whoever dies meanwhile.
//! 5. On the cord, from here, at once or when it is wanted: what the child is to be: folder, name
//!    and environment. The zygote sees none of it. The child closes the cord when it has heard.
//!
//! Where the cord ends without that byte, the one in the middle kills its child; where it ends
//! without the rest, the child ends.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::process::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

pub use birth::Birth;
use birth::Ends;
use newborn::{Newborn, Spare};

use crate::child::{Child, ExitWatch, Life, ProcessGroup};
use crate::command::{Command, Input, SpawnError};
use crate::spawner::Spawner;

mod birth;
mod newborn;

/// How long a warm zygote may take to fork, which takes milliseconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a child may take to become ours; it does nothing else.
const ADOPTION_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer, in bytes: two numbers, or a reason.
const ANSWER_BYTES_MAX: u64 = 1024;
/// The longest report on the warming up, in bytes: a line for each thing that failed.
const REPORT_BYTES_MAX: usize = 16 * 1024;
/// What is sent with a child's descriptors: a message has at least one byte.
const BIRTH: &[u8] = b"b";
/// Cuts the cord: the child is told at once what it is to be.
const CUT: u8 = b'c';
/// Cuts the cord of one that is told later, and has the time to rehearse.
const AHEAD: u8 = b'a';

/// A running zygote. Dropping the last clone kills it; its children live on.
#[derive(Clone, Debug)]
pub struct Zygote(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    socket: UnixStream,
    /// One answer is waited for at a time, so that its time limit is the zygote's own. Whether one
    /// did not come in time: nobody behind that one waits for another.
    is_silent: Mutex<bool>,
    exit: ExitWatch,
    spawner: Spawner,
    spare: std::sync::Mutex<Spare>,
    _group: ProcessGroup,
}

/// Why a zygote gave no child.
#[derive(Debug, thiserror::Error)]
pub enum ZygoteError {
    /// It could not be started at all.
    #[error("start the zygote")]
    Start(#[source] SpawnError),
    /// It is gone.
    #[error("use the zygote: it has ended")]
    Ended,
    /// It is there and says nothing.
    #[error("use the zygote: no answer within {} ms", .0.as_millis())]
    Silent(Duration),
    /// It says why not.
    #[error("use the zygote: {0}")]
    Refused(String),
    /// The child ended, or fell to nobody, before it knew what it is to be.
    #[error("adopt the zygote's child")]
    Adopt(#[source] io::Error),
    /// The child is not to live without its limits.
    #[error("limit the zygote's child")]
    Limit(#[source] io::Error),
    /// The system refused.
    #[error("speak with the zygote")]
    Socket(#[source] io::Error),
}

impl Zygote {
    /// Starts it, and gives it what to warm up with. Its stderr comes beside it, to be read from
    /// the beginning on.
    pub async fn start(
        spawner: &Spawner,
        command: Command,
        warm_up: &str,
    ) -> Result<(Self, OwnedFd), ZygoteError> {
        let command = Command {
            input: Input::Socket,
            ..command
        };
        let child = spawner.spawn(command).await.map_err(ZygoteError::Start)?;
        let socket = UnixStream::from_std(child.stdin.into()).map_err(ZygoteError::Socket)?;
        let zygote = Self(Arc::new(Inner {
            socket,
            is_silent: Mutex::new(false),
            exit: child.exit,
            spawner: spawner.clone(),
            spare: std::sync::Mutex::new(Spare::None),
            _group: child.group,
        }));
        zygote.send(warm_up.as_bytes(), &[]).await?;
        Ok((zygote, child.stderr))
    }

    /// Waits until it is warm; what it could not do. Without a bound: the caller has one.
    pub async fn ready(&self) -> Result<Vec<String>, ZygoteError> {
        let mut report = vec![0; REPORT_BYTES_MAX];
        let socket = &self.0.socket;
        let received = socket.async_io(Interest::READABLE, || {
            Ok(rustix::net::recv(socket, &mut report, RecvFlags::empty())?.0)
        });
        let length = match received.await {
            Ok(0) => return Err(ZygoteError::Ended),
            Ok(length) => length,
            Err(error) => return Err(self.failed(error)),
        };
        let report = String::from_utf8_lossy(report.get(..length).unwrap_or_default());
        let mut lines = report.lines().map(str::to_owned);
        match lines.next().as_deref() {
            Some("ready") => Ok(lines.collect()),
            why => Err(ZygoteError::Refused(why.unwrap_or_default().to_owned())),
        }
    }

    /// Its end. It may be waited for without a handle.
    pub fn exit(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut exit = self.0.exit.clone();
        async move {
            exit.wait().await;
        }
    }

    /// Makes a process: of the child that was forked ahead, or of a new one. A caller that is
    /// cancelled meanwhile leaves none behind.
    pub async fn spawn(&self, birth: Birth) -> Result<Child, ZygoteError> {
        let inner = Arc::clone(&self.0);
        // A task of its own: what has begun is brought to its end, and then dropped.
        let task = tokio::spawn(async move { inner.spawn(&birth).await });
        task.await
            .unwrap_or_else(|error| Err(ZygoteError::Socket(io::Error::other(error))))
    }

    /// Forks a child ahead of the next spawn, unless there is one: a spawn has nothing to wait for
    /// then but the child itself, which has rehearsed what it can.
    pub async fn fork_ahead(&self) -> Result<(), ZygoteError> {
        if !self.0.spare().begin() {
            return Ok(());
        }
        let born = self.0.bear(AHEAD).await;
        let (spare, answer) = match born {
            Ok(newborn) => (Spare::There(newborn), Ok(())),
            Err(error) => (Spare::None, Err(error)),
        };
        *self.0.spare() = spare;
        answer
    }

    async fn send(
        &self,
        message: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), ZygoteError> {
        self.0.send(message, descriptors).await
    }

    fn failed(&self, error: io::Error) -> ZygoteError {
        self.0.failed(error)
    }
}

impl Inner {
    fn spare(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: io::Error) -> ZygoteError {
        let gone = matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
        );
        if gone || self.exit.now().is_some() {
            ZygoteError::Ended
        } else {
            ZygoteError::Socket(error)
        }
    }

    async fn send(
        &self,
        message: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), ZygoteError> {
        let socket = &self.socket;
        let sent = socket.async_io(Interest::WRITABLE, || {
            let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
            let mut rights = SendAncillaryBuffer::new(&mut space);
            if !descriptors.is_empty() {
                rights.push(SendAncillaryMessage::ScmRights(descriptors));
            }
            let message = [io::IoSlice::new(message)];
            Ok(rustix::net::sendmsg(
                socket,
                &message,
                &mut rights,
                SendFlags::empty(),
            )?)
        });
        sent.await.map(drop).map_err(|error| self.failed(error))
    }

    async fn spawn(&self, birth: &Birth) -> Result<Child, ZygoteError> {
        birth.command.expect_folder().map_err(ZygoteError::Start)?;
        let spare = self.spare().take();
        if let Some(newborn) = spare.filter(Newborn::is_alive) {
            match newborn.told(birth).await {
                Ok(child) => return Ok(child),
                // Killed or stopped while it waited: nothing of the agent's was in it.
                Err(error) => tracing::debug!(%error, "a child that was forked ahead is of no use"),
            }
        }
        let newborn = self.bear(CUT).await?;
        newborn.told(birth).await
    }

    async fn bear(&self, cut: u8) -> Result<Newborn, ZygoteError> {
        let (Ends { pipes, cord }, theirs) = Ends::make().map_err(ZygoteError::Socket)?;
        let mut cord = BufReader::new(UnixStream::from_std(cord).map_err(ZygoteError::Socket)?);
        let mut is_silent = self.is_silent.lock().await;
        if *is_silent {
            return Err(ZygoteError::Silent(ANSWER_TIMEOUT));
        }
        let answered = timeout(ANSWER_TIMEOUT, async {
            self.send(BIRTH, &theirs.each_ref().map(AsFd::as_fd))
                .await?;
            // From here on these are the child's alone.
            drop(theirs);
            self.answer(&mut cord).await
        });
        let answered = answered.await;
        *is_silent = answered.is_err();
        drop(is_silent);
        let answer = answered.unwrap_or(Err(ZygoteError::Silent(ANSWER_TIMEOUT)))?;
        let (middle, child) = numbers(&answer).ok_or(ZygoteError::Refused(answer))?;
        let mut cord = cord.into_inner();
        let life = self.adopt(middle, child, &mut cord, cut).await?;
        Ok(Newborn::new(life, pipes, cord, &self.spawner))
    }

    /// A line from between, without its end.
    async fn answer(&self, cord: &mut BufReader<UnixStream>) -> Result<String, ZygoteError> {
        let mut line = String::new();
        let read = cord.take(ANSWER_BYTES_MAX).read_line(&mut line).await;
        read.map_err(|error| self.failed(error))?;
        match line.strip_suffix('\n') {
            Some(line) => Ok(line.to_owned()),
            None => Err(ZygoteError::Ended),
        }
    }

    /// Knows the child before it lets it come.
    async fn adopt(
        &self,
        middle: Pid,
        child: Pid,
        cord: &mut UnixStream,
        cut: u8,
    ) -> Result<Arc<Life>, ZygoteError> {
        let life = Arc::new(Life::new(child, self.spawner.next_tag()));
        // Its number is its own as long as the one in the middle lives, which waits for us.
        let adoption = self.spawner.reaper().adopt(&life, middle);
        let adoption = adoption.map_err(ZygoteError::Adopt)?;
        let done = timeout(ADOPTION_TIMEOUT, async {
            cord.write_all(&[cut]).await?;
            adoption.done().await
        });
        match done.await {
            Ok(done) => done.map_err(ZygoteError::Adopt)?,
            Err(_) => return Err(ZygoteError::Silent(ADOPTION_TIMEOUT)),
        }
        Ok(life)
    }
}

/// `MIDDLE CHILD`.
fn numbers(answer: &str) -> Option<(Pid, Pid)> {
    let (middle, child) = answer.split_once(' ')?;
    let number = |text: &str| text.parse().ok().and_then(Pid::from_raw);
    Some((number(middle)?, number(child)?))
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use tokio::time::Instant;

    use super::*;

    /// Time is the runtime's own here: it passes only where everybody waits for it.
    #[cfg(target_os = "linux")]
    #[tokio::test(start_paused = true)]
    async fn those_behind_one_that_got_no_answer_do_not_wait_for_their_own() {
        let spawner = Spawner::start().unwrap();
        let deaf = Command::new("/bin/sleep", "/").args(["600"]);
        let (zygote, _stderr) = Zygote::start(&spawner, deaf, "").await.unwrap();
        let birth = || Birth {
            command: Command::new("", "/"),
            title: String::new(),
        };
        let began = Instant::now();
        let (first, second) = tokio::join!(zygote.spawn(birth()), zygote.spawn(birth()));
        for answer in [first, second, zygote.spawn(birth()).await] {
            assert!(matches!(answer, Err(ZygoteError::Silent(_))), "{answer:?}");
        }
        assert_eq!(began.elapsed(), ANSWER_TIMEOUT);
    }

    #[test]
    fn an_answer_is_two_numbers_or_a_reason() {
        let raw = |answer| numbers(answer).map(|(a, b)| (a.as_raw_pid(), b.as_raw_pid()));
        assert_eq!(raw("12 345"), Some((12, 345)));
        assert_eq!(raw("two threads"), None);
        assert_eq!(raw("0 12"), None);
        assert_eq!(raw("12"), None);
    }
}
