//! A supervisor from outside: requests, status, and the two ways to end it.

use std::time::Duration;

use ractor::{ActorRef, RpcReplyPort};
use synapse_core::supervisor::{ChildInfo, Flags, Reply, Request, RequestError};
use tokio::sync::oneshot;

use crate::supervisor::{ChildHandle, SupervisorMessage};

/// How a supervisor stands at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct SupervisorSnapshot {
    /// Its path.
    pub path: String,
    /// Its flags.
    pub flags: Flags,
    /// Whether all children have come up once.
    pub is_up: bool,
    /// Restarts that count against the intensity now.
    pub restarts_in_period: u32,
    /// Its children in start order.
    pub children: Vec<ChildInfo>,
}

/// An address of a supervisor's actor. Cheap to copy; does not keep it alive.
#[derive(Clone, Debug)]
pub struct SupervisorHandle {
    actor: ActorRef<SupervisorMessage>,
}

impl SupervisorHandle {
    pub(super) const fn new(actor: ActorRef<SupervisorMessage>) -> Self {
        Self { actor }
    }

    /// Asks and waits for the answer, which comes when the thing is done: a child that hangs in
    /// its start delays the answer of who asked for that start, and nobody else's. Bound the wait
    /// where that matters; giving up does not undo the request.
    ///
    /// The request is sent at once, before the future is polled: requests are served in the order
    /// in which they were made.
    pub fn request(&self, request: Request) -> impl Future<Output = Reply> + Send + use<> {
        let (sender, receiver) = oneshot::channel();
        self.tell(SupervisorMessage::Request(request, sender.into()));
        async move {
            let answer = receiver.await;
            answer.unwrap_or(Reply::Error(RequestError::ShuttingDown))
        }
    }

    /// How it stands; `None` when it is gone.
    pub async fn snapshot(&self) -> Option<SupervisorSnapshot> {
        self.ask(SupervisorMessage::Snapshot).await
    }

    /// Asks it to go down in order. Beats everything that it is doing.
    pub fn stop(&self) {
        self.tell(SupervisorMessage::Stop);
    }

    /// Kills every child below it at once, and then it is gone.
    pub fn kill(&self) {
        self.tell(SupervisorMessage::Kill);
    }

    /// Ends the actor itself, as a defect of ours would: its children go with their handles, its
    /// parent hears that it vanished. To see what comes of that; [`kill`](Self::kill) is cleaner.
    pub fn crash(&self) {
        self.actor.kill();
    }

    /// Waits until it is gone.
    pub async fn ended(&self) {
        // An error means that it never began.
        drop(self.actor.wait(None).await);
    }

    /// The supervisor as the child of another: what a [`ChildFactory`](super::ChildFactory)
    /// returns for it.
    #[must_use]
    pub fn into_child(self) -> Box<dyn ChildHandle> {
        Box::new(NestedSupervisor(self))
    }

    async fn ask<T: Send + 'static>(
        &self,
        message: impl FnOnce(RpcReplyPort<T>) -> SupervisorMessage,
    ) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        self.tell(message(sender.into()));
        receiver.await.ok()
    }

    /// An error means that it is gone: what was asked for has happened, or the reply port says so.
    fn tell(&self, message: SupervisorMessage) {
        drop(self.actor.cast(message));
    }
}

/// A supervisor as the child of another.
#[derive(Debug)]
struct NestedSupervisor(SupervisorHandle);

impl ChildHandle for NestedSupervisor {
    fn stop(&mut self, _within: Option<Duration>) {
        self.0.stop();
    }

    fn kill(&mut self) {
        self.0.kill();
    }
}

impl Drop for NestedSupervisor {
    /// The parent is gone, or this supervisor is. As in OTP, one whose parent died ends in order.
    fn drop(&mut self) {
        self.0.stop();
    }
}
