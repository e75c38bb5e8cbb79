//! The supervisor against OTP: its suite's cases by name, recorded traces, and properties.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod admin;
mod backoff;
mod bench;
mod code_change;
mod concurrent;
mod dynamic;
mod dynamic_supervisor;
mod nested;
mod operator;
mod park;
mod properties;
mod recorded;
mod restart_types;
mod scale;
mod shutdown;
mod significant;
mod specs;
mod start;
mod strategies;

#[path = "../../../../examples/scenario/answers.rs"]
mod answers;
#[path = "../otp/comparison.rs"]
mod comparison;
#[path = "../../../../examples/scenario/script.rs"]
mod script;
#[path = "../../../../examples/scenario/virtual_tree.rs"]
mod virtual_tree;
