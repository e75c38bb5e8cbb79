//! Pure decisions of Synapse: names, specs, exit reasons, faults and OTP's supervision rules.
//!
//! This crate refuses to know clocks, tasks, processes and files. Everything that chooses is a
//! synchronous function here (`state × event × time → actions`); the shells in `synapse-node` only
//! act.

#![warn(missing_docs)]

pub mod crash;
pub mod exit;
pub mod fault;
pub mod incarnation;
pub mod liveness;
pub mod name;
pub mod presence;
pub mod provider;
pub mod secret;
pub mod spec;
pub mod supervisor;
pub mod time;
