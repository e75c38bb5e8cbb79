//! The supervisor's actor with children that are tasks, on a clock that stands still.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod alone;
mod children;
mod elixir;
mod names;
mod otp;
mod promptness;
mod scale;
mod stops;
mod tree;
