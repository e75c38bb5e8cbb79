//! The guard above a shell instead of a node. A process divides itself before it has threads, so
//! that this program has a `main` of its own, and is both the tests and, when told so, the guarded
//! program. It adopts what a guard leaves behind, so that it would see it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::exit,
    clippy::print_stderr,
    reason = "a test, although the compiler takes it for a program"
)]

#[cfg(target_os = "linux")]
mod scenes;
#[cfg(target_os = "linux")]
mod stage;

#[cfg(target_os = "linux")]
fn main() {
    stage::run(&scenes::ALL);
}

#[cfg(not(target_os = "linux"))]
fn main() {}
