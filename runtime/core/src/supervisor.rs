//! OTP's supervisor as a pure state machine: `event × time → actions`. Knows no actor and no clock.
//!
//! [`Supervisor`] is `one_for_one`, `one_for_all` and `rest_for_one`; [`DynamicSupervisor`] is for
//! children that come and go. What they are told comes in as [`Event`]s, what they decide goes out
//! as [`Action`]s, and a shell does them in order. It never
//! waits: a start or a stop is an action now and an event later, so that a stop is served in the
//! middle of anything. `docs/supervision.md` has the rules.

mod action;
mod admin;
mod backoff;
mod child;
mod children;
mod code_change;
mod dynamic;
mod event;
mod flags;
mod intensity;
mod machine;
mod report;
mod request;
mod roster;
mod sequence;
mod start_error;
mod stopping;

pub use action::{Action, Cause, WhyDown};
pub use child::{ChildId, ChildKind, ChildSpec, ChildState};
pub use dynamic::{DynamicFlags, DynamicSupervisor};
pub use event::{Event, TimerId, Token};
pub use flags::{Flags, SpecError};
pub use intensity::{INTENSITY_MAX, Intensity};
pub use machine::Supervisor;
pub use report::{Context, CrashReport, Offender};
pub use request::{ChildInfo, CodeChange, Counts, Reply, Request, RequestError};
pub use start_error::StartError;
