//! Supervisor flags and the parts of a child spec that decide restarts, in OTP's words.

use serde::{Deserialize, Serialize};

use crate::name::Name;
use crate::spec::ChildRef;
use crate::time::Millis;

/// Which siblings a crash concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Only the child that ended.
    #[default]
    OneForOne,
    /// Every child.
    OneForAll,
    /// The child that ended and those started after it.
    RestForOne,
}

/// Whether a child that ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Always.
    #[default]
    Permanent,
    /// Only after a crash.
    Transient,
    /// Never.
    Temporary,
}

/// How a child is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shutdown {
    /// Killed at once.
    BrutalKill,
    /// Asked, and killed when the time is over.
    Timeout(Millis),
    /// Asked, and waited for without end.
    Infinity,
}

/// Whether the end of significant children ends the supervisor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoShutdown {
    /// Never.
    #[default]
    Never,
    /// When any significant child ends by itself and is not restarted.
    AnySignificant,
    /// When the last significant child has.
    AllSignificant,
}

/// What it means that a child needs more restarts than the intensity allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExhausted {
    /// The supervisor gives up; all its children share one budget. OTP's only case.
    #[default]
    Escalate,
    /// Each child has a budget of its own; one that exhausts it stays down until it is started by
    /// request. Under `one_for_one` alone.
    Park,
}

/// Whether a child waits at the first start for the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartOrder {
    /// Until it is up. OTP's only case.
    #[default]
    Sequential,
    /// For none: all are started at once. Under `one_for_one` alone.
    Concurrent,
}

/// A supervisor of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorSpec {
    /// Its name, unique among agents and supervisors.
    pub name: Name,
    /// Which siblings a crash concerns.
    pub strategy: Strategy,
    /// More restarts than this within the period, and it gives up. OTP's default is 1.
    pub intensity: u32,
    /// The window of the intensity. OTP's default is 5 s.
    pub period: Millis,
    /// What more restarts than that mean.
    pub on_exhausted: OnExhausted,
    /// Whether its children start one after the other.
    pub start_order: StartOrder,
    /// Whether the end of significant children ends it.
    pub auto_shutdown: AutoShutdown,
    /// How its own supervisor restarts it.
    pub restart: Restart,
    /// How its own supervisor stops it; `Infinity` by default.
    pub shutdown: Shutdown,
    /// Whether its own end counts for its supervisor's `auto_shutdown`.
    pub significant: bool,
    /// Start order; stop order is the reverse.
    pub children: Vec<ChildRef>,
}
