//! The flags of a supervisor, and which flags and child specs go together.

use std::collections::HashSet;

use thiserror::Error;

use crate::spec::{AutoShutdown, OnExhausted, Restart, StartOrder, Strategy, SupervisorSpec};
use crate::supervisor::{ChildId, ChildSpec, Intensity};
use crate::time::Millis;

/// OTP's supervisor flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Which siblings a crash concerns.
    pub strategy: Strategy,
    /// More restarts than this within the period, and it gives up.
    pub intensity: u32,
    /// The window of the intensity.
    pub period: Millis,
    /// What it means that the intensity is exceeded.
    pub on_exhausted: OnExhausted,
    /// Whether a child's first start waits for the one before it.
    pub start_order: StartOrder,
    /// Whether the end of significant children ends it.
    pub auto_shutdown: AutoShutdown,
}

impl Default for Flags {
    /// OTP's: `one_for_one`, 1 restart in 5 s.
    fn default() -> Self {
        Self {
            strategy: Strategy::OneForOne,
            intensity: 1,
            period: Millis::from_secs(5),
            on_exhausted: OnExhausted::Escalate,
            start_order: StartOrder::Sequential,
            auto_shutdown: AutoShutdown::Never,
        }
    }
}

impl From<&SupervisorSpec> for Flags {
    fn from(spec: &SupervisorSpec) -> Self {
        Self {
            strategy: spec.strategy,
            intensity: spec.intensity,
            period: spec.period,
            on_exhausted: spec.on_exhausted,
            start_order: spec.start_order,
            auto_shutdown: spec.auto_shutdown,
        }
    }
}

/// Why flags or child specs are not valid (OTP's `check_childspecs`; the other cases cannot be
/// written).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecError {
    /// Two children of one supervisor have this id.
    #[error("duplicate_child_name: {0}")]
    DuplicateChildName(ChildId),
    /// A permanent child is always restarted, so its end cannot be significant; and under
    /// `auto_shutdown = never` nobody's is.
    #[error("bad_combination: {0} is significant")]
    BadSignificant(ChildId),
    /// The children of the other strategies depend on one another: none can be left out, and
    /// none can start before those in front of it.
    #[error("bad_combination: {0} needs strategy one_for_one")]
    NotOneForOne(&'static str),
}

impl Flags {
    /// Whether the flags go together, and these child specs with them.
    pub(super) fn check(&self, children: &[ChildSpec]) -> Result<(), SpecError> {
        let alone = self.strategy == Strategy::OneForOne;
        if !alone && self.on_exhausted == OnExhausted::Park {
            return Err(SpecError::NotOneForOne("on_exhausted = park"));
        }
        if !alone && self.start_order == StartOrder::Concurrent {
            return Err(SpecError::NotOneForOne("start_order = concurrent"));
        }
        let mut ids = HashSet::new();
        for spec in children {
            self.check_spec(spec)?;
            if !ids.insert(&spec.id) {
                return Err(SpecError::DuplicateChildName(spec.id.clone()));
            }
        }
        Ok(())
    }

    /// Whether the child may have this spec.
    pub(super) fn check_spec(&self, spec: &ChildSpec) -> Result<(), SpecError> {
        let may_be_significant =
            spec.restart != Restart::Permanent && self.auto_shutdown != AutoShutdown::Never;
        if spec.significant && !may_be_significant {
            return Err(SpecError::BadSignificant(spec.id.clone()));
        }
        Ok(())
    }

    /// A fresh budget for one child; `None`: it shares its supervisor's.
    pub(super) fn budget(&self) -> Option<Box<Intensity>> {
        match self.on_exhausted {
            OnExhausted::Escalate => None,
            OnExhausted::Park => Some(Box::new(Intensity::new(self.intensity, self.period))),
        }
    }
}
