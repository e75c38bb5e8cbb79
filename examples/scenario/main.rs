//! Runs a supervision scenario and prints its trace, as Erlang's own supervisor would.
//!
//! `cargo run --release --example scenario -- --core FILE.json` runs it on the pure core, on a
//! virtual clock.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod script;
mod virtual_tree;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [flag, file] = arguments.as_slice() else {
        return fail("usage: scenario --core FILE.json");
    };
    if flag != "--core" {
        return fail("usage: scenario --core FILE.json");
    }
    match run(file) {
        Ok(lines) => {
            println!("{}", lines.join("\n"));
            ExitCode::SUCCESS
        }
        Err(error) => fail(&format!("{file}: {error}")),
    }
}

fn run(file: &str) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let scenario = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    Ok(virtual_tree::trace(&scenario))
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(2)
}
