//! What supervision costs, and what it costs Erlang: `cargo bench --bench supervision`.
//! `-- core` is the decisions alone, `-- shell` the actors alone.
#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that prints what it finds, or fails"
)]

mod core;
mod figures;
mod otp;
mod shell;

use figures::Figures;
use otp::Otp;

/// Ours and theirs in turn, so that a busy machine slows both.
const ROUNDS: usize = 5;

fn main() {
    divan::main();
    let (flags, filters): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .partition(|argument| argument.starts_with('-'));
    // Without the flag it is a test of the decisions alone, as divan has it.
    let measured = flags.iter().any(|flag| flag == "--bench");
    if measured && filters.first().is_none_or(|filter| filter == "shell") {
        compare();
    }
}

fn compare() {
    let otp = Otp::find();
    if otp.is_none() {
        println!("erl is not installed: nothing to compare with");
    }
    let (mut ours, mut theirs) = (Figures::default(), otp.as_ref().map(|_| Figures::default()));
    for _ in 0..ROUNDS {
        ours.append(shell::round());
        if let (Some(otp), Some(theirs)) = (&otp, &mut theirs) {
            theirs.append(otp.round());
        }
    }
    figures::print(&ours, theirs.as_ref());
}
