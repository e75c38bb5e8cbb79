//! The supervisor's actor with children that are tasks, on a clock that stands still.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod against_otp;
mod alone;
mod children;
mod elixir;
mod generator;
mod names;
mod otp;
mod promptness;
mod scale;
mod stops;
mod tree;

#[path = "../../../../examples/scenario/answers.rs"]
mod answers;
#[path = "../../../core/tests/otp/comparison.rs"]
mod comparison;
#[path = "../../../../examples/scenario/real_tree.rs"]
mod real_tree;
#[path = "../../../../examples/scenario/script.rs"]
mod script;
#[path = "../../../../examples/scenario/virtual_tree.rs"]
mod virtual_tree;
