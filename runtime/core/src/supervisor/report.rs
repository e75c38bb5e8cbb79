//! Crash reports with OTP's four keys: supervisor, context, reason, offender.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::exit::ExitReason;
use crate::spec::{Restart, Shutdown};
use crate::supervisor::{ChildId, ChildKind, ChildSpec};

/// When it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    /// A child could not start.
    StartError,
    /// A child ended by itself.
    ChildTerminated,
    /// The supervisor gave up.
    Shutdown,
    /// The child exhausted its own budget, and stays down. OTP has no such context.
    Parked,
    /// A child that was told to stop ended otherwise.
    ShutdownError,
}

impl Context {
    /// OTP's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StartError => "start_error",
            Self::ChildTerminated => "child_terminated",
            Self::Shutdown => "shutdown",
            Self::Parked => "parked",
            Self::ShutdownError => "shutdown_error",
        }
    }
}

/// The child that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offender {
    /// Which child.
    pub id: ChildId,
    /// Which life of it.
    pub incarnation: u64,
    /// Worker or supervisor.
    pub kind: ChildKind,
    /// Its restart type.
    pub restart: Restart,
    /// Its shutdown rule.
    pub shutdown: Shutdown,
}

/// One report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CrashReport {
    /// The path of the supervisor. Shared: a storm of restarts makes many reports.
    #[serde(serialize_with = "as_text")]
    pub supervisor: Arc<str>,
    /// When it happened.
    pub context: Context,
    /// Why.
    pub reason: ExitReason,
    /// The child that it is about.
    pub offender: Offender,
}

impl Offender {
    pub(crate) fn new(spec: &ChildSpec, incarnation: u64) -> Self {
        Self {
            id: spec.id.clone(),
            incarnation,
            kind: spec.kind,
            restart: spec.restart,
            shutdown: spec.shutdown,
        }
    }
}

fn as_text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl fmt::Display for CrashReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            supervisor,
            context,
            reason,
            offender,
        } = self;
        let (context, id, incarnation) = (context.as_str(), &offender.id, offender.incarnation);
        write!(
            formatter,
            "{supervisor} {context}: {id} #{incarnation} {reason}"
        )
    }
}
