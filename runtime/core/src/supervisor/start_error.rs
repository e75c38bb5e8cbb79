//! Why a child, or a whole subtree, could not start: OTP's nested `failed_to_start_child`.

use std::fmt;

use crate::exit::ExitReason;
use crate::supervisor::ChildId;

/// The first failure below, and the way down to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError {
    /// From the failing supervisor's child down to the culprit; empty for the child itself.
    pub path: Vec<ChildId>,
    /// What the culprit said.
    pub reason: ExitReason,
}

impl StartError {
    /// The child itself failed for this reason.
    #[must_use]
    pub const fn new(reason: ExitReason) -> Self {
        Self {
            path: Vec::new(),
            reason,
        }
    }

    /// The same error seen from the supervisor of `child`.
    #[must_use]
    pub fn below(mut self, child: ChildId) -> Self {
        self.path.insert(0, child);
        self
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for child in &self.path {
            write!(formatter, "{child}: ")?;
        }
        write!(formatter, "{}", self.reason)
    }
}

impl std::error::Error for StartError {}
