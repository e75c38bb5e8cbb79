//! OTP's administration API and the operator's own requests, with their answers.

use crate::supervisor::{
    ChildId, ChildKind, ChildSpec, ChildState, DynamicFlags, Flags, SpecError, StartError,
};

/// What can be asked of a running supervisor.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Add this child behind the others and start it. A failing start leaves nothing behind.
    StartChild(ChildSpec),
    /// Stop the child, also one that is starting or about to be restarted; its spec stays unless
    /// it is temporary. A restart that concerns the siblings starts it again, as in OTP.
    TerminateChild(ChildId),
    /// Forget the spec of a child that is down.
    DeleteChild(ChildId),
    /// Start a child that is down.
    RestartChild(ChildId),
    /// List the children, newest first.
    WhichChildren,
    /// The line of `which_children` for one child.
    WhichChild(ChildId),
    /// Count the children.
    CountChildren,
    /// The spec of one child.
    GetChildspec(ChildId),
    /// An operator's stop: like `TerminateChild`, but holds until `OperatorStart`, whatever
    /// happens to the siblings; a temporary child is kept.
    OperatorStop(ChildId),
    /// An operator's start: lifts a stop, ends a backoff, brings up a child that is down.
    OperatorStart(ChildId),
    /// An operator's restart: terminates and starts this one child; counts nothing.
    OperatorRestart(ChildId),
    /// New flags and specs in place of the old ones, while the children live on. Done when the
    /// supervisor is between restarts.
    CodeChange(Box<CodeChange>),
}

/// What a supervisor shall be from now on (OTP's `code_change`).
#[derive(Clone, Debug, PartialEq)]
pub enum CodeChange {
    /// For a supervisor with specs. A known id gets its new spec and lives on; a new one is added
    /// and not started; one that is missing is kept as it is, behind the others.
    Static {
        /// The new flags.
        flags: Flags,
        /// The new specs, in the new start order.
        children: Vec<ChildSpec>,
    },
    /// For a dynamic supervisor. A new template is one for the living children too; no child is
    /// ended because there are more of them than the new `max_children`.
    Dynamic(DynamicFlags),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Done: the child is up, is down, or is forgotten.
    Ok,
    /// The child's start answered `ignore`.
    Ignored,
    /// To `WhichChildren`.
    Children(Vec<ChildInfo>),
    /// To `WhichChild`.
    Child(ChildInfo),
    /// To `CountChildren`.
    Counts(Counts),
    /// To `GetChildspec`.
    Spec(Box<ChildSpec>),
    /// It was not done.
    Error(RequestError),
}

/// Why a request was not done: OTP's error set, and what only a supervisor that never waits has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A child of this id is alive.
    #[error("already_started")]
    AlreadyStarted,
    /// A spec of this id exists, and its child is down.
    #[error("already_present")]
    AlreadyPresent,
    /// The child is alive.
    #[error("running")]
    Running,
    /// The child is waiting to be started again.
    #[error("restarting")]
    Restarting,
    /// No child has this id.
    #[error("not_found")]
    NotFound,
    /// The spec is not valid here.
    #[error("invalid_child_spec: {0}")]
    InvalidSpec(#[source] SpecError),
    /// The specs are not for this kind of supervisor.
    #[error("bad_start_spec")]
    BadStartSpec,
    /// The child could not start.
    #[error("start_failed: {0}")]
    StartFailed(#[source] StartError),
    /// The child was stopped, by another request, before it was up.
    #[error("stopped")]
    Stopped,
    /// A dynamic supervisor has as many children as it may have.
    #[error("max_children")]
    MaxChildren,
    /// A dynamic supervisor does not have this request (OTP's `simple_one_for_one` error).
    #[error("simple_one_for_one")]
    SimpleOneForOne,
    /// The supervisor is going down.
    #[error("shutting_down")]
    ShuttingDown,
}

/// One line of `which_children`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildInfo {
    /// The child.
    pub id: ChildId,
    /// What it is doing; OTP's pid, `undefined` and `restarting` are projections of it.
    pub state: ChildState,
    /// Worker or supervisor.
    pub kind: ChildKind,
    /// The life that is, or was the last; 0 before the first.
    pub incarnation: u64,
}

/// `count_children`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Specs, whatever their children do.
    pub specs: usize,
    /// Children that are alive.
    pub active: usize,
    /// Specs of supervisors.
    pub supervisors: usize,
    /// Specs of workers.
    pub workers: usize,
}
