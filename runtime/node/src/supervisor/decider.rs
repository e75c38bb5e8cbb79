//! The two kinds of core supervisor behind one face, so that one actor serves both.

use synapse_core::spec::{AutoShutdown, Strategy};
use synapse_core::supervisor::{
    Action, ChildInfo, DynamicFlags, DynamicSupervisor, Event, Flags, Supervisor,
};
use synapse_core::time::Time;

/// Whoever decides.
#[derive(Debug)]
pub(super) enum Decider {
    /// With specs in an order.
    Static(Supervisor),
    /// Of children that come and go.
    Dynamic(DynamicSupervisor),
}

impl Decider {
    pub(super) fn handle(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        match self {
            Self::Static(core) => core.handle(now, event, out),
            Self::Dynamic(core) => core.handle(now, event, out),
        }
    }

    pub(super) fn flags(&self) -> Flags {
        match self {
            Self::Static(core) => *core.flags(),
            Self::Dynamic(core) => {
                let DynamicFlags {
                    intensity, period, ..
                } = *core.flags();
                Flags {
                    strategy: Strategy::OneForOne,
                    intensity,
                    period,
                    auto_shutdown: AutoShutdown::Never,
                    ..Flags::default()
                }
            }
        }
    }

    pub(super) const fn is_up(&self) -> bool {
        match self {
            Self::Static(core) => core.is_up(),
            Self::Dynamic(core) => core.is_up(),
        }
    }

    pub(super) fn restarts_in_period(&self, now: Time) -> u32 {
        match self {
            Self::Static(core) => core.restarts_in_period(now),
            Self::Dynamic(core) => core.restarts_in_period(now),
        }
    }

    pub(super) fn children(&self) -> Vec<ChildInfo> {
        match self {
            Self::Static(core) => core.children().collect(),
            Self::Dynamic(core) => core.children().collect(),
        }
    }
}
